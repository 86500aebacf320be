"""Values for the further arguments of a step: time spans, masks, edges, flags.

The first value of each is one under which a healthy cell remembers: no time is masked out, nothing is reset.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Backend, Tensor, numpy_dtype
from rnncheck.building.parameters import scope_of
from rnncheck.calling.convention import Callee
from rnncheck.usercode import source, usage
from rnncheck.usercode.definitions import CONTEXT_WORDS, is_graph_name, is_state_name, words
from rnncheck.usercode.expressions import Expression, text_of

COMBINATIONS = 24
FEW = 2
"""Of more arguments than these, all may have to be of the input's shape: too far from the first of each."""
RESETS = frozenset("done dones reset resets first terminal episode starts".split())
"""Words of arguments that say whether a sequence begins anew."""
SPANS = frozenset("ts dt delta timespan timespans timestamp timestamps elapsed interval times tau".split())
"""Words of arguments that say when a step is, or how much later than the one before."""
MASKS = frozenset("mask masks valid observed".split())
LATE = 16
"""A time after the first steps, a length beyond them."""


@dataclass(frozen=True)
class Further:
    """Values by parameter. ``shown`` is how a user would write each. ``mixed``: one of them differs from row to row, or
    lies between what says yes and what says no."""

    values: Mapping[str, Any]
    shown: Mapping[str, str]
    mixed: bool = False


@dataclass(frozen=True)
class _Sizes:
    batch: int
    features: int
    widths: Sequence[int]
    rows: tuple[int, ...]
    named: Mapping[str, int]
    declared: tuple[int, ...] = ()

    @property
    def hidden(self) -> int:
        return self.widths[0] if self.widths else 1

    def of(self, parts: set[str]) -> list[int]:
        """Widths that an argument of such a name may have: the size by which the cell calls it, then what a weight
        leaves beside the input and the state."""
        called = [size for name, size in self.named.items() if words(name) & parts and size < 4096]
        beside = [size - self.features for size in self.widths if size > self.features]
        beside += [size - self.features - self.hidden for size in self.widths if size > self.features + self.hidden]
        return list(dict.fromkeys([*called, *(size for size in beside if size not in called)]))[:5]


def arguments(
    callee: Callee, given: Mapping[str, Any], x: Tensor, batch: int, widths: Sequence[int]
) -> Iterator[Further]:
    """Values for what the callee must be passed beside input and state, likeliest first; ``given`` are the user's."""
    backend, dtype = callee.backend, callee.backend.float_dtype(callee.cell)
    shape = tuple(int(size) for size in x.shape)
    own_sizes = {name: value for name, value in vars(callee.cell).items() if type(value) is int and value > 0}
    declared = tuple(size for sizes in backend.declared_shapes(callee.cell) if len(sizes) == 1 for size in sizes)
    sizes = _Sizes(batch, shape[-1] if shape else 1, widths, shape, own_sizes, declared)
    rng = np.random.default_rng(0)

    def tensor(array: Array) -> Any:
        kind = numpy_dtype(dtype) if array.dtype.kind == "f" else str(array.dtype)
        return backend.tensor(array.astype(kind), dtype if array.dtype.kind == "f" else None)

    scope = scope_of(type(callee.cell))
    own = {name: _given(value, scope, tensor) for name, value in given.items()}
    spelled = {name: text_of(value) for name, value in given.items()}
    wanted = [name for name in (*callee.signature.further, *callee.signature.beside) if name not in given]
    function = source.function_of(callee.code)
    flags = usage.asked_whether(function) if function is not None else frozenset()
    choices = [
        [False, True]
        if name in flags
        else [
            *(_as_masks(sizes) if name in callee.signature.beside else ()),
            *_candidates(name, sizes, rng, _parts(function, name)),
        ]
        for name in wanted
    ]
    # The first of each, then others, those that differ in one argument before those that differ in two.
    picks = sorted(itertools.islice(itertools.product(*(range(len(choice)) for choice in choices)), 400), key=sum)
    picks = picks[:COMBINATIONS]
    if len(wanted) > FEW:
        picks.insert(1, tuple(_like_input(choice, shape) for choice in choices))
    for pick in picks:
        chosen = {name: choice[index] for name, choice, index in zip(wanted, choices, pick)}
        values = {name: _converted(value, tensor) for name, value in chosen.items()}
        shown = {name: _spell(value) for name, value in chosen.items()}
        yield Further({**values, **own}, {**shown, **spelled})


