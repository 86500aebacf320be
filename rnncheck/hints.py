"""Names that people look for in a framework and that are not there, each with what to use."""

from __future__ import annotations

import importlib.util

from rnncheck.initial_state import in_traceback

_KERAS_CELL = (
    "Keras has no {name} to derive from: a cell is a keras.layers.Layer with a state_size, "
    "a build(input_shape) and a call(inputs, states) that returns (output, new_states). "
    "Subclass keras.layers.Layer (tf.keras.layers.Layer)."
)
_TF1 = "tf.nn.{name} is from TensorFlow 1: write tf.compat.v1.nn.{name}."
_CONTRIB = "tf.contrib is from TensorFlow 1: the cells of tf.contrib.rnn are in tf.compat.v1.nn.rnn_cell."
_TORCH_CELL = "torch.nn has no {name} to derive from: subclass torch.nn.Module with a forward(input, hidden)."
_ABSENT = {
    ("keras", "RNNCell"): _KERAS_CELL,
    ("keras", "AbstractRNNCell"): _KERAS_CELL,
    ("keras", "Recurrent"): _KERAS_CELL,
    ("tensorflow", "contrib"): _CONTRIB,
    ("tensorflow", "rnn_cell"): _TF1,
    ("tensorflow", "dynamic_rnn"): _TF1,
    ("tensorflow", "static_rnn"): _TF1,
    ("torch", "Cell"): _TORCH_CELL,
    ("torch", "RNNBaseCell"): _TORCH_CELL,
}

_KERAS_2_WANTED = ("is not available with Keras 3", "Keras cannot be imported")


def remedy(error: BaseException) -> str | None:
    """What to write instead of what raised this, where that can be told."""
    return api_hint(error) or in_traceback(error)


def api_hint(error: BaseException) -> str | None:
    """What to write instead, when the error is a name that a framework does not have."""
    if isinstance(error, (AttributeError, ImportError)):
        if any(text in str(error) for text in _KERAS_2_WANTED):
            return _with_keras_2()
        name = str(getattr(error, "name", None) or "")
        holder = str(getattr(getattr(error, "obj", None), "__name__", ""))
        if isinstance(error, ImportError):
            name, holder = _imported_name(str(error)), name
        for root in ("keras", "tensorflow", "torch"):
            if root in holder and (root, name) in _ABSENT:
                hint = _ABSENT[root, name].format(name=name)
                return f"{hint} {_with_keras_2()}" if name in ("contrib", "rnn_cell") else hint
    return None


def _with_keras_2() -> str:
    """How to run what TensorFlow has of its first version, which goes with Keras 2."""
    install = "" if importlib.util.find_spec("tf_keras") else "install it with pip install tf_keras, and "
    return f"The cells of TensorFlow 1 need Keras 2: {install}run TF_USE_LEGACY_KERAS=1 rnncheck ..."


def _imported_name(text: str) -> str:
    return text.split("'")[1] if text.startswith("cannot import name") and text.count("'") > 1 else ""
