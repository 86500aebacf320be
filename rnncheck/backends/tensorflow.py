"""TensorFlow's tensors."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rnncheck.backends.base import HOST, Array, Gradients, Tape, Tensor, Tensors, Weight, merged, no_device
from rnncheck.backends.noise import quiet_tensorflow, whole_tracebacks
from rnncheck.backends.snapshot import Restore
from rnncheck.errors import BackendError

with quiet_tensorflow():
    import tensorflow as tf
    from tensorflow.python.eager import context


class TensorFlowTensors(Tensors):
    """See :class:`rnncheck.backends.base.Tensors`."""

    name = "tf"
    version = f"tensorflow {tf.__version__}"

    def is_tensor(self, value: Any) -> bool:
        value = self.raw(value)
        return isinstance(value, tf.Variable) or (isinstance(value, tf.Tensor) and hasattr(value, "numpy"))

    def numpy(self, tensor: Tensor) -> Array:
        value = self.raw(tensor).numpy()
        if value.dtype.kind not in "biufc":
            value = value.astype("float32")
        return np.array(value, copy=True)

    def copy(self, tensor: Tensor) -> Tensor:
        return tf.identity(self.raw(tensor))

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        return tf.stack(list(tensors))

    def measure(self, before: Tensor | None, after: Tensor) -> Tensor:
        def wide(value: Tensor) -> Tensor:
            return tf.cast(value, tf.complex128 if value.dtype.is_complex else tf.float64)

        def mean_square(value: Tensor) -> Tensor:
            size = tf.abs(wide(value))
            return tf.reduce_mean(size * size)

        def nan(value: Tensor) -> Tensor:
            return tf.math.is_nan(tf.abs(wide(value)))

        def infinite(value: Tensor) -> Tensor:
            return tf.reduce_any(tf.math.is_inf(tf.abs(wide(value))))

        broken = tf.reduce_any(nan(after))
        if before is None:
            return tf.stack([tf.cast(broken, tf.float64)] * 4)
        broken |= infinite(after) & ~infinite(before)
        alike = before.dtype == after.dtype
        same = tf.reduce_all(
            ((before == after) if alike else (wide(before) == wide(after))) | (nan(before) & nan(after))
        )
        told = [tf.cast(flag, tf.float64) for flag in (same, broken)]
        return tf.stack([mean_square(before), mean_square(after), *told])

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        tensor = tf.constant(array)
        return tensor if dtype is None or tensor.dtype.name == dtype else tf.cast(tensor, dtype)

    def like(self, tensor: Tensor, array: Array, dtype: str | None = None) -> Tensor:
        value = self.tensor(array, dtype)
        return tf.Variable(value, trainable=False) if isinstance(tensor, tf.Variable) else value

    def dtype(self, tensor: Tensor) -> str:
        return str(self.raw(tensor).dtype.name)

    @contextlib.contextmanager
    def on_device(self, asked: str | None, target: Any) -> Iterator[None]:
        """What a cell has made already stays where it is, and TensorFlow copies it to where it computes."""
        there = [device.name.partition("device:")[2].lower() for device in tf.config.list_logical_devices()]
        named = (asked or _home(target)).lower().removeprefix("/").replace("cuda", "gpu")
        wanted = named if ":" in named else f"{named}:0"
        if wanted not in there:
            raise no_device(asked or named, "TensorFlow", [name.replace("cpu:0", HOST) for name in there])
        self.device = HOST if wanted == "cpu:0" else wanted
        # On a machine with one device nothing has to be said.
        with tf.device(f"/{wanted.upper()}") if len(there) > 1 else contextlib.nullcontext():
            yield

    def seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        tf.random.set_seed(seed)
        self.seed_library(seed)

    @contextlib.contextmanager
    def keep_randomness(self) -> Iterator[None]:
        python, numpy, restore = random.getstate(), np.random.get_state(), self.keep_library()
        generator = tf.random.get_global_generator()
        state = tf.identity(generator.state)
        whole = context.context()
        # There is none before the first seed is set.
        seed, seeds = whole._seed, getattr(whole, "_rng", None)
        drawn = seeds.getstate() if seeds is not None else None
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            generator.state.assign(state)
            tf.random.set_global_generator(generator)
            whole._seed, whole._rng = seed, seeds
            if seeds is not None:
                seeds.setstate(drawn)
            restore()

    @contextlib.contextmanager
    def eagerly(self) -> Iterator[None]:
        """Also where the target has switched eager execution off, as scripts of TensorFlow 1 do."""
        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(True)
        try:
            with context.eager_mode(), whole_tracebacks():
                yield
        finally:
            tf.config.run_functions_eagerly(before)

    @contextlib.contextmanager
    def graph(self, cell: Any) -> Iterator[Callable[..., Any]]:
        """The cell traced into a graph, as ``Model.fit`` traces it: the user's Python is not rewritten."""

        def called(*given: Any, **named: Any) -> Any:
            # By a driver or a model, whose scope comes first: that of a class called _Cell cannot.
            with tf.name_scope("rnncheck"):
                return cell(*given, **named)

        before = tf.config.functions_run_eagerly()
        tf.config.run_functions_eagerly(False)
        try:
            yield tf.function(called, autograph=False)
        finally:
            tf.config.run_functions_eagerly(before)

    def without_gradient(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def weight(self, name: str, tensor: Tensor, trainable: bool, registered: bool = True) -> Weight:
        def read() -> Array:
            return np.array(tensor.numpy(), copy=True)

        def assign(value: Array) -> None:
            tensor.assign(tf.cast(value, tensor.dtype))

        return Weight(name, tuple(tensor.shape.as_list()), trainable, tensor, read, assign, registered)

    def keep(self, tensor: Tensor) -> Restore:
        if getattr(tensor, "_in_graph_mode", True):
            raise BackendError(
                f"The target was built in a graph of TensorFlow 1 ({tensor.name}), where nothing runs line by line.",
                hint="Name its class, or a function that makes it: rnncheck file.py:MyCell",
            )
        saved = tf.identity(tensor)

        def restore() -> None:
            tensor.assign(saved)

        return restore

    def is_mutable(self, value: Any) -> bool:
        return self.is_weight(value)

    def is_weight(self, value: Any) -> bool:
        return isinstance(self.raw(value), tf.Variable)

    def is_module(self, value: Any) -> bool:
        return isinstance(value, tf.Module)

    def stamp(self, tensor: Tensor) -> Any:
        value = self.raw(tensor)
        return value.numpy().tobytes() if isinstance(value, tf.Variable) else None

    @contextlib.contextmanager
    def tracking(self, sources: Sequence[tuple[Array, str]]) -> Iterator[Tape]:
        leaves = [self.tensor(array, dtype) for array, dtype in sources]
        with tf.GradientTape(persistent=True) as tape:
            for leaf in leaves:
                if leaf.dtype.is_floating or leaf.dtype.is_complex:
                    tape.watch(leaf)

            def derivatives(tensor: Tensor, wanted: Sequence[Tensor]) -> list[Array | None]:
                value = tf.convert_to_tensor(self.raw(tensor))
                if not (value.dtype.is_floating or value.dtype.is_complex):
                    return [None] * len(wanted)
                with tape.stop_recording():
                    return [_dense(gradient) for gradient in tape.gradient(value, list(wanted))]

            # Nothing switches a tape off.
            yield Tape(leaves, leaves, derivatives, lambda: True)

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
        touched: list[Array | None] = [None] * len(leaves)
        finite = True
        for scalar in scalars:
            if scalar is None:
                by_target.append([None] * len(leaves))
                continue
            found = [_dense(gradient) for gradient in tape.gradient(scalar, leaves + variables)]
            mine, by_weights = found[: len(leaves)], found[len(leaves) :]
            finite = finite and all(part is None or bool(np.isfinite(part).all()) for part in by_weights)
            by_target.append([None if part is None else float(np.abs(part).max(initial=0.0)) for part in mine])
            for index, part in enumerate(mine):
                touched[index] = merged(touched[index], None if part is None else part != 0)
            for index, part in enumerate(by_weights):
                reached[index] = merged(reached[index], None if part is None or not trainable[index] else part != 0)
        return Gradients(by_target, reached, touched, finite)


def _home(target: Any) -> str:
    """The device of an instance's first variable that is not on the CPU."""
    with contextlib.suppress(Exception):
        for variable in () if isinstance(target, type) else target.variables:
            _, _, name = str(getattr(variable, "value", variable).device).lower().partition("device:")
            if name and not name.startswith(HOST):
                return name
    return HOST


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
