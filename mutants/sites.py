"""The code of a step, and what is known of it from seeing it run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from editing import SIMPLE, Draft, Module, Unfit, statements


@dataclass(frozen=True)
class Slot:
    """One part of the state: the local variables that held its old value, in the order of their binding, and those that
    still held it at the end."""

    names: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What is known of the function that is one step, from seeing it run.

    ``function`` and ``returned`` are the lines of its definition and of the return statement that ran, ``ran`` all
    lines that did. ``state`` is the parameter that is the whole state (None where each part has one of its own),
    ``kind`` what it is: leaf, list, tuple, named or dict, with these ``keys``. ``at`` and ``count`` say where the new
    state is in what comes back (the index of ``count`` parts, or their range; None: all of it). ``rows`` is the axis
    of the batch.
    """

    framework: str
    function: int
    returned: int
    ran: frozenset[int]
    input: str
    slots: tuple[Slot, ...]
    state: str | None = None
    kind: str = "leaf"
    keys: tuple[str, ...] = ()
    at: int | tuple[int, int] | None = None
    count: int = 1
    rows: int = 0

    def spelled(self, slot: int) -> str | None:
        """A part of the state by the parameter that is the state."""
        if self.state is None:
            return self.slots[slot].names[0] if self.slots[slot].names else None
        if self.kind in ("list", "tuple"):
            return f"{self.state}[{slot}]"
        if self.kind == "named":
            return f"{self.state}.{self.keys[slot]}"
        return f'{self.state}["{self.keys[slot]}"]' if self.kind == "dict" else self.state

    def old(self, slot: int) -> tuple[str, ...]:
        """All expressions for a slot's old value."""
        spelled = self.spelled(slot)
        return tuple(dict.fromkeys([*self.slots[slot].names, *([spelled] if spelled else [])]))

    def rebuilt(self, parts: dict[int, str]) -> str:
        """The whole state with some parts replaced by other expressions."""
        if self.kind == "named":
            return f"{self.state}._replace({', '.join(f'{self.keys[slot]}={text}' for slot, text in parts.items())})"
        if self.kind == "dict":
            return f"{{**{self.state}, {', '.join(f'{self.keys[slot]!r}: {text}' for slot, text in parts.items())}}}"
        if self.kind == "leaf":
            return parts[0]
        items = ", ".join(parts.get(slot, self.spelled(slot) or "") for slot in range(len(self.slots)))
        return f"[{items}]" if self.kind == "list" else f"({items},)" if len(self.slots) == 1 else f"({items})"


