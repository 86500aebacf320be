"""NaN or infinity comes out of ordinary inputs.

## What it does

Runs the cell from its own first state over random inputs of ordinary size and looks for the first number that is none.
The line is the first whose value is not finite. Where the cell does not say how it starts, and only zeros break it, it
is started from ones instead, and that is told: in a note, since a logarithm or a norm has to start elsewhere, and in a
warning where zeros break some units and not others, by what the input makes of them. It also takes the gradient of the
first steps, as training does, and looks for the first statement whose derivative is no number (the root of zero has
none).

It is an error; where only the gradient is no number, and the cell does not declare the zeros that it starts from, a
warning.

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
from rnncheck.trace import Fault, GradientFault, Trace


def check(trace: Trace) -> Iterator[Finding]:
    fault = trace.fault
    if fault is None:
        if trace.from_zeros is not None:
            yield _from_zeros(trace, trace.from_zeros)
        elif trace.gradient_fault is not None:
            yield _of_gradient(trace, trace.gradient_fault)
        return
    slot = None if fault.slot is None else trace.slots[fault.slot]
    where = f" in state {slot.name}" if slot else ""
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{trace.method.name}() gives {fault.came_back}{where} at step {fault.step}, for ordinary inputs.",
        location=at(trace, fault.span),
        state=slot.name if slot else None,
        state_index=slot.index if slot else None,
        steps=(fault.step, max(fault.step, trace.last_step)),
        suggestion=SUGGESTION,
        evidence={"first_value": fault.came_back, "initial_state": trace.initial.source},
    )


def _from_zeros(trace: Trace, fault: Fault) -> Finding:
    return Finding(
        rule=RULE.id,
        severity="warning" if fault.partly else "note",
        message=f"From zeros {trace.method.name}() gives {fault.came_back} at step {fault.step}; it declares no "
        "initial state, and was run from ones instead.",
        location=at(trace, fault.span),
        steps=(fault.step, fault.step),
        suggestion=SUGGESTION if fault.partly else None,
        evidence={"first_value": fault.came_back, "initial_state": "zeros", "partly": fault.partly},
    )


def _of_gradient(trace: Trace, fault: GradientFault) -> Finding:
    initial = trace.initial
    start = initial.source if initial.declared else "zeros, since it declares none"
    return Finding(
        rule=RULE.id,
        severity="error" if initial.declared else "warning",
        message=f"{trace.method.name}() has a gradient that is NaN or infinite at step {fault.step}, from its initial "
        f"state ({start}): the first step of training makes the weights NaN.",
        location=at(trace, fault.span),
        steps=(fault.step, trace.last_step),
        suggestion=SUGGESTION,
        evidence={"first_gradient": "not finite", "initial_state": initial.source},
    )


SUGGESTION = "keep the argument of the root, the logarithm or the division away from where it is not defined"
RULE = Rule(
    "nonfinite-state",
    "NaN or infinity from ordinary inputs",
    check,
    needs_state,
    severities=("error", "warning", "note"),
)
