"""How the state and the gradient through it grow or shrink from step to step, with the weights as they are.

What depends on the luck of one draw is not said: the cell is constructed again, and it has to hold for its weights too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.probes import Lab
from rnncheck.trace import Growth
from rnncheck.unroll import Run

LONG = 64
"""Steps over which growth is measured."""
GROWS, GROWS_BY_WEIGHTS = 1.05, 1.2
"""The least factor per step: of one that is the same whatever the draw, and of one that depends on it."""
STEADY = 1.02
GEOMETRIC = 0.9
"""How much slower than before it may grow and still not be a power of the time."""
DRAWS = 6
DECAYS = 1e-3
"""A gradient that shrinks to less at every step has a half-life of a tenth of a step."""


Draw = Callable[[int], Sequence[Array]]
"""The weights of another cell that was constructed in the same way, by the number of the draw; none where it cannot."""


def exploding(lab: Lab, main: Run, draw: Draw) -> list[Growth]:
    """The slots that grow geometrically."""
    slots = [slot for slot in lab.slots if lab.initial.arrays[slot].dtype.kind == "f"]
    hinted = [slot for slot in slots if _hint(main, slot)]
    if not hinted:
        return []
    factors = {slot: [factor] for slot in hinted if (factor := _factor(lab, slot)) is not None}
    for _ in _redrawn(lab, draw):
        for slot in list(factors):
            again = _factor(lab, slot)
            if again is None:
                del factors[slot]
            else:
                factors[slot].append(again)
        if not factors:
            return []
    return [
        Growth(slot, found[0], LONG)
        for slot, found in factors.items()
        if min(found) >= (GROWS if max(found) < STEADY * min(found) else GROWS_BY_WEIGHTS)
    ]


def _hint(main: Run, slot: int) -> bool:
    sizes = [_size(step.returned[slot]) for step in main.steps]
    middle = len(sizes) // 2
    if len(sizes) < 4:
        return True
    return sizes[middle] > 0 and (sizes[-1] / sizes[middle]) ** (1 / (len(sizes) - 1 - middle)) >= GROWS


def _factor(lab: Lab, slot: int) -> float | None:
    """The growth per step in the last quarter of a long run; None where it is none, or only a power of the time."""
    run = lab.run(lab.other_inputs(1, LONG), lab.initial, 1)
    with np.errstate(all="ignore"):
        sizes = [_size(step.returned[slot]) for step in run.steps]
    finite = [math.log(size) for size in sizes if 0 < size < math.inf]
    if len(finite) < LONG // 4 and len(finite) == len(sizes):
        return None
    quarter = len(finite) // 4
    if quarter < 2 or (len(finite) < len(sizes) and sizes[-1] < math.inf and sizes[-1] == sizes[-1]):
        return None
    before = (finite[-1 - quarter] - finite[-1 - 2 * quarter]) / quarter
    last = (finite[-1] - finite[-1 - quarter]) / quarter
    if last < math.log(GROWS) or last < GEOMETRIC * before:
        return None
    return math.exp(last)


def _size(array: Array) -> float:
    """The root mean square."""
    return float(np.sqrt(np.mean(np.square(array.astype("float64"))))) if array.size else 0.0


def _redrawn(lab: Lab, draw: Draw) -> Iterator[None]:
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
    for _ in _redrawn(lab, draw):
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
