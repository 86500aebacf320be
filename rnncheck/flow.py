"""Where the gradient through the state is cut: what changes by value what comes later, and is not connected to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnncheck import computed, source
from rnncheck.backends.base import Array, Gradients
from rnncheck.capture import recording
from rnncheck.probes import Lab, Probe, effect, varied
from rnncheck.trace import Cut, Span
from rnncheck.unroll import State, Step

SMALL = 1e-3
"""So small a change crosses no threshold: what it moves is no step function, through which no gradient can lead."""


def cuts(lab: Lab, probe: Probe, gradients: Gradients, later: Sequence[float | None], path: str | None) -> list[Cut]:
    """The slots of floating-point numbers that are cut off.

    ``gradients`` are by targets (the slots, then the output) and sources (the slots, then the input), ``later`` those
    of everything from the second step on.
    """
    dtypes = [lab.bound.backend.dtype(leaf) for leaf in lab.bound.initial]
    slots = [slot for slot in lab.slots if dtypes[slot].startswith(("float", "bfloat"))]
    inward = [slot for slot in slots if later[slot] is None]
    outward = [slot for slot in slots if all(gradient is None for gradient in gradients.sources[slot])]
    if not inward and not outward:
        return []
    nothing = all(gradient is None for row in gradients.sources for gradient in row)
    nothing = nothing and all(used is None for used in gradients.weights)
    found = []
    for slot in slots:
        if slot in inward and _moves_later(lab, probe, slot):
            found.append(_cut(lab, probe, path, slot, "in", [slot], nothing))
        elif slot in outward and _moves_with_anything(lab, probe, slot, slots):
            found.append(_cut(lab, probe, path, slot, "out", range(len(lab.slots) + 1), nothing))
    return found


def _near(values: Array, rng: np.random.Generator) -> Array:
    return (values + SMALL * rng.standard_normal(values.shape)).astype(values.dtype)


def _moves_later(lab: Lab, probe: Probe, slot: int) -> bool:
    """Whether a small change of the slot changes anything from the second step on."""
    start = probe.start.with_slot(slot, _near(probe.start.arrays[slot], np.random.default_rng(0)))
    left, right = lab.run(probe.inputs, probe.start), lab.run(probe.inputs, start)
    return any(change > 0 for change in effect(left, right, first=1))


def _moves_with_anything(lab: Lab, probe: Probe, slot: int, slots: Sequence[int]) -> bool:
    """Whether a small change of all that goes in changes the slot that comes back."""
    rng = np.random.default_rng(0)
    inputs = _near(probe.inputs, rng) if probe.inputs.dtype.kind == "f" else probe.inputs
    left, right = lab.run(probe.inputs, probe.start), lab.run(inputs, _near_state(probe.start, slots, rng))
    return effect(left, right)[slot] > 0


def _near_state(start: State, slots: Sequence[int], rng: np.random.Generator) -> State:
    for slot in slots:
        start = start.with_slot(slot, _near(start.arrays[slot], rng))
    return start


def _cut(lab: Lab, probe: Probe, path: str | None, slot: int, way: str, sources: Sequence[int], nothing: bool) -> Cut:
    span, recorded = _statement(lab, probe, path, sources)
    return Cut(slot, way, span, lab.bound.form.over_time, nothing and not recorded)


def _statement(lab: Lab, probe: Probe, path: str | None, sources: Sequence[int]) -> tuple[Span | None, bool]:
    """The first statement whose value depends on a source by value, and to which no gradient leads from any of them;
    where no variable shows it, the return. The flag tells whether anything was recorded for gradients."""
    bound, backend = lab.bound, lab.bound.backend
    ways = [(probe.inputs, probe.start), *(_with_another(probe, number) for number in sources)]
    base, *changed = (lab.run(inputs[:1], start, record=True).steps[0] for inputs, start in ways)
    given = [*zip(probe.start.arrays, map(backend.dtype, bound.state(probe.start.arrays)))]
    given.append((np.asarray(bound.form.lay(probe.inputs[0])), bound.input_dtype))
    bound.begin(lab.seed)
    with backend.tracking(given) as (tensors, connected, recorded):
        with recording(bound.callee.code, backend.is_tensor, bound.followed) as record:
            bound.callee.call(tensors[-1], probe.start.structure.build(tensors[:-1]))
        followed = record.keyed()
        for key, binding in (base.recording.keyed() if base.recording else {}).items():
            twin = followed.get(key)
            if twin is None or not backend.dtype(binding.value).startswith(("float", "bfloat", "complex")):
                continue
            if computed.changes(lab, key, binding, changed) and not connected(twin.value, sources):
                return source.span(path, _earlier(lab, path, base, binding.line)), recorded()
        kept = recorded()
    return source.span(path, base.recording.return_line if base.recording else None), kept


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
