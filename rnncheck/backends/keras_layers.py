"""Cells that are Keras layers, of whichever Keras and on whichever tensors."""

from __future__ import annotations

import contextlib
import functools
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.backends import providers
from rnncheck.backends.attributes import walk
from rnncheck.backends.base import Array, Backend, Tensor, Weight, derives, numpy_dtype
from rnncheck.backends.snapshot import Snapshot
from rnncheck.structure import flatten

DRIVER, UNROLLED = "keras.layers.RNN", "keras.layers.RNN(unroll=True)"


class KerasLayers(Backend):
    """What Keras 2 and 3 have in common. ``layer`` is the class of all layers, ``driver`` that which runs a cell."""

    layer: type[Any]
    driver: Any

    def owns(self, obj: Any) -> bool:
        return issubclass(obj, self.layer) if isinstance(obj, type) else isinstance(obj, self.layer)

    def method_of(self, cell: Any) -> str:
        return "call"

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        """As ``keras.layers.RNN`` does: built by the shape of one step's input, before the first call. What is built by
        the shapes of several arguments, its first call builds."""
        if not cell.built and not getattr(type(cell).build, "_is_default", False) and _takes_one_shape(cell.build):
            batch, *row = input_shape
            cell.build((batch, 1, *row) if derives(cell, ("RNN", "Bidirectional")) else input_shape)
            cell.built = True

    def snapshot(self, cell: Any) -> Snapshot:
        layers = [part for _, part in self._parts(cell) if not self.is_weight(part)]
        trackers = [vars(layer)["_tracker"] for layer in layers if "_tracker" in vars(layer)]
        values, around = self._around(cell)
        seeds = [self.keep(tensor) for tensor, name, _ in self._variables(cell) if "seed" in name]
        numbers = [self.keep(tensor) for tensor, name, _ in self._variables(cell) if "seed" not in name]
        return Snapshot([*layers, *trackers], [*numbers, *around], values, seeds)

    def weights(self, cell: Any) -> list[Weight]:
        known = {id(self.raw(variable)) for variable in self._listed(cell, "variables")}
        return [
            self.weight(name, tensor, trainable, id(tensor) in known)
            for tensor, name, trainable in self._variables(cell)
            if self.dtype(tensor).startswith(("float", "bfloat"))
        ]

    def _variables(self, cell: Any) -> list[tuple[Tensor, str, bool]]:
        """Each variable's tensor, name and whether it is trained: those that Keras knows of and those that it does
        not track, as a ``tf.Variable`` on a layer of Keras 3."""
        kept = [(name, part) for name, part in self._parts(cell) if self.is_weight(part)]
        names = {id(self.raw(part)): name for name, part in reversed(kept)}
        trainable = self._listed(cell, "trainable_variables")
        trained = {id(self.raw(variable)) for variable in trainable if _trained(variable)}
        every = {id(self.raw(variable)): variable for variable in self._listed(cell, "variables")}
        for _, part in kept:
            if every.setdefault(id(self.raw(part)), part) is part and _trained(part):
                trained.add(id(self.raw(part)))
        return [
            (self.raw(variable), names.get(key) or getattr(variable, "path", variable.name), key in trained)
            for key, variable in every.items()
        ]

    def _listed(self, cell: Any, which: str) -> list[Any]:
        """The cell's own list of its variables, else those of the layers in it: a model of Keras 2 has none to tell of
        before it is built."""
        with contextlib.suppress(ValueError):
            return list(getattr(cell, which))
        found: list[Any] = []
        for _, part in self._parts(cell):
            if part is not cell and isinstance(part, self.layer):
                with contextlib.suppress(ValueError):
                    found += getattr(part, which)
        return found

    def _parts(self, cell: Any) -> Iterator[tuple[str, Any]]:
        return walk(cell, self.is_weight, lambda value: isinstance(value, self.layer) or self.is_module(value))

    def has_losses(self, cell: Any) -> bool:
        return bool(cell.losses)

    def statistics(self, cell: Any) -> Mapping[str, Callable[[], Array]]:
        """Keras takes the mean of a batch normalisation for a weight that is not trained."""
        return {
            name: functools.partial(self.numpy, part.moving_mean)
            for name, part in self.holders(cell)
            if name and self.is_weight(getattr(part, "moving_mean", None))
        }

    def holders(self, cell: Any) -> list[tuple[str, Any]]:
        return [(name, part) for name, part in self._parts(cell) if not self.is_weight(part)]

    def internal(self) -> frozenset[str]:
        return self._internal

    @functools.cached_property
    def _internal(self) -> frozenset[str]:
        return frozenset(vars(self.layer()))

    def unused_layers(self, cell: Any) -> list[str]:
        return [
            name
            for name, part in self._parts(cell)
            if isinstance(part, self.layer)
            and name.isidentifier()
            and not part.built
            and isinstance(getattr(part, "units", None), int)
        ]

    def declares_state_size(self, cell: Any) -> bool | None:
        try:
            return getattr(cell, "state_size", None) is not None
        except Exception:
            return False

    def declared_shapes(self, cell: Any) -> tuple[tuple[int, ...], ...]:
        zeros = self._zeros(cell.state_size, 1, "float32") if self.declares_state_size(cell) else None
        return tuple(tuple(int(size) for size in leaf.shape[1:]) for leaf in flatten(zeros, self.is_tensor)[1])

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        """As ``keras.layers.RNN`` makes them: the cell's own, else zeros of its state_size; in a list."""
        for name, state in self._states(cell, batch, x):
            yield name, _in_list(state)

    def _states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        own = getattr(cell, "get_initial_state", None)
        if callable(own):
            with contextlib.suppress(Exception):
                yield "get_initial_state()", self._own_state(own, batch, self.float_dtype(cell))
        if self.declares_state_size(cell):
            # What Keras reads as a nest of sizes may be meant as a shape.
            for size in (_with_extents(cell.state_size, x), _as_shapes(cell.state_size)):
                zeros = self._zeros(size, batch, self.float_dtype(cell))
                if zeros is not None:
                    yield "state_size", zeros
        known = {"dtype": self.float_dtype(cell)}
        yield from providers.states(cell, batch, x, known, self.is_tensor)

    @abstractmethod
    def _own_state(self, get_initial_state: Any, batch: int, dtype: str) -> Any:
        """What ``get_initial_state`` answers when it is called as ``keras.layers.RNN`` calls it."""

    def _zeros(self, size: Any, batch: int, dtype: str) -> Any:
        """Zeros for a ``state_size``: a whole number, a shape, or a nest of them; None when it is neither."""
        if isinstance(size, (int, np.integer)):
            return self._zero_tensor((batch, int(size)), dtype) if size >= 0 else None
        if isinstance(size, _Shape):
            return self._zero_tensor((batch, *size.sizes), dtype)
        if hasattr(size, "as_list"):
            sizes = size.as_list()
            return None if None in sizes else self._zero_tensor((batch, *sizes), dtype)
        if isinstance(size, dict):
            return {key: self._zeros(part, batch, dtype) for key, part in size.items()}
        if isinstance(size, (list, tuple)):
            parts = [self._zeros(part, batch, dtype) for part in size]
            return None if any(part is None for part in parts) else parts
        return None

    def _zero_tensor(self, shape: tuple[int, ...], dtype: str) -> Tensor:
        return self.tensor(np.zeros(shape, numpy_dtype(dtype)), dtype)

    def output_first(self, cell: Any) -> bool:
        return True

    def drivers(self, cell: Any) -> tuple[str, ...]:
        return (DRIVER, UNROLLED) if self.declares_state_size(cell) and self.drives(cell) else ()

    def driven(self, cell: Any, driver: str, inputs: Sequence[Tensor], state: Any | None) -> tuple[list[Any], Any]:
        layer = self.driver(cell, return_sequences=True, return_state=True, unroll=driver == UNROLLED)
        sequence = self.tensor(np.stack([self.numpy(x) for x in inputs], axis=1), self.dtype(inputs[0]))
        outputs, *last = layer(sequence) if state is None else layer(sequence, initial_state=state)
        found, leaves = flatten(outputs, self.is_tensor)
        # Several outputs of one shape come back stacked, along an axis before the rows.
        if any(tuple(leaf.shape[:2]) != tuple(sequence.shape[:2]) for leaf in leaves):
            return [None] * len(inputs), last
        return [found.build([leaf[:, at] for leaf in leaves]) for at in range(len(inputs))], last


