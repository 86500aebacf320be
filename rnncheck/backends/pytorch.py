"""PyTorch's tensors."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils import deterministic

from rnncheck.backends import torch_dropout, torch_functions
from rnncheck.backends.base import (
    HOST,
    Array,
    Derivative,
    Dropping,
    Gradients,
    Tape,
    Tensor,
    Tensors,
    Weight,
    merged,
    no_device,
)
from rnncheck.backends.snapshot import Restore
from rnncheck.errors import BackendError
from rnncheck.usercode import usertrace


class TorchTensors(Tensors):
    """See :class:`rnncheck.backends.base.Tensors`."""

    name = "torch"
    version = f"torch {torch.__version__.partition('+')[0]}"
    place = torch.device(HOST)
    _asked = False

    def is_tensor(self, value: Any) -> bool:
        return isinstance(self.raw(value), torch.Tensor)

    def numpy(self, tensor: Tensor) -> Array:
        value = self.raw(tensor)
        if value.dtype is torch.bfloat16:
            value = value.float()
        return np.array(value.numpy(force=True), copy=True)

    def copy(self, tensor: Tensor) -> Tensor:
        return self.raw(tensor).detach().to(self.place, copy=True)

    def stack(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(tensors))

    def measure(self, before: Tensor | None, after: Tensor) -> Tensor:
        # Apple's devices have no wider one.
        wide = torch.float32 if after.device.type == "mps" else torch.float64

        def mean_square(value: Tensor) -> Tensor:
            size = value.to(torch.complex128 if value.is_complex() else wide).abs()
            return (size * size).mean()

        broken = after.isnan().any()
        if before is None:
            return torch.stack([broken.to(wide)] * 4)
        broken = broken | (after.isinf().any() & ~before.isinf().any())
        same = ((before == after) | (before.isnan() & after.isnan())).all()
        return torch.stack([mean_square(before), mean_square(after), same.to(wide), broken.to(wide)])

    def tensor(self, array: Array, dtype: str | None = None) -> Tensor:
        tensor = torch.from_numpy(np.array(array, copy=True))
        wanted = tensor.dtype if dtype is None else getattr(torch, dtype)
        return tensor if tensor.dtype is wanted and self.device == HOST else tensor.to(self.place, wanted)

    def dtype(self, tensor: Tensor) -> str:
        return str(self.raw(tensor).dtype).removeprefix("torch.")

    @contextlib.contextmanager
    def on_device(self, asked: str | None, target: Any) -> Iterator[None]:
        exact = torch.get_deterministic_debug_mode(), deterministic.fill_uninitialized_memory
        cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        self._asked = asked is not None
        try:
            if asked is not None:
                self._go(_device(asked.lower()))
            else:
                self._go(_home(target))
            yield
        finally:
            if self.device != HOST:
                torch.set_deterministic_debug_mode(exact[0])
                deterministic.fill_uninitialized_memory = exact[1]
                torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn

    def _go(self, place: torch.device) -> None:
        """Numbers are compared bit for bit: where a kernel has a form that repeats itself, that one is taken."""
        self.place, self.device = place, str(place)
        if self.device != HOST:
            torch.set_deterministic_debug_mode(max(torch.get_deterministic_debug_mode(), 1))
            warnings.filterwarnings("ignore", message=".*deterministic")
            # Memory that a cell has not written yet is no NaN of its own.
            deterministic.fill_uninitialized_memory = False
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False

    def move(self, cell: Any) -> Restore:
        if not self._asked:
            self._go(_home(cell))
        if not self._asked or not isinstance(cell, torch.nn.Module):
            return lambda: None
        back = _way_back(cell)
        try:
            cell.to(self.place)
        except Exception as error:
            back()
            name = type(cell).__name__
            raise BackendError(f"{name} could not be moved to {self.device}: {usertrace.summary(error)}.") from error
        return back

    def seed(self, seed: int) -> None:
        random.seed(seed)
        np.random.seed(seed)
        # As torch.manual_seed does, which for a device that nobody uses yet notes down who asked: a millisecond a call.
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(seed)
        if self.place.type == "mps":
            torch.mps.manual_seed(seed)
        self.seed_library(seed)

    @contextlib.contextmanager
    def keep_randomness(self) -> Iterator[None]:
        python, numpy, own = random.getstate(), np.random.get_state(), torch.get_rng_state()
        restore = self.keep_library()
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        mps = torch.mps.get_rng_state() if self.place.type == "mps" else None
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_rng_state(own)
            for number, state in enumerate(cuda):
                torch.cuda.set_rng_state(state, number)
            if mps is not None:
                torch.mps.set_rng_state(mps)
            restore()

    def takes_none(self, cell: Any, method: str, argument: str) -> bool:
        # TorchScript takes None for a tensor, and then fails in every other call that this process makes of it.
        schema = getattr(getattr(cell, method, None), "schema", None)
        typed = {item.name: item.type for item in schema.arguments} if schema is not None else {}
        return bool(typed.get(argument) != torch._C.TensorType.get())

    def compiled(self, cell: Any) -> str | None:
        if not isinstance(cell, torch.jit.ScriptModule):
            return None
        return "TorchScript shows none of the lines that it runs: PYTORCH_JIT=0 rnncheck ... tells them too."

    def eagerly(self) -> contextlib.AbstractContextManager[None]:
        if "torch._dynamo" not in sys.modules:
            return contextlib.nullcontext()
        stance: contextlib.AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
        return stance

    def without_gradient(self) -> contextlib.AbstractContextManager[None]:
        off: contextlib.AbstractContextManager[None] = torch.no_grad()
        return off

    @contextlib.contextmanager
    def one_thread(self) -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @contextlib.contextmanager
    def dropping(self, cell: Any, path: str) -> Iterator[list[Dropping]]:
        watch = torch_dropout.Watch(cell, path)
        with watch:
            yield watch.found

    def weight(self, name: str, tensor: Tensor, trainable: bool, registered: bool = True) -> Weight:
        def read() -> Array:
            return np.array(tensor.detach().cpu().float().numpy(), copy=True)

        def assign(value: Array) -> None:
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(np.array(value, copy=True)).reshape(tensor.shape))

        return Weight(name, tuple(tensor.shape), trainable, tensor, read, assign, registered)

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
    def tracking(self, sources: Sequence[tuple[Array, str]]) -> Iterator[Tape]:
        leaves = self._leaves(sources)
        recorded: list[None] = []

        def pack(tensor: Tensor) -> Tensor:
            recorded.append(None)
            return tensor

        def derivatives(tensor: Tensor, wanted: Sequence[Tensor]) -> list[Array | None]:
            value, active = self.raw(tensor), [one for one in wanted if one.requires_grad]
            if not active or not value.requires_grad:
                return [None] * len(wanted)
            whole = torch.view_as_real(value) if value.is_complex() else value
            found = iter(torch.autograd.grad(whole.sum(), active, retain_graph=True, allow_unused=True))
            every = [next(found) if one.requires_grad else None for one in wanted]
            return [None if gradient is None else self.numpy(gradient) for gradient in every]

        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            yield Tape([leaf.clone() for leaf in leaves], leaves, derivatives, lambda: bool(recorded))

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
        touched: list[Array | None] = [None] * len(leaves)
        finite = True
        with torch.enable_grad():
            # A copy of each leaf goes in, so that a cell may work in place on its argument.
            targets = run([leaf.clone() for leaf in leaves])
            for target in targets:
                parts = [tensor for tensor in target if tensor.requires_grad]
                if not parts or not wanted:
                    by_target.append([None] * len(leaves))
                    continue
                projected = [_projected(tensor, noise) for tensor in parts]
                found = torch.autograd.grad(projected, wanted, retain_graph=True, allow_unused=True)
                by_weights = found[len(active) :]
                finite = finite and all(grad is None or _finite(grad) for grad in by_weights)
                every = iter(found)
                mine = [next(every) if leaf.requires_grad else None for leaf in leaves]
                arrays = [None if grad is None else self.numpy(grad) for grad in mine]
                by_target.append([None if array is None else float(np.abs(array).max(initial=0.0)) for array in arrays])
                for index, array in enumerate(arrays):
                    touched[index] = merged(touched[index], None if array is None else array != 0)
                for index, grad in enumerate(next(every) if known else None for known in differentiable):
                    reached[index] = merged(reached[index], None if grad is None else self.numpy(grad != 0))
        return Gradients(by_target, reached, touched, finite, torch_functions.met(itertools.chain(*targets)))

    def wrong_derivatives(self, functions: Sequence[type], run: Callable[[], Any]) -> list[Derivative]:
        with torch_functions.calls_of(functions) as calls:
            run()
        return torch_functions.wrong(calls)


def _projected(tensor: Tensor, noise: torch.Generator) -> Tensor:
    """The sum of its numbers, each times a random one that is not small. Weights that are given to
    ``torch.autograd.grad`` itself make it import what takes a tenth of PyTorch's own time and memory."""
    numbers = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    factors = torch.empty(numbers.shape, device=HOST, dtype=torch.float32).uniform_(0.5, 1.5, generator=noise)
    return (numbers * factors.to(numbers)).sum()


