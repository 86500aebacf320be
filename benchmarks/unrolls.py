"""What a check costs beside a bare unroll of the same cell in the same process; prints both in seconds, or MiB.

python benchmarks/unrolls.py torch-wide
python benchmarks/unrolls.py torch-memory --steps 10000
"""

from __future__ import annotations

import argparse
import json
import resource
import runpy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import rnncheck

HERE = Path(__file__).parent
WIDTH, ROWS, STEPS = 1024, 32, 128
MANY = 1000


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def beside(check: Callable[[], Any], bare: Callable[[], Any], runs: int) -> tuple[float, float]:
    """The medians of both, each pair of runs side by side, after one to warm up."""
    check(), bare()
    pairs = [(seconds(check), seconds(bare)) for _ in range(runs)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def clean(report: Any, cells: int = 1) -> None:
    verdicts = [result.verdict for result in report.results]
    if verdicts != ["clean"] * cells:
        raise SystemExit(f"not clean: {verdicts[:3]} {report.results[0].findings} {report.results[0].error}")


def torch_wide(runs: int) -> tuple[float, float]:
    import torch
    from cells_torch import LSTM

    cell, inputs = LSTM(WIDTH, WIDTH), torch.randn(STEPS, ROWS, WIDTH)

    def bare() -> None:
        state = (torch.zeros(ROWS, WIDTH), torch.zeros(ROWS, WIDTH))
        with torch.no_grad():
            for x in inputs:
                _, state = cell(x, state)

    return beside(lambda: clean(rnncheck.check(cell, batch=ROWS, steps=STEPS)), bare, runs)


def keras_wide(runs: int) -> tuple[float, float]:
    import tensorflow as tf
    from cells_keras import LSTM

    cell, inputs = LSTM(WIDTH), tf.random.normal([STEPS, ROWS, WIDTH])
    cell.build((ROWS, WIDTH))
    cell.gates.build((ROWS, 2 * WIDTH))

    def bare() -> None:
        state = [tf.zeros([ROWS, WIDTH]), tf.zeros([ROWS, WIDTH])]
        for x in inputs:
            _, state = cell(x, state)

    return beside(lambda: clean(rnncheck.check(cell, batch=ROWS, steps=STEPS, input_shape=(WIDTH,))), bare, runs)


def torch_many(runs: int) -> tuple[float, float]:
    """Per cell, of a file with many small ones: all of them checked, between bare unrolls of all of them."""
    import torch

    source = (HERE / "cells_torch.py").read_text()
    small = source[source.index("class LSTM") :]
    text = source[: source.index("class LSTM")] + "\n\n".join(
        small.replace("class LSTM", f"class LSTM{number}") for number in range(MANY)
    )
    inputs = torch.randn(7, 3, 5)

    def bare() -> None:
        for cell in cells:
            state, total = (torch.zeros(3, 8), torch.zeros(3, 8)), torch.zeros(())
            for x in inputs:
                output, state = cell(x, state)
                total = total + output.sum()
            total.backward()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.py")
        path.write_text(text)
        module = runpy.run_path(str(path))
        cells = [module[f"LSTM{number}"](5, 8) for number in range(MANY)]
        before = [seconds(bare) for _ in range(runs)]
        whole = seconds(lambda: clean(rnncheck.check(str(path)), MANY))
        after = [seconds(bare) for _ in range(runs)]
    return whole / MANY, statistics.median([*before, *after]) / MANY


def torch_memory(steps: int) -> float:
    """The peak of a check over so many steps, in MiB."""
    from cells_torch import LSTM

    clean(rnncheck.check(LSTM, steps=steps, batch=16, kwargs={"input_size": 64, "hidden_size": 64}))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WAYS = {"torch-wide": torch_wide, "keras-wide": keras_wide, "torch-many": torch_many}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*WAYS, "torch-memory"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    sys.path.insert(0, str(HERE))
    np.random.seed(0)
    measured = torch_memory(given.steps) if given.what == "torch-memory" else WAYS[given.what](given.runs)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
