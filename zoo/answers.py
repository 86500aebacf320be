"""What rnncheck says of an entry, each time in a process of its own; and what it said, kept.

Kept is a run of seeds of an entry, a line each, in ``.answers.jsonl``: ``make zoo`` and ``make stability`` go on where
they were stopped and do not ask twice. What another version of rnncheck, of the packages or of the sample cells said is
not used, and what ended without a report is asked again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo import HERE, Entry, Seen, seen

ROOT = HERE.parent
RNNCHECK = str(Path(sys.executable).with_name("rnncheck"))


class NoAnswer(Exception):
    """A process that ended without a report, or not in time."""


@dataclass(frozen=True)
class Answer:
    """What one check said, and how many seconds it took, the framework's import not counted."""

    seen: Seen
    seconds: float


def under(entry: Entry, seeds: range, limit: float) -> list[Answer]:
    """What is said of an entry under each of these seeds."""
    worker = [sys.executable, str(HERE / "worker.py"), str(seeds.start), str(seeds.stop)]
    return [Answer(seen(item["result"]), item["seconds"]) for item in _said(worker, entry, limit)]


def typed(entry: Entry, limit: float) -> Seen:
    """What the command line says of an entry.

    Raises ``NoAnswer``.
    """
    command = [RNNCHECK, *entry.arguments(), "--backend", entry.backend, "--output-format", "json"]
    return seen(_said(command, entry, limit)["results"][0])


def _said(command: list[str], entry: Entry, limit: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                command,
                input=json.dumps(asdict(entry)),
                cwd=folder,
                env={**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", **entry.env},
                timeout=limit,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"not within {limit:.0f} s") from None
    try:
        return json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        raise NoAnswer(f"exit status {done.returncode}: {last[0]}") from None


class Kept:
    """What was said, by what was asked; what was not asked yet is.

    Raises ``NoAnswer`` where there is none.
    """

    def __init__(self, path: Path = ROOT / ".answers.jsonl") -> None:
        self.path = path
        self.version = _version()
        self._lock = threading.Lock()
        self._known = {document["asked"]: document["said"] for document in self._lines()}
        self._runs: dict[str, list[int]] = {}
        for asked in self._known:
            entry, seeds = json.loads(asked)
            if isinstance(seeds, list) and seeds[0] == 0:
                self._runs.setdefault(entry, []).append(seeds[1])

    def under(self, entry: Entry, seeds: range, limit: float) -> list[Answer]:
        """As the function of this name, also out of what was said under more seeds."""
        for stop in sorted(self._runs.get(identity(entry), ())):
            if stop >= seeds.stop and seeds.start == 0:
                said = self._known[_asked(entry, range(stop))]
                return [Answer(_seen(same), seconds) for same, times in said for seconds in times][: seeds.stop]
        answers = under(entry, seeds, limit)
        alike = itertools.groupby(answers, key=lambda answer: answer.seen)
        self._keep(
            _asked(entry, seeds), [(asdict(same), [round(one.seconds, 3) for one in group]) for same, group in alike]
        )
        return answers

    def typed(self, entry: Entry, limit: float) -> Seen:
        """As the function of this name."""
        said = self._known.get(_asked(entry, None))
        if said is not None:
            return _seen(said)
        answer = typed(entry, limit)
        self._keep(_asked(entry, None), asdict(answer))
        return answer

    def _keep(self, asked: str, said: Any) -> None:
        line = json.dumps({"asked": asked, "said": said, "version": self.version})
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []:
            document = json.loads(line)
            if document["version"] == self.version:
                yield document


def named(entry: Entry) -> str:
    """What is typed, as seen from the repository."""
    return entry.typed.replace(f"{ROOT}{os.sep}", "")


def identity(entry: Entry) -> str:
    """What tells an entry from all others."""
    return json.dumps([named(entry), entry.backend, sorted(entry.env.items())])


def _asked(entry: Entry, seeds: range | None) -> str:
    return json.dumps([identity(entry), [seeds.start, seeds.stop] if seeds else "command line"])


def _seen(document: dict[str, Any]) -> Seen:
    return Seen(**{**document, "findings": tuple(tuple(item) for item in document["findings"])})


def _version() -> str:
    """A digest of all that has a part in what is said."""
    patterns = ("rnncheck/**/*.py", "sample_cells/**/*.py", "requirements/*", "zoo/*.txt")
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()
