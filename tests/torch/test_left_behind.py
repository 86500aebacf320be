"""A check from Python leaves the instance, its optimiser, the random numbers and the process as they were."""

from __future__ import annotations

import gc
import os
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import left_behind
import numpy as np
import pytest
import torch
from torch import nn

import rnncheck


class Plain(nn.Module):
    def __init__(self, input_size: int = 5, hidden_size: int = 8) -> None:
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, hidden_size)
        self.norm = nn.BatchNorm1d(hidden_size)
        self.drop = nn.Dropout(0.3)
        self.register_buffer("seen", torch.zeros(()))
        self.history: list[float] = []

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        self.deed()
        return torch.tanh(self.gates(torch.cat([x, self.drop(self.norm(h))], 1)))

    def deed(self) -> None:
        return


class Counts(Plain):
    def deed(self) -> None:
        self.seen += 1
        self.history.append(float(self.seen))
        self.extra = self.seen.clone()


class ChangesWeights(Plain):
    def deed(self) -> None:
        with torch.no_grad():
            self.gates.bias.add_(1.0)


class KeepsAPlainList(Plain):
    """PyTorch does not see its layers."""

    def __init__(self, input_size: int = 5, hidden_size: int = 8) -> None:
        super().__init__(input_size, hidden_size)
        self.layers = [nn.Linear(hidden_size, hidden_size)]

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        h = self.layers[0](super().forward(x, h))
        with torch.no_grad():
            self.layers[0].bias.add_(1.0)
        return h


class Raises(Plain):
    def deed(self) -> None:
        raise ValueError("no such step")


class RaisesLater(Counts):
    def deed(self) -> None:
        super().deed()
        if self.seen > 5:
            raise ValueError("no such step")


class Exits(Plain):
    def deed(self) -> None:
        sys.exit(1)


class ChangesTheProcess(Plain):
    def deed(self) -> None:
        os.chdir("/")
        sys.path.insert(0, "/")
        sys.setrecursionlimit(3000)
        warnings.simplefilter("ignore")
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)


CELLS = (Plain, Counts, ChangesWeights, KeepsAPlainList, Raises, RaisesLater, Exits, ChangesTheProcess)


def picture(cell: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    hooks = [name for name in vars(nn.Module()) if "hooks" in name]
    return left_behind.process() | {
        "state": {name: value.detach().numpy().copy() for name, value in cell.state_dict().items()},
        "identity": {name: id(value) for name, value in cell.named_parameters()},
        "gradients": {name: value.grad.numpy().copy() for name, value in cell.named_parameters()},
        "unregistered": {
            f"{number}.{name}": [tensor.detach().numpy().copy() for tensor in (value, value.grad)]
            for number, layer in enumerate(getattr(cell, "layers", ()))
            for name, value in layer.named_parameters()
        },
        "modes": [module.training for module in cell.modules()],
        "hooks": [dict(getattr(module, name)) for module in cell.modules() for name in hooks],
        "attributes": sorted(vars(cell)),
        "history": list(getattr(cell, "history", [])),
        "optimiser": {
            f"{number}.{name}": value.numpy().copy()
            for number, state in optimiser.state_dict()["state"].items()
            for name, value in state.items()
        },
        "torch": torch.get_rng_state().numpy().copy(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "grad": torch.is_grad_enabled(),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cls", CELLS, ids=lambda cls: cls.__name__)
def test_an_instance_and_the_process_are_as_before(cls: type[Plain], training: bool) -> None:
    torch.manual_seed(11)
    cell = cls().train(training)
    optimiser = torch.optim.Adam(cell.parameters())
    x, h = torch.randn(3, 5), torch.randn(3, 8)
    Plain.forward.__get__(Plain(), Plain)(x, h)
    for parameter in (
        *cell.parameters(),
        *(part for layer in getattr(cell, "layers", ()) for part in layer.parameters()),
    ):
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()
    before = picture(cell, optimiser)
    (result,) = rnncheck.check(cell, backend="torch").results
    after = picture(cell, optimiser)
    assert left_behind.differences(before, after) == []
    assert (result.error is None) == (cls not in (Raises, RaisesLater, Exits))


def test_checking_a_class_draws_no_random_numbers_of_yours() -> None:
    torch.manual_seed(3)
    wanted = torch.randn(4)
    torch.manual_seed(3)
    rnncheck.check(Plain, backend="torch")
    assert torch.equal(torch.randn(4), wanted)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_garbage_collector_takes_what_it_took(tmp_path: Path, frozen: bool) -> None:
    path = tmp_path / "cells.py"
    path.write_text(
        "import gc\nfrom torch import nn\nclass Cell(nn.GRUCell):\n"
        "    def forward(self, x, h):\n        assert gc.get_freeze_count()\n        return super().forward(x, h)\n"
    )
    if frozen:
        gc.freeze()
    try:
        assert [result.verdict for result in rnncheck.check(str(path)).results] == ["clean"]
        assert (gc.get_freeze_count() > 0) == frozen
    finally:
        gc.unfreeze()


class CountsThreads(nn.Module):
    seen: set[int] = set()

    def __init__(self, input_size: int = 5, hidden_size: int = 8) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        self.seen.add(torch.get_num_threads())
        return self.cell(x, h)


def test_one_thread_works_on_a_small_cell_and_as_many_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    CountsThreads.seen.clear()
    try:
        rnncheck.check(CountsThreads, backend="torch")
        assert CountsThreads.seen == {1}
        assert torch.get_num_threads() == 2
        rnncheck.check(CountsThreads, backend="torch", kwargs={"hidden_size": 256})
        assert CountsThreads.seen == {1, 2}
    finally:
        torch.set_num_threads(before)
