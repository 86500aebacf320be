"""Choosing a backend. Nothing of a framework is imported before one is chosen."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from rnncheck.errors import BackendError

if TYPE_CHECKING:
    from rnncheck.backends.base import Backend

ALIASES = {"tf": "tf", "tensorflow": "tf", "keras": "tf", "torch": "torch", "pytorch": "torch"}
FRAMEWORK = {"tf": "tensorflow", "torch": "torch"}


def get(name: str) -> Backend:
    """The backend of this name (``tf`` or ``torch``); raises BackendError when its framework is missing."""
    framework = FRAMEWORK[name]
    if framework not in sys.modules and importlib.util.find_spec(framework) is None:
        raise BackendError(f"{framework} is not installed.", hint=f'Install it with: pip install "rnncheck[{name}]"')
    if name == "tf":
        from rnncheck.backends.tensorflow import TensorFlowBackend

        return TensorFlowBackend()
    from rnncheck.backends.pytorch import TorchBackend

    return TorchBackend()


def of(obj: Any) -> str | None:
    """The backend whose class or instance this is, judged by the names of its bases alone."""
    cls = obj if isinstance(obj, type) else type(obj)
    for base in cls.__mro__:
        root = base.__module__.partition(".")[0]
        if root == "torch" and base.__name__ in ("Module", "ScriptModule"):
            return "torch"
        if root in ("keras", "tensorflow", "tf_keras"):
            return "tf"
    return None


def choose(asked: str, obj: Any) -> Backend:
    """The backend asked for, or with ``auto`` the target's own; raises BackendError when they differ."""
    own = of(obj) or _of_factory(obj)
    if asked == "auto":
        if own is None:
            raise BackendError(
                f"{_label(obj)} derives from no class of TensorFlow or PyTorch.",
                hint="A cell is a keras.layers.Layer or a torch.nn.Module. Say which: --backend tf or --backend torch.",
            )
        return get(own)
    wanted = ALIASES[asked]
    if own is not None and own != wanted:
        raise BackendError(
            f"{_label(obj)} is a {'PyTorch' if own == 'torch' else 'Keras'} class, not one of {FRAMEWORK[wanted]}.",
            hint=f"Check it with --backend {own}.",
        )
    return get(wanted)


def _of_factory(obj: Any) -> str | None:
    """A factory's backend: the one framework that loading it brought in, else that of what it returns."""
    if isinstance(obj, type) or not callable(obj):
        return None
    loaded = [name for name, framework in FRAMEWORK.items() if framework in sys.modules]
    if len(loaded) == 1:
        return loaded[0]
    try:
        return of(obj())
    except Exception:
        return None


def _label(obj: Any) -> str:
    return getattr(obj, "__name__", None) or type(obj).__name__
