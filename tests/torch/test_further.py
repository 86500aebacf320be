"""Values for what a step must be passed beside its input and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from rnncheck.backends import choose
from rnncheck.calling import signature
from rnncheck.calling.convention import Callee
from rnncheck.discovery import further
from rnncheck.discovery.further import Further
from rnncheck.errors import UsageError
from rnncheck.usercode.expressions import value_of


def twos(rows: int) -> torch.Tensor:
    return torch.full((rows, 1), 2.0)


def likeliest(step: Callable[..., Any], given: Mapping[str, Any] | None = None, **sizes: int) -> Further:
    """The first values for a step of 3 rows of 5 features, in a cell of 8 units that keeps these sizes."""
    cell = type("Cell", (nn.Module,), {"forward": step, "__module__": __name__})()
    vars(cell).update(sizes)
    backend = choose("torch", cell)
    way = next(iter(signature.signatures(cell.forward, tuple(given or ()))))
    callee = Callee(backend, cell, "forward", way)
    return next(iter(further.arguments(callee, given or {}, torch.zeros(3, 5), 3, [8, 8 + 5])))


@pytest.mark.parametrize(
    ("step", "name", "shown"),
    [
        (lambda self, x, h, ts: h, "ts", "1.0"),
        (lambda self, x, h, delta_t: h, "delta_t", "1.0"),
        (lambda self, x, h, mask: h, "mask", "ones 3x1"),
        (lambda self, x, h, done: h, "done", "zeros 3x1"),
        (lambda self, x, h, training: h, "training", "False"),
        (lambda self, x, h, return_sequences: h, "return_sequences", "True"),
        (lambda self, x, h, edge_index: h, "edge_index", "tensor 2x3"),
        (lambda self, x, h, edge_weight: h, "edge_weight", "None"),
        (lambda self, x, h, adj: h, "adj", "tensor 3x3"),
        (lambda self, x, h, lengths: h, "lengths", "ones 3"),
        (lambda self, x, h, step: h, "step", "1"),
        (lambda self, x, h, rng: h, "rng", "None"),
        (lambda self, x, h, encoder_outputs: h, "encoder_outputs", "tensor 3x4x8"),
    ],
)
def test_the_first_value_is_one_under_which_a_healthy_cell_remembers(step: Any, name: str, shown: str) -> None:
    assert likeliest(step).shown == {name: shown}


def test_a_width_is_that_by_which_the_cell_calls_it() -> None:
    assert likeliest(lambda self, x, h, action: h, action_size=4).shown == {"action": "tensor 3x4"}


def test_tensors_have_the_types_of_the_framework() -> None:
    found = likeliest(lambda self, x, h, mask, edge_index, lengths: h)
    types = {name: (type(value), value.dtype) for name, value in found.values.items()}
    assert types == {
        "mask": (torch.Tensor, torch.float32),
        "edge_index": (torch.Tensor, torch.int64),
        "lengths": (torch.Tensor, torch.int64),
    }


def test_what_the_user_gives_goes_before_and_is_shown_as_typed() -> None:
    given = {"ts": [[0.5], [1.0], [1.5]], "how": "relu", "scale": value_of("torch.full((3, 1), 2.0)")}
    found = likeliest(lambda self, x, h, ts, how, scale, mask: h, given)
    assert found.shown == {
        "mask": "ones 3x1", "ts": "[[0.5], [1.0], [1.5]]", "how": "'relu'", "scale": "torch.full((3, 1), 2.0)",
    }  # fmt: skip
    assert torch.equal(found.values["ts"], torch.tensor([[0.5], [1.0], [1.5]]))
    assert torch.equal(found.values["scale"], torch.full((3, 1), 2.0))
    assert found.values["how"] == "relu"


def test_names_in_an_expression_are_those_of_the_cells_module() -> None:
    found = likeliest(lambda self, x, h, ts: h, {"ts": value_of("twos(3)")})
    assert torch.equal(found.values["ts"], twos(3))


def test_an_expression_that_cannot_be_made_names_the_option() -> None:
    with pytest.raises(UsageError, match=r"^--call-kwargs torch.ones\('a'\) raised TypeError"):
        likeliest(lambda self, x, h, ts: h, {"ts": value_of("torch.ones('a')")})
    with pytest.raises(UsageError, match=r"^--call-kwargs nowhere.ones\(3\): there is no module 'nowhere'"):
        likeliest(lambda self, x, h, ts: h, {"ts": value_of("nowhere.ones(3)")})


def test_other_values_follow_those_that_differ_in_one_argument_first() -> None:
    cell = type("Cell", (nn.Module,), {"forward": lambda self, x, h, mask, ts: h})()
    way = next(iter(signature.signatures(cell.forward)))
    callee = Callee(choose("torch", cell), cell, "forward", way)
    shown = [tuple(found.shown.values()) for found in further.arguments(callee, {}, torch.zeros(3, 5), 3, [8])]
    assert shown[0] == ("ones 3x1", "1.0")
    assert set(shown[1:3]) == {("ones 3", "1.0"), ("ones 3x1", "ones 3x1")}
    assert len(shown) == further.COMBINATIONS
