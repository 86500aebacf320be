"""What the source of a step tells of its parameters."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from rnncheck.usercode import usage


def function(body: str, parameters: str = "self, x, states") -> ast.FunctionDef:
    node = ast.parse(f"def step({parameters}):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("h, c = states", ("tuple", ["h", "c"])),
        ("[h] = states", ("tuple", ["h"])),
        ("(h, c), n = states", ("tuple", ["(h, c)", "n"])),
        ("h, *rest = states", None),
        ("h = states[0]", ("index", ["1"])),
        ("h, c = states[0], states[2]", ("index", ["3"])),
        ("h = states[-2]", ("index", ["2"])),
        ("h = states[:, 0]", None),
        ("h = states['h'] + states['c'] * states['h']", ("keys", ["h", "c"])),
        ("h = states.get('h')\nc = states.pop('c', None)", ("keys", ["h", "c"])),
        ("h = states.h + states.c", ("attributes", ["h", "c"])),
        ("n = states.shape[0]\nh = states.float()", None),
        ("return self.cell(x, states)", None),
    ],
)
def test_how_a_state_is_taken_apart(body: str, expected: tuple[str, list[str]] | None) -> None:
    assert usage.unpacking(function(body), "states") == expected


@pytest.mark.parametrize(
    "body",
    [
        "for x_t in x:\n    h = self.cell(x_t, h)",
        "for t, x_t in enumerate(x.unbind(1)):\n    pass",
        "for x_t in reversed(x.transpose(0, 1)):\n    pass",
        "for t in range(x.shape[1]):\n    h = self.cell(x[:, t], h)",
        "for t in range(x.size(0)):\n    pass",
        "for t in range(len(x)):\n    pass",
        "batch, seq_len, _ = x.shape\nfor t in range(seq_len):\n    pass",
        "outputs = [self.cell(x_t) for x_t in x.unbind(0)]",
        "B, T, D = x.size()",
        "T = x.size(1)",
        "steps = x.shape[0]",
    ],
)
def test_a_step_that_reads_its_input_as_a_sequence(body: str) -> None:
    assert usage.takes_sequence(function(body), "x")


@pytest.mark.parametrize(
    "body",
    [
        "h = self.cell(x, states)",
        "batch = x.shape[0]",
        "batch, features = x.shape",
        "for layer in self.layers:\n    x = layer(x)",
        "for index in range(self.num_layers):\n    x = self.cells[index](x)",
        "def inner(y):\n    for row in x:\n        pass\nreturn inner",
    ],
)
def test_a_step_that_reads_its_input_whole(body: str) -> None:
    assert not usage.takes_sequence(function(body), "x")


@pytest.mark.parametrize("name", ["sequence", "seq", "xs", "input_seq"])
def test_an_input_may_be_a_sequence_by_its_name(name: str) -> None:
    assert usage.takes_sequence(function("return self.rnn(x)"), name)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return h", ()),
        ("return out, h", ("out", "h")),
        ("return out, (h, c)", ("out", "(h, c)")),
        ("return [out, h]", ("out", "h")),
        ("if self.short:\n    return out\nreturn out, h_new", ("out", "h_new")),
        ("if self.short:\n    return out, h\nreturn out", ()),
        ("def inner():\n    return 1, 2\nreturn out, h", ("out", "h")),
        ("return", ()),
        ("pass", ()),
    ],
)
def test_what_is_returned(body: str, expected: tuple[str, ...]) -> None:
    assert usage.returned_parts(function(body)) == expected


class Base:
    def reset_states(self) -> None:
        self.h = None


class Cell(Base):
    def reset(self) -> None:
        self.c, self.log = 0, []
        local = self.size

    def reset_parameters(self) -> None:
        self.weight = 1

    def forward(self, x: object) -> None:
        self.last = x


def test_what_is_assigned_when_a_sequence_begins() -> None:
    assert usage.reset_attributes(Cell) == {"h", "c", "log"}


@pytest.mark.parametrize(
    ("body", "axis"),
    [
        ("for x_t in x:\n    pass", 0),
        ("for t, x_t in enumerate(x):\n    pass", 0),
        ("for t in range(len(x)):\n    pass", 0),
        ("for t in range(x.size(1)):\n    pass", 1),
        ("outputs = [self.cell(x[t]) for t in range(x.shape[0])]", 0),
        ("batch, seq_len, _ = x.shape\nfor t in range(seq_len):\n    pass", 1),
        ("for x_t in x.unbind(1):\n    pass", None),
        ("for layer in self.layers:\n    pass", None),
    ],
)
def test_which_axis_a_loop_goes_along(body: str, axis: int | None) -> None:
    assert usage.time_axis(function(body), "x") == axis


def test_what_is_never_named() -> None:
    assert usage.unread(function("return self.cell(x, h)", "self, x, h, lens, *, scale")) == {"lens", "scale"}
    assert usage.unread(function("return super().step(**locals())", "self, x, h")) == frozenset()


def test_what_is_asked_whether_it_is_true() -> None:
    body = "if last:\n    pass\nif h.requires_grad and not final:\n    pass\nreturn x if mask > 0 else h"
    assert usage.asked_whether(function(body, "self, x, h, last, final, mask")) == {"last", "final"}


def test_to_which_methods_the_input_is_handed() -> None:
    body = "out, h = self.run(self.w, x, h)\nreturn other.run(x), self.readout(out), self.cell(h, x)"
    assert usage.handed_to(function(body, "self, x, h"), "x") == [("cell", 1), ("run", 1)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x, h = x", ("x", "h")),
        ("x, (h, c) = x", ("x", ("h", "c"))),
        ("y = self.norm(x)\nx, h = x", ()),
        ("x, *rest = x", ()),
        ("x, state.h = x", ()),
        ("n = 2\nx, h = x", ("x", "h")),
        ("return x", ()),
    ],
)
def test_what_one_argument_holds(body: str, expected: tuple[Any, ...]) -> None:
    assert usage.nested_parts(function(body), "x") == expected
