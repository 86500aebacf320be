"""One tool asked about one defect, in a process of its own, and what is made of its answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.defects import Defect
from peers.document import Answer
from peers.judge import Judgement, judge
from peers.remarks import Remark
from peers.tools import Tool

BOTH = ("repaired", "broken")


def ask(tool: Tool, defect: Defect, runs: int, limit: float) -> Answer:
    """What a tool makes of a defect; a process that takes longer than ``limit`` seconds is ended."""
    with tempfile.TemporaryDirectory() as folder:
        for which in BOTH:
            (Path(folder) / which).mkdir()
            (Path(folder) / which / "cell.py").write_text(defect.source(which), encoding="utf-8")
        command = [sys.executable, "-m", "peers.worker", tool.module, folder, str(runs)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(command, env=environment, timeout=limit, capture_output=True, text=True, check=False)
        except subprocess.TimeoutExpired:
            return Answer(Judgement(failed=f"no answer within {limit:.0f} s"))
    return understood(defect, done)


def understood(defect: Defect, done: subprocess.CompletedProcess[str]) -> Answer:
    """The judgement of what a process wrote, or what it ended with."""
    said = {answer["which"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    if done.returncode or set(said) != set(BOTH):
        last = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        return Answer(Judgement(failed=f"exit status {done.returncode}: {last[0]}"))
    repaired, broken = ([Remark.from_json(item) for item in said[which]["remarks"]] for which in BOTH)
    times = tuple((check, forward) for check, forward in said["repaired"]["seconds"])
    return Answer(judge(defect, broken, repaired), times)
