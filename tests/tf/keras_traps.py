"""Healthy Keras cells, each with something in it that looks like a bug; the docstring names what."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

NEEDS: dict[str, dict[str, Any]] = {}


class LowRankFromZero(layers.Layer):
    """Recurrent weights start at zero: one factor of the low-rank recurrence."""

    def __init__(self, units, rank=2, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.inp = layers.Dense(units)
        self.down = layers.Dense(rank, use_bias=False)
        self.up = layers.Dense(units, use_bias=False, kernel_initializer="zeros")

    def call(self, inputs, states):
        h = ops.tanh(self.inp(inputs) + self.up(self.down(states[0])))
        return h, [h]


class LayerScaleZero(layers.Layer):
    """A gate starts closed: each channel's update is scaled by zero."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.inner = layers.LSTMCell(units)
        self.scale = self.add_weight(shape=(2, units), initializer="zeros", name="scale")

    def call(self, inputs, states):
        h, c = states
        _, (dh, dc) = self.inner(inputs, [h, c])
        h, c = h + self.scale[0] * dh, c + self.scale[1] * dc
        return h, [h, c]


class AlmostDeadReLU(layers.Layer):
    """A mostly dead ReLU: one unit in eight is alive."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        bias = np.full(self.units, -8.0, "float32")
        bias[0] = 0.5
        self.kernel = self.add_weight(shape=(input_shape[-1] + self.units, self.units), initializer="he_normal")
        self.bias = self.add_weight(shape=(self.units,), initializer=lambda shape, dtype=None: tf.constant(bias))

    def call(self, inputs, states):
        h = tf.nn.relu(tf.concat([inputs, states[0]], -1) @ self.kernel + self.bias)
        return h, [h]


class SaturatedForgetGate(layers.Layer):
    """A saturated gate: the forget gate is one and the input gate some 1e-5."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = (units, units)
        saturate = keras.initializers.Constant
        self.i = layers.Dense(units, activation="sigmoid", bias_initializer=saturate(-11.0))
        self.f = layers.Dense(units, activation="sigmoid", bias_initializer=saturate(30.0))
        self.go = layers.Dense(2 * units)

    def call(self, inputs, states):
        h, c = states
        both = ops.concatenate([inputs, h], -1)
        g, o = ops.split(self.go(both), 2, axis=-1)
        c = self.f(both) * c + self.i(both) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, (h, c)


