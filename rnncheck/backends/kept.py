"""What a cell keeps on itself beside its weights: tensors, and attributes that hold nothing yet."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnncheck.usercode.definitions import is_framework

if TYPE_CHECKING:
    from rnncheck.backends.base import Backend

MANY = 64
"""A longer list is a record, not a state."""


@dataclass(frozen=True)
class Place:
    """An attribute, a buffer or a variable that is not trained: how to read and to replace what it holds."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


def places(backend: Backend, holders: Iterable[tuple[str, Any]], internal: frozenset[str]) -> dict[str, Place]:
    """The places of the holders, by dotted paths; ``internal`` are attributes of the library's own."""
    found: dict[str, Place] = {}
    for path, holder in holders:
        for name, place in _of(backend, holder, internal):
            found.setdefault(f"{path}.{name}" if path else name, place)
    return found


def _of(backend: Backend, holder: Any, internal: frozenset[str]) -> Iterator[tuple[str, Place]]:
    buffers = vars(holder).get("_buffers")
    for attributes in (vars(holder), buffers if isinstance(buffers, dict) else {}):
        for name, value in list(attributes.items()):
            if backend.is_weight(value):
                if not getattr(value, "trainable", True) and "seed" not in name:
                    yield name, _variable(backend, value)
            elif name not in internal and _is_kept(backend, value):
                yield name, _attribute(holder, attributes, name)


def _variable(backend: Backend, variable: Any) -> Place:
    tensor = backend.raw(variable)

    def read() -> Any:
        return backend.tensor(backend.numpy(tensor), backend.dtype(tensor))

    def write(value: Any) -> None:
        # What was built after it was read has no number to go back to.
        if value is not None:
            backend.weight("", tensor, False).assign(backend.numpy(value))

    return Place(read, write)


def _attribute(holder: Any, attributes: dict[str, Any], name: str) -> Place:
    def write(value: Any) -> None:
        # In new containers, since a cell may put its next state into those that it holds.
        if attributes is vars(holder):
            setattr(holder, name, _plain(value))
        else:
            attributes[name] = _plain(value)

    return Place(lambda: _plain(attributes.get(name)), write)


def _is_kept(backend: Backend, value: Any) -> bool:
    """A tensor that is no weight, nothing yet, or a nest of such."""
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= MANY and all(_is_kept(backend, part) for part in value)
    if isinstance(value, dict):
        # A number may become a tensor in the first step.
        parts = [part for part in value.values() if not isinstance(part, (int, float))]
        return 0 < len(value) <= MANY and all(_is_kept(backend, part) for part in parts)
    return value is None or (backend.is_tensor(value) and not backend.is_weight(value))


def _plain(value: Any) -> Any:
    """New containers, without those in which a library tracks what is set on it."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    parts = {key: _plain(part) for key, part in value.items()}
    if type(value) is dict or is_framework(type(value)):
        return parts
    # The user's own may have attributes besides.
    own = copy.copy(value)
    dict.update(own, parts)
    return own
