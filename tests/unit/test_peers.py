"""How the comparison with other tools is judged, and that every defect of it is whole."""

from __future__ import annotations

import json
import subprocess

import pytest
from peers.asking import understood
from peers.defects import DEFECTS, OF_RNNCHECK, Defect
from peers.document import mark, table
from peers.judge import Judgement, judge, names_cause
from peers.remarks import Remark, raised
from samples import SAMPLES, files

ALARM = Remark("gradient_flow", "no gradient: cell.W_hh.weight")
ADVICE = Remark("D100", "Missing docstring", (1,), "advice")


@pytest.fixture
def defect(tmp_path) -> Defect:
    (tmp_path / "lost_state.py").write_text("def forward(x, h):  # at fault\n    w = 1\n    return x\n")
    (tmp_path / "lost_state_repaired.py").write_text("def forward(x, h):\n    return x + h\n")
    return Defect("lost-state", tmp_path, ("W_hh", "h"), ("(in|non)finite", "frozen"), ("w = 1",))


def test_no_tool_sees_the_marks(defect: Defect) -> None:
    assert defect.source("broken") == "def forward(x, h):\n    w = 1\n    return x\n"
    assert defect.source("repaired") == "def forward(x, h):\n    return x + h\n"
    assert defect.lines == {1, 2}


def test_found_is_what_is_not_said_of_the_twin(defect: Defect) -> None:
    assert judge(defect, [ALARM, ADVICE], [ADVICE]) == Judgement(found=True, cause=True, checks=("gradient_flow",))
    assert judge(defect, [ADVICE], [ADVICE]) == Judgement()


def test_what_is_said_of_both_is_not_found_whatever_it_names(defect: Defect) -> None:
    broken = [Remark("gradient_flow", "no gradient: W_hh", (1,)), Remark("loss", "it rises")]
    judgement = judge(defect, broken, [Remark("gradient_flow", "another text")])
    assert judgement == Judgement(found=True, false_alarms=("gradient_flow",), checks=("loss",))


def test_advice_finds_by_naming_the_cause_and_is_no_false_alarm(defect: Defect) -> None:
    assert judge(defect, [ADVICE], []) == Judgement()
    telling = Remark("ARG002", "Unused argument: `h`", (1,), "advice")
    assert judge(defect, [telling], []) == Judgement(found=True, cause=True, line=True, checks=("ARG002",))
    assert judge(defect, [], [ADVICE]) == Judgement()


def test_an_alarm_on_the_twin_is_false_and_told_once(defect: Defect) -> None:
    assert judge(defect, [], [ALARM, ALARM]) == Judgement(false_alarms=("gradient_flow",))


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("cell.W_hh.weight did not change!", True),
        ("W_hhh did not change", False),
        ("the H of it", False),
        ("Unused argument: `h`", True),
        ("a NonFinite value", True),
        ("definfinite", False),
        ("test_frozen_state failed", True),
    ],
)
def test_the_cause_is_named_by_a_name_or_a_term(defect: Defect, message: str, named: bool) -> None:
    assert names_cause(defect, message) is named


def test_an_exception_names_the_lines_of_the_cell_that_it_passed(tmp_path) -> None:
    path = tmp_path / "cell.py"
    source = "def forward():\n    return 1 / 0\n"
    namespace: dict = {}
    exec(compile(source, str(path), "exec"), namespace)
    (remark,) = raised("training", lambda: namespace["forward"](), path)
    assert remark == Remark("training", "ZeroDivisionError: division by zero", (2,))
    assert raised("training", lambda: None, path) == []


def said(which: str, remarks: list[dict], seconds: list[list[float]]) -> str:
    return json.dumps({"which": which, "remarks": remarks, "seconds": seconds}) + "\n"


def test_what_a_process_wrote_is_judged_and_timed_on_the_twin(defect: Defect) -> None:
    remark = {"check": "streaming", "message": "W_hh differs", "lines": [1], "level": "alarm"}
    written = said("repaired", [], [[0.5, 0.1]]) + said("broken", [remark], [])
    answer = understood(defect, subprocess.CompletedProcess([], 0, written, ""))
    assert answer.judgement == Judgement(found=True, cause=True, line=True, checks=("streaming",))
    assert answer.times == ((0.5, 0.1),)


@pytest.mark.parametrize(
    ("status", "stderr", "failed"),
    [
        (-11, "", "exit status -11: nothing said"),
        (1, "Traceback\nModuleNotFoundError: No module named 'peer'\n", "exit status 1: ModuleNotFoundError"),
        (0, "gone after the twin", "exit status 0: gone after the twin"),
    ],
)
def test_a_process_that_ended_early_gave_no_answer(defect: Defect, status: int, stderr: str, failed: str) -> None:
    done = subprocess.CompletedProcess([], status, said("repaired", [], []), stderr)
    judgement = understood(defect, done).judgement
    assert (judgement.failed or "").startswith(failed)
    assert not judgement.found


@pytest.mark.parametrize(
    ("judgement", "shown"),
    [
        (Judgement(), "·"),
        (Judgement(found=True, cause=True, line=True), "found c l"),
        (Judgement(false_alarms=("loss",)), "· !"),
        (Judgement(failed="exit status 1"), "no answer"),
    ],
)
def test_a_judgement_in_the_table(judgement: Judgement, shown: str) -> None:
    assert mark(judgement) == shown


def test_a_table() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_a_defect_has_lines_at_fault_and_a_twin_without(defect: Defect) -> None:
    assert defect.lines
    assert "at fault" not in defect.source("broken") + defect.source("repaired")
    assert "expect:" not in defect.source("broken")
    assert set(defect.at_fault) <= {line.strip() for line in defect.source("broken").splitlines()}
    assert defect.names or defect.words


def test_every_sample_cell_of_torch_is_compared() -> None:
    stems = sorted(defect.name.replace("-", "_") for defect in OF_RNNCHECK)
    assert stems == [path.stem for path in files("torch", repaired=False)]
    assert all(defect.folder == SAMPLES / "torch" for defect in OF_RNNCHECK)
