"""The state is read, but no gradient flows back through it.

## What it does

Compares the influence of each slot on later steps by value with that by gradient. It fires for a slot that changes
what comes later, by ever so small a change, and through which no gradient path leads: its old value is cut off on the
way in, or the value that comes back on the way out. The line is the first whose value depends on the slot and has no
gradient from it.

Of a layer that runs over a sequence it fires where the last step depends on the first and no gradient leads back to it.

It is a warning, since truncated backpropagation cuts on purpose; a note for a method that runs over a whole sequence,
inside of which gradients flow, and for a cell that no gradient goes through at all, or whose trained weights have no
part in its state (a reservoir with a readout).

## Why it is bad

Without a gradient through the state nothing is learned over time: the recurrent weights see one step only, and what a
later step needs is never asked of an earlier one.

## Known problems

A cell that is meant to be trained without gradients through time is told so too: say it with
`# rnncheck: ignore[detached-state] truncated on purpose`. Step functions (thresholds, rounding) have no gradient by
nature and are left out, as is a cell whose state is kept in a variable of the framework.

## Example

    def forward(self, x, h):
        h = h.detach()
        return torch.tanh(self.input(x) + self.recurrent(h))

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnncheck.findings import Finding, Related, Severity
from rnncheck.rules.base import Rule, at, listing, needs_state, old_name
from rnncheck.trace import Cut, Trace
from rnncheck.usercode import source

CUTTING = frozenset(["detach", "detach_", "data", "stop_gradient", "no_grad"])
"""What cuts a gradient off, as it is written."""


def check(trace: Trace) -> Iterator[Finding]:
    floating = [slot for slot in trace.slots if slot.dtype.startswith(("float", "bfloat"))]
    if len(trace.cuts) > 1 and len(trace.cuts) == len(floating):
        yield _finding(trace, trace.cuts)
        return
    for cut in trace.cuts:
        yield _finding(trace, [cut])
    if trace.cut_within and not trace.cuts:
        yield _within(trace)


def _within(trace: Trace) -> Finding:
    method = trace.method
    return Finding(
        rule=RULE.id,
        severity="warning",
        message=f"In {method.name}() the last step depends on the first, but no gradient flows back to it.",
        location=at(trace, source.first_naming(method.path, method.line, CUTTING)),
        suggestion="let the gradient through: use the state itself",
        evidence={"by_value": "changes", "by_gradient": "not connected", "cut": "within"},
    )


def _finding(trace: Trace, cuts: Sequence[Cut]) -> Finding:
    method, first = trace.method, cuts[0]
    alone = trace.slots[first.slot] if len(cuts) == 1 else None
    names = listing(old_name(trace, trace.slots[cut.slot]) for cut in cuts)
    them, are = ("it", "is") if alone else ("them", "are")
    severity: Severity = "note" if (first.whole and not trace.cut_within) or first.nothing else "warning"
    if first.way == "in":
        message = f"{names} {are} read by {method.name}(), but no gradient flows back through {them}."
    else:
        message = f"{method.name}() returns {names} without a gradient: nothing flows back through {them} in time."
    lines = sorted({cut.span.line for cut in cuts[1:] if cut.span and cut.span != first.span})
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=message,
        location=at(trace, first.span),
        state=alone.name if alone else None,
        state_index=alone.index if alone else None,
        steps=(0, trace.last_step),
        suggestion=None if severity == "note" else "let the gradient through: use the state itself",
        related=tuple(Related(line, "cut here too") for line in lines),
        evidence={"by_value": "changes", "by_gradient": "not connected", "cut": first.way},
        explained_by="state-dtype-mismatch" if any(change.slot == first.slot for change in trace.retyped) else None,
    )


def _inapplicable(trace: Trace) -> str | None:
    if trace.kind == "layer" and trace.memory is True:
        return None
    if needs_state(trace) or trace.influence.gradient is None:
        return needs_state(trace) or f"there are no gradients: {trace.influence.gradient_error}"
    kept = bool(trace.slots) and all(slot.variable for slot in trace.slots)
    return "its state is kept in variables, which no gradient goes through" if kept else None


RULE = Rule(
    "detached-state",
    "the state is read, but no gradient flows back through it",
    check,
    _inapplicable,
    severities=("warning", "note"),
)
