"""Methods and attributes by which cells hand out their first state."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

NAMES = (
    "get_initial_state",
    "zero_state",
    "initial_state",
    "init_state",
    "initial_states",
    "init_hidden",
    "init_hidden_state",
    "initHidden",
    "get_init_state",
    "get_initial_states",
    "initialize_state",
    "initial_hidden",
    "reset_mem",
)
BATCH_WORDS = ("batch_size", "batch", "bsz", "bs", "n", "b", "num_batch", "nbatch", "batch_dim")
SIZE_WORDS = ("image_size", "spatial_size", "size", "shape", "spatial", "image_shape", "spatial_dim")
INPUT_WORDS = ("inputs", "input", "x", "inp", "like")


def states(
    cell: Any, batch: int, x: Any, known: Mapping[str, Any], is_tensor: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """What each provider of the cell answers for ``batch`` rows, as ``(name of the provider, state)``.

    Parameters are filled by their names, then by trying a batch size, nothing, or the input. A tensor
    without a batch axis (a learned first state) is repeated for each row.
    """
    for name in NAMES:
        try:
            provider = getattr(cell, name, None)
        except Exception:
            continue
        if provider is None:
            continue
        if not callable(provider) or is_tensor(provider):
            yield name, provider
            continue
        for state in _answers(provider, batch, x, known):
            if state is not None:
                yield f"{name}()", state
                break


def _answers(provider: Callable[..., Any], batch: int, x: Any, known: Mapping[str, Any]) -> Iterator[Any]:
    for arguments, keywords in _attempts(provider, batch, x, known):
        with contextlib.suppress(Exception):
            yield provider(*arguments, **keywords)


def _attempts(
    provider: Callable[..., Any], batch: int, x: Any, known: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    with contextlib.suppress(TypeError, ValueError):
        named: dict[str, Any] = {}
        for parameter in inspect.signature(provider).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            word = parameter.name.lower()
            if word in BATCH_WORDS:
                named[parameter.name] = batch
            elif word in known:
                named[parameter.name] = known[word]
            elif word in SIZE_WORDS:
                named[parameter.name] = tuple(x.shape[2:])
            elif word in INPUT_WORDS and parameter.default is parameter.empty:
                named[parameter.name] = x
            elif parameter.default is parameter.empty:
                break
        else:
            yield (), named
    yield (batch,), {}
    yield (), {}
    yield (x,), {}
