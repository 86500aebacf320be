"""A Report as text. Every format is a function from a Report to a string."""

from __future__ import annotations

from rnncheck.findings import Report


def render(report: Report, output_format: str, *, color: bool = False, width: int = 80) -> str:
    """The report in one of ``rnncheck.settings.FORMATS``; colour and width matter to ``full`` alone."""
    if output_format == "json":
        from rnncheck.formats import json_report

        return json_report.render(report)
    if output_format == "concise":
        from rnncheck.formats import concise

        return concise.render(report)
    from rnncheck.formats import full

    return full.render(report, color=color, width=width)
