"""Leaving the terms that come from some values out of the sums of a step."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from editing import Draft, Unfit
from sites import Site, targets


def drop_terms(site: Site, draft: Draft, names: Sequence[str]) -> None:
    """Leave out of every sum the term that comes from these values, through the names that are given to them; what
    computes such a term to no effect is at fault as well."""
    arguments = site.function.args
    tainted, unbound = set(names), set(names) - {item.arg for item in (*arguments.args, *arguments.kwonlyargs)}
    for node in site.simple:
        rest = site.uses(node, tuple(tainted))
        given = {ast.unparse(target) for target in targets(node)}
        if not rest:
            tainted -= given - unbound
            unbound -= given
            continue
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) not in tainted:
            if not isinstance(node.op, (ast.Add, ast.Sub)):
                raise Unfit("the value is no term of a sum")
            draft.replace(node, "pass")
            continue
        dropped: list[ast.expr] = []
        for use in rest:
            if any(part in dropped for part in _above(site, use, node)):
                continue
            found = _term(site, use, node, tainted)
            if found is None:
                break
            term, sum_, other = found
            dropped.append(term)
            draft.replace(sum_, _without_breaks(site.module.source(other)))
        else:
            tainted -= given
            continue
        if dropped or not isinstance(node, ast.Assign):
            raise Unfit("the value is no term of a sum")
        tainted |= given
        if node.value not in rest:
            draft.also(node)


def _without_breaks(text: str) -> str:
    return f"({text})" if "\n" in text else text


def _above(site: Site, node: ast.AST, top: ast.stmt) -> Iterator[ast.AST]:
    while node is not top:
        yield node
        node = site.module.parents[node]


def _term(site: Site, use: ast.expr, node: ast.stmt, tainted: set[str]) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    """The term that holds a use, the sum that it is a part of, and the rest of the sum."""
    for part in _above(site, use, node):
        whole = site.module.parents[part]
        rest: ast.expr | None = None
        if isinstance(whole, ast.BinOp) and isinstance(whole.op, (ast.Add, ast.Sub)):
            if isinstance(whole.op, ast.Add) or part is whole.right:
                rest = whole.right if part is whole.left else whole.left
        elif (
            isinstance(whole, ast.Call) and ast.unparse(whole.func).rpartition(".")[2] == "add" and len(whole.args) == 2
        ):
            rest = (
                next((argument for argument in whole.args if argument is not part), None)
                if part in whole.args
                else None
            )
        if rest is None or isinstance(rest, ast.Constant):
            continue
        taken = [name for name in ast.walk(rest) if isinstance(name, ast.expr) and ast.unparse(name) in tainted]
        if not taken:
            assert isinstance(part, ast.expr)
            assert isinstance(whole, ast.expr)
            return part, whole, rest
    return None
