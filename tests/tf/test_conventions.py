"""Each way of calling a cell is understood: healthy cells stay clean, broken ones are found where they break."""

from __future__ import annotations

from typing import Any

import keras_conventions as cells
import pytest
from cases import check, classes, expected, holds, seen

BROKEN = [item for item in classes(cells) if expected(item)]
HEALTHY = [item for item in classes(cells) if not expected(item)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))
