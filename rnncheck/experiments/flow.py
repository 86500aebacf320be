"""Where the gradient through the state is cut: what changes by value what comes later, and is not connected to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Gradients, Tape
from rnncheck.experiments import computed
from rnncheck.experiments.probes import INPUT_SCALES, Lab, Probe, effect, louder, varied
from rnncheck.running.capture import METHOD, Binding, Recording, recording
from rnncheck.running.unroll import State, Step, different
from rnncheck.trace import Cut, Span
from rnncheck.usercode import source

SMALL, COARSE = 3e-5, 1e-3
"""So small a change, of ordinary numbers and of those in half precision, crosses few thresholds."""
SHARE = 0.05
"""What it moves of the numbers of a value at least, where that is no step function, through which no gradient leads."""


def cuts(lab: Lab, probe: Probe, gradients: Gradients, later: Sequence[float | None], path: str | None) -> list[Cut]:
    """The slots of floating-point numbers that are cut off.

    ``gradients`` are by targets (the slots, then the output) and sources (the slots, then the input), ``later`` those
    of everything from the second step on.
    """
    dtypes = [lab.bound.backend.dtype(leaf) for leaf in lab.bound.initial]
    slots = [slot for slot in lab.slots if dtypes[slot].startswith(("float", "bfloat", "complex"))]
    inward = [slot for slot in slots if later[slot] is None]
    outward = [slot for slot in slots if all(gradient is None for gradient in gradients.sources[slot])]
    if not inward and not outward:
        return []
    nothing = all(gradient is None for row in gradients.sources for gradient in row)
    nothing = nothing and all(used is None for used in gradients.weights)
    reservoir = _is_reservoir(lab, probe)
    found = []
    for slot in slots:
        # What comes back without a gradient lets none through to what went in either.
        if slot in outward and (_only_counts(lab, probe, slot, gradients) or _is_clock(lab, probe, slot)):
            continue
        if slot in outward and (_moves_with_anything(lab, probe, slot, slots) or _has_twin(lab, probe, slot)):
            found.append(_cut(lab, probe, path, slot, "out", range(len(lab.slots) + 1), nothing, reservoir))
        elif slot in inward and (_moves_later(lab, probe, slot) or _cut_before_a_step(lab, probe, slot)):
            found.append(_cut(lab, probe, path, slot, "in", [slot], nothing, reservoir))
    return found


def _is_reservoir(lab: Lab, probe: Probe) -> bool:
    """Whether no weight that is trained has a part in any state, as where a readout alone is: with other numbers in
    all of them the states are the same."""
    backend, cell = lab.bound.backend, lab.bound.cell
    weights = [weight for weight in backend.weights(cell) if weight.trainable]
    before, rng = backend.snapshot(cell), np.random.default_rng(0)
    base = lab.run(probe.inputs, probe.start)
    try:
        for weight in weights:
            weight.assign(weight.read() + rng.standard_normal(weight.shape).astype("float32"))
        other = lab.run(probe.inputs, probe.start)
    finally:
        before.restore()
    pairs = [(one.returned, another.returned) for one, another in zip(base.steps, other.steps)]
    return bool(weights) and not any(different(a, b) for pair in pairs for a, b in zip(*pair))


def near(lab: Lab, values: Array, rng: np.random.Generator) -> Array:
    """Values a very little off."""
    small = COARSE if lab.bound.input_dtype in ("float16", "bfloat16") else SMALL
    return (values + small * np.maximum(1, np.abs(values)) * rng.standard_normal(values.shape)).astype(values.dtype)


def _moved(left: Sequence[Array], right: Sequence[Array]) -> bool:
    """Whether more of the numbers differ than cross a threshold by chance."""
    changed = np.concatenate([(one != other).reshape(-1) for one, other in zip(left, right)] or [np.zeros(0, bool)])
    return bool(changed.any() and changed.mean() >= SHARE)


def _only_counts(lab: Lab, probe: Probe, slot: int, gradients: Gradients) -> bool:
    """Whether all else takes notice of the slot by thresholds alone, without a gradient, as of the steps that a neuron
    still has to rest: then there is nothing to cut."""
    others = [row for target, row in enumerate(gradients.sources) if target != slot]
    if not others or any(row[slot] is not None for row in others) or probe.start.arrays[slot].dtype.kind != "f":
        return False
    # Where nothing leads to them, what was cut off may have been a surrogate's gradient.
    if any(all(gradient is None for gradient in row) for row in others):
        return False
    rng, before = np.random.default_rng(0), probe.start.arrays[slot]
    # A value that was reached may lie on the threshold itself.
    values = rng.standard_normal(before.shape).astype(before.dtype)
    starts = (probe.start.with_slot(slot, array) for array in (values, near(lab, values, rng), -values))
    base, close, far = (lab.run(probe.inputs, start) for start in starts)
    heard, moved = (any(change for at, change in enumerate(effect(base, run)) if at != slot) for run in (far, close))
    return heard and not moved


def _is_clock(lab: Lab, probe: Probe, slot: int) -> bool:
    """Whether beside other slots one goes on by itself, whatever they and the input are, as the number of the step."""
    others = State(probe.start.structure, probe.others).with_slot(slot, probe.start.arrays[slot])
    left, right = lab.run(probe.inputs, probe.start), lab.run(varied(probe.inputs), others)
    alike = not any(different(one.returned[slot], two.returned[slot]) for one, two in zip(left.steps, right.steps))
    return alike and len(lab.slots) > 1


def _moves_later(lab: Lab, probe: Probe, slot: int) -> bool:
    """Whether a small change of the slot changes anything from the second step on."""
    start = probe.start.with_slot(slot, near(lab, probe.start.arrays[slot], np.random.default_rng(0)))
    left, right = (lab.run(probe.inputs, begin).steps[1:] for begin in (probe.start, start))
    by_slot = [([step.returned[at] for step in left], [step.returned[at] for step in right]) for at in lab.slots]
    outputs = [array for step in left for array in step.outputs], [array for step in right for array in step.outputs]
    return any(_moved(*pair) for pair in (*by_slot, outputs))


def _cut_before_a_step(lab: Lab, probe: Probe, slot: int) -> bool:
    """Whether the slot matters through a step function alone, and was cut off before that: what a small change of it
    still changes has no gradient from it."""
    other = probe.start.with_slot(slot, probe.others[slot])
    if not any(effect(lab.run(probe.inputs, probe.start), lab.run(probe.inputs, other), first=1)):
        return False
    close = probe.start.with_slot(slot, near(lab, probe.start.arrays[slot], np.random.default_rng(0)))
    base, moved = (lab.run(probe.inputs[:1], start, record=True).steps[0] for start in (probe.start, close))
    with tracked(lab, probe) as (record, _, tape):
        followed = record.keyed()
        for key, binding in (base.recording.keyed() if base.recording else {}).items():
            twin, dtype = followed.get(key), lab.bound.backend.dtype(binding.value)
            if (
                twin is None
                or not dtype.startswith(("float", "bfloat", "complex"))
                or binding.value is base.passed[slot]
            ):
                continue
            if computed.changes(lab, key, binding, [moved]):
                return not tape.connected(twin.value, [slot])
    return False


def _moves_with_anything(lab: Lab, probe: Probe, slot: int, slots: Sequence[int]) -> bool:
    """Whether a small change of all that goes in changes the slot that comes back."""
    rng = np.random.default_rng(0)
    inputs = near(lab, probe.inputs, rng) if probe.inputs.dtype.kind == "f" else probe.inputs
    left, right = lab.run(probe.inputs, probe.start), lab.run(inputs, _near_state(lab, probe.start, slots, rng))
    return _moved([step.returned[slot] for step in left.steps], [step.returned[slot] for step in right.steps])


def _near_state(lab: Lab, start: State, slots: Sequence[int], rng: np.random.Generator) -> State:
    for slot in slots:
        start = start.with_slot(slot, near(lab, start.arrays[slot], rng))
    return start


def _cut(
    lab: Lab,
    probe: Probe,
    path: str | None,
    slot: int,
    way: str,
    sources: Sequence[int],
    nothing: bool,
    reservoir: bool,
) -> Cut:
    span, recorded = _statement(lab, probe, path, sources, slot if way == "out" else None)
    return Cut(slot, way, span, lab.bound.form.over_time, reservoir or (nothing and not recorded))


def _statement(
    lab: Lab, probe: Probe, path: str | None, sources: Sequence[int], back: int | None
) -> tuple[Span | None, bool]:
    """The first statement whose value depends on a source by value, and to which no gradient leads from any of them;
    where no variable shows it, the return. Of a slot that comes ``back`` without a gradient, that from which it has
    its value. The flag tells whether anything was recorded for gradients."""
    bound, backend = lab.bound, lab.bound.backend
    ways = [(probe.inputs, probe.start), *(_with_another(probe, number) for number in sources)]
    base, *changed = (lab.run(inputs[:1], start, record=True).steps[0] for inputs, start in ways)
    with tracked(lab, probe) as (record, returned, tape):
        followed = record.keyed()
        cut = []
        for key, binding in (base.recording.keyed() if base.recording else {}).items():
            twin = followed.get(key)
            if twin is None or not backend.dtype(binding.value).startswith(("float", "bfloat", "complex")):
                continue
            if computed.changes(lab, key, binding, changed) and not tape.connected(twin.value, sources):
                cut.append(twin)
        kept = tape.recorded()
        ends = base.recording.return_line if base.recording else None
        if back is None or ends is None:
            line = cut[0].line if cut else ends
        else:
            leaf = bound.split(returned)[2][back]
            made = [binding.line for binding in cut if binding.value is leaf and binding.frame == METHOD]
            line = _origin(record, path, cut, made[0] if made else ends)
    return source.span(path, _earlier(lab, path, base, line) if cut and line is not None else line), kept


def _origin(record: Recording, path: str | None, cut: Sequence[Binding], line: int) -> int:
    """From a line back to the first in which what its statement uses was cut off: by name, or in a helper that it
    calls."""
    for _ in cut:
        helpers = [helper for helper in record.helpers if helper.called == line]
        inside = [item.line for item in cut if any(helper.first <= item.line <= helper.last for helper in helpers)]
        if inside:
            return inside[0]
        used = [item.line for item in cut if item.line != line and source.mentions(path, line, [item.name])]
        if not used:
            break
        line = used[0]
    return line


@contextmanager
def tracked(lab: Lab, probe: Probe) -> Iterator[tuple[Recording, Any, Tape]]:
    """One step from the probe's first input: what was recorded of it, what it returned, and the gradients by the slots
    and then the input."""
    bound, backend = lab.bound, lab.bound.backend
    given = [*zip(probe.start.arrays, map(backend.dtype, bound.state(probe.start.arrays)))]
    given.append((np.asarray(bound.form.lay(probe.inputs[0])), bound.input_dtype))
    bound.begin(lab.seed)
    with backend.tracking(given) as tape:
        with recording(bound.callee.code, backend.is_tensor, bound.followed) as record:
            returned = bound.callee.call(tape.given[-1], probe.start.structure.build(tape.given[:-1]))
        yield record, returned, tape


def _has_twin(lab: Lab, probe: Probe, slot: int) -> bool:
    """Whether the slot comes back without a gradient beside the same numbers with one: a step function (a spike, whose
    gradient is a surrogate) was cut off."""
    bound, numpy = lab.bound, lab.bound.backend.numpy
    sources = range(len(probe.start.arrays) + 1)
    for scale in (1.0, *INPUT_SCALES):
        with tracked(lab, replace(probe, inputs=louder(probe.inputs, scale))) as (record, returned, tape):
            leaf = bound.split(returned)[2][slot]
            value = numpy(leaf)
            if not value.size or (value == value.flat[0]).all() or tape.connected(leaf, sources):
                continue
            alike = (
                binding.value
                for binding in record.bindings
                if binding.value is not leaf and not different(numpy(binding.value), value)
            )
            if any(tape.connected(other, sources) for other in alike):
                return True
    return False


def _earlier(lab: Lab, path: str | None, step: Step, line: int) -> int:
    """The line before this one in which the value left the framework for NumPy, where it did: arrays are not
    followed."""
    code = lab.bound.callee.code
    calls = source.calls_of(path, code.co_firstlineno, "numpy") if code is not None else []
    ran = step.recording.lines if step.recording else set()
    return min((call for call in calls if call in ran and call < line), default=line)


def _with_another(probe: Probe, number: int) -> tuple[Array, State]:
    """The probe with one source changed: a slot, or the input, which counts after them."""
    slots = range(len(probe.start.arrays))
    if number in slots:
        return probe.inputs, probe.start.with_slot(number, probe.others[number])
    return (varied(probe.inputs), probe.start)
