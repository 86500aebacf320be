"""Keras and TensorFlow cells called in all the ways in which people call them; comments mark the line at fault.

A class without a mark is healthy. ``NEEDS`` holds what a user would have to type, since nobody could know it.
"""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

NEEDS: dict[str, dict[str, Any]] = {}


# 1. (x, h) -> h


class ElmanStep(layers.Layer):
    """A bare tensor in, a bare tensor out: not meant for keras.layers.RNN."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.wx = layers.Dense(units)
        self.wh = layers.Dense(units, use_bias=False, kernel_initializer="orthogonal")

    def call(self, x, h):
        return ops.tanh(self.wx(x) + self.wh(h))


class MinimalGatedStep(layers.Layer):
    """The state may be left out."""

    def __init__(self, hidden_dim, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.forget = layers.Dense(hidden_dim, activation="sigmoid")
        self.update = layers.Dense(hidden_dim, activation="tanh")

    def call(self, inputs, hidden=None):
        if hidden is None:
            hidden = ops.zeros((ops.shape(inputs)[0], self.hidden_dim))
        f = self.forget(ops.concatenate([inputs, hidden], axis=-1))
        candidate = self.update(ops.concatenate([inputs, f * hidden], axis=-1))
        return (1.0 - f) * hidden + f * candidate


class UpdateGateStep(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2 * units)

    def call(self, x, h):
        gate, candidate = tf.split(self.dense(tf.concat([x, h], axis=1)), 2, axis=1)
        gate = tf.sigmoid(gate + 1.0)
        new_h = gate * h + (1.0 - gate) * tf.tanh(candidate)
        return h  # expect: returned-old-state error 0


class OpenLoopStep(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform")
        self.u = self.add_weight(shape=(self.units, self.units), initializer="orthogonal")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, x_t, h_prev):
        z = ops.matmul(x_t, self.w) + self.b  # expect: ignored-recurrence error 0
        return ops.relu(z)


class MultiplicativeStep(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.factor_x = layers.Dense(units)
        self.factor_h = layers.Dense(units, use_bias=False)

    def call(self, inputs, h=None):
        if h is None:
            h = tf.zeros((tf.shape(inputs)[0], self.units))
        h = tf.tanh(self.factor_x(inputs) * self.factor_h(h))  # expect: unchanged-initial-state error 0
        return h


class GRUModule(tf.Module):
    """No Keras at all."""

    def __init__(self, input_size, hidden_size, name=None):
        super().__init__(name=name)
        self.hidden_size = hidden_size
        scale = 1.0 / math.sqrt(hidden_size)
        self.w = tf.Variable(tf.random.uniform((input_size, 3 * hidden_size), -scale, scale))
        self.u = tf.Variable(tf.random.uniform((hidden_size, 3 * hidden_size), -scale, scale))

    def __call__(self, x, h):
        xz, xr, xn = tf.split(x @ self.w, 3, axis=-1)
        hz, hr, hn = tf.split(h @ self.u, 3, axis=-1)
        z = tf.sigmoid(xz + hz)
        return z * h + (1.0 - z) * tf.tanh(xn + tf.sigmoid(xr + hr) * hn)


class RNNModuleKeepsOld(tf.Module):
    def __init__(self, input_size, hidden_size, name=None):
        super().__init__(name=name)
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.3))

    def __call__(self, x, h):
        h_new = tf.tanh(tf.concat([x, h], -1) @ self.w)
        return h_new, h  # expect: returned-old-state error 0


# 2. (x, (h, c)) -> (h, c)


class PeepholeStep(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, 4 * self.units), name="recurrent")
        self.peep = self.add_weight(shape=(3, self.units), initializer="random_normal", name="peep")

    def call(self, x, hc):
        h, c = hc
        i, f, g, o = ops.split(ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent), 4, axis=-1)
        i, f = ops.sigmoid(i + self.peep[0] * c), ops.sigmoid(f + self.peep[1] * c)
        c = f * c + i * ops.tanh(g)
        o = ops.sigmoid(o + self.peep[2] * c)
        return o * ops.tanh(c), c


class CoupledStep(layers.Layer):
    """Input and forget gate coupled; an optional pair."""

    def __init__(self, hidden_size, **kwargs):
        super().__init__(**kwargs)
        self.hidden_size = hidden_size
        self.gates = layers.Dense(3 * hidden_size)
        self.norm = layers.LayerNormalization()

    def call(self, inputs, state=None):
        if state is None:
            zeros = ops.zeros((ops.shape(inputs)[0], self.hidden_size))
            state = (zeros, zeros)
        h, c = state
        f, g, o = ops.split(self.norm(self.gates(ops.concatenate([inputs, h], -1))), 3, axis=-1)
        f = ops.sigmoid(f + 1.0)
        c_t = f * c + (1.0 - f) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c_t), c_t


class PairOldCell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(units)

    def call(self, x, hc):
        h, c = hc
        _, (h_next, c_next) = self.cell(x, [h, c])
        return h_next, c  # expect: returned-old-state error 1


class PairForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.x2h = layers.Dense(3 * units)
        self.h2h = layers.Dense(3 * units)

    def call(self, x, hc):
        h, c = hc
        i, g, o = ops.split(self.x2h(x), 3, axis=-1)  # expect: ignored-recurrence error
        c = ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, c


# 3. (inputs, states) -> (output, states): a list, a tuple, a bare tensor


@keras.saving.register_keras_serializable(package="tests")
class BistableCell(layers.Layer):
    """A list of one, as Keras has it."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.output_size = units

    def build(self, input_shape):
        dim = int(input_shape[-1])
        self.kernel_z, self.kernel_r, self.kernel_h = (
            self.add_weight(shape=(dim, self.units), name=name) for name in ("kz", "kr", "kh")
        )
        self.memory_z = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomUniform(-1, 1))
        self.memory_r = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomUniform(-1, 1))
        self.built = True

    def call(self, inputs, states):
        prev_out = states[0]
        z = tf.nn.sigmoid(tf.matmul(inputs, self.kernel_z) + prev_out * self.memory_z)
        r = tf.nn.tanh(tf.matmul(inputs, self.kernel_r) + prev_out * self.memory_r) + 1
        h = tf.nn.tanh(tf.matmul(inputs, self.kernel_h) + r * prev_out)
        output = (1.0 - z) * h + z * prev_out
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class ResidualStack(layers.Layer):
    """A list of three, one for each layer, and a readout of another width."""

    def __init__(self, units, depth=3, **kwargs):
        super().__init__(**kwargs)
        self.cells = [layers.GRUCell(units, name=f"layer_{i}") for i in range(depth)]
        self.readout = layers.Dense(2)

    @property
    def state_size(self):
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self):
        return 2

    def call(self, inputs, states, training=None):
        x, new_states = inputs, []
        for cell, state in zip(self.cells, states):
            y, (state,) = cell(x, [state], training=training)
            x = y if ops.shape(x)[-1] != ops.shape(y)[-1] else x + y
            new_states.append(state)
        return self.readout(x), new_states


class HighwayCell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.transform = layers.Dense(2 * units)

    def call(self, inputs, states):
        (s,) = states
        h, t = ops.split(self.transform(ops.concatenate([inputs, s], -1)), 2, axis=-1)
        t = ops.sigmoid(t - 1.0)
        s_next = t * ops.tanh(h) + (1.0 - t) * s
        return s_next, states  # expect: returned-old-state error 0


