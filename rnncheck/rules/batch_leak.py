"""A row of the batch depends on the other rows.

## What it does

Runs the cell twice in evaluation mode, with another input and another state in one row of the batch, and compares
all other rows. It fires when they change by more than rounding, in every one of several tries. The line is the first
whose value in one row depends on another, or that has no value for each row any more.

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
from rnncheck.rules.base import Rule, at
from rnncheck.trace import Trace


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
            explained_by=None if trace.leak is None else "leaked-state",
        )


def _inapplicable(trace: Trace) -> str | None:
    if trace.graph:
        return "its rows are the nodes of a graph"
    if not trace.repeatable:
        return "no two runs of it are alike"
    rows = [len(slot.previous) for slot in trace.steps[0]]
    return "there is one row only" if rows and max(rows) < 2 else None


RULE = Rule("batch-leak", "a row depends on other rows of the batch", check, _inapplicable)
