"""Whether a verdict depends on luck: every sample cell and every cell of the zoo under many seeds.

    python zoo/stability.py --seeds 200
    python zoo/stability.py --seeds 200 --only sample_cells

What is through is written down in ``.stability.jsonl``, a hundred seeds of an entry at a time, so that a run that was
stopped goes on where it was; what another version of rnncheck said is not used. A run over all entries writes
``docs/stability.md``. Exit status: 1 if a seed changed a verdict or there was none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run import NoAnswer, code, typed, under

import rnncheck
from zoo import HERE, Entry, Seen, entries

ROOT = HERE.parent
DONE = ROOT / ".stability.jsonl"
TOGETHER = 100
"""How many seeds one process tries."""
COMMAND_LINE = range(0)


@dataclass(frozen=True)
class Piece:
    """An entry and the seeds under which it is checked; none for the command line as it is."""

    entry: Entry
    seeds: range

    @property
    def key(self) -> str:
        """By what it is written down."""
        return json.dumps([identity(self.entry), self.seeds.start, self.seeds.stop])

    def said(self, limit: float) -> list[str]:
        """What was said under each seed, in words."""
        try:
            seen = (
                [one for one, _ in under(self.entry, self.seeds, limit)] if self.seeds else [typed(self.entry, limit)]
            )
        except (NoAnswer, subprocess.TimeoutExpired) as error:
            return [f"no verdict: {error}"]
        return [_words(one) for one in seen]


@dataclass(frozen=True)
class Stability:
    """How one entry fared: what was said of it, how often, most often first."""

    entry: Entry
    said: tuple[tuple[str, int], ...]

    @property
    def changed(self) -> int:
        return sum(count for _, count in self.said[1:])

    @property
    def without(self) -> bool:
        return any(words.startswith("no verdict") for words, _ in self.said)


def _words(seen: Seen) -> str:
    verdict, findings = seen.counting
    if verdict == "error":
        return f"no verdict: {seen.error}"
    states = [
        f"{severity}: {rule}" + (f" of state {state}" if state is not None else "")
        for rule, severity, state in findings
    ]
    return ", ".join(states) or verdict


def samples() -> Iterator[Entry]:
    """The sample cells, each of which stands alone in its file."""
    for backend in ("tf", "torch"):
        for path in sorted((ROOT / "sample_cells" / backend).glob("*.py")):
            yield Entry("sample_cells", str(path), backend, path.stem, "", "")


def pieces(chosen: Sequence[Entry], seeds: int) -> list[Piece]:
    """All that is to be run; some seeds of every entry before more of any."""
    parts = [COMMAND_LINE, *(range(first, min(first + TOGETHER, seeds)) for first in range(0, seeds, TOGETHER))]
    return [Piece(entry, part) for part in parts for entry in chosen]


def version() -> str:
    """A digest of the sources that give the verdicts."""
    paths = sorted(Path(rnncheck.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def named(entry: Entry) -> str:
    return entry.typed.replace(f"{ROOT}{os.sep}", "")


def identity(entry: Entry) -> str:
    return json.dumps([named(entry), entry.backend, sorted(entry.env.items())])


def before(digest: str) -> dict[str, list[str]]:
    """What a run that was stopped has found."""
    lines = DONE.read_text(encoding="utf-8").splitlines() if DONE.exists() else []
    items: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return {item["piece"]: item["said"] for item in items if item["version"] == digest}


def document(found: Sequence[Stability], seeds: int) -> str:
    """``docs/stability.md``."""
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
        *(f"* {code(named(item.entry))}: {_counts(item)}" for item in found if item.changed or item.without),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _counts(item: Stability) -> str:
    return "; ".join(f"{count} × {words}" for words, count in item.said)


def figures(found: Sequence[Stability]) -> dict[str, int]:
    return {
        "cells": len(found),
        "checks": sum(count for item in found for _, count in item.said),
        "cells without a verdict": sum(item.without for item in found),
        "checks that changed a verdict": sum(item.changed for item in found),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--only", action="append", help="packages, or sample_cells; repeatable")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that one process may take")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    given = parser.parse_args()
    digest = version()
    known = before(digest)
    chosen = [item for item in (*samples(), *entries()) if not given.only or item.package in given.only]

    def run(piece: Piece) -> list[str]:
        said = known.get(piece.key)
        if said is None:
            said = piece.said(given.limit)
            with DONE.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"piece": piece.key, "said": said, "version": digest}) + "\n")
        return said

    todo = pieces(chosen, given.seeds)
    with ThreadPoolExecutor(given.jobs) as pool:
        answers = list(pool.map(run, todo))
    counts: dict[str, Counter[str]] = {}
    for piece, said in zip(todo, answers):
        counts.setdefault(identity(piece.entry), Counter()).update(said)
    found = [Stability(entry, tuple(counts[identity(entry)].most_common())) for entry in chosen]
    for item in found:
        if item.changed or item.without:
            print(f"{named(item.entry)}\n    {_counts(item)}")
    if not given.only:
        (ROOT / "docs" / "stability.md").write_text(document(found, given.seeds), encoding="utf-8")
    for name, number in figures(found).items():
        print(f"{name}: {number}")
    return int(not found or any(item.changed or item.without for item in found))


if __name__ == "__main__":
    sys.exit(main())
