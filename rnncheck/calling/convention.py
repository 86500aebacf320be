"""How a cell is called: what goes in, which argument is the state, what structure it has, and what comes back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np

from rnncheck import structure
from rnncheck.backends.base import Array, Backend, Tensor, numpy_dtype
from rnncheck.backends.snapshot import Snapshot
from rnncheck.calling.reading import Reading
from rnncheck.calling.signature import EACH, KEPT, LIST, NAMED, ONE, Signature
from rnncheck.errors import CallError
from rnncheck.structure import Structure, flatten
from rnncheck.usercode import source
from rnncheck.usercode.functions import code_of

LAYOUTS = {
    "rows": "{}",
    "batch first": "{}[:, None]",
    "time first": "{}[None]",
    "columns": "{}.T",
    "single": "{}[0]",
}
"""How the rows ``(batch, *row)`` of one step become the tensor that a cell takes, in Python."""


@dataclass(frozen=True)
class Form:
    """The layout of the input (one of LAYOUTS), and, where it takes whole numbers, how many there are."""

    layout: str = "rows"
    tokens: int | None = None

    @property
    def over_time(self) -> bool:
        """Whether the input is a sequence, here of one step."""
        return self.layout in ("batch first", "time first")

    def batch(self, asked: int) -> int:
        return 1 if self.layout == "single" else asked

    def lay(self, rows: Any) -> Any:
        """An array or a tensor ``(batch, *row)`` as the cell takes it."""
        if self.layout == "batch first":
            return rows[:, None]
        if self.layout == "time first":
            return rows[None]
        if self.layout == "columns":
            return rows.T
        return rows[0] if self.layout == "single" else rows

    def draw(self, rng: np.random.Generator, shape: Sequence[int], dtype: str) -> Array:
        """Random inputs of ordinary size."""
        if self.tokens is not None:
            return rng.integers(0, self.tokens, tuple(shape))
        return rng.standard_normal(tuple(shape)).astype(numpy_dtype(dtype))

    def describe(self, name: str) -> str:
        return LAYOUTS[self.layout].format(name)


@dataclass(frozen=True)
class Convention:
    """The whole of it, as it is shown to the user."""

    signature: Signature
    state: Structure
    reading: Reading
    form: Form = Form()
    further: Mapping[str, str] = field(default_factory=dict)
    method: str | None = None

    def describe(self, names: Sequence[str]) -> str:
        """The call in one line, such as ``(x, (h, c)) -> (output, (h', c'))``."""
        signature = self.signature
        order = [self.reading.names.index(name) for name in self.reading.order] or range(len(names))
        state, new = self.state.describe(names), self.state.describe([f"{names[slot]}'" for slot in order])
        x = self.form.describe(signature.input)
        if signature.parts:
            parts = (f"{name}={self.further[name]}" if name in self.further else name for name in signature.parts)
            x = f"({', '.join(parts)})"
        if signature.within:
            spread = [state] if signature.passing == ONE else names
            inside = _nested(signature.within, {signature.input: x, **dict(zip(signature.states, spread))})
            return f"{self.method or ''}({inside}) -> {self.reading.describe(new)}"
        passed = {ONE: state, EACH: state[1:-1].rstrip(","), LIST: f"*{state}", NAMED: f"**{state}", KEPT: ""}
        arguments = [x, passed[signature.passing]] if signature.input_first else [passed[signature.passing], x]
        arguments += [f"{name}={value}" for name, value in self.further.items() if name not in signature.parts]
        call = f"{self.method or ''}({', '.join(part for part in arguments if part)})"
        if not names:
            return f"{call} -> output"
        if signature.passing == KEPT:
            held = ", ".join(f"self.{name}" for name in names)
            return f"{call} with {held} -> output, {held}"
        return f"{call} -> {self.reading.describe(new)}"


def _nested(names: Sequence[Any], known: Mapping[str, str]) -> str:
    return f"({', '.join(_nested(part, known) if isinstance(part, tuple) else known[part] for part in names)})"


@dataclass(frozen=True)
class Callee:
    """A cell and the method of it that is one step, with its further arguments, also as they are ``shown``."""

    backend: Backend
    cell: Any
    method: str
    signature: Signature
    form: Form = Form()
    further: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)

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
        """One step; returns what the cell returned. A state that is kept on the cell is put there before, and comes
        back beside the output."""
        if self.signature.passing != KEPT:
            whole, further = self.signature.whole(x, self.further)
            arguments, named = self.signature.bind(whole, state, further)
            return self.function(*arguments, **named)
        self.backend.put(self.cell, state)
        output = self.without_state(x)
        after = self.backend.kept(self.cell)
        return output, {path: after.get(path) for path in state}

    def without_state(self, x: Tensor) -> Any:
        """One step with the state left out, or None where it is required.

        Raises CallError where it must not be None.
        """
        signature = dataclasses.replace(self.signature, passing=KEPT)
        required = self.signature.passing in (ONE, EACH) and not self.signature.optional
        missing = dict.fromkeys(self.signature.states) if required else {}
        for name in missing:
            if not self.backend.takes_none(self.cell, self.method, name):
                raise CallError(f"{self.name} takes no None as {name}.")
        whole, further = signature.whole(x, self.further)
        arguments, named = signature.bind(whole, None, {**missing, **further})
        return self.function(*arguments, **named)


@dataclass(frozen=True)
class Bound:
    """A cell with the convention that it was seen to follow, and its first state (tensors, one per slot).

    ``names`` are those that the user gave to the parts of the state. ``kept``: the cell keeps something between runs,
    so each run starts from this snapshot of it.
    """

    callee: Callee
    convention: Convention
    initial: list[Tensor]
    initial_source: str
    initial_declared: bool
    input_dtype: str
    batch: int
    names: tuple[str | None, ...] = ()
    kept: Snapshot | None = None

    @property
    def backend(self) -> Backend:
        return self.callee.backend

    @property
    def cell(self) -> Any:
        return self.callee.cell

    @property
    def form(self) -> Form:
        return self.callee.form

    @property
    def held(self) -> tuple[str, ...]:
        """The attributes of the cell that are its state."""
        return self.convention.state.keys if self.convention.signature.passing == KEPT else ()

    @functools.cached_property
    def followed(self) -> tuple[str, ...]:
        """The attributes that are followed like local variables: the state, or those that the method assigns."""
        code = self.callee.code
        return self.held or (source.assigned_attributes(code.co_filename, code.co_firstlineno) if code else ())

    def begin(self, seed: int) -> None:
        """Before each run: randomness starts again, and so does the cell."""
        self.backend.seed(seed)
        if self.kept is not None:
            self.kept.restore()

    def inputs(self, array: Array) -> Tensor:
        """The tensor that the cell takes for rows ``(batch, *row)``."""
        return self.backend.tensor(self.form.lay(array), self.input_dtype)

    def state(self, arrays: Sequence[Array]) -> list[Tensor]:
        """Tensors of the arrays' dtypes, but for a dtype that NumPy does not have."""
        dtypes = [self.backend.dtype(leaf) for leaf in self.initial]
        return [
            self.backend.like(leaf, array, None if numpy_dtype(dtype) == dtype else dtype)
            for leaf, array, dtype in zip(self.initial, arrays, dtypes)
        ]

    def rows_axis(self, slot: int) -> int | None:
        """The axis of a slot along which its rows lie; None where it has none."""
        return rows_axis(self.initial[slot].shape, self.batch, self.form)

    def rows_first(self, slot: int, array: Array) -> Array:
        """A slot's value as ``(batch, *slot shape)``."""
        axis = self.rows_axis(slot)
        if axis == 0:
            return array
        return array[None] if axis is None else np.moveaxis(array, axis, 0)

    def split(self, returned: Any) -> tuple[Any, Structure, list[Tensor]]:
        """The output (None where there is none), the new state's structure and its leaves.

        Raises CallError when they do not fit the state that went in.
        """
        parts = split(returned, self.convention.reading, self.convention.state, self.backend, self.form)
        if parts is not None and parts[1].size == self.convention.state.size:
            output, found, leaves = parts
            return output, structure.like(self.convention.state, found), leaves
        raise CallError(
            f"{self.callee.method}() returned {outline(returned, self.backend)} "
            f"where it took {self.convention.state.describe(['a tensor'] * self.convention.state.size)} as its state."
        )


