"""Whether chance has a hand in what a cell gives in evaluation mode: the same run with other random numbers."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from rnncheck.backends.base import Array, Dropping
from rnncheck.experiments import leaks
from rnncheck.experiments.probes import WINDOW, Lab
from rnncheck.running.unroll import Run, Step, different
from rnncheck.trace import Chance, Span
from rnncheck.usercode import source

OTHER = 77
"""By how much the seed is shifted for other random numbers."""
KEPT, RELATIVE = 4, 1e-4
"""How many units that were kept show by their common factor that the others were dropped."""


def draws(lab: Lab, main: Run, steps: int = WINDOW) -> bool:
    """Whether other random numbers give other results: those of another seed, or of generators of its own that went
    on."""
    return any(not leaks.alike(main, other) for other in _others(lab, steps, record=False))


def chance(lab: Lab, main: Run, path: str | None, *, repeatable: bool) -> Chance | None:
    """Where and how the random numbers come in, in a cell that draws them."""
    others = _others(lab, len(lab.inputs), record=True)
    other = next((run for run in others if not leaks.alike(main, run)), None)
    if other is None or not lab.bound.backend.evaluates(lab.bound.cell):
        return None
    in_state = any(different(*pair) for one, twin in zip(main.steps, other.steps) for pair in _slots(one, twin))
    # What no random number is the cause of (memory that was never written) is not alike in equal runs either.
    again = lab.run(lab.inputs, lab.initial, record=True) if repeatable else None
    spot, dropped = _first(lab, main, other, again, path)
    calls = _dropped(lab, path, spot)
    if calls:
        (call, *_) = calls
        return Chance(in_state, spot, call.name, all(one.careless for one in calls), call.instead)
    return Chance(in_state, spot, "" if dropped else None)


def _others(lab: Lab, steps: int, *, record: bool) -> Iterator[Run]:
    inputs, before = lab.inputs[:steps], lab.bound.kept
    yield lab.run(inputs, lab.initial, OTHER, record=record)
    if before is None:
        return
    before.restore(randomness=False)
    going_on = dataclasses.replace(lab, bound=dataclasses.replace(lab.bound, kept=None))
    again = going_on.run(inputs, lab.initial, OTHER, record=record)
    before.restore()
    yield again


def _slots(one: Step, twin: Step) -> Iterator[tuple[Array, Array]]:
    yield from zip(one.returned, twin.returned)


def _first(lab: Lab, main: Run, other: Run, again: Run | None, path: str | None) -> tuple[Span | None, bool]:
    """The first statement whose value depends on chance alone, and whether that is some earlier value with units of it
    dropped."""
    backend = lab.bound.backend
    for index, (one, twin) in enumerate(zip(main.steps, other.steps)):
        if one.recording is None or twin.recording is None:
            return None, False
        repeated = again.steps[index].recording if again is not None else None
        varied, equal = twin.recording.keyed(), repeated.keyed() if repeated else None
        earlier = [lab.bound.form.lay(lab.inputs[index]), *one.previous]
        for key, binding in one.recording.keyed().items():
            if key not in varied or any(binding.value is leaf for leaf in one.passed):
                continue
            left, right = backend.numpy(binding.value), backend.numpy(varied[key].value)
            if different(left, right) and (
                equal is None or (key in equal and not different(left, backend.numpy(equal[key].value)))
            ):
                return source.span(path, binding.line), _is_dropout(earlier, left, right)
            earlier.append(left)
        results = zip((*one.returned, *one.outputs), (*twin.returned, *twin.outputs))
        if any(different(*pair) for pair in results):
            results = zip((*one.returned, *one.outputs), (*twin.returned, *twin.outputs))
            dropped = any(_is_dropout(earlier, *pair) for pair in results)
            return source.span(path, one.recording.return_line), dropped
    return None, False


def _is_dropout(earlier: Sequence[Array], left: Array, right: Array) -> bool:
    """Whether both are the same earlier value, zero in its place here and there and else times one factor."""
    if not different(left, right):
        return False
    for value in earlier:
        factors = [_factor(value, one) for one in (left, right)]
        if None not in factors and np.isclose(factors[0], factors[1], rtol=RELATIVE):  # type: ignore[arg-type]
            return True
    return False


def _factor(value: Array, dropped: Array) -> float | None:
    if value.shape != dropped.shape or value.dtype.kind != "f" or dropped.dtype.kind != "f":
        return None
    kept = (dropped != 0) & (value != 0)
    none = (dropped[value == 0] != 0).any() or not ((dropped == 0) & (value != 0)).any()
    if none or len(np.unique(value[kept])) < KEPT:
        return None
    factors = dropped[kept] / value[kept]
    middle = float(np.median(factors))
    return middle if np.allclose(factors, middle, rtol=RELATIVE) and middle > 0 else None


def _dropped(lab: Lab, path: str | None, spot: Span | None) -> Sequence[Dropping]:
    """What the framework was told to drop at that statement."""
    if spot is None or path is None:
        return ()
    with contextlib.suppress(Exception), lab.bound.backend.dropping(lab.bound.cell, path) as found:
        lab.run(lab.inputs, lab.initial)
        return [call for call in found if spot.line <= call.line <= spot.end_line]
    return ()
