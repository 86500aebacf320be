"""From an entry of the zoo to its mutants, and to what rnncheck says of them."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import itertools
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editing import Draft, Module
from operators import OPERATORS, Mutant, Operator, mutants
from proof import truly
from steps import Cell
from verdict import Verdict, judged

from zoo import check

TRIES = 8
"""How many spellings are tried until one is truly broken."""
BY_NAME = {operator.name: operator for operator in OPERATORS}


@dataclass(frozen=True)
class Broken:
    """A mutant that was proved to be broken: its file, and the slots in which it is."""

    cell: Cell
    mutant: Mutant
    path: Path
    name: str
    slots: tuple[int, ...]


def breakable(cell: Cell, every: int = 1) -> Iterator[tuple[Operator, tuple[int, ...]]]:
    """All that may be broken in a cell: per operator what it breaks at a time, or one of that where it does not matter
    which. ``every`` leaves only one of so many."""
    for operator in OPERATORS:
        found = list(operator.targets(len(cell.step.slots)))
        if operator.one and found:
            found = [found[zlib.crc32(cell.entry.typed.encode()) % len(found)]]
        for slots in found:
            if _number(cell, operator, slots) % every == 0:
                yield operator, slots


def _number(cell: Cell, operator: Operator, slots: tuple[int, ...]) -> int:
    """Some number, the same each time."""
    return zlib.crc32(repr((cell.entry.typed, operator.name, slots)).encode())


def broken(cell: Cell, operator: Operator, slots: tuple[int, ...], folder: Path) -> tuple[Broken | None, int]:
    """The first spelling that truly breaks these slots, and how many before it did not. Which is tried first changes
    from cell to cell."""
    equivalent = 0
    turn = _number(cell, operator, slots) // 7
    for mutant in itertools.islice(mutants(operator, cell.site, slots, turn), TRIES):
        found = proved(cell, mutant, folder, str(equivalent))
        if found is not None:
            return found, equivalent
        equivalent += 1
    return None, equivalent


def proved(cell: Cell, mutant: Mutant, folder: Path, number: str) -> Broken | None:
    """The mutant in a file of its own, if it is truly broken."""
    words = (cell.entry.target, *cell.entry.kwargs, mutant.operator, *map(str, mutant.slots), number)
    stem = re.sub(r"\W+", "_", "_".join(words)).lower()
    path = folder / f"{stem}.py"
    path.write_text(as_file(cell, mutant.text), encoding="utf-8")
    name = type(cell.bound.cell).__qualname__
    try:
        cls = _class(path, name)
    except Exception:
        return None
    slots = truly(mutant.operator, cell, cls, mutant.slots)
    return None if slots is None else Broken(cell, mutant, path, name, slots)


def as_file(cell: Cell, text: str) -> str:
    """A copy of a module that can stand elsewhere and that has the cell's class, lines as they were."""
    module = Module(text)
    draft = Draft(module)
    package = cell.module.split(".")[: -1 if cell.path.name != "__init__.py" else None]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            absolute = ".".join([*above, *([node.module] if node.module else [])])
            names = ", ".join(f"{item.name} as {item.asname}" if item.asname else item.name for item in node.names)
            lost = "\n" * ((node.end_lineno or node.lineno) - node.lineno)
            draft.replace(node, f"from {absolute} import {f'({names}{lost})' if lost else names}")
    cls = type(cell.bound.cell)
    if cls.__module__ != cell.module:
        step = cell.bound.callee.method
        draft.footer(
            f"from {cls.__module__} import {cls.__name__} as _{cls.__name__}\n\n\n"
            f"class {cls.__name__}(_{cls.__name__}):\n    {step} = {cell.owner}.{step}"
        )
    return draft.finish()[0]


def _class(path: Path, name: str) -> type:
    spec = importlib.util.spec_from_file_location(f"_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, type)
    return found


def checked(broken: Broken) -> Verdict:
    """Check a mutant as a user would type it."""
    entry = replace(broken.cell.entry, target=f"{broken.path}:{broken.name}")
    count = len(broken.cell.step.slots)
    return judged(BY_NAME[broken.mutant.operator], broken.slots, count, broken.mutant.lines, check(entry, seed=0))


def difference(broken: Broken) -> str:
    """What was changed, as a diff."""
    before, after = (text.splitlines() for text in (broken.cell.text, broken.mutant.text))
    lines = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
    return "\n".join(line for line in lines if len(line) > 1 and not line.startswith(("+import ", "@@")))