def rows_axis(shape: Sequence[int], batch: int, form: Form) -> int | None:
    """The first axis of the batch's size."""
    sizes = [int(size) for size in shape]
    return None if form.layout == "single" or batch not in sizes else sizes.index(batch)


def split(
    returned: Any, reading: Reading, state: Structure, backend: Backend, form: Form
) -> tuple[Any, Structure, list[Tensor]] | None:
    """The output, the new state's structure and its leaves; None when the value cannot be read so."""
    parts = reading.split(returned)
    if parts is None:
        return None
    found, leaves = flatten(structure.reorder(parts[1], state), backend.is_tensor)
    if reading.over_time:
        leaves = [leaf[-1] if form.layout == "time first" else leaf[:, -1] for leaf in leaves]
    return parts[0], found, leaves


def outline(value: Any, backend: Backend) -> str:
    """A value's structure with the shapes of its tensors, such as ``(tensor 3x8, None)``."""
    if value is None:
        return "None"
    skeleton, leaves = flatten(value, backend.is_tensor)
    if skeleton.kind == "constant":
        return f"{type(value).__name__}"
    text = skeleton.describe(["tensor " + "x".join(map(str, leaf.shape)) for leaf in leaves])
    return text if len(text) <= 100 else f"{text[:99]}…"
