"""Changing single expressions and statements of a module's text, and knowing on which lines that was."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)
"""Statements that stand for one thing done."""


class Unfit(Exception):
    """The code is not written so that it could be changed in this way."""


class Module:
    """A module's text with its syntax tree; places are offsets in its bytes, as the tree counts columns."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw = text.encode()
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in self.raw.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def extent(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where the node begins and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begins = self.starts[node.lineno - 1] + node.col_offset
        return begins, self.starts[node.end_lineno - 1] + node.end_col_offset

    def source(self, node: ast.expr | ast.stmt) -> str:
        """The node's text as it stands there."""
        begins, ends = self.extent(node)
        return self.raw[begins:ends].decode()

    def line(self, offset: int) -> int:
        return self.raw.count(b"\n", 0, offset) + 1

    def function(self, line: int) -> ast.FunctionDef:
        """The function whose definition, or first decorator, stands on a line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef):
                decorated = [decorator.lineno for decorator in node.decorator_list]
                if line in (node.lineno, *decorated[:1]):
                    return node
        raise Unfit(f"no function is defined on line {line}")

    def own_line(self, statement: ast.stmt) -> str:
        """The white space before a statement that has its lines to itself."""
        begins, ends = self.extent(statement)
        before = self.raw[self.starts[statement.lineno - 1] : begins].decode()
        after = self.raw[ends:].partition(b"\n")[0].partition(b"#")[0]
        if before.strip() or after.strip():
            raise Unfit("another statement stands on the same line")
        return before


def statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """All statements of a function in their order, those of functions within it left out."""
    waiting: list[ast.stmt] = list(function.body)
    while waiting:
        statement = waiting.pop(0)
        yield statement
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        inner: list[ast.stmt] = []
        for name in ("body", "orelse", "finalbody"):
            inner += getattr(statement, name, [])
        for handler in getattr(statement, "handlers", []):
            inner += handler.body
        waiting = inner + waiting


@dataclass(frozen=True)
class _Edit:
    begins: int
    ends: int
    text: str
    fault: bool


class Draft:
    """A module's text with changes; ``finish`` gives the new text and the lines at fault in it."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._edits: list[_Edit] = []
        self._also: list[int] = []

    def replace(self, node: ast.expr | ast.stmt, text: str, *, fault: bool = True) -> None:
        """Put another text in the place of an expression or a statement."""
        if text != self.module.source(node):
            self._edits.append(_Edit(*self.module.extent(node), text, fault))

    def before(self, statement: ast.stmt, text: str, *, fault: bool = True) -> None:
        """Put a statement on a line of its own before another."""
        indent = self.module.own_line(statement)
        begins = self.module.extent(statement)[0]
        self._edits.append(_Edit(begins, begins, f"{text}\n{indent}", fault))

    def after(self, statement: ast.stmt, text: str, *, fault: bool = True) -> None:
        """Put a statement on a line of its own after another."""
        indent = self.module.own_line(statement)
        ends = self.module.extent(statement)[1]
        end = self.module.raw.find(b"\n", ends)
        end = len(self.module.raw) if end < 0 else end
        self._edits.append(_Edit(end, end, f"\n{indent}{text}", fault))

    def footer(self, text: str) -> None:
        """Put lines at the end of the module."""
        end = len(self.module.raw)
        self._edits.append(_Edit(end, end, f"\n\n{text}\n", fault=False))

    def also(self, statement: ast.stmt) -> None:
        """This statement is at fault as well."""
        begins, ends = self.module.extent(statement)
        self._also += range(self.module.line(begins), self.module.line(ends) + 1)

    def finish(self) -> tuple[str, tuple[int, ...]]:
        edits = sorted(self._edits, key=lambda edit: (edit.begins, edit.ends))
        raw, out, place, shift = self.module.raw, b"", 0, 0
        shifts, lines = [], set()
        for edit in edits:
            if edit.begins < place:
                raise Unfit("two changes overlap")
            out += raw[place : edit.begins]
            first = out.count(b"\n") + 1
            out += edit.text.encode()
            if edit.fault:
                first += len(edit.text) - len(edit.text.lstrip("\n"))
                lines |= set(range(first, first + edit.text.strip("\n ").count("\n") + 1))
            place = edit.ends
            shift += edit.text.count("\n") - raw.count(b"\n", edit.begins, edit.ends)
            inserted_before = edit.begins == edit.ends and not edit.text.startswith("\n")
            shifts.append((self.module.line(edit.begins) + (not inserted_before), shift))
        for line in self._also:
            lines.add(line + next((shift for start, shift in reversed(shifts) if start <= line), 0))
        return (out + raw[place:]).decode(), tuple(sorted(lines))
