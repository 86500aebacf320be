"""Whether a row of the batch depends on the other rows: another value in one row, and all others compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.convention import Bound, Form
from rnncheck.errors import CallError
from rnncheck.unroll import State, largest_difference, unroll

TRIES, ROWS = 3, 3
STEP = 0.05
TOLERANCE = 2e-6
"""Relative to the values: other rows may change the order in which a sum is taken, and no more."""


def leak(bound: Bound, seed: int, start: State, shape: Sequence[int], steps: int) -> float | None:
    """The smallest change that one row made in the others over several tries; None when no row made one in each of
    its tries, or when the batch has no rows to compare. ``shape`` is that of one row of input."""
    if bound.batch < 2 or bound.form.layout == "single":
        return None
    for row in range(min(bound.batch, ROWS)):
        found = []
        for number in range(TRIES):
            change = _change(bound, (seed, 200 + number), start, shape, steps, row)
            if not TOLERANCE < change < float("inf"):
                break
            found.append(change)
        else:
            return min(found)
    return None


def _change(bound: Bound, seed: tuple[int, int], start: State, shape: Sequence[int], steps: int, row: int) -> float:
    """How much another value in one row changes the others."""
    rng = np.random.default_rng(seed)
    inputs = bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype)
    others = np.array(inputs, copy=True)
    others[:, row] = _near(bound.form, rng, inputs[:, row], bound.input_dtype)
    arrays = [_with_row(bound, slot, array, row, rng) for slot, array in enumerate(start.arrays)]
    try:
        left = unroll(bound, seed[0], inputs, start)
        right = unroll(bound, seed[0], others, State(start.structure, arrays))
    except CallError:
        return 0.0
    change = 0.0
    for one, other in zip(left.steps, right.steps):
        for slot, (a, b) in enumerate(zip(one.returned, other.returned)):
            change = max(change, _elsewhere(a, b, bound.rows_axis(slot), row))
        for a, b in zip(one.outputs, other.outputs):
            change = max(change, _elsewhere(a, b, output_axis(bound.form, bound.batch, a.shape), row))
    return change


def _near(form: Form, rng: np.random.Generator, values: Array, dtype: str) -> Array:
    """Values a little off, so that a branch on the whole batch (``if x.mean() > 0``) is taken as before; another
    whole number where there is none between."""
    if values.dtype.kind not in "fc":
        return form.draw(rng, values.shape, dtype)
    return (values + STEP * rng.standard_normal(values.shape)).astype(values.dtype)


def _with_row(bound: Bound, slot: int, array: Array, row: int, rng: np.random.Generator) -> Array:
    """The slot with a value a little off in one row, where the cell has already moved it."""
    axis = bound.rows_axis(slot)
    if axis is None or array.dtype.kind not in "fc" or not array.any():
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
    one, other = (np.delete(array, row, axis) for array in (left, right))
    return largest_difference(one, other) / (1.0 + float(np.abs(one).max(initial=0.0)))
