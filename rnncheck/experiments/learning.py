"""What training would do to a cell: whether its gradient is made of numbers, which weights it reaches, and what of the
input is read at all."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from rnncheck.backends.base import Array, Gradients, Weight
from rnncheck.experiments import computed, flow, gradients, growth
from rnncheck.experiments.probes import INPUT_SCALES, THOROUGH, WINDOW, Lab, Probe, effect, louder
from rnncheck.running.unroll import Run, State, different
from rnncheck.trace import Behaviour, Forgotten, GradientFault, Span
from rnncheck.trace import Weight as Seen
from rnncheck.usercode import source

PARTS = 8
"""Into so many parts a slot is divided at most: layers, or what is packed together."""
LOUD = 10.0


def fault(lab: Lab, main: Run, path: str | None) -> GradientFault:
    """At which of the first steps a derivative is no number, and the first statement whose value has such a one."""
    backend = lab.bound.backend
    weights = [weight.tensor for weight in backend.weights(lab.bound.cell) if weight.trainable]
    for at in range(min(WINDOW, len(main.steps))):
        start = main.after(at - 1) if at else lab.initial
        # What was worked on in place since has no derivative any more.
        with (
            contextlib.suppress(Exception),
            flow.tracked(lab, Probe(start, start.arrays, lab.inputs[at : at + 1])) as (record, returned, tape),
        ):
            # Into the first state no weight goes.
            wanted = [*(tape.leaves if at else ()), *weights]
            for value, line in (
                *((binding.value, binding.line) for binding in record.bindings),
                *((leaf, record.return_line) for leaf in lab.bound.split(returned)[2]),
            ):
                found = tape.derivatives(value, wanted)
                if any(part is not None and not np.isfinite(part).all() for part in found):
                    return GradientFault(at, source.span(path, line))
    return GradientFault(0, None)


def asleep(lab: Lab, main: Run, behaviour: Behaviour, found: Gradients, draw: growth.Draw) -> bool:
    """Whether ordinary inputs leave the state where it starts, louder ones do not, and the derivative by every weight
    is zero there: nothing wakes it while it is trained. A cell that is constructed again has to sleep too."""
    if not any(behaviour.moves_from_initial) or any(main.moved(slot) for slot in lab.slots):
        return False
    if not _sleeps(lab, found):
        return False
    return all(_sleeps(lab, gradients.first(lab)) for _ in growth.redrawn(lab, draw))


def _sleeps(lab: Lab, found: Gradients | None) -> bool:
    if found is None:
        return False
    trained = [weight.trainable for weight in lab.bound.backend.weights(lab.bound.cell)]
    reached = [used for used, is_trained in zip(found.weights, trained) if is_trained and used is not None]
    if not reached or any(used.any() for used in reached):
        return False
    long = lab.run(lab.other_inputs(1, THOROUGH.long), lab.initial, 1)
    return not any(long.moved(slot) for slot in lab.slots)


def unread_features(lab: Lab, probe: Probe, found: Gradients) -> tuple[int, ...]:
    """The features of the input that reach nothing while others do: no gradient leads to them, with the weights drawn
    afresh neither, and other numbers there, louder ones too, change nothing."""
    unread = _untouched(lab, found)
    if not unread.any() or unread.all():
        return ()
    redrawn = gradients.again(lab, probe)
    if redrawn is None:
        return ()
    unread &= _untouched(lab, redrawn)
    numbers = np.flatnonzero(unread)
    where = np.moveaxis(np.zeros(probe.inputs.shape, bool), _features(lab), -1)
    where[..., numbers] = True
    where = np.moveaxis(where, -1, _features(lab))
    for start in (probe.start, lab.initial):
        for number, scale in enumerate((1.0, *INPUT_SCALES)):
            others = louder(lab.other_inputs(60 + number, len(probe.inputs)), scale)
            left, right = lab.run(probe.inputs, start), lab.run(np.where(where, others, probe.inputs), start)
            if any(effect(left, right)):
                return ()
    return tuple(int(number) for number in numbers)


def forgotten(lab: Lab, main: Run, probe: Probe, found: Gradients, behaviour: Behaviour) -> Iterator[Forgotten]:
    """The blocks of units (a layer, a half) that reach nothing while the other units of their slot do: no gradient
    leads to them, under other inputs, other draws and weights drawn afresh neither, and other numbers there change
    nothing."""
    further: Gradients | None = None
    redrawn: Gradients | None = None
    for slot in lab.slots:
        block = _block(_unheard(lab, found, slot)) if behaviour.read[slot] else None
        if block is None:
            continue
        further = further or gradients.further(lab, probe, found, has_output=True)
        if _block(_unheard(lab, further, slot)) != block:
            continue
        redrawn = redrawn or gradients.again(lab, probe)
        if redrawn is None or _block(_unheard(lab, redrawn, slot)) != block:
            continue
        axis, first, last = block
        where = np.zeros(lab.bound.rows_first(slot, probe.start.arrays[slot]).shape, bool)
        np.moveaxis(where, axis + 1, 0)[first : last + 1] = True
        if _moves_up(lab, main, slot, block):
            continue
        if not any(_heard(lab, probe, start, slot, where) for start in (probe.start, lab.initial)):
            yield Forgotten(slot, axis, first, last, _given_out(lab, main, slot, where))


def _unheard(lab: Lab, found: Gradients, slot: int) -> Array:
    """The units of a slot to which no gradient leads, in any row."""
    touched = found.touched[slot]
    if touched is None or lab.bound.rows_axis(slot) is None:
        return np.zeros(1, bool)
    return np.logical_not(lab.bound.rows_first(slot, touched).any(axis=0))


def _block(units: Array) -> tuple[int, int, int] | None:
    """The axis, the first and the last index of the units, where they are one part of equal parts along an axis."""
    if not units.any() or units.all():
        return None
    for axis, size in enumerate(units.shape):
        others = tuple(other for other in range(units.ndim) if other != axis)
        line = np.asarray(units.all(axis=others))
        where = np.flatnonzero(line)
        if not len(where) or units.sum() != len(where) * units.size // size or size % len(where):
            continue
        if where[-1] - where[0] == len(where) - 1 and where[0] % len(where) == 0 and size // len(where) <= PARTS:
            return axis, int(where[0]), int(where[-1])
    return None


def _heard(lab: Lab, probe: Probe, start: State, slot: int, where: Array) -> bool:
    """Whether other numbers for some units of a slot change anything."""
    bound = lab.bound
    mine, others = (bound.rows_first(slot, array) for array in (start.arrays[slot], probe.others[slot]))
    rng = np.random.default_rng((lab.seed, 11))
    for values in (others, rng.standard_normal(mine.shape), LOUD * rng.standard_normal(mine.shape)):
        changed = np.where(where, values, mine).astype(mine.dtype)
        axis = bound.rows_axis(slot) or 0
        other = start.with_slot(slot, np.moveaxis(changed, 0, axis))
        if any(effect(lab.run(probe.inputs, start), lab.run(probe.inputs, other))):
            return True
    return False


def _moves_up(lab: Lab, main: Run, slot: int, block: tuple[int, int, int]) -> bool:
    """Whether the old values of other units came back in a block, as in a queue, of which the last falls out."""
    axis, first, last = block
    step, count = main.steps[-1], last - first + 1
    old, new = (
        np.moveaxis(lab.bound.rows_first(slot, array), axis + 1, 0)
        for array in (step.previous[slot], step.returned[slot])
    )
    places = range(len(old) - count + 1)
    return any(not different(old[at : at + count], new[first : last + 1]) for at in places if at != first)


def _given_out(lab: Lab, main: Run, slot: int, where: Array) -> bool:
    step = main.steps[0]
    new = lab.bound.rows_first(slot, step.returned[slot])[where]
    return any(output.size == new.size and not different(output.reshape(-1), new) for output in step.outputs)


def features(lab: Lab) -> int:
    """How many features the input has."""
    return int(lab.inputs.shape[_features(lab)]) if lab.inputs.ndim > 2 else 1


def _features(lab: Lab) -> int:
    """The axis of the features in ``(steps, batch, *row)``."""
    return -1 if lab.inputs.ndim == 3 or lab.bound.backend.channels_last() else 2


def _untouched(lab: Lab, found: Gradients) -> Array:
    touched = found.touched[-1]
    if touched is None or touched.ndim < 3:
        return np.zeros(1, bool)
    by_feature = np.moveaxis(touched, _features(lab), -1).reshape(-1, touched.shape[_features(lab)])
    return np.logical_not(by_feature.any(axis=0))


def cut_off(lab: Lab, probe: Probe, weights: Sequence[Seen], path: str | None) -> tuple[Seen, ...]:
    """The weights with those marked that change what the cell gives, and to which no gradient leads, in the mode in
    which it is trained neither; none where it may be trained by a loss of its own."""
    if not any(weight.reached for weight in weights):
        return tuple(weights)
    idle = {weight.name for weight in weights if not weight.reached and weight.never and not weight.elsewhere}
    idle &= {weight.name for weight in weights if weight.used and weight.shape is not None}
    if idle:
        before = lab.bound.backend.snapshot(lab.bound.cell)
        try:
            with lab.bound.backend.training(lab.bound.cell):
                idle -= gradients.reached(lab, probe)
                if lab.bound.backend.has_losses(lab.bound.cell):
                    return tuple(weights)
        finally:
            before.restore()
    known = {weight.name: weight for weight in lab.bound.backend.weights(lab.bound.cell)}
    marked = {name: _cut(lab, probe, known[name], path) for name in idle if _moved_by(lab, probe, known[name])}
    return tuple(
        dataclasses.replace(
            weight,
            is_cut=True,
            span=marked[weight.name],
            straight_through=source.cuts_a_difference(path, marked[weight.name]),
        )
        if weight.name in marked
        else weight
        for weight in weights
    )


def _moved_by(lab: Lab, probe: Probe, weight: Weight) -> bool:
    """Whether so small a change of the weight that it crosses no threshold moves anything, where the cell does not
    change the weight itself, nor has another one in the same memory."""
    held = weight.read()
    base = lab.run(probe.inputs, probe.start)
    if different(held, weight.read()):
        return False
    others = [known for known in lab.bound.backend.weights(lab.bound.cell) if known.name != weight.name]
    before = [other.read() for other in others]
    with _changed(lab, weight):
        if any(different(array, other.read()) for array, other in zip(before, others)):
            return False
        return any(effect(base, lab.run(probe.inputs, probe.start)))


@contextlib.contextmanager
def _changed(lab: Lab, weight: Weight) -> Iterator[None]:
    before = lab.bound.backend.snapshot(lab.bound.cell)
    weight.assign(flow.near(lab, weight.read().astype("float32"), np.random.default_rng(0)))
    try:
        yield
    finally:
        before.restore()


def _cut(lab: Lab, probe: Probe, weight: Weight, path: str | None) -> Span | None:
    """The first statement whose value depends on the weight, and to which no gradient leads from it; where no variable
    shows it, the return."""
    base = lab.run(probe.inputs[:1], probe.start, record=True).steps[0]
    with _changed(lab, weight):
        moved = lab.run(probe.inputs[:1], probe.start, record=True).steps[0]
    with flow.tracked(lab, probe) as (record, _, tape):
        followed = record.keyed()
        for key, binding in (base.recording.keyed() if base.recording else {}).items():
            twin = followed.get(key)
            if twin is None or not computed.changes(lab, key, binding, [moved]):
                continue
            if tape.derivatives(twin.value, [weight.tensor])[0] is None:
                return source.span(path, twin.line)
    return source.span(path, base.recording.return_line if base.recording else None)