class UndampedOscillators(layers.Layer):
    """Tiny step size: dt is 1e-5, and what z sees of y is another 1e-5 smaller."""

    def __init__(self, units, dt=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.dt = dt
        self.state_size = [units, units]
        self.w = layers.Dense(units, use_bias=False)
        self.v = layers.Dense(units)

    def call(self, inputs, states):
        y, z = states
        z = z - self.dt * (ops.tanh(self.w(y) + self.v(inputs)) + y)
        y = y + self.dt * z
        return y, [y, z]


class DiagonalOnly(layers.Layer):
    """No recurrent matrix at all: each unit only sees itself."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.drive = layers.Dense(units)
        decay = keras.initializers.RandomUniform(-3, 3)
        self.decay = self.add_weight(shape=(units,), initializer=decay, name="decay")

    def call(self, inputs, states):
        h = ops.sigmoid(self.decay) * states[0] + self.drive(inputs)
        return h, [h]


class MinGRUCell(layers.Layer):
    """No recurrent matrix at all: gate and candidate read the input only."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.z, self.n = layers.Dense(units, activation="sigmoid"), layers.Dense(units)

    def call(self, inputs, states):
        z = self.z(inputs)
        h = (1.0 - z) * states[0] + z * self.n(inputs)
        return h, [h]


class TokenShift(layers.Layer):
    """A slot is the previous input; the others are running sums."""

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [dim, dim, dim]
        self.mix = self.add_weight(shape=(3, dim), initializer=keras.initializers.RandomUniform(0, 1), name="mix")
        self.decay = self.add_weight(shape=(dim,), initializer="random_normal", name="decay")
        self.k, self.v, self.r = (layers.Dense(dim, use_bias=False) for _ in range(3))

    def call(self, inputs, states):
        last, num, den = states
        xk, xv, xr = (last + self.mix[i] * (inputs - last) for i in range(3))
        k = ops.exp(ops.minimum(self.k(xk), 8.0))
        keep = ops.exp(-ops.exp(self.decay))
        num, den = keep * num + k * self.v(xv), keep * den + k
        return ops.sigmoid(self.r(xr)) * num / den, [inputs, num, den]


class DelayLine(layers.Layer):
    """A slot is another slot's old value: the output sees what went in six steps ago."""

    def __init__(self, units, delay=6, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units] * delay
        self.enc = layers.Dense(units)

    def call(self, inputs, states):
        *earlier, last = states
        return last, [self.enc(inputs), *earlier]


class KeptForTheLoss(layers.Layer):
    """Slots that nobody reads, kept for the caller: mean and std."""

    def __init__(self, units, latent=4, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"deter": units, "mean": latent, "std": latent, "stoch": latent}
        self.gru = layers.GRUCell(units)
        self.stats = layers.Dense(2 * latent)
        self.seeds = keras.random.SeedGenerator(11)

    def call(self, inputs, states):
        deter, _ = self.gru(ops.concatenate([inputs, states["stoch"]], -1), [states["deter"]])
        mean, std = ops.split(self.stats(deter), 2, axis=-1)
        std = ops.exp(std)
        stoch = mean + std * keras.random.normal(ops.shape(mean), seed=self.seeds)
        return deter, {"deter": deter, "mean": mean, "std": std, "stoch": stoch}


class CarriesItsEncoding(layers.Layer):
    """Constant slots: memory and mask are carried along, as the cell itself draws them."""

    def __init__(self, units, slots=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = [units, (slots, units), units]
        self.gru = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        memory = tf.random.normal((batch_size, self.slots, self.units))
        mask = tf.cast(tf.random.uniform((batch_size, self.units)) > 0.3, "float32")
        return [tf.zeros((batch_size, self.units)), memory, mask]

    def call(self, inputs, states):
        h, memory, mask = states
        weights = ops.softmax(ops.einsum("bsd,bd->bs", memory, h))
        read = ops.einsum("bs,bsd->bd", weights, memory)
        h, _ = self.gru(ops.concatenate([inputs, read], -1), [h * mask])
        return h, [h, memory, mask]


class BiasCorrected(layers.Layer):
    """An integer step counter, as in Adam's moments, one for each row."""

    def __init__(self, units, beta=0.9, **kwargs):
        super().__init__(**kwargs)
        self.units, self.beta = units, beta
        self.state_size = [units, 1]
        self.project = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units)), ops.zeros((batch_size, 1), dtype="int32")]

    def call(self, inputs, states):
        m, count = states
        count = count + 1
        m = self.beta * m + (1.0 - self.beta) * self.project(inputs)
        return m / (1.0 - self.beta ** ops.cast(count, "float32")), [m, count]


class NoneUntilNeeded(layers.Layer):
    """A leaf is None until the third step, when the state becomes an anchor; a Python number counts."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = layers.GRUCell(units)

    def initial_state(self, batch_size):
        return {"anchor": None, "h": tf.zeros((batch_size, self.units)), "step": 0}

    def step(self, x, state):
        h, _ = self.cell(x, [state["h"]])
        anchor = h if state["step"] == 2 else state["anchor"]
        if anchor is not None:
            h = h + 0.5 * (anchor - h)
        return h, {"anchor": anchor, "h": h, "step": state["step"] + 1}

    def call(self, xs):
        state = self.initial_state(xs.shape[0])
        for t in range(xs.shape[1]):
            h, state = self.step(xs[:, t], state)
        return h


@tf.custom_gradient
def _surrogate(v):
    def grad(upstream):
        return 0.3 * upstream * tf.maximum(1.0 - tf.abs(v), 0.0)

    return tf.cast(v > 0.0, v.dtype), grad


class SpikesWithSurrogate(layers.Layer):
    """A spiking threshold: the state is the spike train, so small changes vanish."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.ff = layers.Dense(units)
        self.rec = layers.Dense(units, use_bias=False, kernel_initializer=keras.initializers.RandomNormal(stddev=1.0))

    def call(self, inputs, states):
        spikes = _surrogate(self.ff(inputs) + self.rec(states[0]) - 0.2)
        return spikes, [spikes]


