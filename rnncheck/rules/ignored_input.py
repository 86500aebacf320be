"""The input reaches neither the next state nor the output.

## What it does

Runs the cell twice with everything alike but the input, from several states and with inputs up to a thousand times
as loud, and compares all that comes back number for number. What shows no effect is tried again with weights drawn
afresh.

It is an error when no input changes anything under any weights; a note when other weights bring it to life (a
projection that starts at zero), where the only input is the time (the step is then the right-hand side of an autonomous
differential equation), and for features of the input (or channels of an image) that change nothing and have no gradient
while others do.

## Why it is bad

A cell that does not hear its input runs through the same states whatever the sequence: nothing can be learned from
the data, and a loss that falls only learns the mean of the targets.

## Known problems

A cell that reacts to rare inputs alone, such as one value of a thousand, may seem deaf.

## Example

    def forward(self, x, h):
        gate = torch.sigmoid(self.gate(h))
        return gate * h + (1 - gate) * torch.tanh(self.recurrent(h))

## Use instead

    def forward(self, x, h):
        gate = torch.sigmoid(self.gate(h))
        return gate * h + (1 - gate) * torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, idle_weights, is_autonomous, needs_state, unused
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    if trace.built.hears:
        if trace.unread:
            yield _in_part(trace)
        return
    method = trace.method
    woken = any(again.hears for again in trace.conclusive_redraws)
    idle = idle_weights(trace)
    note = woken or is_autonomous(trace)
    if woken:
        message = (
            f"{method.input_parameter} has no effect with the weights as they are initialised, and has with others (a "
            "projection that starts at zero)."
        )
    elif is_autonomous(trace):
        message = f"{method.input_parameter} has no effect: the state moves by itself, whatever the time."
    else:
        message = (
            f"{method.input_parameter} reaches neither the next state nor the output of {method.name}(){unused(idle)}."
        )
    yield Finding(
        rule=RULE.id,
        severity="note" if note else "error",
        message=message,
        location=at(trace, method.deaf),
        steps=(0, trace.last_step),
        suggestion=None if note else _suggestion(trace, [weight.name for weight in idle]),
        evidence={
            "by_value": "never",
            "redrawn_weights": len(trace.conclusive_redraws),
            "idle_weights": [weight.name for weight in idle],
        },
        explained_by="returned-old-state" if not any(trace.built.moves) else None,
    )


def _in_part(trace: Trace) -> Finding:
    count, name = len(trace.unread), trace.method.input_parameter
    first, last = trace.unread[0], trace.unread[-1]
    block = last - first == count - 1
    which = (f"feature {first}" if count == 1 else f"features {first}–{last}") if block else f"{count} features"
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{which} of the {trace.features} of {name} {'reaches' if count == 1 else 'reach'} neither the next "
        f"state nor the output of {trace.method.name}().",
        location=at(trace, trace.taken),
        steps=(0, trace.last_step),
        evidence={"features": list(trace.unread), "by_value": "never"},
    )


def _suggestion(trace: Trace, idle: list[str]) -> str:
    layers = [name.rpartition(".")[0] for name in idle if name.endswith((".weight", ".kernel"))]
    term = (
        f"self.{layers[0]}({trace.method.input_parameter})" if layers else f"a term of {trace.method.input_parameter}"
    )
    return f"add {term} to the new state"


RULE = Rule(
    "ignored-input",
    "the input reaches neither the next state nor the output",
    check,
    needs_state,
    severities=("error", "note"),
)
