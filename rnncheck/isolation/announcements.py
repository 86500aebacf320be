"""What is being done, told while it is."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Step:
    """What begins now: a target is loaded, or a cell is checked, after which ``left`` more of the target's come."""

    doing: Literal["loading", "checking"]
    name: str
    left: int = 0

    def __str__(self) -> str:
        return f"{self.doing} {self.name}"


Announce = Callable[[Step], None]

WHERE: int | None = getattr(signal, "SIGUSR2", None)
"""The signal at which a child writes down where it is. The thread that gets it stands still meanwhile: a stack that is
read while its thread runs on is cut short, or crashes the reader. Where there is no such signal it is all there is."""
