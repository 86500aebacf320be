"""Where the new state lies in what a step returns."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck.usercode.definitions import is_state_name, stem

Place = int | tuple[int, int] | str | None


@dataclass(frozen=True)
class Reading:
    """``at`` is None when what comes back is the state, else its index, its range (start, stop) or its key among
    ``count`` parts; all the rest is output. ``over_time``: its tensors have an axis of time, of which the last step
    counts. ``names`` are those of the arguments that take the parts, one each: a dict may come back for them. ``order``
    are the arguments of the parts as they come back, where they come back in another order."""

    at: Place = None
    count: int = 1
    over_time: bool = False
    names: tuple[str, ...] = ()
    order: tuple[str, ...] = ()

    def split(self, returned: Any) -> tuple[Any, Any] | None:
        """The output (None where there is none) and the state; None when the value cannot be read so."""
        parts = self._split(returned)
        if parts is None or not self.names:
            return parts
        output, state = parts
        alone = state[0] if isinstance(state, (tuple, list)) and len(state) == 1 else state
        if self.order and isinstance(state, (tuple, list)) and len(state) == len(self.order):
            alone = dict(zip(self.order, state))
        if not isinstance(alone, dict):
            return parts
        return (output, [alone[name] for name in self.names]) if set(alone) == set(self.names) else None

    def _split(self, returned: Any) -> tuple[Any, Any] | None:
        if self.at is None:
            return None, returned
        if isinstance(self.at, str):
            if not isinstance(returned, dict) or self.at not in returned:
                return None
            return {key: value for key, value in returned.items() if key != self.at}, returned[self.at]
        if not isinstance(returned, (tuple, list)) or len(returned) != self.count:
            return None
        if self.count == 2 and isinstance(self.at, int):
            return returned[1 - self.at], returned[self.at]
        parts = list(returned)
        taken = _taken(self.at)
        state = parts[taken.start] if isinstance(self.at, int) else parts[taken.start : taken.stop]
        output = [part for index, part in enumerate(parts) if index not in taken]
        return output[0] if len(output) == 1 else output, state

    def describe(self, state: str) -> str:
        """What comes back in one line, such as ``(output, (h, c))``."""
        if self.at is None:
            return state
        if isinstance(self.at, str):
            return f"{{{self.at!r}: {state}, ...}}"
        spread = state[1:-1].rstrip(",")
        taken = _taken(self.at)
        parts = []
        for index in range(self.count):
            if index == taken[0]:
                parts.append(state if isinstance(self.at, int) else spread)
            elif index not in taken:
                parts.append("output" if self.count - len(taken) == 1 else f"output {index}")
        return f"({', '.join(parts)})"


def readings(
    returned: Any,
    *,
    fixed: bool,
    output_first: bool,
    state_first: bool,
    names: Sequence[str],
    taken: Sequence[str] = (),
) -> list[tuple[Reading, bool]]:
    """The ways to read a value, likeliest first, and whether each is likely or only possible.

    With ``output_first`` the framework asks for (output, state), with ``fixed`` it is nothing else. With
    ``state_first`` the state goes in first, and so comes back first. ``names`` are the expressions of the return
    statement, where they are known: what is called a state is likelier to be one, above all what is called as the
    arguments are by which the states were ``taken``.
    """
    called = _called(names, taken)
    count = len(returned) if isinstance(returned, (tuple, list)) else 0
    if fixed:
        return [(Reading(1, 2), True)] if count == 2 else []
    found = [(Reading(), True)]
    if isinstance(returned, dict):
        keys = sorted((key for key in returned if isinstance(key, str)), key=lambda key: not is_state_name(key))
        found += [(Reading(key, len(returned)), True) for key in keys]
    places: list[tuple[int | tuple[int, int], bool]] = []
    if count >= 2:
        places += [(1, True), (count - 1, True), ((1, count), True), (0, state_first)]
        places += [((start, count), True) for start in range(2, count - 1)]
        places += [((0, stop), state_first) for stop in range(count - 1, 1, -1)]
        places += [(index, False) for index in range(2, count - 1)]
        places += [((start, stop), False) for start in range(1, count - 2) for stop in range(start + 2, count)]
    ranked = [(Reading(at, count), likely or _score(at, count, called) > 0) for at, likely in dict.fromkeys(places)]
    if state_first:
        ranked.sort(key=lambda item: not _starts(item[0].at))
    ranked.sort(key=lambda item: -_score(item[0].at, count, called))
    if output_first and count == 2:
        found.insert(0, (Reading(1, 2), True))
    return [*found, *ranked]


def _starts(at: Place) -> bool:
    return at == 0 or (isinstance(at, tuple) and at[0] == 0)


def _taken(at: int | tuple[int, int]) -> range:
    return range(at, at + 1) if isinstance(at, int) else range(*at)


def _score(at: Place, count: int, called: Sequence[bool]) -> int:
    """How many parts are taken as the name says: what is called a state as state, another as output."""
    if len(called) != count or at is None or isinstance(at, str) or all(called) or not any(called):
        return 0
    taken = _taken(at)
    return sum(1 if called[index] else -1 for index in taken) - sum(
        1 for index in range(count) if index not in taken and called[index]
    )


def _called(names: Sequence[str], taken: Sequence[str]) -> list[bool]:
    """Which of the returned expressions are called states: those that are called as what was taken, or are made of it,
    or where there is none those with a word for one."""
    in_order = _in_order(names, taken)
    if in_order is not None:
        return in_order
    for told in (_is_alike, _is_made_of):
        alike = [told(name, taken) for name in names]
        if any(alike) and not all(alike):
            return _completed(alike, names, taken)
    named = [is_state_name(name) for name in names]
    # Beside h and c, what a part of the cell makes of them is an output.
    plain = any(one and name.isidentifier() for one, name in zip(named, names))
    return [one and not (plain and name.startswith("self.") and "(" in name) for one, name in zip(named, names)]


def _in_order(names: Sequence[str], taken: Sequence[str]) -> list[bool] | None:
    """Those that are called one by one as what was taken, the last of such where there are more; None without them."""
    wanted, stems = [stem(name) for name in taken], [stem(name) for name in names]
    for start in range(len(names) - len(taken), -1, -1) if 1 < len(taken) < len(names) else ():
        if stems[start : start + len(taken)] == wanted:
            return [start <= index < start + len(taken) for index in range(len(names))]
    return None


def _completed(alike: list[bool], names: Sequence[str], taken: Sequence[str]) -> list[bool]:
    """Where fewer are called as what was taken: with those that are made of it, or are variables that are called
    states, if that makes as many; the new values of (hidden, cell) may be h_t and cell."""
    made = [one or _is_made_of(name, taken) for one, name in zip(alike, names)]
    called = [one or (name.isidentifier() and is_state_name(name)) for one, name in zip(alike, names)]
    return next((every for every in (alike, made, called) if sum(every) == len(taken)), alike)


def _is_made_of(expression: str, taken: Sequence[str]) -> bool:
    """Whether it is such a variable, with others, by arithmetic alone."""
    nodes = list(ast.walk(ast.parse(expression.lstrip("*"), mode="eval").body))
    stems = [stem(name) for name in taken]
    named = any(isinstance(node, ast.Name) and stem(node.id) in stems for node in nodes)
    return named and not any(isinstance(node, ast.Call) for node in nodes)


def _is_alike(expression: str, taken: Sequence[str]) -> bool:
    # A part of a tuple may be starred.
    node = ast.parse(expression.lstrip("*"), mode="eval").body
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List)) else [node]
    stems = [stem(name) for name in taken]
    return bool(parts) and all(isinstance(part, ast.Name) and stem(part.id) in stems for part in parts)
