"""Healthy cells stay clean under every seed; broken ones are found with slot, line and remedy."""

from __future__ import annotations

import random
from typing import Any

import keras
import keras_broken as broken_cells
import keras_healthy as healthy_cells
import keras_repaired as repaired_cells
import numpy as np
import pytest
import tensorflow as tf
from cases import check, classes, expected, holds, seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", classes(healthy_cells), ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, seed=seed)) == []


@pytest.mark.parametrize("options", [{"steps": 1}, {"batch": 1}, {"steps": 20, "batch": 5}], ids=str)
@pytest.mark.parametrize("cell", classes(healthy_cells), ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean_in_other_sizes(cell: Any, options: dict[str, Any]) -> None:
    assert seen(check(cell, **options)) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", classes(broken_cells), ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    assert expected(cell)
    holds(cell, seed=seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", classes(repaired_cells), ids=lambda item: item.__name__)
def test_a_repaired_cell_is_clean(cell: Any, seed: int) -> None:
    assert cell.__name__ == f"{cell.__base__.__name__}Repaired"
    assert expected(cell.__base__)
    assert seen(check(cell, seed=seed)) == []


@pytest.mark.parametrize(
    ("cell", "suggestion"),
    [
        ("ReturnsOldC", "return h, [h, c]"),
        ("ReturnsStates", "return h, [h]"),
        ("Identity", "return new, [tf.identity(new)]"),
        ("Wrapper", "return output, [output, new_states[1]]"),
        ("InDict", "return h, {'h': h, 'm': m}"),
        ("InFunction", "return new, [new]"),
        ("ForgetsItsAdaptation", "return new_z, [new_v, new_b, new_z]"),
        ("WipesItsState", "return new_h in its place"),
        ("OnlyDecays", "return out, [out]"),
        ("DecoderOfATutorial", "return self.fc(output), state"),
        ("ReadsOutByAMatrix", "return out, [active]"),
        ("ActivatesAtTheEnd", "return out, [out]"),
        ("NeverReads", "z = tf.matmul(inputs, self.w) + keras.ops.matmul(prev, self.u)"),
        ("UnequalSizes", "self.state_size = [self.units, 4]"),
    ],
)
def test_the_suggestion_is_code_in_the_users_names(cell: str, suggestion: str) -> None:
    (finding,) = [item for item in check(getattr(broken_cells, cell)).findings if item.explained_by is None]
    assert finding.suggestion == suggestion


def test_notes_tell_what_is_merely_initialised_so() -> None:
    notes = {
        cell.__name__: [
            (finding.rule, finding.severity) for finding in check(cell).findings if not finding.explained_by
        ]
        for cell in (
            healthy_cells.ZeroInitialisedRecurrence,
            healthy_cells.FrozenZeroRecurrence,
            healthy_cells.RawVariables,
            healthy_cells.ReZero,
            healthy_cells.ClosedGate,
        )
    }
    assert notes == {
        "ZeroInitialisedRecurrence": [("ignored-recurrence", "note")],
        "FrozenZeroRecurrence": [("ignored-recurrence", "note")],
        "RawVariables": [("ignored-recurrence", "note"), *[("untrained-weight", "note")] * 2],
        "ReZero": [("returned-old-state", "note")],
        "ClosedGate": [("returned-old-state", "note")],
    }


def test_what_was_recorded_is_what_the_framework_gives() -> None:
    cell = keras.layers.GRUCell(8)
    layer = keras.layers.RNN(cell, return_sequences=True)
    inputs = np.random.default_rng(3).standard_normal((7, 3, 5)).astype("float32")
    outputs = layer(tf.transpose(tf.constant(inputs), (1, 0, 2))).numpy()
    result = check(cell, seed=3)
    rms = np.sqrt((outputs**2).mean(axis=(0, 2)))
    assert np.allclose([entry.returned for entry in result.timeline], rms, rtol=1e-5)
    assert np.allclose([entry.previous for entry in result.timeline], [0, *rms[:-1]], rtol=1e-5)


def test_gradients_tell_unconnected_from_connected() -> None:
    influence = check(broken_cells.NeverReads).influence
    assert influence is not None
    assert influence["gradient"]["prev"] == {"prev": None, "output": None}
    assert influence["gradient"]["input"]["output"] > 0


class Counting(keras.layers.Layer):
    """Keeps all sorts of things on itself."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state_size = 8
        self.cell = keras.layers.GRUCell(8)
        self.seeds = keras.random.SeedGenerator(1)
        self.log: list[float] = []
        self.count = tf.Variable(0.0)

    def call(self, inputs: Any, states: Any) -> Any:
        self.count.assign_add(1.0)
        self.extra = states
        noise = keras.random.normal((8,), seed=self.seeds)
        h, _ = self.cell(inputs, states)
        return h + 0.1 * noise, [h]


@pytest.mark.parametrize("built", [False, True])
def test_an_instance_and_all_randomness_are_left_as_they_were(built: bool) -> None:
    cell = Counting()
    if built:
        cell(tf.ones((2, 5)), [tf.ones((2, 8))])
    before = [keras.ops.convert_to_numpy(variable) for variable in cell.variables]
    attributes, count = set(vars(cell)), float(cell.count)
    states = random.getstate(), np.random.get_state()[1].copy()
    assert check(cell).verdict == "clean"
    assert len(cell.variables) == len(before)
    after = [keras.ops.convert_to_numpy(variable) for variable in cell.variables]
    assert all((new == old).all() for new, old in zip(after, before))
    assert (set(vars(cell)), float(cell.count), cell.built, cell.cell.built) == (attributes, count, built, built)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert not tf.config.functions_run_eagerly()
    cell(tf.ones((2, 5)), [tf.ones((2, 8))])
    assert len(cell.weights) == 3


def test_what_was_set_on_an_instance_is_checked() -> None:
    class Switchable(keras.layers.Layer):
        keep_old = False
        state_size = 8

        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(13, 8))

        def call(self, inputs: Any, states: Any) -> Any:
            h = tf.tanh(tf.concat([inputs, states[0]], 1) @ self.w)
            return h, [states[0] if self.keep_old else h]

    cell = Switchable()
    assert check(cell, input_shape=(5,)).verdict == "clean"
    cell.keep_old = True
    assert [item[0] for item in seen(check(cell, input_shape=(5,)))] == ["returned-old-state"]


def test_a_build_that_raises_has_no_verdict_and_its_own_words() -> None:
    class Unbuildable(keras.layers.Layer):
        state_size = 8

        def build(self, input_shape: Any) -> None:
            raise ValueError("no such size")

        def call(self, inputs: Any, states: Any) -> Any:
            return inputs, states

    (result,) = __import__("rnncheck").check(Unbuildable).results
    assert result.error is not None
    assert "Unbuildable.build() raised ValueError: no such size (" in result.error.message
