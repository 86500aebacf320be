"""What the cell changes in the state that the caller passed in."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.calling.signature import KEPT
from rnncheck.errors import CallError
from rnncheck.experiments.probes import Lab
from rnncheck.running.capture import recording
from rnncheck.running.unroll import Run, State, Step, different
from rnncheck.structure import flatten
from rnncheck.trace import Mutation, Span
from rnncheck.usercode import source


def mutations(lab: Lab, main: Run, path: str | None) -> list[Mutation]:
    """Per slot how the state that went in was changed in place at some recorded step."""
    if lab.bound.convention.signature.passing == KEPT:
        return []
    found: dict[int, Mutation] = {}
    starts = [lab.initial, *(main.after(index) for index in range(len(main.steps) - 1))]
    cases = [(lab.inputs[index], start, step) for index, (start, step) in enumerate(zip(starts, main.steps))]
    for inputs, start, step in (*cases, *_loud(lab, main)):
        for mutation in _of(lab, step):
            known = found.get(mutation.slot)
            if known is None:
                found[mutation.slot] = _placed(lab, inputs, start, mutation, path)
            elif known.queue and not mutation.queue:
                # Zeros that are made smaller are kept as well.
                found[mutation.slot] = dataclasses.replace(known, queue=False)
    return list(found.values())


def _loud(lab: Lab, main: Run) -> Iterator[tuple[Array, State, Step]]:
    """A step from a state so large that what clips in place has something to clip."""
    start = main.after(len(main.steps) - 1)
    rng = np.random.default_rng((lab.seed, 11))
    arrays = [
        (3 * rng.standard_normal(array.shape)).astype(array.dtype) if array.dtype.kind == "f" else array
        for array in start.arrays
    ]
    start = State(start.structure, arrays)
    with contextlib.suppress(CallError):
        yield lab.inputs[0], start, lab.run(lab.inputs[:1], start, record=True).steps[0]


def _of(lab: Lab, step: Step) -> Iterator[Mutation]:
    backend = lab.bound.backend
    now = flatten(step.given, backend.is_tensor)[1]
    held = [part for part in _containers(step.given, backend.is_tensor) if not isinstance(part, tuple)]
    handed_back = any(part is other for part in _containers(step.returned_value, backend.is_tensor) for other in held)
    for slot in lab.slots:
        tensor = step.passed[slot]
        value, before = step.afterwards[slot], step.previous[slot]
        if different(value, before):
            rows, returned = lab.bound.rows_axis(slot), step.returned[slot]
            # What comes back of a queue is that queue.
            queue = _is_queue(before, value, rows) and _is_queue(before, returned, rows)
            yield Mutation(slot, None, step.leaves[slot] is tensor, queue, None)
        elif len(now) == len(step.passed) and now[slot] is not tensor:
            yield Mutation(slot, type(held[0]).__name__ if held else "container", handed_back, False, None)


def _containers(value: Any, is_tensor: Callable[[Any], bool]) -> Iterator[Any]:
    if isinstance(value, (list, tuple, dict)):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part, is_tensor)
    elif hasattr(value, "__dict__") and not is_tensor(value):
        yield value


def _is_queue(before: Array, after: Array, rows: int | None) -> bool:
    """Whether at least half of the numbers of each row are old ones, shifted along an axis or with whole slices of it
    written anew."""
    if before.ndim < 3:
        return False
    for axis in (axis for axis in range(before.ndim) if axis != rows):
        others = tuple(other for other in range(before.ndim) if other != axis)
        for shift in (-1, 0, 1):
            kept = np.roll(before, shift, axis) == after
            slices = kept.all(axis=others)
            whole = bool((slices | (~kept).any(axis=others)).all()) and bool(slices.any())
            if slices.mean() >= 0.5 and whole:
                return True
    return False


def _placed(lab: Lab, inputs: Array, start: State, mutation: Mutation, path: str | None) -> Mutation:
    """With the statement that changed it, seen while the step runs once more."""
    bound, backend = lab.bound, lab.bound.backend
    leaves = bound.state(start.arrays)
    given = start.structure.build(leaves)
    slot = mutation.slot

    def container() -> Any:
        return [id(leaf) for leaf in flatten(given, backend.is_tensor)[1]]

    def tensor() -> Any:
        return backend.stamp(leaves[slot])

    bound.begin(lab.seed)
    watched = {"state": tensor if mutation.container is None else container}
    with backend.without_gradient(), recording(bound.callee.code, backend.is_tensor, watched=watched) as record:
        bound.callee.call(bound.inputs(inputs), given)
    span: Span | None = source.span(path, record.changed.get("state"))
    return Mutation(slot, mutation.container, mutation.returned, mutation.queue, span)
