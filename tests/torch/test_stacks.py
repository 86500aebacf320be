"""A state of several layers is understood however it is kept, and each layer's is looked at."""

from __future__ import annotations

from typing import Any

import pytest
import torch_stacks as cells
from cases import check, classes, expected, holds, seen

BROKEN = [item for item in classes(cells) if expected(item)]
HEALTHY = [item for item in classes(cells) if not expected(item)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, seed=seed)) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, seed=seed)


PAIRS = "[(s0, s1), (s2, s3)]) -> (output, [(s0', s1'), (s2', s3')])"


@pytest.mark.parametrize(
    ("cell", "convention"),
    [
        (cells.OneTensor, "(x, h) -> (output, h')"),
        (cells.TakenApart, "(x, h) -> (output, h')"),
        (cells.Tensors, "(x, [s0, s1]) -> (output, [s0', s1'])"),
        (cells.Pairs, f"(x, {PAIRS}"),
        (cells.PairsByName, "(x, {'lower': (lower[0], lower[1]), 'upper': (upper[0], upper[1])}) -> "
         "(output, {'lower': (lower[0]', lower[1]'), 'upper': (upper[0]', upper[1]')})"),
        (cells.EachAList, "(x, [s0, s1], [s2, s3]) -> (output, [s0', s1'], [s2', s3'])"),
        (cells.EachATensor, "(x, h, c) -> (output, h', c')"),
        (cells.Images, f"(x, {PAIRS}"),
        (cells.ImagesOverTime, f"(x[:, None], {PAIRS}"),
        (cells.ListOfSizes, "(x, [s0, s1]) -> (output, [s0', s1'])"),
        (cells.OneLayerOnly, "(x, [state]) -> (output, [state'])"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_the_state_of_each_layer_is_understood(cell: Any, convention: str) -> None:
    assert check(cell).convention == convention


def test_a_tensor_of_all_layers_has_one_row_for_each() -> None:
    (slot,) = check(cells.OneTensor).states
    assert slot.shape == (2, 8)