def _finite(tensor: Tensor) -> bool:
    """Whether its numbers are, of which the sum tells nearly always."""
    whole = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return math.isfinite(whole.sum().item()) or bool(torch.isfinite(whole).all())


def _device(name: str) -> torch.device:
    there = [HOST, *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    there += ["mps"] if torch.backends.mps.is_available() else []
    try:
        place = torch.empty(0, device=name.replace("gpu", "cuda")).device
    except Exception as error:
        raise no_device(name, "PyTorch", there) from error
    # There tensors have shapes and no numbers.
    if place.type == "meta":
        raise no_device(name, "PyTorch", there)
    return torch.device(HOST) if place.type == HOST else place


def _home(cell: Any) -> torch.device:
    """Where a cell lives: its first tensor that is not on the CPU tells."""
    tensors = itertools.chain(cell.parameters(), cell.buffers()) if isinstance(cell, torch.nn.Module) else ()
    return next((tensor.device for tensor in tensors if tensor.device.type not in (HOST, "meta")), torch.device(HOST))


def _way_back(cell: torch.nn.Module) -> Restore:
    """Puts a module's tensors and their gradients back where they lie now, the very same memory."""
    registries = [getattr(part, name) for part in torch.nn.Module.modules(cell) for name in ("_parameters", "_buffers")]
    known = [(registry, dict(registry.items())) for registry in registries]
    tensors = [tensor for _, registry in known for tensor in registry.values() if tensor is not None]
    tensors = [tensor for tensor in tensors if not torch.nn.parameter.is_lazy(tensor)]
    gradients = [(tensor, tensor.grad) for tensor in tensors]
    held = [*tensors, *(gradient for _, gradient in gradients if gradient is not None)]
    memory = [(tensor, tensor.data) for tensor in held]

    def back() -> None:
        for registry, tensors in known:
            for name, tensor in tensors.items():
                registry[name] = tensor
        for tensor, data in memory:
            if tensor.device != data.device:
                tensor.data = data
        for tensor, gradient in gradients:
            tensor.grad = gradient

    return back
