"""Reading the locals of the running ``call``/``forward``: what was computed, on which line, what came back.

A trace function (``sys.settrace``) is set for one call of the cell. It follows only the frames of the
user's file, and at each line notes which local variables were bound to another tensor.
"""

from __future__ import annotations

import ast
import contextlib
import operator
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from rnncheck.usercode import source

Key = tuple[str, int, int, int]

METHOD = 0
"""The frame number of the recorded method itself; the functions that it calls count from 1."""


@dataclass(frozen=True)
class Binding:
    """In a frame, a local variable was bound to this tensor by the statement on this line, or, ``in_place``, the
    numbers of the tensor that it had were changed there."""

    name: str
    line: int
    value: Any
    frame: int
    in_place: bool = False


@dataclass(frozen=True)
class Return:
    """A frame ended on this line with this value and these local variables."""

    frame: int
    line: int
    value: Any
    variables: Mapping[str, Any]


def holds(value: Any, tensor: Any) -> bool:
    """Whether this very tensor is the value, or a part of it."""
    if value is tensor:
        return True
    if isinstance(value, (list, tuple)):
        return any(holds(part, tensor) for part in value)
    return isinstance(value, dict) and any(holds(part, tensor) for part in value.values())


@dataclass(frozen=True)
class Helper:
    """A function of the same file, from its first to its last line, and the line of the method on which it ran as
    this frame."""

    first: int
    last: int
    called: int
    frame: int


@dataclass
class Recording:
    """One call of the cell. ``rebound`` maps arguments of the method to the first other value they took, ``changed``
    what was watched to the line that first changed it; ``lines`` are those of the file that ran."""

    bindings: list[Binding] = field(default_factory=list)
    returns: dict[int, Return] = field(default_factory=dict)
    rebound: dict[str, Any] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    lines: set[int] = field(default_factory=set)
    helpers: set[Helper] = field(default_factory=set)

    @property
    def step(self) -> int:
        """The frame in which the step is written: the method's, or that of the helper to which it hands all on."""
        ended = self.returns.get(METHOD)
        delegates = (
            helper.frame
            for helper in self.helpers
            if ended is not None
            and helper.called == ended.line
            and helper.frame in self.returns
            and self.returns[helper.frame].value is ended.value
        )
        return min(delegates, default=METHOD)

    @property
    def return_line(self) -> int | None:
        """Where the step returned; None when it had no Python frame."""
        return self.returns[self.step].line if METHOD in self.returns else None

    def keyed(self) -> dict[Key, Binding]:
        """Each binding by its name, line, frame and how often it was made there before."""
        found: dict[Key, Binding] = {}
        seen: Counter[tuple[str, int, int]] = Counter()
        for binding in self.bindings:
            place = (binding.name, binding.line, binding.frame)
            found[binding.name, binding.line, binding.frame, seen[place]] = binding
            seen[place] += 1
        return found

    def in_method(self) -> list[Binding]:
        return [binding for binding in self.bindings if binding.frame == METHOD]


@contextmanager
def recording(
    code: CodeType | None,
    is_tensor: Callable[[Any], bool],
    held: Sequence[str] = (),
    watched: Mapping[str, Callable[[], Any]] | None = None,
) -> Iterator[Recording]:
    """Record the next call of ``code``, and of the functions of the same file that it calls.

    ``held`` are attributes of ``self`` (dotted paths) that are followed like local variables, ``watched`` functions
    whose answers are compared from line to line.
    """
    record = Recording()
    if code is None:
        yield record
        return
    watcher = _Watcher(code, is_tensor, record, held, watched or {})
    before = sys.gettrace()
    sys.settrace(watcher.enter)
    try:
        yield record
    finally:
        sys.settrace(before)


class _Watcher:
    def __init__(
        self,
        code: CodeType,
        is_tensor: Callable[[Any], bool],
        record: Recording,
        held: Sequence[str],
        watched: Mapping[str, Callable[[], Any]],
    ) -> None:
        self.code, self.is_tensor, self.record, self.held, self.watched = code, is_tensor, record, held, watched
        self.before = {name: look() for name, look in watched.items()}
        self.frames = 0

    def look(self, line: int) -> None:
        """Note what the statement on a line, which has just run, changed."""
        for name, look in self.watched.items():
            if name not in self.record.changed and look() != self.before[name]:
                self.record.changed[name] = line

    def enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if METHOD in self.record.returns or frame.f_code.co_filename != self.code.co_filename:
            return None
        if self.frames == 0 and frame.f_code is not self.code:
            return None
        if frame.f_code.co_name.startswith("<"):
            return None
        number = self.frames
        self.frames += 1
        if number != METHOD:
            self._note_helper(frame, number)
        return _Frame(self, frame, number).step

    def _note_helper(self, frame: FrameType, number: int) -> None:
        caller = frame.f_back
        while caller is not None and caller.f_code is not self.code:
            caller = caller.f_back
        if caller is not None:
            last = max((line for *_, line in frame.f_code.co_lines() if line), default=frame.f_lineno)
            self.record.helpers.add(Helper(frame.f_code.co_firstlineno, last, caller.f_lineno, number))


