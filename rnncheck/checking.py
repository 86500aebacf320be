"""From targets to a Report."""

from __future__ import annotations

import contextlib
import gc
import linecache
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rnncheck import suppression, target
from rnncheck.backends import ALIASES, FRAMEWORK, choose
from rnncheck.errors import InternalError, RnncheckError
from rnncheck.findings import Finding, Outcome, Problem, Report, Result, State, TimelineEntry
from rnncheck.isolation.announcements import Announce, Step
from rnncheck.isolation.as_before import as_before
from rnncheck.rules.base import listing
from rnncheck.rules.ignored_recurrence import UNKNOWN
from rnncheck.run import apply
from rnncheck.settings import Settings
from rnncheck.target import Loaded
from rnncheck.unchecked import given, no_verdict
from rnncheck.usercode import usertrace

if TYPE_CHECKING:
    from rnncheck.backends.base import Backend
    from rnncheck.experiments.observing import Observed
    from rnncheck.trace import Trace


def check_targets(targets: Sequence[str], settings: Settings, announce: Announce = lambda step: None) -> Report:
    """Check everything that the targets name, in this process. What keeps one target from a verdict is its result."""
    results = [result for text in targets for result in check_target(text, settings, announce)]
    return Report(tuple(results), settings.fail_on)


def check_target(
    text: str, settings: Settings, announce: Announce = lambda step: None, *, skip: int = 0, interruptible: bool = True
) -> Iterator[Result]:
    """The result of each cell that a target names, but for the first few.

    Where it is not ``interruptible``, as no user is at its keyboard, a KeyboardInterrupt is the target's own.
    """
    with as_before(), _keras_on(settings.backend):
        announce(Step("loading", text))
        try:
            loaded = target.load(target.parse(text), defs_only=settings.defs_only)
        except RnncheckError as error:
            yield no_verdict(text, error, settings)
            return
        except KeyboardInterrupt as error:
            if interruptible:
                raise
            yield no_verdict(text, _interrupted(error), settings)
            return
        except Exception as error:
            yield no_verdict(text, _own_defect(error), settings)
            return
        with _frozen():
            for index, item in enumerate(loaded[skip:], skip + 1):
                name = (item.target or text) if isinstance(item, RnncheckError) else item.name
                announce(Step("checking", name, len(loaded) - index))
                try:
                    if isinstance(item, RnncheckError):
                        yield no_verdict(name, item, settings)
                    else:
                        yield check_loaded(item, settings)
                except KeyboardInterrupt as error:
                    if interruptible:
                        raise
                    yield no_verdict(name, _interrupted(error), settings)


