"""``docs/peers.md``."""

from __future__ import annotations

import os
import platform
import re
import statistics
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rnncheck
from peers.defects import DEFECTS, OF_RNNCHECK, OF_THE_PEERS, Defect
from peers.judge import Judgement
from peers.setting import BATCH, HIDDEN_SIZE, LEARNING_RATE, STEPS
from peers.tools import TOOLS

WIDTH = 120
SHOWN = 4
PAGE = Path(__file__).with_name("page.md")


@dataclass(frozen=True)
class Answer:
    """What one tool made of one defect; ``times`` are seconds of a check and of the forward measured right after it."""

    judgement: Judgement
    times: tuple[tuple[float, float], ...] = ()


Answers = Mapping[tuple[str, str], Answer]


def document(answers: Answers, versions: Mapping[str, str], runs: int) -> str:
    """The page: the summaries, what was run, what counts, and a row for every defect."""
    named = dict.fromkeys([f"rnncheck {rnncheck.__version__}", *(f"{name} {versions[name]}" for name in versions)])
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    page = PAGE.read_text(encoding="utf-8").format(
        versions=", ".join(named),
        machine=machine,
        rules=len(OF_RNNCHECK),
        others=len(OF_THE_PEERS),
        runs=runs,
        steps=STEPS,
        width=HIDDEN_SIZE,
        batch=BATCH,
        rate=LEARNING_RATE,
        summary_of_rnncheck=summary(answers, OF_RNNCHECK),
        summary_of_the_peers=summary(answers, OF_THE_PEERS),
        missed=items(missed(answers)),
        used=items(f"**{tool.name}**: {tool.used}" for tool in TOOLS),
        table_of_rnncheck=defects(answers, OF_RNNCHECK),
        table_of_the_peers=defects(answers, OF_THE_PEERS),
        checks=checks(answers),
        alarms=items(alarms(answers)),
        failures=items(failures(answers)),
        vocabulary=vocabulary(),
    )
    return page.rstrip() + "\n"


def missed(answers: Answers) -> Iterator[str]:
    """The defects that rnncheck does not find and a peer does."""
    for defect in DEFECTS:
        found = [tool.name for tool in TOOLS if answers[tool.name, defect.name].judgement.found]
        if found and TOOLS[0].name not in found:
            yield f"{code(defect.name)}, found by {', '.join(found)}"


def summary(answers: Answers, part: Sequence[Defect]) -> str:
    """A row for each tool."""
    rows = []
    for tool in TOOLS:
        given = [answers[tool.name, defect.name] for defect in part]
        made = [answer.judgement for answer in given]
        counts = (
            sum(one.found for one in made),
            sum(one.cause for one in made),
            sum(one.line for one in made),
            sum(bool(one.false_alarms) for one in made),
        )
        rows.append((tool.name, *map(str, counts), *time(given)))
    return table(("tool", "found", "cause named", "line named", "false alarms", "seconds", "forwards"), rows)


def time(answers: Sequence[Answer]) -> tuple[str, str]:
    """The seconds of a check, and in forwards of the unrolled model."""
    measured = [answer.times for answer in answers if answer.times]
    if not measured:
        return "", ""
    check = statistics.median(statistics.median(check for check, _ in times) for times in measured)
    ratio = statistics.median(statistics.median(check / forward for check, forward in times) for times in measured)
    return f"{check:.3f}", f"{ratio:.0f}"


def defects(answers: Answers, part: Sequence[Defect]) -> str:
    """A row for each defect, a column for each tool."""
    rows = [
        (code(defect.name), *(mark(answers[tool.name, defect.name].judgement) for tool in TOOLS)) for defect in part
    ]
    return table(("defect", *(tool.name for tool in TOOLS)), rows)


def mark(judgement: Judgement) -> str:
    """``found c l``, ``·`` or ``no answer``, with ``!`` for a false alarm on the twin."""
    if judgement.failed:
        return "no answer"
    words = ["found" if judgement.found else "·", "c" * judgement.cause, "l" * judgement.line]
    return " ".join(word for word in (*words, "!" * bool(judgement.false_alarms)) if word)


def checks(answers: Answers) -> str:
    rows = []
    for defect in DEFECTS:
        made = {tool.name: answers[tool.name, defect.name].judgement.checks for tool in TOOLS}
        rows.append((code(defect.name), "; ".join(f"{name}: {listed(found)}" for name, found in made.items() if found)))
    return table(("defect", "found by"), rows)


def listed(names: Sequence[str]) -> str:
    """The first few names."""
    more = len(names) - SHOWN
    return ", ".join(map(code, names[:SHOWN])) + (f" and {more} more" if more > 0 else "")


def alarms(answers: Answers) -> Iterator[str]:
    for tool in TOOLS:
        for defect in DEFECTS:
            if false := answers[tool.name, defect.name].judgement.false_alarms:
                yield f"{tool.name}, on the twin of {code(defect.name)}: {listed(false)}"


def failures(answers: Answers) -> Iterator[str]:
    """What kept a tool from an answer, if anything did."""
    for (tool, defect), answer in answers.items():
        if answer.judgement.failed:
            yield f"{tool}, on {code(defect)}: {answer.judgement.failed}"


def vocabulary() -> str:
    rows = [
        (
            code(defect.name),
            ", ".join(map(code, defect.names)),
            ", ".join(map(code, defect.words)),
            ", ".join(map(str, sorted(defect.lines))),
        )
        for defect in DEFECTS
    ]
    return table(("defect", "names", "terms", "lines"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def items(texts: Iterable[str]) -> str:
    """A list, or that there is nothing to list."""
    wrapped = (
        textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for text in texts
    )
    return "".join(f"{text}\n" for text in wrapped) or "None.\n"


def code(text: str) -> str:
    """A code span in a cell of a Markdown table, whatever the text holds."""
    text = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " * bool(longest)
    return f"{fence}{space}{text}{space}{fence}"
