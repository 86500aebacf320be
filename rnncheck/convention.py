"""How a cell is called: which argument is the state, what structure it has, and what comes back.

Markers and providers of the cell itself come first, then its signature and code, then trying; a guess
counts only when the cell accepts what it returned as its next state.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck import source, structure, usertrace
from rnncheck.backends.base import Backend, Tensor
from rnncheck.capture import code_of
from rnncheck.definitions import is_input_name, is_state_name
from rnncheck.errors import CallError
from rnncheck.structure import LEAF, Structure, flatten


@dataclass(frozen=True)
class Signature:
    """The two arguments that carry the recurrence, by name and position (None: keyword only)."""

    input: str
    state: str
    input_first: bool
    by_keyword: bool
    state_optional: bool
    annotation: Any


@dataclass(frozen=True)
class Convention:
    """``reading`` is one of ``state``, ``output, state``, ``output, *state`` and ``state, output``."""

    method: str
    signature: Signature
    state: Structure
    reading: str

    def describe(self, names: Sequence[str]) -> str:
        """The call in one line, such as ``(x, (h, c)) -> (output, (h, c))``."""
        state = self.state.describe(names)
        order = (self.signature.input, state) if self.signature.input_first else (state, self.signature.input)
        returned = {
            "state": state,
            "output, state": f"(output, {state})",
            "output, *state": f"(output, {', '.join(names)})",
            "state, output": f"({state}, output)",
        }[self.reading]
        return f"({', '.join(order)}) -> {returned}"


@dataclass(frozen=True)
class Guess:
    """A state to try. ``declared`` when the cell itself made it or said how."""

    value: Any
    source: str
    declared: bool


@dataclass(frozen=True)
class Bound:
    """A cell with the convention that it was seen to follow, and its first state (tensors, one per slot).

    ``isolated``: the cell keeps something between runs, so each run gets a copy of it.
    """

    backend: Backend
    cell: Any
    convention: Convention
    initial: list[Tensor]
    initial_source: str
    initial_declared: bool
    isolated: bool = False

    @property
    def name(self) -> str:
        """What is called, as ``MyCell.forward()``."""
        return f"{type(self.cell).__name__}.{self.convention.method}()"

    def for_one_run(self) -> Bound:
        return dataclasses.replace(self, cell=self.backend.copy(self.cell)) if self.isolated else self

    def call(self, x: Tensor, leaves: Sequence[Tensor]) -> Any:
        """One step; returns what the cell returned."""
        return call(
            self.cell, self.convention.method, self.convention.signature, x, self.convention.state.build(leaves)
        )

    def split(self, returned: Any) -> tuple[Any, list[Tensor]]:
        """The output (None where there is none) and the new leaves; raises CallError when they do not fit."""
        parts = _parts(returned, self.convention.reading, self.convention.state.size)
        if parts is not None:
            output, state = parts
            found, leaves = flatten(structure.reorder(state, self.convention.state), self.backend.is_tensor)
            if found.size == self.convention.state.size:
                return output, leaves
        raise CallError(
            f"{self.convention.method}() returned {outline(returned, self.backend)} "
            f"where it took {self.convention.state.describe(['a tensor'] * self.convention.state.size)} as its state."
        )


class NotAccepted(Exception):
    """One guess was not how the cell is called; ``cause`` is the user's exception, if there was one."""

    def __init__(self, message: str, cause: Exception | None = None, returned_nothing: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.returned_nothing = returned_nothing


def signature_of(cell: Any, method: str) -> Signature:
    """Which parameters are the input and the state; raises CallError when the method takes no state."""
    function = getattr(cell, method, None)
    label = f"{type(cell).__name__}.{method}()"
    if not callable(function):
        raise CallError(f"{type(cell).__name__} has no method '{method}'.", hint="Name its step with --method NAME.")
    try:
        every = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return Signature("input", "state", True, False, False, None)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [parameter for parameter in every if parameter.kind in kinds]
    keyword = [
        parameter for parameter in every if parameter.kind is parameter.KEYWORD_ONLY and is_state_name(parameter.name)
    ]
    if not positional or len(positional) + len(keyword) < 2:
        if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in every):
            shown = ", ".join(parameter.name for parameter in every)
            raise CallError(
                f"{type(cell).__name__}.{method}({shown}) takes no state, so it is not a recurrent cell.",
                hint="A cell's step takes an input and a state: (x, state). Name another method with --method NAME.",
            )
        return Signature("input", "state", True, False, False, None)
    state_named = [parameter for parameter in positional if is_state_name(parameter.name)]
    first, second = (positional + keyword)[:2]
    if first in state_named and (second not in state_named or is_input_name(second.name)):
        given, state = second, first
    elif state_named and state_named[0] is not first:
        given, state = first, state_named[0]
    elif keyword and second not in keyword:
        given, state = first, keyword[0]
    else:
        given, state = first, second
    _require_rest_optional(positional, given, state, label)
    adjacent = {given.name, state.name} == {parameter.name for parameter in positional[:2]}
    return Signature(
        given.name,
        state.name,
        input_first=given is first,
        by_keyword=not adjacent,
        state_optional=state.default is not inspect.Parameter.empty,
        annotation=_annotation(function, state.name),
    )


