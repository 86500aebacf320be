"""Rules over a Trace: which apply, which are left out, and one rule's crash kept from the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rnncheck.findings import Finding, Outcome
from rnncheck.rules import RULES
from rnncheck.rules.base import Rule
from rnncheck.settings import Settings
from rnncheck.trace import Trace


def apply(
    trace: Trace, settings: Settings, rules: Sequence[Rule] = RULES
) -> tuple[tuple[Finding, ...], tuple[Outcome, ...]]:
    """What the rules find, root causes first, and how each of them ended."""
    findings: list[Finding] = []
    outcomes = []
    for rule in rules:
        found, outcome = _one(rule, trace, settings)
        findings.extend(found)
        outcomes.append(outcome)
    settled = _settle(findings, settings)
    kept = {finding.rule for finding in settled}
    return tuple(settled), tuple(_without(outcome, findings, kept) for outcome in outcomes)


def _without(outcome: Outcome, findings: Sequence[Finding], kept: set[str]) -> Outcome:
    """The outcome of a rule whose findings all follow from a cause that is ignored."""
    causes = {finding.explained_by for finding in findings if finding.rule == outcome.rule}
    if outcome.outcome != "failed" or outcome.rule in kept:
        return outcome
    return Outcome(
        outcome.rule, "skipped", f"follows from {' and '.join(sorted(filter(None, causes)))}, which is ignored"
    )


def _one(rule: Rule, trace: Trace, settings: Settings) -> tuple[list[Finding], Outcome]:
    if rule.id in settings.ignore:
        return [], Outcome(rule.id, "skipped", "ignored")
    if settings.select and rule.id not in settings.select:
        return [], Outcome(rule.id, "skipped", "not selected")
    reason = _ended(rule, trace) or rule.inapplicable(trace)
    if reason is not None:
        return [], Outcome(rule.id, "skipped", reason)
    try:
        found = list(rule.check(trace))
    except Exception as error:
        return [], Outcome(rule.id, "crashed", f"{type(error).__name__}: {error}")
    failed = any(finding.severity != "note" for finding in found)
    return found, Outcome(rule.id, "failed" if failed else "passed")


def _ended(rule: Rule, trace: Trace) -> str | None:
    """Why a rule has nothing to go by, where the experiments ended early."""
    fault = trace.fault
    return None if fault is None or fault.rule == rule.id else f"the experiments ended with {fault.rule}"


def _settle(findings: list[Finding], settings: Settings) -> list[Finding]:
    """Keep what follows from a cause only with its cause: gone when that is ignored, a finding of its own
    when that was not run."""
    causes = {finding.rule for finding in findings if finding.explained_by is None}
    kept = []
    for finding in findings:
        if finding.explained_by is None or finding.explained_by in causes:
            kept.append(finding)
        elif finding.explained_by not in settings.ignore:
            kept.append(dataclasses.replace(finding, explained_by=None))
    return sorted(kept, key=lambda finding: finding.explained_by is not None)
