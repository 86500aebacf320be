"""How the state and the gradient through it grow or shrink from step to step, with the weights as they are.

What depends on the luck of one draw is not said: the cell is constructed again, and it has to hold for its weights too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.errors import CallError
from rnncheck.probes import Lab
from rnncheck.trace import Growth
from rnncheck.unroll import Run, State

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
    hinted = _growing(lab, main, [slot for slot in floating if _hint(main, slot)])
    if not hinted:
        return []
    found = _factors(lab, hinted)
    # What only some inputs drive away, as a neuron's exponential, is no growth of the state's own.
    for number in range(2, 2 + OTHERS):
        if not found:
            return []
        again = _factors(lab, list(found), number)
        found = {slot: factor for slot, factor in found.items() if slot in again}
    factors = {slot: [factor] for slot, factor in found.items()}
    for _ in redrawn(lab, draw) if factors else ():
        again = _factors(lab, list(factors))
        factors = {slot: [*factors[slot], factor] for slot, factor in again.items()}
        if not factors:
            return []
    return [
        Growth(slot, found[0], LONG)
        for slot, found in factors.items()
        if min(found) >= (GROWS if max(found) < STEADY * min(found) else GROWS_BY_WEIGHTS)
    ]


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
        ends = {slot: (_size(far[slot]), _size(run.steps[-1].returned[slot])) for slot in slots}
    return [slot for slot, (before, after) in ends.items() if not after < before * GROWS**MORE]


def _factors(lab: Lab, slots: Sequence[int], number: int = 1) -> dict[int, float]:
    """The growth per step in the last quarter of a long run, for the slots of which it is one."""
    run = lab.run(lab.other_inputs(number, LONG), lab.initial, 1)
    found = {slot: _factor([_size(step.returned[slot]) for step in run.steps]) for slot in slots}
    return {slot: factor for slot, factor in found.items() if factor is not None}


def _factor(sizes: Sequence[float]) -> float | None:
    """None where it does not grow to the end, or only like a power of the time."""
    finite = [math.log(size) for size in sizes if 0 < size < math.inf]
    overflowed = len(finite) < len(sizes) and not sizes[-1] < math.inf
    quarter = len(finite) // 4
    if quarter < 2 or not (overflowed or len(finite) >= LONG // 2):
        return None
    before, last = _slope(finite[-2 * quarter : -quarter]), _slope(finite[-quarter:])
    return math.exp(last) if last >= math.log(GROWS) and last >= GEOMETRIC * before else None


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
