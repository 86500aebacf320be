"""What must be as it was before a cell was checked from Python, whatever the cell does."""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import warnings
from typing import Any

import numpy as np


def process() -> dict[str, Any]:
    """All that a target could change in this process, in values that can be compared."""
    return {
        "folder": os.getcwd(),
        "sys.path": list(sys.path),
        "sys.argv": list(sys.argv),
        "streams": (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
        "warnings": list(warnings.filters),
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        "recursion": sys.getrecursionlimit(),
        "trace": (sys.gettrace(), sys.getprofile()),
        "threads": threading.active_count(),
        "collector": (gc.isenabled(), gc.get_freeze_count() > 0),
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in before if not _equal(before[name], after[name])]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
