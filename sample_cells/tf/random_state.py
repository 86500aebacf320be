import keras
import tensorflow as tf
from keras import ops


class DroppingCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        kept = tf.nn.dropout(states[0], 0.1)  # expect: random-state note
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(kept, self.recurrent_kernel))
        return h, [h]
