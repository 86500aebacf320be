"""In evaluation mode the state or the output depends on chance.

## What it does

Runs the cell twice in evaluation mode over the same inputs, with other random numbers. It fires when the numbers
differ, and names the first statement whose value does although all that went into it is the same. Most often that is
a note: a cell may sample its state on purpose. It is a warning where a dropout is left on by its default: a
`torch.nn.functional.dropout()` that is not told `training`, or an `nn.Dropout` that is made in the step itself, where
`eval()` does not reach it.

## Why it is bad

What the cell gives for a sequence is another result each time, and through the state one draw changes all that comes
after it. A dropout that was meant for training makes predictions worse than the model is, and no two evaluations
agree.

## Known problems

A dropout that is active in evaluation mode on purpose (Monte Carlo dropout) is a note where the code says so: by
`training=True`, or by a class that speaks of Monte Carlo or of Bayes.

## Example

    def forward(self, x, h):
        kept = functional.dropout(h, 0.1)
        return torch.tanh(self.input(x) + self.recurrent(kept))

## Use instead

    def forward(self, x, h):
        kept = functional.dropout(h, 0.1, training=self.training)
        return torch.tanh(self.input(x) + self.recurrent(kept))
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Chance, Trace

TOLD = {
    "tf": "let call() take training, and drop units only if it is true",
    "torch": "drop units only if self.training is true",
}


def check(trace: Trace) -> Iterator[Finding]:
    chance = trace.chance
    if chance is None:
        return
    yield Finding(
        rule=RULE.id,
        severity="warning" if chance.careless else "note",
        message=_message(trace, chance),
        location=at(trace, chance.span),
        steps=(0, trace.last_step),
        suggestion=chance.instead or (TOLD[trace.backend] if chance.dropout is not None else None),
        evidence={"in_state": chance.in_state, "dropout": chance.dropout},
    )


def _message(trace: Trace, chance: Chance) -> str:
    what = f"the {'state' if chance.in_state else 'output'} of {trace.method.name}() is random in evaluation mode"
    if chance.dropout is None:
        return f"{what}: two runs that differ only in the seed give other numbers. Meant where it is sampled."
    by = f"{chance.dropout} drops units there too" if chance.dropout else "a dropout is active there too"
    meant = "" if chance.careless else ". Meant for Monte Carlo dropout alone"
    return f"{what}: {by}{meant}."


RULE = Rule(
    "random-state",
    "in evaluation mode the state or the output depends on chance",
    check,
    needs_state,
    severities=("warning", "note"),
)
