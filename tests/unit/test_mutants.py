"""The operators of ``mutants/``: what they write, on which line, and how what is said of a mutant is judged."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from typing import Any

import pytest
from benchmark import HERE, chosen, right, table, tenth, troubles
from editing import Draft, Module, Unfit, statements
from operators import OPERATORS, Operator, mutants
from sites import Site, Slot, Step, spread
from verdict import judged

LSTM = """\
class Cell(torch.nn.Module):
    def forward(self, x, state):
        h, c = state
        x_proj = self.w(x)
        h_proj = self.u(h)  # the recurrence
        i, f, g, o = (x_proj + h_proj).chunk(4, 1)
        new_c = (
            f.sigmoid() * c
            + i.sigmoid() * g.tanh()
        )
        new_h = o.sigmoid() * new_c.tanh()
        return new_h, (new_h, new_c)
"""
STEP = Step(
    "torch",
    function=2,
    returned=12,
    ran=frozenset(range(3, 13)),
    input="x",
    slots=(Slot(("h",), ("h",)), Slot(("c",), ("c",))),
    state="state",
    kind="tuple",
    at=1,
    count=2,
)
SIMPLE = """\
class Cell(keras.layers.Layer):
    def call(self, inputs, states):
        h = states[0]
        h = self.activation(ops.add(ops.matmul(inputs, self.kernel), ops.matmul(h, self.recurrent)))
        return h, [h]
