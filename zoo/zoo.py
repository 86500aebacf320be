"""The published cells that rnncheck is held to: what they are, and whether what is said of one is right.

Each file of ``entries/`` is named like its package, as in ``requirements.txt``, and lists entries:

* ``target``, ``backend``, ``kwargs``, ``input_shape``, ``method``, ``call_kwargs``, ``state``: what a user types;
* ``env``: variables of the environment that are set before;
* ``expect``: ``clean``, or the rule that names what is truly wrong; as long as there is no such rule, clean is right;
* ``slot``: the index of the state that the defect is in, where that has to be told;
* ``allowed``: rules that may warn as well; ``note`` says why;
* ``call``: how the package itself means the cell to be called.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rnncheck
from rnncheck.formats import render
from rnncheck.rules import IDS
from rnncheck.usercode.expressions import value_of

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One published cell."""

    package: str
    target: str
    backend: str
    expect: str
    call: str
    note: str
    kwargs: tuple[str, ...] = ()
    input_shape: str | None = None
    method: str | None = None
    call_kwargs: tuple[str, ...] = ()
    state: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    slot: int | None = None
    allowed: tuple[str, ...] = ()

    @property
    def expected_rule(self) -> str | None:
        """The rule that has to find the defect; None for a healthy cell, or where the rule does not exist yet."""
        return self.expect if self.expect in IDS else None

    def arguments(self) -> list[str]:
        """The command line after ``rnncheck``, but for the backend."""
        typed = [self.target]
        for option, values in (("--kwargs", self.kwargs), ("--call-kwargs", self.call_kwargs)):
            for value in values:
                typed += [option, value]
        texts = {"--input-shape": self.input_shape, "--method": self.method, "--state": self.state}
        for option, text in texts.items():
            typed += [option, text] if text else []
        return typed

    @property
    def typed(self) -> str:
        """The same, as it stands in a shell."""
        return shlex.join(self.arguments())

    def options(self) -> dict[str, Any]:
        """The same for ``rnncheck.check``, with the backend."""
        options: dict[str, Any] = {"backend": self.backend}
        for name in ("kwargs", "call_kwargs"):
            pairs = (text.partition("=") for text in getattr(self, name))
            options[name] = {key: value_of(value) for key, _, value in pairs}
        if self.input_shape:
            options["input_shape"] = tuple(int(size) for size in self.input_shape.split(","))
        for name in ("method", "state"):
            if getattr(self, name):
                options[name] = getattr(self, name)
        return options


@dataclass(frozen=True)
class Seen:
    """What one check said: its findings as (rule, severity, index of the state), those that follow left out."""

    verdict: str
    findings: tuple[tuple[str, str, int | None], ...]
    convention: str | None = None
    error: str | None = None

    @property
    def counting(self) -> tuple[str, tuple[tuple[str, str, int | None], ...]]:
        """What must be the same under every seed: the verdict, and what is more than a note."""
        return self.verdict, tuple(sorted({item for item in self.findings if item[1] != "note"}, key=repr))


def check(entry: Entry, seed: int) -> dict[str, Any]:
    """What rnncheck says of an entry: one of the results of its JSON report."""
    report = rnncheck.check(entry.target, seed=seed, **entry.options())
    (result,) = json.loads(render(report, "json"))["results"]
    assert isinstance(result, dict)
    return result


def seen(document: Mapping[str, Any]) -> Seen:
    """What counts of one of the results of the JSON report."""
    findings = [item for item in document["findings"] if item["explained_by"] is None]
    return Seen(
        document["verdict"],
        tuple((item["rule"], item["severity"], item["state_index"]) for item in findings),
        document["convention"],
        document["error"]["message"] if document["error"] else None,
    )


def entries(packages: Iterable[str] | None = None) -> Iterator[Entry]:
    """All entries, or those of some packages."""
    wanted = None if packages is None else set(packages)
    for path in sorted((HERE / "entries").glob("*.json"), key=lambda path: path.stem.lower()):
        if wanted is None or path.stem in wanted:
            for item in json.loads(path.read_text(encoding="utf-8")):
                yield entry_of({"package": path.stem, **item})


def entry_of(document: Mapping[str, Any]) -> Entry:
    """An entry from JSON."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    return Entry(**values)


def small() -> list[str]:
    """The packages of ``small.txt``, and the frameworks themselves."""
    lines = (HERE / "small.txt").read_text(encoding="utf-8").splitlines()
    return ["torch", "keras", *(line.partition("==")[0] for line in lines if "==" in line)]


def alarms(entry: Entry, said: Seen) -> list[str]:
    """What is said and is not true of the cell."""
    false = []
    for rule, severity, index in said.findings:
        right = rule == entry.expected_rule and entry.slot in (None, index)
        if severity != "note" and not right and not (severity == "warning" and rule in entry.allowed):
            false.append(f"{severity} {rule}" + (f" (state {index})" if index is not None else ""))
    return false


def missed(entry: Entry, said: Seen) -> bool:
    """Whether the defect is there, a rule for it too, and nothing is said."""
    rule = entry.expected_rule
    found = {name for name, _, index in said.findings if entry.slot in (None, index)}
    return rule is not None and said.verdict != "error" and rule not in found
