"""Other slots come back than went in, or none.

## What it does

Calls the cell with the state that it declares (`state_size`, `init_hidden()`) or unpacks, and looks for that state in
what comes back. It fires when the cell takes such a state and gives back fewer tensors, more, or none at all; and
where nothing is returned.

## Why it is bad

The loop that drives the cell cannot hand its state on: it raises at the second step, or it drops what it does not
know and starts each step anew.

## Known problems

A method that only reads a state, such as a head over hidden units, is no step. Name the step with `--method`.

## Example

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h

## Use instead

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    fault = trace.fault
    if fault is None:
        return
    method = trace.method
    names = [slot.name for slot in trace.slots]
    known = trace.structure.describe(names) if not any(name.isdigit() for name in names) else method.state_parameter
    nothing = fault.came_back == "None"
    returns = "returns nothing" if nothing else f"returns {fault.came_back}, which is not that state"
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{method.name}() takes {method.state_parameter} as {fault.went_in} and {returns}.",
        location=at(trace, fault.span),
        steps=(fault.step, fault.step),
        suggestion=f"return {known}" if nothing else f"return output, {known} with the new values in it",
        evidence={"went_in": fault.went_in, "came_back": fault.came_back, "initial_state": trace.initial.source},
    )


RULE = Rule("wrong-state-structure", "other slots come back than went in, or none", check, needs_state)
