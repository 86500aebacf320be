"""A weight is used, and training does not change it.

## What it does

Names the trainable weights that change the state or the output by value, however little they are changed themselves,
while no gradient leads to them, in training mode neither; and those to which a gradient leads, and which the cell does
not give to an optimiser: layers kept in a plain Python list are not among ``parameters()`` in PyTorch, and a
``tf.Variable`` on a layer is not among the weights of Keras 3.

It is a warning; a note for a variable that Keras does not track, since a training loop of one's own may find it, and
where a difference is cut off (``z + (code - z).detach()``), since a codebook has a loss of its own.

## Why it is bad

The weight stays as it was drawn, while the loss falls a little by what the others learn around it. What is not
registered is not saved either, nor moved to another device.

## Known problems

A weight that is meant to stay as it is (a reservoir, a teacher whose weights are averaged) is reported unless it is
marked: ``requires_grad_(False)``, ``trainable=False``. So is a layer that belongs to another module and is hidden in a
list on purpose.

## Example

    def forward(self, x, h):
        drive = self.input(x).data
        return torch.tanh(drive + self.recurrent(h))

## Use instead

    def forward(self, x, h):
        drive = self.input(x)
        return torch.tanh(drive + self.recurrent(h))
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rnncheck.findings import Finding, Location
from rnncheck.rules.base import Rule, at, listing, needs_state
from rnncheck.trace import Trace, Weight


def check(trace: Trace) -> Iterator[Finding]:
    cut = [weight for weight in trace.weights if weight.is_cut]
    for span in dict.fromkeys(weight.span for weight in cut):
        together = [weight for weight in cut if weight.span == span]
        what = "it" if len(together) == 1 else "them"
        why = f"no gradient leads back to {what}: training leaves {what} as drawn."
        yield _finding(trace, together, why, at(trace, span), "let the gradient through: use the value itself")
    beside = [weight for weight in trace.weights if weight.reached and not weight.registered]
    for place in dict.fromkeys(weight.place for weight in beside):
        together = [weight for weight in beside if weight.place == place]
        what = "it" if len(together) == 1 else "them"
        why = f"{_missing(trace)} {what}: no optimiser trains and no checkpoint keeps {what}."
        location = Location(place[0], place[1], 1, place[1]) if place else at(trace, None)
        yield _finding(trace, together, why, location, _keep(trace))


def _missing(trace: Trace) -> str:
    return "parameters() lacks" if trace.library == "torch.nn" else "the trainable variables lack"


def _keep(trace: Trace) -> str:
    if trace.library == "torch.nn":
        return "keep it in torch.nn.ModuleList, ParameterList or an attribute of its own"
    return "make it with add_weight(), or keep the layer in an attribute of its own"


def _finding(trace: Trace, weights: Sequence[Weight], why: str, location: Location, suggestion: str) -> Finding:
    names = listing(f"{weight.name} {'x'.join(map(str, weight.shape or ()))}".rstrip() for weight in weights)
    change = "changes" if len(weights) == 1 else "change"
    is_cut = weights[0].is_cut
    return Finding(
        rule=RULE.id,
        severity="note" if weights[0].straight_through or not (is_cut or trace.library == "torch.nn") else "warning",
        message=f"{names} {change} what {trace.method.name}() gives, but {why}",
        location=location,
        suggestion=suggestion,
        evidence={
            "weights": {weight.name: list(weight.shape or ()) for weight in weights},
            "parameters": sum(math.prod(weight.shape) for weight in weights if weight.shape is not None),
            "by_value": "changes",
            "by_gradient": "not connected" if is_cut else "connected",
        },
        explained_by="detached-state" if trace.cuts and is_cut else None,
    )


def _inapplicable(trace: Trace) -> str | None:
    if trace.slots and trace.influence.gradient is None:
        return f"there are no gradients: {trace.influence.gradient_error}"
    return needs_state(trace)


RULE = Rule(
    "untrained-weight",
    "a weight is used, and training does not change it",
    check,
    _inapplicable,
    severities=("warning", "note"),
)
