"""A check from Python leaves the instance, its optimiser, the random numbers and the process as they were."""

from __future__ import annotations

import os
import random
import sys
import warnings
from typing import Any

import keras
import left_behind
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import rnncheck


class Plain(layers.Layer):
    def __init__(self, units: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gates = layers.Dense(units, activation="tanh")
        self.drop = layers.Dropout(0.3)
        self.history: list[int] = []

    def build(self, input_shape: Any) -> None:
        self.gates.build((None, input_shape[-1] + self.units))
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        self.deed()
        h = self.gates(ops.concatenate([inputs, self.drop(states[0], training=training)], axis=-1))
        return h, [h]

    def deed(self) -> None:
        return


class Counts(Plain):
    def deed(self) -> None:
        self.seen.assign_add(1.0)
        self.history.append(1)
        self.latest = len(self.history)


class Raises(Plain):
    def deed(self) -> None:
        raise ValueError("no such step")


class Exits(Plain):
    def deed(self) -> None:
        sys.exit(1)


class ChangesTheProcess(Plain):
    def deed(self) -> None:
        os.chdir("/")
        sys.path.insert(0, "/")
        warnings.simplefilter("ignore")
        keras.config.set_floatx("float64")
        tf.config.run_functions_eagerly(True)
        tf.random.set_seed(5)
        np.random.seed(5)
        random.seed(5)


CELLS = (Plain, Counts, Raises, Exits, ChangesTheProcess)


def picture(cell: Plain, optimiser: keras.optimizers.Optimizer) -> dict[str, Any]:
    return left_behind.process() | {
        "weights": {variable.path: np.array(variable) for variable in cell.variables},
        "identity": [id(variable) for variable in cell.variables],
        "attributes": sorted(vars(cell)),
        "history": list(cell.history),
        "optimiser": {variable.path: np.array(variable) for variable in optimiser.variables},
        "floatx": keras.config.floatx(),
        "policy": keras.config.dtype_policy().name,
        "eager": (tf.executing_eagerly(), tf.config.functions_run_eagerly()),
    }


@pytest.mark.parametrize("cls", CELLS, ids=lambda cls: cls.__name__)
def test_an_instance_and_the_process_are_as_before(cls: type[Plain]) -> None:
    tf.random.set_seed(11)
    cell = cls()
    cell.build((3, 5))
    optimiser = keras.optimizers.Adam()
    optimiser.build(cell.trainable_variables)
    optimiser.apply([ops.ones_like(variable) for variable in cell.trainable_variables])
    before = picture(cell, optimiser)
    (result,) = rnncheck.check(cell, backend="tf").results
    assert left_behind.differences(before, picture(cell, optimiser)) == []
    assert (result.error is None) == (cls not in (Raises, Exits))


def test_no_seed_of_yours_is_no_seed_afterwards() -> None:
    tf.random.set_seed(None)
    rnncheck.check(Plain, backend="tf")
    one = tf.random.normal([4])
    tf.random.set_seed(None)
    rnncheck.check(Plain, backend="tf")
    assert (one != tf.random.normal([4])).numpy().any()


def test_checking_a_class_draws_no_random_numbers_of_yours() -> None:
    tf.random.set_seed(3)
    wanted = tf.random.normal([4]).numpy()
    tf.random.set_seed(3)
    rnncheck.check(Plain, backend="tf")
    assert (tf.random.normal([4]).numpy() == wanted).all()