def variations(callee: Callee, given: Mapping[str, Any]) -> Iterator[Further]:
    """Other contents, in the same shapes, for one at a time of the arguments that the user did not give: which value
    of a mask lets a row go on, and which time lies within which length, no name tells. What begins a sequence anew is
    left as it is, and so are the edges of a graph."""
    for name, value in callee.further.items():
        parts = words(name)
        resets = parts & RESETS and not parts & {"mask", "masks"}
        if name in given or resets or is_graph_name(name) or "edge" in parts:
            continue
        for other, mixed in _varied(callee.backend, value):
            passed = callee.backend.like(value, other) if isinstance(other, np.ndarray) else other
            yield Further({**callee.further, name: passed}, {**callee.shown, name: _spell(other)}, mixed)


def _varied(backend: Backend, value: Any) -> Iterator[tuple[Any, bool]]:
    """Other values, and whether each is mixed; what is the same throughout comes first."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield from ((type(value)(other), False) for other in (0, LATE) if other != value)
        return
    array = backend.numpy(value) if backend.is_tensor(value) else None
    # Numbers that were drawn are a context, a neighbour's state.
    if array is None or not array.size or not (array == array.flat[0]).all() or array.dtype.kind not in "fiub":
        return
    others = (0, 1) if array.dtype.kind in "fb" else (0, LATE)
    yield from ((np.full_like(array, other), False) for other in others if array.flat[0] != other)
    if array.size > 1:
        yield (np.indices(array.shape).sum(axis=0) % 2).astype(array.dtype), True
    if array.dtype.kind == "f":
        yield np.full_like(array, 0.5), True


def _given(value: Any, scope: Mapping[str, Any], tensor: Callable[[Array], Any]) -> Any:
    """What the user gave: an expression is made, and a nest of numbers is a tensor."""
    if isinstance(value, Expression):
        return value.resolved(scope, "--call-kwargs")
    if isinstance(value, (list, tuple)) and value:
        array = np.asarray(value)
        if array.dtype.kind in "fiub":
            return tensor(array)
    return value


def _converted(value: Any, tensor: Callable[[Array], Any]) -> Any:
    if isinstance(value, list):
        return [_converted(part, tensor) for part in value]
    return tensor(value) if isinstance(value, np.ndarray) else value


def _spell(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_spell, value))}]"
    if isinstance(value, np.ndarray):
        shape = "x".join(map(str, value.shape)) or "scalar"
        kind = "ones" if value.size and (value == 1).all() else "zeros" if not value.any() else "tensor"
        numbers = np.unique(value)
        few = (kind == "tensor" and len(numbers) <= 2 and value.dtype.kind != "f") or set(numbers) == {0, 1}
        return f"{kind} {shape}" + (f" of {' and '.join(f'{number:g}' for number in numbers * 1)}" if few else "")
    return repr(value)


def _like_input(choice: Sequence[Any], shape: tuple[int, ...]) -> int:
    """The first of these values that has the input's shape, else the first of all."""
    fitting = (index for index, value in enumerate(choice) if isinstance(value, np.ndarray) and value.shape == shape)
    return next(fitting, 0)


def _like_state(rows: Sequence[int], width: int) -> Iterator[tuple[int, ...]]:
    """The shapes of another cell's state so wide: beside places, its channels come first or last."""
    if not rows:
        return
    batch, *row = rows
    if len(row) > 1:
        yield (batch, width, *row[1:])
    yield (batch, *row[:-1], width)


def _as_masks(sizes: _Sizes) -> Iterator[Any]:
    """What goes with an input, whatever its name, is a mask of it, or a time."""
    yield from (np.ones(sizes.rows, "float32"), np.ones((sizes.batch, 1), "float32"))


def _beside(name: str, first: Array, rng: np.random.Generator) -> Array:
    """What is passed in a list after something: a mask of it, or its like."""
    if words(name) & MASKS:
        return np.ones(first.shape[:-1], "float32")
    return rng.standard_normal(first.shape).astype("float32")


