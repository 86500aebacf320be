"""Plain modules of TensorFlow, and Sonnet's cores: cells are ``tf.Module`` with a ``__call__``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from rnncheck.backends import providers
from rnncheck.backends.attributes import walk
from rnncheck.backends.base import Backend, Tensor, Weight
from rnncheck.backends.snapshot import Snapshot
from rnncheck.backends.tensorflow import TensorFlowTensors
from rnncheck.backends.tf1_variables import VariableStores

METHODS = ("__call__", "call", "forward", "step")


class TensorFlowModules(TensorFlowTensors, Backend):
    """See :class:`rnncheck.backends.base.Backend`. ``library`` is ``sonnet`` or ``tensorflow``."""

    def __init__(self, library: str) -> None:
        self.library = library
        self._stores = VariableStores()
        if library == "sonnet":
            self.version = f"{self.version}, sonnet {sys.modules['sonnet'].__version__}"

    def owns(self, obj: Any) -> bool:
        return issubclass(obj, tf.Module) if isinstance(obj, type) else isinstance(obj, tf.Module)

    def method_of(self, cell: Any) -> str:
        return next((name for name in METHODS if callable(getattr(type(cell), name, None))), METHODS[0])

    def step(self, cell: Any, method: str) -> Callable[..., Any]:
        return self._stores.around(cell, getattr(cell, method))

    def snapshot(self, cell: Any) -> Snapshot:
        parts = [part for _, part in self._parts(cell)]
        holders = [part for part in parts if not self.is_weight(part)]
        values, around = self._around(cell)
        return Snapshot(holders, [*(self.keep(variable) for variable, _ in self._variables(cell)), *around], values)

    def weights(self, cell: Any) -> list[Weight]:
        return [
            self.weight(name, variable, variable.trainable)
            for variable, name in self._variables(cell)
            if variable.dtype.is_floating
        ]

    def _variables(self, cell: Any) -> list[tuple[Any, str]]:
        named = {id(part): (part, path) for path, part in self._parts(cell) if self.is_weight(part)}
        for variable in self._stores.of(cell):
            named.setdefault(id(variable), (variable, variable.name.partition(":")[0]))
        return list(named.values())

    def _parts(self, cell: Any) -> Iterator[tuple[str, Any]]:
        return walk(cell, self.is_weight, self.is_module)

    def holders(self, cell: Any) -> list[tuple[str, Any]]:
        return [(name, part) for name, part in self._parts(cell) if not self.is_weight(part)]

    def unused_layers(self, cell: Any) -> list[str]:
        """Sonnet makes the weights of a layer when it is first called."""
        return [
            name
            for name, part in self.holders(cell)
            if name.isidentifier()
            and not _has_variables(part)
            and any(isinstance(getattr(part, size, None), int) for size in ("output_size", "output_channels"))
        ]

    def float_dtype(self, cell: Any) -> str:
        """That of the weights, else the one that the cell was given."""
        named = (weight.tensor.dtype for weight in self.weights(cell))
        given = next(named, None) or getattr(cell, "_dtype", None) or getattr(cell, "dtype", None)
        try:
            return str(tf.as_dtype(given or tf.float32).name)
        except TypeError:
            return "float32"

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        known = {"dtype": self.float_dtype(cell)}
        yield from providers.states(cell, batch, x, known, self.is_tensor)

    def output_first(self, cell: Any) -> bool:
        """As Sonnet asks of every ``RNNCore``."""
        return any(base.__name__ == "RNNCore" for base in type(cell).__mro__)

    def channels_last(self) -> bool:
        return True


def _has_variables(part: Any) -> bool:
    """Sonnet raises where a module has none yet."""
    try:
        return bool(part.variables)
    except ValueError:
        return False
