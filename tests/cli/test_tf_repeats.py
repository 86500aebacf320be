"""The same seed gives the same report, byte for byte, whatever the process."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "sample_cells" / "tf"
NAMES = ("returned_old_state", "detached_state", "leaked_state", "swapped_states", "ignored_input_repaired")


def test_the_same_bytes(rnncheck) -> None:
    targets = [str(SAMPLES / f"{name}.py") for name in NAMES]
    run = (*targets, "--backend", "tf", "--seed", "3", "--output-format", "json")
    one = rnncheck(*run, env={"PYTHONHASHSEED": "1"})
    assert one.status == 1, one.err
    assert rnncheck(*run, env={"PYTHONHASHSEED": "2"}).out == one.out
    assert rnncheck(*run, "--no-isolate").out == one.out
    assert rnncheck(*run, "-j", "2").out == one.out


ODD = """
import keras
import tensorflow as tf

class Odd(keras.layers.GRUCell):
    def call(self, inputs, states):
        if not tf.executing_eagerly():
            raise ValueError(f'what is {object()}?')
        return super().call(inputs, states)
"""


def test_the_same_bytes_where_an_address_is_said(rnncheck, write) -> None:
    write("cells.py", ODD)
    said = {rnncheck("cells.py", "--output-format", "json", env={"PYTHONHASHSEED": str(seed)}).out for seed in (1, 2)}
    assert len(said) == 1
    assert "ValueError: what is <object object>?" in said.pop()
