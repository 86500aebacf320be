"""Cells of Keras 2, by its own name and by tf.keras (with TF_USE_LEGACY_KERAS=1)."""

import tensorflow as tf
import tf_keras


class Healthy(tf_keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="recurrent")
        self.built = True

    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent))
        return h, [h]


class ReturnsOldState(Healthy):
    def call(self, inputs, states):
        old = states[0]
        h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(old, self.recurrent))
        return h, [old]  # expect: returned-old-state error 0


class IgnoresState(Healthy):
    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(inputs, self.kernel))  # expect: ignored-recurrence error 0
        return h, [h]


class DropsOneSlot(Healthy):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h, c = states
        c_new = 0.9 * c + tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(h, self.recurrent))
        h_new = tf.tanh(c_new)
        return h_new, [h_new, c]  # expect: returned-old-state error 1


class WithoutStateSize(Healthy):  # expect: missing-state-size error
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        del self.state_size

    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent))
        return h, [h]


class WithLayersAndLists(tf_keras.layers.Layer):
    """Layers, a variable in a list, a log that grows, dropout of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units]
        self.dense = tf_keras.layers.Dense(units)
        self.scales = [tf.Variable(tf.ones((units,)))]
        self.dropout = tf_keras.layers.Dropout(0.3)
        self.log = []

    def call(self, inputs, states):
        h = tf.tanh(self.dense(tf.concat([inputs, states[0]], 1))) * self.scales[0]
        self.log.append(1)
        return self.dropout(h, training=True), [h]


class ByTfKeras(tf.keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = tf.keras.layers.GRUCell(units)

    def call(self, inputs, states):
        output, new_states = self.cell(inputs, states)
        return output, states  # expect: returned-old-state error 0


class StepsByANet(tf_keras.layers.Layer):
    """The net in it is built by the first step, and until then refuses to tell its weights."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.net = tf_keras.Sequential([tf_keras.layers.Dense(units, activation="tanh")])

    def call(self, inputs, states):
        h = 0.9 * states[0] + self.net(tf.concat([inputs, states[0]], -1))
        return h, [h]


class TwoOutputs(Healthy):
    """Outputs of two shapes, which keras.layers.RNN takes, but with unroll=True."""

    @property
    def output_size(self):
        return [tf.TensorShape([self.units]), tf.TensorShape([self.units, self.units])]

    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent))
        return (h, h[:, :, None] * h[:, None, :]), [h]


class SizedWhenBuilt(tf_keras.layers.Layer):
    """keras.layers.RNN of Keras 2 asks for its state_size once it is built."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    @property
    def state_size(self):
        return self._state_size

    def build(self, input_shape):
        self._state_size = self.units
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), name="kernel")

    def call(self, inputs, states):
        h = tf.tanh(tf.concat([inputs, states[0]], -1) @ self.kernel)
        return h, [h]


def stacked():
    return tf_keras.layers.StackedRNNCells([tf_keras.layers.GRUCell(8), tf_keras.layers.LSTMCell(6)])


def gru_with_dropout():
    return tf_keras.layers.GRUCell(8, dropout=0.5, recurrent_dropout=0.5)
