"""``docs/peers.md``."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import rnncheck
from peers.defects import OF_RNNCHECK, OF_THE_PEERS, Defect
from peers.judge import Judgement
from peers.model import BATCH, HIDDEN_SIZE, LEARNING_RATE, STEPS
from peers.tools import TOOLS, Tool


@dataclass(frozen=True)
class Answer:
    """What one tool made of one defect; ``times`` are seconds of a check and of the forward measured right after it."""

    judgement: Judgement
    times: tuple[tuple[float, float], ...] = ()


Answers = Mapping[tuple[str, str], Answer]

HEAD = """# rnncheck and its peers

<!-- Written by `make peers`: do not edit. -->

What people use today, on the same defects: {versions}. {machine}.

## In short

"""

LEGEND = """
The first numbers are of the {rules} defects of rnncheck's own rules and their {rules} repaired twins, the second of the
{others} defects that the peers look for. A check is timed on repaired cells, where nothing cuts it short: the median of
{runs} runs after one to warm up, then of the cells, in a process that has imported everything; next to it the same as a
multiple of one bare forward of the unrolled model, measured right after each run.
"""

USE = """## What was run

A defect is a cell, and its twin is the same cell repaired. Around it stands the smallest model that a user would train:
the cell unrolled over {steps} steps from zeros, or from what its `init_hidden` gives, with {width} inputs and {width}
units, its last output read out by a linear layer, the mean squared error against random targets, a batch of {batch},
and Adam with a learning rate of {rate}. Each tool has a process of its own for each defect, one thread, and sees a file
without any mark of what is wrong.

{tools}
"""

RULES = """## What counts

Judged is by rule, not by hand:

- **found**: the tool says something of the broken cell that it does not say of the twin: by another of its checks, for
  torch-audit about another layer, for ruff in other words. Where the broken cell raises under the tool and the twin
  does not, that counts, too.
- **cause named** (`c`): such a message has the variable or the weight at fault as a word of its own, or a term of the
  defect; both are listed below.
- **line named** (`l`): such a message, or its traceback, names a line of the cell that is at fault.
- **false alarm** (`!`): a failure or a warning on the twin. Mere advice, such as all that ruff says of style, is none.

The first table has the sample cells of rnncheck's own rules, on which its tests hold it: that it finds them all is no
merit. The second has defects of the kinds that the peers' documentation says they find, put into a cell. `found` with
nothing behind it is a symptom without cause and line.
"""


def document(answers: Answers, versions: Mapping[str, str], runs: int) -> str:
    """The page: the summary, what was run, what counts, and a row for every defect."""
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    named = [f"rnncheck {rnncheck.__version__}", *(f"{_package(tool)} {versions[tool.name]}" for tool in TOOLS[1:])]
    every = (*OF_RNNCHECK, *OF_THE_PEERS)
    parts = [
        HEAD.format(versions=", ".join(dict.fromkeys(named)), machine=machine),
        summary(answers),
        LEGEND.format(rules=len(OF_RNNCHECK), others=len(OF_THE_PEERS), runs=runs),
        "\n"
        + USE.format(
            steps=STEPS,
            width=HIDDEN_SIZE,
            batch=BATCH,
            rate=LEARNING_RATE,
            tools="\n".join(f"- **{tool.name}**: {tool.used}" for tool in TOOLS),
        ),
        "\n" + RULES,
        "\n## The defects of rnncheck's rules\n\n",
        defects(answers, OF_RNNCHECK),
        "\n## Defects of the kinds that the peers look for\n\n",
        defects(answers, OF_THE_PEERS),
        "\n## What found it\n\nThe checks that told the broken cell from its twin, by the tools' own names.\n\n",
        checks(answers, every),
        "\n## False alarms\n\n",
        alarms(answers, every),
        *failures(answers),
        "\n## What names the cause\n\n",
        vocabulary(every),
    ]
    return "".join(parts)


def summary(answers: Answers) -> str:
    """A row for each tool: of rnncheck's defects, of the peers', and over all."""
    rows = []
    for tool in TOOLS:
        cells: list[str] = []
        for part in (OF_RNNCHECK, OF_THE_PEERS):
            made = [answers[tool.name, defect.name].judgement for defect in part]
            cells += [str(sum(one.found for one in made)), str(sum(one.cause for one in made))]
            cells += [str(sum(one.line for one in made)), str(sum(bool(one.false_alarms) for one in made))]
        rows.append((tool.name, *cells, *_time([answers[tool.name, defect.name] for defect in OF_RNNCHECK])))
    kinds = ("found", "cause", "line", "false alarms")
    header = ("tool", *(f"{kind}, {count}" for count in (len(OF_RNNCHECK), len(OF_THE_PEERS)) for kind in kinds))
    return table((*header, "seconds", "forwards"), rows)


def _time(answers: Sequence[Answer]) -> tuple[str, str]:
    measured = [answer.times for answer in answers if answer.times]
    if not measured:
        return "", ""
    check = statistics.median(statistics.median(check for check, _ in times) for times in measured)
    ratio = statistics.median(statistics.median(check / forward for check, forward in times) for times in measured)
    return f"{check:.3f}", f"{ratio:.0f}"


def defects(answers: Answers, part: Sequence[Defect]) -> str:
    """A row for each defect, a column for each tool."""
    rows = [
        (f"`{defect.name}`", *(mark(answers[tool.name, defect.name].judgement) for tool in TOOLS)) for defect in part
    ]
    return table(("defect", *(tool.name for tool in TOOLS)), rows)


def mark(judgement: Judgement) -> str:
    """``found c l``, ``·``, ``failed``, each with ``!`` for a false alarm on the twin."""
    if judgement.failed:
        return "no answer"
    words = ["found" if judgement.found else "·", "c" * judgement.cause, "l" * judgement.line]
    return " ".join(word for word in (*words, "!" * bool(judgement.false_alarms)) if word)


def checks(answers: Answers, part: Sequence[Defect]) -> str:
    rows = []
    for defect in part:
        said = [
            f"{tool.name}: {', '.join(f'`{check}`' for check in found)}"
            for tool in TOOLS
            if (found := answers[tool.name, defect.name].judgement.checks)
        ]
        rows.append((f"`{defect.name}`", "; ".join(_escaped(text) for text in said)))
    return table(("defect", "found by"), rows)


def alarms(answers: Answers, part: Sequence[Defect]) -> str:
    lines = [
        f"- {tool.name}, on the twin of `{defect.name}`: {', '.join(f'`{check}`' for check in false)}"
        for tool in TOOLS
        for defect in part
        if (false := answers[tool.name, defect.name].judgement.false_alarms)
    ]
    return "\n".join(lines or ["None."]) + "\n"


def failures(answers: Answers) -> list[str]:
    """What kept a tool from an answer, if anything did."""
    lines = [
        f"- {tool}, `{defect}`: {answer.judgement.failed}"
        for (tool, defect), answer in answers.items()
        if answer.judgement.failed
    ]
    return ["\n## Without an answer\n\n", "\n".join(lines), "\n"] if lines else []


def vocabulary(part: Sequence[Defect]) -> str:
    rows = [
        (
            f"`{defect.name}`",
            ", ".join(f"`{name}`" for name in defect.names),
            ", ".join(f"`{_escaped(word)}`" for word in defect.words),
            ", ".join(str(line) for line in sorted(defect.lines)),
        )
        for defect in part
    ]
    return table(("defect", "names", "terms", "lines"), rows)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _package(tool: Tool) -> str:
    return tool.package or tool.name


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
