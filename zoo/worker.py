"""Check one entry under the seeds from FIRST to before END, in a process that imports its framework once.

    python zoo/worker.py FIRST END < entry.json

The answer, on stdout, is JSON: for each seed how many seconds the check took and what it said.
"""

from __future__ import annotations

import json
import os
import sys
import time

from zoo import check, entry_of


def main() -> None:
    entry = entry_of(json.load(sys.stdin))
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a package prints is no part of the answer
    said = []
    for seed in range(*map(int, sys.argv[1:])):
        started = time.perf_counter()
        result = check(entry, seed)
        said.append({"seconds": time.perf_counter() - started, "result": result})
    json.dump(said, answer)
    answer.flush()
    os._exit(0)  # threads that a package leaves behind must not hold it up


main()
