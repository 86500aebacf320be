"""Other slots come back than went in, or none.

## What it does

Calls the cell with the state that it declares (`state_size`, `init_hidden()`) or unpacks, and looks for that state in
what comes back. It fires when the cell takes such a state and gives back fewer tensors, more, or none at all; and
where nothing is returned.

It is an error too where the old value of another slot comes back for one whose new value was computed and dropped, and
a warning where one tensor comes back for two slots, and another that was computed from one of them, and has its name or
one that is never used, for neither.

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

from rnncheck.findings import Finding, Related
from rnncheck.rules.base import Rule, at, needs_state, old_name
from rnncheck.trace import Doubled, Trace


def check(trace: Trace) -> Iterator[Finding]:
    fault = trace.fault
    if fault is None:
        if trace.doubled is not None:
            yield _doubled(trace, trace.doubled)
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


def _doubled(trace: Trace, doubled: Doubled) -> Finding:
    method, update = trace.method, doubled.update
    slot, other = trace.slots[doubled.slot], trace.slots[doubled.other]
    new = [names[0] if names else "" for names in method.returned_names]
    names = [update.name if at == slot.index else name for at, name in enumerate(new)]
    which = "old" if doubled.old else "new"
    return Finding(
        rule=RULE.id,
        severity="error" if doubled.old else "warning",
        message=f"{method.name}() computes {update.name} and returns the {which} {old_name(trace, other)} in the place "
        f"of {old_name(trace, slot)}{'' if doubled.old else ' as well'}.",
        location=at(trace, method.assembled or method.returns),
        state=slot.name,
        state_index=slot.index,
        steps=(0, trace.last_step),
        suggestion=f"return {trace.structure.describe(names)} as the new state" if names and all(names) else None,
        related=(Related(update.line, "computed here, then dropped"),),
        evidence={"same_tensor": [slot.index, other.index], "new_value_computed": True},
    )


RULE = Rule(
    "wrong-state-structure",
    "other slots come back than went in, or none",
    check,
    needs_state,
    severities=("error", "warning"),
)
