"""The narrow gate to a framework: everything left of the Trace goes through it.

A backend has two parts, joined by inheritance: the tensors (TensorFlow's, PyTorch's) and the library that the
cell is written with (Keras 3 on either, Keras 2 with the cells of TensorFlow 1, Sonnet, ``torch.nn``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnncheck.backends import providers
from rnncheck.backends.kept import places
from rnncheck.backends.snapshot import Restore, Snapshot
from rnncheck.backends.surroundings import remember
from rnncheck.errors import UsageError
from rnncheck.structure import LEAF, beside, flatten
from rnncheck.trace import equal, rms
from rnncheck.usercode.definitions import is_framework

Array = NDArray[Any]

Tensor = Any
"""A framework's own tensor."""

Held = Any
"""Copied numbers: an array where the run is on the CPU, else a tensor on its device."""

HOST = "cpu"


@dataclass(frozen=True)
class Weight:
    """A weight of floating-point numbers and how to read and replace it. ``tensor`` is what gradients are taken of.

    ``assign`` takes an array of the weight's shape, of any floating dtype. ``registered``: it is among those that the
    cell itself gives an optimiser.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool
    tensor: Tensor
    read: Callable[[], Array]
    assign: Callable[[Array], None]
    registered: bool = True


@dataclass(frozen=True)
class Gradients:
    """Largest absolute derivatives ``sources[target][source]``, and for each weight where its derivative is
    not zero (an array of the weight's shape); likewise for each source as it was ``touched`` by any target.

    None means that no path connects the two. ``finite``: the derivatives by the weights are numbers. ``functions`` are
    those with a derivative of their own, not the framework's, that were met.
    """

    sources: list[list[float | None]]
    weights: list[Array | None]
    touched: list[Array | None]
    finite: bool
    functions: tuple[type, ...] = ()


@dataclass(frozen=True)
class Tape:
    """What is recorded for gradients while a block runs.

    ``given`` is a tensor for each source, and ``derivatives(tensor, wanted)`` the derivatives of the sum of another
    tensor by the tensors wanted, None where no path leads to one. Of ``leaves`` derivatives can be taken, of what is
    given none where the cell works in place on it. ``recorded()`` tells whether there was anything to record.
    """

    given: list[Tensor]
    leaves: list[Tensor]
    derivatives: Callable[[Tensor, Sequence[Tensor]], list[Array | None]]
    recorded: Callable[[], bool]

    def connected(self, tensor: Tensor, numbers: Sequence[int]) -> bool:
        """Whether a gradient path leads to a tensor from any of the sources of these numbers."""
        found = self.derivatives(tensor, [self.leaves[number] for number in numbers])
        return any(derivative is not None for derivative in found)


@dataclass(frozen=True)
class Figures:
    """The root mean squares of a value ``before`` and ``after`` a step (None where that is not finite), whether it is
    unchanged, and whether it is ``broken``: NaN, or infinite without having been so."""

    before: float | None
    after: float | None
    unchanged: bool
    broken: bool

    @classmethod
    def of(cls, before: Array | None, after: Array) -> Figures:
        if before is None:
            return cls(None, None, True, breaks(None, after))
        return cls(rms(before), rms(after), equal(before, after), breaks(before, after))


def no_device(asked: str, framework: str, there: Sequence[str]) -> UsageError:
    """The error for a device that a framework does not find."""
    kind, _, number = asked.partition(":")
    named = f"device {asked}" if number else f"{kind.upper()} device"
    return UsageError(f"There is no {named} here.", hint=f"What {framework} finds: {', '.join(there)}.")


def breaks(before: Array | None, after: Array) -> bool:
    """Whether a value became NaN, or infinite without having been so: a running maximum starts there. Of a value with
    none ``before``, such as logits of what is ruled out, infinity is not asked."""
    if after.dtype.kind not in "fc" or np.isfinite(after).all():
        return False
    return bool(np.isnan(after).any()) or (before is not None and not np.isinf(before).any())


def _root(square: float) -> float | None:
    return math.sqrt(square) if math.isfinite(square) else None


@dataclass(frozen=True)
class Dropping:
    """A call that drops units in evaluation mode: on which line, what does it (``its Dropout``), whether that is surely
    not meant, and what to write instead."""

    line: int
    name: str
    careless: bool
    instead: str | None


@dataclass(frozen=True)
class Derivative:
    """A function whose own derivative is off by so large a part of the true one, and where it returns it."""

    function: str
    gap: float
    path: str | None
    line: int | None


def merged(left: Array | None, right: Array | None) -> Array | None:
    """Where either of two derivatives of a weight is not zero."""
    return right if left is None else left if right is None else left | right


def numpy_dtype(name: str) -> str:
    """The NumPy dtype that carries a framework's: NumPy has no bfloat16."""
    return "float32" if name == "bfloat16" else name


class Tensors(Protocol):
    """What rnncheck needs of tensors, whichever library the cell is written with."""

    name: str
    version: str
    device: str = HOST
    """Where the cell is and all tensors are made: ``cpu``, ``cuda:0``."""

    def raw(self, value: Any) -> Any:
        """The framework's own tensor, where a library wraps it in a variable of its own; else the value itself."""
        return value

    def is_tensor(self, value: Any) -> bool:
        """Whether this is a tensor that holds numbers (a symbolic one does not)."""

    def numpy(self, tensor: Tensor) -> Array:
        """A copy of the numbers; later changes of the tensor do not show in it."""

    def hold(self, tensor: Tensor) -> Held:
        """A copy of the numbers that stays on the device of the run."""
        return self.numpy(tensor) if self.device == HOST else self.copy(tensor)

    def read(self, held: Sequence[Held]) -> list[Array]:
        """The numbers of what was held; from another device all of one shape and dtype come together."""
        if self.device == HOST:
            return list(held)
        alike: dict[Any, dict[int, Held]] = {}
        for value in held:
            alike.setdefault((tuple(map(int, value.shape)), value.dtype), {})[id(value)] = value
        known: dict[int, Array] = {}
        for values in alike.values():
            stacked = self.numpy(self.stack(list(values.values())))
            known.update((key, stacked[at, ...]) for at, key in enumerate(values))
        return [known[id(value)] for value in held]

    def figures(self, pairs: Sequence[tuple[Held | None, Held]]) -> list[Figures]:
        """What there is to tell of values before and after a step. Without one before it is only whether the other
        holds NaN."""
        if self.device == HOST:
            return [Figures.of(before, after) for before, after in pairs]
        found = self.read([self.measure(before, after) for before, after in pairs])
        return [Figures(_root(old), _root(new), bool(same), bool(broken)) for old, new, same, broken in found]

    def copy(self, tensor: Tensor) -> Tensor:
        """A tensor of the same numbers on the device of the run, which nothing changes."""

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        """Tensors of one shape and dtype along a new first axis."""

    def measure(self, before: Tensor | None, after: Tensor) -> Tensor:
        """The mean squares of both, whether they are equal and whether the latter is broken (see ``Figures``), four
        numbers on the device."""

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        """A new tensor of the same shape, in the array's dtype or another."""

    def like(self, tensor: Tensor, array: Array, dtype: str | None = None) -> Tensor:
        """These numbers in what the tensor is: a new tensor, or a new variable, which a cell may assign."""
        return self.tensor(array, dtype)

    def dtype(self, tensor: Tensor) -> str:
        """The dtype's name, such as ``float32``."""

    def on_device(self, asked: str | None, target: Any) -> AbstractContextManager[None]:
        """Within the block ``device`` is the one that was asked for, else the one on which the target lives, and what
        is made is made there; raises UsageError where there is no such device."""

    def move(self, cell: Any) -> Restore:
        """Take a cell to the device that was asked for, or where none was, go where the cell lives; the answer takes
        it back."""
        return lambda: None

    def seed(self, seed: int) -> None:
        """Make all random numbers start again."""

    def keep_randomness(self) -> AbstractContextManager[None]:
        """Within the block the random number generators may be used; afterwards they are as before."""

    def seed_library(self, seed: int) -> None:
        """Likewise for the random numbers that the cell's library keeps to itself."""
        return

    def keep_library(self) -> Restore:
        """Puts the library's own random numbers back where they are now."""
        return lambda: None

    def eagerly(self) -> AbstractContextManager[None]:
        """Within the block compiled functions run line by line, so that their locals can be read."""

    def one_thread(self) -> AbstractContextManager[None]:
        """Within the block small tensors are computed by one thread: several wait for each other on a busy machine."""
        return nullcontext()

    def without_gradient(self) -> AbstractContextManager[None]:
        """Within the block calls leave no gradient record."""

    def dropping(self, cell: Any, path: str) -> AbstractContextManager[list[Dropping]]:
        """Within the block the list fills with the calls that drop units, on lines of a file, where that can be
        told."""
        return nullcontext([])

    def weight(self, name: str, tensor: Tensor, trainable: bool, registered: bool = True) -> Weight:
        """A weight's tensor with the ways to read and to replace its numbers."""

    def keep(self, tensor: Tensor) -> Restore:
        """Puts back the numbers that a weight's tensor has now."""

    def is_mutable(self, value: Any) -> bool:
        """Whether this is a tensor whose numbers may be changed in place."""
        return self.is_tensor(value)

    def is_weight(self, value: Any) -> bool:
        """Whether this is a tensor that can be trained: a variable, a parameter."""

    def is_module(self, value: Any) -> bool:
        """Whether this is a module of the tensors' own framework, whose attributes may be weights."""

    def stamp(self, tensor: Tensor) -> Any:
        """Something that is another after the tensor's numbers were changed in place."""
        return None

    def tracking(self, sources: Sequence[tuple[Array, str]]) -> AbstractContextManager[Tape]:
        """Within the block all is recorded for gradients by sources, each an array and a dtype."""

    def gradients(
        self,
        run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]],
        sources: Sequence[tuple[Array, str]],
        weights: Sequence[Weight],
    ) -> Gradients:
        """Derivatives of a random projection of each target of ``run``, which is given a tensor for each source
        (an array and a dtype)."""

    def wrong_derivatives(self, functions: Sequence[type], run: Callable[[], Any]) -> list[Derivative]:
        """Those of the functions, as they are called while something is ``run``, whose own derivative is not that of
        what they compute."""
        return []


