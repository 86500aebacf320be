"""The same seed gives the same report, byte for byte, whatever the process."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "sample_cells" / "torch"
NAMES = ("returned_old_state", "detached_state", "leaked_state", "swapped_states", "ignored_input_repaired")


def test_the_same_bytes(rnncheck) -> None:
    targets = [str(SAMPLES / f"{name}.py") for name in NAMES]
    run = (*targets, "--backend", "torch", "--seed", "3", "--output-format", "json")
    one = rnncheck(*run, env={"PYTHONHASHSEED": "1"})
    assert one.status == 1, one.err
    assert rnncheck(*run, env={"PYTHONHASHSEED": "2"}).out == one.out
    assert rnncheck(*run, "--no-isolate").out == one.out
    assert rnncheck(*run, "-j", "2").out == one.out


ODD = """
import torch
from torch import nn

class Odd(nn.GRUCell):
    def forward(self, x, h):
        if len(x):
            raise ValueError(f'what is {object()}?')
        return super().forward(x, h)
"""


def test_the_same_bytes_where_an_address_is_said(rnncheck, write) -> None:
    write("cells.py", ODD)
    said = {rnncheck("cells.py", "--output-format", "json", env={"PYTHONHASHSEED": str(seed)}).out for seed in (1, 2)}
    assert len(said) == 1
    assert "ValueError: what is <object object>?" in said.pop()
