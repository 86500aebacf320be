"""Experiments on a cell: does each slot move, does it move from the first state, is it read?

Two runs that differ in one thing are compared number for number. Values put into a slot are first ones that
the cell itself reached, so that they lie where its arithmetic is defined, then perturbations. Nothing is
called dead on one sample: a cell may forget on some inputs, at some steps or by chance, so what looks dead is
tried again from later states, with other inputs and other random numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Backend, Weight
from rnncheck.backends.snapshot import Snapshot
from rnncheck.calling.convention import Bound
from rnncheck.errors import CallError
from rnncheck.running.unroll import Run, State, different, largest_difference, unroll
from rnncheck.trace import Behaviour

LADDER = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
INPUT_SCALES = (10.0, 100.0, 1000.0)
"""How much stronger inputs are tried, where ordinary ones move nothing: they make a neuron spike."""
OTHER_TIMES = (0, 1, 2, 3, 5, 0.3)
"""Values for times, spans and masks that the cell takes beside input and state."""
WINDOW = 3
"""Steps of a first comparison."""


@dataclass(frozen=True)
class Effort:
    """How hard to look before something is called dead: the length of the unroll from the first state, from
    which of its steps to start again, and for how many steps."""

    long: int
    offsets: tuple[int, ...]
    window: int


THOROUGH = Effort(64, (0, 1, 2, 3, 5, 8, 13, 21, 34), 6)
BRIEF = Effort(16, (0, 3, 6), 4)
EPSILON = {"float16": 9.8e-4, "bfloat16": 7.9e-3, "float64": 2.3e-16, "complex128": 2.3e-16}
ROUNDING = 64
"""How many units of the last place a change may have and still be mere rounding."""
DRAWS, DRAWS_WHEN_CERTAIN = 6, 2


@dataclass(frozen=True)
class Lab:
    """A bound cell with its first state and the inputs of the recorded unroll ``(steps, batch, *input shape)``.
    ``steady``: that unroll gave the same under other random numbers."""

    bound: Bound
    seed: int
    inputs: Array
    initial: State
    steady: bool = False

    @property
    def slots(self) -> range:
        return range(len(self.initial.arrays))

    def run(self, inputs: Array, start: State, shift: int = 0, *, record: bool = False) -> Run:
        return unroll(self.bound, self.seed + shift, inputs, start, record=record)

    def again(self, kept: Snapshot) -> Lab:
        """Each run of which starts from a snapshot of the cell."""
        return dataclasses.replace(self, bound=dataclasses.replace(self.bound, kept=kept))

    def other_inputs(self, number: int, steps: int) -> Array:
        rng = np.random.default_rng((self.seed, number))
        return self.bound.form.draw(rng, (steps, *self.inputs.shape[1:]), self.bound.input_dtype)

    def rows(self, slot: int, array: Array) -> Array:
        """A slot's value as ``(batch, *slot shape)``."""
        return self.bound.rows_first(slot, array)

    def rolled(self, slot: int, array: Array) -> Array:
        """The rows of a slot moved on by one: values that the cell reached, for other rows."""
        axis = self.bound.rows_axis(slot)
        return np.roll(array, 1, axis=axis or 0) if array.ndim else array


@dataclass(frozen=True)
class Probe:
    """A state to start from, for each slot another value of it, and the inputs of a few steps."""

    start: State
    others: list[Array]
    inputs: Array
    shift: int = 0


@dataclass(frozen=True)
class Seen:
    """A behaviour with the probe behind it. ``effects`` maps each source (slots, then the input) to the largest
    change in each target (slots, then the output)."""

    behaviour: Behaviour
    probe: Probe
    effects: list[list[float]]


def observe(lab: Lab, main: Run, effort: Effort = THOROUGH, alive: Behaviour | None = None) -> Seen:
    """What the cell does with its present weights; ``main`` is the unroll over ``lab.inputs``.

    What is known to be ``alive`` is not looked at again.
    """
    return _Observation(lab, main, effort, alive).seen()


