"""Constructors of Keras cells, and the sizes that a built cell's weights tell."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

import rnncheck
from rnncheck.backends import load
from rnncheck.building import build
from rnncheck.building.build import Built
from rnncheck.discovery import widths

BACKEND = load("keras")


def built(make: Any, **kwargs: Any) -> Built:
    return next(build.candidates(make, kwargs, BACKEND.owns))


class Wrapper(keras.layers.Layer):
    def __init__(self, rnn_cell, **kwargs):
        super().__init__(**kwargs)
        self.cell = rnn_cell
        self.state_size = rnn_cell.state_size

    def call(self, inputs, states):
        return self.cell(inputs, states)


class Activated(keras.layers.Layer):
    def __init__(self, p_units, activation, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = p_units
        self.activation = activation

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")

    def call(self, inputs, states):
        new = self.activation(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent))
        return new, [new]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (Wrapper, "{'rnn_cell': keras.layers.GRUCell(8)}"),
        (keras.layers.StackedRNNCells, "{'cells': [keras.layers.GRUCell(8), keras.layers.GRUCell(8)]}"),
        (keras.layers.LSTMCell, "{'units': 8}"),
        (Activated, "{'p_units': 8, 'activation': 'tanh'}"),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_objects_of_the_framework_are_made(make: Any, text: str) -> None:
    assert repr(dict(built(make).kwargs)) == text


def test_an_activation_that_is_called_as_it_is_given() -> None:
    (result,) = rnncheck.check(Activated).results
    assert (result.verdict, repr(result.settings["kwargs"]["activation"])) == ("clean", "tensorflow.tanh")


def test_the_shapes_of_an_image_have_its_channels_last() -> None:
    made = built(keras.src.layers.rnn.conv_lstm.ConvLSTMCell)
    assert widths.input_shapes(made, BACKEND, made.cell)[0] == (6, 7, 3)
    made.cell.build((3, 6, 7, 3))
    assert widths.state_shapes(made, BACKEND, made.cell, (6, 7, 3))[0] == (6, 7, 4)
    kernels = widths._kernels([tuple(weight.shape) for weight in made.cell.weights], channels_last=True)
    assert [(kernel.inputs, kernel.outputs) for kernel in kernels] == [(3, 16), (4, 16)]
