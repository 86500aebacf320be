"""How a cell is called: which argument is the state, what structure it has, and what comes back.

Markers and providers of the cell itself come first, then its signature and code, then trying; a guess
counts only when the cell accepts what it returned as its next state.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from rnncheck import source, structure, usertrace
from rnncheck.backends.base import Array, Backend, Tensor, numpy_dtype
from rnncheck.backends.snapshot import Snapshot
from rnncheck.capture import code_of, recording
from rnncheck.definitions import is_input_name, is_state_name
from rnncheck.errors import CallError
from rnncheck.structure import LEAF, Structure, flatten
from rnncheck.trace import equal


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

    ``kept``: the cell keeps something between runs, so each run starts from this snapshot of it.
    """

    backend: Backend
    cell: Any
    convention: Convention
    initial: list[Tensor]
    initial_source: str
    initial_declared: bool
    input_dtype: str
    kept: Snapshot | None = None

    @property
    def name(self) -> str:
        """What is called, as ``MyCell.forward()``."""
        return f"{type(self.cell).__name__}.{self.convention.method}()"

    @property
    def code(self) -> CodeType | None:
        """The code of the method that runs at each step."""
        return code_of(getattr(type(self.cell), self.convention.method, None))

    def begin(self, seed: int) -> None:
        """Before each run: randomness starts again, and so does the cell."""
        self.backend.seed(seed)
        if self.kept is not None:
            self.kept.restore()

    def inputs(self, array: Array) -> Tensor:
        return self.backend.tensor(array, self.input_dtype)

    def state(self, arrays: Sequence[Array]) -> list[Tensor]:
        """Tensors of the arrays' dtypes, but for a dtype that NumPy does not have."""
        dtypes = [self.backend.dtype(leaf) for leaf in self.initial]
        return [
            self.backend.tensor(array, None if numpy_dtype(dtype) == dtype else dtype)
            for array, dtype in zip(arrays, dtypes)
        ]

    def call(self, x: Tensor, state: Any) -> Any:
        """One step; returns what the cell returned."""
        return call(self.cell, self.convention.method, self.convention.signature, x, state)

    def split(self, returned: Any) -> tuple[Any, Structure, list[Tensor]]:
        """The output (None where there is none), the new state's structure and its leaves.

        Raises CallError when they do not fit the state that went in.
        """
        parts = _parts(returned, self.convention.reading, self.convention.state.size)
        if parts is not None:
            output, state = parts
            found, leaves = flatten(structure.reorder(state, self.convention.state), self.backend.is_tensor)
            if found.size == self.convention.state.size:
                return output, structure.like(self.convention.state, found), leaves
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
    # A state that comes back before the output is believed only where it also goes in first, or where nothing
    # else fits: a cell that ignores its state would accept its output as a state.
    for state_first in (False, True):
        for guess in _guesses(backend, cell, method, signature, inputs[0], widths):
            try:
                return _try(backend, cell, method, signature, inputs, guess, state_first or not signature.input_first)
            except NotAccepted as reason:
                refused.append((guess, reason))
        if backend.output_first(cell):
            break
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
    backend: Backend,
    cell: Any,
    method: str,
    signature: Signature,
    inputs: Sequence[Tensor],
    guess: Guess,
    state_first: bool,
) -> Bound:
    skeleton, leaves = flatten(guess.value, backend.is_tensor)
    if not leaves:
        raise NotAccepted("takes a state without tensors.")
    returned = _attempt(cell, method, signature, inputs[0], guess)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    reading = _reading(backend, _readings(backend.output_first(cell), state_first), returned, skeleton, shapes)
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
    bound = Bound(backend, cell, convention, leaves, guess.source, declared, backend.dtype(inputs[0]))
    _, found, following = bound.split(returned)
    _attempt(cell, method, signature, inputs[1], dataclasses.replace(guess, value=found.build(following)))
    return bound


def _readings(output_first: bool, state_first: bool) -> tuple[str, ...]:
    if output_first:
        return ("output, state",)
    usual = ("state", "output, state", "output, *state")
    return (*usual, "state, output") if state_first else usual


def _attempt(cell: Any, method: str, signature: Signature, x: Tensor, guess: Guess) -> Any:
    try:
        return call(cell, method, signature, x, guess.value)
    except Exception as error:
        where = usertrace.place(error)
        raise NotAccepted(f"raised {usertrace.summary(error)}{f' ({where})' if where else ''}.", error) from error


def _reading(
    backend: Backend,
    readings: Sequence[str],
    returned: Any,
    skeleton: Structure,
    shapes: Sequence[tuple[int, ...]],
) -> str | None:
    """How the state lies in what came back; None when it does not."""
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
        yield from _cast(backend, Guess(state, provider, True), backend.float_dtype(cell))
        if not flatten(state, backend.is_tensor)[1]:
            yield from _from_returned(backend, cell, method, signature, x, state, provider)
    skeletons = list(_skeletons(backend, cell, method, signature))
    told = [skeleton for skeleton, certain in skeletons if certain]
    left_out = list(_from_default(backend, cell, method, signature, x)) if signature.state_optional else []
    fits = [
        guess.declared or not told or flatten(guess.value, backend.is_tensor)[0].size == told[0].size
        for guess in left_out
    ]
    yield from itertools.compress(left_out, fits)
    dtype = numpy_dtype(backend.float_dtype(cell))
    for skeleton, certain in skeletons:
        for shapes in _shapes(backend, x, skeleton.size, widths, mixed=certain):
            zeros = [backend.tensor(np.zeros(shape, dtype), backend.float_dtype(cell)) for shape in shapes]
            yield Guess(skeleton.build(zeros), "zeros", False)
    yield from itertools.compress(left_out, [not fit for fit in fits])


