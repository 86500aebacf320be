"""Cells written in a test, and what their own comments expect of rnncheck.

``# expect: rule`` stands on the line at fault; ``# expect: rule warning 1`` also tells severity and slot. A
class without such a comment is healthy: notes are allowed, findings are not. A note that is expected has to be there.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import rnncheck
from rnncheck.findings import Result

MARK = re.compile(r"# expect: ([\w-]+)(?: (error|warning|note))?(?: (\d+))?")


def classes(module: ModuleType) -> list[Any]:
    """The cells and factories that a test module defines, in order."""
    defined = [
        item
        for name, item in vars(module).items()
        if not name.startswith(("_", "test")) and getattr(item, "__module__", None) == module.__name__
    ]
    return [item for item in defined if inspect.isclass(item) or inspect.isfunction(item)]


@functools.cache
def _places(path: str) -> dict[str, tuple[int, int]]:
    """The first and the last line of all that a file defines; ``inspect`` would parse the file again for each class."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    return {
        node.name: (min([node.lineno, *(part.lineno for part in node.decorator_list)]), node.end_lineno or node.lineno)
        for node in nodes
    }


def _lines(target: Callable[..., Any]) -> tuple[list[str], int]:
    path = inspect.getsourcefile(target)
    place = _places(path).get(target.__qualname__) if path else None
    if path is None or place is None:
        return inspect.getsourcelines(target)
    first, last = place
    return linecache.getlines(path)[first - 1 : last], first


def expected(target: Callable[..., Any]) -> list[tuple[str, int, str, int | None]]:
    lines, first = _lines(target)
    found = []
    for number, line in enumerate(lines, first):
        for rule, severity, slot in MARK.findall(line):
            found.append((rule, number, severity or "error", int(slot) if slot else None))
    return sorted(found)


def seen(result: Result, *, notes: bool = False) -> list[tuple[str, int | None, str, int | None]]:
    """The findings that count: nothing that another finding explains, nothing that is suppressed, notes on demand."""
    return sorted(
        (finding.rule, finding.location.line, finding.severity, finding.state_index)
        for finding in result.findings
        if (notes or finding.severity != "note") and finding.explained_by is None and finding.suppressed is None
    )


def check(target: Callable[..., Any], **options: Any) -> Result:
    (result,) = rnncheck.check(target, **options).results
    assert result.error is None, result.error
    return result


def noted(target: Callable[..., Any]) -> set[str]:
    """The rules of which a note is expected."""
    return {rule for rule, _, severity, _ in expected(target) if severity == "note"}


def holds(target: Callable[..., Any], **options: Any) -> None:
    """What the target's comments expect is what rnncheck says. A slot that is not given is not compared."""
    wanted = expected(target)
    found = seen(check(target, **options), notes=any(severity == "note" for _, _, severity, _ in wanted))
    trimmed = [
        (*item[:3], item[3] if index < len(wanted) and wanted[index][3] is not None else None)
        for index, item in enumerate(found)
    ]
    assert trimmed == wanted
