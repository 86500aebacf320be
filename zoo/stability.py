"""Whether a verdict depends on luck: every sample cell and every cell of the zoo under many seeds.

    python zoo/stability.py --seeds 200
    python zoo/stability.py --seeds 200 --only sample_cells

What was said is kept (``answers.py``), so that a run that was stopped goes on where it was. A run over all entries
writes ``docs/stability.md``. Exit status: 1 if a seed changed a verdict or a note, or there was no verdict.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from answers import ROOT, Kept, NoAnswer, identity, named
from run import code

import rnncheck
from zoo import Entry, Seen, entries


@dataclass(frozen=True)
class Said:
    """What one check said, in words: the verdict with what is more than a note, and the notes."""

    verdict: str
    notes: str = ""

    @classmethod
    def of(cls, seen: Seen) -> Said:
        if seen.verdict == "error":
            return cls.nothing(seen.error)
        _, counting = seen.counting
        return cls(_words(counting) or seen.verdict, _words(set(seen.findings).difference(counting)))

    @classmethod
    def nothing(cls, reason: object) -> Said:
        return cls(f"no verdict: {reason}")

    @property
    def is_nothing(self) -> bool:
        return self.verdict.startswith("no verdict")

    def __str__(self) -> str:
        return f"{self.verdict} ({self.notes})" if self.notes else self.verdict


def _words(findings: Iterable[tuple[str, str, int | None]]) -> str:
    return ", ".join(
        f"{severity}: {rule}" + (f" of state {state}" if state is not None else "")
        for rule, severity, state in sorted(findings, key=repr)
    )


@dataclass(frozen=True)
class Stability:
    """How one entry fared: what was said of it, and how often."""

    entry: Entry
    said: Counter[Said]

    @property
    def usual(self) -> str:
        """The verdict of most checks."""
        verdicts: Counter[str] = Counter()
        for said, count in self.said.items():
            verdicts[said.verdict] += count
        return verdicts.most_common(1)[0][0]

    @property
    def changed(self) -> int:
        """How many checks have another verdict."""
        return sum(count for said, count in self.said.items() if said.verdict != self.usual)

    @property
    def renoted(self) -> int:
        """How many checks have that verdict and other notes than most."""
        counts = [count for said, count in self.said.items() if said.verdict == self.usual]
        return sum(counts) - max(counts)

    @property
    def without(self) -> bool:
        return any(said.is_nothing for said in self.said)

    @property
    def is_odd(self) -> bool:
        return self.without or len(self.said) > 1

    def __str__(self) -> str:
        return "; ".join(f"{count} × {said}" for said, count in self.said.most_common())


def samples() -> Iterator[Entry]:
    """The sample cells, each of which stands alone in its file."""
    for backend in ("tf", "torch"):
        for path in sorted((ROOT / "sample_cells" / backend).glob("*.py")):
            yield Entry("sample_cells", str(path), backend, path.stem, "", "")


def said_of(kept: Kept, entry: Entry, seeds: range | None, limit: float) -> list[Said]:
    """What is said of an entry under each of some seeds, or by the command line as it is."""
    try:
        seen = [one.seen for one in kept.under(entry, seeds, limit)] if seeds else [kept.typed(entry, limit)]
    except NoAnswer as error:
        return [Said.nothing(error)]
    return [Said.of(one) for one in seen]


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
        *(f"* {code(named(item.entry))}: {item}" for item in found if item.is_odd),
    ]
    return "\n".join(lines).rstrip() + "\n"


def figures(found: Sequence[Stability]) -> dict[str, int]:
    return {
        "cells": len(found),
        "checks": sum(item.said.total() for item in found),
        "cells without a verdict": sum(item.without for item in found),
        "checks that changed a verdict": sum(item.changed for item in found),
        "checks that changed a note": sum(item.renoted for item in found),
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
        answers = list(pool.map(lambda one: said_of(kept, one[0], one[1], given.limit), asked))
    counts: dict[str, Counter[Said]] = {}
    for (entry, _), said in zip(asked, answers):
        counts.setdefault(identity(entry), Counter()).update(said)
    found = [Stability(entry, counts[identity(entry)]) for entry in chosen]
    for item in found:
        if item.is_odd:
            print(f"{named(item.entry)}\n    {item}")
    if not given.only:
        (ROOT / "docs" / "stability.md").write_text(document(found, given.seeds), encoding="utf-8")
    for name, number in figures(found).items():
        print(f"{name}: {number}")
    return int(not found or any(item.is_odd for item in found))


if __name__ == "__main__":
    sys.exit(main())