def _interrupted(error: KeyboardInterrupt) -> RnncheckError:
    return RnncheckError(f"The target raised KeyboardInterrupt ({usertrace.place(error)}).")


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Within the block the garbage collector passes over what is already there, a framework's many objects above all:
    of a check of many cells that is a tenth of the time."""
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _keras_on(backend: str) -> Iterator[None]:
    """Keras chooses its tensors by ``KERAS_BACKEND`` when it is first imported; what the user has set there stands."""
    if backend == "auto" or "KERAS_BACKEND" in os.environ:
        yield
        return
    os.environ["KERAS_BACKEND"] = FRAMEWORK[ALIASES[backend]]
    try:
        yield
    finally:
        os.environ.pop("KERAS_BACKEND", None)


def check_loaded(loaded: Loaded, settings: Settings) -> Result:
    """Check one object; never raises, but for KeyboardInterrupt."""
    if settings.overrides:
        settings = settings.of(loaded.names(settings.folder))
    try:
        backend = choose(settings.backend, loaded.obj, settings.kwargs)
        from rnncheck.experiments.observing import observe

        with as_before():
            observed = observe(loaded.obj, backend, settings)
    except RnncheckError as error:
        return no_verdict(loaded.name, error, settings, loaded.remarks)
    except SystemExit as error:
        stopped = RnncheckError(f"The target ended the run with SystemExit({error.code!r}) ({usertrace.place(error)}).")
        return no_verdict(loaded.name, stopped, settings, loaded.remarks)
    except Exception as error:
        return no_verdict(loaded.name, _own_defect(error), settings, loaded.remarks)
    findings, outcomes = apply(observed.trace, settings)
    problem = _unfinished(outcomes, observed.trace, settings)
    flagged = any(finding.severity != "note" and finding.suppressed is None for finding in findings)
    trace = observed.trace
    return Result(
        target=loaded.name,
        verdict="error" if problem else "findings" if flagged else "clean",
        backend=trace.backend,
        backend_version=backend.version,
        settings=_settings(settings, observed, backend.device),
        convention=observed.convention,
        kind=trace.kind,
        states=tuple(State(slot.index, slot.name, slot.shape, slot.dtype) for slot in trace.slots),
        findings=tuple(_placed(finding) for finding in findings),
        outcomes=outcomes,
        timeline=tuple(_timeline(trace)),
        influence=_influence(trace),
        remarks=(
            *loaded.remarks,
            *_drawn(observed),
            *_passed_over(observed),
            *suppression.remarks(trace, findings),
            *_without_lines(observed, backend, findings),
        ),
        error=problem,
    )


def _drawn(observed: Observed) -> Iterator[str]:
    if observed.drawn:
        names, them = listing(observed.drawn), "it was" if len(observed.drawn) == 1 else "they were"
        yield (
            f"Nobody wrote any numbers to {names}, and for this check {them} drawn at random: initialise "
            f"{'it' if len(observed.drawn) == 1 else 'them'} in the constructor."
        )


def _passed_over(observed: Observed) -> Iterator[str]:
    if observed.passed_over is not None:
        checked, usual = observed.trace.method.name, observed.passed_over
        yield f"{checked}() was checked, since no way to call {usual}() was found: --method {usual} says why."


def _without_lines(observed: Observed, backend: Backend, findings: Sequence[Finding]) -> Iterator[str]:
    """How to have the lines of findings that have none, where the cell runs compiled."""
    how = backend.compiled(backend.unwrap(observed.built.cell))
    if how is not None and any(finding.location.line is None for finding in findings):
        yield how


def _unfinished(outcomes: Sequence[Outcome], trace: Trace, settings: Settings) -> Problem | None:
    """A rule that crashed, or that none ran, or none about memory: then nothing was checked."""
    for outcome in outcomes:
        if outcome.outcome == "crashed":
            return Problem("internal", f"The rule {outcome.rule} crashed: {outcome.reason}")
        if outcome.reason == UNKNOWN and outcome.rule not in suppression.asked(settings):
            name = f"{trace.method.class_name}.{trace.method.name}()"
            return Problem(
                "call",
                f"{name} takes no state, and {outcome.reason}: not even its last step reaches its output.",
                "Name the method that is one step with --method, or say what its state is with --state.",
            )
        if trace.fault is not None and (outcome.rule, outcome.outcome) == (trace.fault.rule, "suppressed"):
            return Problem(
                "call", f"Nothing else was checked: the experiments ended with {outcome.rule}, which is ignored."
            )
    if not any(outcome.outcome in ("passed", "failed", "suppressed") for outcome in outcomes):
        reasons = ", ".join(f"{outcome.rule} ({outcome.reason})" for outcome in outcomes)
        return Problem("usage", f"Nothing was checked: {reasons}.", "Select a rule that applies.")
    return None


def _own_defect(error: Exception) -> InternalError:
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{usertrace.relative(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else "unknown"
    return InternalError(
        f"rnncheck itself failed: {usertrace.summary(error)} ({place}).",
        hint="Please report this, with the cell if you can.",
    )


def _settings(settings: Settings, observed: Observed, device: str) -> dict[str, Any]:
    return {
        **given(settings),
        "input_shape": list(observed.input_shape),
        "batch": observed.batch,
        "dtype": observed.dtype,
        "device": device,
        "kwargs": dict(observed.built.kwargs),
        "method": observed.trace.method.name,
    }


def _placed(finding: Finding) -> Finding:
    """The finding with its path as seen from the current folder, and the text of its lines."""
    location = finding.location
    if location.path is None:
        return finding

    def text(line: int | None) -> str | None:
        return linecache.getline(location.path or "", line).strip() or None if line else None

    related = tuple(replace(other, text=text(other.line)) for other in finding.related)
    place = replace(location, path=usertrace.relative(location.path), text=text(location.line))
    return replace(finding, location=place, related=related)


def _timeline(trace: Trace) -> Iterator[TimelineEntry]:
    passages = [tuple(seen.passage for seen in step) for step in trace.steps]
    for index, step in enumerate((*passages, *trace.later)):
        for slot, seen in zip(trace.slots, step):
            yield TimelineEntry(index, slot.name, seen.previous, seen.new, seen.returned, seen.unchanged)


def _influence(trace: Trace) -> Mapping[str, Any]:
    seen = trace.influence
    gradient = None if seen.gradient is None else _table(seen.sources, seen.targets, seen.gradient)
    return {
        "value": _table(seen.sources, seen.targets, seen.value),
        "gradient": gradient,
        "gradient_error": seen.gradient_error,
    }


def _table(
    sources: Sequence[str], targets: Sequence[str], rows: Sequence[Sequence[float | None]]
) -> dict[str, dict[str, float | str | None]]:
    return {source: {name: _number(value) for name, value in zip(targets, row)} for source, row in zip(sources, rows)}


def _number(value: float | None) -> float | str | None:
    """JSON has no infinity and no NaN: they are written as words."""
    return value if value is None or math.isfinite(value) else str(value)
