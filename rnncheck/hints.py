"""Names that people look for in a framework and that are not there, each with what to use."""

from __future__ import annotations

_KERAS_CELL = (
    "Keras has no {name} to derive from: a cell is a keras.layers.Layer with a state_size, "
    "a build(input_shape) and a call(inputs, states) that returns (output, new_states). "
    "Subclass keras.layers.Layer (tf.keras.layers.Layer)."
)
_TF1 = (
    "tf.nn.{name} is from TensorFlow 1: subclass keras.layers.Layer (tf.keras.layers.Layer), set state_size, "
    "and let keras.layers.RNN drive it."
)
_TORCH_CELL = "torch.nn has no {name} to derive from: subclass torch.nn.Module with a forward(input, hidden)."
_ABSENT = {
    ("keras", "RNNCell"): _KERAS_CELL,
    ("keras", "AbstractRNNCell"): _KERAS_CELL,
    ("keras", "Recurrent"): _KERAS_CELL,
    ("tensorflow", "rnn_cell"): _TF1,
    ("tensorflow", "dynamic_rnn"): _TF1,
    ("tensorflow", "static_rnn"): _TF1,
    ("torch", "Cell"): _TORCH_CELL,
    ("torch", "RNNBaseCell"): _TORCH_CELL,
}


def api_hint(error: BaseException) -> str | None:
    """What to write instead, when the error is a name that a framework does not have."""
    if isinstance(error, (AttributeError, ImportError)):
        name = str(getattr(error, "name", None) or "")
        holder = str(getattr(getattr(error, "obj", None), "__name__", ""))
        if isinstance(error, ImportError):
            name, holder = _imported_name(str(error)), name
        for root in ("keras", "tensorflow", "torch"):
            if root in holder and (root, name) in _ABSENT:
                return _ABSENT[root, name].format(name=name)
    return None


def _imported_name(text: str) -> str:
    return text.split("'")[1] if text.startswith("cannot import name") and text.count("'") > 1 else ""
