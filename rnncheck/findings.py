"""What rnncheck says: findings, the outcome of each rule, and the report on all targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
Verdict = Literal["clean", "findings", "error"]


@dataclass(frozen=True)
class Location:
    """A place in the user's file; lines and columns count from 1. ``text`` is what stands on the line."""

    path: str | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    text: str | None = None


@dataclass(frozen=True)
class Related:
    """Another line that belongs to a finding, and what happened there."""

    line: int
    message: str
    text: str | None = None


@dataclass(frozen=True)
class Suppression:
    """Who says that a finding is meant, and why: a comment in the code, the configuration, or an option of the run."""

    by: Literal["comment", "configuration", "option"]
    reason: str | None = None


@dataclass(frozen=True)
class Finding:
    """One defect. ``steps`` is the first and the last timestep at which it was seen.

    ``explained_by`` names the rule whose finding is the cause of this one. One that is ``suppressed`` counts nowhere.
    """

    rule: str
    severity: Severity
    message: str
    location: Location = Location()
    state: str | None = None
    state_index: int | None = None
    steps: tuple[int, int] | None = None
    suggestion: str | None = None
    related: tuple[Related, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    explained_by: str | None = None
    suppressed: Suppression | None = None


@dataclass(frozen=True)
class Outcome:
    """How one rule ended: passed, failed, suppressed (as all that it found is), skipped or crashed, and why."""

    rule: str
    outcome: Literal["passed", "failed", "suppressed", "skipped", "crashed"]
    reason: str | None = None


@dataclass(frozen=True)
class State:
    """One state slot; ``shape`` is that of one row."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class TimelineEntry:
    """One slot at one timestep, each value as its root mean square over rows and units.

    None where there was no such value or where it was not finite.
    """

    step: int
    state: str
    previous: float | None
    new: float | None
    returned: float | None
    unchanged: bool


@dataclass(frozen=True)
class Problem:
    """Why there is no verdict. ``details`` is the user's own traceback."""

    type: str
    message: str
    hint: str | None = None
    details: str | None = None


@dataclass(frozen=True)
class Result:
    """All that is said of one target."""

    target: str
    verdict: Verdict
    backend: str | None = None
    backend_version: str | None = None
    kind: str = "cell"
    settings: Mapping[str, Any] = field(default_factory=dict)
    convention: str | None = None
    states: tuple[State, ...] = ()
    findings: tuple[Finding, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    influence: Mapping[str, Any] | None = None
    remarks: tuple[str, ...] = ()
    error: Problem | None = None

    @property
    def counting(self) -> tuple[Finding, ...]:
        """The findings that are not suppressed."""
        return tuple(found for found in self.findings if found.suppressed is None)

    def count(self, severity: Severity) -> int:
        """Findings of a severity, those explained by another left out."""
        return sum(found.severity == severity and found.explained_by is None for found in self.counting)


@dataclass(frozen=True)
class Report:
    """The results for all targets, in the order in which they were asked for, and what counts as failing."""

    results: tuple[Result, ...]
    fail_on: str = "error"

    def exit_status(self) -> int:
        """0 nothing to fail on, 1 findings at or above ``fail_on``, 2 no verdict for some target."""
        if not self.results or any(result.verdict == "error" for result in self.results):
            return 2
        failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[self.fail_on]
        return int(any(found.severity in failing for result in self.results for found in result.counting))
