"""Cells with something in them that looks like a bug and is not."""

from __future__ import annotations

from typing import Any

import keras_traps as cells
import pytest
from cases import check, classes, seen


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", classes(cells), ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []
