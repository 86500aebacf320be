"""Finding and loading what the user named, with plain Python in place of a framework."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnncheck.errors import TargetError
from rnncheck.target import Loaded, load, load_file, parse
from rnncheck.usercode import definitions


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before, path = dict(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def write(path: str, text: str) -> Path:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(textwrap.dedent(text))
    return target


def one(text: str, **options: bool) -> Loaded:
    (loaded,) = load(parse(text), **options)
    assert isinstance(loaded, Loaded)
    return loaded


def refused(text: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        load(parse(text))
    return caught.value


@pytest.mark.parametrize(
    ("text", "module", "path", "attribute"),
    [
        ("torch.nn:LSTMCell", "torch.nn", None, "LSTMCell"),
        ("a.b:C.d", "a.b", None, "C.d"),
        ("cells.py", None, "cells.py", None),
        ("cells.py:C", None, "cells.py", "C"),
        ("some/where/cells.py:C.d", None, "some/where/cells.py", "C.d"),
        ("C:/code/cells.py:Cell", None, "C:/code/cells.py", "Cell"),
        ("some/folder", None, "some/folder", None),
        (".", None, ".", None),
    ],
)
def test_the_forms_of_a_target(text: str, module: str | None, path: str | None, attribute: str | None) -> None:
    spec = parse(text)
    assert (spec.module, spec.path and str(spec.path), spec.attribute) == (module, path, attribute)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("torch.nn.LSTMCell", "rnncheck torch.nn:LSTMCell"),
        ("cells", "rnncheck cells:MyCell"),
        ("torch.nn:", "module:Attr"),
        ("torch.nn:3x", "module:Attr"),
        ("my-module:Cell", "module:Attr"),
    ],
)
def test_what_is_no_target_is_told_what_to_type(text: str, hint: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse(text)
    assert hint in (caught.value.hint or "")


def test_the_current_folder_can_be_imported_from() -> None:
    write("package/cells.py", "class Outer:\n    class Inner:\n        size = 3\n")
    write("package/__init__.py", "")
    assert one("package.cells:Outer.Inner").obj.size == 3
    assert one("package.cells:Outer.Inner.size").obj == 3


def test_a_file_of_a_package_may_import_from_its_neighbours() -> None:
    write("package/__init__.py", "")
    write("package/base.py", "SIZE = 3\n")
    write("package/cells.py", "from .base import SIZE\nclass Cell:\n    size = SIZE\n")
    assert one("package/cells.py:Cell").obj.size == 3


def test_the_names_of_a_target_are_those_of_its_file_and_of_its_module(folder: Path) -> None:
    write("package/__init__.py", "")
    write("package/cells.py", "class Cell:\n    pass\ncell = Cell()\n")
    both = {"package/cells.py:Cell", "package.cells:Cell"}
    assert one("package/cells.py:Cell").names(folder) == both
    assert one("package.cells:Cell").names(None) == both
    assert {"package/cells.py:cell", "package.cells:cell"} < one("./package/cells.py:cell").names(folder)
    assert one(f"{folder}/package/cells.py:Cell").names(folder / "package") == {
        f"{folder}/package/cells.py:Cell",
        "package.cells:Cell",
        "cells.py:Cell",
    }


def test_a_file_named_like_a_module_in_use_does_not_replace_it() -> None:
    write("json.py", "class Cell: ...\n")
    import json

    assert one("json.py:Cell").obj.__name__ == "Cell"
    assert sys.modules["json"] is json


def test_a_script_that_raises_keeps_what_it_defined_before_and_after() -> None:
    write("script.py", "class Before: ...\nraise ValueError('no data')\nclass After(Before): ...\ntrain()\n")
    before = one("script.py:Before")
    assert "line 2 raised ValueError: no data" in before.remarks[0]
    assert one("script.py:After").obj.__mro__[1].__name__ == "Before"


def test_a_script_that_ends_the_process_is_read_on() -> None:
    write("script.py", "import sys\nclass Before: ...\nsys.exit(3)\n")
    assert "SystemExit" in one("script.py:Before").remarks[0]


def test_a_script_does_not_see_the_command_line() -> None:
    write("script.py", "import argparse\nclass A: ...\nargparse.ArgumentParser().parse_args()\n")
    assert one("script.py:A").remarks == ()


def test_defs_only_runs_no_statement_that_does_anything() -> None:
    write(
        "script.py",
        """
        import math
        SIZE = 4 * 2
        NAMES = ["a", "b"]
        class Cell:
            size = SIZE
        raise SystemExit("training ...")
        trained = math.sqrt(2)
        if SIZE > 3:
            def helper(): ...
        try:
            import nothing_like_this
        except ImportError:
            nothing_like_this = None
        if __name__ == "__main__":
            LAST = 1
        """,
    )
    module = load_file(Path("script.py"), defs_only=True).module
    assert module.Cell.size == 8
    assert module.nothing_like_this is None
    assert {"NAMES", "helper", "math"} <= set(vars(module))
    assert not {"trained", "LAST"} & set(vars(module))


def test_annotations_stay_as_the_file_asked_for_them() -> None:
    write(
        "script.py", "from __future__ import annotations\nclass A:\n    x: Nothing\nboom()\nclass B:\n    y: Nothing\n"
    )
    assert one("script.py:A").obj.__annotations__ == {"x": "Nothing"}
    assert one("script.py:B").obj.__annotations__ == {"y": "Nothing"}


class TestErrors:
    def test_a_module_that_is_not_there_with_a_close_name(self) -> None:
        write("my_cells.py", "")
        error = refused("my_cell:Cell")
        assert error.message == "There is no module named 'my_cell'."
        assert "my_cells" in (error.hint or "")

    def test_a_submodule_that_is_not_there(self) -> None:
        assert "has no module 'nothing'" in refused("json.nothing:Cell").message

    def test_an_attribute_with_close_names(self) -> None:
        write("cells.py", "class SimpleCell: ...\nclass LstmCell: ...\n")
        error = refused("cells:simplecel")
        assert error.message == "cells has no attribute 'simplecel'."
        assert error.hint == "Did you mean SimpleCell?"

    def test_an_attribute_of_a_class(self) -> None:
        write("cells.py", "class Outer:\n    class Inner: ...\n")
        assert refused("cells:Outer.Iner").message == "cells:Outer has no attribute 'Iner'."

    def test_the_users_own_missing_import_is_not_taken_for_the_target(self) -> None:
        write("cells.py", "import numppy\n")
        error = refused("cells:Cell")
        assert "importing cells raised ModuleNotFoundError: No module named 'numppy' (cells.py:1)" in error.message
        assert "import numppy" in (error.details or "")

    def test_the_users_exception_has_the_users_traceback_alone(self) -> None:
        write("cells.py", "def load():\n    return {}['weights']\nload()\n")
        error = refused("cells:Cell")
        assert "raised KeyError: 'weights' (cells.py:2)" in error.message
        assert "rnncheck" not in (error.details or "")
        assert "importlib" not in (error.details or "")

    def test_a_file_that_is_not_there(self) -> None:
        write("cells.py", "")
        error = refused("cels.py")
        assert error.message == "There is no file cels.py."
        assert error.hint == "Did you mean: cells.py"

    def test_a_file_that_is_not_python(self) -> None:
        write("cells.py", "class Cell(:\n")
        assert refused("cells.py").message.startswith("cells.py:1 is not valid Python: ")

    def test_a_file_without_a_cell(self) -> None:
        write("cells.py", "class Data: ...\n")
        error = refused("cells.py")
        assert error.message == "cells.py defines no cell. It defines Data."

    def test_a_folder_without_a_cell(self) -> None:
        write("inner/data.py", "class Data: ...\n")
        assert "No cell is defined in the 1 Python files below inner" in refused("inner").message

    def test_a_module_is_no_cell(self) -> None:
        write("package/__init__.py", "from . import cells\n")
        write("package/cells.py", "class Cell: ...\n")
        assert "is a module, not a cell" in refused("package:cells").message

    def test_a_class_that_was_never_reached(self) -> None:
        write("cells.py", "raise ValueError('no data')\nclass Cell(Base): ...\n")
        error = refused("cells.py:Cell")
        assert "cells.py defines no 'Cell': ValueError: no data (cells.py:1) came before it." in error.message


@pytest.mark.parametrize(
    "name",
    [
        "h",
        "hx",
        "state",
        "states",
        "prev_h",
        "h_prev",
        "hidden_state",
        "cell_states",
        "c0",
        "H",
        "hPrev",
        "h_tm1",
        "carry",
        "mem",
    ],
)
def test_names_of_states(name: str) -> None:
    assert definitions.is_state_name(name)


@pytest.mark.parametrize(
    "name", ["x", "inputs", "x_t", "input_", "training", "mask", "mode", "scheme", "query", "key", "labels"]
)
def test_names_of_other_things(name: str) -> None:
    assert not definitions.is_state_name(name)
