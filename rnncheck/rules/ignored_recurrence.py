"""The state that goes in influences neither the next state nor the output.

## What it does

Runs the cell twice with everything alike but the state, which is replaced by other states that the cell
reached and then by perturbations from a thousandth to ten times its scale, and compares what comes back
number for number over several steps. A gradient says whether the state is connected at all. What shows no
influence is tried again with weights drawn afresh.

It is an error when the whole state is ignored; a warning for one slot of several when weights lie idle with
it; a note when weights drawn afresh bring it to life (a recurrence that starts at zero), or when a slot is
only kept for the caller.

## Why it is bad

What the cell saw at earlier steps is lost. It is a feed-forward layer, whatever its name.

## Known problems

A slot that is returned for the caller and never read (a mean, a copy of the output) is told from a forgotten
one by the weights that lie idle. A forgotten slot without any weights of its own is only a note.

## Example

    def forward(self, input, hidden):
        combined = self.W_ih(input)
        new_hidden = torch.relu(combined)
        return new_hidden

## Use instead

    def forward(self, input, hidden):
        combined = self.W_ih(input) + self.W_hh(hidden)
        new_hidden = torch.relu(combined)
        return new_hidden
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding, Related, Severity
from rnncheck.rules.base import Rule, at, listing
from rnncheck.trace import Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    unread = [slot for slot in trace.slots if not trace.built.read[slot.index]]
    asleep = [slot for slot in unread if any(again.read[slot.index] for again in trace.conclusive_redraws)]
    ignored = [slot for slot in unread if slot not in asleep]
    if len(unread) == len(trace.slots):
        if asleep:
            yield _asleep(trace)
        else:
            yield _whole(trace)
        return
    for slot in ignored:
        if trace.built.moves[slot.index]:
            yield _one(trace, slot)


def _idle(trace: Trace) -> list[str]:
    return [weight.name for weight in trace.weights if not weight.reached] or [
        weight.name for weight in trace.weights if weight.dead
    ]


def _connected(trace: Trace) -> bool:
    gradient = trace.influence.gradient
    return gradient is not None and any(value is not None for slot in trace.slots for value in gradient[slot.index])


def _whole(trace: Trace) -> Finding:
    method = trace.method
    names = _names(trace)
    undecided = _connected(trace) and bool(trace.redrawn) and not trace.conclusive_redraws
    idle = _idle(trace)
    single = trace.slots[0] if len(trace.slots) == 1 else None
    unused = f"; {listing(idle)} {'is' if len(idle) == 1 else 'are'} never used" if idle else ""
    return Finding(
        rule=RULE.id,
        severity="warning" if undecided else "error",
        message=f"{names} influences neither the next state nor the output of {method.name}(){unused}.",
        location=at(trace, method.entered or next((span for span in method.produced if span), None)),
        state=single.name if single else None,
        state_index=single.index if single else None,
        steps=(0, len(trace.steps) - 1),
        suggestion=_suggestion(trace, idle),
        related=(Related(method.line, f"{method.state_parameter} comes in here and is never used"),)
        if method.line
        else (),
        evidence={
            "by_value": "never",
            "gradient": "zero" if _connected(trace) else "not connected",
            "redrawn_weights": len(trace.conclusive_redraws),
            "idle_weights": idle,
        },
        explained_by="returned-old-state" if not any(trace.built.moves) else None,
    )


def _names(trace: Trace) -> str:
    if trace.method.bindings and len(trace.slots) == 1 and trace.method.bindings[0]:
        return trace.method.bindings[0][0]
    return trace.method.state_parameter


def _suggestion(trace: Trace, idle: list[str]) -> str:
    """The statement in which the input enters, with the idle recurrent weight added to it."""
    method = trace.method
    state = _names(trace)
    term = _term(trace, idle, state)
    entered = method.entered
    if term is None:
        return f"use {state} where the new state is computed"
    if entered is None or "=" not in entered.text or entered.line != entered.end_line:
        return f"add {term} where the new state is computed"
    return f"{entered.text.partition('#')[0].rstrip()} + {term}"


def _term(trace: Trace, idle: list[str], state: str) -> str | None:
    if not idle:
        return None
    owner, _, last = idle[0].rpartition(".")
    if owner and last in ("weight", "bias", "kernel"):
        return f"self.{owner}({state})"
    if trace.backend == "tf":
        return f"keras.ops.matmul({state}, self.{idle[0]})"
    return f"{state} @ self.{idle[0]}"


def _asleep(trace: Trace) -> Finding:
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{_names(trace)} has no influence with the weights as they are initialised, and has one "
        "with other weights (a recurrence that starts at zero).",
        location=at(trace, trace.method.returns),
        steps=(0, len(trace.steps) - 1),
        evidence={"by_value": "never", "redrawn_weights": len(trace.conclusive_redraws), "reads_when_redrawn": True},
    )


def _one(trace: Trace, slot: Slot) -> Finding:
    idle = _idle(trace)
    partly = [weight.name for weight in trace.weights if weight.idle_part]
    severity: Severity = "warning" if idle or partly else "note"
    name = (
        trace.method.bindings[slot.index][0]
        if trace.method.bindings and trace.method.bindings[slot.index]
        else f"state {slot.name}"
    )
    reason = ""
    if idle:
        reason = f"; {listing(idle)} {'is' if len(idle) == 1 else 'are'} never used"
    elif partly:
        reason = f"; part of {listing(partly)} is never used"
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=f"{name} influences neither the next state nor the output of {trace.method.name}(){reason}.",
        location=at(trace, trace.method.produced[slot.index] if trace.method.produced else None),
        state=slot.name,
        state_index=slot.index,
        steps=(0, len(trace.steps) - 1),
        suggestion=f"use {name} where the new state is computed" if severity == "warning" else None,
        evidence={
            "by_value": "never",
            "redrawn_weights": len(trace.conclusive_redraws),
            "idle_weights": idle or partly,
        },
    )


RULE = Rule("ignored-recurrence", "the state that went in influences neither the next state nor the output", check)
