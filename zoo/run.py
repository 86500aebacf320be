"""Check every published cell of the zoo, as a user would type it, under many seeds.

    python zoo/run.py --seeds 20
    python zoo/run.py --seeds 3 --only snntorch --only torch.nn:

Each entry has a process of its own, in an empty folder, for all its seeds, and one more for the command line; what
was said before by the same version is not asked again (``answers.py``). What differs from what ``entries/`` expects is
printed; a run over all entries writes ``docs/zoo.md``.
Exit status: 1 if a healthy cell was accused, a cell had no verdict, a seed changed a verdict, or a defect was missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from answers import Kept, NoAnswer

import rnncheck
from zoo import HERE, Entry, Seen, alarms, entries, missed


@dataclass(frozen=True)
class Outcome:
    """What was said of an entry under each seed and then by the command line, and how long a check took."""

    entry: Entry
    said: tuple[Seen, ...]
    seconds: float

    @property
    def usual(self) -> Seen:
        """What most seeds said."""
        kinds = Counter(one.counting for one in self.said)
        return next(one for one in self.said if one.counting == kinds.most_common(1)[0][0])

    @property
    def no_verdict(self) -> bool:
        return any(one.verdict == "error" for one in self.said)

    @property
    def false(self) -> list[str]:
        return sorted({text for one in self.said for text in alarms(self.entry, one)})

    @property
    def missed(self) -> bool:
        return any(missed(self.entry, one) for one in self.said)

    @property
    def changed(self) -> list[str]:
        """The seeds that said something else than most."""
        names = [*(str(seed) for seed in range(len(self.said) - 1)), "command line"]
        return [name for name, one in zip(names, self.said) if one.counting != self.usual.counting]

    def troubles(self) -> list[str]:
        """All that is not as it should be, a line each."""
        usual = self.usual
        errors = sorted({one.error for one in self.said if one.error})
        lines = [f"no verdict: {' '.join(error.split())}" for error in errors]
        lines += [f"false alarm: {text}" for text in self.false]
        lines += [f"missed: {self.entry.expect}"] if self.missed else []
        if self.changed:
            said = ", ".join(f"{severity} {rule}" for rule, severity, _ in usual.counting[1]) or usual.verdict
            lines.append(f"usually {said}; not so: {', '.join(self.changed)}")
        return lines


def check(kept: Kept, entry: Entry, seeds: int, limit: float) -> Outcome:
    """Run one entry; what keeps it from an answer becomes its error."""
    seconds = [0.0]
    try:
        answers = kept.under(entry, range(seeds), limit)
        # The first check also imports.
        seconds = [answer.seconds for answer in answers[1:] or answers]
        said = [*(answer.seen for answer in answers), kept.typed(entry, limit)]
    except NoAnswer as error:
        said = [Seen("error", (), error=str(error))]
    return Outcome(entry, tuple(said), statistics.median(seconds))


def code(text: str) -> str:
    """A code span in a cell of a Markdown table, whatever the text holds."""
    text = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " * bool(longest)
    return f"{fence}{space}{text}{space}{fence}" if text else ""


def verdict(outcome: Outcome) -> str:
    """What was said, and what is true though there is no rule for it yet."""
    said, entry = outcome.usual, outcome.entry
    if said.verdict == "error":
        return "no verdict"
    found = dict.fromkeys((severity, rule) for rule, severity, _ in said.findings)
    words = [f"{severity}: {rule}" for severity, rule in found]
    if said.verdict == "clean":
        words = ["clean", *words]
    if entry.expect != "clean" and entry.expected_rule is None:
        words.append(f"({entry.expect}, for which there is no rule yet)")
    return ", ".join(words)


def table(outcomes: Sequence[Outcome], seeds: int) -> str:
    """``docs/zoo.md``."""
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    rows = [
        (
            outcome.entry.package,
            metadata.version(outcome.entry.package),
            " with ".join(code(text) for text in (outcome.entry.typed, *_pairs(outcome.entry.env))),
            verdict(outcome),
            code(outcome.usual.convention or ""),
            f"{outcome.seconds:.2f}",
        )
        for outcome in outcomes
    ]
    lines = [
        "# The zoo",
        "",
        "<!-- Written by `make zoo`: do not edit. -->",
        "",
        f"Published cells, each checked under {seeds} seeds by rnncheck {rnncheck.__version__}: what is typed after",
        "`rnncheck` (but for `--backend`), what it says, how it found the cell to be called, and how many seconds one",
        f"check takes once the framework is imported (median). {machine}, two cells at a time, one thread each.",
        "",
        "| package | version | cell | verdict | called as | seconds |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def _pairs(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds each entry is checked under")
    parser.add_argument("--only", action="append", help="packages, or beginnings of targets; repeatable")
    parser.add_argument("--output", type=Path, help="the table to write (docs/zoo.md, for all entries)")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that one entry may take")
    parser.add_argument("--jobs", type=int, default=2, help="entries that run at a time")
    given = parser.parse_args()
    chosen = [
        entry
        for entry in entries()
        if not given.only or any(entry.package == text or entry.target.startswith(text) for text in given.only)
    ]

    kept = Kept()

    def run(entry: Entry) -> Outcome:
        outcome = check(kept, entry, given.seeds, given.limit)
        for line in outcome.troubles():
            print(f"{entry.typed}\n    {line}", flush=True)
        return outcome

    with ThreadPoolExecutor(given.jobs) as pool:
        outcomes = list(pool.map(run, chosen))
    output = given.output or (None if given.only else HERE.parent / "docs" / "zoo.md")
    if output:
        output.parent.mkdir(exist_ok=True)
        output.write_text(table(outcomes, given.seeds), encoding="utf-8")
    figures = {
        "known defects missed": sum(outcome.missed for outcome in outcomes),
        "entries checked": len(outcomes),
        "errors on healthy cells": sum(bool(outcome.false) for outcome in outcomes),
        "no verdicts": sum(outcome.no_verdict for outcome in outcomes),
        "seeds that changed a verdict": sum(len(outcome.changed) for outcome in outcomes),
    }
    print()
    for name, count in figures.items():
        print(f"{name}: {count}")
    return int(not outcomes or any(count for name, count in figures.items() if name != "entries checked"))


if __name__ == "__main__":
    sys.exit(main())
