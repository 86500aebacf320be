"""Why a cell did not take what was tried on it, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck import initial_state
from rnncheck.calling import signature
from rnncheck.calling.convention import outline
from rnncheck.discovery.guesses import Ground, Guess
from rnncheck.errors import CallError
from rnncheck.structure import flatten
from rnncheck.usercode import source, usage, usertrace


class NotAccepted(Exception):
    """One guess was not how the cell is called; ``cause`` is the user's exception, if there was one, else
    ``returned`` is what came back."""

    def __init__(self, message: str = "", cause: Exception | None = None, returned: Any = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.returned = returned

    def __str__(self) -> str:
        if self.cause is None:
            return super().__str__()
        where = usertrace.place(self.cause)
        return f"raised {usertrace.summary(self.cause)}{f' ({where})' if where else ''}."


@dataclass(frozen=True)
class Problem:
    """What keeps a guess from being the convention."""

    ground: Ground
    guess: Guess
    reason: NotAccepted


def cause(refused: Sequence[Problem]) -> Exception | None:
    """What the cell raised first."""
    return next((problem.reason.cause for problem in refused if problem.reason.cause is not None), None)


def explained(cell: Any, methods: Sequence[str], refused: Sequence[Problem]) -> CallError:
    """The cell's own complaint about the likeliest guess."""
    if not refused:
        return _stateless(cell, methods)
    returned = [problem for problem in refused if problem.reason.cause is None]
    problem = refused[0]
    if returned and not problem.guess.declared:
        problem = returned[0]
    callee, reason, backend = problem.ground.callee, problem.reason, problem.ground.backend
    if reason.cause is None and reason.returned is None:
        hint = "Return the new state: return new_state, or return output, new_state."
    else:
        x = outline(problem.ground.x, backend)
        taken = bool(flatten(problem.guess.value, backend.is_tensor)[1])
        state = f" and {outline(problem.guess.value, backend)} as {callee.signature.state}" if taken else ""
        hint = (
            f"It was given {x} as {callee.signature.input}{state}. Say otherwise with --input-shape, --state, "
            "--call-kwargs, --method or --kwargs."
        )
    hint = _handed_out(problem) or hint
    details = usertrace.format_user(reason.cause) if reason.cause is not None else None
    return CallError(f"{callee.name} {reason}", hint=hint, details=details)


def _handed_out(problem: Problem) -> str | None:
    """What is wrong with the state that the cell itself made."""
    leaves = flatten(problem.guess.value, problem.ground.backend.is_tensor)[1]
    dtypes = [problem.ground.backend.dtype(leaf) for leaf in leaves]
    if not problem.guess.declared or any(dtype.startswith("complex") for dtype in dtypes):
        return None
    callee = problem.ground.callee
    function = source.function_of(callee.code)
    unpacked = usage.unpacking(function, callee.signature.state) if function else None
    what, dtype = f"{problem.guess.source} of {type(callee.cell).__name__}", callee.backend.float_dtype(callee.cell)
    return initial_state.handed_out(what, problem.guess.value, unpacked, problem.ground.batch, dtype)


def _stateless(cell: Any, methods: Sequence[str]) -> CallError:
    method = methods[0]
    every = signature.parameters(getattr(cell, method)) or []
    shown = ", ".join(parameter.name for parameter in every)
    return CallError(
        f"{type(cell).__name__}.{method}({shown}) takes no state and keeps none, so it is not a recurrent cell.",
        hint="A cell's step takes an input and a state: (x, state). Name another method with --method NAME.",
    )
