"""Keras 2 (``tf_keras``), and with it the cells of TensorFlow 1 (``tf.compat.v1.nn.rnn_cell``)."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import operator
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rnncheck.backends import providers
from rnncheck.backends.base import Tensor, Weight
from rnncheck.backends.keras_layers import KerasLayers
from rnncheck.backends.snapshot import Restore
from rnncheck.backends.tensorflow import TensorFlowTensors
from rnncheck.backends.tf1_variables import VariableStores
from rnncheck.errors import BackendError
from rnncheck.usercode.definitions import does_nothing, is_framework

SOURCES = {"tf_keras": "tf_keras.src", "tensorflow.python.keras": "tensorflow.python.keras"}

MARK = "_is_tf_rnn_cell"


class Keras2(KerasLayers, TensorFlowTensors):
    """See :class:`rnncheck.backends.base.Backend`. ``library`` is one of ``SOURCES``: TensorFlow keeps an old copy."""

    def __init__(self, library: str) -> None:
        source = SOURCES[library]
        self.library = library
        self.layer = importlib.import_module(f"{source}.engine.base_layer").Layer
        self.driver = importlib.import_module(f"{source}.layers.{'rnn' if library == 'tf_keras' else 'recurrent'}").RNN
        self._backend = importlib.import_module(f"{source}.backend")
        self._policies = importlib.import_module(f"{source}.mixed_precision.policy")
        self._stores = VariableStores()
        self._asked: str | None = None
        if library == "tf_keras":
            self.version = f"{self.version}, tf_keras {importlib.import_module(library).__version__}"

    def unwrap(self, cell: Any) -> Any:
        """The same, a layer throughout: cells of TensorFlow 1 that define ``__call__`` themselves worked without the
        constructor of their base, and many never call it."""
        for _, part in list(self._parts(cell)):
            base: Any = next((base for base in type(part).__mro__ if _is_base(base)), None)
            if base is not None and MARK not in vars(part):
                own = dict(vars(part))
                with contextlib.suppress(Exception):
                    base.__init__(part)
                vars(part).update(own)
        return cell

    def method_of(self, cell: Any) -> str:
        """Older cells of TensorFlow 1 and its wrappers define ``__call__`` in place of ``call``."""
        every = [(base, name) for base in type(cell).__mro__ for name in ("call", "__call__") if name in vars(base)]
        defined = (name for base, name in every if not does_nothing(vars(base)[name]))
        return next(defined) if _is_tf1(cell) else "call"

    def step(self, cell: Any, method: str) -> Callable[..., Any]:
        return self._stores.around(cell, super().step(cell, method))

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        """A cell of TensorFlow 1 is built by its first call, in its own variable scope."""
        if not _is_tf1(cell):
            super().prepare(cell, input_shape)

    def seed_library(self, seed: int) -> None:
        generator = self._generator()
        if generator is not None:
            generator.seed(seed)

    def keep_library(self) -> Restore:
        generator = self._generator()
        state = generator.getstate() if generator is not None else None
        return lambda: generator.setstate(state) if generator is not None and state is not None else None

    def _generator(self) -> random.Random | None:
        """Keras's own, from which layers draw their seeds once the target has called ``set_random_seed``."""
        return getattr(getattr(self._backend, "_SEED_GENERATOR", None), "generator", None)

    def float_dtype(self, cell: Any) -> str:
        return str(cell.compute_dtype or self._asked or self._backend.floatx())

    @contextlib.contextmanager
    def construction_dtype(self, dtype: str | None) -> Iterator[None]:
        if dtype is None:
            yield
            return
        before, self._asked = self._policies.global_policy(), dtype
        # Under the behaviour of TensorFlow 1 a layer takes the dtype of its first input.
        with contextlib.suppress(ValueError):
            self._policies.set_global_policy(dtype)
        try:
            yield
        finally:
            with contextlib.suppress(ValueError):
                self._policies.set_global_policy(before)

    def drivers(self, cell: Any) -> tuple[str, ...]:
        return () if _is_tf1(cell) else super().drivers(cell)

    def driven(self, cell: Any, driver: str, inputs: Sequence[Tensor], state: Any | None) -> tuple[list[Any], Any]:
        """Of a cell for images ``state_size`` is its channels, and another layer drives it."""
        if len(inputs[0].shape) > 2:
            raise BackendError(f"{driver} is not for images.")
        return super().driven(cell, driver, inputs, state)

    def weights(self, cell: Any) -> list[Weight]:
        """TensorFlow 1 trains and keeps every variable of its graph, whatever object it is set on."""
        found = super().weights(cell)
        return [dataclasses.replace(weight, registered=True) for weight in found] if _is_tf1(cell) else found

    def may_be_read_once(self, cell: Any, weight: Weight) -> bool:
        """In a graph of TensorFlow 1 a tensor that a constructor makes of a variable goes on following it."""
        tensors = (value for value in vars(cell).values() if self.is_tensor(value) and not self.is_weight(value))
        return _is_tf1(cell) and any(tuple(tensor.shape) == weight.shape for tensor in tensors)

    def declares_state_size(self, cell: Any) -> bool | None:
        """``dynamic_rnn`` asks for a state_size only where no initial_state is given, and ``keras.layers.RNN`` at first
        only whether there is one, which may be known when the cell is built."""
        return None if _is_tf1(cell) or _is_sized_late(cell) else super().declares_state_size(cell)

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        """A cell of TensorFlow 1 takes its state as it stands: bare, or in the tuple of its own. What the user's own
        method makes is given to ``dynamic_rnn`` in place of the zeros that it has from its base."""
        if not _is_tf1(cell):
            yield from super().initial_states(cell, batch, x)
            return
        yield from providers.of_the_user(cell, batch, x, {"dtype": self.float_dtype(cell)}, self.is_tensor)
        yield from self._states(cell, batch, x)

    def channels_last(self) -> bool:
        return bool(self._backend.image_data_format() == "channels_last")

    def _own_state(self, get_initial_state: Any, batch: int, dtype: str) -> Any:
        return get_initial_state(inputs=None, batch_size=batch, dtype=dtype)

    def _variables(self, cell: Any) -> list[tuple[Tensor, str, bool]]:
        known = super()._variables(cell)
        seen = {id(tensor) for tensor, _, _ in known}
        made = [variable for variable in self._stores.of(cell) if id(variable) not in seen]
        return [*known, *((variable, variable.name.partition(":")[0], variable.trainable) for variable in made)]


def _is_sized_late(cell: Any) -> bool:
    """Whether there is a state_size that cannot be read yet."""
    try:
        operator.attrgetter("state_size")(cell)
    except AttributeError:
        return "state_size" in dir(cell)
    except Exception:
        return False
    return False


def _is_tf1(cell: Any) -> bool:
    """The mark by which Keras itself tells them, which their base sets on them."""
    return getattr(cell, MARK, None) is not None


def _is_base(cls: type) -> bool:
    return cls.__name__ == "RNNCell" and is_framework(cls)
