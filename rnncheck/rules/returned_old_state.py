"""A state slot comes back as it went in, although the cell ran.

## What it does

Runs the cell from its own first state and from states that it reached, and compares each slot that comes
back with the one that went in, number for number. The local variables of the running method tell whether
a new value was computed and dropped, and on which line.

It is an error when a new value was computed or when every slot is stuck; a warning for a slot that is only
carried along while others move; a note when the slot moves with other weights (a gate that starts closed),
or when the cell itself fills it with something other than zeros (a mask, a context).

## Why it is bad

The state is the cell's only memory. A cell that hands its old state back starts every timestep from the
same place: it is a feed-forward layer with unused weights, it raises nothing, and its loss still falls a
little.

## Known problems

A slot that the caller fills on purpose and the cell only reads (an encoder's context) is reported as a
warning when the cell itself does not say how it starts.

## Example

    def call(self, inputs, states):
        previous_hidden_state = states[0]
        x_proj = tf.matmul(inputs, self.kernel)
        h_proj = tf.matmul(previous_hidden_state, self.recurrent_kernel)
        new_hidden_state = x_proj + h_proj
        output = new_hidden_state
        return output, [previous_hidden_state]

## Use instead

    def call(self, inputs, states):
        previous_hidden_state = states[0]
        x_proj = tf.matmul(inputs, self.kernel)
        h_proj = tf.matmul(previous_hidden_state, self.recurrent_kernel)
        new_hidden_state = x_proj + h_proj
        output = new_hidden_state
        return output, [new_hidden_state]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnncheck import source
from rnncheck.findings import Finding, Related, Severity
from rnncheck.rules.base import Rule, at, listing
from rnncheck.trace import Computed, Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    stuck = [slot for slot in trace.slots if not trace.built.moves[slot.index]]
    asleep = [slot for slot in stuck if any(again.moves[slot.index] for again in trace.conclusive_redraws)]
    frozen = [slot for slot in stuck if slot not in asleep]
    if frozen and len(frozen) == len(trace.slots):
        yield _finding(trace, frozen, "error" if _proven(trace) else "warning")
    else:
        for slot in frozen:
            yield _finding(trace, [slot], _severity(trace, slot))
    if asleep:
        yield _asleep(trace, asleep)


def _proven(trace: Trace) -> bool:
    same = all(slot.same_object for step in trace.steps for slot in step)
    return same or not trace.redrawn or bool(trace.conclusive_redraws)


def _severity(trace: Trace, slot: Slot) -> Severity:
    if _update(trace, slot) is not None:
        return "error"
    filled = trace.initial.declared and not trace.initial.zeros[slot.index]
    return "note" if filled or not slot.dtype.startswith(("float", "bfloat", "complex")) else "warning"


def _update(trace: Trace, slot: Slot) -> Computed | None:
    return next((found for found in trace.computed[slot.index] if found.is_update), None)


def _finding(trace: Trace, slots: Sequence[Slot], severity: Severity) -> Finding:
    method = trace.method
    updates = {slot.index: update for slot in slots if (update := _update(trace, slot)) is not None}
    new = listing(dict.fromkeys(update.name for update in updates.values())) if updates else None
    old = listing(_old(trace, slot) for slot in slots)
    if new is not None:
        message = f"{method.name}() computes {new} and returns {old}."
    elif len(slots) == len(trace.slots):
        message = f"{method.name}() returns {old} as it came in, at every step and whatever the weights."
    else:
        message = f"{method.name}() only carries {old} along: it comes back as it came in, whatever the weights."
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=message,
        location=at(trace, method.returns),
        state=slots[0].name if len(slots) == 1 else None,
        state_index=slots[0].index if len(slots) == 1 else None,
        steps=(0, len(trace.steps) - 1),
        suggestion=_suggestion(trace, updates),
        related=tuple(Related(update.line, "computed here, then dropped") for update in updates.values()),
        evidence={
            "same_object": all(step[slot.index].same_object for step in trace.steps for slot in slots),
            "equal_by_value": True,
            "redrawn_weights": len(trace.conclusive_redraws),
            "new_value_computed": bool(updates),
        },
    )


def _old(trace: Trace, slot: Slot) -> str:
    known = trace.method.bindings[slot.index] if trace.method.bindings else ()
    return known[0] if known else f"state {slot.name}"


def _suggestion(trace: Trace, updates: dict[int, Computed]) -> str | None:
    method = trace.method
    if not updates or method.returns is None:
        return None
    replacements = {name: updates[index].name for index in updates for name in method.bindings[index]}
    whole = trace.state_container.format(
        *(updates[slot.index].name if slot.index in updates else _old(trace, slot) for slot in trace.slots)
    )
    replacements.setdefault(method.state_parameter, whole)
    rewritten = source.rewrite_return(method.path, method.returns.line, replacements, listed=trace.backend == "tf")
    return rewritten or f"return {whole} as the new state"


def _asleep(trace: Trace, slots: Sequence[Slot]) -> Finding:
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{listing(_old(trace, slot) for slot in slots)} comes back unchanged with the weights as they are "
        "initialised, and moves with other weights (a closed gate, a zero initialiser).",
        location=at(trace, trace.method.returns),
        state=slots[0].name if len(slots) == 1 else None,
        state_index=slots[0].index if len(slots) == 1 else None,
        steps=(0, len(trace.steps) - 1),
        evidence={"redrawn_weights": len(trace.conclusive_redraws), "moves_when_redrawn": True},
    )


RULE = Rule("returned-old-state", "a state slot comes back as it went in, although the cell ran", check)
