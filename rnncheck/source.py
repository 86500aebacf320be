"""Statements of the user's file: their extent, and how a return statement spells the state.

Works on text and syntax trees, and only names what was seen running.
"""

from __future__ import annotations

import ast
import functools
import linecache
from collections.abc import Mapping, Sequence

from rnncheck.trace import Span


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
        elif isinstance(expression, ast.Call):
            expression.args = [visit(part) for part in expression.args]
            for keyword in expression.keywords:
                keyword.value = visit(keyword.value)
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
    text = ast.unparse(value)
    return f"return {text[1:-1] if isinstance(value, ast.Tuple) and len(value.elts) > 1 else text}"


def unpacking(function: ast.FunctionDef, parameter: str) -> tuple[str, Sequence[str]] | None:
    """How a function takes its state parameter apart: ``("tuple", names)``, ``("index", [count])`` or
    ``("keys", keys)``; None when it passes it on whole."""
    indices: set[int] = set()
    keys: list[str] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            target = node.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and not any(
                isinstance(part, ast.Starred) for part in target.elts
            ):
                return "tuple", [ast.unparse(part) for part in target.elts]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            key = _literal(node.slice)
            if isinstance(key, str):
                keys.append(key)
            elif isinstance(key, int):
                indices.add(key)
    if keys:
        return "keys", list(dict.fromkeys(keys))
    if indices:
        return "index", [str(max(max(indices) + 1, -min(indices)))]
    return None


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
