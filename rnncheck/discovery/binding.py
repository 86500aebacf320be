"""A constructed cell made ready to run: its input's shape, its state's width, how it is called."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rnncheck.backends.base import Backend, derives
from rnncheck.building.build import Built
from rnncheck.calling import signature
from rnncheck.calling.convention import Bound, Form
from rnncheck.discovery import widths
from rnncheck.discovery.misfits import Misfit, NoNextState
from rnncheck.discovery.search import Budget, Search
from rnncheck.discovery.steps import input_parts
from rnncheck.errors import CallError
from rnncheck.settings import Settings
from rnncheck.usercode import usertrace
from rnncheck.usercode.definitions import is_state_name

TOKENS = 4
"""How many different whole numbers are tried on a cell that looks them up."""
COMMON = (Form("rows"), Form("batch first"), Form("time first"))
DECLARING = ("likely", "a few", "other steps", "further")
"""The efforts in which states are tried that a cell declares."""
RARE = (Form("columns"), Form("single"))


def bind(
    backend: Backend, cell: Any, settings: Settings, built: Built, until: float, *, as_declared: bool = False
) -> tuple[Bound, tuple[int, ...]]:
    """The cell with its convention, for the first input shape that it takes; tried until a time of the clock. With
    ``as_declared`` that is the first which goes with a state that the cell itself declares.

    Raises CallError with the cell's own complaint about the likeliest shape, NoNextState where the cell took its state
    and gave back another.
    """
    refused: CallError | None = None
    complained = False
    hopeless: set[tuple[int, ...]] = set()
    misfits: list[Misfit] = []
    budget = Budget()
    name = settings.method or backend.method_of(cell)
    method = getattr(cell, name, None)
    arguments = [parameter.name for parameter in signature.parameters(method) or []] if callable(method) else []
    # What takes several tensors as its input is built by its first call.
    several = any(input_parts(cell, name, argument) for argument in arguments if not is_state_name(argument))
    shapes = [settings.input_shape] if settings.input_shape else widths.input_shapes(built, backend, cell, arguments)
    for shape, forms, effort in _order(backend, cell, shapes, settings):
        search = None
        if shape in hopeless or (as_declared and effort not in DECLARING):
            continue
        try:
            if not several:
                _prepare(backend, cell, (settings.batch, *shape))
            with backend.without_gradient():
                sizes = widths.hidden_widths(built, backend, cell, shape)
                search = Search(backend, cell, settings, sizes, shape, until, budget, as_declared)
                try:
                    return search.found(forms, effort), shape
                except CallError:
                    if settings.state is not None or not search.takes_none_yet():
                        raise
                    return dataclasses.replace(search, refused=[]).found(COMMON, "layer"), shape
        except CallError as error:
            # What it raised tells more than that no state was found, for an input of the likeliest shape.
            raised = search is None or bool(search.refused)
            if refused is None or (raised and not complained and shape == shapes[0]):
                refused, complained = error, raised
            misfits.extend(search.misfits if search is not None else ())
            # What a framework drives is called in no other way, and as many numbers in another shape are its state.
            driven = backend.drives(cell)
            if any(misfit.settles(settings.call_kwargs, driven) for misfit in misfits):
                break
            if search is not None and settings.input_shape is None:
                others = [widths.asked_for(text, shape) for text in search.complaints()]
                wanted = [other for other in dict.fromkeys(others) if other is not None]
                shapes.extend(other for other in wanted if other not in shapes)
                if wanted and None not in others:
                    hopeless.add(shape)
        if budget.left < 0 or time.process_time() > until:
            break
    assert refused is not None
    if misfits:
        raise NoNextState(refused, min(misfits, key=lambda misfit: not misfit.bound.initial_declared), built)
    raise refused


def _order(
    backend: Backend, cell: Any, shapes: Sequence[tuple[int, ...]], settings: Settings
) -> Iterator[tuple[tuple[int, ...], Sequence[Form], str]]:
    """Row shapes with layouts, likeliest first, and how hard to look."""
    tokens = [dataclasses.replace(form, tokens=TOKENS) for form in COMMON] if backend.embeds(cell) else []
    numbers = settings.input_shape or ()
    if tokens:
        yield numbers, tokens, "likely"
        yield numbers, tokens, "a few"
        yield numbers, tokens, "other steps"
    # A layer of the framework's own that hands out no state, as it says, or as turns out.
    layer = settings.state is None and derives(cell, ("RNN", "Bidirectional"))
    silent = layer and getattr(cell, "return_state", None) is False
    for index, shape in enumerate(shapes):
        if index == 0 and silent:
            yield shape, COMMON, "silent"
        yield shape, COMMON, "likely"
        yield shape, COMMON[:1], "a few"
        yield shape, COMMON, "other steps"
        if index == 0 and layer:
            yield shape, COMMON, "layer"
    if tokens:
        yield numbers, [Form("single", tokens=TOKENS)], "likely"
    if backend.name == "torch":
        for shape in shapes:
            if len(shape) == 1:
                yield shape, RARE, "likely"
    for shape in shapes:
        yield shape, COMMON, "kept"
    if tokens:
        yield numbers, tokens, "further"
    for shape in shapes:
        yield shape, COMMON, "further"
    for shape in shapes[:4]:
        yield shape, COMMON, "wide"
    # A number for each step may go in without an axis of its own.
    for shape in (*shapes, ()) if settings.state is None else ():
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
