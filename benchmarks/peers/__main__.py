"""Run every tool on every defect and write ``docs/peers.md``.

    PYTHONPATH=.:benchmarks python -m peers
    PYTHONPATH=.:benchmarks python -m peers --only ignored-recurrence --tool ruff

Each tool has a process of its own for each defect; one that crashes, hangs or cannot be imported is reported as such.
Exit status: 1 if a tool found what rnncheck did not.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path

from peers.asking import ask
from peers.defects import DEFECTS, Defect
from peers.document import Answer, document, missed
from peers.tools import TOOLS, Tool

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "peers.md"


def show(tool: Tool, defect: Defect, answer: Answer) -> str:
    """A line for whoever watches."""
    judgement = answer.judgement
    words = [judgement.failed] if judgement.failed else ["found" if judgement.found else "not found"]
    words += [word for word, holds in (("cause", judgement.cause), ("line", judgement.line)) if holds]
    words += [f"by {', '.join(judgement.checks)}"] if judgement.checks else []
    words += [f"false alarm: {', '.join(judgement.false_alarms)}"] if judgement.false_alarms else []
    return f"{defect.name}: {tool.name}: {'; '.join(word for word in words if word)}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each check of a repaired cell")
    parser.add_argument("--limit", type=float, default=300, help="seconds that one tool may take for one defect")
    parser.add_argument("--only", action="append", help="names of defects; repeatable")
    parser.add_argument("--tool", action="append", help="names of tools; repeatable")
    given = parser.parse_args(arguments)
    defects = [defect for defect in DEFECTS if not given.only or defect.name in given.only]
    tools = [tool for tool in TOOLS if not given.tool or tool.name in given.tool]
    answers: dict[tuple[str, str], Answer] = {}
    for defect in defects:
        # Neighbours in time, so that a machine whose speed drifts slows all tools alike.
        for tool in tools:
            answers[tool.name, defect.name] = answer = ask(tool, defect, given.runs, given.limit)
            print(show(tool, defect, answer), flush=True)
    if given.only or given.tool:
        return 0
    versions = {tool.package: importlib.metadata.version(tool.package) for tool in TOOLS if tool.package}
    PAGE.write_text(document(answers, versions, given.runs), encoding="utf-8")
    behind = list(missed(answers))
    print("", *(f"found by others alone: {line}" for line in behind), sep="\n")
    return int(bool(behind))


if __name__ == "__main__":
    sys.exit(main())
