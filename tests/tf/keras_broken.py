"""Broken Keras cells in the styles that people write; comments mark the line at fault."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops


class ReturnsOldC(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.dense = keras.layers.Dense(4 * units)

    def call(self, inputs, states):
        h_tm1, c_tm1 = states
        i, f, g, o = ops.split(self.dense(ops.concatenate([inputs, h_tm1], -1)), 4, axis=-1)
        c = ops.sigmoid(f) * c_tm1 + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c_tm1]  # expect: returned-old-state error 1


class ReturnsStates(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units, activation="tanh")

    def call(self, inputs, states, training=False):
        h = self.w(tf.concat([inputs, states[0]], 1))
        return h, states  # expect: returned-old-state error 0


class Identity(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units, activation="tanh")

    def call(self, inputs, states):
        prev = states[0]
        new = self.w(tf.concat([inputs, prev], 1))
        return new, [tf.identity(prev)]  # expect: returned-old-state error 0


class Wrapper(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.cell = keras.layers.LSTMCell(units)
        self.state_size = self.cell.state_size

    def call(self, inputs, states):
        output, new_states = self.cell(inputs, states)
        return output, states  # expect: returned-old-state


class InDict(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"h": units, "m": units}
        self.w = keras.layers.Dense(units, activation="tanh")
        self.v = keras.layers.Dense(units)

    def call(self, inputs, states):
        h = self.w(ops.concatenate([inputs, states["h"], states["m"]], -1))
        m = 0.9 * states["m"] + self.v(h)
        return h, {"h": h, "m": states["m"]}  # expect: returned-old-state error 1


class InFunction(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units, activation="tanh")

    @tf.function
    def call(self, inputs, states):
        prev = states[0]
        new = self.w(tf.concat([inputs, prev], 1))
        return new, [prev]  # expect: returned-old-state error 0


class NeverReads(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units))
        self.u = self.add_weight(shape=(self.units, self.units))

    def call(self, inputs, states):
        prev = states[0]
        z = tf.matmul(inputs, self.w)  # expect: ignored-recurrence error 0
        h = tf.tanh(z)
        return h, [h]


class NeverCallsALayer(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units, units]
        self.a, self.b = keras.layers.Dense(units), keras.layers.Dense(units)
        self.ra, self.rb = keras.layers.Dense(units), keras.layers.Dense(units)

    def call(self, inputs, states):
        h1, h2 = states
        n1 = tf.tanh(self.a(inputs) + self.ra(h1))  # expect: ignored-recurrence warning 1
        n2 = tf.tanh(self.b(n1))
        return n2, [n1, n2]


class NoiseHidesIt(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.noise = keras.random.SeedGenerator(3)
        self.w = keras.layers.Dense(units)

    def call(self, inputs, states):
        noise = keras.random.normal(ops.shape(states[0]), seed=self.noise)
        h = ops.tanh(self.w(inputs) + 0.1 * noise)  # expect: ignored-recurrence error 0
        return h, [h]


_GLOBAL_RNG = np.random.default_rng(0)


class GlobalNoiseHidesIt(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units)

    def call(self, inputs, states):
        noise = _GLOBAL_RNG.standard_normal(states[0].shape).astype("float32")
        h = ops.tanh(self.w(inputs) + 0.1 * noise)  # expect: ignored-recurrence error 0
        return h, [h]


class AbsorbingZero(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.w = keras.layers.Dense(units)

    def call(self, inputs, states):
        h = states[0] * ops.exp(ops.tanh(self.w(inputs)))  # expect: unchanged-initial-state error 0
        return h, [h]


class UnequalSizes(keras.layers.Layer):  # expect: missing-state-size error
    def __init__(self, units, memory_dim=4, **kwargs):
        super().__init__(**kwargs)
        self.units, self.memory_dim = units, memory_dim

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1] + self.units + self.memory_dim, self.units))
        self.v = self.add_weight(shape=(self.units, self.memory_dim))

    def call(self, inputs, states):
        h, memory = states
        h = tf.tanh(tf.matmul(tf.concat([inputs, h, memory], -1), self.w))
        return h, [h, 0.9 * memory + tf.matmul(h, self.v)]


class OnlyAfterBuild(keras.layers.Layer):  # expect: missing-state-size error
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.state_size = self.units
        self.w = self.add_weight(shape=(input_shape[-1] + self.units, self.units))

    def call(self, inputs, states):
        h = tf.tanh(tf.matmul(tf.concat([inputs, states[0]], -1), self.w))
        return h, [h]


class FactorsOfTheState(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1], self.units))
        self.mix = self.add_weight(shape=(self.units, self.units))

    def call(self, inputs, states):
        (h,) = states
        h = tf.matmul(h, self.mix) * tf.matmul(inputs, self.gain)  # expect: unchanged-initial-state error 0
        return h, [h]


class GatesWhatIsNotThere(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = {"fast": units, "slow": units}
        self.gates = keras.layers.Dense(2 * units, activation="sigmoid")

    def call(self, inputs, states):
        keep, leave = ops.split(self.gates(ops.concatenate([inputs, states["fast"]], -1)), 2, axis=-1)
        slow = keep * states["slow"] + 0.1 * states["fast"]  # expect: unchanged-initial-state error
        fast = leave * states["fast"] + ops.tanh(slow)
        return fast, {"fast": fast, "slow": slow}


class DrivenByHand(keras.layers.Layer):  # expect: missing-state-size error
    def __init__(self, hidden_dim, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.x2h, self.h2h = keras.layers.Dense(hidden_dim), keras.layers.Dense(hidden_dim, use_bias=False)

    def call(self, x, states):
        h = ops.tanh(self.x2h(x) + self.h2h(states[0]))
        return h, [h]


@keras.saving.register_keras_serializable("rnncheck")
class PeepholeWithoutSizes(keras.layers.Layer):  # expect: missing-state-size error
    def __init__(self, num_units, **kwargs):
        super().__init__(**kwargs)
        self.num_units = num_units
        self.gates = keras.layers.Dense(4 * num_units)

    def call(self, inputs, states):
        c, h = states
        i, f, g, o = tf.split(self.gates(tf.concat([inputs, h, c], -1)), 4, axis=-1)
        c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return h, [c, h]


class ReadsOutByAMatrix(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), name="u")
        self.wo = self.add_weight(shape=(self.units, self.units), name="wo")
        self.bo = self.add_weight(shape=(self.units,), name="bo")

    def call(self, inputs, states):
        active = tf.tanh(tf.matmul(inputs, self.w) + tf.matmul(states[0], self.u))
        out = tf.nn.softmax(tf.matmul(active, self.wo) + self.bo)
        return out, states  # expect: returned-old-state error 0


class ActivatesAtTheEnd(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.x2h, self.h2h = keras.layers.Dense(units), keras.layers.Dense(units)
        self.norm, self.activation = keras.layers.LayerNormalization(), keras.activations.get("tanh")

    def call(self, inputs, states):
        summed = self.x2h(inputs) + self.h2h(states[0])
        out = self.activation(self.norm(summed))
        return out, states  # expect: returned-old-state error 0


class ForgetsItsAdaptation(keras.layers.Layer):
    """What the dropped value adds comes from another slot."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [units] * 3
        self.x2v, self.z2v = keras.layers.Dense(units), keras.layers.Dense(units)

    def call(self, inputs, states):
        v, b, z = states
        new_b = 0.99 * b + 0.01 * z
        new_v = 0.9 * v + self.x2v(inputs) + self.z2v(z) - new_b
        new_z = tf.sigmoid(10.0 * (new_v - 1.0 - new_b))
        return new_z, [new_v, b, new_z]  # expect: returned-old-state error 1


