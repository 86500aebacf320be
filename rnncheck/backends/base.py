"""The narrow gate to a framework: everything left of the Trace goes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

Array = NDArray[Any]

Tensor = Any
"""A framework's own tensor."""


@dataclass(frozen=True)
class Weight:
    """A trainable weight and how to read and replace its value. ``tensor`` is what gradients are taken of."""

    name: str
    shape: tuple[int, ...]
    tensor: Tensor
    read: Callable[[], Array]
    assign: Callable[[Array], None]


@dataclass(frozen=True)
class Reach:
    """How a weight reaches the results: its largest absolute derivative, and whether some row or column of
    it has none but zeros."""

    largest: float
    idle_part: bool

    def __or__(self, other: Reach | None) -> Reach:
        if other is None:
            return self
        return Reach(max(self.largest, other.largest), self.idle_part and other.idle_part)


@dataclass(frozen=True)
class Gradients:
    """Largest absolute derivatives: ``sources[target][source]`` and ``weights[weight]``.

    None means that no path connects the two.
    """

    sources: list[list[float | None]]
    weights: list[Reach | None]


def reach(gradient: Array) -> Reach:
    """The reach that a weight's gradient shows."""
    size = abs(gradient)
    idle = any(
        not size.any(axis=tuple(other for other in range(size.ndim) if other != axis)).all()
        for axis in range(size.ndim)
    )
    return Reach(float(size.max()) if size.size else 0.0, idle)


class Backend(Protocol):
    """What rnncheck needs of a framework.

    ``initial_states`` yields what the cell itself says of its first state, best first, as ``(source, state)``
    for ``batch`` rows of an input like ``x``; ``x`` is a tensor.
    """

    name: str
    version: str
    method: str

    def owns(self, obj: Any) -> bool:
        """Whether this is a class or an instance of the framework's."""

    def is_tensor(self, value: Any) -> bool:
        """Whether this is a tensor that holds numbers (a symbolic one does not)."""

    def numpy(self, tensor: Tensor) -> Array:
        """A copy of the numbers; later changes of the tensor do not show in it."""

    def tensor(self, array: Array) -> Tensor:
        """A new tensor of the same shape and dtype."""

    def dtype(self, tensor: Tensor) -> str:
        """The dtype's name, such as ``float32``."""

    def seed(self, seed: int) -> None:
        """Make all random numbers start again."""

    def keep_randomness(self) -> AbstractContextManager[None]:
        """Within the block the random number generators may be used; afterwards they are as before."""

    def eagerly(self) -> AbstractContextManager[None]:
        """Within the block compiled functions run line by line, so that their locals can be read."""

    def prepare(self, cell: Any) -> Any:
        """The cell in evaluation mode."""

    def copy(self, cell: Any) -> Any:
        """An independent copy; raises what the framework raises when it cannot be copied."""

    def without_gradient(self) -> AbstractContextManager[None]:
        """Within the block calls leave no gradient record."""

    def weights(self, cell: Any) -> list[Weight]:
        """The trainable weights, by the names that the user gave them."""

    def float_dtype(self, cell: Any) -> str:
        """The dtype in which the cell computes."""

    def with_dtype(self, cell: Any, dtype: str) -> Any:
        """The cell computing in another dtype; raises UsageError when it cannot be changed."""

    def construction_dtype(self, dtype: str | None) -> AbstractContextManager[None]:
        """Within the block cells are constructed in this dtype."""

    def declares_state_size(self, cell: Any) -> bool | None:
        """Whether the cell declares its state's size; None where the framework asks for no such thing."""

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        """See the class."""

    def output_first(self, cell: Any) -> bool:
        """Whether the framework itself fixes the result as ``(output, state)``."""

    def channels_last(self) -> bool:
        """Whether the features of an image are its last axis."""

    def gradients(
        self,
        run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]],
        sources: Sequence[Array],
        weights: Sequence[Weight],
    ) -> Gradients:
        """Derivatives of a random projection of each target of ``run(tensors of the sources)``."""
