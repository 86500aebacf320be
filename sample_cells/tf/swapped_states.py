import keras
from keras import ops


class SwappingLSTMCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.gates = keras.layers.Dense(4 * units)

    def build(self, input_shape):
        self.gates.build((None, input_shape[-1] + self.units))

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [c, h]  # expect: swapped-states
