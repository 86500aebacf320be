"""The sample cells against the rules' documentation; what rnncheck says of them is tested per backend."""

from __future__ import annotations

import textwrap

import pytest
from samples import SAMPLES, code, expected, files

from rnncheck.rules import IDS, RULES, by_id


@pytest.mark.parametrize("backend", ["tf", "torch"])
def test_each_rule_has_a_broken_sample_and_its_twin(backend: str) -> None:
    rules = [rule for path in files(backend, repaired=False) for rule, *_ in expected(path)]
    assert sorted(rules) == sorted(rule.id for rule in RULES if backend in rule.backends)
    broken = [path.stem for path in files(backend, repaired=False)]
    assert [path.stem for path in files(backend, repaired=True)] == [f"{stem}_repaired" for stem in broken]


@pytest.mark.parametrize("rule", IDS)
def test_the_documentation_shows_the_sample(rule: str) -> None:
    documentation = by_id(rule).documentation
    bad, good = documentation.split("## Example")[1].split("## Use instead")
    stem = rule.replace("-", "_")
    for block, suffix in ((bad, ""), (good, "_repaired")):
        shown = textwrap.dedent(block.strip("\n"))
        samples = [textwrap.dedent(code(path)) for path in SAMPLES.glob(f"*/{stem}{suffix}.py")]
        assert any(shown.strip() in textwrap.dedent(_method_level(sample)) for sample in samples), shown


def _method_level(sample: str) -> str:
    """The sample with the indentation of its methods taken away."""
    return "\n".join(line.removeprefix("    ") for line in sample.splitlines())
