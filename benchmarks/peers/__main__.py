"""Run every tool on every defect and write ``docs/peers.md``.

    PYTHONPATH=.:benchmarks python -m peers
    PYTHONPATH=.:benchmarks python -m peers --only ignored-recurrence --tool ruff

Each tool has a process of its own for each defect; one that crashes, hangs or cannot be imported is reported as such.
Exit status: 1 if a tool found what rnncheck did not.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from peers.defects import DEFECTS, Defect
from peers.document import Answer, document, missed
from peers.judge import Judgement, judge
from peers.remarks import Remark
from peers.tools import TOOLS, Tool

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "peers.md"


def ask(tool: Tool, defect: Defect, runs: int, limit: float) -> Answer:
    """What one tool makes of one defect, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for which in ("repaired", "broken"):
            (Path(folder) / which).mkdir()
            (Path(folder) / which / "cell.py").write_text(defect.source(which), encoding="utf-8")
        command = [sys.executable, "-m", "peers.worker", tool.module, folder, str(runs)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(command, env=environment, timeout=limit, capture_output=True, text=True, check=False)
        except subprocess.TimeoutExpired:
            return Answer(Judgement(failed=f"no answer within {limit:.0f} s"))
    said = {answer["which"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    if done.returncode or len(said) != 2:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        return Answer(Judgement(failed=f"exit status {done.returncode}: {last[0]}"))
    remarks = {which: [Remark.from_json(item) for item in answer["remarks"]] for which, answer in said.items()}
    times = [(check, forward) for check, forward in said["repaired"]["seconds"]]
    return Answer(judge(defect, remarks["broken"], remarks["repaired"]), tuple(times))


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
