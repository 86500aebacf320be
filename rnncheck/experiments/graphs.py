"""Whether the cell gives the same numbers in every form in which its framework runs it: step by step, traced into a
graph, driven by the framework's own layer."""

from __future__ import annotations

import re
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnncheck.backends.base import Array
from rnncheck.calling.signature import ONE
from rnncheck.errors import BackendError
from rnncheck.experiments.probes import Lab
from rnncheck.running.unroll import Run
from rnncheck.structure import flatten
from rnncheck.trace import Mismatch
from rnncheck.usercode import source, usertrace
from rnncheck.usercode.functions import code_of

RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""A graph may add numbers in another order."""
COARSE = 50
"""How much more room half precision needs."""


def forms(lab: Lab) -> tuple[str, ...]:
    """The other forms of the cell, where the framework runs it as it was called here."""
    bound = lab.bound
    first = bound.callee.method == bound.backend.method_of(bound.cell) and not bound.callee.further
    if not first or bound.form.layout != "rows" or bound.convention.signature.passing != ONE:
        return ()
    # A driver takes a flat list of states alone, and makes real numbers of them.
    real = all(bound.backend.dtype(leaf).startswith(("float", "bfloat")) for leaf in bound.initial)
    state = bound.convention.state
    flat = real and state.kind == "sequence" and all(part.is_leaf for part in state.children)
    drivers = bound.backend.drivers(bound.cell) if flat else ()
    return (*drivers, *bound.backend.compilers(bound.cell))


def mismatch(lab: Lab, main: Run, ways: Sequence[str], own_start: bool, path: str | None) -> Mismatch | None:
    """The first form that refuses the cell or gives other numbers. Where it draws random numbers, none can be told.

    With ``own_start`` a driver makes the first state itself, as the cell declares it. What one driver runs, a special
    mode of it may refuse.
    """
    if not ways:
        return None
    kept, compilers = lab.bound.backend.snapshot(lab.bound.cell), lab.bound.backend.compilers(lab.bound.cell)
    driven = False
    for way in ways:
        lab.bound.begin(lab.seed)
        try:
            outputs, last = _steps(lab, way) if way in compilers else _driven(lab, way, own_start)
        except BackendError:
            continue  # It has no such form.
        except Exception as error:
            if driven and way not in compilers:
                continue
            line = usertrace.line_in(error, path) or _complained(lab, error) if path else None
            # What the step itself makes of its first state is its own.
            start = own_start and way not in compilers and not _stepped(lab, error) and _takes(lab, way)
            return Mismatch(way, usertrace.summary(error), source.span(path, line), None, start, own_start)
        finally:
            kept.restore()
        driven = driven or way not in compilers
        pairs = [*zip(main.steps[-1].returned, last)]
        pairs += [pair for step, arrays in zip(main.steps, outputs) for pair in zip(step.outputs, arrays)]
        coarse = lab.bound.backend.float_dtype(lab.bound.cell) in ("float16", "bfloat16")
        gap = max((_gap(one, other, COARSE if coarse else 1) for one, other in pairs), default=0.0)
        if gap > 1:
            return Mismatch(way, None, None, gap * ABSOLUTE)
    return None


def _stepped(lab: Lab, error: Exception) -> bool:
    """Whether it was raised within a step, not before the first."""
    code = lab.bound.callee.code
    if code is None:
        return False
    seen = {(frame.filename, frame.name) for frame in traceback.extract_tb(error.__traceback__)}
    return (code.co_filename, code.co_name) in seen


def _takes(lab: Lab, driver: str) -> bool:
    """Whether a driver takes the cell with a first state that is handed to it."""
    try:
        _driven(lab, driver, own_start=False)
    except Exception:
        return False
    return True


def _complained(lab: Lab, error: Exception) -> int | None:
    """Where the method of the cell begins of which the framework complains, as ``Cell.get_initial_state()``."""
    cls = type(lab.bound.cell)
    for name in re.findall(rf"{re.escape(cls.__name__)}\.(\w+)\(\)", str(error)):
        code = code_of(getattr(cls, name, None))
        if code is not None and name != lab.bound.callee.method:
            return code.co_firstlineno
    return None


def _driven(lab: Lab, driver: str, own_start: bool) -> tuple[list[list[Array]], list[Array]]:
    """The outputs of all steps and the last state."""
    bound = lab.bound
    state = None if own_start else lab.initial.structure.build(bound.state(lab.initial.arrays))
    outputs, last = bound.backend.driven(bound.cell, driver, [bound.inputs(rows) for rows in lab.inputs], state)
    return [_arrays(lab, output) for output in outputs], _arrays(lab, last)


def _steps(lab: Lab, way: str) -> tuple[list[list[Array]], list[Array]]:
    bound = lab.bound
    outputs = []
    found, leaves = lab.initial.structure, bound.state(lab.initial.arrays)
    with bound.backend.compilers(bound.cell)[way]() as step, bound.backend.without_gradient():
        for rows in lab.inputs:
            given, named = bound.convention.signature.bind(bound.inputs(rows), found.build(leaves), {})
            output, found, leaves = bound.split(step(*given, **named))
            outputs.append(_arrays(lab, output))
    return outputs, [lab.bound.backend.numpy(leaf) for leaf in leaves]


def _arrays(lab: Lab, value: Any) -> list[Array]:
    return [lab.bound.backend.numpy(leaf) for leaf in flatten(value, lab.bound.backend.is_tensor)[1]]


def _gap(left: Array, right: Array, scale: float) -> float:
    """The largest difference, in units of what the order of additions may make of it."""
    if left.shape != right.shape or left.dtype.kind not in "fc":
        return 0.0
    room = scale * (ABSOLUTE + RELATIVE * np.abs(left))
    return float(np.nanmax(np.abs(left - right) / room, initial=0.0))
