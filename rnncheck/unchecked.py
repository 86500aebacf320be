"""The result of a target that could not be checked."""

from __future__ import annotations

from typing import Any

from rnncheck.errors import RnncheckError
from rnncheck.findings import Problem, Result
from rnncheck.settings import Settings, StateShape


def no_verdict(name: str, error: RnncheckError, settings: Settings, remarks: tuple[str, ...] = ()) -> Result:
    """That there is no verdict, and why, and what to type next."""
    hint = error.hint
    if error.options:
        hint = " ".join(["Type: rnncheck", name, *error.options]) + (f"\n{hint}" if hint else "")
    problem = Problem(error.kind, error.message, hint, error.details)
    return Result(name, "error", settings=given(settings), remarks=remarks, error=problem)


def given(settings: Settings) -> dict[str, Any]:
    """What a result tells of its run, as far as it was told."""
    return {
        "seed": settings.seed,
        "steps": settings.steps,
        "batch": settings.batch,
        "input_shape": list(settings.input_shape) if settings.input_shape else None,
        "dtype": settings.dtype,
        "device": settings.device,
        "kwargs": dict(settings.kwargs),
        "method": settings.method,
        "call_kwargs": dict(settings.call_kwargs),
        "state": None if settings.state is None else [_part(part) for part in settings.state],
    }


def _part(part: StateShape) -> dict[str, Any]:
    return {"name": part.name, "shape": list(part.shape)}
