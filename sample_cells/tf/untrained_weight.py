import keras
import tensorflow as tf


class UntrackedCell(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        orthogonal = keras.initializers.Orthogonal()((self.units, self.units))
        self.recurrent_kernel = tf.Variable(orthogonal)  # expect: untrained-weight warning

    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent_kernel))
        return h, [h]
