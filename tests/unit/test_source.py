from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from rnncheck.usercode import rewriting, source


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cell.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


@pytest.mark.parametrize(
    ("statement", "replacements", "listed", "expected"),
    [
        ("return output, old", {"old": "new"}, False, "return output, new"),
        ("return output, old", {"old": "new"}, True, "return output, [new]"),
        ("return output, [old]", {"old": "new"}, True, "return output, [new]"),
        ("return old", {"old": "new"}, False, "return new"),
        ("return h, (h, c)", {"c": "c_new"}, False, "return h, (h, c_new)"),
        ("return out, states", {"states": "[h, c]"}, False, "return out, [h, c]"),
        ("return out, {'h': states['h']}", {"states['h']": "new"}, False, "return out, {'h': new}"),
        ("return out, State(h=states[0])", {"states[0]": "new"}, False, "return out, State(h=new)"),
        ("return out, (", {"old": "new"}, False, None),
        ("return compute(x)", {"old": "new"}, False, None),
        ("return compute(old), old", {"old": "new"}, False, "return compute(old), new"),
        ("return old.clone()", {"old": "new"}, False, "return new.clone()"),
        ("return h if a else old", {"old": "new"}, False, "return h if a else new"),
        ("return tf.identity(old)", {"old": "new"}, False, "return tf.identity(new)"),
        ("return old", {"old": "old"}, False, None),
        ("x = old", {"old": "new"}, False, None),
    ],
)
def test_a_return_statement_is_rewritten(
    tmp_path: Path, statement: str, replacements: dict[str, str], listed: bool, expected: str | None
) -> None:
    path = write(tmp_path, f"def step():\n    {statement}\n")
    assert rewriting.rewrite_return(path, 2, replacements, listed=listed) == expected


def test_a_statement_over_several_lines_is_found_from_any_of_them(tmp_path: Path) -> None:
    path = write(tmp_path, "def step(x):\n    return (\n        x,\n        [x],\n    )\n")
    for line in (2, 3, 5):
        found = source.span(path, line)
        assert found is not None
        assert (found.line, found.end_line, found.column, found.text) == (2, 5, 5, "return (")
    assert rewriting.rewrite_return(path, 4, {"x": "y"}) == "return y, [y]"


def test_the_class_around_a_method_is_the_one_that_holds_it(tmp_path: Path) -> None:
    path = write(tmp_path, "class A:\n    def f(self): ...\n\n\nclass A:\n    def f(self): ...\n")
    assert source.class_line(path, "A", 2) == 1
    assert source.class_line(path, "A", 6) == 5
    assert source.class_line(path, "B", 6) is None


def test_nothing_is_known_of_what_is_not_there() -> None:
    assert source.span(None, 3) is None
    assert source.span("/nonexistent.py", 3) is None
    assert source.function_at("/nonexistent.py", 3) is None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("z = self.a(x)", "z = self.a(x) + self.b(h)"),
        ("z = x @ self.a", "z = x @ self.a + self.b(h)"),
        ("z = tf.matmul(x, self.a)", "z = tf.matmul(x, self.a) + self.b(h)"),
        ("z = torch.sigmoid(self.a(x))", None),
        ("z = self.a(x) if y else x", None),
        ("z, y = self.a(x)", None),
        ("return self.a(x)", None),
    ],
)
def test_a_term_is_added_only_to_a_sum_of_products(tmp_path: Path, statement: str, expected: str | None) -> None:
    path = write(tmp_path, f"def step():\n    {statement}\n")
    assert rewriting.add_term(path, 2, "self.b(h)") == expected


class Stepped:
    def __init__(self) -> None:
        self.made = self.only_made = 1

    def forward(self) -> int:
        return self._help()

    def _help(self) -> int:
        return self.helped

    def reset_parameters(self) -> None:
        self.kept = 0

    def init_state(self) -> int:
        return self.start

    def predict(self) -> int:
        return self.head + self.made


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("z = a(x) + 0 * b(h)", True),
        ("z = zeros_like(h)", True),
        ("z = states[0] * x", True),
        ("z = x.reshape(h.shape)", False),
        ("z = x + h.new_zeros(h.size(0))", False),
        ("z = self.h(x)", False),
        ("h = x", False),
    ],
)
def test_whether_a_statement_uses_a_value(tmp_path: Path, statement: str, expected: bool) -> None:
    assert source.mentions(write(tmp_path, f"{statement}\n"), 1, ["h", "states[0]"]) is expected


def test_what_other_methods_use_is_told_from_what_the_step_uses() -> None:
    assert source.attributes_elsewhere(Stepped, "forward") == {"head", "made", "start"}


STEP = """class Cell:
    def forward(self, x, state):
        h, c, m, k = state
        self.cell(x, (h, c))
        self.log(x)
        m = x + 1
        k = k + 1
        for layer in self.layers:
            x = layer(x)
        return x * h, (h, c, m), k
"""


@pytest.fixture
def step(tmp_path: Path) -> str:
    path = tmp_path / "step.py"
    path.write_text(STEP, encoding="utf-8")
    return str(path)


def test_a_call_of_which_nothing_is_kept(step: str) -> None:
    assert [ast.unparse(call) for call in source.thrown_away(step, 2, ["h"])] == ["self.cell(x, (h, c))"]
    assert list(source.thrown_away(step, 2, ["m"])) == []


def test_a_call_that_takes_other_states_than_it_fills(tmp_path: Path) -> None:
    path = tmp_path / "step.py"
    path.write_text("x, (h2, c2) = upper(x, (h1, c1))\nh1, c1 = lower(x, (h1, c1))\nh2 = f(h1)\n", encoding="utf-8")
    others = ["h1", "c1"]
    assert [source.takes_others(str(path), line, "h2", others) for line in (1, 2, 3)] == [True, False, False]
    assert not source.takes_others(str(path), 1, "h2", ["h1"])
    assert not source.takes_others(str(path), 2, "h1", ["h2", "c2"])


def test_what_a_return_statement_computes(step: str) -> None:
    assert source.returned_expressions(step, 10) == {"[0]": "x * h"}
    assert source.returned_expressions(step, 9) == {}


def test_which_lines_run_more_than_once(step: str) -> None:
    assert [line for line in range(3, 11) if source.is_looped(step, 2, line)] == [8, 9]


def test_what_a_function_takes(step: str) -> None:
    assert source.parameters(step, 2) == ("self", "x", "state")
