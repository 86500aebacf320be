"""Finding out how a cell is called.

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
from typing import Any

import numpy as np

from rnncheck import initial_state, source, structure, usertrace
from rnncheck.backends.base import Backend, Tensor, numpy_dtype
from rnncheck.capture import recording
from rnncheck.convention import Bound, Callee, Convention, Signature, outline, state_part
from rnncheck.errors import CallError
from rnncheck.structure import LEAF, Structure, flatten
from rnncheck.trace import equal


@dataclass(frozen=True)
class Guess:
    """A state to try. ``declared`` when the cell itself made it or said how."""

    value: Any
    source: str
    declared: bool


class NotAccepted(Exception):
    """One guess was not how the cell is called; ``cause`` is the user's exception, if there was one, else
    ``returned`` is what came back."""

    def __init__(self, message: str, cause: Exception | None = None, returned: Any = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.returned = returned


Refused = list[tuple[Guess, NotAccepted]]


def discover(callee: Callee, inputs: Sequence[Tensor], widths: Sequence[int]) -> Bound:
    """Find how the cell is called.

    ``inputs`` are two tensors ``(batch, *input shape)``, ``widths`` the hidden sizes to try, likeliest
    first. Raises CallError with the cell's own complaint about the likeliest guess.
    """
    refused: Refused = []
    # A state that comes back before the output is believed only where it also goes in first, or where nothing
    # else fits: a cell that ignores its state would accept its output as a state.
    for state_first in (False, True):
        for guess in _guesses(callee, inputs[0], widths):
            bound = _accepted(callee, inputs, guess, state_first or not callee.signature.input_first, refused)
            if bound is not None:
                return bound
        if callee.backend.output_first(callee.cell):
            break
    raise _explain(callee, inputs[0], refused)


def _accepted(
    callee: Callee, inputs: Sequence[Tensor], guess: Guess, state_first: bool, refused: Refused
) -> Bound | None:
    """The guess, or what was learned from the way in which it was refused, if the cell takes it."""
    learned: Guess | None = guess
    for _ in range(2):
        if learned is None:
            break
        try:
            return _try(callee, inputs, learned, state_first)
        except NotAccepted as reason:
            refused.append((learned, reason))
            learned = _learned(callee, learned, reason)
    return None


def _learned(callee: Callee, guess: Guess, reason: NotAccepted) -> Guess | None:
    """A dict or named state of which the code reads only some parts comes back whole."""
    backend = callee.backend
    taken = flatten(guess.value, backend.is_tensor)[0]
    for candidate in () if guess.declared else _state_like(reason.returned, backend, callee.signature):
        found, leaves = flatten(candidate, backend.is_tensor)
        if found.kind == taken.kind and found.kind in ("mapping", "named") and set(taken.keys) < set(found.keys):
            zeros = [backend.tensor(backend.numpy(leaf) * 0, backend.dtype(leaf)) for leaf in leaves]
            return Guess(found.build(zeros), guess.source, False)
    return None


def _explain(callee: Callee, x: Tensor, refused: Refused) -> CallError:
    if not refused:
        return CallError(f"{callee.name}: no state could be made for it.")
    returned = [reason for _, reason in refused if reason.cause is None]
    guess, reason = refused[0]
    if returned and not guess.declared:
        reason = returned[0]
    if reason.cause is None and reason.returned is None:
        hint = "Return the new state: return new_state, or return output, new_state."
    else:
        tried = f"{outline(x, callee.backend)} as {callee.signature.input} and {outline(guess.value, callee.backend)}"
        hint = f"It was given {tried} as {callee.signature.state}. Say otherwise with --input-shape or --kwargs."
    hint = _handed_out(callee, x, guess) or hint
    details = usertrace.format_user(reason.cause) if reason.cause is not None else None
    return CallError(f"{callee.name} {reason}", hint=hint, details=details)


def _handed_out(callee: Callee, x: Tensor, guess: Guess) -> str | None:
    """What is wrong with the state that the cell itself made."""
    if not guess.declared:
        return None
    code = callee.code
    function = source.function_at(code.co_filename, code.co_firstlineno) if code else None
    unpacked = source.unpacking(function, callee.signature.state) if function else None
    what, dtype = f"{guess.source} of {type(callee.cell).__name__}", callee.backend.float_dtype(callee.cell)
    return initial_state.handed_out(what, guess.value, unpacked, int(x.shape[0]), dtype)


def _try(callee: Callee, inputs: Sequence[Tensor], guess: Guess, state_first: bool) -> Bound:
    backend = callee.backend
    output_first = backend.output_first(callee.cell)
    skeleton, leaves = flatten(guess.value, backend.is_tensor)
    if not leaves:
        raise NotAccepted("takes a state without tensors.")
    returned = _attempt(callee, inputs[0], guess.value)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    rows = int(inputs[0].shape[0])
    if not any(rows in shape for shape in shapes):
        given = outline(guess.value, backend)
        raise NotAccepted(
            f"keeps a state ({given}) without a row for each of the {rows} rows of its input: is it a layer that "
            "runs over a whole sequence?",
            returned=returned,
        )
    reading = _reading(backend, _readings(output_first, state_first), returned, skeleton, shapes)
    if reading is None:
        if returned is None:
            raise NotAccepted("returned None: it has no return statement that ran.")
        given = outline(guess.value, backend)
        raise NotAccepted(
            f"returned {outline(returned, backend)}, which has no part like the state that went in ({given}).",
            returned=returned,
        )
    convention = Convention(callee.signature, skeleton, reading)
    # A framework that drives the cell itself starts it from zeros where the cell says nothing.
    declared = guess.declared or output_first
    bound = Bound(callee, convention, leaves, guess.source, declared, backend.dtype(inputs[0]))
    _, found, following = bound.split(returned)
    _attempt(callee, inputs[1], found.build(following))
    return bound


def _readings(output_first: bool, state_first: bool) -> tuple[str, ...]:
    if output_first:
        return ("output, state",)
    usual = ("state", "output, state", "output, *state")
    return (*usual, "state, output") if state_first else usual


def _attempt(callee: Callee, x: Tensor, state: Any) -> Any:
    try:
        return callee.call(x, state)
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
        parts = state_part(returned, reading, skeleton.size)
        if parts is None:
            continue
        found, leaves = flatten(structure.reorder(parts[1], skeleton), backend.is_tensor)
        if structure.compatible(skeleton, found) and [tuple(leaf.shape) for leaf in leaves] == list(shapes):
            return reading
    return None


def _guesses(callee: Callee, x: Tensor, widths: Sequence[int]) -> Iterator[Guess]:
    backend, cell = callee.backend, callee.cell
    for provider, state in backend.initial_states(cell, int(x.shape[0]), x):
        yield Guess(state, provider, True)
        yield from _cast(backend, Guess(state, provider, True), backend.float_dtype(cell))
        if not flatten(state, backend.is_tensor)[1]:
            yield from _from_returned(callee, x, state, provider)
    skeletons = list(_skeletons(callee))
    told = [skeleton for skeleton, certain in skeletons if certain]
    left_out = list(_from_default(callee, x)) if callee.signature.state_optional else []
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


def _from_returned(callee: Callee, x: Tensor, state: Any, provider: str) -> Iterator[Guess]:
    """What comes back for a state without tensors (``None`` for each slot) has the structure of the state."""
    try:
        returned = callee.call(x, state)
    except Exception:
        return
    candidates = [returned]
    if isinstance(returned, (tuple, list)) and len(returned) >= 2:
        candidates = [returned[1], returned]
    for candidate in candidates:
        if flatten(candidate, callee.backend.is_tensor)[1]:
            yield Guess(candidate, provider, True)


def _from_default(callee: Callee, x: Tensor) -> Iterator[Guess]:
    """The state that the cell makes when it is left out: as it was seen being made, else as it comes back."""
    backend, signature = callee.backend, callee.signature
    try:
        with recording(callee.code, backend.is_tensor) as record:
            returned = callee.function(x)
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
            if _same(callee, x, zeros, returned):
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


def _same(callee: Callee, x: Tensor, state: Any, returned: Any) -> bool:
    """Whether zeros give what leaving the state out gives, so that the cell itself starts from zeros."""
    backend = callee.backend
    try:
        _, left = flatten(callee.call(x, state), backend.is_tensor)
    except Exception:
        return False
    _, right = flatten(returned, backend.is_tensor)
    return len(left) == len(right) and all(equal(backend.numpy(a), backend.numpy(b)) for a, b in zip(left, right))


def _is_pair(annotation: Any) -> bool:
    return any(typing.get_origin(part) is tuple for part in (annotation, *typing.get_args(annotation)))


def _skeletons(callee: Callee) -> Iterator[tuple[Structure, bool]]:
    """State structures to try, and whether the code itself says so: annotation, then use, then the usual ones."""
    signature, output_first = callee.signature, callee.backend.output_first(callee.cell)
    container = list if output_first else tuple
    for part in (signature.annotation, *typing.get_args(signature.annotation)):
        fields = _fields(part)
        if fields:
            yield structure.named(part, fields), True
        elif typing.get_origin(part) in (tuple, list):
            arguments = typing.get_args(part)
            if arguments and Ellipsis not in arguments and typing.get_origin(part) is tuple:
                yield structure.sequence(tuple, len(arguments)), True
    code = callee.code
    function = source.function_at(code.co_filename, code.co_firstlineno) if code else None
    used = source.unpacking(function, signature.state) if function else None
    if used:
        how, names = used
        if how == "keys":
            yield structure.mapping(names), True
        elif how == "attributes":
            for found in _classes_with(getattr(callee.cell, callee.method), names):
                yield structure.named(found, _fields(found)), True
            yield structure.named(types.SimpleNamespace, names), True
        else:
            yield structure.sequence(container, len(names) if how == "tuple" else int(names[0])), True
    usual = [structure.sequence(list, 1), LEAF, structure.sequence(list, 2)]
    if not output_first:
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
