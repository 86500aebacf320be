"""Whether a row of the batch depends on the other rows: another value in one row, and all others compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnncheck import source
from rnncheck.backends.base import Array
from rnncheck.convention import Bound, Form
from rnncheck.errors import CallError
from rnncheck.trace import Span
from rnncheck.unroll import Run, State, Step, largest_difference, unroll

TRIES, ROWS = 3, 3
STEPS = 2, 3
"""For how many a small change is followed, and for how many one that is far: thresholds are crossed late."""
STEP, LOUD = 0.05, 4
TOLERANCE = 2e-6
"""Relative to the values: other rows may change the order in which a sum is taken, and no more."""


@dataclass(frozen=True)
class Mixing:
    """The smallest change that one row made in the others over several tries. ``far``: only other values altogether
    did, as where thresholds take no notice of a small change."""

    change: float
    row: int
    far: bool = False


def leak(bound: Bound, seed: int, start: State, shape: Sequence[int], steps: tuple[int, int]) -> Mixing | None:
    """None when no row made a change in each of its tries, or when the batch has no rows to compare. ``shape`` is
    that of one row of input."""
    if bound.batch < 2 or bound.form.layout == "single":
        return None

    for far in (False, True):
        # With nothing changed, which is the same whatever row is changed then.
        bases: dict[int, Run | None] = {}
        for row in range(min(bound.batch, ROWS)):
            found = []
            for number in range(TRIES):
                inputs, others, other = _pair(bound, (seed, 200 + number), start, shape, steps[far], row, far=far)
                if number not in bases:
                    bases[number] = _run(bound, seed, inputs, start)
                change = _change(bound, bases[number], _run(bound, seed, others, other), row)
                if not TOLERANCE < change < float("inf"):
                    break
                # A branch on the whole batch, taken otherwise for other numbers, mixes nothing.
                if far and _branches(bound, seed, (inputs, start), (others, other)):
                    break
                found.append(change)
            else:
                return Mixing(min(found), row, far)
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
    inputs, others, other = _pair(bound, (seed, 200), start, shape, steps[mixing.far], mixing.row, far=mixing.far)
    left, right = unroll(bound, seed, inputs, start, record=True), unroll(bound, seed, others, other, record=True)
    for one, twin in zip(left.steps, right.steps):
        if one.recording is None or twin.recording is None:
            return None
        varied = twin.recording.keyed()
        for key, binding in one.recording.keyed().items():
            if key not in varied or any(binding.value is leaf for leaf in one.passed):
                continue
            a, b = (bound.backend.numpy(value) for value in (binding.value, varied[key].value))
            if _mixed(a, b, bound.batch, mixing.row):
                return source.span(path, binding.line)
        if _differ(bound, one, twin, mixing.row) > TOLERANCE:
            return source.span(path, one.recording.return_line)
    return None


def _mixed(left: Array, right: Array, batch: int, row: int) -> bool:
    """Whether other rows differ, whichever axis they lie on, or a value that has none for each row."""
    if left.shape != right.shape or left.dtype.kind not in "fc":
        return False
    axes = [axis for axis, size in enumerate(left.shape) if size == batch]
    if not axes:
        return largest_difference(left, right) > TOLERANCE * (1.0 + float(np.abs(left).max(initial=0.0)))
    return all(_elsewhere(left, right, axis, row) > TOLERANCE for axis in axes)


def _run(bound: Bound, seed: int, inputs: Array, start: State) -> Run | None:
    try:
        return unroll(bound, seed, inputs, start)
    except CallError:
        return None


def _change(bound: Bound, left: Run | None, right: Run | None, row: int) -> float:
    """How much another value in one row changed the others."""
    if left is None or right is None:
        return 0.0
    return max(_differ(bound, one, twin, row) for one, twin in zip(left.steps, right.steps))


def _branches(bound: Bound, seed: int, *ways: tuple[Array, State]) -> bool:
    """Whether other lines run for other inputs and states."""
    left, right = (unroll(bound, seed, inputs, start, record=True) for inputs, start in ways)
    return any(_lines(one) != _lines(twin) for one, twin in zip(left.steps, right.steps))


def _lines(step: Step) -> set[int]:
    return step.recording.lines if step.recording else set()


def _pair(
    bound: Bound, seed: tuple[int, int], start: State, shape: Sequence[int], steps: int, row: int, *, far: bool
) -> tuple[Array, Array, State]:
    """Inputs, the same with another value in one row, and likewise another state."""
    rng = np.random.default_rng(seed)
    inputs = bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype)
    others = np.array(inputs, copy=True)
    if far and inputs.dtype.kind == "f":
        inputs, others = (array * LOUD for array in (inputs, others))
        others[:, row] = -inputs[:, row]
    else:
        others[:, row] = _near(bound.form, rng, inputs[:, row], bound.input_dtype)
    arrays = [_with_row(bound, slot, array, row, rng) for slot, array in enumerate(start.arrays)]
    return inputs, others, State(start.structure, arrays)


def _differ(bound: Bound, one: Step, other: Step, row: int) -> float:
    """How much the other rows of what came back differ."""
    pairs = enumerate(zip(one.returned, other.returned))
    slots = [min(_elsewhere(a, b, axis, row) for axis in _axes(bound, slot)) for slot, (a, b) in pairs]
    outputs = [
        _elsewhere(a, b, output_axis(bound.form, bound.batch, a.shape), row) for a, b in zip(one.outputs, other.outputs)
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


def _with_row(bound: Bound, slot: int, array: Array, row: int, rng: np.random.Generator) -> Array:
    """The slot with a value a little off in one row, where the cell has already moved it."""
    axis = bound.rows_axis(slot)
    if axis is None or array.shape.count(bound.batch) > 1 or array.dtype.kind not in "fc" or not array.any():
        return array
    rows = np.moveaxis(np.array(array, copy=True), axis, 0)
    rows[row] *= 1 + STEP * rng.standard_normal(rows[row].shape)
    return np.moveaxis(rows, 0, axis)


def output_axis(form: Form, batch: int, shape: Sequence[int]) -> int | None:
    """The axis of an output along which the rows lie; None where it has none of their number."""
    axes = (1, 0) if form.layout == "time first" else (0,)
    return next((axis for axis in axes if len(shape) > axis and shape[axis] == batch), None)


def _elsewhere(left: Array, right: Array, axis: int | None, row: int) -> float:
    """The largest change in other rows, relative to what stands there."""
    if axis is None or left.shape != right.shape or left.dtype.kind not in "fc":
        return 0.0
    others = [index for index in range(left.shape[axis]) if index != row]
    one, other = (array.take(others, axis) for array in (left, right))
    return largest_difference(one, other) / (1.0 + float(np.abs(one).max(initial=0.0)))
