"""A slot comes back in another dtype than it went in.

## What it does

Compares the dtype of each slot that comes back with the dtype in which it went in. The line is the first that makes a
value of the new dtype.

## Why it is bad

The next step multiplies two dtypes and fails, or everything silently computes in the wider one, at half the speed and
twice the memory; a state that becomes whole numbers has lost its gradient.

## Known problems

Where the cell does not say how it starts, a slot of whole numbers is left out.

## Example

    def forward(self, x, h):
        decay = torch.tensor(0.9, dtype=torch.float64)
        new = torch.tanh(self.input(x) + self.recurrent(h.float())).double()
        return decay * h + (1 - decay) * new

## Use instead

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h))
        return 0.9 * h + 0.1 * new
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state, old_name
from rnncheck.trace import Fault, Retyped, Trace


def check(trace: Trace) -> Iterator[Finding]:
    for change in (trace.fault, *trace.retyped):
        if change is not None and change.slot is not None:
            yield _finding(trace, change, change.slot)


def _finding(trace: Trace, change: Fault | Retyped, index: int) -> Finding:
    slot = trace.slots[index]
    return Finding(
        rule=RULE.id,
        severity="error",
        message=f"{trace.method.name}() takes {old_name(trace, slot)} as {change.went_in} and returns it as "
        f"{change.came_back}.",
        location=at(trace, change.span),
        state=slot.name,
        state_index=slot.index,
        steps=(0, max(0, trace.last_step)),
        suggestion=f"return it as {change.went_in}",
        evidence={"went_in": change.went_in, "came_back": change.came_back, "initial_state": trace.initial.source},
    )


RULE = Rule("state-dtype-mismatch", "a slot comes back in another dtype than it went in", check, needs_state)
