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


def test_the_state_has_the_size_that_is_declared_and_the_input_what_is_left() -> None:
    result = check(cells.wear_by_a_net, backend="tf")
    assert ([state.shape for state in result.states], result.settings["input_shape"]) == ([(1,)], [5])
