"""Whole runs on PyTorch cells, as typed."""

from __future__ import annotations

import importlib.resources
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

FROZEN = """
import torch
from torch import nn

class FrozenCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        h_new = torch.tanh(self.w(torch.cat([x, h], -1)))
        return h_new, h
"""
HEALTHY = FROZEN.replace("return h_new, h\n", "return h_new, h_new\n").replace("FrozenCell", "HealthyCell")


def schema() -> object:
    return json.loads(importlib.resources.files("rnncheck.formats").joinpath("report.schema.json").read_text())


def test_the_built_in_cells_are_clean_in_one_call(rnncheck) -> None:
    done = rnncheck("torch.nn:LSTMCell", "torch.nn:GRUCell", "torch.nn:RNNCell", "--output-format", "json")
    assert done.status == 0
    assert [result["verdict"] for result in done.results] == ["clean"] * 3
    assert [result["findings"] for result in done.results] == [[], [], []]
    assert [len(result["states"]) for result in done.results] == [2, 1, 1]
    assert done.results[0]["settings"]["kwargs"] == {"input_size": 5, "hidden_size": 8}
    jsonschema.validate(done.json, schema())


def test_the_first_backend_does_not_bring_in_the_other(rnncheck, write) -> None:
    write(
        "cells.py",
        FROZEN + "\nimport atexit, os, sys\n"
        "atexit.register(lambda: None)\n"
        "class Spy(FrozenCell):\n"
        "    def forward(self, x, h):\n"
        "        assert not {'tensorflow', 'keras'} & set(sys.modules), 'the other backend is imported'\n"
        "        return torch.tanh(self.w(torch.cat([x, h], -1)))\n",
    )
    assert rnncheck("cells.py:Spy").status == 0


def test_a_frozen_cell_fails_with_its_slot_step_line_and_remedy(rnncheck, write) -> None:
    write("cells.py", FROZEN)
    done = rnncheck("cells.py:FrozenCell", "--output-format", "json")
    assert done.status == 1
    (result,) = done.results
    root, follows = result["findings"]
    assert (root["rule"], root["severity"], root["state"], root["state_index"]) == (
        "returned-old-state",
        "error",
        "h",
        0,
    )
    assert (root["path"], root["line"], root["column"], root["steps"]) == ("cells.py", 12, 9, [0, 6])
    assert root["related"] == [{"line": 11, "message": "computed here, then dropped"}]
    assert root["suggestion"] == "return h_new, h_new"
    assert (follows["rule"], follows["explained_by"]) == ("unchanged-initial-state", "returned-old-state")
    assert all(entry["unchanged"] and entry["new"] > 0 for entry in result["timeline"])
    jsonschema.validate(done.json, schema())


def test_a_file_and_a_folder_check_every_cell_in_them(rnncheck, write) -> None:
    write("cells/frozen.py", FROZEN)
    write("cells/deep/healthy.py", HEALTHY)
    write("cells/broken.py", "import torch\nclass A(torch.nn.Module):\n    def forward(self, x, h:\n")
    write("cells/data.py", "class Data: ...\n")
    done = rnncheck("cells", "cells/frozen.py", "--output-format", "json")
    assert done.status == 2
    assert [(result["target"], result["verdict"]) for result in done.results] == [
        ("cells/broken.py", "error"),
        ("cells/deep/healthy.py:HealthyCell", "clean"),
        ("cells/frozen.py:FrozenCell", "findings"),
        ("cells/frozen.py:FrozenCell", "findings"),
    ]


def test_a_factory_an_instance_and_a_nested_attribute_in_one_call(rnncheck, write) -> None:
    write(
        "cells.py",
        HEALTHY + "\n\ndef make():\n    return HealthyCell(3, 4)\n\n"
        "cell = HealthyCell(6, 7)\n\nclass Holder:\n    class Inner:\n        Cell = HealthyCell\n",
    )
    done = rnncheck("cells.py:make", "cells:cell", "cells:Holder.Inner.Cell", "--output-format", "json")
    assert done.status == 0
    shapes = [(result["settings"]["input_shape"], result["states"][0]["shape"]) for result in done.results]
    assert shapes == [([3], [4]), ([6], [7]), ([5], [8])]


