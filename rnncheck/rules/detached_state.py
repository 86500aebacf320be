"""The state is read, but no gradient flows back through it.

## What it does

Compares the influence of each slot by value with that by gradient. A slot that changes what comes out, and through
which no gradient path leads at all, is cut from training.

It is a note: to cut the gradient at every step is what truncated backpropagation does on purpose.

## Why it is bad

Without a gradient through the state nothing is learned over time: the recurrent weights see one step only, and what a
later step needs is never asked of an earlier one.

## Known problems

A cell whose state is kept in a variable of the framework is left out, since no gradient can flow through that.

## Example

    def forward(self, x, h):
        h = h.detach()
        return torch.tanh(self.input(x) + self.recurrent(h))

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck import source
from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, listing, needs_state
from rnncheck.trace import Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    cut = [slot for slot in trace.slots if _is_cut(trace, slot)]
    if not cut:
        return
    alone = cut[0] if len(cut) == 1 else None
    method = trace.method
    names = listing(_name(trace, slot) for slot in cut)
    yield Finding(
        rule=RULE.id,
        severity="note",
        message=f"{names} {'is' if alone else 'are'} read by {method.name}(), but no gradient flows back through "
        f"{'it' if alone else 'them'}.",
        location=at(trace, source.first_cut(method.path, method.line)),
        state=alone.name if alone else None,
        state_index=alone.index if alone else None,
        steps=(0, len(trace.steps) - 1),
        evidence={"by_value": "changes", "by_gradient": "not connected"},
    )


def _is_cut(trace: Trace, slot: Slot) -> bool:
    gradient = trace.influence.gradient
    if gradient is None or not trace.built.read[slot.index] or not slot.dtype.startswith(("float", "bfloat")):
        return False
    return all(value is None for value in gradient[slot.index])


def _name(trace: Trace, slot: Slot) -> str:
    known = trace.method.bindings[slot.index] if trace.method.bindings else ()
    return known[0] if known else f"state {slot.name}"


def _inapplicable(trace: Trace) -> str | None:
    if needs_state(trace) or trace.influence.gradient is None:
        return needs_state(trace) or f"there are no gradients: {trace.influence.gradient_error}"
    return "its state is kept on the cell" if trace.method.stored and any(trace.method.stored) else None


RULE = Rule("detached-state", "the state is read, but no gradient flows back through it", check, _inapplicable)
