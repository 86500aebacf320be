"""A Keras cell declares no ``state_size``.

## What it does

Looks for ``state_size`` on a cell that is a ``keras.layers.Layer``. Where it is missing, the size is inferred
(from ``units`` and its like, from how ``states`` is taken apart, by trying) and every other check goes on. A
``keras.Model``, and a layer that hands out its first state in a way of its own (``init_hidden``), are driven by the
user's own loop, and nothing is said of them.

## Why it is bad

``keras.layers.RNN`` raises a ValueError for a cell without ``state_size``, so that the cell cannot be driven
over a sequence at all.

## Known problems

None.

## Example

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

## Use instead

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
"""

from __future__ import annotations

from collections.abc import Iterator

from rnncheck.findings import Finding, Location
from rnncheck.rules.base import Rule
from rnncheck.trace import Slot, Trace


def check(trace: Trace) -> Iterator[Finding]:
    if trace.declaration.state_size:
        return
    method = trace.method
    sizes = [_size(trace, slot) for slot in trace.slots]
    written = sizes[0] if len(sizes) == 1 else f"[{', '.join(sizes)}]"
    yield Finding(
        rule=RULE.id,
        severity="error",
        message=f"{method.class_name} has no state_size, so keras.layers.RNN refuses it.",
        location=Location(method.path, method.class_line or method.line, 1, method.class_line or method.line),
        suggestion=f"self.state_size = {written}"
        + (", and get_initial_state(batch_size) for what has several axes" if _has_axes(trace) else ""),
        evidence={"inferred": [list(slot.shape) for slot in trace.slots]},
    )


def _has_axes(trace: Trace) -> bool:
    """Keras makes vectors alone of a ``state_size``."""
    return any(len(slot.shape) > 1 for slot in trace.slots)


def _size(trace: Trace, slot: Slot) -> str:
    declared = trace.declaration
    if declared.attribute is not None and slot.shape == (declared.attribute_value,):
        return f"self.{declared.attribute}"
    return str(slot.shape[0]) if len(slot.shape) == 1 else str(slot.shape)


def _inapplicable(trace: Trace) -> str | None:
    return None if trace.declaration.expected else "only a Keras cell declares a state_size"


RULE = Rule(
    "missing-state-size",
    "a Keras cell without state_size: keras.layers.RNN refuses it",
    check,
    _inapplicable,
    backends=("tf",),
)