def redraw(lab: Lab, built: Behaviour, *, certain: bool) -> Iterator[Behaviour]:
    """The same experiments after drawing all weights afresh, several times.

    The cell is put back as it was. Stops when nothing that looked dead is left to be explained, and soon when
    that is ``certain`` already: the very tensor that went in came back, or no gradient path leads from it.
    """
    backend, cell = lab.bound.backend, lab.bound.cell
    weights = backend.weights(cell)
    if _all_alive(built):
        return
    constants = backend.zero_constants(cell)
    if not weights and not constants:
        return
    before = backend.snapshot(cell)
    saved = [weight.read() for weight in weights]
    rng = np.random.default_rng((lab.seed, 1))
    alive = built
    try:
        for draw in range(DRAWS_WHEN_CERTAIN if certain else DRAWS):
            _draw(weights, saved, draw, rng)
            # Constants that hold zeros alone may be weights that the user fills later.
            for constant in constants if certain or draw >= DRAWS - 2 else ():
                constant.assign(rng.standard_normal(constant.shape).astype("float32"))
            kept = backend.snapshot(cell) if lab.bound.kept is not None else None
            again = dataclasses.replace(lab, bound=dataclasses.replace(lab.bound, kept=kept), seed=lab.seed + 1 + draw)
            seen = observe(again, again.run(again.inputs, again.initial), BRIEF, alive).behaviour
            yield seen
            if seen.finite:
                alive = Behaviour(
                    _either(alive.moves, seen.moves),
                    _either(alive.moves_from_initial, seen.moves_from_initial),
                    _either(alive.read, seen.read),
                    True,
                    alive.hears or seen.hears,
                    together([alive, seen]),
                    tuple(map(operator.and_, alive.constant, seen.constant)),
                )
                if _all_alive(alive):
                    return
    finally:
        before.restore()


def awake(behaviour: Behaviour) -> tuple[bool, ...]:
    """All that may be alive or dead, and whether it is."""
    return (*behaviour.moves, *behaviour.moves_from_initial, *behaviour.read, behaviour.hears)


def _all_alive(behaviour: Behaviour) -> bool:
    return all(awake(behaviour)) and not any(units.any() for units in behaviour.still) and not any(behaviour.constant)


def together(seen: Sequence[Behaviour]) -> tuple[Array, ...]:
    """Per slot the units that stood still in all of these."""
    return tuple(np.logical_and.reduce(masks) for masks in zip(*(behaviour.still for behaviour in seen)))


def _either(left: Sequence[bool], right: Sequence[bool]) -> tuple[bool, ...]:
    return tuple(a or b for a, b in zip(left, right))


def _draw(weights: Sequence[Weight], saved: Sequence[Array], draw: int, rng: np.random.Generator) -> None:
    """Fresh weights: unit scale, scaled by fan-in, positive, within (0, 1), and the present ones disturbed."""
    for weight, present in zip(weights, saved):
        value = rng.standard_normal(weight.shape)
        style = draw
        if style == 1:
            value = value / max(1.0, float(np.sqrt(np.prod(weight.shape[1:]))))
        elif style == 2:
            value = np.abs(value)
        elif style == 3:
            value = rng.uniform(0.1, 0.9, weight.shape)
        elif style == 4:
            value = present + 0.05 * value
        elif style == 5:
            value = 0.3 * value
        weight.assign(np.asarray(value, "float32"))


