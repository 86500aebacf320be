"""The built wheel, alone in an empty environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return built


def test_the_wheel_holds_the_package_and_its_schema_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "rnncheck/formats/report.schema.json" in names
    assert "rnncheck/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"rnncheck"}


def test_it_runs_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    binaries = tmp_path / "env" / "bin"
    subprocess.run([binaries / "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([binaries / command[0], *command[1:]], capture_output=True, text=True, cwd=tmp_path)

    assert run("rnncheck", "--version").stdout.startswith("rnncheck ")
    assert run("python", "-m", "rnncheck", "--list-rules").returncode == 0
    (tmp_path / "cells.py").write_text("import tensorflow as tf\nclass Cell(tf.keras.layers.Layer): ...\n")
    for target, extra in (("torch.nn:LSTMCell", "torch"), ("cells.py", "tf"), ("cells.py:Cell", "tf")):
        missing = run("rnncheck", target)
        assert missing.returncode == 2
        assert f'pip install "rnncheck[{extra}]"' in missing.stdout
        assert missing.stderr == ""
