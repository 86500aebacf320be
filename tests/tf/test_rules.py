"""Each rule finds its defect in many styles, on its line and in its slot; the repaired cell and healthy ones are clean."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import keras_rules as cells
import pytest
from cases import check, classes, expected, holds, noted, seen

from rnncheck.rules import RULES

CELLS = {item.__name__: item for item in classes(cells)}
BROKEN = [item for item in CELLS.values() if expected(item)]
HEALTHY = [item for item in CELLS.values() if not expected(item)]
ELSEWHERE = {"returned-old-state", "ignored-recurrence", "unchanged-initial-state", "missing-state-size"}


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))


@pytest.mark.parametrize("rule", sorted({rule.id for rule in RULES if "tf" in rule.backends} - ELSEWHERE))
def test_each_rule_has_cells_in_many_styles(rule: str) -> None:
    assert Counter(found for cell in BROKEN for found, *_ in expected(cell))[rule] >= 4


@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_each_broken_cell_has_its_twin(cell: Any) -> None:
    assert CELLS.get(f"{cell.__name__}Repaired", CELLS.get(f"{cell.__name__}_repaired")) in HEALTHY


@pytest.mark.parametrize("cell", [cell for cell in BROKEN if noted(cell)], ids=lambda item: item.__name__)
def test_the_twin_of_a_cell_with_a_note_has_none_of_it(cell: Any) -> None:
    twin = CELLS[f"{cell.__name__}Repaired"]
    found = check(twin, backend="tf", **cells.NEEDS.get(twin.__name__, {}))
    assert not noted(cell) & {finding.rule for finding in found.findings}


def test_a_helper_of_the_module_that_remembers_is_pointed_at() -> None:
    (finding,) = [item for item in check(cells._SmoothsByAHelper, backend="tf").findings if not item.explained_by]
    lines, first = inspect.getsourcelines(cells._smoothed)
    assert (finding.rule, lines[finding.location.line - first].strip()) == ("leaked-state", "_TRACE.append(value)")
