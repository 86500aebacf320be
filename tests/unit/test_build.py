"""Constructor arguments by their names, on plain classes."""

from __future__ import annotations

from typing import Any

import pytest

from rnncheck import build
from rnncheck.errors import BuildError


def owns(obj: Any) -> bool:
    return hasattr(obj, "forward")


def first(make: Any, **kwargs: Any) -> dict[str, Any]:
    return dict(next(build.candidates(make, kwargs, owns)).kwargs)


def cell(signature: str, body: str = "pass", bases: str = "") -> Any:
    """A class with this constructor."""
    scope: dict[str, Any] = {"Base": Base}
    exec(f"class Cell({bases}):\n def __init__(self, {signature}): {body}\n def forward(self, x, h): ...", scope)
    return scope["Cell"]


class Base:
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.size = hidden_size

    def forward(self, x: Any, h: Any) -> None: ...


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("input_size, hidden_size", {"input_size": 5, "hidden_size": 8}),
        ("units, activation='tanh', **kwargs", {"units": 8}),
        ("in_features, out_features, bias", {"in_features": 5, "out_features": 8, "bias": True}),
        ("dim", {"dim": 8}),
        ("input_size, hidden_size, output_size", {"input_size": 5, "hidden_size": 8, "output_size": 6}),
        ("input_sz, hidden_sz", {"input_sz": 5, "hidden_sz": 8}),
        ("nx: int, nh: int", {"nx": 5, "nh": 8}),
        ("D_in, H", {"D_in": 5, "H": 8}),
        ("memory_dim, message_dim", {"memory_dim": 8, "message_dim": 5}),
        ("unit_1, unit_2", {"unit_1": 8, "unit_2": 8}),
        (
            "units, kernel_initializer, kernel_regularizer",
            {"units": 8, "kernel_initializer": "glorot_uniform", "kernel_regularizer": None},
        ),
    ],
)
def test_sizes_are_told_by_their_names(signature: str, expected: dict[str, Any]) -> None:
    assert first(cell(signature)) == expected


def test_given_arguments_go_before_inferred_ones() -> None:
    assert first(cell("input_size, hidden_size"), hidden_size=3) == {"input_size": 5, "hidden_size": 3}


def test_arguments_passed_on_are_looked_up_in_the_bases() -> None:
    passing = cell("*args, **kwargs", "super().__init__(*args, **kwargs)", "Base").__mro__[0]
    passing.__init__.__globals__["__class__"] = passing
    assert build._parameters(passing)[-1].name in ("hidden_size", "kwargs")
    assert {parameter.name for parameter in build._parameters(passing)} >= {"input_size", "hidden_size"}


@pytest.mark.parametrize("signature", ["wiring", "cell", "input_size, config", "units, cell_factory"])
def test_what_cannot_be_told_is_asked_for(signature: str) -> None:
    with pytest.raises(BuildError) as caught:
        first(cell(signature))
    asked = signature.rpartition(" ")[2]
    assert caught.value.message == f"Cell() needs {asked}, and rnncheck cannot tell what to pass."
    assert caught.value.hint == f"Type: rnncheck ... --kwargs {asked}=..."


def test_other_sizes_are_tried_where_the_first_are_refused() -> None:
    same = cell("input_size, hidden_size", "assert input_size == hidden_size")
    assert first(same) == {"input_size": 8, "hidden_size": 8}


def test_what_the_constructor_raises_is_told() -> None:
    with pytest.raises(BuildError, match=r"Cell\(units=8\) raised ZeroDivisionError"):
        first(cell("units", "1 / 0"))


def test_an_instance_takes_no_arguments_and_is_not_ours() -> None:
    instance = cell("")()
    assert not next(build.candidates(instance, {}, owns)).own
    with pytest.raises(BuildError, match="the target is an instance"):
        first(instance, units=3)


def test_a_factory_returns_a_cell() -> None:
    assert first(lambda: cell("")()) == {}
    with pytest.raises(BuildError, match="returned a int, not a cell"):
        first(lambda: 3)
    with pytest.raises(BuildError, match="is a int, not a cell"):
        next(build.candidates(3, {}, owns))
