"""Published PyTorch cells, as in ``make zoo``: those of the small packages that the test environment holds."""

from __future__ import annotations

import pytest
from published import Entry, holds, named, small_entries

ENTRIES = small_entries("torch")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("entry", ENTRIES, ids=named)
def test_a_published_cell(entry: Entry, seed: int) -> None:
    holds(entry, seed)
