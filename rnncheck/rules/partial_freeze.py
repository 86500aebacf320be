"""Some units of a state slot never change, whatever the input and the weights.

## What it does

Compares, unit by unit, what a slot was before each step and what came back: from the cell's own first state, from
states that it reached, from random values, over long runs, with loud inputs and with weights drawn afresh. It fires
for units that always come back bit for bit as they went in, in every row, while other units of the slot move.

It is an error when these units are one block along an axis of the slot, and a warning when they are scattered.

## Why it is bad

The frozen part of the state carries nothing. The cell is smaller than it looks, and what reads the frozen part reads
a constant.

## Known problems

A part of the state that the caller fills on purpose and the cell only reads (a speaker's embedding next to the hidden
units) is reported. Put it into a slot of its own. Units that are written only now and then (a buffer, a clockwork)
are told from frozen ones by how many move the longer the cell runs.

## Example

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h))
        half = h.shape[1] // 2
        return torch.cat([new[:, :half], h[:, half:]], dim=1)

## Use instead

    def forward(self, x, h):
        return torch.tanh(self.input(x) + self.recurrent(h))
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnncheck.findings import Finding, Severity
from rnncheck.rules.base import Rule, at, needs_state, old_name
from rnncheck.trace import Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    for slot in trace.slots:
        still = _still(trace, slot)
        if still is not None and still.any() and not still.all():
            yield _finding(trace, slot, still)


def _still(trace: Trace, slot: Slot) -> Any:
    """The units that stood still under all weights."""
    seen = [behaviour.still[slot.index] for behaviour in (trace.built, *trace.conclusive_redraws) if behaviour.still]
    if not seen:
        return None
    still = seen[0]
    for units in seen[1:]:
        still = still & units
    return still


def _finding(trace: Trace, slot: Slot, still: Any) -> Finding:
    method = trace.method
    block = _block(still)
    severity: Severity = "error" if block is not None else "warning"
    every = "x".join(map(str, still.shape))
    what = f"{int(still.sum())} of {still.size} units"
    if block is not None:
        what = f"{'units' if '–' in block else 'unit'} {block} of {every}"
    produced = method.produced[slot.index] if method.produced else None
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=f"{method.name}() carries {what} of {old_name(trace, slot)} along as they came in, at every step and "
        "whatever the weights; the others move.",
        location=at(trace, produced or method.handed_back(slot.index)),
        state=slot.name,
        state_index=slot.index,
        steps=(0, trace.last_step),
        suggestion="put the new value of all units into the state",
        evidence={
            "frozen_units": int(still.sum()),
            "units": int(still.size),
            "redrawn_weights": len(trace.conclusive_redraws),
        },
    )


def _block(still: Any) -> str | None:
    """The range of the frozen units along an axis, where they are one range of it and nothing else."""
    for axis in reversed(range(still.ndim)):
        others = tuple(other for other in range(still.ndim) if other != axis)
        line = still.any(axis=others)
        where = [index for index, frozen in enumerate(line.tolist()) if frozen]
        whole = bool((still.all(axis=others) == line).all())
        if whole and len(where) < len(line) and where[-1] - where[0] == len(where) - 1:
            span = f"{where[0]}–{where[-1]}" if len(where) > 1 else str(where[0])
            return span if still.ndim == 1 else f"{span} along axis {axis + 1}"
    return None


RULE = Rule(
    "partial-freeze",
    "some units of a slot never change, whatever input and weights",
    check,
    needs_state,
    severities=("error", "warning"),
)