class StackDropsTheUpper(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.lower = layers.GRUCell(units)
        self.upper = layers.GRUCell(units)

    def call(self, inputs, states):
        s0, s1 = states
        n0, _ = self.lower(inputs, [s0])
        n1, _ = self.upper(n0, [s1])
        return n1, [n0, s1]  # expect: returned-old-state error 1


class ContextCell(layers.Layer):
    """A tuple; a slow context beside a fast state, of unequal widths (Mikolov et al., 2015)."""

    def __init__(self, units, context_units=4, alpha=0.95, **kwargs):
        super().__init__(**kwargs)
        self.units, self.context_units, self.alpha = units, context_units, alpha
        self.state_size = (units, context_units)
        self.embed = layers.Dense(context_units, use_bias=False)
        self.fast = layers.Dense(units, activation="sigmoid")

    def get_initial_state(self, batch_size=None, **kwargs):
        return tuple(ops.zeros((batch_size, size)) for size in self.state_size)

    def call(self, inputs, states):
        h, s = states
        s = (1.0 - self.alpha) * self.embed(inputs) + self.alpha * s
        h = self.fast(ops.concatenate([inputs, h, s], axis=-1))
        return h, (h, s)


class NestedTupleCell(layers.Layer):
    """(h, (c, n)): a pair within the state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, (units, units))
        self.gates = layers.Dense(4 * units)

    def call(self, inputs, states):
        h, (c, n) = states
        i, f, z, o = tf.split(self.gates(tf.concat([inputs, h], -1)), 4, axis=-1)
        i, f = tf.exp(tf.minimum(i, 3.0)), tf.sigmoid(f)
        c = f * c + i * tf.tanh(z)
        n = f * n + i
        h = tf.sigmoid(o) * c / n
        return h, (h, (c, n))


class TupleOldHidden(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        self.mix = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h, trace = states
        h_next = self.mix(ops.concatenate([inputs, h, trace], -1))
        trace_next = 0.8 * trace + 0.2 * h_next
        new_states = (h, trace_next)
        return h_next, new_states  # expect: returned-old-state error 0


class TupleStartsAfresh(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        self.lstm = layers.LSTMCell(units)

    def call(self, inputs, states):
        h, c = ops.zeros_like(states[0]), ops.zeros_like(states[1])  # expect: ignored-recurrence error
        y, (h, c) = self.lstm(inputs, [h, c])
        return y, (h, c)


class LiquidCell(layers.Layer):
    """A bare tensor as state and an output narrower than it; six Euler steps a call."""

    def __init__(self, units, unfolds=6, **kwargs):
        super().__init__(**kwargs)
        self.units, self.unfolds = units, unfolds
        self.state_size = units
        self.sensory = layers.Dense(units)
        self.synapse = layers.Dense(units)

    def build(self, input_shape):
        self.leak = self.add_weight(shape=(self.units,), initializer=keras.initializers.RandomUniform(0.1, 1.0))
        self.target = self.add_weight(shape=(self.units,), initializer="random_normal")

    def get_initial_state(self, batch_size=None):
        return ops.zeros((batch_size, self.units))

    def call(self, inputs, states):
        v = states[0] if isinstance(states, (list, tuple)) else states
        drive = self.sensory(inputs)
        for _ in range(self.unfolds):
            f = ops.sigmoid(drive + self.synapse(v))
            v = (v + f * self.target / self.unfolds) / (1.0 + (self.leak + f) / self.unfolds)
        return v[:, :1], v


class BareStateNoList(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.i2h = layers.Dense(units)
        self.h2h = layers.Dense(units, use_bias=False)
        self.h2o = layers.Dense(3, activation="softmax")

    def call(self, inputs, state):
        state = ops.tanh(self.i2h(inputs) + self.h2h(state))
        return self.h2o(state), state

    def get_initial_state(self, batch_size=None):
        return ops.zeros((batch_size, self.units))


class BareStateOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units
        self.i2h = layers.Dense(units)
        self.h2h = layers.Dense(units)
        self.h2o = layers.Dense(3)

    def get_initial_state(self, batch_size=None):
        return ops.zeros((batch_size, self.units))

    def call(self, inputs, state):
        new_state = ops.tanh(self.i2h(inputs) + self.h2h(state))
        return self.h2o(new_state), state  # expect: returned-old-state error 0


class BareStateForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.i2h = layers.Dense(units, activation="tanh")
        self.h2h = layers.Dense(units)
        self.h2o = layers.Dense(3)

    def call(self, inputs, state):
        state = self.i2h(inputs)  # expect: ignored-recurrence error 0
        return self.h2o(state), state


# 4. Sequence layers (xs, s) -> (outputs, s')


class LoopedGRU(layers.Layer):
    """A loop over the second axis."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)

    def call(self, sequence, state=None):
        if state is None:
            state = ops.zeros((ops.shape(sequence)[0], self.units))
        outputs = []
        for t in range(sequence.shape[1]):
            y, (state,) = self.cell(sequence[:, t], [state])
            outputs.append(y)
        return ops.stack(outputs, axis=1), state


class Encoder(layers.Layer):
    """The encoder of the translation tutorial: (x, hidden) -> (output, state)."""

    def __init__(self, enc_units, **kwargs):
        super().__init__(**kwargs)
        self.enc_units = enc_units
        self.gru = layers.GRU(enc_units, return_sequences=True, return_state=True)

    def call(self, x, hidden):
        output, state = self.gru(x, initial_state=hidden)
        return output, state

    def initialize_hidden_state(self, batch_size):
        return tf.zeros((batch_size, self.enc_units))


class EncoderLSTM(layers.Layer):
    """The state may be left out; what comes back is (out, [h, c])."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.pre = layers.Dense(units, activation="relu")
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True)

    def call(self, inputs, initial_state=None):
        out, h, c = self.lstm(self.pre(inputs), initial_state=initial_state)
        return out, [h, c]


class EncoderKeepsOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x, hidden):
        output, state = self.gru(x, initial_state=hidden)
        return output, hidden  # expect: returned-old-state error 0


class EncoderIgnoresIt(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x, hidden):
        output, state = self.gru(x)  # expect: ignored-recurrence error 0
        return output, state


class ScanOverTime(layers.Layer):
    """Time first: (T, B, F)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.wx = layers.Dense(units)
        self.wh = layers.Dense(units, use_bias=False)

    def call(self, xs, h0):
        h, hs = h0, []
        for x in tf.unstack(self.wx(xs), axis=0):
            h = tf.tanh(x + self.wh(h))
            hs.append(h)
        return tf.stack(hs), h


class QuasiRecurrent(layers.Layer):
    """Time first, with an optional state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.zfo = layers.Dense(3 * units)

    def call(self, inputs, state=None):
        z, f, o = ops.split(self.zfo(inputs), 3, axis=-1)
        f, o = ops.sigmoid(f), ops.sigmoid(o)
        c = ops.zeros((inputs.shape[1], self.units)) if state is None else state
        cells = []
        for t in range(inputs.shape[0]):
            c = f[t] * c + (1.0 - f[t]) * ops.tanh(z[t])
            cells.append(c)
        return o * ops.stack(cells), c


class ScanThrowsAway(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.wx = layers.Dense(units)
        self.wh = layers.Dense(units)

    def call(self, xs, h0):
        h, hs = h0, []
        for x in tf.unstack(self.wx(xs), axis=0):
            h = tf.tanh(x + self.wh(h))
            hs.append(h)
        return tf.stack(hs), h0  # expect: returned-old-state error 0


class TimeFirstForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rnn = layers.SimpleRNN(units, return_sequences=True, return_state=True)

    def call(self, xs, state):
        ys, last = self.rnn(ops.transpose(xs, (1, 0, 2)))  # expect: ignored-recurrence error 0
        return ops.transpose(ys, (1, 0, 2)), last


class TwoLayerEncoder(layers.Layer):
    """Two layers; the state is stacked to (2, B, H)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.GRU(units, return_sequences=True, return_state=True)
        self.second = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x, hidden):
        x, h1 = self.first(x, initial_state=hidden[0])
        x, h2 = self.second(x, initial_state=hidden[1])
        return x, tf.stack([h1, h2])


class TwoLayerLists(layers.Layer):
    """Two LSTM layers, a list of lists."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.rnns = [layers.LSTM(units, return_sequences=True, return_state=True) for _ in range(2)]

    def get_initial_state(self, batch_size):
        return [[ops.zeros((batch_size, self.units)) for _ in "hc"] for _ in self.rnns]

    def call(self, x, states):
        new_states = []
        for rnn, state in zip(self.rnns, states):
            x, h, c = rnn(x, initial_state=state)
            new_states.append([h, c])
        return x, new_states


class TwoLayersOneOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.GRU(units, return_sequences=True, return_state=True)
        self.second = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x, states):
        s1, s2 = states
        x, n1 = self.first(x, initial_state=s1)
        x, n2 = self.second(x, initial_state=s2)
        return x, [n1, s2]  # expect: returned-old-state error 1


class TwoLayersOneForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.GRU(units, return_sequences=True, return_state=True)
        self.second = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x, states):
        s1, s2 = states
        x, s1 = self.first(x, initial_state=s1)
        x, s2 = self.second(x)  # expect: ignored-recurrence warning 1
        return x, [s1, s2]


# 5. Spread states


class SpreadLSTM(layers.Layer):
    """(x, h, c) -> (h, c)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gates = layers.Dense(4 * units)

    def call(self, x, h, c):
        i, f, g, o = ops.split(self.gates(ops.concatenate([x, h], -1)), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, c


class SpreadPolicy(layers.Layer):
    """(obs, h, c) -> (logits, h, c), with defaults."""

    def __init__(self, units, actions=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.core = layers.LSTMCell(units)
        self.logits = layers.Dense(actions)

    def call(self, obs, h=None, c=None):
        batch = ops.shape(obs)[0]
        h = ops.zeros((batch, self.units)) if h is None else h
        c = ops.zeros((batch, self.units)) if c is None else c
        out, (h, c) = self.core(obs, [h, c])
        return self.logits(out), h, c


class SpreadOldCell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.core = layers.LSTMCell(units)
        self.head = layers.Dense(3)

    def call(self, x, h, c):
        out, (h_new, c_new) = self.core(x, [h, c])
        return self.head(out), h_new, c  # expect: returned-old-state error 1


class SpreadForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.x = layers.Dense(3 * units)
        self.h = layers.Dense(3 * units)

    def call(self, x, h_prev, c_prev):
        f, g, o = ops.split(self.x(x), 3, axis=-1)  # expect: ignored-recurrence warning 0
        c = ops.sigmoid(f) * c_prev + ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c


@tf.custom_gradient
def _spike(v):
    def grad(upstream):
        return upstream / tf.square(1.0 + 10.0 * tf.abs(v))

    return tf.cast(v > 0.0, v.dtype), grad


class SynapticLayer(layers.Layer):
    """(x, syn, mem) -> (spk, syn, mem)."""

    def __init__(self, units, alpha=0.9, beta=0.8, **kwargs):
        super().__init__(**kwargs)
        self.alpha, self.beta = alpha, beta
        self.fc = layers.Dense(units)

    def call(self, inputs, syn, mem):
        syn = self.alpha * syn + self.fc(inputs)
        mem = self.beta * mem + syn
        spk = _spike(mem - 0.5)
        return spk, syn, mem - 0.5 * spk


class GroupedStates(layers.Layer):
    """(x, h, (u, l)) -> (h, (u, l))."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.i2h = layers.Dense(units)
        self.h2h = layers.Dense(units)

    def call(self, x, h, ul):
        upper, lower = ul
        h = ops.tanh(self.i2h(x) + self.h2h(h) + upper * lower)
        return h, (0.9 * upper + 0.1 * h, 0.5 * lower + ops.sigmoid(h))


class SynapticStuck(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.fc = layers.Dense(units)

    def call(self, inputs, syn, mem):
        current = self.fc(inputs)
        syn_t = 0.9 * syn + current
        mem_t = 0.8 * mem + syn_t
        spk = _spike(mem_t - 0.5)
        return spk, syn, mem_t - 0.5 * spk  # expect: returned-old-state error 0


class GroupedStuck(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.i2h = layers.Dense(units)
        self.h2h = layers.Dense(units)

    def call(self, x, h, ul):
        upper, lower = ul
        h_new = ops.tanh(self.i2h(x) + self.h2h(h) + upper * lower)
        upper_new = 0.9 * upper + 0.1 * h_new
        lower_new = 0.5 * lower + ops.sigmoid(h_new)
        return h_new, (upper, lower_new)  # expect: returned-old-state error 1


class VariadicCore(layers.Layer):
    """(x, *states) -> (out, *states)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.core = layers.LSTMCell(units)
        self.out = layers.Dense(2)

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.units)), tf.zeros((batch_size, self.units))

    def call(self, x, *states):
        y, states = self.core(x, list(states))
        return self.out(y), *states


class VariadicOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.core = layers.LSTMCell(units)

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.units)), tf.zeros((batch_size, self.units))

    def call(self, x, *states):
        h, c = states
        y, (h_new, c_new) = self.core(x, [h, c])
        return y, h, c_new  # expect: returned-old-state error 0


# 6. State first


class CarryGRU(layers.Layer):
    """(carry, x) -> (carry, y), as in Flax."""

    def __init__(self, features, **kwargs):
        super().__init__(**kwargs)
        self.features = features
        self.dense = layers.Dense(2 * features)
        self.candidate = layers.Dense(features, activation="tanh")

    def initialize_carry(self, batch_size):
        return ops.zeros((batch_size, self.features))

    def call(self, carry, x):
        r, z = ops.split(ops.sigmoid(self.dense(ops.concatenate([x, carry], -1))), 2, axis=-1)
        carry = z * carry + (1.0 - z) * self.candidate(ops.concatenate([x, r * carry], -1))
        return carry, carry


