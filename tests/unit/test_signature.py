"""Which parameter is the input and which the state, by names, defaults and what the method returns."""

from __future__ import annotations

from typing import Any

import pytest

from rnncheck.calling.signature import ANONYMOUS, EACH, Signature, kept, packed, signatures


def step(parameters: str) -> Any:
    """A function with these parameters."""
    scope: dict[str, Any] = {}
    exec(f"def step({parameters}): ...", scope)
    return scope["step"]


def likeliest(parameters: str, given: tuple[str, ...] = (), returned: tuple[str, ...] = ()) -> Signature:
    return next(iter(signatures(step(parameters), given, returned)))


@pytest.mark.parametrize(
    ("parameters", "source", "states", "passing"),
    [
        ("x, h", "x", ("h",), "one"),
        ("inputs, states, training=False", "inputs", ("states",), "one"),
        ("h, x", "x", ("h",), "one"),
        ("carry, x", "x", ("carry",), "one"),
        ("u, y", "u", ("y",), "one"),
        ("prev_action, prev_state", "prev_action", ("prev_state",), "one"),
        ("x, h, c", "x", ("h", "c"), "each"),
        ("x, syn, mem", "x", ("syn", "mem"), "each"),
        ("x, *, h, c", "x", ("h", "c"), "each"),
        ("x, h, c=None", "x", ("h", "c"), "each"),
        ("x, *states", "x", ("states",), "*"),
        ("x, *args", "x", ("args",), "*"),
        ("x, **state", "x", ("state",), "**"),
        ("x, h, ts", "x", ("h",), "one"),
        ("x, mask=None, h=None", "x", ("h",), "one"),
        ("x, edge_index, H", "x", ("H",), "one"),
        ("q, k, v, state", "q", ("state",), "one"),
        ("x, scale: float, h", "x", ("h",), "one"),
    ],
)
def test_input_and_state(parameters: str, source: str, states: tuple[str, ...], passing: str) -> None:
    found = likeliest(parameters)
    assert (found.input, found.states, found.passing) == (source, states, passing)


@pytest.mark.parametrize("parameters", ["", "x", "x, training=False", "training, x"])
def test_no_state_is_taken(parameters: str) -> None:
    assert list(signatures(step(parameters))) == []


def test_of_several_states_each_may_also_be_the_only_one() -> None:
    assert [(way.states, way.further) for way in signatures(step("x, h, c"))] == [
        (("h", "c"), ()), (("h",), ("c",)), (("c",), ("h",)),
    ]  # fmt: skip


def test_what_must_be_passed_and_what_may_be_left_out() -> None:
    assert likeliest("x, h, ts, mask=None").further == ("ts",)
    assert likeliest("q, k, v, state").further == ("k", "v")
    assert (likeliest("x, hx=None").optional, likeliest("x, hx").optional) == (True, False)


def test_what_the_user_gives_is_no_longer_asked_for() -> None:
    assert likeliest("x, h, gate", ("gate",)).further == ()
    assert likeliest("x, h, memory", ("memory",)).states == ("h",)


def test_a_flag_without_which_no_state_comes_back() -> None:
    found = {way.states: way.flags for way in signatures(step("x, h=None, return_state=False"))}
    assert found["h",] == ("return_state",)


def test_a_parameter_whose_name_comes_back_is_a_state() -> None:
    assert likeliest("x, y, z", returned=("out", "y_new", "z_new")).states == ("y", "z")
    assert likeliest("x, y, z", returned=("y_new", "z_new")).states == ("y", "z")


@pytest.mark.parametrize(
    ("parameters", "first"), [("x, h", True), ("h, x", False), ("x, *h", True), ("h, c, x", False), ("x, **h", True)]
)
def test_which_of_them_goes_in_first(parameters: str, first: bool) -> None:
    assert likeliest(parameters).input_first is first


def test_what_has_no_signature_is_called_with_input_and_state() -> None:
    assert list(signatures(step("*args"))) == [ANONYMOUS]
    assert list(signatures(max)) == [ANONYMOUS]


def test_a_state_that_is_kept_leaves_the_input_alone() -> None:
    (found,) = kept(step("x, gate, scale=1.0"))
    assert (found.input, found.states, found.passing, found.further) == ("x", (), "kept", ("gate",))
    assert kept(step("x, gate"), ("gate",))[0].further == ()
    assert kept(step("")) == []


@pytest.mark.parametrize(
    ("parameters", "state", "further", "arguments", "named"),
    [
        ("x, h", "H", {}, ["X", "H"], {}),
        ("h, x", "H", {}, ["H", "X"], {}),
        ("x, h, c", ("H", "C"), {}, ["X", "H", "C"], {}),
        ("x, ts, h", "H", {"ts": 1.0}, ["X", 1.0, "H"], {}),
        ("x, mask=None, h=None", "H", {}, ["X"], {"h": "H"}),
        ("x, *, h, c", ("H", "C"), {}, ["X"], {"h": "H", "c": "C"}),
        ("x, *states", ("H", "C"), {}, ["X", "H", "C"], {}),
        ("x, **state", {"h": "H", "c": "C"}, {}, ["X"], {"h": "H", "c": "C"}),
    ],
)
def test_the_arguments_of_one_call(
    parameters: str, state: Any, further: dict[str, Any], arguments: list[Any], named: dict[str, Any]
) -> None:
    assert likeliest(parameters).bind("X", state, further) == (arguments, named)


def test_input_and_states_in_one_argument() -> None:
    found = packed(("x", ("h", "c")))
    assert found == Signature("x", ("h", "c"), EACH, (), within=("x", ("h", "c")))
    assert found.bind(1, (2, 3), {}) == ([(1, (2, 3))], {})
    alone = packed(("x", "h"))
    assert alone is not None
    assert alone.bind(1, [2], {"training": False}) == ([(1, [2])], {"training": False})


@pytest.mark.parametrize("names", [("h", "c"), ("x", "y"), ("x", "y", "h")])
def test_what_is_not_one_input_with_states(names: tuple[str, ...]) -> None:
    assert packed(names) is None


def test_what_is_none_by_default_may_be_needed() -> None:
    def call(inputs: Any, states: Any, constants: Any = None, training: Any = None) -> None: ...

    assert next(iter(signatures(call))).unset == ("constants",)
