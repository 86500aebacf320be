"""What counts: found or not, cause and line named or not, false alarm or not. A rule, not an opinion.

- Found: an alarm, or advice that names the cause, about the broken cell and not about its twin.
- Cause named: such a remark has, as a word of its own, the variable or the weight at fault or a term of the defect.
- Line named: such a remark names a line at fault.
- False alarm: a failure or a warning on the twin. Mere advice is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peers.defects import Defect
    from peers.remarks import Remark


@dataclass(frozen=True)
class Judgement:
    """What one tool made of one defect. ``failed`` says what kept it from an answer."""

    found: bool = False
    cause: bool = False
    line: bool = False
    false_alarms: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    failed: str | None = None


def judge(defect: Defect, broken: Sequence[Remark], repaired: Sequence[Remark]) -> Judgement:
    """Judge by what was said of the broken cell and of its twin."""
    alike = {remark.check for remark in repaired}
    telling = [
        remark
        for remark in broken
        if remark.check not in alike and (remark.level == "alarm" or names_cause(defect, remark.message))
    ]
    false = [remark for remark in repaired if remark.level == "alarm"]
    return Judgement(
        found=bool(telling),
        cause=any(names_cause(defect, remark.message) for remark in telling),
        line=any(defect.lines & set(remark.lines) for remark in telling),
        false_alarms=tuple(dict.fromkeys(remark.check for remark in false)),
        checks=tuple(dict.fromkeys(remark.check for remark in telling)),
    )


def names_cause(defect: Defect, message: str) -> bool:
    """Whether a message has a name at fault, spelled as in the code, or one of the defect's terms."""
    named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", message) for name in defect.names)
    return named or any(re.search(rf"(?<![^\W_])({words})(?![^\W_])", message, re.IGNORECASE) for words in defect.words)
