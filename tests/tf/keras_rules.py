"""Keras and TensorFlow cells with each defect that a rule tells of, and the same cells repaired; comments mark the line.

A class without a mark is healthy. ``NEEDS`` holds what a user would have to type, since nobody could know it.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

NEEDS: dict[str, dict[str, Any]] = {
    "ReadsHalfOfIt": {"input_shape": (6,)},
    "ReadsHalfOfItRepaired": {"input_shape": (6,)},
    "ReadsOneChannel": {"input_shape": (5, 5, 4)},
    "ReadsOneChannelRepaired": {"input_shape": (5, 5, 4)},
}


# The three first rules, one slot of several


class LSTMReturnsItsOldC(layers.LSTMCell):
    """Built on the cell of Keras, with a projection of the output."""

    def build(self, input_shape):
        super().build(input_shape)
        self.project = self.add_weight(shape=(self.units, self.units), name="project")

    def call(self, inputs, states, training=False):
        h, c = states
        _, (h_new, c_new) = super().call(inputs, [h, c], training=training)
        h_new = ops.matmul(h_new, self.project)
        return h_new, [h_new, c]  # expect: returned-old-state error 1


class LSTMReturnsItsOldCRepaired(LSTMReturnsItsOldC):
    def call(self, inputs, states, training=False):
        h, c = states
        _, (h_new, c_new) = layers.LSTMCell.call(self, inputs, [h, c], training=training)
        h_new = ops.matmul(h_new, self.project)
        return h_new, [h_new, c_new]


class ReadsStatesZeroTwice(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units)

    def call(self, inputs, states):
        h_tm1 = states[0]
        c_tm1 = states[0]  # expect: ignored-recurrence warning 1
        z = self.gates(tf.concat([inputs, h_tm1], axis=1))
        i, f, g, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c_tm1 + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


class ReadsStatesZeroTwiceRepaired(ReadsStatesZeroTwice):
    def call(self, inputs, states):
        h_tm1 = states[0]
        c_tm1 = states[1]
        z = self.gates(tf.concat([inputs, h_tm1], axis=1))
        i, f, g, o = tf.split(z, 4, axis=1)
        c = tf.sigmoid(f) * c_tm1 + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


class DropsAPartOfANewDict(tf.Module):
    def __init__(self, units=6, name=None):
        super().__init__(name=name)
        self.units = units
        self.mix = layers.Dense(2 * units, activation="tanh")

    def zero_state(self, batch_size):
        return {"fast": tf.zeros([batch_size, self.units]), "slow": tf.zeros([batch_size, self.units])}

    def __call__(self, inputs, state):
        fast, slow = tf.split(self.mix(tf.concat([inputs, state["fast"] + state["slow"]], 1)), 2, axis=1)
        after = {"fast": fast, "slow": 0.95 * state["slow"] + 0.05 * slow}
        return fast, {"fast": after["fast"], "slow": state["slow"]}  # expect: returned-old-state


class DropsAPartOfANewDictRepaired(DropsAPartOfANewDict):
    def __call__(self, inputs, state):
        fast, slow = tf.split(self.mix(tf.concat([inputs, state["fast"] + state["slow"]], 1)), 2, axis=1)
        after = {"fast": fast, "slow": 0.95 * state["slow"] + 0.05 * slow}
        return fast, {"fast": after["fast"], "slow": after["slow"]}


class ForgetsWithoutPeepholes(layers.Layer):
    """Peepholes are a mode of their own, in which the old cell is used."""

    def __init__(self, units, peepholes=False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.peepholes = units, peepholes
        self.state_size = [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, 4 * self.units), name="kernel")
        self.peep = self.add_weight(shape=(self.units,), name="peep") if self.peepholes else None

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(ops.matmul(ops.concatenate([inputs, h_tm1], -1), self.kernel), 4, axis=-1)
        if self.peep is not None:
            c = ops.sigmoid(f + self.peep * c_tm1) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        else:
            c = ops.sigmoid(i) * ops.tanh(g)  # expect: ignored-recurrence warning 1
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class ForgetsWithoutPeepholesRepaired(ForgetsWithoutPeepholes):
    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(ops.matmul(ops.concatenate([inputs, h_tm1], -1), self.kernel), 4, axis=-1)
        if self.peep is not None:
            c = ops.sigmoid(f + self.peep * c_tm1) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        else:
            c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class UnpacksAndForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = (units, units)
        self.drive = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        hidden, memory = states
        drive = self.drive(ops.concatenate([inputs, hidden], axis=-1))
        fresh = 0.3 * drive + 0.7 * ops.sigmoid(drive)  # expect: ignored-recurrence warning 1
        return drive * fresh, (drive * fresh, fresh)


class UnpacksAndForgetsRepaired(UnpacksAndForgets):
    def call(self, inputs, states):
        hidden, memory = states
        drive = self.drive(ops.concatenate([inputs, hidden], axis=-1))
        fresh = 0.3 * drive + 0.7 * memory
        return drive * fresh, (drive * fresh, fresh)


class HasNoUseForASecondSlot(layers.Layer):
    """In this mode the second slot is a copy of the first; in the other it is an LSTM's."""

    def __init__(self, units, lstm=False, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.lstm = layers.LSTMCell(units) if lstm else None
        self.gru = None if lstm else layers.GRUCell(units)

    def call(self, inputs, states):
        h, c = states
        if self.lstm is not None:
            return self.lstm(inputs, [h, c])
        new, _ = self.gru(inputs, [h])
        return new, [new, ops.copy(new)]


# ignored-input


class KernelWithoutProduct(layers.Layer):
    def __init__(self, units, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs, states, training=None):
        prev_output = states[0]
        output = ops.matmul(prev_output, self.recurrent_kernel) + self.bias  # expect: ignored-input
        output = self.activation(output)
        return output, [output]


class KernelWithoutProductRepaired(KernelWithoutProduct):
    def call(self, inputs, states, training=None):
        prev_output = states[0]
        output = ops.matmul(inputs, self.kernel) + ops.matmul(prev_output, self.recurrent_kernel) + self.bias
        output = self.activation(output)
        return output, [output]


class ConcatenatesHiddenTwice(layers.Layer):
    """(x, (h, c)) -> (h, c)."""

    def __init__(self, hidden_size, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Dense(hidden_size, activation="relu")
        self.gates = layers.Dense(4 * hidden_size, bias_initializer="random_normal")

    def call(self, x, state):
        h, c = state
        emb = self.embedding(x)
        i, f, g, o = tf.split(self.gates(tf.concat([h, h], axis=-1)), 4, axis=-1)  # expect: ignored-input
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c


class ConcatenatesHiddenTwiceRepaired(ConcatenatesHiddenTwice):
    def call(self, x, state):
        h, c = state
        emb = self.embedding(x)
        i, f, g, o = tf.split(self.gates(tf.concat([emb, h], axis=-1)), 4, axis=-1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c


class SoftmaxOverOneScore(layers.Layer):
    """A softmax over an axis of one gives one, whatever the score."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.score = layers.Dense(1)
        self.recurrent = layers.Dense(units, activation="tanh", bias_initializer="random_normal")

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        (h,) = states
        attention = ops.softmax(self.score(inputs), axis=-1)  # expect: ignored-input
        h = 0.5 * h + 0.5 * attention * self.recurrent(h)
        return h, [h]


class SoftmaxOverOneScoreRepaired(SoftmaxOverOneScore):
    def call(self, inputs, states):
        (h,) = states
        attention = ops.sigmoid(self.score(inputs))
        h = 0.5 * h + 0.5 * attention * self.recurrent(h)
        return h, [h]


class PassesItselfAsInput(layers.Layer):
    """A dict of states around the cell of Keras, whose first argument is mistaken."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"carry": units, "hidden": units}
        self.lstm = layers.LSTMCell(units)
        self.norm = layers.LayerNormalization()

    def call(self, inputs, state):
        hidden, carry = state["hidden"], state["carry"]
        out, (hidden, carry) = self.lstm(hidden, [hidden, carry])  # expect: ignored-input
        return self.norm(out), {"carry": carry, "hidden": hidden}


class PassesItselfAsInputRepaired(PassesItselfAsInput):
    def call(self, inputs, state):
        hidden, carry = state["hidden"], state["carry"]
        out, (hidden, carry) = self.lstm(inputs, [hidden, carry])
        return self.norm(out), {"carry": carry, "hidden": hidden}


class ConvolvesItsStateOnly(layers.Layer):
    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv_x = layers.Conv2D(filters, kernel_size, padding="same")
        self.conv_h = layers.Conv2D(filters, kernel_size, padding="same", bias_initializer="random_normal")

    def call(self, frame, hidden=None):
        features = self.conv_x(frame)
        if hidden is None:
            hidden = tf.zeros_like(features)
        hidden = tf.nn.tanh(self.conv_h(hidden))  # expect: ignored-input
        return hidden, hidden


class ConvolvesItsStateOnlyRepaired(ConvolvesItsStateOnly):
    def call(self, frame, hidden=None):
        features = self.conv_x(frame)
        if hidden is None:
            hidden = tf.zeros_like(features)
        hidden = tf.nn.tanh(features + self.conv_h(hidden))
        return hidden, hidden


class GatesForgetX(tf.Module):
    """The gates are computed in a method of their own, which takes x and leaves it."""

    def __init__(self, input_size, hidden_size, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.random.normal((input_size, 3 * hidden_size), stddev=0.3), name="w")
        self.u = tf.Variable(tf.random.normal((hidden_size, 3 * hidden_size), stddev=0.3), name="u")
        self.b = tf.Variable(tf.random.normal((3 * hidden_size,)), name="b")

    def gates(self, x, h):
        return tf.split(h @ self.u + self.b, 3, axis=-1)

    def __call__(self, x, h):
        z, r, n = self.gates(x, h)  # expect: ignored-input
        z = tf.sigmoid(z)
        return z * h + (1.0 - z) * tf.tanh(n + tf.sigmoid(r) * h)


class GatesForgetXRepaired(GatesForgetX):
    def gates(self, x, h):
        return tf.split(x @ self.w + h @ self.u + self.b, 3, axis=-1)


class ReadsHalfOfIt(layers.Layer):
    """The other half was meant for a second branch."""

    def __init__(self, units=5, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.x2h, self.h2h = layers.Dense(units), layers.Dense(units)

    def call(self, inputs, states):
        left, _ = ops.split(inputs, 2, axis=-1)  # expect: ignored-input note
        h = ops.tanh(self.x2h(left) + self.h2h(states[0]))
        return h, [h]


class ReadsHalfOfItRepaired(ReadsHalfOfIt):
    def call(self, inputs, states):
        h = ops.tanh(self.x2h(inputs) + self.h2h(states[0]))
        return h, [h]


class ReadsOneChannel(layers.Layer):
    """Channels last: of the frame only the first one counts."""

    def __init__(self, channels=6, **kwargs):
        super().__init__(**kwargs)
        self.state_size = channels
        self.conv = layers.Conv2D(channels, 3, padding="same")

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, 5, 5, self.state_size))]

    def call(self, frame, states):
        joined = ops.concatenate([frame[..., :1], states[0]], axis=-1)  # expect: ignored-input note
        h = ops.tanh(self.conv(joined))
        return h, [h]


class ReadsOneChannelRepaired(ReadsOneChannel):
    def call(self, frame, states):
        joined = ops.concatenate([frame, states[0]], axis=-1)
        h = ops.tanh(self.conv(joined))
        return h, [h]


# partial-freeze


class HalfTheCarry(layers.Layer):
    """Coupled with a frozen reservoir, it was said; the half that is kept never had a value."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, 4 * self.units), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(4 * self.units,), initializer="zeros", name="bias")

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        z = ops.matmul(inputs, self.kernel) + ops.matmul(h_tm1, self.recurrent_kernel) + self.bias
        i, f, c_bar, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(c_bar)
        half = self.units // 2
        c = ops.concatenate([c[:, :half], c_tm1[:, half:]], axis=-1)  # expect: partial-freeze error 1
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class HalfTheCarryRepaired(HalfTheCarry):
    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        z = ops.matmul(inputs, self.kernel) + ops.matmul(h_tm1, self.recurrent_kernel) + self.bias
        i, f, c_bar, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(c_bar)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class MaskedUpdate(layers.Layer):
    """Only the first units are meant to be driven by the input; the mask lies on the whole update."""

    def __init__(self, units, driven=5, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.mask = np.array([1.0] * driven + [0.0] * (units - driven), dtype="float32")
        self.inp = layers.Dense(units)
        self.rec = layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        h = states[0]
        target = ops.tanh(self.inp(inputs) + self.rec(h))
        h = self.mask * target + (1.0 - self.mask) * h  # expect: partial-freeze error 0
        return h, [h]


class MaskedUpdateRepaired(MaskedUpdate):
    def call(self, inputs, states):
        h = states[0]
        target = ops.tanh(self.mask * self.inp(inputs) + self.rec(h))
        h = 0.5 * target + 0.5 * h
        return h, [h]


class LastLayerIsSkipped(layers.Layer):
    """One tensor (batch, layers, units) holds all layers; the loop ends one too early."""

    def __init__(self, units, num_layers=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.num_layers = units, num_layers
        self.state_size = (num_layers, units)
        self.cells = [layers.GRUCell(units) for _ in range(num_layers)]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.num_layers, self.units))]

    def call(self, inputs, states):
        old = tf.unstack(states[0], num=self.num_layers, axis=1)
        x, new = inputs, list(old)
        for k in range(self.num_layers - 1):
            x, (new[k],) = self.cells[k](x, [old[k]])
        stacked = tf.stack(new, axis=1)  # expect: partial-freeze error 0
        return x, [stacked]


class LastLayerIsSkippedRepaired(LastLayerIsSkipped):
    def call(self, inputs, states):
        old = tf.unstack(states[0], num=self.num_layers, axis=1)
        x, new = inputs, list(old)
        for k in range(self.num_layers):
            x, (new[k],) = self.cells[k](x, [old[k]])
        stacked = tf.stack(new, axis=1)
        return x, [stacked]


class SlowPartIsDropped(layers.Layer):
    """A fast and a slow part in one state; the parts are put together in a method of their own."""

    def __init__(self, units, slow_units=3, tau=10.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slow_units, self.tau = units, slow_units, tau
        self.state_size = units + slow_units
        self.fast_layer = layers.Dense(units, activation="tanh")
        self.slow_layer = layers.Dense(slow_units, activation="tanh")

    def merge(self, fast, slow):
        return ops.concatenate([fast, slow], axis=-1)

    def call(self, inputs, states):
        state = states[0]
        slow = state[:, self.units :]
        fast_new = self.fast_layer(ops.concatenate([inputs, state], axis=-1))
        slow_new = slow + (self.slow_layer(fast_new) - slow) / self.tau
        new_state = self.merge(fast_new, slow)  # expect: partial-freeze error 0
        return fast_new, [new_state]


class SlowPartIsDroppedRepaired(SlowPartIsDropped):
    def call(self, inputs, states):
        state = states[0]
        slow = state[:, self.units :]
        fast_new = self.fast_layer(ops.concatenate([inputs, state], axis=-1))
        slow_new = slow + (self.slow_layer(fast_new) - slow) / self.tau
        new_state = self.merge(fast_new, slow_new)
        return fast_new, [new_state]


class WritesSomeColumns(tf.Module):
    """A dict with a memory (batch, slots, width), of which the last columns are out of reach of the write."""

    def __init__(self, input_size, hidden_size, slots=4, name=None):
        super().__init__(name=name)
        self.hidden_size, self.slots = hidden_size, slots
        self.controller = tf.Variable(tf.random.normal((input_size + 2 * hidden_size, hidden_size), stddev=0.3))
        self.address = tf.Variable(tf.random.normal((hidden_size, slots)))

    def initial_state(self, batch_size):
        return {
            "hidden": tf.zeros((batch_size, self.hidden_size)),
            "memory": tf.fill((batch_size, self.slots, self.hidden_size), 0.1),
        }

    def __call__(self, x, state):
        hidden, memory = state["hidden"], state["memory"]
        weights = tf.nn.softmax(hidden @ self.address)[:, :, None]
        read = tf.reduce_sum(weights * memory, axis=1)
        hidden = tf.tanh(tf.concat([x, read, hidden], -1) @ self.controller)
        written = (1.0 - weights) * memory + weights * hidden[:, None]
        memory = tf.concat([written[..., :-3], memory[..., -3:]], -1)  # expect: partial-freeze error 1
        return read, {"hidden": hidden, "memory": memory}


class WritesSomeColumnsRepaired(WritesSomeColumns):
    def __call__(self, x, state):
        hidden, memory = state["hidden"], state["memory"]
        weights = tf.nn.softmax(hidden @ self.address)[:, :, None]
        read = tf.reduce_sum(weights * memory, axis=1)
        hidden = tf.tanh(tf.concat([x, read, hidden], -1) @ self.controller)
        written = (1.0 - weights) * memory + weights * hidden[:, None]
        return read, {"hidden": hidden, "memory": written}


class HalfTheChannels(layers.Layer):
    """Images; what is updated is scattered into the old state, inline."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters // 2, kernel_size, padding="same", activation="tanh")

    def call(self, x, h=None):
        if h is None:
            h = tf.zeros((*x.shape[:-1], self.filters))
        update = self.conv(tf.concat([x, h], axis=-1))
        return tf.concat([h[..., : self.filters // 2], update], axis=-1)  # expect: partial-freeze error 0


class HalfTheChannelsRepaired(HalfTheChannels):
    def call(self, x, h=None):
        if h is None:
            h = tf.zeros((*x.shape[:-1], self.filters))
        update = self.conv(tf.concat([x, h], axis=-1))
        return tf.concat([update, h[..., : self.filters // 2]], axis=-1)


# swapped-states


class PeepholeSwapped(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1] + self.units, 4 * self.units), initializer="glorot_uniform")
        self.p = self.add_weight(shape=(3, self.units), initializer="random_normal")

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = tf.split(tf.matmul(tf.concat([inputs, h], 1), self.w), 4, axis=1)
        c_new = tf.sigmoid(f + self.p[0] * c) * c + tf.sigmoid(i + self.p[1] * c) * tf.tanh(g)
        h_new = tf.sigmoid(o + self.p[2] * c_new) * tf.tanh(c_new)
        return h_new, [c_new, h_new]  # expect: swapped-states


class PeepholeSwappedRepaired(PeepholeSwapped):
    def call(self, inputs, states):
        h, c = states
        i, f, g, o = tf.split(tf.matmul(tf.concat([inputs, h], 1), self.w), 4, axis=1)
        c_new = tf.sigmoid(f + self.p[0] * c) * c + tf.sigmoid(i + self.p[1] * c) * tf.tanh(g)
        h_new = tf.sigmoid(o + self.p[2] * c_new) * tf.tanh(c_new)
        return h_new, [h_new, c_new]


class UnpackedTheOtherWay(layers.Layer):
    """(memory, hidden) as in TensorFlow 1 on the way in, (hidden, memory) as in Keras on the way out."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        self.core = layers.LSTMCell(units, unit_forget_bias=True)
        self.head = layers.Dense(4)

    def call(self, inputs, states, training=False):
        memory, hidden = states
        _, (hidden, memory) = self.core(inputs, [hidden, memory], training=training)
        return self.head(hidden), (hidden, memory)  # expect: swapped-states


class UnpackedTheOtherWayRepaired(UnpackedTheOtherWay):
    def call(self, inputs, states, training=False):
        memory, hidden = states
        _, (hidden, memory) = self.core(inputs, [hidden, memory], training=training)
        return self.head(hidden), (memory, hidden)


class SwappedInTheDict(layers.Layer):
    def __init__(self, hidden_dim, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.state_size = {"c": hidden_dim, "h": hidden_dim}
        self.in_gate, self.forget_gate, self.out_gate = (layers.Dense(hidden_dim, activation="sigmoid") for _ in "ifo")
        self.cand = layers.Dense(hidden_dim, activation="tanh")

    def initial_state(self, batch_size):
        return {"c": ops.zeros((batch_size, self.hidden_dim)), "h": ops.zeros((batch_size, self.hidden_dim))}

    def call(self, x, state):
        joint = ops.concatenate([x, state["h"]], axis=-1)
        c = self.forget_gate(joint) * state["c"] + self.in_gate(joint) * self.cand(joint)
        h = self.out_gate(joint) * ops.tanh(c)
        return h, {"c": h, "h": c}  # expect: swapped-states


class SwappedInTheDictRepaired(SwappedInTheDict):
    def call(self, x, state):
        joint = ops.concatenate([x, state["h"]], axis=-1)
        c = self.forget_gate(joint) * state["c"] + self.in_gate(joint) * self.cand(joint)
        h = self.out_gate(joint) * ops.tanh(c)
        return h, {"c": c, "h": h}


class SpreadSwapped(tf.Module):
    """(x, h, c) -> (y, c, h)."""

    def __init__(self, input_size, hidden_size, output_size=3):
        super().__init__()
        self.kernel = tf.Variable(tf.random.normal((input_size + hidden_size, 3 * hidden_size), stddev=0.3))
        self.out = tf.Variable(tf.random.normal((hidden_size, output_size), stddev=0.3))

    def __call__(self, x, h, c):
        f, g, o = tf.split(tf.concat([x, h], axis=-1) @ self.kernel, 3, axis=-1)
        f = tf.sigmoid(f)
        c = f * c + (1.0 - f) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        y = h @ self.out
        return y, c, h  # expect: swapped-states warning


class SpreadSwappedRepaired(SpreadSwapped):
    def __call__(self, x, h, c):
        f, g, o = tf.split(tf.concat([x, h], axis=-1) @ self.kernel, 3, axis=-1)
        f = tf.sigmoid(f)
        c = f * c + (1.0 - f) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        y = h @ self.out
        return y, h, c


class ConvSwapped(layers.Layer):
    """Images; states without names, and the new list is made before it is returned."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.state_size = -1
        self.conv = layers.Conv2D(3 * filters, kernel_size, padding="same")

    def build(self, input_shape):
        self.image_size = tuple(input_shape[1:3])

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, *self.image_size, self.filters)) for _ in range(2)]

    def call(self, inputs, states):
        z = self.conv(ops.concatenate([inputs, states[0]], axis=-1))
        f, g, o = ops.split(z, 3, axis=-1)
        carry = ops.sigmoid(f + 1.0) * states[1] + ops.tanh(g)
        out = ops.sigmoid(o) * ops.tanh(carry)
        new_states = [carry, out]  # expect: swapped-states
        return out, new_states


class ConvSwappedRepaired(ConvSwapped):
    def call(self, inputs, states):
        z = self.conv(ops.concatenate([inputs, states[0]], axis=-1))
        f, g, o = ops.split(z, 3, axis=-1)
        carry = ops.sigmoid(f + 1.0) * states[1] + ops.tanh(g)
        out = ops.sigmoid(o) * ops.tanh(carry)
        new_states = [out, carry]
        return out, new_states


class NormaliserFirst(layers.Layer):
    """Three slots; the normaliser and the cell come back in each other's place."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units, units]
        self.gates = layers.Dense(4 * units)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)) for _ in range(3)]

    def call(self, inputs, states):
        h, c, n = states
        i, f, z, o = ops.split(self.gates(ops.concatenate([inputs, h], -1)), 4, axis=-1)
        i, f = ops.exp(ops.minimum(i, 2.0)), ops.sigmoid(f)
        c, n = f * c + i * ops.tanh(z), f * n + i
        h = ops.sigmoid(o) * c / ops.maximum(ops.abs(n), 1.0)
        return h, [h, n, c]  # expect: swapped-states


class NormaliserFirstRepaired(NormaliserFirst):
    def call(self, inputs, states):
        h, c, n = states
        i, f, z, o = ops.split(self.gates(ops.concatenate([inputs, h], -1)), 4, axis=-1)
        i, f = ops.exp(ops.minimum(i, 2.0)), ops.sigmoid(f)
        c, n = f * c + i * ops.tanh(z), f * n + i
        h = ops.sigmoid(o) * c / ops.maximum(ops.abs(n), 1.0)
        return h, [h, c, n]


# detached-state


class StopsTheGradientOfH(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], self.units), name="W")
        self.U = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="U")

    def call(self, inputs, states):
        h = tf.stop_gradient(states[0])  # expect: detached-state warning
        h = tf.tanh(tf.matmul(inputs, self.W) + tf.matmul(h, self.U))
        return h, [h]


class StopsTheGradientOfHRepaired(StopsTheGradientOfH):
    def call(self, inputs, states):
        h = states[0]
        h = tf.tanh(tf.matmul(inputs, self.W) + tf.matmul(h, self.U))
        return h, [h]


class StopsTheGradientOfC(layers.Layer):
    """On the way out, of c only; h is whole."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.ifgo = layers.Dense(4 * units)

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.ifgo(ops.concatenate([inputs, h], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f + 1.0) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        c = ops.stop_gradient(c)  # expect: detached-state warning 1
        return h, [h, c]


class StopsTheGradientOfCRepaired(StopsTheGradientOfC):
    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.ifgo(ops.concatenate([inputs, h], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f + 1.0) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class DetachesEverySlot(layers.Layer):
    """Truncated at every step, in one line for a nested state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, (units, units))
        self.first, self.second = layers.GRUCell(units), layers.LSTMCell(units)

    def call(self, inputs, states):
        states = tf.nest.map_structure(tf.stop_gradient, states)  # expect: detached-state warning
        s1, (h, c) = states
        y, (s1,) = self.first(inputs, [s1])
        y, (h, c) = self.second(y, [h, c])
        return y, (s1, (h, c))


class DetachesEverySlotRepaired(DetachesEverySlot):
    def call(self, inputs, states):
        s1, (h, c) = states
        y, (s1,) = self.first(inputs, [s1])
        y, (h, c) = self.second(y, [h, c])
        return y, (s1, (h, c))


def _hard_sigmoid(z):
    return np.clip(0.2 * z + 0.5, 0.0, 1.0).astype("float32")


class NonlinearityInNumpy(layers.Layer):
    """tf.numpy_function has no gradient."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units)

    def call(self, inputs, states):
        z = self.dense(tf.concat([inputs, states[0]], axis=1))
        h = tf.numpy_function(_hard_sigmoid, [z], tf.float32)  # expect: detached-state warning
        h = tf.ensure_shape(h, z.shape)
        return h, [h]


class NonlinearityInNumpyRepaired(NonlinearityInNumpy):
    def call(self, inputs, states):
        z = self.dense(tf.concat([inputs, states[0]], axis=1))
        h = tf.clip_by_value(0.2 * z + 0.5, 0.0, 1.0)
        h = tf.ensure_shape(h, z.shape)
        return h, [h]


class RoundTripThroughNumpy(tf.Module):
    """(h, x): the state is normalised in NumPy before it is used."""

    def __init__(self, input_size, hidden_size, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.5))
        self.u = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.5))

    def __call__(self, h, x):
        values = h.numpy()  # expect: detached-state warning
        values = values / (1e-3 + np.abs(values).max(axis=1, keepdims=True))
        z = tf.matmul(x, self.w) + tf.matmul(tf.constant(values), self.u)
        return tf.nn.softplus(z) - 0.5


class RoundTripThroughNumpyRepaired(RoundTripThroughNumpy):
    def __call__(self, h, x):
        values = h / (1e-3 + tf.reduce_max(tf.abs(h), axis=1, keepdims=True))
        z = tf.matmul(x, self.w) + tf.matmul(values, self.u)
        return tf.nn.softplus(z) - 0.5


class DetachesTheSlowLayer(layers.Layer):
    """Images and states one by one: the upper layer's is stopped where it is handed down."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.low = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")
        self.high = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, frame, h_low, h_high):
        context = tf.stop_gradient(h_high)  # expect: detached-state warning 1
        h_low = self.low(tf.concat([frame, h_low, context], -1))
        h_high = self.high(tf.concat([h_low, context], -1))
        return h_low, h_high


class DetachesTheSlowLayerRepaired(DetachesTheSlowLayer):
    def call(self, frame, h_low, h_high):
        h_low = self.low(tf.concat([frame, h_low, h_high], -1))
        h_high = self.high(tf.concat([h_low, h_high], -1))
        return h_low, h_high


# leaked-state


class ContextOnSelf(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.inner = layers.Dense(units, activation="tanh")
        self.context = None

    def build(self, input_shape):
        self.inner.build((None, input_shape[-1] + 2 * self.units))

    def call(self, inputs, states):
        (h,) = states
        if self.context is None or self.context.shape != h.shape:
            self.context = ops.zeros_like(h)
        h = self.inner(ops.concatenate([inputs, h, self.context], axis=-1))
        self.context = h  # expect: leaked-state
        return h, [h]


class ContextOnSelfRepaired(ContextOnSelf):
    def call(self, inputs, states):
        (h,) = states
        context = ops.zeros_like(h)
        h = self.inner(ops.concatenate([inputs, h, context], axis=-1))
        return h, [h]


_TRACE: list[Any] = []


def _smoothed(value):
    """A helper of the module, which remembers what it was given last."""
    previous = _TRACE[-1] if _TRACE and _TRACE[-1].shape == value.shape else tf.zeros_like(value)
    _TRACE.append(value)
    return 0.5 * (value + previous)


class _SmoothsByAHelper(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.cell = layers.SimpleRNNCell(units)

    def call(self, inputs, states):
        return self.cell(_smoothed(inputs), states)


class SmoothsWithoutAHelper(_SmoothsByAHelper):
    def call(self, inputs, states):
        return self.cell(0.5 * inputs, states)


class AdaptsAVariable(layers.Layer):
    """Each unit's activity is followed over all sequences there ever were, also when it does not train."""

    def __init__(self, units, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.rate = rate

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), name="kernel")
        self.activity = tf.Variable(tf.zeros((self.units,)), trainable=False, name="activity")

    def call(self, inputs, states):
        z = tf.matmul(tf.concat([inputs, states[0]], axis=1), self.kernel)
        h = tf.tanh(z - self.activity)
        self.activity.assign_add(self.rate * (tf.reduce_mean(h, axis=0) - self.activity))  # expect: leaked-state
        return h, [h]


