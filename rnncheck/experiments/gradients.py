"""Gradients of what a cell gives over a few steps, by its slots, its input and its weights."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rnncheck.backends.base import Gradients, Tensor, merged
from rnncheck.experiments.probes import WINDOW, Lab, Probe
from rnncheck.running.unroll import State
from rnncheck.usercode import usertrace

Later = Sequence[float | None]
"""The gradients of all that comes from the second step on, by the slots and then the input."""
OTHER_PROBES = 6
"""How many more gradients are taken before a weight or a unit counts as never used."""


def other_probe(lab: Lab, probe: Probe, number: int) -> Probe:
    """The probe from its other state, with other inputs."""
    inputs = lab.other_inputs(50 + number, len(probe.inputs))
    return Probe(State(probe.start.structure, probe.others), probe.others, inputs, 50 + number)


def further(lab: Lab, probe: Probe, found: Gradients, has_output: bool) -> Gradients:
    """What these gradients say, or those from another state under other inputs and other draws."""
    for number in range(OTHER_PROBES):
        more, _, _ = of(lab, other_probe(lab, probe, number), has_output)
        found = found if more is None else together(found, more)
    return found


def of(lab: Lab, probe: Probe, has_output: bool) -> tuple[Gradients | None, Later, str | None]:
    """Gradients of each slot and the output over a few steps by the slots and the input, those of everything from the
    second step on, or why there are none."""

    def run(sources: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
        steps = list(_differentiable(lab, probe, sources))
        slots = [[leaves[slot] for leaves, _ in steps] for slot in lab.slots]
        outputs = [tensor for _, given in steps for tensor in given]
        later = [tensor for leaves, given in steps[1:] for tensor in (*leaves, *given)]
        return [*slots, outputs, later] if has_output else [*slots, later]

    try:
        found = _by_all(lab, probe, run)
        return dataclasses.replace(found, sources=found.sources[:-1]), found.sources[-1], None
    except Exception as error:
        return None, (), usertrace.summary(error)


def first(lab: Lab) -> Gradients | None:
    """Gradients of all that the first steps give from the cell's own first state, as training takes them."""
    probe = Probe(lab.initial, lab.initial.arrays, lab.inputs[:WINDOW])

    def run(sources: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
        return [[tensor for leaves, given in _differentiable(lab, probe, sources) for tensor in (*leaves, *given)]]

    with contextlib.suppress(Exception):
        return _by_all(lab, probe, run)
    return None


def _differentiable(
    lab: Lab, probe: Probe, sources: Sequence[Tensor]
) -> Iterator[tuple[Sequence[Tensor], Sequence[Tensor]]]:
    """The slots and the outputs of each step from a probe's state and inputs, as tensors."""
    bound = lab.bound
    bound.begin(lab.seed + probe.shift)
    found, leaves = probe.start.structure, list(sources[:-1])
    for index in range(len(probe.inputs)):
        x = bound.form.lay(sources[-1][index])
        output, found, leaves = bound.split(bound.callee.call(x, found.build(leaves)))
        yield leaves, bound.backend.given_out(output)


def _by_all(lab: Lab, probe: Probe, run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]]) -> Gradients:
    """By the slots, the input and the weights."""
    bound, backend = lab.bound, lab.bound.backend
    leaves = bound.state(probe.start.arrays)
    sources = [*zip(probe.start.arrays, map(backend.dtype, leaves)), (probe.inputs, bound.input_dtype)]
    return backend.gradients(run, sources, backend.weights(bound.cell))


def reached(lab: Lab, probe: Probe) -> set[str]:
    """The names of the weights to which a gradient leads."""
    found, _, _ = of(lab, probe, has_output=True)
    weights = lab.bound.backend.weights(lab.bound.cell)
    used = found.weights if found is not None else [None] * len(weights)
    return {weight.name for weight, one in zip(weights, used) if one is not None}


def together(left: Gradients, right: Gradients) -> Gradients:
    """What either of two says."""
    weights = [merged(one, other) for one, other in zip(left.weights, right.weights)]
    touched = [merged(one, other) for one, other in zip(left.touched, right.touched)]
    rows = [[_larger(a, b) for a, b in zip(one, other)] for one, other in zip(left.sources, right.sources)]
    return Gradients(rows, weights, touched, left.finite and right.finite, left.functions or right.functions)


def _larger(left: float | None, right: float | None) -> float | None:
    return right if left is None else left if right is None else max(left, right)


def by_source(found: Gradients | None, count: int) -> tuple[tuple[float | None, ...], ...] | None:
    """Their sizes by the first ``count`` sources, each by all targets."""
    if found is None:
        return None
    return tuple(tuple(row[index] for row in found.sources) for index in range(count))


def again(lab: Lab, probe: Probe) -> Gradients | None:
    """The gradients with all weights drawn afresh."""
    backend, cell = lab.bound.backend, lab.bound.cell
    before = backend.snapshot(cell)
    rng = np.random.default_rng((lab.seed, 2))
    try:
        for weight in backend.weights(cell):
            weight.assign(0.3 * rng.standard_normal(weight.shape).astype("float32"))
        return of(lab, probe, has_output=True)[0]
    finally:
        before.restore()
