"""Recording locals, on plain Python functions: a list of one number stands for a tensor."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from rnncheck.running.capture import Recording, recording
from rnncheck.usercode.functions import code_of


class Value:
    """Stands for a tensor."""


def is_tensor(value: Any) -> bool:
    return isinstance(value, Value)


def record(function: Any, *arguments: Any) -> tuple[Recording, int]:
    with recording(code_of(function), is_tensor) as kept:
        function(*arguments)
    return kept, function.__code__.co_firstlineno


def lines(kept: Recording, first: int) -> list[tuple[str, int]]:
    return [(binding.name, binding.line - first) for binding in kept.bindings]


def test_each_binding_has_the_line_of_its_statement() -> None:
    def step(x: Value) -> Value:
        first = Value()
        second = (
            Value()
        )  # fmt: skip
        first = second
        return first

    kept, start = record(step, Value())
    assert lines(kept, start)[0] == ("first", 1)
    assert lines(kept, start)[-1] == ("first", 5)
    assert kept.return_line == start + 6
    assert kept.returns[0].variables["second"] is kept.returns[0].value


def test_tensors_in_a_tuple_are_named_by_their_place() -> None:
    def step() -> None:
        state = (Value(), 3, Value())
        _, last = state[0], state[2]

    kept, start = record(step)
    assert lines(kept, start) == [("state[0]", 1), ("state[2]", 1), ("_", 2), ("last", 2)]


def test_helpers_of_the_same_file_are_followed_and_told_apart() -> None:
    def step() -> Value:
        new = helper()
        return new

    kept, _ = record(step)
    assert [(binding.name, binding.frame) for binding in kept.bindings] == [("inner", 1), ("new", 0)]
    assert kept.returns[1].value is kept.returns[0].value


def test_an_argument_that_is_given_another_value_is_remembered() -> None:
    def step(x: Value, state: Value | None = None) -> Value:
        if state is None:
            state = Value()
        state = x
        return state

    kept, _ = record(step, Value())
    assert isinstance(kept.rebound["state"], Value)
    assert kept.rebound["state"] is not kept.returns[0].value


def helper() -> Value:
    inner = Value()
    return inner


def test_the_branch_that_ran_is_the_one_recorded() -> None:
    def step(flag: bool) -> Value:
        if flag:
            new = Value()
        else:
            new = Value()
            return new
        return new

    kept, start = record(step, False)
    assert lines(kept, start) == [("new", 4)]
    assert kept.return_line == start + 5


def test_the_tracing_that_was_on_is_put_back_also_when_the_cell_raises() -> None:
    def tracer(frame: Any, event: str, argument: Any) -> None:
        return None

    def step() -> None:
        raise RuntimeError

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        with recording(code_of(step), is_tensor):
            try:
                step()
            except RuntimeError:
                pass
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_what_has_no_python_code_is_called_without_a_record() -> None:
    assert code_of(len) is None
    with recording(code_of(len), is_tensor) as kept:
        len([])
    assert kept.bindings == []


def test_a_return_within_a_with_has_its_own_line() -> None:
    def step(x: Value) -> Value:
        with contextlib.nullcontext(), contextlib.suppress(KeyError):
            x = Value()
            with contextlib.nullcontext():
                return x

    def ends_with_a_with(x: Value) -> None:
        with contextlib.nullcontext():
            x = Value()

    kept, start = record(step, Value())
    assert kept.return_line == start + 4
    kept, start = record(ends_with_a_with, Value())
    assert kept.return_line == start + 1
