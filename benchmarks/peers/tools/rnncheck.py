from __future__ import annotations

from pathlib import Path

import rnncheck
from peers.remarks import Remark


def examine(path: Path) -> list[Remark]:
    (result,) = rnncheck.check(str(path)).results
    if result.error:
        return [Remark("no verdict", f"{result.error.type}: {result.error.message}")]
    return [
        Remark(
            finding.rule,
            f"{finding.rule} state {finding.state}: {finding.message}",
            tuple(line for line in (finding.location.line, *(also.line for also in finding.related)) if line),
            "advice" if finding.severity == "note" else "alarm",
        )
        for finding in result.findings
    ]