def _parts(function: ast.FunctionDef | None, name: str) -> Sequence[str]:
    """What the parts of an argument are called that a method takes apart; nothing for their names where it goes by
    number."""
    how, names = (usage.unpacking(function, name) if function is not None else None) or ("", ())
    return names if how == "tuple" else [""] * int(names[0]) if how == "index" else ()


def _candidates(name: str, sizes: _Sizes, rng: np.random.Generator, several: Sequence[str] = ()) -> Iterator[Any]:
    """Values for an argument; ``several`` are its parts, where it is a list of them."""
    parts = words(name)
    batch, features, hidden = sizes.batch, sizes.features, sizes.hidden
    column, row = np.ones((batch, 1), "float32"), np.ones(batch, "float32")
    like_x = np.ones(sizes.rows, "float32")
    other_x = rng.standard_normal(sizes.rows).astype("float32")
    if parts & {"training", "train"}:
        yield False
    elif name.startswith("return") or parts & {"deterministic"}:
        yield True
    elif parts & RESETS:
        yield from (np.zeros((batch, 1), "float32"), np.zeros(batch, "float32"), np.zeros(batch, bool), False)
    elif parts & MASKS or name.startswith(("use_", "is_")) or (parts & {"pad"} and not parts & CONTEXT_WORDS):
        yield from (column, row, like_x, np.ones((batch, 1), bool), np.ones(batch, bool), np.ones((batch, 1, hidden)))
        yield None
    elif parts & {"constants"}:
        # As keras.layers.RNN passes them: a list, one for each row or a few.
        shapes = [(batch, hidden), (batch, features), (batch, 4, hidden), (batch, 4, features)]
        # A part of the state may be what is taken from them.
        shapes += [(batch, 4, width) for width in sizes.declared]
        for shape in dict.fromkeys(shapes):
            first = rng.standard_normal(shape).astype("float32")
            yield [first, *(_beside(other, first, rng) for other in several[1:])]
    elif parts & SPANS:
        yield from (1.0, column, row, like_x)
    elif "edge" in parts and "index" in parts:
        count = sizes.rows[-2] if len(sizes.rows) > 1 else batch
        yield np.stack([np.arange(count), (np.arange(count) + 1) % count]).astype("int64")
    elif "edge" in parts:
        count = sizes.rows[-2] if len(sizes.rows) > 1 else batch
        yield from (None, np.ones(count, "float32"), np.ones((count, 1), "float32"))
    elif is_graph_name(name):
        count = sizes.rows[-2] if len(sizes.rows) > 1 else batch
        ring = (np.eye(count) + np.roll(np.eye(count), 1, axis=1)).astype("float32") / 2
        yield from (ring, [ring], np.stack([ring] * batch))
    elif parts & {"lengths", "length", "len", "lens"}:
        yield from (np.ones(batch, "int64"), 1)
    elif parts & {"timestep", "step", "idx", "index", "position", "offset"} or (parts and parts <= {"t", "i", "time"}):
        yield from (1, 1.0, column, np.ones(batch, "int64"))
    elif parts & {"rng", "generator"}:
        yield None
    elif parts & {"action", "actions"}:
        for width in sizes.of(parts)[:2]:
            yield rng.standard_normal((*sizes.rows[:-1], width)).astype("float32")
        yield from (other_x, np.ones(batch, "int64"), np.ones((batch, 1), "int64"))
    elif parts & CONTEXT_WORDS:
        # That of an encoder that reads both ways is twice as wide.
        shapes = [(batch, 4, hidden), (batch, hidden), (4, batch, hidden)]
        for width in (2 * hidden, *sizes.of(parts)[:3], *sizes.declared, *sizes.widths[:6]):
            shapes += [(batch, 4, width), (4, batch, width)]
        for shape in dict.fromkeys([*shapes, (1, batch, hidden), (4, hidden)]):
            yield rng.standard_normal(shape).astype("float32")
        yield from (other_x, None)
    elif is_state_name(name):
        for width in sizes.widths[:3]:
            for like_state in _like_state(sizes.rows, width):
                yield rng.standard_normal(like_state).astype("float32")
        yield from (None, other_x)
    else:
        for width in sizes.of(parts):
            yield rng.standard_normal((*sizes.rows[:-1], width)).astype("float32")
        yield other_x
        yield rng.standard_normal((batch, hidden)).astype("float32")
        yield from (1.0, column, None, row, features)
        yield rng.standard_normal((batch, 2, 3)).astype("float32")
