"""The user's functions under the decorators around them."""

from __future__ import annotations

import inspect
from types import CodeType
from typing import Any


def code_of(function: Any) -> CodeType | None:
    """The code object that runs when ``function`` is called, under its decorators; None for C or script."""
    try:
        found = inspect.unwrap(undecorated(getattr(function, "python_function", function)))
    except ValueError:
        return None
    code = getattr(getattr(found, "__func__", found), "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_method(value: Any) -> bool:
    """Whether an attribute of a class is a method of its instances in Python, under whatever decorators."""
    return not isinstance(value, (staticmethod, classmethod, property, type)) and code_of(value) is not None


def undecorated(function: Any) -> Any:
    """The user's function under the decorator that Sonnet puts around every method, which keeps it in a closure
    and has no signature."""
    bare = getattr(function, "__func__", function)
    names = getattr(getattr(bare, "__code__", None), "co_freevars", ())
    if str(getattr(bare, "__module__", "")).startswith("sonnet.") and "f" in names:
        return undecorated(bare.__closure__[names.index("f")].cell_contents)
    return function
