"""A Report as text. Every format is a function from a Report to a string."""

from __future__ import annotations

from collections.abc import Callable

from rnncheck.findings import Report


def renderer(output_format: str, *, color: bool = False, width: int = 80) -> Callable[[Report], str]:
    """What writes a report in one of ``rnncheck.settings.FORMATS``; colour and width matter to ``full`` alone."""
    if output_format == "json":
        from rnncheck.formats import json_report

        return json_report.render
    if output_format == "concise":
        from rnncheck.formats import concise

        return concise.render
    from rnncheck.formats import full

    return lambda report: full.render(report, color=color, width=width)


def render(report: Report, output_format: str, *, color: bool = False, width: int = 80) -> str:
    """The report in a format; see ``renderer``."""
    return renderer(output_format, color=color, width=width)(report)
