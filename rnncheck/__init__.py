"""rnncheck tells whether the hidden state of a recurrent cell really carries memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnncheck.api import check as check
    from rnncheck.findings import Finding as Finding
    from rnncheck.findings import Report as Report
    from rnncheck.findings import Result as Result
    from rnncheck.settings import Settings as Settings

__version__ = "0.1.0"
__all__ = ["Finding", "Report", "Result", "Settings", "__version__", "check"]

_HOMES = {"check": "rnncheck.api", "Settings": "rnncheck.settings"}


def __getattr__(name: str) -> Any:
    """Import each name when it is first used, so that ``import rnncheck`` costs next to nothing (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'rnncheck' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "rnncheck.findings")), name)


def __dir__() -> list[str]:
    return __all__
