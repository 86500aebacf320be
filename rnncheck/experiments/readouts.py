"""Which of the values that a step computed are read out of another one, as ``out`` is in ``out = self.head(new)``.

A value is followed back from statement to statement for as long as each takes but one value that depends on the
slot. Where a matrix of the cell's own stands between another new value and the end of that way, the end is a readout
of it, and the other is the state. An activation or a normalisation has no such matrix: with it a step may well end.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rnncheck.calling.convention import Bound
from rnncheck.calling.signature import KEPT
from rnncheck.running.capture import METHOD, Binding, Key, Recording, holds
from rnncheck.running.unroll import Step
from rnncheck.usercode import source


@dataclass(frozen=True)
class _Stage:
    """A value that depends on the slot, and whether its statement names a matrix of the cell."""

    key: Key
    by_matrix: bool


def readouts(bound: Bound, step: Step, follows: Collection[Key], new: Collection[Key]) -> set[Key]:
    """Those of the ``new`` values of a recorded step that are read out of another one. ``follows`` are the bindings
    whose value changes with the slot's."""
    code, record = bound.callee.code, step.recording
    if code is None or record is None or len(new) < 2:
        return set()
    search = _Search(bound, step, record, record.keyed(), frozenset(follows), _matrices(bound), code.co_filename)
    return {key for key in new if _is_readout(search.way(key), new)}


def _is_readout(way: Sequence[_Stage], new: Collection[Key]) -> bool:
    first = next((at for at, stage in enumerate(way) if stage.key in new), len(way))
    return any(stage.by_matrix for stage in way[first + 1 :])


@dataclass(frozen=True)
class _Search:
    """A recorded step; ``matrices`` are the attributes of the cell that are, or hold, a weight with two axes."""

    bound: Bound
    step: Step
    record: Recording
    bindings: Mapping[Key, Binding]
    follows: frozenset[Key]
    matrices: frozenset[str]
    path: str

    def way(self, key: Key) -> list[_Stage]:
        """The stages on the only way to a value, the earliest first, itself last."""
        way: list[_Stage] = []
        order = list(self.bindings)
        at: int | None = order.index(key)
        while at is not None:
            taken, attributes = _taken(self.path, self.bindings[order[at]])
            by_matrix = not self.matrices.isdisjoint(self._used(attributes, set()))
            way.insert(0, _Stage(order[at], by_matrix))
            at = self._only_source(order[:at], self.bindings[order[at]].frame, taken, attributes)
        return way

    def _only_source(self, before: Sequence[Key], frame: int, taken: set[str], attributes: set[str]) -> int | None:
        """Where the one value was bound that a statement takes of those that depend on the slot."""
        sources = set()
        slots = self._slots(frame)
        if any(f"self.{name}" in slots for name in attributes):
            return None
        for name in taken:
            bound = [at for at, key in enumerate(before) if self._is_named(key, frame, name)]
            if bound and before[bound[-1]] in self.follows:
                sources.add(bound[-1])
            elif not bound and name in slots:
                return None
        return sources.pop() if len(sources) == 1 else None

    def _is_named(self, key: Key, frame: int, name: str) -> bool:
        binding = self.bindings[key]
        return binding.frame == frame and _variable(binding.name) == name

    def _slots(self, frame: int) -> set[str]:
        """The names by which a frame knows the old state, or a part of it."""
        signature, structure = self.bound.convention.signature, self.bound.convention.state
        ended = self.record.returns.get(frame)
        names = {
            name
            for name, value in (ended.variables.items() if ended is not None else ())
            if any(holds(value, old) for old in self.step.passed)
        }
        if frame == METHOD:
            names |= {signature.state, *signature.states}
            if signature.passing == KEPT:
                names |= {f"self.{name}" for name in structure.names() if name}
        return names

    def _used(self, attributes: set[str], seen: set[str]) -> set[str]:
        """These attributes, and for each that is a method of the cell those that it uses."""
        for attribute in attributes - seen:
            seen.add(attribute)
            self._used(source.attributes_of_method(type(self.bound.cell), attribute), seen)
        return seen


def _variable(name: str) -> str:
    return name.partition("[")[0].partition(".")[0]


def _taken(path: str, binding: Binding) -> tuple[set[str], set[str]]:
    """The local variables that a statement takes, and the attributes of any of them."""
    node = source.statement(path, binding.line)
    value = getattr(node, "value", None)
    if isinstance(node, ast.Return) and binding.name:
        # One part of what is returned, by its code.
        value = ast.parse(binding.name, mode="eval").body
    if not isinstance(value, ast.expr):
        return set(), set()
    parts = source.inside(value)
    taken = {part.id for part in parts if isinstance(part, ast.Name)}
    if isinstance(node, ast.AugAssign):
        taken.add(_variable(binding.name))
    return taken, {part.attr for part in parts if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)}


def _matrices(bound: Bound) -> frozenset[str]:
    weights = bound.backend.weights(bound.cell)
    return frozenset(_variable(weight.name) for weight in weights if len(weight.shape) >= 2)
