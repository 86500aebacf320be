"""What is meant: findings that a comment, the configuration or an option ignores."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from traces import stuck

from rnncheck.findings import Finding, Location, Outcome, Suppression
from rnncheck.rules import IDS, by_id
from rnncheck.run import apply
from rnncheck.settings import Override, Settings
from rnncheck.suppression import remarks
from rnncheck.trace import Trace
from rnncheck.usercode import source

# The finding is on the line with FOUND, in the class Cell.
CELL = """
import torch

class Other(Base):
    def forward(self, x, h):
        return x, h

class Cell(Base):
    def forward(self, x, h):
        new = update(x, h)
        return new, h  FOUND
"""


def cell(path: Path, text: str, **changes: object) -> Trace:
    """A Trace whose only slot is returned as it went in, in a file with this text, which must be a new one: files are
    read once."""
    assert not path.exists()
    path.write_text(text.replace("FOUND", ""))
    number = next(number for number, line in enumerate(text.splitlines(), 1) if "FOUND" in line)
    given = stuck(**changes)  # type: ignore[arg-type]
    returns = source.span(str(path), number)
    line = source.class_line(str(path), "Cell", number)
    defined = (str(path), line) if line else None
    return dataclasses.replace(
        given, method=dataclasses.replace(given.method, path=str(path), returns=returns, defined=defined)
    )


@pytest.fixture
def new_file(tmp_path: Path) -> Iterator[Path]:
    return (folder / "cells.py" for number in itertools.count() if (folder := tmp_path / str(number)).mkdir() is None)


@pytest.fixture
def why(new_file: Iterator[Path]) -> Callable[..., Suppression | None]:
    """Who suppresses the finding of a file's text."""

    def why(text: str, settings: Settings | None = None) -> Suppression | None:
        findings, _ = apply(cell(next(new_file), text), settings or Settings())
        assert [finding.rule for finding in findings] == ["returned-old-state", "unchanged-initial-state"]
        assert findings[0].suppressed == findings[1].suppressed
        return findings[0].suppressed

    return why


@pytest.fixture
def said(new_file: Iterator[Path]) -> Callable[[str], list[str]]:
    """The remarks on a file's text, without the file's folder."""

    def said(text: str) -> list[str]:
        path = next(new_file)
        trace = cell(path, text)
        findings, _ = apply(trace, Settings())
        return [remark.replace(f"{path.parent}/", "") for remark in remarks(trace, findings)]

    return said


MEANT = Suppression("comment", "a stub")
MARK = "# rnncheck: ignore[returned-old-state] a stub"


def test_without_a_comment_nothing_is_suppressed(why, said) -> None:
    assert why(CELL) is None
    assert said(CELL) == []


@pytest.mark.parametrize(
    "text",
    [
        CELL.replace("FOUND", f"FOUND {MARK}"),
        CELL.replace("        return new", f"        {MARK}\n        return new"),
        CELL.replace("        return new", f"        {MARK}\n        # and more to say\n        return new"),
        CELL.replace("return new, h  FOUND", f"return (\n    new,  {MARK}\n    h,\n)  FOUND"),
        CELL.replace("return new, h  FOUND", f"return (  FOUND\n    new,\n    h,\n)  {MARK}"),
        CELL.replace("return new, h  FOUND", f"return (  FOUND\n    new,\n    {MARK}\n    h,\n)"),
        CELL.replace("class Cell(Base):", f"class Cell(Base):  {MARK}"),
        CELL.replace("class Cell(Base):", f"class Cell(\n    Base,  {MARK}\n):"),
        CELL.replace("class Cell(Base):", f"{MARK}\nclass Cell(Base):"),
        CELL.replace("class Cell(Base):", f"@final  {MARK}\nclass Cell(Base):"),
        CELL.replace("class Cell(Base):", f"{MARK}\n@final\nclass Cell(Base):"),
        CELL.replace("class Cell(Base):", f"@final\n{MARK}\n@register(\n    'cell')\nclass Cell(Base):"),
        CELL.replace("FOUND", "FOUND # rnncheck: ignore[batch-leak] x  # rnncheck: ignore[returned-old-state] a stub"),
        CELL.replace("FOUND", f"FOUND # noqa: E501  {MARK}  # type: ignore"),
    ],
)
def test_a_comment_on_the_statement_or_on_the_class(why, said, text: str) -> None:
    assert why(text) == MEANT
    assert said(text) == []