def _require_rest_optional(
    positional: list[inspect.Parameter], given: inspect.Parameter, state: inspect.Parameter, label: str
) -> None:
    rest = [parameter.name for parameter in positional if parameter.default is parameter.empty]
    unknown = [name for name in rest if name not in (given.name, state.name)]
    if unknown:
        raise CallError(
            f"{label} also needs {', '.join(unknown)}, and rnncheck cannot tell what to pass.",
            hint=f"Give {'it a default' if len(unknown) == 1 else 'them defaults'}, or check a subclass that fills "
            f"{'it' if len(unknown) == 1 else 'them'} in.",
        )


def _annotation(function: Callable[..., Any], name: str) -> Any:
    try:
        return typing.get_type_hints(inspect.unwrap(function)).get(name)
    except Exception:
        return None


def call(cell: Any, method: str, signature: Signature, x: Tensor, state: Any) -> Any:
    """Call the cell as its user would: through ``cell(...)``, unless another method is meant."""
    function = cell if method in ("call", "forward") else getattr(cell, method)
    if signature.by_keyword:
        return (
            function(x, **{signature.state: state})
            if signature.input_first
            else function(**{signature.input: x, signature.state: state})
        )
    return function(x, state) if signature.input_first else function(state, x)


def discover(backend: Backend, cell: Any, method: str, inputs: Sequence[Tensor], widths: Sequence[int]) -> Bound:
    """Find how the cell is called.

    ``inputs`` are two tensors ``(batch, *input shape)``, ``widths`` the hidden sizes to try, likeliest
    first. Raises CallError with the cell's own complaint about the likeliest guess.
    """
    signature = signature_of(cell, method)
    refused: list[tuple[Guess, NotAccepted]] = []
    for guess in _guesses(backend, cell, method, signature, inputs[0], widths):
        try:
            return _try(backend, cell, method, signature, inputs, guess)
        except NotAccepted as reason:
            refused.append((guess, reason))
    raise _explain(cell, method, refused)


def _explain(cell: Any, method: str, refused: list[tuple[Guess, NotAccepted]]) -> CallError:
    name = f"{type(cell).__name__}.{method}()"
    if not refused:
        return CallError(f"{name}: no state could be made for it.")
    returned = [reason for _, reason in refused if reason.cause is None]
    guess, reason = refused[0]
    if returned and not guess.declared:
        reason = returned[0]
    hint = None
    if reason.cause is None and reason.returned_nothing:
        hint = "Return the new state: return new_state, or return output, new_state."
    details = usertrace.format_user(reason.cause) if reason.cause is not None else None
    return CallError(f"{name} {reason}", hint=hint, details=details)