def _cast(backend: Backend, guess: Guess, dtype: str) -> Iterator[Guess]:
    """The same state in the dtype in which the cell computes, where a provider fixes another."""
    found, leaves = flatten(guess.value, backend.is_tensor)
    floating = [str(backend.dtype(leaf)).startswith(("float", "bfloat")) for leaf in leaves]
    if any(is_float and backend.dtype(leaf) != dtype for is_float, leaf in zip(floating, leaves)):
        cast = [
            backend.tensor(backend.numpy(leaf), dtype if is_float else backend.dtype(leaf))
            for is_float, leaf in zip(floating, leaves)
        ]
        yield dataclasses.replace(guess, value=found.build(cast))


def _shapes(
    backend: Backend, x: Tensor, count: int, widths: Sequence[int], *, mixed: bool
) -> Iterator[list[tuple[int, ...]]]:
    """Shapes for ``count`` slots: all of one width first, then, with ``mixed``, of different ones."""
    for width in widths:
        yield [_leaf_shape(backend, x, width)] * count
    if mixed and 2 <= count <= 3:
        for several in itertools.islice(itertools.permutations(widths[:6], count), 60):
            yield [_leaf_shape(backend, x, width) for width in several]


def _leaf_shape(backend: Backend, x: Tensor, width: int) -> tuple[int, ...]:
    batch, *row = (int(size) for size in x.shape)
    if len(row) <= 1:
        return (batch, width)
    return (batch, *row[:-1], width) if backend.channels_last() else (batch, width, *row[1:])


def _from_returned(
    backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor, state: Any, provider: str
) -> Iterator[Guess]:
    """What comes back for a state without tensors (``None`` for each slot) has the structure of the state."""
    try:
        returned = call(cell, method, signature, x, state)
    except Exception:
        return
    candidates = [returned]
    if isinstance(returned, (tuple, list)) and len(returned) >= 2:
        candidates = [returned[1], returned]
    for candidate in candidates:
        if flatten(candidate, backend.is_tensor)[1]:
            yield Guess(candidate, provider, True)


def _from_default(backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor) -> Iterator[Guess]:
    """The state that the cell makes when it is left out: as it was seen being made, else as it comes back."""
    code = code_of(getattr(type(cell), method, None))
    try:
        with recording(code, backend.is_tensor) as record:
            returned = cell(x) if method in ("call", "forward") else getattr(cell, method)(x)
    except Exception:
        return
    source_name = f"{signature.state} left out"
    made = record.rebound.get(signature.state)
    if made is not None and flatten(made, backend.is_tensor)[1]:
        yield Guess(made, source_name, True)
    for candidate in _state_like(returned, backend, signature):
        skeleton, leaves = flatten(candidate, backend.is_tensor)
        if leaves:
            zeros = skeleton.build([backend.tensor(backend.numpy(leaf) * 0, backend.dtype(leaf)) for leaf in leaves])
            if _same(backend, cell, method, signature, x, zeros, returned):
                yield Guess(zeros, source_name, True)
            else:
                yield Guess(candidate, f"{source_name}, after one step", False)


def _state_like(returned: Any, backend: Backend, signature: Signature) -> list[Any]:
    """The parts of what came back that could be the state, likeliest first.

    A pair of tensors is (h, c) or (output, h): what the cell takes back decides.
    """
    if isinstance(returned, (tuple, list)) and len(returned) == 2 and not hasattr(returned, "_fields"):
        if not backend.is_tensor(returned[1]) or not _is_pair(signature.annotation):
            return [returned[1], returned]
        return [returned, returned[1]]
    if isinstance(returned, (tuple, list)) and len(returned) > 2:
        return [returned, tuple(returned[1:])]
    return [] if returned is None else [returned]


def _same(backend: Backend, cell: Any, method: str, signature: Signature, x: Tensor, state: Any, returned: Any) -> bool:
    """Whether zeros give what leaving the state out gives, so that the cell itself starts from zeros."""
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
        elif how == "attributes":
            for found in _classes_with(getattr(cell, method), names):
                yield structure.named(found, _fields(found)), True
            yield structure.named(types.SimpleNamespace, names), True
        else:
            yield structure.sequence(container, len(names) if how == "tuple" else int(names[0])), True
    usual = [structure.sequence(list, 1), LEAF, structure.sequence(list, 2)]
    if not backend.output_first(cell):
        usual = [LEAF, structure.sequence(tuple, 2), structure.sequence(list, 1)]
    for skeleton in (*usual, structure.sequence(container, 3), structure.sequence(container, 4)):
        yield skeleton, False


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
