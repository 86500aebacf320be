"""The forms in which a framework runs the cell do not agree.

## What it does

Runs a Keras cell over the same sequence step by step, through `keras.layers.RNN` (also with `unroll=True`), and traced
by `tf.function`, as training does it; and a PyTorch cell that is written for `torch.jit` as it is and scripted. It
fires when one of them gives other numbers than the eager steps, or refuses the cell, and then says why.

A cell that draws random numbers is left out.

## Why it is bad

What was tried out by hand is not what is trained. A Python counter is frozen while the graph is traced, a branch on a
tensor's value raises, or is decided once for all.

## Known problems

Numbers that differ by what another order of additions may cause are alike.

## Example

    def call(self, inputs, states):
        self.steps += 1
        new = ops.tanh(self.drive(inputs) / self.steps + self.recurrent(states[0]))
        return new, [new]

## Use instead

    def call(self, inputs, states):
        previous, steps = states
        steps = steps + 1
        new = ops.tanh(self.drive(inputs) / steps + self.recurrent(previous))
        return new, [new, steps]
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.rules.state_shape_mismatch import sized_otherwise
from rnncheck.trace import Mismatch, Trace


def check(trace: Trace) -> Iterator[Finding]:
    found = trace.mismatch
    if found is None:
        return
    method = trace.method
    if found.refused is not None:
        made = " without a first state" if found.start else ""
        message = f"{found.way} refuses the cell{made}: {found.refused}"
    else:
        message = f"{found.way} gives other numbers than {method.name}() step by step: they differ by {found.gap:.2g}."
    yield Finding(
        rule=RULE.id,
        severity="warning" if found.start else "error",
        message=message,
        location=at(trace, found.span),
        steps=(0, trace.last_step),
        suggestion=_suggestion(found),
        evidence={"form": found.way, "refused": found.refused, "largest_difference": found.gap},
        explained_by=_cause(trace),
    )


def _suggestion(found: Mismatch) -> str:
    if found.start:
        return "define get_initial_state(batch_size), which makes the first state"
    if found.refused is not None and "state_size must be" in found.refused:
        return "say a whole number for each state in state_size, and define get_initial_state for one of more axes"
    return (
        "keep what changes from step to step in the state, and leave branches on values to the framework (where, cond)"
    )


def _cause(trace: Trace) -> str | None:
    """Memory elsewhere, or a declared size that the step does not take."""
    if trace.leak is not None:
        return "leaked-state"
    return "state-shape-mismatch" if sized_otherwise(trace) else None


def _inapplicable(trace: Trace) -> str | None:
    return needs_state(trace) or (None if trace.forms else "its framework does not run it in another form")


RULE = Rule(
    "graph-mismatch",
    "eager, traced and driven by the framework, the cell gives other numbers",
    check,
    _inapplicable,
    severities=("error", "warning"),
)
