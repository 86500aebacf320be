"""Methods and attributes by which cells hand out their first state, or put it on themselves."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rnncheck.usercode.definitions import FRAMEWORKS, NOT_STATES, STATE_WORDS, is_reset_name, words

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
    "initial",
    "reset_mem",
)
"""Asked first, in this order; then whatever is called alike."""
MAKING = frozenset("init initial initialize zero zeros empty begin start default new make create get allocate".split())
BATCH_WORDS = ("batch_size", "batch", "bsz", "bs", "n", "b", "num_batch", "nbatch", "batch_dim", "num_envs", "size")
SIZE_WORDS = ("image_size", "spatial_size", "size", "shape", "spatial", "image_shape", "spatial_dim", "hw")
INPUT_WORDS = ("inputs", "input", "x", "inp", "like")


def states(
    cell: Any, batch: int, x: Any, known: Mapping[str, Any], is_tensor: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """What each provider of the cell answers for ``batch`` rows, as ``(name of the provider, state)``.

    Parameters are filled by their names, then by trying a batch size, nothing, or the input. A tensor
    without a batch axis (a learned first state) is repeated for each row.
    """
    yield from _made(cell, (*NAMES, *others(cell)), batch, x, known, is_tensor)


def others(cell: Any) -> list[str]:
    """The user's own providers of other names."""
    return [name for name in _named(cell, _makes_state) if name not in NAMES]


def of_the_user(
    cell: Any, batch: int, x: Any, known: Mapping[str, Any], is_tensor: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    """As ``states``, of these alone."""
    yield from _made(cell, others(cell), batch, x, known, is_tensor)


def _made(
    cell: Any, names: Iterable[str], batch: int, x: Any, known: Mapping[str, Any], is_tensor: Callable[[Any], bool]
) -> Iterator[tuple[str, Any]]:
    for name in names:
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


def restart(cell: Any, batch: int, x: Any, known: Mapping[str, Any]) -> None:
    """Let the cell put its first state for ``batch`` rows on itself, where it has a method for that."""
    for name in _named(cell, is_reset_name):
        next(_answers(getattr(cell, name), batch, x, known), None)


def _named(cell: Any, wanted: Callable[[str], bool]) -> list[str]:
    """The methods of the user's own classes with such names."""
    found: list[str] = []
    for base in type(cell).__mro__:
        if base is object or base.__module__.partition(".")[0] in FRAMEWORKS:
            continue
        for name, value in vars(base).items():
            routine = inspect.isroutine(value) and not isinstance(value, (staticmethod, classmethod))
            if routine and not name.startswith("__") and name not in found and wanted(name):
                found.append(name)
    return found


def _makes_state(name: str) -> bool:
    parts = words(name)
    return bool(parts & MAKING) and bool((parts - {"cell"}) & STATE_WORDS) and not parts & (NOT_STATES - {"cell"})


def _answers(provider: Callable[..., Any], batch: int, x: Any, known: Mapping[str, Any]) -> Iterator[Any]:
    for arguments, keywords in _attempts(provider, batch, x, known):
        with contextlib.suppress(Exception):
            yield provider(*arguments, **keywords)


def _attempts(
    provider: Callable[..., Any], batch: int, x: Any, known: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    spatial = tuple(int(size) for size in x.shape[2:])
    with contextlib.suppress(TypeError, ValueError):
        named: dict[str, Any] = {}
        parameters = inspect.signature(provider).parameters.values()
        by_place = [parameter.kind for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
        if by_place[:1] == [inspect.Parameter.VAR_POSITIONAL]:
            # (*batch_shape)
            yield (batch,), {}
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            word = parameter.name.lower()
            taken = any(value is batch for value in named.values())
            if word in BATCH_WORDS and not (taken and word in SIZE_WORDS):
                named[parameter.name] = batch
            elif word in known:
                named[parameter.name] = known[word]
            elif word in SIZE_WORDS:
                named[parameter.name] = spatial
            elif word in ("h", "height", "w", "width") and len(spatial) == 2:
                named[parameter.name] = spatial[word in ("w", "width")]
            elif word in INPUT_WORDS and parameter.default is parameter.empty:
                named[parameter.name] = x
            elif parameter.default is parameter.empty:
                break
        else:
            yield (), named
    yield (batch,), {}
    yield (), {}
    yield (x,), {}
    if spatial:
        yield (batch, spatial), {}
        yield (batch, *spatial), {}
