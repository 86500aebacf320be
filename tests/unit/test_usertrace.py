"""What is told of the user's own exceptions and crashes."""

from __future__ import annotations

import os

import pytest

import rnncheck
from rnncheck.usercode import usertrace

OWN = os.path.dirname(rnncheck.__file__)
KERAS = """Exception encountered when calling MyCell.call().

\x1b[1mDimensions must be equal,
but are 5 and 8.\x1b[0m

Arguments received by MyCell.call():
  • inputs=tf.Tensor(shape=(3, 5), dtype=float32)"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no such\n   step"), "ValueError: no such step"),
        (ValueError(), "ValueError"),
        (ValueError(KERAS), "ValueError: Dimensions must be equal, but are 5 and 8."),
        (RuntimeError("\x1b[31mred\x1b[0m"), "RuntimeError: red"),
        (KeyError("h" * 300), f"KeyError: '{'h' * 198}…"),
        (TypeError("<function f at 0x7f18d7c63a60>, <Cell object at 0xFF>"), "TypeError: <function f>, <Cell object>"),
    ],
)
def test_an_exception_on_one_line(error: Exception, said: str) -> None:
    assert usertrace.summary(error) == said


CRASH = f"""Fatal Python error: Segmentation fault

Thread 0x00007f (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 320 in wait
  File "/home/me/other.py", line 3 in watch

Current thread 0x00007e (most recent call first):
  File "{os.__file__}", line 7 in string_at
  File "/home/me/my cells.py", line 12 in forward
  File "{OWN}/convention.py", line 130 in call
  File "{OWN}/checking.py", line 90 in check_loaded
"""
HANG = f"""Timeout (0:01:00)!
Thread 0x00007f (most recent call first):
  File "/home/me/other.py", line 3 in watch

Thread 0x00007e (most recent call first):
  File "/home/me/cells.py", line 20 in forward
  File "{OWN}/checking.py", line 90 in check_loaded
"""
DEEP = """Timeout (0:01:00)!
Thread 0x00007f (most recent call first):
  File "/home/me/other.py", line 3 in watch

Thread 0x00007e (most recent call first):
  File "/home/me/cells.py", line 8 in deed
  File "/home/me/cells.py", line 8 in deed
  ...
"""
# A process that is asked twice: at first it was nowhere in the user's code.
ASKED = f"""Stack (most recent call first):
  File "/usr/lib/python3.11/site-packages/torch/nn/functional.py", line 7 in zeros
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
Stack (most recent call first):
  File "/home/me/cells.py", line 4 in <module>
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
  File "{OWN}/checking.py", line 90 in check_loaded
"""


@pytest.mark.parametrize(
    ("dump", "place"),
    [
        (CRASH, "/home/me/my cells.py:12"),
        (HANG, "/home/me/cells.py:20"),
        (DEEP, "/home/me/cells.py:8"),
        (ASKED, "/home/me/cells.py:4"),
        ("", ""),
        (f'Thread 1:\n  File "{OWN}/checking.py", line 90 in check_loaded\n', ""),
    ],
)
def test_where_a_process_crashed_or_hangs(dump: str, place: str) -> None:
    assert usertrace.place_in_dump(dump) == place
