"""From its own initial state the cell never moves, whatever the input.

## What it does

Unrolls the cell from the state that it declares (``get_initial_state``, ``init_hidden``, a state left out),
or from zeros where it declares none, with inputs of ordinary size and of ten, a hundred and a thousand
times that. It fires when the state stays where it started although the cell can move from elsewhere.

It is an error when the cell itself declares that start; a warning when zeros were assumed, and for one slot
that stays while others move; a note when the cell moves with other weights, or takes no input but the time. Where the
whole state comes back as the same numbers whatever went in, and where one slot does so beside a new value of it, it is
an error too; a note where that slot may be a queue with room for one step, which is empty after it. It is also a
warning when inputs of ordinary size never move the state, louder ones do, and the gradient by every weight is zero:
what is switched off for all of the data (a ReLU under a large negative bias) is not switched on by training either.

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

import dataclasses
from collections.abc import Iterator

from rnncheck.findings import Finding, Severity
from rnncheck.rules.base import Rule, at, is_autonomous, listing, needs_state, old_name
from rnncheck.trace import Computed, Slot, Trace
from rnncheck.usercode import rewriting


def check(trace: Trace) -> Iterator[Finding]:
    seen = (trace.built, *trace.conclusive_redraws)
    constant = [slot for slot in trace.slots if all(one.constant and one.constant[slot.index] for one in seen)]
    if len(constant) == len(trace.slots):
        yield _constant(trace, constant[0] if len(constant) == 1 else None, "error")
        return
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
        if slot in constant and (stays or _dropped(trace, slot)):
            queue = _is_used_up(trace, slot)
            yield _constant(trace, slot, "note" if queue else "error" if _dropped(trace, slot) else "warning")
        elif stays and not any(again.moves_from_initial[slot.index] for again in trace.conclusive_redraws):
            yield _finding(
                trace,
                slot,
                "warning",
                f"From its initial value ({_start(trace)}) {_name(trace, slot)} never moves, whatever the input.",
            )


def _is_used_up(trace: Trace, slot: Slot) -> bool:
    """Whether it may be a queue with room for one step: what came in is used within the step, and nothing is left."""
    return len(slot.shape) > 1 and slot.shape[-1] == 1 and trace.initial.zeros[slot.index]


def _whole(trace: Trace) -> Finding:
    slot = trace.slots[0] if len(trace.slots) == 1 else None
    start = _start(trace)
    if any(any(again.moves_from_initial) for again in trace.conclusive_redraws):
        message = (
            f"From its initial state ({start}) the cell does not move with the weights as they are initialised, "
            "and does with others."
        )
        return _finding(trace, slot, "note", message)
    if is_autonomous(trace):
        return _finding(trace, slot, "note", f"Its initial state ({start}) is a fixed point: it stays there by itself.")
    severity: Severity = "error" if trace.initial.declared else "warning"
    return _finding(
        trace, slot, severity, f"From its initial state ({start}) the cell never moves, whatever the input."
    )


def _constant(trace: Trace, slot: Slot | None, severity: Severity) -> Finding:
    old = listing(old_name(trace, one) for one in ([slot] if slot else trace.slots))
    message = f"{trace.method.name}() gives back the same numbers for {old} at every step, whatever went in."
    suggestion = _instead(trace, slot) or "return what was computed from the input and the old state"
    return dataclasses.replace(_finding(trace, slot, severity, message, suggestion), explained_by=None)


def _instead(trace: Trace, slot: Slot | None) -> str | None:
    """The return statement with a new value that was computed in the place of what came back, where it is one slot."""
    best = _dropped(trace, slot)[:1] if slot else []
    if not slot or not best or not best[0].spelled:
        return None
    method, new = trace.method, best[0].spelled[0]
    names = method.returned_names[slot.index] if method.returned_names else ()
    where = method.returns
    written = (
        rewriting.rewrite_return(method.path, where.line, dict.fromkeys(names, new), listed=trace.declaration.expected)
        if where is not None and names
        else None
    )
    return written or f"return {new} in its place"


def _dropped(trace: Trace, slot: Slot) -> list[Computed]:
    """The new values of a slot that were computed and are not what came back."""
    return [update for update in trace.computed[slot.index] if update.is_update]


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
        else suggestion
        or _instead(trace, slot)
        or f"add a term of {method.input_parameter} that the old state does not multiply",
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
