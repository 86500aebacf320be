"""The entries of the zoo, and how what is said of one is judged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rnncheck.settings import from_options
from zoo import HERE, Entry, Seen, alarms, entries, entry_of, missed, small

HEALTHY = Entry("package", "module:Cell", "torch", "clean", call="f(x, h) -> h", note="")
BROKEN = dataclasses.replace(HEALTHY, expect="returned-old-state", slot=1)


def pinned(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}


def test_every_package_is_pinned() -> None:
    files = (HERE / "requirements.txt", HERE / "small.txt", *HERE.parent.joinpath("requirements").glob("*.*"))
    versions = set().union(*(pinned(path) for path in files))
    assert {entry.package.lower() for entry in entries()} <= versions
    assert {name.lower() for name in small()} <= versions


def test_no_entry_is_there_twice() -> None:
    told = [(entry.typed, entry.backend, entry.env) for entry in entries()]
    assert all(told.count(item) == 1 for item in told)


@pytest.mark.parametrize("entry", list(entries()), ids=lambda entry: entry.typed)
def test_what_is_typed_are_options(entry: Entry) -> None:
    settings = from_options(entry.options())
    assert settings.backend == entry.backend
    assert entry.expect == "clean" or entry.note
    assert entry_of(dataclasses.asdict(entry)) == entry


@pytest.mark.parametrize(
    ("entry", "finding", "false", "misses"),
    [
        (HEALTHY, None, [], False),
        (HEALTHY, ("ignored-recurrence", "note", 0), [], False),
        (HEALTHY, ("ignored-recurrence", "warning", 0), ["warning ignored-recurrence (state 0)"], False),
        (HEALTHY, ("batch-leak", "error", None), ["error batch-leak"], False),
        (BROKEN, None, [], True),
        (BROKEN, ("returned-old-state", "error", 1), [], False),
        (BROKEN, ("returned-old-state", "error", 0), ["error returned-old-state (state 0)"], True),
    ],
)
def test_judging(entry: Entry, finding: tuple[str, str, int | None] | None, false: list[str], misses: bool) -> None:
    said = Seen("findings" if finding else "clean", (finding,) if finding else ())
    assert (alarms(entry, said), missed(entry, said)) == (false, misses)


def test_a_warning_may_be_allowed_an_error_never() -> None:
    entry = dataclasses.replace(HEALTHY, allowed=("ignored-recurrence",))
    assert alarms(entry, Seen("findings", (("ignored-recurrence", "warning", 0),))) == []
    assert alarms(entry, Seen("findings", (("ignored-recurrence", "error", 0),))) == [
        "error ignored-recurrence (state 0)"
    ]


def test_a_defect_without_a_rule_is_not_missed() -> None:
    entry = dataclasses.replace(HEALTHY, expect="a-rule-to-come")
    assert not missed(entry, Seen("clean", ()))
