"""Which parameters of a method carry the recurrence: the input, the state, and what else must be passed."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from typing import Any

from rnncheck.usercode.definitions import (
    BEFORE,
    CONTEXT_WORDS,
    FURTHER_WORDS,
    is_input_name,
    is_state_name,
    is_surely_state_name,
    stem,
    words,
)
from rnncheck.usercode.functions import undecorated

POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
ONE, EACH, LIST, NAMED, KEPT = "one", "each", "*", "**", "kept"


@dataclass(frozen=True)
class Signature:
    """The parameters of one step, by their roles.

    ``passing`` tells how the state goes in: as ``one`` argument, as one argument for ``each`` of its parts,
    unpacked (``*`` or ``**``), or not at all, being ``kept`` on the cell. ``order`` are the parameters that may be
    passed by position, ``further`` those that must be passed too, ``flags`` those without which the state does not
    come back. ``parts`` are the variables into which the input is taken apart, where it is a tuple, ``unset`` what is
    None by default and may be needed all the same. ``within`` are the names of input and states where one argument
    holds all of them: ``x, (h, c) = inputs``.
    """

    input: str
    states: tuple[str, ...]
    passing: str
    order: tuple[str, ...]
    optional: bool = False
    annotations: Mapping[str, Any] = field(default_factory=dict)
    further: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    within: tuple[Any, ...] = ()

    @property
    def main(self) -> str:
        """The part of the input that the others only go with: times, masks."""
        likely = [name for name in self.parts if is_input_name(name)]
        return [*likely, *(name for name in self.parts if not words(name) & FURTHER_WORDS), *self.parts][0]

    @property
    def beside(self) -> tuple[str, ...]:
        """The other parts."""
        return tuple(name for name in self.parts if name != self.main)

    def whole(self, x: Any, further: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The input as it is passed, and the further arguments without its parts."""
        if not self.parts:
            return x, dict(further)
        parts = tuple(x if name == self.main else further.get(name) for name in self.parts)
        return parts, {name: value for name, value in further.items() if name not in self.parts}

    @property
    def state(self) -> str:
        """The state's parameter, or the first of them."""
        return self.states[0] if self.states else "state"

    @property
    def input_first(self) -> bool:
        if self.passing != ONE and self.passing != EACH:
            return True
        names = [name for name in self.order if name in (self.input, *self.states)]
        return names[:1] != [self.state]

    def bind(self, x: Any, state: Any, further: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of one call: by position up to the last of input and state, and by keyword."""
        if self.within:
            states = dict(zip(self.states, state if self.passing == EACH else (state,)))
            return [_filled(self.within, {**states, self.input: x})], dict(further)
        named = {**further, self.input: x}
        rest: Sequence[Any] = ()
        if self.passing == ONE:
            named[self.state] = state
        elif self.passing == EACH:
            named.update(zip(self.states, state))
        elif self.passing == NAMED:
            named.update(state)
        elif self.passing == LIST:
            rest = state
        positional = []
        needed = {self.input, *(self.states if self.passing in (ONE, EACH) else ())}
        for name in self.order:
            if name not in named or (not needed and not rest):
                break
            positional.append(named.pop(name))
            needed.discard(name)
        return [*positional, *rest], named


def _filled(names: tuple[Any, ...], values: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_filled(part, values) if isinstance(part, tuple) else values.get(part) for part in names)


def packed(names: tuple[Any, ...]) -> Signature | None:
    """Where one argument is taken apart into these variables: those called states are, and the first other one is the
    input; None where all or none are."""
    every = [name for part in names for name in (part if isinstance(part, tuple) else (part,))]
    states = tuple(name for name in every if is_surely_state_name(name))
    others = [name for name in every if name not in states]
    if not states or len(others) != 1:
        return None
    return Signature(others[0], states, EACH if len(states) > 1 else ONE, (), within=names)


ANONYMOUS = Signature("input", ("state",), ONE, ("input", "state"))
"""For what has no signature in Python."""


def parameters(function: Callable[..., Any]) -> list[Parameter] | None:
    """The parameters of a bound method, also of a scripted one; None when they cannot be known."""
    schema = getattr(function, "schema", None)
    if schema is not None and hasattr(schema, "arguments"):
        return [_scripted(argument) for argument in schema.arguments if argument.name != "self"]
    try:
        every = list(inspect.signature(undecorated(function)).parameters.values())
    except (TypeError, ValueError):
        return None
    # A scripted class shows its method unbound.
    return every[1:] if every and every[0].name == "self" else every


def _scripted(argument: Any) -> Parameter:
    default = argument.default_value if argument.has_default_value() else Parameter.empty
    text = str(argument.type)
    annotation: Any = Parameter.empty
    if text.startswith("Tuple["):
        annotation = tuple[(object,) * (text.count(",") + 1)]  # type: ignore[misc]
    elif text.startswith("List["):
        annotation = list[object]
    return Parameter(argument.name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)


def signatures(
    function: Callable[..., Any],
    given: Sequence[str] = (),
    returned: Sequence[str] = (),
    rebound: Collection[str] = (),
    idle: Collection[str] = (),
    asked: Sequence[str] = (),
) -> Iterator[Signature]:
    """The ways in which the parameters may take input and state, likeliest first; none when no state is taken.

    ``given`` are the further arguments that the user passes, ``returned`` the expressions that the method returns,
    ``rebound`` the variables that it gives a value. What is ``idle`` is a state only by its name. Where the parts of
    the state that the user ``asked`` for are parameters by their names, they are the state.
    """
    every = parameters(function)
    if every is None:
        yield ANONYMOUS
        return
    named = [item for item in every if item.kind in (*POSITIONAL, Parameter.KEYWORD_ONLY) and item.name not in given]
    by_name = {item.name: item for item in named}
    told = [by_name[name] for name in asked if name in by_name]
    told = told if len(told) == len(asked) else []
    source = _input([item for item in named if item not in told], returned)
    if source is None:
        if any(item.kind is Parameter.VAR_POSITIONAL for item in every):
            yield ANONYMOUS
        return
    annotations = _annotations(function)
    order = tuple(item.name for item in every if item.kind in POSITIONAL)

    def signature(states: Sequence[Parameter], passing: str, source: Parameter = source) -> Signature:
        taken = {source.name, *(item.name for item in states)}
        rest = [item for item in named if item.name not in taken]
        return Signature(
            source.name,
            tuple(item.name for item in states),
            passing,
            order,
            optional=all(item.default is not Parameter.empty for item in states),
            annotations={
                item.name: annotations.get(item.name, None if item.annotation is Parameter.empty else item.annotation)
                for item in states
            },
            further=tuple(item.name for item in rest if item.default is Parameter.empty),
            flags=tuple(item.name for item in rest if _returns_state(item)),
            unset=tuple(item.name for item in rest if item.default is None and words(item.name) & CONTEXT_WORDS),
        )

    if told:
        yield signature(told, ONE if len(told) == 1 else EACH)
        return
    for item in every:
        if item.kind is Parameter.VAR_POSITIONAL and is_state_name(item.name):
            yield signature([item], LIST)
        if item.kind is Parameter.VAR_KEYWORD and is_state_name(item.name):
            yield signature([item], NAMED)
    for states in _states(named, source, returned, rebound, idle):
        yield signature(states, ONE if len(states) == 1 else EACH)
    # Or the first is the input by its place, since as many come back as there are others.
    first, *others = [item for item in named if item.kind in POSITIONAL]
    back = {stem(name) for name in returned if name.isidentifier()}
    by_place = first is not source and not is_input_name(source.name) and stem(first.name) not in back
    if by_place and len(returned) == len(others) > 1:
        yield signature(others, EACH, first)
    if len(named) == 1:
        for item in every:
            if item.kind is Parameter.VAR_POSITIONAL and not is_state_name(item.name):
                yield signature([item], LIST)


def kept(function: Callable[..., Any], given: Sequence[str] = ()) -> list[Signature]:
    """The signature of a method whose state stays on the cell; none when it takes no input."""
    every = parameters(function)
    named = [item for item in every or () if item.kind in POSITIONAL and item.name not in given]
    source = _input(named, ())
    if source is None:
        handed_on = any(item.kind is Parameter.VAR_POSITIONAL for item in every or ())
        return [Signature("input", (), KEPT, ("input",), True)] if handed_on else []
    further = tuple(item.name for item in named if item is not source and item.default is Parameter.empty)
    return [Signature(source.name, (), KEPT, tuple(item.name for item in named), True, {}, further)]


def _input(named: Sequence[Parameter], returned: Sequence[str]) -> Parameter | None:
    positional = [item for item in named if item.kind in POSITIONAL]
    for item in positional:
        if is_input_name(item.name):
            return item
    # Where all but one come back by their names, that one is the input.
    stems = {stem(name) for name in returned if name.isidentifier()}
    left = [item for item in positional if stem(item.name) not in stems]
    if len(left) == 1 and not _is_flag(left[0]) and len(stems) == len(returned) == len(positional) - 1 > 1:
        return left[0]
    states = [item for item in positional if is_state_name(item.name)]
    rest = [item for item in positional if item not in states]
    others = [item for item in rest if not _is_further(item)]
    # What came before may be fed in as input: the last word, action or output.
    if len(states) > 1 and all(_is_flag(item) or item.default is None for item in rest):
        return next((item for item in states if not is_surely_state_name(item.name)), positional[0])
    others = others or rest
    return others[0] if others else positional[0] if positional else None


def _states(
    named: Sequence[Parameter],
    source: Parameter,
    returned: Sequence[str],
    rebound: Collection[str],
    idle: Collection[str],
) -> Iterator[list[Parameter]]:
    rest = [item for item in named if item is not source]
    states = [item for item in rest if is_state_name(item.name) and not _is_flag(item)]
    coming_back = {word for name in returned for word in words(name)}
    surely = [item for item in states if is_surely_state_name(item.name)]
    # The action before, beside a hidden state, goes in and does not come back.
    states = [item for item in states if item in surely or not surely or not _is_other(item, coming_back)]
    required = [item for item in rest if item.default is Parameter.empty]
    unknown = [item for item in required if item not in states and not _is_further(item) and item.name not in idle]
    found: list[list[Parameter]] = []
    among = sorted([*states, *unknown], key=rest.index)
    back = {stem(name) for name in returned if name.isidentifier()}
    # Where as many come back as there are others, what is made of a state by its name (diff_h, h_above) only goes in.
    beside = [item for item in among if stem(item.name) not in back and _is_made_of(item, among)]
    left = [item for item in among if item not in beside]
    if beside and len(left) == len(returned) > 1 and back and back <= {stem(item.name) for item in left}:
        found.append(left)
    # What is taken by a name and comes back under it with another value is a state, whatever the name.
    handed_back = [item for item in required if item.name in returned and item.name in rebound]
    if any(item not in states and _is_further(item) for item in handed_back):
        named_so = [item for item in states if words(item.name) & coming_back]
        found.append([item for item in rest if item in handed_back or item in named_so])
    also = [item for item in unknown if words(item.name) & coming_back]
    if also and (len(returned) > len(also) or len(also) > 1):
        found += [sorted([*states, *also], key=rest.index)]
    if 0 < len(surely) < len(states):
        found.append(surely)
    if len(states) > 1:
        found += [states, [item for item in states if item in required] or states[:1]]
    found += [[item] for item in sorted(states, key=lambda item: (item not in handed_back, item not in surely))]
    if unknown:
        found += [among] if states else [unknown[:1], unknown]
    if not states and not unknown:
        positional = [item for item in rest if item.kind in POSITIONAL and not _is_further(item) and not _is_flag(item)]
        positional = [item for item in positional if item.name not in idle]
        found += [[item] for item in positional[:1]]
    seen: list[list[Parameter]] = []
    for states in found:
        if states not in seen:
            seen.append(states)
            yield states


def _is_made_of(item: Parameter, states: Sequence[Parameter]) -> bool:
    """Whether its name says more than that of one of the states, and that too."""
    return any(stem(state.name) < stem(item.name) for state in states)


def _is_other(item: Parameter, coming_back: Collection[str]) -> bool:
    """Whether its name tells what was there before, and nothing of that name comes back."""
    what = words(item.name) - BEFORE
    return bool(what) and not what & set(coming_back)


def _is_further(item: Parameter) -> bool:
    return bool(words(item.name) & FURTHER_WORDS) or item.annotation in (bool, int, float, "bool", "int", "float")


def _is_flag(item: Parameter) -> bool:
    """Whether its default or annotation says that it is no tensor."""
    return isinstance(item.default, (bool, int, float, str)) or item.annotation in (
        bool,
        int,
        float,
        str,
        "bool",
        "str",
    )


def _returns_state(item: Parameter) -> bool:
    return (
        item.default is False
        and re.match(r"(return|output|get|with)_", item.name) is not None
        and is_state_name(item.name)
    )


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(function))
    except Exception:
        return {}
