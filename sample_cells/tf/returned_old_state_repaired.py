import tensorflow as tf


class RepairedAddCell(tf.keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), initializer="random_normal")
        self.built = True

    def call(self, inputs, states):
        previous_hidden_state = states[0]
        x_proj = tf.matmul(inputs, self.kernel)
        h_proj = tf.matmul(previous_hidden_state, self.recurrent_kernel)
        new_hidden_state = x_proj + h_proj
        output = new_hidden_state
        return output, [new_hidden_state]
