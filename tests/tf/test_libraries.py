"""Cells of the other libraries, each in a process of its own: which one TensorFlow and Keras are is settled when
they are first imported."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cases import MARK

LIBRARIES = Path(__file__).parent / "libraries"
LEGACY = {"TF_USE_LEGACY_KERAS": "1"}
SCRUBBED = ("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "RNNCHECK_OUTPUT_FORMAT")


# `make pythons` installs no PyTorch.
wants_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def run(*arguments: str, folder: Path = LIBRARIES, env: Mapping[str, str] | None = None) -> Any:
    environment = {key: value for key, value in os.environ.items() if key not in SCRUBBED} | dict(env or {})
    command = [sys.executable, "-m", "rnncheck", *arguments, "--output-format", "json"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)["results"]


def expected(file: str) -> dict[str, list[tuple[str, int, str, int | None]]]:
    """For each class of a file what its comments expect."""
    text = (LIBRARIES / file).read_text()
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            marks = [
                (number, mark)
                for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
                for mark in MARK.findall(lines[number - 1])
            ]
            found[f"{file}:{node.name}"] = [
                (rule, number, severity or "error", int(slot) if slot else None)
                for number, (rule, severity, slot) in marks
            ]
    return found


def seen(results: Iterable[Any]) -> dict[str, list[tuple[str, int, str, int | None]]]:
    assert [(result["target"], result["error"]) for result in results if result["error"]] == []
    return {
        result["target"]: [
            (finding["rule"], finding["line"], finding["severity"], finding["state_index"])
            for finding in result["findings"]
            if finding["severity"] != "note" and finding["explained_by"] is None
        ]
        for result in results
    }


def suggestions(results: Iterable[Any]) -> dict[str, str]:
    return {
        result["target"].partition(":")[2]: finding["suggestion"]
        for result in results
        for finding in result["findings"]
        if finding["severity"] != "note" and finding["explained_by"] is None
    }


def test_cells_of_tensorflow_1() -> None:
    makers = (
        "basic lstm lstm_in_one_tensor lstm_projected gru stacked stacked_without_their_base dropout residual".split()
    )
    results = run("tf1_cells.py", *(f"tf1_cells.py:{name}" for name in makers), env=LEGACY)
    assert seen(results) == expected("tf1_cells.py") | {f"tf1_cells.py:{name}": [] for name in makers}
    assert {result["backend"] for result in results} == {"tf"}
    assert all(result["backend_version"].partition(", ")[2].startswith("tf_keras 2") for result in results)
    states = {result["target"]: [state["shape"] for state in result["states"]] for result in results}
    assert states["tf1_cells.py:lstm_projected"] == [[8], [4]]
    assert states["tf1_cells.py:lstm_in_one_tensor"] == [[16]]
    assert states["tf1_cells.py:stacked"] == [[8], [8], [6]]
    assert suggestions(results) == {
        "ReturnsOldState": "return new_state, new_state",
        "IgnoresState": "leave out: state = tf.zeros_like(state)",
        "DropsOneSlot": "return fast, Twofold(slow, fast)",
        "WithoutItsBaseKeepsOld": None,
        "LongShort": "return output, rnn_cell.LSTMStateTuple(c, h)",
    }


def test_cells_of_keras_2() -> None:
    healthy = [f"tf_keras.layers:{name}" for name in ("LSTMCell", "GRUCell", "SimpleRNNCell")]
    healthy += ["tf_keras_cells.py:stacked", "tf_keras_cells.py:gru_with_dropout"]
    results = run("tf_keras_cells.py", *healthy, env=LEGACY)
    assert seen(results) == expected("tf_keras_cells.py") | {name: [] for name in healthy}
    assert all(result["backend_version"].partition(", ")[2].startswith("tf_keras 2") for result in results)
    assert suggestions(results) == {
        "ReturnsOldState": "return h, [h]",
        "IgnoresState": "add tf.matmul(states[0], self.recurrent) where the new state is computed",
        "DropsOneSlot": "return h_new, [h_new, c_new]",
        "WithoutStateSize": "self.state_size = self.units",
        "ByTfKeras": "return output, [output]",
    }


def test_cores_of_sonnet() -> None:
    healthy = ["sonnet:VanillaRNN", "sonnet:LSTM", "sonnet:GRU", "sonnet_cells.py:deep", "sonnet_cells.py:with_dropout"]
    results = run("sonnet_cells.py", *healthy)
    assert seen(results) == expected("sonnet_cells.py") | {name: [] for name in healthy}
    assert all("sonnet 2" in result["backend_version"] for result in results if "ByName" not in result["target"])
    assert suggestions(results) == {
        "ReturnsOldState": "return new_state, new_state",
        "IgnoresState": "use prev_state where the new state is computed",
        "DropsOneSlot": "return hidden, Pair(hidden, cell)",
        "Traced": "return new_state, new_state",
        "ByName": "return new, new",
    }
    (conv,) = run("sonnet_cells.py:conv", "--input-shape", "6,2")
    assert (conv["verdict"], [state["shape"] for state in conv["states"]]) == ("clean", [[6, 3], [6, 3]])


@wants_torch
def test_cells_in_keras_ops_give_the_same_on_both_backends() -> None:
    targets = ["keras_ops_cells.py", *(f"keras.layers:{name}" for name in ("LSTMCell", "GRUCell", "SimpleRNNCell"))]
    on_torch, on_tf = (run(*targets, "--backend", backend) for backend in ("torch", "tf"))
    assert seen(on_torch) == expected("keras_ops_cells.py") | {name: [] for name in targets[1:]}
    assert seen(on_tf) == seen(on_torch)
    assert suggestions(on_tf) == suggestions(on_torch)
    assert {result["backend"] for result in on_torch} == {"torch"}
    assert all(result["backend_version"].startswith("torch ") for result in on_torch)
    assert all(", keras 3" in result["backend_version"] for result in (*on_torch, *on_tf))


def test_dynamic_rnn_ends_where_the_unroll_does() -> None:
    environment = {**os.environ, **LEGACY}
    done = subprocess.run(
        [sys.executable, "driven.py"], cwd=LIBRARIES, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    gaps = json.loads(done.stdout.splitlines()[-1])
    assert len(gaps) == 12
    assert max(gaps.values()) < 1e-5


SCRIPT = """
import tensorflow.compat.v1 as tf
tf.disable_v2_behavior()

