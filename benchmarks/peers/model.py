"""The smallest model around a cell that a user would train: unrolled over a sequence, its last output read out."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from peers.setting import BATCH, HIDDEN_SIZE, INPUT_SIZE, LEARNING_RATE, OUTPUT_SIZE, STEPS

loss = nn.functional.mse_loss


def load(path: Path) -> type[nn.Module]:
    """The cell that a file defines."""
    spec = importlib.util.spec_from_file_location(f"cell_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (cell,) = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, nn.Module))
    return cell


def cell(path: Path, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return load(path)(INPUT_SIZE, HIDDEN_SIZE)


def initial_state(cell: nn.Module, like: Tensor) -> Any:
    """Zeros as the inputs: from the cell's own method, a pair for a cell that takes ``state``, else one tensor."""
    if hasattr(cell, "init_hidden"):
        given = cell.init_hidden(like.shape[0])
        return tuple(slot.to(like) for slot in given) if isinstance(given, tuple) else given.to(like)
    zeros = like.new_zeros(like.shape[0], HIDDEN_SIZE)
    return (zeros, zeros.clone()) if takes_pair(cell) else zeros


def takes_pair(cell: nn.Module) -> bool:
    return "state" in inspect.signature(cell.forward).parameters


def step(cell: nn.Module, x: Tensor, state: Any) -> tuple[Tensor, Any]:
    """One step of a cell, as a user would write it: a cell that takes ``state`` gives an output beside it."""
    if takes_pair(cell):
        output, state = cell(x, state)
    else:
        output = state = cell(x, state)
    return output, state


class Unrolled(nn.Module):
    """(batch, time, features) -> (batch, outputs), through the cell's last output."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell
        self.head = nn.Linear(HIDDEN_SIZE, OUTPUT_SIZE)

    def forward(self, sequence: Tensor) -> Tensor:
        state = initial_state(self.cell, sequence)
        for x in sequence.unbind(1):
            output, state = step(self.cell, x, state)
        return self.head(output)


def model(path: Path) -> Unrolled:
    return Unrolled(cell(path))


def batch(seed: int = 1) -> tuple[Tensor, Tensor]:
    """A batch of random sequences with random targets: what any model with enough weights can learn by heart."""
    generator = torch.Generator().manual_seed(seed)
    sequences = torch.randn(BATCH, STEPS, INPUT_SIZE, generator=generator)
    return sequences, torch.randn(BATCH, OUTPUT_SIZE, generator=generator)


def optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
