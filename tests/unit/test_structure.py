from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from rnncheck.structure import LEAF, Structure, beside, flatten, like, reorder


class Pair(NamedTuple):
    h: Any
    c: Any


@dataclass
class Memory:
    deter: Any
    stoch: Any


def is_leaf(value: Any) -> bool:
    return isinstance(value, float)


@pytest.mark.parametrize(
    ("value", "count", "described"),
    [
        (1.0, 1, "a"),
        ([1.0], 1, "[a]"),
        ((1.0,), 1, "(a,)"),
        ((1.0, 2.0), 2, "(a, b)"),
        ([1.0, [2.0, 3.0]], 3, "[a, [b, c]]"),
        ({"h": 1.0, "c": 2.0}, 2, "{'h': a, 'c': b}"),
        (OrderedDict(h=1.0), 1, "{'h': a}"),
        (Pair(1.0, 2.0), 2, "Pair(h=a, c=b)"),
        (Memory(1.0, [2.0]), 2, "Memory(deter=a, stoch=[b])"),
        ((None, 1.0), 1, "(None, a)"),
        ((7, 1.0), 1, "(7, a)"),
    ],
)
def test_what_was_taken_apart_is_put_together_again(value: Any, count: int, described: str) -> None:
    found, leaves = flatten(value, is_leaf)
    assert found.size == len(leaves) == count
    assert found.build(leaves) == value
    assert type(found.build(leaves)) is type(value)
    assert found.describe(["a", "b", "c"][:count]) == described


def test_leaves_take_the_names_of_keys_and_fields() -> None:
    found, _ = flatten({"rnn": Pair(1.0, 2.0), "other": [3.0]}, is_leaf)
    assert found.names() == ("rnn.h", "rnn.c", "other")
    assert flatten([1.0, 2.0], is_leaf)[0].names() == (None, None)


def test_a_wrong_number_of_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="2 leaves for a structure of 1"):
        LEAF.build([1.0, 2.0])


def test_a_dict_returned_in_another_order_lines_up() -> None:
    like, _ = flatten(({"h": 1.0, "c": 2.0}, 3.0), is_leaf)
    returned = ({"c": 20.0, "h": 10.0}, 30.0)
    assert flatten(reorder(returned, like), is_leaf)[1] == [10.0, 20.0, 30.0]


def test_a_structure_without_leaves_is_a_constant() -> None:
    assert flatten("text", is_leaf) == (Structure("constant", constant="text"), [])


def test_constants_that_come_back_go_in_at_the_next_step() -> None:
    went_in, _ = flatten((1.0, 0), is_leaf)
    came_back, leaves = flatten([2.0, 1], is_leaf)
    assert like(went_in, came_back).build(leaves) == (2.0, 1)


def test_a_plain_namespace_is_a_structure() -> None:
    found, leaves = flatten(SimpleNamespace(hx=1.0, cx=2.0), is_leaf)
    assert found.build(leaves) == SimpleNamespace(hx=1.0, cx=2.0)
    assert found.names() == ("hx", "cx")


class Distribution:
    def __init__(self, mean: float, of: Any = None) -> None:
        self.mean, self.same, self.of = mean, mean, of


def test_the_leaves_of_other_objects_are_found_once() -> None:
    inner = Distribution(2.0)
    inner.of = inner
    found, leaves = flatten([Distribution(1.5, {"base": inner}), 3.0], is_leaf)
    assert (leaves, beside(found, is_leaf)) == ([3.0], [1.5, 2.0])


def test_what_can_be_called_is_not_searched() -> None:
    found, _ = flatten([SimpleNamespace, Distribution, len], is_leaf)
    assert beside(found, is_leaf) == []


def test_leaves_of_one_key_are_numbered() -> None:
    found, _ = flatten({"lower": (1.0, 2.0), "upper": 3.0}, is_leaf)
    assert found.names() == ("lower[0]", "lower[1]", "upper")


def test_what_leads_to_a_leaf() -> None:
    assert flatten([(1.0, 2.0), (3.0, 4.0)], is_leaf)[0].accessors() == ("[0][0]", "[0][1]", "[1][0]", "[1][1]")
    assert flatten({"rnn": Pair(1.0, 2.0)}, is_leaf)[0].accessors() == ("['rnn'].h", "['rnn'].c")
    assert LEAF.accessors() == ("",)


def test_the_layers_of_a_list_of_parts_that_are_alike() -> None:
    assert flatten([(1.0, 2.0), (3.0, 4.0)], is_leaf)[0].layers() == (0, 0, 1, 1)
    assert flatten([1.0, 2.0], is_leaf)[0].layers() == (0, 1)
    assert flatten([1.0, (2.0, 3.0)], is_leaf)[0].layers() == (None, None, None)
    assert flatten([1.0], is_leaf)[0].layers() == (None,)
