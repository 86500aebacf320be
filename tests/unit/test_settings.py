from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from rnncheck.errors import UsageError
from rnncheck.settings import Override, Settings, StateShape, configured, from_options


def project(tmp_path: Path, table: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(table)
    inner = tmp_path / "src" / "package"
    inner.mkdir(parents=True)
    return inner


def test_the_command_line_goes_before_the_configuration_above_the_folder(tmp_path: Path) -> None:
    folder = project(tmp_path, '[tool.rnncheck]\nseed = 3\nfail-on = "warning"\nignore = ["missing-state-size"]\n')
    settings = configured(folder, {"seed": 5, "steps": None})
    assert (settings.seed, settings.fail_on, settings.ignore, settings.steps) == (
        5,
        "warning",
        ("missing-state-size",),
        7,
    )


def test_without_a_table_the_defaults_hold(tmp_path: Path) -> None:
    assert configured(project(tmp_path, "[project]\nname = 'x'\n"), {}) == Settings()


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ("[tool.rnncheck]\nsead = 3\n", "no option 'sead'", "seed"),
        ("[tool.rnncheck]\nfail-onn = 'error'\n", "no option 'fail_onn'", "fail_on"),
        ("[tool.rnncheck]\nseed = 'three'\n", "--seed takes", None),
        ("[tool.rnncheck\n", "not valid TOML", None),
        ("[[tool.rnncheck.override]]\ntarget = 'a.py'\n", "no option 'override'", "overrides"),
        ("[tool.rnncheck]\nfolder = 'x'\n", "no option 'folder'", None),
        ("[tool.rnncheck]\nignored-by = 'option'\n", "no option 'ignored_by'", None),
        ("[tool.rnncheck]\nignore = [3]\n", "no rule '3'", None),
        ("[tool.rnncheck.overrides]\ntarget = 'a.py'\n", "write [[tool.rnncheck.overrides]]", None),
        ("[[tool.rnncheck.overrides]]\nignore = ['batch-leak']\n", "takes a target", None),
        ("[[tool.rnncheck.overrides]]\ntarget = [3]\n", "takes a target", None),
        ("[[tool.rnncheck.overrides]]\ntarget = 'a.py'\nkwarg = {}\n", "no option 'kwarg' in overrides", "kwargs"),
        ("[[tool.rnncheck.overrides]]\ntarget = 'a.py'\nfail-on = 'never'\n", "no option 'fail_on' in over", None),
        ("[[tool.rnncheck.overrides]]\ntarget = 'a.py'\nsteps = 0\n", "--steps takes a whole number", None),
        ("[[tool.rnncheck.overrides]]\ntarget = 'a.py'\nreason = 3\n", "reason takes a text, not 3", None),
        ("[[tool.rnncheck.overrides]]\ntarget = 'a.py'\nignore = ['batch-leek']\n", "no rule", "batch-leak"),
        ("tool.rnncheck = 3\n", "not a table", None),
    ],
)
def test_a_wrong_table_is_an_error_that_names_the_file(
    tmp_path: Path, table: str, message: str, hint: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        configured(project(tmp_path, table), {})
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "jax"}, "--backend takes auto, tf, torch"),
        ({"steps": 0}, "--steps takes a whole number"),
        ({"batch": True}, "--batch takes a whole number"),
        ({"seed": -1}, "--seed takes"),
        ({"input_shape": ()}, "--input-shape"),
        ({"input_shape": (3, 0)}, "--input-shape"),
        ({"initial_state": "zero"}, "--initial-state"),
        ({"dtype": "int8"}, "--dtype"),
        ({"device": "the first"}, "--device takes the name of one, such as cpu, cuda or cuda:1, not 'the first'."),
        ({"fail_on": "note"}, "--fail-on"),
        ({"output_format": "xml"}, "--output-format"),
        ({"select": ("returned-old-stat",)}, "no rule 'returned-old-stat'"),
        ({"kwargs": [("units", 8)]}, "--kwargs takes arguments by their names"),
        ({"call_kwargs": {"time span": 1.0}}, "--call-kwargs takes arguments by their names"),
        ({"state": ()}, "--state takes the sizes of one row of each part, such as h:8,c:8 or h:4x6x7 or 8."),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(**options)
    assert message in caught.value.message


