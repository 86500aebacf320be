"""A process that is afterwards as it was before a target ran in it, whatever that did."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import warnings
from collections.abc import Iterator

from rnncheck.backends import defaults


@contextlib.contextmanager
def as_before() -> Iterator[None]:
    """The working folder, the import path, the standard streams, warning filters, Python's random numbers, trace
    functions and what the frameworks have set for all."""
    folder, path, argv = os.getcwd(), list(sys.path), sys.argv
    streams = sys.stdin, sys.stdout, sys.stderr
    numbers, limit = random.getstate(), sys.getrecursionlimit()
    trace, profile = sys.gettrace(), sys.getprofile()
    restore = defaults.keep()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        sys.path[:], sys.argv = path, argv
        sys.stdin, sys.stdout, sys.stderr = streams
        random.setstate(numbers)
        sys.setrecursionlimit(limit)
        # A profiler that is written in C can be read here and not set again.
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        if sys.getprofile() is not profile:
            sys.setprofile(profile)
        restore()
