"""What the user says is meant: findings that a comment, the configuration or an option ignores, kept with the reason.

``# rnncheck: ignore[rule] reason`` holds for the statement on whose lines it stands, and for the helper that the cell
calls there; on lines of its own, for the statement below it. On a ``class`` statement, its decorators included, it
holds for the whole class.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import linecache
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnncheck.findings import Finding, Suppression
from rnncheck.rules import IDS
from rnncheck.rules.base import listing
from rnncheck.settings import Settings
from rnncheck.trace import Trace
from rnncheck.usercode import source, usertrace

FORM = "# rnncheck: ignore[rule] reason"
_OURS = re.compile(r"#\s*rnncheck:\s*(?P<rest>.*?)\s*(?=#\s*rnncheck:|\s#\s|$)")
_IGNORE = re.compile(r"ignore\s*\[(?P<rules>[^\]]*)\]\s*[-:–—]*\s*(?P<reason>.*)")


@dataclass(frozen=True)
class Comment:
    """One comment, and the lines of the statement that it is about. One that is not understood names no rules."""

    path: str
    line: int
    first: int
    last: int
    rules: tuple[str, ...]
    reason: str | None

    def about(self, line: int) -> bool:
        return self.first <= line <= self.last

    @property
    def place(self) -> str:
        return f"{usertrace.relative(self.path)}:{self.line}"


def asked(settings: Settings) -> Mapping[str, Suppression]:
    """The rules that are ignored wherever they fire."""
    everywhere = {rule: Suppression(settings.ignored_by) for rule in settings.ignore}
    here = {
        rule: Suppression("configuration", override.reason)
        for override in settings.overrides
        for rule in override.ignore
    }
    return {**everywhere, **here}


def marked(findings: Sequence[Finding], trace: Trace, settings: Settings) -> list[Finding]:
    """The findings, those that are ignored marked with the reason: that of a comment, where there is one."""
    by_rule = asked(settings)
    result = []
    for finding in findings:
        comment = _comment(finding, trace)
        why = by_rule.get(finding.rule) if comment is None else Suppression("comment", comment.reason)
        result.append(dataclasses.replace(finding, suppressed=why))
    return result


def remarks(trace: Trace, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What is wrong with the comments in the cell's class, and with those that ignore one of its findings."""
    used = {
        comment
        for finding in findings
        if finding.suppressed is not None and (comment := _comment(finding, trace)) is not None
    }
    said = {(comment, text) for comment in used if comment.reason is None for text in [_unreasoned(comment)]}
    for comment in {*used, *_in_class(trace)}:
        said.update((comment, text) for text in _wrong(comment))
    return tuple(text for _, text in sorted(said, key=lambda item: (item[0].path, item[0].line, item[1])))


def _comment(finding: Finding, trace: Trace) -> Comment | None:
    """The comment that ignores a finding: on its line, where the cell calls the helper in which that is, on a class
    around it, or on the cell's own class."""
    path, line = finding.location.path, finding.location.line
    places = []
    if path is not None and line is not None:
        calls = {helper.called for helper in trace.method.helpers if helper.first <= line <= helper.last}
        places = [(path, number) for number in (line, *sorted(calls))]
        places += [(path, node.lineno) for node in source.classes_around(path, line)]
    if trace.method.defined is not None:
        places.append(trace.method.defined)
    about = (comment for path, line in places for comment in _comments(path) if comment.about(line))
    return next((comment for comment in about if finding.rule in comment.rules), None)


def _in_class(trace: Trace) -> Iterator[Comment]:
    if trace.method.defined is None:
        return
    path, line = trace.method.defined
    for node in source.classes_around(path, line):
        if node.lineno == line:
            end = node.end_lineno or line
            yield from (item for item in _comments(path) if item.first <= end and item.last >= line)


def _unreasoned(comment: Comment) -> str:
    return f"{comment.place}: no reason is given for ignoring {listing(comment.rules)}: write {FORM}"


def _wrong(comment: Comment) -> Iterator[str]:
    if not comment.rules:
        yield f"{comment.place}: this comment is not understood and ignores nothing: write {FORM}"
    for rule in comment.rules:
        if rule not in IDS:
            close = difflib.get_close_matches(rule, IDS, n=1)
            hint = f"did you mean {' or '.join(close)}?" if close else "see rnncheck --list-rules"
            yield f"{comment.place}: there is no rule '{rule}' to ignore: {hint}"


@functools.lru_cache(maxsize=64)
def _comments(path: str) -> tuple[Comment, ...]:
    """The comments of a file that are meant for rnncheck."""
    lines = linecache.getlines(path)
    if not any("rnncheck:" in line for line in lines):
        return ()
    found: list[Comment] = []
    try:
        for first, last, tokens in _statements(lines):
            found.extend(
                _read(match["rest"], path, token.start[0], first, last)
                for token in tokens
                for match in _OURS.finditer(token.string)
            )
    except (tokenize.TokenError, SyntaxError):
        pass  # The rest of the file cannot have run.
    return tuple(found)


def _read(text: str, path: str, line: int, first: int, last: int) -> Comment:
    match = _IGNORE.fullmatch(text)
    rules = [rule.strip() for rule in match["rules"].split(",")] if match else []
    return Comment(path, line, first, last, tuple(filter(None, rules)), match["reason"] or None if match else None)


def _statements(lines: Sequence[str]) -> Iterator[tuple[int, int, list[tokenize.TokenInfo]]]:
    """Each statement, of a compound one its head, with its first and last line and the comments on and right above it.

    Decorators belong to what they decorate.
    """
    comments: list[tokenize.TokenInfo] = []
    first, begins, decorator = 0, True, False
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if token.type == tokenize.COMMENT:
            comments.append(token)
        elif token.type == tokenize.NEWLINE:
            if not decorator:
                yield first, token.start[0], comments
                comments, first = [], 0
            begins = True
        elif token.type == tokenize.NL:
            if not first and not token.line.strip():
                comments = []
        elif token.type not in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            if begins:
                decorator = token.string == "@"
            first, begins = first or token.start[0], False
