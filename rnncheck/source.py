"""Statements of the user's file: their extent, and how a return statement spells the state.

Works on text and syntax trees, and only names what was seen running.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
from collections.abc import Callable, Mapping, Sequence

from rnncheck.definitions import FRAMEWORKS
from rnncheck.trace import Span

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


@functools.lru_cache(maxsize=64)
def _statements(path: str) -> tuple[ast.stmt, ...]:
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def statement(path: str | None, line: int | None) -> ast.stmt | None:
    """The innermost statement that covers a line."""
    if path is None or line is None:
        return None
    covering = [node for node in _statements(path) if node.lineno <= line <= (node.end_lineno or node.lineno)]
    return min(covering, key=lambda node: (node.end_lineno or 0) - node.lineno, default=None)


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
    parts = [part for part in ast.walk(value) if isinstance(part, ast.expr) and id(part) not in about]
    return any(ast.unparse(part) in expressions for part in parts)


def class_line(path: str | None, name: str, method_line: int | None) -> int | None:
    """The line of the ``class`` statement of this name that holds the method."""
    if path is None:
        return None
    classes = [node for node in _statements(path) if isinstance(node, ast.ClassDef) and node.name == name]
    around = [node for node in classes if method_line and node.lineno <= method_line <= (node.end_lineno or 0)]
    chosen = around or classes[-1:]
    return chosen[0].lineno if chosen else None


def rewrite_return(path: str | None, line: int, replacements: Mapping[str, str], *, listed: bool = False) -> str | None:
    """The return statement on a line with expressions replaced by others, as code to write.

    ``replacements`` maps an expression as the user spells it (``previous_h``, ``states[0]``) to what
    belongs there. None when none of them stands in the statement's returned value. With ``listed`` a
    state that is returned bare, after the output, is put into a list.
    """
    node = statement(path, line)
    if not isinstance(node, ast.Return) or node.value is None:
        return None
    wanted = {ast.unparse(ast.parse(old, mode="eval").body): new for old, new in replacements.items()}
    changed = False

    def visit(expression: ast.expr) -> ast.expr:
        nonlocal changed
        new = wanted.get(ast.unparse(expression))
        if new is not None:
            changed = True
            return ast.parse(new, mode="eval").body
        if isinstance(expression, (ast.Tuple, ast.List)):
            expression.elts = [visit(part) for part in expression.elts]
        elif isinstance(expression, ast.Dict):
            expression.values = [visit(part) for part in expression.values]
        elif isinstance(expression, ast.IfExp):
            expression.body, expression.orelse = visit(expression.body), visit(expression.orelse)
        elif isinstance(expression, ast.Call):
            _visit_call(expression, visit)
        return expression

    copied = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(copied, ast.Return)
    assert copied.value is not None
    bare = listed and isinstance(copied.value, ast.Tuple) and ast.unparse(copied.value.elts[-1]) in wanted
    value = visit(copied.value)
    if not changed:
        return None
    if bare and isinstance(value, ast.Tuple) and not isinstance(value.elts[-1], (ast.List, ast.Tuple)):
        value.elts[-1] = ast.List([value.elts[-1]], ast.Load())
    if ast.unparse(value) == ast.unparse(node.value):
        return None
    text = ast.unparse(value)
    return f"return {text[1:-1] if isinstance(value, ast.Tuple) and len(value.elts) > 1 else text}"


def add_term(path: str | None, line: int, term: str) -> str | None:
    """The assignment on a line with a term added to its value; None where that is not simply a sum of products."""
    node = statement(path, line)
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return None
    value = node.value
    name = ast.unparse(value.func).rpartition(".") if isinstance(value, ast.Call) else ("", "", "")
    product = name[0] == "self" or name[2] in ("matmul", "mm", "dot", "linear", "addmm", "einsum")
    if not product and not (isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Add, ast.MatMult))):
        return None
    return f"{ast.unparse(node)} + {term}"


def _visit_call(expression: ast.Call, visit: Callable[[ast.expr], ast.expr]) -> None:
    """Only through what keeps values as they are: a constructor of a state, a clone, an identity."""
    name = ast.unparse(expression.func).rpartition(".")[2]
    if name in ("clone", "detach", "contiguous") and isinstance(expression.func, ast.Attribute):
        expression.func.value = visit(expression.func.value)
    if name[:1].isupper() or name in ("tuple", "list", "dict", "identity"):
        expression.args = [visit(part) for part in expression.args]
        for keyword in expression.keywords:
            keyword.value = visit(keyword.value)


def unpacking(function: ast.FunctionDef, parameter: str) -> tuple[str, Sequence[str]] | None:
    """How a function takes its state parameter apart: ``("tuple", names)``, ``("index", [count])``,
    ``("keys", keys)`` or ``("attributes", names)``; None when it passes it on whole."""
    indices: set[int] = set()
    keys: list[str] = []
    attributes: list[str] = []
    methods = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            target = node.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and not any(
                isinstance(part, ast.Starred) for part in target.elts
            ):
                return "tuple", [ast.unparse(part) for part in target.elts]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            known = id(node) in methods or node.attr in TENSOR_ATTRIBUTES
            attributes.extend([] if known else [node.attr])
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            key = _literal(node.slice)
            if isinstance(key, str):
                keys.append(key)
            elif isinstance(key, int):
                indices.add(key)
    if keys:
        return "keys", list(dict.fromkeys(keys))
    if attributes:
        return "attributes", list(dict.fromkeys(attributes))
    if indices:
        return "index", [str(max(max(indices) + 1, -min(indices)))]
    return None


def attributes_elsewhere(cls: type, method: str) -> set[str]:
    """The attributes of ``self`` that methods of a class use other than this one, its helpers and those that
    construct or reset: what such a method uses is no leftover of the step."""
    found: set[str] = set()
    for base in cls.__mro__:
        try:
            path = inspect.getsourcefile(base)
        except TypeError:
            continue
        if path is None or base.__module__.partition(".")[0] in FRAMEWORKS:
            continue
        for node in _statements(path):
            if isinstance(node, ast.ClassDef) and node.name == base.__name__:
                found |= _used_elsewhere(node, method)
    return found


def _used_elsewhere(node: ast.ClassDef, method: str) -> set[str]:
    functions = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    uses = {name: _self_attributes(function) for name, function in functions.items()}
    step, waiting = {method}, [method]
    while waiting:
        for name in uses.get(waiting.pop(), set()) & functions.keys():
            if name not in step:
                step.add(name)
                waiting.append(name)
    making = re.compile(r"__init__|build|setup|get_config|extra_repr|.*(param|weight).*")
    other = [name for name in functions if name not in step and not making.fullmatch(name)]
    return {attribute for name in other for attribute in uses[name]}


def _self_attributes(function: ast.FunctionDef) -> set[str]:
    first = function.args.args[0].arg if function.args.args else "self"
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == first
    }


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None


def function_at(path: str | None, line: int | None) -> ast.FunctionDef | None:
    """The function whose definition starts at a line (its decorators' first line counts too)."""
    if path is None or line is None:
        return None
    for node in _statements(path):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if line in (first, node.lineno):
                return node
    return None