@dataclass(frozen=True)
class _Shape:
    """The shape of a row of one slot."""

    sizes: tuple[int, ...]


def _as_shapes(size: Any) -> Any:
    """A nest of sizes with each tuple of whole numbers inside it as one shape; None where there is no such tuple."""
    if not isinstance(size, (list, tuple)) or not any(isinstance(part, (list, tuple)) for part in size):
        return None
    shapes = [_Shape(tuple(map(int, part))) if _is_shape(part) else part for part in size]
    return shapes if any(isinstance(part, _Shape) for part in shapes) else None


def _with_extents(size: Any, x: Tensor) -> Any:
    """A nest of sizes in which what a shape leaves open is as long as the input is there."""
    if isinstance(size, (list, tuple)):
        return [_with_extents(part, x) for part in size]
    sizes, extents = size.as_list() if hasattr(size, "as_list") else [], [int(length) for length in x.shape[1:]]
    if None not in sizes or len(sizes) != len(extents):
        return size
    return _Shape(tuple(length if own is None else own for own, length in zip(sizes, extents)))


def _is_shape(part: Any) -> bool:
    return (
        isinstance(part, (list, tuple))
        and len(part) > 1
        and all(isinstance(size, (int, np.integer)) and size > 0 for size in part)
    )


def _takes_one_shape(build: Any) -> bool:
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return True
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return sum(item.default is item.empty and item.kind not in kinds for item in parameters) <= 1


def _trained(variable: Any) -> bool:
    return bool(getattr(variable, "trainable", getattr(variable, "requires_grad", False)))


def _in_list(state: Any) -> Any:
    if isinstance(state, (list, tuple)) and not hasattr(state, "_fields"):
        return list(state)
    return state if isinstance(state, (dict, tuple)) else [state]
