"""Healthy cells stay clean under every seed; broken ones are found with slot, line and remedy."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
import torch_broken as broken_cells
import torch_healthy as healthy_cells
import torch_repaired as repaired_cells
from cases import check, classes, expected, holds, seen

BROKEN = [item for item in classes(broken_cells) if item.__name__ != "factory"]
HEALTHY = [item for item in classes(healthy_cells) if item.__name__ not in ("State", "ScriptedStep")]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean(cell: Any, seed: int) -> None:
    assert seen(check(cell, seed=seed, backend="torch")) == []


@pytest.mark.parametrize(
    "options", [{"steps": 1}, {"batch": 1}, {"steps": 40, "batch": 5}, {"dtype": "float64"}], ids=str
)
@pytest.mark.parametrize("cell", HEALTHY, ids=lambda item: item.__name__)
def test_a_healthy_cell_is_clean_in_other_sizes(cell: Any, options: dict[str, Any]) -> None:
    assert seen(check(cell, backend="torch", **options)) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_cell_is_found(cell: Any, seed: int) -> None:
    assert expected(cell)
    holds(cell, seed=seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("cell", classes(repaired_cells), ids=lambda item: item.__name__)
def test_a_repaired_cell_is_clean(cell: Any, seed: int) -> None:
    assert cell.__name__ == f"{cell.__base__.__name__}Repaired"
    assert expected(cell.__base__)
    assert seen(check(cell, seed=seed)) == []


class _ScriptedOld(torch.jit.ScriptModule):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(input_size, hidden_size))
        self.u = torch.nn.Parameter(torch.randn(hidden_size, hidden_size))

    @torch.jit.script_method
    def forward(self, x, h):  # type: ignore[no-untyped-def]
        return torch.tanh(torch.mm(x, self.w) + torch.mm(h, self.u)), h


def test_of_a_scripted_cell_it_is_said_how_to_have_the_lines() -> None:
    result = check(_ScriptedOld)
    assert ("returned-old-state", None, "error", 0) in seen(result)
    assert any("PYTORCH_JIT=0" in remark for remark in result.remarks)
    assert check(healthy_cells.ScriptMethods).remarks == ()


@pytest.mark.parametrize(
    ("cell", "suggestion"),
    [
        ("ReturnsOldH", "return h_next, (h_next, c_next)"),
        ("ReturnsOldWhole", "return h_next, (h_next, c_next)"),
        ("ReturnsAClone", "return new, new.clone()"),
        ("AliasedEarly", "return candidate, candidate"),
        ("SeveralLines", "return h_new, h_new"),
        ("InAHelper", "return h_new, h_new"),
        ("OldInADict", "return h, {'h': h, 'c': c}"),
        (
            "ReturnsOldInline",
            "hidden = torch.tanh(self.w(torch.cat((inp, hidden), 1))); return hidden, hidden",
        ),
        ("ReadsOutOfTheNew", "return out, mixed"),
        ("ReadsOutByAHelper", "return y, active"),
        ("NormalisesAtTheEnd", "return out, out"),
        ("DropsOutTheNew", "return out, new"),
        ("KeepsOneOfItsArguments", "return h, c_new"),
        ("KeepsItsHiddenBesideAContext", "return new_hidden, context, alignment"),
        ("ForgetsItsFastWeights", "return h, (h, new_fast)"),
        ("WipesItsState", "return new in its place"),
        ("StartsAnewEachStep", "return y, y"),
        ("ForgetsItsLargestGate", "return c, (c, m_new)"),
        ("TwoOfOneStatement", "return self.head(a), (a, b)"),
        ("NeverReads", "z = self.i2h(x) + self.h2h(h)"),
        ("ForgetsOneSlot", "gates = self.x(x) + self.h(h)"),
        ("OverwritesTheState", "leave out: h = torch.zeros_like(h)"),
    ],
)
def test_the_suggestion_is_code_in_the_users_names(cell: str, suggestion: str | None) -> None:
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
            healthy_cells.ReZero,
            healthy_cells.ClosedGate,
        )
    }
    assert notes == {
        "ZeroInitialisedRecurrence": [("ignored-recurrence", "note")],
        "FrozenZeroRecurrence": [("ignored-recurrence", "note")],
        "ReZero": [("returned-old-state", "note")],
        "ClosedGate": [("returned-old-state", "note")],
    }


def test_what_was_recorded_is_what_a_loop_by_hand_gives() -> None:
    cell = torch.nn.LSTMCell(5, 8)
    result = check(cell, seed=3)
    inputs = torch.from_numpy(np.random.default_rng(3).standard_normal((7, 3, 5)).astype("float32"))
    h = c = torch.zeros(3, 8)
    rms: list[tuple[float, float, float]] = []
    for x in inputs:
        before = h
        h, c = cell(x, (h, c))
        rms.append(tuple(float(value.pow(2).mean().sqrt().detach()) for value in (before, h, h)))  # type: ignore[arg-type]
    first = result.states[0].name
    seen_h = [(entry.previous, entry.new, entry.returned) for entry in result.timeline if entry.state == first]
    assert np.allclose(seen_h, rms, rtol=1e-5, atol=1e-7)


def test_the_influence_matrix_of_an_lstm() -> None:
    influence = check(torch.nn.LSTMCell).influence
    assert influence is not None
    for table in (influence["value"], influence["gradient"]):
        assert set(table) == {"0", "1", "input"}
        assert all(value > 0 for row in table.values() for value in row.values())


def test_gradients_tell_unconnected_from_zero() -> None:
    never = check(broken_cells.NeverReads).influence
    zero = check(broken_cells.MultipliesByZero).influence
    assert never is not None
    assert zero is not None
    assert (never["gradient"]["h"]["h"], zero["gradient"]["h"]["h"]) == (None, 0.0)


class Counting(torch.nn.Module):
    """Keeps all sorts of things on itself."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = torch.nn.GRUCell(5, 8)
        self.dropout = torch.nn.Dropout(0.5)
        self.register_buffer("seen", torch.zeros(1))
        self.log: list[float] = []
        self.by_step: dict[int, float] = {}

    def forward(self, x: Any, h: Any) -> Any:
        self.seen += 1
        self.log.append(1.0)
        self.by_step[len(self.log)] = 2.0
        self.extra = h
        with torch.no_grad():
            self.cell.bias_hh.mul_(0.99)
        return self.cell(self.dropout(x), h)


