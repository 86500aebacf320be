"""Whether a normalisation whose running statistics all time steps share mixes the rows of the batch in training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

from rnncheck.backends.base import Array
from rnncheck.errors import CallError
from rnncheck.experiments import probes
from rnncheck.experiments.probes import Lab
from rnncheck.running import rows
from rnncheck.running.unroll import Run, State, different, each_step
from rnncheck.trace import SharedNorm

Statistics = Mapping[str, Callable[[], Array]]


def shared(lab: Lab, main: Run, shape: Sequence[int], path: str | None) -> SharedNorm | None:
    """None too where a further argument may tell the step, by which the cell may choose among its statistics."""
    bound, backend = lab.bound, lab.bound.backend
    statistics = backend.statistics(bound.cell)
    if not statistics or any(isinstance(value, int) for value in bound.callee.further.values()):
        return None
    before = backend.snapshot(bound.cell)
    try:
        with backend.training(bound.cell):
            again = lab.again(backend.snapshot(bound.cell))
            start = main.after(len(main.steps) - 1)
            names = _shared(again, statistics, start)
            if not names:
                return None
            given = again.bound, lab.seed, start, shape, rows.STEPS
            mixing = rows.leak(*given)
            return None if mixing is None else SharedNorm(names, rows.where(*given, mixing, path))
    except CallError:
        return None
    finally:
        before.restore()


def _shared(lab: Lab, statistics: Statistics, start: State) -> tuple[str, ...]:
    """Those that every step moves, and moves otherwise from another state; none where some belong to one step only."""
    inputs = lab.other_inputs(90, probes.WINDOW)
    moved = _moved(lab, statistics, start, inputs)
    if any(0 < sum(different(*pair) for pair in _pairs(moved, name)) < probes.WINDOW for name in statistics):
        return ()
    others = [lab.rolled(slot, array) for slot, array in enumerate(start.arrays)]
    elsewhere = State(start.structure, [other + 1 if other.dtype.kind == "f" else other for other in others])
    otherwise = _moved(lab, statistics, elsewhere, inputs[:1])
    return tuple(
        name
        for name in statistics
        if different(moved[0][name], moved[1][name]) and different(moved[1][name], otherwise[1][name])
    )


def _moved(lab: Lab, statistics: Statistics, start: State, inputs: Array) -> list[dict[str, Array]]:
    """The statistics before the first step and after each."""
    lab.bound.begin(lab.seed)
    found = [{name: read() for name, read in statistics.items()}]
    for _ in each_step(lab.bound, lab.seed, inputs, start):
        found.append({name: read() for name, read in statistics.items()})
    return found


def _pairs(moved: Sequence[Mapping[str, Array]], name: str) -> list[tuple[Array, Array]]:
    return [(one[name], other[name]) for one, other in itertools.pairwise(moved)]
