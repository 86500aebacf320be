"""What stands around a cell's class and may hold numbers: globals of its module, attributes of the class, closures,
defaults of arguments."""

from __future__ import annotations

import functools
import inspect
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import CellType, FunctionType
from typing import Any

from rnncheck.usercode.definitions import is_framework
from rnncheck.usercode.functions import undecorated

KINDS = (list, dict, set, deque)


def outside(cell: Any) -> dict[str, Callable[[], Any]]:
    """How to read each of these places, by the name that the user knows it by."""
    found: dict[str, Callable[[], Any]] = {}
    for name, holder, key in _globals(cell):
        found[name] = functools.partial(holder.get, key)
    for cls, name in _attributes(cell):
        found[f"{cls.__name__}.{name}"] = functools.partial(vars(cls).get, name)
    for name, closed in _closures(cell):
        found[name] = functools.partial(_contents, closed)
    for name, default in _defaults(cell):
        found[name] = functools.partial(_itself, default)
    return found


def remember(cell: Any) -> tuple[list[Any], Callable[[], None]]:
    """The values that stand there now, and a function that puts these very objects back where they stood."""
    held = [(holder, key, holder[key]) for _, holder, key in _globals(cell)]
    own = [(cls, name, vars(cls)[name]) for cls, name in _attributes(cell)]
    closed = [(cell_of, _contents(cell_of)) for _, cell_of in _closures(cell)]

    def restore() -> None:
        for holder, key, value in held:
            if holder.get(key) is not value:
                holder[key] = value
        for cls, name, value in own:
            if vars(cls).get(name) is not value:
                setattr(cls, name, value)
        for cell_of, value in closed:
            if _contents(cell_of) is not value:
                cell_of.cell_contents = value

    values = [*(value for *_, value in (*held, *own, *closed)), *(value for _, value in _defaults(cell))]
    return values, restore


def _classes(cell: Any) -> list[type]:
    return [base for base in type(cell).__mro__ if not is_framework(base) and base.__module__ != "builtins"]


def _functions(cell: Any) -> list[FunctionType]:
    """The methods of the cell's classes, and the functions of their modules that they call."""
    found: dict[int, FunctionType] = {}
    waiting = [_bare(value) for base in _classes(cell) for value in vars(base).values()]
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType) or id(function.__code__) in found:
            continue
        found[id(function.__code__)] = function
        space = function.__globals__
        called = (_bare(space.get(name)) for name in _mentioned(function.__code__))
        waiting += [other for other in called if getattr(other, "__module__", None) == function.__module__]
    return list(found.values())


def _bare(value: Any) -> Any:
    """The function under its decorators."""
    value = value.fget if isinstance(value, property) else getattr(value, "python_function", value)
    value = getattr(value, "__func__", value)
    if not isinstance(value, FunctionType):
        return None
    try:
        return inspect.unwrap(undecorated(value))
    except ValueError:
        return value


def _globals(cell: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The global names that the methods mention, and that hold values."""
    seen = set()
    for function in _functions(cell):
        for name in _mentioned(function.__code__):
            space = function.__globals__
            if name in space and (id(space), name) not in seen and is_value(space[name]):
                seen.add((id(space), name))
                yield name, space, name


def _mentioned(code: Any) -> set[str]:
    inner = [_mentioned(constant) for constant in code.co_consts if hasattr(constant, "co_names")]
    return set(code.co_names).union(*inner)


def _attributes(cell: Any) -> Iterator[tuple[type, str]]:
    for base in _classes(cell):
        for name, value in list(vars(base).items()):
            if not name.startswith("__") and is_value(value):
                yield base, name


def _closures(cell: Any) -> Iterator[tuple[str, CellType]]:
    for function in _functions(cell):
        for name, closed in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if name != "__class__" and is_value(_contents(closed)):
                yield name, closed


def _defaults(cell: Any) -> Iterator[tuple[str, Any]]:
    """Arguments whose default is a container, which is made once."""
    for function in _functions(cell):
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        given = function.__defaults__ or ()
        for name, value in (*zip(names[len(names) - len(given) :], given), *(function.__kwdefaults__ or {}).items()):
            if isinstance(value, KINDS):
                yield name, value


def _itself(value: Any) -> Any:
    return value


def _contents(closed: CellType) -> Any:
    try:
        return closed.cell_contents
    except ValueError:
        return None


def is_value(value: Any) -> bool:
    """Whether this is a number, a container, an array, a tensor or a generator of random numbers; or nothing, since a
    tensor may come there."""
    if value is None or isinstance(value, (int, float, complex, *KINDS)):
        return True
    numpy, torch, tensorflow = (sys.modules.get(name) for name in ("numpy", "torch", "tensorflow"))
    kinds = [
        random.Random,
        *((numpy.ndarray, numpy.random.Generator, numpy.random.RandomState) if numpy else ()),
        torch.Tensor if torch else None,
        *((tensorflow.Tensor, tensorflow.Variable) if tensorflow and hasattr(tensorflow, "Variable") else ()),
    ]
    return isinstance(value, tuple(kind for kind in kinds if kind is not None))