@pytest.mark.parametrize(
    "text",
    [
        CELL.replace("        new =", f"        {MARK}\n        new ="),
        CELL.replace("        return new", f"        {MARK}\n\n        return new"),
        CELL.replace("update(x, h)", f"update(x, h)  {MARK}"),
        CELL.replace("class Other(Base):", f"class Other(Base):  {MARK}"),
        CELL.replace("class Cell(Base):", f"    # the last of Other\n{MARK}\n\nclass Cell(Base):"),
        CELL.replace("(self, x, h):\n        new", f"(self, x, h):  {MARK}\n        new"),
        CELL.replace("        new =", f"        '{MARK}'\n        new ="),
        CELL.replace("class Cell(Base):", f"class Cell(Base):\n    '''\n{MARK}\n'''"),
        CELL.replace("return new, h", f"return '{MARK}', h"),
        CELL.replace("FOUND", "FOUND # rnncheck: ignore[unchanged-initial-state] a stub"),
        CELL.replace("import torch", f"import torch  {MARK}"),
        CELL + f"\n    {MARK}\n",
    ],
)
def test_a_comment_elsewhere_or_in_a_string_suppresses_nothing(tmp_path: Path, text: str) -> None:
    findings, outcomes = apply(cell(tmp_path / "cells.py", text), Settings())
    assert findings[0].rule == "returned-old-state"
    assert findings[0].suppressed is None
    assert Outcome("returned-old-state", "failed") in outcomes


def test_the_head_of_a_block_is_a_statement_of_its_own(tmp_path: Path) -> None:
    """A finding on a ``with`` is not what a comment inside its block is about."""
    text = CELL.replace("        new = update(x, h)", "        with no_grad():  FOUND\n            new = 1  COMMENT")
    text = text.replace("h  FOUND", "h")
    for mark, place in ((None, "COMMENT"), (MEANT, "FOUND")):
        findings, _ = apply(cell(tmp_path / f"{place}.py", text.replace(place, f"{MARK}  FOUND")), Settings())
        assert findings[0].location.line == text[: text.index("with")].count("\n") + 1
        assert findings[0].suppressed == mark


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("# rnncheck: ignore[returned-old-state] a stub", "a stub"),
        ("#rnncheck:ignore[ batch-leak ,returned-old-state ]  a stub ", "a stub"),
        ("# rnncheck: ignore[returned-old-state]: a stub", "a stub"),
        ("# rnncheck: ignore[returned-old-state] - see #12", "see #12"),
        ("# rnncheck: ignore[returned-old-state] — a [stub]", "a [stub]"),
        ("# rnncheck: ignore[returned-old-state]", None),
        ("# rnncheck: ignore[returned-old-state]  # noqa", None),
    ],
)
def test_how_a_comment_may_be_written(why, comment: str, reason: str | None) -> None:
    assert why(CELL.replace("FOUND", f"FOUND {comment}")) == Suppression("comment", reason)


def test_a_missing_reason_is_asked_for(said) -> None:
    text = CELL.replace("class Cell(Base):", "class Cell(Base):  # rnncheck: ignore[returned-old-state]")
    asked = "cells.py:8: no reason is given for ignoring {}: write # rnncheck: ignore[rule] reason"
    assert said(text) == [asked.format("returned-old-state")]
    assert said(text.replace("ignore[", "ignore[batch-leak, ")) == [asked.format("batch-leak and returned-old-state")]


@pytest.mark.parametrize(
    ("comment", "remark"),
    [
        ("ignore[returned-old-stat] x", "there is no rule 'returned-old-stat' to ignore: did you mean returned-old-state?"),
        ("ignore[E501] x", "there is no rule 'E501' to ignore: see rnncheck --list-rules"),
        *(
            (text, "this comment is not understood and ignores nothing: write # rnncheck: ignore[rule] reason")
            for text in ("ignore", "ignore[]", "ignore(batch-leak)", "disable=batch-leak", "")
        ),
    ],
)  # fmt: skip
def test_a_wrong_comment_is_told_of(said, comment: str, remark: str) -> None:
    for place in ("class Cell(Base):", "new = update(x, h)"):
        text = CELL.replace(place, f"{place}  # rnncheck: {comment}")
        assert said(text) == [f"cells.py:{text[: text.index('rnncheck:')].count(chr(10)) + 1}: {remark}"]
    assert said(CELL.replace("class Other(Base):", f"class Other(Base):  # rnncheck: {comment}")) == []


