"""First states to try on a cell: its own, then what its code asks for, then the usual ones."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck import structure
from rnncheck.backends.base import Array, Backend, Tensor, numpy_dtype
from rnncheck.calling.convention import Callee
from rnncheck.calling.signature import EACH, KEPT, LIST, NAMED
from rnncheck.discovery import steps
from rnncheck.discovery.skeletons import pairs, skeletons
from rnncheck.running.capture import recording
from rnncheck.settings import StateShape
from rnncheck.structure import Structure, flatten
from rnncheck.trace import equal
from rnncheck.usercode import usage
from rnncheck.usercode.definitions import is_state_name

MIXED = 90
"""How many combinations of widths are tried for the parts of a state."""
PRODUCT = 240
"""How many combinations of shapes are tried for the parts of one structure."""

FOR_EACH_ROW = " for each row"
"""What is said of a state that the cell made for another number of rows."""


@dataclass(frozen=True)
class Guess:
    """A state to try. ``declared`` when the cell itself made it or said how, ``seen`` when it was seen making it,
    ``told`` when the code says how many parts it has."""

    value: Any
    source: str
    declared: bool
    seen: bool = False
    told: bool = False


@dataclass(frozen=True)
class Ground:
    """What is known before a state is tried: the input, the rows in it, the hidden sizes, likeliest first, and the
    state that the user asked for."""

    callee: Callee
    x: Tensor
    batch: int
    widths: Sequence[int]
    asked: Sequence[StateShape] | None = None

    @property
    def backend(self) -> Backend:
        return self.callee.backend

    @property
    def dtype(self) -> str:
        return self.backend.float_dtype(self.callee.cell)

    def zeros(self, shape: Sequence[int]) -> Tensor:
        return self.backend.tensor(np.zeros(tuple(shape), numpy_dtype(self.dtype)), self.dtype)


def fresh(backend: Backend, value: Any) -> Any:
    """The same state in new tensors, since a cell may work in place on what it is given."""
    skeleton, leaves = flatten(value, backend.is_tensor)
    return skeleton.build([backend.like(leaf, backend.numpy(leaf), backend.dtype(leaf)) for leaf in leaves])


def guesses(ground: Ground, *, wide: bool) -> Iterator[Guess]:
    """States to try, likeliest first; with ``wide`` the unlikely shapes, which are many."""
    if ground.callee.signature.passing == KEPT:
        if not wide:
            yield from (guess for guess in _kept(ground) if _as_asked(ground, guess))
        return
    found = _wide(ground) if wide else _likely(ground)
    for guess in found:
        for adapted in _adapted(ground, guess):
            if _as_asked(ground, adapted):
                yield adapted


def _likely(ground: Ground) -> Iterator[Guess]:
    callee, backend = ground.callee, ground.backend
    usual = list(skeletons(callee))
    told = [skeleton for skeleton, certain in usual if certain]
    annotated = _is_pair(callee.signature.annotations.get(callee.signature.state))
    for provider, made in backend.initial_states(callee.cell, ground.batch, ground.x):
        state = _in_tensors(ground, made)
        # A helper that makes one of the parts: two of its rows would pass for a pair.
        if annotated and told and told[0].size > 1 and backend.is_tensor(state):
            continue
        declared = Guess(state, provider, True)
        yield declared
        yield from _cast(backend, declared, ground.dtype)
        yield from _for_each_row(ground, declared)
        if not flatten(state, backend.is_tensor)[1]:
            yield from _from_returned(ground, state, provider)
    if ground.asked is not None:
        yield from _asked(ground)
    left_out, stacked = list(_left_out(ground)), list(_stacked(ground))
    sizes = [flatten(guess.value, backend.is_tensor)[0].size for guess in left_out]
    fits = [guess.seen or not told or stacked or size == told[0].size for guess, size in zip(left_out, sizes)]
    yield from itertools.compress(left_out, fits)
    yield from _zeros(ground, told, certain=True)
    yield from stacked
    yield from _zeros(ground, [skeleton for skeleton, certain in usual if not certain], certain=False)
    # One part that is taken by its number may be the last of the layers.
    if backend.name == "torch" and told and not told[0].is_leaf and told[0].size == 1:
        for width in ground.widths:
            yield Guess(ground.zeros((1, ground.batch, width)), "zeros", False)
    yield from itertools.compress(left_out, [not fit for fit in fits])


def paired(ground: Ground) -> Iterator[Guess]:
    """Where each of several arguments was taken for one tensor: pairs."""
    return _zeros(ground, list(pairs(ground.callee)), certain=False)


def _zeros(ground: Ground, usual: Sequence[Structure], *, certain: bool) -> Iterator[Guess]:
    """Zeros in these structures, of one width, and of several where they are ``certain``."""
    for skeleton in usual:
        for width in ground.widths:
            for shape in _leaf_shapes(ground, width):
                zeros = skeleton.build([ground.zeros(shape)] * skeleton.size)
                yield Guess(zeros, "zeros", False, told=certain and skeleton.size > 1)
    for skeleton in usual:
        if certain and 2 <= skeleton.size <= 4:
            picks = itertools.product(range(min(len(ground.widths), 6)), repeat=skeleton.size)
            mixed = sorted((pick for pick in picks if len(set(pick)) > 1), key=sum)
            for pick in mixed[:MIXED]:
                shapes = [_leaf_shapes(ground, ground.widths[index])[0] for index in pick]
                yield Guess(skeleton.build([ground.zeros(shape) for shape in shapes]), "zeros", False)


def _stacked(ground: Ground) -> Iterator[Guess]:
    """Tensors in which the layers lie one upon the other: the state, or each of its parts."""
    callee = ground.callee
    states = callee.signature.states
    counts = [found[0] for name in states if (found := steps.layers(callee, name)) is not None]
    whole = structure.sequence(tuple, len(states)) if callee.signature.passing == EACH else structure.LEAF
    for count in dict.fromkeys(counts):
        for width in ground.widths:
            for shape in _leaf_shapes(ground, width):
                yield Guess(whole.build([ground.zeros((count, *shape))] * whole.size), "zeros", False)


def _wide(ground: Ground) -> Iterator[Guess]:
    """Other shapes than ``(batch, width)``, and parts that the cell makes itself where they are None."""
    usual = list(skeletons(ground.callee))
    told = [skeleton for skeleton, certain in usual if certain] or [skeleton for skeleton, _ in usual[:2]]
    batch, widths = ground.batch, list(ground.widths[:8])
    first = [width for width in widths[:3] if width > 1]
    pairs = [pair for pair in itertools.permutations(widths, 2) if min(pair) > 1]
    pool: list[tuple[int, ...] | None] = [(batch, width) for width in first]
    pool += [(1, batch, width) for width in first] + [(batch, 1, width) for width in first] + [None]
    pool += [(batch, one, other - 1) for one, other in pairs if 2 < other <= 8]
    pool += [(batch, *pair) for pair in pairs] + [(batch, width, width) for width in first]
    pool += [(width, batch) for width in first] + [(2, batch, width) for width in first] + [(batch,), (batch, 1)]
    pool += [(width,) for width in first] + [()]
    pool = list(dict.fromkeys(pool))
    for skeleton in told:
        if not 1 <= skeleton.size <= 3:
            continue
        picks = itertools.product(range(len(pool)), repeat=skeleton.size)
        for pick in itertools.islice(sorted(itertools.islice(picks, 20000), key=sum), PRODUCT * skeleton.size):
            shapes = [pool[index] for index in pick]
            leaves = [None if shape is None else ground.zeros(shape) for shape in shapes]
            yield Guess(skeleton.build(leaves), "zeros", False)


def _asked(ground: Ground) -> Iterator[Guess]:
    """Zeros of the shapes that the user gave."""
    assert ground.asked is not None
    shapes = [(ground.batch, *part.shape) for part in ground.asked]
    usual = [skeleton for skeleton, _ in skeletons(ground.callee)]
    names = [part.name for part in ground.asked]
    if all(name is not None for name in names):
        usual.append(structure.mapping([str(name) for name in names]))
    for skeleton in (*usual, structure.sequence(tuple, len(shapes)), structure.sequence(list, len(shapes))):
        if skeleton.size == len(shapes):
            for layout in (shapes, [(1, *shape) for shape in shapes]):
                yield Guess(skeleton.build([ground.zeros(shape) for shape in layout]), "zeros", False)


def _as_asked(ground: Ground, guess: Guess) -> bool:
    if ground.asked is None:
        return True
    shapes = [tuple(leaf.shape) for leaf in flatten(guess.value, ground.backend.is_tensor)[1]]
    wanted = [part.shape for part in ground.asked]
    return len(shapes) == len(wanted) and all(
        sorted(shape) in (sorted((ground.batch, *part)), sorted((1, ground.batch, *part)), sorted(part))
        for shape, part in zip(shapes, wanted)
    )


def _adapted(ground: Ground, guess: Guess) -> Iterator[Guess]:
    """The guess in the form in which the signature takes it: as many parts as parameters, or as a dict."""
    signature, value = ground.callee.signature, guess.value
    if signature.passing == EACH:
        parts = value if isinstance(value, (list, tuple)) else None
        if isinstance(value, dict) and set(value) == set(signature.states):
            parts = [value[name] for name in signature.states]
        if parts is not None and len(parts) == len(signature.states):
            yield dataclasses.replace(guess, value=tuple(parts))
    elif signature.passing == LIST:
        whole = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        yield dataclasses.replace(guess, value=whole)
    elif signature.passing == NAMED:
        if isinstance(value, dict):
            yield guess
        elif hasattr(value, "_asdict"):
            yield dataclasses.replace(guess, value=value._asdict())
    else:
        yield guess
        alone = isinstance(value, list) and len(value) == 1 and ground.backend.is_tensor(value[0])
        backend, cell = ground.backend, ground.callee.cell
        # What a driver of real numbers cannot take goes in as it is.
        driven = alone and backend.drives(cell) and not backend.dtype(value[0]).startswith("complex")
        if alone and backend.output_first(cell) and not driven:
            yield dataclasses.replace(guess, value=value[0])


def learned(ground: Ground, guess: Guess, returned: Any) -> Iterator[Guess]:
    """What a state must be, from what came back for one that was accepted but is no such state: of other shapes,
    or with more parts."""
    backend = ground.backend
    taken, leaves = flatten(guess.value, backend.is_tensor)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    signature = ground.callee.signature
    for candidate in state_like(ground, returned):
        if signature.passing == EACH and isinstance(candidate, dict) and set(candidate) == set(signature.states):
            candidate = tuple(candidate[name] for name in signature.states)
        found, back = flatten(candidate, backend.is_tensor)
        if not back:
            continue
        if [tuple(leaf.shape) for leaf in back] == shapes and found.keys == taken.keys:
            continue
        more = found.kind == taken.kind and found.kind in ("mapping", "named") and set(taken.keys) < set(found.keys)
        same_parts = len(found.children) == len(taken.children) and found.kind == taken.kind
        stacked = _lies_stacked(found, taken, [tuple(leaf.shape) for leaf in back])
        # A tensor is read by number as a list is, and the list that comes back tells that one was meant.
        nested = taken.is_leaf and _is_nested(found) and not guess.declared
        if (
            not more
            and not stacked
            and not nested
            and not (same_parts and (found.size == taken.size or _has_none(taken)))
        ):
            continue
        if guess.declared and not _has_none(taken) and not _fills(shapes, [tuple(leaf.shape) for leaf in back]):
            continue
        if any(map(functools.partial(pairs_rows, ground.batch), shapes, (tuple(leaf.shape) for leaf in back))):
            continue
        yield from _or_zeros(ground, candidate, returned, guess.source, reached_first=_has_none(taken))


def pairs_rows(batch: int, given: tuple[int, ...], back: tuple[int, ...]) -> bool:
    """Whether each row was put beside each other one, as where a tensor with an axis too many is stretched."""
    return len(back) > len(given) and back.count(batch) > max(1, given.count(batch))


def asked_for(ground: Ground, guess: Guess, complaint: str) -> Iterator[Guess]:
    """Zeros of a shape that the text of an error speaks of, such as "expected hidden size (2, 3, 8)"."""
    found, leaves = flatten(guess.value, ground.backend.is_tensor)
    # The sizes of TensorFlow 1 cannot be hashed.
    known = {tuple(map(int, tensor.shape)) for tensor in (*leaves, ground.x)}
    if re.search(r"\bshould also be 3-D but got \(?2-D", complaint):
        layered = [ground.zeros((1, *leaf.shape)) for leaf in leaves]
        yield Guess(found.build(layered), "zeros", False)
    for text in re.findall(r"[(\[](\d+(?:, ?\d+)+)[)\]]", complaint)[:4]:
        shape = tuple(int(size) for size in text.split(","))
        if shape not in known and ground.batch in shape and len(shape) <= 6 and max(shape) <= 4096:
            known.add(shape)
            yield Guess(found.build([ground.zeros(shape)] * found.size), "zeros", False)
            for index in range(found.size if found.size > 1 else 0):
                others = [ground.zeros(shape) if at == index else leaf for at, leaf in enumerate(leaves)]
                yield Guess(found.build(others), "zeros", False)


def taken_apart(ground: Ground, guess: Guess, complaint: str) -> Iterator[Guess]:
    """The guess with a part that is itself a tuple, where the cell could not take one of its parts apart."""
    # Taken apart is a tensor into its rows: a shape of other than so many axes is another matter.
    asked = re.search(rf"values to unpack \(expected (\d)(?:, got {ground.batch})?\)", complaint)
    found, leaves = flatten(guess.value, ground.backend.is_tensor)
    if asked is None or not 1 < found.size <= 4:
        return
    for index, leaf in enumerate(leaves):
        inner = (leaf,) * int(asked[1])
        yield dataclasses.replace(guess, value=found.build([*leaves[:index], inner, *leaves[index + 1 :]]))


def _lies_stacked(found: Structure, taken: Structure, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether in place of parts, here or within, one tensor came back in which as many lie one upon the other."""
    if found.is_leaf:
        return bool(taken.children) and shapes[0][:1] == (len(taken.children),)
    if found.kind != taken.kind or len(found.children) != len(taken.children):
        return False
    first = 0
    for child, other in zip(found.children, taken.children):
        if not _lies_stacked(child, other, shapes[first : first + child.size]):
            return False
        first += child.size
    return bool(found.children)


