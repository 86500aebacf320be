"""Slots come back in another order than they were taken.

## What it does

Looks for two slots of the same shape that come back in each other's place. The proof is in the update: the slot that
changes unit by unit and linearly under a gate (the `c` of an LSTM: `c' = f * c + i * g`) is at home where it goes in,
and comes back in the other place. Or it is in the names: what the code unpacks as `h, c` it returns as `c, h`.

It is an error; a warning where each slot is an argument of its own, since the caller may know of the other order. A
shift register, which hands a slot on as it is, is none.

## Why it is bad

Every second step reads the cell state as the hidden state and the other way round. Shapes agree, nothing is raised,
and the memory that the gates protect is overwritten at every step.

## Known problems

Two slots that are both updated through full matrices, and that the code does not name, cannot be told apart.

## Example

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c_next = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h_next = o.sigmoid() * c_next.tanh()
        return h_next, (c_next, h_next)

## Use instead

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c_next = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h_next = o.sigmoid() * c_next.tanh()
        return h_next, (h_next, c_next)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state, old_name
from rnncheck.trace import Trace
from rnncheck.usercode import rewriting


def check(trace: Trace) -> Iterator[Finding]:
    if trace.swap is None:
        return
    one, other = (trace.slots[slot] for slot in trace.swap.slots)
    method = trace.method
    yield Finding(
        rule=RULE.id,
        severity="warning" if trace.swap.apart else "error",
        message=f"{method.name}() returns the new {old_name(trace, other)} in the place of {old_name(trace, one)}, and "
        "the other way round.",
        location=at(trace, method.assembled or method.returns),
        steps=(0, trace.last_step),
        suggestion=_suggestion(trace) or "return the states in the order in which they are taken",
        evidence={"slots": [one.index, other.index], "by": trace.swap.by},
    )


def _suggestion(trace: Trace) -> str | None:
    """The return statement with the two exchanged, where both are known by name."""
    method = trace.method
    assert trace.swap is not None
    if method.returns is None or not method.returned_names:
        return None
    one, other = (method.returned_names[slot] for slot in trace.swap.slots)
    if not one or not other:
        return None
    replacements = {**dict.fromkeys(one, other[0]), **dict.fromkeys(other, one[0])}
    return rewriting.rewrite_state(method.path, method.returns.line, replacements)


RULE = Rule(
    "swapped-states",
    "slots come back in another order than they were taken",
    check,
    needs_state,
    severities=("error", "warning"),
)
