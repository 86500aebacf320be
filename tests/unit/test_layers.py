"""The line between what touches a framework and what is pure, held by importing each side alone."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import rnncheck
import rnncheck.formats
import rnncheck.rules

FRAMEWORKS = {"torch", "tensorflow", "keras"}


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
