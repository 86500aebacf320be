"""What is meant is ignored, as typed, commented and configured: whole runs."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import jsonschema
import pytest

# A pass-through: its state comes back as it went in.
CELL = """
import torch
from torch import nn


class Frozen(nn.Module):
    def __init__(self, input_size, hidden_size, bias=True):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size, bias)

    def forward(self, x, h):
        new = torch.tanh(self.w(torch.cat([x, h], -1)))
        return new, h
"""
REASON = "the caller updates it"
COMMENT = f"# rnncheck: ignore[returned-old-state] {REASON}"
PYPROJECT = f"""
[[tool.rnncheck.overrides]]
target = "cells.py:Frozen"
ignore = "returned-old-state"
reason = "{REASON}"
"""


@pytest.fixture(params=["line", "line before", "class", "configuration", "option"])
def ignored(request, write) -> tuple[list[str], dict[str, str | None]]:
    """A frozen cell that is ignored in one of the ways: the arguments to type, and what JSON says of it."""
    arguments, why = ["cells.py"], {"by": "comment", "reason": REASON}
    text = CELL
    if request.param == "line":
        text = CELL.replace("return new, h\n", f"return new, h  {COMMENT}\n")
    elif request.param == "line before":
        text = CELL.replace("        return new", f"        {COMMENT}\n        return new")
    elif request.param == "class":
        text = CELL.replace("class Frozen", f"{COMMENT}\nclass Frozen")
    elif request.param == "configuration":
        write("pyproject.toml", PYPROJECT)
        why = {"by": "configuration", "reason": REASON}
    else:
        arguments, why = ["cells.py", "--ignore", "returned-old-state"], {"by": "option", "reason": None}
    write("cells.py", text)
    return arguments, why


def test_what_is_ignored_fails_nothing_and_is_told_of(rnncheck, ignored) -> None:
    arguments, why = ignored
    done = rnncheck(*arguments, "--fail-on", "warning")
    said = "as asked" if why["reason"] is None else REASON
    lines = done.out.splitlines()
    assert (done.status, lines[1].startswith("✓ clean")) == (0, True)
    assert lines[2].startswith("  ignored: returned-old-state (cells.py:")
    assert lines[2].endswith(f": {said})")


def test_what_is_ignored_stays_in_json_with_its_reason(rnncheck, ignored) -> None:
    arguments, why = ignored
    done = rnncheck(*arguments, "--output-format", "json")
    schema = importlib.resources.files("rnncheck.formats").joinpath("report.schema.json").read_text()
    jsonschema.validate(done.json, json.loads(schema))
    (result,) = done.results
    assert (done.status, result["verdict"], result["remarks"]) == (0, "clean", [])
    assert [(found["rule"], found["explained_by"], found["suppressed"]) for found in result["findings"]] == [
        ("returned-old-state", None, why),
        ("unchanged-initial-state", "returned-old-state", why),
    ]
    outcomes = {rule["rule"]: rule["outcome"] for rule in result["rules"]}
    assert outcomes["returned-old-state"] == outcomes["unchanged-initial-state"] == "suppressed"


def test_another_finding_still_fails(rnncheck, write) -> None:
    other = CELL.replace("Frozen", "Other").replace("import torch\nfrom torch import nn\n", "")
    write("cells.py", CELL.replace("class Frozen", f"{COMMENT}\nclass Frozen") + other)
    done = rnncheck("cells.py")
    assert done.status == 1
    assert "2 cells: 1 error, 1 clean" in done.out


def test_a_cell_of_which_nothing_else_can_be_told_has_no_verdict(rnncheck, write) -> None:
    text = """
        import torch
        from torch import nn

        class Cell(nn.Module):  # COMMENT
            def __init__(self, input_size, hidden_size):
                super().__init__()
                self.cell = nn.GRUCell(input_size, hidden_size)

            def init_hidden(self, batch_size):
                return torch.zeros(batch_size, self.cell.hidden_size)

            def forward(self, x, h):
                return self.cell(x, h).unsqueeze(0)
        """
    write("cells.py", text)
    failing = rnncheck("cells.py", "--output-format", "concise")
    assert (failing.status, "state-shape-mismatch" in failing.out) == (1, True)
    write("cells.py", text.replace("COMMENT", "rnncheck: ignore[state-shape-mismatch] meant"))
    done = rnncheck("cells.py")
    assert done.status == 2
    assert "the experiments ended with state-shape-mismatch, which is ignored." in " ".join(done.out.split())


def test_a_comment_without_a_reason_or_with_an_unknown_rule_is_told_of(rnncheck, write) -> None:
    write(
        "cells.py", CELL.replace("return new, h", "return new, h  # rnncheck: ignore[returned-old-state, batch-leek]")
    )
    full = rnncheck("cells.py")
    text = " ".join(full.out.split())
    assert full.status == 0
    assert "note: cells.py:13: no reason is given for ignoring returned-old-state and batch-leek: write" in text
    assert "note: cells.py:13: there is no rule 'batch-leek' to ignore: did you mean batch-leak?" in text
    concise = rnncheck("cells.py", "--output-format", "concise")
    assert (concise.status, concise.out) == (0, "")
    assert "cells.py:13: there is no rule 'batch-leek' to ignore" in concise.err


@pytest.mark.parametrize("target", ["package/cells.py:Frozen", "package.cells:Frozen", "package/*", "Frozen"])
def test_a_target_goes_by_its_file_and_by_its_module(rnncheck, write, target: str) -> None:
    write("package/__init__.py", "")
    write("package/cells.py", CELL)
    write("pyproject.toml", PYPROJECT.replace("cells.py:Frozen", target))
    assert rnncheck("package/cells.py", "package.cells:Frozen", "./package/cells.py:Frozen").status == 0


def test_a_target_is_seen_from_the_folder_of_the_configuration(rnncheck, write, folder: Path) -> None:
    write("src/cells.py", CELL)
    write("pyproject.toml", PYPROJECT.replace("cells.py:Frozen", "src/cells.py:Frozen"))
    assert rnncheck("src/cells.py", str(folder / "src" / "cells.py")).status == 0
    write("pyproject.toml", PYPROJECT)
    assert rnncheck("src/cells.py").status == 1


def test_other_options_of_a_target(rnncheck, write) -> None:
    write("cells.py", CELL)
    write(
        "pyproject.toml",
        "[tool.rnncheck]\nsteps = 3\n[[tool.rnncheck.overrides]]\ntarget = 'cells.py'\n"
        "input-shape = 4\nsteps = 5\nkwargs = { bias = false }\n",
    )
    (result,) = rnncheck("cells.py", "--output-format", "json").results
    settings = result["settings"]
    assert (settings["input_shape"], settings["steps"], settings["kwargs"]["bias"]) == ([4], 5, False)
    (result,) = rnncheck("cells.py", "--steps", "6", "--output-format", "json").results
    assert result["settings"]["steps"] == 6


def test_a_comment_on_a_class_that_inherits_its_method(rnncheck, write) -> None:
    write("base.py", CELL.replace("class Frozen", "class Base"))
    write("cells.py", f"from base import Base\n\n\nclass Frozen(Base):  {COMMENT}\n    pass\n")
    assert rnncheck("cells.py:Frozen").status == 0
    write("cells.py", "from base import Base\n\n\nclass Frozen(Base):\n    pass\n")
    assert rnncheck("cells.py:Frozen").status == 1


def test_a_keras_cell(rnncheck, write) -> None:
    text = """
        import keras

        @keras.saving.register_keras_serializable()
        # rnncheck: ignore[missing-state-size] driven by our own loop
        class Bare(keras.layers.Layer):
            def __init__(self, units, **kwargs):
                super().__init__(**kwargs)
                self.dense = keras.layers.Dense(units, activation="tanh")

            def call(self, inputs, states):
                new = self.dense(keras.ops.concatenate([inputs, states[0]], -1))
                return new, [new]
        """
    write("cells.py", text)
    done = rnncheck("cells.py", "--output-format", "json")
    (finding,) = done.results[0]["findings"]
    assert (done.status, finding["suppressed"]["reason"]) == (0, "driven by our own loop")
    write("cells.py", text.replace("rnncheck: ignore", "rnncheck would say"))
    assert rnncheck("cells.py").status == 1