def test_a_script_that_trains_when_imported_is_read_for_its_definitions(rnncheck, write) -> None:
    write("train.py", FROZEN + "\n\ncell = FrozenCell(5, 8)\nwhile True:\n    pass\n")
    done = rnncheck("train.py", "--defs-only", "--output-format", "concise", timeout=60)
    assert (done.status, "train.py:12:9: returned-old-state" in done.out) == (1, True)


def test_stdout_is_the_report_whatever_the_cell_prints(rnncheck, write) -> None:
    noise = (
        "        print('{not json')\n"
        "        import os, sys, subprocess\n"
        "        os.write(1, b'raw bytes \\xff\\n')\n"
        "        sys.__stdout__.write('past the redirection\\n')\n"
        "        subprocess.run(['echo', 'from a child'])\n"
    )
    write("cells.py", HEALTHY.replace("        h_new", noise + "        h_new", 1) + "\nprint('at import')\n")
    done = subprocess.run(
        [sys.executable, "-m", "rnncheck", "cells.py", "--output-format", "json"],
        cwd=write("x", "").parent,
        # What is buffered must come out as well.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["results"][0]["verdict"] == "clean"
    for said in (b"{not json", b"raw bytes \xff", b"past the redirection", b"from a child", b"at import"):
        assert said in done.stderr
        assert said not in done.stdout


def test_progress_is_on_stderr_once_it_takes_more_than_a_second(rnncheck, write) -> None:
    write("cells.py", HEALTHY + "\nimport time\ntime.sleep(1.5)\n")
    done = rnncheck("cells.py")
    assert "rnncheck: loading cells.py ..." in done.err
    assert "loading" not in done.out


@pytest.mark.parametrize(("fail_on", "status"), [("error", 1), ("warning", 1), ("never", 0)])
def test_what_fails(rnncheck, write, fail_on: str, status: int) -> None:
    write("cells.py", FROZEN)
    assert rnncheck("cells.py", "--fail-on", fail_on).status == status


def test_a_rule_can_be_left_out_on_the_command_line_and_in_the_configuration(rnncheck, write) -> None:
    write("cells.py", FROZEN)
    assert rnncheck("cells.py", "--ignore", "returned-old-state").status == 0
    write("pyproject.toml", '[tool.rnncheck]\nignore = ["returned-old-state"]\n')
    assert rnncheck("cells.py").status == 0


HOSTILE = """
import os, sys, torch
from torch import nn

class Hostile(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        {deed}
        return self.cell(x, h)
"""


@pytest.mark.parametrize(
    "deed",
    [
        "os.chdir('/')",
        "sys.path[:] = []",
        "sys.stdout.close()",
        "sys.stdout = None",
        "sys.argv = None",
        "[sys.modules.pop(name) for name in list(sys.modules) if name.startswith('json')]",
    ],
)
def test_what_a_target_does_to_the_process_does_not_reach_the_others(rnncheck, write, deed: str) -> None:
    write("hostile.py", HOSTILE.format(deed=deed))
    write("cells.py", FROZEN)
    for output_format in ("full", "json", "concise"):
        done = rnncheck("hostile.py", "cells.py", "--output-format", output_format)
        assert done.status == 1, done.err
        assert "cells.py:12" in done.out or '"path": "cells.py"' in done.out


def test_a_report_that_cannot_be_written_is_status_2(write, folder: Path) -> None:
    write("cells.py", HEALTHY)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rnncheck", "cells.py"], cwd=folder, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert b"could not be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_nothing_is_clean_when_nothing_was_checked(rnncheck, write) -> None:
    write("cells.py", FROZEN)
    done = rnncheck("cells.py", "--select", "missing-state-size")
    assert done.status == 2
    assert "Nothing was checked" in done.out


def test_numbers_that_are_none_are_a_finding(rnncheck, write) -> None:
    write("nan.py", HEALTHY.replace("torch.tanh(", "float('nan') * torch.tanh("))
    done = rnncheck("nan.py")
    assert done.status == 1
    assert "nonfinite-state" in done.out
    assert "gives NaN" in done.out


def test_what_is_called_a_cell_is_one_and_what_others_derive_from_is_none(rnncheck, write) -> None:
    text = """
import torch
from torch import nn

class Base(nn.Module):
    def forward(self, x, state):
        raise NotImplementedError

class Passing(nn.Module):
    def forward(self, x, state):
        # It gives back the output.
        return x, x

class OscillatorCell(Passing):
    def __init__(self, n_inp, n_hid):
        super().__init__()
        self.drive = nn.Linear(n_inp + 2 * n_hid, n_hid)

    def forward(self, x, y, z):
        z = z + 0.1 * (torch.tanh(self.drive(torch.cat([x, y, z], 1))) - y - z)
        return y + 0.1 * z, z

class AttendingCell(nn.Module):
    def forward(self, x, mask, edge_weight):
        return x * mask
"""
    write("cells.py", text)
    done = rnncheck("cells.py", "--output-format", "json")
    assert [item["target"] for item in done.results] == ["cells.py:OscillatorCell"]
    assert done.results[0]["verdict"] == "clean"
    assert "not checked, as no argument is named like a state: cells.py:AttendingCell" in done.err


def test_a_cell_that_returns_none_is_a_finding(rnncheck, write) -> None:
    write("cells.py", HEALTHY.replace("return h_new, h_new", "h = h_new"))
    done = rnncheck("cells.py")
    assert done.status == 1
    assert "wrong-state-structure" in done.out
    assert "forward() takes h as tensor 3x8 and returns nothing." in done.out


def test_a_class_that_may_be_a_cell_is_told_of(rnncheck, write) -> None:
    write("cells.py", HEALTHY + "\n\nclass Odd(HealthyCell):\n    def forward(self, u, y):\n        return y\n")
    done = rnncheck("cells.py", "--output-format", "concise")
    assert (done.status, done.out) == (0, "")
    assert (
        "not checked, as no argument is named like a state: cells.py:Odd (name it as a target to check it)" in done.err
    )


STEPS = """
import torch
from torch import nn


class Recurrence(nn.Module):
    def __init__(self, d_model, n=4):
        super().__init__()
        self.a = nn.Parameter(-torch.rand(d_model, n))
        self.b = nn.Parameter(torch.randn(d_model, n))

    def forward(self, u):
        state = u.new_zeros(u.shape[0], *self.a.shape)
        for part in u.unbind(1):
            y, state = self.step(part, state)
        return y

    def step(self, u, state):
        new = torch.exp(0.1 * self.a) * state + self.b * u.unsqueeze(-1)
        return new.sum(-1), state


class Policy(nn.Module):
    def __init__(self, obs_dim, hidden_size):
        super().__init__()
        self.gru, self.value = nn.GRUCell(obs_dim, hidden_size), nn.Linear(hidden_size, 1)

    def forward(self, obs, rnn_hxs, masks):
        h = self.gru(obs, rnn_hxs * masks)
        return self.value(h), rnn_hxs
"""


def test_cells_of_a_file_whose_step_or_state_has_another_name(rnncheck, write) -> None:
    write("cells.py", STEPS)
    done = rnncheck("cells.py", "--output-format", "concise")
    assert done.status == 1
    assert [line.split(":")[0] for line in done.out.splitlines() if "returned-old-state" in line] == ["cells.py"] * 2


def test_a_function_with_a_derivative_of_its_own_is_no_cell(rnncheck, write) -> None:
    write(
        "cells.py",
        HEALTHY + "\n\nclass Clip(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x, state):\n        return x\n\n"
        "    @staticmethod\n    def backward(ctx, gradient):\n        return gradient, None\n",
    )
    done = rnncheck("cells.py", "--output-format", "concise")
    assert (done.status, done.out) == (0, "")
    assert "Clip" not in done.err


def test_a_folder_holds_cells_whose_file_imports_no_framework(rnncheck, write) -> None:
    write("cells/base.py", HEALTHY)
    write(
        "cells/derived.py",
        "from base import HealthyCell\nclass Bad(HealthyCell):\n    def forward(self, x, h):\n        super().forward(x, h)\n        return h\n",
    )
    done = rnncheck("cells", "--output-format", "json")
    assert [(item["target"], item["verdict"]) for item in done.results] == [
        ("cells/base.py:HealthyCell", "clean"),
        ("cells/derived.py:Bad", "findings"),
    ]


def test_the_input_shape_also_goes_into_the_constructor(rnncheck, write) -> None:
    write("cells.py", HEALTHY)
    done = rnncheck("cells.py", "--input-shape", "10", "--output-format", "json")
    assert done.status == 0
    assert done.results[0]["settings"]["kwargs"]["input_size"] == 10


HELD = """
import torch
from torch import nn

class Held(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.keys = nn.Linear(6, 42)

    def forward(self, x):
        raise NotImplementedError

    def advance(self, x, state):
        h, c = self.cell(x, state)
        return h, (h, {kept})

class Mode(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h, gain, how):
        if how not in ("soft", torch.tanh):
            raise ValueError(f"how is {{how!r}}")
        assert not isinstance(gain, torch.Tensor) or gain.shape == (3, 1)
        return gain * torch.tanh(self.w(torch.cat([x, h], -1)))
"""


class TestSayingHowItIsCalled:
    def test_the_method(self, rnncheck, write) -> None:
        write("cells.py", HELD.format(kept="c"))
        assert rnncheck("cells.py:Held").status == 2
        done = rnncheck("cells.py:Held", "--method", "advance", "--output-format", "json")
        (result,) = done.results
        assert (done.status, result["settings"]["method"]) == (0, "advance")
        assert result["convention"] == "advance(x, (s0, s1)) -> (output, (s0', s1'))"
        done = rnncheck("cells.py:Held", "--method", "advanced")
        assert (done.status, "Held has no method 'advanced'." in done.out) == (2, True)

    def test_further_arguments(self, rnncheck, write) -> None:
        write("cells.py", HELD.format(kept="c"))
        done = rnncheck("cells.py:Mode")
        assert (done.status, "raised ValueError: how is" in done.out) == (2, True)
        done = rnncheck(
            "cells.py:Mode", "--call-kwargs", "how=soft", "--call-kwargs", "gain=[[1.0], [0.5], [2]]",
            "--output-format", "json",
        )  # fmt: skip
        assert done.status == 0
        assert done.results[0]["settings"]["call_kwargs"] == {"how": "soft", "gain": [[1.0], [0.5], [2]]}
        assert done.results[0]["convention"] == "(x, h, how='soft', gain=[[1.0], [0.5], [2]]) -> h'"
        jsonschema.validate(done.json, schema())
        done = rnncheck("cells.py:Mode", "--call-kwargs", "how=torch.tanh", "--call-kwargs", "gain=0.5")
        assert (done.status, "called as (x, h, how=torch.tanh, gain=0.5) -> h'" in done.out) == (0, True)

    def test_an_argument_that_cannot_be_made(self, rnncheck, write) -> None:
        write("cells.py", HELD.format(kept="c"))
        done = rnncheck("cells.py:Mode", "--call-kwargs", "how=torch.no_such(1)")
        assert (done.status, "--call-kwargs torch.no_such(1): there is no 'torch.no_such'." in done.out) == (2, True)

    def test_the_parts_of_the_state(self, rnncheck, write) -> None:
        write("cells.py", HELD.format(kept="state[1]"))
        run = ("cells.py:Held", "--method", "advance", "--output-format", "json")
        done = rnncheck(*run, "--state", "h:8,c:8")
        (result,) = done.results
        assert (done.status, result["findings"][0]["state_index"]) == (1, 1)
        assert [state["name"] for state in result["states"]] == ["h", "c"]
        assert result["settings"]["state"] == [{"name": "h", "shape": [8]}, {"name": "c", "shape": [8]}]
        jsonschema.validate(done.json, schema())
        assert rnncheck(*run, "--state", "8,8").results[0]["settings"]["state"][0] == {"name": None, "shape": [8]}
        wrong = rnncheck("cells.py:Held", "--method", "advance", "--state", "h:9,c:8")
        assert (wrong.status, "It was given tensor 3x5 as x and (tensor 3x9, tensor 3x8) as state." in wrong.out) == (
            2,
            True,
        )

    def test_it_can_be_configured(self, rnncheck, write) -> None:
        write("cells.py", HELD.format(kept="c"))
        write("pyproject.toml", "[tool.rnncheck]\ncall-kwargs = { how = 'soft', gain = 0.5 }\nstate = 'h:8'\n")
        done = rnncheck("cells.py:Mode")
        assert (done.status, "called as (x, h, how='soft', gain=0.5) -> h'" in done.out) == (0, True)


class TestErrors:
    """Each names the part at fault, ends with status 2 and shows no traceback of rnncheck's own."""

    def no_verdict(self, done, *expected: str) -> None:
        text = " ".join(done.out.split())
        assert done.status == 2
        for part in expected:
            assert part in text
        assert "rnncheck/" not in done.out + done.err
        assert done.err.count("Traceback") == 0

    def test_what_is_no_cell(self, rnncheck, write) -> None:
        write("cells.py", "import torch\nNUMBER = 3\nclass Net(torch.nn.Module):\n    def forward(self, x): return x\n")
        self.no_verdict(rnncheck("cells.py:NUMBER", "--backend", "torch"), "The target is a int, not a cell.")
        self.no_verdict(
            rnncheck("cells.py:Net"), "Net.forward(x) takes no state and keeps none, so it is not a recurrent cell."
        )
        self.no_verdict(rnncheck("json:JSONDecoder"), "JSONDecoder derives from no class of TensorFlow or PyTorch")

    def test_an_argument_that_cannot_be_inferred(self, rnncheck, write) -> None:
        write("cells.py", FROZEN.replace("input_size, hidden_size):", "input_size, hidden_size, wiring):"))
        done = rnncheck("cells.py")
        self.no_verdict(done, "FrozenCell() needs wiring", "Type: rnncheck cells.py:FrozenCell --kwargs wiring=...")
        assert rnncheck("cells.py", "--kwargs", "wiring=None").status == 1

    def test_an_object_that_is_given_by_its_name_or_by_a_call(self, rnncheck, write) -> None:
        write("cells.py", FROZEN.replace("input_size, hidden_size):", "input_size, hidden_size, wiring):"))
        done = rnncheck("cells.py", "--kwargs", "wiring=torch.nn.Linear(2, 3)", "--output-format", "json")
        assert (done.status, done.results[0]["settings"]["kwargs"]["wiring"]) == (1, "torch.nn.Linear(2, 3)")
        done = rnncheck("cells.py", "--kwargs", "wiring=wirings.Full(8)")
        self.no_verdict(done, "--kwargs wirings.Full(8): there is no module 'wirings'.")
        done = rnncheck("cells.py", "--kwargs", "wiring=torch.nn.Linear()")
        self.no_verdict(done, "--kwargs torch.nn.Linear() raised TypeError", "missing 2 required positional arguments")

    def test_an_argument_that_is_not_taken(self, rnncheck, write) -> None:
        write("cells.py", FROZEN)
        done = rnncheck("cells.py", "--kwargs", "units=3")
        self.no_verdict(done, "FrozenCell() has no argument 'units'.", "It takes input_size, hidden_size.")

    def test_a_constructor_that_raises(self, rnncheck, write) -> None:
        write("cells.py", FROZEN.replace("super().__init__()", "raise ValueError('no weights file')"))
        self.no_verdict(rnncheck("cells.py"), "raised ValueError: no weights file (cells.py:7).")

    def test_a_cell_that_raises_at_a_later_step(self, rnncheck, write) -> None:
        counting = HEALTHY.replace(
            "        h_new",
            "        self.n = getattr(self, 'n', 0) + 1\n        if self.n == 9: raise IndexError('out of range')\n        h_new",
            1,
        )
        write("cells.py", counting)
        done = rnncheck("cells.py")
        self.no_verdict(done, "HealthyCell.forward() raised IndexError: out of range at step ", "(cells.py:12).")

    def test_a_cell_that_returns_none_at_a_later_step(self, rnncheck, write) -> None:
        counting = HEALTHY.replace(
            "        return",
            "        self.n = getattr(self, 'n', 0) + 1\n        if self.n == 9: return None\n        return",
            1,
        )
        write("cells.py", counting)
        self.no_verdict(rnncheck("cells.py"), "HealthyCell.forward() returned None at step ")

    def test_the_other_backend_was_asked_for(self, rnncheck, write) -> None:
        write("cells.py", FROZEN)
        self.no_verdict(rnncheck("cells.py", "--backend", "tf"), "FrozenCell is a PyTorch class", "--backend torch")

    def test_an_empty_target(self, rnncheck) -> None:
        self.no_verdict(rnncheck(""), "The target is empty.")

    def test_a_target_that_ends_the_process(self, rnncheck, write) -> None:
        write("cells.py", HEALTHY.replace("        h_new", "        raise SystemExit(0)\n        h_new", 1))
        self.no_verdict(rnncheck("cells.py"), "ended the run with SystemExit(0)")


def in_terminal(folder: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """Run with stdout on a terminal and return the status and what was written to it."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "rnncheck", *arguments],
        cwd=folder, stdout=slave, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={**{key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}, "TERM": "xterm", **env},
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:
            break
        if not block:
            break
        seen += block
    os.close(master)
    return child.wait(), seen.decode()


def test_colour_where_it_belongs(write, rnncheck, folder: Path) -> None:
    write("cells.py", FROZEN)
    assert "\x1b[" in in_terminal(folder, "cells.py")[1]
    assert "\x1b[" not in in_terminal(folder, "cells.py", NO_COLOR="1")[1]
    assert "\x1b[" not in in_terminal(folder, "cells.py", "--output-format", "json")[1]
    assert "\x1b[" not in rnncheck("cells.py", env={"FORCE_COLOR": "0"}).out
    assert "\x1b[" in rnncheck("cells.py", "--color", "always").out


def test_piped_it_is_80_columns_wide_and_readable(write, rnncheck) -> None:
    write("cells.py", FROZEN)
    out = rnncheck("cells.py").out
    assert max(map(len, out.splitlines())) <= 80
    plain = rnncheck("cells.py", env={"PYTHONIOENCODING": "ascii"})
    assert plain.status == 1
    assert "x returned-old-state" in plain.out


def test_an_interruption_is_status_130(write, folder: Path) -> None:
    write("cells.py", HEALTHY + "\nimport time, pathlib\npathlib.Path('started').touch()\ntime.sleep(60)\n")
    # A shell that runs the tests in the background lets its children ignore the signal.
    code = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); runpy.run_module('rnncheck', run_name='__main__')"
    child = subprocess.Popen([sys.executable, "-c", code, "cells.py"], cwd=folder, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (folder / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert b"Traceback" not in err
    assert re.search(rb"interrupted", err)


def test_a_plain_torch_cell_does_not_bring_in_keras_when_its_backend_is_named(rnncheck, write) -> None:
    write(
        "cells.py",
        FROZEN + "\nimport sys\n"
        "class Spy(FrozenCell):\n"
        "    def forward(self, x, h):\n"
        "        assert 'keras' not in sys.modules, 'Keras is imported'\n"
        "        return torch.tanh(self.w(torch.cat([x, h], -1)))\n",
    )
    assert rnncheck("cells.py:Spy", "--backend", "torch", env={"KERAS_BACKEND": "torch"}).status == 0