def test_a_comment_on_the_cells_own_class_holds_for_a_method_of_another(tmp_path: Path) -> None:
    base = CELL.replace("class Cell(Base):", "class Base:")
    trace = cell(tmp_path / "base.py", base)
    own = tmp_path / "own.py"
    own.write_text(f"from base import Base\n{MARK}\nclass Cell(Base): pass\n")
    trace = dataclasses.replace(trace, method=dataclasses.replace(trace.method, defined=(str(own), 3)))
    assert apply(trace, Settings())[0][0].suppressed == MEANT


def test_a_comment_on_the_class_of_the_method_holds_for_those_that_derive_from_it(why) -> None:
    text = CELL.replace("class Cell(Base):", f"class Base:  {MARK}") + "\nclass Cell(Base): pass\n"
    assert why(text) == MEANT


def test_an_option_and_the_configuration(why) -> None:
    text = CELL.replace("FOUND", f"FOUND {MARK}")
    ignored = Settings(ignore=("returned-old-state",))
    override = Override(("*",), ("returned-old-state",), "a pass-through")
    overridden = Settings(ignore=("returned-old-state",), overrides=(override,))
    assert why(CELL, ignored) == Suppression("option")
    assert why(CELL, dataclasses.replace(ignored, ignored_by="configuration")) == Suppression("configuration")
    assert why(CELL, overridden) == Suppression("configuration", "a pass-through")
    assert why(text, overridden) == MEANT


def test_without_a_source_there_are_no_comments() -> None:
    findings, _ = apply(stuck(), Settings())
    assert findings[0].location == Location()
    assert findings[0].suppressed is None
    assert remarks(stuck(), findings) == ()


def test_a_rule_all_of_whose_findings_are_suppressed_neither_failed_nor_passed(tmp_path: Path) -> None:
    _, outcomes = apply(cell(tmp_path / "cells.py", CELL.replace("FOUND", f"FOUND {MARK}")), Settings())
    assert [outcome for outcome in outcomes if outcome.outcome not in ("passed", "skipped")] == [
        Outcome("returned-old-state", "suppressed", "a stub"),
        Outcome("unchanged-initial-state", "suppressed", "a stub"),
    ]


def test_a_consequence_is_suppressed_only_when_all_of_its_cause_is(tmp_path: Path) -> None:
    path = tmp_path / "cells.py"
    path.write_text(f"a = 1  {MARK}\nb = 2\n")

    def at(line: int) -> Finding:
        return Finding("returned-old-state", "error", "", Location(str(path), line))

    follows = Finding("unchanged-initial-state", "error", "", explained_by="returned-old-state")

    def suppressed(*findings: Finding) -> list[Suppression | None]:
        rules = [
            dataclasses.replace(
                by_id(rule), check=lambda trace, rule=rule: [item for item in findings if item.rule == rule]
            )
            for rule in ("returned-old-state", "unchanged-initial-state")
        ]
        return [finding.suppressed for finding in apply(stuck(), Settings(), rules)[0]]

    assert suppressed(at(1), follows) == [MEANT, MEANT]
    assert suppressed(at(1), at(2), follows) == [MEANT, None, None]


def test_what_follows_from_a_cause_that_is_ignored_and_was_not_selected_stays_suppressed() -> None:
    settings = Settings(select=("unchanged-initial-state",), ignore=("returned-old-state",))
    findings, _ = apply(stuck(), settings)
    assert [(finding.rule, finding.suppressed) for finding in findings] == [
        ("unchanged-initial-state", Suppression("option"))
    ]


def test_the_comments_in_readme_and_docs_name_rules_and_reasons() -> None:
    root = Path(__file__).parents[2]
    text = "".join((root / name).read_text() for name in ("README.md", "docs/rules.md"))
    comments = re.findall(r"# rnncheck: ignore\[([^\]]*)\] *([^`\n]*)", text)
    assert len(comments) >= 3
    assert [rule for rules, _ in comments for rule in rules.split(", ") if rule not in IDS] == []
    assert all(reason for _, reason in comments)
