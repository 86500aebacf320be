"""The state grows at every step, geometrically.

## What it does

Measures the size (root mean square) of each slot over 64 steps, from the cell's own first state and with the weights
as they are. It fires when the size grows by at least a twentieth at every step to the end, and not merely like a power
of the time; where the growth depends on the draw of the weights, it has to be a fifth, and to hold for other draws.

It is a warning: with other weights, or over short sequences, it may do no harm.

## Why it is bad

After some hundred steps the numbers overflow; long before that they drown every input, and gradients grow with them.

## Known problems

An integrator, whose state grows by as much at each step, is none: it does not grow geometrically.

## Example

    def forward(self, x, h):
        return self.input(x) + 1.5 * h

## Use instead

    def forward(self, x, h):
        return self.input(x) + 0.95 * h
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, listing, needs_state, old_name
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    if not trace.growth:
        return
    worst = max(trace.growth, key=lambda growth: growth.factor)
    slots = [trace.slots[growth.slot] for growth in trace.growth]
    alone = slots[0] if len(slots) == 1 else None
    method = trace.method
    steps = math.log(2) / math.log(worst.factor)
    yield Finding(
        rule=RULE.id,
        severity="warning",
        message=f"{listing(old_name(trace, slot) for slot in slots)} {'grows' if alone else 'grow'} "
        f"{worst.factor:.2f}-fold at every step: twice as large every {steps:.1f} steps.",
        location=at(trace, method.produced[worst.slot] if method.produced else None),
        state=alone.name if alone else None,
        state_index=alone.index if alone else None,
        steps=(0, worst.steps - 1),
        suggestion="bound the new state (tanh, a gate, a normalisation), or start the recurrent weights smaller",
        evidence={"growth_per_step": {trace.slots[growth.slot].name: growth.factor for growth in trace.growth}},
    )


RULE = Rule(
    "exploding-state", "the state grows geometrically from step to step", check, needs_state, severities=("warning",)
)
