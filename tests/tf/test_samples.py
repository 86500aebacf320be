"""Each broken sample fires its rule on its marked line and nothing else; each repaired twin nothing."""

from __future__ import annotations

import pytest
from samples import files, fires_exactly_its_rule, fires_nothing

CASES = [(path, fires_exactly_its_rule) for path in files("tf", repaired=False)]
CASES += [(path, fires_nothing) for path in files("tf", repaired=True)]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("path", "holds"), CASES, ids=lambda item: getattr(item, "stem", None))
def test_a_sample(path, holds, seed: int) -> None:
    holds(path, seed)
