"""The shape of a state: nested lists, tuples, named tuples, dicts and dataclasses over tensors."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Structure:
    """How leaves are nested. ``kind`` is one of leaf, constant, sequence, named or mapping.

    ``build`` puts leaves back into the containers that ``flatten`` found, of the same types.
    """

    kind: str
    type: type | None = None
    keys: tuple[Any, ...] = ()
    children: tuple[Structure, ...] = ()
    constant: Any = None

    @functools.cached_property
    def size(self) -> int:
        """Number of leaves."""
        return 1 if self.kind == "leaf" else sum(child.size for child in self.children)

    @functools.cached_property
    def has_mapping(self) -> bool:
        """Whether there is a dict in it, whose keys may come back in another order."""
        return self.kind == "mapping" or any(child.has_mapping for child in self.children)

    @property
    def is_leaf(self) -> bool:
        return self.kind == "leaf"

    def build(self, leaves: Sequence[Any]) -> Any:
        """The value with these leaves; raises ValueError when their number is not ``size``."""
        if len(leaves) != self.size:
            raise ValueError(f"{len(leaves)} leaves for a structure of {self.size}")
        return self._build(iter(leaves))

    def _build(self, leaves: Iterator[Any]) -> Any:
        if self.kind == "leaf":
            return next(leaves)
        if self.kind == "constant":
            return self.constant
        assert self.type is not None
        children = [child._build(leaves) for child in self.children]
        if self.kind == "named":
            return self.type(**dict(zip(self.keys, children)))
        if self.kind == "mapping":
            return self.type(zip(self.keys, children))
        return self.type(children)

    def names(self) -> tuple[str | None, ...]:
        """The name that each leaf carries in the structure itself: a key or a field, with its number where it is one of
        several under it; else None."""
        if self.kind == "leaf":
            return (None,)
        named: list[str | None] = []
        for key, child in zip(self.keys, self.children):
            own = str(key) if self.kind in ("named", "mapping") else None
            inner = child.names()
            for number, name in enumerate(inner):
                parts = [part for part in (own, name) if part is not None]
                several = own is not None and name is None and len(inner) > 1
                named.append(f"{own}[{number}]" if several else ".".join(parts) if parts else None)
        return tuple(named)

    def accessors(self) -> tuple[str, ...]:
        """What leads from a variable that holds it to each leaf: ``.h``, ``[0]``, ``[1][0]``; nothing to itself."""
        if self.kind == "leaf":
            return ("",)
        steps = [f".{key}" if self.kind == "named" else f"[{key!r}]" for key in self.keys]
        return tuple(step + inner for step, child in zip(steps, self.children) for inner in child.accessors())

    def layers(self) -> tuple[int | None, ...]:
        """Of each leaf the number of the layer that it belongs to, where the state is a list of several alike."""
        if self.kind != "sequence" or len(self.children) < 2 or len(set(self.children)) > 1:
            return (None,) * self.size
        return tuple(number for number, child in enumerate(self.children) for _ in range(child.size))

    def describe(self, names: Sequence[str]) -> str:
        """The structure in Python's notation with these leaf names, such as ``[h, c]``."""
        remaining = iter([f"s{name}" if name[:1].isdigit() else name for name in names])
        return self._describe(remaining)

    def _describe(self, names: Iterator[str]) -> str:
        if self.kind == "leaf":
            return next(names)
        if self.kind == "constant":
            return repr(self.constant)
        inner = [child._describe(names) for child in self.children]
        if self.kind == "mapping":
            return "{" + ", ".join(f"{key!r}: {text}" for key, text in zip(self.keys, inner)) + "}"
        if self.kind == "named":
            assert self.type is not None
            fields = ", ".join(f"{key}={text}" for key, text in zip(self.keys, inner))
            return f"{self.type.__name__}({fields})"
        if self.type is not None and issubclass(self.type, list):
            return "[" + ", ".join(inner) + "]"
        return "(" + ", ".join(inner) + ("," if len(inner) == 1 else "") + ")"


LEAF = Structure("leaf")
DEPTH = 3
"""How deep within each other objects are searched for tensors."""


@functools.lru_cache(maxsize=256)
def sequence(kind: type, count: int) -> Structure:
    """A flat list or tuple of ``count`` leaves."""
    return Structure("sequence", kind, tuple(range(count)), (LEAF,) * count)


def nested(kind: type, children: Sequence[Structure]) -> Structure:
    """A list or tuple of these parts."""
    return Structure("sequence", kind, tuple(range(len(children))), tuple(children))


def mapping(keys: Sequence[str]) -> Structure:
    """A flat dict of leaves."""
    return Structure("mapping", dict, tuple(keys), (LEAF,) * len(keys))


