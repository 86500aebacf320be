"""Whether a row of the batch depends on the other rows: other values in some rows, and all others compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.calling.convention import Bound, Form
from rnncheck.errors import CallError
from rnncheck.running.unroll import Run, State, Step, largest_difference, unroll
from rnncheck.trace import Span
from rnncheck.usercode import source

TRIES = 3
GROUPS = ((0,), (1, 2)), ((0,), (1,), (2,))
"""The rows that are changed together: first a little, then far."""
STEPS = 2, 3
"""For how many a small change is followed, and for how many one that is far: thresholds are crossed late."""
STEP, LOUD = 0.05, 4
TOLERANCE = 2e-6
"""Relative to the values: other rows may change the order in which a sum is taken, and no more."""


@dataclass(frozen=True)
class Mixing:
    """The smallest change that some rows made in the others over several tries. ``far``: only other values altogether
    did, as where thresholds take no notice of a small change."""

    change: float
    rows: tuple[int, ...]
    far: bool = False


def leak(bound: Bound, seed: int, start: State, shape: Sequence[int], steps: tuple[int, int]) -> Mixing | None:
    """None when no row made a change in each of its tries, or when the batch has no rows to compare. ``shape`` is
    that of one row of input."""
    if bound.batch < 2 or bound.form.layout == "single":
        return None

    for far in (False, True):
        # With nothing changed, which is the same whatever rows are changed then.
        bases: dict[int, Run | None] = {}
        for group in GROUPS[far]:
            rows = tuple(row for row in group if row < bound.batch)
            if not rows:
                continue
            found = []
            for number in range(TRIES):
                inputs, others, other = _pair(bound, (seed, 200 + number), start, shape, steps[far], rows, far=far)
                if number not in bases:
                    bases[number] = _run(bound, seed, inputs, start)
                change = _change(bound, bases[number], _run(bound, seed, others, other), rows)
                if not TOLERANCE < change < float("inf"):
                    break
                # A branch on the whole batch, taken otherwise for other numbers, mixes nothing.
                if far and _branches(bound, seed, (inputs, start), (others, other)):
                    break
                found.append(change)
            else:
                return Mixing(min(found), rows, far)
    return None


def where(
    bound: Bound,
    seed: int,
    start: State,
    shape: Sequence[int],
    steps: tuple[int, int],
    mixing: Mixing,
    path: str | None,
) -> Span | None:
    """The first statement whose value in one row depends on another row, or that is no longer one for each row."""
    inputs, others, other = _pair(bound, (seed, 200), start, shape, steps[mixing.far], mixing.rows, far=mixing.far)
    left, right = unroll(bound, seed, inputs, start, record=True), unroll(bound, seed, others, other, record=True)
    for one, twin in zip(left.steps, right.steps):
        if one.recording is None or twin.recording is None:
            return None
        varied = twin.recording.keyed()
        for key, binding in one.recording.keyed().items():
            if key not in varied or any(binding.value is leaf for leaf in one.passed):
                continue
            a, b = (bound.backend.numpy(value) for value in (binding.value, varied[key].value))
            if _mixed(a, b, bound.batch, mixing.rows):
                return source.span(path, binding.line)
        if _differ(bound, one, twin, mixing.rows) > TOLERANCE:
            return source.span(path, one.recording.return_line)
    return None


def _mixed(left: Array, right: Array, batch: int, rows: tuple[int, ...]) -> bool:
    """Whether other rows differ, whichever axis they lie on, or a value that has none for each row."""
    if left.shape != right.shape or left.dtype.kind not in "fc":
        return False
    axes = [axis for axis, size in enumerate(left.shape) if size == batch]
    if not axes:
        return largest_difference(left, right) > TOLERANCE * (1.0 + float(np.abs(left).max(initial=0.0)))
    return all(_elsewhere(left, right, axis, rows) > TOLERANCE for axis in axes)


def _run(bound: Bound, seed: int, inputs: Array, start: State) -> Run | None:
    try:
        return unroll(bound, seed, inputs, start)
    except CallError:
        return None


def _change(bound: Bound, left: Run | None, right: Run | None, rows: tuple[int, ...]) -> float:
    """How much other values in some rows changed the others."""
    if left is None or right is None:
        return 0.0
    return max(_differ(bound, one, twin, rows) for one, twin in zip(left.steps, right.steps))


def _branches(bound: Bound, seed: int, *ways: tuple[Array, State]) -> bool:
    """Whether other lines run for other inputs and states."""
    left, right = (unroll(bound, seed, inputs, start, record=True) for inputs, start in ways)
    return any(_lines(one) != _lines(twin) for one, twin in zip(left.steps, right.steps))


def _lines(step: Step) -> set[int]:
    return step.recording.lines if step.recording else set()


def _pair(
    bound: Bound,
    seed: tuple[int, int],
    start: State,
    shape: Sequence[int],
    steps: int,
    rows: tuple[int, ...],
    *,
    far: bool,
) -> tuple[Array, Array, State]:
    """Inputs, the same with other values in some rows, and likewise another state."""
    rng = np.random.default_rng(seed)
    inputs = bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype)
    others = np.array(inputs, copy=True)
    if far and inputs.dtype.kind == "f":
        inputs, others = (array * LOUD for array in (inputs, others))
        others[:, list(rows)] = -inputs[:, list(rows)]
    else:
        others[:, list(rows)] = _near(bound.form, rng, inputs[:, list(rows)], bound.input_dtype)
    arrays = [_with_rows(bound, slot, array, rows, rng) for slot, array in enumerate(start.arrays)]
    return inputs, others, State(start.structure, arrays)


def _differ(bound: Bound, one: Step, other: Step, rows: tuple[int, ...]) -> float:
    """How much the other rows of what came back differ."""
    pairs = enumerate(zip(one.returned, other.returned))
    slots = [min(_elsewhere(a, b, axis, rows) for axis in _axes(bound, slot)) for slot, (a, b) in pairs]
    outputs = [
        min((_elsewhere(a, b, axis, rows) for axis in output_axes(bound.form, bound.batch, a.shape)), default=0.0)
        for a, b in zip(one.outputs, other.outputs)
    ]
    return max([*slots, *outputs], default=0.0)


def _axes(bound: Bound, slot: int) -> list[int | None]:
    """The axes of a slot that may be that of the rows: as many layers as rows make two of them."""
    if bound.rows_axis(slot) is None:
        return [None]
    return [axis for axis, size in enumerate(bound.initial[slot].shape) if int(size) == bound.batch]


def _near(form: Form, rng: np.random.Generator, values: Array, dtype: str) -> Array:
    """Values a little off, so that a branch on the whole batch (``if x.mean() > 0``) is taken as before; another
    whole number where there is none between."""
    if values.dtype.kind not in "fc":
        return form.draw(rng, values.shape, dtype)
    return (values + STEP * rng.standard_normal(values.shape)).astype(values.dtype)


def _with_rows(bound: Bound, slot: int, array: Array, rows: tuple[int, ...], rng: np.random.Generator) -> Array:
    """The slot with a value a little off in some rows, where the cell has already moved it."""
    axis = bound.rows_axis(slot)
    if axis is None or array.shape.count(bound.batch) > 1 or array.dtype.kind not in "fc" or not array.any():
        return array
    by_row = np.moveaxis(np.array(array, copy=True), axis, 0)
    by_row[list(rows)] *= 1 + STEP * rng.standard_normal(by_row[list(rows)].shape)
    return np.moveaxis(by_row, 0, axis)


def output_axes(form: Form, batch: int, shape: Sequence[int]) -> list[int]:
    """The axes of an output along which the rows may lie; none where it has none of their number."""
    axes = (1, 0) if form.layout == "time first" else (0,)
    return [axis for axis in axes if len(shape) > axis and shape[axis] == batch]


def _elsewhere(left: Array, right: Array, axis: int | None, rows: tuple[int, ...]) -> float:
    """The largest change in other rows, relative to what stands there."""
    if axis is None or left.shape != right.shape or left.dtype.kind not in "fc":
        return 0.0
    others = [index for index in range(left.shape[axis]) if index not in rows]
    one, other = (array.take(others, axis) for array in (left, right))
    return largest_difference(one, other) / (1.0 + float(np.abs(one).max(initial=0.0)))