class AdaptsAVariableRepaired(AdaptsAVariable):
    def __init__(self, units, rate=0.1, **kwargs):
        super().__init__(units, rate=rate, **kwargs)
        self.state_size = [units, units]

    def call(self, inputs, states):
        h, activity = states
        z = tf.matmul(tf.concat([inputs, h], axis=1), self.kernel)
        h = tf.tanh(z - activity)
        return h, [h, activity + self.rate * (h - activity)]


_previous = None


class RemembersInAGlobal(tf.Module):
    """(x, h) -> h, with the difference to the last input that any cell saw."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.4))

    def __call__(self, x, h):
        global _previous
        before = x if _previous is None or _previous.shape != x.shape else _previous
        h = tf.tanh(tf.concat([x - 0.5 * before, h], axis=1) @ self.w)
        _previous = x  # expect: leaked-state
        return h


class RemembersInAGlobalRepaired(RemembersInAGlobal):
    def __call__(self, x, h):
        before = x
        h = tf.tanh(tf.concat([x - 0.5 * before, h], axis=1) @ self.w)
        return h


def remembers_in_a_closure(units=8):
    last = {}

    class Differencing(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.state_size = [units, units]
            self.lstm = layers.LSTMCell(units)

        def build(self, input_shape):
            self.lstm.build(input_shape)

        def call(self, inputs, states):
            y, states = self.lstm(inputs, states)
            before = last.get(y.shape, y)
            last[y.shape] = y  # expect: leaked-state
            return y - before, states

    return Differencing()


def remembers_in_a_closure_repaired(units=8):
    class Differencing(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.state_size = [units, units]
            self.lstm = layers.LSTMCell(units)

        def build(self, input_shape):
            self.lstm.build(input_shape)

        def call(self, inputs, states):
            y, states_next = self.lstm(inputs, states)
            return y - states[0], states_next

    return Differencing()


class SharedCache(layers.Layer):
    """A dict on the class, kept by batch size: a fast trace that belongs into the state."""

    traces: dict[int, Any] = {}

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.q, self.k = layers.Dense(dim), layers.Dense(dim, activation="sigmoid")

    def build(self, x_shape, carry_shape):
        self.q.build((None, x_shape[-1] + self.dim))
        self.k.build((None, self.dim))

    def init_carry(self, batch_size):
        return ops.zeros((batch_size, self.dim))

    def call(self, x, carry):
        batch = x.shape[0]
        trace = self.traces.get(batch, ops.zeros((batch, self.dim)))
        carry = ops.tanh(self.q(ops.concatenate([x, carry], axis=-1)) + 0.3 * trace)
        self.traces[batch] = 0.9 * trace + 0.1 * self.k(carry)  # expect: leaked-state
        return carry, carry


class SharedCacheRepaired(SharedCache):
    def __init__(self, dim, **kwargs):
        super().__init__(dim, **kwargs)
        self.state_size = (dim, dim)

    def init_carry(self, batch_size):
        return ops.zeros((batch_size, self.dim)), ops.zeros((batch_size, self.dim))

    def call(self, x, carry):
        h, trace = carry
        h = ops.tanh(self.q(ops.concatenate([x, h], axis=-1)) + 0.3 * trace)
        return h, (h, 0.9 * trace + 0.1 * self.k(h))


class MutableDefault(tf.Module):
    """def step(self, x, h, history=[])."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.wx = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.4))
        self.wh = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.4))

    def zero_state(self, batch_size):
        return tf.zeros([batch_size, self.hidden_size])

    def __call__(self, x, h, history=[]):  # noqa: B006
        skip = history[-3] if len(history) > 2 and history[-3].shape == h.shape else 0.0
        h = tf.nn.relu(x @ self.wx + h @ self.wh + 0.5 * skip)
        history.append(h)  # expect: leaked-state
        return h


