"""Break every healthy cell of the zoo in known ways, and see whether rnncheck finds what was broken, and where.

    python mutants/benchmark.py
    python mutants/benchmark.py --only snntorch --only torch.nn: --folder /tmp/mutants

Each package has a process of its own. What was missed, or found on another line, is printed with the mutant's diff; a
run over all packages writes ``docs/mutants.md``, and ``tenth.json``, which names the mutants that ``make test`` checks.
Exit status: 1 if a defect was missed, too many lines were wrong, or an unbroken cell was accused.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from operators import OPERATORS

import rnncheck
from zoo import Entry, entries, small

HERE = Path(__file__).parent
RIGHT_LINES = 0.95
Line = dict[str, Any]


def chosen(only: Sequence[str] | None) -> list[list[Entry]]:
    """The healthy cells, a list for each process; one that carries a part along unread has been left out."""
    healthy = [
        entry
        for entry in entries()
        if entry.expect == "clean"
        and not {"returned-old-state", "ignored-recurrence"} & set(entry.allowed)
        and (not only or any(entry.package == text or entry.typed.startswith(text) for text in only))
    ]
    groups = itertools.groupby(healthy, key=lambda entry: (entry.package, entry.backend, sorted(entry.env.items())))
    return [list(group) for _, group in groups]


def run(group: list[Entry], folder: Path, every: int, limit: float) -> list[Line]:
    """What one process says; what is wrong with it is printed as it comes."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", **group[0].env}
    command = [sys.executable, "-W", "ignore", str(HERE / "break_cells.py"), str(folder), str(every)]
    lines: list[Line] = []
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as given:
        json.dump([asdict(entry) for entry in group], given)
        given.seek(0)
        process = subprocess.Popen(
            command, env=environment, stdin=given, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        timer = threading.Timer(limit, process.kill)
        timer.start()
        for text in process.stdout:
            lines.append(json.loads(text))
            print("".join(f"{trouble}\n" for trouble in troubles(lines[-1:])), end="", flush=True)
        if process.wait():
            errors.seek(0)
            last = errors.read().strip().splitlines()[-1:] or ["nothing said"]
            lines.append({"package": group[0].package, "failed": f"exit status {process.returncode}: {last[0]}"})
            print(*troubles(lines[-1:]), flush=True)
        timer.cancel()
    return lines


def right(line: Line) -> bool:
    """Whether the rule was found for this mutant, and in the slots that are broken."""
    return bool(line["verdict"]["found"] and line["verdict"]["right_slot"])


def troubles(lines: Sequence[Line]) -> Iterator[str]:
    """All that is not as it should be."""
    for line in lines:
        if line.get("failed"):
            yield f"{line['package']}: {line['failed']}"
        if line.get("alarms"):
            yield f"{line['entry']}: false alarm: {', '.join(line['alarms'])}"
        if "verdict" not in line:
            continue
        verdict = line["verdict"]
        if right(line) and _on_line(line):
            continue
        wrong = "no verdict" if verdict["error"] else "missed" if not verdict["found"] else "another slot"
        said = "; ".join(
            f"{severity} {rule} (state {slot}) on line {at}" for rule, severity, slot, at in verdict["said"]
        )
        slots = ", ".join(map(str, line["slots"])) or "none"
        yield (
            f"{line['entry']}\n  {line['operator']}, {line['spelling']}; broken: state {slots}, "
            f"line {', '.join(map(str, line['lines']))}\n"
            f"  {'another line' if right(line) else wrong}; said: {verdict['error'] or said or 'nothing'}\n"
            + "\n".join(f"    {text}" for text in line["diff"].splitlines())
        )


def table(lines: Sequence[Line]) -> str:
    """``docs/mutants.md``."""
    mutants = [line for line in lines if "verdict" in line]
    cells = [line for line in lines if "alarms" in line]
    rows = []
    for operator in [*OPERATORS, None]:
        name = operator.name if operator else None
        mine = [line for line in mutants if name in (None, line["operator"])]
        found = [line for line in mine if right(line)]
        on_line = [line for line in found if _on_line(line)]
        tried = [line for line in lines if "thrown_away" in line and name in (None, line["operator"])]
        rows.append(
            [
                name or "all",
                f"`{operator.rule}`" if operator else "",
                *(str(sum(line["backend"] == backend for line in mine)) for backend in ("torch", "tf")),
                str(sum(line["thrown_away"] for line in tried)),
                _share(len(found), len(mine)),
                _share(len(on_line), len(found)),
            ]
        )
    packages = Counter(line["package"] for line in mutants)
    broken = Counter(line["package"] for line in cells)
    left_out = Counter(line["unfit"] for line in lines if "unfit" in line)
    spellings = {(line["operator"], line["spelling"]) for line in mutants}
    python = f"Python {platform.python_version()}"
    return "\n".join(
        [
            "# Mutants",
            "",
            "<!-- Written by `make mutants`: do not edit. -->",
            "",
            f"{len(cells)} healthy cells of [the zoo](zoo.md), broken by changing their source in one way at a time,",
            f"and checked by rnncheck {rnncheck.__version__} as a user would type it ({python}).",
            f"**{len(mutants)} mutants** in {len(spellings)} spellings. False alarms on the unbroken cells:",
            f"**{sum(bool(line['alarms']) for line in cells)}**.",
            "",
            "| broken by | rule | PyTorch | TensorFlow | not broken | found | right line |",
            "|---|---|---|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            *EXPLAINED.splitlines(),
            "",
            "| package | cells | mutants |",
            "|---|---|---|",
            *(f"| {package} | {broken[package]} | {count} |" for package, count in sorted(packages.items())),
            "",
            *_listed("Missed", [line for line in mutants if not right(line)]),
            *_listed("Found on another line", [line for line in mutants if right(line) and not _on_line(line)]),
            "Healthy entries of the zoo that are not broken here: "
            + ", ".join(f"{count} ({reason})" for reason, count in left_out.most_common())
            + ".",
            "",
        ]
    )


EXPLAINED = """\
**found**: an error or a warning of the rule, which follows from no other finding; where one slot of several was broken
it names that slot. **right line**: of those found, how many stand on a line that was changed. Right as well are: the
return statement that hands back the old state, where the state was put together before it, or the new value was given
another name, or overwritten; that which hands back a state that was unpacked in the wrong order; and, where a term was
left out of a sum, the statement that still computes it. Of memory beside the state it is the line that writes it.
**not broken**: mutants that were thrown away, since run beside the unbroken cell they turned out to work as before, or
not to run at all, or to be broken in yet another way. What is run there is the bare cell with the same weights; no rule
of rnncheck has a part in it.

Each mutant is a copy of the module that the step stands in, in a file of its own. Which of an operator's spellings is
tried first changes from cell to cell; a cell whose entry differs only in arguments that lead to the same lines is
broken once."""


def _on_line(line: Line) -> bool:
    return bool(line["verdict"]["right_line"])


def _listed(title: str, lines: Sequence[Line]) -> list[str]:
    """A list in Markdown, where there is something to list."""
    items = [f"* `{line['entry']}`: {line['operator']}, {line['spelling'].split(':')[0]}" for line in lines]
    return [f"{title}:", "", *items, ""] if items else []


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "none"


def tenth(lines: Sequence[Line]) -> list[list[Any]]:
    """Every tenth mutant, of packages that the test environment holds."""
    held = {entry.typed for entry in entries(small()) if not entry.env}
    mutants = [line for line in lines if "verdict" in line]
    at_hand = [line for line in mutants if line["entry"] in held]
    step = max(1, len(at_hand) * 10 // max(len(mutants), 1))
    return [[line["backend"], line["entry"], line["operator"], line["asked"]] for line in at_hand[::step]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="packages, or beginnings of what is typed; repeatable")
    parser.add_argument("--every", type=int, default=1, help="make one of so many mutants")
    parser.add_argument("--folder", type=Path, help="where the mutants are written (else they are deleted)")
    parser.add_argument("--json", type=Path, help="where all that was seen is written")
    parser.add_argument("--limit", type=float, default=3600, help="seconds that one package may take")
    parser.add_argument("--jobs", type=int, default=2, help="packages that run at a time")
    given = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(given.jobs) as pool:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        said: list[Line] = []
        for lines in pool.map(lambda group: run(group, folder, given.every, given.limit), chosen(given.only)):
            said += lines
    if given.json:
        given.json.write_text(json.dumps(said, indent=1), encoding="utf-8")
    if not given.only and given.every == 1:
        (HERE.parent / "docs" / "mutants.md").write_text(table(said), encoding="utf-8")
        items = ",\n".join(json.dumps(item) for item in tenth(said))
        (HERE / "tenth.json").write_text(f"[\n{items}\n]\n", encoding="utf-8")
    mutants = [line for line in said if "verdict" in line]
    found = [line for line in mutants if right(line)]
    on_line = [line for line in found if _on_line(line)]
    alarmed = sum(bool(line.get("alarms")) for line in said)
    print()
    print("\n".join(line for line in table(said).splitlines() if line.startswith("| ")))
    print()
    print(f"mutants: {len(mutants)}")
    print(f"found: {_share(len(found), len(mutants))}")
    print(f"right line: {_share(len(on_line), len(found))}")
    print(f"false alarms on unbroken cells: {alarmed}")
    complete = not any("failed" in line for line in said)
    return int(
        not complete or not found or len(found) < len(mutants) or len(on_line) < 0.95 * len(found) or alarmed > 0
    )


if __name__ == "__main__":
    sys.exit(main())
