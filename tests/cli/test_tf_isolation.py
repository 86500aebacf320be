"""What a Keras cell may do to its process, also from within TensorFlow: it alone has no verdict, in time."""

from __future__ import annotations

import pytest

BASE = """
import ctypes, os, sys, threading, time
import keras
import numpy as np
import tensorflow as tf

class Before(keras.layers.GRUCell):
    def call(self, inputs, states):
        self.deed()
        return super().call(inputs, states)

    def deed(self):
        pass
"""
AFTER = """
class After(Before):
    def call(self, inputs, states):
        output, _ = super().call(inputs, states)
        return output, states
"""

# What call() does, and what is then said of the cell.
DEEDS = {
    "Exits": ("sys.exit(3)", "The target ended the run with SystemExit(3) (cells.py:{line})."),
    "ExitsAtOnce": ("os._exit(0)", "checking cells.py:ExitsAtOnce ended the process with exit status 0."),
    "Crashes": ("ctypes.string_at(0)", "checking cells.py:Crashes ended the process by SIGSEGV (cells.py:{line})."),
    "SpinsInAGraph": (
        "tf.function(lambda: tf.while_loop(lambda i: True, lambda i: [i], [tf.constant(0)]))()",
        "checking cells.py:SpinsInAGraph took more than 15 s (cells.py:{line}).",
    ),
    "FillsMemory": (
        "kept = [tf.ones([10**7]) for _ in range(10**6)]",
        "checking cells.py:FillsMemory took more than 3 GiB of memory (cells.py:{line}).",
    ),
}
# These say nothing of memory, and do not keep anybody from telling whether there is any.
HARMLESS = {
    "LeavesAThread": "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "Floods": "print('noise' * 10_000); tf.print('noise' * 1000, output_stream=sys.stdout)",
    "ClosesStdout": "sys.stdout.close(); os.closerange(0, 3)",
    "ChangesFolder": "os.chdir('/')",
    "ChangesDefaults": "keras.backend.set_floatx('float64'); tf.config.run_functions_eagerly(True)",
    "ChangesSeeds": "keras.utils.set_random_seed(time.time_ns() % 2**31); np.random.seed(None)",
}


def test_it_alone_has_no_verdict_and_the_others_are_checked(rnncheck, write) -> None:
    deeds = {name: deed for name, (deed, _) in DEEDS.items()} | HARMLESS
    text = BASE + "".join(
        f"\nclass {name}(Before):\n    def deed(self):\n        {deed}  # {name}\n" for name, deed in deeds.items()
    )
    write("cells.py", text + AFTER)
    done = rnncheck("cells.py", "--output-format", "json", "--timeout", "15", "--memory", "3G", timeout=400)
    assert done.status == 2
    assert "Traceback" not in done.err
    found = {item["target"].removeprefix("cells.py:"): item for item in done.results}
    assert list(found) == ["Before", *deeds, "After"]
    lines = {line.rpartition("# ")[2]: number for number, line in enumerate(text.splitlines(), 1)}
    for name, (_, said) in DEEDS.items():
        assert said.format(line=lines[name]) in found[name]["error"]["message"]
    for name in ("Before", *HARMLESS):
        assert found[name]["verdict"] == "clean", found[name]
    assert found["After"]["findings"][0]["rule"] == "returned-old-state"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("os._exit(7)", "loading cells.py ended the process with exit status 7."),
        ("while True: tf.zeros(3)", "loading cells.py took more than 15 s (cells.py:{line})."),
    ],
)
def test_while_it_is_loaded(rnncheck, write, line: str, said: str) -> None:
    write("cells.py", BASE + line)
    write("fine.py", BASE + AFTER)
    done = rnncheck("cells.py", "fine.py:Before", "--timeout", "15", "--output-format", "json")
    one, other = done.results
    assert (done.status, one["target"], other["verdict"]) == (2, "cells.py", "clean")
    assert said.format(line=len(BASE.splitlines()) + 1) in one["error"]["message"]
