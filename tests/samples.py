"""The sample cells and what their comments expect: ``# expect: rule`` on the line that is at fault."""

from __future__ import annotations

import re
from pathlib import Path

import rnncheck

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


def fires_exactly_its_rule(path: Path, seed: int) -> None:
    """A broken sample: its rule on its marked line, as an error, and nothing else."""
    (result,) = rnncheck.check(str(path), seed=seed).results
    roots = [finding for finding in result.findings if finding.explained_by is None]
    assert [(finding.rule, finding.location.line) for finding in roots] == expected(path)
    assert {finding.severity for finding in roots} == {"error"}


def fires_nothing(path: Path, seed: int) -> None:
    """A repaired sample."""
    (result,) = rnncheck.check(str(path), seed=seed).results
    assert (result.verdict, result.findings, result.error) == ("clean", (), None)
