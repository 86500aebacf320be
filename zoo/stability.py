"""Whether a verdict depends on luck: every sample cell and every cell of the zoo under many seeds.

    python zoo/stability.py --seeds 200
    python zoo/stability.py --seeds 200 --only sample_cells

An entry that is through is written down in ``.stability.jsonl``, so that a run that was stopped goes on where it was;
what another version of rnncheck said is not used. A run over all entries writes ``docs/stability.md``.
Exit status: 1 if a seed changed a verdict or there was none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from run import check, code

import rnncheck
from zoo import HERE, Entry, entries

ROOT = HERE.parent
DONE = ROOT / ".stability.jsonl"


@dataclass(frozen=True)
class Stability:
    """How one entry fared: how many ``seeds`` it was checked under, what it usually said, and what was odd."""

    entry: str
    backend: str
    seeds: int
    usual: str
    changed: tuple[str, ...]
    troubles: tuple[str, ...]


def samples() -> Iterator[Entry]:
    """The sample cells, each of which stands alone in its file."""
    for backend in ("tf", "torch"):
        for path in sorted((ROOT / "sample_cells" / backend).glob("*.py")):
            yield Entry("sample_cells", str(path), backend, path.stem, "", "")


def version() -> str:
    """A digest of the sources that give the verdicts."""
    paths = sorted(Path(rnncheck.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def named(entry: Entry) -> str:
    return entry.typed.replace(f"{ROOT}{os.sep}", "")


def stability(entry: Entry, seeds: int, limit: float) -> Stability:
    outcome = check(entry, seeds, limit)
    said = outcome.usual
    usual = ", ".join(f"{severity}: {rule}" for rule, severity, _ in said.counting[1]) or said.verdict
    troubles = tuple(line for line in outcome.troubles() if line.startswith("no verdict"))
    return Stability(named(entry), entry.backend, seeds, usual, tuple(outcome.changed), troubles)


def before(seeds: int, digest: str) -> dict[tuple[str, str], Stability]:
    """What a run that was stopped has found."""
    found = {}
    for line in DONE.read_text(encoding="utf-8").splitlines() if DONE.exists() else ():
        item = json.loads(line)
        if (item.pop("version"), item["seeds"]) == (digest, seeds):
            known = Stability(**{**item, "changed": tuple(item["changed"]), "troubles": tuple(item["troubles"])})
            found[known.entry, known.backend] = known
    return found


def document(found: list[Stability], seeds: int) -> str:
    """``docs/stability.md``."""
    odd = [item for item in found if item.changed or item.troubles]
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    lines = [
        "# Stability",
        "",
        "<!-- Written by `make stability`: do not edit. -->",
        "",
        f"Every sample cell and every cell of [the zoo](zoo.md), each checked under {seeds} seeds and by the",
        f"command line, by rnncheck {rnncheck.__version__} ({machine}).",
        "",
        *(f"* {name}: **{number}**" for name, number in figures(found).items()),
        "",
        *(
            f"* {code(item.entry)}: usually {item.usual}; not so: {', '.join((*item.changed, *item.troubles))}"
            for item in odd
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def figures(found: list[Stability]) -> dict[str, int]:
    return {
        "cells": len(found),
        "checks": sum(item.seeds + 1 for item in found),
        "cells without a verdict": sum(bool(item.troubles) for item in found),
        "seeds that changed a verdict": sum(len(item.changed) for item in found),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", action="append", help="packages, or sample_cells; repeatable")
    parser.add_argument("--limit", type=float, default=7200, help="seconds that one entry may take")
    parser.add_argument("--jobs", type=int, default=2, help="entries that run at a time")
    given = parser.parse_args()
    digest = version()
    known = before(given.seeds, digest)
    chosen = [item for item in (*samples(), *entries()) if not given.only or item.package in given.only]

    def run(entry: Entry) -> Stability:
        found = known.get((named(entry), entry.backend)) or stability(entry, given.seeds, given.limit)
        if (found.entry, found.backend) not in known:
            with DONE.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**found.__dict__, "version": digest}) + "\n")
        if found.changed or found.troubles:
            print(f"{found.entry}\n    usually {found.usual}; {found.changed} {found.troubles}", flush=True)
        return found

    with ThreadPoolExecutor(given.jobs) as pool:
        found = list(pool.map(run, chosen))
    if not given.only:
        (ROOT / "docs" / "stability.md").write_text(document(found, given.seeds), encoding="utf-8")
    for name, number in figures(found).items():
        print(f"{name}: {number}")
    return int(not found or any(item.changed or item.troubles for item in found))


if __name__ == "__main__":
    sys.exit(main())