class StateSpaceStep(layers.Layer):
    """(state, u) -> state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.A = layers.Dense(units, use_bias=False, kernel_initializer=keras.initializers.Identity(0.7))
        self.B = layers.Dense(units, use_bias=False)

    def call(self, state, u):
        return self.A(state) + self.B(u)


class CarryHandsBack(layers.Layer):
    def __init__(self, features, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(features)
        self.head = layers.Dense(3)

    def call(self, carry, x):
        new_carry, _ = self.cell(x, [carry])
        return carry, self.head(new_carry)  # expect: returned-old-state error 0


class CarryForgets(layers.Layer):
    def __init__(self, features, **kwargs):
        super().__init__(**kwargs)
        self.a = layers.Dense(features, activation="tanh")
        self.b = layers.Dense(features)
        self.head = layers.Dense(3)

    def call(self, carry, x):
        carry = self.a(x)  # expect: ignored-recurrence error 0
        return carry, self.head(carry)


# 7. step() beside a call() without a state


class DiagonalSSM(layers.Layer):
    def __init__(self, units, order=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.order = units, order
        self.lift = layers.Dense(units)

    def build(self, input_shape):
        shape = (self.units, self.order)
        self.log_a = self.add_weight(shape=shape, initializer="random_normal")
        self.b = self.add_weight(shape=shape, initializer="random_normal")
        self.c = self.add_weight(shape=shape, initializer="random_normal")
        self.lift.build(input_shape)

    def initial_state(self, batch_size):
        return ops.zeros((batch_size, self.units, self.order))

    def step(self, u, state):
        if not self.built:
            self.build(u.shape)
        decay = ops.exp(-0.1 * ops.exp(self.log_a))
        state = decay * state + self.b * ops.expand_dims(self.lift(u), -1)
        return ops.sum(self.c * state, axis=-1), state

    def call(self, u):
        state, ys = self.initial_state(u.shape[0]), []
        for t in range(u.shape[1]):
            y, state = self.step(u[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class StreamingConv(layers.Layer):
    """step(x, cache): nothing but the last frames."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dense = layers.Dense(filters)

    def call(self, xs):
        padded = ops.pad(xs, ((0, 0), (self.kernel_size - 1, 0), (0, 0)))
        length = xs.shape[1]
        return self.dense(ops.concatenate([padded[:, i : i + length] for i in range(self.kernel_size)], -1))

    def step(self, x, cache=None):
        if cache is None:
            cache = ops.zeros((x.shape[0], self.kernel_size - 1, x.shape[-1]))
        window = ops.concatenate([cache, ops.expand_dims(x, 1)], axis=1)
        return self.dense(ops.reshape(window, (x.shape[0], -1))), window[:, 1:]


class StepHandsBack(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)

    def call(self, xs):
        h, ys = ops.zeros((xs.shape[0], self.units)), []
        for t in range(xs.shape[1]):
            y, h = self.step(xs[:, t], h)
            ys.append(y)
        return ops.stack(ys, axis=1)

    def step(self, x, h):
        h_next, _ = self.cell(x, [h])
        return h_next, h  # expect: returned-old-state error 0


class StepForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.a = layers.Dense(units, activation="tanh")
        self.b = layers.Dense(units)

    def call(self, xs):
        return self.a(xs)

    def forward_one_step(self, x, state):
        state = self.a(x)  # expect: ignored-recurrence error 0
        return state, state


class RetentionStep(layers.Layer):
    """q, k and v with a state."""

    def build(self, *shapes, **named):
        self.decay = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.9))

    def call(self, query, key, value, state=None):
        kv = ops.expand_dims(key, -1) * ops.expand_dims(value, -2)
        state = kv if state is None else self.decay * state + kv
        return ops.einsum("bd,bde->be", query, state), state


class RetentionOld(layers.Layer):
    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.gate = layers.Dense(dim, activation="sigmoid")

    def initial_state(self, batch_size):
        return ops.zeros((batch_size, self.dim, self.dim))

    def call(self, query, key, value, state):
        decay = ops.expand_dims(self.gate(key), -1)
        new_state = decay * state + ops.expand_dims(key, -1) * ops.expand_dims(value, -2)
        return ops.einsum("bd,bde->be", query, new_state), state  # expect: returned-old-state error 0


# 8. Keywords, dicts, dataclasses, named tuples and leaves that are no plain matrix


class KeywordStates(layers.Layer):
    """call(x, *, h, c)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gates = layers.Dense(4 * units)

    def call(self, x, *, h, c):
        i, f, g, o = tf.split(self.gates(tf.concat([x, h], -1)), 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c


class UnpackedDict(layers.Layer):
    """step(x, **state)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.LSTMCell(units)

    def init_state(self, batch_size):
        return {"c": ops.zeros((batch_size, self.units)), "h": ops.zeros((batch_size, self.units))}

    def step(self, x, h, c):
        y, (h, c) = self.cell(x, [h, c])
        return y, {"c": c, "h": h}

    def call(self, xs):
        state, ys = self.init_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], **state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class KeywordStuck(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gates = layers.Dense(4 * units)

    def call(self, x, *, h, c):
        i, f, g, o = tf.split(self.gates(tf.concat([x, h], -1)), 4, axis=-1)
        c_new = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h_new = tf.sigmoid(o) * tf.tanh(c_new)
        return h_new, c  # expect: returned-old-state error 1


class KeywordForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.a, self.b = layers.Dense(units), layers.Dense(units)

    def call(self, x, *, hidden):
        z = self.a(x)  # expect: ignored-recurrence error 0
        return ops.tanh(z)


class DictCell(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"cell": units, "hidden": units}
        self.inner = layers.LSTMCell(units)

    def call(self, inputs, states):
        y, (hidden, cell) = self.inner(inputs, [states["hidden"], states["cell"]])
        return y, {"cell": cell, "hidden": hidden}


class OneDict(layers.Layer):
    """{"output": ..., "state": ...}."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)
        self.head = layers.Dense(2)

    def call(self, x, state=None):
        if state is None:
            state = ops.zeros((x.shape[0], self.units))
        state, _ = self.cell(x, [state])
        return {"output": self.head(state), "state": state}


class DictPlusOutputs(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.LSTMCell(units)
        self.value = layers.Dense(1)

    def initial_state(self, batch_size):
        return {"c": ops.zeros((batch_size, self.units)), "h": ops.zeros((batch_size, self.units))}

    def call(self, x, state):
        _, (h, c) = self.cell(x, [state["h"], state["c"]])
        return {"value": self.value(h), "c": c, "h": h}


class DictUpdatedTooEarly(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"h": units, "trace": units}
        self.w = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h, trace = states["h"], states["trace"]
        new_states = dict(states)
        h = self.w(ops.concatenate([inputs, h, trace], axis=-1))
        trace = 0.9 * trace + 0.1 * h
        new_states["h"] = h
        return h, new_states  # expect: returned-old-state error 1


class OneDictOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(units)
        self.head = layers.Dense(2)

    def call(self, x, state):
        new, _ = self.cell(x, [state])
        return {"output": self.head(new), "state": state}  # expect: returned-old-state error 0


class RSSM(layers.Layer):
    """(prev_state, action) -> dict (Dreamer)."""

    def __init__(self, deter_dim, stoch_dim=6, **kwargs):
        super().__init__(**kwargs)
        self.deter_dim, self.stoch_dim = deter_dim, stoch_dim
        self.inp = layers.Dense(deter_dim, activation="elu")
        self.cell = layers.GRUCell(deter_dim)
        self.prior = layers.Dense(2 * stoch_dim)

    def initial(self, batch_size):
        stoch = tf.zeros((batch_size, self.stoch_dim))
        return {
            "mean": stoch,
            "std": tf.ones_like(stoch),
            "stoch": tf.zeros_like(stoch),
            "deter": tf.zeros((batch_size, self.deter_dim)),
        }

    def call(self, prev_state, action):
        x = self.inp(tf.concat([prev_state["stoch"], action], -1))
        deter, _ = self.cell(x, [prev_state["deter"]])
        mean, std = tf.split(self.prior(deter), 2, -1)
        std = tf.nn.softplus(std) + 0.1
        return {"mean": mean, "std": std, "stoch": mean + std * tf.random.normal(tf.shape(std)), "deter": deter}


class RSSMStuck(layers.Layer):
    def __init__(self, deter_dim, stoch_dim=6, **kwargs):
        super().__init__(**kwargs)
        self.deter_dim, self.stoch_dim = deter_dim, stoch_dim
        self.cell = layers.GRUCell(deter_dim)
        self.prior = layers.Dense(stoch_dim, activation="tanh")

    def initial(self, batch_size):
        return {"deter": tf.zeros((batch_size, self.deter_dim)), "stoch": tf.zeros((batch_size, self.stoch_dim))}

    def call(self, prev_state, action):
        deter, _ = self.cell(tf.concat([prev_state["stoch"], action], -1), [prev_state["deter"]])
        stoch = self.prior(deter)
        return {**prev_state, "stoch": stoch}  # expect: returned-old-state error 0


class _LSTMState(NamedTuple):
    hidden: Any
    cell: Any


class _Core(NamedTuple):
    lstm: _LSTMState
    t: Any


_Clocked = namedtuple("_Clocked", "fast slow tick")


class NamedTupleCore(layers.Layer):
    """Nested named tuples with a counter without axes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.lstm = layers.LSTMCell(units)

    def initial_state(self, batch_size):
        zeros = tf.zeros((batch_size, self.units))
        return _Core(_LSTMState(zeros, tf.identity(zeros)), tf.constant(0))

    def step(self, x, state):
        y, (h, c) = self.lstm(x, [state.lstm.hidden, state.lstm.cell])
        scale = 1.0 + tf.exp(-tf.cast(state.t, tf.float32))
        return y * scale, _Core(_LSTMState(h, c), state.t + 1)

    def call(self, xs):
        state, ys = self.initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class Clockwork(layers.Layer):
    """The slow part moves at every third step."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = _Clocked(units, units, 1)
        self.fast = layers.SimpleRNNCell(units)
        self.slow = layers.SimpleRNNCell(units)

    def get_initial_state(self, batch_size=None):
        fast, slow = tf.unstack(tf.zeros((2, batch_size, self.units)))
        return _Clocked(fast, slow, tf.zeros((batch_size, 1), tf.int64))

    def call(self, x, state):
        fast, _ = self.fast(tf.concat([x, state.slow], -1), [state.fast])
        candidate, _ = self.slow(fast, [state.slow])
        slow = tf.where(state.tick % 3 == 0, candidate, state.slow)
        return fast, _Clocked(fast, slow, state.tick + 1)


class NamedTupleOldInner(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.lstm = layers.LSTMCell(units)

    def initial_state(self, batch_size):
        zeros = tf.zeros((batch_size, self.units))
        return _Core(_LSTMState(zeros, tf.identity(zeros)), tf.constant(0.0))

    def step(self, x, state):
        (h, c), t = state
        y, (h_new, c_new) = self.lstm(x, [h, c])
        return y, _Core(_LSTMState(h_new, c), t + 1.0)  # expect: returned-old-state error 1

    def call(self, xs):
        state, ys = self.initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class ReplacedOnlyTheClock(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = _Clocked(units, units, 1)
        self.cell = layers.SimpleRNNCell(units)

    def get_initial_state(self, batch_size=None):
        zeros = tf.zeros((batch_size, self.units))
        return _Clocked(zeros, tf.identity(zeros), tf.zeros((batch_size, 1), tf.int32))

    def call(self, x, state):
        fast, _ = self.cell(x, [state.fast])
        slow = 0.9 * state.slow + 0.1 * fast
        return slow, state._replace(slow=slow, tick=state.tick + 1)  # expect: returned-old-state error 0


@dataclass
class _Memory:
    hidden: Any
    memory: Any


class DataclassModule(tf.Module):
    """A dataclass in and out."""

    def __init__(self, input_size, hidden_size, slots=3):
        super().__init__()
        self.hidden_size, self.slots = hidden_size, slots
        self.w = tf.Variable(tf.random.normal((input_size + 2 * hidden_size, hidden_size), stddev=0.4))
        self.address = tf.Variable(tf.random.normal((hidden_size, slots), stddev=0.4))

    def initial_state(self, batch_size):
        return _Memory(
            tf.zeros((batch_size, self.hidden_size)), tf.fill((batch_size, self.slots, self.hidden_size), 0.01)
        )

    def __call__(self, x, state: _Memory):
        where = tf.nn.softmax(state.hidden @ self.address)[..., None]
        read = tf.reduce_sum(where * state.memory, axis=1)
        hidden = tf.tanh(tf.concat([x, read, state.hidden], -1) @ self.w)
        return read, _Memory(hidden, (1 - where) * state.memory + where * hidden[:, None])


class DataclassModuleOld(tf.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size + 2 * hidden_size, hidden_size), stddev=0.4))

    def initial_state(self, batch_size):
        return _Memory(*(tf.zeros((batch_size, self.hidden_size)) for _ in range(2)))

    def __call__(self, x, state: _Memory):
        hidden = tf.tanh(tf.concat([x, state.hidden, state.memory], -1) @ self.w)
        memory = 0.5 * (state.memory + hidden)
        return hidden, _Memory(hidden, state.memory)  # expect: returned-old-state error 1


class CountsInPython(tf.Module):
    """A whole number of Python's own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.hidden_size)), 0

    def __call__(self, x, state):
        total, n = state
        total, n = total + x @ self.w, n + 1
        return total / n, (total, n)


class RingBuffer(layers.Layer):
    """An integer pointer for each row."""

    def __init__(self, units, length=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.length = units, length
        self.state_size = [(length, units), ()]
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.length, self.units)), tf.zeros((batch_size,), tf.int32)]

    def call(self, x, state):
        buffer, pointer = state
        h, _ = self.cell(x, [tf.gather(buffer, pointer, batch_dims=1)])
        where = tf.one_hot(pointer, self.length)[..., None]
        return h, [(1.0 - where) * buffer + where * h[:, None], (pointer + 1) % self.length]


