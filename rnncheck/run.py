"""Rules over a Trace: which apply, what of their findings is suppressed, and one rule's crash kept from the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from rnncheck import suppression
from rnncheck.findings import Finding, Outcome, Suppression
from rnncheck.rules import RULES
from rnncheck.rules.base import Rule
from rnncheck.settings import Settings
from rnncheck.trace import Trace


def apply(
    trace: Trace, settings: Settings, rules: Sequence[Rule] = RULES
) -> tuple[tuple[Finding, ...], tuple[Outcome, ...]]:
    """What the rules find, root causes first, and how each of them ended."""
    asked = suppression.asked(settings)
    findings: list[Finding] = []
    without: dict[str, Outcome] = {}
    for rule in rules:
        found, outcome = _one(rule, trace, settings, asked)
        findings.extend(found)
        if outcome is not None:
            without[rule.id] = outcome
    settled = _settle(suppression.marked(findings, trace, settings), asked)
    return tuple(settled), tuple(without.get(rule.id) or _outcome(rule, settled) for rule in rules)


def _one(
    rule: Rule, trace: Trace, settings: Settings, asked: Mapping[str, Suppression]
) -> tuple[list[Finding], Outcome | None]:
    """What a rule finds, or why it finds nothing."""
    if settings.select and rule.id not in settings.select:
        return [], Outcome(rule.id, "skipped", "not selected")
    reason = _ended(rule, trace) or rule.inapplicable(trace)
    if reason is not None:
        return [], Outcome(rule.id, "skipped", reason)
    try:
        return list(rule.check(trace)), None
    except Exception as error:
        crash = f"{type(error).__name__}: {error}"
        if rule.id in asked:
            return [], Outcome(rule.id, "skipped", f"ignored; it crashed: {crash}")
        return [], Outcome(rule.id, "crashed", crash)


def _ended(rule: Rule, trace: Trace) -> str | None:
    """Why a rule has nothing to go by, where the experiments ended early."""
    fault = trace.fault
    return None if fault is None or fault.rule == rule.id else f"the experiments ended with {fault.rule}"


def _outcome(rule: Rule, findings: Sequence[Finding]) -> Outcome:
    found = [finding for finding in findings if finding.rule == rule.id and finding.severity != "note"]
    if not found:
        return Outcome(rule.id, "passed")
    reasons = [finding.suppressed for finding in found if finding.suppressed is not None]
    if len(reasons) < len(found):
        return Outcome(rule.id, "failed")
    return Outcome(rule.id, "suppressed", reasons[0].reason)


def _settle(findings: Sequence[Finding], asked: Mapping[str, Suppression]) -> list[Finding]:
    """Keep what follows from a cause with its root cause: suppressed when that is, a finding of its own when that was
    not run or is no more than a note."""
    noted = {finding.rule for finding in findings}
    causes = {finding.rule for finding in findings if finding.severity != "note"} | asked.keys()
    linked = [
        finding
        if finding.explained_by in (noted if finding.severity == "note" else causes)
        else dataclasses.replace(finding, explained_by=None)
        for finding in findings
    ]
    roots: dict[str, list[Suppression | None]] = {}
    for finding in linked:
        if finding.explained_by is None:
            roots.setdefault(finding.rule, []).append(finding.suppressed)
    links = {finding.rule: finding.explained_by for finding in linked}
    settled = []
    for finding in linked:
        cause, why = _root(finding, roots, links), finding.suppressed
        if cause is not None and why is None:
            reasons = roots.get(cause) or [asked[cause]]
            why = None if None in reasons else reasons[0]
        settled.append(dataclasses.replace(finding, explained_by=cause, suppressed=why))
    return sorted(settled, key=lambda finding: finding.explained_by is not None)


def _root(finding: Finding, roots: Collection[str], links: Mapping[str, str | None]) -> str | None:
    """The rule at which the causes of a finding end; None where they lead back to it."""
    passed: list[str] = []
    cause = finding.explained_by
    while cause is not None and cause not in roots and cause in links:
        if cause in passed:
            return None
        passed.append(cause)
        cause = links[cause]
    return cause
