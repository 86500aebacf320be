"""``--device``: where a cell runs, and that what is told does not depend on how values are held."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras_rules
import numpy as np
import pytest
import tensorflow as tf
from cases import check, classes

import rnncheck
from rnncheck.backends.keras3 import backend as keras_backend
from rnncheck.backends.tensorflow import TensorFlowTensors

GPUS = tf.config.list_physical_devices("GPU")
gpu = pytest.mark.skipif(not GPUS, reason="no GPU here")


@pytest.mark.parametrize("name", ["cuda:7", "gpu:7", "/GPU:7", "nonsense"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(name: str) -> None:
    report = rnncheck.check(keras_rules.__name__ + ":" + classes(keras_rules)[0].__name__, device=name)
    error = report.results[0].error
    assert error is not None
    assert (error.type, report.exit_status()) == ("usage", 2)
    assert error.message.startswith("There is no ")
    assert "What TensorFlow finds: cpu" in (error.hint or "")


def test_the_report_says_where_it_ran() -> None:
    for device in (None, "cpu", "cpu:0"):
        assert check(classes(keras_rules)[0], device=device).settings["device"] == "cpu"


def test_what_is_told_is_the_same_from_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def elsewhere(self: TensorFlowTensors, asked: str | None, target: Any) -> Iterator[None]:
        """The CPU, taken for another device."""
        self.device = "gpu:7"
        yield

    cells = classes(keras_rules)[::20]
    here = [told(cell) for cell in cells]
    monkeypatch.setattr(TensorFlowTensors, "on_device", elsewhere)
    assert [told(cell) for cell in cells] == here


def told(target: Any) -> Any:
    result = check(target, steps=20)
    return result.verdict, result.findings, result.outcomes, result.influence, [e.unchanged for e in result.timeline]


VALUES = [
    tf.constant([[1.0, -2.0], [0.5, 3.0]]),
    tf.constant([60000.0, 2.0], tf.float16),
    tf.constant([1.5, 2.0], tf.bfloat16),
    tf.constant([float("nan"), 1.0]),
    tf.constant([float("inf"), 1.0]),
    tf.constant([3 + 4j, 1 - 1j]),
    tf.constant([3, -4]),
    tf.constant([True, False]),
    tf.constant(2.0),
    tf.zeros([0, 8]),
    tf.Variable([1.0, 2.0]),
]


def test_figures_are_those_of_the_arrays() -> None:
    here, there = keras_backend(), keras_backend()
    there.device = "gpu:7"
    for value in VALUES:
        other = tf.zeros_like(value)
        for pair in ((value, value), (other, value), (value, other), (None, value)):
            (wanted,) = here.figures([(None if pair[0] is None else here.hold(pair[0]), here.hold(pair[1]))])
            held = (None if pair[0] is None else there.hold(pair[0]), there.hold(pair[1]))
            (found,) = there.figures([held])
            assert (found.unchanged or pair[0] is None, found.broken) == (wanted.unchanged, wanted.broken)
            np.testing.assert_array_equal(there.read([held[1]])[0], here.hold(pair[1]))
            for one, other_one in ((found.before, wanted.before), (found.after, wanted.after)):
                if pair[0] is not None:
                    assert one is None if other_one is None else one == pytest.approx(other_one, rel=1e-12)


@gpu
def test_what_is_found_on_a_gpu_is_what_is_found_on_the_cpu() -> None:
    for cell in classes(keras_rules)[::10]:
        here, there = (check(cell, device=device) for device in ("cpu", "gpu"))
        assert there.settings["device"] == "gpu:0"
        assert [f.rule for f in there.findings] == [f.rule for f in here.findings]


@gpu
def test_without_a_word_it_is_the_cpu() -> None:
    assert check(classes(keras_rules)[0]).settings["device"] == "cpu"
