"""Each way of calling a cell is understood: healthy cells stay clean, broken ones are found where they break."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_conventions as cells
from cases import check, classes, expected, holds, seen

import rnncheck

BROKEN = [item for item in classes(cells) if expected(item)]
HEALTHY = [item for item in classes(cells) if not expected(item)]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, backend="torch", seed=seed, **cells.NEEDS.get(cell.__name__, {}))) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    holds(cell, backend="torch", seed=seed, **cells.NEEDS.get(cell.__name__, {}))


@pytest.mark.parametrize(
    ("cell", "convention"),
    [
        (torch.nn.GRUCell, "(input, hx) -> hx'"),
        (torch.nn.LSTMCell, "(input, (s0, s1)) -> (s0', s1')"),
        (cells.MGUCell, "(inp, hidden) -> hidden'"),
        (cells.PeepholeLSTMCell, "(x, (h, c)) -> (h', c')"),
        (cells.SCRNCell, "(x, (h, s)) -> (output, (h', s'))"),
        (cells.BistableCell, "(inp, [prev_h]) -> (output, [prev_h'])"),
        (cells.ActorCriticCore, "(obs, hx, cx) -> (output, hx', cx')"),
        (cells.HippocampalCell, "(x, s0, (u, l)) -> (s0', (u', l'))"),
        (cells.VariadicLSTM, "(x, *(s0, s1)) -> (output, s0', s1')"),
        (cells.OptimizedScanLSTM, "((c, h), inputs) -> ((c', h'), output)"),
        (cells.JordanCell, "(h, x) -> h'"),
        (cells.LinearAttention, "step(x, state) -> (output, state')"),
        (cells.TransducerPredictor, "forward_one_step(y, (s0, s1)) -> (output, (s0', s1'))"),
        (cells.KeywordOnlyLSTM, "(x, h, c) -> (h', c')"),
        (cells.DictLSTM, "(inputs, {'cell': cell, 'hidden': hidden}) -> (output, {'cell': cell', 'hidden': hidden'})"),
        (cells.EverythingInOneDict, "(x, state) -> {'state': state', ...}"),
        (
            cells.FrozenDataclassLoop,
            "(x, _LoopState(h=h, steps=steps)) -> (output, _LoopState(h=h', steps=steps'))",
        ),
        (cells.ReturnsTheStateBeforeWhatItReads, "(x, h) -> (h', output)"),
        (cells.IntegratesAVoltage, "(x, v) -> (v', output)"),
        (cells.RetainsOuterProducts, "(x_n[:, None], s_n_1) -> (output, s_n_1')"),
        (cells.TakesItsLastAction, "(obs, hidden, prev_action=tensor 3x8) -> hidden'"),
        (cells.TakesWhatIsBelow, "(h_bottom, h, c, z) -> (h', c', z')"),
        (cells.StepsWithoutForward, "step(x_t, S) -> (output, S')"),
        (cells.TakesAStateThatIsNamedAsAnInput, "(embed, in_state, reset_mask=ones 3x1) -> in_state'"),
        (cells.HiddenAndCellAmongOutputs, "(x, hidden, cell) -> (output 0, hidden', cell', output 3)"),
        (cells.AllInOneArgument, "((inputs, (hx, cx))) -> (output, (hx', cx'))"),
        (cells.AttendsTimeFirst, "(input, hidden, encoder_outputs=tensor 4x3x16) -> (output, hidden')"),
        (
            cells.WorldModel,
            "({'stoch': stoch, 'deter': deter}, embed, prev_action=tensor 3x8) -> "
            "({'stoch': stoch', 'deter': deter'}, output)",
        ),
        (cells.TakesTimesWithItsInput, "((dt=ones 3x1, x), h) -> h'"),
        (cells.StatefulElman, "(x) with self.h -> output, self.h"),
        (cells.ODERNNCell, "(x, h, ts=1.0) -> h'"),
        (cells.MaskedGRUStep, "(x, h, mask=ones 3x1) -> h'"),
        (cells.MinGRUWithFlag, "(x, prev_hidden, return_next_prev_hidden=True) -> (output, prev_hidden')"),
        (cells.OutputFirstOfThree, "(x, state) -> (output 0, state', output 2)"),
        (cells.GRULayer, "(input[:, None], hx) -> (output, hx')"),
        (cells.SimpleRecurrentUnitLayer, "(input[None], c0) -> (output, c0')"),
        (cells.LeavesItsLoopToAPart, "(input[None], hidden) -> hidden'"),
        (
            cells.FillsWhatItDidNotSee,
            "step(x, h, x_seen=tensor 3x5, x_usual=tensor 3x5, mask=ones 3x5, delta=ones 3x5) -> h'",
        ),
        (cells.TakesAPairWhoseSecondPartIsOne, "(x, ((h, c), (s2, s3))) -> ((h', c'), (s2', s3'))"),
        (cells.StacksItsLayersAndShowsTheLast, "(x, h) -> (output, h')"),
        (cells.TakesTheStateOfALayerByItsNumber, "(x, [s0]) -> (output, [s0'])"),
        (cells.TakesTheStateOfALayerOfASequence, "(seq[None], [s0]) -> (output, [s0'])"),
        (cells.SaysWhichAxisIsTimeByADefault, "(input[None], hidden) -> hidden'"),
    ],
    ids=lambda item: getattr(item, "__name__", None),
)
def test_how_a_cell_is_called_is_said(cell: Any, convention: str) -> None:
    assert check(cell, backend="torch", **cells.NEEDS.get(cell.__name__, {})).convention == convention


@pytest.mark.parametrize("cell", [cells._HandsOutWhatItRemembered, cells._FillsByTheTimeOfARow])
def test_where_what_comes_back_is_no_next_state_and_may_be_right_there_is_no_verdict(cell: Any) -> None:
    (result,) = rnncheck.check(cell, backend="torch").results
    assert result.findings == ()
    assert result.verdict == "error"


class RecurrentByOption(torch.nn.Module):
    def __init__(self, num_inputs, recurrent=False, hidden_size=64):
        super().__init__()
        self._recurrent = recurrent
        if recurrent:
            self.gru = torch.nn.GRUCell(num_inputs, hidden_size)
        self.actor = torch.nn.Linear(hidden_size if recurrent else num_inputs, hidden_size)

    def forward(self, inputs, rnn_hxs, masks):
        x = inputs
        if self._recurrent:
            x = rnn_hxs = self.gru(x, rnn_hxs * masks)
        return self.actor(x), rnn_hxs


def test_a_recurrence_that_an_option_switches_off_is_no_finding() -> None:
    (result,) = rnncheck.check(RecurrentByOption, backend="torch").results
    assert (result.verdict, result.findings) == ("error", ())
    assert result.error is not None
    assert "switched off by self._recurrent" in result.error.message
    assert result.error.hint == "Switch it on: --kwargs recurrent=True"
    assert seen(check(RecurrentByOption, backend="torch", kwargs={"recurrent": True})) == []


class NamedAsInAPaper(torch.nn.Module):
    """By their names its arguments could be anything."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = torch.nn.LSTMCell(input_size, hidden_size)

    def forward(self, q: Any, r: Any, v: Any = None, w: Any = None) -> Any:
        v, w = self.cell(q if r is None else q + 0 * r, (v, w))
        return v, w


def test_parts_of_the_state_that_are_arguments_by_their_names_are_these() -> None:
    (result,) = rnncheck.check(NamedAsInAPaper, state="v:8,w:8", call_kwargs={"r": None}).results
    assert (result.verdict, result.convention) == ("clean", "(q, v, w, r=None) -> (v', w')")


class StartsFromAShape(torch.nn.Module):
    """Its first state takes as many axes of rows as one likes, none too."""

    def __init__(self, hidden_size: int, units: int = 6) -> None:
        super().__init__()
        self.shape = hidden_size, units
        self.decay = torch.nn.Parameter(0.9 * torch.rand(hidden_size, units))
        self.drive = torch.nn.Parameter(torch.rand(hidden_size, units))

    def default_state(self, *batch_shape: int, device: Any = None) -> Any:
        return torch.zeros(*batch_shape, *self.shape, device=device)

    def forward(self, x: Any, state: Any) -> Any:
        state = self.decay * state + self.drive * x[..., None]
        return state.sum(-1), state


def test_a_first_state_of_any_number_of_rows_has_one_for_each() -> None:
    assert check(StartsFromAShape).convention == "(x, state) -> (output, state')"
