"""The rules' documentation: whole, and the same in docstrings, docs and README."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator

import pytest
from write_docs import PAGE, README, page, readme

from rnncheck.rules import RULES, by_id
from rnncheck.rules.base import Rule

SECTIONS = ["What it does", "Why it is bad", "Known problems", "Example", "Use instead"]
SEVERITIES = {"error", "warning", "note"}


def faults(documentation: str) -> Iterator[str]:
    """What a rule's documentation lacks."""
    title, *parts = documentation.split("\n## ")
    if not title.strip().endswith("."):
        yield "no sentence says what it is"
    sections = {name: text for name, _, text in (part.partition("\n") for part in parts)}
    if list(sections) != SECTIONS:
        yield f"its sections are {', '.join(sections) or 'none'}, not {', '.join(SECTIONS)}"
    yield from (f"{name} is empty" for name, text in sections.items() if not text.strip())
    for name in ("Example", "Use instead"):
        try:
            ast.parse(textwrap.dedent(sections.get(name, "").strip("\n")))
        except SyntaxError as error:
            yield f"{name} is not Python: {error.msg}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_is_documented(rule: Rule) -> None:
    assert list(faults(rule.documentation)) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("## Known problems\n", "", "not What it does, Why it is bad, Known problems, Example, Use instead"),
        ("Why it is bad", "Why is it bad", "its sections are What it does, Why is it bad, Known problems"),
        ("    def forward(self, x, h):", "    def forward(self, x, h)", "Example is not Python: expected ':'"),
        ("The state is read, but no gradient flows back through it.", "", "no sentence says what it is"),
    ],
)
def test_a_documentation_that_lacks_something_is_not_taken(old: str, new: str, fault: str) -> None:
    whole = by_id("detached-state").documentation
    assert old in whole
    found = list(faults(whole.replace(old, new)))
    assert fault in " ".join(found)


def test_an_empty_documentation_lacks_everything() -> None:
    assert list(faults("")) == [
        "no sentence says what it is",
        "its sections are none, not What it does, Why it is bad, Known problems, Example, Use instead",
    ]
    assert "Example is empty" in list(faults("Title.\n\n## Example\n"))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_tells_the_severities_that_its_code_gives(rule: Rule) -> None:
    tree = ast.parse(inspect.getsource(sys.modules[rule.check.__module__]))
    code = [node for node in tree.body if not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RULE")]
    constants = {inner.value for node in code for inner in ast.walk(node) if isinstance(inner, ast.Constant)}
    assert set(rule.severities) == constants & SEVERITIES


def test_the_page_of_rules_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run make docs"


def test_the_readmes_table_of_rules_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == readme(text), "run make docs"
    with pytest.raises(ValueError, match="no place for the table"):
        readme("# rnncheck\n")
