"""Published Keras cells broken in known ways, as in ``make mutants``."""

from __future__ import annotations

import pytest
from mutated import Named, is_found, lines_are_right, named_mutants, shown


@pytest.mark.parametrize("mutant", named_mutants("tf"), ids=shown)
def test_a_broken_cell(mutant: Named) -> None:
    is_found("tf", mutant)


def test_the_lines() -> None:
    lines_are_right("tf")
