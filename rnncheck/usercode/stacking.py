"""How a method takes its state one layer after the other, read from its source: to choose what to try first."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rnncheck.usercode.source import called_name, inside
from rnncheck.usercode.usage import unpacking

MOST = 16
"""More layers than so many are something else that is counted."""

_SAME_LENGTH = frozenset("enumerate zip reversed list tuple iter".split())


@dataclass(frozen=True)
class Stacked:
    """A parameter that a method takes apart by layers.

    ``counted`` are the attributes of ``self`` that tell how many there are, by their length or as a number; ``parts``
    how many parts there are to each, None where it is not taken apart.
    """

    counted: tuple[str, ...]
    parts: int | None

    def count(self, cell: Any) -> int | None:
        """How many layers this cell has; None where it does not say."""
        values: list[Any] = [getattr(cell, name, None) for name in self.counted]
        numbers = [value if type(value) is int else len(value) if hasattr(value, "__len__") else 0 for value in values]
        return next((number for number in numbers if 1 <= number <= MOST), None)


@functools.lru_cache(maxsize=256)
def stacked(function: ast.FunctionDef, name: str) -> Stacked | None:
    """How a variable is taken apart in a loop over layers, by itself (``zip(self.cells, states)``) or by the number of
    the layer (``states[i]``); None where it is not."""
    loops = [node for node in inside(function) if isinstance(node, (ast.For, ast.comprehension))]
    for loop in loops:
        together = list(_together(loop.target, loop.iter))
        for target, over in together:
            if _is_taken(over, name) and target is not None:
                return Stacked(_counted(together), _parts(function, target))
        numbers = {target.id for target, over in together if isinstance(target, ast.Name) and _is_range(over)}
        taken = [node for node in inside(function) if _by_number(node, name, numbers)]
        if taken:
            return Stacked(_counted(together), _parts_by_number(function, taken))
    return None


def _is_taken(over: ast.expr, name: str) -> bool:
    """Whether this is the variable itself, or ``h.unbind(0)``: a tensor taken apart along its first axis."""
    if isinstance(over, ast.Call) and called_name(over) in ("unbind", "unstack"):
        method = isinstance(over.func, ast.Attribute) and ast.unparse(over.func.value) == name
        along = over.args if method else over.args[1:]
        axes = [*along, *(item.value for item in over.keywords if item.arg in ("dim", "axis"))]
        first = all(isinstance(axis, ast.Constant) and axis.value == 0 for axis in axes)
        return first and (method or (bool(over.args) and ast.unparse(over.args[0]) == name))
    return isinstance(over, ast.Name) and over.id == name


def _together(target: ast.expr, over: ast.expr) -> Iterator[tuple[ast.expr | None, ast.expr]]:
    """What a loop goes over in step, each with the variable that it fills."""
    function = over.func if isinstance(over, ast.Call) else None
    if not isinstance(over, ast.Call) or not isinstance(function, ast.Name) or function.id not in _SAME_LENGTH:
        yield target, over
        return
    parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
    if function.id == "zip":
        fitting = len(parts) == len(over.args)
        for index, argument in enumerate(over.args):
            yield from _together(parts[index] if fitting else ast.Constant(None), argument)
    elif function.id == "enumerate" and over.args:
        if len(parts) == 2:
            yield parts[0], ast.Call(ast.Name("range", ast.Load()), list(over.args[:1]), [])
            target = parts[1]
        yield from _together(target, over.args[0])
    elif over.args:
        yield from _together(target, over.args[0])


def _is_range(over: ast.expr) -> bool:
    return isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range"


def _counted(together: list[tuple[ast.expr | None, ast.expr]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, over in together for name in attributes(over)))


def attributes(node: ast.AST) -> tuple[str, ...]:
    """The attributes of ``self`` that code names."""
    found = [part for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    return tuple(dict.fromkeys(part.attr for part in found if ast.unparse(part.value) == "self"))


def _by_number(node: ast.AST, name: str, numbers: set[str]) -> bool:
    """Whether this is ``name[i]`` for one of these numbers."""
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and isinstance(node.slice, ast.Name)
        and node.slice.id in numbers
    )


def _parts(function: ast.FunctionDef, target: ast.expr) -> int | None:
    """Into how many parts a variable of a loop is taken apart."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return len(target.elts)
    used = unpacking(function, target.id) if isinstance(target, ast.Name) else None
    if used is None or used[0] not in ("tuple", "index"):
        return None
    return len(used[1]) if used[0] == "tuple" else int(used[1][0])


def _parts_by_number(function: ast.FunctionDef, taken: list[ast.AST]) -> int | None:
    """Into how many parts what stands under a number is taken apart, at once, by numbers again, or by another name."""
    known = {id(node) for node in taken}
    numbers = []
    for node in inside(function):
        if isinstance(node, ast.Assign) and id(node.value) in known and (found := _parts(function, node.targets[0])):
            return found
        if isinstance(node, ast.Subscript) and id(node.value) in known and isinstance(node.slice, ast.Constant):
            numbers.append(node.slice.value)
    whole = [number for number in numbers if type(number) is int and number >= 0]
    return max(whole) + 1 if whole else None
