"""What a target may do to its process: it alone has no verdict, in time, and the others are checked."""

from __future__ import annotations

import importlib.resources
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import rnncheck
from rnncheck.errors import UsageError

BASE = """
import ctypes, os, signal, sys, threading, time, warnings
import numpy as np
import torch
from torch import nn

class Hostile(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        self.deed()
        return self.cell(x, h)

class Before(nn.GRUCell):
    def forward(self, x, h):
        return super().forward(x, h)
"""
AFTER = """
class After(nn.GRUCell):
    def forward(self, x, h):
        super().forward(x, h)
        return h
"""

# What forward() does, and what is then said of the cell.
DEEDS: dict[str, tuple[str, str]] = {
    "Exits": ("sys.exit(3)", "ended the run with SystemExit(3)"),
    "ExitsAtOnce": ("os._exit(0)", "ended the process with exit status 0."),
    "Crashes": ("ctypes.string_at(0)", "ended the process by SIGSEGV (cells.py:{line})."),
    "Aborts": ("os.abort()", "ended the process by SIGABRT (cells.py:{line})."),
    "IsKilled": ("os.kill(os.getpid(), signal.SIGKILL)", "ended the process by SIGKILL."),
    "Spins": ("while True: pass", "took more than 5 s (cells.py:{line})."),
    "Sleeps": ("time.sleep(1000)", "took more than 5 s (cells.py:{line})."),
    "Recurses": ("self.deed()", "RecursionError"),
    "Interrupts": ("raise KeyboardInterrupt", "The target raised KeyboardInterrupt (cells.py:{line})."),
    "FillsMemory": (
        "self.kept = getattr(self, 'kept', [])\n        while True: self.kept.append(b'x' * 10**8)",
        "took more than 1 GiB of memory (cells.py:{line}).",
    ),
    "AsksForTooMuch": ("torch.empty(10**13)", "can't allocate memory"),
    "ClosesEverything": ("os.closerange(3, 256)", "the process"),
}
# These say nothing of memory, and do not keep anybody from telling whether there is any.
HARMLESS = {
    "LeavesAThread": "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "Forks": "if os.fork() == 0: time.sleep(1000)",
    "WritesRaw": "os.write(1, b'noise')",
    "Floods": "print('noise' * 10_000)",
    "ClosesStdout": "sys.stdout.close(); os.closerange(0, 3)",
    "ReadsStdin": "sys.stdin.read()",
    "ChangesFolder": "os.chdir('/')",
    "ChangesDefaults": "torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)",
    "ChangesSeeds": "torch.manual_seed(time.time_ns()); np.random.seed(None)",
}


def cells(deeds: dict[str, str]) -> str:
    classes = "".join(
        f"\nclass {name}(Hostile):\n    def deed(self):\n        {deed}  # {name}\n" for name, deed in deeds.items()
    )
    return BASE + classes + AFTER


def line_of(text: str, name: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.endswith(f"# {name}"))


def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rnncheck", *arguments],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, float]:
    """One run over all of them: their file, the report and how long it took."""
    folder = tmp_path_factory.mktemp("hostile")
    text = cells({name: deed for name, (deed, _) in DEEDS.items()} | HARMLESS)
    (folder / "cells.py").write_text(text)
    started = time.monotonic()
    done = run(folder, "cells.py", "--output-format", "json", "--timeout", "5", "--memory", "1G")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return text, json.loads(done.stdout), time.monotonic() - started


def result(report: Any, name: str) -> Any:
    (found,) = [item for item in report["results"] if item["target"] == f"cells.py:{name}"]
    return found


def test_the_report_is_whole(hostile: Any) -> None:
    text, report, seconds = hostile
    schema = json.loads((importlib.resources.files("rnncheck.formats") / "report.schema.json").read_text())
    jsonschema.validate(report, schema)
    names = ["Hostile", "Before", *DEEDS, *HARMLESS, "After"]
    assert sorted(item["target"] for item in report["results"]) == sorted(f"cells.py:{name}" for name in names)
    assert result(report, "Before")["verdict"] == "clean"
    assert [item["rule"] for item in result(report, "After")["findings"]][:1] == ["returned-old-state"]
    assert seconds < 200


