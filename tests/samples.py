"""The sample cells and what their comments expect: ``# expect: rule`` on the line that is at fault, with the severity
behind it where that is not error."""

from __future__ import annotations

import re
from pathlib import Path

import rnncheck

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_cells"
MARK = re.compile(r"  # expect: ([\w-]+)(?: (error|warning|note))?")


def files(backend: str, *, repaired: bool) -> list[Path]:
    found = sorted((SAMPLES / backend).glob("*.py"))
    return [path for path in found if path.stem.endswith("_repaired") == repaired]


def expected(path: Path) -> list[tuple[str, int, str]]:
    """Each expected rule with its line and severity."""
    return sorted(
        (rule, number, severity or "error")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for rule, severity in MARK.findall(line)
    )


def code(path: Path) -> str:
    """The sample without its marks, as the documentation shows it."""
    return MARK.sub("", path.read_text())


def fires_exactly_its_rule(path: Path, seed: int) -> None:
    """A broken sample: its rule on its marked line, and nothing else. A note alone leaves it clean."""
    (result,) = rnncheck.check(str(path), seed=seed).results
    roots = [finding for finding in result.findings if finding.explained_by is None]
    assert [(finding.rule, finding.location.line, finding.severity) for finding in roots] == expected(path)
    noted = all(severity == "note" for _, _, severity in expected(path))
    assert (result.verdict, result.error) == ("clean" if noted else "findings", None)


def fires_nothing(path: Path, seed: int) -> None:
    """A repaired sample."""
    (result,) = rnncheck.check(str(path), seed=seed).results
    assert (result.verdict, result.findings, result.error) == ("clean", (), None)
