"""Each broken sample fires its rule on its marked line and nothing else; each repaired twin nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from samples import expected, files

import rnncheck


@pytest.mark.parametrize("path", files("torch", repaired=False), ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_broken_sample(path: Path, seed: int) -> None:
    (result,) = rnncheck.check(str(path), seed=seed).results
    roots = [finding for finding in result.findings if finding.explained_by is None]
    assert [(finding.rule, finding.location.line) for finding in roots] == expected(path)
    assert {finding.severity for finding in roots} == {"error"}


@pytest.mark.parametrize("path", files("torch", repaired=True), ids=lambda path: path.stem)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_repaired_sample(path: Path, seed: int) -> None:
    (result,) = rnncheck.check(str(path), seed=seed).results
    assert (result.verdict, result.findings, result.error) == ("clean", (), None)
