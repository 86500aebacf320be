"""One tool on one defect, in a process of its own: ``python -m peers.worker TOOL FOLDER RUNS``.

For ``repaired`` and then ``broken``, each a file in the folder, a line of JSON: what the tool said, and of every
counted run its seconds and those of one bare forward of the unrolled model right after it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from peers import model

FORWARDS = 20


def seconds(call: Callable[[], object], times: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def measure(tool: Any, path: Path, runs: int) -> dict[str, Any]:
    """What a tool says of a cell, and how long each of the runs after the first took."""
    remarks = tool.examine(path)
    taken = []
    for _ in range(runs):
        check = seconds(lambda: tool.examine(path))
        taken.append((check, forward(path)))
    return {"remarks": [asdict(remark) for remark in remarks], "seconds": taken}


def forward(path: Path) -> float:
    """Seconds of one forward of the unrolled model, by the mean of many."""
    tested, (sequence, _) = model.model(path), model.batch()
    with torch.no_grad():
        tested(sequence)
        return seconds(lambda: tested(sequence), FORWARDS)


def main() -> None:
    name, folder, runs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        tool = importlib.import_module(f"peers.tools.{name}")
        # Only the twin is timed: a check of a broken cell may stop half-way.
        for which, counted in (("repaired", runs), ("broken", 0)):
            line = {"which": which, **measure(tool, folder / which / "cell.py", counted)}
            print(json.dumps(line), file=answers, flush=True)


if __name__ == "__main__":
    main()
