"""``tf.compat.v1.get_variable``, which outside a graph makes a new variable at every call, made to find the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorflow.python.ops.variable_scope import EagerVariableStore


class VariableStores:
    """For each cell the variables that its steps have made by name."""

    def __init__(self) -> None:
        self._stores: dict[int, tuple[Any, EagerVariableStore]] = {}

    def around(self, cell: Any, step: Callable[..., Any]) -> Callable[..., Any]:
        """The step with the cell's variables at hand."""
        # The cell is kept, so that no other gets its id.
        _, store = self._stores.setdefault(id(cell), (cell, EagerVariableStore()))

        def stepped(*arguments: Any, **keywords: Any) -> Any:
            made = getattr(getattr(store, "_store", None), "_vars", {})
            before = dict(made)
            try:
                with store.as_default():
                    return step(*arguments, **keywords)
            except Exception:
                # Those of a call that failed would be of the wrong shapes for the next one.
                for name in made.keys() - before.keys():
                    del made[name]
                raise

        return stepped

    def of(self, cell: Any) -> list[Any]:
        """The variables made so far."""
        return self._stores[id(cell)][1].variables() if id(cell) in self._stores else []
