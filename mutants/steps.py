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

from rnncheck import target
from rnncheck.backends import choose
from rnncheck.backends.base import Backend
from rnncheck.building import build
from rnncheck.calling.convention import Bound
from rnncheck.calling.signature import EACH, ONE
from rnncheck.discovery.binding import bind
from rnncheck.errors import CallError
from rnncheck.running.unroll import State, unroll
from rnncheck.settings import from_options
from rnncheck.structure import Structure, flatten
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

    def step(self, frame: FrameType, event: str, argument: Any) -> Any:
        for name, value in frame.f_locals.items():
            self.names.setdefault(name, []).append(value)
        if event == "line":
            self.lines.append(frame.f_lineno)
        elif event == "return":
            self.returned, self.line, self.end = argument, frame.f_lineno, dict(frame.f_locals)
        return self.step


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
            return bind(backend, backend.unwrap(built.cell), settings, built, time.process_time() + SECONDS)
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

        def enter(frame: FrameType, event: str, argument: Any) -> Any:
            if frame.f_code.co_filename != code.co_filename or frame.f_code.co_name.startswith("<"):
                return None
            if not frames and frame.f_code is not code:
                return None
            frames.append(_Frame(frame.f_code, dict(frame.f_locals)))
            return frames[-1].step

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
    signature, reading = bound.convention.signature, bound.convention.reading
    if isinstance(reading.at, str):
        raise Unfit("the state is in a dict of results")
    # A method that only hands on to a function of the same file is broken there.
    frame = next((other for other in frames[1:] if other.returned is frames[0].returned), frames[0])
    source = next((name for name, value in frame.arguments.items() if value is x), None)
    if source is None:
        raise Unfit("the input comes under no name")
    kind, keys = _kind(bound.convention.state)
    whole = None
    if signature.passing == ONE:
        whole = signature.state if frame is frames[0] else _holder(frame, leaves)
    elif isinstance(reading.at, int):
        kind = "tuple"
    everything = reading.at == (0, reading.count)
    axes = {bound.rows_axis(slot) for slot in range(len(leaves))}
    step = Step(
        framework=framework,
        function=frame.code.co_firstlineno,
        returned=frame.line,
        ran=frozenset(frame.lines),
        input=source,
        slots=tuple(_slot(frame, leaf) for leaf in leaves),
        state=whole,
        kind=kind,
        keys=keys,
        at=None if everything else reading.at,
        count=1 if everything else reading.count,
        rows=(axes.pop() or 0) if len(axes) == 1 else 0,
    )
    return _held_to_the_end(step, frame, leaves, bound), frame.code


def _kind(state: Structure) -> tuple[str, tuple[str, ...]]:
    """What the state is, as ``Step`` calls it, and its keys."""
    if state.is_leaf:
        return "leaf", ()
    if not all(child.is_leaf for child in state.children):
        raise Unfit("its state is nested")
    if state.kind in ("named", "mapping"):
        return "named" if state.kind == "named" else "dict", tuple(str(key) for key in state.keys)
    return "list" if state.type is not None and issubclass(state.type, list) else "tuple", ()


def _slot(frame: _Frame, leaf: Any) -> Slot:
    """The local variables that were bound to a tensor, parameters first."""
    names = [name for name, values in frame.names.items() if any(value is leaf for value in values)]
    return Slot(tuple(names), tuple(name for name in names if frame.end.get(name) is leaf))


def _held_to_the_end(step: Step, frame: _Frame, leaves: list[Any], bound: Bound) -> Step:
    """The same with the parts of the state's own parameter, where it holds them still."""
    if step.state is None or step.kind == "leaf":
        return step
    held = flatten(frame.end.get(step.state), bound.backend.is_tensor)[1]
    slots = list(step.slots)
    for index, (slot, leaf) in enumerate(zip(step.slots, leaves)):
        spelled = step.spelled(index)
        if spelled is not None and index < len(held) and held[index] is leaf:
            slots[index] = replace(slot, kept=(spelled, *slot.kept))
    return replace(step, slots=tuple(slots))


def _holder(frame: _Frame, leaves: list[Any]) -> str | None:
    """The parameter that holds the whole state."""
    for name, value in frame.arguments.items():
        parts = list(value) if isinstance(value, (tuple, list)) else [value]
        if len(parts) == len(leaves) and all(part is leaf for part, leaf in zip(parts, leaves)):
            return name
    return None
