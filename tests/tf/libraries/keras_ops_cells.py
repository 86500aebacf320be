"""Cells in keras.ops, which run on TensorFlow and on PyTorch alike."""

import keras
from keras import ops


class Healthy(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units))
        self.recurrent = self.add_weight(shape=(self.units, self.units))

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent))
        return h, [h]


class ReturnsOldState(Healthy):
    def call(self, inputs, states):
        old = states[0]
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(old, self.recurrent))
        return h, [old]  # expect: returned-old-state error 0


class IgnoresState(Healthy):
    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel))  # expect: ignored-recurrence error 0
        return h, [h]


class DropsOneSlot(Healthy):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h, c = states
        c_new = 0.9 * c + ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent))
        h_new = ops.tanh(c_new)
        return h_new, [h_new, c]  # expect: returned-old-state error 1


class WithoutStateSize(Healthy):  # expect: missing-state-size error
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        del self.state_size

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent))
        return h, [h]


class WithLayers(keras.layers.Layer):
    """Layers in attributes and lists, random numbers, a count kept on itself."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units]
        self.dense = keras.layers.Dense(units)
        self.more = [keras.layers.Dense(units)]
        self.seeds = keras.random.SeedGenerator(3)
        self.count = 0

    def call(self, inputs, states):
        self.count += 1
        h = ops.tanh(self.dense(inputs) + self.more[0](states[0]))
        return h + 0.1 * keras.random.normal((1,), seed=self.seeds), [h]