@pytest.mark.parametrize("name", DEEDS)
def test_there_is_no_verdict_and_the_reason_is_told(hostile: Any, name: str) -> None:
    text, report, _ = hostile
    error = result(report, name)["error"]
    assert DEEDS[name][1].format(line=line_of(text, name)) in error["message"]
    assert error["hint"] or name in ("Exits", "Interrupts")


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_done_beside_the_state_changes_no_verdict(hostile: Any, name: str) -> None:
    _, report, _ = hostile
    assert result(report, name)["verdict"] == "clean", result(report, name)["error"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import sys; sys.exit(3)", "running cells.py ended with SystemExit(3) (cells.py:1)."),
        ("import os; os._exit(7)", "loading cells.py ended the process with exit status 7."),
        ("import time; time.sleep(100)", "loading cells.py took more than 3 s (cells.py:1)."),
        ("while True: weights = [0.9 * w for w in range(9)]", "loading cells.py took more than 3 s (cells.py:1)."),
        ("raise KeyboardInterrupt", "The target raised KeyboardInterrupt (cells.py:1)."),
    ],
)
def test_while_it_is_loaded(rnncheck, write, line: str, said: str) -> None:
    write("cells.py", line)
    write("fine.py", cells({}))
    done = rnncheck("cells.py", "fine.py:Before", "--timeout", "3", "--output-format", "json")
    one, other = done.results
    assert (done.status, one["target"], other["verdict"]) == (2, "cells.py", "clean")
    assert said in one["error"]["message"]
    if "KeyboardInterrupt" not in line:
        assert "--defs-only" in one["error"]["hint"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().split()[2].startswith("Z")


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_nothing_outlives_the_command(folder: Path, write, sent: signal.Signals, status: int) -> None:
    write("cells.py", "import os, pathlib, time\npathlib.Path('pid').write_text(f'{os.getpid()} ')\ntime.sleep(1000)\n")
    # A shell that runs the tests in the background lets its children ignore the signal.
    code = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); runpy.run_module('rnncheck', run_name='__main__')"
    command = subprocess.Popen([sys.executable, "-c", code, "cells.py"], cwd=folder, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not (folder / "pid").exists() or not (folder / "pid").read_text().endswith(" "):
        assert time.monotonic() < until
        time.sleep(0.02)
    pid = int((folder / "pid").read_text())
    assert pid != command.pid
    command.send_signal(sent)
    _, err = command.communicate(timeout=10)
    assert (command.returncode, b"Traceback" in err) == (status, False)
    until = time.monotonic() + 5
    while alive(pid):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_several_at_a_time_come_in_their_order(rnncheck, write) -> None:
    write("cells.py", cells({"ExitsAtOnce": "os._exit(0)"}))
    names = ["After", "ExitsAtOnce", "Before", "After"]
    done = rnncheck(*(f"cells.py:{name}" for name in names), "-j", "2", "--output-format", "json")
    assert [item["verdict"] for item in done.results] == ["findings", "error", "clean", "findings"]


def test_in_the_same_process(rnncheck, write) -> None:
    write("cells.py", cells({"Tells": "print(os.getpid() == int(os.environ['SHELL_PID']))", "Ends": "os._exit(9)"}))
    code = "exec env SHELL_PID=$$ {} -m rnncheck cells.py:{} --no-isolate".format
    done = subprocess.run(["sh", "-c", code(sys.executable, "Tells")], cwd=write("x", "").parent, capture_output=True)
    assert (done.returncode, b"True" in done.stderr, b"False" in done.stderr) == (0, True, False)
    done = subprocess.run(["sh", "-c", code(sys.executable, "Ends")], cwd=write("x", "").parent, capture_output=True)
    assert done.returncode == 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--timeout", "0"], "--timeout takes seconds, more than 0"),
        (["--memory", "lots"], "--memory takes a size such as 8G or 500M, not 'lots'"),
        (["--jobs", "0"], "--jobs takes a whole number from 1"),
    ],
)
def test_options_that_make_no_sense(rnncheck, arguments: list[str], said: str) -> None:
    done = rnncheck("torch.nn:GRUCell", *arguments)
    assert done.status == 2
    assert said in " ".join(done.err.replace("│", " ").split())


def test_they_can_be_configured(rnncheck, write) -> None:
    write("pyproject.toml", "[tool.rnncheck]\ntimeout = 2\nmemory = '3G'\njobs = 2\n")
    write("cells.py", "import time\ntime.sleep(100)\n")
    assert "took more than 2 s" in rnncheck("cells.py").out


@pytest.mark.parametrize("name", ["timeout", "memory", "jobs", "isolate"])
def test_from_python_they_mean_nothing(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is for the command line"):
        rnncheck.check(object, **{name: 1})


@pytest.mark.parametrize(
    "line",
    ["torch.set_default_dtype(torch.float64)", "torch.set_grad_enabled(False)", "os.environ['MODE'] = 'other'"],
)
def test_what_one_target_sets_for_all_is_gone_for_the_next(rnncheck, write, line: str) -> None:
    usual = "torch.get_default_dtype() is torch.float32 and torch.is_grad_enabled() and 'MODE' not in os.environ"
    write("one.py", cells({}) + f"\n{line}\n")
    write("two.py", cells({"Asks": "assert USUAL"}) + f"\nUSUAL = {usual}\n")
    done = rnncheck("one.py:Before", "two.py:Asks", "--output-format", "json")
    assert [item["verdict"] for item in done.results] == ["clean", "clean"], done.out
