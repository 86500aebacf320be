import keras
from keras import ops


class UntrainedInputCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        drive = ops.stop_gradient(ops.matmul(inputs, self.kernel))  # expect: untrained-weight warning
        h = ops.tanh(drive + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]
