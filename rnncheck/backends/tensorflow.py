"""TensorFlow with Keras 3: cells are ``keras.layers.Layer`` with a ``call``."""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnncheck.backends import providers
from rnncheck.backends.base import Array, Gradients, Tensor, Weight, merged
from rnncheck.backends.noise import quiet_tensorflow
from rnncheck.backends.snapshot import Snapshot
from rnncheck.errors import BackendError, UsageError

with quiet_tensorflow():
    import keras
    import tensorflow as tf


class TensorFlowBackend:
    """See :class:`rnncheck.backends.base.Backend`."""

    name = "tf"
    method = "call"

    def __init__(self) -> None:
        if keras.backend.backend() != "tensorflow":
            raise BackendError(
                f"Keras is set to its {keras.backend.backend()} backend.",
                hint="Run it as: KERAS_BACKEND=tensorflow rnncheck ...",
            )
        self.version = f"tensorflow {tf.__version__}, keras {keras.__version__}"

    def owns(self, obj: Any) -> bool:
        return issubclass(obj, keras.layers.Layer) if isinstance(obj, type) else isinstance(obj, keras.layers.Layer)

    def is_tensor(self, value: Any) -> bool:
        return (
            isinstance(value, (tf.Tensor, tf.Variable, keras.Variable))
            and not keras.utils.is_keras_tensor(value)
            and (not isinstance(value, tf.Tensor) or hasattr(value, "numpy"))
        )

    def numpy(self, tensor: Tensor) -> Array:
        value = tensor.numpy()
        if value.dtype.kind not in "biufc":
            value = value.astype("float32")
        return np.array(value, copy=True)

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        tensor = tf.constant(array)
        return tensor if dtype is None or tensor.dtype.name == dtype else tf.cast(tensor, dtype)

    def dtype(self, tensor: Tensor) -> str:
        return str(keras.backend.standardize_dtype(tensor.dtype))

    def seed(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)

    @contextlib.contextmanager
    def keep_randomness(self) -> Iterator[None]:
        python, numpy = random.getstate(), np.random.get_state()
        generator = tf.random.get_global_generator()
        state = tf.identity(generator.state)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            generator.state.assign(state)
            tf.random.set_global_generator(generator)

    @contextlib.contextmanager
    def eagerly(self) -> Iterator[None]:
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(before)

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        """As ``keras.layers.RNN`` does: built by the shape of one step's input, before the first call."""
        waiting = isinstance(cell, keras.layers.Layer) and not cell.built
        if waiting and not getattr(type(cell).build, "_is_default", False):
            cell.build(input_shape)
            cell.built = True

    def unwrap(self, cell: Any) -> Any:
        return cell

    def snapshot(self, cell: Any) -> Snapshot:
        if not isinstance(cell, keras.layers.Layer):
            return Snapshot([cell], [])
        layers = list(cell._flatten_layers())
        holders = [*layers, *(vars(layer)["_tracker"] for layer in layers if "_tracker" in vars(layer))]
        variables = {id(variable): variable for variable in (*cell.variables, *_raw_variables(layers))}
        return Snapshot(holders, [_numbers(variable) for variable in variables.values()])

    def without_gradient(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def weights(self, cell: Any) -> list[Weight]:
        if not isinstance(cell, keras.layers.Layer):
            return []
        layers = list(cell._flatten_layers())
        names = _attribute_names(cell)
        raw = _raw_variables(layers)
        trainable = {id(variable) for variable in (*cell.trainable_variables, *raw) if variable.trainable}
        every = {id(variable): variable for variable in (*cell.variables, *raw)}
        return [
            _weight(variable, names.get(key, getattr(variable, "path", variable.name)), key in trainable)
            for key, variable in every.items()
            if keras.backend.is_float_dtype(variable.dtype)
        ]

    def zero_constants(self, cell: Any) -> list[Weight]:
        return []

    def unused_layers(self, cell: Any) -> list[str]:
        if not isinstance(cell, keras.layers.Layer):
            return []
        return [
            name
            for name, layer in vars(cell).items()
            if isinstance(layer, keras.layers.Layer)
            and not layer.built
            and isinstance(getattr(layer, "units", None), int)
        ]

    def float_dtype(self, cell: Any) -> str:
        return str(getattr(cell, "compute_dtype", None) or keras.config.floatx())

    def with_dtype(self, cell: Any, dtype: str) -> Any:
        if self.float_dtype(cell) != dtype:
            raise UsageError(
                f"--dtype {dtype}: this instance computes in {self.float_dtype(cell)}.",
                hint="Construct it in that dtype.",
            )
        return cell

    @contextlib.contextmanager
    def construction_dtype(self, dtype: str | None) -> Iterator[None]:
        before = keras.config.dtype_policy()
        try:
            if dtype is not None:
                keras.config.set_dtype_policy(dtype)
            yield
        finally:
            keras.config.set_dtype_policy(before)

    def embeds(self, cell: Any) -> bool:
        return isinstance(cell, keras.layers.Layer) and any(
            isinstance(layer, keras.layers.Embedding) for layer in cell._flatten_layers()
        )

    def has_recurrent_layer(self, cell: Any) -> bool:
        return isinstance(cell, keras.layers.Layer) and any(
            isinstance(layer, keras.layers.RNN) for layer in cell._flatten_layers()
        )

    def kept(self, cell: Any) -> dict[str, Any]:
        return {path: read() for path, (read, _) in _kept(cell).items()}

    def keep(self, cell: Any, path: str, value: Any) -> None:
        _kept(cell)[path][1](value)

    def declares_state_size(self, cell: Any) -> bool | None:
        if not isinstance(cell, keras.layers.Layer):
            return None
        try:
            return getattr(cell, "state_size", None) is not None
        except Exception:
            return False

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        """As ``keras.layers.RNN`` makes them: the cell's own, else zeros of its state_size; in a list."""
        own = getattr(cell, "get_initial_state", None)
        if callable(own):
            with contextlib.suppress(Exception):
                yield "get_initial_state()", _in_list(own(batch_size=batch))
        if self.declares_state_size(cell):
            zeros = _zeros(cell.state_size, batch, self.float_dtype(cell))
            if zeros is not None:
                yield "state_size", _in_list(zeros)
        known = {"dtype": self.float_dtype(cell)}
        for name, state in providers.states(cell, batch, x, known, self.is_tensor):
            yield name, _in_list(state)

    def restart(self, cell: Any, batch: int, x: Tensor) -> None:
        providers.restart(cell, batch, x, {"dtype": self.float_dtype(cell)})

    def output_first(self, cell: Any) -> bool:
        return isinstance(cell, keras.layers.Layer)

    def channels_last(self) -> bool:
        return bool(keras.config.image_data_format() == "channels_last")

    def gradients(
        self,
        run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]],
        sources: Sequence[tuple[Array, str]],
        weights: Sequence[Weight],
    ) -> Gradients:
        leaves = [self.tensor(array, dtype) for array, dtype in sources]
        noise = np.random.default_rng(0)
        with tf.GradientTape(persistent=True) as tape:
            for leaf in leaves:
                if leaf.dtype.is_floating or leaf.dtype.is_complex:
                    tape.watch(leaf)
            scalars = [_project(target, noise) for target in run(leaves)]
        variables = [weight.tensor for weight in weights]
        trainable = [weight.trainable for weight in weights]
        by_target: list[list[float | None]] = []
        reached: list[Array | None] = [None] * len(weights)
        for scalar in scalars:
            if scalar is None:
                by_target.append([None] * len(leaves))
                continue
            found = [_dense(gradient) for gradient in tape.gradient(scalar, leaves + variables)]
            by_target.append(
                [
                    None if part is None else float(abs(part).max()) if part.size else 0.0
                    for part in found[: len(leaves)]
                ]
            )
            for index, part in enumerate(found[len(leaves) :]):
                reached[index] = merged(reached[index], None if part is None or not trainable[index] else part != 0)
        return Gradients(by_target, reached)


