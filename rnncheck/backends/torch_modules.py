"""``torch.nn``: cells are modules with a ``forward``."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import Module

from rnncheck.backends import providers
from rnncheck.backends.attributes import walk
from rnncheck.backends.base import Array, Backend, Tensor, Weight
from rnncheck.backends.pytorch import TorchTensors
from rnncheck.backends.snapshot import Snapshot
from rnncheck.errors import BackendError
from rnncheck.usercode import source


class TorchModules(TorchTensors, Backend):
    """See :class:`rnncheck.backends.base.Backend`."""

    library = "torch.nn"

    def owns(self, obj: Any) -> bool:
        return issubclass(obj, Module) if isinstance(obj, type) else isinstance(obj, Module)

    def refuse_unfinished(self, cell: Any) -> None:
        if (
            isinstance(cell, Module)
            and "_parameters" not in vars(cell)
            and not isinstance(cell, torch.jit.ScriptModule)
        ):
            raise BackendError(
                f"{type(cell).__name__}.__init__() does not call super().__init__(): PyTorch can keep nothing of it.",
                hint="Call super().__init__() on its first line.",
            )

    @contextlib.contextmanager
    def constructing(self) -> Iterator[None]:
        """What nobody writes is NaN, and has no sign, which what is computed has on x86. As
        ``torch.use_deterministic_algorithms`` does, which imports a compiler first."""
        if torch.are_deterministic_algorithms_enabled():
            yield
            return
        torch._C._set_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch._C._set_deterministic_algorithms(False)

    def draw_unwritten(self, cell: Any, seed: int) -> list[str]:
        drawn = []
        for number, weight in enumerate(self.weights(cell)):
            if not math.isnan(weight.tensor.detach().sum().item()):
                continue
            value = weight.read()
            unwritten = np.isnan(value)
            # A NaN that the constructor computed is a defect, and stays.
            if unwritten.any() and not np.signbit(value[unwritten]).any():
                rng = np.random.default_rng((seed, 500 + number))
                scale = 1 / math.sqrt(max(weight.shape[-1:], default=1) or 1)
                numbers = scale * rng.standard_normal(weight.shape)
                weight.assign(np.where(unwritten, numbers, value).astype("float32"))
                drawn.append(weight.name)
        return drawn

    def method_of(self, cell: Any) -> str:
        return "forward"

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        with contextlib.suppress(Exception):
            cell.eval()

    def evaluates(self, cell: Any) -> bool:
        return not getattr(cell, "training", False)

    def has_losses(self, cell: Any) -> bool:
        kept = (value for _, holder in self.holders(cell) for value in vars(holder).values())
        return any(isinstance(value, torch.Tensor) and value.grad_fn is not None for value in kept)

    def statistics(self, cell: Any) -> Mapping[str, Callable[[], Array]]:
        return {
            name: functools.partial(self._running, module)
            for name, module in self.holders(cell)
            if name and isinstance(module._buffers.get("running_mean"), torch.Tensor)
        }

    def _running(self, module: Any) -> Array:
        return self.numpy(module.running_mean)

    def unwrap(self, cell: Any) -> Any:
        return getattr(cell, "_orig_mod", cell)

    def snapshot(self, cell: Any) -> Snapshot:
        holders = parts(cell) or [cell]
        scripted = isinstance(cell, torch.jit.ScriptModule)
        values, around = self._around(cell)
        beside = [tensor for _, tensor in self._unregistered(cell)]
        numbers = [self.keep(tensor) for tensor in (*_tensors(holders), *beside)]
        return Snapshot([] if scripted else holders, [*numbers, *around], values)

    def weights(self, cell: Any) -> list[Weight]:
        named = Module.named_parameters(cell) if isinstance(cell, Module) else ()
        every = [*((*item, True) for item in named), *((*item, False) for item in self._unregistered(cell))]
        return [
            self.weight(name, parameter, parameter.requires_grad, registered)
            for name, parameter, registered in every
            if parameter.is_floating_point() and not torch.nn.parameter.is_lazy(parameter)
        ]

    def _unregistered(self, cell: Any) -> list[tuple[str, Tensor]]:
        """The parameters of what the cell keeps in plain lists and the like, where PyTorch does not look."""
        if not isinstance(cell, Module) or isinstance(cell, torch.jit.ScriptModule):
            return []
        if not any(map(_keeps_parts, parts(cell))):
            return []
        known = {id(parameter) for parameter in Module.parameters(cell)}
        found = walk(cell, self.is_weight, self.is_module)
        return [(name, part) for name, part in found if self.is_weight(part) and id(part) not in known]

    @contextlib.contextmanager
    def training(self, cell: Any) -> Iterator[None]:
        modes = [(module, module.training) for module in parts(cell)]
        try:
            for module, _ in modes:
                module.training = True
            yield
        finally:
            for module, mode in modes:
                module.training = mode

    def zero_constants(self, cell: Any) -> list[Weight]:
        named = Module.named_buffers(cell) if isinstance(cell, Module) else ()
        zeros = [(name, buffer) for name, buffer in named if buffer.is_floating_point() and not buffer.any()]
        return [self.weight(name, buffer, False) for name, buffer in zeros]

    def holders(self, cell: Any) -> list[tuple[str, Any]]:
        """A scripted module shows no attributes."""
        if not isinstance(cell, Module) or isinstance(cell, torch.jit.ScriptModule):
            return []
        return list(Module.named_modules(cell))

    def internal(self) -> frozenset[str]:
        return _INTERNAL

    def restart(self, cell: Any, batch: int, x: Tensor) -> None:
        providers.restart(cell, batch, x, {"device": x.device, "dtype": x.dtype})

    def float_dtype(self, cell: Any) -> str:
        parameters = Module.parameters(cell) if isinstance(cell, Module) else ()
        return next((self.dtype(parameter) for parameter in parameters if parameter.is_floating_point()), "float32")

    def with_dtype(self, cell: Any, dtype: str) -> Any:
        return cell.to(getattr(torch, dtype))

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        known = {"device": x.device, "dtype": x.dtype}
        yield from providers.states(cell, batch, x, known, self.is_tensor)

    def compilers(self, cell: Any) -> Mapping[str, Callable[[], contextlib.AbstractContextManager[Callable[..., Any]]]]:
        """Scripted, where the class is written for that."""
        written_for = bool(SCRIPTING & source.named_of(type(cell), "jit")) or hasattr(cell, "__prepare_scriptable__")
        written_for = written_for and not isinstance(cell, torch.jit.ScriptModule)
        return {"torch.jit.script": lambda: _scripted(cell)} if written_for else {}

    def channels_last(self) -> bool:
        return False


SCRIPTING = {"export", "ignore", "unused", "script_method", "Final", "Attribute", "annotate", "is_scripting"}
"""What a class names of ``torch.jit`` that is written to be scripted; tracing asks nothing of it."""
_INTERNAL = frozenset(vars(Module()))


def parts(cell: Any) -> list[Module]:
    """A module and all within it, also where it calls something of its own ``modules``."""
    return list(Module.modules(cell)) if isinstance(cell, Module) else []


def _keeps_parts(module: Module) -> bool:
    """Whether a module has an attribute of its own, beside those that PyTorch registers, in which there may be more."""
    holding = (list, tuple, dict, Module, torch.nn.Parameter)
    return any(name not in _INTERNAL and isinstance(value, holding) for name, value in vars(module).items())


def _tensors(holders: Sequence[Any]) -> Iterator[Tensor]:
    """Every tensor that a module keeps: parameters, buffers and plain attributes, each once."""
    seen: set[int] = set()
    for holder in holders:
        kept = [vars(holder), *(vars(holder).get(name) or {} for name in ("_parameters", "_buffers"))]
        for tensor in (value for attributes in kept for value in attributes.values()):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in seen and not torch.nn.parameter.is_lazy(tensor):
                seen.add(id(tensor))
                yield tensor


@contextlib.contextmanager
def _scripted(cell: Any) -> Iterator[Callable[..., Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scripted = torch.jit.script(cell)
        except Exception as error:
            raise BackendError(f"{type(cell).__name__} cannot be scripted.") from error
        yield scripted
