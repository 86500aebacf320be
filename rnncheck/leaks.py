"""Memory outside the state: does a fresh sequence remember what an earlier one was?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rnncheck import source
from rnncheck.backends.base import Backend
from rnncheck.backends.snapshot import Snapshot
from rnncheck.backends.surroundings import outside
from rnncheck.capture import recording
from rnncheck.probes import Lab
from rnncheck.structure import flatten
from rnncheck.trace import Leak, equal
from rnncheck.unroll import Run, different


def leak(lab: Lab, before: Snapshot, path: str | None) -> Leak | None:
    """What makes the run over ``lab.inputs`` depend on which other sequence ran before it.

    ``before`` is the cell before its first run, from which the run can be repeated. A counter, a lazily made mask and
    a generator of random numbers go on whatever the sequence was, and are no memory of it.
    """
    one, other = (_after_another(lab, before, number) for number in (60, 61))
    if alike(one, other):
        return None
    names = _changed(lab, before)
    span = None
    if names:
        before.restore()
        span = source.span(path, _written(lab, names))
    before.restore()
    return Leak(tuple(names), span)


def alike(left: Run, right: Run) -> bool:
    """Number for number the same."""
    return all(
        not different(one, other)
        for a, b in zip(left.steps, right.steps)
        for one, other in zip((*a.returned, *a.outputs), (*b.returned, *b.outputs))
    )


def _after_another(lab: Lab, before: Snapshot, number: int) -> Run:
    """The run over the recorded inputs, after one over others."""
    before.restore()
    lab.run(lab.other_inputs(number, len(lab.inputs)), lab.initial)
    run = lab.run(lab.inputs, lab.initial)
    before.restore()
    return run


def _places(lab: Lab) -> dict[str, Callable[[], Any]]:
    """All that the cell may write to, by the user's names: what it keeps, and what stands around its class."""
    backend, cell = lab.bound.backend, lab.bound.cell
    held = set(lab.bound.held)
    found: dict[str, Callable[[], Any]] = {}
    for name in backend.kept(cell):
        if name not in held:
            found[f"self.{name}"] = lambda name=name: backend.kept(cell).get(name)  # type: ignore[misc]
    for weight in backend.weights(cell):
        found.setdefault(f"self.{weight.name}", weight.read)
    found.update(outside(cell))
    return found


def _changed(lab: Lab, before: Snapshot) -> list[str]:
    """The places that another sequence fills with other numbers."""
    backend = lab.bound.backend
    seen: list[Mapping[str, list[Any]]] = []
    for number in (60, 61):
        before.restore()
        lab.run(lab.other_inputs(number, len(lab.inputs)), lab.initial)
        seen.append({name: _numbers(backend, look()) for name, look in _places(lab).items()})
    before.restore()
    one, other = seen
    return [name for name in one if not _same(one[name], other.get(name, []))]


def _numbers(backend: Backend, value: Any) -> list[Any]:
    skeleton, leaves = flatten(value, lambda part: backend.is_tensor(part) or hasattr(part, "__array__"))
    arrays = [backend.numpy(leaf) if backend.is_tensor(leaf) else leaf.__array__().copy() for leaf in leaves]
    return [*arrays, *_constants(skeleton)]


def _constants(skeleton: Any) -> list[Any]:
    if skeleton.kind == "constant":
        return [skeleton.constant] if isinstance(skeleton.constant, (int, float, complex, str)) else []
    return [constant for child in skeleton.children for constant in _constants(child)]


def _same(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(
        equal(one, other) if hasattr(one, "shape") and hasattr(other, "shape") else one == other
        for one, other in zip(left, right)
    )


def _written(lab: Lab, names: list[str]) -> int | None:
    """The line that first gives one of the places other numbers, while a step runs."""
    bound, backend = lab.bound, lab.bound.backend
    looks = {name: look for name, look in _places(lab).items() if name in names}
    watched = {name: lambda look=look: _print(backend, look()) for name, look in looks.items()}
    bound.begin(lab.seed)
    given = lab.initial.structure.build(bound.state(lab.initial.arrays))
    with backend.without_gradient(), recording(bound.callee.code, backend.is_tensor, watched=watched) as record:
        bound.callee.call(bound.inputs(lab.inputs[0]), given)
    return min(record.changed.values(), default=None)


def _print(backend: Backend, value: Any) -> list[Any]:
    return [part.tobytes() if hasattr(part, "tobytes") else part for part in _numbers(backend, value)]
