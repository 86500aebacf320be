"""Targets in a process of their own: what one of them does to its process ends there.

The parent loads no target and no framework. It starts a child (``rnncheck.isolation.worker``), hands it one target
after the other, and is told each step and each result. A child that ends, hangs or fills the memory is killed with all
that it started; what it was at gets "no verdict" with the reason, and a new child goes on with what is left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncheck.findings import Report, Result
from rnncheck.isolation.announcements import WHERE

if TYPE_CHECKING:
    from rnncheck.errors import StoppedError
    from rnncheck.isolation.announcements import Announce, Step
    from rnncheck.settings import Settings

CHILD = Path(__file__).with_name("child")
GRACE = 0.5 if WHERE is None else 0.0
"""Seconds beyond the timeout in which a child that cannot be asked writes down where it hangs."""
PAUSES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Seconds for an answer, each time that a child is asked where it is."""
LOOK = 0.05
"""Seconds between two looks at a silent child."""


class Child:
    """The process; it starts at once and imports what it needs while the parent goes on."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._said: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.clean = True
        """Whether it may go on: the last target left the frameworks set as they are by themselves."""
        self._tell(sys.path)

    def _tell(self, value: Any) -> None:
        """A child that is gone is noticed where its answer is waited for."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            pickle.dump(value, self.process.stdin)
            self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while True:
            try:
                self._said.put(_Reader(self.process.stdout).load())
            except Exception:
                self._said.put(None)
                return

    def ask(self, text: str, settings: Settings, skip: int) -> Iterator[tuple[str, Any]]:
        """What the child says of a target, until it has done; raises StoppedError when it is not heard from."""
        with tempfile.TemporaryDirectory(prefix="rnncheck-", ignore_cleanup_errors=True) as folder:
            stacks = Path(folder, "stacks")
            self._tell((text, settings, skip, str(stacks)))
            step: Step | None = None
            while True:
                try:
                    kind, value = self._next(settings)
                except _Silence as silence:
                    place = self._place(stacks)
                    self.end()
                    raise silence.told(step, text, place, settings) from None
                if kind == "done":
                    self.clean = value
                    return
                if kind == "step":
                    step = value
                yield kind, value

    def _next(self, settings: Settings) -> tuple[str, Any]:
        began = time.monotonic()
        while True:
            try:
                said = self._said.get(timeout=LOOK)
            except queue.Empty:
                said = None
                if self.process.poll() is None:
                    if time.monotonic() > began + settings.timeout + GRACE:
                        raise _Silence("timeout") from None
                    if settings.memory is not None and _resident(self.process.pid) > settings.memory:
                        raise _Silence("memory") from None
                    continue
                # What it said last may still be on its way.
                with contextlib.suppress(queue.Empty):
                    said = self._said.get(timeout=LOOK)
            if said is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout=1.0)
                # Writing down the stacks of running threads may itself crash.
                late = time.monotonic() > began + settings.timeout
                raise _Silence("timeout" if late else "end", self.process.poll())
            return said

    def _place(self, stacks: Path) -> str:
        """Where in the user's code it is, or was when it ended. It is asked again while it is nowhere there: its code
        may be just between two lines, or below more calls than are written down."""
        from rnncheck.usercode.usertrace import place_in_dump

        for pause in PAUSES:
            if WHERE is not None and self.process.poll() is None:
                self.process.send_signal(WHERE)
                time.sleep(pause)
            with contextlib.suppress(OSError):
                if place := place_in_dump(stacks.read_text(errors="replace")):
                    return place
        return ""

    def end(self) -> None:
        """Kill it, and all that it started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5.0)


class _Reader(pickle.Unpickler):
    """Reads findings and plain data alone: nothing of the target's is imported here."""

    def find_class(self, module: str, name: str) -> Any:
        if module not in ("rnncheck.findings", "rnncheck.isolation.announcements"):
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)


