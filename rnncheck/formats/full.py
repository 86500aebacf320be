"""The report for people: coloured where that helps, complete without it, 80 columns wide when piped."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from rnncheck.findings import Finding, Report, Result, Suppression, TimelineEntry
from rnncheck.formats.text import counted, one_line, printable, summary

MARK = {"error": ("✗", "bold red"), "warning": ("!", "bold yellow"), "note": ("·", "cyan")}
BARS = "▁▂▃▄▅▆▇█"
SHOWN_ROWS = 8


def render(report: Report, *, color: bool = False, width: int = 80) -> str:
    """The report with or without ANSI colours, laid out for ``width`` columns."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    for result in report.results:
        for line in _result(result, width):
            console.print(line, soft_wrap=True)
        console.print()
    if len(report.results) != 1 or report.results[0].verdict == "findings":
        console.print(Text(summary(report), "bold"), soft_wrap=True)
    return stream.getvalue()


def _result(result: Result, width: int) -> Iterator[Text]:
    yield from _title(result, width)
    for remark in result.remarks:
        yield from _wrapped(f"note: {remark}", width, indent=2, style="dim")
    if result.error is not None:
        yield from _no_verdict(result, width)
    explained = [finding for finding in result.counting if finding.explained_by is not None]
    for finding in result.counting:
        if finding.explained_by is None:
            follows = [other.rule for other in explained if other.explained_by == finding.rule]
            yield from _finding(result, finding, follows, width)
    if result.verdict == "clean":
        ran = sum(outcome.outcome == "passed" for outcome in result.outcomes)
        yield Text.assemble(("✓ clean", "bold green"), (f"  {counted(ran, 'rule')} passed", "dim"))
    for finding in result.findings:
        if finding.suppressed is not None and finding.explained_by is None:
            yield Text(f"  ignored: {finding.rule} ({_why(finding, finding.suppressed)})", "dim")
    if result.convention is not None:
        yield from _wrapped(f"called as {one_line(result.convention)}", width, indent=2, style="dim")


_WHY = {"comment": "no reason given", "configuration": "pyproject.toml", "option": "as asked"}


def _why(finding: Finding, suppression: Suppression) -> str:
    place = finding.location
    where = f"{place.path}:{place.line}: " if place.path and place.line else ""
    return one_line(where + (suppression.reason or _WHY[suppression.by]))


def _title(result: Result, width: int) -> Iterator[Text]:
    name = one_line(result.target)
    about = ""
    if result.backend_version:
        settings = result.settings
        run = f"seed {settings['seed']} · {counted(settings['steps'], 'step')} · batch {settings['batch']}"
        run += f" · {settings['device']}" if settings["device"] not in (None, "cpu") else ""
        about = one_line(f"{result.backend_version.partition(',')[0]} · {run}")
    gap = width - len(name) - len(about)
    if not about:
        yield Text(name, "bold")
    elif gap < 2:
        yield Text(name, "bold")
        yield Text(f"  {about}", "dim")
    else:
        yield Text.assemble((name, "bold"), " " * gap, (about, "dim"))


def _no_verdict(result: Result, width: int) -> Iterator[Text]:
    assert result.error is not None
    first, *rest = _lines(result.error.message, width - len("? no verdict  "), 0)
    yield Text.assemble(("? no verdict", "bold magenta"), f"  {first}")
    for line in rest:
        yield Text(" " * len("? no verdict  ") + line)
    if result.error.hint:
        yield from _wrapped(result.error.hint, width, indent=2, style="bold")
    for line in printable(result.error.details or "").splitlines():
        yield Text(f"    {line}", "dim")


def _finding(result: Result, finding: Finding, follows: Sequence[str], width: int) -> Iterator[Text]:
    mark, style = MARK[finding.severity]
    head = Text.assemble((f"{mark} {finding.rule}", style), *_where(result, finding))
    place = finding.location
    where = one_line(f"{place.path}:{place.line}") if place.path and place.line else ""
    if where and len(head) + 2 + len(where) <= width:
        yield head + Text(" " * (width - len(head) - len(where))) + Text(where, "cyan")
    else:
        yield head
        if where:
            yield Text(f"  {where}", "cyan")
    yield from _wrapped(finding.message, width, indent=2)
    yield from _quoted(finding, width)
    if finding.suggestion:
        instead = Text.assemble(("  instead: ", "bold"), (one_line(finding.suggestion), "green"))
        yield instead
    if follows:
        yield Text(f"  follows: {', '.join(dict.fromkeys(follows))}", "dim")
    yield from _timeline(result, finding)


