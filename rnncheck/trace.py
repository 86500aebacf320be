"""What was seen of one cell: plain data that every rule reads and none changes.

Arrays are NumPy copies of shape ``(batch, *slot shape)``. Nothing here imports a framework, and NumPy
only for type checkers, so that rules and formats load at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnncheck.structure import Structure

if TYPE_CHECKING:
    from numpy import ndarray

    from rnncheck.running.capture import Helper, Key

    Array = ndarray[Any, Any]


@dataclass(frozen=True)
class Slot:
    """One leaf of the state structure; ``shape`` is that of one row, without the batch axis. ``variable``: it is kept
    on the cell, in a variable of the framework."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    variable: bool = False


@dataclass(frozen=True)
class SlotStep:
    """One slot at one timestep.

    ``previous`` was copied before the call, ``returned`` after it. ``same_object`` says that the very
    tensor that went in came back. ``new`` is the value that the cell computed for the slot, whether or
    not it returned it; None when it computed none.
    """

    previous: Array
    returned: Array
    same_object: bool
    new: Array | None

    @property
    def unchanged(self) -> bool:
        return equal(self.previous, self.returned)

    @property
    def passage(self) -> Passage:
        return Passage.of(self.previous, self.new, self.returned)


@dataclass(frozen=True)
class Passage:
    """One slot at one timestep, each value as its root mean square over rows and units; None where that is not finite,
    or where there was no such value."""

    previous: float | None
    new: float | None
    returned: float | None
    unchanged: bool

    @classmethod
    def of(cls, previous: Array, new: Array | None, returned: Array) -> Passage:
        came_back = rms(returned)
        kept = None if new is None else came_back if new is returned else rms(new)
        return cls(rms(previous), kept, came_back, equal(previous, returned))


@dataclass(frozen=True)
class Span:
    """A statement in the user's file, in 1-based lines and columns."""

    line: int
    end_line: int
    column: int
    text: str


@dataclass(frozen=True)
class Computed:
    """A local variable of the running method that had a slot's shape and was not returned as state.

    ``reads_slot`` and ``reads_input``: its value changes when that slot, or the input, does.
    ``writes``: it is more than a multiple of the slot: from a zero slot it still depends on the input.
    ``blends``: it changes with the other slots, from a zero slot too.
    ``in_place_of_it``: it stands in the slot's place of a whole new state of which another part came back.
    ``spelled`` and ``old`` are the expressions for it and for the slot's old value that hold where its frame
    ended, ``returns`` the statement that ended it. ``in_method``: that frame is the cell's method itself.
    ``is_readout``: it is read out of another new value of the slot. ``is_unread``: nothing after it names it. ``key``
    is what the recording of a step calls it.
    """

    name: str
    line: int
    statement: str
    reads_slot: bool
    reads_input: bool
    writes: bool
    is_output: bool
    values: tuple[Array | None, ...]
    spelled: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    returns: Span | None = None
    in_method: bool = True
    in_place_of_it: bool = False
    is_readout: bool = False
    blends: bool = False
    is_unread: bool = False
    key: Key | None = None

    @property
    def is_update(self) -> bool:
        """It has all that a new value of the slot needs: old value, input or another slot, and something added; in a
        whole new state its place says so (there may be no input to which it listens: few make a neuron spike)."""
        return self.reads_slot and (self.in_place_of_it or (self.reads_input and self.writes) or self.blends)


