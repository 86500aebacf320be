"""How much is tried: the same few examples each time, or, with ``RNNCHECK_FUZZ=2000``, so many new ones."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

MANY = int(os.environ.get("RNNCHECK_FUZZ", "0"))

ANYTHING = st.characters(exclude_categories=())
"""Every character, halves of surrogate pairs too, which a file name may hold."""
TEXT = st.text(ANYTHING, max_size=40)


def examples(number: int) -> settings:
    """The settings of a test that tries so many examples where nothing else is asked for."""
    return settings(
        max_examples=MANY or number,
        derandomize=not MANY,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
