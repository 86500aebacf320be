import keras
from keras import ops


class RememberingCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
        self.context = self.add_weight(shape=(self.units,), initializer="zeros", trainable=False, name="context")

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0] + self.context, self.recurrent_kernel))
        self.context.assign(0.9 * self.context + 0.1 * ops.mean(h, axis=0))  # expect: leaked-state
        return h, [h]
