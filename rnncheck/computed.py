"""What the running method computed and dropped: its locals, told apart by what they depend on.

A local variable is a new value of a slot when it has the slot's shape, changes with the slot and with the
input, and is not a mere multiple of the slot. Found by running one step again with one thing changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from rnncheck import source
from rnncheck.backends.base import Array
from rnncheck.capture import Binding
from rnncheck.convention import Bound
from rnncheck.definitions import words
from rnncheck.probes import Probe
from rnncheck.trace import Computed, Span
from rnncheck.unroll import Run, Step, different, unroll

Key = tuple[str, int, int]


def dropped(
    bound: Bound, seed: int, main: Run, inputs: Array, probe: Probe, slot: int, path: str | None
) -> tuple[Computed, ...]:
    """Locals of the slot's shape that were not returned as state, the likeliest new value first."""

    def step(x: Array, value: Array) -> Step:
        start = [*probe.base]
        start[slot] = value
        return unroll(bound, seed, x[None], start, record=True).steps[0]

    x, other_x = inputs[0], _other(inputs[0])
    value, zero = probe.base[slot], np.zeros_like(probe.base[slot])
    base = step(x, value)
    by_slot, by_input = step(x, probe.others[slot]), step(other_x, value)
    from_zero, from_zero_other = step(x, zero), step(other_x, zero)
    found: list[Computed] = []
    seen: set[int] = set()
    for key, binding in _bindings(base).items():
        array = _array(bound, binding, value)
        # A second name for the same tensor computes nothing.
        if id(binding.value) in seen or array is None or _came_back(bound, base, binding, array) or not different(array, value):
            continue
        seen.add(id(binding.value))
        name, line, _ = key
        stands = source.span(path, line)
        found.append(
            Computed(
                name,
                line,
                stands.text if stands else "",
                reads_slot=_differs(bound, key, base, by_slot, value),
                reads_input=_differs(bound, key, base, by_input, value),
                writes=_differs(bound, key, from_zero, from_zero_other, value),
                is_output=any(binding.value is tensor for tensor in base.output_tensors),
                values=tuple(_array(bound, _bindings(step).get(key), value) for step in main.steps),
            )
        )
    return tuple(found)


def assign(candidates: Sequence[Sequence[Computed]], names: Sequence[str]) -> list[tuple[Computed, ...]]:
    """Order each slot's candidates so that two slots do not claim the same variable.

    Where several would do, the one whose name shares a word with the slot's, then the output, then the
    one computed last: this chooses what to show, not whether there is a finding.
    """
    taken: Counter[tuple[str, int]] = Counter()
    ordered = []
    for found, name in zip(candidates, names):
        ranked = sorted(
            found,
            key=lambda item: (
                item.is_update,
                not taken[item.name, item.line],
                _affinity(item.name, name),
                item.is_output,
                item.line,
            ),
            reverse=True,
        )
        if ranked:
            taken[ranked[0].name, ranked[0].line] += 1
        ordered.append(tuple(ranked))
    return ordered


def produced(step: Step, path: str | None) -> tuple[Span | None, ...]:
    """Per slot the statement that assigned the value that came back."""
    record = step.recording
    lines = []
    for leaf in step.leaves:
        bound = (
            [binding.line for binding in record.bindings if binding.value is leaf and binding.in_method]
            if record
            else []
        )
        lines.append(bound[0] if bound else record.return_line if record else None)
    return tuple(source.span(path, line) for line in lines)


def entered(bound: Bound, seed: int, inputs: Array, start: Sequence[Array], path: str | None) -> Span | None:
    """The first statement in which the input became a value of another shape."""
    x, other_x = inputs[0], _other(inputs[0])
    base, varied = (unroll(bound, seed, given[None], start, record=True).steps[0] for given in (x, other_x))
    for key, binding in _bindings(base).items():
        if not binding.in_method or tuple(binding.value.shape) == x.shape:
            continue
        twin = _bindings(varied).get(key)
        if twin is not None and different(bound.backend.numpy(binding.value), bound.backend.numpy(twin.value)):
            return source.span(path, binding.line)
    return None


def _other(x: Array) -> Array:
    return np.roll(x, 1, axis=0) if len(x) > 1 else x + 1


def _bindings(step: Step) -> dict[Key, Binding]:
    """Each binding by its name, line and how often that line bound it before."""
    found: dict[Key, Binding] = {}
    seen: Counter[tuple[str, int]] = Counter()
    for binding in step.recording.bindings if step.recording else ():
        place = (binding.name, binding.line)
        found[binding.name, binding.line, seen[place]] = binding
        seen[place] += 1
    return found


def _array(bound: Bound, binding: Binding | None, like: Array) -> Array | None:
    if binding is None or tuple(binding.value.shape) != like.shape:
        return None
    array = bound.backend.numpy(binding.value)
    return array if array.dtype.kind == like.dtype.kind else None


def _came_back(bound: Bound, step: Step, binding: Binding, array: Array) -> bool:
    return any(binding.value is leaf for leaf in step.leaves) or any(
        returned.shape == array.shape and not different(returned, array) for returned in step.returned
    )


def _differs(bound: Bound, key: Key, left: Step, right: Step, like: Array) -> bool:
    one, other = (_array(bound, _bindings(step).get(key), like) for step in (left, right))
    return one is not None and other is not None and different(one, other)


_FILLER = frozenset(
    ["new", "next", "old", "prev", "previous", "last", "cur", "current", "state", "states", "t", "tm", "out", "output"]
)


def _affinity(left: str, right: str) -> int:
    return len((words(re.sub(r"\W", " ", left)) - _FILLER) & (words(re.sub(r"\W", " ", right)) - _FILLER))
