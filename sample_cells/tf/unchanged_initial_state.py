import keras
from keras import ops


class MultiplicativeCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.gate = keras.layers.Dense(units, activation="sigmoid")
        self.candidate = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.gate.build(input_shape)
        self.candidate.build(input_shape)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        (h,) = states
        keep = self.gate(inputs)
        h = keep * h + (1 - keep) * h * self.candidate(inputs)  # expect: unchanged-initial-state
        return h, [h]
