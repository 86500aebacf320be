"""rnncheck from Python."""

from __future__ import annotations

from typing import Any

from rnncheck.checking import check_loaded, check_targets
from rnncheck.findings import Report
from rnncheck.settings import from_options
from rnncheck.target import Loaded


def check(target: Any, **options: Any) -> Report:
    """Check a cell and return the report.

    ``target`` is a string as on the command line, or a class, a factory or an instance. ``options`` are the
    fields of :class:`rnncheck.Settings`, such as ``kwargs={"units": 4}``, ``input_shape=(10,)`` or ``seed=1``.
    An instance is checked through a copy where it can be copied, and its weights stay as they were.

    Raises UsageError for an option that is not accepted. What keeps the target from a verdict is in the
    report (``result.error``), not raised.
    """
    settings = from_options(options)
    if isinstance(target, str):
        return check_targets([target], settings)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return Report((check_loaded(Loaded(name, target, name), settings),), settings.fail_on)