H, C = StateShape("h", (8,)), StateShape("c", (4, 6, 7))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("h:8,c:4x6x7", (H, C)),
        (" h: 8 , c:4x6x7", (H, C)),
        ("8,8", (StateShape(None, (8,)), StateShape(None, (8,)))),
        ("4x6x7", (StateShape(None, (4, 6, 7)),)),
        ("cell.h:8", (StateShape("cell.h", (8,)),)),
        (8, (StateShape(None, (8,)),)),
        ({"h": 8, "c": (4, 6, 7)}, (H, C)),
        ({"h": "8", "c": "4x6x7"}, (H, C)),
        ([8, (4, 6, 7)], (StateShape(None, (8,)), StateShape(None, (4, 6, 7)))),
        (["h:8", C], (H, C)),
        (None, None),
    ],
)
def test_the_parts_of_a_state_can_be_written_in_several_ways(given: Any, parts: Any) -> None:
    assert from_options({"state": given}).state == parts


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "not ''."),
        ("h:", "not ''."),
        ("h8", "not 'h8'."),
        ("h:8,", "not ''."),
        ("h:8x", "not '8x'."),
        ("h:0", "not '0'."),
        ({"h": -1}, "not '-1'."),
        ({"h": True}, "not 'True'."),
        ({"h": 8.0}, "not '8.0'."),
        (":8", "a part cannot be called ''."),
        ("1h:8", "a part cannot be called '1h'."),
        ({3: 8}, "a part cannot be called '3'."),
        ("a:b:8", "a part cannot be called 'a:b'."),
        ("h:8,h:8", "names the part 'h' more than once."),
        ("input:8", "cannot call a part 'input'"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(given: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_options({"state": given})
    assert caught.value.message.startswith("--state ")
    assert message in caught.value.message


def test_how_a_cell_is_called_can_be_configured(tmp_path: Path) -> None:
    table = '[tool.rnncheck]\nmethod = "step"\nstate = "h:8,c:4x6x7"\ncall-kwargs = { ts = 0.5, mask = [1, 1, 1] }\n'
    settings = configured(project(tmp_path, table), {"method": None, "state": None})
    assert (settings.method, settings.state) == ("step", (H, C))
    assert settings.call_kwargs == {"ts": 0.5, "mask": [1, 1, 1]}


def test_a_wrong_state_in_the_configuration_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pyproject.toml: \[tool.rnncheck\] --state takes"):
        configured(project(tmp_path, "[tool.rnncheck]\nstate = { h = 'wide' }\n"), {})


OVERRIDES = """
[tool.rnncheck]
seed = 3
ignore = "missing-state-size"
[[tool.rnncheck.overrides]]
target = "src/*"
steps = 9
input-shape = 4
ignore = "batch-leak"
[[tool.rnncheck.overrides]]
target = ["cells.py:Trunc*", "package.cells:Other"]
steps = 11
kwargs = { units = 4 }
ignore = ["detached-state"]
reason = "truncated backpropagation"
"""


def test_overrides_hold_for_the_targets_that_they_name(tmp_path: Path) -> None:
    settings = configured(project(tmp_path, OVERRIDES), {})
    assert (settings.folder, settings.ignore, settings.ignored_by) == (
        tmp_path,
        ("missing-state-size",),
        "configuration",
    )
    first, second = settings.overrides
    assert second == Override(
        ("cells.py:Trunc*", "package.cells:Other"),
        ("detached-state",),
        "truncated backpropagation",
        {"steps": 11, "kwargs": {"units": 4}},
    )
    for names, overrides, steps in (
        (["cells.py:Truncated"], (second,), 11),
        (["elsewhere:Other", "package.cells:Other"], (second,), 11),
        (["src/package/cells.py:Truncated"], (first,), 9),
        (["src/package/cells.py:Truncated", "cells.py:Truncated"], (first, second), 11),
        (["cells.py:Other"], (), 7),
    ):
        chosen = settings.of(names)
        assert (chosen.overrides, chosen.steps, chosen.seed) == (overrides, steps, 3)
        assert chosen.input_shape == ((4,) if first in overrides else None)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("src/cells.py:Cell", True),
        ("src/cells.py", True),
        ("src.cells", True),
        ("src.*", True),
        ("Cell", True),
        ("C?ll", True),
        ("*", True),
        ("cells.py:Cell", False),
        ("*/cells.py:Cell", True),
        ("cell", False),
        ("src/cells.py:Cel", False),
    ],
)
def test_a_pattern_is_of_the_whole_name_or_of_a_half(pattern: str, matches: bool) -> None:
    assert Override((pattern,)).matches(["src/cells.py:Cell", "src.cells:Cell"]) == matches


def test_the_command_line_goes_before_overrides_whose_rules_stay_ignored(tmp_path: Path) -> None:
    given = {"steps": 5, "kwargs": None, "ignore": ("ignored-recurrence",)}
    settings = configured(project(tmp_path, OVERRIDES), given).of(["cells.py:Truncated"])
    assert (settings.steps, settings.kwargs) == (5, {"units": 4})
    assert (settings.ignore, settings.ignored_by) == (("ignored-recurrence",), "option")
    assert [override.ignore for override in settings.overrides] == [("detached-state",)]


@pytest.mark.parametrize("name", ["overrides", "ignored_by", "folder"])
def test_what_is_only_of_the_configuration_is_no_option(name: str) -> None:
    with pytest.raises(UsageError, match=f"no option '{name}'"):
        from_options({name: ()})


def test_what_the_readme_configures_is_accepted(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    blocks = [block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "[tool.rnncheck" in block]
    accepted = []
    for number, block in enumerate(blocks):
        folder = tmp_path / str(number)
        folder.mkdir()
        accepted.append(configured(project(folder, textwrap.dedent(block)), {}))
    by_target, everywhere = accepted
    assert by_target.of(["cells.py:TruncatedLSTM"]).overrides[0].reason == "truncated backpropagation"
    assert (everywhere.fail_on, everywhere.ignore) == ("warning", ("missing-state-size",))
