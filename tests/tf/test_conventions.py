"""Each way of calling a cell is understood: healthy cells stay clean, broken ones are found where they break."""

from __future__ import annotations

from typing import Any

import keras
import keras_conventions as cells
import pytest
from cases import check, classes, expected, holds, seen

BROKEN = [item for item in classes(cells) if expected(item)]
HEALTHY = [item for item in classes(cells) if not expected(item)]


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []


@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, backend="tf", seed=seed, **cells.NEEDS.get(cell.__name__, {}))


@pytest.mark.parametrize(
    ("cell", "convention"),
    [
        (keras.layers.LSTMCell, "(inputs, [h_tm1, c_tm1]) -> (output, [h_tm1', c_tm1'])"),
        (cells.ElmanStep, "(x, h) -> h'"),
        (cells.PeepholeStep, "(x, [h, c]) -> [h', c']"),
        (cells.BareStateNoList, "(inputs, state) -> (output, state')"),
        (cells.SpreadLSTM, "(x, h, c) -> (h', c')"),
        (cells.UnpackedDict, "step(x, h, c) -> (output, (h', c'))"),
        (cells.DictCell, "(inputs, {'cell': cell, 'hidden': hidden}) -> (output, {'cell': cell', 'hidden': hidden'})"),
        (cells.StatefulByVariable, "(x) with self.state -> output, self.state"),
        (cells.TimeAwareCell, "(x, h, ts=1.0) -> h'"),
        (cells.MaskedCell, "(x, [h, c], frame_mask=ones 3x1) -> (output, [h', c'])"),
        (cells.MemoryAndItsMask, "(inputs, [s0, s1], constants=[tensor 3x4x8, ones 3x4]) -> (output, [s0', s1'])"),
        (
            cells.KeepsWhatItReadOfAWideMemory,
            "(inputs, [h, c, context], constants=[tensor 3x4x16]) -> (output, [h', c', context'])",
        ),
        (cells.TwoLayersAlike, "(x, [s0, s1], [s2, s3]) -> (output, [s0', s1'], [s2', s3'])"),
        (cells.AllInOneArgument, "((x, (h, c))) -> (output, (h', c'))"),
    ],
    ids=lambda item: getattr(item, "__name__", None),
)
def test_how_a_cell_is_called_is_said(cell: Any, convention: str) -> None:
    assert check(cell, backend="tf", **cells.NEEDS.get(cell.__name__, {})).convention == convention


def test_of_two_names_of_a_new_value_that_of_its_slot_is_said() -> None:
    (finding,) = [item for item in check(cells.ImaginesFromTheOldDeter, backend="tf").findings if not item.explained_by]
    assert finding.suggestion == "return {'stoch': prior['stoch'], 'deter': deter} as the new state"


class ToldOfStates(keras.layers.LSTM):
    told = 0

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        ToldOfStates.told += initial_state is not None
        return super().call(sequences, initial_state=initial_state, mask=mask, training=training)


def test_on_a_layer_that_says_that_it_hands_out_no_state_none_is_tried() -> None:
    assert check(ToldOfStates, backend="tf", kwargs={"units": 8}).convention == "(sequences[:, None]) -> output"
    assert ToldOfStates.told == 0


@pytest.mark.parametrize(
    ("cell", "suggestion"),
    [
        (cells.KeepsTheLowerTwice, "return [h1, h2] as the new state"),
        (cells.KeepsTheLowerTwiceWithoutNames, "return [lower[0], upper[0]] as the new state"),
        (cells.VariableThatNobodyWrites, "self.h.assign(out)"),
    ],
    ids=lambda item: getattr(item, "__name__", None),
)
def test_the_new_value_is_put_where_it_belongs(cell: Any, suggestion: str) -> None:
    (finding,) = [item for item in check(cell, backend="tf").findings if not item.explained_by]
    assert finding.suggestion == suggestion
