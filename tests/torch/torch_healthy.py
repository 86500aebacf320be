"""Healthy PyTorch cells that look broken: each trap that a checker of states falls into."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class ZeroInitialisedRecurrence(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.zeros_(self.h.weight)

    def forward(self, x, h):
        return torch.tanh(self.x(x) + self.h(h))


class FrozenZeroRecurrence(ZeroInitialisedRecurrence):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.h.weight.requires_grad_(False)


class ReZero(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x, h):
        return h + self.alpha * self.cell(x, h)


class ClosedGate(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)
        self.gate = nn.Linear(input_size, hidden_size)
        nn.init.constant_(self.gate.bias, -1e5)

    def forward(self, x, h):
        z = torch.sigmoid(self.gate(x))
        return (1 - z) * h + z * torch.tanh(self.candidate(torch.cat([x, h], 1)))


class MostlyDeadReLU(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size)
        nn.init.constant_(self.h.bias, -2.0)

    def forward(self, x, h):
        return F.relu(self.x(x) + self.h(h))


class TinySteps(nn.Module):
    def __init__(self, input_size, hidden_size, dt=1e-6):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)
        self.dt = dt

    def forward(self, x, h):
        return h + self.dt * (torch.tanh(self.w(torch.cat([x, h], 1))) - h)


class LeakyIntegrator(nn.Module):
    def __init__(self, beta=0.9):
        super().__init__()
        self.beta = beta

    def forward(self, x, mem):
        return self.beta * mem + x


class Spiking(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.fc = nn.Linear(input_size, hidden_size)

    def forward(self, x, state):
        v, adaptation = state
        v = 0.9 * v + self.fc(x)
        spike = (v > 1.0 + adaptation).float()
        return spike, (v - spike, 0.95 * adaptation + 0.5 * spike)


class ShiftRegister(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        a, b, c = state
        return self.out(c), (torch.tanh(self.w(x)), a, b)


class LongShiftRegister(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in range(10)]

    def forward(self, x, state):
        new = self.w(x) + state[-1]
        return new, [new, *state[:-1]]


class DropoutMask(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        mask = torch.bernoulli(torch.full((batch_size, self.hidden_size), 0.5)) / 0.5
        return torch.zeros(batch_size, self.hidden_size), mask

    def forward(self, x, state):
        h, mask = state
        h = self.cell(x, h * mask)
        return h, (h, mask)


class KeptForTheCaller(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inner = nn.GRUCell(input_size, hidden_size)
        self.mean = nn.Linear(hidden_size, hidden_size)
        self.posterior = nn.Linear(hidden_size + input_size, hidden_size)

    def initial_state(self, batch_size):
        return {"deter": torch.zeros(batch_size, self.hidden_size), "mean": torch.zeros(batch_size, self.hidden_size)}

    def observe(self, deter, embedding):
        return self.posterior(torch.cat([deter, embedding], -1))

    def forward(self, x, state):
        deter = self.inner(x, state["deter"])
        return deter, {"deter": deter, "mean": self.mean(deter)}


class KeptBesideSparseWeights(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.codes = nn.Embedding(64, hidden_size)
        self.pick = nn.Linear(input_size + hidden_size, 64)
        self.wide = nn.Linear(hidden_size, 256)
        self.project = nn.Linear(256, hidden_size)
        self.spare = nn.LayerNorm(hidden_size)
        self.start = nn.Parameter(torch.zeros(hidden_size))

    def init_state(self, batch_size):
        start = self.start.expand(batch_size, -1)
        return start, torch.zeros_like(start)

    def forward(self, x, state):
        code, logits = state
        picked = self.pick(torch.cat([x, code], -1)).argmax(-1)
        code = self.codes(picked) + 0.1 * code
        logits = self.project(F.relu(self.wide(code) - 0.5))
        return code, (code, logits)

    def decode(self, code):
        return self.spare(code)


class StepCounter(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.start = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), 0

    def forward(self, x, state):
        h, t = state
        h = torch.tanh(self.start(x)) if t == 0 else self.cell(x, h)
        return h, (h, t + 1)


class SlowSlot(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)

    def init_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros, torch.zeros(batch_size, 1)

    def forward(self, x, state):
        h, slow, t = state
        h = self.cell(torch.cat([x, slow], 1), h)
        slow = torch.where(t % 10 == 9, h, slow)
        return h, (h, slow, t + 1)


class ForgetsOnSomeInputs(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        if x.mean() > 0:
            h = torch.zeros_like(h)
        return self.cell(x, h * (x[:, :1] <= 0.5).float())


class ForgetsByChance(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        if torch.rand(()) < 0.3:
            h = torch.zeros_like(h)
        return self.cell(x, F.dropout(h, 0.8, training=True))


class Zoneout(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = state
        h_new, c_new = self.cell(x, (h, c))
        keep = torch.bernoulli(torch.full_like(h, 0.3))
        return h_new, (keep * h + (1 - keep) * h_new, keep * c + (1 - keep) * c_new)


class Sampled(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def forward(self, x, z):
        mean, scale = self.w(torch.cat([x, z], -1)).chunk(2, -1)
        return mean + F.softplus(scale) * torch.randn_like(mean)


class LearnedStart(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.h0 = nn.Parameter(torch.randn(1, hidden_size))
        self.gate = nn.Linear(input_size, hidden_size)

    def forward(self, x, h=None):
        if h is None:
            h = self.h0.expand(x.size(0), -1)
        return h * torch.exp(0.1 * torch.tanh(self.gate(x)))


class PositiveState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.z = nn.Linear(input_size, hidden_size)
        self.n = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.full((batch_size, self.hidden_size), 0.5)

    def forward(self, x, h):
        z = torch.sigmoid(self.z(x))
        return torch.exp(torch.log(h) * (1 - z) + z * torch.log_softmax(self.n(x), -1).clamp(-3))


class SameTensorTwice(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def init_hidden(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        return self.cell(x, state)


class OutputIsTheState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        h = self.cell(x, h)
        return h, h


class State(NamedTuple):
    h: torch.Tensor
    c: torch.Tensor


class NamedState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state: State | None = None):
        h, c = self.cell(x, tuple(state) if state is not None else None)
        return h, State(h, c)


class UnannotatedNamedState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.cell(x, (state.h, state.c))
        return h, State(h, c)


class DictState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.cell(x, (state["h"], state["c"]))
        return h, {"c": c, "h": h}


class SlotsOfTwoWidths(nn.Module):
    def __init__(self, input_size, hidden_size, memory_size=4):
        super().__init__()
        self.cell = nn.GRUCell(input_size + memory_size, hidden_size)
        self.write = nn.Linear(hidden_size, memory_size)

    def forward(self, x, state):
        h, memory = state
        h = self.cell(torch.cat([x, memory], 1), h)
        return h, (h, 0.9 * memory + self.write(h))


class KeepsItsLastState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.calls = 0
        self.last = None

    def forward(self, x, h):
        self.calls += 1
        self.last = self.cell(x, h)
        return self.last


class ScriptedStep(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.w(torch.cat([x, h], -1)))


class ScriptMethods(torch.jit.ScriptModule):
    """None for its state would be taken for a tensor, and break TorchScript for the rest of the process."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(input_size, hidden_size))
        self.u = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))

    @torch.jit.script_method
    def forward(self, x, h):
        return torch.tanh(torch.mm(x, self.w) + torch.mm(h, self.u))


