"""A cell of the zoo made ready to be broken: built, its convention found, and its step seen running."""

from __future__ import annotations

import contextlib
import inspect
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from editing import Unfit
from sites import Site, Slot, Step, spread

from rnncheck import build, target
from rnncheck.backends import choose
from rnncheck.backends.base import Backend
from rnncheck.binding import bind
from rnncheck.convention import Bound
from rnncheck.errors import CallError
from rnncheck.settings import from_options
from rnncheck.signature import EACH, ONE
from rnncheck.structure import flatten
from rnncheck.unroll import State, unroll
from zoo import Entry

SECONDS = 60.0
STATES = 5


@dataclass(frozen=True)
class Cell:
    """A cell of the zoo that runs: ``site`` is its step, ``path`` its file, ``owner`` the class that defines the
    method, ``states`` are some that it reaches."""

    entry: Entry
    bound: Bound
    shape: tuple[int, ...]
    site: Site
    path: Path
    module: str
    owner: str
    states: tuple[State, ...]

    @property
    def step(self) -> Step:
        return self.site.step

    @property
    def text(self) -> str:
        return self.site.module.text


@dataclass
class _Frame:
    """One function that ran within the step, in its own file."""

    code: CodeType
    arguments: Mapping[str, Any]
    lines: list[int] = field(default_factory=list)
    names: dict[str, list[Any]] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    returned: Any = None
    line: int = 0


def prepared(entry: Entry) -> Cell:
    """Raises Unfit for a cell that no operator takes."""
    options = entry.options()
    settings = from_options(options)
    (loaded,) = target.load(target.parse(entry.target))
    assert isinstance(loaded, target.Loaded)
    backend = choose(settings.backend, loaded.obj, settings.kwargs)
    with running(backend):
        bound, shape = _bound(backend, loaded.obj, settings)
    convention = bound.convention
    if convention.signature.passing not in (ONE, EACH) or not bound.convention.state.size:
        raise Unfit("its state is kept on the cell")
    if convention.form.layout != "rows" or convention.reading.over_time:
        raise Unfit("it is a layer")
    if not isinstance(loaded.obj, type):
        raise Unfit("it is no class")
    frames = _seen_running(bound, shape)
    step, code = _described(bound, frames, backend.name)
    path = Path(code.co_filename)
    cls = type(bound.cell)
    method = bound.callee.method
    owner = next(base for base in cls.__mro__ if method in vars(base))
    site = Site(*spread(path.read_text(encoding="utf-8"), step))
    module = inspect.getmodule(code)
    assert module is not None
    with running(backend):
        states = tuple(reached(bound, shape, number) for number in range(STATES))
    return Cell(entry, bound, shape, site, path, module.__name__, owner.__qualname__, states)


@contextlib.contextmanager
def running(backend: Backend) -> Iterator[None]:
    """Where a cell may run: eagerly, the random numbers kept."""
    with backend.eagerly(), backend.keep_randomness():
        yield


def _bound(backend: Backend, obj: Any, settings: Any) -> tuple[Bound, tuple[int, ...]]:
    backend.seed(settings.seed)
    shape = settings.input_shape
    size = None if shape is None else shape[-1] if len(shape) == 1 or backend.channels_last() else shape[0]
    tries = build.candidates(obj, settings.kwargs, backend.owns, size, settings.batch)
    for built in tries:
        try:
            return bind(backend, backend.unwrap(built.cell), settings, built, time.monotonic() + SECONDS)
        except CallError as error:
            tries.refused(error)
    raise Unfit("it cannot be called")


def inputs(bound: Bound, shape: tuple[int, ...], steps: int, number: int) -> Any:
    """Ordinary inputs ``(steps, batch, *shape)``."""
    rng = np.random.default_rng((7, number))
    return bound.form.draw(rng, (steps, bound.batch, *shape), bound.input_dtype)


def start(bound: Bound) -> State:
    return State(bound.convention.state, [bound.backend.numpy(leaf) for leaf in bound.initial])


def reached(bound: Bound, shape: tuple[int, ...], number: int) -> State:
    """A state that the cell reaches after a few steps."""
    run = unroll(bound, number, inputs(bound, shape, 4, number), start(bound))
    return run.after(3)


