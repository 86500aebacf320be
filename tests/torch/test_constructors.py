"""Constructors as they are published, and the sizes that a built cell's weights tell."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import rnncheck
from rnncheck.backends import load
from rnncheck.building import build
from rnncheck.building.build import Built
from rnncheck.discovery import widths
from rnncheck.formats import json_report

BACKEND = load("torch")


def built(make: Any, **kwargs: Any) -> Built:
    return next(build.candidates(make, kwargs, BACKEND.owns))


class Step(nn.Module):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x, h):
        return h


class WithCell(Step):
    def __init__(self, input_size, hidden_size, cell):
        super().__init__()
        self.cell = cell
        assert cell.hidden_size == hidden_size


class WithCells(Step):
    def __init__(self, cells):
        super().__init__()
        self.cells = nn.ModuleList(cells)


class WithCellClass(Step):
    def __init__(self, input_size, hidden_size, cell_class):
        super().__init__()
        self.cell = cell_class(input_size, hidden_size)


class WithActivationFunction(Step):
    def __init__(self, hidden_size, activation):
        super().__init__()
        self.seen = activation(torch.zeros(2))


class WithActivationModule(Step):
    def __init__(self, hidden_size, act: nn.Module):
        super().__init__()
        self.act = act


class WithActivationClass(Step):
    def __init__(self, hidden_size, act_layer):
        super().__init__()
        self.act = act_layer()


class WithKind(Step):
    def __init__(self, hidden_size, rnn_type):
        super().__init__()
        self.cell = getattr(nn, f"{rnn_type}Cell")(hidden_size, hidden_size)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (WithCell, "{'input_size': 5, 'hidden_size': 8, 'cell': torch.nn.GRUCell(5, 8)}"),
        (WithCells, "{'cells': [torch.nn.GRUCell(5, 8), torch.nn.GRUCell(8, 8)]}"),
        (WithCellClass, "{'input_size': 5, 'hidden_size': 8, 'cell_class': torch.nn.GRUCell}"),
        (WithActivationFunction, "{'hidden_size': 8, 'activation': torch.tanh}"),
        (WithActivationModule, "{'hidden_size': 8, 'act': torch.nn.Tanh()}"),
        (WithActivationClass, "{'hidden_size': 8, 'act_layer': torch.nn.Tanh}"),
        (WithKind, "{'hidden_size': 8, 'rnn_type': 'GRU'}"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_objects_of_the_framework_are_made(make: Any, text: str) -> None:
    assert repr(dict(built(make).kwargs)) == text


class LateActivation(nn.Module):
    def __init__(self, input_size, hidden_size, activation):
        super().__init__()
        self.x, self.h = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.activation = activation

    def forward(self, x, h):
        return self.activation(self.x(x) + self.h(h))


@dataclasses.dataclass
class Config:
    hidden_size: int
    input_size: int = -1


class Configured(LateActivation):
    def __init__(self, config: Config):
        super().__init__(config.input_size, config.hidden_size, torch.tanh)


def test_a_cell_that_calls_its_activation_only_later_is_checked() -> None:
    (result,) = rnncheck.check(LateActivation).results
    assert (result.verdict, repr(result.settings["kwargs"]["activation"])) == ("clean", "torch.tanh")


def test_a_configured_cell_is_checked_and_the_configuration_is_in_the_json() -> None:
    report = rnncheck.check(Configured, kwargs={"config": {"hidden_size": 6}})
    (result,) = json.loads(json_report.render(report))["results"]
    assert (result["verdict"], result["states"][0]["shape"]) == ("clean", [6])
    assert result["settings"]["kwargs"] == {"config": "Config(input_size=5, hidden_size=6)"}


def test_a_function_that_is_given_is_in_the_json_by_its_name() -> None:
    report = rnncheck.check(LateActivation, kwargs={"activation": torch.sigmoid})
    (result,) = json.loads(json_report.render(report))["results"]
    assert (result["verdict"], result["settings"]["kwargs"]["activation"]) == ("clean", "torch.sigmoid")


def test_the_line_to_type_names_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wired.py").write_text(
        "import torch\nclass Cell(torch.nn.Module):\n"
        "    def __init__(self, units, wiring): super().__init__()\n    def forward(self, x, h): return h\n"
    )
    (result,) = rnncheck.check("wired.py:Cell", kwargs={"units": 4}).results
    assert result.error is not None
    assert result.error.hint == "Type: rnncheck wired.py:Cell --kwargs units=4 --kwargs wiring=..."


class Gates(Step):
    """A convolution over the input and the state side by side, whose sizes are kept nowhere."""

    def __init__(self, a, b, kernel_size=3):
        super().__init__()
        self.gates = nn.Conv2d(a + b, 4 * b, kernel_size, padding=1)


class Apart(Step):
    def __init__(self, in_c: int, c: int, filter_size: int, height: int, width: int):
        super().__init__()
        self.x, self.h = nn.Conv2d(in_c, 4 * c, filter_size), nn.Conv2d(c, 4 * c, filter_size)
        self.peephole = nn.Parameter(torch.zeros(1, c, height, width))


class Places(Step):
    def __init__(self, in_c: int, c: int, height: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(in_c + c, 4 * c, 3, padding=1)


class Lines(Step):
    def __init__(self, in_channels, hidden_channels, kernel_size):
        super().__init__()
        self.conv = nn.Conv1d(in_channels + hidden_channels, hidden_channels, kernel_size)


class Volumes(Step):
    def __init__(self, in_channels, hidden_channels, kernel_size):
        super().__init__()
        self.conv = nn.Conv3d(in_channels + hidden_channels, hidden_channels, kernel_size)


@pytest.mark.parametrize(
    ("make", "kwargs", "shape", "state"),
    [
        (Gates, {"a": 2, "b": 7}, (2, 6, 7), (7, 6, 7)),
        (Apart, {"in_c": 2, "c": 7, "filter_size": 3, "height": 9, "width": 5}, (2, 9, 5), (7, 9, 5)),
        (Places, {"in_c": 2, "c": 7, "height": 9, "width": 5}, (2, 9, 5), (7, 9, 5)),
        (nn.GRUCell, {}, (5,), (8,)),
        (Lines, {}, (3, 7), (4, 7)),
        (Volumes, {"kernel_size": (3, 3, 3)}, (3, 5, 6, 7), (4, 5, 6, 7)),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_the_shapes_to_try_first(make: Any, kwargs: Any, shape: Any, state: Any) -> None:
    made = built(make, **kwargs)
    assert shape in widths.input_shapes(made, BACKEND, made.cell)[:2]
    assert state in widths.state_shapes(made, BACKEND, made.cell, shape)[:3]


def test_the_shapes_of_an_instance_come_from_its_weights_alone() -> None:
    cell = Gates(2, 7)
    made = Built(cell, own=False)
    assert (2, 6, 7) in widths.input_shapes(made, BACKEND, cell)
    assert (7, 6, 7) in widths.state_shapes(made, BACKEND, cell, (2, 6, 7))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nn.ModuleList([nn.Linear(1024 + 512, 4 * 512)]), (1024,)),
        (lambda: nn.ModuleList([nn.Linear(3 + 4, 2 * 4), nn.Linear(3 + 4, 4)]), (3,)),
        (lambda: nn.ModuleList([nn.Linear(3, 16), nn.Linear(4, 16), nn.Linear(4, 7)]), (3,)),
        (lambda: nn.ParameterList([nn.Parameter(torch.randn(6, 6)), nn.Parameter(torch.randn(6, 6))]), (6,)),
        (lambda: nn.ParameterList([nn.Parameter(torch.randn(9, 30)), nn.Parameter(torch.randn(10, 30))]), (9,)),
    ],
    ids=["one for both", "three gates for both", "one for each", "alike", "the other way round"],
)
def test_the_width_with_which_an_instance_s_weights_are_accounted_for_is_tried_first(make: Any, shape: Any) -> None:
    cell = make()
    assert widths.input_shapes(Built(cell, own=False), BACKEND, cell)[0] == shape


class ByOptions(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, hparams: dict[str, Any]) -> None:
        super().__init__()
        self.gated = hparams["gated"] if "gated" in hparams else False  # noqa: SIM401
        self.dropout = nn.Dropout(hparams["dropout"]) if "dropout" in hparams.keys() else nn.Identity()  # noqa: SIM118
        self.cell = nn.GRUCell(input_size, hidden_size)
        gain = hparams.get("init")
        if gain is not None:
            nn.init.xavier_uniform_(self.cell.weight_hh, gain=gain)
        self.units = hparams["units"]

    def forward(self, x: torch.Tensor, hx: torch.Tensor) -> torch.Tensor:
        return self.cell(self.dropout(x), hx)


def test_what_a_constructor_asks_of_its_options_first_is_no_option_that_it_needs() -> None:
    (result,) = rnncheck.check(ByOptions, kwargs={"hparams": {"units": 3}}).results
    assert (result.verdict, str(result.settings["kwargs"]["hparams"])) == ("clean", "{'units': 3}")
