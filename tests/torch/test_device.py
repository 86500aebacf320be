"""``--device``: where a cell runs, what is said of one that is not there, and what is brought from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import left_behind
import numpy as np
import pytest
import torch
import torch_rules
from cases import check, classes
from torch import Tensor, nn

import rnncheck
from rnncheck.backends.base import Figures
from rnncheck.backends.pytorch import TorchTensors
from rnncheck.backends.torch_modules import TorchModules
from rnncheck.errors import UsageError
from rnncheck.experiments.probes import Lab
from rnncheck.formats import render

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


class Plain(nn.Module):
    def __init__(self, input_size: int = 5, hidden_size: int = 8) -> None:
        super().__init__()
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)
        self.drop = nn.Dropout(0.2)
        self.register_buffer("scale", torch.ones(hidden_size))

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        fresh = torch.tanh(self.mix(torch.cat([x, self.drop(h)], 1))) * self.scale
        return fresh, fresh

    def init_hidden(self, batch_size: int) -> Tensor:
        return self.scale.new_zeros(batch_size, 8)


class Frozen(Plain):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        fresh = torch.tanh(self.mix(torch.cat([x, h], 1)))
        return fresh, h


class InPlace(Plain):
    """What is held must not be rewritten by the next step."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h.copy_(torch.tanh(self.mix(torch.cat([x, h], 1))))
        return h.clone(), h


class Doubles(Plain):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        fresh = 3e9 * h + self.mix(torch.cat([x, torch.tanh(h)], 1))
        return torch.tanh(fresh), fresh


def told(target: Any, **options: Any) -> Any:
    """What a report tells, without the device and the sizes, which another device adds in another order."""
    result = check(target, backend="torch", **options)
    return result.verdict, result.findings, result.outcomes, result.influence, [e.unchanged for e in result.timeline]


class TestAsked:
    @pytest.mark.parametrize("name", ["cuda", "cuda:7", "gpu", "mps", "meta", "nonsense"])
    def test_a_device_that_is_not_there_is_told_with_those_that_are(self, name: str) -> None:
        if name.startswith(("cuda", "gpu")) and torch.cuda.is_available() and name != "cuda:7":
            pytest.skip("it is there")
        (result,) = rnncheck.check(Plain, backend="torch", device=name).results
        assert result.error is not None
        assert result.error.type == "usage"
        named = f"device {name}" if ":" in name else f"{name.upper()} device"
        assert result.error.message == f"There is no {named} here."
        assert "What PyTorch finds: cpu" in (result.error.hint or "")
        assert result.settings["device"] == name

    def test_the_exit_status_is_that_of_no_verdict(self) -> None:
        assert rnncheck.check(Plain, backend="torch", device="nonsense").exit_status() == 2

    @pytest.mark.parametrize("device", [None, "cpu", "CPU", torch.device("cpu")], ids=str)
    def test_the_report_says_where_it_ran(self, device: Any) -> None:
        report = rnncheck.check(Plain, backend="torch", device=device)
        (document,) = json.loads(render(report, "json"))["results"]
        assert (document["verdict"], document["settings"]["device"]) == ("clean", "cpu")

    def test_words_that_name_no_device_are_refused_at_once(self) -> None:
        with pytest.raises(UsageError, match="--device takes the name of one"):
            rnncheck.check(Plain, device="the first")


