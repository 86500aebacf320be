"""What needs no framework: help, versions, rules, wrong options."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import rnncheck as package
from rnncheck.rules import IDS

README = Path(__file__).parents[2] / "README.md"
OPTIONS = [
    "--backend",
    "--kwargs",
    "--input-shape",
    "--method",
    "--state",
    "--call-kwargs",
    "--initial-state",
    "--steps",
    "--batch",
    "--seed",
    "--dtype",
    "--device",
    "--select",
    "--ignore",
    "--fail-on",
    "--output-format",
    "--output-file",
    "--color",
    "--defs-only",
    "--explain",
    "--list-rules",
    "--version",
]


def test_version(rnncheck) -> None:
    done = rnncheck("--version")
    assert (done.status, done.out, done.err) == (0, f"rnncheck {package.__version__}\n", "")


def test_help_names_every_option_and_stays_plain(rnncheck) -> None:
    done = rnncheck("--help", env={"GITHUB_ACTIONS": "true", "FORCE_COLOR": "1"})
    assert done.status == 0
    assert "\x1b" not in done.out
    assert all(option in done.out for option in OPTIONS)


def test_the_readme_describes_every_option() -> None:
    text = README.read_text()
    assert [option for option in OPTIONS if f"`{option}" not in text] == []


def test_list_rules(rnncheck) -> None:
    done = rnncheck("--list-rules")
    assert [line.split()[0] for line in done.out.splitlines()] == list(IDS)
    assert done.status == 0


@pytest.mark.parametrize("rule", IDS)
def test_explain_prints_the_documentation(rnncheck, rule: str) -> None:
    done = rnncheck("--explain", rule)
    assert done.status == 0
    assert done.out.startswith(f"{rule}\n\n")
    assert "## Use instead" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument"),
        (("--explain", "no-such-rule"), "there is no rule 'no-such-rule'"),
        (("a.py", "--steps", "many"), "Invalid value for '--steps'"),
        (("a.py", "--steps", "0"), "--steps takes a whole number from 1"),
        (("a.py", "--backend", "jax"), "--backend takes auto, tf, torch"),
        (("a.py", "--kwargs", "units"), "--kwargs takes name=value, not 'units'"),
        (("a.py", "--call-kwargs", "ts:1"), "--call-kwargs takes name=value, not 'ts:1'"),
        (("a.py", "--state", "h=8"), "--state takes the sizes of one row of each part, such as h:8,c:8"),
        (("a.py", "--state", "h:8,h:8"), "--state names the part 'h' more than once"),
        (("a.py", "--input-shape", "3,x"), "--input-shape takes whole numbers"),
        (("a.py", "--select", "returned-old-stat"), "Did you mean returned-old-state?"),
        (("a.py", "--output-format", "xml"), "--output-format takes full, concise, json"),
        (("a.py", "--color", "blue"), "--color takes auto, always, never"),
        (("a.py", "--nonsense"), "No such option"),
    ],
)
def test_a_wrong_option_is_status_2_with_a_message_and_no_traceback(rnncheck, arguments, message: str) -> None:
    done = rnncheck(*arguments)
    assert done.status == 2
    assert message in re.sub(r"\s+", " ", done.err)
    assert "Traceback" not in done.err
    assert done.out == ""


def test_an_unknown_key_of_the_configuration_is_status_2(rnncheck, write) -> None:
    write("pyproject.toml", "[tool.rnncheck]\nsead = 1\n")
    done = rnncheck("a.py")
    assert done.status == 2
    assert "no option 'sead'" in re.sub(r"\s+", " ", done.err)


def test_a_target_that_is_not_found_is_status_2_in_every_format(rnncheck) -> None:
    full = rnncheck("nothing_here:Cell")
    assert (full.status, "There is no module named 'nothing_here'." in full.out) == (2, True)
    concise = rnncheck("nothing_here:Cell", "--output-format", "concise")
    assert (concise.status, concise.out.startswith("nothing_here:Cell: no-verdict ")) == (2, True)
    document = rnncheck("nothing_here:Cell", env={"RNNCHECK_OUTPUT_FORMAT": "json"})
    assert (document.status, document.results[0]["verdict"]) == (2, "error")
    assert document.results[0]["error"]["type"] == "target"


@pytest.mark.parametrize(("module", "extra"), [("torch", "torch"), ("tensorflow", "tf")])
def test_a_framework_that_is_missing_names_the_command_that_installs_it(
    rnncheck, write, folder: Path, module: str, extra: str
) -> None:
    write("cells.py", "class Cell:\n    def forward(self, x, h):\n        return h\n    call = forward\n")
    # A finder that denies the framework, as in an environment without it.
    write(
        "sitecustomize.py",
        f"""
        import sys
        class Deny:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "{module}":
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Deny())
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "{module}" else find(name, *rest)
        """,
    )
    denied = {"PYTHONPATH": str(folder)}
    for arguments in (("cells.py:Cell", "--backend", extra), (f"{module}:Cell",)):
        done = rnncheck(*arguments, env=denied)
        assert done.status == 2
        assert f"{module} is not installed." in done.out
        assert f'pip install "rnncheck[{extra}]"' in done.out
    assert sys.executable


def test_the_report_can_be_written_to_a_file(rnncheck, folder: Path) -> None:
    done = rnncheck("nothing_here:Cell", "--output-format", "json", "--output-file", "report.json")
    assert (done.status, done.out) == (2, "")
    assert '"schema_version": 1' in (folder / "report.json").read_text()


def test_a_file_that_cannot_be_written_is_status_2(rnncheck) -> None:
    done = rnncheck("nothing_here:Cell", "--output-file", "no/such/folder/report.json")
    assert done.status == 2
    assert "could not be written" in done.err