class RefractoryCell(layers.Layer):
    """A bool mask beside the membrane."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = {"resting": units, "v": units}
        self.synapse = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return {"resting": tf.zeros((batch_size, self.units), tf.bool), "v": tf.zeros((batch_size, self.units))}

    def call(self, x, state):
        current = tf.where(state["resting"], 0.0, self.synapse(x))
        v = 0.8 * state["v"] + current
        fired = v > 0.3
        return tf.cast(fired, tf.float32), {"resting": fired, "v": tf.where(fired, 0.0, v)}


class ComplexUnit(layers.Layer):
    """Linear recurrent unit with a complex state."""

    def __init__(self, units, order=6, **kwargs):
        super().__init__(**kwargs)
        self.order = self.state_size = order
        self.re, self.im = layers.Dense(order), layers.Dense(order)
        self.out = layers.Dense(units)

    def build(self, input_shape, *rest):
        self.nu = self.add_weight(shape=(self.order,), initializer=keras.initializers.RandomUniform(-2, 0))
        self.theta = self.add_weight(shape=(self.order,), initializer=keras.initializers.RandomUniform(0, 3))

    def get_initial_state(self, batch_size=None):
        return tf.zeros((batch_size, self.order), tf.complex64)

    def call(self, x, state):
        lam = tf.exp(tf.complex(-tf.exp(ops.convert_to_tensor(self.nu)), ops.convert_to_tensor(self.theta)))
        state = lam * state + tf.complex(self.re(x), self.im(x))
        return self.out(tf.math.real(state)), state


class LazyCache(layers.Layer):
    """None until the first step."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.kv = layers.Dense(2 * units)

    def init_cache(self):
        return (None, None)

    def step(self, x, cache):
        last, memory = cache
        shifted = x if last is None else 0.5 * (x + last)
        k, v = ops.split(self.kv(shifted), 2, axis=-1)
        k = ops.sigmoid(k)
        memory = k * v if memory is None else (1.0 - k) * memory + k * v
        return memory, (x, memory)

    def call(self, xs):
        cache, ys = self.init_cache(), []
        for t in range(xs.shape[1]):
            y, cache = self.step(xs[:, t], cache)
            ys.append(y)
        return ops.stack(ys, axis=1)


class NoneStays(layers.Layer):
    """One leaf is None for good."""

    def __init__(self, units, normalise=False, **kwargs):
        super().__init__(**kwargs)
        self.units, self.normalise = units, normalise
        self.w = layers.Dense(units, activation="tanh")

    def initial_state(self, batch_size):
        h = tf.zeros((batch_size, self.units))
        return {"h": h, "n": tf.ones_like(h) if self.normalise else None}

    def step(self, x, state):
        h, n = state["h"], state["n"]
        h = h + self.w(tf.concat([x, h], -1))
        return (h, {"h": h, "n": None}) if n is None else (h / n, {"h": h, "n": n + 1})

    def call(self, xs):
        state, ys = self.initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class CountsAndStays(tf.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size)))

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.hidden_size)), 0

    def __call__(self, x, state):
        h, n = state
        h_next = tf.tanh(tf.concat([x, h], -1) @ self.w)
        return h_next, (h, n + 1)  # expect: returned-old-state error 0


class RingBufferUnwritten(layers.Layer):
    def __init__(self, units, length=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.length = units, length
        self.state_size = [(length, units), ()]
        self.cell = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.length, self.units)), tf.zeros((batch_size,), tf.int32)]

    def call(self, x, state):
        buffer, pointer = state
        h, _ = self.cell(x, [tf.gather(buffer, pointer, batch_dims=1)])
        where = tf.one_hot(pointer, self.length)[..., None]
        new_buffer = (1.0 - where) * buffer + where * h[:, None]
        return h, [buffer, (pointer + 1) % self.length]  # expect: returned-old-state error 0


