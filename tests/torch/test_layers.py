"""Layers over a sequence carry their state from step to step, and outputs are told from states."""

from __future__ import annotations

import platform
from typing import Any

import pytest
import torch
import torch_layers as cells
from cases import check, classes, expected, holds, seen

import rnncheck

BROKEN = [item for item in classes(cells) if expected(item)]
HEALTHY = [item for item in classes(cells) if not expected(item)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, seed=seed)


@pytest.mark.parametrize(
    ("cell", "convention"),
    [
        (cells.ListOfSteps, "(data[None]) -> output"),
        (cells.LoopsInAPart, "(inputs[None], state) -> (output, state')"),
        (cells.WhileThereAreSteps, "(x[:, None]) -> output"),
        (cells.StacksItsStates, "(x[:, None], h0) -> (output, h0')"),
        (cells.TakesNoStateYet, "(input_tensor[:, None]) -> output"),
        (cells.RefusesImagesBeforeIt, "(input_tensor[None]) -> output"),
        (cells.SpikesWhenItIsLoud, "(x[:, None]) -> output"),
        (cells.ActsByADistribution, "(obs, h) -> (output 0, output 1, h')"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_how_it_is_called_is_understood(cell: Any, convention: str) -> None:
    assert check(cell).convention == convention


class _Unfinished(torch.nn.Module):
    def __init__(self, num_units: int) -> None:
        self.tau = 1

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return h + 0.1 * (x - h)


class _Raises(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.rnn = torch.nn.GRU(input_size, hidden_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x, missing)[0]  # type: ignore[name-defined] # noqa: F821


class _NeedsTwoSteps(torch.nn.Module):
    """(batch, time, feature), as its code says: the other way round is no way to call it."""

    def __init__(self, input_size: int = 1, hidden_size: int = 16) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.cell, self.readout = torch.nn.GRUCell(input_size, hidden_size), torch.nn.Linear(hidden_size, input_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        B, T, _ = x.shape
        h, predicted = x.new_zeros(B, self.hidden_size), []
        for step in range(T - 1):
            h = self.cell(x[:, step], h)
            predicted.append(self.readout(h))
        return torch.stack(predicted, dim=1)


class _TwoPredecessors(torch.nn.Module):
    """One pair comes back for two that went in: none was forgotten."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = torch.nn.Linear(input_size + 2 * hidden_size, 5 * hidden_size)

    def forward(self, x, hc_1, hc_2):  # type: ignore[no-untyped-def]
        (h_1, c_1), (h_2, c_2) = hc_1, hc_2
        i, f_1, f_2, o, g = self.gates(torch.cat([x, h_1, h_2], 1)).chunk(5, 1)
        c = f_1.sigmoid() * c_1 + f_2.sigmoid() * c_2 + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (_Unfinished, "does not call super().__init__()"),
        (_Raises, "NameError"),
        (_NeedsTwoSteps, "stack expects a non-empty TensorList"),
        (_TwoPredecessors, "no part like the state that went in"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_keeps_it_from_a_verdict_is_told(cell: Any, told: str) -> None:
    (result,) = rnncheck.check(cell).results
    assert result.verdict == "error"
    assert result.error is not None
    assert told in result.error.message


class _Unwritten(torch.nn.Module):
    """Its weights are whatever stood in the memory that they got; a script fills them before it trains."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.FloatTensor(input_size + hidden_size, hidden_size))
        self.b = torch.nn.Parameter(torch.empty(hidden_size))

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.cat([x, h], 1) @ self.w + self.b)


def test_weights_that_nobody_wrote_are_drawn_and_told_of() -> None:
    for seed in range(3):
        result = check(_Unwritten, seed=seed)
        assert result.verdict == "clean"
        assert any("w and b" in remark and "initialise" in remark for remark in result.remarks)
    assert not torch.are_deterministic_algorithms_enabled()


class _Perceptron(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(input_size, hidden_size), torch.nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def test_what_has_no_memory_at_all_is_no_cell() -> None:
    (result,) = rnncheck.check(_Perceptron).results
    assert result.error is not None
    assert "takes no state and keeps none" in result.error.message


class _ComputesNaN(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(input_size + hidden_size, hidden_size) / torch.zeros(1))

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.cat([x, h], 1) @ self.w)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="elsewhere the two kinds of NaN are alike")
def test_nan_that_the_constructor_computed_is_an_error() -> None:
    assert [finding[0] for finding in seen(check(_ComputesNaN))] == ["nonfinite-state"]


class _OnlyStepsAreUnderstood(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = torch.nn.GRUCell(input_size, hidden_size)

    def forward(self, batch: object) -> None:
        raise ValueError("a batch of a loader of its own")

    def step(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        return self.cell(x, h)


def test_what_was_checked_in_place_of_forward_is_told() -> None:
    told = check(_OnlyStepsAreUnderstood).remarks
    assert any("step() was checked" in remark and "--method forward" in remark for remark in told)
    assert not check(_OnlyStepsAreUnderstood, method="step").remarks


class _DropsUnits(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int, read: int = 8, p: float = 0.5) -> None:
        super().__init__()
        self.input = torch.nn.Linear(input_size, hidden_size)
        self.recurrent = torch.nn.Linear(read, hidden_size)
        self.read, self.p = read, p

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        kept = torch.nn.functional.dropout(h[:, : self.read], self.p)
        return torch.tanh(self.input(x) + self.recurrent(kept))


@pytest.mark.parametrize("seed", range(12))
def test_units_that_chance_silences_are_not_called_forgotten(seed: int) -> None:
    (result,) = rnncheck.check(_DropsUnits, backend="torch", seed=seed).results
    assert [finding.rule for finding in result.findings] == ["random-state"]


@pytest.mark.parametrize("seed", range(3))
def test_units_that_are_never_read_are_told_in_spite_of_chance(seed: int) -> None:
    needed = {"hidden_size": 8, "read": 4, "p": 0.1}
    (result,) = rnncheck.check(_DropsUnits, backend="torch", seed=seed, kwargs=needed).results
    (told,) = [finding for finding in result.findings if finding.rule == "ignored-recurrence"]
    assert told.evidence["units"] == [4, 7]