class MutableDefaultRepaired(MutableDefault):
    def __call__(self, x, h, history=None):
        h = tf.nn.relu(x @ self.wx + h @ self.wh)
        return h


class PositionGoesOn(layers.Layer):
    """A weight that does not train counts the steps; positions never start afresh."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.gru = layers.GRUCell(units)

    def build(self, input_shape):
        self.position = self.add_weight(shape=(), initializer="zeros", trainable=False, name="position")
        self.frequency = self.add_weight(shape=(input_shape[-1],), initializer="random_normal", name="frequency")
        self.gru.build(input_shape)

    def advance(self):
        self.position.assign_add(1.0)  # expect: leaked-state
        return ops.cos(self.frequency * self.position)

    def call(self, inputs, states):
        y, states = self.gru(inputs + self.advance(), states)
        return y, states


class PositionGoesOnRepaired(PositionGoesOn):
    def advance(self):
        return ops.cos(self.frequency * self.position)


# mutated-state


class WritesIntoTheList(tf.Module):
    """step(x, state): the caller's list gets the new c; h goes the right way."""

    def __init__(self, input_size, hidden_size, name=None):
        super().__init__(name=name)
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, 4 * hidden_size), stddev=0.3))

    def initial_state(self, batch_size):
        return [tf.zeros((batch_size, self.hidden_size)), tf.zeros((batch_size, self.hidden_size))]

    def step(self, x, state):
        h, c = state
        i, f, g, o = tf.split(tf.concat([x, h], -1) @ self.w, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        state[1] = c  # expect: mutated-state warning 1
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


class WritesIntoTheListRepaired(WritesIntoTheList):
    def step(self, x, state):
        h, c = state
        i, f, g, o = tf.split(tf.concat([x, h], -1) @ self.w, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [h, c]


class UpdatesTheDict(layers.Layer):
    """A step method beside a call over time; the dict of the caller is updated and a copy comes back."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rnn = layers.GRUCell(units)

    def get_initial_state(self, batch_size):
        return {"hidden": ops.zeros((batch_size, self.units))}

    def step(self, x, carry):
        y, (hidden,) = self.rnn(x, [carry["hidden"]])
        carry.update(hidden=hidden)  # expect: mutated-state warning 0
        return y, dict(carry)

    def call(self, xs):
        carry, ys = self.get_initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, carry = self.step(xs[:, t], carry)
            ys.append(y)
        return ops.stack(ys, axis=1)


class UpdatesTheDictRepaired(UpdatesTheDict):
    def step(self, x, carry):
        y, (hidden,) = self.rnn(x, [carry["hidden"]])
        carry = dict(carry, hidden=hidden)
        return y, dict(carry)


class AssignsItsState(tf.Module):
    """The state is a variable of the caller: assigned, and a tensor comes back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.5))
        self.u = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.5))

    def initial_state(self, batch_size):
        return tf.Variable(tf.zeros((batch_size, self.hidden_size)))

    def __call__(self, x, h):
        new = tf.tanh(x @ self.w + h @ self.u)
        if isinstance(h, tf.Variable):
            h.assign(new)  # expect: mutated-state error 0
        return tf.identity(new)


class AssignsItsStateRepaired(AssignsItsState):
    def __call__(self, x, h):
        new = tf.tanh(x @ self.w + h @ self.u)
        return tf.identity(new)


class IntegratesInPlace(tf.Module):
    """A membrane that is a variable for good: charged in place and handed back itself."""

    def __init__(self, input_size, hidden_size, beta=0.9):
        super().__init__()
        self.hidden_size, self.beta = hidden_size, beta
        self.synapse = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.5))

    def init_state(self, batch_size):
        return tf.Variable(tf.zeros((batch_size, self.hidden_size)), trainable=False)

    def step(self, x, membrane):
        charged = self.beta * membrane + x @ self.synapse
        membrane.assign(charged)  # expect: mutated-state warning 0
        return tf.sigmoid(charged - 1.0), membrane


class IntegratesInPlaceRepaired(IntegratesInPlace):
    def init_state(self, batch_size):
        return tf.zeros((batch_size, self.hidden_size))

    def step(self, x, membrane):
        charged = self.beta * membrane + x @ self.synapse
        return tf.sigmoid(charged - 1.0), charged


class WritesIntoTheNestedList(layers.Layer):
    """Two layers, a dict of a list; the lower layer's state is written where the caller keeps it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cells = [layers.SimpleRNNCell(units), layers.SimpleRNNCell(units)]

    def init_hidden(self, batch_size):
        return {"layers": [ops.zeros((batch_size, self.units)) for _ in self.cells]}

    def step(self, x, hidden):
        lower, upper = hidden["layers"]
        x, (lower,) = self.cells[0](x, [lower])
        hidden["layers"][0] = lower  # expect: mutated-state warning 0
        x, (upper,) = self.cells[1](x, [upper])
        return x, {"layers": [lower, upper]}

    def call(self, xs):
        hidden, ys = self.init_hidden(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, hidden = self.step(xs[:, t], hidden)
            ys.append(y)
        return ops.stack(ys, axis=1)


class WritesIntoTheNestedListRepaired(WritesIntoTheNestedList):
    def step(self, x, hidden):
        lower, upper = hidden["layers"]
        x, (lower,) = self.cells[0](x, [lower])
        x, (upper,) = self.cells[1](x, [upper])
        return x, {"layers": [lower, upper]}


# batch-leak


class SoftmaxOverTheBatch(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = layers.SimpleRNNCell(units)
        self.score = layers.Dense(units)

    def call(self, inputs, states):
        prev = states[0]
        weights = tf.nn.softmax(self.score(prev), axis=0)  # expect: batch-leak
        h, _ = self.cell(inputs, [prev * weights])
        return h, [h]


class SoftmaxOverTheBatchRepaired(SoftmaxOverTheBatch):
    def call(self, inputs, states):
        prev = states[0]
        weights = tf.nn.softmax(self.score(prev), axis=-1)
        h, _ = self.cell(inputs, [prev * weights])
        return h, [h]


class AttendsToOtherRows(layers.Layer):
    """Queries times keys, transposed: the rows of the batch attend to each other."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.q, self.k, self.v = layers.Dense(dim), layers.Dense(dim), layers.Dense(dim)
        self.gate = layers.Dense(dim, activation="sigmoid")

    def call(self, x, h):
        q, k, v = self.q(h), self.k(x), self.v(x)
        attention = ops.softmax(ops.matmul(q, ops.transpose(k)), axis=-1)  # expect: batch-leak
        context = ops.matmul(attention, v)
        z = self.gate(ops.concatenate([x, h], axis=-1))
        return z * h + (1.0 - z) * ops.tanh(context)


class AttendsToOtherRowsRepaired(AttendsToOtherRows):
    def call(self, x, h):
        q, k, v = self.q(h), self.k(x), self.v(x)
        attention = ops.softmax(ops.matmul(q[:, :, None], k[:, None, :]), axis=-1)
        context = ops.einsum("bij,bj->bi", attention, v)
        z = self.gate(ops.concatenate([x, h], axis=-1))
        return z * h + (1.0 - z) * ops.tanh(context)


class ReshapedNotTransposed(tf.Module):
    """A matrix from the left wants columns; a reshape gives the shape of columns and shuffles the rows."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.4))
        self.mix = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.4))

    def __call__(self, x, state):
        z = tf.nn.relu(tf.concat([x, state], axis=1) @ self.w)
        z = tf.reshape(self.mix @ tf.reshape(z, (self.hidden_size, -1)), tf.shape(z))  # expect: batch-leak
        state = tf.tanh(z)
        return state, state


class ReshapedNotTransposedRepaired(ReshapedNotTransposed):
    def __call__(self, x, state):
        z = tf.nn.relu(tf.concat([x, state], axis=1) @ self.w)
        z = tf.transpose(self.mix @ tf.transpose(z))
        state = tf.tanh(z)
        return state, state


class AlwaysTraining(layers.Layer):
    """Batch statistics also when it does not train."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = (units, units)
        self.norm = layers.BatchNormalization()
        self.gates = layers.Dense(4 * units)

    def call(self, inputs, states, training=False):
        h, c = states
        z = self.gates(ops.concatenate([inputs, h], axis=-1))
        z = self.norm(z, training=True)  # expect: batch-leak
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (h, c)


class AlwaysTrainingRepaired(AlwaysTraining):
    def call(self, inputs, states, training=False):
        h, c = states
        z = self.gates(ops.concatenate([inputs, h], axis=-1))
        z = self.norm(z, training=training)
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (h, c)


class ScaledByTheLargest(layers.Layer):
    """Images, divided by the largest value anywhere; a dict."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters, kernel_size, padding="same")

    def normalise(self, frame):
        return frame / (tf.reduce_max(tf.abs(frame)) + 1e-6)  # expect: batch-leak

    def call(self, frame, state=None):
        if state is None:
            state = tf.zeros((*frame.shape[:-1], self.filters))
        frame = self.normalise(frame)
        state = tf.tanh(self.conv(tf.concat([frame, state], -1)))
        return {"map": tf.reduce_mean(state, axis=-1), "state": state}


class ScaledByTheLargestRepaired(ScaledByTheLargest):
    def normalise(self, frame):
        return frame / (tf.reduce_max(tf.abs(frame), axis=(1, 2, 3), keepdims=True) + 1e-6)


class RollsTheBatch(layers.Layer):
    """A ring of units, rolled along the wrong axis."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w_in = layers.Dense(units)

    def call(self, inputs, states):
        ring = states[0]
        drive = self.w_in(inputs)
        h = ops.tanh(drive + 0.9 * ops.roll(ring, 1, axis=0))  # expect: batch-leak
        return h, [h]


