"""How wide a built cell's input and state are: from what it was given, its attributes and its weights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rnncheck.backends.base import Backend
from rnncheck.building import roles
from rnncheck.building.build import Built
from rnncheck.building.roles import Image
from rnncheck.usercode.definitions import BEFORE, is_graph_name, is_surely_state_name, words

LIMIT = 12
"""How many shapes are worth trying."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Kernel:
    """A convolution's weight: so many spatial axes, channels that go in and that come out."""

    axes: int
    inputs: int
    outputs: int


NODES = 4
"""How many nodes a graph has."""


def input_shapes(built: Built, backend: Backend, cell: Any, arguments: Iterable[str] = ()) -> list[Shape]:
    """Row shapes of the input to try, likeliest first; an image has its channels where the framework has them, and
    where the ``arguments`` of a step tell of a graph, a row may have nodes."""
    shape = _built_shape(cell)
    if shape is not None:
        return [shape]
    known = built.width("input") or _attribute(cell, "input")
    weights = weight_shapes(backend, cell)
    kernels = _kernels(weights, channels_last=backend.channels_last())
    arguments = list(arguments)
    widths = dict.fromkeys([*_called_like(cell, arguments), *_input_widths(weights, backend)])
    vectors: list[Shape] = [(width,) for width in ([known] if known is not None else widths)]
    image = _image_of(kernels, built.image)
    if image is None:
        nodes = [(NODES, *vector) for vector in vectors[:2]] if any(map(is_graph_name, arguments)) else []
        return [*vectors[:2], *nodes, *vectors[2:]][:LIMIT]
    channels = [known] if known is not None else _channels(kernels, built) or [3]
    told = roles.given_extents(built.kwargs, image)
    extents = dict.fromkeys(
        [told or image.extents, image.extents, *_extents(weights, image, backend), (8,) * image.dimensions]
    )
    images = [_image(number, size, backend) for size in extents for number in channels]
    # A name with "conv" in it, without a convolution among the weights, may be a graph's.
    likely = image.sure or bool(kernels) or not weights
    return (images[:LIMIT] + vectors[:2]) if likely else (vectors[:LIMIT] + images[:2])


