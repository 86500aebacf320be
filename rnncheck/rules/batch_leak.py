"""A row of the batch depends on the other rows.

## What it does

Runs the cell twice in evaluation mode, with another input and another state in one row of the batch, and compares
all other rows. It fires when they change by more than rounding, in every one of several tries. The line is the first
whose value in one row depends on another, or that has no value for each row any more.

A note tells of a normalisation in the recurrence (`BatchNorm1d` of what the state goes into) that keeps rows apart in
evaluation mode, mixes them while training, and has one set of running statistics for all time steps.

## Why it is bad

What comes out for one sequence then depends on which other sequences happen to lie in the batch: results change with
the batch size, training leaks between examples, and a model that looks good in training fails on single inputs. The
usual causes are a mixed-up axis (a sequence-first layer that is given batch-first input), a sum or a mean over the
batch, and a ``view`` or ``reshape`` where a ``transpose`` was meant.

## Known problems

Rows that are the nodes of a graph depend on each other on purpose: a cell that takes edges or an adjacency matrix is
left out, as is a layer whose rows could be either axis of its input.

## Example

    def forward(self, x, h):
        centred = h - h.mean(0, keepdim=True)
        return torch.tanh(self.input(x) + self.recurrent(centred))

## Use instead

    def forward(self, x, h):
        centred = h - h.mean(1, keepdim=True)
        return torch.tanh(self.input(x) + self.recurrent(centred))
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, listing
from rnncheck.trace import SharedNorm, Trace

WITHOUT = {
    "torch": "nn.LayerNorm, or an nn.ModuleList with one nn.BatchNorm1d a time step",
    "tf": "keras.layers.LayerNormalization, or a list with one keras.layers.BatchNormalization a time step",
}


def check(trace: Trace) -> Iterator[Finding]:
    change = trace.row_leak
    if change is not None:
        yield Finding(
            rule=RULE.id,
            severity="error",
            message=f"{trace.method.name}() mixes the rows of its batch: another value in one row changes the others.",
            location=at(trace, trace.row_span),
            steps=(0, trace.last_step),
            suggestion="give each layer the batch on the axis on which it looks for it (batch_first=True)"
            if trace.kind == "layer"
            else None,
            evidence={"largest_change": change},
            explained_by=_cause(trace),
        )
    elif trace.shared_norm is not None:
        yield _while_training(trace, trace.shared_norm)


def _cause(trace: Trace) -> str | None:
    """Memory elsewhere; and of a cell that reads no state it cannot be told how its rows are meant to lie."""
    if trace.leak is not None:
        return "leaked-state"
    return "ignored-recurrence" if trace.slots and not any(trace.built.read) else None


def _while_training(trace: Trace, shared: SharedNorm) -> Finding:
    layers = listing(f"self.{name}" for name in shared.names)
    mixes, statistics = ("mixes", "its") if len(shared.names) == 1 else ("mix", "their")
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{layers} {mixes} the rows of the batch while training, and all time steps share {statistics} running "
        "statistics.",
        location=at(trace, shared.span),
        steps=(0, trace.last_step),
        suggestion=WITHOUT[trace.backend],
        evidence={"layers": list(shared.names)},
    )


def _inapplicable(trace: Trace) -> str | None:
    if trace.graph:
        return "its rows are the nodes of a graph"
    if not trace.repeatable:
        return "no two runs of it are alike"
    rows = [len(slot.previous) for slot in trace.steps[0]]
    return "there is one row only" if rows and max(rows) < 2 else None


RULE = Rule(
    "batch-leak", "a row depends on other rows of the batch", check, _inapplicable, severities=("error", "note")
)
