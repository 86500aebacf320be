"""The state that the caller passed in is changed in place.

## What it does

Copies every slot before the call and compares the very tensors that went in with their copies after it; likewise the
list or dict that held them. The line is where the numbers changed while the method ran.

It is an error when the tensor is changed and another one is returned, and a warning when the changed tensor itself
comes back, or when the list or dict was changed. A queue or cache that is written in place, and a container that is
itself what comes back, are a note.

## Why it is bad

The caller still holds the old state: the first state that it uses again for the next sequence, the earlier states that
it keeps for attention or for backpropagation. All of them silently become another state. PyTorch refuses the backward
pass at best.

## Known problems

Code that runs for inference alone may update its state in place on purpose.

## Example

    def forward(self, x, h):
        h *= torch.sigmoid(self.gate(x))
        return h + self.input(x)

## Use instead

    def forward(self, x, h):
        h = h * torch.sigmoid(self.gate(x))
        return h + self.input(x)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding, Severity
from rnncheck.rules.base import Rule, at, needs_state, old_name
from rnncheck.trace import Mutation, Trace


def check(trace: Trace) -> Iterator[Finding]:
    containers = [mutation for mutation in trace.mutations if mutation.container is not None]
    if len(containers) > 1:
        yield _whole(trace, containers[0])
    for mutation in trace.mutations:
        if mutation in containers and len(containers) > 1:
            continue
        slot = trace.slots[mutation.slot]
        name, method = old_name(trace, slot), trace.method.name
        if mutation.container is None:
            message = f"{method}() changes {name} in place: the caller's own tensor holds other numbers afterwards."
            suggestion = f"work on a new tensor: {name} = {name}.clone()" if trace.backend == "torch" else None
        else:
            message = (
                f"{method}() puts another tensor for {name} into the {mutation.container} that the caller passed in."
            )
            suggestion = f"return a new {mutation.container}"
        yield Finding(
            rule=RULE.id,
            severity=_severity(mutation),
            message=message,
            location=at(trace, mutation.span),
            state=slot.name,
            state_index=slot.index,
            steps=(0, trace.last_step),
            suggestion=suggestion,
            evidence={"container": mutation.container, "returned": mutation.returned, "queue": mutation.queue},
        )


def _whole(trace: Trace, mutation: Mutation) -> Finding:
    """One finding for a list or dict of which several parts were replaced."""
    return Finding(
        rule=RULE.id,
        severity=_severity(mutation),
        message=f"{trace.method.name}() puts other tensors into the {mutation.container} that the caller passed in as "
        f"{trace.method.state_parameter}.",
        location=at(trace, mutation.span),
        steps=(0, trace.last_step),
        suggestion=f"return a new {mutation.container}",
        evidence={"container": mutation.container, "returned": mutation.returned, "queue": False},
    )


def _severity(mutation: Mutation) -> Severity:
    if mutation.container is not None:
        return "note" if mutation.returned else "warning"
    return "note" if mutation.queue else "warning" if mutation.returned else "error"


RULE = Rule(
    "mutated-state",
    "the caller's state is changed in place",
    check,
    needs_state,
    severities=("error", "warning", "note"),
)
