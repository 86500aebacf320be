"""Healthy Keras cells that look broken: each trap that a checker of states falls into."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops


class ZeroInitialisedRecurrence(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units))
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="zeros")

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]


class FrozenZeroRecurrence(ZeroInitialisedRecurrence):
    def __init__(self, units, **kwargs):
        super().__init__(units, trainable=False, **kwargs)


class RawVariables(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.kernel = tf.Variable(tf.random.normal([5, units]))
        self.recurrent = {"kernel": tf.Variable(tf.zeros([units, units]))}

    def call(self, inputs, states):
        h = tf.tanh(inputs @ self.kernel + states[0] @ self.recurrent["kernel"])
        return h, [h]


class ReZero(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = keras.layers.GRUCell(units)
        self.alpha = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs, states):
        new, _ = self.cell(inputs, states)
        h = states[0] + self.alpha * new
        return h, [h]


class ClosedGate(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.gate = keras.layers.Dense(units, activation="sigmoid", bias_initializer=keras.initializers.Constant(-1e5))
        self.candidate = keras.layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        z = self.gate(inputs)
        h = (1 - z) * states[0] + z * self.candidate(ops.concatenate([inputs, states[0]], -1))
        return h, [h]


class DeadReLU(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units, activation="relu", bias_initializer=keras.initializers.Constant(-2.0))

    def call(self, inputs, states):
        h = self.w(ops.concatenate([inputs, states[0]], axis=-1))
        return h, h


class Reservoir(keras.layers.Layer):
    def __init__(self, units, leak=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.leak = leak

    def build(self, input_shape):
        self.w_in = self.add_weight(shape=(input_shape[-1], self.units), trainable=False)
        self.w = self.add_weight(shape=(self.units, self.units), trainable=False)

    def call(self, inputs, states):
        h = (1 - self.leak) * states[0] + self.leak * ops.tanh(inputs @ self.w_in + states[0] @ self.w)
        return h, [h]


class LeakyWithoutWeights(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.state_size = 5

    def call(self, inputs, states):
        v = 0.9 * states[0] + inputs
        spikes = ops.cast(v > 1.0, "float32")
        return spikes, [v - spikes]


class ShiftRegister(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units] * 10
        self.w = keras.layers.Dense(units)

    def call(self, inputs, states):
        new = self.w(inputs) + states[-1]
        return new, [new, *states[:-1]]


class StepCounter(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units, 1]
        self.cell = keras.layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        zeros = ops.zeros((batch_size, self.units))
        return [zeros, zeros, ops.zeros((batch_size, 1), dtype="int32")]

    def call(self, inputs, states):
        h, slow, t = states
        h, _ = self.cell(ops.concatenate([inputs, slow], -1), [h])
        return h, [h, ops.where(t % 10 == 9, h, slow), t + 1]


class DropoutMask(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.cell = keras.layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        mask = tf.cast(tf.random.uniform((batch_size, self.units)) > 0.5, "float32") * 2.0
        return [ops.zeros((batch_size, self.units)), mask]

    def call(self, inputs, states):
        h, mask = states
        h, _ = self.cell(inputs, [h * mask])
        return h, [h, mask]


class KeptForTheCaller(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"deter": units, "mean": units}
        self.cell = keras.layers.GRUCell(units)
        self.mean = keras.layers.Dense(units)

    def call(self, inputs, states):
        deter, _ = self.cell(inputs, [states["deter"]])
        return deter, {"deter": deter, "mean": self.mean(deter)}


class DrawsNoise(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.seeds = keras.random.SeedGenerator(1)
        self.numpy = np.random.default_rng(0)
        self.w = keras.layers.Dense(units)

    def call(self, inputs, states):
        noise = keras.random.normal(ops.shape(states[0]), seed=self.seeds)
        noise += self.numpy.standard_normal(states[0].shape).astype("float32")
        h = ops.tanh(self.w(ops.concatenate([inputs, states[0]], -1)) + 0.1 * noise)
        return h, [h]


class ForgetsOnSomeInputs(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = keras.layers.GRUCell(units)

    def call(self, inputs, states):
        h = ops.where(ops.mean(inputs, axis=-1, keepdims=True) > 0, ops.zeros_like(states[0]), states[0])
        return self.cell(inputs, [h])


class BareState(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units,)
        self.w = keras.layers.Dense(units, activation="tanh")

    def call(self, inputs, states, training=None):
        (h,) = states
        h = self.w(tf.concat([inputs, h], axis=1))
        return h, (h,)


class OldStyleProvider(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.w = keras.layers.Dense(units, activation="tanh")

    @property
    def state_size(self):
        return self.units

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return tf.zeros((batch_size, self.units), dtype or "float32")

    def call(self, inputs, states):
        h = self.w(tf.concat([inputs, states[0]], axis=1))
        return h, [h]


class Compiled(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units, activation="tanh")

    @tf.function
    def call(self, inputs, states):
        h = self.w(tf.concat([inputs, states[0]], axis=1))
        return h, [h]


def stacked():
    return keras.layers.StackedRNNCells([keras.layers.GRUCell(8), keras.layers.LSTMCell(6)])


def with_dropout():
    return keras.layers.LSTMCell(8, dropout=0.2, recurrent_dropout=0.2)


def before_reset():
    return keras.layers.GRUCell(8, reset_after=False)


def half_precision():
    return keras.layers.GRUCell(8, dtype="mixed_bfloat16")


class GivesTwoOutputs(keras.layers.Layer):
    """``keras.layers.RNN`` stacks them."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size, self.output_size = [units], [units, units]
        self.x2h, self.h2h = keras.layers.Dense(units), keras.layers.Dense(units)

    def call(self, inputs, states):
        h = tf.tanh(self.x2h(inputs) + self.h2h(states[0]))
        return [h, 2 * h], [h]


class FeedsItsLastOutputBack(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = keras.layers.GRUCell(units)

    def call(self, prev_y, prev_h, training=None):
        out, (h,) = self.cell(prev_y, [prev_h])
        return out, h


class RoundsItsState(keras.layers.Layer):
    """No gradient leads through a step function, wherever it is cut."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.x2h, self.h2h = keras.layers.Dense(units), keras.layers.Dense(units)

    def call(self, inputs, states):
        h = tf.round(8 * tf.tanh(self.x2h(inputs) + self.h2h(states[0]))) / 8
        return h, [h]
