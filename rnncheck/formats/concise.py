"""One line a finding: ``path:line:col: rule message``, for editors, grep and people in a hurry.

The message names the class, since two classes may share a line, and ends with ``(warning)`` for one.

A clean target has no line. A target without a verdict has one, with ``no-verdict`` in place of the rule.
"""

from __future__ import annotations

from rnncheck.findings import Finding, Report, Result
from rnncheck.formats.text import one_line


def render(report: Report) -> str:
    lines = [line for result in report.results for line in _lines(result)]
    return "".join(f"{line}\n" for line in lines)


def _lines(result: Result) -> list[str]:
    lines = [
        _line(result, finding)
        for finding in result.counting
        if finding.explained_by is None and finding.severity != "note"
    ]
    if result.error is not None:
        lines.append(one_line(f"{result.target}: no-verdict {result.error.message} {result.error.hint or ''}"))
    return lines


def _line(result: Result, finding: Finding) -> str:
    place = finding.location
    where = f"{place.path}:{place.line}:{place.column or 1}" if place.path and place.line else result.target
    name = result.target.rpartition(":")[2]
    aside = " (warning)" if finding.severity == "warning" else ""
    message = finding.message if finding.message.startswith(name) else f"{name}: {finding.message}"
    return one_line(f"{where}: {finding.rule} {message}{aside}")
