"""The child's side of ``rnncheck.isolation.supervisor``: one target after the other, each step told to the parent."""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import os
import pickle
import queue
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, TextIO

from rnncheck.backends import defaults
from rnncheck.checking import check_target
from rnncheck.findings import Result
from rnncheck.isolation.announcements import WHERE, Step
from rnncheck.settings import Settings
from rnncheck.usercode.expressions import text_of

Job = tuple[str, Settings, int, str]
"""A target, the settings, how many of its cells were checked before, and the file for the stacks of a crash."""


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Check what is asked for until the parent closes the pipe, or is gone."""
    environment = dict(os.environ)
    own, standard = os.getpid(), [os.dup(descriptor) for descriptor in range(3)]
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked, jobs), daemon=True).start()
    # What the experiments need is imported while the parent still reads its command line.
    import rnncheck.experiments.observing  # noqa: F401

    def say(kind: str, value: Any = None) -> None:
        if os.getpid() != own:
            # A fork of the target that came back out of its code.
            os._exit(0)
        try:
            pickle.dump((kind, value), answered)
            answered.flush()
        except (OSError, ValueError):
            # The target closed it, or nobody reads any more.
            os._exit(1)

    while True:
        text, settings, skip, stacks = jobs.get()
        with open(stacks, "w") as file:
            faulthandler.enable(file)
            if WHERE is not None:
                faulthandler.register(WHERE, file, all_threads=False)

            def announce(step: Step, seconds: float = settings.timeout, file: TextIO = file) -> None:
                _reopen(standard)
                say("step", step)
                if WHERE is None:
                    faulthandler.dump_traceback_later(seconds, file=file)

            for result in check_target(text, settings, announce, skip=skip, interruptible=False):
                say("result", _portable(result))
            faulthandler.cancel_dump_traceback_later()
            if WHERE is not None:
                faulthandler.unregister(WHERE)
            faulthandler.disable()
        for stream in (sys.stdout, sys.stderr, sys.__stdout__):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                if stream is not None:
                    stream.flush()
        os.environ.clear()
        os.environ.update(environment)
        say("done", not defaults.altered())


def _reopen(standard: Sequence[int]) -> None:
    """The standard descriptors as they were, where a target closed them or pointed them elsewhere."""
    for descriptor, kept in enumerate(standard):
        with contextlib.suppress(OSError):
            os.dup2(kept, descriptor)


def _listen(asked: BinaryIO, jobs: queue.SimpleQueue[Job]) -> None:
    while True:
        try:
            jobs.put(pickle.load(asked))
        except Exception:
            os._exit(0)


def _portable(result: Result) -> Result:
    """The result with plain data alone, which the parent can read without the target's modules."""
    findings = tuple(dataclasses.replace(finding, evidence=_plain(finding.evidence)) for finding in result.findings)
    return dataclasses.replace(
        result, settings=_plain(result.settings), influence=_plain(result.influence), findings=findings
    )


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return [_plain(part) for part in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _plain(value.item())
    return text_of(value)