class _Observation:
    def __init__(self, lab: Lab, main: Run, effort: Effort, alive: Behaviour | None) -> None:
        self.lab, self.main, self.effort = lab, main, effort
        # Beside others, a slot without any numbers (a queue of no steps) has nothing that could move or be read.
        empty = tuple(not array.size for array in lab.initial.arrays)
        known = (False,) * len(empty) if all(empty) else empty
        self.alive = alive or Behaviour(known, known, known, True, hears=False)

    @functools.cached_property
    def long(self) -> Run:
        """A longer unroll from the first state, over other inputs; made only when something looks dead."""
        return self.lab.run(self.lab.other_inputs(1, self.effort.long), self.lab.initial, 1)

    def seen(self) -> Seen:
        from_initial = self._from_initial()
        probe, base = self._first_probe()
        moves = [
            from_initial[slot] or self.alive.moves[slot] or self._moves(base, slot, probe) for slot in self.lab.slots
        ]
        effects, read = [], []
        for slot in self.lab.slots:
            if self.alive.read[slot]:
                read.append(True)
                continue
            start = probe.start.with_slot(slot, probe.others[slot])
            changed = effect(base, self.lab.run(probe.inputs, start))
            effects.append(changed)
            read.append(_reads(changed, slot, moves[slot]) or self._is_read(slot, moves[slot], probe))
        if len(read) > 1 and not any(read):
            together = effect(base, self.lab.run(probe.inputs, State(probe.start.structure, probe.others)))
            read = [any(change > 0 for at, change in enumerate(together) if at >= len(moves) or moves[at])] * len(read)
        if not self.alive.hears:
            effects.append(effect(base, self.lab.run(varied(probe.inputs), probe.start)))
        hears = self.alive.hears or any(effects[-1]) or self._hears(probe)
        finite = base.finite and self.main.finite
        still = tuple(self._still(slot, moves[slot], base) for slot in self.lab.slots)
        constant = tuple(self._is_constant(slot, base) for slot in self.lab.slots)
        return Seen(
            Behaviour(tuple(moves), tuple(from_initial), tuple(read), finite, hears, still, constant), probe, effects
        )

    def _from_initial(self) -> list[bool]:
        moved = [self.alive.moves_from_initial[slot] or self._moves(self.main, slot) for slot in self.lab.slots]
        if not all(moved):
            moved = self._also(moved, self.long)
        for scale in INPUT_SCALES:
            if not all(moved):
                inputs = louder(self.lab.other_inputs(2, 8), scale)
                moved = self._also(moved, self.lab.run(inputs, self.lab.initial, 2))
        return moved

    def _hears(self, first: Probe) -> bool:
        """Whether any other inputs, louder ones too, change anything from any state."""
        anywhere = self._probe("normal").start
        for start in (first.start, self.lab.initial, anywhere, self.long.after(self.effort.offsets[-1])):
            for number, scale in enumerate((1.0, *INPUT_SCALES)):
                one, other = (
                    louder(self.lab.other_inputs(20 + 2 * number + at, self.effort.window), scale) for at in (0, 1)
                )
                if any(effect(self.lab.run(one, start), self.lab.run(other, start))):
                    return True
        return False

    def _is_constant(self, slot: int, base: Run) -> bool:
        """Whether the slot comes back as the same numbers from any state and for any input."""
        if self.alive.constant and not self.alive.constant[slot]:
            return False
        first = self.main.steps[0].returned[slot]

        def same(run: Run) -> bool:
            return not any(different(first, step.returned[slot]) for step in run.steps)

        if not (same(self.main) and same(base)) or not different(base.steps[0].previous[slot], first):
            return False
        loud = [louder(self.lab.other_inputs(2, 8), scale) for scale in INPUT_SCALES]
        starts = (self.lab.initial, self._probe("normal").start)
        return same(self.long) and all(same(self.lab.run(inputs, start)) for start in starts for inputs in loud)

    def _still(self, slot: int, moves: bool, base: Run) -> Array:
        """The units of a slot that nothing moves, where the same ones move at once from any value: what is written
        piece by piece (a buffer) moves more of them the longer it runs."""
        shape = self.lab.rows(slot, self.lab.initial.arrays[slot]).shape[1:]
        nothing = np.zeros(shape, bool)
        if not moves or not shape or self.lab.initial.arrays[slot].dtype.kind != "f":
            return nothing
        still = self._unmoved(slot, [self.main, base])
        if self.alive.still:
            still &= self.alive.still[slot]
        if not still.any():
            return nothing
        rng = np.random.default_rng((self.lab.seed, 8))
        start = base.after(0)
        start = start.with_slot(slot, _random(rng, start.arrays[slot], "normal"))
        at_once = self._unmoved(slot, [self.lab.run(self.lab.other_inputs(8, WINDOW), start)])
        strong = [louder(self.lab.other_inputs(9, WINDOW), scale) for scale in INPUT_SCALES]
        later = self._unmoved(slot, [self.long, *(self.lab.run(inputs, start) for inputs in strong)])
        settled = still & at_once & later
        # What stands still only because another slot does, moves from any state.
        anywhere = self.lab.run(self.lab.other_inputs(8, WINDOW), self._anywhere(start, rng))
        if anywhere.finite:
            settled &= self._unmoved(slot, [anywhere])
        if settled.any() and self.lab.bound.callee.further:
            settled &= self._never_set_free(slot, start)
        return settled if not (at_once & ~settled).any() else nothing

    def _never_set_free(self, slot: int, start: State) -> Array:
        """The units that no other time, span or mask sets free: one that is the same at every step may hold them."""
        bound = self.lab.bound
        runs = []
        for number in OTHER_TIMES:
            further = {name: _like(bound.backend, value, number) for name, value in bound.callee.further.items()}
            callee = dataclasses.replace(bound.callee, further=further)
            lab = dataclasses.replace(self.lab, bound=dataclasses.replace(bound, callee=callee))
            with contextlib.suppress(CallError):
                runs.append(lab.run(self.lab.other_inputs(8, WINDOW), start))
        return self._unmoved(slot, runs)

    def _anywhere(self, start: State, rng: np.random.Generator) -> State:
        """The state with random values in all slots of floating-point numbers."""
        for slot, array in enumerate(start.arrays):
            if array.dtype.kind == "f":
                start = start.with_slot(slot, _random(rng, array, "normal"))
        return start

    def _unmoved(self, slot: int, runs: Sequence[Run]) -> Array:
        pairs = [(step.previous[slot], step.returned[slot]) for run in runs if run.finite for step in run.steps]
        same = [self.lab.rows(slot, before == after).all(axis=0) for before, after in pairs]
        return (
            np.logical_and.reduce(same)
            if same
            else np.zeros(self.lab.rows(slot, self.lab.initial.arrays[slot]).shape[1:], bool)
        )

    def _also(self, moved: list[bool], run: Run) -> list[bool]:
        return [before or (run.finite and self._moves(run, slot)) for slot, before in zip(self.lab.slots, moved)]

    def _moves(self, run: Run, slot: int, probe: Probe | None = None) -> bool:
        """Whether a slot changes by more than rounding does.

        ``z * h + (1 - z) * h`` changes the last bits of ``h``. A real update does not shrink with the state,
        so that a change of the size of rounding is looked at again from a state a ten-thousandth as large.
        """
        if not run.moved(slot):
            return False
        if self._beyond_rounding(run, slot):
            return True
        start = probe.start if probe is not None else run.after(len(run.steps) // 2)
        shrunk = start.with_slot(slot, (start.arrays[slot] * 1e-4).astype(start.arrays[slot].dtype))
        again = self.lab.run(self.lab.other_inputs(3, WINDOW), shrunk, 3)
        return not again.finite or self._beyond_rounding(again, slot)

    def _beyond_rounding(self, run: Run, slot: int) -> bool:
        dtype = self.lab.bound.backend.dtype(self.lab.bound.initial[slot])
        if not dtype.startswith(("float", "bfloat", "complex")):
            return run.moved(slot)
        limit = ROUNDING * EPSILON.get(dtype, 1.2e-7)
        return any(
            largest_difference(step.previous[slot], step.returned[slot])
            > limit * float(np.abs(step.previous[slot]).max())
            for step in run.steps
            if step.previous[slot].size
        )

    def _first_probe(self) -> tuple[Probe, Run]:
        """A state that the cell reached, with random values for slots that never moved, within its domain."""
        tried = []
        for style in ("reached", "normal", "positive"):
            probe = self._probe(style)
            base = self.lab.run(probe.inputs, probe.start)
            if base.finite:
                return probe, base
            tried.append((probe, base))
        return tried[0]

    def _probe(self, style: str) -> Probe:
        rng = np.random.default_rng((self.lab.seed, 4))
        steps = self.main.steps if len(self.main.steps) > 1 else [*self.main.steps, *self.long.steps[:2]]
        base, others = [], []
        for slot in self.lab.slots:
            one, other = steps[-1].returned[slot], self.lab.rolled(slot, steps[-2].returned[slot])
            if style != "reached" or not self.main.moved(slot) or not different(one, other):
                kind = "positive" if style == "positive" else "normal"
                one, other = (_random(rng, one, kind) for _ in range(2))
            base.append(np.array(one, copy=True))
            others.append(np.array(other, copy=True))
        return Probe(State(steps[-1].structure, base), others, self.lab.other_inputs(5, WINDOW))

    def _is_read(self, slot: int, moves: bool, first: Probe) -> bool:
        """Whether any other value, state, input or chance lets the slot have an influence."""
        inputs = self.lab.other_inputs(6, self.effort.window)
        base = self.lab.run(inputs, first.start)
        for value in _variants(self.lab.seed, first, slot):
            if _reads(effect(base, self.lab.run(inputs, first.start.with_slot(slot, value))), slot, moves):
                return True
        for probe in self._later_probes(slot, first):
            base = self.lab.run(probe.inputs, probe.start, probe.shift)
            changed = self.lab.run(probe.inputs, probe.start.with_slot(slot, probe.others[slot]), probe.shift)
            if _reads(effect(base, changed), slot, moves):
                return True
        return False

    def _later_probes(self, slot: int, first: Probe) -> Iterator[Probe]:
        long = self.long
        for offset in self.effort.offsets:
            start = long.after(offset)
            other = self.lab.rolled(slot, long.after(max(offset - 1, 0)).arrays[slot])
            if not different(other, start.arrays[slot]):
                start, other = start.with_slot(slot, first.start.arrays[slot]), first.others[slot]
            if all(np.isfinite(array).all() for array in start.arrays if array.dtype.kind in "fc"):
                others = [other] * len(start.arrays)
                yield Probe(start, others, self.lab.other_inputs(10 + offset, self.effort.window), 10 + offset)


def _like(backend: Backend, value: Any, number: float) -> Any:
    """A further argument of the same kind, filled with another number; what is no number stays."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, float)):
        return type(value)(number)
    if not backend.is_tensor(value):
        return value
    array = backend.numpy(value)
    return backend.like(value, np.full_like(array, number), backend.dtype(value))


def louder(inputs: Array, scale: float) -> Array:
    """Inputs so many times as large; tokens stay."""
    return inputs if inputs.dtype.kind in "iu" else (inputs * scale).astype(inputs.dtype)


def other_rows(x: Array) -> Array:
    """Another input ``(batch, *row)`` of the same kind."""
    rolled = np.roll(x, 1, axis=0)
    if (rolled != x).any():
        return rolled
    return np.where(x > 0, 0, 1).astype(x.dtype) if x.dtype.kind in "iu" else x + 1


def varied(inputs: Array) -> Array:
    """The inputs with others at the first step."""
    others = np.array(inputs, copy=True)
    others[0] = other_rows(inputs[0])
    return others


def _random(rng: np.random.Generator, like: Array, style: str) -> Array:
    kind = like.dtype.kind
    if kind == "b":
        return rng.random(like.shape) < 0.5
    if kind in "iu":
        return rng.integers(0, 4, like.shape).astype(like.dtype)
    value = rng.uniform(0.1, 0.9, like.shape) if style == "positive" else 0.5 * rng.standard_normal(like.shape)
    if kind == "c":
        value = value + 0.5j * rng.standard_normal(like.shape)
    return np.asarray(value).astype(like.dtype)


def _variants(seed: int, probe: Probe, slot: int) -> Iterator[Array]:
    """Another reached value, then perturbations from a thousandth to ten times the unit scale."""
    yield probe.others[slot]
    base = probe.start.arrays[slot]
    rng = np.random.default_rng((seed, 7))
    if base.dtype.kind in "fc":
        for size in LADDER:
            yield (base + size * rng.choice([-1.0, 1.0], base.shape)).astype(base.dtype)
    elif base.dtype.kind == "b":
        yield ~base
    else:
        yield (base + 1).astype(base.dtype)


def _reads(changes: Sequence[float], slot: int, moves: bool) -> bool:
    """A slot that is only handed back changes itself alone, and that is not reading it."""
    return any(change > 0 for target, change in enumerate(changes) if target != slot or moves)


def effect(left: Run, right: Run, first: int = 0) -> list[float]:
    """Largest change per slot, then of the output when there is one, over all steps from the ``first`` on."""
    count = len(left.steps[0].returned)
    pairs = list(zip(left.steps, right.steps))[first:]
    changes = [max(largest_difference(a.returned[slot], b.returned[slot]) for a, b in pairs) for slot in range(count)]
    outputs = [largest_difference(one, other) for a, b in pairs for one, other in zip(a.outputs, b.outputs)]
    return [*changes, max(outputs)] if outputs else changes