class Site:
    """A step's code and its parts, as the operators ask for them."""

    def __init__(self, text: str, step: Step) -> None:
        self.step = step
        self.module = Module(text)
        self.function = self.module.function(step.function)
        self.simple = [node for node in statements(self.function) if isinstance(node, SIMPLE) and self.has_run(node)]
        found = [node for node in self.simple if isinstance(node, ast.Return) and self.covers(node, step.returned)]
        if not found or found[0].value is None:
            raise Unfit("no return statement ran")
        self.returned = found[0]
        self.new = self._new_values()

    def has_run(self, node: ast.stmt) -> bool:
        return any(node.lineno <= line <= (node.end_lineno or 0) for line in self.step.ran)

    def covers(self, node: ast.stmt, line: int) -> bool:
        return node.lineno <= line <= (node.end_lineno or 0)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node."""
        while not isinstance(node, ast.stmt):
            node = self.module.parents[node]
        return node

    def assigned(self, name: str, before: int) -> ast.stmt | None:
        """The last statement that ran above a line and gave this name or attribute its value."""
        for node in reversed([node for node in self.simple if node.lineno < before]):
            if name in {ast.unparse(target) for target in targets(node)}:
                return node
        return None

    def uses(self, node: ast.stmt, names: Sequence[str]) -> list[ast.expr]:
        """Where the values of these expressions are taken in a statement, what only asks for a shape left out."""
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr) and node.value:
            found = [part for part in ast.walk(node.value) if isinstance(part, ast.expr) and self._loads(part)]
            return [part for part in found if ast.unparse(part) in names and not self._only_asked(part)]
        return []

    def taken(self, names: Sequence[str]) -> list[ast.expr]:
        """Where the values of these expressions are taken, until the names are given other values."""
        arguments = self.function.args
        known, unbound = set(names), set(names) - {item.arg for item in (*arguments.args, *arguments.kwonlyargs)}
        found = []
        for node in self.simple:
            found += self.uses(node, tuple(known))
            given = {ast.unparse(target) for target in targets(node)}
            known -= given - unbound
            unbound -= given
        return found

    def first_use(self, names: Sequence[str]) -> ast.stmt:
        for node in self.simple:
            value = getattr(node, "value", None)
            if value is not None and any(ast.unparse(part) in names for part in ast.walk(value)):
                return node
        raise Unfit("the old value is used nowhere")

    def _loads(self, node: ast.expr) -> bool:
        return isinstance(getattr(node, "ctx", None), ast.Load)

    def _only_asked(self, node: ast.expr) -> bool:
        parent = self.module.parents[node]
        if isinstance(parent, ast.Attribute) and parent.attr in ("shape", "dtype", "device", "ndim", "is_sparse"):
            return True
        if isinstance(parent, ast.Attribute) and parent.attr in ("size", "dim", "new_zeros"):
            return True
        return isinstance(parent, ast.Compare)

    def _new_values(self) -> list[ast.expr] | None:
        """The expressions of the new state's parts where it is put together; None when they do not show."""
        value, step = self.returned.value, self.step
        assert value is not None
        if step.at is not None:
            value = self._put_together(value)
            if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) != step.count:
                return None
            if isinstance(step.at, tuple):
                parts = value.elts[slice(*step.at)]
                return parts if len(parts) == len(step.slots) else None
            value = value.elts[step.at]
        return self._parts(value)

    def _parts(self, value: ast.expr) -> list[ast.expr] | None:
        if self.step.kind == "leaf":
            return [value]
        value = self._put_together(value)
        parts: list[ast.expr] | None = None
        if isinstance(value, (ast.Tuple, ast.List)):
            parts = value.elts
        elif isinstance(value, ast.Call) and self.step.kind == "named" and _puts_together(value):
            given = {keyword.arg: keyword.value for keyword in value.keywords} | dict(zip(self.step.keys, value.args))
            parts = [given[key] for key in self.step.keys if key in given]
        elif isinstance(value, ast.Dict):
            named = {key.value: part for key, part in zip(value.keys, value.values) if isinstance(key, ast.Constant)}
            parts = [named[key] for key in self.step.keys if key in named]
        whole = parts is not None and len(parts) == len(self.step.slots)
        return parts if whole and not any(isinstance(part, ast.Starred) for part in parts or ()) else None

    def _put_together(self, value: ast.expr) -> ast.expr:
        """What a name was last given, and what a condition chooses."""
        for _ in range(3):
            if isinstance(value, ast.Name):
                node = self.assigned(value.id, self.statement(value).lineno)
                if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                    break
                value = node.value
            elif isinstance(value, ast.IfExp):
                value = value.body
            elif isinstance(value, ast.Call) and ast.unparse(value.func) in ("tuple", "list") and value.args:
                value = value.args[0]
        return value


def _puts_together(call: ast.Call) -> bool:
    """Whether a call makes a named tuple of its arguments."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name == "_replace" or name.lstrip("_")[:1].isupper()


def targets(node: ast.stmt) -> Iterator[ast.expr]:
    """What a statement gives a value to."""
    given = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in given:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from target.elts
        elif target is not None:
            yield target


def spread(text: str, step: Step) -> tuple[str, Step]:
    """The same step with its new state taken apart by name before it is returned, for code that returns the result
    of a call as it is."""
    site = Site(text, step)
    if site.new is not None:
        return text, step
    names = [f"new_{key}" for key in step.keys] or [f"new_state_{slot}" for slot in range(len(step.slots))]
    pattern = put = names[0]
    if step.kind == "named":
        pattern, put = "new_state", f"new_state._replace({', '.join(f'{key}=new_state.{key}' for key in step.keys)})"
    elif step.kind in ("list", "tuple"):
        ends = "[]" if step.kind == "list" else "()"
        comma = "," if len(names) == 1 and step.kind == "tuple" else ""
        pattern = put = f"{ends[0]}{', '.join(names)}{comma}{ends[1]}"
    elif step.kind == "dict":
        raise Unfit("a dict cannot be taken apart")
    if step.at is not None:
        first, last = (step.at, step.at + 1) if isinstance(step.at, int) else step.at
        inner = [pattern] if isinstance(step.at, int) else names
        outer = [put] if isinstance(step.at, int) else names
        others = [f"output_{index}" if step.count > 2 else "output" for index in range(step.count)]
        pattern = ", ".join([*others[:first], *inner, *others[last:]])
        put = ", ".join([*others[:first], *outer, *others[last:]])
    node = site.returned
    assert node.value is not None
    draft = Draft(site.module)
    draft.replace(node, f"{pattern} = {site.module.source(node.value)}")
    draft.after(node, f"return {put}")
    end = node.end_lineno or node.lineno
    changed, _ = draft.finish()
    ran = frozenset(line + (line > end) for line in step.ran) | {end + 1}
    return changed, replace(step, returned=end + 1, ran=ran)
