"""What a check costs beyond the import of its framework: wall time and peak memory, side by side.

Each command runs as a process of its own, in turn with the one it is compared to, so that a machine whose
speed drifts slows both. The figures are medians; the ratio is the median of the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

RNNCHECK = str(Path(sys.executable).with_name("rnncheck"))
PYTHON = sys.executable


@dataclass(frozen=True)
class Comparison:
    """A command, what it is held against, and the most that it may take of its time and memory."""

    name: str
    command: list[str]
    baseline: list[str]
    time_limit: float
    memory_limit: float | None


COMPARISONS = (
    Comparison("rnncheck --version / import typer", [RNNCHECK, "--version"], [PYTHON, "-c", "import typer"], 1.5, None),
    Comparison(
        "torch LSTMCell / import torch", [RNNCHECK, "torch.nn:LSTMCell"], [PYTHON, "-c", "import torch"], 1.15, 1.2
    ),
    Comparison(
        "Keras LSTMCell / import keras", [RNNCHECK, "keras.layers:LSTMCell"], [PYTHON, "-c", "import keras"], 1.3, 1.2
    ),
)


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def compare(item: Comparison, runs: int) -> list[tuple[str, ...]]:
    """The rows of one comparison: time, and memory where it has a limit."""
    run(item.baseline), run(item.command)
    pairs = [(run(item.command), run(item.baseline)) for _ in range(runs)]
    rows = []
    for label, unit, index, limit in (("time", "s", 0, item.time_limit), ("peak memory", "MiB", 1, item.memory_limit)):
        if limit is not None:
            mine, other = (statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
            ratio = statistics.median(pair[0][index] / pair[1][index] for pair in pairs)
            digits = 3 if unit == "s" else 0
            measured = (f"{mine:.{digits}f} {unit}", f"{other:.{digits}f} {unit}", f"{ratio:.2f}", f"{limit:.2f}")
            rows.append((item.name, label, *measured, "ok" if ratio <= limit else "OVER"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each command")
    runs = parser.parse_args().runs
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of {runs} runs, after one to warm up\n")
    header = ("what", "of", "rnncheck", "import", "ratio", "at most", "")
    rows = [header, *(row for item in COMPARISONS for row in compare(item, runs))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
