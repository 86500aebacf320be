"""Statements of the user's file written anew, as code to type in their place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from rnncheck.usercode.source import called_name, statement


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


def rewrite_state(path: str | None, line: int, replacements: Mapping[str, str]) -> str | None:
    """Likewise, but only inside the innermost tuple, list or dict that holds all of them."""
    node = statement(path, line)
    if not isinstance(node, ast.Return) or node.value is None:
        return None
    copied = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(copied, ast.Return)
    assert copied.value is not None
    wanted = {ast.unparse(ast.parse(old, mode="eval").body): new for old, new in replacements.items()}
    holding = [
        part
        for part in ast.walk(copied.value)
        if isinstance(part, (ast.Tuple, ast.List, ast.Dict))
        and len({wanted[ast.unparse(item)] for item in _items(part) if ast.unparse(item) in wanted}) >= 2
    ]
    if not holding:
        return None
    innermost = holding[-1]
    for item in _items(innermost):
        new = wanted.get(ast.unparse(item))
        if isinstance(item, ast.Name) and new is not None:
            item.id = new
    text = ast.unparse(copied.value)
    return f"return {text[1:-1] if isinstance(copied.value, ast.Tuple) and len(copied.value.elts) > 1 else text}"


def _items(container: ast.Tuple | ast.List | ast.Dict) -> list[ast.expr]:
    return container.values if isinstance(container, ast.Dict) else container.elts


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
    name = called_name(expression)
    if name in ("clone", "detach", "contiguous") and isinstance(expression.func, ast.Attribute):
        expression.func.value = visit(expression.func.value)
    if name[:1].isupper() or name in ("tuple", "list", "dict", "identity"):
        expression.args = [visit(part) for part in expression.args]
        for keyword in expression.keywords:
            keyword.value = visit(keyword.value)
