"""Each rule finds its defect on its line and in its slot, in many styles, and neither the repaired twin nor a healthy
cell that looks like it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
import torch_rules as cells
from cases import check, classes, expected, holds, noted, seen

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


def test_each_broken_cell_has_a_repaired_twin() -> None:
    healthy = {item.__name__ for item in HEALTHY}
    assert {f"{item.__name__}Repaired" for item in BROKEN} <= healthy


@pytest.mark.parametrize("cell", [cell for cell in BROKEN if noted(cell)], ids=lambda item: item.__name__)
def test_the_twin_of_a_cell_with_a_note_has_none_of_it(cell: Any) -> None:
    twin = getattr(cells, f"{cell.__name__}Repaired")
    found = check(twin, backend="torch", **cells.NEEDS.get(twin.__name__, {}))
    assert not noted(cell) & {finding.rule for finding in found.findings}


def test_a_helper_of_the_module_that_remembers_is_pointed_at() -> None:
    (finding,) = [item for item in check(cells._SmoothsByAHelper, backend="torch").findings if not item.explained_by]
    lines, first = inspect.getsourcelines(cells._smoothed)
    assert (finding.rule, lines[finding.location.line - first].strip()) == ("leaked-state", "_TRACE.append(value)")


class RunsAwayFromSomeInputs(torch.nn.Module):
    """A neuron without weights that goes beyond a threshold for good, where its inputs drive it there."""

    def forward(self, x, v):
        return 0.8 * v + 0.5 * torch.relu(v - 1.1) + 0.35 * x


def test_what_only_some_inputs_drive_away_does_not_explode() -> None:
    found = [check(RunsAwayFromSomeInputs, backend="torch", seed=seed, input_shape=(5,)) for seed in range(40)]
    assert [seen(one) for one in found] == [[]] * 40


def test_what_is_multiplied_away_is_not_offered_as_the_new_state() -> None:
    (finding,) = [item for item in check(cells.ClosesItsGateForGood, backend="torch").findings if not item.explained_by]
    assert finding.message == "forward() returns h as it came in: what it adds of candidate is always zero."
    assert finding.suggestion == "let candidate in: what it is multiplied by is zero at every step"


def test_the_slot_goes_by_its_argument_and_the_new_value_by_what_the_step_calls_it() -> None:
    (finding,) = [
        item for item in check(cells.KeepsTheOldBySomeName, backend="torch").findings if not item.explained_by
    ]
    assert (finding.state, finding.message) == ("low", "forward() computes low and returns before.")
    assert finding.suggestion == "return low, high"


@pytest.mark.parametrize(
    ("cell", "message", "suggestion"),
    [
        (cells.GivesOutWhatItDrops, "forward() computes ht and returns h.", "return ht, ht"),
        (
            cells.GivesOutWhatItDropsAtOnce,
            "forward() computes (1 - f) * h + f * h_tilde and returns h.",
            "h = (1 - f) * h + f * h_tilde; return h, h",
        ),
        (
            cells.GivesOutItsHiddenStateAtOnce,
            "forward() computes o.sigmoid() * c.tanh() and returns h.",
            "h = o.sigmoid() * c.tanh(); return h, (h, c)",
        ),
        (
            cells.ShiftsByAToken,
            "forward() returns last_x as it came in, and x is what it is called after.",
            "return self.receptance(mixed).sigmoid() * self.value(k), x",
        ),
        (
            cells.ThrowsItsNewStateAway,
            "forward() calls self.rnn() and keeps nothing of what it returns: h comes back as it came in.",
            "h = self.rnn(torch.cat([self.phi(x), z], 1), h)",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_new_value_is_what_a_gate_lets_in_and_no_candidate(cell: Any, message: str, suggestion: str) -> None:
    (finding,) = [item for item in check(cell).findings if not item.explained_by]
    assert (finding.message, finding.suggestion) == (message, suggestion)