@pytest.mark.parametrize("failing", [False, True])
def test_an_instance_and_all_randomness_are_left_as_they_were(failing: bool) -> None:
    cell = Counting()
    if failing:
        cell.cell = torch.nn.GRUCell(99, 3)
    before, attributes = copy.deepcopy(cell.state_dict()), set(vars(cell))
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    rnn = check if not failing else __import__("rnncheck").check
    rnn(cell, input_shape=(5,)) if failing else rnn(cell)
    assert all(torch.equal(before[name], value) for name, value in cell.state_dict().items())
    assert (cell.log, cell.by_step, set(vars(cell)), cell.training, cell.dropout.training) == (
        [],
        {},
        attributes,
        True,
        True,
    )
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])


def test_the_same_seed_gives_the_same_report() -> None:
    assert check(broken_cells.ReturnsOldH, seed=5) == check(broken_cells.ReturnsOldH, seed=5)


@pytest.mark.parametrize("initial_state", ["zeros", "ones", "random"])
def test_where_the_unroll_starts_can_be_chosen(initial_state: str) -> None:
    result = check(torch.nn.GRUCell, initial_state=initial_state)
    first = result.timeline[0].previous
    assert first is not None
    assert (first == 0.0, first == 1.0) == (initial_state == "zeros", initial_state == "ones")
    assert result.verdict == "clean"


class Stepping(torch.nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = torch.nn.GRUCell(input_size, hidden_size)

    def forward(self, xs: Any) -> Any:
        raise NotImplementedError

    def step(self, x: Any, h: Any) -> Any:
        new = self.cell(x, h)
        return new, h  # expect: returned-old-state error 0


def test_another_method_can_be_checked() -> None:
    holds(Stepping, method="step")


def test_sizes_are_learned_from_the_weights_of_a_factorys_cell() -> None:
    result = check(broken_cells.factory, backend="torch")
    assert (result.settings["input_shape"], result.states[0].shape) == ([3], (4,))
    assert [item[0] for item in seen(result)] == ["returned-old-state"]


def test_options_from_python_are_checked_too() -> None:
    rnncheck = __import__("rnncheck")
    assert rnncheck.check(broken_cells.ReturnsOldH, fail_on="never").exit_status() == 0
    assert rnncheck.check(broken_cells.ReturnsOldH, ignore="returned-old-state", input_shape=10).exit_status() == 0
    with pytest.raises(rnncheck.errors.UsageError, match="There is no option 'seeed'"):
        rnncheck.check(broken_cells.ReturnsOldH, seeed=1)
