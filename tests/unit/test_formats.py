"""What a report looks like, on hand-made results."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import re
from typing import Any

import jsonschema
import pytest
from rich.cells import cell_len

from rnncheck.findings import (
    Finding,
    Location,
    Outcome,
    Problem,
    Related,
    Report,
    Result,
    State,
    Suppression,
    TimelineEntry,
)
from rnncheck.formats import render
from rnncheck.settings import FORMATS

ANSI = re.compile(r"\x1b\[")
SETTINGS = {
    "seed": 0,
    "steps": 2,
    "batch": 3,
    "input_shape": [5],
    "dtype": "float32",
    "device": "cpu",
    "kwargs": {"units": 8},
    "method": "call",
    "call_kwargs": {"ts": 0.5},
    "state": [{"name": "h", "shape": [8]}, {"name": None, "shape": [4, 6, 7]}],
}
FROZEN = Finding(
    "returned-old-state",
    "error",
    "call() computes new and returns old.",
    Location("cells.py", 22, 9, 22, "return output, old"),
    state="h",
    state_index=0,
    steps=(0, 1),
    suggestion="return output, [new]",
    related=(Related(19, "computed here, then dropped", "new = x + h"),),
    evidence={"same_object": True},
)
CONSEQUENCE = Finding("unchanged-initial-state", "error", "It stays.", explained_by="returned-old-state")


def result(**changes: Any) -> Result:
    fields: dict[str, Any] = {
        "target": "cells.py:Cell",
        "verdict": "findings",
        "backend": "tf",
        "backend_version": "tensorflow 2.21.0, keras 3.15.1",
        "settings": SETTINGS,
        "convention": "(inputs, [h]) -> (output, [h])",
        "states": (State(0, "h", (8,), "float32"),),
        "findings": (FROZEN, CONSEQUENCE),
        "outcomes": (Outcome("returned-old-state", "failed"), Outcome("ignored-recurrence", "passed")),
        "timeline": (TimelineEntry(0, "h", 0.0, 1.31, 0.0, True), TimelineEntry(1, "h", 0.0, None, 0.0, True)),
        "influence": {"value": {"h": {"h": 1.0}}, "gradient": {"h": {"h": None}}, "gradient_error": None},
    }
    return Result(**{**fields, **changes})


CLEAN = result(verdict="clean", findings=(), target="cells.py:Healthy")
UNKNOWN = Result(
    "cells.py:Odd", "error", settings=SETTINGS, error=Problem("call", "It raised.", "Type this.", "Trace\n  x")
)
MIXED = Report((result(), CLEAN, UNKNOWN))


def suppressed(by: Any = "comment", reason: str | None = "a stub", **changes: Any) -> Result:
    """A result of which all findings are suppressed."""
    why = Suppression(by, reason)
    findings = tuple(dataclasses.replace(finding, suppressed=why) for finding in (FROZEN, CONSEQUENCE))
    return result(verdict="clean", findings=findings, **changes)


def test_the_full_report_says_cause_line_and_remedy() -> None:
    text = render(Report((result(),)), "full")
    for expected in (
        "✗ returned-old-state  state h (8 units), steps 0–1",
        "cells.py:22",
        "call() computes new and returns old.",
        "19 │ new = x + h         computed here, then dropped",
        "22 │ return output, old",
        "instead: return output, [new]",
        "follows: unchanged-initial-state",
        "0   ▁ 0.00        █ 1.31        ▁ 0.00  = previous",
        "1 error",
    ):
        assert expected in text
    assert "It stays." not in text


def test_the_full_report_of_several_targets() -> None:
    text = render(MIXED, "full")
    assert "✓ clean  1 rule passed" in text
    assert "? no verdict  It raised." in text
    assert "Type this." in text
    assert "3 cells: 1 error, 1 without a verdict, 1 clean" in text


def test_colour_adds_nothing_but_colour() -> None:
    plain = render(MIXED, "full", color=False)
    coloured = render(MIXED, "full", color=True)
    assert not ANSI.search(plain)
    assert ANSI.search(coloured)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_80_columns_hold_whatever_the_messages_length() -> None:
    long = FROZEN.__class__(
        **{**vars(FROZEN), "message": "word " * 60, "related": (Related(19, "dropped", "x = " + "y" * 200),)}
    )
    text = render(Report((result(findings=(long,)),)), "full", width=80)
    assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_a_long_path_stays_on_one_line() -> None:
    path = "/".join(["a_rather_long_folder"] * 8) + "/cells.py"
    finding = FROZEN.__class__(**{**vars(FROZEN), "location": Location(path, 22, 9, 22)})
    assert f"{path}:22" in render(Report((result(findings=(finding,)),)), "full", width=80)


@pytest.mark.parametrize("output_format", FORMATS)
def test_what_the_target_is_called_is_data_and_never_markup(output_format: str) -> None:
    evil = "[red]x[/red] \x1b[31m :smile: rnncheck[torch]\n::error::"
    finding = FROZEN.__class__(**{**vars(FROZEN), "message": evil, "state": evil, "suggestion": evil})
    text = render(Report((result(target=evil, findings=(finding,)),)), output_format)
    assert "\x1b" not in text
    assert "[red]x[/red]" in text
    assert "rnncheck[torch]" in text
    assert ":smile:" in text
    if output_format == "concise":
        assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("by", "reason", "shown"),
    [
        ("comment", "a stub", "a stub"),
        ("comment", "a\x1b[31m stub", "a\\x1b[31m stub"),
        ("comment", None, "no reason given"),
        ("configuration", "a stub", "a stub"),
        ("configuration", None, "pyproject.toml"),
        ("option", None, "as asked"),
    ],
)
def test_what_is_suppressed_is_one_line_of_the_full_report(by: str, reason: str | None, shown: str) -> None:
    lines = render(Report((suppressed(by, reason),)), "full").splitlines()
    assert lines[1:3] == ["✓ clean  1 rule passed", f"  ignored: returned-old-state (cells.py:22: {shown})"]
    assert "follows" not in "".join(lines)
    assert "unchanged-initial-state" not in "".join(lines)


def test_a_suppressed_consequence_is_not_shown_below_its_cause() -> None:
    findings = (FROZEN, dataclasses.replace(CONSEQUENCE, suppressed=Suppression("comment", "a stub")))
    text = render(Report((result(findings=findings),)), "full")
    assert "✗ returned-old-state" in text
    assert "follows" not in text
    assert "ignored" not in text


def test_what_is_suppressed_counts_nowhere_and_stays_in_json() -> None:
    report = Report((suppressed(), CLEAN), "warning")
    assert report.exit_status() == 0
    assert report.results[0].count("error") == 0
    assert render(report, "full").splitlines()[-1] == "2 cells: 2 clean"
    assert render(report, "concise") == ""
    document = json.loads(render(report, "json"))
    jsonschema.validate(document, schema())
    assert [(item["rule"], item["suppressed"]) for item in document["results"][0]["findings"]] == [
        ("returned-old-state", {"by": "comment", "reason": "a stub"}),
        ("unchanged-initial-state", {"by": "comment", "reason": "a stub"}),
    ]


def test_concise_is_one_line_a_finding() -> None:
    assert render(MIXED, "concise").splitlines() == [
        "cells.py:22:9: returned-old-state Cell: call() computes new and returns old.",
        "cells.py:Odd: no-verdict It raised. Type this.",
    ]


def test_concise_without_a_line_names_the_target() -> None:
    finding = FROZEN.__class__(**{**vars(FROZEN), "location": Location()})
    assert render(Report((result(findings=(finding,)),)), "concise").startswith("cells.py:Cell: returned-old-state ")


def schema() -> Any:
    return json.loads(importlib.resources.files("rnncheck.formats").joinpath("report.schema.json").read_text())


def test_json_follows_its_schema() -> None:
    document = json.loads(render(MIXED, "json"))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(document, schema())
    assert [item["verdict"] for item in document["results"]] == ["findings", "clean", "error"]
    assert document["results"][0]["findings"][0]["related"] == [{"line": 19, "message": "computed here, then dropped"}]


def test_json_takes_any_constructor_argument() -> None:
    kwargs = {"activation": print, "scale": float("inf"), "sizes": (1, float("nan"))}
    document = json.loads(render(Report((result(settings={**SETTINGS, "kwargs": kwargs}),)), "json"))
    jsonschema.validate(document, schema())
    assert document["results"][0]["settings"]["kwargs"]["scale"] == "inf"


@pytest.mark.parametrize(
    ("results", "fail_on", "status"),
    [
        ((CLEAN,), "error", 0),
        ((result(),), "error", 1),
        ((result(),), "never", 0),
        ((CLEAN, UNKNOWN), "never", 2),
        ((result(), UNKNOWN), "error", 2),
        ((), "error", 2),
        ((result(findings=(Finding("x", "warning", ""),)),), "error", 0),
        ((result(findings=(Finding("x", "warning", ""),)),), "warning", 1),
        ((result(verdict="clean", findings=(Finding("x", "note", ""),)),), "warning", 0),
    ],
)
def test_exit_status(results: tuple[Result, ...], fail_on: str, status: int) -> None:
    assert Report(results, fail_on).exit_status() == status
