"""A target that was built and is called in a way that it takes."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rnncheck.backends.base import Backend
from rnncheck.building import build
from rnncheck.building.build import Built, Candidates
from rnncheck.calling.convention import Bound
from rnncheck.discovery import widths
from rnncheck.discovery.binding import bind
from rnncheck.discovery.misfits import Misfit, NoNextState
from rnncheck.errors import CallError, RnncheckError
from rnncheck.settings import Settings

SHARE = 0.5
"""Of the time for a check, how much ways to build and to call the cell are tried: what it raised is told before all of
it is over."""


@dataclass(frozen=True)
class Ready:
    """A cell, how it was built and how it is called with inputs of one row's ``shape``. ``declares``: whether it
    says the sizes of its state, as the framework's driver asks for them. ``otherwise``: its state is surely of
    others. ``drawn`` are the weights to which only this check gave numbers."""

    bound: Bound
    shape: tuple[int, ...]
    built: Built
    declares: bool | None
    otherwise: bool = False
    drawn: tuple[str, ...] = ()


def ready(obj: Any, backend: Backend, settings: Settings, afterwards: contextlib.ExitStack) -> Ready:
    """Build the target and find how it is called; ``afterwards`` an instance is left as it was.

    Raises BuildError or CallError when it cannot be built or called, NoNextState where it took its state and gave back
    another.
    """
    try:
        return _ready(obj, backend, settings, afterwards)
    except NoNextState as error:
        for other in _by_our_sizes(error.misfit, settings):
            with contextlib.suppress(RnncheckError):
                return _ready(obj, backend, other, afterwards)
        raise


def _by_our_sizes(misfit: Misfit, settings: Settings) -> Iterator[Settings]:
    """Other sizes than those that nobody asked for, where these may be why the state came back in another shape."""
    if misfit.rule != "state-shape-mismatch" or misfit.slot is None:
        return
    before, after = misfit.shapes
    rows, grown = misfit.bound.batch, after[-1] - before[-1] if before and after else 0
    # Layers as many as there are rows: (layers, batch, width) looks as if each row had been put beside each other one.
    if after.count(rows) > max(1, before.count(rows)):
        yield dataclasses.replace(settings, batch=settings.batch + 1)
    # A state in which inputs are kept says how wide they are, and nothing else may.
    alone = before[:-1] == after[:-1] and len(misfit.shape) == 1 and after[-1:] != misfit.shape
    if settings.input_shape is None and alone and grown and misfit.shape[0] > grown:
        yield dataclasses.replace(settings, input_shape=(misfit.shape[0] - grown,))


def _ready(obj: Any, backend: Backend, settings: Settings, afterwards: contextlib.ExitStack) -> Ready:
    refused: RnncheckError | None = None
    held: Ready | None = None
    until = time.process_time() + SHARE * settings.timeout
    with backend.construction_dtype(settings.dtype), backend.one_thread():
        tries = build.candidates(obj, settings.kwargs, backend.owns, _input_size(backend, settings), settings.batch)
        for built in _constructed(backend, tries):
            cell = backend.unwrap(built.cell)
            backend.refuse_unfinished(cell)
            drawn = tuple(backend.draw_unwritten(cell, settings.seed)) if built.own else ()
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
            except NoNextState as error:
                # A state that is made like the input asks for an input as wide as the state.
                if not _made_like_the_input(error.misfit, settings):
                    raise
                refused = refused if isinstance(refused, NoNextState) else error
                continue
            except CallError as error:
                refused = refused or error
                # What else the arguments might be is asked only as long as none of them will do.
                if held is None:
                    tries.refused(error)
                if time.process_time() > until:
                    break
                continue
            if as_declared:
                return Ready(bound, shape, built, declares, drawn=drawn)
            held = Ready(bound, shape, built, declares, otherwise, drawn)
    if held is not None:
        return held
    assert refused is not None
    raise refused


def _constructed(backend: Backend, tries: Candidates) -> Iterator[Built]:
    while True:
        with backend.constructing():
            built = next(tries, None)
        if built is None:
            return
        yield built


def _made_like_the_input(misfit: Misfit, settings: Settings) -> bool:
    """Whether the state that the cell declares has the very shape of the input, which nobody has asked for."""
    bound = misfit.bound
    shapes = [tuple(leaf.shape) for leaf in bound.initial]
    return settings.input_shape is None and bound.initial_declared and (bound.batch, *misfit.shape) in shapes


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
            with backend.constructing():
                another = backend.unwrap(again())
            backend.draw_unwritten(another, settings.seed)
            given = dataclasses.replace(settings, input_shape=(width,))
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
