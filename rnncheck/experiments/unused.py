"""The trainable weights, and which of them certainly have no effect, with the statement that names them."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from rnncheck.backends.base import Array, Gradients
from rnncheck.calling.convention import Bound
from rnncheck.calling.signature import KEPT
from rnncheck.errors import CallError
from rnncheck.experiments import gradients
from rnncheck.experiments.probes import INPUT_SCALES, THOROUGH, WINDOW, Lab, Probe, effect, louder
from rnncheck.running.unroll import Run, State, different
from rnncheck.trace import Span, Weight
from rnncheck.usercode import source

UNITS, DRAWS = (1.0, 1.0, 0.3), 3
"""The scale of the weights drawn afresh; the first draw leaves them as they are."""
LATE = (10, 1000, 30000)
SIZES = (0.1, 3.0)
"""By how much a weight is changed that has no derivative."""


def _idle_block(used: Array, width: int) -> bool:
    """Whether one block of a slot's width, as a gate or a part of a concatenation takes it, is idle and all the
    rest is not: units that are dead here and there, or rows not picked, do not lie so."""
    for axis in range(used.ndim):
        alive = np.asarray(used.any(axis=tuple(other for other in range(used.ndim) if other != axis))).reshape(-1)
        idle = np.flatnonzero(~alive)
        whole = 0 < len(idle) == width < len(alive) and idle[-1] - idle[0] == width - 1
        if whole and (idle[0] % width == 0 or idle[-1] == len(alive) - 1):
            return True
    return False


def never(lab: Lab, probe: Probe, found: Gradients) -> Sequence[bool]:
    """For each weight whether nothing reaches a result from it, also with all weights drawn afresh."""
    backend, cell = lab.bound.backend, lab.bound.cell
    idle = [
        (used is None or not used.any()) and not backend.may_be_read_once(cell, weight)
        for used, weight in zip(found.weights, backend.weights(cell))
    ]
    if not any(idle):
        return idle
    again = gradients.again(lab, probe)
    if again is None:
        return [False] * len(idle)
    return [once and (used is None or not used.any()) for once, used in zip(idle, again.weights)]


def seen(bound: Bound, found: Gradients | None, never: Sequence[bool] | None) -> tuple[Weight, ...]:
    """The trainable weights and the layers that were never called, with what was seen of their use."""
    if found is None:
        return ()
    elsewhere = source.attributes_elsewhere(type(bound.cell), bound.callee.method)

    widths = {int(leaf.shape[-1]) for leaf in bound.initial if len(leaf.shape) > 1}

    def weight(
        name: str, shape: tuple[int, ...] | None, used: Array | None, never: bool, registered: bool = True
    ) -> Weight:
        blocks = () if used is None else tuple(sorted(width for width in widths if _idle_block(used, width)))
        dead = used is not None and not used.any()
        attribute = name.partition(".")[0].partition("[")[0]
        place = None if registered else source.defined_at(type(bound.cell), attribute)
        return Weight(
            name,
            shape,
            used is not None,
            dead,
            blocks,
            attribute in elsewhere,
            never,
            registered=registered,
            place=place,
        )

    weights = bound.backend.weights(bound.cell)
    every = [
        weight(known.name, known.shape, used, idle, known.registered)
        for known, used, idle in zip(weights, found.weights, never or [False] * len(weights))
        if known.trainable
    ]
    return (*every, *(weight(name, None, None, True) for name in bound.backend.unused_layers(bound.cell)))


def settled(lab: Lab, main: Run, probe: Probe, weights: Sequence[Weight], path: str | None) -> tuple[Weight, ...]:
    """The weights with those marked that are not ``used``.

    A weight is used when another method has it, when the code names it on a line that did not run or under a
    condition, when it is one of several of which each step takes its own, or when other numbers in it change what the
    cell gives; one whose derivative is zero, when they do so with any weights, inputs and states. Parts of a weight's
    owner are judged together: what a layer does with its parts is its own affair.
    """
    idle = [weight for weight in weights if not (weight.reached and not weight.dead) and weight.never]
    idle = [weight for weight in idle if not weight.elsewhere and not (weight.dead and _chosen_by_others(lab))]
    matrices = {owner(weight.name) for weight in idle if weight.dead and len(weight.shape or ()) > 1}
    # Beside a matrix through which nothing comes its bias stays alive.
    owners = {owner(weight.name) for weight in idle} - {
        owner(weight.name)
        for weight in weights
        if weight not in idle
        and "." in weight.name
        and not (owner(weight.name) in matrices and len(weight.shape or ()) == 1)
    }
    ran = set().union(*(step.recording.lines for step in main.steps if step.recording), set())
    marked = {}
    for name in owners:
        others = {weight.name for weight in weights if weight.reached and _beside(name, owner(weight.name))}
        if others and source.picks_from(type(lab.bound.cell), _attribute(name)):
            one_step = dataclasses.replace(probe, inputs=probe.inputs[:1])
            # A further argument, of which one value was tried, may choose as well.
            if lab.bound.callee.further or not others <= gradients.reached(lab, one_step):
                continue
        mentions = source.mentions_of(type(lab.bound.cell), _attribute(name))
        if any(mention.conditional or mention.path != path or mention.line not in ran for mention in mentions):
            continue
        marked[name] = source.span(path, min((mention.line for mention in mentions), default=None))
    return tuple(_marked(lab, probe, weight, marked) if weight in idle else weight for weight in weights)


def _chosen_by_others(lab: Lab) -> bool:
    """Whether something beside input and state may choose what has an effect: a time, a mask, what the cell keeps."""
    bound = lab.bound
    return bool(bound.callee.further) or bound.kept is not None or bound.convention.signature.passing == KEPT


def owner(name: str) -> str:
    """The part of the cell under which a weight stands: an attribute, or one of those in a list."""
    found = re.match(r"\w+(?:\.\d+|\[\d+\])*", name)
    return found[0] if found else name


def _attribute(name: str) -> str:
    return re.split(r"\W", name)[0]


def _beside(one: str, other: str) -> bool:
    """Whether two owners are told apart by a number alone."""
    return one != other and re.sub(r"\d+", "#", one) == re.sub(r"\d+", "#", other)


def _marked(lab: Lab, probe: Probe, weight: Weight, marked: dict[str, Span | None]) -> Weight:
    name = owner(weight.name)
    if name not in marked or _changes(lab, probe, weight) or (weight.dead and _ever_changes(lab, probe, weight)):
        return weight
    return dataclasses.replace(weight, used=False, span=marked[name])


def _changes(lab: Lab, probe: Probe, weight: Weight) -> bool:
    """Whether other numbers in the weight change what the cell gives, or the cell itself writes into it."""
    backend, cell = lab.bound.backend, lab.bound.cell
    for known in backend.weights(cell):
        if known.name == weight.name:
            before = backend.snapshot(cell)
            lab.bound.begin(lab.seed)
            held = known.read()
            base = lab.run(probe.inputs, probe.start)
            if different(held, known.read()):
                before.restore()
                return True
            whole = _whole(lab, probe)
            known.assign(known.read() + np.random.default_rng(0).standard_normal(known.shape).astype("float32"))
            try:
                changed = any(effect(base, lab.run(probe.inputs, probe.start)))
                return changed or any(map(different, whole, _whole(lab, probe)))
            finally:
                before.restore()
    return False


def _whole(lab: Lab, probe: Probe) -> list[Array]:
    """What one call gives for all steps at once, where it takes a sequence, and from a state of several parts where one
    was guessed: over one step or part attention is always one."""
    bound, backend = lab.bound, lab.bound.backend
    if not bound.form.over_time:
        return []
    axis = 0 if bound.form.layout == "time first" else 1
    x = backend.tensor(np.moveaxis(probe.inputs, 0, axis), bound.input_dtype)
    starts = [probe.start.arrays]
    if not bound.initial_declared:
        starts.append([_several(array) for array in probe.start.arrays])
    found: list[Array] = []
    for arrays in starts:
        bound.begin(lab.seed)
        with contextlib.suppress(Exception), backend.without_gradient():
            returned = bound.callee.call(x, bound.convention.state.build(bound.state(arrays)))
            found += [backend.numpy(tensor) for tensor in backend.given_out(returned)]
    return found


def _several(array: Array) -> Array:
    """The same along the axes of one part, and other numbers for the other parts."""
    rng = np.random.default_rng(0)
    for axis, size in enumerate(array.shape):
        if size == 1 and array.dtype.kind == "f":
            more = rng.standard_normal((*array.shape[:axis], 2, *array.shape[axis + 1 :])).astype(array.dtype)
            array = np.concatenate([array, more], axis=axis)
    return array


def _ever_changes(lab: Lab, probe: Probe, weight: Weight) -> bool:
    """Whether other numbers in the weight change anything: with other weights beside it, louder inputs, from other
    states, after many steps."""
    backend, cell = lab.bound.backend, lab.bound.cell
    before, rng = backend.snapshot(cell), np.random.default_rng((lab.seed, 9))
    anywhere = [_anywhere(rng, array) for array in probe.start.arrays]
    starts = [probe.start, lab.initial, State(probe.start.structure, anywhere)]
    # A number that counts the steps may let it in late.
    starts += [State(probe.start.structure, [_all(array, count) for array in probe.start.arrays]) for count in LATE]
    ways = [(lab.other_inputs(1, THOROUGH.long), lab.initial)]
    for number, scale in enumerate((1.0, *INPUT_SCALES)):
        ways += [(louder(lab.other_inputs(70 + number, WINDOW), scale), start) for start in starts]
    try:
        for draw in range(DRAWS):
            for known in backend.weights(cell) if draw else ():
                known.assign(UNITS[draw] * rng.standard_normal(known.shape).astype("float32"))
            mine = next(known for known in backend.weights(cell) if known.name == weight.name)
            held = mine.read()
            for inputs, start in ways:
                mine.assign(held)
                base = lab.run(inputs, start)
                for size in SIZES:
                    mine.assign(held + size * rng.standard_normal(mine.shape).astype("float32"))
                    if any(effect(base, lab.run(inputs, start))):
                        return True
    except CallError:
        return True
    finally:
        before.restore()
    return False


def _all(array: Array, number: int) -> Array:
    return np.full(array.shape, number).astype(array.dtype)


def _anywhere(rng: np.random.Generator, array: Array) -> Array:
    return rng.standard_normal(array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
