"""Cells of TensorFlow 1, as repositories of its time have them; run with TF_USE_LEGACY_KERAS=1."""

import collections

import tensorflow as tf

rnn_cell = tf.compat.v1.nn.rnn_cell
Twofold = collections.namedtuple("Twofold", "slow fast")


class HealthyGates(rnn_cell.RNNCell):
    """Weights by ``add_weight``, a bare state."""

    def __init__(self, num_units, reuse=None):
        super().__init__(_reuse=reuse)
        self._num_units = num_units

    @property
    def state_size(self):
        return self._num_units

    @property
    def output_size(self):
        return self._num_units

    def build(self, inputs_shape):
        width = int(inputs_shape[-1]) + self._num_units
        self._kernel = self.add_weight("kernel", shape=[width, self._num_units])
        self.built = True

    def call(self, inputs, state):
        new_state = tf.tanh(tf.matmul(tf.concat([inputs, state], 1), self._kernel))
        return new_state, new_state


class ReturnsOldState(HealthyGates):
    def call(self, inputs, state):
        new_state = tf.tanh(tf.matmul(tf.concat([inputs, state], 1), self._kernel))
        return new_state, state  # expect: returned-old-state error 0


class IgnoresState(HealthyGates):
    def call(self, inputs, state):
        state = tf.zeros_like(state)  # expect: ignored-recurrence error 0
        new_state = tf.tanh(tf.matmul(tf.concat([inputs, state], 1), self._kernel))
        return new_state, new_state


class HealthyByName(rnn_cell.RNNCell):
    """The oldest style: ``__call__`` with ``get_variable``, and a tuple of its own."""

    def __init__(self, num_units):
        super().__init__()
        self._num_units = num_units

    @property
    def state_size(self):
        return Twofold(self._num_units, self._num_units)

    @property
    def output_size(self):
        return self._num_units

    def __call__(self, inputs, state, scope=None):
        with tf.compat.v1.variable_scope(scope or type(self).__name__):
            width = inputs.shape[-1] + self._num_units
            kernel = tf.compat.v1.get_variable("kernel", [width, 2 * self._num_units])
            update, gate = tf.split(tf.matmul(tf.concat([inputs, state.fast], 1), kernel), 2, 1)
            slow = 0.9 * state.slow + 0.1 * tf.tanh(update)
            fast = tf.sigmoid(gate) * tf.tanh(slow)
        return fast, Twofold(slow, fast)


class DropsOneSlot(HealthyByName):
    def __call__(self, inputs, state, scope=None):
        with tf.compat.v1.variable_scope(scope or type(self).__name__):
            width = inputs.shape[-1] + self._num_units
            kernel = tf.compat.v1.get_variable("kernel", [width, 2 * self._num_units])
            update, gate = tf.split(tf.matmul(tf.concat([inputs, state.fast], 1), kernel), 2, 1)
            slow = 0.9 * state.slow + 0.1 * tf.tanh(update)
            fast = tf.sigmoid(gate) * tf.tanh(slow)
        return fast, Twofold(state.slow, fast)  # expect: returned-old-state error 0


class WithoutItsBase(HealthyByName):
    """As many write it: the constructor of the base is not called."""

    def __init__(self, num_units):
        self._num_units = num_units


class WithoutItsBaseKeepsOld(WithoutItsBase):
    def __call__(self, inputs, state, scope=None):
        output, new_state = super().__call__(inputs, state, scope)
        return output, state  # expect: returned-old-state error


class LongShort(rnn_cell.BasicLSTMCell):
    """A subclass of a built-in cell that goes on from what that returns."""

    def call(self, inputs, state):
        output, (c, h) = super().call(inputs, state)
        return output, rnn_cell.LSTMStateTuple(state.c, h)  # expect: returned-old-state error 0


def basic():
    return rnn_cell.BasicRNNCell(8)


def lstm():
    return rnn_cell.BasicLSTMCell(8)


def lstm_in_one_tensor():
    return rnn_cell.BasicLSTMCell(8, state_is_tuple=False)


def lstm_projected():
    return rnn_cell.LSTMCell(8, use_peepholes=True, num_proj=4)


def gru():
    return rnn_cell.GRUCell(8)


def stacked():
    return rnn_cell.MultiRNNCell([rnn_cell.LSTMCell(8), rnn_cell.GRUCell(6)])


def dropout():
    return rnn_cell.DropoutWrapper(rnn_cell.LSTMCell(8), state_keep_prob=0.5, output_keep_prob=0.5)


def residual():
    return rnn_cell.ResidualWrapper(rnn_cell.GRUCell(5))


def stacked_without_their_base():
    return rnn_cell.MultiRNNCell([WithoutItsBase(8), rnn_cell.ResidualWrapper(WithoutItsBase(8))])


def stacked_with_a_frozen_layer():
    return rnn_cell.MultiRNNCell([rnn_cell.GRUCell(8), ReturnsOldState(8)])
