"""Running a bound cell over a sequence and copying what went in and what came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck import usertrace
from rnncheck.backends.base import Array
from rnncheck.capture import Recording, recording
from rnncheck.convention import Bound, outline
from rnncheck.errors import CallError
from rnncheck.structure import Structure, flatten


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
        return not self.broken and not any(map(_nan, self.outputs))

    @property
    def broken(self) -> list[int]:
        """The slots that came back with NaN, or infinite without having been so: a running maximum starts there."""
        pairs = enumerate(zip(self.previous, self.returned))
        return [slot for slot, (old, new) in pairs if _nan(new) or (_infinite(new) and not _infinite(old))]


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
    return Run(list(each_step(bound, seed, inputs, start, record=record)))


def each_step(
    bound: Bound, seed: int, inputs: Iterable[Array], start: State, *, record: bool = False
) -> Iterator[Step]:
    """The steps of an unroll one after the other, so that a long one need not be kept whole."""
    backend = bound.backend
    bound.begin(seed)
    found, leaves = start.structure, bound.state(start.arrays)
    previous = [backend.numpy(leaf) for leaf in leaves]
    code = bound.callee.code if record else None
    for index, x in enumerate(inputs):
        given = found.build(leaves)
        returned, kept = _one(bound, bound.inputs(x), given, index, code)
        output, found, following = _split(bound, returned, index)
        arrays = [backend.numpy(leaf) for leaf in following]
        _check_shapes(bound, previous, arrays, returned, index)
        output_tensors = flatten(output, backend.is_tensor)[1]
        same = [new is old for new, old in zip(following, leaves)]
        step = Step(previous, arrays, same, [backend.numpy(tensor) for tensor in output_tensors], found)
        if record:
            step = dataclasses.replace(
                step,
                recording=kept,
                given=given,
                returned_value=returned,
                passed=leaves,
                afterwards=[backend.numpy(leaf) for leaf in leaves],
                leaves=following,
                output_tensors=output_tensors,
            )
        yield step
        leaves, previous = following, arrays


def _one(bound: Bound, x: Any, state: Any, index: int, code: Any) -> tuple[Any, Recording]:
    try:
        with bound.backend.without_gradient(), recording(code, bound.backend.is_tensor, bound.followed) as kept:
            returned = bound.callee.call(x, state)
        return returned, kept
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


def _check_shapes(bound: Bound, previous: Sequence[Array], arrays: Sequence[Array], returned: Any, index: int) -> None:
    for slot, (before, after) in enumerate(zip(previous, arrays)):
        if before.shape != after.shape:
            raise CallError(
                f"At step {index}: state {slot} went in as {_by(before)} and came back as {_by(after)} "
                f"({bound.callee.method}() returned {outline(returned, bound.backend)})."
            )


def _by(array: Array) -> str:
    return "x".join(map(str, array.shape)) or "a scalar"


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


def _nan(array: Array) -> bool:
    return array.dtype.kind in "fc" and bool(np.isnan(array).any())


def _infinite(array: Array) -> bool:
    return array.dtype.kind in "fc" and bool(np.isinf(array).any())
