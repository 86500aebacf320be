"""A constructed cell made ready to run: its input's shape, its state's width, how it is called."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rnncheck import build, usertrace
from rnncheck.backends.base import Backend
from rnncheck.build import Built
from rnncheck.convention import Bound, Form
from rnncheck.discovery import Search
from rnncheck.errors import CallError
from rnncheck.settings import Settings

SPATIAL = (6, 7, 4)
"""The height, width and depth of an image that is tried; they differ, so that a mixed-up axis cannot hide."""
TOKENS = 4
"""How many different whole numbers are tried on a cell that looks them up."""
COMMON = (Form("rows"), Form("batch first"), Form("time first"))
RARE = (Form("columns"), Form("single"))


def bind(backend: Backend, cell: Any, settings: Settings, built: Built, until: float) -> tuple[Bound, tuple[int, ...]]:
    """The cell with its convention, for the first input shape that it takes; tried until a time of the clock.

    Raises CallError with the cell's own complaint about the likeliest shape.
    """
    refused: CallError | None = None
    shapes = [settings.input_shape] if settings.input_shape else _input_shapes(built, backend, cell)
    for shape, forms, effort in _order(backend, cell, shapes, settings):
        try:
            _prepare(backend, cell, (settings.batch, *shape))
            with backend.without_gradient():
                widths = _hidden_widths(built, backend, cell, shape)
                return Search(backend, cell, settings, widths, shape, until).found(forms, effort), shape
        except CallError as error:
            refused = refused or error
        if time.monotonic() > until:
            break
    assert refused is not None
    raise refused


def _order(
    backend: Backend, cell: Any, shapes: Sequence[tuple[int, ...]], settings: Settings
) -> Iterator[tuple[tuple[int, ...], Sequence[Form], str]]:
    """Row shapes with layouts, likeliest first, and how hard to look."""
    if backend.embeds(cell):
        tokens = [dataclasses.replace(form, tokens=TOKENS) for form in (*COMMON, Form("single"))]
        yield settings.input_shape or (), tokens, "likely"
    for shape in shapes:
        yield shape, COMMON, "likely"
    if backend.name == "torch":
        for shape in shapes:
            if len(shape) == 1:
                yield shape, RARE, "likely"
    for shape in shapes[:4]:
        yield shape, COMMON, "wide"
    for shape in shapes:
        yield shape, COMMON, "kept"
    for shape in shapes:
        yield shape, COMMON, "layer"


def _prepare(backend: Backend, cell: Any, shape: tuple[int, ...]) -> None:
    try:
        backend.prepare(cell, shape)
    except Exception as error:
        where = usertrace.place(error)
        raise CallError(
            f"{type(cell).__name__}.build() raised {usertrace.summary(error)}{f' ({where})' if where else ''}.",
            details=usertrace.format_user(error),
        ) from error


def _input_shapes(built: Built, backend: Backend, cell: Any) -> list[tuple[int, ...]]:
    """Row shapes of the input to try, likeliest first."""
    known = built.width("input") or _attribute(cell, "input", build.INPUT_NAMES)
    shape = _built_shape(cell)
    if shape is not None and known is None:
        return [shape]
    sizes = _weight_sizes(backend, cell)
    # A weight may take the input and the state side by side.
    hiddens = [*sizes, *_parts_of(sizes)]
    beside = [size - hidden for size in sizes for hidden in hiddens if size > hidden]
    widths = [known] if known is not None else list(dict.fromkeys([build.INPUT, *sizes, *beside]))[:12]
    return [*_images(backend, cell, widths), *((width,) for width in widths)]


def _images(backend: Backend, cell: Any, widths: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of images, where the cell convolves."""
    ranks = {len(weight.shape) - 2 for weight in backend.weights(cell)} & {1, 2, 3}
    shapes = []
    for rank in sorted(ranks, reverse=True):
        spatial = SPATIAL[:rank]
        for channels in widths:
            shapes.append((*spatial, channels) if backend.channels_last() else (channels, *spatial))
    return shapes


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
    every = [*found, build.HIDDEN, *sizes, *shape[-1:], *_parts_of(sizes)]
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