class RollsTheBatchRepaired(RollsTheBatch):
    def call(self, inputs, states):
        ring = states[0]
        drive = self.w_in(inputs)
        h = ops.tanh(drive + 0.9 * ops.roll(ring, 1, axis=1))
        return h, [h]


class NormalisesItsDriveOverTheBatch(layers.Layer):
    """While training only, with one set of running statistics for all steps."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.drive = layers.Dense(units)
        self.recurrent = layers.Dense(units)
        self.norm = layers.BatchNormalization()

    def call(self, inputs, states):
        drive = self.norm(self.drive(inputs) + self.recurrent(states[0]))  # expect: batch-leak note
        new = ops.tanh(drive)
        return new, [new]


class NormalisesItsDriveOverTheBatchRepaired(NormalisesItsDriveOverTheBatch):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.norm = layers.LayerNormalization()


class NormalisesItsInput(NormalisesItsDriveOverTheBatch):
    """batch-leak: what the statistics are of has nothing to do with the state."""

    def call(self, inputs, states, training=None):
        new = ops.tanh(self.norm(self.drive(inputs), training=training) + self.recurrent(states[0]))
        return new, [new]


# wrong-state-structure


class ForgetsToReturnC(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, 4 * self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h]  # expect: wrong-state-structure


class ForgetsToReturnCRepaired(ForgetsToReturnC):
    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(ops.matmul(inputs, self.kernel) + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class OutputOnly(layers.Layer):
    """A readout comes back and no state with it."""

    def __init__(self, units, classes=3, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.output_size = classes
        self.hidden = layers.Dense(units, activation="tanh")
        self.readout = layers.Dense(classes, activation="softmax")

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        h = self.hidden(ops.concatenate([inputs, states[0]], axis=-1))
        return self.readout(h)  # expect: wrong-state-structure


class OutputOnlyRepaired(OutputOnly):
    def call(self, inputs, states):
        h = self.hidden(ops.concatenate([inputs, states[0]], axis=-1))
        return self.readout(h), [h]


class HandsOutTheGate(layers.Layer):
    """One slot is declared and taken; the gate comes back among the states."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.gate = layers.Dense(units, activation="sigmoid")
        self.cand = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None, dtype=None):
        return [tf.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        (h_prev,) = states
        xh = tf.concat([inputs, h_prev], axis=-1)
        z = self.gate(xh)
        h = z * h_prev + (1.0 - z) * self.cand(xh)
        return h, [h, z]  # expect: wrong-state-structure


class HandsOutTheGateRepaired(HandsOutTheGate):
    def call(self, inputs, states):
        (h_prev,) = states
        xh = tf.concat([inputs, h_prev], axis=-1)
        z = self.gate(xh)
        h = z * h_prev + (1.0 - z) * self.cand(xh)
        return h, [h]


class DictLosesAKey(layers.Layer):
    """step(x, state), a dict of three."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.lstm = layers.LSTMCell(units)
        self.slow = layers.Dense(units, activation="tanh")

    def initial_state(self, batch_size):
        return {name: ops.zeros((batch_size, self.units)) for name in ("c", "h", "slow")}

    def step(self, x, state):
        y, (h, c) = self.lstm(ops.concatenate([x, state["slow"]], -1), [state["h"], state["c"]])
        slow = 0.9 * state["slow"] + 0.1 * self.slow(h)
        new_state = {"c": c, "h": h}
        return y, new_state  # expect: wrong-state-structure

    def call(self, xs):
        state, ys = self.initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class DictLosesAKeyRepaired(DictLosesAKey):
    def step(self, x, state):
        y, (h, c) = self.lstm(ops.concatenate([x, state["slow"]], -1), [state["h"], state["c"]])
        slow = 0.9 * state["slow"] + 0.1 * self.slow(h)
        new_state = {"c": c, "h": h, "slow": slow}
        return y, new_state


class StackLosesTheLower(layers.Layer):
    """Images; a list of lists, one for each layer, of which the last comes back."""

    def __init__(self, filters, kernel_size=3, depth=2, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.depth = filters, depth
        self.state_size = [-1] * depth
        self.convs = [layers.Conv2D(filters, kernel_size, padding="same", activation="tanh") for _ in range(depth)]

    def build(self, input_shape):
        self.image_size = tuple(input_shape[1:3])

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, *self.image_size, self.filters)) for _ in range(self.depth)]

    def call(self, inputs, states):
        x = inputs
        for conv, state in zip(self.convs, states):
            x = conv(ops.concatenate([x, state], axis=-1))
            new_states = [x]
        return x, new_states  # expect: wrong-state-structure


class StackLosesTheLowerRepaired(StackLosesTheLower):
    def call(self, inputs, states):
        x, new_states = inputs, []
        for conv, state in zip(self.convs, states):
            x = conv(ops.concatenate([x, state], axis=-1))
            new_states.append(x)
        return x, new_states


class ReturnsNothing(layers.Layer):
    """What was computed is not returned at all."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.cell = layers.GRUCell(units)

    def call(self, inputs, states):
        output, new_states = self.cell(inputs, states)  # expect: wrong-state-structure


class ReturnsNothingRepaired(ReturnsNothing):
    def call(self, inputs, states):
        output, new_states = self.cell(inputs, states)
        return output, new_states


# state-shape-mismatch


class StateTakesTheInputAlong(layers.Layer):
    """What is returned as state is the concatenation that went into the layer."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        joined = ops.concatenate([inputs, states[0]], axis=-1)
        h = self.dense(joined)
        state = ops.concatenate([h, inputs], axis=-1)
        return h, [state]  # expect: state-shape-mismatch error 0


class StateTakesTheInputAlongRepaired(StateTakesTheInputAlong):
    def call(self, inputs, states):
        joined = ops.concatenate([inputs, states[0]], axis=-1)
        h = self.dense(joined)
        return h, [h]


class CollapsesToOneUnit(layers.Layer):
    """A mean over the units, kept as an axis of one, broadcasts at the next step and nobody notices."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.inp = layers.Dense(units)
        self.fast = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        h, average = states
        h = self.fast(self.inp(inputs) + h - average)
        average = ops.mean(0.9 * average + 0.1 * h, axis=-1, keepdims=True)
        return h, [h, average]  # expect: state-shape-mismatch error 1


class CollapsesToOneUnitRepaired(CollapsesToOneUnit):
    def call(self, inputs, states):
        h, average = states
        h = self.fast(self.inp(inputs) + h - average)
        average = 0.9 * average + 0.1 * h
        return h, [h, average]


class ValidConvolution(layers.Layer):
    """Images: each step loses a border."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.state_size = -1
        self.conv = layers.Conv2D(filters, kernel_size, padding="valid", activation="tanh")

    def build(self, input_shape):
        self.image_size = tuple(input_shape[1:3])

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, *self.image_size, self.filters))]

    def call(self, inputs, states):
        h = self.conv(ops.concatenate([inputs, states[0]], axis=-1))
        return h, [h]  # expect: state-shape-mismatch error 0


class ValidConvolutionRepaired(ValidConvolution):
    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.conv = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")


class HistoryGrows(tf.Module):
    """A window (batch, length, units) from which the oldest entry is never taken."""

    def __init__(self, input_size, hidden_size, length=4):
        super().__init__()
        self.hidden_size, self.length = hidden_size, length
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.4))

    def initial_state(self, batch_size):
        return {"window": tf.zeros((batch_size, self.length, self.hidden_size))}

    def step(self, x, state):
        window = state["window"]
        h = tf.tanh(tf.concat([x, tf.reduce_mean(window, axis=1)], -1) @ self.w)
        window = tf.concat([window, h[:, None]], axis=1)
        return h, {"window": window}  # expect: state-shape-mismatch error 0


class HistoryGrowsRepaired(HistoryGrows):
    def step(self, x, state):
        window = state["window"]
        h = tf.tanh(tf.concat([x, tf.reduce_mean(window, axis=1)], -1) @ self.w)
        window = tf.concat([window[:, 1:], h[:, None]], axis=1)
        return h, {"window": window}


class AxisTooMany(layers.Layer):
    """The fast weights are (batch, units, units); their key keeps the axis that it got for the outer product."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [(units, units), units]
        self.key, self.value = layers.Dense(units), layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units, self.units)), tf.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        fast, h = states[0], tf.reshape(states[1], (-1, self.units))
        key = tf.nn.softmax(self.key(inputs))[:, :, None]
        h = self.value(tf.concat([inputs, h], axis=-1))[:, None]
        fast = 0.9 * fast + key * h
        read = tf.reduce_sum(fast * key, axis=1)
        return read, [fast, h]  # expect: state-shape-mismatch error 1


class AxisTooManyRepaired(AxisTooMany):
    def call(self, inputs, states):
        fast, h = states[0], tf.reshape(states[1], (-1, self.units))
        key = tf.nn.softmax(self.key(inputs))[:, :, None]
        h = self.value(tf.concat([inputs, h], axis=-1))
        fast = 0.9 * fast + key * h[:, None]
        read = tf.reduce_sum(fast * key, axis=1)
        return read, [fast, h]


class SizedOtherwise(layers.Layer):
    """The trace is as wide as the input; what is declared is a number for each. keras.layers.RNN starts it well."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 1]  # expect: state-shape-mismatch warning 1
        self.cell = layers.GRUCell(units)

    def build(self, input_shape):
        self.width = input_shape[-1]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units)), tf.zeros((batch_size, self.width))]

    def call(self, inputs, states):
        h, trace = states
        trace = 0.8 * trace + inputs
        h, _ = self.cell(trace, [h])
        return h, [h, trace]


class SizedOtherwiseRepaired(SizedOtherwise):
    def build(self, input_shape):
        super().build(input_shape)
        self.state_size = [self.units, self.width]


class SaysTwiceItsSize(layers.Layer):
    """state_size from another variant of the cell: no first state is made by it that the step takes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [2 * units]  # expect: state-shape-mismatch error 0

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), name="u")

    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.w) + ops.matmul(states[0], self.u))
        return h, [h]


class SaysTwiceItsSizeRepaired(SaysTwiceItsSize):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units]


# state-dtype-mismatch


class StaysInDouble(layers.Layer):
    """Accumulated in float64, and left there."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.proj = layers.Dense(units, activation="softplus")

    def call(self, inputs, states):
        h, total = states
        change = tf.cast(self.proj(inputs), tf.float64)
        total = tf.cast(total, tf.float64) + change  # expect: state-dtype-mismatch error 1
        h = tf.tanh(0.5 * h + tf.cast(tf.math.log1p(total), tf.float32))
        return h, [h, total]


class StaysInDoubleRepaired(StaysInDouble):
    def call(self, inputs, states):
        h, total = states
        change = tf.cast(self.proj(inputs), tf.float64)
        total = tf.cast(total, tf.float64) + change
        h = tf.tanh(0.5 * h + tf.cast(tf.math.log1p(total), tf.float32))
        return h, [h, tf.cast(total, tf.float32)]


class TimeConstantsFromNumpy(layers.Layer):
    """np.exp gives float64, and keras.ops promotes to it."""

    def __init__(self, units, dt=0.1, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.decay = np.exp(-dt / np.linspace(0.1, 2.0, units))
        self.drive = layers.Dense(units)

    def call(self, inputs, states):
        trace = states[0]
        trace = ops.add(ops.multiply(trace, self.decay), self.drive(inputs))  # expect: state-dtype-mismatch error 0
        return ops.tanh(trace), [trace]


class TimeConstantsFromNumpyRepaired(TimeConstantsFromNumpy):
    def __init__(self, units, dt=0.1, **kwargs):
        super().__init__(units, dt=dt, **kwargs)
        self.decay = self.decay.astype("float32")


class CountsInFloats(layers.Layer):
    """An int counter, halved."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 1]
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1), dtype="int32")]

    def call(self, inputs, states):
        h, age = states
        out, (h,) = self.cell(inputs, [h])
        quiet = ops.max(ops.abs(h), axis=-1, keepdims=True) < 0.05
        age = ops.where(quiet, age + 1, ops.divide(age, 2))  # expect: state-dtype-mismatch error 1
        return out / (1.0 + ops.cast(age, "float32")), [h, age]


class CountsInFloatsRepaired(CountsInFloats):
    def call(self, inputs, states):
        h, age = states
        out, (h,) = self.cell(inputs, [h])
        quiet = ops.max(ops.abs(h), axis=-1, keepdims=True) < 0.05
        age = ops.where(quiet, age + 1, ops.floor_divide(age, 2))
        return out / (1.0 + ops.cast(age, "float32")), [h, age]


class ArgmaxIsLong(tf.Module):
    """The last token is fed back: int32 at first, int64 after an argmax."""

    def __init__(self, input_size, hidden_size, vocabulary=6):
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = tf.Variable(tf.random.normal((vocabulary, hidden_size)))
        self.w = tf.Variable(tf.random.normal((input_size + 2 * hidden_size, hidden_size), stddev=0.4))
        self.logits = tf.Variable(tf.random.normal((hidden_size, vocabulary)))

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.hidden_size)), tf.zeros((batch_size,), tf.int32)

    def step(self, x, state):
        h, token = state
        h = tf.tanh(tf.concat([x, tf.gather(self.embedding, token), h], axis=-1) @ self.w)
        logits = h @ self.logits
        return logits, (h, tf.argmax(logits, axis=-1))  # expect: state-dtype-mismatch error 1


class ArgmaxIsLongRepaired(ArgmaxIsLong):
    def step(self, x, state):
        h, token = state
        h = tf.tanh(tf.concat([x, tf.gather(self.embedding, token), h], axis=-1) @ self.w)
        logits = h @ self.logits
        return logits, (h, tf.argmax(logits, axis=-1, output_type=tf.int32))


