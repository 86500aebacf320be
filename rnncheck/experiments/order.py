"""Whether slots come back in each other's place.

The proof is in the update or in the names. A slot whose update is unit by unit and linear under a gate
(``c' = f * c + i * g``) is at home where it goes in; or what the code calls ``h`` and ``c`` as it comes in, it calls
``c`` and ``h`` where it goes out. A shift register hands one slot on as it is, and is none.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Collection, Sequence

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.experiments.computed import FILLER, dropped
from rnncheck.experiments.probes import INPUT_SCALES, Lab, Probe, louder, varied
from rnncheck.running.unroll import Run, different
from rnncheck.trace import Computed, Doubled, Swap
from rnncheck.usercode import source
from rnncheck.usercode.definitions import stem, words

NUDGE = 0.25
UNITS = 3
"""How many units of a slot are nudged, one at a time."""
ALIKE = 1e-3
"""The largest relative difference of two slopes that counts as rounding."""

LOUD_STEPS = 8
"""A neuron that is silent for so long stays so."""


def swapped(
    lab: Lab, main: Run, probe: Probe, old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]
) -> Swap | None:
    """The first two slots that come back in each other's place.

    ``old`` and ``new`` are, per slot, the names of the value that goes in and of that which comes back.
    """
    arrays = probe.start.arrays

    @functools.cache
    def loud() -> list[Run]:
        """With stronger inputs: ordinary ones may make no neuron spike."""
        return [lab.run(louder(lab.inputs[:LOUD_STEPS], scale), lab.initial) for scale in INPUT_SCALES]

    def always_handed_on(one: int, other: int) -> bool:
        return _handed_on(main, one, other) and all(_handed_on(run, one, other) for run in loud())

    known, called = _telling(old), _telling(new)
    for one, other in itertools.combinations(lab.slots, 2):
        alike = arrays[one].shape == arrays[other].shape and arrays[one].dtype == arrays[other].dtype
        if not alike or arrays[one].dtype.kind != "f" or always_handed_on(one, other):
            continue
        crossed = bool(known[one] & called[other]) and bool(known[other] & called[one])
        straight = bool(known[one] & called[one]) or bool(known[other] & called[other])
        if straight:
            continue
        slope = functools.cache(functools.partial(_slope, lab, probe))
        if crossed and (slope(one, one) is None or slope(other, other) is None):
            return Swap((one, other), "names")
        if any(_gated_away(lab, probe, slope, a, b) for a, b in ((one, other), (other, one))):
            return Swap((one, other), "update")
    return None


def doubled(lab: Lab, main: Run, probe: Probe, old: Sequence[Sequence[str]], path: str | None) -> Doubled | None:
    """The first slot that gives way to another: one tensor comes back for both, or the old value of the other for it,
    and a value that was computed from the slot, under a name of its own or one that is never used, for neither.

    ``old`` are the names of the values that go in. Without that value one tensor may well be both.
    """
    steps = [step for step in main.steps if step.leaves]
    # The later one is likelier to have been written by the earlier one's name.
    pairs = list(itertools.permutations(reversed(lab.slots), 2)) if len(steps) == len(main.steps) else []
    twins = [(*pair, False) for pair in pairs if all(step.leaves[pair[0]] is step.leaves[pair[1]] for step in steps)]
    twins += [(*pair, True) for pair in pairs if all(step.leaves[pair[0]] is step.passed[pair[1]] for step in steps)]
    for slot, other, is_old in twins:
        mine = {stem(name) for name in old[slot]}
        for update in dropped(lab, main, probe, slot, path):
            if update.is_update and update.in_method and (name := _own_name(lab, update, mine, path)) is not None:
                return Doubled(slot, other, dataclasses.replace(update, name=name), is_old)
    return None


def _own_name(lab: Lab, update: Computed, mine: Collection[frozenset[str]], path: str | None) -> str | None:
    """What a dropped value is called after the slot, or, where it is an output under another name, a name that the code
    gives it and does not use."""
    code, every = lab.bound.callee.code, (update.name, *update.spelled)
    called = next((name for name in every if stem(name) in mine), None)
    line = code.co_firstlineno if code is not None else None
    idle = source.unused_name(path, line, [name.partition("[")[0] for name in update.spelled])
    if called is not None or idle is None or idle[1] is not None:
        return called
    return next(name for name in update.spelled if name.partition("[")[0] == idle[0])


def _telling(names: Sequence[Sequence[str]]) -> list[set[str]]:
    """The words of each slot's names that are its own."""
    every = [{_plain(word) for name in of for word in words(name)} - FILLER for of in names]
    return [
        own.difference(*(other for at, other in enumerate(every) if at != index)) for index, own in enumerate(every)
    ]


def _plain(word: str) -> str:
    """``hx``, ``hy``, ``ht`` and ``hn`` are ``h``."""
    return word[0] if re.fullmatch(r"[a-z][xytn]", word) else word


def _handed_on(main: Run, one: int, other: int) -> bool:
    """Whether one of them is the other's old value, or came back as it went in."""
    return any(
        all(not different(step.returned[place], step.previous[slot]) for step in main.steps)
        for place, slot in itertools.product((one, other), repeat=2)
    )


def _gated_away(lab: Lab, probe: Probe, slope: Callable[[int, int], Array | None], slot: int, place: int) -> bool:
    """Whether the slot's only unit-wise linear update, under a gate, comes back in another's place."""
    away = slope(slot, place)
    # Two that feed each other crosswise may be meant to.
    if away is None or any(slope(*other) is not None for other in ((slot, slot), (place, place), (place, slot))):
        return False
    again = _slope(lab, Probe(probe.start, probe.others, varied(probe.inputs)), slot, place)
    return again is not None and bool((np.abs(again - away) > ALIKE * np.abs(away)).any())


def _slope(lab: Lab, probe: Probe, slot: int, place: int) -> Array | None:
    """By how much what comes back in a place changes with a slot, for a few units; None unless it is unit by unit and
    linear."""
    value = probe.start.arrays[slot]
    axis = lab.bound.rows_axis(slot)
    if axis is None or not value.size:
        return None
    width = int(np.prod(value.shape)) // value.shape[axis]
    base = _returned(lab, probe, slot, value, place)
    found = []
    for unit in sorted({0, width // 2, width - 1})[:UNITS]:
        mask = _unit(value, axis, unit)
        once, twice = (
            _returned(lab, probe, slot, (value + size * mask).astype(value.dtype), place) for size in (NUDGE, 2 * NUDGE)
        )
        first, second = once - base, twice - base
        if first[mask == 0].any() or second[mask == 0].any():
            return None
        rise, more = first[mask == 1], second[mask == 1]
        if not rise.all() or (np.abs(more - 2 * rise) > ALIKE * np.abs(rise)).any():
            return None
        found.append(rise / NUDGE)
    return np.concatenate(found)


def _unit(value: Array, axis: int, unit: int) -> Array:
    """One for one unit in every row, else zero."""
    rows = np.zeros((value.shape[axis], int(np.prod(value.shape)) // value.shape[axis]))
    rows[:, unit] = 1
    shape = (value.shape[axis], *(size for at, size in enumerate(value.shape) if at != axis))
    return np.moveaxis(rows.reshape(shape), 0, axis)


def _returned(lab: Lab, probe: Probe, slot: int, value: Array, place: int) -> Array:
    step = lab.run(probe.inputs[:1], probe.start.with_slot(slot, value)).steps[0]
    return step.returned[place].astype("float64")
