"""How the state is found in what a step returns."""

from __future__ import annotations

from typing import Any

import pytest

from rnncheck.calling.reading import Place, Reading, readings


@pytest.mark.parametrize(
    ("reading", "returned", "expected"),
    [
        (Reading(), "h", (None, "h")),
        (Reading(), ("h", "c"), (None, ("h", "c"))),
        (Reading(1, 2), ("y", "h"), ("y", "h")),
        (Reading(1, 2), ["y", "h"], ("y", "h")),
        (Reading(0, 2), ("h", "y"), ("y", "h")),
        (Reading(1, 3), ("y", "h", "z"), (["y", "z"], "h")),
        (Reading((1, 3), 3), ("y", "h", "c"), ("y", ["h", "c"])),
        (Reading((0, 2), 3), ("h", "c", "y"), ("y", ["h", "c"])),
        (Reading("h", 2), {"y": 1, "h": 2}, ({"y": 1}, 2)),
        # What cannot be read so.
        (Reading(1, 2), ("y", "h", "c"), None),
        (Reading(1, 2), "yh", None),
        (Reading(1, 2), None, None),
        (Reading("h", 2), {"y": 1}, None),
        (Reading("h", 2), ("y", "h"), None),
    ],
)
def test_output_and_state_are_told_apart(reading: Reading, returned: Any, expected: Any) -> None:
    assert reading.split(returned) == expected


@pytest.mark.parametrize(
    ("reading", "state", "expected"),
    [
        (Reading(), "(h', c')", "(h', c')"),
        (Reading(1, 2), "[h', c']", "(output, [h', c'])"),
        (Reading(0, 2), "h'", "(h', output)"),
        (Reading(1, 3), "h'", "(output 0, h', output 2)"),
        (Reading(2, 3), "h'", "(output 0, output 1, h')"),
        (Reading((1, 3), 3), "(h', c')", "(output, h', c')"),
        (Reading((0, 2), 4), "(h', c')", "(h', c', output 2, output 3)"),
        (Reading("h", 2), "h'", "{'h': h', ...}"),
    ],
)
def test_it_is_described_in_one_line(reading: Reading, state: str, expected: str) -> None:
    assert reading.describe(state) == expected


def places(
    returned: Any,
    *,
    fixed: bool = False,
    output_first: bool = False,
    state_first: bool = False,
    names: tuple[str, ...] = (),
) -> list[tuple[Place, bool]]:
    found = readings(returned, fixed=fixed, output_first=output_first, state_first=state_first, names=names)
    return [(reading.at, likely) for reading, likely in found]


def test_a_bare_value_is_the_state() -> None:
    assert places("h") == [(None, True)]


def test_a_framework_that_fixes_it_leaves_one_way() -> None:
    assert places(("y", "h"), fixed=True) == [(1, True)]
    assert places(("y", "h", "c"), fixed=True) == places("h", fixed=True) == []


def test_where_a_framework_asks_for_the_output_first_that_is_tried_first() -> None:
    assert places(("y", "h"), output_first=True)[:2] == [(1, True), (None, True)]
    assert places(("y", "h", "c"), output_first=True)[0] == (None, True)


def test_of_a_pair_the_whole_the_second_and_then_the_first() -> None:
    assert places(("y", "h")) == [(None, True), (1, True), ((1, 2), True), (0, False)]


def test_what_goes_in_first_comes_back_first() -> None:
    assert places(("h", "y"), state_first=True)[:2] == [(None, True), (0, True)]


def test_of_three_the_second_the_last_and_the_last_two() -> None:
    assert places(("y", "h", "c"))[:4] == [(None, True), (1, True), (2, True), ((1, 3), True)]


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("out", "h_new", "attention"), 1),
        (("out", "attention", "h_new"), 2),
        (("out", "h_new", "c_new"), (1, 3)),
        (("h_new", "c_new", "out"), (0, 2)),
        (("h_new", "out", "attention"), 0),
        # Names that do not tell.
        (("a", "b", "z"), 1),
        (("h_1", "h_2", "h_3"), 1),
        (("h_new",), 1),
    ],
)
def test_what_is_called_a_state_is_likelier_to_be_one(names: tuple[str, ...], first: Place) -> None:
    whole, (place, likely), *_ = places((1, 2, 3), names=names)
    assert (whole, place, likely) == ((None, True), first, True)


def test_a_dict_is_the_state_or_holds_it_under_a_key() -> None:
    assert places({"y": 1, "h": 2, 3: 4}) == [(None, True), ("h", True), ("y", True)]
