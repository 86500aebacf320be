"""Statements of the user's file: where they stand and what they name.

Works on text and syntax trees, and only names what was seen running.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import TypeGuard

from rnncheck.trace import Span
from rnncheck.usercode.definitions import FRAMEWORKS

TENSOR_ATTRIBUTES = frozenset(
    [
        "shape",
        "dtype",
        "device",
        "ndim",
        "data",
        "T",
        "mT",
        "H",
        "grad",
        "is_cuda",
        "requires_grad",
        "real",
        "imag",
        "name",
        "layout",
    ]
)


@dataclass(frozen=True)
class _File:
    """A file's syntax tree, read once and looked up by line and by name: a file may hold a thousand cells."""

    innermost: Mapping[int, ast.stmt]
    functions: Mapping[int, ast.FunctionDef]
    classes: Mapping[str, Sequence[ast.ClassDef]]
    around: Mapping[int, Sequence[ast.ClassDef]]


@functools.lru_cache(maxsize=64)
def _file(path: str) -> _File:
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return _File({}, {}, {}, {})
    # The walk comes to what is inside after what is around it.
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    innermost: dict[int, ast.stmt] = {}
    functions: dict[int, ast.FunctionDef] = {}
    classes: dict[str, list[ast.ClassDef]] = {}
    around: dict[int, list[ast.ClassDef]] = {}
    for node in statements:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for line in lines:
            known = innermost.get(line)
            if known is None or len(lines) < (known.end_lineno or known.lineno) - known.lineno + 1:
                innermost[line] = node
        if isinstance(node, ast.FunctionDef):
            for line in (node.lineno, min([node.lineno, *(part.lineno for part in node.decorator_list)])):
                functions.setdefault(line, node)
        if isinstance(node, ast.ClassDef):
            classes.setdefault(node.name, []).append(node)
            for line in lines:
                around.setdefault(line, []).append(node)
    return _File(innermost, functions, classes, around)


@functools.lru_cache(maxsize=256)
def inside(node: ast.AST) -> tuple[ast.AST, ...]:
    """A statement and all inside it, for those who look through it again and again."""
    return tuple(ast.walk(node))


def called_name(call: ast.Call) -> str:
    """The last name of what is called, ``Linear`` of ``nn.Linear(8, 8)``; empty where it is no name."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def statement(path: str | None, line: int | None) -> ast.stmt | None:
    """The innermost statement that covers a line."""
    return _file(path).innermost.get(line) if path is not None and line is not None else None


def span(path: str | None, line: int | None) -> Span | None:
    """The extent of the statement on a line, and its first line of text."""
    if path is None or line is None:
        return None
    node = statement(path, line)
    if node is None:
        text = linecache.getline(path, line).rstrip("\n")
        column = len(text) - len(text.lstrip()) + 1
        return Span(line, line, column, text.strip()) if text else None
    text = linecache.getline(path, node.lineno).strip()
    return Span(node.lineno, node.end_lineno or node.lineno, node.col_offset + 1, text)


def parameters(path: str | None, line: int | None) -> tuple[str, ...]:
    """What the function that begins on a line takes, by name."""
    function = function_at(path, line)
    taken = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs) if function is not None else ()
    return tuple(item.arg for item in taken)


@functools.lru_cache(maxsize=256)
def returned_expressions(path: str | None, line: int | None) -> dict[str, str]:
    """The parts of the tuple that a return statement on a line puts together that are computed in it, by their places
    (``[0]``)."""
    node = statement(path, line)
    value = node.value if isinstance(node, ast.Return) else None
    parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
    computed = (ast.BinOp, ast.UnaryOp, ast.Call)
    return {f"[{place}]": ast.unparse(part) for place, part in enumerate(parts) if isinstance(part, computed)}


def thrown_away(path: str | None, method: int | None, names: Collection[str]) -> Iterator[ast.Call]:
    """The calls of a part of ``self`` with one of these expressions, in the method that begins on a line, of which it
    keeps nothing that comes back."""
    function = function_at(path, method)
    for node in inside(function) if function is not None else ():
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        arguments = (*call.args, *(item.value for item in call.keywords))
        taken = {ast.unparse(part) for argument in arguments for part in ast.walk(argument)}
        if ast.unparse(call.func.value) == "self" and not taken.isdisjoint(names):
            yield call


def takes_others(path: str | None, line: int, name: str, others: Collection[str]) -> bool:
    """Whether the statement on a line fills a variable, together with more, by a call that takes a tuple of as many
    other variables, all of them among ``others``: ``h2, c2 = self.upper(x, (h1, c1))``."""
    node = statement(path, line)
    if not isinstance(node, ast.Assign):
        return False
    filled = [_names_in(part) for part in inside(node.targets[0])]
    taken = [_names_in(part) for part in inside(node.value)]
    beside = next((names for names in filled if name in names), ())
    return any(len(names) == len(beside) > 1 and set(names) <= set(others) - set(beside) for names in taken)


def _names_in(node: ast.AST) -> tuple[str, ...]:
    """The variables of a tuple or a list of nothing else."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else []
    return (
        tuple(part.id for part in parts if isinstance(part, ast.Name))
        if all(isinstance(part, ast.Name) for part in parts)
        else ()
    )


