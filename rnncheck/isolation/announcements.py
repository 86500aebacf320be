"""What is being done, told while it is."""

from __future__ import annotations

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