class FiredAsFloat(layers.Layer):
    """A bool for each unit, which comes back as ones and zeros; a dict."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = {"fired": units, "v": units}
        self.synapse = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, self.units)
        return {"fired": ops.zeros(shape, dtype="bool"), "v": ops.zeros(shape)}

    def call(self, inputs, state):
        v = ops.where(state["fired"], 0.0, 0.8 * state["v"]) + self.synapse(inputs)
        fired = ops.cast(v > 0.3, "float32")  # expect: state-dtype-mismatch error 0
        return ops.sigmoid(v), {"fired": fired, "v": v}


class FiredAsFloatRepaired(FiredAsFloat):
    def call(self, inputs, state):
        v = ops.where(state["fired"], 0.0, 0.8 * state["v"]) + self.synapse(inputs)
        fired = v > 0.3
        return ops.sigmoid(v), {"fired": fired, "v": v}


# nonfinite-state


class LogOfZero(layers.Layer):
    """The logarithm of a state that starts at zero."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gate = layers.Dense(units)
        self.value = layers.Dense(units)

    def call(self, inputs, states):
        gate, value = self.gate(inputs), ops.softplus(self.value(inputs))
        log_old = ops.log(states[0])  # expect: nonfinite-state error 0
        h = ops.sigmoid(gate) * log_old + ops.sigmoid(-gate) * ops.log(value)
        h = ops.exp(h - ops.max(h, axis=-1, keepdims=True))
        return h, [h]


class LogOfZeroRepaired(LogOfZero):
    def call(self, inputs, states):
        gate, value = self.gate(inputs), ops.softplus(self.value(inputs))
        log_old = ops.log(states[0] + 1e-3)
        h = ops.sigmoid(gate) * log_old + ops.sigmoid(-gate) * ops.log(value)
        h = ops.exp(h - ops.max(h, axis=-1, keepdims=True))
        return h, [h]


class DividesByItsNorm(layers.Layer):
    """On the sphere, from the origin."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = layers.Dense(units)

    def call(self, inputs, states):
        h = states[0]
        direction = h / tf.norm(h, axis=-1, keepdims=True)  # expect: nonfinite-state error 0
        h = tf.tanh(self.w(inputs) + direction)
        return h, [h]


class DividesByItsNormRepaired(DividesByItsNorm):
    def call(self, inputs, states):
        h = states[0]
        direction = tf.math.l2_normalize(h, axis=-1)
        h = tf.tanh(self.w(inputs) + direction)
        return h, [h]


class RootOfAnEstimate(tf.Module):
    """The variance as E[x²] - E[x]², from which a root is taken: now and then it lies below zero."""

    def __init__(self, input_size, hidden_size, rate=0.1):
        super().__init__()
        self.hidden_size, self.rate = hidden_size, rate
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))

    def initial_state(self, batch_size):
        zeros = tf.zeros((batch_size, self.hidden_size))
        return {"mean": zeros, "square": zeros, "z": zeros}

    def __call__(self, x, state):
        a = tf.tanh(x @ self.w)
        mean = (1.0 - self.rate) * state["mean"] + 2.0 * self.rate * a
        square = (1.0 - self.rate) * state["square"] + self.rate * tf.square(a)
        std = tf.sqrt(square - tf.square(mean))  # expect: nonfinite-state error 2
        z = 0.5 * state["z"] + (a - mean) / (std + 1e-3)
        return z, {"mean": mean, "square": square, "z": z}


class RootOfAnEstimateRepaired(RootOfAnEstimate):
    def __call__(self, x, state):
        a = tf.tanh(x @ self.w)
        mean = (1.0 - self.rate) * state["mean"] + 2.0 * self.rate * a
        square = (1.0 - self.rate) * state["square"] + self.rate * tf.square(a)
        std = tf.sqrt(tf.nn.relu(square - tf.square(mean)))
        z = 0.5 * state["z"] + (a - mean) / (std + 1e-3)
        return z, {"mean": mean, "square": square, "z": z}


class AttendsToAnEmptyMemory(layers.Layer):
    """All entries are masked at the first step: a softmax of nothing but minus infinity."""

    def __init__(self, units, slots=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = [units, (slots, units), slots]
        self.query = layers.Dense(units)
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [
            ops.zeros((batch_size, self.units)),
            ops.zeros((batch_size, self.slots, self.units)),
            ops.zeros((batch_size, self.slots)),
        ]

    def read(self, h, memory, valid):
        scores = ops.einsum("bu,bsu->bs", self.query(h), memory) + ops.log(valid)  # expect: nonfinite-state
        return ops.einsum("bs,bsu->bu", ops.softmax(scores, axis=-1), memory)

    def call(self, inputs, states):
        h, memory, valid = states
        context = self.read(h, memory, valid)
        y, (h,) = self.cell(ops.concatenate([inputs, context], axis=-1), [h])
        memory = ops.concatenate([memory[:, 1:], h[:, None]], axis=1)
        valid = ops.concatenate([valid[:, 1:], ops.ones_like(valid[:, :1])], axis=1)
        return y, [h, memory, valid]


class AttendsToAnEmptyMemoryRepaired(AttendsToAnEmptyMemory):
    def read(self, h, memory, valid):
        scores = ops.einsum("bu,bsu->bs", self.query(h), memory) - 1e4 * (1.0 - valid)
        return ops.einsum("bs,bsu->bu", ops.softmax(scores, axis=-1), memory)


class ExponentialGateUnbounded(layers.Layer):
    """An exponential gate on an exponential: it overflows at once."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        self.gates = layers.Dense(3 * units, kernel_initializer="he_normal")

    def call(self, inputs, states):
        h, c = states
        i, f, g = ops.split(20.0 * self.gates(ops.concatenate([inputs, h], axis=-1)), 3, axis=-1)
        i = ops.exp(ops.exp(i))  # expect: nonfinite-state error 1
        c = ops.sigmoid(f) * c + i * ops.tanh(g)
        h = ops.tanh(c)
        return h, (h, c)


class ExponentialGateUnboundedRepaired(ExponentialGateUnbounded):
    def call(self, inputs, states):
        h, c = states
        i, f, g = ops.split(20.0 * self.gates(ops.concatenate([inputs, h], axis=-1)), 3, axis=-1)
        i = ops.exp(ops.minimum(i, 0.0))
        c = ops.sigmoid(f) * c + i * ops.tanh(g)
        h = ops.tanh(c)
        return h, (h, c)


# exploding-state


class ResidualLinear(layers.Layer):
    """A residual connection around a cell of Keras that is linear."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = layers.SimpleRNNCell(units, activation=None)

    def call(self, inputs, states):
        h = states[0]
        update, _ = self.cell(inputs, [h])
        h = h + update  # expect: exploding-state warning
        return h, [h]


class ResidualLinearRepaired(ResidualLinear):
    def call(self, inputs, states):
        h = states[0]
        update, _ = self.cell(inputs, [h])
        h = 0.5 * (h + update)
        return h, [h]


class GrowingLeak(tf.Module):
    """(v, x): the leak has the wrong sign."""

    def __init__(self, input_size, hidden_size, tau=2.0):
        super().__init__()
        self.tau = tau
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))

    def __call__(self, v, x):
        dv = (v + x @ self.w) / self.tau
        v = v + dv  # expect: exploding-state warning 0
        return v

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.w.shape[1]))


class GrowingLeakRepaired(GrowingLeak):
    def __call__(self, v, x):
        dv = (-v + x @ self.w) / self.tau
        v = v + dv
        return v


class CarryAddedTwice(layers.Layer):
    """A residual connection around what the forget gate already keeps."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.f, self.i, self.o = (layers.Dense(units, activation="sigmoid") for _ in "fio")
        self.g = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h, c = states
        xh = ops.concatenate([inputs, h], axis=-1)
        c = c + self.f(xh) * c + self.i(xh) * self.g(xh)  # expect: exploding-state warning 1
        h = self.o(xh) * ops.tanh(c)
        return h, [h, c]


class CarryAddedTwiceRepaired(CarryAddedTwice):
    def call(self, inputs, states):
        h, c = states
        xh = ops.concatenate([inputs, h], axis=-1)
        c = self.f(xh) * c + self.i(xh) * self.g(xh)
        h = self.o(xh) * ops.tanh(c)
        return h, [h, c]


class ExplicitEuler(layers.Layer):
    """Coupled oscillators by the explicit Euler method: both slots spiral outwards."""

    def __init__(self, units, dt=0.6, **kwargs):
        super().__init__(**kwargs)
        self.dt = dt
        self.state_size = [units, units]
        self.drive = layers.Dense(units)

    def call(self, inputs, states):
        y, z = states
        y_new = y + self.dt * z  # expect: exploding-state warning
        z_new = z + self.dt * (self.drive(inputs) - y)
        return y_new, [y_new, z_new]


class ExplicitEulerRepaired(ExplicitEuler):
    def call(self, inputs, states):
        y, z = states
        z_new = z + self.dt * (self.drive(inputs) - y)
        y_new = y + self.dt * z_new
        return y_new, [y_new, z_new]


class LinearConvolution(layers.Layer):
    """Images: a linear recurrence of too much gain."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters, kernel_size, padding="same", kernel_initializer="he_normal")
        self.mix = layers.Conv2D(filters, 1, kernel_initializer=keras.initializers.Orthogonal(gain=1.3))

    def call(self, x, h=None):
        if h is None:
            h = tf.zeros((*x.shape[:-1], self.filters))
        h = self.conv(x) + self.mix(h)  # expect: exploding-state warning 0
        return h, h


class LinearConvolutionRepaired(LinearConvolution):
    def call(self, x, h=None):
        if h is None:
            h = tf.zeros((*x.shape[:-1], self.filters))
        h = tf.tanh(self.conv(x) + self.mix(h))
        return h, h


# vanishing-gradient


class StepInPlaceOfSum(layers.Layer):
    """An Euler step to which the old state is not added."""

    def __init__(self, units, dt=1e-4, **kwargs):
        super().__init__(**kwargs)
        self.dt = dt
        self.state_size = units
        self.f = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h = states[0]
        h = self.dt * self.f(ops.concatenate([inputs, h], axis=-1))  # expect: vanishing-gradient warning
        return h, [h]


class StepInPlaceOfSumRepaired(StepInPlaceOfSum):
    def call(self, inputs, states):
        h = states[0]
        h = h + self.dt * self.f(ops.concatenate([inputs, h], axis=-1))
        return h, [h]


class TinyRecurrentKernel(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        tiny = keras.initializers.RandomNormal(stddev=1e-5)
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_normal", name="w")
        self.u = self.add_weight(shape=(self.units, self.units), initializer=tiny, name="u")

    def call(self, inputs, states):
        out = tf.tanh(tf.matmul(inputs, self.w) + tf.matmul(states[0], self.u))  # expect: vanishing-gradient warning
        return out, [out]


class TinyRecurrentKernelRepaired(TinyRecurrentKernel):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_normal", name="w")
        self.u = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="u")


class SigmoidsInARow(tf.Module):
    """Six inner iterations a step, each through a sigmoid."""

    def __init__(self, input_size, hidden_size, unfolds=6):
        super().__init__()
        self.unfolds = unfolds
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.3))
        self.u = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.2))

    def __call__(self, x, h):
        for _ in range(self.unfolds):
            h = tf.sigmoid(x @ self.w + h @ self.u)  # expect: vanishing-gradient warning
        return h


class SigmoidsInARowRepaired(SigmoidsInARow):
    def __call__(self, x, h):
        for _ in range(self.unfolds):
            h = h + (tf.sigmoid(x @ self.w + h @ self.u) - h) / self.unfolds
        return h


class ForgetBiasOfTheWrongSign(layers.Layer):
    """A minimal gated cell that starts with its gate as good as shut."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.keep = layers.Dense(units, activation="sigmoid", bias_initializer=keras.initializers.Constant(-11.0))
        self.candidate = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        (h,) = states
        keep = self.keep(inputs)
        h = keep * h + (1.0 - keep) * self.candidate(inputs)  # expect: vanishing-gradient warning
        return h, [h]


class ForgetBiasOfTheWrongSignRepaired(ForgetBiasOfTheWrongSign):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.keep = layers.Dense(units, activation="sigmoid", bias_initializer=keras.initializers.Constant(1.0))


class ScaledTwice(layers.Layer):
    """Images: frames are brought from 0..255 to 0..1, and the state twice, though it never was anything else."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.conv = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, frame, hidden=None):
        if hidden is None:
            hidden = ops.zeros((*frame.shape[:-1], self.filters))
        hidden = hidden / 255.0
        joint = ops.concatenate([frame, hidden], axis=-1) / 255.0
        hidden = self.conv(joint)  # expect: vanishing-gradient warning
        return hidden, hidden


class ScaledTwiceRepaired(ScaledTwice):
    def call(self, frame, hidden=None):
        if hidden is None:
            hidden = ops.zeros((*frame.shape[:-1], self.filters))
        joint = ops.concatenate([frame / 255.0, hidden], axis=-1)
        hidden = self.conv(joint)
        return hidden, hidden


# unused-weight


class BiasLeftOut(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.output_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs, states):  # expect: unused-weight warning
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]


class BiasLeftOutRepaired(BiasLeftOut):
    def call(self, inputs, states):
        h = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent_kernel) + self.bias)
        return h, [h]


class ResetGateToNoEffect(layers.Layer):
    """A GRU whose reset gate is computed and forgotten."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.z, self.r = layers.Dense(units, activation="sigmoid"), layers.Dense(units, activation="sigmoid")
        self.n = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        (h,) = states
        xh = tf.concat([inputs, h], axis=-1)
        z = self.z(xh)
        r = self.r(xh)  # expect: unused-weight warning
        n = self.n(tf.concat([inputs, h], axis=-1))
        h = z * h + (1.0 - z) * n
        return h, [h]


class ResetGateToNoEffectRepaired(ResetGateToNoEffect):
    def call(self, inputs, states):
        (h,) = states
        xh = tf.concat([inputs, h], axis=-1)
        z = self.z(xh)
        r = self.r(xh)
        n = self.n(tf.concat([inputs, r * h], axis=-1))
        h = z * h + (1.0 - z) * n
        return h, [h]


class NormNotUsed(layers.Layer):
    """What the normalisation gives is bound to another name than what goes on."""

    def __init__(self, hidden_size, **kwargs):
        super().__init__(**kwargs)
        self.lstm = layers.LSTMCell(hidden_size)
        self.layer_norm = layers.LayerNormalization()
        self.head = layers.Dense(2)

    def call(self, x, h, c):
        out, (h, c) = self.lstm(x, [h, c])
        normed = self.layer_norm(out)  # expect: unused-weight warning
        return self.head(out), h, c


class NormNotUsedRepaired(NormNotUsed):
    def call(self, x, h, c):
        out, (h, c) = self.lstm(x, [h, c])
        normed = self.layer_norm(out)
        return self.head(normed), h, c


