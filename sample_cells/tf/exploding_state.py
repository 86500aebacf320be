import keras
from keras import ops


class GrowingCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")

    def call(self, inputs, states):
        h = 1.3 * states[0] + ops.matmul(inputs, self.kernel)  # expect: exploding-state warning
        return h, [h]
