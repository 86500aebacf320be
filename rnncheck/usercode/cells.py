"""Which classes of a file are cells."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from rnncheck.usercode import source
from rnncheck.usercode.definitions import (
    FRAMEWORKS,
    FURTHER_WORDS,
    is_framework,
    is_state_name,
    is_step_name,
    method_of,
    root_of,
    words,
)
from rnncheck.usercode.functions import code_of, is_method, undecorated


def is_network_class(cls: type) -> bool:
    """Whether the class derives from one of a framework and computes something of its own instances: a function with a
    derivative of its own has none."""
    derived = any(base.__module__.split(".")[0] in FRAMEWORKS for base in cls.__mro__[1:])
    return derived and not isinstance(inspect.getattr_static(cls, "forward", None), staticmethod)


def _is_framework_cell(base: type) -> bool:
    return root_of(base) in FRAMEWORKS and base.__name__.endswith(("Cell", "Cells", "CellBase"))


def is_cell_class(cls: type) -> bool:
    """Whether a class found in a file takes a state: its method, or one that is a step by its name, has a parameter
    named like one; or it is itself named a cell, and its method takes more than an input. What others derive from and
    computes nothing itself is none."""
    if not is_network_class(cls) or inspect.isabstract(cls):
        return False
    method = method_of(cls)
    steps = [
        undecorated(value)
        for base in cls.__mro__
        if not is_framework(base)
        for name, value in vars(base).items()
        if is_step_name(name) and is_method(value)
    ]
    own = method is not None and (root_of(method) not in FRAMEWORKS or any(map(_is_framework_cell, cls.__mro__)))
    named = "cell" in words(cls.__name__)
    methods = [method, *steps] if own else steps
    return any(_takes_state(one, named=named and one is method) and not _is_stub(one, cls) for one in methods)


def _takes_state(method: Any, *, named: bool) -> bool:
    """``named``: whether its class is called a cell, so that its arguments may be called as in a paper."""
    try:
        parameters = list(inspect.signature(method).parameters.values())[1:]
    except (TypeError, ValueError):
        return False
    names = [parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD]
    if len(names) < 2:
        return False
    others = [parameter for parameter in parameters[1:] if parameter.default is parameter.empty]
    return any(map(is_state_name, names)) or (
        named and any(not words(parameter.name) & FURTHER_WORDS for parameter in others)
    )


def is_base(cls: type) -> bool:
    """Whether a class is there to be derived from: its step is a stub."""
    return _is_stub(method_of(cls), cls)


def _is_stub(method: Any, cls: type) -> bool:
    """Whether a method is there to be overridden: it raises, or others derive from its class and it does nothing, or
    gives back what went in without the state."""
    function = source.function_of(code_of(method))
    if function is None:
        return False
    body = [node for node in function.body if not _is_remark(node)]
    only = body[0] if body else ast.Pass()
    if len(body) > 1 or not isinstance(only, (ast.Raise, ast.Pass, ast.Return)):
        return False
    if isinstance(only, ast.Return):
        parts = [node for node in ast.walk(only) if isinstance(node, ast.expr)]
        bare = all(isinstance(node, (ast.Name, ast.Tuple)) for node in parts)
        if not bare or any(isinstance(node, ast.Name) and is_state_name(node.id) for node in parts):
            return False
    return isinstance(only, ast.Raise) or bool(cls.__subclasses__())


def _is_remark(node: ast.stmt) -> bool:
    """Whether a statement is a docstring or an ellipsis."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
