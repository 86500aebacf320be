"""Whether what rnncheck says of a mutant is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operators import Operator


@dataclass(frozen=True)
class Verdict:
    """What was said of a mutant. ``said`` are the errors and warnings that follow from no other, as (rule, severity,
    index of the state, line)."""

    found: bool
    right_slot: bool
    right_line: bool
    said: tuple[tuple[str, str, int | None, int | None], ...]
    error: str | None = None


def judged(
    operator: Operator, broken: Sequence[int], count: int, lines: Sequence[int], result: Mapping[str, Any]
) -> Verdict:
    """``broken`` of ``count`` slots are so, ``lines`` were changed; ``result`` is one of the JSON report."""
    counting = [item for item in result["findings"] if not item["explained_by"] and item["severity"] != "note"]
    found = [item for item in counting if item["rule"] == operator.rule]
    one = operator.names_slot and len(broken) == 1 < count
    right_slot = {item["state_index"] for item in found} == set(broken) if one else bool(found)
    places = [range(item["line"] or 0, (item["end_line"] or 0) + 1) for item in found]
    return Verdict(
        bool(found),
        right_slot,
        any(line in place for line in lines for place in places),
        tuple((item["rule"], item["severity"], item["state_index"], item["line"]) for item in counting),
        result["error"]["message"] if result["error"] else None,
    )
