"""Experiments on a cell: does each slot move, does it move from the first state, is it read?

Two runs that differ in one thing are compared bit for bit. Values put into a slot are first ones that
the cell itself reached, so that they lie where its arithmetic is defined, then perturbations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnncheck.backends.base import Array, Weight
from rnncheck.convention import Bound
from rnncheck.trace import Behaviour
from rnncheck.unroll import Run, different, largest_difference, unroll

LADDER = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
INPUT_SCALES = (10.0, 100.0, 1000.0)
PROBE_STEPS = 3
DRAWS = 5


@dataclass(frozen=True)
class Probe:
    """A state to start from, and for each slot another value of it (both reached by the cell where it moves)."""

    base: list[Array]
    others: list[Array]


@dataclass(frozen=True)
class Seen:
    """A behaviour with the runs behind it. ``effects`` maps each source (slots, then the input) to the
    largest change in each target (slots, then the output)."""

    behaviour: Behaviour
    probe: Probe
    base: Run
    effects: list[list[float]]


def observe(bound: Bound, seed: int, first: Run, inputs: Array, initial: Sequence[Array]) -> Seen:
    """What the cell does with its present weights.

    ``first`` is the unroll over ``inputs`` ``(steps, batch, *input shape)`` from ``initial``.
    """
    slots = range(len(initial))
    from_initial = [first.moved(slot) for slot in slots]
    for scale in INPUT_SCALES if not all(from_initial) else ():
        louder = unroll(bound, seed, _scaled(inputs, scale), initial)
        if louder.finite:
            from_initial = [moved or louder.moved(slot) for slot, moved in zip(slots, from_initial)]
    probe, base = _probe(bound, seed, first, inputs, initial)
    moves = [from_initial[slot] or base.moved(slot) for slot in slots]
    effects, read = [], []
    for slot in slots:
        effect, is_read = _effect_of_slot(bound, seed, inputs, probe, base, slot, moves[slot])
        effects.append(effect)
        read.append(is_read)
    if len(initial) > 1 and not any(read):
        read = [_read_together(bound, seed, inputs, probe, base, moves)] * len(initial)
    varied = np.array(inputs, copy=True)
    varied[0] = np.roll(inputs[0], 1, axis=0) if len(inputs[0]) > 1 else inputs[0] + 1
    effects.append(_effect(base, unroll(bound, seed, varied[:PROBE_STEPS], probe.base)))
    behaviour = Behaviour(tuple(moves), tuple(from_initial), tuple(read), base.finite and first.finite)
    return Seen(behaviour, probe, base, effects)


def redraw(bound: Bound, seed: int, inputs: Array, initial: Sequence[Array], built: Behaviour) -> Iterator[Behaviour]:
    """The same experiments after drawing all trainable weights afresh, several times.

    The weights are put back afterwards. Stops when nothing that looked dead is left to be explained.
    """
    weights = bound.backend.weights(bound.cell)
    if not weights or _alive(built):
        return
    saved = [weight.read() for weight in weights]
    rng = np.random.default_rng(seed + 1)
    moves, from_initial, read = built.moves, built.moves_from_initial, built.read
    try:
        for draw in range(DRAWS):
            _assign(weights, draw, rng)
            seen = observe(bound, seed, unroll(bound, seed, inputs, initial), inputs, initial).behaviour
            yield seen
            if seen.finite:
                moves = _either(moves, seen.moves)
                from_initial = _either(from_initial, seen.moves_from_initial)
                read = _either(read, seen.read)
                if all((*moves, *from_initial, *read)):
                    return
    finally:
        for weight, value in zip(weights, saved):
            weight.assign(value)


def _alive(behaviour: Behaviour) -> bool:
    return all((*behaviour.moves, *behaviour.moves_from_initial, *behaviour.read))


def _either(left: Sequence[bool], right: Sequence[bool]) -> tuple[bool, ...]:
    return tuple(a or b for a, b in zip(left, right))


def _assign(weights: Sequence[Weight], draw: int, rng: np.random.Generator) -> None:
    """Fresh weights: unit scale, scaled by fan-in, positive, and within (0, 1)."""
    for weight in weights:
        value = rng.standard_normal(weight.shape)
        if draw == 1:
            value /= max(1.0, float(np.sqrt(np.prod(weight.shape[1:]))))
        elif draw == 2:
            value = np.abs(value)
        elif draw == 3:
            value = rng.uniform(0.1, 0.9, weight.shape)
        elif draw == 4:
            value *= 0.3
        weight.assign(value.astype("float32"))


def _probe(bound: Bound, seed: int, first: Run, inputs: Array, initial: Sequence[Array]) -> tuple[Probe, Run]:
    """A state that the cell reached, and values for slots that never moved, within the cell's domain."""
    candidates = []
    for style in ("reached", "normal", "positive"):
        probe = _make_probe(seed, first, initial, style)
        run = unroll(bound, seed, inputs[:PROBE_STEPS], probe.base)
        if run.finite:
            return probe, run
        candidates.append((probe, run))
    return candidates[0]


