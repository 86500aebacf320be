import keras
from keras import ops


class StepInTheStateCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 1]
        self.drive = keras.layers.Dense(units)
        self.recurrent = keras.layers.Dense(units, use_bias=False)

    def build(self, input_shape):
        self.drive.build(input_shape)
        self.recurrent.build((None, self.units))

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1))]

    def call(self, inputs, states):
        previous, steps = states
        steps = steps + 1
        new = ops.tanh(self.drive(inputs) / steps + self.recurrent(previous))
        return new, [new, steps]
