"""Arguments that are no literals: ``torch.tanh``, ``ncps.wirings.FullyConnected(8)``.

They are kept as text and made when a cell is built, a new object for every cell, so that reading a command line
imports nothing.
"""

from __future__ import annotations

import ast
import enum
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnncheck.errors import UsageError
from rnncheck.usercode import usertrace

_SAFE = {
    function.__name__: function for function in (bool, complex, dict, float, frozenset, int, list, range, set, slice,
                                                 str, tuple)
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """An object to be made anew for each cell, and how a user would write it. ``cls`` is its class, where that is
    a configuration's."""

    text: str
    make: Callable[[], Any] = field(compare=False)
    cls: type | None = None

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Expression:
    """The text of a dotted name, a call, or a list, tuple or dict that holds some."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def resolved(self, scope: Mapping[str, Any], option: str = "--kwargs") -> Any:
        """The object, its names looked up in ``scope`` and else imported; a lone name that is neither stays text.

        Raises UsageError, in which the ``option`` is named, when a call cannot be made.
        """
        tree = ast.parse(self.text.strip(), mode="eval").body
        try:
            return _value(tree, scope)
        except Exception as error:
            if not any(isinstance(node, ast.Call) for node in ast.walk(tree)):
                return self.text
            if isinstance(error, UsageError):
                raise UsageError(f"{option} {error.message}", hint=error.hint, details=error.details) from error
            if not isinstance(error, _Unresolved):
                raise UsageError(f"{option} {self.text} raised {usertrace.summary(error)}.") from error
            raise UsageError(
                f"{option} {self.text}: {error}.", hint="Names are written in full: package.module.Name."
            ) from error


class _Unresolved(Exception):
    """A name that is neither in scope nor importable."""


def value_of(text: str) -> Any:
    """What is meant by the text of an argument: a literal, an Expression, or the text itself."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return expression(text) or text


def expression(text: str) -> Expression | None:
    """The Expression that the text spells, if it names or calls anything by a dotted name or calls at all."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    allowed = (
        ast.Expression, ast.Name, ast.Attribute, ast.Call, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set,
        ast.UnaryOp, ast.USub, ast.UAdd, ast.keyword, ast.Load,
    )  # fmt: skip
    nodes = list(ast.walk(tree))
    if not all(isinstance(node, allowed) for node in nodes):
        return None
    callees = [node.func for node in nodes if isinstance(node, ast.Call)]
    dotted = [node for node in nodes if isinstance(node, ast.Attribute)]
    if not all(_begins_with_a_name(node) for node in (*callees, *dotted)) or not (callees or dotted):
        return None
    return Expression(text.strip())


def _begins_with_a_name(node: ast.expr) -> bool:
    """As ``torch.zeros(3).long`` does, in which a method of what a call made is named."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return isinstance(node, ast.Name)


def _dotted(node: ast.expr) -> list[str] | None:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


def _value(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Name, ast.Attribute)):
        parts = _dotted(node)
        if parts is None and isinstance(node, ast.Attribute):
            return getattr(_value(node.value, scope), node.attr)
        return _named(parts or [], scope)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        values = [_value(part, scope) for part in node.elts]
        return values if isinstance(node, ast.List) else tuple(values) if isinstance(node, ast.Tuple) else set(values)
    if isinstance(node, ast.Dict):
        keys = [None if key is None else _value(key, scope) for key in node.keys]
        return dict(zip(keys, (_value(part, scope) for part in node.values)))
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, scope)
        return -operand if isinstance(node.op, ast.USub) else +operand
    assert isinstance(node, ast.Call)
    return _called(node, scope)


def _called(node: ast.Call, scope: Mapping[str, Any]) -> Any:
    function = _value(node.func, scope)
    arguments = [_value(part, scope) for part in node.args]
    keywords = {keyword.arg: _value(keyword.value, scope) for keyword in node.keywords if keyword.arg is not None}
    try:
        return function(*arguments, **keywords)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UsageError(
            f"{ast.unparse(node)} raised {usertrace.summary(error)}.", details=usertrace.format_user(error)
        ) from error


def _named(parts: list[str], scope: Mapping[str, Any]) -> Any:
    """The object of a dotted name: from the target's own module, else by importing what can be imported of it."""
    first, *rest = parts
    if first in scope:
        found, path = scope[first], first
    elif not rest and first in _SAFE:
        return _SAFE[first]
    else:
        if not rest or not _importable(first):
            raise _Unresolved(f"there is no module '{first}'" if rest else f"there is no '{first}'")
        found, path = _imported(first), first
    for name in rest:
        path = f"{path}.{name}"
        try:
            found = getattr(found, name)
        except AttributeError:
            if not inspect.ismodule(found):
                raise _Unresolved(f"there is no '{path}'") from None
            try:
                found = _imported(f"{found.__name__}.{name}")
            except ModuleNotFoundError:
                raise _Unresolved(f"there is no '{path}'") from None
    return found


def _importable(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise UsageError(f"{name}: importing it raised {usertrace.summary(error)}.") from error


def in_range(number: float) -> bool:
    """Whether a number is one that every reader of JSON has: not infinite, not NaN, no whole number beyond floats."""
    return abs(number) <= sys.float_info.max


def text_of(value: Any) -> str:
    """How a value is shown and written: a function or a class by its dotted name, never with an address."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        inner = ", ".join(text_of(part) for part in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if type(value) is dict:
        return "{" + ", ".join(f"{text_of(key)}: {text_of(part)}" for key, part in value.items()) + "}"
    if isinstance(value, enum.Enum):
        return f"{text_of(type(value))}.{value.name}"
    if isinstance(value, int) and not in_range(value):
        return hex(value)
    if isinstance(value, (Made, Expression, str, int, float, complex, bool, type(None))):
        return repr(value)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if isinstance(name, str):
        module = getattr(value, "__module__", None)
        if not isinstance(module, str) or module == "builtins":
            return name
        short = name.rpartition(".")[2]
        return f"{module}.{short if getattr(sys.modules.get(module), short, None) is value else name}"
    try:
        text = repr(value)
    except Exception:
        text = ""
    return text if text and " at 0x" not in text and len(text) <= 200 else f"{type(value).__qualname__}(...)"
