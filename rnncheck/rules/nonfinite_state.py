"""NaN or infinity comes out of ordinary inputs.

## What it does

Runs the cell from its own first state over random inputs of ordinary size and looks for the first number that is none.
The line is the first whose value is not finite. Where the cell does not say how it starts, and only zeros break it, it
is started from ones instead.

## Why it is bad

One NaN spreads to every later step and, through the loss, to every weight: the model is lost from then on.

## Known problems

A cell whose inputs must lie in a domain of their own (positive, a probability) may give NaN for others.

## Example

    def forward(self, x, h):
        drive = self.input(x) + self.recurrent(h)
        gain = torch.sqrt(drive)
        return gain * torch.tanh(drive)

## Use instead

    def forward(self, x, h):
        drive = self.input(x) + self.recurrent(h)
        gain = torch.sqrt(torch.nn.functional.softplus(drive))
        return gain * torch.tanh(drive)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    fault = trace.fault
    if fault is None:
        return
    slot = None if fault.slot is None else trace.slots[fault.slot]
    where = f" in {slot.name}" if slot else ""
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{trace.method.name}() gives {fault.came_back}{where} at step {fault.step}, for ordinary inputs.",
        location=at(trace, fault.span),
        state=slot.name if slot else None,
        state_index=slot.index if slot else None,
        steps=(fault.step, max(fault.step, trace.last_step)),
        suggestion="keep the argument of the root, the logarithm or the division away from where it is not defined",
        evidence={"first_value": fault.came_back, "initial_state": trace.initial.source},
    )


RULE = Rule("nonfinite-state", "NaN or infinity from ordinary inputs", check, needs_state)
