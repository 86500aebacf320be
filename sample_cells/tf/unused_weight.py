import keras
from keras import ops


class UnbiasedCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs, states):  # expect: unused-weight warning
        z = ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel)
        h = ops.tanh(z)
        return h, [h]
