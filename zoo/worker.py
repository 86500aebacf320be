"""Check one entry under some seeds, in a process that imports its framework once; print what was said as JSON.

    python zoo/worker.py INDEX SEEDS

INDEX counts the entries as :func:`zoo.entries` yields them.
"""

from __future__ import annotations

import json
import os
import sys
import time

import rnncheck
from rnncheck.formats import renderer
from zoo import entries


def main() -> None:
    index, seeds = (int(text) for text in sys.argv[1:])
    entry = list(entries())[index]
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a package prints is no part of the answer
    said = []
    for seed in range(seeds):
        started = time.perf_counter()
        report = rnncheck.check(entry.target, seed=seed, **entry.options())
        seconds = time.perf_counter() - started
        document = json.loads(renderer("json", color=False, width=80)(report))
        said.append({"seconds": seconds, "result": document["results"][0]})
    json.dump(said, out)
    out.flush()
    os._exit(0)  # threads that a package leaves behind must not hold it up


main()