class TestMoved:
    @staticmethod
    def moved(cell: nn.Module, within: Callable[[], None] = lambda: None) -> None:
        backend = TorchModules()
        with backend.on_device("cpu", cell):
            backend.place = torch.device("meta")
            home = backend.move(cell)
            within()
            home()

    def test_a_module_goes_there_and_comes_back_to_the_same_memory(self) -> None:
        cell = Plain()
        cell.mix.bias.grad = torch.ones(8)
        tensors = [*cell.parameters(), *cell.buffers(), cell.mix.bias.grad]
        before = [(id(tensor), tensor.data_ptr(), tensor.device) for tensor in tensors]

        def look() -> None:
            assert {tensor.device.type for tensor in (*cell.parameters(), *cell.buffers())} == {"meta"}

        self.moved(cell, look)
        tensors = [*cell.parameters(), *cell.buffers(), cell.mix.bias.grad]
        assert [(id(tensor), tensor.data_ptr(), tensor.device) for tensor in tensors] == before

    def test_a_scripted_module_comes_back(self) -> None:
        cell = torch.jit.script(Plain())
        before = {name: value.clone() for name, value in cell.state_dict().items()}
        self.moved(cell)
        after = cell.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())

    def test_a_module_that_cannot_be_moved_is_told(self) -> None:
        class Stays(Plain):
            def to(self, *given: Any, **named: Any) -> Any:
                raise RuntimeError("out of memory")

        (result,) = rnncheck.check(Stays(), backend="torch", device="cpu").results
        assert result.error is not None
        assert result.error.message == "Stays could not be moved to cpu: RuntimeError: out of memory."


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A backend that takes the CPU for another device, and the sizes of all that is brought from there."""
    sizes: list[int] = []
    bring = TorchTensors.numpy

    def go(self: TorchTensors, place: torch.device) -> None:
        self.place, self.device = place, "elsewhere:0"

    def numpy(self: TorchTensors, tensor: Tensor) -> Any:
        sizes.append(tensor.numel())
        return bring(self, tensor)

    monkeypatch.setattr(TorchTensors, "_go", go)
    monkeypatch.setattr(TorchTensors, "numpy", numpy)
    return sizes


class TestBrought:
    def test_a_longer_run_is_not_brought_more_often(self, brought: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        counts: dict[int, set[int]] = {}
        run = Lab.run

        def counted(self: Lab, inputs: Any, *given: Any, **named: Any) -> Any:
            before = len(brought)
            found = run(self, inputs, *given, **named)
            counts.setdefault(len(inputs), set()).add(len(brought) - before)
            return found

        monkeypatch.setattr(Lab, "run", counted)
        assert check(Plain, backend="torch", steps=12).verdict == "clean"
        assert len(counts) > 2
        # A slot and an output of one shape and dtype come together.
        assert set().union(*counts.values()) == {1}

    def test_the_whole_check_is_not_brought_more_often(self, brought: list[int]) -> None:
        counts = []
        for steps in (8, 16):
            brought.clear()
            assert check(Plain, backend="torch", steps=steps).verdict == "clean"
            counts.append(len(brought))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("cell", [Plain, Frozen])
    def test_of_a_long_run_only_sizes_are_brought(self, brought: list[int], cell: type[Plain]) -> None:
        counts = []
        for steps in (32, 160):
            brought.clear()
            check(cell, backend="torch", steps=steps)
            counts.append((len(brought), sum(brought)))
        (few, little), (many, much) = counts
        runs = 2 if cell is Frozen else 1
        assert many - few <= runs * (160 - 32) / 16
        # Four numbers for each slot, output and dropped value.
        assert much - little <= runs * 3 * 4 * (160 - 32)

    @pytest.mark.parametrize("cell", [Plain, Frozen, InPlace, Doubles], ids=lambda cell: cell.__name__)
    @pytest.mark.parametrize("steps", [5, 50])
    def test_what_is_told_is_the_same(self, request: pytest.FixtureRequest, cell: type[Plain], steps: int) -> None:
        here = told(cell, steps=steps)
        request.getfixturevalue("brought")
        assert told(cell, steps=steps) == here

    def test_what_is_told_of_cells_with_defects_is_the_same(self, request: pytest.FixtureRequest) -> None:
        cells = [cell for cell in classes(torch_rules) if isinstance(cell, type)][::12]
        here = [told(cell) for cell in cells]
        request.getfixturevalue("brought")
        assert [told(cell) for cell in cells] == here


VALUES = {
    "float": torch.tensor([[1.0, -2.0], [0.5, 3.0]]),
    "half": torch.tensor([60000.0, 2.0], dtype=torch.float16),
    "bfloat16": torch.tensor([1.5, 2.0], dtype=torch.bfloat16),
    "large": torch.tensor([1e300, 1e200], dtype=torch.float64),
    "nan": torch.tensor([float("nan"), 1.0]),
    "infinite": torch.tensor([float("inf"), 1.0]),
    "complex": torch.tensor([3 + 4j, 1 - 1j]),
    "whole": torch.tensor([3, -4]),
    "flag": torch.tensor([True, False]),
    "scalar": torch.tensor(2.0),
    "nothing": torch.zeros(0, 8),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=cuda)])
def test_figures_are_those_of_the_arrays(name: str, device: str) -> None:
    here, there = TorchModules(), TorchModules()
    there.device, there.place = "elsewhere:0", torch.device(device)
    value = VALUES[name]
    other = ~value if value.dtype is torch.bool else value.nan_to_num(1.0, 2.0, 3.0) + 1
    for pair in ((value, value), (other, value), (value, other), (None, value)):
        (wanted,) = here.figures([tuple(None if part is None else here.hold(part) for part in pair)])
        (found,) = there.figures([tuple(None if part is None else there.hold(part) for part in pair)])
        assert (found.unchanged or pair[0] is None, found.broken) == (wanted.unchanged, wanted.broken)
        assert isinstance(found, Figures)
        if pair[0] is not None:
            assert [found.before, found.after] == [
                None if size is None else pytest.approx(size, rel=1e-12) for size in (wanted.before, wanted.after)
            ]


def test_what_is_held_comes_back_as_it_was() -> None:
    backend = TorchModules()
    backend.device = "elsewhere:0"
    values = [*VALUES.values(), VALUES["float"] + 1, VALUES["scalar"] * 3]
    held = [backend.hold(value) for value in values]
    found = backend.read([*held, held[0]])
    for value, array in zip([*values, values[0]], found):
        np.testing.assert_array_equal(array, backend.numpy(value))
        assert array.dtype == backend.numpy(value).dtype


@cuda
class TestOnCuda:
    @pytest.mark.parametrize("cell", [Plain, Frozen, InPlace, Doubles], ids=lambda cell: cell.__name__)
    @pytest.mark.parametrize("steps", [5, 50])
    def test_what_is_found_is_what_is_found_on_the_cpu(self, cell: type[Plain], steps: int) -> None:
        here, there = (check(cell, backend="torch", steps=steps, device=device) for device in ("cpu", "cuda"))
        assert there.settings["device"] == "cuda:0"
        assert there.verdict == here.verdict
        assert [(f.rule, f.severity, f.state) for f in there.findings] == [
            (f.rule, f.severity, f.state) for f in here.findings
        ]

    def test_cells_with_defects(self) -> None:
        wrong = []
        for name, cell in vars(torch_rules).items():
            if not isinstance(cell, type) or not issubclass(cell, nn.Module) or cell.__module__ != torch_rules.__name__:
                continue
            here, there = (check(cell, backend="torch", device=device) for device in ("cpu", "cuda"))
            if there.error is None and [f.rule for f in here.findings] != [f.rule for f in there.findings]:
                wrong.append((name, [f.rule for f in here.findings], [f.rule for f in there.findings]))
        assert wrong == []

    def test_all_that_goes_in_is_there(self) -> None:
        seen = set()

        class Looks(Plain):
            def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
                seen.update({x.device, h.device, self.mix.weight.device})
                return super().forward(x, h)

        assert check(Looks, backend="torch", device="cuda").verdict == "clean"
        assert seen == {torch.device("cuda:0")}

    def test_an_instance_comes_back_to_where_it_was(self) -> None:
        cell = Plain().train()
        for parameter in cell.parameters():
            parameter.grad = torch.randn_like(parameter)
        tensors = [*cell.parameters(), *cell.buffers(), *(parameter.grad for parameter in cell.parameters())]
        before = [(id(tensor), tensor.data_ptr(), tensor.device, tensor.detach().clone()) for tensor in tensors]
        modes = torch.get_deterministic_debug_mode(), torch.backends.cudnn.deterministic
        randomness = torch.cuda.get_rng_state_all()
        process = left_behind.process()
        assert check(cell, backend="torch", device="cuda").verdict == "clean"
        assert left_behind.differences(process, left_behind.process()) == []
        tensors = [*cell.parameters(), *cell.buffers(), *(parameter.grad for parameter in cell.parameters())]
        for tensor, (number, memory, device, values) in zip(tensors, before):
            assert (id(tensor), tensor.data_ptr(), tensor.device) == (number, memory, device)
            assert torch.equal(tensor, values)
        assert (torch.get_deterministic_debug_mode(), torch.backends.cudnn.deterministic) == modes
        assert all(map(torch.equal, torch.cuda.get_rng_state_all(), randomness))

    def test_an_instance_is_checked_where_it_lives(self) -> None:
        cell = Plain().to("cuda")
        memory = [tensor.data_ptr() for tensor in cell.parameters()]
        assert check(cell, backend="torch").settings["device"] == "cuda:0"
        assert check(cell, backend="torch", device="cpu").settings["device"] == "cpu"
        assert [tensor.data_ptr() for tensor in cell.parameters()] == memory
        assert check(lambda: Plain().to("cuda"), backend="torch").settings["device"] == "cuda:0"
        assert check(Plain, backend="torch").settings["device"] == "cpu"