class ThirdLayerIdle(tf.Module):
    """Three layers of weights in lists, and a dict of states; the loop runs over two."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        sizes = (input_size, hidden_size, hidden_size)
        self.w = [tf.Variable(tf.random.normal((size + hidden_size, hidden_size), stddev=0.4)) for size in sizes]

    def initial_state(self, batch_size):
        return {f"layer{k}": tf.zeros((batch_size, self.hidden_size)) for k in range(2)}

    def __call__(self, x, state):
        new = {}
        for k in range(2):
            x = tf.tanh(tf.concat([x, state[f"layer{k}"]], axis=-1) @ self.w[k])  # expect: unused-weight warning
            new[f"layer{k}"] = x
        return x, new


class ThirdLayerIdleRepaired(ThirdLayerIdle):
    def initial_state(self, batch_size):
        return {f"layer{k}": tf.zeros((batch_size, self.hidden_size)) for k in range(3)}

    def __call__(self, x, state):
        new = {}
        for k in range(3):
            x = tf.tanh(tf.concat([x, state[f"layer{k}"]], axis=-1) @ self.w[k])
            new[f"layer{k}"] = x
        return x, new


class ConvOverwritten(layers.Layer):
    """Images; an attention map is computed, and the name is used for something else."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.attention = layers.Conv2D(1, 1, activation="sigmoid")
        self.update = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, frame, h=None):
        if h is None:
            h = tf.zeros((*frame.shape[:-1], self.filters))
        both = tf.concat([frame, h], axis=-1)
        gate = self.attention(both)  # expect: unused-weight warning
        gate = tf.sigmoid(tf.reduce_mean(both, axis=-1, keepdims=True))
        h = gate * h + (1.0 - gate) * self.update(both)
        return h, h


class ConvOverwrittenRepaired(ConvOverwritten):
    def call(self, frame, h=None):
        if h is None:
            h = tf.zeros((*frame.shape[:-1], self.filters))
        both = tf.concat([frame, h], axis=-1)
        gate = self.attention(both)
        h = gate * h + (1.0 - gate) * self.update(both)
        return h, h


# graph-mismatch


class PythonIfOnAWeight(layers.Layer):
    """A Python branch on the value of a tensor: keras.layers.RNN runs it in a graph."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.inner = layers.SimpleRNNCell(units)

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(), initializer="ones", trainable=False, name="gain")
        self.inner.build(input_shape)

    def call(self, inputs, states):
        gain = ops.convert_to_tensor(self.gain)
        if gain > 0.5:  # expect: graph-mismatch
            inputs = gain * inputs
        return self.inner(inputs, states)


class PythonIfOnAWeightRepaired(PythonIfOnAWeight):
    def call(self, inputs, states):
        gain = ops.convert_to_tensor(self.gain)
        inputs = ops.where(gain > 0.5, gain * inputs, inputs)
        return self.inner(inputs, states)


class RaisesOnNaN(layers.Layer):
    """A check from a debugging session, left in."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.lstm = layers.LSTMCell(units)

    def call(self, inputs, states):
        h, c = states
        y, (h, c) = self.lstm(inputs, [h, c])
        if tf.reduce_any(tf.math.is_nan(c)):  # expect: graph-mismatch
            raise ValueError("NaN in the cell state")
        return y, [h, c]


class RaisesOnNaNRepaired(RaisesOnNaN):
    def call(self, inputs, states):
        h, c = states
        y, (h, c) = self.lstm(inputs, [h, c])
        c = tf.debugging.check_numerics(c, "the cell state")
        return y, [h, c]


class NumpyInTheStep(layers.Layer):
    """NumPy takes the values of its input, and a graph has none."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.dense = layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.dense.build((None, input_shape[-1] + self.units))

    def call(self, inputs, states):
        clipped = np.clip(inputs, -2.0, 2.0)  # expect: graph-mismatch
        h = self.dense(tf.concat([clipped, states[0]], axis=-1))
        return h, [h]


class NumpyInTheStepRepaired(NumpyInTheStep):
    def call(self, inputs, states):
        clipped = tf.clip_by_value(inputs, -2.0, 2.0)
        h = self.dense(tf.concat([clipped, states[0]], axis=-1))
        return h, [h]


class CountsOnSelf(layers.Layer):
    """The step is counted in Python, from zero for each sequence; a graph counts once, while it is traced."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.cell = layers.GRUCell(units)
        self.step_number = 0

    def build(self, input_shape):
        self.cell.build(input_shape)

    def get_initial_state(self, batch_size=None):
        self.step_number = 0
        return [ops.zeros((batch_size, self.units))]

    def call(self, inputs, states):  # expect: graph-mismatch
        self.step_number += 1
        h, _ = self.cell(inputs / self.step_number, states)
        return h, [h]


class CountsOnSelfRepaired(CountsOnSelf):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, 1]

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1))]

    def call(self, inputs, states):
        h, step_number = states
        step_number = step_number + 1.0
        h, _ = self.cell(inputs / step_number, [h])
        return h, [h, step_number]


class KeepsAPythonList(layers.Layer):
    """All earlier states in a list, which a graph fills once."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.mix = layers.Dense(units, activation="tanh")
        self._states = []

    def build(self, input_shape):
        self.mix.build((None, input_shape[-1] + self.units))

    def get_initial_state(self, batch_size=None):
        self._states = []
        return [tf.zeros((batch_size, self.units))]

    def call(self, inputs, states):  # expect: graph-mismatch
        self._states.append(states[0])
        mean = tf.add_n(list(self._states)) / len(self._states)
        h = self.mix(tf.concat([inputs, mean], axis=-1))
        return h, [h]


class KeepsAPythonListRepaired(KeepsAPythonList):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = [units, units, 1]

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units)), tf.zeros((batch_size, self.units)), tf.zeros((batch_size, 1))]

    def call(self, inputs, states):
        last, total, n = states
        total, n = total + last, n + 1.0
        h = self.mix(tf.concat([inputs, total / n], axis=-1))
        return h, [h, total, n]


class InitialStateNeedsInputs(layers.Layer):
    """get_initial_state as in the first Keras: keras.layers.RNN of today gives it a batch size and no inputs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.cell = layers.SimpleRNNCell(units)

    def get_initial_state(self, inputs, batch_size, dtype):  # expect: graph-mismatch warning
        return [tf.zeros((batch_size, self.units), dtype)]

    def call(self, inputs, states):
        return self.cell(inputs, states)


class InitialStateNeedsInputsRepaired(InitialStateNeedsInputs):
    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return [tf.zeros((batch_size, self.units), dtype or "float32")]


class InitialStateAsksTheInputs(InitialStateNeedsInputs):
    """As above, with the inputs left out: what is asked of their dtype ends in another exception."""

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        rows = batch_size or tf.shape(inputs)[0]
        return [tf.zeros((rows, self.units), inputs.dtype)]  # expect: graph-mismatch warning


class InitialStateAsksTheInputsRepaired(InitialStateAsksTheInputs):
    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        return [tf.zeros((batch_size, self.units), self.compute_dtype)]


class StateComesFirst(layers.Layer):
    """(states, inputs): keras.layers.RNN gives them the other way round."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.w, self.u = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, states, inputs):
        h = ops.tanh(self.w(inputs) + self.u(states[0]))  # expect: graph-mismatch
        return h, [h]


class StateComesFirstRepaired(StateComesFirst):
    def call(self, inputs, states):
        h = ops.tanh(self.w(inputs) + self.u(states[0]))
        return h, [h]


class PondersInPython(layers.Layer):
    """As many inner steps as the slowest row needs, counted in Python."""

    def __init__(self, units, limit=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.limit = units, limit
        self.state_size = units
        self.cell = layers.GRUCell(units)
        self.halt = layers.Dense(1, activation="sigmoid")

    def call(self, inputs, states):
        h, n = states[0], 0
        running = tf.ones_like(h[:, :1])
        while n < self.limit and tf.reduce_max(running) > 0.1:  # expect: graph-mismatch
            new, _ = self.cell(inputs, [h])
            h = tf.where(running > 0.1, running * new + (1.0 - running) * h, h)
            running, n = running * (1.0 - self.halt(h)), n + 1
        return h, [h]


class PondersInPythonRepaired(PondersInPython):
    def call(self, inputs, states):
        h, n = states[0], 0
        running = tf.ones_like(h[:, :1])
        while n < self.limit:
            new, _ = self.cell(inputs, [h])
            h = tf.where(running > 0.1, running * new + (1.0 - running) * h, h)
            running, n = running * (1.0 - self.halt(h)), n + 1
        return h, [h]


# random-state


class DropsInEveryMode(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.drive = layers.Dense(units)
        self.recurrent = layers.Dense(units)

    def call(self, inputs, states):
        kept = tf.nn.dropout(states[0], 0.3)  # expect: random-state note
        new = ops.tanh(self.drive(inputs) + self.recurrent(kept))
        return new, [new]


class DropsInEveryModeRepaired(DropsInEveryMode):
    def call(self, inputs, states, training=False):
        kept = tf.nn.dropout(states[0], 0.3) if training else states[0]
        new = ops.tanh(self.drive(inputs) + self.recurrent(kept))
        return new, [new]


class TellsItsDropoutToTrain(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units)
        self.dropout = layers.Dropout(0.4)

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h], axis=1)), 4, axis=1)
        g = self.dropout(g, training=True)  # expect: random-state note
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class TellsItsDropoutToTrainRepaired(TellsItsDropoutToTrain):
    def call(self, inputs, states, training=None):
        h, c = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h], axis=1)), 4, axis=1)
        g = self.dropout(g, training=training)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class AddsNoise(layers.GRUCell):
    """By a helper and from a generator of its own."""

    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.generator = keras.random.SeedGenerator(4)

    def _noisy(self, value):
        return value + 0.1 * keras.random.normal(ops.shape(value), seed=self.generator)  # expect: random-state note

    def call(self, inputs, states, training=False):
        _, (new,) = super().call(inputs, states, training=training)
        new = self._noisy(new)
        return new, [new]


class AddsNoiseRepaired(AddsNoise):
    def _noisy(self, value):
        return value


class SamplesItsState(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.moments = layers.Dense(2 * units)

    def call(self, inputs, states):
        mean, spread = tf.split(self.moments(tf.concat([inputs, states[0]], 1)), 2, axis=1)
        return mean, [tf.tanh(mean + tf.exp(spread) * tf.random.normal(tf.shape(mean)))]  # expect: random-state note


class SamplesItsStateRepaired(SamplesItsState):
    def call(self, inputs, states):
        mean, spread = tf.split(self.moments(tf.concat([inputs, states[0]], 1)), 2, axis=1)
        return mean, [tf.tanh(mean + tf.exp(spread))]


# Healthy, though each looks like one of these defects; the docstring names which


class TapDelayLine(layers.Layer):
    """Old values that come back, one place further on: a shift register in one tensor."""

    def __init__(self, units, taps=6, **kwargs):
        super().__init__(**kwargs)
        self.units, self.taps = units, taps
        self.state_size = (taps, units)
        self.embed, self.fir = layers.Dense(units), layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.taps, self.units))]

    def call(self, inputs, states):
        taps = ops.concatenate([states[0][:, 1:], self.embed(inputs)[:, None]], axis=1)
        return self.fir(ops.reshape(taps, (-1, self.taps * self.units))), [taps]


class PingPongBuffers(layers.Layer):
    """Slots in another order than they came: the newer of two buffers becomes the older."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.mix = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h1, h2 = states
        new = self.mix(ops.concatenate([inputs, h1, h2], axis=-1))
        return new, [h2, new]


class VerletOscillator(layers.Layer):
    """Linear in a slot, which comes back in another place: positions now and a step ago."""

    def __init__(self, units, dt=0.2, **kwargs):
        super().__init__(**kwargs)
        self.dt = dt
        self.state_size = [units, units]
        self.force = layers.Dense(units)

    def call(self, inputs, states):
        x, x_before = states
        force = self.force(inputs) - x - 0.5 * (x - x_before) / self.dt
        x_next = 2.0 * x - x_before + self.dt**2 * force
        return x_next, [x_next, x]


_StateTuple = namedtuple("_StateTuple", "c h")


class CarryBeforeHidden(layers.Layer):
    """(c, h) on the outside and (h, c) on the inside, in both directions, as in TensorFlow 1."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = _StateTuple(units, units)
        self.cell = layers.LSTMCell(units)

    def call(self, inputs, states):
        c, h = states
        y, (h, c) = self.cell(inputs, [h, c])
        return y, _StateTuple(c, h)


class TemporalLinks(layers.Layer):
    """Units that are always zero: the diagonal of a link matrix (Graves et al., 2016)."""

    def __init__(self, units, slots=5, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = [units, (slots, slots), slots]
        self.controller = layers.Dense(units, activation="tanh")
        self.write = layers.Dense(slots, activation="softmax")

    def get_initial_state(self, batch_size=None):
        shapes = (self.units,), (self.slots, self.slots), (self.slots,)
        return [ops.zeros((batch_size, *shape)) for shape in shapes]

    def call(self, inputs, states):
        h, link, precedence = states
        forward = ops.einsum("bij,bj->bi", link, precedence)
        h = self.controller(ops.concatenate([inputs, h, forward], axis=-1))
        w = self.write(h)
        link = (1.0 - w[:, :, None] - w[:, None, :]) * link + w[:, :, None] * precedence[:, None, :]
        link = link * (1.0 - ops.eye(self.slots))
        precedence = (1.0 - ops.sum(w, axis=-1, keepdims=True)) * precedence + w
        return h, [h, link, precedence]


class ClockworkGroups(layers.Layer):
    """Units that rest for many steps: each group moves with its own period (Koutník et al., 2014)."""

    def __init__(self, units, groups=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 1]
        self.periods = np.repeat([2**k for k in range(groups)], units // groups).astype("int32")
        self.x, self.h = layers.Dense(units), layers.Dense(units, use_bias=False)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1), dtype="int32")]

    def call(self, inputs, states):
        h, t = states
        active = ops.equal(ops.mod(t, self.periods), 0)
        h = ops.where(active, ops.tanh(self.x(inputs) + self.h(h)), h)
        return h, [h, t + 1]


class PhasedLSTM(layers.Layer):
    """Units that rest while their gate of time is shut (Neil et al., 2016)."""

    def __init__(self, units, leak=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.leak = units, leak
        self.state_size = [units, units, 1]
        self.cell = layers.LSTMCell(units)

    def build(self, input_shape):
        self.tau = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomUniform(2.0, 9.0))
        self.shift = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomUniform(0.0, 9.0))
        self.cell.build(input_shape)

    def get_initial_state(self, batch_size=None):
        zeros = tf.zeros((batch_size, self.units))
        return [zeros, tf.identity(zeros), tf.zeros((batch_size, 1))]

    def call(self, inputs, states):
        h, c, t = states
        phase = tf.math.floormod(t - self.shift, self.tau) / self.tau
        gate = tf.where(phase < 0.1, 20.0 * phase, tf.where(phase < 0.2, 4.0 - 20.0 * phase, self.leak * phase))
        _, (h_new, c_new) = self.cell(inputs, [h, c])
        h, c = gate * h_new + (1.0 - gate) * h, gate * c_new + (1.0 - gate) * c
        return h, [h, c, t + 1.0]


class SparseReservoir(layers.Layer):
    """A mask on the recurrent weights: some of them have no effect."""

    def __init__(self, units, sparsity=0.5, leak=0.3, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.sparsity, self.leak = sparsity, leak

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="recurrent")
        self.mask = np.random.default_rng(7).random((self.units, self.units)) > self.sparsity

    def call(self, inputs, states):
        weights = self.recurrent * self.mask.astype("float32")
        drive = tf.matmul(inputs, self.kernel) + tf.matmul(states[0], weights)
        h = (1.0 - self.leak) * states[0] + self.leak * tf.tanh(drive)
        return h, [h]


class StartsFromItsWeight(layers.Layer):
    """A weight without an effect on a step: the learned initial state, where none is passed."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)

    def build(self, *shapes, **named):
        self.start = self.add_weight(shape=(1, self.units), initializer="random_normal", name="start")

    def call(self, x, h=None):
        if h is None:
            h = ops.repeat(ops.convert_to_tensor(self.start), ops.shape(x)[0], axis=0)
        h, _ = self.cell(x, [h])
        return h


