"""The five steps of CONTRIBUTING.md by which a rule is added: none may be forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cases import MARK
from samples import SAMPLES, expected
from test_docs import faults
from write_docs import PAGE, README, ROOT

from rnncheck.rules import RULES
from rnncheck.rules.base import Rule
from rnncheck.trace import Trace

GUIDE = ROOT / "CONTRIBUTING.md"
PACKAGE = ROOT / "rnncheck" / "rules"
TESTS = ROOT / "tests"
CELLS = {"torch": TESTS / "torch", "tf": TESTS / "tf"}
ENOUGH = 4


def forgotten(rule: Rule) -> Iterator[str]:
    """What is still to be done for a rule, step by step."""
    yield from _module(rule)
    if rule not in RULES:
        yield "2. it has no entry in rnncheck/rules/__init__.py"
    if not {_class_of_tests(rule), rule.id} & _tested():
        yield f"3. tests/unit/test_rules*.py has no test in a class {_class_of_tests(rule)}"
    for backend in rule.backends:
        yield from _cells(rule, CELLS[backend])
        yield from _samples(rule, SAMPLES / backend)
    for page, entry in ((PAGE, f"\n## {rule.id}\n"), (README, f"[`{rule.id}`]")):
        if entry not in page.read_text(encoding="utf-8"):
            yield f"5. {page.relative_to(ROOT)} does not have it: run make docs"


def _stem(rule: Rule) -> str:
    return rule.id.replace("-", "_")


def _module(rule: Rule) -> Iterator[str]:
    path = PACKAGE / f"{_stem(rule)}.py"
    if rule.check.__module__ != f"rnncheck.rules.{_stem(rule)}" or not path.is_file():
        yield f"1. it is not checked in rnncheck/rules/{path.name}"
    if list(faults(rule.documentation)):
        yield "1. the docstring of its module is not whole"


def _class_of_tests(rule: Rule) -> str:
    return f"Test{rule.id.title().replace('-', '')}"


def _tested() -> set[str]:
    """The classes of the rules' unit tests that have a test, and the rules that are parameters of one."""
    trees = [ast.parse(path.read_text()) for path in (TESTS / "unit").glob("test_rules*.py")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    tests = {
        node.name: [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name.startswith("test")]
        for node in classes
    }
    decorators = [part for found in tests.values() for test in found for part in test.decorator_list]
    parameters = {inner.value for part in decorators for inner in ast.walk(part) if isinstance(inner, ast.Constant)}
    return {name for name, found in tests.items() if found} | {value for value in parameters if isinstance(value, str)}


def _cells(rule: Rule, folder: Path) -> Iterator[str]:
    cells = [cell for path in sorted(folder.glob("*.py")) for cell in _marked(path).items()]
    healthy = {name for name, rules in cells if not rules}
    pairs = [name for name, rules in cells if rule.id in rules and f"{name}Repaired" in healthy]
    if len(pairs) < ENOUGH:
        where = folder.relative_to(ROOT)
        yield f"4. {where} has {len(pairs)} cells with # expect: {rule.id} and a twin ...Repaired, not {ENOUGH}"


def _marked(path: Path) -> dict[str, set[str]]:
    """The classes and functions of a file of cells, each with the rules that are expected in it."""
    text = path.read_text()
    lines = text.splitlines()
    return {
        node.name: {rule for line in lines[node.lineno - 1 : node.end_lineno] for rule, *_ in MARK.findall(line)}
        for node in ast.parse(text).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }


def _samples(rule: Rule, folder: Path) -> Iterator[str]:
    broken, repaired = folder / f"{_stem(rule)}.py", folder / f"{_stem(rule)}_repaired.py"
    for path in (broken, repaired):
        if not path.is_file():
            yield f"5. there is no {path.relative_to(ROOT)}"
    if broken.is_file() and rule.id not in [name for name, *_ in expected(broken)]:
        yield f"5. {broken.relative_to(ROOT)} does not expect {rule.id}"


def unregistered(package: Path, known: set[str]) -> list[str]:
    """The modules that make a rule and are not in RULES."""
    return [path.stem for path in sorted(package.glob("*.py")) if _makes_rule(path) and path.stem not in known]


def _makes_rule(path: Path) -> bool:
    return re.search(r"^RULE\b", path.read_text(), re.MULTILINE) is not None


def test_no_step_was_forgotten() -> None:
    todo = [f"{rule.id}: {step}" for rule in RULES for step in forgotten(rule)]
    todo += [f"{name}: 2. it has no entry in RULES" for name in unregistered(PACKAGE, {_stem(rule) for rule in RULES})]
    assert not todo, "\n".join(["see CONTRIBUTING.md, A rule in five steps:", *todo])


def test_a_rule_of_which_only_the_name_is_there_lacks_every_step() -> None:
    def check(trace: Trace) -> list[None]:
        return []

    rule = Rule("made-up", "nothing", check)  # type: ignore[arg-type]
    assert list(forgotten(rule)) == [
        "1. it is not checked in rnncheck/rules/made_up.py",
        "1. the docstring of its module is not whole",
        "2. it has no entry in rnncheck/rules/__init__.py",
        "3. tests/unit/test_rules*.py has no test in a class TestMadeUp",
        "4. tests/tf has 0 cells with # expect: made-up and a twin ...Repaired, not 4",
        "5. there is no sample_cells/tf/made_up.py",
        "5. there is no sample_cells/tf/made_up_repaired.py",
        "4. tests/torch has 0 cells with # expect: made-up and a twin ...Repaired, not 4",
        "5. there is no sample_cells/torch/made_up.py",
        "5. there is no sample_cells/torch/made_up_repaired.py",
        "5. docs/rules.md does not have it: run make docs",
        "5. README.md does not have it: run make docs",
    ]


def test_a_module_without_an_entry_is_found(tmp_path: Path) -> None:
    (tmp_path / "made_up.py").write_text('RULE = Rule("made-up", "nothing", check)\n')
    (tmp_path / "base.py").write_text("class Rule: ...\n")
    assert unregistered(tmp_path, {"returned_old_state"}) == ["made_up"]
    assert unregistered(tmp_path, {"made_up"}) == []


def test_what_the_guide_names_is_there() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [line[0] for line in text.splitlines() if re.match(r"\d\. ", line)] == list("12345")
    for name in re.findall(r"`([\w./]+/[\w./]+)[` ]", text):
        if "my_rule" not in name and not name.startswith(".venv"):
            assert (ROOT / name).exists(), name
    targets = re.findall(r"^(\w[\w ]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {name for target in targets for name in target.split()}
    assert set(re.findall(r"`?make (\w+)[`\s]", text)) <= known
