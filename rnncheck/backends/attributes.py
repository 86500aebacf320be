"""What an object keeps on itself: its weights and the objects that hold more of them, by the user's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# PyTorch modules keep their parts here; Keras repeats its own weights and layers there.
_REGISTRIES, _REPEATED = ("_modules", "_parameters"), ("torch_params", "_layers", "_self_tracked_trackables")
# TensorFlow lists what it tracks under names of its own.
_TRACKED = "_self_unconditional"


def walk(root: Any, is_weight: Callable[[Any], bool], is_holder: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """Each weight and each holder of weights that can be reached from ``root`` through attributes, lists, tuples and
    dicts, once, with its path (``cell.kernel``, ``cells[0]``; empty for ``root``)."""
    seen: set[int] = set()

    def visit(value: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(value) in seen:
            return
        seen.add(id(value))
        if is_weight(value):
            yield path, value
        elif is_holder(value) or value is root:
            yield path, value
            for name, part in _kept(value):
                yield from visit(part, f"{path}.{name}" if path else name)
        elif isinstance(value, dict):
            for key, part in list(value.items()):
                yield from visit(part, f"{path}[{key!r}]")
        elif isinstance(value, (list, tuple)):
            for index, part in enumerate(value):
                yield from visit(part, f"{path}[{index}]")

    return visit(root, "")


def _kept(holder: Any) -> list[tuple[str, Any]]:
    """Attributes, the user's own names before private ones, in which frameworks keep lists of all that there is; a
    private one is called by the property that shows it."""
    kept = dict(vars(holder))
    for registry in _REGISTRIES:
        kept.update(kept.pop(registry, None) or {})
    named = []
    for name, value in kept.items():
        if name.startswith(_TRACKED):
            continue
        public = name.lstrip("_")
        shown = hasattr(type(holder), public) and not isinstance(value, (list, tuple, dict))
        named.append((public if public and shown else name, value))
    return sorted(named, key=lambda item: item[0].startswith("_") + 2 * (item[0] in _REPEATED))
