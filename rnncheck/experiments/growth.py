"""How the state and the gradient through it grow or shrink from step to step, with the weights as they are.

What depends on the luck of one draw is not said: the cell is constructed again, and it has to hold for its weights too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from rnncheck.backends.base import Array, Backend, Tensor
from rnncheck.errors import CallError
from rnncheck.experiments.probes import Lab
from rnncheck.running.unroll import Run, State
from rnncheck.structure import flatten
from rnncheck.trace import Growth

LONG, MORE = 64, 8
"""Steps over which growth is measured, and over how many it has to go on from far away before that."""
FAR = 1e3
GROWS, GROWS_BY_WEIGHTS = 1.05, 1.2
"""The least factor per step: of one that is the same whatever the draw, and of one that depends on it."""
STEADY = 1.02
GEOMETRIC = 0.9
"""How much slower than before it may grow and still not be a power of the time."""
DRAWS, OTHERS = 6, 6
"""Of how many other constructions, and under how many other inputs, it has to hold."""
DECAYS = 1e-3
"""A gradient that shrinks to less at every step has a half-life of a tenth of a step."""


Draw = Callable[[int], Sequence[Array]]
"""The weights of another cell that was constructed in the same way, by the number of the draw; none where it cannot."""


def exploding(lab: Lab, main: Run, draw: Draw) -> list[Growth]:
    """The slots that grow geometrically."""
    floating = [slot for slot in lab.slots if lab.initial.arrays[slot].dtype.kind == "f"]
    # Slots that swing into each other take turns in growing: where one of them does, all are looked at.
    hinted = _growing(lab, main, floating) if any(_hint(main, slot) for slot in floating) else []
    # What only some inputs drive away, as a neuron's exponential, is no growth of the state's own.
    own = _growth(lab, hinted, range(1, 2 + OTHERS))
    drawn = _growth(lab, list(own), (1 for _ in redrawn(lab, draw))) if own else {}
    factors = {slot: [own[slot][0], *others] for slot, others in drawn.items()}
    return [
        Growth(slot, found[0], LONG)
        for slot, found in factors.items()
        if min(found) >= (GROWS if max(found) < STEADY * min(found) else GROWS_BY_WEIGHTS)
    ]


def of_its_own(found: Sequence[Growth], lab: Lab, draw: Draw, given: Collection[str]) -> tuple[Growth, ...]:
    """What grows also where the further arguments that nobody has ``given`` lie between 0 and 1, as a gate does."""
    callee, backend = lab.bound.callee, lab.bound.backend
    gated = dict(callee.further)
    for name in gated.keys() - given:
        skeleton, leaves = flatten(gated[name], backend.is_tensor)
        gated[name] = skeleton.build([_squashed(backend, leaf) for leaf in leaves]) if leaves else gated[name]
    if not found or all(gated[name] is value for name, value in callee.further.items()):
        return tuple(found)
    again = replace(lab, bound=replace(lab.bound, callee=replace(callee, further=gated)))
    try:
        slots = {item.slot for item in exploding(again, again.run(lab.inputs, lab.initial), draw)}
    except CallError:
        return tuple(found)
    return tuple(item for item in found if item.slot in slots)


def _squashed(backend: Backend, tensor: Tensor) -> Tensor:
    array = backend.numpy(tensor)
    return backend.like(tensor, 1 / (1 + np.exp(-array)), backend.dtype(tensor)) if array.dtype.kind == "f" else tensor


def _hint(main: Run, slot: int) -> bool:
    """Whether it grows in the second half of the recorded steps, where there are enough of them."""
    sizes = [_size(step.returned[slot]) for step in main.steps]
    middle = len(sizes) // 2
    if len(sizes) < 4:
        return True
    return sizes[middle] > 0 and (sizes[-1] / sizes[middle]) ** (1 / (len(sizes) - 1 - middle)) >= GROWS


def _growing(lab: Lab, main: Run, slots: Sequence[int]) -> list[int]:
    """Those that go on growing when the whole state is far larger than it was seen: what is bounded shrinks from
    there, however it grew from near zero."""
    if not slots:
        return []
    start = main.after(len(main.steps) - 1)
    far = [(array * FAR).astype(array.dtype) if array.dtype.kind == "f" else array for array in start.arrays]
    try:
        run = lab.run(lab.other_inputs(1, MORE), State(start.structure, far), 1)
    except CallError:
        return list(slots)
    with np.errstate(all="ignore"):
        return [slot for slot in slots if not _furthest(run, slot) < _size(far[slot]) * GROWS**MORE]


def _furthest(run: Run, slot: int) -> float:
    """The largest size in the second half of the steps, since what swings may be small at the last; NaN where one
    is no number."""
    return float(np.max([_size(step.returned[slot]) for step in run.steps[len(run.steps) // 2 :]]))


def _growth(lab: Lab, slots: Sequence[int], numbers: Iterable[int]) -> dict[int, list[float]]:
    """The growth per step at the end of each of some long runs, by the number of their inputs, for the slots that
    grow in all of them, and taken together not like a power of the time: one run alone may do so by luck."""
    found: dict[int, list[tuple[float, float]]] = {slot: [] for slot in slots}
    for number in numbers:
        if not found:
            return {}
        run = lab.run(lab.other_inputs(number, LONG), lab.initial, 1)
        for slot in list(found):
            slopes = _slopes([_size(step.returned[slot]) for step in run.steps])
            if slopes is None:
                del found[slot]
            else:
                found[slot].append(slopes)
    return {
        slot: [math.exp(last) for _, last in slopes]
        for slot, slopes in found.items()
        if sum(last for _, last in slopes) >= GEOMETRIC * sum(before for before, _ in slopes)
    }


def _slopes(sizes: Sequence[float]) -> tuple[float, float] | None:
    """The growth per step in the last two quarters of a long run, as logarithms; None where it does not grow to the
    end."""
    finite = [math.log(size) for size in sizes if 0 < size < math.inf]
    overflowed = len(finite) < len(sizes) and not sizes[-1] < math.inf
    quarter = len(finite) // 4
    if quarter < 2 or not (overflowed or len(finite) >= LONG // 2):
        return None
    before, last = _slope(finite[-2 * quarter : -quarter]), _slope(finite[-quarter:])
    return (before, last) if last >= math.log(GROWS) else None


def _slope(values: Sequence[float]) -> float:
    """Of the line through them by least squares, which an oscillation bends least."""
    return float(np.polyfit(range(len(values)), values, 1)[0])


def _size(array: Array) -> float:
    """The root mean square."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(np.abs(array).astype("float64"))))) if array.size else 0.0


