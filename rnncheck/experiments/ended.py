"""Traces of cells whose experiments ended before they began: a state that is no number, or none that comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rnncheck.calling.convention import Bound, outline
from rnncheck.discovery.misfits import Misfit
from rnncheck.experiments import computed, naming
from rnncheck.experiments.probes import Lab
from rnncheck.experiments.tail import Tail
from rnncheck.running.capture import recording
from rnncheck.running.unroll import Run, Step, different
from rnncheck.settings import Settings
from rnncheck.trace import (
    Behaviour,
    Computed,
    Declaration,
    Fault,
    Influence,
    Initial,
    Slot,
    SlotStep,
    Trace,
)
from rnncheck.usercode import source


def nonfinite(lab: Lab, main: Run, tail: Tail, initial: Initial) -> Trace:
    """What is known of a cell whose numbers stop being numbers."""
    bound = lab.bound
    trace = frame(bound, initial)
    bindings = naming.old_names(bound, main.steps[0].recording, main.steps[0].passed)
    names = naming.slot_names(bound, bindings)
    at, step = tail.broken or _broken(main)
    returns = source.span(trace.method.path, step.recording.return_line if step.recording else None)
    method = dataclasses.replace(trace.method, bindings=bindings, returns=returns)
    fault = _nonfinite(lab, at, step, method.path)
    shapes = [bound.rows_first(slot, array).shape[1:] for slot, array in enumerate(lab.initial.arrays)]
    slots = tuple(Slot(slot, names[slot], shapes[slot], bound.backend.dtype(bound.initial[slot])) for slot in lab.slots)
    steps = tuple(slot_steps(bound, step, index, [()] * len(slots)) for index, step in enumerate(main.steps))
    trace = dataclasses.replace(trace, method=method, slots=slots, steps=steps, later=tail.passages, fault=fault)
    return with_what_ran(trace, main)


def first_nonfinite(lab: Lab, main: Run) -> Fault:
    """Where the numbers of a run stop being numbers."""
    return _nonfinite(lab, *_broken(main), naming.method(lab.bound).path)


def _broken(main: Run) -> tuple[int, Step]:
    return next((at, step) for at, step in enumerate(main.steps) if not step.finite)


def _nonfinite(lab: Lab, at: int, step: Step, path: str | None) -> Fault:
    bad = [slot for slot in lab.slots if slot in step.broken]
    line = computed.nonfinite(lab, step, path) or (step.recording.return_line if step.recording else None)
    values = np.concatenate([array.reshape(-1) for array in (*step.returned, *step.outputs)])
    return Fault(
        "nonfinite-state",
        bad[0] if len(bad) == 1 else None,
        at,
        source.span(path, line),
        "ordinary inputs",
        "NaN" if np.isnan(values).any() else "infinity",
        any(np.isfinite(step.returned[slot]).any() for slot in bad),
    )


def with_what_ran(trace: Trace, main: Run) -> Trace:
    """The same with the helpers that were called and the lines that ran."""
    records = [step.recording for step in main.steps if step.recording]
    helpers = sorted(
        set().union(*(record.helpers for record in records)), key=lambda helper: (helper.first, helper.called)
    )
    ran = frozenset[int]().union(*(record.lines for record in records))
    return dataclasses.replace(trace, method=dataclasses.replace(trace.method, helpers=tuple(helpers), ran=ran))


def frame(bound: Bound, initial: Initial) -> Trace:
    """A Trace of which nothing is known but the cell."""
    alive = (True,) * len(bound.initial)
    return Trace(
        backend=bound.backend.name,
        method=naming.method(bound),
        slots=(),
        structure=bound.convention.state,
        steps=(),
        initial=initial,
        declaration=Declaration(False, False),
        built=Behaviour(alive, alive, alive, True),
        redrawn=(),
        influence=Influence((), (), (), None, "the experiments ended before"),
        weights=(),
        computed=((),) * len(bound.initial),
        repeatable=True,
        library=bound.backend.library,
    )


def misfit(misfit: Misfit, settings: Settings) -> tuple[Trace, str]:
    """What is known of a cell that gives back something else than its state, and how it was called."""
    bound = misfit.bound
    backend = bound.backend
    rng = np.random.default_rng(settings.seed)
    x = bound.callee.form.draw(rng, (bound.batch, *misfit.shape), bound.input_dtype)
    bound.begin(settings.seed)
    start = [backend.numpy(leaf) for leaf in bound.initial]
    passed = bound.state(start)
    state = bound.convention.state.build(passed)
    with backend.without_gradient(), recording(bound.callee.code, backend.is_tensor, bound.held) as record:
        returned = bound.callee.call(bound.inputs(x), state)
    initial = Initial(bound.initial_source, bound.initial_declared, tuple(not array.any() for array in start))
    trace = frame(bound, initial)
    returns = source.span(trace.method.path, record.return_line)
    bindings = naming.old_names(bound, record, passed)
    names = naming.slot_names(bound, bindings)
    slots = tuple(
        Slot(slot, name, array.shape[1:], backend.dtype(bound.initial[slot]))
        for slot, (name, array) in enumerate(zip(names, start))
    )
    where = returns
    if misfit.rule == "state-dtype-mismatch" and misfit.slot is not None:
        leaf = bound.split(returned)[2][misfit.slot]
        lines = [binding.line for binding in record.bindings if binding.value is leaf and binding.frame == record.step]
        where = source.span(trace.method.path, lines[0]) if lines else returns
    fault = Fault(misfit.rule, misfit.slot, misfit.step, where, misfit.went_in, misfit.came_back)
    method = dataclasses.replace(trace.method, returns=returns, bindings=bindings)
    convention = bound.convention.describe(names).partition(" -> ")[0]
    trace = dataclasses.replace(trace, slots=slots, method=method, fault=fault)
    return trace, f"{convention} -> {outline(returned, backend)}"


def slot_steps(bound: Bound, step: Step, index: int, chosen: Sequence[Sequence[Computed]]) -> tuple[SlotStep, ...]:
    """A step of each slot, rows first, with the new value that was computed though it was not returned."""
    result = []
    for slot, (previous, returned, same) in enumerate(zip(step.previous, step.returned, step.same_object)):
        updates = [item for item in chosen[slot] if item.is_update]
        new = returned if different(previous, returned) else updates[0].values[index] if updates else None
        before, after = (bound.rows_first(slot, array) for array in (previous, returned))
        result.append(SlotStep(before, after, same, None if new is None else bound.rows_first(slot, new)))
    return tuple(result)