def _try(
    backend: Backend, cell: Any, method: str, signature: Signature, inputs: Sequence[Tensor], guess: Guess
) -> Bound:
    skeleton, leaves = flatten(guess.value, backend.is_tensor)
    if not leaves:
        raise NotAccepted("takes a state without tensors.")
    returned = _attempt(cell, method, signature, inputs[0], guess)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    reading = _reading(backend, backend.output_first(cell), returned, skeleton, shapes)
    if reading is None:
        if returned is None:
            raise NotAccepted("returned None: it has no return statement that ran.", returned_nothing=True)
        given = outline(guess.value, backend)
        raise NotAccepted(
            f"returned {outline(returned, backend)}, which has no part like the state that went in ({given})."
        )
    convention = Convention(method, signature, skeleton, reading)
    # A framework that drives the cell itself starts it from zeros where the cell says nothing.
    declared = guess.declared or backend.output_first(cell)
    bound = Bound(backend, cell, convention, leaves, guess.source, declared)
    _, following = bound.split(returned)
    _attempt(cell, method, signature, inputs[1], dataclasses.replace(guess, value=skeleton.build(following)))
    return bound


def _attempt(cell: Any, method: str, signature: Signature, x: Tensor, guess: Guess) -> Any:
    try:
        return call(cell, method, signature, x, guess.value)
    except Exception as error:
        where = usertrace.place(error)
        raise NotAccepted(f"raised {usertrace.summary(error)}{f' ({where})' if where else ''}.", error) from error


def _reading(
    backend: Backend, output_first: bool, returned: Any, skeleton: Structure, shapes: Sequence[tuple[int, ...]]
) -> str | None:
    """How the state lies in what came back; None when it does not."""
    readings = ("output, state",) if output_first else ("state", "output, state", "output, *state", "state, output")
    for reading in readings:
        parts = _parts(returned, reading, skeleton.size)
        if parts is None:
            continue
        _, leaves = flatten(structure.reorder(parts[1], skeleton), backend.is_tensor)
        if [tuple(leaf.shape) for leaf in leaves] == list(shapes):
            return reading
    return None


def _parts(returned: Any, reading: str, size: int) -> tuple[Any, Any] | None:
    if reading == "state":
        return None, returned
    if not isinstance(returned, (tuple, list)):
        return None
    if reading == "output, *state":
        return (returned[0], list(returned[1:])) if len(returned) == size + 1 else None
    if len(returned) != 2:
        return None
    return (returned[0], returned[1]) if reading == "output, state" else (returned[1], returned[0])


def outline(value: Any, backend: Backend) -> str:
    """A value's structure with the shapes of its tensors, such as ``(tensor 3x8, None)``."""
    if value is None:
        return "None"
    skeleton, leaves = flatten(value, backend.is_tensor)
    if skeleton.kind == "constant":
        return f"{type(value).__name__}"
    return skeleton.describe(["tensor " + "x".join(map(str, leaf.shape)) for leaf in leaves])


def _guesses(
    backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor, widths: Sequence[int]
) -> Iterator[Guess]:
    for provider, state in backend.initial_states(cell, int(x.shape[0]), x):
        yield Guess(state, provider, True)
    skeletons = list(_skeletons(backend, cell, method, signature))
    shapes = [shape for width in widths for shape in _leaf_shapes(backend, x, width)]
    told = [skeleton for skeleton, certain in skeletons if certain]
    if signature.state_optional and not told:
        yield from _from_default(backend, cell, method, signature, x)
    for skeleton, _ in skeletons:
        for shape in shapes:
            zeros = [backend.tensor(_zeros(shape, backend.float_dtype(cell))) for _ in range(skeleton.size)]
            yield Guess(skeleton.build(zeros), "zeros", False)
    if signature.state_optional and told:
        yield from _from_default(backend, cell, method, signature, x)


def _zeros(shape: tuple[int, ...], dtype: str) -> Any:
    import numpy as np

    return np.zeros(shape, dtype)