class Gate(tf.nn.rnn_cell.RNNCell):
    def __init__(self, num_units):
        super(Gate, self).__init__()
        self._num_units = num_units

    @property
    def state_size(self):
        return tf.nn.rnn_cell.LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self):
        return self._num_units

    def call(self, inputs, state):
        c, h = state
        with tf.variable_scope("gates"):
            w = tf.get_variable("w", [inputs.get_shape()[1].value + self._num_units, self._num_units])
        c = 0.9 * c + tf.tanh(tf.matmul(tf.concat([inputs, h], 1), w))
        output = tf.tanh(c)
        return output, tf.nn.rnn_cell.LSTMStateTuple(c, h)

cell = Gate(8)
inputs = tf.placeholder(tf.float32, [3, 7, 5])
outputs, last = tf.nn.dynamic_rnn(cell, inputs, initial_state={state}, scope="first")
"""
SIZES_OF_ITS_TIME = """
import tensorflow.compat.v1 as tf
tf.disable_v2_tensorshape()

class Gate(tf.nn.rnn_cell.RNNCell):
    state_size = output_size = 6

    def call(self, inputs, state):
        width = inputs.get_shape()[1].value
        if width < 8:
            raise ValueError("expected [3, 8]")
        new = tf.tanh(state + inputs[:, :6])
        return new, state
