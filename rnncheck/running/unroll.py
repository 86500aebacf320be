"""Running a bound cell over a sequence and copying what went in and what came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rnncheck.backends.base import HOST, Array, Backend, Held, breaks
from rnncheck.calling.convention import Bound, outline
from rnncheck.errors import CallError
from rnncheck.running.capture import Recording, recording
from rnncheck.structure import Structure
from rnncheck.trace import Passage
from rnncheck.usercode import usertrace

CHUNK = 16
"""Steps of a long unroll that lie on another device before their sizes are read."""
T = TypeVar("T")


@dataclass(frozen=True)
class Step:
    """One timestep: per slot the value before and after, and whether the same tensor came back.

    ``structure`` is that of the state that came back. The tensors themselves (``passed``, ``leaves``,
    ``output_tensors``), the state as it was ``given`` and the ``returned_value`` are kept only when the step was
    recorded, as are the numbers that were in those passed ``afterwards``.
    """

    previous: list[Array]
    returned: list[Array]
    same_object: list[bool]
    outputs: list[Array]
    structure: Structure
    recording: Recording | None = None
    given: Any = None
    returned_value: Any = None
    passed: Sequence[Any] = ()
    afterwards: Sequence[Array] = ()
    leaves: Sequence[Any] = ()
    output_tensors: Sequence[Any] = ()

    @property
    def finite(self) -> bool:
        return not self.broken and not any(breaks(None, output) for output in self.outputs)

    @property
    def broken(self) -> list[int]:
        """The slots that came back with NaN, or infinite without having been so: a running maximum starts there."""
        return [slot for slot, (old, new) in enumerate(zip(self.previous, self.returned)) if breaks(old, new)]


@dataclass(frozen=True)
class State:
    """A state to start from: arrays ``(batch, *slot shape)``, one a slot, in a structure."""

    structure: Structure
    arrays: list[Array]

    def with_slot(self, slot: int, array: Array) -> State:
        return State(self.structure, [array if index == slot else kept for index, kept in enumerate(self.arrays)])


@dataclass(frozen=True)
class Run:
    """An unroll; ``steps`` in order of time."""

    steps: list[Step]

    @property
    def finite(self) -> bool:
        """Nothing is NaN, and no state becomes infinite; an output may be (the logits of what is ruled out)."""
        return all(step.finite for step in self.steps)

    def moved(self, slot: int) -> bool:
        """Whether the slot came back changed at some step."""
        return any(different(step.previous[slot], step.returned[slot]) for step in self.steps)

    def after(self, index: int) -> State:
        """The state that came back from a step."""
        return State(self.steps[index].structure, self.steps[index].returned)


def unroll(bound: Bound, seed: int, inputs: Array, start: State, *, record: bool = False) -> Run:
    """Run over ``inputs`` ``(steps, batch, *input shape)`` from a state.

    Randomness starts again with ``seed``, so that two runs differ only in what they were given. With
    ``record`` the locals of the running method are kept. Raises CallError when the cell raises, or when
    what it returns no longer fits the state it takes.
    """
    return Run(arrived(bound.backend, list(each_step(bound, seed, inputs, start, record=record))))


def each_step(
    bound: Bound, seed: int, inputs: Iterable[Array], start: State, *, record: bool = False
) -> Iterator[Step]:
    """The steps of an unroll one after the other, so that a long one need not be kept whole; on another device than
    the CPU their values lie there until they have ``arrived``."""
    backend = bound.backend
    bound.begin(seed)
    found, leaves = start.structure, bound.state(start.arrays)
    previous = list(map(backend.hold, leaves))
    for index, x in enumerate(inputs):
        given = found.build(leaves)
        returned, kept = _one(bound, bound.inputs(x), given, index, record)
        output, found, following = _split(bound, returned, index)
        values = list(map(backend.hold, following))
        _check_shapes(bound, previous, values, returned, index)
        output_tensors = backend.given_out(output)
        same = [new is old for new, old in zip(following, leaves)]
        step = Step(previous, values, same, list(map(backend.hold, output_tensors)), found)
        if record:
            step = dataclasses.replace(
                step,
                recording=kept,
                given=given,
                returned_value=returned,
                passed=leaves,
                afterwards=list(map(backend.hold, leaves)),
                leaves=following,
                output_tensors=output_tensors,
            )
        yield step
        leaves, previous = following, values


def arrived(backend: Backend, steps: Sequence[Step]) -> list[Step]:
    """Steps with their values as arrays: what lay on another device is brought here in few transfers."""
    if backend.device == HOST:
        return list(steps)
    parts = [(step.previous, step.returned, step.outputs, step.afterwards) for step in steps]
    arrays = iter(backend.read([value for step in parts for part in step for value in part]))
    there = [[[next(arrays) for _ in part] for part in step] for step in parts]
    return [
        dataclasses.replace(step, previous=previous, returned=returned, outputs=outputs, afterwards=afterwards)
        for step, (previous, returned, outputs, afterwards) in zip(steps, there)
    ]


@dataclass(frozen=True)
class Glimpse:
    """What is kept of a step of a long unroll: its passages, one a slot, and whether it was ``finite``."""

    passages: tuple[Passage, ...]
    finite: bool


def glimpses(
    backend: Backend, steps: Iterable[Step], dropped: Callable[[Step], Mapping[int, Held]] = lambda step: {}
) -> Iterator[Glimpse]:
    """What is kept of each step, computed where its values lie: from another device come these numbers alone, many
    steps at a time. ``dropped`` are values that the step computed for slots and did not return."""
    for chunk in _chunks(((step, dropped(step)) for step in steps), 1 if backend.device == HOST else CHUNK):
        pairs: list[tuple[Held | None, Held]] = []
        for step, values in chunk:
            pairs += zip(step.previous, step.returned)
            pairs += [(None, output) for output in step.outputs]
            pairs += [(step.previous[slot], value) for slot, value in values.items()]
        figures = iter(backend.figures(pairs))
        for step, values in chunk:
            slots, outputs = ([next(figures) for _ in part] for part in (step.returned, step.outputs))
            instead = {slot: next(figures).after for slot in values}
            passages = tuple(
                Passage(seen.before, instead.get(slot) if seen.unchanged else seen.after, seen.after, seen.unchanged)
                for slot, seen in enumerate(slots)
            )
            yield Glimpse(passages, not any(seen.broken for seen in (*slots, *outputs)))


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many at a time, and those before an error by themselves: they may tell more than it does."""
    chunk: list[T] = []
    try:
        for item in items:
            chunk.append(item)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except CallError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _one(bound: Bound, x: Any, state: Any, index: int, record: bool) -> tuple[Any, Recording | None]:
    backend, callee = bound.backend, bound.callee
    try:
        with backend.without_gradient():
            if not record:
                return callee.call(x, state), None
            with recording(callee.code, backend.is_tensor, bound.followed) as kept:
                return callee.call(x, state), kept
    except Exception as error:
        where = usertrace.place(error)
        raise CallError(
            f"{bound.callee.name} raised {usertrace.summary(error)} at step {index}{f' ({where})' if where else ''}.",
            details=usertrace.format_user(error),
        ) from error