def _fills(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> bool:
    """Whether the one slot of several that differs grew along one axis, as a window does until it is full."""
    differing = [(one, other) for one, other in zip(before, after) if one != other]
    if len(before) != len(after) or not 0 < len(differing) < len(before):
        return False
    return all(
        len(one) == len(other) and sorted(b - a for a, b in zip(one, other))[:-1] == [0] * (len(one) - 1)
        for one, other in differing
    )


def _is_nested(found: Structure) -> bool:
    """Whether it is a list of lists."""
    parts = (found, *found.children)
    return bool(found.children) and all(part.kind == "sequence" and part.type is list for part in parts)


def _has_none(skeleton: Structure) -> bool:
    return (skeleton.kind == "constant" and skeleton.constant is None) or any(map(_has_none, skeleton.children))


def _or_zeros(
    ground: Ground, candidate: Any, returned: Any, name: str, *, reached_first: bool = False
) -> Iterator[Guess]:
    """Zeros like a state that came back, where the cell starts from them; else zeros and that state itself."""
    backend = ground.backend
    skeleton, leaves = flatten(candidate, backend.is_tensor)
    value = skeleton.build([backend.tensor(np.zeros_like(backend.numpy(leaf)), backend.dtype(leaf)) for leaf in leaves])
    for adapted in _adapted(ground, Guess(value, name, True)):
        if _same(ground, adapted.value, returned):
            yield adapted
        else:
            reached = Guess(candidate, f"{name}, after one step", False)
            zeros = dataclasses.replace(adapted, declared=False)
            if not all(_finite(backend.numpy(leaf)) for leaf in leaves):
                yield zeros
                continue
            yield from (reached, zeros) if reached_first else (zeros, reached)


def _finite(array: Array) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _for_each_row(ground: Ground, guess: Guess) -> Iterator[Guess]:
    """The state of one row, as a provider without a batch size makes it, for every row; where the rows surely come
    first, also that of the batch that its author had."""
    backend = ground.backend
    found, leaves = flatten(guess.value, backend.is_tensor)
    counts = {int(leaf.shape[0]) if len(leaf.shape) == 2 else None for leaf in leaves}
    others = backend.drives(ground.callee.cell) and guess.source == "get_initial_state()"
    if len(counts) != 1 or ground.batch in counts or not (counts == {1} or (others and counts.isdisjoint({None, 0}))):
        return
    arrays = [backend.numpy(leaf) for leaf in leaves]
    rows = [array[np.arange(ground.batch) % len(array)] for array in arrays]
    same = [backend.like(leaf, array, backend.dtype(leaf)) for leaf, array in zip(leaves, rows)]
    yield dataclasses.replace(guess, value=found.build(same), source=guess.source + FOR_EACH_ROW)


def _in_tensors(ground: Ground, state: Any) -> Any:
    """A state of NumPy arrays as tensors, which a framework makes of it: real numbers in the cell's own dtype."""
    backend = ground.backend
    found, leaves = flatten(state, lambda value: backend.is_tensor(value) or _is_array(value))
    if not any(map(_is_array, leaves)):
        return state
    return found.build([_in_tensor(ground, leaf) if _is_array(leaf) else leaf for leaf in leaves])


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biufc"


def _in_tensor(ground: Ground, array: Array) -> Tensor:
    if array.dtype.kind != "f":
        return ground.backend.tensor(array)
    return ground.backend.tensor(array.astype(numpy_dtype(ground.dtype)), ground.dtype)


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


def _leaf_shapes(ground: Ground, width: int) -> list[tuple[int, ...]]:
    """The shapes of a part so wide, likeliest first."""
    layout, batch = ground.callee.form.layout, ground.batch
    shape = [int(size) for size in ground.x.shape]
    if layout == "single":
        return [(width,)]
    if layout == "columns":
        return [(width, batch)]
    row = shape[2:] if ground.callee.form.over_time else shape[1:]
    if len(row) <= 1:
        return [(batch, width)]
    last, first = (batch, *row[:-1], width), (batch, width, *row[1:])
    if ground.backend.channels_last():
        return [last, (batch, width)] if len(row) > 2 else [last]
    # Two axes are those of nodes and their features too, not only of channels and places; what reads an image may keep
    # a state without any.
    return [first, last] if len(row) == 2 else [first, (batch, width)]


def _from_returned(ground: Ground, state: Any, provider: str) -> Iterator[Guess]:
    """What comes back for a state without tensors (``None`` for each slot) has the structure of the state."""
    try:
        returned = ground.callee.call(ground.x, state)
    except Exception:
        return
    for candidate in state_like(ground, returned):
        if flatten(candidate, ground.backend.is_tensor)[1]:
            yield Guess(candidate, provider, True)


def _left_out(ground: Ground) -> Iterator[Guess]:
    """The state that the cell makes when it is left out: as it was seen being made, else as it comes back."""
    callee, backend = ground.callee, ground.backend
    signature = callee.signature
    try:
        with recording(callee.code, backend.is_tensor) as record:
            returned = callee.without_state(ground.x)
    except Exception:
        return
    name = f"{signature.state} left out"
    made = [record.rebound.get(state) for state in signature.states]
    if made and all(flatten(value, backend.is_tensor)[1] for value in made):
        yield Guess(made[0] if len(made) == 1 else tuple(made), name, True, seen=True)
    for candidate in state_like(ground, returned):
        if flatten(candidate, backend.is_tensor)[1]:
            yield from _or_zeros(ground, candidate, returned, name)


def state_like(ground: Ground, returned: Any) -> list[Any]:
    """The parts of what came back that could be the state, likeliest first.

    A pair of tensors is (h, c) or (output, h): what the cell takes back decides.
    """
    backend, signature = ground.backend, ground.callee.signature
    if isinstance(returned, dict):
        others = [value for value in returned.values() if not backend.is_tensor(value)]
        return [*([returned[signature.state]] if signature.state in returned else []), returned, *others]
    if not isinstance(returned, (tuple, list)) or hasattr(returned, "_fields") or len(returned) < 2:
        return [] if returned is None else [returned]
    if not signature.input_first:
        return [returned[0], returned, *returned[1:]]
    if len(returned) == 2:
        annotation = signature.annotations.get(signature.state)
        if not backend.is_tensor(returned[1]) or not _is_pair(annotation):
            return [returned[1], returned, returned[0]]
        return [returned, returned[1]]
    tail = tuple(returned[1:])
    return [tail, returned[1], returned[-1], returned, returned[0]]


def _same(ground: Ground, state: Any, returned: Any) -> bool:
    """Whether a state gives what leaving the state out gives, so that the cell itself starts from it."""
    backend = ground.backend
    try:
        _, left = flatten(ground.callee.call(ground.x, fresh(backend, state)), backend.is_tensor)
    except Exception:
        return False
    _, right = flatten(returned, backend.is_tensor)
    return len(left) == len(right) and all(equal(backend.numpy(a), backend.numpy(b)) for a, b in zip(left, right))


def _is_pair(annotation: Any) -> bool:
    return any(typing.get_origin(part) is tuple for part in (annotation, *typing.get_args(annotation)))


def _kept(ground: Ground) -> Iterator[Guess]:
    """The attributes of the cell that carry something from step to step: what a step reads, and what is called like
    a state and reset by the cell. What is merely left there after each step is no state."""
    callee, backend = ground.callee, ground.backend
    reset = usage.reset_attributes(type(callee.cell))
    before = backend.kept(callee.cell)
    restore = backend.snapshot(callee.cell).restore
    try:
        callee.without_state(ground.x)
    except Exception:
        return
    after = backend.kept(callee.cell)
    held = {path: value for path, value in after.items() if flatten(value, backend.is_tensor)[1]}
    read = [path for path in held if _reads(ground, held, path)]
    changed = [path for path in read if not _equal(backend, before.get(path), held[path])]
    # Beside what moves, a tensor of another shape that the constructor alone makes is a constant.
    alike = [_shapes(backend, held[path]) for path in changed]
    begun = usage.reset_attributes(type(callee.cell), by_constructor=False) if changed else reset
    begun |= {path for path in reset & set(held) if _shapes(backend, held[path]) in alike}
    read = [path for path in read if path in changed or path in begun]
    named = [path for path in held if path in begun and is_state_name(path)]
    start = {path: before.get(path) for path in held if path in (*read, *named)}
    if not start:
        return
    if all(_shapes(backend, value) == _shapes(backend, held[path]) for path, value in start.items()):
        yield Guess(start, "the cell's own attributes", True)
        return
    restore()
    try:
        returned = callee.without_state(ground.x)
    except Exception:
        return
    now = backend.kept(callee.cell)
    reached = {path: now.get(path) for path in start}
    yield from _or_zeros(ground, reached, (returned, reached), "the cell's own attributes")


def _reads(ground: Ground, held: Mapping[str, Any], path: str) -> bool:
    """Whether another value of an attribute changes what a step gives or leaves behind: elsewhere, or, where the step
    moves it, in the attribute itself."""
    backend, callee = ground.backend, ground.callee
    skeleton, leaves = flatten(held[path], backend.is_tensor)
    arrays = [backend.numpy(leaf) for leaf in leaves]
    if any(array.dtype.kind != "f" for array in arrays):
        return False
    rng = np.random.default_rng(0)
    others = [rng.uniform(0.1, 0.9, array.shape).astype(array.dtype) for array in arrays]
    results = []
    moves = False
    for values in (arrays, others):
        backend.put(callee.cell, held)
        tensors = [backend.tensor(value, backend.dtype(leaf)) for value, leaf in zip(values, leaves)]
        given = skeleton.build(tensors)
        backend.put(callee.cell, {path: given})
        # By chance too it would give something else.
        backend.seed(0)
        try:
            output = callee.without_state(ground.x)
        except Exception:
            return False
        after = backend.kept(callee.cell)
        moves = moves or not _equal(backend, given, after.get(path))
        results.append([output, [value for other, value in after.items() if other != path], after.get(path)])
    first, second = (result if moves else result[:2] for result in results)
    return not _equal(backend, first, second)


def _shapes(backend: Backend, value: Any) -> list[tuple[int, ...]]:
    return [tuple(leaf.shape) for leaf in flatten(value, backend.is_tensor)[1]]


def _equal(backend: Backend, left: Any, right: Any) -> bool:
    one, other = (flatten(value, backend.is_tensor)[1] for value in (left, right))
    return len(one) == len(other) and all(equal(backend.numpy(a), backend.numpy(b)) for a, b in zip(one, other))
