"""Calls that were taken and came back with something that is no next state: what a finding is about, and no refusal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck import structure
from rnncheck.backends.base import Tensor
from rnncheck.building.build import Built
from rnncheck.calling.convention import Bound, Convention, outline
from rnncheck.calling.reading import Reading
from rnncheck.calling.signature import EACH, KEPT
from rnncheck.discovery import steps
from rnncheck.discovery.guesses import Ground, Guess, pairs_rows, state_like
from rnncheck.errors import CallError
from rnncheck.structure import Structure, flatten
from rnncheck.usercode.definitions import is_state_name, is_surely_state_name


@dataclass(frozen=True)
class Misfit:
    """A call with inputs of one row's ``shape``, and what a ``rule`` is about in what came back.

    ``slot`` is where they differ, None for no one slot. ``sure``: by nothing but an axis.
    """

    bound: Bound
    shape: tuple[int, ...]
    rule: str
    slot: int | None
    step: int
    went_in: str
    came_back: str
    sure: bool = False

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of one slot what went in and what came back."""
        before, after = (tuple(map(int, re.findall(r"\d+", text))) for text in (self.went_in, self.came_back))
        return before, after

    def settles(self, given: Collection[str], driven: bool) -> bool:
        """Whether nothing else has to be tried: the cell took the state that it declares, and what it was passed beside
        it, by which what came back may have become so wide, was ``given`` by the user."""
        declared, invented = self.bound.initial_declared, set(self.bound.callee.further) - set(given)
        return declared and (driven or self.sure) and not invented


class NoNextState(CallError):
    """The cell was called as it says, and what it returned is not the state that it takes."""

    def __init__(self, error: CallError, misfit: Misfit, built: Built) -> None:
        super().__init__(error.message, hint=error.hint, details=error.details)
        self.misfit, self.built = misfit, built


def returned_another(
    ground: Ground,
    guess: Guess,
    shape: tuple[int, ...],
    returned: Any,
    takes: Callable[[Any], bool],
) -> Misfit | None:
    """The misfit of a guess that is certainly the state that the cell takes; ``takes`` tells whether it takes another
    as its state."""
    callee, backend = ground.callee, ground.backend
    skeleton, leaves = flatten(guess.value, backend.is_tensor)
    rare = callee.form.layout in ("columns", "single")
    # What gives back nothing at all was called as it asks, whatever it took for a state.
    nothing = returned is None and any(map(is_surely_state_name, callee.signature.states))
    if not (guess.declared or ((guess.told or nothing) and not rare)) or callee.signature.passing == KEPT:
        return None
    bound = _bound(ground, guess, skeleton, leaves, returned)
    shapes = [tuple(leaf.shape) for leaf in leaves]
    for place in _places(ground, shapes, returned, bound.convention.reading, takes):
        found, back = flatten(place, backend.is_tensor)
        fits = structure.compatible(skeleton, found) and len(back) == len(shapes)
        # What was passed beside the state may have been stretched over the rows.
        stretched = any(pairs_rows(ground.batch, one, tuple(leaf.shape)) for one, leaf in zip(shapes, back))
        if fits and stretched and callee.further:
            return None
        if fits and (len(back) > 1 or not callee.signature.optional):
            parts = [flatten(part, backend.is_tensor)[1] for part in state_like(ground, returned)]
            another = any([tuple(leaf.shape) for leaf in part] == shapes for part in parts)
            return reshaped(bound, shape, shapes, [tuple(leaf.shape) for leaf in back], 0, ambiguous=another)
    # What takes a state on demand and gives back an output alone is a layer, and so is what gives back each step.
    if callee.signature.optional or _is_history(ground, shapes, returned):
        return None
    # Of several arguments some of which are not called states, what comes back may be all there is.
    named = all(map(is_state_name, callee.signature.states))
    if _joins(ground, guess, returned):
        return None
    if callee.signature.passing == EACH and not guess.declared and not named:
        return None
    went_in, came_back = outline(guess.value, backend), outline(returned, backend)
    # As many parts as there are arguments for them are no accident.
    sure = guess.declared and callee.signature.passing == EACH
    return Misfit(bound, shape, "wrong-state-structure", None, 0, went_in, came_back, sure)


