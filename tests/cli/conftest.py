"""The command line as its users run it: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# What would colour or switch formats from outside is kept out.
SCRUBBED = (
    "NO_COLOR",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "RNNCHECK_OUTPUT_FORMAT",
    "KERAS_BACKEND",
    "TF_USE_LEGACY_KERAS",
    "PYTHONPATH",
    "COLUMNS",
)


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def results(self) -> list[Any]:
        found: list[Any] = self.json["results"]
        return found


Rnncheck = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def rnncheck(folder: Path) -> Rnncheck:
    def run(*arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> Done:
        environment = {key: value for key, value in os.environ.items() if key not in SCRUBBED} | dict(env or {})
        done = subprocess.run(
            [sys.executable, "-m", "rnncheck", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run
