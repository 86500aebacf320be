"""The line between what touches a framework and what is pure, held by importing each side alone."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rnncheck
import rnncheck.formats
import rnncheck.rules

FRAMEWORKS = {"torch", "tensorflow", "keras"}
FLOORS = (
    "errors findings structure trace usercode rules backends settings calling running initial_state hints building discovery "
    "experiments suppression run target isolation checking formats api cli"
).split()
"""From the ground up, as data flows the other way: each imports only what is below it."""
WORKER = "isolation/worker.py"
"""It is what runs at the other end of the supervisor's pipe, and nobody imports it."""


def imported_by(module: str) -> set[str]:
    """The top-level modules that importing ``module`` in a fresh interpreter brings in."""
    code = f"import sys, {module}; print('\\n'.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def below(package: object) -> list[str]:
    return [item.name for item in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["rnncheck", "rnncheck.cli", "rnncheck.checking", "rnncheck.backends"])
def test_importing_the_command_line_loads_no_framework_and_no_numpy(module: str) -> None:
    assert not imported_by(module) & {*FRAMEWORKS, "numpy"}


@pytest.mark.parametrize("module", [*below(rnncheck.rules), *below(rnncheck.formats), "rnncheck.run", "rnncheck.trace"])
def test_rules_and_formats_load_no_framework_and_no_numpy(module: str) -> None:
    assert not imported_by(module) & {*FRAMEWORKS, "numpy"}


@pytest.mark.parametrize("module", [name for name in below(rnncheck.formats) if not name.endswith(".full")])
def test_only_the_terminal_format_loads_rich(module: str) -> None:
    assert "rich" not in imported_by(module)


def test_the_package_itself_loads_nothing_heavy() -> None:
    assert not imported_by("rnncheck") & {*FRAMEWORKS, "numpy", "rich", "typer"}


def imports(path: Path) -> Iterator[str]:
    """The parts of rnncheck that a module needs to be imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            package, _, below = node.module.partition(".")
            if package == "rnncheck":
                yield from [below.partition(".")[0]] if below else [alias.name for alias in node.names]


def test_imports_go_down_alone() -> None:
    root = Path(rnncheck.__file__).parent
    up = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        floor = inside.parts[0].removesuffix(".py")
        if floor in FLOORS and inside.as_posix() != WORKER:
            up += [(inside.as_posix(), other) for other in imports(path) if other in FLOORS[FLOORS.index(floor) + 1 :]]
    assert up == []


def test_every_public_name_can_be_imported() -> None:
    for name in rnncheck.__all__:
        assert getattr(rnncheck, name) is not None
    with pytest.raises(AttributeError):
        rnncheck.nonexistent  # noqa: B018


@pytest.mark.parametrize(
    ("framework", "target"), [("torch", "torch.nn:LSTMCell"), ("tensorflow", "keras.layers:LSTMCell")]
)
def test_a_check_loads_no_more_of_a_framework_than_a_bare_step(framework: str, target: str) -> None:
    # What PyTorch imports for weights of outputs, SymPy with it, cost a tenth of a check's time and memory.
    bare = {
        "torch": "torch.nn.LSTMCell(5, 8)(torch.zeros(3, 5))[0].sum().backward()",
        "tensorflow": "import keras; keras.layers.LSTMCell(8)(tensorflow.zeros([3, 5]), [tensorflow.zeros([3, 8])] * 2)",
    }[framework]
    code = (
        f"import sys, {framework}; {bare}; before = set(sys.modules); import rnncheck; rnncheck.check({target!r}); "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded >= {"rnncheck"}
    assert not loaded & {*FRAMEWORKS, "sympy"}, done.stdout
