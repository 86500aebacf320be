"""stdout for the report alone: whatever the target prints, also past Python, goes to stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

PROGRESS_AFTER = 1.0
PROGRESS_EVERY = 10.0


@dataclass(frozen=True)
class Streams:
    """The streams that rnncheck was started with, out of the target's reach."""

    out: TextIO
    err: TextIO


def guard() -> Streams:
    """Point file descriptor 1 at stderr for the rest of the process and return the original streams.

    ``sys.stdout`` becomes a stream of its own on it, so that a target may close it.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    out, err = _duplicate(1, sys.stdout), _duplicate(2, sys.stderr)
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    sys.stdout = _duplicate(2, sys.stderr)
    return Streams(out, err)


def _duplicate(descriptor: int, original: TextIO | None) -> TextIO:
    encoding = getattr(original, "encoding", None) or "utf-8"
    try:
        return open(os.dup(descriptor), "w", encoding=encoding, errors="replace", buffering=1)
    except OSError:
        return io.StringIO()


_ASCII = str.maketrans(
    {"✗": "x", "✓": "+", "·": "-", "│": "|", "–": "-", "—": "-", "…": "...", **dict(zip("▁▂▃▄▅▆▇█", "12345678"))}
)


def write(stream: TextIO, text: str) -> None:
    """Write text, with plain letters for the marks that the stream's encoding does not have.

    A reader that went away is no error; raises OSError when the text cannot be written for another reason.
    """
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = text.translate(_ASCII)
    with contextlib.suppress(BrokenPipeError):
        stream.write(text)
        stream.flush()


class Progress:
    """Says on stderr what is being done, once that takes more than a second."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.stage = "starting"
        self.done = threading.Event()

    def announce(self, stage: str) -> None:
        self.stage = stage

    @contextlib.contextmanager
    def running(self) -> Iterator[Progress]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.done.set()
            thread.join(timeout=1.0)

    def _watch(self) -> None:
        if self.done.wait(PROGRESS_AFTER):
            return
        if self.stream.isatty():
            self._spin()
            return
        while True:
            write(self.stream, f"rnncheck: {self.stage} ...\n")
            if self.done.wait(PROGRESS_EVERY):
                return

    def _spin(self) -> None:
        from rich.console import Console
        from rich.text import Text

        console = Console(file=self.stream)
        with console.status(Text(self.stage)) as status:
            while not self.done.wait(0.2):
                status.update(Text(self.stage))
