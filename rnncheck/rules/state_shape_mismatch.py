"""A slot comes back in another shape than it went in.

## What it does

Compares the shape of each slot that comes back, over several steps, with the shape in which it went in: the one that
the cell declares (`state_size`, `init_hidden()`), or the one that it took.

## Why it is bad

The next step fails, or it broadcasts, and goes on with numbers that no one meant. A slot that grows by a row or a
column at each step fills the memory.

## Known problems

A cache that grows by design (the keys and values of attention) is reported. Pass it as a further argument.

## Example

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h[:, -8:]))
        return torch.cat([h, new], dim=1)

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    fault = trace.fault
    if fault is None or fault.slot is None:
        return
    slot = trace.slots[fault.slot]
    declared = (
        f" (as {trace.initial.source} says)" if trace.initial.declared and trace.initial.source != "zeros" else ""
    )
    name = trace.method.state_parameter if len(trace.slots) == 1 else f"state {slot.name}"
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{name} went in as {fault.went_in}{declared} and came back as {fault.came_back} at step {fault.step}.",
        location=at(trace, fault.span),
        state=slot.name,
        state_index=slot.index,
        steps=(fault.step, fault.step),
        suggestion=f"return it as {fault.went_in}, or declare it as {fault.came_back}",
        evidence={"went_in": fault.went_in, "came_back": fault.came_back, "initial_state": trace.initial.source},
    )


RULE = Rule("state-shape-mismatch", "a slot comes back in another shape than it went in", check, needs_state)
