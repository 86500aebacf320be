"""What TensorFlow says too much of (its start-up messages) and too little (its tracebacks)."""

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
    them quiet afterwards. When the import fails, what it wrote is shown. Tracebacks are whole.
    """
    if "tensorflow" in sys.modules:
        with whole_tracebacks():
            yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    original = builtins.__import__

    def importing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] != "tensorflow" or "tensorflow" in sys.modules:
            return original(name, *args, **kwargs)
        builtins.__import__ = original
        with _captured_stderr():
            imported = original(name, *args, **kwargs)
        afterwards.enter_context(whole_tracebacks())
        return imported

    builtins.__import__ = importing
    with contextlib.ExitStack() as afterwards:
        try:
            yield
        finally:
            builtins.__import__ = original


@contextlib.contextmanager
def whole_tracebacks() -> Iterator[None]:
    """Within this block TensorFlow leaves its own frames in tracebacks: what it was given stands in them."""
    utils = sys.modules.get("tensorflow.python.util.traceback_utils")
    if utils is None or not utils.is_traceback_filtering_enabled():
        yield
        return
    utils.disable_traceback_filtering()
    try:
        yield
    finally:
        utils.enable_traceback_filtering()


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
