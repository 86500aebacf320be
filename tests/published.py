"""The published cells of ``zoo/`` that the test environment holds, and what has to be so for each."""

from __future__ import annotations

from zoo import Entry, alarms, check, entries, missed, seen, small


def small_entries(backend: str) -> list[Entry]:
    """Those of one backend that need no variables of the environment."""
    return [entry for entry in entries(small()) if entry.backend == backend and not entry.env]


def named(entry: Entry) -> str:
    return entry.typed


def holds(entry: Entry, seed: int) -> None:
    """A verdict, nothing said that is not true, and nothing missed that is."""
    said = seen(check(entry, seed))
    assert said.error is None, said.error
    assert alarms(entry, said) == []
    assert not missed(entry, said)