class FixedPointGRU(layers.Layer):
    """Quantised state: sixteenths, rounded straight through."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = layers.GRUCell(units)

    def quantise(self, value):
        return value + ops.stop_gradient(ops.round(value * 16.0) / 16.0 - value)

    def call(self, inputs, states):
        h, _ = self.cell(inputs, [self.quantise(states[0])])
        h = self.quantise(h)
        return h, [h]


class BinaryState(layers.Layer):
    """Quantised state: plus or minus one, without any gradient."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.w, self.u = layers.Dense(units), layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, self.units))]

    def call(self, inputs, states):
        h = ops.where(self.w(inputs) + 2.0 * self.u(states[0]) > 0.0, 1.0, -1.0)
        return h, [h]


class HardAttention(layers.Layer):
    """Straight through: the code that is written is an argmax."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.w = layers.Dense(units, activation="softmax")

    def call(self, inputs, states):
        soft = self.w(3.0 * ops.concatenate([inputs, states[0]], -1))
        hard = ops.one_hot(ops.argmax(soft, axis=-1), self.units)
        return soft, [soft + ops.stop_gradient(hard - soft)]


class AdaptiveThreshold(layers.Layer):
    """Flat until a spike: the adaptation stays where it is until the membrane crosses a high threshold."""

    def __init__(self, units, rho=0.97, **kwargs):
        super().__init__(**kwargs)
        self.rho = rho
        self.state_size = [units, units, units]
        self.inp, self.rec = layers.Dense(units), layers.Dense(units, use_bias=False)

    def call(self, inputs, states):
        v, a, z = states
        v = 0.9 * v + self.inp(inputs) + self.rec(z)
        z = _surrogate(v - (2.5 + 1.8 * a))
        return z, [v - z, self.rho * a + z, z]


class EventDriven(layers.Layer):
    """Flat until an event: rows whose input is weak keep their state bit for bit."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.cell = layers.GRUCell(units)

    def call(self, inputs, states):
        event = ops.max(ops.abs(inputs), axis=-1, keepdims=True) > 1.0
        new, _ = self.cell(inputs, states)
        h = ops.where(event, new, states[0])
        return h, [h]


