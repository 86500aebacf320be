"""The gradient through the state dies within a step or two.

## What it does

Measures the derivative of the whole state by the state one step and two steps before, with the weights as they are. It
fires when it shrinks to less than a thousandth at every step (a half-life of a tenth of a step) and is still connected
and not exactly zero, and when other draws of the weights say the same.

It is a warning. Ordinary cells lose a half or nine tenths of the gradient at each step, and learn.

## Why it is bad

What a step should have remembered is corrected by what its successors need, and that message arrives a million times
too small after two steps: nothing is learned over time, although everything is connected.

## Known problems

Step functions have a gradient of exactly zero and are left out.

## Example

    def forward(self, x, h):
        return torch.tanh(self.input(x) + 1e-5 * self.recurrent(h))

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    if trace.decay is None:
        return
    method = trace.method
    half_life = math.log(0.5) / math.log(trace.decay)
    produced = method.produced[0] if len(method.produced) == 1 else method.returns
    yield Finding(
        rule=RULE.id,
        severity="warning",
        message=f"The gradient through the state of {method.name}() shrinks to {trace.decay:.0e} of itself at every "
        f"step: its half-life is {half_life:.2f} steps.",
        location=at(trace, produced),
        steps=(0, trace.last_step),
        suggestion="give the old state more weight in the new one, or start the recurrent weights larger",
        evidence={"decay_per_step": trace.decay, "half_life_in_steps": half_life},
    )


def _inapplicable(trace: Trace) -> str | None:
    if trace.slots and trace.influence.gradient is None:
        return f"there are no gradients: {trace.influence.gradient_error}"
    return needs_state(trace)


RULE = Rule(
    "vanishing-gradient",
    "the gradient through the state dies within a step or two",
    check,
    _inapplicable,
    severities=("warning",),
)
