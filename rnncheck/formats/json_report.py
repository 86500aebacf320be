"""The report as one JSON document, version 1; its schema is ``report.schema.json`` beside this file."""

from __future__ import annotations

import json
from typing import Any

import rnncheck
from rnncheck.findings import Finding, Report, Result
from rnncheck.usercode.expressions import in_range, text_of

SCHEMA_VERSION = 1


def render(report: Report) -> str:
    document = {
        "schema_version": SCHEMA_VERSION,
        "rnncheck_version": rnncheck.__version__,
        "results": [_result(result) for result in report.results],
    }
    return json.dumps(document, indent=2, default=text_of, allow_nan=False, ensure_ascii=True) + "\n"


def _result(result: Result) -> dict[str, Any]:
    error = result.error
    return {
        "target": result.target,
        "backend": result.backend,
        "backend_version": result.backend_version,
        "kind": result.kind,
        "verdict": result.verdict,
        "settings": {key: _finite(value) for key, value in result.settings.items()},
        "convention": result.convention,
        "states": [
            {"index": state.index, "name": state.name, "shape": list(state.shape), "dtype": state.dtype}
            for state in result.states
        ],
        "findings": [_finding(finding) for finding in result.findings],
        "rules": [
            {"rule": outcome.rule, "outcome": outcome.outcome, "reason": outcome.reason} for outcome in result.outcomes
        ],
        "timeline": [
            {
                "step": entry.step,
                "state": entry.state,
                "previous": entry.previous,
                "new": entry.new,
                "returned": entry.returned,
                "unchanged": entry.unchanged,
            }
            for entry in result.timeline
        ],
        "influence": result.influence,
        "remarks": list(result.remarks),
        "error": None if error is None else {"type": error.type, "message": error.message, "hint": error.hint},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    place, why = finding.location, finding.suppressed
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "state": finding.state,
        "state_index": finding.state_index,
        "steps": None if finding.steps is None else list(finding.steps),
        "message": finding.message,
        "suggestion": finding.suggestion,
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "related": [{"line": related.line, "message": related.message} for related in finding.related],
        "explained_by": finding.explained_by,
        "suppressed": None if why is None else {"by": why.by, "reason": why.reason},
        "evidence": _finite(dict(finding.evidence)),
    }


def _finite(value: Any) -> Any:
    """Constructor arguments may be anything: what JSON has no number for is written as text."""
    if isinstance(value, (int, float)) and not in_range(value):
        return text_of(value)
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
