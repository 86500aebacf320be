"""Whatever is typed, configured or reported: an answer of rnncheck's, never an exception of another kind."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fuzzing import ANYTHING, TEXT, examples
from hypothesis import assume, example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from rnncheck import cli, target, unchecked
from rnncheck.checking import check_targets
from rnncheck.errors import CallError, RnncheckError
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
from rnncheck.rules import IDS
from rnncheck.settings import FORMATS, OVERRIDABLE, Settings, configured, from_options, memory_size, state_parts
from rnncheck.usercode.expressions import Expression, text_of, value_of

SCHEMA = json.loads(importlib.resources.files("rnncheck.formats").joinpath("report.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)
DEEP = 2_000
"""Deeper than Python's stack, yet no deeper than its parser goes."""

FILES = {
    "cells.py": b"class Cell:\n    def call(self, inputs, state):\n        return state\n",
    "nothing.py": b"",
    "no_python.py": b"class Cell(:\n",
    "latin.py": b"# caf\xe9\n",
    "null.py": b"x = 1\0\n",
    "deep.py": b"x = " + b"-" * 20_000 + b"1\n",
    "chain.py": b"x = y"
    + b".z" * DEEP
    + b"\n\n\nclass Cell:\n    def call(self, inputs, state):\n        return state\n",
    "ends.py": b"raise SystemExit(3)\n",
    "raises.py": b"raise BaseException('\\x1b[2J[red]\\ud800')\n",
    "package/__init__.py": b"",
    "package/inside.py": b"from . import missing\n",
    "text.txt": b"class Cell: ...\n",
    "folder.py/cell.py": b"",
    "empty/readme": b"",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with all that a folder of Python files may hold."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    (tmp_path / "loop.py").symlink_to("loop.py")
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def documents(report: Report) -> dict[str, str]:
    """The report in every format; its JSON is valid."""
    written = {name: render(report, name) for name in FORMATS}
    VALID.validate(json.loads(written["json"]))
    return written


def answered(ask: Callable[[], Any]) -> tuple[Any, str]:
    """What comes of it, or else the message with which it is refused."""
    try:
        return ask(), ""
    except RnncheckError as error:
        return None, error.message


# Targets

PLACES = [*FILES, "gone.py", "loop.py", "empty", "folder.py", "package", "package.inside", "json", ".", "..", "~"]
PART = st.one_of(st.sampled_from([*PLACES, "Cell", "Cell.call", "", " "]), st.text(ANYTHING, max_size=8))
TARGET = st.one_of(
    TEXT,
    st.lists(PART, max_size=5).flatmap(
        lambda parts: st.sampled_from([":", ".", "/", "::", ""]).map(lambda by: by.join(parts))
    ),
    st.builds(lambda part, times: part * times, PART, st.sampled_from([300, 5_000])),
)


@examples(400)
@given(text=TARGET, defs_only=st.booleans())
@example(text="...", defs_only=False)
@example(text="x" * 300, defs_only=False)
@example(text="x" * 300 + ".py", defs_only=False)
@example(text="\0.py:Cell", defs_only=False)
@example(text="\ud800:Cell", defs_only=False)
@example(text="deep.py", defs_only=True)
@example(text="chain.py", defs_only=True)
@example(text=".", defs_only=True)
def test_a_target_has_a_verdict_or_the_reason_why_not(folder: Path, text: str, defs_only: bool) -> None:
    # What lies above the folder is none of the test's.
    assume(not os.path.isdir(text) or Path(text).resolve().is_relative_to(folder.resolve()))
    report = check_targets([text], Settings(defs_only=defs_only))
    assert report.results
    for result in report.results:
        assert result.error is not None, "no framework was asked for"
        assert result.error.type in ("target", "backend", "build", "call"), result.error.message
    assert report.exit_status() == 2
    documents(report)


@examples(200)
@given(
    source=st.one_of(
        st.binary(max_size=60), st.text(ANYTHING, max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
)
def test_a_file_of_anything_is_loaded_or_refused(folder: Path, source: bytes) -> None:
    path = folder / "anything.py"
    path.write_bytes(source)
    for defs_only in (True, False):
        spec = target.parse("anything.py")
        loaded, refused = answered(lambda: target.load(spec, defs_only=defs_only))  # noqa: B023
        assert bool(loaded) != bool(refused)


# Arguments

NAMES = st.sampled_from(
    ["int", "str", "os", "os.sep", "math.pi", "math.inf", "math.no", "no.where", "json.loads", "x.y", "__main__.x"]
)
LITERALS = st.sampled_from(
    ["1", "-1.5", "1e999", "'a'", "b'a'", "None", "True", "...", "0x" + "f" * 5_000, "1j", "f''", "[]", "{}"]
)
EXPRESSION = st.recursive(
    NAMES | LITERALS,
    lambda inner: st.one_of(
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("{{{}, {}}}".format, inner, inner),
        st.builds("-{}".format, inner),
        st.builds("+{}".format, inner),
        st.builds("{}({})".format, NAMES, inner),
        st.builds("{}({}, key={})".format, NAMES, inner, inner),
        st.builds("{}(*{})".format, NAMES, inner),
        st.builds("{}(**{})".format, NAMES, inner),
        st.builds("{{**{}}}".format, inner),
        st.builds("{}[{}]".format, inner, inner),
    ),
    max_leaves=6,
)


@examples(400)
@given(text=EXPRESSION | st.text(ANYTHING, max_size=30) | st.text("()[]{}.,:'\"-+ab1", max_size=30))
@example("x" + ".y" * DEEP)
@example("-" * DEEP + "int(1)")
@example("[" * 90 + "int(1)" + "]" * 90)
@example("__main__.x")
@example("{[int(1)]: 2}")
@example("-str(1)")
@example("0x" + "f" * 5_000)
def test_an_argument_is_a_value_or_what_was_wrong_with_it(text: str) -> None:
    value = value_of(text)
    if isinstance(value, Expression):
        value, refused = answered(lambda: value_of(text).resolved({}))
        assert not refused or refused.startswith("--kwargs")
    settings = {**unchecked.given(Settings()), "kwargs": {"argument": value}, "call_kwargs": {"argument": [value]}}
    assert text_of(value)
    documents(Report((Result("cells.py:Cell", "error", settings=settings, error=Problem("call", "It raised.")),)))


SIZES = st.one_of(
    st.text("0123456789xh:,. ", max_size=20), TEXT, st.just("9" * 5_000), st.just("h:" + "8x" * 200 + "8")
)


@examples(300)
@given(text=SIZES)
@example("9" * 5_000)
@example("h:" + "9" * 5_000)
@example("h:٣")
def test_a_state_is_understood_or_refused(text: str) -> None:
    settings, refused = answered(lambda: Settings(state=state_parts(text)))
    assert "--state" in refused if settings is None else settings.state


@examples(200)
@given(text=st.one_of(st.from_regex(r"\d{1,400}(\.\d{1,5})?[kKmMgGtT]?i?[bB]?", fullmatch=True), TEXT))
@example("9" * 400)
@example("1" * 5_000 + "G")
def test_a_size_of_memory_is_understood_or_refused(text: str) -> None:
    size, refused = answered(lambda: memory_size(text))
    assert "--memory" in refused if size is None else size >= 0


# Configuration

OPTIONS = (
    "backend",
    "fail-on",
    "output-format",
    "memory",
    "timeout",
    "jobs",
    "isolate",
    "defs-only",
    "ignore",
    *OVERRIDABLE,
)
WORDS = st.sampled_from(
    ["auto", "torch", "8G", "h:8,c:8", "error", "detached-state", "nope", "cells.py:*", "float32", "zeros", "step"]
)
NUMBERS = st.one_of(st.integers(-2, 8), st.sampled_from([2**31, 10**30, -(10**30)]), st.floats())
VALUES = st.recursive(
    st.one_of(WORDS, TEXT, NUMBERS, st.booleans(), st.just(...), st.datetimes()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | WORDS, inner, max_size=3),
    max_leaves=4,
)
TABLES = st.dictionaries(
    st.sampled_from(OPTIONS).map(lambda name: name.replace("_", "-")) | st.text(max_size=8), VALUES, max_size=4
)


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps("".join(char for char in value if char.isprintable()), ensure_ascii=False)
    return "1979-05-27" if value is ... else value.isoformat() if hasattr(value, "isoformat") else repr(value)


@st.composite
def pyprojects(draw: st.DrawFn) -> bytes:
    lines = ["[tool.rnncheck]", *(f"{json.dumps(key)} = {toml(value)}" for key, value in draw(TABLES).items())]
    for table in draw(st.lists(TABLES, max_size=2)):
        lines += ["[[tool.rnncheck.overrides]]", f"target = {toml(draw(WORDS | VALUES))}"]
        lines += [f"{json.dumps(key)} = {toml(value)}" for key, value in table.items() if key != "target"]
    return "\n".join(lines).encode("utf-8", "replace")


ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp037"])
ODD = st.one_of(
    st.binary(max_size=60).map(lambda data: b"[tool.rnncheck]\n" + data),
    st.text(ANYTHING, max_size=60).map(lambda text: b"# tool.rnncheck\n" + text.encode("utf-8", "surrogatepass")),
    st.builds(lambda data, name: data.decode(errors="replace").encode(name, "replace"), pyprojects(), ENCODINGS),
)


@examples(500)
@given(content=pyprojects() | ODD)
@example(b"# tool.rnncheck\ntool = 3\n")
@example(b"[tool.rnncheck]\nsteps = " + b"9" * 5_000)
@example(b"[tool.rnncheck]\nkwargs = " + b"[" * 5_000)
@example(b"[tool.rnncheck]\nmethod = 3\n")
@example(b"[tool.rnncheck]\ndefs-only = 'no'\n")
@example(b"[tool.rnncheck]\nisolate = 'no'\n")
@example(b"[tool.rnncheck]\nselect = [[1]]\n")
@example(b"[tool.rnncheck]\nbatch = 999999999999999999999\n")
def test_a_configuration_is_settings_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "configured"
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").write_bytes(content)
    settings, refused = answered(lambda: configured(folder, {}))
    if settings is None:
        assert str(folder / "pyproject.toml") in refused
    else:
        sound(settings.of(["cells.py:Cell"]))


@examples(300)
@given(
    options=st.dictionaries(
        st.sampled_from(OPTIONS).map(lambda name: name.replace("-", "_")) | TEXT, VALUES, max_size=3
    )
)
def test_options_from_python_are_settings_or_refused(options: dict[str, Any]) -> None:
    settings, refused = answered(lambda: from_options(options))
    if settings is None:
        assert refused
    else:
        sound(settings)


def sound(settings: Settings) -> None:
    """What every later stage takes for granted."""
    assert settings.method is None or isinstance(settings.method, str)
    assert isinstance(settings.defs_only, bool)
    assert isinstance(settings.isolate, bool)
    for number in (settings.batch, settings.steps, settings.seed, settings.jobs, *(settings.input_shape or ())):
        assert isinstance(number, int)
        assert number < 2**63
    documents(Report((unchecked.no_verdict("cell", CallError("It raised."), settings),)))


# Command lines

FLAGS = [
    "--backend",
    "--kwargs",
    "--input-shape",
    "--method",
    "--state",
    "--call-kwargs",
    "--initial-state",
    "--steps",
    "--batch",
    "--seed",
    "--dtype",
    "--device",
    "--select",
    "--ignore",
    "--fail-on",
    "--output-format",
    "--color",
    "--timeout",
    "--memory",
    "--jobs",
    "-j",
]
VALUE = st.one_of(TEXT, WORDS, SIZES, NUMBERS.map(str), EXPRESSION.map("a={}".format), st.text("a=1", max_size=4))
LINE = st.lists(
    st.tuples(st.sampled_from([*FLAGS, "--explain", "--nope"]), VALUE).map(list) | st.lists(TARGET, max_size=1),
    max_size=4,
)


@examples(300)
@given(line=LINE)
@example(line=[["--batch", "9" * 30], ["cells.py"]])
@example(line=[["--state", "9" * 5_000], ["cells.py"]])
@example(line=[["--memory", "9" * 400], ["cells.py"]])
def test_a_command_line_comes_to_a_run_or_to_exit_status_2(line: list[list[str]]) -> None:
    reached = []

    def run(targets: list[str], settings: Settings, *rest: Any) -> int:
        sound(settings)
        reached.append(targets)
        return 0

    def leave(status: int) -> None:
        raise SystemExit(status)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "_run", run)
        patch.setattr(os, "_exit", leave)
        done = CliRunner().invoke(cli.app, [part for parts in line for part in parts])
    assert isinstance(done.exception, SystemExit | None), repr(done.exception)
    explained = ["--explain"] in [parts[:1] for parts in line] and "What it does" in done.output
    assert done.exit_code == (0 if reached or explained else 2), done.output
    if done.exit_code == 2:
        assert "Usage:" in done.output


@pytest.mark.parametrize(
    "line",
    [
        ["..."], ["x" * 300], ["x" * 300 + ".py"], [b"\xff.py:Cell"], ["deep.py"], ["chain.py"], ["gone.py"], ["folder.py"], ["raises.py"],
        ["--state", "9" * 5_000, "cells.py"], ["--memory", "9" * 400, "cells.py"], ["--batch", "9" * 30, "cells.py"],
        ["--kwargs", "a=__main__.x()", "cells.py:Cell"], ["--kwargs", "a={[int(1)]: 2}", "cells.py:Cell"],
        ["--output-file", "no/where", "cells.py"], ["--no-isolate", "."], ["--no-isolate", "\x1b[2J[red]:Cell"], [""],
    ],
    ids=str,
)  # fmt: skip
def test_a_true_command_line_ends_with_2_and_no_traceback(folder: Path, line: list[str | bytes]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "rnncheck", *line], cwd=folder, capture_output=True, timeout=60, check=False
    )
    said = (run.stdout + run.stderr).decode(errors="replace")
    assert run.returncode == 2, said
    assert not re.search(r"Traceback \(most recent call last\)[^\0]*?/rnncheck/\w+\.py", said), said
    assert "rnncheck itself failed" not in said
    assert "it failed itself" not in said
    assert "ended the process" not in said


@pytest.mark.parametrize("option", [[], ["--no-isolate"]], ids=str)
def test_a_folder_that_is_gone_is_told(folder: Path, option: list[str]) -> None:
    (folder / "gone").mkdir()
    left = f"cd gone && rmdir ../gone && exec {sys.executable} -m rnncheck cells.py"
    run = subprocess.run(
        ["sh", "-c", " ".join([left, *option])], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 2, run.stderr
    assert "The current folder is no longer there." in run.stderr
    assert "Traceback" not in run.stderr


# Reports

STRING = st.one_of(
    TEXT,
    st.sampled_from(
        ["[red]", "[/]", "\x1b[2J", "\r\n", "\u202e", "\ud800", "", "a" * 200, string.whitespace, ":smile:"]
    ),
)
MAYBE = st.none() | STRING
RULE = st.sampled_from(IDS)
LINES = st.integers(1, 10**6)
NUMBER = st.none() | st.floats(0, allow_nan=False, allow_infinity=False)
SUPPRESSIONS = st.builds(Suppression, st.sampled_from(["comment", "configuration", "option"]), MAYBE)
EVIDENCE = st.dictionaries(
    STRING,
    st.one_of(STRING, st.floats(), st.integers(), st.lists(st.floats() | STRING, max_size=2), st.none()),
    max_size=3,
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    states = tuple(
        State(index, draw(STRING), draw(st.tuples() | st.tuples(st.integers(0, 9)) | st.just((4, 6, 7))), draw(STRING))
        for index in range(draw(st.integers(0, 3)))
    )
    severity = st.sampled_from(["error", "warning", "note"])
    findings = []
    for _ in range(draw(st.integers(0, 3))):
        state = draw(st.none() | st.sampled_from(states)) if states else None
        place = Location(
            draw(MAYBE), draw(st.none() | LINES), draw(st.none() | LINES), draw(st.none() | LINES), draw(MAYBE)
        )
        related = draw(st.lists(st.builds(Related, LINES, STRING, MAYBE), max_size=3))
        findings.append(
            Finding(
                draw(RULE),
                draw(severity),
                draw(STRING),
                place,
                state.name if state else None,
                state.index if state else None,
                draw(st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9))),
                draw(MAYBE),
                tuple(related),
                draw(EVIDENCE),
                draw(st.none() | RULE),
                draw(st.none() | SUPPRESSIONS),
            )
        )
    entries = [
        TimelineEntry(step, state.name, draw(NUMBER), draw(NUMBER), draw(NUMBER), draw(st.booleans()))
        for step in range(draw(st.integers(0, 9)))
        for state in states
    ]
    values = {draw(STRING): draw(VALUES) for _ in range(2)}
    table = {draw(STRING): {draw(STRING): draw(st.none() | st.floats(allow_nan=False, allow_infinity=False))}}
    outcomes = st.builds(
        Outcome, RULE, st.sampled_from(["passed", "failed", "suppressed", "skipped", "crashed"]), MAYBE
    )
    return Result(
        target=draw(STRING),
        verdict=draw(st.sampled_from(["clean", "findings", "error"])),
        backend=draw(st.sampled_from(["tf", "torch", None])),
        backend_version=draw(MAYBE),
        settings={**unchecked.given(Settings()), "kwargs": values},
        convention=draw(MAYBE),
        states=states,
        findings=tuple(findings),
        outcomes=tuple(draw(st.lists(outcomes, max_size=2))),
        timeline=tuple(entries),
        influence={"value": table, "gradient": None, "gradient_error": draw(MAYBE)},
        remarks=tuple(draw(st.lists(STRING, max_size=2))),
        error=draw(st.none() | st.builds(Problem, st.just("call"), STRING, MAYBE, MAYBE)),
    )


@examples(200)
@given(found=st.lists(results(), max_size=3), width=st.integers(1, 120), color=st.booleans())
def test_any_report_is_written_in_every_format(found: list[Result], width: int, color: bool) -> None:
    report = Report(tuple(found))
    written = documents(report)
    concise = written["concise"].splitlines()
    assert len(concise) == sum(
        sum(item.explained_by is None and item.severity != "note" for item in result.counting)
        + (result.error is not None)
        for result in found
    )
    for text in (written["full"], written["concise"]):
        assert all(char == "\n" or char.isprintable() for char in text)
    coloured = render(report, "full", color=color, width=width)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(report, "full", width=width)
    assert report.exit_status() in (0, 1, 2)
