"""TensorFlow's start-up messages, kept from the user."""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Within this block the first ``import tensorflow``, whoever does it, writes nothing to stderr.

    Its C++ parts write to the file descriptor before any logging level applies; the level set here keeps
    them quiet afterwards. When the import fails, what it wrote is shown.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    original = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] != "tensorflow" or "tensorflow" in sys.modules:
            return original(name, *args, **kwargs)
        builtins.__import__ = original
        with _captured_stderr():
            return original(name, *args, **kwargs)

    builtins.__import__ = importing
    try:
        yield
    finally:
        builtins.__import__ = original


@contextlib.contextmanager
def _captured_stderr() -> Iterator[None]:
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