class AuxiliaryHead(layers.Layer):
    """Weights used only in training."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = layers.GRUCell(units)
        self.reconstruct = layers.Dense(5)

    def build(self, input_shape):
        self.cell.build(input_shape)
        self.reconstruct.build((None, self.state_size))

    def call(self, inputs, states, training=False):
        h, states = self.cell(inputs, states)
        if training:
            self.add_loss(ops.mean(ops.square(self.reconstruct(h) - inputs)))
        return h, states


class DecodesElsewhere(layers.Layer):
    """Weights used only by another method."""

    def __init__(self, units, vocabulary=7, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.cell = layers.LSTMCell(units)
        self.logits = layers.Dense(vocabulary)

    def build(self, input_shape):
        self.cell.build(input_shape)
        self.logits.build((None, self.units))

    def decode(self, h):
        return ops.softmax(self.logits(h))

    def call(self, inputs, states):
        return self.cell(inputs, states)


class PeepholesIfAskedFor(layers.Layer):
    """Weights used only in a branch that is not taken as it is configured."""

    def __init__(self, units, use_peepholes=False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.use_peepholes = units, use_peepholes
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units)

    def build(self, input_shape):
        self.gates.build((None, input_shape[-1] + self.units))
        self.peep = self.add_weight(shape=(2, self.units), initializer="random_normal", name="peep")

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h], -1)), 4, axis=-1)
        if self.use_peepholes:
            i, f = i + self.peep[0] * c, f + self.peep[1] * c
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class ScoreWithABias(layers.Layer):
    """A weight without an effect: a softmax does not see the bias of its score (Bahdanau et al., 2015)."""

    def __init__(self, units, slots=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = [units, (slots, units)]
        self.W1, self.W2, self.V = layers.Dense(units), layers.Dense(units), layers.Dense(1)
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units)), tf.zeros((batch_size, self.slots, self.units))]

    def call(self, inputs, states):
        h, memory = states
        score = self.V(tf.nn.tanh(self.W1(memory) + self.W2(h)[:, None]))
        context = tf.reduce_sum(tf.nn.softmax(score, axis=1) * memory, axis=1)
        h, _ = self.cell(tf.concat([inputs, context], axis=-1), [h])
        return h, [h, tf.concat([memory[:, 1:], h[:, None]], axis=1)]


class InputFromZero(layers.Layer):
    """No input at first: the weights of the input start at zero."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units, kernel_initializer="zeros")
        self.rec = layers.Dense(units, kernel_initializer="orthogonal", bias_initializer="random_normal")

    def call(self, inputs, states):
        h = ops.tanh(self.inp(inputs) + self.rec(states[0]))
        return h, [h]


class WakesOnEvents(layers.Layer):
    """No input as a rule: the drive lies under a threshold but for strong inputs."""

    def __init__(self, units, threshold=2.0, **kwargs):
        super().__init__(**kwargs)
        self.threshold = threshold
        self.state_size = units
        self.inp = layers.Dense(units)
        self.rec = layers.Dense(units, activation="tanh", bias_initializer="random_normal")

    def call(self, inputs, states):
        drive = self.inp(inputs)
        drive = drive - ops.clip(drive, -self.threshold, self.threshold)
        h = 0.8 * self.rec(states[0]) + ops.tanh(drive)
        return h, [h]


class Integrator(layers.Layer):
    """A state that grows for good: the sum of all inputs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.velocity = layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        position = states[0] + 0.1 * self.velocity(inputs)
        return position, [position]


class DoubleIntegrator(layers.Layer):
    """A state that grows for good, as the square of time: position and velocity under a constant thrust."""

    def __init__(self, units, dt=0.5, **kwargs):
        super().__init__(**kwargs)
        self.dt = dt
        self.state_size = [units, units]
        self.thrust = layers.Dense(units, bias_initializer="ones")

    def call(self, inputs, states):
        position, velocity = states
        velocity = velocity + self.dt * self.thrust(inputs)
        position = position + self.dt * velocity
        return position, [position, velocity]


class ClippedGain(layers.Layer):
    """A gain of two a step, which runs into a stop."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units)

    def call(self, inputs, states):
        h = tf.clip_by_value(2.0 * states[0] + self.inp(inputs), -50.0, 50.0)
        return h, [h]


class SaturatedTanh(layers.Layer):
    """Units at plus or minus one: large recurrent weights in a tanh."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units)
        self.rec = layers.Dense(units, use_bias=False, kernel_initializer=keras.initializers.RandomNormal(stddev=1.5))

    def call(self, inputs, states):
        h = ops.tanh(self.inp(inputs) + self.rec(states[0]))
        return h, [h]


class OrthogonalLinear(layers.Layer):
    """A linear recurrence without any loss: its gradient neither grows nor fades."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.q = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="q")

    def call(self, inputs, states):
        h = ops.matmul(states[0], self.q) + ops.matmul(inputs, self.w)
        return h, [h]


class FastLeak(layers.Layer):
    """A short memory: a twentieth of the state is left after a step."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units, activation="relu")

    def call(self, inputs, states):
        h = 0.05 * states[0] + 0.95 * self.inp(inputs)
        return h, [h]


class SlowTrace(tf.Module):
    """A state that hardly moves: (trace, x), with a leak of a thousandth."""

    def __init__(self, input_size, hidden_size, rate=1e-3):
        super().__init__()
        self.rate = rate
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.w.shape[1]))

    def __call__(self, trace, x):
        return (1.0 - self.rate) * trace + self.rate * tf.tanh(x @ self.w)


class CoupledOscillators(layers.Layer):
    """Two slots that drive each other (Rusch and Mishra, 2021)."""

    def __init__(self, units, dt=0.1, gamma=1.0, epsilon=0.1, **kwargs):
        super().__init__(**kwargs)
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon
        self.state_size = (units, units)
        self.i2h = layers.Dense(units)
        self.h2h = layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        hy, hz = states
        drive = ops.tanh(self.i2h(inputs) + self.h2h(ops.concatenate([hz, hy], axis=-1)))
        hz = hz + self.dt * (drive - self.gamma * hy - self.epsilon * hz)
        hy = hy + self.dt * hz
        return hy, (hy, hz)


class MomentumCell(layers.Layer):
    """A slot that h only sees by way of another: the velocity (Nguyen et al., 2020)."""

    def __init__(self, units, mu=0.9, epsilon=0.3, **kwargs):
        super().__init__(**kwargs)
        self.mu, self.epsilon = mu, epsilon
        self.state_size = [units, units]
        self.wx, self.uh = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        h, v = states
        v = self.mu * v + self.epsilon * self.wx(inputs)
        h = ops.tanh(self.uh(h) + v)
        return h, [h, v]


@tf.custom_gradient
def _fire(v):
    def grad(upstream):
        return upstream / tf.square(1.0 + 5.0 * tf.abs(v))

    return tf.cast(v > 0.0, v.dtype), grad


class HardReset(layers.Layer):
    """A gradient that is cut now and then: the membrane is set to zero where it fires."""

    def __init__(self, units, decay=0.9, threshold=0.5, **kwargs):
        super().__init__(**kwargs)
        self.decay, self.threshold = decay, threshold
        self.state_size = [units, units]
        self.inp, self.rec = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        v, z = states
        v = self.decay * v * (1.0 - z) + self.inp(inputs) + self.rec(z)
        z = _fire(v - self.threshold)
        return z, [v, z]


class ResetWithoutGradient(layers.Layer):
    """stop_gradient beside the path of the state: the reset is kept out of the gradient (Zenke and Vogels, 2021)."""

    def __init__(self, units, beta=0.85, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.state_size = units
        self.fc = layers.Dense(units)

    def call(self, inputs, states):
        membrane = states[0]
        reset = ops.stop_gradient(ops.cast(membrane > 0.4, "float32"))
        membrane = self.beta * membrane + self.fc(inputs) - 0.4 * reset
        return _fire(membrane - 0.4), [membrane]


@tf.custom_gradient
def _sign(x):
    return tf.where(x >= 0.0, 1.0, -1.0), lambda upstream: upstream * tf.cast(tf.abs(x) <= 1.0, x.dtype)


class BinaryStraightThrough(layers.Layer):
    """States of plus or minus one, with a gradient of their own."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.w, self.u = layers.Dense(units), layers.Dense(units, use_bias=False)

    def get_initial_state(self, batch_size=None):
        return [tf.ones((batch_size, self.units))]

    def call(self, inputs, states):
        h = _sign(self.w(inputs) + 0.7 * self.u(states[0]))
        return h, [h]


class CodebookState(layers.Layer):
    """stop_gradient on the nearest code, put straight through (van den Oord et al., 2017)."""

    def __init__(self, units, codes=16, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.units, self.codes = units, codes
        self.encoder = layers.Dense(units)

    def build(self, input_shape):
        self.encoder.build((None, input_shape[-1] + self.units))
        self.codebook = self.add_weight(shape=(self.codes, self.units), initializer="random_normal", trainable=False)

    def call(self, inputs, states):
        z = self.encoder(tf.concat([inputs, states[0]], axis=-1))
        distance = tf.reduce_sum(tf.square(z[:, None] - self.codebook[None]), axis=-1)
        nearest = tf.gather(ops.convert_to_tensor(self.codebook), tf.argmin(distance, axis=-1))
        h = z + tf.stop_gradient(nearest - z)
        return h, [h]


class GradientThroughPython(layers.Layer):
    """tf.py_function, which has a gradient where tf.numpy_function has none."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.dense = layers.Dense(units)

    def call(self, inputs, states):
        z = self.dense(tf.concat([inputs, states[0]], axis=-1))
        h = tf.ensure_shape(tf.py_function(tf.nn.softsign, [z], tf.float32), z.shape)
        return h, [h]


class BatchNormInside(layers.Layer):
    """Rows that are normalised by what other rows left behind: running means, as long as it does not train."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units, use_bias=False)
        self.norm, self.norm_c = layers.BatchNormalization(), layers.BatchNormalization()

    def call(self, inputs, states, training=False):
        h, c = states
        z = self.norm(self.gates(ops.concatenate([inputs, h], -1)), training=training)
        i, f, g, o = ops.split(z, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(self.norm_c(c, training=training))
        return h, [h, c]


class NormalisedOverUnits(layers.Layer):
    """A reduction over axis zero: of a transposed tensor, so of the units."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.dense = layers.Dense(units)
        self.norm = layers.LayerNormalization()

    def call(self, inputs, states):
        z = tf.transpose(self.norm(self.dense(tf.concat([inputs, states[0]], axis=1))))
        h = tf.transpose(z / (1.0 + tf.reduce_max(tf.abs(z), axis=0)))
        return h, [h]


class StepInTheState(layers.Layer):
    """An int beside the floats: it has no gradient and grows for good."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = {"h": units, "t": 1}
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return {"h": ops.zeros((batch_size, self.units)), "t": ops.zeros((batch_size, 1), dtype="int32")}

    def call(self, inputs, states):
        t = ops.cast(states["t"], inputs.dtype)
        angle = t / 10.0 ** ops.arange(4, dtype=inputs.dtype)
        h, _ = self.cell(ops.concatenate([inputs, ops.sin(angle), ops.cos(angle)], axis=-1), [states["h"]])
        return h, {"h": h, "t": states["t"] + 1}


def in_double_precision():
    """Another type than that of the framework."""
    return layers.LSTMCell(8, dtype="float64")


def in_mixed_precision():
    """Weights in one type, states in another."""
    return layers.SimpleRNNCell(8, dtype="mixed_bfloat16")


class DoubleInside(layers.Layer):
    """float64 within the step, and back."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.gates = layers.Dense(3 * units)

    def call(self, inputs, states):
        total, weight = (tf.cast(state, tf.float64) for state in states)
        value, key, out = tf.split(self.gates(inputs), 3, axis=-1)
        key = tf.exp(tf.cast(tf.minimum(key, 5.0), tf.float64))
        total, weight = 0.9 * total + key * tf.cast(value, tf.float64), 0.9 * weight + key
        y = tf.sigmoid(out) * tf.cast(total / weight, tf.float32)
        return y, [tf.cast(total, tf.float32), tf.cast(weight, tf.float32)]


class NoisyState(layers.Layer):
    """Something beside the state that changes from step to step: a seed generator."""

    def __init__(self, units, sigma=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sigma = sigma
        self.state_size = units
        self.cell = layers.SimpleRNNCell(units)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs, states):
        h, _ = self.cell(inputs, states)
        h = h + self.sigma * keras.random.normal(ops.shape(h), seed=self.seed_generator)
        return h, [h]


class VariationalMask(layers.LSTMCell):
    """Memory on self, of no effect on a fresh sequence: the dropout masks of Keras, and one of its own."""

    def __init__(self, units, rate=0.3, **kwargs):
        super().__init__(units, dropout=rate, recurrent_dropout=rate, **kwargs)
        self.rate = rate
        self._carry_mask = None

    def reset_dropout_mask(self):
        super().reset_dropout_mask()
        self._carry_mask = None

    def call(self, inputs, states, training=False):
        h, c = states
        if training:
            if self._carry_mask is None:
                self._carry_mask = tf.nn.dropout(tf.ones_like(c), self.rate)
            c = c * self._carry_mask
        return super().call(inputs, [h, c], training=training)


class TableMadeOnce(layers.Layer):
    """Memory on self and on the class, of no effect: tables that are the same whenever they are made."""

    tables: dict[int, Any] = {}

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.cell = layers.GRUCell(units)

    def build(self, input_shape):
        self.cell.build(input_shape)

    def table(self, width):
        if width not in self.tables:
            self.tables[width] = np.cos(np.arange(width) / 3.0).astype("float32")
        return self.tables[width]

    def call(self, inputs, states):
        y, states = self.cell(inputs * self.table(inputs.shape[-1]), states)
        return y, states


class KeepsALog(layers.Layer):
    """Memory on self that nobody reads: gates for a plot and a count of calls."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.z, self.n = layers.Dense(units, activation="sigmoid"), layers.Dense(units, activation="tanh")
        self.calls, self.last_gate = 0, None

    def call(self, inputs, states):
        self.calls += 1
        z = self.z(inputs)
        self.last_gate = z
        h = z * states[0] + (1.0 - z) * self.n(ops.concatenate([inputs, states[0]], axis=-1))
        return h, [h]


class CopiesBeforeItWrites(tf.Module):
    """Writes into a list and a dict: into copies of its own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.4))

    def initial_state(self, batch_size):
        return {"layers": [tf.zeros((batch_size, self.hidden_size))], "sum": tf.zeros((batch_size, self.hidden_size))}

    def step(self, x, state):
        state, hidden = dict(state), list(state["layers"])
        hidden[0] = tf.tanh(tf.concat([x, hidden[0]], axis=-1) @ self.w - 0.1 * state["sum"])
        state.update(layers=hidden, sum=0.9 * state["sum"] + hidden[0])
        return hidden[0], state


class TupleForAList(layers.Layer):
    """Another container than the one that came in, with the same in it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.lstm = layers.LSTMCell(units)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)) for _ in range(2)]

    def call(self, inputs, states):
        y, states = self.lstm(inputs, list(states))
        return y, tuple(states)