def is_looped(path: str | None, method: int | None, line: int) -> bool:
    """Whether the statement on a line of the method that begins on another stands in a loop, or has one in it."""
    function, node = function_at(path, method), statement(path, line)
    parts = inside(function) if function is not None else ()
    loops = [part for part in parts if isinstance(part, (ast.For, ast.While))]
    within = node is not None and any(isinstance(part, ast.comprehension) for part in inside(node))
    return within or any(loop.lineno <= line <= (loop.end_lineno or 0) for loop in loops)


def mentions(path: str | None, line: int, expressions: Sequence[str]) -> bool:
    """Whether the statement on a line uses one of these expressions."""
    node = statement(path, line)
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr):
        return False
    # What only asks for a shape or a device takes nothing of the value.
    about = {
        id(part.value)
        for part in ast.walk(value)
        if isinstance(part, ast.Attribute)
        and (part.attr in TENSOR_ATTRIBUTES or part.attr.startswith(("size", "new_")))
    }
    for call in ast.walk(value):
        if isinstance(call, ast.Call) and called_name(call) in ("shape", "len", "size", "rank"):
            about |= {id(argument) for argument in call.args}
    parts = [part for part in ast.walk(value) if isinstance(part, ast.expr) and id(part) not in about]
    return any(ast.unparse(part) in expressions for part in parts)


def hands_on(path: str | None, line: int, name: str) -> bool:
    """Whether the return on a line hands a variable on as it is, alone or as a part."""
    value = getattr(statement(path, line), "value", None)
    parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else [value]
    return any(isinstance(part, ast.Name) and part.id == name for part in parts)


def class_line(path: str | None, name: str, method_line: int | None) -> int | None:
    """The line of the ``class`` statement of this name that holds the method."""
    if path is None:
        return None
    classes = _file(path).classes.get(name, ())
    around = [node for node in classes if method_line and node.lineno <= method_line <= (node.end_lineno or 0)]
    chosen = around or classes[-1:]
    return chosen[0].lineno if chosen else None


def class_place(cls: type) -> tuple[str, int] | None:
    """The file and the line of a class; where it was made without a ``class`` statement, of the one it derives from."""
    for base in cls.__mro__:
        try:
            path = inspect.getsourcefile(base)
        except (TypeError, OSError):
            continue
        line = class_line(path, base.__name__, None)
        if path is not None and line is not None:
            return path, line
    return None


def classes_around(path: str | None, line: int | None) -> list[ast.ClassDef]:
    """The ``class`` statements in which a line stands."""
    return list(_file(path).around.get(line, ())) if path is not None and line is not None else []


def first_mention(path: str | None, line: int | None, expression: str) -> Span | None:
    """The first statement of the function on a line that names an expression, such as ``self.cell``."""
    function = function_at(path, line)
    lines = (
        [
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and ast.unparse(node) == expression
        ]
        if function is not None
        else []
    )
    return span(path, min(lines)) if lines else None


def first_naming(path: str | None, line: int | None, names: Collection[str]) -> Span | None:
    """The first statement of the function on a line that names an attribute or a function so."""
    function = function_at(path, line)
    lines = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if (isinstance(node, ast.Attribute) and node.attr in names) or (isinstance(node, ast.Name) and node.id in names)
    ]
    return span(path, min(lines)) if lines else None


MAKING = re.compile(r"__init__|build|setup|get_config|extra_repr|.*(param|weight).*")
"""Methods that construct a cell, and use nothing."""


def cuts_a_difference(path: str | None, where: Span | None) -> bool:
    """Whether a statement takes a difference out of the graph, ``(a - b).detach()``."""
    node = statement(path, where.line) if where is not None else None
    for call in ast.walk(node) if node is not None else ():
        if isinstance(call, ast.Call) and called_name(call) in ("detach", "stop_gradient"):
            values = call.args[:1] or ([call.func.value] if isinstance(call.func, ast.Attribute) else [])
            if any(isinstance(value, ast.BinOp) and isinstance(value.op, ast.Sub) for value in values):
                return True
    return False


