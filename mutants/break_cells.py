"""Break the cells of one package and check each mutant, in a process that imports its framework once.

    python mutants/break_cells.py FOLDER EVERY < entries.json

The answer, on stdout, is a line of JSON for each cell and each mutant, written when it is known. The mutants lie in
FOLDER; one of EVERY that could be made is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from breaking import breakable, broken, checked, difference
from editing import Unfit
from steps import prepared

from zoo import Entry, alarms, check, entry_of, seen

LIMIT = 120


def main() -> None:
    entries = [entry_of(item) for item in json.load(sys.stdin)]
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a package prints is no part of the answer
    signal.signal(signal.SIGALRM, _too_long)
    known: set[Any] = set()
    for entry in entries:
        signal.alarm(LIMIT)
        try:
            _break(entry, Path(sys.argv[1]), known, answer)
        except (Unfit, Exception) as error:
            _tell(answer, entry, unfit=str(error) if isinstance(error, Unfit) else f"{type(error).__name__}: {error}")
    signal.alarm(0)
    os._exit(0)  # threads that a package leaves behind must not hold it up


def _break(entry: Entry, folder: Path, known: set[Any], answer: TextIO) -> None:
    cell = prepared(entry)
    way = (type(cell.bound.cell), cell.step.function, cell.step.ran)
    if way in known:
        raise Unfit("the same lines run as in another entry")
    known.add(way)
    _tell(answer, entry, alarms=alarms(entry, seen(check(entry, seed=0))))
    for operator, slots in breakable(cell, int(sys.argv[2])):
        signal.alarm(LIMIT)
        found, equivalent = broken(cell, operator, slots, folder)
        _tell(answer, entry, operator=operator.name, thrown_away=equivalent)
        if found is None:
            continue
        started = time.perf_counter()
        verdict = checked(found)
        _tell(
            answer,
            entry,
            operator=operator.name,
            spelling=found.mutant.spelling,
            asked=list(found.mutant.slots),
            slots=list(found.slots),
            lines=list(found.mutant.lines),
            path=str(found.path),
            seconds=time.perf_counter() - started,
            verdict=vars(verdict),
            diff=difference(found),
        )


def _tell(answer: TextIO, entry: Entry, **said: Any) -> None:
    json.dump({"package": entry.package, "entry": entry.typed, "backend": entry.backend, **said}, answer)
    answer.write("\n")
    answer.flush()


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"not done after {LIMIT} seconds")


main()
