"""Reading the locals of the running ``call``/``forward``: what was computed, on which line, what came back.

A trace function (``sys.settrace``) is set for one call of the cell. It follows only the frames of the
user's file, and at each line notes which local variables were bound to another tensor.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any


@dataclass(frozen=True)
class Binding:
    """A local variable was bound to this tensor by the statement on this line."""

    name: str
    line: int
    value: Any
    in_method: bool


@dataclass
class Recording:
    """One call of the cell. ``return_line`` is None when the method had no Python frame or raised."""

    bindings: list[Binding] = field(default_factory=list)
    return_line: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def code_of(function: Any) -> CodeType | None:
    """The code object that runs when ``function`` is called, under its decorators; None for C or script."""
    try:
        unwrapped = inspect.unwrap(getattr(function, "python_function", function))
    except ValueError:
        return None
    code = getattr(getattr(unwrapped, "__func__", unwrapped), "__code__", None)
    return code if isinstance(code, CodeType) else None


@contextmanager
def recording(code: CodeType | None, is_tensor: Callable[[Any], bool]) -> Iterator[Recording]:
    """Record the next call of ``code``, and of the functions of the same file that it calls."""
    record = Recording()
    if code is None:
        yield record
        return
    watcher = _Watcher(code, is_tensor, record)
    before = sys.gettrace()
    sys.settrace(watcher.enter)
    try:
        yield record
    finally:
        sys.settrace(before)


class _Watcher:
    def __init__(self, code: CodeType, is_tensor: Callable[[Any], bool], record: Recording) -> None:
        self.code, self.is_tensor, self.record = code, is_tensor, record
        self.outermost: FrameType | None = None
        self.finished = False

    def enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        if self.finished or frame.f_code.co_filename != self.code.co_filename:
            return None
        in_method = frame.f_code is self.code and self.outermost is None
        if in_method:
            self.outermost = frame
            self.record.arguments = dict(frame.f_locals)
        elif self.outermost is None or frame.f_code.co_name.startswith("<"):
            return None
        return _Frame(self, frame, in_method).step


class _Frame:
    """The local variables of one running frame, compared from line to line."""

    def __init__(self, watcher: _Watcher, frame: FrameType, in_method: bool) -> None:
        self.watcher, self.in_method = watcher, in_method
        self.line = frame.f_lineno
        self.known = {name: id(value) for name, value in frame.f_locals.items()}
        self.kept: list[Any] = list(frame.f_locals.values())

    def step(self, frame: FrameType, event: str, argument: Any) -> Any:
        self._compare(frame)
        if event == "return" and self.in_method:
            # An exception leaves the frame with None too; then there is no returned value to explain.
            self.watcher.record.return_line = frame.f_lineno
            self.watcher.finished = True
            self.watcher.outermost = None
        self.line = frame.f_lineno
        return self.step

    def _compare(self, frame: FrameType) -> None:
        for name, value in frame.f_locals.items():
            if self.known.get(name) == id(value):
                continue
            self.known[name] = id(value)
            self.kept.append(value)
            for suffix, tensor in self._tensors(value):
                self.watcher.record.bindings.append(Binding(name + suffix, self.line, tensor, self.in_method))

    def _tensors(self, value: Any) -> Iterator[tuple[str, Any]]:
        if self.watcher.is_tensor(value):
            yield "", value
        elif isinstance(value, (list, tuple)) and len(value) <= 16:
            for index, part in enumerate(value):
                if self.watcher.is_tensor(part):
                    yield f"[{index}]", part