def first_use(path: str | None, line: int | None, name: str) -> Span | None:
    """The first statement of the function on a line that uses a local variable of this name."""
    function = function_at(path, line)
    lines = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id == name
    ]
    return span(path, min(lines)) if lines else None


def stores(path: str | None, line: int, name: str | None) -> int | None:
    """The last line of the function on a line that assigns the attribute of ``self`` with this name."""
    function = function_at(path, line)
    attribute = (name or "").split(".")[0]
    found = (
        [
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr == attribute
        ]
        if function is not None
        else []
    )
    return max(found, default=None)


def attributes_elsewhere(cls: type, method: str) -> set[str]:
    """The attributes of ``self`` that methods of a class use other than this one, its helpers and those that
    construct or reset: what such a method uses is no leftover of the step."""
    return {attribute for node in class_bodies(cls) for attribute in _used_elsewhere(node, method)}


def attributes_of_method(cls: type, name: str) -> set[str]:
    """The attributes of ``self`` that a method of the class uses; none where it is no method of the user's."""
    found = (item for node in class_bodies(cls) for item in node.body if isinstance(item, ast.FunctionDef))
    return next((_self_attributes(function) for function in found if function.name == name), set())


def class_bodies(cls: type) -> Iterator[ast.ClassDef]:
    """The definitions of a class and of its bases outside the frameworks."""
    return (node for _, node in _class_bodies(cls))


def _class_bodies(cls: type) -> Iterator[tuple[str, ast.ClassDef]]:
    for base in cls.__mro__:
        try:
            path = inspect.getsourcefile(base)
        except (TypeError, OSError):
            continue
        if path is None or base.__module__.partition(".")[0] in FRAMEWORKS:
            continue
        for node in _file(path).classes.get(base.__name__, ()):
            yield path, node


def defined_at(cls: type, attribute: str) -> tuple[str, int] | None:
    """The file and line where a class, or the nearest of its bases, makes an attribute or a property of ``self``."""
    for path, node in _class_bodies(cls):
        for part in ast.walk(node):
            if isinstance(part, ast.FunctionDef) and part.name == attribute:
                return path, part.lineno
            if isinstance(part, (ast.Assign, ast.AnnAssign)):
                targets = part.targets if isinstance(part, ast.Assign) else [part.target]
                if attribute in [getattr(target, "attr", getattr(target, "id", None)) for target in targets]:
                    return path, part.lineno
    return None


def calls_of(path: str | None, line: int, method: str) -> list[int]:
    """The lines on which the function on a line calls a method of this name."""
    function = function_at(path, line)
    return [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method
    ]


def reads_after(path: str | None, line: int, method: int | None, name: str) -> bool:
    """Whether the function that starts on the line ``method`` reads a local variable after a line, or in a loop around
    it."""
    function = function_at(path, method)
    if function is None:
        return True
    loops = [part for part in inside(function) if isinstance(part, (ast.For, ast.While))]
    around = [part.lineno for part in loops if part.lineno <= line <= (part.end_lineno or part.lineno)]
    stands = span(path, line)
    after = min([stands.end_line if stands else line, *around])
    return any(
        isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load) and part.lineno > after
        for part in inside(function)
    )


def first_store(path: str | None, line: int | None, name: str) -> Span | None:
    """The first statement of the function on a line that gives a local variable of this name a value."""
    function = function_at(path, line)
    lines = [
        node.lineno
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
    ]
    return span(path, min(lines)) if lines else None


def assigned_attributes(path: str, line: int) -> tuple[str, ...]:
    """The attributes of ``self`` that the function on a line assigns."""
    function = function_at(path, line)
    if function is None:
        return ()
    name = _self_name(function)
    return tuple(
        dict.fromkeys(
            node.attr
            for node in inside(function)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == name
        )
    )


def named_of(cls: type, module: str) -> frozenset[str]:
    """What the code of a class names of a module: of ``torch.jit``, ``{"export"}``."""
    return frozenset(
        part.attr
        for path, node in _class_bodies(cls)
        if _has(path, module)
        for part in inside(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.value, (ast.Attribute, ast.Name))
        and module == (part.value.attr if isinstance(part.value, ast.Attribute) else part.value.id)
    )


@functools.lru_cache(maxsize=64)
def _has(path: str, text: str) -> bool:
    """Whether a file has this text anywhere."""
    return any(text in line for line in linecache.getlines(path))


@dataclass(frozen=True)
class Mention:
    """A line that names an attribute of ``self``; ``conditional``: inside an expression that may not be evaluated."""

    path: str
    line: int
    conditional: bool


