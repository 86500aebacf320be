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


class StartsOpen(rnn_cell.RNNCell):
    """Its own method makes the first state: from the zeros of its base its gate never opens."""

    def __init__(self, num_units):
        super().__init__()
        self._num_units = num_units
        self._cell = rnn_cell.GRUCell(num_units)
        self._opens = tf.keras.layers.Dense(1, activation="sigmoid")

    @property
    def state_size(self):
        return self._num_units, 1, 1

    @property
    def output_size(self):
        return self._num_units

    def call(self, inputs, state):
        h, chance, total = state
        new, _ = self._cell(inputs, h)
        total = total + tf.minimum(chance, 1.0 - total)
        gate = total + tf.stop_gradient(tf.round(total) - total)
        new = gate * new + (1.0 - gate) * h
        return new, (new, gate * self._opens(new) + (1.0 - gate) * chance, (1.0 - gate) * total)

    def trainable_initial_state(self, batch_size):
        return tf.zeros([batch_size, self._num_units]), tf.ones([batch_size, 1]), tf.zeros([batch_size, 1])


class StubBesideItsStep(HealthyGates):
    """``call`` is there and does nothing: the step is ``__call__``."""

    def call(self, inputs, **kwargs):
        pass

    def __call__(self, inputs, state, scope=None):
        with tf.compat.v1.variable_scope(scope or "cell", reuse=tf.compat.v1.AUTO_REUSE):
            weights = tf.compat.v1.get_variable("w", [inputs.shape[1] + self._num_units, self._num_units])
        h = tf.tanh(tf.matmul(tf.concat([inputs, state], 1), weights))
        return h, h


class WeightsMadeOfVariables(rnn_cell.RNNCell):
    """In a graph what the constructor made of a variable goes on following it."""

    def __init__(self, n_in, n_rec):
        self.n_rec = n_rec
        self.w_var = tf.Variable(tf.random.normal([n_in + n_rec, n_rec]))
        self.w = tf.clip_by_value(self.w_var, -1, 1)

    @property
    def state_size(self):
        return self.n_rec

    @property
    def output_size(self):
        return self.n_rec

    def __call__(self, x, state, scope=None):
        h = tf.tanh(tf.matmul(tf.concat([x, state], 1), self.w))
        return h, h


Delayed = collections.namedtuple("Delayed", "v future past")


class DelaysByOneStep(rnn_cell.BasicRNNCell):
    """A queue with room for one step is empty after each, and one with room for none has no numbers."""

    def __init__(self, n_in, n_rec, n_delay=1, n_refractory=0):
        self.n_rec, self.n_delay, self.n_refractory = n_rec, n_delay, n_refractory
        self.w = tf.Variable(tf.random.normal([n_in, n_rec, n_delay]))

    @property
    def state_size(self):
        return Delayed(self.n_rec, (self.n_rec, self.n_delay), (self.n_rec, self.n_refractory))

    @property
    def output_size(self):
        return self.n_rec

    def zero_state(self, batch_size, dtype):
        shapes = (self.n_rec,), (self.n_rec, self.n_delay), (self.n_rec, self.n_refractory)
        return Delayed(*(tf.zeros([batch_size, *shape], dtype) for shape in shapes))

    def __call__(self, inputs, state, scope=None, dtype=tf.float32):
        future = state.future + tf.einsum("bi,ijk->bjk", inputs, self.w)
        v = 0.9 * state.v + future[:, :, 0]
        rolled = tf.concat([future[:, :, 1:], tf.zeros_like(v)[:, :, None]], 2)
        past = tf.concat([v[:, :, None], state.past], 2)[:, :, : self.n_refractory]
        return v, Delayed(v, rolled, past)


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
