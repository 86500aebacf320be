"""What rnncheck costs, beside what it is measured against: writes ``docs/performance.md``.

Each pair runs in turn, so that a machine whose speed drifts slows both; the figures are medians, the ratio is the
median of the ratios of neighbouring runs. Exit status: 1 if a ratio is over its limit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "performance.md"
RNNCHECK = str(Path(sys.executable).with_name("rnncheck"))
PYTHON = sys.executable
# As for everybody, what is imported twice is compiled once.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
BARE = """
import torch
cell, state = torch.nn.LSTMCell(5, 8), None
for _ in range(7): state = cell(torch.randn(3, 5), state)
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: two figures in a unit, their ratio and the most that it may be."""

    what: str
    beside: str
    figures: tuple[float, float]
    unit: str
    ratio: float
    limit: float

    @property
    def ok(self) -> bool:
        return self.ratio <= self.limit

    def cells(self) -> tuple[str, ...]:
        mine, other = (f"{figure:.4g} {self.unit}" for figure in self.figures)
        return (
            self.what,
            self.beside,
            mine,
            other,
            f"{self.ratio:.2f}×",
            f"{self.limit:.2f}×",
            "" if self.ok else "OVER",
        )


def process(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident MiB of one process and of those that it waited for."""
    started = time.perf_counter()
    child = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {child.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def paired(command: list[str], baseline: list[str], runs: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    process(baseline), process(command)
    return [(process(command), process(baseline)) for _ in range(runs)]


def row(
    what: str, beside: str, pairs: list[tuple[tuple[float, float], tuple[float, float]]], index: int, limit: float
) -> Row:
    figures = tuple(statistics.median(pair[side][index] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(mine[index] / other[index] for mine, other in pairs)
    return Row(what, beside, (figures[0], figures[1]), ("s", "MiB")[index], ratio, limit)


def of_commands(runs: int) -> Iterator[Row]:
    python = [PYTHON, "-c"]
    pairs = paired([RNNCHECK, "--version"], [*python, "import typer"], runs)
    yield row("`rnncheck --version`", "`import typer`", pairs, 0, 1.3)
    pairs = paired([RNNCHECK, "torch.nn:LSTMCell"], [*python, "import torch"], runs)
    yield row("a default torch check", "`import torch`", pairs, 0, 1.1)
    pairs = paired([RNNCHECK, "keras.layers:LSTMCell"], [*python, "import keras"], runs)
    yield row("a default Keras check", "`import keras`", pairs, 0, 1.25)
    pairs = paired([RNNCHECK, "torch.nn:LSTMCell"], [*python, BARE], runs)
    yield row("its peak memory, torch", "bare import and unroll", pairs, 1, 1.2)


def measured(*arguments: str) -> list[float]:
    """What ``unrolls.py`` prints, in a process of its own."""
    done = subprocess.run(
        [PYTHON, str(HERE / "unrolls.py"), *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    found = json.loads(done.stdout)
    return found if isinstance(found, list) else [found]


def of_unrolls(runs: int) -> Iterator[Row]:
    for what, beside, name, limit in (
        ("a torch LSTM 1024 wide, 32 rows, 128 steps", "one bare unroll", "torch-wide", 4.0),
        ("the same for Keras", "one bare unroll", "keras-wide", 4.0),
        ("one of 1,000 small torch cells in one call", "a bare unroll with backward", "torch-many", 25.0),
    ):
        mine, other = measured(name, "--runs", str(runs))
        yield Row(what, beside, (mine, other), "s", mine / other, limit)
    (long,), (short,) = measured("torch-memory", "--steps", "10000"), measured("torch-memory", "--steps", "100")
    yield Row("peak memory at 10,000 steps", "at 100 steps", (long, short), "MiB", long / short, 1.2)


def machine() -> str:
    return (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores; "
        f"OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}."
    )


HEADER = ("what", "beside", "takes", "takes", "ratio", "at most", "")


def document(rows: list[Row], runs: int) -> str:
    lines = [HEADER, tuple("---" for _ in HEADER), *(item.cells() for item in rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return (
        "# Performance\n\n<!-- Written by `make bench`: do not edit. -->\n\n"
        f"What rnncheck takes beside what it is measured against, in one run: medians of {runs}, and the median\n"
        f"of the ratios of neighbouring runs. {machine()}\n\n{table}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each command")
    runs = parser.parse_args().runs
    rows = []
    for item in itertools.chain(of_commands(runs), of_unrolls(max(3, runs // 2))):
        rows.append(item)
        print("  ".join(item.cells()).rstrip(), flush=True)
    DOCUMENT.write_text(document(rows, runs), encoding="utf-8")
    sys.exit(not all(item.ok for item in rows))


if __name__ == "__main__":
    main()
