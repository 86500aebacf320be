"""Memory outside the state: does a fresh sequence remember what an earlier one was?"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from rnncheck.backends.base import Backend
from rnncheck.backends.snapshot import Snapshot
from rnncheck.backends.surroundings import is_value, outside
from rnncheck.experiments.probes import Lab
from rnncheck.running.capture import recording
from rnncheck.running.unroll import Run, different
from rnncheck.structure import flatten
from rnncheck.trace import Leak, equal
from rnncheck.usercode import source


def leak(lab: Lab, before: Snapshot, path: str | None) -> Leak | None:
    """What makes the run over ``lab.inputs`` depend on whether another sequence ran before it.

    ``before`` is the cell before its first run. Each sequence begins as a user would begin it: what the cell resets
    when it starts anew is reset, and all random numbers start again.
    """
    before.restore()
    first = _fresh(lab, before, 0)
    before.restore()
    _fresh(lab, before, 60)
    again = _fresh(lab, before, 0)
    # Here are also the places that the first run makes.
    places = _places(lab)
    after = _held(lab, places)
    before.restore()
    if alike(first, again):
        return None
    now = _held(lab, places)
    names = [name for name in places if not _same(now[name], after[name])]
    # What the cell keeps beside it changes too: what carries over is what heals, or what stands around the class.
    healing = [name for name in names if _heals(lab, before, name, first)]
    names = healing or [name for name in names if not name.startswith("self.")] or names
    span = source.span(path, _written(lab, {name: places[name] for name in names})) if names else None
    before.restore()
    return Leak(tuple(names), span)


def _heals(lab: Lab, before: Snapshot, name: str, first: Run) -> bool:
    """Whether putting this place alone back makes the run what it was."""
    backend, cell = lab.bound.backend, lab.bound.cell
    path = name.removeprefix("self.")
    before.restore()
    kept = backend.kept(cell)
    if not name.startswith("self.") or path not in kept:
        return False
    _fresh(lab, before, 60)
    backend.put(cell, {path: kept[path]})
    again = _fresh(lab, before, 0)
    before.restore()
    return alike(first, again)


def _fresh(lab: Lab, before: Snapshot, number: int) -> Run:
    """A run over the recorded inputs (number 0), or over others, that begins anew."""
    bound = lab.bound
    before.reseed()
    inputs = lab.other_inputs(number, len(lab.inputs)) if number else lab.inputs
    x = bound.inputs(inputs[0])
    bound.backend.restart(bound.cell, bound.batch, x)
    next(bound.backend.initial_states(bound.cell, bound.batch, x), None)
    return lab.run(inputs, lab.initial)


def alike(left: Run, right: Run) -> bool:
    """Number for number the same."""
    return all(
        not different(one, other)
        for a, b in zip(left.steps, right.steps)
        for one, other in zip((*a.returned, *a.outputs), (*b.returned, *b.outputs))
    )


def _places(lab: Lab) -> dict[str, Callable[[], Any]]:
    """All that the cell may write to, by the user's names: what it keeps, and what stands around its class."""
    backend, cell = lab.bound.backend, lab.bound.cell
    held = set(lab.bound.held)
    found: dict[str, Callable[[], Any]] = {}
    for name in backend.kept(cell):
        if name not in held:
            found[f"self.{name}"] = functools.partial(_kept, backend, cell, name)
    for path, holder in backend.holders(cell):
        for name, value in vars(holder).items():
            attribute = f"self.{path}.{name}" if path else f"self.{name}"
            if name not in backend.internal() and not isinstance(value, bool) and is_value(value):
                found.setdefault(attribute, functools.partial(vars(holder).get, name))
    for weight in backend.weights(cell):
        found.setdefault(f"self.{weight.name}", weight.read)
    found.update(outside(cell))
    return found


def _kept(backend: Backend, cell: Any, name: str) -> Any:
    return backend.kept(cell).get(name)


def _held(lab: Lab, places: Mapping[str, Callable[[], Any]]) -> Mapping[str, list[Any]]:
    return {name: _numbers(lab.bound.backend, look()) for name, look in places.items()}


def _numbers(backend: Backend, value: Any) -> list[Any]:
    value = list(value) if isinstance(value, (deque, set)) else value
    skeleton, leaves = flatten(value, lambda part: backend.is_tensor(part) or hasattr(type(part), "__array__"))
    return [*(_array(backend, leaf) for leaf in leaves), *_constants(skeleton)]


def _array(backend: Backend, leaf: Any) -> Any:
    """Its numbers; the name of its kind where it is a placeholder that has none."""
    if backend.is_tensor(leaf):
        return backend.numpy(leaf)
    try:
        return leaf.__array__().copy()
    except Exception:
        return type(leaf).__name__


def _constants(skeleton: Any) -> list[Any]:
    if skeleton.kind == "constant":
        return [skeleton.constant] if isinstance(skeleton.constant, (int, float, complex, str)) else []
    return [constant for child in skeleton.children for constant in _constants(child)]


def _same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        equal(one, other) if hasattr(one, "shape") and hasattr(other, "shape") else one == other
        for one, other in zip(left, right)
    )


def _written(lab: Lab, places: Mapping[str, Callable[[], Any]]) -> int | None:
    """The line that first gives one of the places other numbers, while a step runs."""
    bound, backend = lab.bound, lab.bound.backend
    watched = {name: lambda look=look: _print(backend, look()) for name, look in places.items()}
    bound.begin(lab.seed)
    given = lab.initial.structure.build(bound.state(lab.initial.arrays))
    with backend.without_gradient(), recording(bound.callee.code, backend.is_tensor, watched=watched) as record:
        bound.callee.call(bound.inputs(lab.inputs[0]), given)
    return min(record.changed.values(), default=None)


def _print(backend: Backend, value: Any) -> list[Any]:
    return [part.tobytes() if hasattr(part, "tobytes") else part for part in _numbers(backend, value)]
