from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from peers.remarks import Remark

SUITE = Path(__file__).with_name("pytest_torch_suite.py")


class Failures:
    """A plugin of pytest which keeps what failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.remarks: list[Remark] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.remarks.append(self._remark(report.location[2].split("[")[0].split(".")[-1], report.longrepr))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.remarks.append(Remark("collection", str(report.longrepr)))

    def _remark(self, check: str, shown: object) -> Remark:
        crash = getattr(shown, "reprcrash", None)
        entries = getattr(getattr(shown, "reprtraceback", None), "reprentries", ())
        places = [place for entry in entries if (place := getattr(entry, "reprfileloc", None))]
        lines = tuple(place.lineno for place in places if Path(place.path).resolve() == self.path)
        return Remark(check, crash.message if crash else str(shown), lines)


def examine(path: Path) -> list[Remark]:
    torch.compiler.reset()  # as in a process of its own
    os.environ["CELL"] = str(path)
    failures = Failures(path.resolve())
    options = ["-p", "no:cacheprovider", "--torch-device=cpu", "--import-mode=importlib", f"--rootdir={path.parent}"]
    pytest.main([str(SUITE), *options], plugins=[failures])
    return failures.remarks
