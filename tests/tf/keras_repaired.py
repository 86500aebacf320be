"""Cells of ``keras_broken`` and ``keras_conventions`` with the one line that was at fault written as it should be."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras_broken import (
    AbsorbingZero,
    DrivenByHand,
    FactorsOfTheState,
    GatesWhatIsNotThere,
    GlobalNoiseHidesIt,
    Identity,
    InDict,
    NeverCallsALayer,
    NeverReads,
    NoiseHidesIt,
    OnlyAfterBuild,
    PeepholeWithoutSizes,
    ReturnsOldC,
    UnequalSizes,
    Wrapper,
)
from keras_conventions import MultiplicativeStep

RNG = np.random.default_rng(0)


class ReturnsOldCRepaired(ReturnsOldC):
    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(self.dense(ops.concatenate([inputs, h_tm1], -1)), 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]


class IdentityRepaired(Identity):
    def call(self, inputs, states):
        prev = states[0]
        new = self.w(tf.concat([inputs, prev], 1))
        return new, [tf.identity(new)]


class WrapperRepaired(Wrapper):
    def call(self, inputs, states):
        output, new_states = self.cell(inputs, states)
        return output, new_states


class InDictRepaired(InDict):
    def call(self, inputs, states):
        h = self.w(ops.concatenate([inputs, states["h"], states["m"]], -1))
        m = 0.9 * states["m"] + self.v(h)
        return h, {"h": h, "m": m}


class NeverReadsRepaired(NeverReads):
    def call(self, inputs, states):
        prev = states[0]
        z = tf.matmul(inputs, self.w) + tf.matmul(prev, self.u)
        h = tf.tanh(z)
        return h, [h]


class NeverCallsALayerRepaired(NeverCallsALayer):
    def call(self, inputs, states):
        h1, h2 = states
        n1 = tf.tanh(self.a(inputs) + self.ra(h1))
        n2 = tf.tanh(self.b(n1) + self.rb(h2))
        return n2, [n1, n2]


class NoiseHidesItRepaired(NoiseHidesIt):
    def call(self, inputs, states):
        noise = keras.random.normal(ops.shape(states[0]), seed=self.noise)
        h = ops.tanh(self.w(ops.concatenate([inputs, states[0]], -1)) + 0.1 * noise)
        return h, [h]


class GlobalNoiseHidesItRepaired(GlobalNoiseHidesIt):
    def call(self, inputs, states):
        noise = RNG.standard_normal(states[0].shape).astype("float32")
        h = ops.tanh(self.w(inputs) + 0.5 * states[0] + 0.1 * noise)
        return h, [h]


class AbsorbingZeroRepaired(AbsorbingZero):
    def call(self, inputs, states):
        h = 0.9 * states[0] + ops.tanh(self.w(inputs))
        return h, [h]


class FactorsOfTheStateRepaired(FactorsOfTheState):
    def call(self, inputs, states):
        (h,) = states
        h = tf.tanh(tf.matmul(h, self.mix) + tf.matmul(inputs, self.gain))
        return h, [h]


class GatesWhatIsNotThereRepaired(GatesWhatIsNotThere):
    def call(self, inputs, states):
        keep, new = ops.split(self.gates(ops.concatenate([inputs, states["fast"]], -1)), 2, axis=-1)
        slow = keep * states["slow"] + (1 - keep) * new
        fast = 0.5 * states["fast"] + ops.tanh(slow)
        return fast, {"fast": fast, "slow": slow}


class MultiplicativeStepRepaired(MultiplicativeStep):
    def call(self, inputs, h=None):
        if h is None:
            h = tf.zeros((tf.shape(inputs)[0], self.units))
        h = tf.tanh(self.factor_x(inputs) * (1.0 + self.factor_h(h)))
        return h


class UnequalSizesRepaired(UnequalSizes):
    @property
    def state_size(self):
        return [self.units, self.memory_dim]


class OnlyAfterBuildRepaired(OnlyAfterBuild):
    def __init__(self, units, **kwargs):
        super().__init__(units, **kwargs)
        self.state_size = units


class DrivenByHandRepaired(DrivenByHand):
    def __init__(self, hidden_dim, **kwargs):
        super().__init__(hidden_dim, **kwargs)
        self.state_size = [hidden_dim]


class PeepholeWithoutSizesRepaired(PeepholeWithoutSizes):
    def __init__(self, num_units, **kwargs):
        super().__init__(num_units, **kwargs)
        self.state_size = self.output_size = [num_units, num_units]
