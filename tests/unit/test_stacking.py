"""What the source of a step tells of a state that has a part for each layer."""

from __future__ import annotations

import ast
import textwrap
from types import SimpleNamespace

import pytest

from rnncheck.usercode.stacking import MOST, Stacked, stacked


def function(body: str) -> ast.FunctionDef:
    node = ast.parse(f"def step(self, x, states):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("for cell, s in zip(self.cells, states): x = cell(x, s)", (("cells",), None)),
        ("for cell, (h, c) in zip(self.cells, states): x = cell(x, h, c)", (("cells",), 2)),
        ("for i, (cell, s) in enumerate(zip(self.cells, states)):\n    h, c = s", (("cells",), 2)),
        ("for i, (cell, s) in enumerate(zip(self.cells, states)):\n    h, c = s[0], s[1]", (("cells",), 2)),
        ("for i, s in enumerate(states): x = self.cells[i](x, s)", ((), None)),
        ("for i in range(self.depth): x = self.cells[i](x, states[i])", (("depth",), None)),
        ("for i in range(len(self.cells)):\n    h, c = states[i]", (("cells",), 2)),
        ("for i, cell in enumerate(self.cells):\n    x = cell(x, states[i][0], states[i][1])", (("cells",), 2)),
        ("for i, cell in enumerate(self.cells):\n    s = states[i]\n    x = cell(x, s)", (("cells",), None)),
        ("new = [cell(x, states[i]) for i, cell in enumerate(self.cells)]", (("cells",), None)),
        ("for cell, s in zip(self.cells, states.unbind(0)): x = cell(x, s)", (("cells",), None)),
        ("for cell, s in zip(self.cells, torch.unbind(states, dim=0)): x = cell(x, s)", (("cells",), None)),
        ("for cell, s in zip(self.cells, reversed(states)): x = cell(x, s)", (("cells",), None)),
        ("for cell, s in zip(self.cells, states.unbind(1)): x = cell(x, s)", None),
        ("h, c = states", None),
        ("for t in range(3): x = self.cell(x[t], states)", None),
        ("for key in self.names: x = states[key]", None),
        ("return states[0]", None),
    ],
)
def test_how_a_state_is_taken_by_layers(body: str, expected: tuple[tuple[str, ...], int | None] | None) -> None:
    assert stacked(function(body), "states") == (None if expected is None else Stacked(*expected))


@pytest.mark.parametrize(
    ("attributes", "count"),
    [
        ({"cells": [1, 2, 3]}, 3),
        ({"cells": 2}, 2),
        ({"cells": None}, None),
        ({"cells": []}, None),
        ({"cells": True}, None),
        ({"cells": range(MOST + 1)}, None),
        ({}, None),
        ({"cells": object(), "depth": 4}, 4),
    ],
)
def test_the_cell_tells_how_many_layers_there_are(attributes: dict[str, object], count: int | None) -> None:
    assert Stacked(("cells", "depth"), None).count(SimpleNamespace(**attributes)) == count