class GuardedDivision(layers.Layer):
    """A division by zero in a branch that is not taken: the mean of nothing."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, 1]
        self.value, self.gate = layers.Dense(units), layers.Dense(1)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1))]

    def call(self, inputs, states):
        total, weight = states
        mean = ops.where(weight > 0.0, total / weight, 0.0)
        gate = ops.exp(ops.minimum(self.gate(inputs), 5.0))
        total, weight = total + gate * self.value(inputs), weight + gate
        return mean, [total, weight]


class StartsAtMinusInfinity(layers.Layer):
    """An infinite state: the running maximum of nothing (log-sum-exp over time)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.score, self.value = layers.Dense(units), layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [tf.fill((batch_size, self.units), -np.inf), tf.zeros((batch_size, self.units))]

    def call(self, inputs, states):
        largest, total = states
        score = self.score(inputs)
        new_largest = tf.maximum(largest, score)
        total = tf.exp(largest - new_largest) * total + tf.exp(score - new_largest) * self.value(inputs)
        return total, [new_largest, total]


class BranchesInPython(layers.Layer):
    """Python's own branches and loops, none of them on the value of a tensor."""

    def __init__(self, units, unfolds=3, residual=True, **kwargs):
        super().__init__(**kwargs)
        self.units, self.unfolds, self.residual = units, unfolds, residual
        self.state_size = units
        self.inner = layers.SimpleRNNCell(units)

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, inputs, states, training=None):
        h = states[0] if isinstance(states, (list, tuple)) else states
        if inputs.shape[-1] is None or len(inputs.shape) != 2:
            raise ValueError(f"inputs of rank 2 are needed, not {inputs.shape}")
        for k in range(self.unfolds):
            new, _ = self.inner(inputs, [h])
            h = 0.5 * (h + new) if self.residual and k else new
        return h, [h]


class BranchesInTheGraph(layers.Layer):
    """Branches and loops on the values of tensors, in TensorFlow's own words."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="u")
        self.gain = self.add_weight(shape=(), initializer="ones", name="gain")

    def call(self, inputs, states):
        drive = tf.matmul(inputs, self.w)
        u, gain = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.gain)
        scaled = tf.cond(gain > 0.5, lambda: gain * drive, lambda: drive)
        _, h = tf.while_loop(
            lambda k, h: k < 3, lambda k, h: (k + 1, 0.5 * h + 0.5 * tf.tanh(scaled + h @ u)), (0, states[0])
        )
        return h, [h]


class RowsThatAreOver(layers.Layer):
    """Rows that come back as they went in: those whose sequence is over (a mask in the last feature)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.cell = layers.LSTMCell(units)

    def call(self, inputs, states):
        alive = inputs[:, -1:] > -0.5
        y, new = self.cell(inputs[:, :-1], states)
        new = [ops.where(alive, after, before) for after, before in zip(new, states)]
        return ops.where(alive, y, 0.0), new


class ImageDelayLine(layers.Layer):
    """Frames that come back as they went in, one channel further on; images."""

    def __init__(self, filters, kernel_size=3, frames=3, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames
        self.conv = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, x, stack=None):
        if stack is None:
            stack = ops.zeros((*x.shape[:-1], self.frames * x.shape[-1]))
        stack = ops.concatenate([stack[..., x.shape[-1] :], x], axis=-1)
        return self.conv(stack), stack


class LearnedCodebook(layers.Layer):
    """A weight without a gradient from state or output: a codebook that learns by a loss of its own."""

    def __init__(self, units, codes=16, **kwargs):
        super().__init__(**kwargs)
        self.units, self.codes = units, codes
        self.state_size = units
        self.cell = layers.GRUCell(units)

    def build(self, input_shape):
        self.cell.build(input_shape)
        self.codebook = self.add_weight(shape=(self.codes, self.units), initializer="random_normal", name="codebook")

    def call(self, inputs, states, training=False):
        z, _ = self.cell(inputs, states)
        book = ops.convert_to_tensor(self.codebook)
        distance = ops.sum(ops.square(z[:, None] - book[None]), axis=-1)
        nearest = ops.take(book, ops.argmin(distance, axis=-1), axis=0)
        if training:
            self.add_loss(ops.mean(ops.square(nearest - ops.stop_gradient(z))))
        h = z + ops.stop_gradient(nearest - z)
        return h, [h]


class IdentityReLU(layers.Layer):
    """A state that grows for good: ReLUs around the identity (Le et al., 2015)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units, kernel_initializer=keras.initializers.RandomNormal(stddev=0.3))
        self.rec = layers.Dense(units, use_bias=False, kernel_initializer="identity")

    def call(self, inputs, states):
        h = ops.relu(self.inp(inputs) + self.rec(states[0]))
        return h, [h]


class CountsTrainingSteps(layers.Layer):
    """Memory on self that only training writes: the temperature of a gate is annealed."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gate, self.candidate = layers.Dense(units), layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.gate.build((None, input_shape[-1] + self.units))
        self.candidate.build((None, input_shape[-1] + self.units))
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, inputs, states, training=False):
        h = states[0]
        if training:
            self.seen.assign_add(1.0)
        both = ops.concatenate([inputs, h], axis=-1)
        z = ops.sigmoid(self.gate(both) * (1.0 + 0.01 * self.seen))
        h = z * h + (1.0 - z) * self.candidate(both)
        return h, [h]


class ComputesRowsThatMove(layers.Layer):
    """Rows in another order and number than they came: those at rest are left out and put back."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), name="kernel")

    def call(self, inputs, states):
        moving = tf.where(tf.norm(inputs, axis=-1) > 1.0)
        both = tf.concat([tf.gather_nd(inputs, moving), tf.gather_nd(states[0], moving)], axis=-1)
        h = tf.tensor_scatter_nd_update(states[0], moving, tf.tanh(tf.matmul(both, self.kernel)))
        return h, [h]


class StableByTheLargest(layers.Layer):
    """A reduction over all rows that cancels out: the largest score is taken from all of them before a softmax."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.score, self.value = layers.Dense(units), layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        score = self.score(ops.concatenate([inputs, states[0]], axis=-1))
        weights = ops.exp(score - ops.max(score))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        h = weights * self.value(inputs) + (1.0 - weights) * states[0]
        return h, [h]


class MasksWithMinusInfinity(layers.Layer):
    """Infinite scores on the way: entries not yet written are masked, and one always is written."""

    def __init__(self, units, slots=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = [(slots, units), slots]
        self.query, self.key = layers.Dense(units), layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.slots, self.units)), tf.zeros((batch_size, self.slots))]

    def call(self, inputs, states):
        memory, written = states
        memory = tf.concat([memory[:, 1:], self.key(inputs)[:, None]], axis=1)
        written = tf.concat([written[:, 1:], tf.ones_like(written[:, :1])], axis=1)
        scores = tf.einsum("bu,bsu->bs", self.query(inputs), memory)
        scores = tf.where(written > 0.0, scores, -np.inf)
        return tf.einsum("bs,bsu->bu", tf.nn.softmax(scores, axis=-1), memory), [memory, written]


# untrained-weight


class DriveStopped(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(shape=(self.units, self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        drive = ops.stop_gradient(ops.matmul(inputs, self.kernel))  # expect: untrained-weight warning
        h = ops.tanh(drive + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]


class DriveStoppedRepaired(DriveStopped):
    def call(self, inputs, states):
        drive = ops.matmul(inputs, self.kernel)
        h = ops.tanh(drive + ops.matmul(states[0], self.recurrent_kernel))
        return h, [h]


class GateStoppedLater(layers.Layer):
    """Two slots; the gate is a layer, and goes on without its gradient."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size = units, [units, units]
        self.gate, self.lstm = layers.Dense(units, activation="sigmoid"), layers.LSTMCell(units)

    def call(self, inputs, states):
        gate = self.gate(inputs)
        output, (h, c) = self.lstm(inputs, states)
        held = tf.stop_gradient(gate)  # expect: untrained-weight warning
        return held * output, [held * h, c]


class GateStoppedLaterRepaired(GateStoppedLater):
    def call(self, inputs, states):
        gate = self.gate(inputs)
        output, (h, c) = self.lstm(inputs, states)
        return gate * output, [gate * h, c]


class VariableOfTensorFlow(layers.Layer):
    """Keras 3 does not track variables of TensorFlow."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.input_layer = layers.Dense(units)

    def build(self, input_shape):
        self.input_layer.build(input_shape)
        start = tf.random.normal((self.units, self.units), stddev=0.3)
        self.recurrent = tf.Variable(start)  # expect: untrained-weight note

    def call(self, inputs, states):
        h = tf.tanh(self.input_layer(inputs) + tf.matmul(states[0], self.recurrent))
        return h, [h]


class VariableOfTensorFlowRepaired(VariableOfTensorFlow):
    def build(self, input_shape):
        self.input_layer.build(input_shape)
        self.recurrent = self.add_weight(shape=(self.units, self.units), name="recurrent")


class ScaledByANumber(layers.Layer):
    """A learned scale that becomes a number of NumPy; the state may be left out."""

    def __init__(self, hidden_size, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.cell = layers.GRUCell(hidden_size)

    def build(self, input_shape):
        self.cell.build(input_shape)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x, h=None):
        if h is None:
            h = ops.zeros((x.shape[0], self.hidden_size))
        scale = ops.stop_gradient(self.scale)  # expect: untrained-weight warning
        h, _ = self.cell(x * scale, [h])
        return h, h


class ScaledByANumberRepaired(ScaledByANumber):
    def call(self, x, h=None):
        if h is None:
            h = ops.zeros((x.shape[0], self.hidden_size))
        h, _ = self.cell(x * self.scale, [h])
        return h, h


class FixedVariable(layers.Layer):
    """A variable of TensorFlow that is not to be trained."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.cell = layers.SimpleRNNCell(units)
        self.gain = tf.Variable(0.9, trainable=False)

    def call(self, inputs, states):
        output, states = self.cell(self.gain * inputs, states)
        return output, states


# what has no effect though a gradient leads to it, and what is asleep


class AttentionOverOne(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.both, self.score = layers.Dense(units, activation="tanh"), layers.Dense(1)

    def call(self, inputs, states):
        attention = ops.softmax(self.score(states[0]), axis=-1)  # expect: unused-weight warning
        h = self.both(ops.concatenate([inputs, attention * states[0]], axis=-1))
        return h, [h]


class AttentionOverOneRepaired(AttentionOverOne):
    def call(self, inputs, states):
        attention = ops.sigmoid(self.score(states[0]))
        h = self.both(ops.concatenate([inputs, attention * states[0]], axis=-1))
        return h, [h]


class AsleepFromTheStart(layers.Layer):
    def __init__(self, units, bias=-10.0, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.both = layers.Dense(units, bias_initializer=keras.initializers.Constant(bias))

    def call(self, inputs, states):
        drive = self.both(ops.concatenate([inputs, states[0]], axis=-1))
        h = ops.relu(drive)  # expect: unchanged-initial-state warning
        return h, [h]


class AsleepFromTheStartRepaired(AsleepFromTheStart):
    def __init__(self, units, bias=0.1, **kwargs):
        super().__init__(units, bias, **kwargs)


class LengthOfZeros(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.inner, self.recurrent = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        memory = self.recurrent(states[0])
        length = ops.sqrt(ops.sum(memory * memory, axis=-1, keepdims=True))  # expect: nonfinite-state
        h = ops.tanh(self.inner(inputs) + memory + 0.1 * length)
        return h, [h]


class LengthOfZerosRepaired(LengthOfZeros):
    def call(self, inputs, states):
        memory = self.recurrent(states[0])
        length = ops.sqrt(ops.sum(memory * memory, axis=-1, keepdims=True) + 1e-6)
        h = ops.tanh(self.inner(inputs) + memory + 0.1 * length)
        return h, [h]


class HiddenForBoth(layers.Layer):
    """The hidden state comes back in the place of the carry."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units)

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h_tm1], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, h]  # expect: wrong-state-structure warning 1


class HiddenForBothRepaired(HiddenForBoth):
    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h_tm1], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
