from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rnncheck.errors import UsageError
from rnncheck.settings import Settings, configured


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
        ({"fail_on": "note"}, "--fail-on"),
        ({"output_format": "xml"}, "--output-format"),
        ({"select": ("returned-old-stat",)}, "no rule 'returned-old-stat'"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Settings(**options)
    assert message in caught.value.message