def named(kind: type, fields: Sequence[str]) -> Structure:
    """A flat named tuple or dataclass of leaves."""
    return Structure("named", kind, tuple(fields), (LEAF,) * len(fields))


def flatten(value: Any, is_leaf: Callable[[Any], bool]) -> tuple[Structure, list[Any]]:
    """Take ``value`` apart; what is neither a leaf nor a container stays in it as a constant."""
    if is_leaf(value):
        return LEAF, [value]
    leaves: list[Any] = []

    def visit(item: Any) -> Structure:
        if is_leaf(item):
            leaves.append(item)
            return LEAF
        if isinstance(item, types.SimpleNamespace):
            fields = tuple(vars(item))
            return Structure("named", type(item), fields, tuple(visit(part) for part in vars(item).values()))
        if isinstance(item, dict):
            keys = tuple(item)
            return Structure("mapping", _plain(item, dict), keys, tuple(visit(item[key]) for key in keys))
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            fields = tuple(item._fields)
            return Structure("named", type(item), fields, tuple(visit(part) for part in item))
        if isinstance(item, (list, tuple)):
            base = list if isinstance(item, list) else tuple
            children = [visit(part) for part in item]
            return sequence(base, len(item)) if all(child is LEAF for child in children) else nested(base, children)
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            fields = tuple(field.name for field in dataclasses.fields(item) if field.init)
            return Structure("named", type(item), fields, tuple(visit(getattr(item, name)) for name in fields))
        return Structure("constant", constant=item)

    return visit(value), leaves


def beside(found: Structure, is_leaf: Callable[[Any], bool]) -> list[Any]:
    """The leaves within objects of other kinds than containers, as a distribution that was returned keeps its mean."""
    leaves: list[Any] = []
    seen: set[int] = set()

    def visit(part: Structure, depth: int) -> None:
        for child in part.children:
            visit(child, depth)
        item = part.constant
        plain = isinstance(getattr(item, "__dict__", None), dict) and not isinstance(item, (type, types.ModuleType))
        if part.kind != "constant" or not plain or callable(item) or id(item) in seen or depth == DEPTH:
            return
        seen.add(id(item))
        for value in vars(item).values():
            inner, tensors = flatten(value, is_leaf)
            for tensor in tensors:
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    leaves.append(tensor)
            visit(inner, depth + 1)

    visit(found, 0)
    return leaves


def _plain(item: Any, base: type) -> type:
    """The container's own type when it can be built from its items alone, else the plain one."""
    try:
        type(item)(list(item.items()))
    except Exception:
        return base
    return type(item)


def like(went_in: Structure, came_back: Structure) -> Structure:
    """The structure for the next step: the containers that went in with the constants (step counters and
    such) that came back."""
    if went_in is came_back or went_in.kind == came_back.kind == "constant":
        return came_back
    if len(went_in.children) == len(came_back.children) and went_in.kind != "leaf":
        pairs = zip(went_in.children, came_back.children)
        children = tuple(one if one is other else like(one, other) for one, other in pairs)
        same = all(map(operator.is_, children, went_in.children))
        return went_in if same else dataclasses.replace(went_in, children=children)
    return went_in


def compatible(went_in: Structure, came_back: Structure) -> bool:
    """Whether one may stand for the other: the same kinds of containers, but for a list of one and its only
    part, and for the several kinds of sequences."""
    if went_in.size == came_back.size == 1 and {went_in.kind, came_back.kind} <= {"leaf", "sequence", "named"}:
        return True
    if {went_in.kind, came_back.kind} <= {"sequence", "named"}:
        return went_in.size == came_back.size
    return went_in.kind == came_back.kind and set(went_in.keys) == set(came_back.keys)


def is_flat(part: Structure) -> bool:
    """Whether it holds its leaves itself, as a list of several tensors does."""
    return len(part.children) > 1 and all(child.kind in ("leaf", "constant") for child in part.children)


def parted_alike(one: Structure, other: Structure) -> bool:
    """Whether both hold as many leaves in each of as many parts."""
    return [child.size for child in one.children] == [child.size for child in other.children]


def reorder(value: Any, like: Structure) -> Any:
    """``value`` with the keys of its dicts in the order of ``like``, so that leaves line up."""
    if not like.has_mapping:
        return value
    if like.kind == "mapping" and isinstance(value, dict) and set(value) == set(like.keys):
        return {key: reorder(value[key], child) for key, child in zip(like.keys, like.children)}
    flat = isinstance(value, (list, tuple)) and not hasattr(value, "_fields")
    if like.kind == "sequence" and flat and len(value) == len(like.children):
        return [reorder(part, child) for part, child in zip(value, like.children)]
    return value
