"""The backward of a custom function is not the derivative of its forward.

## What it does

Tests each `torch.autograd.Function` of the user's own that the step applies, by itself and with what it was given
there: the gradients of its `backward` against central differences of its `forward`, in double precision. It fires
when they differ by more than a twentieth in several numbers, for several arguments. The line is the last return
statement of the `backward`.

A backward that is another on purpose is left alone: where the forward has a jump, a corner or a flat piece (spikes
and rounding with a surrogate gradient), where it is the identity or linear (gradients that are reversed or scaled),
where the backward gives nothing, clips, or depends on what the forward does not, and where chance has a hand in it.

## Why it is bad

The loss is not what is minimised: training goes along a direction that is no gradient, which most often works a
little, and never shows in what the cell computes.

## Known problems

A smooth function with a derivative of another one on purpose is reported too.

## Example

    @staticmethod
    def backward(ctx, gradient):
        (new,) = ctx.saved_tensors
        return gradient * (1 - new)

## Use instead

    @staticmethod
    def backward(ctx, gradient):
        (new,) = ctx.saved_tensors
        return gradient * (1 - new**2)
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding, Location
from rnncheck.rules.base import Rule, at, needs_state
from rnncheck.trace import Trace


def check(trace: Trace) -> Iterator[Finding]:
    for wrong in trace.wrong_gradients:
        span, path = wrong.span, wrong.path
        yield Finding(
            rule=RULE.id,
            severity="warning",
            message=f"the backward of {wrong.function} is not the derivative of its forward: it is off by "
            f"{wrong.gap:.0%} of it.",
            location=at(trace, None) if span is None else Location(path, span.line, span.column, span.end_line),
            suggestion=f"correct it, and try it: torch.autograd.gradcheck({wrong.function}.apply, ...) in float64",
            evidence={"function": wrong.function, "relative_difference": wrong.gap},
        )


RULE = Rule(
    "wrong-gradient",
    "the backward of a custom function is not the derivative of its forward",
    check,
    needs_state,
    severities=("warning",),
    backends=("torch",),
)
