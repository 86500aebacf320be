"""A cell as it was: attributes, containers and numbers, put back in place.

Copying a cell is not safe (a Keras layer copies itself through its configuration, a torch module may hold
tensors that refuse), so the object itself is used and afterwards restored.
"""

from __future__ import annotations

import copy
import functools
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from rnncheck.usercode.definitions import is_framework

Restore = Callable[[], None]
GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)


class Snapshot:
    """Remembers ``holders`` (objects with attributes), ``numbers`` (each a function that puts one tensor's numbers
    back), the contents of what stands ``around``, and likewise the state of its ``randomness``. ``restore`` may be
    called any number of times."""

    def __init__(
        self,
        holders: Iterable[Any],
        numbers: Iterable[Restore],
        around: Iterable[Any] = (),
        randomness: Iterable[Restore] = (),
    ) -> None:
        self._numbers, self._randomness = list(numbers), list(randomness)
        self._attributes = [(holder, dict(vars(holder))) for holder in holders]
        self._contents: list[tuple[Any, Any]] = []
        seen: set[int] = set()
        for _, attributes in list(self._attributes):
            for value in attributes.values():
                self._remember(value, seen)
        for value in around:
            self._remember(value, seen)

    def _remember(self, value: Any, seen: set[int]) -> None:
        if id(value) in seen:
            return
        if isinstance(value, list) and "_storage" in getattr(value, "__dict__", ()):
            # Keras 2 wraps the user's list and keeps account of its changes.
            seen.add(id(value))
            self._attributes.append((value, dict(vars(value))))
            for part in vars(value).values():
                self._remember(part, seen)
        elif isinstance(value, (list, dict, set, deque)):
            # Keras 2 wraps the user's dict. Of others any attribute may be a key that they lack.
            proxy: Any = value
            value = proxy.__wrapped__ if hasattr(type(value), "__wrapped__") else value
            seen.add(id(value))
            self._contents.append((value, dict(value) if isinstance(value, dict) else list(value)))
            for part in value.values() if isinstance(value, dict) else list(value):
                self._remember(part, seen)
        elif isinstance(value, np.ndarray):
            seen.add(id(value))
            self._contents.append((value, value.copy()))
        elif isinstance(value, np.random.Generator):
            seen.add(id(value))
            self._contents.append((value, copy.deepcopy(value.bit_generator.state)))
        elif isinstance(value, np.random.RandomState):
            seen.add(id(value))
            self._contents.append((value, value.get_state()))
        elif isinstance(value, random.Random):
            seen.add(id(value))
            self._contents.append((value, value.getstate()))
        elif hasattr(type(value), "manual_seed") and hasattr(type(value), "get_state"):
            seen.add(id(value))
            self._randomness.append(functools.partial(value.set_state, value.get_state()))
        elif _is_own(value):
            seen.add(id(value))
            self._attributes.append((value, dict(vars(value))))
            for part in list(vars(value).values()):
                self._remember(part, seen)

    def restore(self, *, randomness: bool = True) -> None:
        """Put everything back as it was when the snapshot was taken, generators of random numbers only on demand."""
        for holder, attributes in self._attributes:
            current = vars(holder)
            for name in [name for name in current if name not in attributes]:
                del current[name]
            current.update(attributes)
        for value, contents in self._contents:
            if randomness or not isinstance(value, GENERATORS):
                _refill(value, contents)
        for put_back in (*self._numbers, *(self._randomness if randomness else ())):
            put_back()

    def reseed(self) -> None:
        """Put back the generators of random numbers alone."""
        for value, contents in self._contents:
            if isinstance(value, GENERATORS):
                _refill(value, contents)
        for put_back in self._randomness:
            put_back()


def _is_own(value: Any) -> bool:
    """Whether this is a plain object of the user's own, which may keep anything."""
    cls = type(value)
    plain = hasattr(value, "__dict__") and not isinstance(value, (type, FunctionType, ModuleType))
    return plain and cls.__module__ != "builtins" and not any(map(is_framework, cls.__mro__[:-1]))


def _refill(value: Any, contents: Any) -> None:
    """What changed, through the base classes' own methods: a framework's tracked containers react to theirs."""
    if isinstance(value, (list, deque)) and _same(list(value), contents):
        return
    if (
        isinstance(value, dict)
        and _same(list(value), list(contents))
        and _same(list(value.values()), list(contents.values()))
    ):
        return
    if isinstance(value, OrderedDict):
        OrderedDict.clear(value)
        OrderedDict.update(value, contents)
    elif isinstance(value, list):
        list.__setitem__(value, slice(None), contents)
    elif isinstance(value, dict):
        dict.clear(value)
        dict.update(value, contents)
    elif isinstance(value, set):
        set.clear(value)
        set.update(value, contents)
    elif isinstance(value, deque):
        deque.clear(value)
        deque.extend(value, contents)
    elif isinstance(value, np.ndarray):
        value[...] = contents
    elif isinstance(value, np.random.Generator):
        value.bit_generator.state = copy.deepcopy(contents)
    elif isinstance(value, np.random.RandomState):
        value.set_state(contents)
    elif isinstance(value, random.Random):
        value.setstate(contents)


def _same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(one is other for one, other in zip(left, right))
