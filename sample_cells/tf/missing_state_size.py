import tensorflow as tf


class SimplifiedLSTMCell(tf.keras.layers.Layer):  # expect: missing-state-size
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, 4 * self.units), initializer="random_normal")
        self.built = True

    def call(self, inputs, states):
        previous_h, previous_c = states
        z = tf.matmul(tf.concat([inputs, previous_h], axis=1), self.kernel)
        i, f, g, o = tf.split(z, num_or_size_splits=4, axis=1)
        c_t = tf.sigmoid(f) * previous_c + tf.sigmoid(i) * tf.tanh(g)
        h_t = tf.sigmoid(o) * tf.tanh(c_t)
        return h_t, [h_t, c_t]
