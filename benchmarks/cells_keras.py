"""An LSTM as people write it, for the benchmarks."""

from __future__ import annotations

from typing import Any

from keras import layers, ops


class LSTM(layers.Layer):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [units, units]
        self.gates = layers.Dense(4 * units)

    def call(self, inputs: Any, states: Any) -> Any:
        h, c = states
        i, f, g, o = ops.split(self.gates(ops.concatenate([inputs, h], axis=-1)), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return h, [h, c]