def _kept(cell: Any) -> dict[str, tuple[Callable[[], Any], Callable[[Any], None]]]:
    """How to read and replace what the layers of a cell keep: variables that are not trained, and tensors."""
    found: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {}
    layers = list(cell._flatten_layers()) if isinstance(cell, keras.layers.Layer) else []
    names = {id(cell): ""}
    for name, value in vars(cell).items() if layers else ():
        names.setdefault(id(value), f"{name}.")
    for layer in layers:
        prefix = names.get(id(layer), f"{layer.name}.")
        for attribute, value in list(vars(layer).items()):
            path = prefix + attribute
            if isinstance(value, (keras.Variable, tf.Variable)):
                if not value.trainable and "seed" not in attribute:
                    found[path] = (functools.partial(tf.identity, value), value.assign)
            elif _is_kept(value) and not attribute.startswith("_"):
                found[path] = (functools.partial(_plain, value), functools.partial(setattr, layer, attribute))
    return found


def _is_kept(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and len(value) <= 64 and all(map(_is_kept, value))
    return value is None or (isinstance(value, tf.Tensor) and hasattr(value, "numpy"))


def _plain(value: Any) -> Any:
    """Without the containers in which Keras tracks what is set on a layer."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _attribute_names(layer: Any, prefix: str = "") -> dict[int, str]:
    """The attributes under which the user keeps the variables of a layer and of the layers in it."""
    names: dict[int, str] = {}
    for attribute, value in vars(layer).items():
        if isinstance(value, (keras.Variable, tf.Variable)):
            public = attribute.lstrip("_")
            names[id(value)] = prefix + (public if hasattr(type(layer), public) else attribute)
        elif isinstance(value, keras.layers.Layer):
            names.update(_attribute_names(value, f"{prefix}{attribute}."))
        elif isinstance(value, (list, tuple)) and not attribute.startswith("_"):
            for index, part in enumerate(value):
                if isinstance(part, keras.layers.Layer):
                    names.update(_attribute_names(part, f"{prefix}{attribute}[{index}]."))
                elif isinstance(part, (keras.Variable, tf.Variable)):
                    names[id(part)] = f"{prefix}{attribute}[{index}]"
    return names


def _raw_variables(layers: Sequence[Any]) -> list[Any]:
    """``tf.Variable`` kept on layers, also in containers and modules, which Keras 3 does not track."""
    found: dict[int, Any] = {}
    seen: set[int] = set()

    def visit(value: Any) -> None:
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, tf.Variable):
            found[id(value)] = value
        elif isinstance(value, dict):
            for part in value.values():
                visit(part)
        elif isinstance(value, (list, tuple)):
            for part in value:
                visit(part)
        elif isinstance(value, tf.Module) and not isinstance(value, keras.layers.Layer):
            for part in value.variables:
                visit(part)

    for layer in layers:
        for value in vars(layer).values():
            visit(value)
    tracked = {id(variable.value) for layer in layers for variable in layer.variables}
    return [variable for key, variable in found.items() if key not in tracked]


def _weight(variable: Any, name: str, trainable: bool) -> Weight:
    def read() -> Array:
        return np.array(variable.numpy(), copy=True)

    def assign(value: Array) -> None:
        variable.assign(tf.cast(value, variable.dtype))

    tensor = variable.value if isinstance(variable, keras.Variable) else variable
    return Weight(name, tuple(variable.shape), trainable, tensor, read, assign)


def _numbers(variable: Any) -> Callable[[], None]:
    saved = tf.identity(variable.value if isinstance(variable, keras.Variable) else variable)

    def restore() -> None:
        variable.assign(saved)

    return restore


def _in_list(state: Any) -> Any:
    if isinstance(state, (list, tuple)) and not hasattr(state, "_fields"):
        return list(state)
    return state if isinstance(state, (dict, tuple)) else [state]


def _zeros(size: Any, batch: int, dtype: str) -> Any:
    """Zeros for a ``state_size``: a whole number, a shape, or a nest of them; None when it is neither."""
    if isinstance(size, (int, np.integer)):
        return tf.zeros((batch, int(size)), dtype) if size >= 0 else None
    if isinstance(size, tf.TensorShape):
        return tf.zeros((batch, *size.as_list()), dtype)
    if isinstance(size, dict):
        return {key: _zeros(part, batch, dtype) for key, part in size.items()}
    if isinstance(size, (list, tuple)):
        parts = [_zeros(part, batch, dtype) for part in size]
        return None if any(part is None for part in parts) else parts
    return None


def _project(target: Sequence[Tensor], noise: np.random.Generator) -> Tensor | None:
    total = None
    for tensor in target:
        value = tf.convert_to_tensor(tensor)
        if value.dtype.is_complex:
            value = tf.stack([tf.math.real(value), tf.math.imag(value)])
        if value.dtype.is_floating:
            part = tf.reduce_sum(value * tf.cast(noise.uniform(0.5, 1.5, value.shape), value.dtype))
            part = tf.cast(part, tf.float64)
            total = part if total is None else total + part
    return total


def _dense(gradient: Any) -> Array | None:
    if gradient is None:
        return None
    return np.asarray(tf.convert_to_tensor(gradient).numpy())