def _split(bound: Bound, returned: Any, index: int) -> tuple[Any, Structure, list[Any]]:
    try:
        return bound.split(returned)
    except CallError as error:
        if returned is None:
            raise CallError(
                f"{bound.callee.name} returned None at step {index}.", hint="Return the new state on every path."
            ) from error
        raise CallError(f"At step {index}: {error.message}", hint=error.hint) from error


def _check_shapes(bound: Bound, previous: Sequence[Held], values: Sequence[Held], returned: Any, index: int) -> None:
    for slot, (before, after) in enumerate(zip(previous, values)):
        if tuple(before.shape) != tuple(after.shape):
            raise CallError(
                f"At step {index}: state {slot} went in as {_by(before)} and came back as {_by(after)} "
                f"({bound.callee.method}() returned {outline(returned, bound.backend)})."
            )


def _by(value: Held) -> str:
    return "x".join(map(str, value.shape)) or "a scalar"


def different(left: Array, right: Array) -> bool:
    """Any number differs, NaN being equal to NaN."""
    return left.shape != right.shape or bool(np.any((left != right) & ~((left != left) & (right != right))))


def largest_difference(left: Array, right: Array) -> float:
    """The largest absolute difference; infinity where one is finite and the other is not."""
    if left.shape != right.shape:
        return float("inf")
    if (left == right).all():
        return 0.0
    if left.dtype.kind == "b":
        left, right = left.astype("int8"), right.astype("int8")
    with np.errstate(all="ignore"):
        gap = np.abs(left - right, dtype=None)
    gap = np.where(np.isfinite(gap), gap, np.where((left == right) | ((left != left) & (right != right)), 0, np.inf))
    return float(gap.max()) if gap.size else 0.0
