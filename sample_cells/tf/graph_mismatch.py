import keras
from keras import ops


class CountingCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.drive = keras.layers.Dense(units)
        self.recurrent = keras.layers.Dense(units, use_bias=False)

    def build(self, input_shape):
        self.drive.build(input_shape)
        self.recurrent.build((None, self.units))

    def get_initial_state(self, batch_size=None):
        self.steps = 0
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):  # expect: graph-mismatch
        self.steps += 1
        new = ops.tanh(self.drive(inputs) / self.steps + self.recurrent(states[0]))
        return new, [new]
