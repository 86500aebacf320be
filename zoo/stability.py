"""Whether a verdict depends on luck: every sample cell and every cell of the zoo under many seeds.

    python zoo/stability.py --seeds 200
    python zoo/stability.py --seeds 200 --only sample_cells

What was said is kept (``answers.py``), so that a run that was stopped goes on where it was. A run over all entries
writes ``docs/stability.md``. Exit status: 1 if a seed changed a verdict or there was none.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from answers import ROOT, Kept, NoAnswer, identity, named
from run import code

import rnncheck
from zoo import Entry, Seen, entries


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


def words_of(kept: Kept, entry: Entry, seeds: range | None, limit: float) -> list[str]:
    """What is said of an entry under each of some seeds, or by the command line as it is."""
    try:
        said = [one.seen for one in kept.under(entry, seeds, limit)] if seeds else [kept.typed(entry, limit)]
    except NoAnswer as error:
        return [f"no verdict: {error}"]
    return [_words(one) for one in said]


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
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one process may take")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    given = parser.parse_args()
    kept = Kept()
    chosen = [item for item in (*samples(), *entries()) if not given.only or item.package in given.only]
    asked = [(entry, seeds) for seeds in (None, range(given.seeds)) for entry in chosen]
    with ThreadPoolExecutor(given.jobs) as pool:
        answers = list(pool.map(lambda one: words_of(kept, one[0], one[1], given.limit), asked))
    counts: dict[str, Counter[str]] = {}
    for (entry, _), said in zip(asked, answers):
        counts.setdefault(identity(entry), Counter()).update(said)
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
