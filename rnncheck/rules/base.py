"""What a rule is: an id, a summary, and a check over a Trace."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rnncheck.findings import Finding, Location, Severity
from rnncheck.trace import Slot, Span, Trace, Weight
from rnncheck.usercode.definitions import is_time_name


@dataclass(frozen=True)
class Rule:
    """``check`` yields what it finds in a Trace. ``inapplicable`` says why a Trace is none of the rule's
    business, or None. ``severities`` are those that a finding may have, ``backends`` those whose cells can have the
    defect. The documentation is the docstring of the module that defines ``check``."""

    id: str
    summary: str
    check: Callable[[Trace], Iterable[Finding]]
    inapplicable: Callable[[Trace], str | None] = lambda trace: None
    severities: tuple[Severity, ...] = ("error",)
    backends: tuple[str, ...] = ("tf", "torch")

    @property
    def documentation(self) -> str:
        return inspect.cleandoc(sys.modules[self.check.__module__].__doc__ or "")


def needs_state(trace: Trace) -> str | None:
    """Why a rule about the state says nothing of a layer that takes none."""
    return None if trace.slots else "it takes no state"


def at(trace: Trace, span: Span | None) -> Location:
    """The place of a statement; where it is not known, that of the method."""
    method = trace.method
    if span is not None:
        return Location(method.path, span.line, span.column, span.end_line)
    return Location(method.path, method.line, 1 if method.line else None, method.line)


def old_name(trace: Trace, slot: Slot) -> str:
    """What the running method calls the old value of a slot."""
    known = trace.method.bindings[slot.index] if trace.method.bindings else ()
    return known[0] if known else f"state {slot.name}"


def is_autonomous(trace: Trace) -> bool:
    """Whether the only input is the time, and has no effect: the right-hand side of a differential equation."""
    return not trace.built.hears and is_time_name(trace.method.input_parameter)


def idle_weights(trace: Trace) -> list[Weight]:
    """Weights from which nothing reaches a result, where only the step could have used them."""
    used_here = [weight for weight in trace.weights if not weight.elsewhere]
    return [weight for weight in used_here if not weight.reached] or [weight for weight in used_here if weight.dead]


def unused(weights: Sequence[Weight]) -> str:
    """The end of a sentence that names them; empty where there are none."""
    if not weights:
        return ""
    return f"; {listing(weight.name for weight in weights)} {'goes' if len(weights) == 1 else 'go'} unused"


def listing(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