def mentions_of(cls: type, attribute: str) -> list[Mention]:
    """Where the methods of a class that do not construct it name an attribute of ``self``."""
    found = []
    for path, function in _methods(cls):
        maybe = {
            id(inner)
            for part in ast.walk(function)
            if isinstance(part, (ast.IfExp, ast.BoolOp, ast.Lambda))
            for inner in ast.walk(part)
        }
        found += [
            Mention(path, part.lineno, id(part) in maybe)
            for part in ast.walk(function)
            if _is_own(part, _self_name(function)) and part.attr == attribute
        ]
    return found


def picks_from(cls: type, attribute: str) -> bool:
    """Whether the methods of a class that do not construct it may take any part of a container that is an attribute
    of ``self``, or of attributes that are told apart by a number: whether they name one otherwise than by a constant.
    """
    for _, function in _methods(cls):
        parts = list(ast.walk(function))
        constant = {id(part.value) for part in parts if isinstance(part, ast.Subscript) and _is_constant(part.slice)}
        own = (part for part in parts if _is_own(part, _self_name(function)))
        named = (part for part in own if part.attr == attribute)
        if any(id(part) not in constant for part in named) or any(map(_gets_any, parts)):
            return True
    return False


def _methods(cls: type) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The methods of a class and of its bases that do not construct it, without those of a base that a nearer class
    replaces and nothing hands on to."""
    bases = {base.__name__ for base in cls.__mro__}
    handed_on = {
        part.attr
        for node in class_bodies(cls)
        for part in inside(node)
        if isinstance(part, ast.Attribute)
        and (
            (isinstance(part.value, ast.Call) and ast.unparse(part.value.func) == "super")
            or (isinstance(part.value, ast.Name) and part.value.id in bases)
        )
    }
    replaced: set[str] = set()
    for path, node in _class_bodies(cls):
        own = [item for item in node.body if isinstance(item, ast.FunctionDef) and not MAKING.fullmatch(item.name)]
        for function in own:
            if function.name not in replaced - handed_on:
                yield path, function
        replaced |= {function.name for function in own}


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _gets_any(node: ast.AST) -> bool:
    """``getattr`` with a computed name."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and not any(isinstance(name, ast.Constant) for name in node.args[1:2])
    )


def _is_own(node: ast.AST, self_name: str) -> TypeGuard[ast.Attribute]:
    """An attribute of ``self``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self_name


def _used_elsewhere(node: ast.ClassDef, method: str) -> set[str]:
    functions = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    uses = {name: _self_attributes(function) for name, function in functions.items()}
    step, waiting = {method}, [method]
    while waiting:
        for name in uses.get(waiting.pop(), set()) & functions.keys():
            if name not in step:
                step.add(name)
                waiting.append(name)
    # A property only shows it.
    shown = {name for name, function in functions.items() if any(map(_is_property, function.decorator_list))}
    other = [name for name in functions if name not in step | shown and not MAKING.fullmatch(name)]
    return {attribute for name in other for attribute in uses[name]}


def unused_name(
    path: str | None, line: int | None, names: Sequence[str], ran: Collection[int] = ()
) -> tuple[str, int | None] | None:
    """The first of these variables that the function on a line assigns and never uses, with None, or of which none of
    the lines that ``ran`` is a use, with the line of one; what begins with an underscore is not meant to be used."""
    function = function_at(path, line)
    if function is None:
        return None
    parts = [part for part in ast.walk(function) if isinstance(part, ast.Name)]
    assigned = {part.id for part in parts if isinstance(part.ctx, ast.Store) and not part.id.startswith("_")}
    for name in names:
        uses = [part.lineno for part in parts if part.id == name and not isinstance(part.ctx, ast.Store)]
        stands = [span(path, use) for use in uses]
        idle = bool(ran) and not any(
            part is None or any(part.line <= seen <= part.end_line for seen in ran) for part in stands
        )
        if name in assigned and (not uses or idle):
            return name, min(uses, default=None)
    return None


def _is_property(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "property"


def _self_name(function: ast.FunctionDef) -> str:
    return function.args.args[0].arg if function.args.args else "self"


def _self_attributes(function: ast.FunctionDef) -> set[str]:
    first = _self_name(function)
    return {node.attr for node in inside(function) if _is_own(node, first) and isinstance(node.ctx, ast.Load)}


def function_at(path: str | None, line: int | None) -> ast.FunctionDef | None:
    """The function whose definition starts at a line (its decorators' first line counts too)."""
    return _file(path).functions.get(line) if path is not None and line is not None else None


def function_of(code: CodeType | None) -> ast.FunctionDef | None:
    """The definition of what runs, where its source is at hand."""
    return function_at(code.co_filename, code.co_firstlineno) if code is not None else None