def asked_for(complaint: str, shape: Shape) -> Shape | None:
    """The row shape of the input that the text of an error asks for, in place of the one that was tried."""
    if len(shape) != 1:
        return None
    for text in (
        r"cannot be multiplied \(\d+x(\d+) and (\d+)x\d+\)",
        r"In\[0\]: \[(?:\d+,)*(\d+)\], In\[1\]: \[(\d+),",
        r"to have (?:value|shape) \D*(\d+)",
        r"(?<!unpack \()expected(?: input_size)? (\d+)",
    ):
        match = re.search(text, complaint)
        if match is not None:
            wanted = int(match.groups()[-1])
            tried = int(match[1]) if len(match.groups()) > 1 else shape[0]
            return (wanted,) if tried == shape[0] != wanted and 0 < wanted <= 4096 else None
    # What is taken apart into equal parts.
    for text in (r"\(size = (\d+)\) and num_split (\d+)", r"can't divide axis of length (\d+) in chunks of (\d+)"):
        match = re.search(text, complaint)
        if match is not None:
            size, parts = int(match[1]), int(match[2])
            return (-(-size // parts) * parts,) if size == shape[0] and size % parts > 0 else None
    return None


def state_shapes(built: Built, backend: Backend, cell: Any, shape: Shape) -> list[Shape]:
    """Row shapes of the state to try for an input of this row shape, likeliest first."""
    widths = hidden_widths(built, backend, cell, shape)
    if len(shape) == 1:
        return [(width,) for width in widths]
    extents = shape[:-1] if backend.channels_last() else shape[1:]
    return [_image(width, extents, backend) for width in widths]


def hidden_widths(built: Built, backend: Backend, cell: Any, shape: Shape) -> list[int]:
    """Widths of the state to try, or numbers of its channels, likeliest first."""
    weights = weight_shapes(backend, cell)
    found = [built.width("hidden"), _attribute(cell, "hidden"), _attribute(cell, "both")]
    outputs = [kernel.outputs for kernel in _kernels(weights, channels_last=backend.channels_last())]
    sizes = [*outputs, *_sizes(weights)]
    features = (shape[-1] if len(shape) == 1 or backend.channels_last() else shape[0]) if shape else None
    default = roles.HIDDEN if len(shape) <= 1 else 4
    # What is not built yet has sizes, and no weights to tell them by.
    unbuilt = [] if weights else [_attribute(part, "hidden") for _, part in backend.holders(cell)]
    every = [*found, *_parts(outputs), *unbuilt, default, *sizes, features, *_parts(sizes)]
    return list(dict.fromkeys(width for width in every if width is not None))[:LIMIT]


def _image(channels: int, extents: Shape, backend: Backend) -> Shape:
    return (*extents, channels) if backend.channels_last() else (channels, *extents)


def _built_shape(cell: Any) -> Shape | None:
    """The row shape that a Keras layer was built with."""
    try:
        shape = (cell.get_build_config() or {}).get("input_shape")
    except Exception:
        return None
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return tuple(shape[1:]) or None


def _attribute(cell: Any, role: str) -> int | None:
    """A size that the cell keeps under a name of this role."""
    values = vars(cell) if hasattr(cell, "__dict__") else {}
    names = {"input": roles.INPUT_NAMES, "hidden": roles.HIDDEN_NAMES, "both": roles.BOTH_NAMES}[role]
    for name in (*names, *values):
        value = values.get(name, values.get(f"_{name}"))
        if type(value) is int and value > 0 and (name in names or roles.role_of(name) == role):
            return value
    return None


def weight_shapes(backend: Backend, cell: Any) -> list[Shape]:
    """The shapes of the weights that there are so far."""
    try:
        return [weight.shape for weight in backend.weights(cell)]
    except Exception:
        return []


def _called_like(cell: Any, arguments: Iterable[str]) -> list[int]:
    """The sizes that the cell keeps under a name like that of the first argument which is no state: of an ``action``
    ``action_size``."""
    source = next((name for name in arguments if not is_surely_state_name(name)), "")
    called = _singular(words(source) - BEFORE)
    kept = vars(cell).items() if hasattr(cell, "__dict__") else ()
    return [
        value for name, value in kept if type(value) is int and 0 < value < 4096 and _singular(words(name)) & called
    ]


def _singular(names: Iterable[str]) -> set[str]:
    return {name.rstrip("s") for name in names}


def _sizes(weights: Iterable[Shape]) -> list[int]:
    return list(dict.fromkeys(size for shape in weights for size in reversed(shape) if size > 1))


def _input_widths(weights: Sequence[Shape], backend: Backend) -> list[int]:
    """Widths that a weight takes in, alone or with the state beside it; those first with which most weights are
    accounted for."""
    sizes = _sizes(weights)
    hiddens = list(dict.fromkeys([*sizes, *_parts(sizes)]))
    beside = [size - hidden for size in sizes for hidden in hiddens if size > hidden]
    # As a layer of the framework has them: what it takes in first.
    matrices = [shape if backend.channels_last() else shape[::-1] for shape in weights if len(shape) == 2]
    counts = {
        width: max((_accounted_for(matrices, width, hidden) for hidden in hiddens), default=0)
        for width in (*sizes, *beside, roles.INPUT)
    }
    # What accounts for nothing may still be, and as well any other.
    return sorted(counts, key=lambda width: (-counts[width], counts[width] == 0 and width != roles.INPUT))


def _accounted_for(matrices: Sequence[Shape], width: int, hidden: int) -> int:
    """How well matrices take an input and a state of these widths, side by side or each by itself, and give one to
    four gates: two for each that does, one for each that does the other way round; none where they do not take both."""
    taking: Counter[int] = Counter()
    for shape in matrices:
        for (taken, given), worth in ((shape, 2), (shape[::-1], 1)):
            if taken in (width, hidden, width + hidden) and given in range(hidden, 4 * hidden + 1, hidden):
                taking[taken] += worth
                break
    apart = taking[width] and taking[hidden] and (width != hidden or taking[width] > 2)
    return sum(taking.values()) if taking[width + hidden] or apart else 0


def _parts(sizes: Iterable[int]) -> list[int]:
    """Widths of which a weight may hold two, three or four side by side, as gates do."""
    return [size // gates for size in sizes for gates in (4, 3, 2) if size % gates == 0]


def _kernels(weights: Iterable[Shape], *, channels_last: bool) -> list[Kernel]:
    """The weights that are kernels of convolutions: (out, in, k, k) in PyTorch, (k, k, in, out) in Keras."""
    found = []
    for shape in weights:
        spatial = shape[:-2] if channels_last else shape[2:]
        # One that is not square, as (1, 5), has a middle along each axis.
        square = len({*spatial}) == 1 or all(size % 2 for size in spatial)
        if not 1 <= len(spatial) <= 3 or not square or max(spatial) > 11:
            continue
        inputs, outputs = shape[-2:] if channels_last else (shape[1], shape[0])
        # A parameter for each place (1, C, H, W) is none, nor is one of heads (heads, d, d).
        if inputs > 0 and outputs > 1 and (len(spatial) > 1 or spatial[0] in (1, 3, 5, 7)):
            found.append(Kernel(len(spatial), inputs, outputs))
    return found


def _image_of(kernels: Sequence[Kernel], told: Image | None) -> Image | None:
    """The image that the arguments tell of, with as many axes as the kernels have; without arguments that tell of
    one, a kernel over two axes at least does."""
    axes = max((kernel.axes for kernel in kernels), default=0)
    if told is not None:
        return told if axes in (0, told.dimensions) else Image(roles.EXTENTS[axes], told.sure)
    return Image(roles.EXTENTS[axes]) if axes > 1 else None


def _channels(kernels: Sequence[Kernel], built: Built) -> list[int]:
    """Channels of the input: what a kernel takes in, alone or with the state's channels beside them."""
    inputs = list(dict.fromkeys(kernel.inputs for kernel in kernels))
    outputs = [kernel.outputs for kernel in kernels]
    known = built.width("hidden")
    hiddens = [*([known] if known else []), *_parts(outputs), *outputs]
    beside = [size - hidden for size in inputs for hidden in hiddens if size > hidden]
    alone = [size for size in inputs if size not in hiddens]
    return list(dict.fromkeys([*(beside if len(inputs) == 1 else alone), *beside, *alone, *inputs]))


def _extents(weights: Iterable[Shape], image: Image, backend: Backend) -> list[Shape]:
    """The extents of weights that have a value for each place: a peephole's, a layer normalisation's."""
    axes = image.dimensions
    found = []
    for shape in weights:
        if len(shape) in (axes + 1, axes + 2):
            spatial = shape[-axes - 1 : -1] if backend.channels_last() else shape[-axes:]
            if len(shape) == axes + 1 or shape[0] == 1:
                found.append(tuple(spatial))
    return [size for size in found if min(size) > 1]