def _leaf_shapes(backend: Backend, x: Tensor, width: int) -> list[tuple[int, ...]]:
    batch, spatial = int(x.shape[0]), tuple(int(size) for size in x.shape[1:])
    if len(spatial) <= 1:
        return [(batch, width)]
    if backend.channels_last():
        return [(batch, *spatial[:-1], width)]
    return [(batch, width, *spatial[1:])]


def _from_default(backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor) -> Iterator[Guess]:
    """The structures that could be the state in what comes back when the state is left out."""
    try:
        returned = cell(x) if method in ("call", "forward") else getattr(cell, method)(x)
    except Exception:
        return
    candidates: list[Any] = []
    if isinstance(returned, (tuple, list)) and len(returned) == 2 and not hasattr(returned, "_fields"):
        # A pair of tensors is (h, c) or (output, h): what the cell takes back decides.
        bare = backend.is_tensor(returned[1])
        pair_first = bare and _is_pair(signature.annotation)
        candidates = [returned, returned[1]] if pair_first or not bare else [returned[1], returned]
        if not bare:
            candidates.reverse()
    elif returned is not None:
        candidates = [returned]
        if isinstance(returned, (tuple, list)) and len(returned) > 2:
            candidates.append(tuple(returned[1:]))
    for candidate in candidates:
        skeleton, leaves = flatten(candidate, backend.is_tensor)
        if leaves:
            zeros = [backend.tensor(backend.numpy(leaf) * 0) for leaf in leaves]
            yield Guess(
                skeleton.build(zeros),
                f"{signature.state} left out",
                _same(backend, cell, method, signature, x, skeleton.build(zeros), returned),
            )


def _same(backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor, state: Any, returned: Any) -> bool:
    """Whether zeros give what leaving the state out gives, so that the cell itself starts from zeros."""
    from rnncheck.trace import equal

    try:
        _, left = flatten(call(cell, method, signature, x, state), backend.is_tensor)
    except Exception:
        return False
    _, right = flatten(returned, backend.is_tensor)
    return len(left) == len(right) and all(equal(backend.numpy(a), backend.numpy(b)) for a, b in zip(left, right))


def _is_pair(annotation: Any) -> bool:
    return any(typing.get_origin(part) is tuple for part in (annotation, *typing.get_args(annotation)))


def _skeletons(backend: Backend, cell: Any, method: str, signature: Signature) -> Iterator[tuple[Structure, bool]]:
    """State structures to try, and whether the code itself says so: annotation, then use, then the usual ones."""
    container = list if backend.output_first(cell) else tuple
    for part in (signature.annotation, *typing.get_args(signature.annotation)):
        fields = _fields(part)
        if fields:
            yield structure.named(part, fields), True
        elif typing.get_origin(part) in (tuple, list):
            arguments = typing.get_args(part)
            if arguments and Ellipsis not in arguments and typing.get_origin(part) is tuple:
                yield structure.sequence(tuple, len(arguments)), True
    code = code_of(getattr(type(cell), method, None))
    function = source.function_at(code.co_filename, code.co_firstlineno) if code else None
    used = source.unpacking(function, signature.state) if function else None
    if used:
        how, names = used
        if how == "keys":
            yield structure.mapping(names), True
        else:
            yield structure.sequence(container, len(names) if how == "tuple" else int(names[0])), True
    usual = [structure.sequence(list, 1), LEAF, structure.sequence(list, 2)]
    if not backend.output_first(cell):
        usual = [LEAF, structure.sequence(tuple, 2), structure.sequence(list, 1)]
    for skeleton in (*usual, structure.sequence(container, 3), structure.sequence(container, 4)):
        yield skeleton, False


def _fields(annotation: Any) -> tuple[str, ...]:
    if isinstance(annotation, type):
        if issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
            return tuple(annotation._fields)
        if dataclasses.is_dataclass(annotation):
            return tuple(field.name for field in dataclasses.fields(annotation) if field.init)
    return ()
