"""Cores of Sonnet."""

import collections

import sonnet as snt
import tensorflow as tf

Pair = collections.namedtuple("Pair", "hidden cell")


class Healthy(snt.RNNCore):
    def __init__(self, hidden_size, name=None):
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.from_input = snt.Linear(hidden_size)
        self.from_state = snt.Linear(hidden_size)

    def __call__(self, inputs, prev_state):
        new_state = tf.tanh(self.from_input(inputs) + self.from_state(prev_state))
        return new_state, new_state

    def initial_state(self, batch_size):
        return tf.zeros([batch_size, self.hidden_size])


class ReturnsOldState(Healthy):
    def __call__(self, inputs, prev_state):
        new_state = tf.tanh(self.from_input(inputs) + self.from_state(prev_state))
        return new_state, prev_state  # expect: returned-old-state error 0


class IgnoresState(Healthy):
    def __call__(self, inputs, prev_state):
        new_state = tf.tanh(self.from_input(inputs) + self.from_state(inputs))  # expect: ignored-recurrence error 0
        return new_state, new_state


class DropsOneSlot(Healthy):
    def __call__(self, inputs, prev_state):
        cell = 0.9 * prev_state.cell + tf.tanh(self.from_input(inputs) + self.from_state(prev_state.hidden))
        hidden = tf.tanh(cell)
        return hidden, Pair(hidden, prev_state.cell)  # expect: returned-old-state error 1

    def initial_state(self, batch_size):
        return Pair(*(tf.zeros([batch_size, self.hidden_size]) for _ in range(2)))


class Traced(Healthy):
    @tf.function
    def __call__(self, inputs, prev_state):
        new_state = tf.tanh(self.from_input(inputs) + self.from_state(prev_state))
        return new_state, prev_state  # expect: returned-old-state error 0


class ByName(tf.Module):
    """No core of Sonnet's: a plain module, its variable by name."""

    def __init__(self, units):
        super().__init__()
        self.units = units

    def __call__(self, x, h):
        with tf.compat.v1.variable_scope("gate"):
            w = tf.compat.v1.get_variable("w", [x.shape[-1] + self.units, self.units])
        new = tf.tanh(tf.concat([x, h], 1) @ w)
        return new, h  # expect: returned-old-state error 0


def conv():
    return snt.Conv1DLSTM([6, 2], 3, 3)


def deep():
    return snt.DeepRNN([snt.Linear(7), tf.tanh, snt.LSTM(8), snt.GRU(6)])


def with_dropout():
    train, test = snt.lstm_with_recurrent_dropout(8, dropout=0.3)
    return train
