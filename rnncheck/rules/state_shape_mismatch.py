"""A slot comes back in another shape than it went in.

## What it does

Compares the shape of each slot that comes back, over several steps, with the shape in which it went in: the one that
the cell declares (`state_size`, `init_hidden()`), or the one that it took. A Keras cell whose `state_size` says another
width than its `get_initial_state()` gives gets a warning: what Keras derives from `state_size` is wrong. One whose
`call()` takes another width than `state_size` says is an error where `keras.layers.RNN` is seen to refuse it.

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

from rnncheck.findings import Finding, Location
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Fault, Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    if trace.fault is None:
        yield from _sized_otherwise(trace)
    elif trace.fault.slot is not None:
        yield _came_back(trace, trace.fault, trace.slots[trace.fault.slot])


def _came_back(trace: Trace, fault: Fault, slot: Slot) -> Finding:
    declared = (
        f" (as {trace.initial.source} says)" if trace.initial.declared and trace.initial.source != "zeros" else ""
    )
    name = trace.method.state_parameter if len(trace.slots) == 1 else f"state {slot.name}"
    return Finding(
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


def sized_otherwise(trace: Trace) -> str | None:
    """What refused a cell that takes its state in another size than it declares."""
    found = trace.mismatch
    if found is None or found.refused is None or not found.own_start or trace.initial.source != "zeros":
        return None
    return found.way


def _sized_otherwise(trace: Trace) -> Iterator[Finding]:
    """``state_size`` may give a layout of its own for more than one axis: what is one number is compared."""
    declared = trace.declaration
    refused = sized_otherwise(trace)
    if len(declared.shapes) != len(trace.slots) or not (refused or trace.initial.source == "get_initial_state()"):
        return
    maker = f"{trace.method.name}() takes" if refused else "get_initial_state() makes"
    path, line = declared.place or (trace.method.path, trace.method.class_line)
    for slot, shape in zip(trace.slots, declared.shapes):
        if len(shape) == len(slot.shape) == 1 and shape != slot.shape:
            yield Finding(
                rule=RULE.id,
                severity="error" if refused else "warning",
                message=f"state_size says {shape[0]} for state {slot.name}, which {maker} {slot.shape[0]} wide"
                f"{f': {refused} refuses the cell.' if refused else '.'}",
                location=Location(path, line, 1 if line else None, line),
                state=slot.name,
                state_index=slot.index,
                suggestion=f"say {slot.shape[0]} in state_size",
                evidence={"state_size": list(shape), "call" if refused else "get_initial_state": list(slot.shape)},
            )


RULE = Rule(
    "state-shape-mismatch",
    "a slot comes back in another shape than it went in",
    check,
    needs_state,
    severities=("error", "warning"),
)
