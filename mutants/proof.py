"""Whether a mutant is truly broken, seen by running it beside the unbroken cell; rnncheck's rules have no part in it.

The mutant's class takes the place of the cell's own, so that both have the same weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from steps import Cell, inputs, running, start

from rnncheck.calling.convention import Bound
from rnncheck.errors import CallError
from rnncheck.running.unroll import Run, State, unroll
from rnncheck.structure import flatten

Slots = tuple[int, ...]
Proof = Callable[[Cell, type, Slots], "Slots | None"]
STEPS = 3


@contextlib.contextmanager
def _broken(bound: Bound, mutant: type) -> Iterator[None]:
    """Within the block the cell is the mutant; what that keeps on it is gone afterwards."""
    cell, own = bound.cell, type(bound.cell)
    before = dict(vars(cell))
    cell.__class__ = mutant
    try:
        yield
    finally:
        cell.__class__ = own
        for name in vars(cell).keys() - before.keys():
            vars(cell).pop(name)


def truly(operator: str, cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    """The slots that are broken as the operator says, the same having been asked of the unbroken cell, which is not so;
    None where the mutant works as before, or not at all."""
    try:
        with running(cell.bound.backend):
            if not _runs_at_first(cell, mutant):
                return None
            return PROOFS[operator](cell, mutant, slots)
    except CallError:
        return None


def _runs_at_first(cell: Cell, mutant: type) -> bool:
    """Whether the mutant takes its first state, and none at all where the unbroken cell takes none."""
    bound = cell.bound
    array, _ = _usual(cell)
    _run(cell, mutant, array, start(bound))

    def alone() -> bool:
        try:
            bound.begin(0)
            with bound.backend.without_gradient():
                bound.callee.without_state(bound.inputs(array[0]))
        except Exception:
            return False
        return True

    sound = alone()
    with _broken(bound, mutant):
        return alone() or not sound


def _run(cell: Cell, mutant: type, array: Any, begin: State) -> tuple[Run, Run]:
    """The same run of the unbroken cell and of the mutant."""
    sound = unroll(cell.bound, 0, array, begin)
    with _broken(cell.bound, mutant):
        return sound, unroll(cell.bound, 0, array, begin)


def _seen(run: Run, slots: Sequence[int] | None = None) -> list[Any]:
    """All that came out, or only some slots."""
    if slots is not None:
        return [step.returned[slot] for step in run.steps for slot in slots]
    return [array for step in run.steps for array in (*step.returned, *step.outputs)]


def _same(left: Sequence[Any], right: Sequence[Any]) -> bool:
    return all(np.array_equal(one, other, equal_nan=_float(one)) for one, other in zip(left, right))


def _float(array: Any) -> bool:
    return bool(np.asarray(array).dtype.kind in "fc")


def _usual(cell: Cell, number: int = 1) -> tuple[Any, State]:
    return inputs(cell.bound, cell.shape, STEPS, 10 + number), cell.states[number]


def _returns_old(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    stuck: list[set[int]] = []
    for number in (1, 2):
        for run in _run(cell, mutant, *_usual(cell, number)):
            stuck.append(
                {slot for slot in _all(cell) if all(_same([s.previous[slot]], [s.returned[slot]]) for s in run.steps)}
            )
    broken = stuck[1] & stuck[3]
    with _broken(cell.bound, mutant):
        changed = _changed(cell)
    return slots if set(slots) == broken and not broken & (stuck[0] | stuck[2]) and not changed else None


def _all(cell: Cell) -> range:
    return range(len(cell.bound.initial))


def _unread(cell: Cell, slot: int) -> bool:
    """Whether nothing that comes out depends on a slot."""
    for number in (1, 2):
        array, begin = _usual(cell, number)
        base = _seen(unroll(cell.bound, 0, array, begin))
        for other in (3, 4):
            value = cell.states[other].arrays[slot]
            for changed in (value, np.roll(value, 1, 0) if value.ndim else value, -value, value * 3):
                again = _seen(unroll(cell.bound, 0, array, begin.with_slot(slot, changed.astype(value.dtype))))
                if not _same(base, again):
                    return False
    return True


def _ignores_state(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    before = {slot for slot in _all(cell) if _unread(cell, slot)}
    with _broken(cell.bound, mutant):
        after = {slot for slot in _all(cell) if _unread(cell, slot)}
    return tuple(sorted(after)) if set(slots) <= after and not before & after else None


def _ignores_input(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    begin = cell.states[1]
    tries = [inputs(cell.bound, cell.shape, STEPS, number) * scale for number in (5, 6, 7) for scale in (1, 10, -100)]
    pairs = [_run(cell, mutant, array.astype(tries[0].dtype), begin) for array in tries]
    sound, broken = ([_seen(pair[index]) for pair in pairs] for index in (0, 1))
    unread = all(_same(broken[0], other) for other in broken)
    # A state that only adds up its inputs stands still without them, which is another defect as well.
    moves = any(not _same(step.previous, step.returned) for step in pairs[0][1].steps)
    return () if unread and moves and not all(_same(sound[0], other) for other in sound) else None


def _detached(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    """Where a slot that was not cut itself leads on to nothing but one that was, it is hard to say which are cut."""
    sound, broken = _run(cell, mutant, *_usual(cell))
    if not _same(_seen(sound), _seen(broken)):
        return None
    before = [{slot for slot in _all(cell) if _connected(cell, slot, steps)} for steps in (2, 3)]
    with _broken(cell.bound, mutant):
        after = [{slot for slot in _all(cell) if _connected(cell, slot, steps)} for steps in (2, 3)]
    cut, cut_later = (tuple(sorted(sound - broken)) for sound, broken in zip(before, after))
    return cut if cut and set(slots) <= set(cut) and cut == cut_later else None


def _connected(cell: Cell, slot: int, steps: int) -> bool:
    """Whether a gradient flows from what the last of a few steps gives, through one slot after the first of them, to
    what went in."""
    gradients = _torch_gradients if cell.bound.backend.name == "torch" else _tf_gradients
    for number in (1, 2, 3):
        array, begin = _usual(cell, number)
        if any(value is not None and np.any(value) for value in gradients(cell.bound, array[:steps], begin, slot)):
            return True
    return False


def _last(bound: Bound, array: Any, x: Any, state: Any, slot: int, cut: Callable[[Any], Any]) -> list[Any]:
    """What the last step gives, all slots but one having been cut after the first, which is given ``x``."""
    _, found, leaves = bound.split(bound.callee.call(x, state))
    leaves = [leaf if index == slot else cut(leaf) for index, leaf in enumerate(leaves)]
    output = None
    for later in array[1:]:
        output, found, leaves = bound.split(bound.callee.call(bound.inputs(later), found.build(leaves)))
    return [*leaves, *flatten(output, bound.backend.is_tensor)[1]]


def _torch_gradients(bound: Bound, array: Any, begin: State, slot: int) -> list[Any]:
    import torch

    with torch.enable_grad():
        bound.begin(0)
        leaves, x = bound.state(begin.arrays), bound.inputs(array[0])
        sources = [value.requires_grad_() for value in [*leaves, x] if value.is_floating_point()]
        # What is changed in place may be no leaf of the graph.
        state = begin.structure.build([1 * leaf for leaf in leaves])
        results = _last(bound, array, x, state, slot, lambda leaf: leaf.detach())
        total = sum((value * torch.linspace(1, 2, value.numel()).view(value.shape)).sum() for value in results)
        if not isinstance(total, torch.Tensor) or not total.requires_grad:
            return []
        gradients = torch.autograd.grad(total, sources, allow_unused=True)
    return [None if value is None else value.numpy() for value in gradients]


def _tf_gradients(bound: Bound, array: Any, begin: State, slot: int) -> list[Any]:
    import tensorflow as tf

    bound.begin(0)
    leaves, x = bound.state(begin.arrays), bound.inputs(array[0])
    sources = [value for value in [*leaves, x] if value.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        results = _last(bound, array, x, begin.structure.build(leaves), slot, tf.stop_gradient)
        flat = [tf.reshape(value, [-1]) for value in results]
        total = tf.add_n([tf.reduce_sum(value * tf.linspace(1.0, 2.0, tf.size(value))) for value in flat])
    return [None if value is None else np.asarray(value) for value in tape.gradient(total, sources)]


def _leaks(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    first, second = (inputs(cell.bound, cell.shape, STEPS, number) for number in (5, 6))
    begin = cell.states[1]

    def remembers() -> bool:
        one = _seen(unroll(cell.bound, 0, first, begin))
        unroll(cell.bound, 0, second, begin)
        return not _same(one, _seen(unroll(cell.bound, 0, first, begin)))

    sound = remembers()
    with _broken(cell.bound, mutant):
        return () if remembers() and not sound else None


def _mixes_rows(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    bound = cell.bound

    def change() -> float:
        array, begin = _usual(cell)
        other, values = array.copy(), [value.copy() for value in begin.arrays]
        other[:, 0] = inputs(bound, cell.shape, STEPS, 9)[:, 0]
        for slot, value in enumerate(values):
            axis = bound.rows_axis(slot)
            if axis is not None and _float(value):
                np.moveaxis(value, axis, 0)[0] *= 1.1
        left, right = (unroll(bound, 0, *run) for run in ((array, begin), (other, State(begin.structure, values))))
        changes = [0.0]
        for one, two in zip(left.steps, right.steps):
            for slot, (a, b) in enumerate(zip(one.returned, two.returned)):
                axis = bound.rows_axis(slot)
                if axis is not None and _float(a):
                    changes.append(float(np.abs(np.delete(a - b, 0, axis)).max(initial=0)))
        return max(changes)

    sound = change()
    with _broken(bound, mutant):
        return () if sound < 1e-6 and change() > 1e-4 else None


def _freezes_half(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    frozen: list[dict[int, float]] = []
    for number in (1, 2):
        for run in _run(cell, mutant, *_usual(cell, number)):
            still = {}
            for slot in _all(cell):
                same = [np.equal(step.previous[slot], step.returned[slot]) for step in run.steps]
                units = np.all(np.stack(same), axis=(0, 1 + (cell.bound.rows_axis(slot) or 0)))
                still[slot] = float(np.mean(units))
            frozen.append(still)
    (slot,) = slots
    sound = max(frozen[0][slot], frozen[2][slot])
    half = 0.2 <= frozen[1][slot] <= 0.8 and frozen[1][slot] == frozen[3][slot]
    others = all(frozen[3][other] == frozen[2][other] for other in _all(cell) if other != slot)
    return slots if half and sound == 0 and others else None


def _changes_argument(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    sound = _changed(cell)
    with _broken(cell.bound, mutant):
        changed = _changed(cell)
    return tuple(sorted(changed)) if set(slots) <= changed and not sound else None


def _changed(cell: Cell) -> set[int]:
    """The slots whose tensor, or whose place in a container, holds something else after a call, also when what one
    step returned goes into the next: two slots may then be one tensor."""
    bound = cell.bound
    array, begin = _usual(cell)
    bound.begin(0)
    found, leaves = begin.structure, bound.state(begin.arrays)
    changed: set[int] = set()
    for x in array:
        before, state = [bound.backend.numpy(leaf) for leaf in leaves], found.build(leaves)
        try:
            with bound.backend.without_gradient():
                returned = bound.callee.call(bound.inputs(x), state)
        except Exception as error:
            raise CallError(str(error)) from error
        after = flatten(state, bound.backend.is_tensor)[1]
        for slot, leaf in enumerate(leaves):
            if after[slot] is not leaf or not _same([bound.backend.numpy(leaf)], [before[slot]]):
                changed.add(slot)
        _, found, leaves = bound.split(returned)
    return changed


def _swaps(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    one, other = slots
    array, begin = _usual(cell)
    if begin.arrays[one].shape != begin.arrays[other].shape:
        return None
    sound, broken = _run(cell, mutant, array[:1], begin)
    back = {one: other, other: one}
    crossed = State(begin.structure, [begin.arrays[back.get(slot, slot)] for slot in _all(cell)])
    crossed_sound, _ = _run(cell, mutant, array[:1], crossed)
    for left, order in ((sound, back), (crossed_sound, {})):
        wanted = [left.steps[0].returned[order.get(slot, slot)] for slot in _all(cell)]
        if _same(broken.steps[0].returned, wanted) and not _same(sound.steps[0].returned, broken.steps[0].returned):
            return slots
    return None


def _gives_nan(cell: Cell, mutant: type, slots: Slots) -> Slots | None:
    array, _ = _usual(cell)
    sound, broken = _run(cell, mutant, array, start(cell.bound))
    if not sound.finite or broken.finite:
        return None
    for step in broken.steps:
        bad = tuple(
            slot for slot in _all(cell) if _float(step.returned[slot]) and not np.isfinite(step.returned[slot]).all()
        )
        if bad:
            return bad
    return None


PROOFS: dict[str, Proof] = {
    "old state returned": _returns_old,
    "recurrence dropped": _ignores_state,
    "input dropped": _ignores_input,
    "detached": _detached,
    "leaked": _leaks,
    "rows mixed": _mixes_rows,
    "half frozen": _freezes_half,
    "argument mutated": _changes_argument,
    "slots swapped": _swaps,
    "NaN": _gives_nan,
}