def _make_probe(seed: int, first: Run, initial: Sequence[Array], style: str) -> Probe:
    rng = np.random.default_rng(seed + 2)
    base, others = [], []
    for slot, start in enumerate(initial):
        reached = [step.returned[slot] for step in first.steps]
        one, other = (
            reached[-1],
            np.roll(reached[-2] if len(reached) > 1 else start, 1, axis=0) if start.ndim else start,
        )
        if style != "reached" or not first.moved(slot) or not different(one, other):
            one, other = (_random(rng, start, "positive" if style == "positive" else "normal") for _ in range(2))
        base.append(np.array(one, copy=True))
        others.append(np.array(other, copy=True))
    return Probe(base, others)


def _random(rng: np.random.Generator, like: Array, style: str) -> Array:
    kind = like.dtype.kind
    if kind == "b":
        return rng.random(like.shape) < 0.5
    if kind in "iu":
        return rng.integers(0, 4, like.shape).astype(like.dtype)
    value = rng.uniform(0.1, 0.9, like.shape) if style == "positive" else 0.5 * rng.standard_normal(like.shape)
    if kind == "c":
        value = value + 0.5j * rng.standard_normal(like.shape)
    return np.asarray(value).astype(like.dtype)


def _effect_of_slot(
    bound: Bound, seed: int, inputs: Array, probe: Probe, base: Run, slot: int, moves: bool
) -> tuple[list[float], bool]:
    start = [*probe.base]
    start[slot] = probe.others[slot]
    effect = _effect(base, unroll(bound, seed, inputs[:PROBE_STEPS], start))
    if _reads(effect, slot, moves):
        return effect, True
    longer = unroll(bound, seed, inputs, probe.base)
    for value in _variants(seed, probe, slot):
        start[slot] = value
        if _reads(_effect(longer, unroll(bound, seed, inputs, start)), slot, moves):
            return effect, True
    return effect, False


def _read_together(bound: Bound, seed: int, inputs: Array, probe: Probe, base: Run, moves: Sequence[bool]) -> bool:
    effect = _effect(base, unroll(bound, seed, inputs[:PROBE_STEPS], probe.others))
    return any(change > 0 for target, change in enumerate(effect) if target >= len(moves) or moves[target])


def _variants(seed: int, probe: Probe, slot: int) -> Iterator[Array]:
    yield probe.others[slot]
    base = probe.base[slot]
    rng = np.random.default_rng(seed + 3)
    if base.dtype.kind in "fc":
        for size in LADDER:
            yield (base + size * rng.choice([-1.0, 1.0], base.shape)).astype(base.dtype)
    elif base.dtype.kind == "b":
        yield ~base
    else:
        yield (base + 1).astype(base.dtype)


def _reads(effect: Sequence[float], slot: int, moves: bool) -> bool:
    """A slot that is only handed back changes itself alone, and that is not reading it."""
    return any(change > 0 for target, change in enumerate(effect) if target != slot or moves)


def _effect(left: Run, right: Run) -> list[float]:
    """Largest change per slot, then of the output when there is one, over all steps."""
    count = len(left.steps[0].returned)
    changes = [
        max(largest_difference(a.returned[slot], b.returned[slot]) for a, b in zip(left.steps, right.steps))
        for slot in range(count)
    ]
    outputs = [
        largest_difference(one, other)
        for a, b in zip(left.steps, right.steps)
        for one, other in zip(a.outputs, b.outputs)
    ]
    return [*changes, max(outputs)] if outputs else changes


def _scaled(inputs: Array, scale: float) -> Array:
    return (inputs * scale).astype(inputs.dtype)
