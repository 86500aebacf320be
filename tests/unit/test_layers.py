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
