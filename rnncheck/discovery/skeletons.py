"""State structures to try on a cell: what its code tells of them, then the usual ones."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rnncheck import structure
from rnncheck.calling.convention import Callee
from rnncheck.calling.signature import EACH, LIST, NAMED
from rnncheck.discovery import steps
from rnncheck.structure import LEAF, Structure
from rnncheck.usercode import source, usage

PAIRED = 3
"""Of up to so many arguments each may be a pair."""


def skeletons(callee: Callee) -> Iterator[tuple[Structure, bool]]:
    """State structures to try, and whether the code itself says so: annotation, then use, then the usual ones."""
    signature, output_first = callee.signature, callee.backend.output_first(callee.cell)
    container = list if output_first else tuple
    if signature.passing == EACH:
        yield from _of_each(callee, container)
        return
    yield from _of_layers(callee, signature.state)
    if signature.passing in (LIST, NAMED):
        told = list(_told(callee, signature.state, container))
        yield from ((skeleton, True) for skeleton in told)
        if signature.passing == LIST and not told:
            yield from ((structure.sequence(tuple, count), False) for count in (1, 2, 3))
        elif not told:
            keys = _keys_used(callee)
            if keys:
                yield structure.mapping(keys), True
        return
    told = list(_told(callee, signature.state, container))
    for skeleton in (*told, *filter(None, map(_paired, told))):
        yield skeleton, True
    usual = [structure.sequence(list, 1), LEAF, structure.sequence(list, 2)]
    if not output_first:
        usual = [LEAF, structure.sequence(tuple, 2), structure.sequence(list, 1)]
        if steps.takes_layers(callee, signature.state):
            # One layer, before a pair of which the second part would never be taken.
            usual = [LEAF, structure.sequence(list, 1), structure.sequence(tuple, 2)]
    several = steps.number_of_layers(callee)
    if several is not None and several > 1:
        usual += _by_layer(several, None)
    for skeleton in (*usual, structure.sequence(container, 3), structure.sequence(container, 4)):
        yield skeleton, False


def _of_each(callee: Callee, container: type) -> Iterator[tuple[Structure, bool]]:
    """One part for each parameter, each of the structure that the code asks of it."""
    names = callee.signature.states
    told = [next(_told(callee, name, container), LEAF) for name in names]
    yield structure.nested(tuple, told), True
    layers = [next(_of_layers(callee, name), (LEAF, False))[0] for name in names]
    if any(not part.is_leaf for part in layers):
        yield structure.nested(tuple, layers), True
    if any(not part.is_leaf for part in told):
        yield structure.sequence(tuple, len(names)), False


def pairs(callee: Callee) -> Iterator[Structure]:
    """For several arguments, one or more of them a pair: the state of an LSTM that is handed on as a whole."""
    names, container = callee.signature.states, list if callee.backend.output_first(callee.cell) else tuple
    if callee.signature.passing != EACH or len(names) > PAIRED:
        return
    pair = structure.sequence(container, 2)
    for parts in sorted(itertools.product((pair, LEAF), repeat=len(names)), key=lambda parts: parts.count(LEAF)):
        if pair in parts:
            yield structure.nested(tuple, parts)


def _of_layers(callee: Callee, name: str) -> Iterator[tuple[Structure, bool]]:
    """A part, or several, for each layer, where the code takes the state so."""
    found = steps.layers(callee, name)
    if found is not None:
        yield from ((skeleton, True) for skeleton in _by_layer(*found))


def _by_layer(count: int, parts: int | None) -> list[Structure]:
    """Lists for so many layers of so many parts each: of one and of two, where that is not known."""
    several = structure.nested(list, [structure.sequence(tuple, parts or 2)] * count)
    return [structure.sequence(list, count), several] if parts is None else [several]


def _paired(skeleton: Structure) -> Structure | None:
    """The same with a pair in the place of each part, as of an LSTM that is handed on whole; None where it is nested or
    one tensor."""
    if skeleton.is_leaf or not all(child.is_leaf for child in skeleton.children):
        return None
    return dataclasses.replace(skeleton, children=(structure.sequence(tuple, 2),) * len(skeleton.children))


def _told(callee: Callee, name: str, container: type) -> Iterator[Structure]:
    """The structures that the annotation of a parameter, or the use of it, tells."""
    annotation = callee.signature.annotations.get(name)
    for part in (annotation, *typing.get_args(annotation)):
        fields = _fields(part)
        if fields:
            yield structure.named(part, fields)
        elif typing.get_origin(part) in (tuple, list):
            yield from _annotated(part)
    function = source.function_of(callee.code)
    used = usage.unpacking(function, name) if function else None
    if not used:
        return
    how, names = used
    if how == "keys":
        yield structure.mapping(names)
    elif how == "attributes":
        for found in _classes_with(getattr(callee.cell, callee.method), names):
            yield structure.named(found, _fields(found))
        yield structure.named(types.SimpleNamespace, names)
    elif how == "tuple":
        parts = [usage.unpacking(function, part) if function and part.isidentifier() else None for part in names]
        inner = [structure.sequence(container, len(part[1])) if part and part[0] == "tuple" else LEAF for part in parts]
        yield structure.nested(container, inner)
        if any(not part.is_leaf for part in inner):
            yield structure.sequence(container, len(names))
    else:
        yield structure.sequence(container, int(names[0]))


def _annotated(annotation: Any) -> Iterator[Structure]:
    arguments = typing.get_args(annotation)
    if not arguments or Ellipsis in arguments or typing.get_origin(annotation) is not tuple:
        return
    inner = [next(_annotated(part), LEAF) if typing.get_origin(part) is tuple else LEAF for part in arguments]
    yield structure.nested(tuple, inner)


def _keys_used(callee: Callee) -> list[str]:
    """The keys by which the method reads its unpacked dict."""
    function = source.function_of(callee.code)
    used = usage.unpacking(function, callee.signature.state) if function else None
    return list(used[1]) if used and used[0] == "keys" else []


def _classes_with(method: Callable[..., Any], names: Sequence[str]) -> list[type]:
    """Named tuples and dataclasses that the method's module knows and that have all of these fields."""
    known = getattr(inspect.unwrap(method), "__globals__", {}).values()
    return [item for item in known if isinstance(item, type) and set(names) <= set(_fields(item))]


def _fields(annotation: Any) -> tuple[str, ...]:
    if isinstance(annotation, type):
        if issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
            return tuple(annotation._fields)
        if dataclasses.is_dataclass(annotation):
            return tuple(field.name for field in dataclasses.fields(annotation) if field.init)
    return ()
