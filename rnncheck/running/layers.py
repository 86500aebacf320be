"""A layer that runs over a whole sequence and takes no state: does an early step reach a later output?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.calling.convention import Bound, Callee
from rnncheck.errors import CallError
from rnncheck.running.unroll import different
from rnncheck.structure import flatten
from rnncheck.usercode import usertrace

LENGTHS = (2, 3, 5)
SCALES = (1.0, 10.0, 100.0)
DRAWS = 3
"""How often the weights are drawn afresh before a layer counts as without memory."""


def remembers(bound: Bound, seed: int, shape: tuple[int, ...]) -> bool | None:
    """Whether another first step changes an output of a later step, with these weights or with others; None when that
    cannot be told, as when not even another last step does.

    Raises CallError when the layer does not take a sequence of several steps.
    """
    seen = _reaches(bound, seed, shape)
    if seen:
        return True
    weights = bound.backend.weights(bound.cell)
    saved = [weight.read() for weight in weights]
    rng = np.random.default_rng((seed, 1))
    try:
        for _ in range(DRAWS if weights else 0):
            for weight in weights:
                weight.assign(rng.standard_normal(weight.shape).astype("float32"))
            if _reaches(bound, seed, shape):
                return True
    finally:
        for weight, value in zip(weights, saved):
            weight.assign(value)
    return seen


def _reaches(bound: Bound, seed: int, shape: tuple[int, ...]) -> bool | None:
    alive = False
    for scale in SCALES:
        for number, steps in enumerate(LENGTHS):
            rng = np.random.default_rng((seed, 300 + number))
            sequence = _loud(bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype), scale)
            first, last = (np.array(sequence, copy=True) for _ in range(2))
            another = _loud(bound.form.draw(rng, (1, bound.batch, *shape), bound.input_dtype)[0], scale)
            first[0], last[-1] = another, another
            base = list(_last(bound, seed, sequence))
            if any(different(one, other) for one, other in zip(base, _last(bound, seed, first))):
                return True
            alive = alive or any(different(one, other) for one, other in zip(base, _last(bound, seed, last)))
    return False if alive else None


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


def _last(bound: Bound, seed: int, sequence: Array) -> Iterator[Array]:
    """What the layer gives for its last step: of an output with an axis of time its end, else the whole of it."""
    backend, steps = bound.backend, len(sequence)
    time = 0 if bound.form.layout == "time first" else 1
    x = backend.tensor(np.moveaxis(sequence, 0, time), bound.input_dtype)
    bound.begin(seed)
    try:
        with backend.without_gradient():
            returned: Any = _along(bound, steps, time).without_state(x)
    except Exception as error:
        raise CallError(
            f"{bound.callee.name} raised {usertrace.summary(error)} for a sequence of {steps} steps.",
            details=usertrace.format_user(error),
        ) from error
    for tensor in flatten(returned, backend.is_tensor)[1]:
        array = backend.numpy(tensor)
        yield array.take(-1, axis=time) if array.ndim > time and array.shape[time] == steps else array
