"""What a tool says of a cell, as plain data, and how it is got out of an exception."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Remark:
    """One thing said: by which of the tool's checks, in which words, and which lines of the cell's file it names.

    ``advice`` is what makes the tool neither warn nor fail.
    """

    check: str
    message: str
    lines: tuple[int, ...] = ()
    level: Literal["alarm", "advice"] = "alarm"

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Remark:
        return cls(**{**fields, "lines": tuple(fields["lines"])})


def raised(check: str, call: Callable[[], object], path: Path) -> list[Remark]:
    """The exception that a check ends with, if any: its message, and the lines of the cell in its traceback."""
    try:
        call()
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = tuple(frame.lineno for frame in frames if frame.filename == str(path) and frame.lineno)
        return [Remark(check, f"{type(error).__name__}: {error}", lines)]
    return []