def _seen_running(bound: Bound, shape: tuple[int, ...]) -> tuple[list[_Frame], Any, list[Any]]:
    """The functions that ran in one step, the method first, the input and the old parts of the state."""
    code = bound.callee.code
    if code is None or code.co_filename.startswith("<"):
        raise Unfit("its step is no Python source")
    backend = bound.backend
    with running(backend), backend.without_gradient():
        state = reached(bound, shape, 1)
        leaves = bound.state(state.arrays)
        x = bound.inputs(inputs(bound, shape, 1, 2)[0])
        bound.begin(0)
        frames: list[_Frame] = []
        package = str(Path(code.co_filename))

        def enter(frame: FrameType, event: str, argument: Any) -> Any:
            if frame.f_code.co_filename != package or frame.f_code.co_name.startswith("<"):
                return None
            if not frames and frame.f_code is not code:
                return None
            seen = _Frame(frame.f_code, dict(frame.f_locals))
            frames.append(seen)

            def note(frame: FrameType, event: str, argument: Any) -> Any:
                for name, value in frame.f_locals.items():
                    values = seen.names.setdefault(name, [])
                    if not values or values[-1] is not value:
                        values.append(value)
                if event == "line":
                    seen.lines.append(frame.f_lineno)
                elif event == "return":
                    seen.returned, seen.line, seen.end = argument, frame.f_lineno, dict(frame.f_locals)
                return note

            return note

        before = sys.gettrace()
        sys.settrace(enter)
        try:
            bound.callee.call(x, state.structure.build(leaves))
        finally:
            sys.settrace(before)
    if not frames:
        raise Unfit("its step is no Python source")
    return frames, x, leaves


def _described(bound: Bound, seen: tuple[list[_Frame], Any, list[Any]], framework: str) -> tuple[Step, CodeType]:
    frames, x, leaves = seen
    signature, state, reading = bound.convention.signature, bound.convention.state, bound.convention.reading
    kind: str = "leaf"
    keys: tuple[str, ...] = ()
    if not state.is_leaf:
        if not all(child.is_leaf for child in state.children):
            raise Unfit("its state is nested")
        kind = {"named": "named", "mapping": "dict"}.get(state.kind) or (
            "list" if state.type is not None and issubclass(state.type, list) else "tuple"
        )
        keys = tuple(str(key) for key in state.keys) if kind in ("named", "dict") else ()
    if isinstance(reading.at, str):
        raise Unfit("the state is in a dict of results")
    at, count = reading.at, reading.count
    number = 0
    if isinstance(at, tuple) and at == (0, count):
        at, count = None, 1
    frame = frames[number]
    # A method that only hands on to a function of the same file is broken there.
    deeper = [other for other in frames[1:] if other.returned is frame.returned]
    if deeper:
        frame = deeper[0]
    axes = {bound.rows_axis(slot) for slot in range(state.size)}
    names = [_names(frame, leaf) for leaf in leaves]
    source = next((name for name, value in frame.arguments.items() if value is x), None)
    if source is None:
        raise Unfit("the input comes under no name")
    whole = None
    if signature.passing == ONE:
        whole = signature.state if frame is frames[0] else _holder(frame, leaves)
    if signature.passing == EACH:
        kind = "tuple" if not isinstance(reading.at, tuple) and reading.at is not None else kind
    step = Step(
        framework,
        frame.code.co_firstlineno,
        frame.line,
        frozenset(frame.lines),
        source,
        tuple(
            Slot(tuple(known), tuple(name for name in known if frame.end.get(name) is leaf))
            for known, leaf in zip(names, leaves)
        ),
        whole,
        kind,
        keys,
        at,
        count,
        (axes.pop() or 0) if len(axes) == 1 else 0,
    )
    if whole is not None and kind != "leaf":
        held = flatten(frame.end.get(whole), bound.backend.is_tensor)[1]
        slots = [
            replace(slot, kept=(spelled, *slot.kept))
            if index < len(held) and held[index] is leaf and (spelled := step.spelled(index))
            else slot
            for index, (slot, leaf) in enumerate(zip(step.slots, leaves))
        ]
        step = replace(step, slots=tuple(slots))
    return step, frame.code


def _names(frame: _Frame, leaf: Any) -> list[str]:
    """The local variables that were bound to a tensor, parameters first."""
    return [name for name, values in frame.names.items() if any(value is leaf for value in values)]


def _holder(frame: _Frame, leaves: list[Any]) -> str | None:
    """The parameter that holds the whole state."""
    for name, value in frame.arguments.items():
        parts = list(value) if isinstance(value, (tuple, list)) else [value]
        if len(parts) == len(leaves) and all(part is leaf for part, leaf in zip(parts, leaves)):
            return name
    return None
