"""What the cell changes in the state that the caller passed in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncheck import source
from rnncheck.backends.base import Array
from rnncheck.capture import recording
from rnncheck.probes import Lab
from rnncheck.signature import KEPT
from rnncheck.structure import flatten
from rnncheck.trace import Mutation, Span
from rnncheck.unroll import Run, Step, different


def mutations(lab: Lab, main: Run, path: str | None) -> list[Mutation]:
    """Per slot how the state that went in was changed in place at some recorded step."""
    if lab.bound.convention.signature.passing == KEPT:
        return []
    found: dict[int, Mutation] = {}
    for index, step in enumerate(main.steps):
        for mutation in _of(lab, step):
            if mutation.slot not in found:
                found[mutation.slot] = _placed(lab, main, index, mutation, path)
    return list(found.values())


def _of(lab: Lab, step: Step) -> Iterator[Mutation]:
    backend = lab.bound.backend
    now = flatten(step.given, backend.is_tensor)[1] if _is_container(step.given) else list(step.passed)
    handed_back = any(part is step.given for part in _containers(step.returned_value))
    for slot in lab.slots:
        tensor = step.passed[slot]
        value = backend.numpy(tensor)
        if different(value, step.previous[slot]):
            yield Mutation(slot, None, step.leaves[slot] is tensor, _is_queue(step.previous[slot], value), None)
        elif len(now) == len(step.passed) and now[slot] is not tensor:
            yield Mutation(slot, type(step.given).__name__, handed_back, False, None)


def _is_container(value: Any) -> bool:
    return isinstance(value, (list, dict)) or hasattr(value, "__dict__")


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple, dict)):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _containers(part)
    elif hasattr(value, "__dict__"):
        yield value


def _is_queue(before: Array, after: Array) -> bool:
    """Whether at least half of the numbers of each row are old ones, in their place or shifted along an axis."""
    if before.ndim < 3:
        return False
    for axis in range(before.ndim):
        for shift in (-1, 0, 1):
            kept = np.roll(before, shift, axis) == after
            if kept.mean() >= 0.5 and different(before, after):
                return True
    return False


def _placed(lab: Lab, main: Run, index: int, mutation: Mutation, path: str | None) -> Mutation:
    """With the statement that changed it, seen while the step runs once more."""
    bound, backend = lab.bound, lab.bound.backend
    start = main.after(index - 1) if index else lab.initial
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
        bound.callee.call(bound.inputs(lab.inputs[index]), given)
    span: Span | None = source.span(path, record.changed.get("state"))
    return Mutation(slot, mutation.container, mutation.returned, mutation.queue, span)