@dataclass(frozen=True)
class Behaviour:
    """What the cell did under one set of weights; every tuple has one entry per slot.

    ``moves``: from a probe state the slot came back changed at some step.
    ``moves_from_initial``: likewise from the cell's own initial state, for some input.
    ``read``: another value in the slot changed an output, another slot, or its own update.
    ``finite``: the numbers stayed finite, without which nothing is concluded.
    ``hears``: another input changed a slot or an output.
    ``still``: the units of the slot (an array of bool, ``slot shape``) that came back as they went in at every step
    and in every row, whatever the values; none where that cannot be told. ``constant``: the slot came back as the same
    numbers at every step, whatever went in.
    """

    moves: tuple[bool, ...]
    moves_from_initial: tuple[bool, ...]
    read: tuple[bool, ...]
    finite: bool
    hears: bool = True
    still: tuple[Array, ...] = ()
    constant: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Influence:
    """What reaches what. Rows are sources (the slots, then the input), columns targets (the slots, then
    the output where there is one).

    ``value``: the largest absolute change seen; 0.0 means bit for bit the same. ``gradient``: the largest
    absolute derivative of a random projection; None means not connected. ``gradient_error`` says why
    there are no gradients at all.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    value: tuple[tuple[float, ...], ...]
    gradient: tuple[tuple[float | None, ...], ...] | None
    gradient_error: str | None = None


@dataclass(frozen=True)
class Weight:
    """A trainable weight. ``reached`` is False when no gradient path leads from it to any result; ``dead``
    when there is a path but every derivative along it is zero; ``idle_blocks`` are the widths of the slots of
    which a block of rows or columns as wide is so. ``elsewhere``: another method of the class uses it. ``never``: it
    was so with other weights too. ``used`` is False for one that certainly has no effect, named at the statement
    ``span``; ``is_cut`` for one that has, and to which the statement lets no gradient through; ``straight_through``
    says that it cuts off a difference, as where a gradient is to pass beside it. ``registered``: the cell gives it to
    an optimiser; else ``place`` is the file and line where it is kept. The shape is None for a layer that was never
    called and so has no weights."""

    name: str
    shape: tuple[int, ...] | None
    reached: bool
    dead: bool
    idle_blocks: tuple[int, ...] = ()
    elsewhere: bool = False
    never: bool = False
    used: bool = True
    span: Span | None = None
    is_cut: bool = False
    straight_through: bool = False
    registered: bool = True
    place: tuple[str, int] | None = None

    def could_take(self, width: int) -> bool:
        """Whether a state of this width could go through it: a matrix with such a side, or a layer never called."""
        return self.shape is None or (width in self.shape and sum(size > 1 for size in self.shape) > 1)


@dataclass(frozen=True)
class Initial:
    """Where the unroll starts. ``declared`` is False when zeros were assumed. ``zeros``: per slot."""

    source: str
    declared: bool
    zeros: tuple[bool, ...]

    def filled(self, slot: int) -> bool:
        """Whether the cell itself put something other than zeros there."""
        return not self.zeros[slot] and (self.declared or self.source.endswith("after one step"))


@dataclass(frozen=True)
class Method:
    """Where the cell's code stands. ``path`` is None when there is no source to point at.

    ``defined`` is the file and the line of the cell's own class, which may have the method from another.
    ``state_parameter`` and ``input_parameter`` are the user's names. ``bindings`` maps each slot to the names by
    which the running method knew the old value. ``returns`` is the return statement that ran, ``produced`` per slot
    the statement that assigned the value that came back and ``returned_names`` what the method calls it,
    ``entered`` the first statement in which the input became something of another shape, ``entered_width`` wide.
    ``lost`` per slot is the statement in which an unread slot was lost, and ``overwritten`` whether that gave its
    name another value; ``without`` the first statement that goes on without what was computed from it. ``stored``
    per slot is the statement that puts it on the cell, where it is kept there. ``assembled`` is the statement that
    put the returned state together, ``given_out`` says per slot whether what came back is an output too.
    ``helpers`` are the functions of the file that it ran, ``ran`` all lines of the file that did.
    """

    name: str
    path: str | None
    line: int | None
    class_name: str
    class_line: int | None
    input_parameter: str
    state_parameter: str
    bindings: tuple[tuple[str, ...], ...] = ()
    returns: Span | None = None
    produced: tuple[Span | None, ...] = ()
    returned_names: tuple[tuple[str, ...], ...] = ()
    entered: Span | None = None
    entered_width: int | None = None
    lost: tuple[Span | None, ...] = ()
    overwritten: tuple[bool, ...] = ()
    without: tuple[Span | None, ...] = ()
    stored: tuple[Span | None, ...] = ()
    assembled: Span | None = None
    given_out: tuple[bool, ...] = ()
    deaf: Span | None = None
    defined: tuple[str, int] | None = None
    helpers: tuple[Helper, ...] = ()
    ran: frozenset[int] = frozenset()

    def handed_back(self, slot: int) -> Span | None:
        """Where the slot leaves the method: the statement that puts it on the cell, else the return."""
        return (self.stored[slot] if self.stored else None) or self.returns


@dataclass(frozen=True)
class Declaration:
    """What the cell says about its own state. ``expected`` is False where nothing has to be declared.

    ``attribute`` is where the cell keeps its width (``units``), and ``attribute_value`` that width. ``shapes`` are
    those that ``state_size`` gives the slots, ``place`` the file and line where that is set.
    """

    expected: bool
    state_size: bool
    attribute: str | None = None
    attribute_value: int | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    place: tuple[str, int] | None = None


@dataclass(frozen=True)
class Cut:
    """A slot without a gradient through time: its old value on the ``way`` in, or what comes back on the way out,
    at a statement. ``whole``: a method that runs over a whole sequence cuts it there alone. ``nothing``: no gradient
    reaches anything that the cell gives."""

    slot: int
    way: str
    span: Span | None
    whole: bool = False
    nothing: bool = False


@dataclass(frozen=True)
class Doubled:
    """A slot in whose place the new value of an ``other`` slot comes back too, or that one's ``old`` value, while its
    own new value is dropped."""

    slot: int
    other: int
    update: Computed
    old: bool = False


@dataclass(frozen=True)
class Forgotten:
    """Units of a slot that nothing hears while the others are heard: ``first`` to ``last`` along an ``axis`` of a row.
    ``given_out``: an output has their new value."""

    slot: int
    axis: int
    first: int
    last: int
    given_out: bool


@dataclass(frozen=True)
class Mutation:
    """What was passed in as a slot was changed in place by a statement: the tensor, or the ``container`` (a list, a
    dict) that held it. ``returned``: that very object came back as the state. ``queue``: at least half of the numbers
    are old ones, shifted or left alone."""

    slot: int
    container: str | None
    returned: bool
    queue: bool
    span: Span | None


@dataclass(frozen=True)
class Swap:
    """Two slots that come back in each other's place, as their ``update`` or their ``names`` prove. ``apart``: each is
    an argument of its own, so that the caller may know of the other order."""

    slots: tuple[int, int]
    by: str
    apart: bool = False


@dataclass(frozen=True)
class Leak:
    """What the cell keeps beside its state, by the user's names, and the statement that writes it."""

    places: tuple[str, ...]
    span: Span | None