class MembraneStays(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = {"resting": units, "v": units}
        self.synapse = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return {"resting": tf.zeros((batch_size, self.units), tf.bool), "v": tf.zeros((batch_size, self.units))}

    def call(self, x, state):
        current = tf.where(state["resting"], 0.0, self.synapse(x))
        v = 0.8 * state["v"] + current
        fired = v > 0.3
        return tf.cast(fired, tf.float32), {"resting": fired, "v": state["v"]}  # expect: returned-old-state error 1


class ComplexForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.drive = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return tf.zeros((batch_size, self.units), tf.complex64)

    def call(self, x, state):
        drive = self.drive(x)  # expect: ignored-recurrence error 0
        state = tf.complex(tf.cos(drive), tf.sin(drive))
        return tf.math.real(state), state


class NoneStaysSoDoesTheRest(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)

    def initial_state(self, batch_size):
        return {"extra": None, "h": tf.zeros((batch_size, self.units))}

    def step(self, x, state):
        h, _ = self.cell(x, [state["h"]])
        return h, dict(state)  # expect: returned-old-state error 0

    def call(self, xs):
        state, ys = self.initial_state(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


# 9. The state is only on self


class StatefulByVariable(layers.Layer):
    """A non-trainable weight of fixed batch size, assigned at each step."""

    def __init__(self, units, batch_size=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.batch_size = units, batch_size
        self.w = layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.state = self.add_weight(
            shape=(self.batch_size, self.units), initializer="zeros", trainable=False, name="state"
        )

    def reset_state(self):
        self.state.assign(ops.zeros_like(self.state))

    def call(self, x):
        h = self.w(ops.concatenate([x, ops.convert_to_tensor(self.state)], axis=-1))
        self.state.assign(h)
        return h


class StatefulPolicy(layers.Layer):
    """Plain attributes, None after reset_states()."""

    def __init__(self, units, actions=3, **kwargs):
        super().__init__(**kwargs)
        self.lstm = layers.LSTMCell(units)
        self.pi = layers.Dense(actions)
        self._memory = None

    def build(self, input_shape):
        self.lstm.build(input_shape)
        self.pi.build((None, self.lstm.units))

    def reset_states(self):
        self._memory = None

    def call(self, obs):
        memory = self._memory
        if memory is None:
            memory = self.lstm.get_initial_state(batch_size=obs.shape[0])
        h, self._memory = self.lstm(obs, memory)
        return self.pi(h)


class EchoState(layers.Layer):
    """The variable is made for the batch that comes first."""

    def __init__(self, units, leak=0.3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.leak = units, leak

    def build(self, input_shape):
        self.w_in = self.add_weight(shape=(input_shape[-1], self.units), trainable=False)
        self.w = self.add_weight(shape=(self.units, self.units), trainable=False)
        self.memory = tf.Variable(tf.zeros((input_shape[0] or 1, self.units)), trainable=False)

    def reset(self):
        self.memory.assign(tf.zeros_like(self.memory))

    def call(self, inputs):
        new = tf.tanh(inputs @ self.w_in + self.memory @ ops.convert_to_tensor(self.w))
        return self.memory.assign((1.0 - self.leak) * self.memory + self.leak * new).read_value()


class VariableNeverAssigned(layers.Layer):
    def __init__(self, units, batch_size=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.batch_size = units, batch_size
        self.w = layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        self.state = self.add_weight(shape=(self.batch_size, self.units), initializer="zeros", trainable=False)

    def reset_state(self):
        self.state.assign(ops.zeros_like(self.state))

    def call(self, x):
        h = self.w(ops.concatenate([x, ops.convert_to_tensor(self.state)], axis=-1))
        return h  # expect: returned-old-state error 0


class VariableNeverRead(layers.Layer):
    def __init__(self, units, batch_size=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.batch_size = units, batch_size
        self.wx = layers.Dense(units, activation="tanh")
        self.wh = layers.Dense(units)

    def build(self, input_shape):
        self.state = self.add_weight(shape=(self.batch_size, self.units), initializer="zeros", trainable=False)

    def reset_state(self):
        self.state.assign(ops.zeros_like(self.state))

    def call(self, x):
        h = self.wx(x)  # expect: ignored-recurrence error 0
        self.state.assign(h)
        return h


class StatefulResetsItself(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.SimpleRNNCell(units)
        self.h = None

    def build(self, input_shape):
        self.cell.build(input_shape)

    def reset(self, batch_size=1):
        self.h = ops.zeros((batch_size, self.units))

    def call(self, x):
        self.reset(x.shape[0])  # expect: ignored-recurrence error 0
        self.h, _ = self.cell(x, [self.h])
        return self.h


# 10. Further arguments without a default


class TimeAwareCell(layers.Layer):
    """ts: the time since the last step."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)
        self.rate = self.add_weight(shape=(units,), initializer="ones", name="rate")

    def call(self, x, h, ts):
        h = h * ops.exp(-ops.softplus(self.rate) * ts)
        h, _ = self.cell(x, [h])
        return h


class MaskedCell(layers.Layer):
    """One where a frame is real."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(units)

    def call(self, x, state, frame_mask):
        h, c = state
        _, (h_t, c_t) = self.cell(x, [h, c])
        h = frame_mask * h_t + (1.0 - frame_mask) * h
        c = frame_mask * c_t + (1.0 - frame_mask) * c
        return h, (h, c)


class ForgetsWhenDone(layers.Layer):
    """done: one where a new episode begins."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRUCell(units)
        self.value = layers.Dense(1)

    def call(self, obs, hidden, done):
        hidden, _ = self.gru(obs, [hidden * (1.0 - done)])
        return self.value(hidden), hidden


class Decoder(layers.Layer):
    """The decoder of the translation tutorial: (x, state, attention weights)."""

    def __init__(self, units, vocab=7, **kwargs):
        super().__init__(**kwargs)
        self.W1, self.W2, self.V = layers.Dense(units), layers.Dense(units), layers.Dense(1)
        self.gru = layers.GRUCell(units)
        self.fc = layers.Dense(vocab)

    def call(self, x, hidden, enc_output):
        score = self.V(tf.nn.tanh(self.W1(enc_output) + self.W2(tf.expand_dims(hidden, 1))))
        attention_weights = tf.nn.softmax(score, axis=1)
        context_vector = tf.reduce_sum(attention_weights * enc_output, axis=1)
        state, _ = self.gru(tf.concat([context_vector, x], axis=-1), [hidden])
        return self.fc(state), state, attention_weights


class OutputAttentionState(layers.Layer):
    """(out, attention, state)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.query = layers.Dense(units)
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(3)

    def call(self, x, state, memory):
        q = self.query(ops.concatenate([x, state], -1))
        weights = ops.softmax(ops.einsum("bd,btd->bt", q, memory))
        state, _ = self.gru(ops.einsum("bt,btd->bd", weights, memory) + q, [state])
        return self.out(state), weights, state


class StateOutAux(layers.Layer):
    """(state, out, aux)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(3)

    def call(self, state, x):
        state, _ = self.gru(x, [state])
        return state, self.out(state), {"activity": ops.mean(ops.abs(state))}


class WithAction(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(5)

    def call(self, obs, action, hidden):
        hidden, _ = self.gru(ops.concatenate([obs, action], axis=-1), [hidden])
        return self.out(hidden), hidden


class StepOfTime(layers.Layer):
    """t: which step this is."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Dense(units, activation="tanh")
        self.periods = np.arange(units) % 3 + 1

    def call(self, x, h, t):
        new = self.w(ops.concatenate([x, h], -1))
        return ops.where(ops.equal(ops.mod(t, self.periods), 0), new, h)


class ByLength(layers.Layer):
    """A sequence layer with lengths."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(units)

    def call(self, xs, h, lengths):
        outs = []
        for t in range(xs.shape[1]):
            new, _ = self.cell(xs[:, t], [h])
            alive = tf.cast(t < lengths, tf.float32)[:, None]
            h = alive * new + (1.0 - alive) * h
            outs.append(h * alive)
        return tf.stack(outs, axis=1), h


class ReturnsStateOnRequest(layers.Layer):
    """The state comes back only with return_state=True."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)
        self.head = layers.Dense(2)

    def call(self, x, state=None, return_state=False):
        if state is None:
            state = ops.zeros((ops.shape(x)[0], self.units))
        state, _ = self.cell(x, [state])
        return (self.head(state), state) if return_state else self.head(state)


class TimeAwareOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(units)

    def call(self, x, h, elapsed_time):
        h_new, _ = self.cell(x, [h / (1.0 + elapsed_time)])
        return h_new, h  # expect: returned-old-state error 0


class MaskedOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(units)

    def call(self, x, state, frame_mask):
        h, c = state
        _, (h_t, c_t) = self.cell(x, [h, c])
        h_t = frame_mask * h_t + (1.0 - frame_mask) * h
        c_t = frame_mask * c_t + (1.0 - frame_mask) * c
        return h_t, (h_t, c)  # expect: returned-old-state error 1


class DoneForgetsAlways(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRUCell(units)
        self.value = layers.Dense(1)

    def call(self, obs, hidden, done):
        hidden = ops.zeros_like(hidden) * (1.0 - done)  # expect: ignored-recurrence error 0
        hidden, _ = self.gru(obs, [hidden])
        return self.value(hidden), hidden


class DecoderOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.W1, self.W2, self.V = layers.Dense(units), layers.Dense(units), layers.Dense(1)
        self.gru = layers.GRUCell(units)
        self.fc = layers.Dense(7)

    def call(self, x, hidden, enc_output):
        score = self.V(tf.nn.tanh(self.W1(enc_output) + self.W2(hidden)[:, None]))
        attention_weights = tf.nn.softmax(score, axis=1)
        context_vector = tf.reduce_sum(attention_weights * enc_output, axis=1)
        state, _ = self.gru(tf.concat([context_vector, x], axis=-1), [hidden])
        return self.fc(state), hidden, attention_weights  # expect: returned-old-state error 0


class StateOutAuxOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(3)

    def call(self, state, x):
        new_state, _ = self.gru(x, [state])
        return state, self.out(new_state), ops.mean(ops.abs(new_state))  # expect: returned-old-state error 0


class ActionWithoutMemory(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.obs, self.act, self.rec = layers.Dense(units), layers.Dense(units), layers.Dense(units)

    def call(self, obs, action, hidden):
        z = self.obs(obs)  # expect: ignored-recurrence error 0
        hidden = ops.tanh(z + self.act(action))
        return hidden


class LengthsOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(units)

    def call(self, xs, h0, lengths):
        h, outs = h0, []
        for t in range(xs.shape[1]):
            new, _ = self.cell(xs[:, t], [h])
            alive = tf.cast(t < lengths, tf.float32)[:, None]
            h = alive * new + (1.0 - alive) * h
            outs.append(h * alive)
        return tf.stack(outs, axis=1), h0  # expect: returned-old-state error 0


class RequestedStateIsOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)
        self.head = layers.Dense(2)

    def call(self, x, state=None, return_state=False):
        if state is None:
            state = ops.zeros((ops.shape(x)[0], self.units))
        new_state, _ = self.cell(x, [state])
        if not return_state:
            return self.head(new_state)
        return self.head(new_state), state  # expect: returned-old-state error 0


# More of 5 to 10: the same conventions in other hands


class TwinStates(layers.Layer):
    """(x, fast, slow) -> (fast, slow), both optional."""

    def __init__(self, hidden_dim, tau=2.0, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim, self.tau = hidden_dim, tau
        self.fast = layers.GRUCell(hidden_dim)
        self.slow = layers.Dense(hidden_dim, activation="tanh")

    def call(self, u, h_fast=None, h_slow=None):
        zeros = tf.zeros((tf.shape(u)[0], self.hidden_dim))
        h_fast = zeros if h_fast is None else h_fast
        h_slow = zeros if h_slow is None else h_slow
        h_fast, _ = self.fast(tf.concat([u, h_slow], 1), [h_fast])
        return h_fast, h_slow + (self.slow(h_fast) - h_slow) / self.tau


class SpreadHandsBack(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.core = layers.LSTMCell(units)

    def call(self, x, h, c):
        _, (h_new, c_new) = self.core(x, [h, c])
        return h, c_new  # expect: returned-old-state error 0


class MixtureStep(layers.Layer):
    """(z, h, c) -> (mixture, h, c), all required."""

    def __init__(self, units, mixtures=3, **kwargs):
        super().__init__(**kwargs)
        self.rnn = layers.LSTMCell(units)
        self.mdn = layers.Dense(2 * mixtures)

    def call(self, z, h, c):
        y, (h, c) = self.rnn(z, [h, c])
        weights, means = ops.split(self.mdn(y), 2, axis=-1)
        return ops.concatenate([ops.softmax(weights), means], axis=-1), h, c


class MixtureForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.x, self.h = layers.Dense(2 * units), layers.Dense(2 * units)
        self.mdn = layers.Dense(6)

    def call(self, z, h, c):
        g, o = ops.split(self.x(z), 2, axis=-1)  # expect: ignored-recurrence error
        c = ops.tanh(g)
        h = ops.sigmoid(o) * c
        return self.mdn(h), h, c


class RecurrentSpikes(layers.Layer):
    """(x, spk, mem) -> (spk, mem): the spikes are output and state."""

    def __init__(self, units, beta=0.8, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.fc, self.rec = layers.Dense(units), layers.Dense(units)

    def call(self, inputs, spk, mem):
        mem = self.beta * mem + self.fc(inputs) + self.rec(spk) - 0.2 * spk
        spk = _spike(mem - 0.2)
        return spk, mem


class LeakyWithoutLeak(layers.Layer):
    """The membrane is charged anew at each step."""

    def __init__(self, units, beta=0.9, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.fc = layers.Dense(units)

    def call(self, inputs, syn, mem):
        current = self.fc(inputs)  # expect: ignored-recurrence error
        syn = self.beta * current
        mem = self.beta * syn + current
        return _spike(mem - 0.1), syn, mem


class GroupedMemories(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.GRUCell(units)
        self.write = layers.Dense(2 * units, activation="tanh")

    def call(self, x, hidden, memories):
        upper, lower = memories
        hidden, _ = self.cell(ops.concatenate([x, upper, lower], axis=-1), [hidden])
        du, dl = ops.split(self.write(hidden), 2, axis=-1)
        return hidden, (0.7 * upper + du, 0.3 * lower + dl)


class GroupedIgnoresHidden(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.i2h, self.h2h = layers.Dense(units), layers.Dense(units)

    def call(self, x, h, memories):
        upper, lower = memories
        a = self.i2h(x)  # expect: ignored-recurrence warning 0
        h = ops.tanh(a + upper - lower)
        return h, (0.9 * upper + 0.2 * h, 0.5 * lower + 0.1 * a)


class CarryLSTM(layers.Layer):
    """((c, h), x) -> ((c, h), y)."""

    def __init__(self, features, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(features)
        self.head = layers.Dense(3)

    def call(self, carry, inputs):
        c, h = carry
        y, (h, c) = self.cell(inputs, [h, c])
        return (c, h), self.head(y)


class JordanStep(layers.Layer):
    """(h, x) -> h."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.net = layers.Dense(units, activation="tanh")

    def call(self, h, x):
        return h + 0.5 * self.net(tf.concat([h, x], axis=1))


class StateFirstHandsBack(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.net = layers.Dense(units, activation="tanh")

    def call(self, prev_state, x):
        next_state = prev_state + 0.5 * self.net(tf.concat([prev_state, x], axis=1))
        return prev_state  # expect: returned-old-state error 0


class StateFirstForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.a, self.r = layers.Dense(units), layers.Dense(units)

    def call(self, h, x):
        z = self.a(x)  # expect: ignored-recurrence error 0
        return tf.sigmoid(z) * tf.tanh(z)


class Predictor(layers.Layer):
    """forward_one_step() for the beam search, call() for training."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.LSTMCell(units)
        self.rnn = layers.RNN(self.cell, return_sequences=True)

    def init_state(self, batch_size):
        return self.cell.get_initial_state(batch_size=batch_size)

    def forward_one_step(self, y, state):
        return self.cell(y, state)

    def call(self, ys):
        return self.rnn(ys)


class MemoryStream(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.embed, self.mix = layers.Dense(units), layers.Dense(units, activation="tanh")

    def forward_one_step(self, x, memory=None):
        if memory is None:
            memory = ops.zeros((x.shape[0], self.units))
        e = self.embed(x)
        memory = 0.7 * memory + 0.3 * self.mix(ops.concatenate([e, memory], axis=-1))
        return e + memory, memory

    def call(self, xs):
        memory, ys = None, []
        for t in range(xs.shape[1]):
            y, memory = self.forward_one_step(xs[:, t], memory)
            ys.append(y)
        return ops.stack(ys, axis=1)


class OneStepKeepsOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(units)
        self.out = layers.Dense(9)

    def forward_one_step(self, y, state):
        h, c = state
        out, (h_t, c_t) = self.cell(y, [h, c])
        return self.out(out), [h_t, c]  # expect: returned-old-state error 1

    def call(self, ys):
        raise NotImplementedError("train with the parallel version")


class CacheNeverFilled(layers.Layer):
    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.dense = layers.Dense(filters)

    def call(self, xs):
        padded = ops.pad(xs, ((0, 0), (self.kernel_size - 1, 0), (0, 0)))
        length = xs.shape[1]
        return self.dense(ops.concatenate([padded[:, i : i + length] for i in range(self.kernel_size)], -1))

    def step(self, x, cache=None):
        if cache is None:
            cache = ops.zeros((x.shape[0], self.kernel_size - 1, x.shape[-1]))
        window = ops.concatenate([cache, ops.expand_dims(x, 1)], axis=1)
        new_cache = window[:, 1:]
        return self.dense(ops.reshape(window, (x.shape[0], -1))), cache  # expect: returned-old-state error 0


class CacheNeverRead(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inp, self.rec = layers.Dense(units, activation="tanh"), layers.Dense(units)

    def init_cache(self, batch_size):
        return ops.zeros((batch_size, self.units))

    def call(self, xs):
        return self.inp(xs)

    def step(self, x, cache):
        cache = self.inp(x)  # expect: ignored-recurrence error 0
        return cache, cache


class DeltaRule(layers.Layer):
    """q, k, v and fast weights that the delta rule overwrites."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.beta = layers.Dense(1, activation="sigmoid")

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.dim, self.dim))

    def call(self, query, key, value, state):
        key = tf.math.l2_normalize(key, axis=-1)
        error = value - tf.einsum("bij,bj->bi", state, key)
        state = state + tf.einsum("bi,bj->bij", self.beta(key) * error, key)
        return tf.einsum("bij,bj->bi", state, query), state


class AttentionOverNothing(layers.Layer):
    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.norm = layers.LayerNormalization()

    def initial_state(self, batch_size):
        return tf.zeros((batch_size, self.dim, self.dim))

    def call(self, query, key, value, state):
        state = tf.einsum("bi,bj->bij", value, key)  # expect: ignored-recurrence error 0
        return self.norm(tf.einsum("bij,bj->bi", state, query)), state


class KeywordGRU(layers.Layer):
    """call(x, *, hidden=None)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(2)

    def call(self, x, *, hidden=None):
        hidden = ops.zeros((ops.shape(x)[0], self.units)) if hidden is None else hidden
        hidden, _ = self.gru(x, [hidden])
        return self.out(hidden), hidden


class UnpackedDictKeepsC(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.LSTMCell(units)

    def init_state(self, batch_size):
        return {"c": ops.zeros((batch_size, self.units)), "h": ops.zeros((batch_size, self.units))}

    def step(self, x, **state):
        y, (h, c) = self.cell(x, [state["h"], state["c"]])
        return y, {**state, "h": h}  # expect: returned-old-state error 0

    def call(self, xs):
        return xs


class UnpackedDictForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.x, self.r = layers.Dense(2 * units), layers.Dense(2 * units)

    def init_state(self, batch_size):
        return {"c": ops.zeros((batch_size, self.units)), "h": ops.zeros((batch_size, self.units))}

    def step(self, x, h, c):
        g, o = ops.split(self.x(x), 2, axis=-1)  # expect: ignored-recurrence error
        c = ops.tanh(g)
        return c, {"c": c, "h": ops.sigmoid(o) * c}

    def call(self, xs):
        return xs


class NestedDict(layers.Layer):
    """A dict within a dict."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"actor": units, "critic": {"c": units, "h": units}}
        self.actor, self.critic = layers.GRUCell(units), layers.LSTMCell(units)

    def call(self, inputs, states):
        actor, _ = self.actor(inputs, [states["actor"]])
        y, (h, c) = self.critic(inputs, [states["critic"]["h"], states["critic"]["c"]])
        return actor + y, {"actor": actor, "critic": {"c": c, "h": h}}


class DictForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"h": units, "slow": units}
        self.inp, self.rec = layers.Dense(units), layers.Dense(units)

    def call(self, inputs, states):
        z = self.inp(inputs)  # expect: ignored-recurrence warning 0
        h = ops.tanh(z + states["slow"])
        return h, {"h": h, "slow": 0.9 * states["slow"] + 0.1 * h}


class OneDictForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.inp, self.rec, self.head = layers.Dense(units), layers.Dense(units), layers.Dense(2)

    def call(self, x, state):
        z = self.inp(x)  # expect: ignored-recurrence error 0
        state = ops.tanh(z)
        return {"output": self.head(state), "state": state}


class DeterministicRSSM(layers.Layer):
    """Categorical latents, straight through."""

    def __init__(self, deter_dim, groups=3, classes=4, **kwargs):
        super().__init__(**kwargs)
        self.deter_dim, self.groups, self.classes = deter_dim, groups, classes
        self.cell = layers.GRUCell(deter_dim)
        self.logit = layers.Dense(groups * classes)

    def initial(self, batch_size):
        return {
            "deter": tf.zeros((batch_size, self.deter_dim)),
            "stoch": tf.zeros((batch_size, self.groups * self.classes)),
        }

    def call(self, prev_state, action):
        deter, _ = self.cell(tf.concat([prev_state["stoch"], action], -1), [prev_state["deter"]])
        probs = tf.nn.softmax(tf.reshape(self.logit(deter), (-1, self.groups, self.classes)))
        sample = tf.one_hot(tf.argmax(probs, axis=-1), self.classes)
        stoch = tf.stop_gradient(sample - probs) + probs
        return {"deter": deter, "stoch": tf.reshape(stoch, (-1, self.groups * self.classes))}


class RSSMForgets(layers.Layer):
    def __init__(self, deter_dim, **kwargs):
        super().__init__(**kwargs)
        self.deter_dim = deter_dim
        self.inp, self.rec = layers.Dense(deter_dim), layers.Dense(deter_dim)

    def initial(self, batch_size):
        zeros = tf.zeros((batch_size, self.deter_dim))
        return {"deter": zeros, "stoch": tf.identity(zeros)}

    def call(self, prev_state, action):
        x = self.inp(action)  # expect: ignored-recurrence error
        deter = tf.tanh(x)
        return {"deter": deter, "stoch": deter + 0.1 * tf.random.normal(tf.shape(deter))}


class DataclassSpring(tf.Module):
    """Position and velocity in a dataclass."""

    def __init__(self, input_size, hidden_size, dt=0.1):
        super().__init__()
        self.dt = dt
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))

    def initial_state(self, batch_size):
        return _Memory(*(tf.zeros((batch_size, self.hidden_size)) for _ in range(2)))

    def __call__(self, x, state: _Memory):
        velocity = state.memory + self.dt * (x @ self.w - state.hidden - 0.3 * state.memory)
        position = state.hidden + self.dt * velocity
        return position, _Memory(position, velocity)


class DataclassForgets(tf.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = tf.Variable(tf.random.normal((input_size, hidden_size)))
        self.u = tf.Variable(tf.random.normal((hidden_size, hidden_size)))

    def initial_state(self, batch_size):
        return _Memory(*(tf.zeros((batch_size, self.hidden_size)) for _ in range(2)))

    def __call__(self, x, state: _Memory):
        z = tf.matmul(x, self.w)  # expect: ignored-recurrence error
        hidden = tf.tanh(z)
        return hidden, _Memory(hidden, tf.sigmoid(z))


class SpokenTokens(layers.Layer):
    """Indices of what it said last, beside a hidden state."""

    def __init__(self, units, vocab=7, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, ()]
        self.embedding = layers.Embedding(vocab, units)
        self.cell = layers.GRUCell(units)
        self.logits = layers.Dense(vocab)

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units)), tf.zeros((batch_size,), tf.int64)]

    def call(self, inputs, states):
        h, token = states
        h, _ = self.cell(tf.concat([inputs, self.embedding(token)], -1), [h])
        logits = self.logits(h)
        return logits, [h, tf.argmax(logits, axis=-1)]


class FiredOnce(layers.Layer):
    """A bool for each unit: has it fired yet?"""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.w = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, self.units)
        return [tf.zeros(shape), tf.zeros(shape, tf.bool)]

    def call(self, inputs, states):
        h, fired = states
        a = self.w(tf.concat([inputs, h], -1))
        h = tf.where(fired, 0.9 * h + 0.1 * a, a)
        return h, [h, fired | (h > 0.3)]


class PhaseHandsBack(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.turn = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [tf.ones((batch_size, self.units), tf.complex64)]

    def call(self, inputs, states):
        (z,) = states
        angle = self.turn(inputs)
        turned = z * tf.complex(tf.cos(angle), tf.sin(angle)) + tf.complex(angle, 0.0 * angle)
        return tf.math.real(turned), [z]  # expect: returned-old-state error 0


class LazyCacheFirstOnly(layers.Layer):
    """Filled at the first step and never again."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Dense(dim, activation="tanh")

    def init_cache(self):
        return (None,)

    def step(self, x, cache):
        (memory,) = cache
        if memory is None:
            return x, (x,)
        memory_new = self.w(tf.concat([x, memory], -1))
        return memory_new, (memory,)  # expect: returned-old-state error 0

    def call(self, xs):
        return xs


class StatefulTrace(layers.Layer):
    """reset_state(batch) makes the tensor."""

    def __init__(self, units, tau=2.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.tau = units, tau
        self.fc = layers.Dense(units)

    def build(self, input_shape):
        self.fc.build(input_shape)

    def reset_state(self, batch_size=1):
        self.trace = tf.zeros((batch_size, self.units))

    def call(self, x):
        self.trace = self.trace + (self.fc(x) - self.trace) / self.tau
        return _spike(self.trace - 0.1)


class StatefulNeverStores(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell, self.out = layers.GRUCell(units), layers.Dense(2)

    def build(self, input_shape):
        self.cell.build(input_shape)
        self.out.build((None, self.units))

    def reset_state(self, batch_size=1):
        self.h = tf.zeros((batch_size, self.units))

    def call(self, x):
        h, _ = self.cell(x, [self.h])
        return self.out(h)  # expect: returned-old-state error 0


# Pairs that could be (h, c) or (output, h)


class IntersectionStep(layers.Layer):
    """(x, h) -> (out, h), all of one width."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.state_size = dim
        self.yin, self.hin = layers.Dense(dim, activation="relu"), layers.Dense(dim, activation="tanh")
        self.gy, self.gh = layers.Dense(dim, activation="sigmoid"), layers.Dense(dim, activation="sigmoid")

    def call(self, x, h):
        both = ops.concatenate([x, h], axis=-1)
        gy, gh = self.gy(both), self.gh(both)
        h = gh * h + (1.0 - gh) * self.hin(both)
        return gy * x + (1.0 - gy) * self.yin(both), h


class JANETStep(layers.Layer):
    """(x, (h, c)) -> (h, c), and h is c."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.lin = layers.Dense(2 * units)

    def call(self, x, hc):
        h, c = hc
        s, g = ops.split(self.lin(ops.concatenate([x, h], -1)), 2, axis=-1)
        c = ops.sigmoid(s) * c + (1.0 - ops.sigmoid(s - 1.0)) * ops.tanh(g)
        return c, c


class ClosedFormStep(layers.Layer):
    """CfC: (x, h, ts) -> (h, h)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.backbone = layers.Dense(12, activation="silu")
        self.ff1, self.ff2 = layers.Dense(units, activation="tanh"), layers.Dense(units, activation="tanh")
        self.a, self.b = layers.Dense(units), layers.Dense(units)

    def call(self, x, h, ts):
        z = self.backbone(ops.concatenate([x, h], -1))
        t = ops.sigmoid(self.a(z) * ts + self.b(z))
        h = (1.0 - t) * self.ff1(z) + t * self.ff2(z)
        return h, h


class OutputAsWide(layers.Layer):
    """(x, h) -> (out, h), equal in shape, without saying so."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.gru = layers.GRUCell(units)
        self.out = layers.Dense(units, activation="tanh")

    def call(self, x, h):
        h, _ = self.gru(x, [h])
        return self.out(h), h


class IntersectionOld(layers.Layer):
    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.state_size = dim
        self.hin, self.gh = layers.Dense(dim, activation="tanh"), layers.Dense(dim, activation="sigmoid")

    def call(self, x, h):
        both = ops.concatenate([x, h], axis=-1)
        gh = self.gh(both)
        new = gh * h + (1.0 - gh) * self.hin(both)
        out = ops.relu(x) + new
        return out, h  # expect: returned-old-state error 0


class ClosedFormForgets(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.ff, self.rec, self.a = layers.Dense(units, activation="tanh"), layers.Dense(units), layers.Dense(units)

    def call(self, x, h, ts):
        t = ops.sigmoid(self.a(x) * ts)  # expect: ignored-recurrence error 0
        h = t * self.ff(x)
        return h, h


# Images and graphs


class ConvLSTMCell(layers.Layer):
    """Channels last; h, c from zeros of the input's height and width."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.state_size = -1
        self.conv = layers.Conv2D(4 * filters, kernel_size, padding="same")

    def build(self, input_shape):
        self.image_size = tuple(input_shape[1:3])

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, *self.image_size, self.filters)
        return [ops.zeros(shape), ops.zeros(shape)]

    def call(self, inputs, states):
        h, c = states
        i, f, g, o = ops.split(self.conv(ops.concatenate([inputs, h], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class ConvGRUStep(layers.Layer):
    """The state may be left out."""

    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.gates = layers.Conv2D(2 * filters, kernel_size, padding="same", activation="sigmoid")
        self.candidate = layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, x, h=None):
        if h is None:
            h = tf.zeros((*x.shape[:3], self.filters))
        r, z = tf.split(self.gates(tf.concat([x, h], -1)), 2, axis=-1)
        return (1.0 - z) * h + z * self.candidate(tf.concat([x, r * h], -1))


class ConvRNN1D(layers.Layer):
    """Signals: (B, L, C). No provider and no default."""

    def __init__(self, filters, kernel_size=5, **kwargs):
        super().__init__(**kwargs)
        self.x = layers.Conv1D(filters, kernel_size, padding="same")
        self.h = layers.Conv1D(filters, kernel_size, padding="same", use_bias=False)

    def call(self, x, h):
        h = ops.tanh(self.x(x) + self.h(h))
        return h, h


class ConvGRU3D(layers.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.z = layers.Conv3D(filters, 3, padding="same", activation="sigmoid")
        self.n = layers.Conv3D(filters, 3, padding="same", activation="tanh")

    def call(self, volume, state=None):
        if state is None:
            state = ops.zeros((*volume.shape[:-1], self.filters))
        both = ops.concatenate([volume, state], axis=-1)
        z = self.z(both)
        state = (1.0 - z) * state + z * self.n(both)
        return state, state


class GraphGRU(layers.Layer):
    """Batch x nodes x features, with a dense adjacency matrix."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gates = layers.Dense(2 * units, activation="sigmoid")
        self.candidate = layers.Dense(units, activation="tanh")

    def call(self, x, h, adjacency):
        around = tf.einsum("nm,bmf->bnf", adjacency, tf.concat([x, h], -1))
        z, r = tf.split(self.gates(around), 2, axis=-1)
        return z * h + (1.0 - z) * self.candidate(tf.concat([x, r * h, around], -1))


class LayersFirst(layers.Layer):
    """One step, with a state (layers, batch, units)."""

    def __init__(self, units, num_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.num_layers = units, num_layers
        self.cells = [layers.GRUCell(units) for _ in range(num_layers)]

    def init_hidden(self, batch_size):
        return ops.zeros((self.num_layers, batch_size, self.units))

    def step(self, x, hidden):
        new = []
        for index, cell in enumerate(self.cells):
            x, _ = cell(x, [hidden[index]])
            new.append(x)
        return x, ops.stack(new)

    def call(self, xs):
        state, ys = self.init_hidden(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class ConvLSTMOld(layers.Layer):
    def __init__(self, filters, kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.state_size = -1
        self.conv = layers.Conv2D(3 * filters, kernel_size, padding="same")

    def build(self, input_shape):
        self.image_size = tuple(input_shape[1:3])

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, *self.image_size, self.filters)
        return [ops.zeros(shape), ops.zeros(shape)]

    def call(self, inputs, states):
        h, c = states
        f, g, o = ops.split(self.conv(ops.concatenate([inputs, h], axis=-1)), 3, axis=-1)
        c_new = ops.sigmoid(f) * c + ops.tanh(g)
        h_new = ops.sigmoid(o) * ops.tanh(c_new)
        return h_new, [h_new, c]  # expect: returned-old-state error 1


class ConvForgets(layers.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.x = layers.Conv2D(filters, 3, padding="same")
        self.h = layers.Conv2D(filters, 3, padding="same")

    def call(self, x, h):
        a = self.x(x)  # expect: ignored-recurrence error 0
        return ops.tanh(a)


class GraphOld(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.update = layers.Dense(units, activation="tanh")

    def call(self, x, h, adjacency):
        around = tf.einsum("nm,bmf->bnf", adjacency, tf.concat([x, h], -1))
        h_new = 0.5 * h + 0.5 * self.update(around)
        return h_new, h  # expect: returned-old-state error 0


class LayersFirstOld(layers.Layer):
    def __init__(self, units, num_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.num_layers = units, num_layers
        self.cells = [layers.GRUCell(units) for _ in range(num_layers)]

    def init_hidden(self, batch_size):
        return ops.zeros((self.num_layers, batch_size, self.units))

    def step(self, x, hidden):
        new = []
        for index, cell in enumerate(self.cells):
            x, _ = cell(x, [hidden[index]])
            new.append(x)
        new_hidden = ops.stack(new)
        return x, hidden  # expect: returned-old-state error 0

    def call(self, xs):
        state, ys = self.init_hidden(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, state = self.step(xs[:, t], state)
            ys.append(y)
        return ops.stack(ys, axis=1)


class Decaying(layers.Layer):
    """Values, which of them were observed, and for how long each was not: as one input of three."""

    def __init__(self, units, features=5, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, features]
        self.cell = layers.GRUCell(units)
        self.decay_x, self.decay_h = layers.Dense(features), layers.Dense(units)

    def call(self, inputs, states):
        x, m, delta = inputs
        h, last = states
        x_hat = m * x + (1 - m) * ops.exp(-ops.relu(self.decay_x(delta))) * last
        h = h * ops.exp(-ops.relu(self.decay_h(delta)))
        out, [h] = self.cell(ops.concatenate([x_hat, m], axis=-1), [h])
        return out, [h, m * x + (1 - m) * last]


class DecayingOnly(Decaying):
    def call(self, inputs, states):
        x, m, delta = inputs
        h, last = states
        x_hat = m * x + (1 - m) * ops.exp(-ops.relu(self.decay_x(delta))) * last
        out, _ = self.cell(ops.concatenate([x_hat, m], axis=-1), [h * ops.exp(-ops.relu(self.decay_h(delta)))])
        return out, [h, m * x + (1 - m) * last]  # expect: returned-old-state error 0


class DrivenByItsOwnLoop(keras.Model):
    """A recurrent actor, which nobody hands to ``keras.layers.RNN``."""

    def __init__(self, num_actions, rnn_units=16):
        super().__init__()
        self.rnn_units = rnn_units
        self.core, self.head = layers.LSTMCell(rnn_units), layers.Dense(num_actions)

    def call(self, obs, state):
        x, state = self.core(obs, state)
        return self.head(x), state


class HandsOutItsFirstState(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.LSTMCell(units)

    def init_hidden(self, batch_size):
        return ops.zeros((batch_size, self.units)), ops.zeros((batch_size, self.units))

    def call(self, x, hidden):
        h, [h, c] = self.cell(x, list(hidden))
        return h, (h, c)


class DeclaresAShape(layers.Layer):
    """A tuple of sizes is a shape to whoever wrote it, and a nest to Keras, which makes no first state of it."""

    def __init__(self, d_model, d_conv=3, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.window = d_model, d_conv
        self.state_size = [(self.inner, self.window), self.inner]
        self.project = layers.Dense(self.inner)

    def build(self, shape):
        self.kernel = self.add_weight(shape=(self.inner, self.window), name="kernel")

    def call(self, u, states):  # expect: graph-mismatch warning
        seen, h = states
        seen = ops.concatenate([seen[..., 1:], self.project(u)[..., None]], axis=-1)
        h = 0.9 * h + ops.tanh(ops.sum(seen * self.kernel, axis=-1))
        return h, [seen, h]


class StepsInAGraph(tf.Module):
    """Its steps are functions of TensorFlow."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = tf.Variable(tf.random.normal((input_size + hidden_size, hidden_size), stddev=0.3))

    @tf.function
    def step(self, x, state):
        new = tf.tanh(tf.concat([x, state], -1) @ self.w)
        return new, state  # expect: returned-old-state error 0


class TimeBesideTheInput(layers.Layer):
    """The input is (x, elapsed), told by its type."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.decay = layers.Dense(units, activation="relu")
        self.update = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        elapsed = None
        if isinstance(inputs, (tuple, list)) and len(inputs) > 1:
            elapsed = inputs[1]
            inputs = inputs[0]
        h = states[0] * tf.exp(-self.decay(elapsed))
        h = 0.5 * h + 0.5 * self.update(tf.concat([inputs, h], axis=-1))
        return h, [h]


class TimeByIndexKeepsOld(TimeBesideTheInput):
    def call(self, inputs, states):
        x = inputs[0]
        dt = inputs[1]
        h = states[0] * tf.exp(-self.decay(dt))
        h = 0.5 * h + 0.5 * self.update(tf.concat([x, h], axis=-1))
        return h, states  # expect: returned-old-state error 0


class StartsFromAnArray(layers.Layer):
    """The first state is a NumPy array, of which Keras makes a tensor."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.update = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return np.full((batch_size, self.units), 0.3)

    def call(self, inputs, states):
        h = states[0] + 0.1 * self.update(tf.concat([inputs, states[0]], axis=-1))
        return h, [h]


class StartsFromABatchOfItsOwn(StartsFromAnArray):
    """Made for the batch that its author had, of another number of rows."""

    def get_initial_state(self, batch_size=None):
        return np.linspace(0.0, 1.0, 4 * self.units, dtype="float32").reshape(4, self.units)


class ImaginesFromTheOldDeter(tf.Module):
    """The new value has two names, of which one is the slot's."""

    def __init__(self, deter=8, stoch=4):
        super().__init__()
        self._deter, self._stoch = deter, stoch
        self._cell = layers.GRUCell(deter)
        self._into, self._within, self._out = (layers.Dense(size) for size in (deter, deter, stoch))

    def initial(self, batch_size):
        return {"stoch": tf.zeros((batch_size, self._stoch)), "deter": tf.zeros((batch_size, self._deter))}

    def step(self, prev_state, action):
        x = self._into(tf.concat([prev_state["stoch"], action], -1))
        x, deter = self._cell(x, [prev_state["deter"]])
        deter = deter[0]
        x = tf.nn.elu(self._within(x))
        prior = {"stoch": self._out(x), "deter": prev_state["deter"]}
        return prior  # expect: returned-old-state error 1


class _PrivateCell(layers.Layer):
    """Its name alone would be refused as the outermost scope of a graph."""

    def __init__(self, units=8):
        super().__init__()
        self.units = self.state_size = units
        self.update = layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        h = self.update(tf.concat([inputs, states[0]], axis=-1))
        return h, [h]


def makes_a_private_cell():
    return _PrivateCell()


def unbuilt_in_both_directions():
    """The layers inside are built for sequences."""
    return layers.Bidirectional(layers.LSTM(8))


class HearsConstants(layers.Layer):
    """As keras.layers.RNN passes them."""

    def __init__(self, units):
        super().__init__()
        self.state_size = units
        self.enter, self.again = layers.Dense(units), layers.Dense(units)

    def call(self, inputs, states, constants):
        h = tf.tanh(self.enter(tf.concat([inputs, constants[0]], -1)) + self.again(states[0]))
        return h, [h]


class HearsConstantsOld(HearsConstants):
    def call(self, inputs, states, constants):
        h = tf.tanh(self.enter(tf.concat([inputs, constants[0]], -1)) + self.again(states[0]))
        return h, states  # expect: returned-old-state error


class TwoInputsOfAnyNesting(layers.Layer):
    """One of them has two axes, which only ``build`` tells."""

    def __init__(self, unit_1, unit_2, unit_3):
        super().__init__()
        self.sizes = unit_1, unit_2, unit_3
        self.state_size = [tf.TensorShape([unit_1]), tf.TensorShape([unit_2, unit_3])]

    def build(self, input_shapes):
        one, (_, two, three) = input_shapes[0][1], input_shapes[1]
        self.kernel_1 = self.add_weight(shape=(one, self.sizes[0]), name="kernel_1")
        self.kernel_2_3 = self.add_weight(shape=(two, three, *self.sizes[1:]), name="kernel_2_3")

    def call(self, inputs, states):
        input_1, input_2 = tf.nest.flatten(inputs)
        s1, s2 = states
        s1 = 0.9 * s1 + tf.matmul(input_1, self.kernel_1)
        s2 = 0.9 * s2 + tf.tensordot(input_2, self.kernel_2_3, axes=[[1, 2], [0, 1]])
        return (s1, s2), (s1, s2)


class ScansItsSequence(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.enter, self.again = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, x):
        u = tf.transpose(self.enter(x), [1, 0, 2])
        h = tf.scan(lambda h, ut: tf.tanh(ut + self.again(h)), u, initializer=tf.zeros_like(u[0]))
        return tf.transpose(h, [1, 0, 2])


class ScansItsSequenceAfresh(ScansItsSequence):
    def call(self, x):  # expect: ignored-recurrence error
        u = tf.transpose(self.enter(x), [1, 0, 2])
        h = tf.scan(lambda h, ut: tf.tanh(ut + self.again(0 * h)), u, initializer=tf.zeros_like(u[0]))
        return tf.transpose(h, [1, 0, 2])


class UnstacksItsSequence(ScansItsSequence):
    def call(self, x):
        h, outputs = self.enter(x[:, 0]), []
        for xt in tf.unstack(x, axis=1):
            h = tf.tanh(self.enter(xt) + self.again(h))
            outputs.append(h)
        return tf.stack(outputs, 1)


class KeepsItsOutputForTheCaller(layers.Layer):
    """A simple recurrent unit: the old output is taken out of the state, and has no use."""

    def __init__(self, units):
        super().__init__()
        self.units, self.state_size = units, [units, units]
        self.gates = layers.Dense(3 * units)

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        z, f, o = tf.split(self.gates(inputs), 3, axis=-1)
        c = tf.sigmoid(f) * c_tm1 + (1 - tf.sigmoid(f)) * tf.tanh(z)
        h = tf.sigmoid(o) * c
        return h, [h, c]


class SplitsItsInput(layers.Layer):
    """Values, a mask and time spans in one input, of a width that three divide."""

    def __init__(self, units):
        super().__init__()
        self.state_size = units
        self.cell, self.decay = layers.GRUCell(units), layers.Dense(units)

    def call(self, inputs, states):
        x, mask, spans = ops.split(inputs, 3, axis=-1)
        h = states[0] * ops.exp(-ops.relu(self.decay(spans)))
        return self.cell(ops.concatenate([x * mask, mask], -1), [h])


# What runs over a sequence: within one call each step has to begin where the last one ended.


class _SequenceLayer(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.wx, self.wh = layers.Dense(units), layers.Dense(units, use_bias=False)

    def _new(self, x, h):
        return ops.tanh(self.wx(x) + self.wh(h))


class BeginsEachStepAnew(_SequenceLayer):
    def call(self, x, h):  # expect: ignored-recurrence
        outputs = [self._new(x[:, t], h) for t in range(x.shape[1])]
        return ops.stack(outputs, axis=1), outputs[-1]


class BeginsWhereItEnded(_SequenceLayer):
    def call(self, x, h):
        outputs = []
        for t in range(x.shape[1]):
            h = self._new(x[:, t], h)
            outputs.append(h)
        return ops.stack(outputs, axis=1), h


class StopsTheGradientAtEachStep(_SequenceLayer):
    def call(self, x):
        h, outputs = ops.zeros((x.shape[0], self.units)), []
        for t in range(x.shape[1]):
            h = self._new(x[:, t], ops.stop_gradient(h))  # expect: detached-state warning
            outputs.append(h)
        return ops.stack(outputs, axis=1)


class ForgetsBesideALoss(_SequenceLayer):
    def call(self, x):  # expect: ignored-recurrence
        outputs, loss = [], 0.0
        for t in range(x.shape[1]):
            h = self._new(x[:, t], ops.zeros((x.shape[0], self.units)))
            outputs.append(h)
            loss = loss + ops.mean(h**2)
        return ops.stack(outputs, axis=1), loss


class _Decoder(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.units, self.cell = units, keras.layers.LSTMCell(units)
        self.query, self.key = keras.layers.Dense(6), keras.layers.Dense(6)
        self.state_size = [units, units]

    def _read(self, h, memory):
        return ops.einsum("bt,btd->bd", ops.softmax(ops.einsum("bk,btk->bt", self.query(h), self.key(memory))), memory)


class MemoryIfAny(_Decoder):
    """As keras.layers.RNN hands it on; without it the step fails."""

    def call(self, inputs, states, constants=None, training=None):
        (memory,) = constants
        return self.cell(ops.concatenate([inputs, self._read(states[0], memory)], -1), states)


class MemoryAndItsMask(_Decoder):
    def call(self, inputs, states, constants):
        memory, mask = constants
        context = self._read(states[0], memory * mask[..., None])
        return self.cell(ops.concatenate([inputs, context], -1), states)


class KeepsWhatItReadOfAWideMemory(_Decoder):
    """A part of the state is as wide as what is passed in beside it."""

    def __init__(self, units):
        super().__init__(units)
        self.state_size = [units, units, 2 * units]

    def call(self, inputs, states, constants):
        h, c, context = states
        out, (h, c) = self.cell(ops.concatenate([inputs, context], -1), [h, c])
        return out, [h, c, self._read(out, constants[0])]


class TwoLayersAlike(keras.Model):
    """The state of each LSTM goes in as a whole, and its two parts would pass for rows."""

    def __init__(self, units):
        super().__init__()
        self.lower, self.upper = keras.layers.LSTMCell(units), keras.layers.LSTMCell(units)

    def call(self, x, state1, state2):
        x, state1 = self.lower(x, state1)
        x, state2 = self.upper(x, state2)
        return x, state1, state2


class AllInOneArgument(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.cell = keras.layers.LSTMCell(units)

    def call(self, inputs):
        x, (h, c) = inputs
        out, (h, c) = self.cell(x, [h, c])
        return out, (h, c)


class LeavesItsExtentsOpen(keras.layers.Layer):
    def __init__(self, filters, kernel_size):
        super().__init__()
        self.state_size = tf.TensorShape([None, None, filters])
        self.conv = keras.layers.Conv2D(filters, kernel_size, padding="same", activation="tanh")

    def call(self, inputs, states):  # expect: graph-mismatch
        h = self.conv(ops.concatenate([inputs, states[0]], -1))
        return h, [h]


class _TwoGRUs(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.lower, self.upper = keras.layers.GRUCell(units), keras.layers.GRUCell(units)
        self.state_size = [units, units]


class KeepsTheLowerTwice(_TwoGRUs):
    def call(self, inputs, states):
        h1, h2 = states
        x, [h1] = self.lower(inputs, [h1])
        x, [h2] = self.upper(x, [h2])
        return x, [h1, h1]  # expect: wrong-state-structure warning 1


class KeepsTheLowerTwiceWithoutNames(_TwoGRUs):
    def call(self, inputs, states):
        x, lower = self.lower(inputs, [states[0]])
        x, upper = self.upper(x, [states[1]])
        return x, [lower[0], lower[0]]  # expect: wrong-state-structure warning 1


class UpperReadsTheLower(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.lower, self.upper = keras.layers.LSTMCell(units), keras.layers.LSTMCell(units)
        self.state_size = [units] * 4

    def call(self, inputs, states):
        h1, c1, h2, c2 = states
        lower, upper = self.lower, self.upper
        x, (h1, c1) = lower(inputs, (h1, c1))
        x, (h2, c2) = upper(x, (h1, c1))  # expect: ignored-recurrence warning 2  # expect: ignored-recurrence warning 3
        return x, [h1, c1, h2, c2]


class VariableThatNobodyWrites(keras.layers.Layer):
    def __init__(self, units, batch_size=3):
        super().__init__()
        self.cell = keras.layers.GRUCell(units)
        self.h = self.add_weight(shape=(batch_size, units), initializer="zeros", trainable=False, name="h")

    def call(self, x):
        out, _ = self.cell(x, [self.h])
        return out  # expect: returned-old-state error 0
