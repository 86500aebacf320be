"""The steps beyond those that the experiments look at: run once, and only their sizes kept."""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnncheck.backends.base import Held
from rnncheck.experiments import computed
from rnncheck.experiments.probes import Lab
from rnncheck.running.unroll import Step, arrived, each_step, glimpses
from rnncheck.trace import Behaviour, Computed, Passage


@dataclass(frozen=True)
class Tail:
    """The steps beyond those that the experiments look at, and which of all was the first that was not finite."""

    passages: tuple[tuple[Passage, ...], ...] = ()
    broken: tuple[int, Step] | None = None

    def moves(self, slot: int) -> bool:
        return any(not step[slot].unchanged for step in self.passages)


def beyond(lab: Lab, steps: int) -> Tail:
    """The unroll over so many steps, of which only sizes are kept."""
    if steps <= len(lab.inputs):
        return Tail()
    passages: list[tuple[Passage, ...]] = []
    for at, seen in enumerate(glimpses(lab.bound.backend, _all_steps(lab, steps, record=False))):
        if at >= len(lab.inputs):
            passages.append(seen.passages)
        if not seen.finite:
            again = list(itertools.islice(_all_steps(lab, steps, record=True), at, at + 1))
            return Tail(tuple(passages), (at, arrived(lab.bound.backend, again)[0]))
    return Tail(tuple(passages))


def _all_steps(lab: Lab, steps: int, *, record: bool) -> Iterator[Step]:
    more = (lab.other_inputs(100 + at, 1)[0] for at in range(len(lab.inputs), steps))
    return each_step(lab.bound, lab.seed, itertools.chain(lab.inputs, more), lab.initial, record=record)


def with_updates(lab: Lab, tail: Tail, found: Sequence[Sequence[Computed]]) -> tuple[tuple[Passage, ...], ...]:
    """The passages with the new values of slots that were computed and dropped."""
    first = {slot: next((item for item in every if item.is_update), None) for slot, every in enumerate(found)}
    updates = {slot: update for slot, update in first.items() if update is not None}
    if not updates or not tail.passages:
        return tail.passages
    first_steps = len(lab.inputs)
    steps = itertools.islice(_all_steps(lab, first_steps + len(tail.passages), record=True), first_steps, None)

    def dropped(step: Step) -> Mapping[int, Held]:
        found = {slot: computed.value_of(lab, step, update.key, slot) for slot, update in updates.items()}
        return {slot: value for slot, value in found.items() if value is not None}

    return tuple(seen.passages for seen in glimpses(lab.bound.backend, steps, dropped))


def moved_late(behaviour: Behaviour, tail: Tail) -> Behaviour:
    """What moves late moves."""
    late = [tail.moves(slot) for slot in range(len(behaviour.moves))]
    return dataclasses.replace(
        behaviour,
        moves=tuple(map(operator.or_, behaviour.moves, late)),
        moves_from_initial=tuple(map(operator.or_, behaviour.moves_from_initial, late)),
    )
