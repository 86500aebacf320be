"""A first state that does not fit, explained from structures, shapes and dtypes alone."""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Any

import pytest

from rnncheck.initial_state import declared, explain, given, handed_out

Pair = collections.namedtuple("Pair", "c h")


@dataclass(frozen=True)
class Tensor:
    shape: tuple[int | None, ...]
    dtype: str = "float32"


H = Tensor((3, 8))


@pytest.mark.parametrize(
    ("state", "size", "said"),
    [
        (H, Pair(8, 8), "is one tensor 3x8; it takes two, Pair(c=c, h=h), each 3x8. Do this."),
        (H, [8, 6], "is one tensor 3x8; it takes two, [tensor 3x8, tensor 3x6]. Do this."),
        ((H, H), 8, "is (tensor 3x8, tensor 3x8); it takes one tensor 3x8. Do this."),
        ([H], 8, "is [tensor 3x8]; it takes one tensor 3x8. Do this."),
        (None, 8, "is None; it takes one tensor 3x8. Do this."),
        ((H, H, H), (Pair(8, 8), 8), "it takes three, (Pair(c=c, h=h), s2), each 3x8. Do this."),
        (Pair(H, Tensor((3, 6))), Pair(8, 8), "is 3x6 in h where the cell takes 3x8. Do this."),
        (Tensor((8,)), 8, "is 8 where the cell takes 3x8. Do this."),
        (Tensor((1, 8)), 8, "has 1 row and the input has 3: each row has its own. Do this."),
        (Pair(H, Tensor((4, 8))), Pair(8, 8), "has 4 rows and the input has 3: each row has its own. Do this."),
        (Tensor((3, 8), "int32"), 8, "is int32 and the cell computes in float32. Cast it, or do this."),
        (Tensor((3, 8), "float64"), 8, "is float64 and the cell computes in float32. Cast it, or do this."),
        ((H, H), Pair(8, 8), "is (tensor 3x8, tensor 3x8), of another type than the cell returns; it takes two"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_words(state: Any, size: Any, said: str) -> None:
    text = explain("initial_state of Cell", given(state), declared(size, rows=3, dtype="float32"), "do this")
    assert text is not None
    assert text.startswith("initial_state of Cell ")
    assert said in text


@pytest.mark.parametrize(
    ("state", "size"), [(H, 8), (Pair(H, H), Pair(8, 8)), ([H, H], [8, 8]), ([H, H], (8, 8)), (Tensor((None, 8)), 8)]
)
def test_nothing_is_said_of_a_state_that_fits(state: Any, size: Any) -> None:
    assert explain("initial_state of Cell", given(state), declared(size, 3, "float32"), "do this") is None


@pytest.mark.parametrize(
    ("state", "unpacked", "said"),
    [
        (H, ("tuple", ["h", "c"]), "is one tensor 3x8; it takes two, (h, c). Return (h, c) in float32, with a row"),
        ((H, H, H), ("tuple", ["h", "c"]), "is (tensor 3x8, tensor 3x8, tensor 3x8); it takes two, (h, c)."),
        (H, ("keys", ["h"]), "is one tensor 3x8; it takes one, {'h': h}."),
        ((Tensor((1, 8)),), ("index", ["1"]), "has 1 row and the input has 3"),
        (Tensor((3, 8), "float64"), None, "is float64 and the cell computes in float32"),
    ],
    ids=str,
)
def test_what_a_cell_hands_out_is_held_against_its_own_code(state: Any, unpacked: Any, said: str) -> None:
    text = handed_out("init_hidden() of Cell", state, unpacked, 3, "float32")
    assert text is not None
    assert said in text


@pytest.mark.parametrize(
    ("state", "unpacked"),
    [
        (Tensor((2, 3, 8)), ("tuple", ["h", "c"])),
        (Tensor((1, 3, 8)), ("index", ["1"])),
        (H, ("attributes", ["deter"])),
        ((H, H), ("index", ["2"])),
        (Pair(H, H), ("tuple", ["c", "h"])),
        ({"h": H, "m": H}, ("keys", ["h"])),
        ((H, Tensor((), "int32")), ("tuple", ["h", "clock"])),
        (H, None),
    ],
    ids=str,
)
def test_what_may_be_right_is_not_blamed(state: Any, unpacked: Any) -> None:
    assert handed_out("init_hidden() of Cell", state, unpacked, 3, "float32") is None
