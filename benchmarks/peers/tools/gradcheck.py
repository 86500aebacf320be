from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from peers import model, setting
from peers.remarks import Remark, raised


def examine(path: Path) -> list[Remark]:
    cell = model.cell(path).double().eval()
    sizes = [setting.INPUT_SIZE, *([setting.HIDDEN_SIZE] * (2 if model.takes_pair(cell) else 1))]
    values = [torch.randn(setting.BATCH, size, dtype=torch.float64, requires_grad=True) for size in sizes]

    def one_step(x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        output, after = model.step(cell, x, state if model.takes_pair(cell) else state[0])
        return (output, *_leaves(after))

    return raised("gradcheck", partial(torch.autograd.gradcheck, one_step, tuple(values)), path)


def _leaves(state: Any) -> tuple[Tensor, ...]:
    return tuple(state) if isinstance(state, tuple) else ()