@dataclass(frozen=True)
class Fault:
    """What ended the experiments before they could tell of memory, named by its ``rule``: at this step, in this slot
    (None for no one slot), at a statement. ``went_in`` and ``came_back`` are what it was and what it became, ``partly``
    whether some numbers of the same slots stayed numbers."""

    rule: str
    slot: int | None
    step: int
    span: Span | None
    went_in: str
    came_back: str
    partly: bool = False


@dataclass(frozen=True)
class GradientFault:
    """A derivative from the cell's own first state is no number: at this step, at a statement."""

    step: int
    span: Span | None


@dataclass(frozen=True)
class Retyped:
    """A slot that came back in another dtype, at a statement."""

    slot: int
    went_in: str
    came_back: str
    span: Span | None


@dataclass(frozen=True)
class Growth:
    """By how much the size of a slot grows at every step, geometrically, up to the last step looked at."""

    slot: int
    factor: float
    steps: int


@dataclass(frozen=True)
class Mismatch:
    """A form of the cell that ``refused`` it with this complaint, at a statement, or gave numbers with this ``gap``.
    ``start``: it takes the cell with a first state that is handed to it. ``own_start``: it made the first state itself,
    as the cell declares it."""

    way: str
    refused: str | None
    span: Span | None
    gap: float | None
    start: bool = False
    own_start: bool = False


