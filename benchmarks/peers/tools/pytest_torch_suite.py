"""The test file that a user of pytest-torch would write for the cell that the variable CELL names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pytest_torch import ModelSuite, assert_gradcheck, assert_streaming_equivalent, assert_torchscript_parity
from torch import Tensor, nn

from peers import model, setting

LEARNING = {"lr": setting.LEARNING_RATE}


@pytest.fixture
def cell() -> nn.Module:
    return model.cell(_path()).eval()


class TestUnrolled(ModelSuite):
    checks = ("contract", "compile", "export", "torchscript", "checkpoint", "layouts", "training")
    check_options: ClassVar = {"loss_decreases": LEARNING, "overfits_one_batch": LEARNING}

    def make_model(self) -> nn.Module:
        return model.model(_path())

    def make_inputs(self, make_tensor: Any) -> Tensor:
        return model.batch()[0]

    def loss(self, output: Tensor, inputs: Tensor) -> Tensor:
        return model.loss(output, model.batch()[1])


def test_streaming(cell: nn.Module) -> None:
    def run(sequence: Tensor, state: Any) -> tuple[Tensor, Any]:
        outputs = []
        for x in sequence.unbind(1):
            output, state = model.step(cell, x, state)
            outputs.append(output)
        return torch.stack(outputs, 1), state

    def start() -> Any:
        return model.initial_state(cell, model.batch()[0])

    assert_streaming_equivalent(
        lambda sequence: run(sequence, start())[0], run, model.batch()[0], chunk_sizes=(1, 3), init_state=start
    )


def test_gradients_of_a_step(cell: nn.Module) -> None:
    def one_step(x: Tensor, *state: Tensor) -> Tensor:
        return model.step(cell.double(), x, state if model.takes_pair(cell) else state[0])[0]

    assert_gradcheck(one_step, tuple(_step_inputs(cell)))


def test_scripted_step(cell: nn.Module) -> None:
    try:
        torch.jit.script(cell)
    except RuntimeError:
        pytest.skip("the cell is not written for TorchScript")
    assert_torchscript_parity(cell, tuple(_step_inputs(cell)), mode="script")


def _path() -> Path:
    return Path(os.environ["CELL"])


def _step_inputs(cell: nn.Module) -> list[Tensor]:
    sizes = [setting.INPUT_SIZE, *([setting.HIDDEN_SIZE] * (2 if model.takes_pair(cell) else 1))]
    return [torch.randn(setting.BATCH, size) for size in sizes]