def _joins(ground: Ground, guess: Guess, returned: Any) -> bool:
    """Whether of several states of several parts each one comes back: of a grid's or a tree's two predecessors the cell
    makes one."""
    if ground.callee.signature.passing != EACH or not isinstance(guess.value, tuple):
        return False
    is_tensor = ground.backend.is_tensor
    taken = [[tuple(leaf.shape) for leaf in flatten(part, is_tensor)[1]] for part in guess.value]
    alike = len(taken) > 1 and len(taken[0]) > 1 and all(part == taken[0] for part in taken)
    candidates = [[tuple(leaf.shape) for leaf in flatten(part, is_tensor)[1]] for part in state_like(ground, returned)]
    return alike and taken[0] in candidates


def reshaped(
    bound: Bound,
    shape: tuple[int, ...],
    before: Sequence[Any],
    after: Sequence[Any],
    step: int,
    *,
    ambiguous: bool = False,
) -> Misfit | None:
    """The misfit of the first slot that comes back in another shape; with ``ambiguous`` something else that came back
    may be the state."""
    for slot, (one, other) in enumerate(zip(before, after)):
        if one != other and not _is_cache(one, other):
            went_in, came_back = ("x".join(map(str, sizes)) or "a scalar" for sizes in (one, other))
            # As many numbers in another shape are the state.
            sure = math.prod(one) == math.prod(other) and not ambiguous
            return Misfit(bound, shape, "state-shape-mismatch", slot, step, went_in, came_back, sure)
    return None


def _bound(ground: Ground, guess: Guess, skeleton: Structure, leaves: Sequence[Tensor], returned: Any) -> Bound:
    callee, backend = ground.callee, ground.backend
    method = callee.method if callee.method != backend.method_of(callee.cell) else None
    reading = Reading(1, 2) if isinstance(returned, (tuple, list)) and len(returned) == 2 else Reading()
    convention = Convention(callee.signature, skeleton, reading, callee.form, callee.shown, method)
    declared, dtype = guess.declared or backend.output_first(callee.cell), backend.dtype(ground.x)
    return Bound(callee, convention, list(leaves), guess.source, declared, dtype, ground.batch)


def _places(
    ground: Ground, shapes: Sequence[Any], returned: Any, reading: Reading, takes: Callable[[Any], bool]
) -> list[Any]:
    """What came back where the state is looked for."""
    callee, backend = ground.callee, ground.backend
    if backend.drives(callee.cell) and callee.method == backend.method_of(callee.cell):
        return [returned[1]] if reading.at == 1 else []
    # A single tensor of another width that is not called a state is an output.
    alone = backend.is_tensor(returned) and not any(
        map(is_state_name, steps.returned_names(callee.cell, callee.method))
    )
    if alone and math.prod(returned.shape) != math.prod(shapes[0]) and not takes(returned):
        return []
    # Of three results or more, the state may be one.
    several = isinstance(returned, (tuple, list)) and len(returned) > 2 and len(shapes) > 1
    return state_like(ground, returned)[: 3 if several else 1]


def _is_history(ground: Ground, shapes: Sequence[tuple[int, ...]], returned: Any) -> bool:
    """Whether parts like the state come back with an axis of time, and nothing without one."""
    if not ground.callee.form.over_time:
        return False
    axis = 0 if ground.callee.form.layout == "time first" else 1
    back = [tuple(leaf.shape) for leaf in flatten(returned, ground.backend.is_tensor)[1]]
    single = [shape[axis] == 1 for shape in back if len(shape) > axis]
    return len(single) == len(back) and all(single) and any((*s[:axis], *s[axis + 1 :]) in shapes for s in back)


def _is_cache(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether a slot that was empty at first became longer, as the keys and values of attention do."""
    return len(before) == len(after) and any(one == 0 != other for one, other in zip(before, after))