def scripted():
    return torch.jit.script(ScriptedStep(5, 8))


def half_precision():
    return nn.GRUCell(5, 8).bfloat16()


def square():
    return nn.LSTMCell(8, 8)


class StopsAtItsLength(nn.Module):
    """What is told with each step decides which rows go on."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h, lengths, t):
        new = self.cell(x, h)
        return torch.where((t < lengths).unsqueeze(1), new, h)


class KeepsWhatIsMasked(nn.Module):
    """Where the mask is set a row stands still."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h, mask):
        return torch.where(mask.bool().view(-1, 1), h, self.cell(x, h))


class FillsWhatIsMissing(nn.Module):
    """The last input stands in for what was not observed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h, last, mask):
        x = mask * x + (1 - mask) * last
        return self.cell(x, h), x


class FeedsItsContextBack(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.score = nn.Linear(2 * hidden_size, 1)

    def forward(self, x, hidden, context, encoder_outputs):
        hidden = self.rnn(torch.cat([x, context], -1), hidden)
        beside = hidden.unsqueeze(1).expand_as(encoder_outputs)
        weights = torch.softmax(self.score(torch.cat([beside, encoder_outputs], -1)), 1)
        context = (weights * encoder_outputs).sum(1)
        return hidden, hidden, context


class FeedsItsContextBackBesideAMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.read = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, hidden, context, memory):
        new_hidden = self.rnn(torch.cat([x, context], -1), hidden)
        context = torch.tanh(self.read(new_hidden)) * memory
        return new_hidden, context


class ConvolvesAlongEachAxis(nn.Module):
    def __init__(self, hidden_dim=16, input_dim=24 + 16):
        super().__init__()
        both = hidden_dim + input_dim
        self.z = nn.ModuleList(
            [nn.Conv2d(both, hidden_dim, k, padding=p) for k, p in (((1, 5), (0, 2)), ((5, 1), (2, 0)))]
        )
        self.q = nn.ModuleList(
            [nn.Conv2d(both, hidden_dim, k, padding=p) for k, p in (((1, 5), (0, 2)), ((5, 1), (2, 0)))]
        )

    def forward(self, h, x):
        for update, candidate in zip(self.z, self.q):
            z = torch.sigmoid(update(torch.cat([h, x], dim=1)))
            h = (1 - z) * h + z * torch.tanh(candidate(torch.cat([h, x], dim=1)))
        return h


class DropsItsWeights(nn.Module):
    """In evaluation mode the dropout gives the parameter itself back, which the cell then registers."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.raw = nn.Parameter(self.cell.weight_hh.detach().clone())
        del self.cell._parameters["weight_hh"]
        self.cell.weight_hh = self.raw.data

    def forward(self, x, state):
        self.cell.weight_hh = F.dropout(self.raw, 0.5, training=self.training)
        return self.cell(x, state)


class MasterGates(nn.Module):
    """The hidden units in chunks, each with a gate."""

    def __init__(self, input_size, hidden_size, chunk_size):
        super().__init__()
        self.chunk_size, self.chunks = chunk_size, int(hidden_size / chunk_size)
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size + self.chunks)

    def forward(self, x, hidden):
        gates = self.gates(torch.cat([x, hidden], 1))
        master = torch.cumsum(torch.softmax(gates[:, : self.chunks], -1), -1).unsqueeze(-1)
        z, n = gates[:, self.chunks :].view(-1, 2 * self.chunks, self.chunk_size).chunk(2, 1)
        keep = torch.sigmoid(z) * master
        before = hidden.view(-1, self.chunks, self.chunk_size)
        return (keep * before + (1 - keep) * torch.tanh(n)).flatten(1)
