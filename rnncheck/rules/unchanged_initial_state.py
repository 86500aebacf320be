"""From its own initial state the cell never moves, whatever the input.

## What it does

Unrolls the cell from the state that it declares (``get_initial_state``, ``init_hidden``, a state left out),
or from zeros where it declares none, with inputs of ordinary size and of ten, a hundred and a thousand
times that. It fires when the state stays where it started although the cell can move from elsewhere.

It is an error when the cell itself declares that start; a warning when zeros were assumed, and for one slot
that stays while others move; a note when the cell moves with other weights. It is also a warning when inputs of
ordinary size never move the state, louder ones do, and the gradient by every weight is zero: what is switched off for
all of the data (a ReLU under a large negative bias) is not switched on by training either.

## Why it is bad

Every sequence starts at the initial state, so the cell never leaves it: a state that multiplies itself stays
zero for ever. Its gradients are zero too, so that training does not help.

## Known problems

A cell that is always given another first state by its caller is reported as a warning; give that state with
``--initial-state random``.

## Example

    def forward(self, x, h=None):
        if h is None:
            h = x.new_zeros(x.shape[0], self.hidden_size)
        gate = torch.sigmoid(self.gate(x))
        h_new = gate * h + (1 - gate) * h * self.recurrent(h)
        return h_new

## Use instead

    def forward(self, x, h=None):
        if h is None:
            h = x.new_zeros(x.shape[0], self.hidden_size)
        gate = torch.sigmoid(self.gate(x))
        h_new = gate * h + (1 - gate) * torch.tanh(self.candidate(x) + self.recurrent(h))
        return h_new
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding, Severity
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    if not any(trace.built.moves_from_initial):
        yield _whole(trace)
        return
    if trace.asleep:
        yield _finding(
            trace,
            trace.slots[0] if len(trace.slots) == 1 else None,
            "warning",
            f"From its initial state ({_start(trace)}) the cell is dead for ordinary inputs: they never move it, and "
            "the gradient by every weight is zero, so that training cannot wake it.",
            "start the weights and biases so that ordinary inputs move the state",
        )
        return
    for slot in trace.slots:
        stays = trace.built.moves[slot.index] and not trace.built.moves_from_initial[slot.index]
        if stays and not any(again.moves_from_initial[slot.index] for again in trace.conclusive_redraws):
            yield _finding(
                trace,
                slot,
                "warning",
                f"From its initial value ({_start(trace)}) {_name(trace, slot)} never moves, whatever the input.",
            )


def _whole(trace: Trace) -> Finding:
    slot = trace.slots[0] if len(trace.slots) == 1 else None
    start = _start(trace)
    if any(any(again.moves_from_initial) for again in trace.conclusive_redraws):
        message = (
            f"From its initial state ({start}) the cell does not move with the weights as they are initialised, "
            "and does with others."
        )
        return _finding(trace, slot, "note", message)
    severity: Severity = "error" if trace.initial.declared else "warning"
    return _finding(
        trace, slot, severity, f"From its initial state ({start}) the cell never moves, whatever the input."
    )


def _start(trace: Trace) -> str:
    initial = trace.initial
    return initial.source if initial.declared else "zeros, since it declares none"


def _name(trace: Trace, slot: Slot) -> str:
    return f"state {slot.name}"


def _finding(
    trace: Trace, slot: Slot | None, severity: Severity, message: str, suggestion: str | None = None
) -> Finding:
    method = trace.method
    spans = [method.produced[slot.index]] if slot and method.produced else method.produced
    produced = min((span for span in spans if span is not None), key=lambda span: span.line, default=None)
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=message,
        location=at(trace, produced),
        state=slot.name if slot else None,
        state_index=slot.index if slot else None,
        steps=(0, trace.last_step),
        suggestion=None
        if severity == "note"
        else suggestion or f"add a term of {method.input_parameter} that the old state does not multiply",
        evidence={
            "initial_state": trace.initial.source,
            "input_scales": [1] if trace.asleep else [1, 10, 100, 1000],
            "redrawn_weights": len(trace.conclusive_redraws),
        },
        explained_by=_cause(trace),
    )


def _cause(trace: Trace) -> str | None:
    dropped = any(update.is_update for updates in trace.computed for update in updates)
    if dropped or not any(trace.built.moves):
        return "returned-old-state"
    if not trace.built.hears:
        return "ignored-input"
    return None if any(trace.built.read) else "ignored-recurrence"


RULE = Rule(
    "unchanged-initial-state",
    "from its own initial state the cell never moves, whatever the input",
    check,
    needs_state,
    severities=("error", "warning", "note"),
)
