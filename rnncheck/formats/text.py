"""Text that the target had a hand in, made harmless to print."""

from __future__ import annotations

from rnncheck.findings import Report


def printable(text: str) -> str:
    """Control characters, such as those that move a terminal's cursor, written out; line ends stay."""
    return "".join(
        char if char == "\n" or char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def one_line(text: str) -> str:
    """The same on a single line."""
    return " ".join(printable(text).split())


def counted(number: int, word: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def summary(report: Report) -> str:
    """What the report comes to, in one line."""
    parts = []
    for severity in ("error", "warning", "note"):
        number = sum(result.count(severity) for result in report.results)
        if number:
            parts.append(counted(number, severity))
    unknown = sum(result.verdict == "error" for result in report.results)
    clean = sum(result.verdict == "clean" for result in report.results)
    if unknown:
        parts.append(f"{unknown} without a verdict")
    if clean:
        parts.append(f"{clean} clean")
    prefix = f"{len(report.results)} cells: " if len(report.results) > 1 else ""
    return prefix + ", ".join(parts)