def _where(result: Result, finding: Finding) -> Iterator[str]:
    parts = []
    if finding.state is not None and finding.state_index is not None:
        shape = result.states[finding.state_index].shape
        size = (
            f"{shape[0]} unit{'s' if shape[0] != 1 else ''}"
            if len(shape) == 1
            else "x".join(map(str, shape)) or "a scalar"
        )
        name = one_line(finding.state)
        parts.append(f"{name if name == 'state' else f'state {name}'} ({size})")
    if finding.steps is not None:
        first, last = finding.steps
        parts.append(f"step {first}" if first == last else f"steps {first}–{last}")
    if parts:
        yield f"  {', '.join(parts)}"


def _quoted(finding: Finding, width: int) -> Iterator[Text]:
    """The lines of code that belong to the finding, in their order, each with what happened there."""
    lines = {related.line: (related.text, related.message) for related in finding.related if related.text}
    place = finding.location
    if place.line is not None and place.text:
        lines[place.line] = (place.text, lines.get(place.line, ("", ""))[1])
    if not lines:
        return
    digits = max(len(str(line)) for line in lines)
    codes = {line: _cut(one_line(text or ""), width - digits - 7) for line, (text, _) in lines.items()}
    room = max(map(len, codes.values()))
    for line, (_, message) in sorted(lines.items()):
        code = codes[line]
        quoted = Text.assemble((f"    {line:>{digits}} │ ", "dim"), (code, "bold" if line == place.line else ""))
        note = one_line(message)
        if note and len(quoted) + room - len(code) + 2 + len(note) <= width:
            quoted.append(" " * (room - len(code) + 2) + note, "dim")
            yield quoted
        else:
            yield quoted
            if note:
                yield Text(f"    {'':>{digits}} │   ^ {note}", "dim")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 1)].rstrip() + "…"


def _timeline(result: Result, finding: Finding) -> Iterator[Text]:
    entries = [entry for entry in result.timeline if finding.state in (None, entry.state)]
    if finding.severity == "note" or finding.steps is None or not any(entry.unchanged for entry in entries):
        return
    names = list(dict.fromkeys(entry.state for entry in entries))
    values = [value for entry in entries for value in (entry.previous, entry.new, entry.returned) if value is not None]
    top = max(values, default=0.0)
    label = max(len("state"), *(len(one_line(name)) for name in names)) + 2 if len(names) > 1 else 0
    yield Text(f"  {'t':<4}{'state' if label else '':<{label}}{'previous':<14}{'new':<14}returned", "dim")
    shown = [entry for entry in entries if entry.step < max(2, SHOWN_ROWS // len(names))]
    for entry in shown:
        yield _row(entry, top, label)
    if len(shown) < len(entries):
        yield Text(f"  … {len(entries) - len(shown)} more", "dim")


def _row(entry: TimelineEntry, top: float, label: int) -> Text:
    row = Text(f"  {entry.step:<4}")
    if label:
        row.append(f"{one_line(entry.state):<{label}}")
    for value in (entry.previous, entry.new, entry.returned):
        row.append(f"{_value(value, top):<14}")
    row.rstrip()
    if entry.unchanged:
        row.append("  = previous", "red")
    return row


def _value(value: float | None, top: float) -> str:
    if value is None:
        return "  —"
    bar = BARS[min(len(BARS) - 1, int(value / top * len(BARS)))] if top > 0 else BARS[0]
    return f"{bar} {value:.2f}" if value == 0 or 0.005 <= value < 1e5 else f"{bar} {value:.1e}"


def _wrapped(text: str, width: int, *, indent: int, style: str = "") -> Iterator[Text]:
    for line in _lines(text, width, indent):
        yield Text(line, style)


def _lines(text: str, width: int, indent: int) -> list[str]:
    """The text in lines of at most ``width`` columns; a word that is longer, such as a path, stays whole."""
    return textwrap.wrap(
        one_line(text),
        max(width, 30),
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
