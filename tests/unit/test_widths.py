"""The width of the input that the text of an error asks for."""

from __future__ import annotations

import pytest

from rnncheck.discovery.widths import asked_for

TENSORFLOW = (
    "Number of ways to split should evenly divide the split dimension, but got split_dim 1 (size = 5) and num_split 3"
)
EINOPS = "Shape mismatch, can't divide axis of length 5 in chunks of 2"


@pytest.mark.parametrize(
    ("complaint", "tried", "wanted"),
    [
        ("mat1 and mat2 shapes cannot be multiplied (3x5 and 7x8)", (5,), (7,)),
        ("mat1 and mat2 shapes cannot be multiplied (3x4 and 7x8)", (5,), None),
        (TENSORFLOW, (5,), (6,)),
        (EINOPS, (5,), (6,)),
        (EINOPS, (7,), None),
        (EINOPS, (5, 5), None),
        ("something else", (5,), None),
    ],
)
def test_the_width_that_an_error_asks_for(
    complaint: str, tried: tuple[int, ...], wanted: tuple[int, ...] | None
) -> None:
    assert asked_for(complaint, tried) == wanted
