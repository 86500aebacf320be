"""A layer that runs over a whole sequence: does an early step reach a later output?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Tensor
from rnncheck.calling.convention import Bound, Callee
from rnncheck.errors import CallError
from rnncheck.running.unroll import different
from rnncheck.usercode import usertrace

Axes = Sequence[int | None] | None

LENGTHS = (2, 3, 5)
SCALES = (1.0, 10.0, 100.0)
DRAWS = 3
"""How often the weights are drawn afresh before a layer counts as without memory."""


def remembers(bound: Bound, seed: int, shape: tuple[int, ...], *, thorough: bool = True) -> bool | None:
    """Whether another first step changes an output of a later step or the last state, with these weights or with
    others, and with loud inputs, where it is asked ``thorough``ly; None when that cannot be told, as when not even
    another last step does.

    Raises CallError when the layer does not take a sequence of several steps.
    """
    axes = _time_axes(bound, seed, shape)
    seen = _reaches(bound, seed, shape, axes, SCALES if thorough else SCALES[:1])
    if seen or not thorough:
        return seen
    weights = bound.backend.weights(bound.cell)
    saved = [weight.read() for weight in weights]
    rng = np.random.default_rng((seed, 1))
    try:
        for _ in range(DRAWS if weights else 0):
            for weight in weights:
                weight.assign(rng.standard_normal(weight.shape).astype("float32"))
            if _reaches(bound, seed, shape, axes, SCALES):
                return True
    finally:
        for weight, value in zip(weights, saved):
            weight.assign(value)
    return seen


def _time_axes(bound: Bound, seed: int, shape: tuple[int, ...]) -> Axes:
    """Of each output the axis that is as long as the sequence, whichever that is, if there is one; None where they
    are as many as its steps."""
    shapes = []
    for steps in (LENGTHS[0], LENGTHS[-1]):
        sequence = bound.form.draw(np.random.default_rng((seed, 300)), (steps, bound.batch, *shape), bound.input_dtype)
        shapes.append([array.shape for array in _outputs(bound, seed, sequence)])
    short, long = shapes
    if len(short) != len(long):
        return None
    usual = _time(bound)
    axes = []
    for one, other in zip(short, long):
        found = [axis for axis, sizes in enumerate(zip(one, other)) if sizes == (LENGTHS[0], LENGTHS[-1])]
        axes.append(usual if usual in found else next(iter(found), None))
    return axes


def _reaches(
    bound: Bound,
    seed: int,
    shape: tuple[int, ...],
    axes: Axes,
    scales: Sequence[float],
    lengths: Sequence[int] = LENGTHS,
) -> bool | None:
    alive = False
    for scale in scales:
        for number, steps in enumerate(lengths):
            rng = np.random.default_rng((seed, 300 + number))
            sequence = _loud(bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype), scale)
            first, last = (np.array(sequence, copy=True) for _ in range(2))
            another = _loud(bound.form.draw(rng, (1, bound.batch, *shape), bound.input_dtype)[0], scale)
            first[0], last[-1] = another, another
            base = _ends(_outputs(bound, seed, sequence), axes)
            if any(different(one, other) for one, other in zip(base, _ends(_outputs(bound, seed, first), axes))):
                return True
            alive = alive or any(
                different(one, other) for one, other in zip(base, _ends(_outputs(bound, seed, last), axes))
            )
    return False if alive else None


def _ends(outputs: Sequence[Array], axes: Axes) -> list[Array]:
    """What the layer gives for its last step: of an output with an axis of time its end, else the whole of it; of a
    loss, which is one number for all steps, nothing where there is more."""
    if axes is None:
        return list(outputs[-1:])
    ends = [
        array if axis is None or axis >= array.ndim else array.take(-1, axis=axis) for array, axis in zip(outputs, axes)
    ]
    many = [end for end, array in zip(ends, outputs) if array.size > 1]
    return many or ends


def _along(bound: Bound, steps: int, time: int) -> Callee:
    """The callee with those of its further arguments that have a step of their own for each step of the input, as the
    one step has that they were found with."""
    backend, batch = bound.backend, bound.batch

    def longer(value: Any) -> Any:
        shape = tuple(value.shape) if backend.is_tensor(value) else ()
        if len(shape) < 2 or shape[time] != 1 or shape[1 - time] != batch:
            return value
        return backend.like(value, np.repeat(backend.numpy(value), steps, axis=time))

    further = {name: longer(value) for name, value in bound.callee.further.items()}
    return dataclasses.replace(bound.callee, further=further)


def _loud(inputs: Array, scale: float) -> Array:
    return inputs if inputs.dtype.kind in "iu" else (inputs * scale).astype(inputs.dtype)


def _time(bound: Bound) -> int:
    return 0 if bound.form.layout == "time first" else 1


def is_cut(bound: Bound, seed: int, shape: tuple[int, ...]) -> bool:
    """Whether no gradient leads from what comes back for the last step to the first step's input, and one to the last
    step's: asked of what remembers by value.

    Raises CallError when the layer does not take a sequence of several steps.
    """
    if bound.form.tokens is not None:
        return False
    axes, time = _time_axes(bound, seed, shape), _time(bound)
    # What looks a few steps back is not cut off from those before.
    lengths = (length for length in (3, 5, 2) if _reaches(bound, seed, shape, axes, SCALES, (length,)))
    steps = next(lengths, None)
    if steps is None:
        return False
    for number in range(DRAWS):
        rng = np.random.default_rng((seed, 400 + number))
        sequence = bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype)
        with bound.backend.tracking([(np.moveaxis(sequence, 0, time), bound.input_dtype)]) as tape:
            (x,) = tape.given
            tensors = bound.backend.given_out(_called(bound, seed, x, steps))
            ends = tensors[-1:] if axes is None else [_end(tensor, axis) for tensor, axis in zip(tensors, axes)]
            found = [tape.derivatives(end, tape.leaves)[0] for end in ends]
        by_step = [np.moveaxis(gradient, time, 0) for gradient in found if gradient is not None]
        if any(gradient[0].any() for gradient in by_step) or not any(gradient[-1].any() for gradient in by_step):
            return False
    return True


def _end(tensor: Tensor, axis: int | None) -> Tensor:
    return tensor if axis is None else tensor[(slice(None),) * axis + (-1,)]


def _outputs(bound: Bound, seed: int, sequence: Array) -> list[Array]:
    """All that the layer gives back for ``(steps, batch, *row)``, from its first state where it takes one."""
    backend = bound.backend
    x = backend.tensor(np.moveaxis(sequence, 0, _time(bound)), bound.input_dtype)
    with backend.without_gradient():
        return [backend.numpy(tensor) for tensor in backend.given_out(_called(bound, seed, x, len(sequence)))]


def _called(bound: Bound, seed: int, x: Tensor, steps: int) -> Any:
    bound.begin(seed)
    callee = _along(bound, steps, _time(bound))
    try:
        if not bound.initial:
            return callee.without_state(x)
        start = bound.state([bound.backend.numpy(leaf) for leaf in bound.initial])
        return callee.call(x, bound.convention.state.build(start))
    except Exception as error:
        raise CallError(
            f"{bound.callee.name} raised {usertrace.summary(error)} for a sequence of {steps} steps.",
            details=usertrace.format_user(error),
        ) from error