"""
SIMPLE_STEP = Step(
    "tf", 2, 5, frozenset([3, 4, 5]), "inputs", (Slot(("h",), ("states[0]",)),), "states", "list", at=1, count=2
)
BY_NAME = {operator.name: operator for operator in OPERATORS}


def made(operator: str, slots: tuple[int, ...], text: str = LSTM, step: Step = STEP) -> dict[str, dict[int, str]]:
    """Per spelling the lines at fault, as they now stand there."""
    found = {}
    for mutant in mutants(BY_NAME[operator], Site(text, step), slots):
        ast.parse(mutant.text)
        lines = mutant.text.splitlines()
        found[mutant.spelling] = {line: lines[line - 1].strip() for line in mutant.lines}
    return found


WRITTEN = [
    ("old state returned", (1,), "the old value is returned", {12: "return new_h, (new_h, c)"}),
    ("old state returned", (0, 1), "the old state is returned", {12: "return new_h, state"}),
    (
        "old state returned",
        (0,),
        "the new value is overwritten with the old one",
        {12: "new_h = h", 13: "return new_h, (new_h, new_c)"},
    ),
    (
        "recurrence dropped",
        (0,),
        "its terms are left out",
        {5: "h_proj = self.u(h)  # the recurrence", 6: "i, f, g, o = (x_proj).chunk(4, 1)"},
    ),
    ("recurrence dropped", (1,), "its terms are left out", {8: "i.sigmoid() * g.tanh()"}),
    ("recurrence dropped", (0,), "by_name: torch.zeros_like({})", {4: "h = torch.zeros_like(h)"}),
    ("recurrence dropped", (1,), "by_parameter: ({} * 0)", {3: "state = (state[0], (state[1] * 0))"}),
    ("recurrence dropped", (0,), "by_use: ({} * 0)", {5: "h_proj = self.u((h * 0))  # the recurrence"}),
    (
        "input dropped",
        (),
        "its terms are left out",
        {4: "x_proj = self.w(x)", 6: "i, f, g, o = (h_proj).chunk(4, 1)"},
    ),
    ("input dropped", (), "at first: torch.zeros_like({})", {4: "x = torch.zeros_like(x)"}),
    ("detached", (0,), "by_name: {}.detach()", {4: "h = h.detach()"}),
    ("detached", (1,), "in_return: {}.data", {12: "return new_h, (new_h, new_c.data)"}),
    ("detached", (0,), "as_computed: {}.detach()", {11: "new_h = (o.sigmoid() * new_c.tanh()).detach()"}),
    ("detached", (0,), "within no_grad", {5: "with torch.no_grad(): h_proj = self.u(h)  # the recurrence"}),
    ("leaked", (0,), "on self, by_use", {12: "self._memory = 0.5 * new_h.detach()"}),
    ("leaked", (1,), "in a dict, by_name", {13: '_MEMORY["state"] = 0.5 * new_c.detach()'}),
    ("rows mixed", (1,), "in_return: torch.roll({}, 1, 0)", {12: "return new_h, (new_h, torch.roll(new_c, 1, 0))"}),
    (
        "half frozen",
        (0,),
        "in_return: torch.where(torch.arange({old}.shape[-1]) < {old}.shape[-1] // 2, {}, {old})",
        {12: "return new_h, (torch.where(torch.arange(h.shape[-1]) < h.shape[-1] // 2, new_h, h), new_c)"},
    ),
    ("argument mutated", (0,), "at the end: copy_", {12: "h.copy_(new_h)"}),
    ("argument mutated", (1,), "at first: {}.mul_(0.5)", {7: "c.mul_(0.5)"}),
    ("slots swapped", (0, 1), "as it is returned", {12: "return new_h, (new_c, new_h)"}),
    ("slots swapped", (0, 1), "as it is unpacked", {3: "c, h = state", 12: "return new_h, (new_h, new_c)"}),
    ("NaN", (1,), "in_return: ({} / 0 * 0)", {12: "return new_h, (new_h, (new_c / 0 * 0))"}),
]


@pytest.mark.parametrize(("operator", "slots", "spelling", "lines"), WRITTEN, ids=lambda value: str(value)[:40])
def test_what_is_written(operator: str, slots: tuple[int, ...], spelling: str, lines: dict[int, str]) -> None:
    assert made(operator, slots)[spelling] == lines


def test_a_cell_that_gives_its_state_the_old_name() -> None:
    renamed = made("old state returned", (0,), SIMPLE, SIMPLE_STEP)["the new value is given another name"]
    assert renamed[4].startswith("new_h = self.activation(")
    assert renamed[5] == "return h, [h]"
    dropped = made("recurrence dropped", (0,), SIMPLE, SIMPLE_STEP)
    assert dropped["its terms are left out"] == {4: "h = self.activation(ops.matmul(inputs, self.kernel))"}
    assert dropped["by_name: tf.zeros_like({})"] == {3: "h = tf.zeros_like(states[0])"}
    (changed,) = dropped["by_use: ({} * 0)"].values()
    assert "ops.matmul((h * 0), self.recurrent)" in changed
    assert made("argument mutated", (0,), SIMPLE, SIMPLE_STEP) == {"the container": {5: "states[0] = h"}}


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_each_operator_has_at_least_two_spellings(operator: Operator) -> None:
    slots = next(operator.targets(2))
    assert len(made(operator.name, slots)) >= 2


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_only_the_lines_at_fault_and_their_like_are_changed(operator: Operator) -> None:
    for slots in operator.targets(2):
        for mutant in mutants(operator, Site(LSTM, STEP), slots):
            kept = [line for line in LSTM.splitlines() if line in mutant.text.splitlines()]
            assert len(kept) >= len(LSTM.splitlines()) - 4
            assert mutant.text != LSTM
            assert all(2 < line <= 14 for line in mutant.lines)


def test_the_order_of_the_spellings_turns() -> None:
    operator, site = BY_NAME["NaN"], Site(LSTM, STEP)
    first, second = (list(mutants(operator, site, (0,), turn)) for turn in (0, 1))
    assert second == [*first[1:], first[0]]


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (("each",), [(0,), (1,), (2,)]),
        (("each", "all"), [(0,), (1,), (2,), (0, 1, 2)]),
        (("two",), [(0, 1), (1, 2)]),
        (("input",), [()]),
    ],
)
def test_targets(broken: tuple[str, ...], expected: list[tuple[int, ...]]) -> None:
    assert list(replace(OPERATORS[0], breaks=broken).targets(3)) == expected


def test_a_state_that_only_comes_from_a_call_is_taken_apart() -> None:
    text = "class Cell:\n    def forward(self, x, state):\n        return self.step(\n            x, state\n        )\n"
    step = replace(STEP, returned=3, ran=frozenset([3, 4]), slots=(Slot(), Slot()))
    spread_text, after = spread(text, step)
    assert spread_text.splitlines()[2:] == [
        "        output, (new_state_0, new_state_1) = self.step(",
        "            x, state",
        "        )",
        "        return output, (new_state_0, new_state_1)",
    ]
    assert after.returned == 6
    named, _ = spread(text, replace(step, kind="named", keys=("h", "c"), at=None, count=1))
    assert named.splitlines()[-1] == "        return new_state._replace(h=new_state.h, c=new_state.c)"
    assert spread(LSTM, STEP) == (LSTM, STEP)


def test_the_lines_of_a_draft() -> None:
    module = Module("def f(x):\n    a = g(\n        x\n    )\n    b = a  # why\n    return b\n")
    first, second, third = statements(module.function(1))
    draft = Draft(module)
    assert isinstance(first, ast.Assign)
    draft.replace(first.value, "x")
    draft.before(second, "c = 1")
    draft.after(second, "d = 2")
    draft.also(third)
    draft.footer("import e")
    text, lines = draft.finish()
    assert text == "def f(x):\n    a = x\n    c = 1\n    b = a  # why\n    d = 2\n    return b\n\n\nimport e\n"
    assert lines == (2, 3, 5, 6)


def test_what_does_not_fit() -> None:
    module = Module("def f(x):\n    if x: return 1; y = 2\n    return x + 1\n")
    *_, inner, last = statements(module.function(1))
    assert isinstance(last, ast.Return)
    assert isinstance(last.value, ast.BinOp)
    draft = Draft(module)
    with pytest.raises(Unfit, match="same line"):
        draft.before(inner, "y = 1")
    with pytest.raises(Unfit, match="no function"):
        module.function(2)
    draft.replace(last.value, "x")
    draft.replace(last.value.left, "2 * x")
    with pytest.raises(Unfit, match="overlap"):
        draft.finish()


def finding(rule: str = "partial-freeze", slot: int | None = 1, **others: Any) -> dict[str, Any]:
    usual = {"severity": "error", "explained_by": None, "line": 4, "end_line": 6}
    return {"rule": rule, "state_index": slot, **usual, **others}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([finding()], (True, True, True)),
        ([finding(line=3, end_line=4)], (True, True, False)),
        ([finding(line=None, end_line=None)], (True, True, False)),
        ([finding(slot=0)], (True, False, True)),
        ([finding(slot=None)], (True, False, True)),
        ([finding(), finding(slot=0)], (True, False, True)),
        ([finding(severity="note")], (False, False, False)),
        ([finding(explained_by="ignored-input")], (False, False, False)),
        ([finding(rule="batch-leak")], (False, False, False)),
        ([], (False, False, False)),
    ],
)
def test_judging(said: list[dict[str, Any]], expected: tuple[bool, bool, bool]) -> None:
    verdict = judged(BY_NAME["half frozen"], (1,), 2, (5,), {"findings": said, "error": None})
    assert (verdict.found, verdict.right_slot, verdict.right_line) == expected


def test_no_slot_is_asked_for_where_all_are_broken_or_the_rule_names_none() -> None:
    result = {"findings": [finding(slot=None), finding("batch-leak", None)], "error": None}
    assert judged(BY_NAME["half frozen"], (0,), 1, (5,), result).right_slot
    assert judged(BY_NAME["half frozen"], (0, 1), 2, (5,), result).right_slot
    assert judged(BY_NAME["rows mixed"], (), 2, (5,), result).right_slot


def line(operator: str, *, found: bool = True, right_line: bool = True) -> dict[str, Any]:
    verdict = {"found": found, "right_slot": found, "right_line": right_line, "said": [], "error": None}
    where = {"package": "torch", "entry": "torch.nn:GRUCell", "backend": "torch"}
    return {
        **where,
        "operator": operator,
        "spelling": "s",
        "asked": [0],
        "slots": [0],
        "lines": [3],
        "verdict": verdict,
        "diff": "-a\n+b",
    }


def test_the_table() -> None:
    where = {"package": "torch", "entry": "torch.nn:GRUCell", "backend": "torch"}
    lines = [
        {**where, "alarms": []},
        {**where, "operator": "NaN", "thrown_away": 3},
        line("NaN"),
        line("NaN", found=False),
        line("detached", right_line=False),
        {**where, "unfit": "it is a layer"},
    ]
    text = table(lines)
    assert "| NaN | `nonfinite-state` | 2 | 0 | 3 | 1 of 2 (50.0 %) | 1 of 1 (100.0 %) |" in text
    assert "| all |  | 3 | 0 | 3 | 2 of 3 (66.7 %) | 1 of 2 (50.0 %) |" in text
    assert "1 (it is a layer)" in text
    told = list(troubles(lines))
    assert [text.splitlines()[2].split(";")[0].strip() for text in told] == ["missed", "another line"]
    assert [right(item) for item in lines if "verdict" in item] == [True, False, True]


def test_a_tenth_of_all_mutants_is_of_packages_at_hand() -> None:
    lines = [line("NaN") for _ in range(100)] + [{**line("NaN"), "entry": "elsewhere:Cell"} for _ in range(100)]
    assert len(tenth(lines)) == 20


def test_what_make_test_runs_are_mutants_of_healthy_cells_at_hand() -> None:
    named = json.loads((HERE / "tenth.json").read_text(encoding="utf-8"))
    healthy = {(entry.backend, entry.typed) for group in chosen(None) for entry in group if not entry.env}
    assert {(backend, typed) for backend, typed, *_ in named} <= healthy
    assert {operator for _, _, operator, _ in named} <= BY_NAME.keys()
    assert len(named) == len({json.dumps(item) for item in named}) >= 40
