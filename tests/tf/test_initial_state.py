"""A state that the cell itself hands out and cannot take: why there is no verdict, in those terms."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

import rnncheck


class Clocked(keras.layers.Layer):
    """No state but its own will do: the second slot counts."""

    state_size = 8
    first: Any = staticmethod(lambda rows: [tf.zeros((rows, 8)), tf.constant(0)])

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1] + 8, 8))

    def get_initial_state(self, batch_size: int | None = None) -> Any:
        return self.first(batch_size)

    def call(self, inputs: Any, states: Any) -> Any:
        h, clock = states
        assert clock.dtype == tf.int32
        assert clock.shape.rank == 0
        tf.debugging.assert_equal(tf.shape(h)[0], tf.shape(inputs)[0])
        h = tf.tanh(tf.concat([inputs, h], 1) @ self.kernel)
        return h, [h, clock + 1]


class OneTensor(Clocked):
    first = staticmethod(lambda rows: tf.zeros((rows, 8)))


class OneRow(Clocked):
    first = staticmethod(lambda rows: [tf.zeros((1, 8)), tf.constant(0)])


class Wide(Clocked):
    first = staticmethod(lambda rows: [tf.zeros((rows, 8), tf.float64), tf.constant(0.0)])


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (OneTensor, "is [tensor 3x8]; it takes two, (h, clock). Return (h, clock) in float32"),
        (OneRow, "has 1 row and the input has 3: each row has its own."),
        (Wide, "is float64 and the cell computes in float32."),
    ],
)
def test_the_hint_says_what_is_wrong_with_the_cells_own_first_state(cell: type, said: str) -> None:
    (result,) = rnncheck.check(cell).results
    assert result.error is not None
    assert result.error.hint is not None
    assert f"get_initial_state() of {cell.__name__} {said}" in result.error.hint


def test_the_right_one_is_taken() -> None:
    (result,) = rnncheck.check(Clocked).results
    assert result.error is None
    assert [state.dtype for state in result.states] == ["float32", "int32"]
