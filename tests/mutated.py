"""Mutants of published cells, a tenth of those of ``make mutants``, and what has to be said of each."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

from benchmark import HERE, RIGHT_LINES
from breaking import BY_NAME, broken, checked, difference
from published import small_entries
from steps import Cell, prepared
from verdict import Verdict

Named = tuple[str, str, tuple[int, ...]]
"""What is typed, the operator, the slots that it breaks."""


def named_mutants(backend: str) -> list[Named]:
    listed = json.loads((HERE / "tenth.json").read_text(encoding="utf-8"))
    return [(typed, operator, tuple(slots)) for name, typed, operator, slots in listed if name == backend]


def shown(mutant: Named) -> str:
    return " ".join([*mutant[:2], *map(str, mutant[2])])


@functools.cache
def _cell(backend: str, typed: str) -> Cell:
    return prepared(next(entry for entry in small_entries(backend) if entry.typed == typed))


@functools.cache
def _verdict(backend: str, mutant: Named) -> tuple[Verdict, str]:
    typed, operator, slots = mutant
    with tempfile.TemporaryDirectory() as folder:
        found, _ = broken(_cell(backend, typed), BY_NAME[operator], slots, Path(folder))
        assert found is not None, "no mutant is truly broken"
        return checked(found), difference(found)


def is_found(backend: str, mutant: Named) -> None:
    """The rule is found, for the slots that are broken."""
    verdict, changed = _verdict(backend, mutant)
    assert verdict.error is None, f"{verdict.error}\n{changed}"
    assert verdict.found, f"{verdict.said}\n{changed}"
    assert verdict.right_slot, f"{verdict.said}\n{changed}"


def lines_are_right(backend: str) -> None:
    """Nearly all findings stand on a line that was changed."""
    verdicts = [_verdict(backend, mutant) for mutant in named_mutants(backend)]
    wrong = [f"{verdict.said}\n{changed}" for verdict, changed in verdicts if not verdict.right_line]
    assert len(wrong) <= (1 - RIGHT_LINES) * len(verdicts), "\n\n".join(wrong)
