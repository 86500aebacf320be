"""How a cell is called: which argument is the state, what structure it has, and what comes back."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from rnncheck import structure
from rnncheck.backends.base import Array, Backend, Tensor, numpy_dtype
from rnncheck.backends.snapshot import Snapshot
from rnncheck.capture import code_of, undecorated
from rnncheck.definitions import is_input_name, is_state_name
from rnncheck.errors import CallError
from rnncheck.structure import Structure, flatten


@dataclass(frozen=True)
class Signature:
    """The two arguments that carry the recurrence, by name and position (None: keyword only)."""

    input: str
    state: str
    input_first: bool
    by_keyword: bool
    state_optional: bool
    annotation: Any


@dataclass(frozen=True)
class Convention:
    """``reading`` is one of ``state``, ``output, state``, ``output, *state`` and ``state, output``."""

    signature: Signature
    state: Structure
    reading: str

    def describe(self, names: Sequence[str]) -> str:
        """The call in one line, such as ``(x, (h, c)) -> (output, (h', c'))``."""
        state, new = self.state.describe(names), self.state.describe([f"{name}'" for name in names])
        order = (self.signature.input, state) if self.signature.input_first else (state, self.signature.input)
        returned = {
            "state": new,
            "output, state": f"(output, {new})",
            "output, *state": f"(output, {new.strip('[()]')})",
            "state, output": f"({new}, output)",
        }[self.reading]
        return f"({', '.join(order)}) -> {returned}"


@dataclass(frozen=True)
class Callee:
    """A cell and the method of it that is one step."""

    backend: Backend
    cell: Any
    method: str
    signature: Signature

    @property
    def name(self) -> str:
        """What is called, as ``MyCell.forward()``."""
        return f"{type(self.cell).__name__}.{self.method}()"

    @property
    def code(self) -> CodeType | None:
        """The code of the method that runs at each step."""
        return code_of(getattr(type(self.cell), self.method, None))

    @property
    def function(self) -> Callable[..., Any]:
        """What a user calls: the cell itself, unless another method is meant."""
        return self.backend.step(self.cell, self.method)

    def call(self, x: Tensor, state: Any) -> Any:
        """One step; returns what the cell returned."""
        signature = self.signature
        if not signature.by_keyword:
            return self.function(x, state) if signature.input_first else self.function(state, x)
        if signature.input_first:
            return self.function(x, **{signature.state: state})
        return self.function(**{signature.input: x, signature.state: state})


@dataclass(frozen=True)
class Bound:
    """A cell with the convention that it was seen to follow, and its first state (tensors, one per slot).

    ``kept``: the cell keeps something between runs, so each run starts from this snapshot of it.
    """

    callee: Callee
    convention: Convention
    initial: list[Tensor]
    initial_source: str
    initial_declared: bool
    input_dtype: str
    kept: Snapshot | None = None

    @property
    def backend(self) -> Backend:
        return self.callee.backend

    @property
    def cell(self) -> Any:
        return self.callee.cell

    def begin(self, seed: int) -> None:
        """Before each run: randomness starts again, and so does the cell."""
        self.backend.seed(seed)
        if self.kept is not None:
            self.kept.restore()

    def inputs(self, array: Array) -> Tensor:
        return self.backend.tensor(array, self.input_dtype)

    def state(self, arrays: Sequence[Array]) -> list[Tensor]:
        """Tensors of the arrays' dtypes, but for a dtype that NumPy does not have."""
        dtypes = [self.backend.dtype(leaf) for leaf in self.initial]
        return [
            self.backend.tensor(array, None if numpy_dtype(dtype) == dtype else dtype)
            for array, dtype in zip(arrays, dtypes)
        ]

    def split(self, returned: Any) -> tuple[Any, Structure, list[Tensor]]:
        """The output (None where there is none), the new state's structure and its leaves.

        Raises CallError when they do not fit the state that went in.
        """
        parts = state_part(returned, self.convention.reading, self.convention.state.size)
        if parts is not None:
            output, state = parts
            found, leaves = flatten(structure.reorder(state, self.convention.state), self.backend.is_tensor)
            if found.size == self.convention.state.size:
                return output, structure.like(self.convention.state, found), leaves
        raise CallError(
            f"{self.callee.method}() returned {outline(returned, self.backend)} "
            f"where it took {self.convention.state.describe(['a tensor'] * self.convention.state.size)} as its state."
        )


