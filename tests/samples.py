"""The sample cells and what their comments expect: ``# expect: rule`` on the line that is at fault."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_cells"


def files(backend: str, *, repaired: bool) -> list[Path]:
    found = sorted((SAMPLES / backend).glob("*.py"))
    return [path for path in found if path.stem.endswith("_repaired") == repaired]


def expected(path: Path) -> list[tuple[str, int]]:
    """Each expected rule with its line."""
    marks = [
        (match[1], number)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (match := re.search(r"# expect: ([\w-]+)", line))
    ]
    return sorted(marks)


def code(path: Path) -> str:
    """The sample without its marks, as the documentation shows it."""
    return re.sub(r"  # expect: [\w-]+", "", path.read_text())
