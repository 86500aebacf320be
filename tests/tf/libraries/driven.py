"""The final state by rnncheck's own unroll and by ``dynamic_rnn`` in a graph, from the same ``initial_state``.

Run with TF_USE_LEGACY_KERAS=1; prints the largest difference for each cell.
"""

import json
import math

import numpy as np
import tensorflow as tf
import tf1_cells
import tf_keras_cells

from rnncheck import backends
from rnncheck.building.build import Built
from rnncheck.discovery.binding import bind
from rnncheck.running.unroll import State, unroll
from rnncheck.settings import Settings

tf1 = tf.compat.v1


class OwnKeras2(tf_keras_cells.Healthy):
    """With what ``dynamic_rnn`` asks of a cell."""

    @property
    def output_size(self):
        return self.units

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return tf.zeros((batch_size, self.units), dtype)


CELLS = {
    "BasicRNNCell": lambda: tf1.nn.rnn_cell.BasicRNNCell(8),
    "BasicLSTMCell": lambda: tf1.nn.rnn_cell.BasicLSTMCell(8),
    "LSTMCell projected": tf1_cells.lstm_projected,
    "GRUCell": lambda: tf1.nn.rnn_cell.GRUCell(8),
    "MultiRNNCell": tf1_cells.stacked,
    "ResidualWrapper": tf1_cells.residual,
    "own cell": lambda: tf1_cells.HealthyGates(8),
    "own cell by get_variable": lambda: tf1_cells.HealthyByName(8),
    "frozen": lambda: tf1_cells.ReturnsOldState(8),
    "Keras 2 GRUCell": lambda: tf.keras.layers.GRUCell(8),
    "Keras 2 LSTMCell": lambda: tf.keras.layers.LSTMCell(8),
    "own Keras 2 cell": lambda: OwnKeras2(8),
}
rng = np.random.default_rng(0)
INPUTS = rng.standard_normal((7, 3, 5)).astype("float32")


def recorded(make):
    """Through rnncheck: the final state, and with it the state to start from and the weights."""
    cell = make()
    backend = backends.choose("auto", cell)
    with backend.eagerly():
        bound, _ = bind(backend, cell, Settings(), Built(cell), math.inf)
        start = [rng.uniform(-1, 1, leaf.shape).astype("float32") for leaf in bound.initial]
        run = unroll(bound, 0, INPUTS, State(bound.convention.state, start))
        weights = [weight.read() for weight in backend.weights(cell)]
    return run.steps[-1].returned, bound.convention.state.build(start), weights


def driven(make, start, weights):
    """Through ``dynamic_rnn`` in a session of its own."""
    with tf.Graph().as_default(), tf1.Session() as session:
        cell = make()
        inputs = tf1.placeholder(tf.float32, (None, 7, 5))
        holders = tf.nest.map_structure(lambda array: tf1.placeholder(tf.float32, (None, *array.shape[1:])), start)
        _, final = tf1.nn.dynamic_rnn(cell, inputs, initial_state=holders)
        session.run(tf1.global_variables_initializer())
        for variable, value in zip(cell.variables or tf1.global_variables(), weights):
            variable.load(value, session)
        fed = dict(zip(tf.nest.flatten(holders), tf.nest.flatten(start)))
        return tf.nest.flatten(session.run(final, {inputs: INPUTS.transpose(1, 0, 2), **fed}))


gaps = {}
for name, make in CELLS.items():
    ours, start, weights = recorded(make)
    theirs = driven(make, start, weights)
    gaps[name] = max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs))
    assert len(ours) == len(theirs)
print(json.dumps(gaps))
