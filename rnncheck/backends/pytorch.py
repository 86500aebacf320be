"""PyTorch: cells are ``torch.nn.Module`` with a ``forward``."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from rnncheck.backends import providers
from rnncheck.backends.base import Array, Gradients, Tensor, Weight, merged
from rnncheck.backends.snapshot import Snapshot


class TorchBackend:
    """See :class:`rnncheck.backends.base.Backend`."""

    name = "torch"
    method = "forward"

    def __init__(self) -> None:
        self.version = f"torch {torch.__version__.partition('+')[0]}"

    def owns(self, obj: Any) -> bool:
        return issubclass(obj, torch.nn.Module) if isinstance(obj, type) else isinstance(obj, torch.nn.Module)

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor)

    def numpy(self, tensor: Tensor) -> Array:
        value = tensor.detach().cpu()
        if value.dtype is torch.bfloat16:
            value = value.float()
        return np.array(value.resolve_conj().resolve_neg().numpy(), copy=True)

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        tensor = torch.from_numpy(np.array(array, copy=True))
        return tensor if dtype is None else tensor.to(getattr(torch, dtype))

    def dtype(self, tensor: Tensor) -> str:
        return str(tensor.dtype).removeprefix("torch.")

    def seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)

    @contextlib.contextmanager
    def keep_randomness(self) -> Iterator[None]:
        python, numpy, own = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_rng_state(own)

    def eagerly(self) -> contextlib.AbstractContextManager[None]:
        if "torch._dynamo" not in sys.modules:
            return contextlib.nullcontext()
        stance: contextlib.AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
        return stance

    def prepare(self, cell: Any, input_shape: tuple[int, ...]) -> None:
        with contextlib.suppress(Exception):
            cell.eval()

    def unwrap(self, cell: Any) -> Any:
        return getattr(cell, "_orig_mod", cell)

    def snapshot(self, cell: Any) -> Snapshot:
        holders = list(cell.modules()) if isinstance(cell, torch.nn.Module) else [cell]
        scripted = isinstance(cell, torch.jit.ScriptModule)
        return Snapshot([] if scripted else holders, [_numbers(tensor) for tensor in _tensors(holders)])

    def without_gradient(self) -> contextlib.AbstractContextManager[None]:
        off: contextlib.AbstractContextManager[None] = torch.no_grad()
        return off

    def weights(self, cell: Any) -> list[Weight]:
        named = cell.named_parameters() if isinstance(cell, torch.nn.Module) else ()
        return [
            _weight(name, parameter)
            for name, parameter in named
            if parameter.is_floating_point() and not torch.nn.parameter.is_lazy(parameter)
        ]

    def zero_constants(self, cell: Any) -> list[Weight]:
        named = cell.named_buffers() if isinstance(cell, torch.nn.Module) else ()
        return [_weight(name, buffer) for name, buffer in named if buffer.is_floating_point() and not buffer.any()]

    def unused_layers(self, cell: Any) -> list[str]:
        return []

    def float_dtype(self, cell: Any) -> str:
        parameters = cell.parameters() if isinstance(cell, torch.nn.Module) else ()
        return next((self.dtype(parameter) for parameter in parameters if parameter.is_floating_point()), "float32")

    def with_dtype(self, cell: Any, dtype: str) -> Any:
        return cell.to(getattr(torch, dtype))

    def construction_dtype(self, dtype: str | None) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def embeds(self, cell: Any) -> bool:
        return isinstance(cell, torch.nn.Module) and any(
            isinstance(module, (torch.nn.Embedding, torch.nn.EmbeddingBag)) for module in cell.modules()
        )

    def has_recurrent_layer(self, cell: Any) -> bool:
        return isinstance(cell, torch.nn.Module) and any(
            isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)) for module in cell.modules()
        )

    def kept(self, cell: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, holder in _named_holders(cell):
            attributes = {**vars(holder), **(vars(holder).get("_buffers") or {})}
            for attribute, value in attributes.items():
                if attribute not in _INTERNAL and _is_kept(value):
                    found[f"{name}.{attribute}" if name else attribute] = _copied(value)
        return found

    def keep(self, cell: Any, path: str, value: Any) -> None:
        name, _, attribute = path.rpartition(".")
        holder = dict(_named_holders(cell))[name]
        buffers = vars(holder).get("_buffers") or {}
        if attribute in buffers:
            buffers[attribute] = value
        else:
            setattr(holder, attribute, value)

    def declares_state_size(self, cell: Any) -> bool | None:
        return None

    def initial_states(self, cell: Any, batch: int, x: Tensor) -> Iterator[tuple[str, Any]]:
        known = {"device": x.device, "dtype": x.dtype}
        yield from providers.states(cell, batch, x, known, self.is_tensor)

    def restart(self, cell: Any, batch: int, x: Tensor) -> None:
        providers.restart(cell, batch, x, {"device": x.device, "dtype": x.dtype})

    def output_first(self, cell: Any) -> bool:
        return False

    def channels_last(self) -> bool:
        return False

    def gradients(
        self,
        run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]],
        sources: Sequence[tuple[Array, str]],
        weights: Sequence[Weight],
    ) -> Gradients:
        leaves = [self.tensor(array, dtype) for array, dtype in sources]
        for leaf in leaves:
            if leaf.is_floating_point() or leaf.is_complex():
                leaf.requires_grad_()
        active = [leaf for leaf in leaves if leaf.requires_grad]
        differentiable = [weight.tensor.requires_grad for weight in weights]
        wanted = active + [weight.tensor for weight in weights if weight.tensor.requires_grad]
        noise = torch.Generator().manual_seed(0)
        by_target: list[list[float | None]] = []
        reached: list[Array | None] = [None] * len(weights)
        with torch.enable_grad():
            # A copy of each leaf goes in, so that a cell may work in place on its argument.
            targets = run([leaf.clone() for leaf in leaves])
            for target in targets:
                parts = [_project(tensor, noise) for tensor in target if tensor.requires_grad]
                if not parts or not wanted:
                    by_target.append([None] * len(leaves))
                    continue
                found = torch.autograd.grad(sum(parts), wanted, retain_graph=True, allow_unused=True)
                sizes = iter(
                    [None if grad is None else float(grad.abs().max()) if grad.numel() else 0.0 for grad in found]
                )
                by_target.append([next(sizes) if leaf.requires_grad else None for leaf in leaves])
                indices = [index for index, is_differentiable in enumerate(differentiable) if is_differentiable]
                for index, grad in zip(indices, found[len(active) :]):
                    reached[index] = merged(reached[index], None if grad is None else self.numpy(grad) != 0)
        return Gradients(by_target, reached)


_INTERNAL = frozenset(vars(torch.nn.Module()))


def _named_holders(cell: Any) -> list[tuple[str, Any]]:
    if not isinstance(cell, torch.nn.Module) or isinstance(cell, torch.jit.ScriptModule):
        return []
    return list(cell.named_modules())


def _is_kept(value: Any) -> bool:
    """A tensor that is no weight, nothing yet, or a nest of such."""
    if isinstance(value, torch.nn.Parameter):
        return False
    if isinstance(value, (list, tuple)):
        return bool(value) and len(value) <= 64 and all(map(_is_kept, value))
    if isinstance(value, dict):
        return bool(value) and len(value) <= 64 and all(map(_is_kept, value.values()))
    return value is None or isinstance(value, torch.Tensor)


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_copied, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(_copied, value))
    return {key: _copied(part) for key, part in value.items()} if isinstance(value, dict) else value


def _weight(name: str, parameter: Tensor) -> Weight:
    def read() -> Array:
        return np.array(parameter.detach().cpu().float().numpy(), copy=True)

    def assign(value: Array) -> None:
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(value, copy=True)).reshape(parameter.shape))

    return Weight(name, tuple(parameter.shape), parameter.requires_grad, parameter, read, assign)


def _tensors(holders: Sequence[Any]) -> Iterator[Tensor]:
    """Every tensor that a module keeps: parameters, buffers and plain attributes, each once."""
    seen: set[int] = set()
    for holder in holders:
        kept = [vars(holder), *(vars(holder).get(name) or {} for name in ("_parameters", "_buffers"))]
        for tensor in (value for attributes in kept for value in attributes.values()):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in seen and not torch.nn.parameter.is_lazy(tensor):
                seen.add(id(tensor))
                yield tensor


def _numbers(tensor: Tensor) -> Callable[[], None]:
    """Puts a tensor's numbers back, in the dtype that they had."""
    saved = tensor.detach().clone()

    def restore() -> None:
        with torch.no_grad():
            if tensor.dtype == saved.dtype and tensor.shape == saved.shape:
                tensor.copy_(saved)
            else:
                tensor.data = saved.clone()

    return restore


def _project(tensor: Tensor, noise: torch.Generator) -> Tensor:
    value = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return (value * (torch.rand(value.shape, generator=noise) + 0.5).to(value.dtype)).sum()