class MaskCachedOnTheCell(layers.Layer):
    """Dropout, whose mask is kept on the cell with the batch size of the first call until it is reset."""

    def __init__(self, units, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.state_size = units
        self.cell = layers.SimpleRNNCell(units)
        self._mask = None

    def build(self, input_shape):
        self.cell.build(input_shape)

    def reset_dropout_mask(self):
        self._mask = None

    def call(self, inputs, states, training=False):
        h = states[0]
        if training:
            if self._mask is None:
                self._mask = tf.nn.dropout(tf.ones_like(h), self.rate)
            h = h * self._mask
        h, _ = self.cell(inputs, [h])
        return h, [h]


class HeavyZoneout(layers.Layer):
    """Zoneout: nine units of ten keep their old value, others in each step."""

    def __init__(self, units, rate=0.9, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.state_size = units
        self.cell = layers.GRUCell(units)
        self.seeds = keras.random.SeedGenerator(5)

    def call(self, inputs, states, training=False):
        old = states[0]
        new, _ = self.cell(inputs, [old])
        if training:
            keep = keras.random.uniform(ops.shape(old), seed=self.seeds) < self.rate
            new = ops.where(keep, old, new)
        else:
            new = self.rate * old + (1.0 - self.rate) * new
        return new, [new]


class SampledState(layers.Layer):
    """A sampled state: Bernoulli draws, which no gradient passes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.p = layers.Dense(units, activation="sigmoid")

    def call(self, inputs, states):
        p = self.p(2.0 * tf.concat([inputs, states[0]], -1))
        z = tf.cast(tf.random.uniform(tf.shape(p)) < p, p.dtype)
        return p, [z]


class BatchNormalisedCell(layers.Layer):
    """Batch statistics while training, apart for input and state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.x, self.h = layers.Dense(units, use_bias=False), layers.Dense(units, use_bias=False)
        self.bn_x, self.bn_h = layers.BatchNormalization(), layers.BatchNormalization()

    def call(self, inputs, states, training=None):
        x = self.bn_x(self.x(inputs), training=training)
        h = ops.tanh(x + self.bn_h(self.h(states[0]), training=training))
        return h, [h]


class LogDomain(layers.Layer):
    """The state's domain: positive, since its logarithm is taken; the cell starts it at one."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.gate, self.value = layers.Dense(units), layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [ops.ones((batch_size, self.units))]

    def call(self, inputs, states):
        gate = self.gate(inputs)
        log_value = ops.log_sigmoid(self.value(inputs))
        h = ops.exp(ops.logaddexp(ops.log_sigmoid(-gate) + ops.log(states[0]), ops.log_sigmoid(gate) + log_value))
        return h, [h]


class BeliefFilter(layers.Layer):
    """The state's domain: probabilities; it is divided by its sum."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.emission = layers.Dense(units)
        self.transition = self.add_weight(shape=(units, units), initializer="random_normal", name="transition")

    def get_initial_state(self, batch_size=None):
        return ops.full((batch_size, self.units), 1.0 / self.units)

    def call(self, inputs, states):
        belief = states[0] if isinstance(states, (list, tuple)) else states
        belief = ops.matmul(belief, ops.softmax(ops.convert_to_tensor(self.transition))) * ops.exp(
            self.emission(inputs)
        )
        belief = belief / ops.sum(belief, axis=-1, keepdims=True)
        return belief, [belief]


class UnitNormState(layers.Layer):
    """The state's domain: on the sphere, and NaN at zero."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.w = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [ops.full((batch_size, self.units), 1.0 / math.sqrt(self.units))]

    def call(self, inputs, states):
        s = states[0] / ops.norm(states[0], axis=-1, keepdims=True) + 0.5 * self.w(inputs)
        s = s / ops.norm(s, axis=-1, keepdims=True)
        return s, [s]


class PhaseMemory(layers.Layer):
    """The state's domain: complex numbers of length one; only the angle remembers."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.turn = layers.Dense(units)

    def get_initial_state(self, batch_size=None):
        return [tf.ones((batch_size, self.units), tf.complex64)]

    def call(self, inputs, states):
        angle = self.turn(inputs)
        z = states[0] * tf.complex(tf.cos(angle), tf.sin(angle))
        z = z / tf.cast(tf.abs(z), z.dtype)
        return tf.concat([tf.math.real(z), tf.math.imag(z)], -1), [z]


class AlsoKeptOnSelf(layers.Layer):
    """The state is kept on self beside the argument, and overridden when one is passed."""

    def __init__(self, units, beta=0.8, **kwargs):
        super().__init__(**kwargs)
        self.units, self.beta = units, beta
        self.state_size = units
        self.fc = layers.Dense(units)
        self.mem = None

    def build(self, input_shape, *rest):
        self.fc.build(input_shape)

    def reset_mem(self):
        self.mem = None

    def call(self, inputs, mem=None):
        if mem is not None:
            self.mem = mem
        if self.mem is None:
            self.mem = ops.zeros((inputs.shape[0], self.units))
        self.mem = self.beta * self.mem + self.fc(inputs)
        spikes = _surrogate(self.mem - 0.5)
        self.mem = self.mem - 0.5 * spikes
        return spikes, self.mem


class OneTensorForBoth(layers.Layer):
    """The same tensor for h and c at the start."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.inner = layers.LSTMCell(units)

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.units))] * 2

    def call(self, inputs, states):
        return self.inner(inputs, states)


class RandomStart(layers.Layer):
    """A random initial state: another one at each call."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.inner = layers.LSTMCell(units)

    def get_initial_state(self, batch_size=None):
        return [tf.random.normal((batch_size, self.units)) for _ in range(2)]

    def call(self, inputs, states):
        return self.inner(inputs, states)


class LearnedStart(layers.Layer):
    """A learned initial state, a trainable weight repeated for each row."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.start = self.add_weight(shape=(1, units), initializer="random_normal", name="start")
        self.inner = layers.GRUCell(units)

    def get_initial_state(self, batch_size=None):
        return [ops.repeat(ops.tanh(self.start), batch_size, axis=0)]

    def call(self, inputs, states):
        return self.inner(inputs, states)


class WorksOnAVariable(layers.Layer):
    """In-place work on an own copy: a variable is made of the state, scattered into and read again."""

    def __init__(self, units, slots=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.slots = units, slots
        self.state_size = (slots, units)
        self.w = layers.Dense(units, activation="tanh")

    def get_initial_state(self, batch_size=None):
        return [tf.zeros((batch_size, self.slots, self.units))]

    def call(self, inputs, states):
        memory = tf.transpose(states[0], (1, 0, 2))
        h = self.w(tf.concat([inputs, memory[-1]], -1))
        memory = tf.roll(memory, shift=1, axis=0)
        memory = tf.tensor_scatter_nd_update(memory, [[0]], h[None])
        return h, [tf.transpose(memory, (1, 0, 2))]


class PreallocatedCache(layers.Layer):
    """In place on the argument by design: keys and values go into variables, and the same dict comes back."""

    def __init__(self, dim, max_length=64, **kwargs):
        super().__init__(**kwargs)
        self.dim, self.max_length = dim, max_length
        self.qkv = layers.Dense(3 * dim)

    def init_cache(self, batch_size):
        zeros = tf.zeros((self.max_length, batch_size, self.dim))
        return {"k": tf.Variable(zeros), "length": 0, "v": tf.Variable(zeros)}

    def step(self, x, cache):
        q, k, v = tf.split(self.qkv(x), 3, axis=-1)
        t = cache["length"]
        cache["k"][t].assign(k)
        cache["v"][t].assign(v)
        cache["length"] = t + 1
        weights = tf.nn.softmax(tf.einsum("bd,tbd->bt", q, cache["k"][: t + 1]) / math.sqrt(self.dim))
        return tf.einsum("bt,tbd->bd", weights, cache["v"][: t + 1]), cache

    def call(self, xs):
        cache, ys = self.init_cache(xs.shape[0]), []
        for t in range(xs.shape[1]):
            y, cache = self.step(xs[:, t], cache)
            ys.append(y)
        return tf.stack(ys, axis=1)


class NodesAreRows(layers.Layer):
    """Rows are not the first axis: nodes are, in a graph that all share."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.lin = layers.Dense(units)
        self.gru = layers.GRUCell(units)

    def call(self, x, h, edge_index):
        messages = self.lin(x)
        pooled = tf.math.unsorted_segment_sum(tf.gather(messages, edge_index[0]), edge_index[1], x.shape[0])
        h, _ = self.gru(messages + pooled, [h])
        return h


class Truncated(layers.Layer):
    """Detach on purpose: backpropagation is truncated at the state that comes in."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.gru = layers.GRUCell(units)

    def call(self, inputs, states):
        # rnncheck: ignore[detached-state] backpropagation is truncated
        return self.gru(inputs, [tf.stop_gradient(state) for state in states])


class BranchesOnTheBatch(layers.Layer):
    """A whole-batch branch: another formula as long as the normaliser is zero in all rows."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units, units]
        self.w = layers.Dense(3 * units)

    def call(self, inputs, states):
        h, n, m = states
        i, f, z = tf.split(self.w(tf.concat([inputs, h], -1)), 3, axis=-1)
        log_f = tf.math.log_sigmoid(f) + m
        m_new = tf.cond(tf.reduce_all(n == 0.0), lambda: i, lambda: tf.maximum(i, log_f))
        n_new = tf.exp(log_f - m_new) * n + tf.exp(i - m_new)
        h = (tf.exp(log_f - m_new) * n * h + tf.exp(i - m_new) * tf.tanh(z)) / n_new
        return h, [h, n_new, m_new]


class Smoothed(layers.Layer):
    """No weight tells how wide the input is: as wide as the state that is declared."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units

    def call(self, inputs, states):
        h = 0.9 * states[0] + 0.1 * inputs
        return h, [h]


class SmoothedByWeights(Smoothed):
    """Likewise, though weights are made for any width."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, inputs, states):
        h = 0.9 * states[0] + 0.1 * self.scale * inputs
        return h, [h]


class _Wear(layers.Layer):
    def __init__(self, net):
        super().__init__(name="wear")
        self.net, self.state_size = net, 1

    def call(self, inputs, states):
        wear = states[0] + self.net(tf.concat([states[0], inputs], axis=1))
        return wear, [wear]


def wear_by_a_net():
    """The net takes six numbers: the one of the state that is declared, and five of the input."""
    return _Wear(keras.Sequential([keras.Input((6,)), layers.Dense(5, activation="tanh"), layers.Dense(1)]))


class CountsBesideItsState(layers.Layer):
    """The number of the step comes back without a gradient: there is none."""

    def __init__(self, units):
        super().__init__()
        self.cell = layers.GRUCell(units)
        self.state_size = [units, 1]

    def call(self, inputs, states):
        h, count = states
        step = tf.cast(count, tf.int32)
        new, _ = self.cell(inputs, [h])
        new = tf.where(step % 4 == 0, new, 0.5 * h + 0.5 * new)
        return new, [new, tf.cast(step + 1, tf.float32)]


class KeepsTheLastInputs(layers.Layer):
    """No weight tells how wide the input is, and the state that is declared alone goes with four."""

    def __init__(self, steps=3, width=4):
        super().__init__()
        self.kept, self.number = steps, width
        self.readout = layers.Dense(2)

    @property
    def state_size(self):
        return self.kept * self.number

    def call(self, inputs, states):
        (before,) = states
        return self.readout(before), ops.concatenate([before[:, self.number :], inputs], -1)


class _RemembersTheEncoder(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.state_size = units
        self.cell = layers.GRUCell(units)
        self._project = layers.Dense(units)

    def set_up(self, encoded):
        self.memory = self._project(encoded)

    def call(self, inputs, states):
        context = ops.mean(self.memory * states[0][:, None], 1)
        return self.cell(ops.concatenate([inputs, context], -1), states)


def remembers_the_encoder():
    """A private layer that another method uses: Keras lists it once more under a name of its own."""
    cell = _RemembersTheEncoder(8)
    cell.set_up(tf.random.normal((3, 11, 7)))
    return cell


class QueuesNothing(layers.Layer):
    """A slot without any numbers, as a queue of no steps has it."""

    def __init__(self, units, delay=0):
        super().__init__()
        self.cell, self.delay = layers.GRUCell(units), delay
        self.state_size = [units, units * delay]

    def call(self, inputs, states):
        h, queue = states
        new, _ = self.cell(inputs, [h])
        late = ops.concatenate([new, queue], -1)
        return new, [new, late[:, : queue.shape[-1]]]