class WipesItsState(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.x2h, self.h2h = keras.layers.Dense(units), keras.layers.Dense(units)

    def call(self, inputs, states):
        new_h = tf.tanh(self.x2h(inputs) + self.h2h(states[0]))
        return new_h, [tf.zeros_like(new_h)]  # expect: unchanged-initial-state error 0


class OnlyDecays(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.gru = keras.layers.GRUCell(units)

    def call(self, inputs, states):
        h = 0.9 * states[0]  # expect: unchanged-initial-state error 0
        out, _ = self.gru(inputs, [h])
        return out, [h]


class DecoderOfATutorial(keras.Model):
    def __init__(self, vocab_size, embedding_dim, dec_units):
        super().__init__()
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = keras.layers.GRU(dec_units, return_sequences=True, return_state=True)
        self.fc = keras.layers.Dense(vocab_size)

    def call(self, x, hidden):
        x = self.embedding(x)
        output, state = self.gru(x, initial_state=hidden)
        output = tf.reshape(output, (-1, output.shape[2]))
        return self.fc(output), hidden  # expect: returned-old-state error 0


class _DropsAReadout(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.x2h, self.h2h = keras.layers.Dense(units), keras.layers.Dense(units)
        self.extra = keras.layers.Dense(units)

    def call(self, inputs, states):
        h = tf.tanh(self.x2h(inputs) + self.h2h(states[0]))
        y = self.extra(h)
        return h, [h + 0 * y]


class DropsAReadoutOfItsBase(_DropsAReadout):
    def call(self, inputs, states):
        h = tf.tanh(self.x2h(inputs) + self.h2h(states[0]))
        y = self.extra(h)  # expect: unused-weight warning
        return h, [h]
