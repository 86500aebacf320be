"""A target that was built and is called in a way that it takes."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from rnncheck.backends.base import Backend
from rnncheck.building import build
from rnncheck.building.build import Built
from rnncheck.calling.convention import Bound
from rnncheck.discovery import widths
from rnncheck.discovery.binding import bind
from rnncheck.discovery.misfits import NoNextState
from rnncheck.errors import CallError, RnncheckError
from rnncheck.settings import Settings

SECONDS = 60.0
"""How long ways to build and to call one cell are tried."""


@dataclass(frozen=True)
class Ready:
    """A cell, how it was built and how it is called with inputs of one row's ``shape``. ``declares``: whether it says
    the sizes of its state, as the framework's driver asks for them. ``otherwise``: its state is surely of others."""

    bound: Bound
    shape: tuple[int, ...]
    built: Built
    declares: bool | None
    otherwise: bool = False


def ready(obj: Any, backend: Backend, settings: Settings, afterwards: contextlib.ExitStack) -> Ready:
    """Build the target and find how it is called; ``afterwards`` an instance is left as it was.

    Raises BuildError or CallError when it cannot be built or called, NoNextState where it took its state and gave back
    another.
    """
    refused: RnncheckError | None = None
    held: Ready | None = None
    until = time.process_time() + SECONDS
    with backend.construction_dtype(settings.dtype), backend.one_thread():
        tries = build.candidates(obj, settings.kwargs, backend.owns, _input_size(backend, settings), settings.batch)
        for built in tries:
            cell = backend.unwrap(built.cell)
            if not built.own:
                afterwards.callback(backend.snapshot(cell).restore)
            home = backend.move(cell)
            if not built.own:
                afterwards.callback(home)
            declares = backend.declares_state_size(cell)
            if settings.dtype is not None:
                cell = backend.with_dtype(cell, settings.dtype)
            otherwise = _adapts(built, backend, cell, settings)
            try:
                bound, shape, as_declared = _bind(backend, cell, settings, built, until, strict=held is not None)
            except NoNextState:
                raise
            except CallError as error:
                refused = refused or error
                # What else the arguments might be is asked only as long as none of them will do.
                if held is None:
                    tries.refused(error)
                if time.process_time() > until:
                    break
                continue
            if as_declared:
                return Ready(bound, shape, built, declares)
            held = Ready(bound, shape, built, declares, otherwise)
    if held is not None:
        return held
    assert refused is not None
    raise refused


def _bind(
    backend: Backend, cell: Any, settings: Settings, built: Built, until: float, *, strict: bool
) -> tuple[Bound, tuple[int, ...], bool]:
    """As ``bind``, and whether the state is one that the cell declares where a framework drives it: another goes only
    before other inputs and, unless ``strict``, after them. Other arguments may be what it wants."""
    driven = backend.drives(cell) and settings.state is None
    try:
        return *bind(backend, cell, settings, built, until, as_declared=driven), True
    except CallError as error:
        if not driven or strict or isinstance(error, NoNextState):
            raise
    bound, shape = bind(backend, cell, settings, built, until)
    again = built.again
    if again is None or settings.input_shape is not None:
        return bound, shape, False
    for width in _other_inputs(bound, shape):
        with contextlib.suppress(Exception):
            another, given = backend.unwrap(again()), dataclasses.replace(settings, input_shape=(width,))
            return *bind(backend, another, given, built, until, as_declared=True), True
    return bound, shape, False


def _other_inputs(bound: Bound, shape: tuple[int, ...]) -> list[int]:
    """Widths of the input that would go with the state that is declared, as this one goes with the one that was taken:
    the same as it, so many times as wide, or beside it."""
    widths = [size for declared in bound.backend.declared_shapes(bound.cell) if len(declared) == 1 for size in declared]
    taken = [int(leaf.shape[-1]) for leaf in bound.initial if len(leaf.shape) == 2]
    if len(shape) != 1 or len(widths) != len(taken):
        return []
    pairs = [(wide, had) for wide, had in zip(widths, taken) if wide != had and had]
    others = [size for wide, had in pairs for size in (wide, shape[0] * wide // had, shape[0] + had - wide)]
    return [size for size in dict.fromkeys(others) if size > 0 and size != shape[0]]


def _adapts(built: Built, backend: Backend, cell: Any, settings: Settings) -> bool:
    """Whether nothing that was guessed may be why the cell does not take the state that it declares: its input has the
    width that it was made for, and its state depends on one size alone."""
    takes = settings.input_shape is not None or built.width("input") is not None
    if settings.input_shape is None and built.again is None:
        return False
    sizes = [item for item in built.arguments if type(item.values[0]) is int and item.role != "input"]
    return (takes or not widths.weight_shapes(backend, cell)) and len(sizes) <= 1


def _input_size(backend: Backend, settings: Settings) -> int | None:
    """The features of the input shape that was given."""
    shape = settings.input_shape
    if shape is None:
        return None
    return shape[-1] if len(shape) == 1 or backend.channels_last() else shape[0]