class Backend(Tensors, Protocol):
    """What rnncheck needs of a framework: its tensors, and what a library makes of cells.

    ``library`` names the latter. ``initial_states`` yields what the cell itself says of its first state, best
    first, as ``(source, state)`` for ``batch`` rows of an input like ``x``; ``x`` is a tensor.
    """

    library: str

    def owns(self, obj: Any) -> bool:
        """Whether this is a class or an instance of the library's."""

    def method_of(self, cell: Any) -> str:
        """The method that is one step."""

    def step(self, cell: Any, method: str) -> Callable[..., Any]:
        """What a user calls for one step: the cell itself, unless another method is meant."""
        called: Callable[..., Any] = cell if method == self.method_of(cell) else getattr(cell, method)
        return called

    def may_be_read_once(self, cell: Any, weight: Weight) -> bool:
        """Whether the cell may keep a tensor that was made of a weight, and that a user's run brings up to date."""
        return False

    def refuse_unfinished(self, cell: Any) -> None:
        """Raise BackendError for a cell that its constructor has left without what the framework keeps on it."""
        return

    def given_out(self, output: Any) -> list[Tensor]:
        """The tensors of an output, those of a distribution included."""
        found, leaves = flatten(output, self.is_tensor)
        if found is LEAF:
            return leaves
        return [*leaves, *beside(found, lambda part: self.is_tensor(part) and not self.is_weight(part))]

    def constructing(self) -> AbstractContextManager[None]:
        """What is constructed within the block, and what nobody writes to its memory is seen of it."""
        return nullcontext()

    def draw_unwritten(self, cell: Any, seed: int) -> list[str]:
        """Give random numbers to the weights that the constructor left as their memory happened to be; their names."""
        return []

    def takes_none(self, cell: Any, method: str, argument: str) -> bool:
        """Whether None may be passed to a step for one of its arguments, at least to see it refused."""
        return True

    def compiled(self, cell: Any) -> str | None:
        """Where a step runs compiled, so that none of its lines is seen: what to do for them."""
        return None

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        """Put the cell into evaluation mode, built for inputs ``(batch, *input shape)`` as the framework's own
        driver builds it; raises what the cell raises."""
        return

    def evaluates(self, cell: Any) -> bool:
        """Whether it is in evaluation mode."""
        return True

    def training(self, cell: Any) -> AbstractContextManager[None]:
        """Within the block the cell is in training mode."""
        return nullcontext()

    def has_losses(self, cell: Any) -> bool:
        """Whether the cell keeps results with a gradient beside what it gives, from which it may be trained."""
        return False

    def statistics(self, cell: Any) -> Mapping[str, Callable[[], Array]]:
        """How to read what parts of the cell gather of their inputs while training, by the parts' dotted paths."""
        return {}

    def unwrap(self, cell: Any) -> Any:
        """The user's own cell inside a compiled one."""
        return cell

    def snapshot(self, cell: Any) -> Snapshot:
        """The cell as it is, to be restored later."""

    def weights(self, cell: Any) -> list[Weight]:
        """All weights of floating-point numbers, trainable or not, by the names that the user gave them."""

    def zero_constants(self, cell: Any) -> list[Weight]:
        """Arrays of the cell that are no weights and hold zeros alone."""
        return []

    def unused_layers(self, cell: Any) -> list[str]:
        """Layers of units that were never called, by their attributes, where that can be told."""
        return []

    def float_dtype(self, cell: Any) -> str:
        """The dtype in which the cell computes."""

    def with_dtype(self, cell: Any, dtype: str) -> Any:
        """The cell computing in another dtype; raises UsageError when it cannot be changed."""
        if self.float_dtype(cell) != dtype:
            raise UsageError(
                f"--dtype {dtype}: this cell computes in {self.float_dtype(cell)}.",
                hint="Construct it in that dtype.",
            )
        return cell

    def construction_dtype(self, dtype: str | None) -> AbstractContextManager[None]:
        """Within the block cells are constructed in this dtype."""
        return nullcontext()

    def _around(self, cell: Any) -> tuple[list[Any], list[Restore]]:
        """The values that stand around the cell's class, and what puts them back."""
        values, put_back = remember(cell)
        tensors = [leaf for value in values for leaf in flatten(value, self.is_mutable)[1]]
        return values, [put_back, *map(self.keep, tensors)]

    def holders(self, cell: Any) -> list[tuple[str, Any]]:
        """The cell and the parts of it that keep tensors, by their dotted paths."""

    def internal(self) -> frozenset[str]:
        """The attributes that the library itself keeps on every holder."""
        return frozenset()

    def kept(self, cell: Any) -> dict[str, Any]:
        """What the cell keeps beside its weights and may change: attributes, buffers and variables that hold tensors,
        or that hold nothing yet, by their dotted paths. Containers are new; tensors are never changed in place."""
        return {path: place.read() for path, place in places(self, self.holders(cell), self.internal()).items()}

    def put(self, cell: Any, values: Mapping[str, Any]) -> None:
        """Put values where ``kept`` found some, by their paths."""
        holders = dict(self.holders(cell)) if values else {}
        known = places(self, holders.items(), self.internal()) if values else {}
        for path, value in values.items():
            if path in known:
                known[path].write(value)
            else:
                holder, _, name = path.rpartition(".")
                weights = vars(holders[holder]).get("_parameters")
                if isinstance(weights, dict):
                    # The cell has made a weight of its attribute.
                    weights.pop(name, None)
                setattr(holders[holder], name, value)

    def embeds(self, cell: Any) -> bool:
        """Whether the cell looks whole numbers up in a table."""
        return any(derives(part, ("Embedding", "EmbeddingBag", "Embed")) for _, part in self.holders(cell))

    def has_recurrent_layer(self, cell: Any) -> bool:
        """Whether a recurrent layer of the framework is a part of it, which runs over a sequence."""
        return any(derives(part, ("RNNBase", "RNN")) for _, part in self.holders(cell))

    def restart(self, cell: Any, batch: int, x: Tensor) -> None:
        """Let a cell that keeps its state on itself begin anew with ``batch`` rows of an input like ``x``."""
        providers.restart(cell, batch, x, {"dtype": self.float_dtype(cell)})

    def declares_state_size(self, cell: Any) -> bool | None:
        """Whether the cell declares its state's size; None where the framework asks for no such thing."""
        return None

    def declared_shapes(self, cell: Any) -> tuple[tuple[int, ...], ...]:
        """The shapes of a row's slots that the cell declares beside its first state; none where there is no such
        declaration."""
        return ()

    def drivers(self, cell: Any) -> tuple[str, ...]:
        """What of the framework's own runs such a cell over a sequence, by name."""
        return ()

    def driven(self, cell: Any, driver: str, inputs: Sequence[Tensor], state: Any | None) -> tuple[list[Any], Any]:
        """The outputs of all steps (None where the driver gives them in another shape) and the last state by one of
        the ``drivers``, for inputs ``(batch, *row)`` a step and a first state, or the one that the driver makes; raises
        what the cell or the framework raises."""
        raise UsageError(f"{self.library} has no {driver}.")

    def compilers(self, cell: Any) -> Mapping[str, Callable[[], AbstractContextManager[Callable[..., Any]]]]:
        """By name, what compiles the cell into something else that is called as it is."""
        return {}

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        """See the class."""

    def output_first(self, cell: Any) -> bool:
        """Whether the framework asks for ``(output, state)`` as the result."""
        return False

    def drives(self, cell: Any) -> bool:
        """Whether the framework's own driver takes the cell as it is, so that the result must be so."""
        is_layer = derives(cell, ("RNN",))
        return self.output_first(cell) and self.declares_state_size(cell) is not False and not is_layer

    def channels_last(self) -> bool:
        """Whether the features of an image are its last axis."""


def derives(part: Any, names: tuple[str, ...]) -> bool:
    """Whether a class of a framework with one of these names is a base of an object's class."""
    return any(base.__name__ in names and is_framework(base) for base in type(part).__mro__)