NESTED = 8
"""Of how many blocks within each other the innermost return is found."""


class _Frame:
    """The local variables of one running frame, compared from line to line."""

    def __init__(self, watcher: _Watcher, frame: FrameType, number: int) -> None:
        self.watcher, self.number = watcher, number
        self.line = frame.f_lineno
        self.past: deque[int] = deque(maxlen=NESTED)
        self.arguments = self._variables(frame)
        self.known = {name: id(value) for name, value in self.arguments.items()}
        self.versions = {name: _version(value) for name, value in self.arguments.items()}
        self.kept: list[Any] = list(self.arguments.values())

    def step(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._compare(frame)
        self.watcher.look(self.line)
        self.watcher.record.lines.add(frame.f_lineno)
        if event == "return":
            variables, line = self._variables(frame), self._left_at(frame)
            # What a helper computes in its return statement has no name; of the method itself it has its code.
            names = source.returned_expressions(frame.f_code.co_filename, line) if self.number == METHOD else {}
            for place, tensor in self._tensors(argument):
                name = names.get(place) if self.number == METHOD else ""
                if name is not None and not any(tensor is value for value in variables.values()):
                    self.watcher.record.bindings.append(Binding(name, line, tensor, self.number))
            self.watcher.record.returns[self.number] = Return(self.number, line, argument, variables)
        self.line = frame.f_lineno
        self.past.append(self.line)
        return self.step

    def _left_at(self, frame: FrameType) -> int:
        """The line of the return statement, also where Python runs the ``with`` around it once more to leave it."""
        path = frame.f_code.co_filename
        for line in (frame.f_lineno, *reversed(self.past)):
            found = source.statement(path, line)
            if not isinstance(found, (ast.With, ast.AsyncWith)):
                return line if isinstance(found, ast.Return) else frame.f_lineno
        return frame.f_lineno

    def _compare(self, frame: FrameType) -> None:
        record = self.watcher.record
        for name, value in self._variables(frame).items():
            version = _version(value)
            if self.known.get(name) == id(value):
                if self.versions.get(name) != version:
                    self.versions[name] = version
                    record.bindings.append(Binding(name, self.line, value, self.number, in_place=True))
                continue
            self.versions[name] = version
            self.known[name] = id(value)
            self.kept.append(value)
            if self.number == METHOD and name in self.arguments:
                record.rebound.setdefault(name, value)
            for suffix, tensor in self._tensors(value):
                record.bindings.append(Binding(name + suffix, self.line, tensor, self.number))

    def _variables(self, frame: FrameType) -> dict[str, Any]:
        variables = dict(frame.f_locals)
        if self.number == METHOD and self.watcher.held and frame.f_code.co_argcount:
            first = frame.f_code.co_varnames[0]
            for path in self.watcher.held:
                with contextlib.suppress(AttributeError, KeyError):
                    variables[f"{first}.{path}"] = operator.attrgetter(path)(frame.f_locals[first])
        return variables

    def _tensors(self, value: Any) -> Iterator[tuple[str, Any]]:
        if self.watcher.is_tensor(value):
            yield "", value
        elif isinstance(value, (list, tuple)) and len(value) <= 16:
            fields = getattr(value, "_fields", None)
            for index, part in enumerate(value):
                if self.watcher.is_tensor(part):
                    yield f".{fields[index]}" if fields else f"[{index}]", part
        elif isinstance(value, dict) and len(value) <= 16:
            for key, part in dict.items(value):
                if self.watcher.is_tensor(part):
                    yield f"[{key!r}]", part


def _version(value: Any) -> int:
    """How often a tensor of PyTorch was changed in place."""
    if not hasattr(type(value), "_version"):
        return 0
    try:
        return int(value._version)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return 0
