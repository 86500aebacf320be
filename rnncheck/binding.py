"""A constructed cell made ready to run: its input's shape, its state's width, how it is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncheck import build, usertrace
from rnncheck.backends.base import Backend, numpy_dtype
from rnncheck.build import Built
from rnncheck.convention import Bound, Callee, signature_of
from rnncheck.discovery import discover
from rnncheck.errors import CallError
from rnncheck.settings import Settings


def bind(backend: Backend, cell: Any, settings: Settings, built: Built) -> tuple[Bound, tuple[int, ...]]:
    """The cell with its convention, for the first input shape that it takes.

    Raises CallError with the cell's own complaint about the likeliest shape.
    """
    refused: CallError | None = None
    shapes = [settings.input_shape] if settings.input_shape else _input_shapes(built, backend, cell)
    for shape in shapes:
        try:
            return _discover(backend, cell, settings, shape, built), shape
        except CallError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _discover(backend: Backend, cell: Any, settings: Settings, shape: tuple[int, ...], built: Built) -> Bound:
    method = settings.method or backend.method_of(cell)
    callee = Callee(backend, cell, method, signature_of(cell, method))
    try:
        backend.prepare(cell, (settings.batch, *shape))
    except Exception as error:
        where = usertrace.place(error)
        raise CallError(
            f"{type(cell).__name__}.build() raised {usertrace.summary(error)}{f' ({where})' if where else ''}.",
            details=usertrace.format_user(error),
        ) from error
    rng = np.random.default_rng(settings.seed)
    dtype = backend.float_dtype(cell)
    arrays = [rng.standard_normal((settings.batch, *shape)).astype(numpy_dtype(dtype)) for _ in range(2)]
    inputs = [backend.tensor(array, dtype) for array in arrays]
    with backend.without_gradient():
        return discover(callee, inputs, _hidden_widths(built, backend, cell, shape))


def _input_shapes(built: Built, backend: Backend, cell: Any) -> list[tuple[int, ...]]:
    """Row shapes of the input to try, likeliest first."""
    known = built.width("input") or _attribute(cell, "input", build.INPUT_NAMES)
    if known is not None:
        return [(known,)]
    shape = _built_shape(cell)
    if shape is not None:
        return [shape]
    sizes = _weight_sizes(backend, cell)
    # A weight may take the input and the state side by side.
    hiddens = [*sizes, *_parts_of(sizes)]
    beside = [size - hidden for size in sizes for hidden in hiddens if size > hidden]
    widths = dict.fromkeys([build.INPUT, *sizes, *beside])
    return [(width,) for width in list(widths)[:12]]


def _built_shape(cell: Any) -> tuple[int, ...] | None:
    """The row shape that a Keras layer was built with."""
    try:
        shape = (cell.get_build_config() or {}).get("input_shape")
    except Exception:
        return None
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return tuple(shape[1:]) or None


def _hidden_widths(built: Built, backend: Backend, cell: Any, shape: tuple[int, ...]) -> list[int]:
    found = [
        built.width("hidden"),
        _attribute(cell, "hidden", build.HIDDEN_NAMES),
        _attribute(cell, "both", build.BOTH_NAMES),
    ]
    sizes = _weight_sizes(backend, cell)
    every = [*found, build.HIDDEN, *sizes, shape[-1], *_parts_of(sizes)]
    return list(dict.fromkeys(width for width in every if width is not None))[:12]


def _parts_of(sizes: Sequence[int]) -> list[int]:
    """Widths of which a weight may hold two, three or four side by side, as gates do."""
    return [size // gates for size in sizes for gates in (4, 3, 2) if size % gates == 0]


def _attribute(cell: Any, role: str, names: Sequence[str]) -> int | None:
    for name in (*names, *vars(cell)):
        if name in names or build.role_of(name) == role:
            value = vars(cell).get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


def _weight_sizes(backend: Backend, cell: Any) -> list[int]:
    try:
        return list(
            dict.fromkeys(size for weight in backend.weights(cell) for size in reversed(weight.shape) if size > 1)
        )
    except Exception:
        return []