"""
PAIR = "tf.nn.rnn_cell.LSTMStateTuple(tf.zeros({0}), tf.zeros({0}))"


def test_a_script_of_tensorflow_1_and_what_it_built_in_its_graph(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.replace("{state}", PAIR.format("[3, 8]")))
    (cls,) = run("script.py", folder=tmp_path, env=LEGACY)
    (instance,) = run("script.py:cell", folder=tmp_path, env=LEGACY)
    assert seen([cls]) == {"script.py:Gate": [("returned-old-state", 24, "error", 1)]}
    assert cls["remarks"] == []
    assert "The target was built in a graph of TensorFlow 1" in instance["error"]["message"]
    assert "Name its class" in instance["error"]["hint"]


def test_sizes_that_cannot_be_hashed_are_sizes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SIZES_OF_ITS_TIME)
    (refused,) = run("script.py:Gate", "--input-shape", "5", folder=tmp_path, env=LEGACY)
    assert "expected [3, 8]" in refused["error"]["message"]
    (result,) = run("script.py:Gate", "--input-shape", "8", folder=tmp_path, env=LEGACY)
    assert seen([result]) == {"script.py:Gate": [("returned-old-state", 13, "error", 0)]}


# Each call makes a weight of its input's width before it fails.
FAILS_LATE = """
import tensorflow.compat.v1 as tf

class Gate(tf.nn.rnn_cell.RNNCell):
    def __init__(self, num_units):
        self.num_units = num_units

    @property
    def output_size(self):
        return self.num_units

    @property
    def state_size(self):
        return tf.nn.rnn_cell.LSTMStateTuple(self.num_units, self.num_units)

    def __call__(self, x, state, scope=None):
        with tf.variable_scope(scope or type(self).__name__):
            c, h = state
            kernel = tf.get_variable("W_xh", [x.shape[1], 4 * self.num_units])
            starts = [0.0] * 8
            starts[: self.num_units / 4] = [1.0]
        return h, tf.nn.rnn_cell.LSTMStateTuple(c, h)
"""


def test_what_a_cell_raised_first_is_told_and_not_what_a_try_left_behind(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(FAILS_LATE)
    (result,) = run("script.py", folder=tmp_path, env=LEGACY)
    assert "raised TypeError: slice indices must be integers" in result["error"]["message"]
    assert result["error"]["hint"].startswith("It was given tensor 3x5 as x and LSTMStateTuple(c=tensor 3x8, h=")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("tf.zeros([3, 8])", "is one tensor 3x8; it takes two, LSTMStateTuple(c=c, h=h), each 3x8."),
        (PAIR.format("[1, 8]"), "has 1 row and the input has 3"),
        (PAIR.format("[3, 8], tf.float64"), "is float64 and the cell computes in float32"),
    ],
)
def test_a_wrong_initial_state_is_explained(tmp_path: Path, state: str, said: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.replace("{state}", state))
    (result,) = run("script.py", folder=tmp_path, env=LEGACY)
    assert seen([result]) == {"script.py:Gate": [("returned-old-state", 24, "error", 1)]}
    explained = result["remarks"][1]
    assert f"initial_state of Gate {said}" in explained
    assert "initial_state=cell.zero_state(3, tf.float32) for zeros." in explained


def test_a_factory_with_a_wrong_initial_state_has_no_verdict_and_is_told_why(tmp_path: Path) -> None:
    (tmp_path / "factory.py").write_text(
        "import tensorflow as tf\n\n"
        "def make():\n"
        "    cell = tf.compat.v1.nn.rnn_cell.GRUCell(8)\n"
        "    state = tf.zeros([4, 8])\n"
        "    tf.compat.v1.nn.dynamic_rnn(cell, tf.ones([3, 7, 5]), initial_state=state)\n"
        "    return cell\n"
    )
    (result,) = run("factory.py:make", folder=tmp_path, env=LEGACY)
    assert "(factory.py:6)" in result["error"]["message"]
    assert result["error"]["hint"] == (
        "initial_state of GRUCell has 4 rows and the input has 3: each row has its own. "
        "Write initial_state=cell.zero_state(3, tf.float32)."
    )


def test_the_cells_of_tensorflow_1_without_keras_2_say_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import tensorflow as tf\nclass C(tf.compat.v1.nn.rnn_cell.RNNCell): ...\n")
    (tmp_path / "b.py").write_text("import tensorflow as tf\nclass C(tf.nn.rnn_cell.RNNCell): ...\n")
    results = run("a.py", "b.py:C", "tensorflow:compat.v1.nn.rnn_cell.GRUCell", folder=tmp_path)
    assert all("run TF_USE_LEGACY_KERAS=1 rnncheck" in result["error"]["hint"] for result in results)
    assert "write tf.compat.v1.nn.rnn_cell" in results[1]["error"]["hint"]
