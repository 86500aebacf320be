"""The user's own part of an exception: their frames, not rnncheck's."""

from __future__ import annotations

import os
import re
import traceback

import rnncheck

_OWN = os.path.dirname(os.path.abspath(rnncheck.__file__)) + os.sep
_LIBRARIES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", os.path.dirname(os.__file__) + os.sep)


def frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames below rnncheck's own; those inside libraries are left out where the user has any."""
    every = traceback.extract_tb(error.__traceback__)
    outside = [
        frame
        for frame in every
        if not frame.filename.startswith((_OWN, "<frozen ")) and "__autograph_generated_file" not in frame.filename
    ]
    users = [frame for frame in outside if not any(part in frame.filename for part in _LIBRARIES)]
    return users or outside


def place(error: BaseException) -> str:
    """``file.py:12`` of the innermost of the user's frames, or nothing."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{relative(error.filename)}:{error.lineno}"
    seen = frames(error)
    return f"{relative(seen[-1].filename)}:{seen[-1].lineno}" if seen else ""


def is_raised(error: BaseException) -> bool:
    """Whether a statement of the user's raised it, and no operation of a library's."""
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    return any(frame in frames(error) and (frame.line or "").startswith("raise") for frame in innermost)


_STYLES = re.compile(r"\x1b\[[0-9;]*m")
_INNER = re.compile(r"Exception encountered when calling .*?\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)
"""What Keras puts around the message of what a layer raised."""


def line_in(error: BaseException, path: str) -> int | None:
    """The line of the outermost frame that stands in this file."""
    target = os.path.abspath(os.path.realpath(path))
    for frame in traceback.extract_tb(error.__traceback__):
        if os.path.realpath(frame.filename) == target:
            return frame.lineno
    return None


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+\b")
_FRAME = re.compile(r'  File "(?P<path>.*)", line (?P<line>\d+) in (?P<name>.*)')


def place_in_dump(text: str) -> str:
    """``file.py:12`` of the innermost of the user's frames in what ``faulthandler`` wrote, or nothing.

    Of several threads it is that in which rnncheck ran the target, else the one that crashed.
    """
    threads = [block for block in re.split(r"\n\s*\n", text) if _FRAME.search(block)]
    # A deep stack is cut off before it comes to rnncheck; the main thread stands last.
    own = [block for block in threads if _OWN + "checking.py" in block or block.lstrip().startswith("Current thread")]
    for match in _FRAME.finditer("\n".join([*own, *threads[-1:]][:1])):
        if not match["path"].startswith((_OWN, "<frozen ")) and not any(part in match["path"] for part in _LIBRARIES):
            return f"{relative(match['path'])}:{match['line']}"
    return ""


def summary(error: BaseException, width: int = 200) -> str:
    """The exception's type and the first lines of its text, on one line, without the addresses of objects, which are
    others in each process."""
    inner = _INNER.search(str(error))
    text = _ADDRESS.sub("", " ".join(_STYLES.sub("", inner[1] if inner else str(error)).split()))
    text = text if len(text) <= width else text[: width - 1].rstrip() + "…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def format_user(error: BaseException) -> str:
    """A traceback of the user's frames alone, or nothing where none is theirs."""
    seen = frames(error)
    if not seen:
        return ""
    return "".join(["Traceback (most recent call last):\n", *traceback.format_list(seen), summary(error)])


def relative(path: str) -> str:
    """The path from the current folder when it lies below it, as given otherwise."""
    if path.startswith("<"):
        return path
    try:
        below = os.path.relpath(os.path.realpath(path), os.path.realpath(os.getcwd()))
    except (OSError, ValueError):
        return path
    return path if below.startswith("..") else below
