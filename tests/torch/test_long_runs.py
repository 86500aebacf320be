"""Runs over more steps than the experiments look at: all are run and told, few are kept."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import torch
from cases import check
from torch import Tensor, nn

STEPS = 40


class _Frozen(nn.Module):
    def __init__(self, input_size: int = 5, hidden_size: int = 8) -> None:
        super().__init__()
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        fresh = torch.tanh(self.mix(torch.cat([x, h], 1)))
        return fresh, h


class _Plain(_Frozen):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        fresh = torch.tanh(self.mix(torch.cat([x, h], 1)))
        return fresh, fresh


class _Breaks(_Frozen):
    """Its clock runs over at step 25."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, clock = state
        fresh = torch.tanh(self.mix(torch.cat([x, h], 1)))
        clock = clock + 1
        fresh = fresh * torch.sqrt(25.5 - clock)
        return fresh, (fresh, clock)

    def init_hidden(self, batch_size: int) -> tuple[Tensor, Tensor]:
        return torch.zeros(batch_size, 8), torch.zeros(batch_size, 1)


class _WakesLate(_Breaks):
    """Its slow part moves at every twentieth step alone."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        slow, clock = state
        fresh = torch.tanh(self.mix(torch.cat([x, slow], 1)))
        clock = (clock + 1) % 20
        return fresh, (torch.where(clock == 0, fresh, slow), clock)


def timeline(cell: Any, steps: int = STEPS) -> tuple[Any, list[Any]]:
    result = check(cell, backend="torch", steps=steps)
    return result, [entry for entry in result.timeline if entry.state in ("h", "slow")]


def test_every_step_is_told_and_so_is_the_value_that_was_dropped() -> None:
    result, entries = timeline(_Frozen)
    (finding,) = [item for item in result.findings if item.explained_by is None]
    assert (finding.rule, finding.steps) == ("returned-old-state", (0, STEPS - 1))
    assert [entry.step for entry in entries] == list(range(STEPS))
    assert all(entry.unchanged and entry.previous == entry.returned == 0.0 and entry.new > 0.0 for entry in entries)


def test_the_steps_beyond_go_on_from_those_before() -> None:
    _, entries = timeline(_Plain)
    assert [entry.previous for entry in entries[1:]] == [entry.returned for entry in entries[:-1]]
    assert len({entry.returned for entry in entries}) == STEPS


def test_the_step_at_which_numbers_end_is_found_late_too() -> None:
    result, entries = timeline(_Breaks)
    (finding,) = result.findings
    assert (finding.rule, finding.steps) == ("nonfinite-state", (25, 25))
    assert finding.location.text == "fresh = fresh * torch.sqrt(25.5 - clock)"
    assert [entry.returned is None for entry in entries] == [False] * 25 + [True]


def test_what_moves_late_moves() -> None:
    result, entries = timeline(_WakesLate)
    assert result.verdict == "clean"
    assert [entry.step for entry in entries if not entry.unchanged] == [19, 39]


@pytest.mark.parametrize("cell", [_Plain, _Frozen])
def test_few_steps_are_kept(cell: Any) -> None:
    def peak(steps: int) -> int:
        tracemalloc.start()
        check(cell, backend="torch", steps=steps, batch=64, kwargs={"input_size": 64, "hidden_size": 64})
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(20)
    # A step's arrays alone are 64 x 64 x 4 bytes each.
    assert peak(420) - peak(20) < 400 * 64 * 64 * 4 / 4
