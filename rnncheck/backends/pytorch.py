"""PyTorch's tensors."""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from rnncheck.backends import torch_dropout, torch_functions
from rnncheck.backends.base import Array, Derivative, Dropping, Gradients, Tensor, Tensors, Weight, merged
from rnncheck.backends.snapshot import Restore


class TorchTensors(Tensors):
    """See :class:`rnncheck.backends.base.Tensors`."""

    name = "torch"
    version = f"torch {torch.__version__.partition('+')[0]}"

    def is_tensor(self, value: Any) -> bool:
        return isinstance(self.raw(value), torch.Tensor)

    def numpy(self, tensor: Tensor) -> Array:
        value = self.raw(tensor).detach().cpu()
        if value.dtype is torch.bfloat16:
            value = value.float()
        return np.array(value.resolve_conj().resolve_neg().numpy(), copy=True)

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        tensor = torch.from_numpy(np.array(array, copy=True))
        return tensor if dtype is None else tensor.to(getattr(torch, dtype))

    def dtype(self, tensor: Tensor) -> str:
        return str(self.raw(tensor).dtype).removeprefix("torch.")

    def seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        # As torch.manual_seed does, which for a device that nobody uses yet notes down who asked: a millisecond a call.
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(seed)
        self.seed_library(seed)

    @contextlib.contextmanager
    def keep_randomness(self) -> Iterator[None]:
        python, numpy, own = random.getstate(), np.random.get_state(), torch.get_rng_state()
        restore = self.keep_library()
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_rng_state(own)
            restore()

    def eagerly(self) -> contextlib.AbstractContextManager[None]:
        if "torch._dynamo" not in sys.modules:
            return contextlib.nullcontext()
        stance: contextlib.AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
        return stance

    def without_gradient(self) -> contextlib.AbstractContextManager[None]:
        off: contextlib.AbstractContextManager[None] = torch.no_grad()
        return off

    @contextlib.contextmanager
    def dropping(self, cell: Any, path: str) -> Iterator[list[Dropping]]:
        watch = torch_dropout.Watch(cell, path)
        with watch:
            yield watch.found

    def weight(self, name: str, tensor: Tensor, trainable: bool) -> Weight:
        def read() -> Array:
            return np.array(tensor.detach().cpu().float().numpy(), copy=True)

        def assign(value: Array) -> None:
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(np.array(value, copy=True)).reshape(tensor.shape))

        return Weight(name, tuple(tensor.shape), trainable, tensor, read, assign)

    def keep(self, tensor: Tensor) -> Restore:
        saved = tensor.detach().clone()

        def restore() -> None:
            with torch.no_grad():
                if tensor.dtype == saved.dtype and tensor.shape == saved.shape:
                    tensor.copy_(saved)
                else:
                    tensor.data = saved.clone()

        return restore

    def is_weight(self, value: Any) -> bool:
        return isinstance(self.raw(value), torch.nn.Parameter)

    def is_module(self, value: Any) -> bool:
        return isinstance(value, torch.nn.Module)

    def stamp(self, tensor: Tensor) -> Any:
        value = self.raw(tensor)
        return None if value.is_inference() else value._version

    @contextlib.contextmanager
    def tracking(
        self, sources: Sequence[tuple[Array, str]]
    ) -> Iterator[tuple[list[Tensor], Callable[[Tensor, Sequence[int]], bool], Callable[[], bool]]]:
        leaves = self._leaves(sources)
        recorded: list[None] = []

        def pack(tensor: Tensor) -> Tensor:
            recorded.append(None)
            return tensor

        def connected(tensor: Tensor, numbers: Sequence[int]) -> bool:
            value = self.raw(tensor)
            wanted = [leaves[number] for number in numbers if leaves[number].requires_grad]
            if not wanted or not value.requires_grad:
                return False
            whole = torch.view_as_real(value) if value.is_complex() else value
            found = torch.autograd.grad(whole.sum(), wanted, retain_graph=True, allow_unused=True)
            return any(gradient is not None for gradient in found)

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield [leaf.clone() for leaf in leaves], connected, lambda: bool(recorded)

    def _leaves(self, sources: Sequence[tuple[Array, str]]) -> list[Tensor]:
        leaves = [self.tensor(array, dtype) for array, dtype in sources]
        for leaf in leaves:
            if leaf.is_floating_point() or leaf.is_complex():
                leaf.requires_grad_()
        return leaves

    def gradients(
        self,
        run: Callable[[Sequence[Tensor]], Sequence[Sequence[Tensor]]],
        sources: Sequence[tuple[Array, str]],
        weights: Sequence[Weight],
    ) -> Gradients:
        leaves = self._leaves(sources)
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
        return Gradients(by_target, reached, torch_functions.met(itertools.chain(*targets)))

    def wrong_derivatives(self, functions: Sequence[type], run: Callable[[], Any]) -> list[Derivative]:
        with torch_functions.calls_of(functions) as calls:
            run()
        return torch_functions.wrong(calls)


def _project(tensor: Tensor, noise: torch.Generator) -> Tensor:
    value = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return (value * (torch.rand(value.shape, generator=noise) + 0.5).to(value.dtype)).sum()