def redrawn(lab: Lab, draw: Draw) -> Iterator[None]:
    """The cell with the weights of others that were constructed in the same way; not at all where none can be."""
    backend, cell = lab.bound.backend, lab.bound.cell
    weights = backend.weights(cell)
    before = backend.snapshot(cell)
    try:
        for number in range(DRAWS if weights else 0):
            drawn = draw(number)
            if [array.shape for array in drawn] != [weight.shape for weight in weights]:
                return
            for weight, values in zip(weights, drawn):
                weight.assign(values)
            yield
    finally:
        before.restore()


def vanishing(lab: Lab, through: Callable[[int], Sequence[float | None]], draw: Draw) -> float | None:
    """By how much the gradient through the whole state shrinks per step, where that is less than a thousandth under
    all of these weights; ``through(steps)`` gives the largest derivative of the state after so many steps by each
    slot that went in."""
    found = _decay(through)
    if found is None:
        return None
    for _ in redrawn(lab, draw):
        again = _decay(through)
        if again is None:
            return None
        found = max(found, again)
    return found


def _decay(through: Callable[[int], Sequence[float | None]]) -> float | None:
    sizes = [max((value for value in through(steps) if value is not None), default=0.0) for steps in (1, 2)]
    if not 0 < sizes[0] < DECAYS or not sizes[1] > 0:
        return None
    factor = sizes[1] / sizes[0]
    return max(factor, sizes[0]) if factor < DECAYS else None