def signature_of(cell: Any, method: str) -> Signature:
    """Which parameters are the input and the state; raises CallError when the method takes no state."""
    function = getattr(cell, method, None)
    label = f"{type(cell).__name__}.{method}()"
    if not callable(function):
        raise CallError(f"{type(cell).__name__} has no method '{method}'.", hint="Name its step with --method NAME.")
    try:
        every = list(inspect.signature(undecorated(function)).parameters.values())
    except (TypeError, ValueError):
        return Signature("input", "state", True, False, False, None)
    # A scripted class shows its method unbound.
    every = every[1:] if every and every[0].name == "self" else every
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [parameter for parameter in every if parameter.kind in kinds]
    keyword = [
        parameter for parameter in every if parameter.kind is parameter.KEYWORD_ONLY and is_state_name(parameter.name)
    ]
    if not positional or len(positional) + len(keyword) < 2:
        if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in every):
            shown = ", ".join(parameter.name for parameter in every)
            raise CallError(
                f"{type(cell).__name__}.{method}({shown}) takes no state, so it is not a recurrent cell.",
                hint="A cell's step takes an input and a state: (x, state). Name another method with --method NAME.",
            )
        return Signature("input", "state", True, False, False, None)
    state_named = [parameter for parameter in positional if is_state_name(parameter.name)]
    first, second = (positional + keyword)[:2]
    if first in state_named and (second not in state_named or is_input_name(second.name)):
        given, state = second, first
    elif state_named and state_named[0] is not first:
        given, state = first, state_named[0]
    elif keyword and second not in keyword:
        given, state = first, keyword[0]
    else:
        given, state = first, second
    _require_rest_optional(positional, given, state, label)
    adjacent = {given.name, state.name} == {parameter.name for parameter in positional[:2]}
    return Signature(
        given.name,
        state.name,
        input_first=given is first,
        by_keyword=not adjacent,
        state_optional=state.default is not inspect.Parameter.empty,
        annotation=_annotation(function, state.name),
    )


def _require_rest_optional(
    positional: list[inspect.Parameter], given: inspect.Parameter, state: inspect.Parameter, label: str
) -> None:
    rest = [parameter.name for parameter in positional if parameter.default is parameter.empty]
    unknown = [name for name in rest if name not in (given.name, state.name)]
    if unknown:
        raise CallError(
            f"{label} also needs {', '.join(unknown)}, and rnncheck cannot tell what to pass.",
            hint=f"Give {'it a default' if len(unknown) == 1 else 'them defaults'}, or check a subclass that fills "
            f"{'it' if len(unknown) == 1 else 'them'} in.",
        )


def _annotation(function: Callable[..., Any], name: str) -> Any:
    try:
        return typing.get_type_hints(inspect.unwrap(function)).get(name)
    except Exception:
        return None


def state_part(returned: Any, reading: str, size: int) -> tuple[Any, Any] | None:
    """The output and the state in what came back, read in one of the ways; None when it cannot be read so."""
    if reading == "state":
        return None, returned
    if not isinstance(returned, (tuple, list)):
        return None
    if reading == "output, *state":
        return (returned[0], list(returned[1:])) if len(returned) == size + 1 else None
    if len(returned) != 2:
        return None
    return (returned[0], returned[1]) if reading == "output, state" else (returned[1], returned[0])


def outline(value: Any, backend: Backend) -> str:
    """A value's structure with the shapes of its tensors, such as ``(tensor 3x8, None)``."""
    if value is None:
        return "None"
    skeleton, leaves = flatten(value, backend.is_tensor)
    if skeleton.kind == "constant":
        return f"{type(value).__name__}"
    text = skeleton.describe(["tensor " + "x".join(map(str, leaf.shape)) for leaf in leaves])
    return text if len(text) <= 100 else f"{text[:99]}…"