@dataclass(frozen=True)
class Chance:
    """In evaluation mode other random numbers give another state (``in_state``) or another output, first at a
    statement. ``dropout`` is what drops units there, empty where their values alone tell that some are dropped, and
    None where none are; ``careless``: by a default that is surely not meant. ``instead`` is the code to write."""

    in_state: bool
    span: Span | None
    dropout: str | None = None
    careless: bool = False
    instead: str | None = None


@dataclass(frozen=True)
class WrongGradient:
    """A function whose backward, which ends at a statement of a file, is off by this part of the derivative."""

    function: str
    gap: float
    path: str | None
    span: Span | None


@dataclass(frozen=True)
class SharedNorm:
    """Layers whose running statistics every step moves while training, and the statement at which they mix rows."""

    names: tuple[str, ...]
    span: Span | None


@dataclass(frozen=True)
class Trace:
    """All that was seen of one cell; see the classes above for each part. ``library`` is what it is written with.

    ``steps`` are the first timesteps, with their arrays, ``later`` those beyond them. ``kind`` is ``layer`` for what
    runs over a whole sequence and takes no state: it has no slots. Of what runs over one, ``memory`` tells whether an
    early step reached a later output, ``cut_within`` that no gradient leads back to it from there. ``row_leak`` is
    how much other rows of the batch changed a row, at the statement ``row_span``, ``graph`` that they are the nodes
    of a graph. ``decay`` is by how much the gradient through the state shrinks at every step, where that is less than
    a thousandth. ``unread`` are the features of the input that reach nothing, first named at ``taken``, ``features``
    the number of all. ``asleep``: ordinary inputs never move the state from its start, and no gradient can change
    that. ``from_zeros`` is what kept the cell from being run from the zeros that it would have started from.
    """

    backend: str
    method: Method
    slots: tuple[Slot, ...]
    structure: Structure
    steps: tuple[tuple[SlotStep, ...], ...]
    initial: Initial
    declaration: Declaration
    built: Behaviour
    redrawn: tuple[Behaviour, ...]
    influence: Influence
    weights: tuple[Weight, ...]
    computed: tuple[tuple[Computed, ...], ...]
    repeatable: bool
    library: str = ""
    later: tuple[tuple[Passage, ...], ...] = ()
    kind: str = "cell"
    row_leak: float | None = None
    graph: bool = False
    memory: bool | None = None
    cut_within: bool = False
    row_span: Span | None = None
    cuts: tuple[Cut, ...] = ()
    mutations: tuple[Mutation, ...] = ()
    swap: Swap | None = None
    doubled: Doubled | None = None
    forgotten: tuple[Forgotten, ...] = ()
    leak: Leak | None = None
    fault: Fault | None = None
    from_zeros: Fault | None = None
    forms: tuple[str, ...] = ()
    mismatch: Mismatch | None = None
    retyped: tuple[Retyped, ...] = ()
    growth: tuple[Growth, ...] = ()
    decay: float | None = None
    gradient_fault: GradientFault | None = None
    asleep: bool = False
    unread: tuple[int, ...] = ()
    features: int = 0
    taken: Span | None = None
    chance: Chance | None = None
    wrong_gradients: tuple[WrongGradient, ...] = ()
    shared_norm: SharedNorm | None = None

    @property
    def last_step(self) -> int:
        """The number of the last timestep; the first is 0."""
        return len(self.steps) + len(self.later) - 1

    @property
    def conclusive_redraws(self) -> tuple[Behaviour, ...]:
        return tuple(behaviour for behaviour in self.redrawn if behaviour.finite)


def rms(array: Array) -> float | None:
    """The root mean square; None where it is not finite."""
    if not array.size:
        return None
    wide = abs(array.astype("complex128" if array.dtype.kind == "c" else "float64"))
    value = math.sqrt(float((wide * wide).mean()))
    return value if math.isfinite(value) else None


def equal(left: Array, right: Array) -> bool:
    """The same shape and the same numbers, NaN being equal to NaN."""
    return left.shape == right.shape and bool(((left == right) | ((left != left) & (right != right))).all())
