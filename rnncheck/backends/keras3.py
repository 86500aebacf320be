"""Keras 3, on TensorFlow or on PyTorch: cells are ``keras.layers.Layer`` with a ``call``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rnncheck.backends.base import Array, Backend, Tensor
from rnncheck.backends.keras_layers import KerasLayers
from rnncheck.backends.noise import quiet_tensorflow
from rnncheck.backends.snapshot import Restore
from rnncheck.errors import BackendError

with quiet_tensorflow():
    import keras
    from keras.src.backend.common import global_state
    from keras.src.layers.layer import CallContext

GENERATOR, CONTEXT = "global_seed_generator", "current_call_ctx"


class Keras3(KerasLayers):
    """See :class:`rnncheck.backends.base.Backend`."""

    library = "keras"
    layer = keras.layers.Layer
    driver = keras.layers.RNN

    def raw(self, value: Any) -> Any:
        return value.value if isinstance(value, keras.Variable) else value

    def seed_library(self, seed: int) -> None:
        """Keras makes its generator again from Python's. Its ``set_random_seed`` would import TensorFlow, wherever
        that is installed."""
        global_state.set_global_attribute(GENERATOR, None)

    def keep_library(self) -> Restore:
        generator = global_state.get_global_attribute(GENERATOR)
        return lambda: global_state.set_global_attribute(GENERATOR, generator)

    @contextlib.contextmanager
    def training(self, cell: Any) -> Iterator[None]:
        """As a layer around it that is called with training=True."""
        around = CallContext(entry_layer=None)
        around.training = True
        before = global_state.get_global_attribute(CONTEXT)
        global_state.set_global_attribute(CONTEXT, around)
        try:
            yield
        finally:
            global_state.set_global_attribute(CONTEXT, before)

    def float_dtype(self, cell: Any) -> str:
        return str(cell.compute_dtype or keras.config.floatx())

    @contextlib.contextmanager
    def construction_dtype(self, dtype: str | None) -> Iterator[None]:
        before = keras.config.dtype_policy()
        try:
            if dtype is not None:
                keras.config.set_dtype_policy(dtype)
            yield
        finally:
            keras.config.set_dtype_policy(before)

    def channels_last(self) -> bool:
        return bool(keras.config.image_data_format() == "channels_last")

    def _own_state(self, get_initial_state: Any, batch: int, dtype: str) -> Any:
        return get_initial_state(batch_size=batch)


def backend() -> Backend:
    """Keras on the tensors that it is set to; raises BackendError where rnncheck does not know them."""
    tensors = keras.backend.backend()
    if tensors == "tensorflow":
        from rnncheck.backends.tensorflow import TensorFlowTensors

        class KerasOnTensorFlow(Keras3, TensorFlowTensors):
            version = f"{TensorFlowTensors.version}, keras {keras.__version__}"

            def compilers(
                self, cell: Any
            ) -> Mapping[str, Callable[[], contextlib.AbstractContextManager[Callable[..., Any]]]]:
                return {"tf.function": lambda: self.graph(cell)} if self.drivers(cell) else {}

        return KerasOnTensorFlow()
    if tensors == "torch":
        from rnncheck.backends.pytorch import TorchTensors

        class KerasOnTorch(Keras3, TorchTensors):
            version = f"{TorchTensors.version}, keras {keras.__version__}"

            @contextlib.contextmanager
            def on_device(self, asked: str | None, target: Any) -> Iterator[None]:
                # By itself Keras makes weights on a GPU wherever there is one.
                with super().on_device(asked, target), keras.device(self.device):
                    yield

            def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
                # On the device on which Keras keeps the weights.
                return keras.ops.convert_to_tensor(super().tensor(array, dtype))

        return KerasOnTorch()
    raise BackendError(
        f"Keras is set to its {tensors} backend.",
        hint="Run it as: KERAS_BACKEND=tensorflow rnncheck ..., or KERAS_BACKEND=torch rnncheck ...",
    )