class _Silence(Exception):
    """Why nothing more is heard of a child; ``status`` is how it ended."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.why, self.status = why, status

    def told(self, step: Step | None, text: str, place: str, settings: Settings) -> StoppedError:
        from rnncheck.errors import StoppedError

        at = f" ({place})" if place else ""
        doing = str(step) if step is not None else f"loading {text}"
        loading = step is None or step.doing == "loading"
        definitions = ["Run only its definitions with --defs-only."] if loading else []
        if self.why == "timeout":
            hint = " ".join([*definitions, f"Give it more time: --timeout {10 * settings.timeout:g}."])
            return StoppedError(f"{doing} took more than {settings.timeout:g} s{at}.", hint=hint)
        if self.why == "memory":
            assert settings.memory is not None
            more = f"Give it more: --memory {2 * settings.memory / 2**30:.3g}G."
            hint = f"{more} Or make it smaller: {SMALLER}."
            return StoppedError(f"{doing} took more than {_size(settings.memory)} of memory{at}.", hint=hint)
        if self.status is not None and self.status < 0:
            return StoppedError(f"{doing} ended the process by {_signal(-self.status)}{at}.", hint=_after(-self.status))
        if self.status is None:
            return StoppedError(f"{doing} cut the process off from rnncheck{at}.", hint="Something closed its files.")
        hint = " ".join([*definitions, "Something in it ends the process, such as os._exit()."])
        return StoppedError(f"{doing} ended the process with exit status {self.status}{at}.", hint=hint)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _after(number: int) -> str:
    if number == signal.SIGKILL:
        return f"The machine may have run out of memory. Make it smaller: {SMALLER}."
    return "It is a crash below Python. Run it in a debugger with --no-isolate."


def _size(number: int) -> str:
    return next((f"{number / unit:.3g} {name}" for name, unit in UNITS if number >= unit), f"{number} bytes")


SMALLER = "--batch 2, --steps 4, --kwargs, --input-shape"
UNITS = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that is not told."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def available() -> int | None:
    """Bytes of memory that are free on this machine; None where that is not told."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) * 1024 if found else None


class Supervisor:
    """Runs targets in children, ``jobs`` of them at a time; ``first`` is one that was started before."""

    def __init__(self, settings: Settings, announce: Announce, first: Child | None = None) -> None:
        free = available() if settings.memory is None else None
        self.settings = settings if free is None else dataclasses.replace(settings, memory=free * 9 // 10)
        self.announce = announce
        self._idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
        self._children: list[Child] = []
        self._ended = False
        if first is not None:
            self._children.append(first)
            self._idle.put(first)

    def check(self, targets: Sequence[str]) -> Report:
        """The results of all targets, in their order."""
        try:
            if self.settings.jobs == 1 or len(targets) < 2:
                found = list(map(self._target, targets))
            else:
                from concurrent.futures import ThreadPoolExecutor

                with ThreadPoolExecutor(self.settings.jobs) as pool:
                    try:
                        found = list(pool.map(self._target, targets))
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        self.end()
                        raise
        finally:
            self.end()
        return Report(tuple(result for results in found for result in results), self.settings.fail_on)

    def end(self) -> None:
        """Kill all children."""
        self._ended = True
        for child in self._children:
            child.end()

    def _child(self) -> Child:
        with contextlib.suppress(queue.Empty):
            return self._idle.get_nowait()
        child = Child()
        self._children.append(child)
        if self._ended:
            child.end()
        return child

    def _target(self, text: str) -> list[Result]:
        from rnncheck.errors import StoppedError
        from rnncheck.unchecked import no_verdict

        results: list[Result] = []
        while True:
            child, step = self._child(), None
            try:
                for kind, value in child.ask(text, self.settings, len(results)):
                    if kind == "step":
                        step = value
                        self.announce(value)
                    else:
                        results.append(value)
            except StoppedError as error:
                checking = step is not None and step.doing == "checking"
                results.append(no_verdict(step.name if step and checking else text, error, self.settings))
                if not checking or step is None or step.left == 0 or self._ended:
                    return results
            else:
                if child.clean:
                    self._idle.put(child)
                else:
                    child.end()
                return results
