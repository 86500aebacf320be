"""What can keep rnncheck from a verdict, each with what to do next."""

from __future__ import annotations

from collections.abc import Sequence


class RnncheckError(Exception):
    """A reason for "no verdict".

    ``message`` says what failed and where, ``hint`` what to type next, ``details`` is the user's own
    traceback where their code raised, ``target`` what it is about where that is not what was typed,
    ``options`` what to add to the command line.
    """

    kind = "error"

    def __init__(
        self, message: str, *, hint: str | None = None, details: str | None = None, options: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details
        self.options = tuple(options)
        self.target: str | None = None

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(RnncheckError):
    """An option or a configuration key that does not make sense."""

    kind = "usage"


class TargetError(RnncheckError):
    """The target could not be found or loaded."""

    kind = "target"


class BackendError(RnncheckError):
    """The framework is missing, or is not the target's."""

    kind = "backend"


class BuildError(RnncheckError):
    """The cell could not be constructed."""

    kind = "build"


class CallError(RnncheckError):
    """The cell could not be called, or what it returned could not be understood."""

    kind = "call"


class StoppedError(RnncheckError):
    """The target's process ended, hung or grew too large."""

    kind = "stopped"


class InternalError(RnncheckError):
    """A defect of rnncheck itself."""

    kind = "internal"
