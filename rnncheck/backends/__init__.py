"""Choosing a backend. Nothing of a framework is imported before one is chosen."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rnncheck.errors import BackendError

if TYPE_CHECKING:
    from rnncheck.backends.base import Backend

ALIASES = {"tf": "tf", "tensorflow": "tf", "keras": "tf", "torch": "torch", "pytorch": "torch"}
FRAMEWORK = {"tf": "tensorflow", "torch": "torch"}
LIBRARIES = {
    "keras": "a Keras",
    "tf_keras": "a Keras 2",
    "tensorflow.python.keras": "a Keras 2",
    "sonnet": "a Sonnet",
    "tensorflow": "a TensorFlow",
    "torch": "a PyTorch",
}
"""What a cell may be written with, by its module's name: the first that any base of its class comes from. A layer of
Keras is also a module of TensorFlow or of PyTorch, and so is one of Sonnet."""


def choose(asked: str, obj: Any, kwargs: Mapping[str, Any] | None = None) -> Backend:
    """The backend asked for, or with ``auto`` the target's own; raises BackendError when they differ.

    A factory is called with ``kwargs`` to see what it makes; raises BuildError where that fails.
    """
    library = library_of(obj) or _library_of_factory(obj, kwargs or {})
    if asked == "auto":
        if library is None:
            raise BackendError(
                f"{_label(obj)} derives from no class of TensorFlow or PyTorch.",
                hint="A cell is a keras.layers.Layer or a torch.nn.Module. Say which: --backend tf or --backend torch.",
            )
        return load(library)
    wanted = ALIASES[asked]
    if library is None:
        return load(FRAMEWORK[wanted])
    if library != "keras" and (library == "torch") != (wanted == "torch"):
        raise BackendError(
            f"{_label(obj)} is {LIBRARIES[library]} class, not one of {FRAMEWORK[wanted]}.",
            hint=f"Check it with --backend {'torch' if library == 'torch' else 'tf'}.",
        )
    chosen = load(library)
    if chosen.name != wanted:
        raise BackendError(
            f"{_label(obj)} is a Keras class, and Keras is set to its {FRAMEWORK[chosen.name]} backend.",
            hint=f"Run it as: KERAS_BACKEND={FRAMEWORK[wanted]} rnncheck ... --backend {wanted}",
        )
    return chosen


def library_of(obj: Any) -> str | None:
    """The library that a class or an instance is written with, judged by the names of its bases alone."""
    cls = obj if isinstance(obj, type) else type(obj)
    for library in LIBRARIES:
        for base in cls.__mro__:
            inside = base.__module__ == library or base.__module__.startswith(f"{library}.")
            if inside and (library != "torch" or base.__name__ in ("Module", "ScriptModule")):
                return library
    return None


def _library_of_factory(obj: Any, kwargs: Mapping[str, Any]) -> str | None:
    """That of what a factory returns; it need not be called where no framework or PyTorch alone was loaded."""
    loaded = {"tensorflow", "keras", "torch"} & sys.modules.keys()
    if isinstance(obj, type) or not callable(obj) or not loaded:
        return None
    if loaded == {"torch"}:
        return "torch"
    from rnncheck.backends.noise import quiet_tensorflow
    from rnncheck.building import build

    with quiet_tensorflow():
        made = next(build.candidates(obj, kwargs, lambda made: library_of(made) is not None))
    return library_of(made.cell)


def load(library: str) -> Backend:
    """The backend of a library; raises BackendError when its framework is missing."""
    name = "torch" if library == "torch" else "tf"
    framework = "keras" if library == "keras" else FRAMEWORK[name]
    if framework not in sys.modules and importlib.util.find_spec(framework) is None:
        raise BackendError(f"{framework} is not installed.", hint=f'Install it with: pip install "rnncheck[{name}]"')
    if library == "torch":
        from rnncheck.backends.torch_modules import TorchModules

        return TorchModules()
    if library == "keras":
        from rnncheck.backends import keras3

        return keras3.backend()
    if library in ("tf_keras", "tensorflow.python.keras"):
        from rnncheck.backends.keras2 import Keras2

        return Keras2(library)
    from rnncheck.backends.modules import TensorFlowModules

    return TensorFlowModules(library)


def _label(obj: Any) -> str:
    return getattr(obj, "__name__", None) or type(obj).__name__
