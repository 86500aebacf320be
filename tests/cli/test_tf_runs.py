"""Whole runs on Keras cells, as typed."""

from __future__ import annotations

import importlib.resources
import json

import jsonschema
import pytest

# A script as tutorials have it: three cells, each driven right after its class; none declares state_size,
# so that the first keras.layers.RNN raises and the rest of the script would never run.
SCRIPT = """
import tensorflow as tf

class AddingCell(tf.keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super(AddingCell, self).__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer='random_normal', trainable=True)
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer='random_normal', trainable=True)
        self.built = True

    def call(self, inputs, states):
        old_state = states[0]
        from_input = tf.matmul(inputs, self.kernel)
        from_state = tf.matmul(old_state, self.recurrent)
        new_state = from_input + from_state
        output = new_state
        return output, old_state

layer = tf.keras.layers.RNN(AddingCell(64))
print(layer(tf.random.normal(shape=(1, 5, 32))).shape)

class AddingCellRepaired(AddingCell):
    def call(self, inputs, states):
        old_state = states[0]
        new_state = tf.matmul(inputs, self.kernel) + tf.matmul(old_state, self.recurrent)
        return new_state, new_state

layer = tf.keras.layers.RNN(AddingCellRepaired(64))

class TwoStateCell(tf.keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, 4 * self.units), initializer='random_normal')
        self.built = True

    def call(self, inputs, states):
        old_h, old_c = states
        i, f, g, o = tf.split(tf.matmul(tf.concat([inputs, old_h], axis=1), self.kernel), 4, axis=1)
        c = tf.sigmoid(f) * old_c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, (h, c)

layer = tf.keras.layers.RNN(TwoStateCell(64))
"""


def test_the_built_in_cells_are_clean_and_nothing_of_the_start_up_is_heard(rnncheck, write) -> None:
    write(
        "stacked.py",
        "import keras\n"
        "def stacked():\n"
        "    return keras.layers.StackedRNNCells([keras.layers.GRUCell(8), keras.layers.LSTMCell(6)])\n",
    )
    names = ["keras.layers:LSTMCell", "keras.layers:GRUCell", "keras.layers:SimpleRNNCell", "stacked.py:stacked"]
    done = rnncheck(*names, "--output-format", "json")
    assert done.status == 0
    assert [(result["verdict"], result["findings"]) for result in done.results] == [("clean", [])] * 4
    assert [len(result["states"]) for result in done.results] == [2, 1, 1, 3]
    said = [line for line in done.err.splitlines() if not line.startswith("rnncheck: ")]
    assert said == []
    document = importlib.resources.files("rnncheck.formats").joinpath("report.schema.json").read_text()
    jsonschema.validate(done.json, json.loads(document))


def test_a_tutorial_pasted_into_a_file(rnncheck, write) -> None:
    path = write("tutorial.py", SCRIPT)
    lines = path.read_text().splitlines()
    done = rnncheck("tutorial.py", "--output-format", "json")
    assert done.status == 1
    frozen, repaired, two = done.results
    roots = {finding["rule"]: finding for finding in frozen["findings"] if finding["explained_by"] is None}
    assert set(roots) == {"returned-old-state", "missing-state-size"}
    old = roots["returned-old-state"]
    assert lines[old["line"] - 1].strip() == "return output, old_state"
    assert [lines[related["line"] - 1].strip() for related in old["related"]] == ["new_state = from_input + from_state"]
    assert old["suggestion"] == "return output, [new_state]"
    assert lines[roots["missing-state-size"]["line"] - 1].startswith("class AddingCell")
    assert roots["missing-state-size"]["suggestion"] == "self.state_size = self.units"
    assert [finding["rule"] for finding in repaired["findings"]] == ["missing-state-size"]
    assert [finding["rule"] for finding in two["findings"]] == ["missing-state-size"]
    assert two["findings"][0]["suggestion"] == "self.state_size = [self.units, self.units]"
    assert "raised ValueError: The RNN cell should have a `state_size`" in frozen["remarks"][0]


def test_a_base_class_that_keras_does_not_have(rnncheck, write) -> None:
    write(
        "cells.py",
        "import tensorflow as tf\n\n"
        "class MyCell(tf.keras.layers.RNNCell):\n    def call(self, inputs, states):\n        return inputs, states\n",
    )
    for target in ("cells.py", "cells.py:MyCell"):
        done = rnncheck(target)
        text = " ".join(done.out.split())
        assert done.status == 2
        assert "has no attribute 'RNNCell' (cells.py:3)" in text
        assert "Subclass keras.layers.Layer" in text


def test_torch_is_not_brought_in(rnncheck, write) -> None:
    write(
        "cells.py",
        "import sys, keras\n"
        "class Spy(keras.layers.SimpleRNNCell):\n"
        "    def call(self, sequence, states, training=False):\n"
        "        assert 'torch' not in sys.modules, 'the other backend is imported'\n"
        "        return super().call(sequence, states, training)\n",
    )
    assert rnncheck("cells.py:Spy").status == 0


KERAS_OPS = """
import sys
import keras
from keras import ops

class Frozen(keras.layers.Layer):
    state_size = 8

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + 8, 8))

    def call(self, inputs, states):
        assert not {others} & set(sys.modules), "the other framework is imported"
        h = ops.tanh(ops.matmul(ops.concatenate([inputs, states[0]], axis=1), self.kernel))
        return h, [states[0]]

def make():
    return Frozen()
"""


@pytest.mark.parametrize(
    ("arguments", "env", "backend"),
    [
        (["--backend", "torch"], {}, "torch"),
        ([], {"KERAS_BACKEND": "torch"}, "torch"),
        (["--backend", "torch"], {"KERAS_BACKEND": "torch"}, "torch"),
        (["--backend", "tf"], {}, "tf"),
    ],
    ids=str,
)
def test_keras_runs_on_the_backend_that_is_asked_for(rnncheck, write, arguments, env, backend: str) -> None:
    write("cells.py", KERAS_OPS.replace("{others}", "{'tensorflow'}" if backend == "torch" else "{'torch'}"))
    done = rnncheck("cells.py:Frozen", "cells.py:make", *arguments, "--output-format", "json", env=env)
    for result in done.results:
        (found,) = [finding for finding in result["findings"] if finding["explained_by"] is None]
        assert (result["backend"], found["rule"], found["line"]) == (backend, "returned-old-state", 15)
    assert done.status == 1


def test_a_keras_backend_that_was_set_to_another_is_said(rnncheck, write) -> None:
    write("cells.py", KERAS_OPS.replace("{others}", "set()"))
    done = rnncheck(
        "cells.py:Frozen", "--backend", "torch", "--output-format", "json", env={"KERAS_BACKEND": "tensorflow"}
    )
    (result,) = done.results
    assert result["error"]["message"] == "Frozen is a Keras class, and Keras is set to its tensorflow backend."
    assert result["error"]["hint"] == "Run it as: KERAS_BACKEND=torch rnncheck ... --backend torch"
