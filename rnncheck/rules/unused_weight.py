"""A trainable weight reaches neither the state nor the output.

## What it does

Names the trainable weights to which no gradient leads back from the state or the output over several steps, or only
one that is zero (the scores of a softmax over a single element), with the weights as they are and with others, and
whose numbers change nothing when they are replaced. A weight that another
method uses, that a branch names which did not run (a learned first state, noise while training), or that merely starts
at zero is used.

It is a warning.

## Why it is bad

The optimiser carries it along, weight decay shrinks it, the count of parameters includes it, and it does nothing. Most
often the line that should have used it was lost.

## Known problems

A weight that is kept for old checkpoints is reported as well.

## Example

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, listing, needs_state
from rnncheck.trace import Trace, Weight


def check(trace: Trace) -> Iterator[Finding]:
    unused = [weight for weight in trace.weights if not weight.used and weight.registered]
    if not unused:
        return
    count = sum(math.prod(weight.shape) for weight in unused if weight.shape is not None)
    sizes = f" ({count} parameter{'s' if count != 1 else ''})" if count else ""
    one = len(unused) == 1
    # Where there is a way from it, along which nothing comes through.
    verb = ("changes" if one else "change") if all(weight.dead for weight in unused) else "reaches" if one else "reach"
    yield Finding(
        rule=RULE.id,
        severity="warning",
        message=f"{listing(map(_described, unused))} {verb} neither the state nor the output{sizes}.",
        location=at(trace, next((weight.span for weight in unused if weight.span), None)),
        suggestion="use it, or remove it",
        evidence={
            "weights": {weight.name: list(weight.shape or ()) for weight in unused},
            "parameters": count,
        },
        explained_by=_cause(trace),
    )


def _described(weight: Weight) -> str:
    if weight.shape is None:
        return f"{weight.name} (never called)"
    return f"{weight.name} {'x'.join(map(str, weight.shape))}".rstrip()


def _cause(trace: Trace) -> str | None:
    """What is ignored, dropped or cut off takes its weights with it."""
    dropped = any(update.is_update for updates in trace.computed for update in updates)
    if dropped or not all(trace.built.moves):
        return "returned-old-state"
    if not trace.built.hears:
        return "ignored-input"
    if not all(trace.built.read):
        return "ignored-recurrence"
    if any(units.any() for units in trace.built.still):
        return "partial-freeze"
    if not any(trace.built.moves_from_initial):
        return "unchanged-initial-state"
    return "detached-state" if trace.cuts else None


def _inapplicable(trace: Trace) -> str | None:
    if trace.slots and trace.influence.gradient is None:
        return f"there are no gradients: {trace.influence.gradient_error}"
    return needs_state(trace)


RULE = Rule(
    "unused-weight",
    "a trainable weight reaches neither state nor output",
    check,
    _inapplicable,
    severities=("warning",),
)
