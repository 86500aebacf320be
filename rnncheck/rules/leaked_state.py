"""The cell remembers outside its state: a fresh sequence depends on an earlier one.

## What it does

Runs one sequence before and after another one, from the same first state, with all randomness started anew and with
all that the cell itself resets reset. It fires when the results differ, although they are alike once everything that
the cell keeps (attributes, buffers, variables, globals, closures, attributes of its class) is put back as it was. The
line is where what is kept is written.

A mask that is made once and kept, and a generator of random numbers, are no memory.

## Why it is bad

What a sequence gives then depends on which sequences happened to come before it: results cannot be repeated, examples
leak into each other, training and evaluation disturb one another, and nothing that resets the state resets this.

## Known problems

Statistics that a cell gathers on purpose while it is used are reported too, where they change what it gives.

## Example

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h) + self.context)
        self.context = 0.5 * self.context + 0.5 * new.detach().mean()
        return new

## Use instead

    def forward(self, x, state):
        h, context = state
        new = torch.tanh(self.input(x) + self.recurrent(h) + context)
        return new, (new, 0.5 * context + 0.5 * new)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, listing, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    leak = trace.leak
    if leak is None:
        return
    through = f" through {listing(leak.places)}" if leak.places else ""
    kept = listing(leak.places) if leak.places else "what it keeps"
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{trace.method.name}() remembers earlier sequences{through}: a fresh one gives other results after "
        "another one was run.",
        location=at(trace, leak.span),
        steps=(0, trace.last_step),
        suggestion=f"make {kept} a part of the state: take it with the state and return it there",
        evidence={"kept_in": list(leak.places)},
    )


def _inapplicable(trace: Trace) -> str | None:
    return needs_state(trace) or (None if trace.repeatable else "no two runs of it are alike")


RULE = Rule(
    "leaked-state", "memory outside the state argument: a fresh sequence remembers an earlier one", check, _inapplicable
)
