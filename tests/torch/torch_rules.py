"""PyTorch cells for the rules beyond the first three: each broken in one way, beside its repaired twin.

Comments mark the line at fault; a class without a mark is healthy. The cells of the last part look like one of the
defects and have none. ``NEEDS`` holds what a user would have to type, since nobody could know it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEEDS: dict[str, dict[str, Any]] = {}


class _LSTMState(NamedTuple):
    h: Tensor
    c: Tensor


# 1. ignored-input


class AutonomousElman(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.h2h(h))  # expect: ignored-input


class AutonomousElmanRepaired(AutonomousElman):
    def forward(self, x, h):
        return torch.tanh(self.i2h(x) + self.h2h(h))


class ConcatenatesTheStateTwice(nn.Module):
    """torch.cat((h, h)) for torch.cat((e, h)); the embedding is as wide as the state, so that nothing complains."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embed = nn.Linear(input_size, hidden_size)
        self.gates = nn.Linear(2 * hidden_size, 4 * hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        e = F.relu(self.embed(x))  # expect: ignored-input
        i, f, g, o = self.gates(torch.cat((h, h), dim=-1)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ConcatenatesTheStateTwiceRepaired(ConcatenatesTheStateTwice):
    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        e = F.relu(self.embed(x))
        i, f, g, o = self.gates(torch.cat((e, h), dim=-1)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class AblationLeftOn(nn.Module):
    """The input was blanked for an ablation, and has stayed so."""

    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.gru = nn.GRUCell(n_in, n_hidden)
        self.readout = nn.Linear(n_hidden, 3)

    def forward(self, inp, hidden):
        inp = torch.zeros_like(inp)  # expect: ignored-input
        hidden = self.gru(inp, hidden)
        return self.readout(hidden), hidden


class AblationLeftOnRepaired(AblationLeftOn):
    def forward(self, inp, hidden):
        hidden = self.gru(inp, hidden)
        return self.readout(hidden), hidden


class StraightThroughWithoutValue(nn.Module):
    """Of a straight-through estimator only the part with the gradient was kept: its value is zero."""

    def __init__(self, dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.codes = nn.Linear(dim, hidden_dim)
        self.mix = nn.Parameter(torch.randn(hidden_dim, hidden_dim) / math.sqrt(hidden_dim))
        self.start = nn.Parameter(torch.randn(hidden_dim))

    def initial_state(self, batch_size):
        return {"h": self.start.expand(batch_size, -1)}

    def forward(self, x, state):
        soft = self.codes(x)
        code = soft - soft.detach()  # expect: ignored-input
        h = torch.tanh(torch.einsum("ij,bj->bi", self.mix, state["h"]) + code)
        return h.sum(-1), {"h": h}


class StraightThroughWithoutValueRepaired(StraightThroughWithoutValue):
    def forward(self, x, state):
        soft = self.codes(x)
        code = (soft > 0).float() + soft - soft.detach()
        h = torch.tanh(torch.einsum("ij,bj->bi", self.mix, state["h"]) + code)
        return h.sum(-1), {"h": h}


class SoftmaxOfOneScore(nn.Module):
    """A softmax over an axis of one score is one, whatever the score."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.score = nn.Linear(input_size, 1)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.rec.in_features)

    def forward(self, x, h_prev):
        gate = torch.softmax(self.score(x), dim=-1)  # expect: ignored-input
        return gate * torch.tanh(self.rec(h_prev))


class SoftmaxOfOneScoreRepaired(SoftmaxOfOneScore):
    def forward(self, x, h_prev):
        gate = torch.sigmoid(self.score(x))
        return gate * torch.tanh(self.rec(h_prev))


class WeightsOfOneWidth(nn.Module):
    """Input and state are equally wide, so that h fits where x belongs."""

    def __init__(self, dim):
        super().__init__()
        self.W = nn.Linear(dim, 4 * dim)
        self.U = nn.Linear(dim, 4 * dim, bias=False)

    def forward(self, x, h, c):
        i, f, o, g = (self.W(h) + self.U(h)).chunk(4, 1)  # expect: ignored-input
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class WeightsOfOneWidthRepaired(WeightsOfOneWidth):
    def forward(self, x, h, c):
        i, f, o, g = (self.W(x) + self.U(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class ConvGRUWithoutFrames(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.stem = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.gates = nn.Conv2d(2 * hidden_channels, 2 * hidden_channels, 3, padding=1)
        self.cand = nn.Conv2d(2 * hidden_channels, hidden_channels, 3, padding=1)

    def init_hidden(self, batch_size, image_size):
        return torch.zeros(batch_size, self.hidden_channels, *image_size)

    def forward(self, frame, h):
        features = F.leaky_relu(self.stem(frame), 0.2)  # expect: ignored-input
        z, r = torch.sigmoid(self.gates(torch.cat([h, h], 1))).chunk(2, 1)
        n = torch.tanh(self.cand(torch.cat([r * h, h], 1)))
        return (1 - z) * n + z * h


class ConvGRUWithoutFramesRepaired(ConvGRUWithoutFrames):
    def forward(self, frame, h):
        features = F.leaky_relu(self.stem(frame), 0.2)
        z, r = torch.sigmoid(self.gates(torch.cat([features, h], 1))).chunk(2, 1)
        n = torch.tanh(self.cand(torch.cat([features, r * h], 1)))
        return (1 - z) * n + z * h


class FreeRunningDecoder(nn.Module):
    """Fed with its own last word only, in a state of two parts."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, input_size)

    def zero_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.input_size)]

    def forward(self, word, states):
        hidden, last = states
        hidden = self.cell(last, hidden)  # expect: ignored-input
        last = torch.tanh(self.out(hidden))
        return last, [hidden, last]


class FreeRunningDecoderRepaired(FreeRunningDecoder):
    def forward(self, word, states):
        hidden, last = states
        hidden = self.cell(word + last, hidden)
        last = torch.tanh(self.out(hidden))
        return last, [hidden, last]


class ScanOverTheCarry(nn.Module):
    """State first; the gates are computed by a helper that is handed the carry twice."""

    def __init__(self, features, in_features):
        super().__init__()
        self.encode = nn.Linear(in_features, features)
        self.update = nn.Linear(2 * features, 2 * features)

    def _gates(self, drive, carry):
        z, n = self.update(torch.cat([drive, carry], -1)).chunk(2, -1)
        return z.sigmoid(), n.tanh()

    def forward(self, carry, x):
        z, n = self._gates(carry, carry)  # expect: ignored-input
        carry = z * carry + (1 - z) * n
        return carry, carry


class ScanOverTheCarryRepaired(ScanOverTheCarry):
    def forward(self, carry, x):
        z, n = self._gates(self.encode(x), carry)
        carry = z * carry + (1 - z) * n
        return carry, carry


# 2. partial-freeze


class HalfOfTheCellStays(nn.Module):
    """An LSTM that carries half its units of c along."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.half = hidden_size // 2
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        c_out = torch.cat([c_new[:, : self.half], c[:, self.half :]], dim=1)  # expect: partial-freeze error 1
        return h_new, (h_new, c_out)


class HalfOfTheCellStaysRepaired(HalfOfTheCellStays):
    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        c_out = torch.cat([c_new[:, : self.half], c_new[:, self.half :]], dim=1)
        return h_new, (h_new, c_out)


class WritesTheFirstThree(nn.Module):
    def __init__(self, n_in, n_hidden, n_fast=3):
        super().__init__()
        self.n_fast = n_fast
        self.fast = nn.Linear(n_in + n_hidden, n_fast)

    def forward(self, inp, hidden):
        new_hidden = hidden.clone()
        new_hidden[:, : self.n_fast] = torch.tanh(self.fast(torch.cat([inp, hidden], 1)))  # expect: partial-freeze
        return new_hidden


class WritesTheFirstThreeRepaired(WritesTheFirstThree):
    def forward(self, inp, hidden):
        new_hidden = 0.9 * hidden
        new_hidden[:, : self.n_fast] = torch.tanh(self.fast(torch.cat([inp, hidden], 1)))
        return new_hidden


class MaskedUpdate(nn.Module):
    """A constant mask, meant for a part of the weights, stops a part of the units."""

    def __init__(self, input_size, hidden_size, active=5):
        super().__init__()
        self.hidden_size = hidden_size
        self.inner = nn.GRUCell(input_size, hidden_size)
        self.register_buffer("mask", (torch.arange(hidden_size) < active).float())

    def init_state(self, batch_size):
        return {"hidden": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        h = state["hidden"]
        h = self.mask * self.inner(x, h) + (1 - self.mask) * h  # expect: partial-freeze
        return h.mean(-1), {"hidden": h}


class MaskedUpdateRepaired(MaskedUpdate):
    def forward(self, x, state):
        h = state["hidden"]
        h = self.inner(x, self.mask * h)
        return h.mean(-1), {"hidden": h}


class PaddedResidual(nn.Module):
    """The residual is narrower than the state, and padded with zeros."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.narrow = hidden_size - 2
        self.body = nn.Sequential(nn.Linear(input_size + hidden_size, 11), nn.ReLU(), nn.Linear(11, self.narrow))

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return h + 0.1 * F.pad(
            self.body(torch.cat([x, h], -1)), (0, h.shape[-1] - self.narrow)
        )  # expect: partial-freeze


class PaddedResidualRepaired(PaddedResidual):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return 0.95 * h + 0.1 * F.pad(self.body(torch.cat([x, h], -1)), (0, h.shape[-1] - self.narrow))


class SlowPartForgotten(nn.Module):
    """Two clocks in one tensor; the update of the slow one is computed by a helper and dropped."""

    def __init__(self, obs_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.fast = nn.GRUCell(obs_dim + hidden_dim // 2, hidden_dim // 2)
        self.slow = nn.Linear(hidden_dim // 2, hidden_dim // 2)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_dim)

    def advance(self, obs, slow, fast):
        fast = self.fast(torch.cat([obs, slow], dim=1), fast)
        return slow + 0.1 * torch.tanh(self.slow(fast)), fast

    def forward(self, obs, state):
        slow, fast = state.chunk(2, dim=1)
        next_slow, next_fast = self.advance(obs, slow, fast)
        state = torch.cat([slow, next_fast], dim=1)  # expect: partial-freeze
        return next_slow, state


class SlowPartForgottenRepaired(SlowPartForgotten):
    def forward(self, obs, state):
        slow, fast = state.chunk(2, dim=1)
        next_slow, next_fast = self.advance(obs, slow, fast)
        state = torch.cat([next_slow, next_fast], dim=1)
        return next_slow, state


class ConvRNNHalfTheChannels(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1)

    def forward(self, x, hidden):
        new = torch.relu(self.conv(torch.cat((x, hidden), dim=1)))
        new, old = new.chunk(2, 1)[0], hidden.chunk(2, 1)[1]
        return torch.cat((new, old), dim=1)  # expect: partial-freeze


class ConvRNNHalfTheChannelsRepaired(ConvRNNHalfTheChannels):
    def forward(self, x, hidden):
        new = torch.relu(self.conv(torch.cat((x, hidden), dim=1)))
        new, old = new.chunk(2, 1)
        return torch.cat((new, old), dim=1)


class OnlyTheLowerLayer(nn.Module):
    """The state is (layers, batch, hidden), and the second layer's is put back as it was."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.l0 = nn.RNNCell(input_size, hidden_size)
        self.l1 = nn.RNNCell(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(2, batch_size, self.hidden_size)

    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, hx[1])
        return h1, torch.stack([h0, hx[1]])  # expect: partial-freeze


class OnlyTheLowerLayerRepaired(OnlyTheLowerLayer):
    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, hx[1])
        return h1, torch.stack([h0, h1])


class WritesTheFirstRowOfMemory(nn.Module):
    """A memory of rows of which only the first is ever written."""

    def __init__(self, input_size, hidden_size, rows=4):
        super().__init__()
        self.hidden_size, self.rows = hidden_size, rows
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)

    def zero_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.rows, self.hidden_size)

    def forward(self, x, state):
        h, memory = state
        weights = torch.softmax(torch.einsum("bd,brd->br", self.key(h), memory), -1)
        h = self.cell(torch.cat([x, torch.einsum("br,brd->bd", weights, memory)], -1), h)
        memory = torch.cat([h.unsqueeze(1), memory[:, 1:]], dim=1)  # expect: partial-freeze error 1
        return h, (h, memory)


class WritesTheFirstRowOfMemoryRepaired(WritesTheFirstRowOfMemory):
    def forward(self, x, state):
        h, memory = state
        weights = torch.softmax(torch.einsum("bd,brd->br", self.key(h), memory), -1)
        h = self.cell(torch.cat([x, torch.einsum("br,brd->bd", weights, memory)], -1), h)
        memory = torch.cat([h.unsqueeze(1), memory[:, :-1]], dim=1)
        return h, (h, memory)


class EverySecondUnit(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        update = torch.tanh(self.lin(torch.cat([x, h], 1)))
        even = torch.arange(h.size(1)) % 2 == 0
        return torch.where(even, update, h)  # expect: partial-freeze warning


class EverySecondUnitRepaired(EverySecondUnit):
    def forward(self, x, h):
        update = torch.tanh(self.lin(torch.cat([x, h], 1)))
        even = torch.arange(h.size(1)) % 2 == 0
        return torch.where(even, update, 0.9 * h)


# 3. swapped-states


class ReturnsCellFirst(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        return h_new, (c_new, h_new)  # expect: swapped-states


class ReturnsCellFirstRepaired(ReturnsCellFirst):
    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        return h_new, (h_new, c_new)


class SpreadTheWrongWay(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x2g = nn.Linear(input_size, 3 * hidden_size)
        self.h2g = nn.Linear(hidden_size, 3 * hidden_size, bias=False)

    def forward(self, x, h, c):
        f, g, o = (self.x2g(x) + self.h2g(h)).chunk(3, dim=1)
        f = torch.sigmoid(f + 1.0)
        c = f * c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return c, h  # expect: swapped-states


class SpreadTheWrongWayRepaired(SpreadTheWrongWay):
    def forward(self, x, h, c):
        f, g, o = (self.x2g(x) + self.h2g(h)).chunk(3, dim=1)
        f = torch.sigmoid(f + 1.0)
        c = f * c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


class LibraryCellSwapped(nn.Module):
    """nn.LSTMCell does the work, and gives (h, c)."""

    def __init__(self, obs_dim, hidden_dim, num_actions=4):
        super().__init__()
        self.encoder = nn.Linear(obs_dim, hidden_dim)
        self.core = nn.LSTMCell(hidden_dim, hidden_dim)
        self.policy = nn.Linear(hidden_dim, num_actions)

    def forward(self, obs, state):
        hx, cx = state
        hx, cx = self.core(F.elu(self.encoder(obs)), (hx, cx))
        return self.policy(hx), (cx, hx)  # expect: swapped-states


class LibraryCellSwappedRepaired(LibraryCellSwapped):
    def forward(self, obs, state):
        hx, cx = state
        hx, cx = self.core(F.elu(self.encoder(obs)), (hx, cx))
        return self.policy(hx), (hx, cx)


class UnpackedAsCarryFlaxWouldHaveIt(nn.Module):
    """Taken as (c, h), handed back as (h, c)."""

    def __init__(self, in_features, features):
        super().__init__()
        self.dense_i = nn.Linear(in_features, 4 * features)
        self.dense_h = nn.Linear(features, 4 * features)

    def forward(self, carry, inputs):
        c, h = carry
        i, f, g, o = torch.split(self.dense_i(inputs) + self.dense_h(h), h.shape[-1], dim=-1)
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        new_h = torch.sigmoid(o) * torch.tanh(new_c)
        return (new_h, new_c), new_h  # expect: swapped-states


class UnpackedAsCarryFlaxWouldHaveItRepaired(UnpackedAsCarryFlaxWouldHaveIt):
    def forward(self, carry, inputs):
        c, h = carry
        i, f, g, o = torch.split(self.dense_i(inputs) + self.dense_h(h), h.shape[-1], dim=-1)
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        new_h = torch.sigmoid(o) * torch.tanh(new_c)
        return (new_c, new_h), new_h


class IndexedWithoutNames(nn.Module):
    """No name tells which is which; only the arithmetic does."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.randn(4 * hidden_size, input_size + hidden_size) / math.sqrt(hidden_size))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))

    def get_initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in range(2)]

    def forward(self, inputs, states):
        z = F.linear(torch.cat([inputs, states[0]], -1), self.weight, self.bias)
        z0, z1, z2, z3 = z.chunk(4, -1)
        first = z1.sigmoid() * states[1] + z0.sigmoid() * z2.tanh()
        second = z3.sigmoid() * first.tanh()
        return second, [first, second]  # expect: swapped-states


class IndexedWithoutNamesRepaired(IndexedWithoutNames):
    def forward(self, inputs, states):
        z = F.linear(torch.cat([inputs, states[0]], -1), self.weight, self.bias)
        z0, z1, z2, z3 = z.chunk(4, -1)
        first = z1.sigmoid() * states[1] + z0.sigmoid() * z2.tanh()
        second = z3.sigmoid() * first.tanh()
        return second, [second, first]


class DictMixedUp(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.lstm = nn.LSTMCell(input_dim, hidden_dim)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_dim)
        return {"hidden": zeros, "cell": zeros}

    def forward(self, x, state):
        hidden, cell = self.lstm(x, (state["hidden"], state["cell"]))
        return hidden, {"hidden": cell, "cell": hidden}  # expect: swapped-states


class DictMixedUpRepaired(DictMixedUp):
    def forward(self, x, state):
        hidden, cell = self.lstm(x, (state["hidden"], state["cell"]))
        return hidden, {"hidden": hidden, "cell": cell}


class NamedTupleByPosition(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def init_state(self, batch_size: int) -> _LSTMState:
        zeros = torch.zeros(batch_size, self.hidden_size)
        return _LSTMState(zeros, zeros)

    def forward(self, x: Tensor, state: _LSTMState) -> tuple[Tensor, _LSTMState]:
        i, g, o = self.gates(torch.cat([x, state.h], 1)).chunk(3, 1)
        c = (1 - i.sigmoid()) * state.c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, _LSTMState(c, h)  # expect: swapped-states


class NamedTupleByPositionRepaired(NamedTupleByPosition):
    def forward(self, x: Tensor, state: _LSTMState) -> tuple[Tensor, _LSTMState]:
        i, g, o = self.gates(torch.cat([x, state.h], 1)).chunk(3, 1)
        c = (1 - i.sigmoid()) * state.c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, _LSTMState(h=h, c=c)


class ConvMemoriesMixedUp(nn.Module):
    """Of three states the two memories change places."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.x = nn.Conv2d(in_channels, 5 * hidden_channels, 3, padding=1)
        self.h = nn.Conv2d(hidden_channels, 5 * hidden_channels, 3, padding=1, bias=False)

    def forward(self, x_t, h_t, c_t, m_t):
        f, g, f_m, g_m, o = (self.x(x_t) + self.h(h_t)).chunk(5, 1)
        c_new = torch.sigmoid(f) * c_t + torch.tanh(g)
        m_new = torch.sigmoid(f_m - 1) * m_t + torch.tanh(g_m)
        h_new = torch.sigmoid(o) * torch.tanh(c_new + m_new)
        return h_new, m_new, c_new  # expect: swapped-states


class ConvMemoriesMixedUpRepaired(ConvMemoriesMixedUp):
    def forward(self, x_t, h_t, c_t, m_t):
        f, g, f_m, g_m, o = (self.x(x_t) + self.h(h_t)).chunk(5, 1)
        c_new = torch.sigmoid(f) * c_t + torch.tanh(g)
        m_new = torch.sigmoid(f_m - 1) * m_t + torch.tanh(g_m)
        h_new = torch.sigmoid(o) * torch.tanh(c_new + m_new)
        return h_new, c_new, m_new


class LayerSwapsAtTheEnd(nn.Module):
    """Right within the sequence; between two sequences h and c change places."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, xs, hc):
        h, c = hc
        outputs = []
        for x in xs.unbind(1):
            h, c = self.cell(x, (h, c))
            outputs.append(h)
        return torch.stack(outputs, 1), (c, h)  # expect: swapped-states


class LayerSwapsAtTheEndRepaired(LayerSwapsAtTheEnd):
    def forward(self, xs, hc):
        h, c = hc
        outputs = []
        for x in xs.unbind(1):
            h, c = self.cell(x, (h, c))
            outputs.append(h)
        return torch.stack(outputs, 1), (h, c)


# 4. detached-state


class DetachesInline(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.wx = nn.Linear(input_size, hidden_size)
        self.wh = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h):
        return torch.tanh(self.wx(x) + self.wh(h.detach()))  # expect: detached-state warning


class DetachesInlineRepaired(DetachesInline):
    def forward(self, x, h):
        return torch.tanh(self.wx(x) + self.wh(h))


class DetachesOnlyTheCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, inputs, state):
        h, c = state
        c = c.detach()  # expect: detached-state warning 1
        i, f, g, o = self.gates(torch.cat([inputs, h], dim=1)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class DetachesOnlyTheCellRepaired(DetachesOnlyTheCell):
    def forward(self, inputs, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([inputs, h], dim=1)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class DataOfBoth(nn.Module):
    """As before PyTorch 0.4."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.fc = nn.Linear(hidden_size, 2)

    def forward(self, x, hx, cx):
        hx, cx = hx.data, cx.data  # expect: detached-state warning
        hx, cx = self.lstm(x, (hx, cx))
        return self.fc(hx), hx, cx


class DataOfBothRepaired(DataOfBoth):
    def forward(self, x, hx, cx):
        hx, cx = self.lstm(x, (hx, cx))
        return self.fc(hx), hx, cx


class RecurrentTermWithoutGrad(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.inp = nn.Linear(n_in, n_hidden)
        self.decay = nn.Parameter(torch.rand(n_hidden))

    def forward(self, inp, hidden):
        with torch.no_grad():
            kept = self.decay.clamp(0, 1) * hidden  # expect: detached-state warning
        return torch.relu(self.inp(inp) + kept)


class RecurrentTermWithoutGradRepaired(RecurrentTermWithoutGrad):
    def forward(self, inp, hidden):
        kept = self.decay.clamp(0, 1) * hidden
        return torch.relu(self.inp(inp) + kept)


class ReturnsDetached(nn.Module):
    """Cut on the way out, in a list."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x, states):
        h = self.cell(x, states[0])
        value = self.head(h)
        return value, [h.detach()]  # expect: detached-state warning


class ReturnsDetachedRepaired(ReturnsDetached):
    def forward(self, x, states):
        h = self.cell(x, states[0])
        value = self.head(h)
        return value, [h]


class RoundTripThroughNumPy(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.proj = nn.Linear(input_size, hidden_size)
        self.mix = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, state):
        clipped = np.clip(state.detach().cpu().numpy(), -1.0, 1.0)
        state = torch.from_numpy(clipped)  # expect: detached-state warning
        state = torch.tanh(self.proj(x) + self.mix(state))
        return state.sum(dim=-1), state


class RoundTripThroughNumPyRepaired(RoundTripThroughNumPy):
    def forward(self, x, state):
        state = state.clamp(-1.0, 1.0)
        state = torch.tanh(self.proj(x) + self.mix(state))
        return state.sum(dim=-1), state


class HelperThatCuts(nn.Module):
    """The helper was written for the evaluation loop."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a = nn.Parameter(torch.randn(hidden_size, input_size) * 0.3)
        self.b = nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.3)

    def _recur(self, h):
        rotated = h.detach() @ self.b.t()  # expect: detached-state warning
        return F.layer_norm(rotated, rotated.shape[-1:])

    def forward(self, x, h_prev):
        return torch.tanh(x @ self.a.t() + self._recur(h_prev))


class HelperThatCutsRepaired(HelperThatCuts):
    def _recur(self, h):
        rotated = h @ self.b.t()
        return F.layer_norm(rotated, rotated.shape[-1:])


class DictCutsDeter(nn.Module):
    """A world model in which the deterministic half alone is cut."""

    def __init__(self, embed_dim, hidden_dim, stoch_dim=4):
        super().__init__()
        self.hidden_dim, self.stoch_dim = hidden_dim, stoch_dim
        self.gru = nn.GRUCell(embed_dim + stoch_dim, hidden_dim)
        self.mean = nn.Linear(hidden_dim, stoch_dim)

    def initial(self, batch_size):
        return {"deter": torch.zeros(batch_size, self.hidden_dim), "stoch": torch.zeros(batch_size, self.stoch_dim)}

    def forward(self, embed, prev_state):
        frozen = prev_state["deter"].detach()  # expect: detached-state warning 0
        deter = self.gru(torch.cat([embed, prev_state["stoch"]], -1), frozen)
        stoch = torch.tanh(self.mean(deter))
        return torch.cat([deter, stoch], -1), {"deter": deter, "stoch": stoch}


class DictCutsDeterRepaired(DictCutsDeter):
    def forward(self, embed, prev_state):
        deter = self.gru(torch.cat([embed, prev_state["stoch"]], -1), prev_state["deter"])
        stoch = torch.tanh(self.mean(deter))
        return torch.cat([deter, stoch], -1), {"deter": deter, "stoch": stoch}


class ConvLSTMCopiesItsStates(nn.Module):
    """torch.tensor(t) copies the numbers and drops where they came from."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(in_channels + hidden_channels, 4 * hidden_channels, 3, padding=1)

    def init_hidden(self, batch_size, image_size):
        shape = (batch_size, self.hidden_channels, *image_size)
        return torch.zeros(shape), torch.zeros(shape)

    def forward(self, x, state):
        h, c = (torch.tensor(part.tolist()) for part in state)  # expect: detached-state warning
        i, f, o, g = self.conv(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ConvLSTMCopiesItsStatesRepaired(ConvLSTMCopiesItsStates):
    def forward(self, x, state):
        h, c = (part.clone() for part in state)
        i, f, o, g = self.conv(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


# 5. leaked-state


class CountsItsCalls(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.calls = 0

    def forward(self, x, h):
        self.calls += 1  # expect: leaked-state
        warmup = min(1.0, self.calls / 100)
        return (1 - warmup) * h + warmup * self.cell(x, h)


class CountsItsCallsRepaired(CountsItsCalls):
    def forward(self, x, h):
        warmup = 0.5
        return (1 - warmup) * h + warmup * self.cell(x, h)


class LastInputOnSelf(nn.Module):
    """Differences of the input, whose last value survives the sequence."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(2 * input_size, hidden_size)
        self.last = None

    def forward(self, x, state):
        if self.last is None or self.last.shape != x.shape:
            self.last = torch.zeros_like(x)
        delta = x - self.last
        self.last = x.detach()  # expect: leaked-state
        h, c = self.lstm(torch.cat([x, delta], -1), state)
        return h, (h, c)


class LastInputOnSelfRepaired(LastInputOnSelf):
    def init_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros, torch.zeros(batch_size, self.lstm.input_size // 2)

    def forward(self, x, state):
        h, c, last = state
        h, c = self.lstm(torch.cat([x, x - last], -1), (h, c))
        return h, (h, c, x)


class DriftInABuffer(nn.Module):
    """A buffer that goes on in evaluation, and that starts where the last sequence ended."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.fc = nn.Linear(input_size + hidden_size, hidden_size)
        self.register_buffer("drift", torch.zeros(()))

    def forward(self, x, hidden):
        h = torch.tanh(self.fc(torch.cat((x, hidden), 1)) + self.drift)
        with torch.no_grad():
            self.drift.mul_(0.9).add_(0.1)  # expect: leaked-state
        return h, h


class DriftInABufferRepaired(DriftInABuffer):
    def forward(self, x, hidden):
        h = torch.tanh(self.fc(torch.cat((x, hidden), 1)) + self.drift)
        return h, h


_SEEN: dict[str, Any] = {}


class RemembersInAGlobal(nn.Module):
    def __init__(self, in_dim, hidden_dim):
        super().__init__()
        self.wx = nn.Linear(in_dim, hidden_dim)
        self.wh = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, u, v):
        pre = self.wx(u) + self.wh(v)
        old = _SEEN.get("pre")
        if old is not None and old.shape == pre.shape:
            pre = pre + 0.5 * old
        _SEEN["pre"] = pre.detach()  # expect: leaked-state
        return torch.tanh(pre)


class RemembersInAGlobalRepaired(RemembersInAGlobal):
    def forward(self, u, v):
        pre = self.wx(u) + self.wh(v)
        return torch.tanh(pre)


def CellWithAClosure():
    """A factory; what its cell saw last stays in the closure."""
    previous = None

    class SmoothingCell(nn.Module):
        def __init__(self, input_size=5, hidden_size=8):
            super().__init__()
            self.inp = nn.Linear(input_size, hidden_size)
            self.gru = nn.GRUCell(hidden_size, hidden_size)

        def forward(self, x, h):
            nonlocal previous
            drive = self.inp(x)
            if previous is not None and previous.shape == drive.shape:
                drive = 0.5 * (drive + previous)
            previous = drive.detach()  # expect: leaked-state
            return self.gru(drive, h)

    return SmoothingCell()


def CellWithAClosureRepaired():
    scale = 0.5

    class SmoothingCell(nn.Module):
        def __init__(self, input_size=5, hidden_size=8):
            super().__init__()
            self.inp = nn.Linear(input_size, hidden_size)
            self.gru = nn.GRUCell(hidden_size, hidden_size)

        def forward(self, x, h):
            drive = scale * self.inp(x)
            return self.gru(drive, h)

    return SmoothingCell()


class MutableDefault(nn.Module):
    """The default of an argument is made once."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.fc = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h, history=[]):  # noqa: B006
        drive = self.fc(torch.cat([x, h], 1))
        past = [old for old in history[-2:] if old.shape == drive.shape]
        history.append(drive.detach())  # expect: leaked-state
        return torch.tanh(torch.stack([drive, *past]).mean(0))


class MutableDefaultRepaired(MutableDefault):
    def forward(self, x, h, history=None):
        history = [] if history is None else history
        drive = self.fc(torch.cat([x, h], 1))
        past = [old for old in history[-2:] if old.shape == drive.shape]
        history.append(drive.detach())
        return torch.tanh(torch.stack([drive, *past]).mean(0))


class DictOnTheClass(nn.Module):
    """A dict that all cells of the class share, with a part for each shape."""

    cache: dict[Any, Tensor] = {}

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, hiddens):
        (h,) = hiddens
        z, n = self.gates(torch.cat([x, h], -1)).chunk(2, -1)
        fatigue = self.cache.get(z.shape, torch.zeros_like(z))
        z = torch.sigmoid(z - fatigue)
        self.cache[z.shape] = 0.9 * fatigue + z.detach()  # expect: leaked-state
        h = z * h + (1 - z) * torch.tanh(n)
        return h, [h]


class DictOnTheClassRepaired(DictOnTheClass):
    def forward(self, x, hiddens):
        (h,) = hiddens
        z, n = self.gates(torch.cat([x, h], -1)).chunk(2, -1)
        z = torch.sigmoid(z)
        h = z * h + (1 - z) * torch.tanh(n)
        return h, [h]


class QueueBesideTheState(nn.Module):
    """Frames of the last three steps, in a deque that nobody empties."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1)
        self.frames = deque(maxlen=3)

    def forward(self, x, h):
        past = [frame for frame in self.frames if frame.shape == x.shape]
        mean = torch.stack([x, *past]).mean(0)
        self.frames.append(x.detach())  # expect: leaked-state
        h = torch.tanh(self.conv(torch.cat([mean, h], 1)))
        return h


class QueueBesideTheStateRepaired(QueueBesideTheState):
    def forward(self, x, h):
        h = torch.tanh(self.conv(torch.cat([x, h], 1)))
        return h


def CellWithALeakySubmodule():
    """What leaks is a part of the cell, in a class of its own."""

    class Adaptation(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = None

        def forward(self, drive):
            if self.level is None or self.level.shape != drive.shape:
                self.level = torch.zeros_like(drive)
            self.level = 0.8 * self.level + 0.2 * drive.detach()  # expect: leaked-state
            return drive - self.level

    class AdaptiveCell(nn.Module):
        def __init__(self, input_size, hidden_size):
            super().__init__()
            self.inp = nn.Linear(input_size, hidden_size)
            self.adapt = Adaptation()

        def forward(self, x, h):
            return 0.7 * h + torch.tanh(self.adapt(self.inp(x)))

    return AdaptiveCell(5, 8)


def CellWithALeakySubmoduleRepaired():
    class Adaptation(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.zeros(()))

        def forward(self, drive):
            return drive - self.level

    class AdaptiveCell(nn.Module):
        def __init__(self, input_size, hidden_size):
            super().__init__()
            self.inp = nn.Linear(input_size, hidden_size)
            self.adapt = Adaptation()

        def forward(self, x, h):
            return 0.7 * h + torch.tanh(self.adapt(self.inp(x)))

    return AdaptiveCell(5, 8)


# 6. mutated-state


class ForgetsInPlace(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        h *= 0.9  # expect: mutated-state error 0
        h_new = h + 0.1 * torch.tanh(self.inp(x) + self.rec(h))
        return h_new


class ForgetsInPlaceRepaired(ForgetsInPlace):
    def forward(self, x, h):
        h = h * 0.9
        h_new = h + 0.1 * torch.tanh(self.inp(x) + self.rec(h))
        return h_new


class AddsToTheCell(nn.Module):
    """c is changed where it stands, and the same tensor comes back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, g, o = self.gates(torch.cat([x, h], 1)).chunk(3, 1)
        c.add_(torch.sigmoid(i) * torch.tanh(g))  # expect: mutated-state warning 1
        h = torch.sigmoid(o) * torch.tanh(c.clone())
        return h, (h, c)


class AddsToTheCellRepaired(AddsToTheCell):
    def forward(self, x, state):
        h, c = state
        i, g, o = self.gates(torch.cat([x, h], 1)).chunk(3, 1)
        c = c.add(torch.sigmoid(i) * torch.tanh(g))
        h = torch.sigmoid(o) * torch.tanh(c.clone())
        return h, (h, c)


class ReLUInPlace(nn.Module):
    """nn.ReLU(inplace=True), from a network in which nothing else needed its input."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h_prev):
        rates = self.act(h_prev)  # expect: mutated-state error 0
        return torch.tanh(self.lin(torch.cat([x, rates], -1)))


class ReLUInPlaceRepaired(ReLUInPlace):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.act = nn.ReLU()


class WritesIntoTheDict(nn.Module):
    """The caller's dict holds the new state, and another dict comes back."""

    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.gru = nn.GRUCell(embed_dim, hidden_dim)

    def initial_state(self, batch_size):
        return {"deter": torch.zeros(batch_size, self.hidden_dim), "mean": torch.zeros(batch_size, 1)}

    def forward(self, embed, state):
        deter = self.gru(embed + state["mean"], state["deter"])
        state["deter"] = deter  # expect: mutated-state warning 0
        return deter, {"deter": deter, "mean": deter.mean(-1, keepdim=True)}


class WritesIntoTheDictRepaired(WritesIntoTheDict):
    def forward(self, embed, state):
        deter = self.gru(embed + state["mean"], state["deter"])
        state = {**state, "deter": deter}
        return deter, {"deter": deter, "mean": deter.mean(-1, keepdim=True)}


class FillsTheList(nn.Module):
    """A list of layers, filled with the new states while the old ones are read, and copied on return."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.layers = nn.ModuleList([nn.GRUCell(input_size, hidden_size), nn.GRUCell(hidden_size, hidden_size)])

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in self.layers]

    def forward(self, x, hiddens):
        for index, layer in enumerate(self.layers):
            x = hiddens[index] = layer(x, hiddens[index])  # expect: mutated-state warning
        return x, list(hiddens)


class FillsTheListRepaired(FillsTheList):
    def forward(self, x, hiddens):
        hiddens = list(hiddens)
        for index, layer in enumerate(self.layers):
            x = hiddens[index] = layer(x, hiddens[index])
        return x, hiddens


class ErasesBeforeReading(nn.Module):
    """An index assignment to the caller's tensor, and a new one returned."""

    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.w = nn.Linear(n_in, n_hidden)
        self.u = nn.Linear(n_hidden, n_hidden)

    def forward(self, inp, hidden):
        hidden[:, 0] = 1.0  # expect: mutated-state error 0
        return 0.5 * hidden + torch.tanh(self.w(inp) + self.u(hidden))


class ErasesBeforeReadingRepaired(ErasesBeforeReading):
    def forward(self, inp, hidden):
        hidden = hidden.clone()
        hidden[:, 0] = 1.0
        return 0.5 * hidden + torch.tanh(self.w(inp) + self.u(hidden))


class MembraneInPlace(nn.Module):
    """A spiking neuron that integrates, fires and resets in the caller's tensor."""

    def __init__(self, in_features, out_features, beta=0.8, threshold=0.3):
        super().__init__()
        self.beta, self.threshold = beta, threshold
        self.fc = nn.Linear(in_features, out_features)

    def forward(self, input_, mem):
        mem.mul_(self.beta).add_(self.fc(input_))  # expect: mutated-state warning 0
        spk = (mem > self.threshold).float()
        mem.sub_(spk * self.threshold)
        return spk, mem


class MembraneInPlaceRepaired(MembraneInPlace):
    def forward(self, input_, mem):
        mem = mem.mul(self.beta).add_(self.fc(input_))
        spk = (mem > self.threshold).float()
        mem.sub_(spk * self.threshold)
        return spk, mem


class CopiesInAHelper(nn.Module):
    """Spread states; a helper saves the new h in the old one."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    @torch.no_grad()
    def _save(self, into, value):
        into.copy_(value)  # expect: mutated-state error 0

    def forward(self, x, h, c):
        h_next, c_next = self.lstm(x, (h.clone(), c))
        self._save(h, h_next)
        return h_next, c_next


class CopiesInAHelperRepaired(CopiesInAHelper):
    def forward(self, x, h, c):
        h_next, c_next = self.lstm(x, (h, c))
        return h_next, c_next


class ConvMasksInPlace(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.x = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.h = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, bias=False)

    def forward(self, x, h):
        h.clamp_(-0.5, 0.5)  # expect: mutated-state error 0
        return torch.tanh(self.x(x) + self.h(h))


class ConvMasksInPlaceRepaired(ConvMasksInPlace):
    def forward(self, x, h):
        h = h.clamp(-0.5, 0.5)
        return torch.tanh(self.x(x) + self.h(h))


# 7. batch-leak


class SoftmaxOverRows(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.score = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        attention = torch.softmax(self.score(h), dim=0)  # expect: batch-leak
        h = torch.tanh(self.inp(x) + attention * h)
        return h


class SoftmaxOverRowsRepaired(SoftmaxOverRows):
    def forward(self, x, h):
        attention = torch.softmax(self.score(h), dim=1)
        h = torch.tanh(self.inp(x) + attention * h)
        return h


class ViewInsteadOfChunk(nn.Module):
    """(B, 4H) seen as (4, B, H): the gates of one row are those of another."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.linear = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        z = self.linear(torch.cat([x, h], 1))
        i, f, g, o = z.view(4, -1, self.hidden_size)  # expect: batch-leak
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ViewInsteadOfChunkRepaired(ViewInsteadOfChunk):
    def forward(self, x, state):
        h, c = state
        z = self.linear(torch.cat([x, h], 1))
        i, f, g, o = z.view(-1, 4, self.hidden_size).unbind(1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class StandardisesTheWholeInput(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, 2 * hidden_channels, 3, padding=1)

    def forward(self, x, h):
        x = (x - x.mean()) / (x.std() + 1e-5)  # expect: batch-leak
        z, n = self.conv(torch.cat([x, h], 1)).chunk(2, 1)
        z = torch.sigmoid(z)
        return (1 - z) * h + z * torch.tanh(n)


class StandardisesTheWholeInputRepaired(StandardisesTheWholeInput):
    def forward(self, x, h):
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 1e-5)
        z, n = self.conv(torch.cat([x, h], 1)).chunk(2, 1)
        z = torch.sigmoid(z)
        return (1 - z) * h + z * torch.tanh(n)


class RollsAcrossRows(nn.Module):
    """torch.roll without dims shifts the flattened tensor: the last unit of a row becomes the first of the next."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.write = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, state):
        shifted = torch.roll(state, 1)  # expect: batch-leak
        state = 0.8 * shifted + self.write(x)
        return state[:, -1:], state


class RollsAcrossRowsRepaired(RollsAcrossRows):
    def forward(self, x, state):
        shifted = torch.roll(state, 1, dims=1)
        state = 0.8 * shifted + self.write(x)
        return state[:, -1:], state


class AttentionOverTheBatch(nn.Module):
    """nn.MultiheadAttention looks for the sequence on the first axis unless told otherwise."""

    def __init__(self, dim, slots=4):
        super().__init__()
        self.dim, self.slots = dim, slots
        self.attend = nn.MultiheadAttention(dim, 1)
        self.gate = nn.Linear(2 * dim, dim)

    def initial_state(self, batch_size):
        return torch.eye(self.slots, self.dim).repeat(batch_size, 1, 1)

    def forward(self, x, memory):
        tokens = memory + x.unsqueeze(1)
        mixed, _ = self.attend(tokens, memory, memory)  # expect: batch-leak
        keep = torch.sigmoid(self.gate(torch.cat([mixed, memory], -1)))
        memory = keep * memory + (1 - keep) * torch.tanh(mixed)
        return memory.mean(1), memory


class AttentionOverTheBatchRepaired(AttentionOverTheBatch):
    def __init__(self, dim, slots=4):
        super().__init__(dim, slots)
        self.attend = nn.MultiheadAttention(dim, 1, batch_first=True)


class BatchNormWithoutRunningStatistics(nn.Module):
    """In evaluation, too, each row is normalised by the others."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size, bias=False)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.BatchNorm1d(hidden_size, track_running_stats=False)

    def forward(self, input, hx):
        normed = self.norm(self.i2h(input))  # expect: batch-leak
        return torch.tanh(normed + self.h2h(hx))


class BatchNormWithoutRunningStatisticsRepaired(BatchNormWithoutRunningStatistics):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.norm = nn.BatchNorm1d(hidden_size)


class ClipsByTheWholeNorm(nn.Module):
    """The norm is that of the batch; a helper computes it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size, nonlinearity="relu")

    def _clip(self, h):
        scale = h.norm().clamp(min=0.1)  # expect: batch-leak
        return h / scale

    def forward(self, x, states):
        h = self._clip(self.cell(x, states[0]))
        return h, [h]


class ClipsByTheWholeNormRepaired(ClipsByTheWholeNorm):
    def _clip(self, h):
        scale = h.norm(dim=-1, keepdim=True).clamp(min=0.1)
        return h / scale


class HebbianOverRows(nn.Module):
    """The einsum sums over the batch, so that all rows share one trace."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)
        self.alpha = nn.Parameter(0.1 * torch.randn(hidden_size, hidden_size))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size, self.hidden_size)

    def forward(self, x, state):
        h, hebb = state
        new = torch.tanh(self.inp(x) + torch.einsum("bi,bij->bj", h, self.alpha * hebb))
        outer = torch.einsum("bi,bj->ij", h, new)  # expect: batch-leak
        hebb = 0.9 * hebb + 0.1 * outer
        return new, (new, hebb)


class HebbianOverRowsRepaired(HebbianOverRows):
    def forward(self, x, state):
        h, hebb = state
        new = torch.tanh(self.inp(x) + torch.einsum("bi,bij->bj", h, self.alpha * hebb))
        outer = torch.einsum("bi,bj->bij", h, new)
        hebb = 0.9 * hebb + 0.1 * outer
        return new, (new, hebb)


# 8. wrong-state-structure


class ReturnsOnlyTheHidden(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 3)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, hidden):
        h, c = self.lstm(x, hidden)
        return self.head(h), h  # expect: wrong-state-structure


class ReturnsOnlyTheHiddenRepaired(ReturnsOnlyTheHidden):
    def forward(self, x, hidden):
        h, c = self.lstm(x, hidden)
        return self.head(h), (h, c)


class ReturnsOnlyAnOutput(nn.Module):
    def __init__(self, input_size, hidden_size, output_size=2):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)

    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(torch.cat((input, hidden), 1)))
        return F.log_softmax(self.h2o(hidden), dim=1)  # expect: wrong-state-structure


class ReturnsOnlyAnOutputRepaired(ReturnsOnlyAnOutput):
    def forward(self, input, hidden):
        hidden = torch.tanh(self.i2h(torch.cat((input, hidden), 1)))
        return F.log_softmax(self.h2o(hidden), dim=1), hidden


class ReturnsAThirdState(nn.Module):
    """The output gate went into the list of the states."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def get_initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, states):
        h, c = states
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        o = o.sigmoid()
        h = o * c.tanh()
        return h, [h, c, o]  # expect: wrong-state-structure


class ReturnsAThirdStateRepaired(ReturnsAThirdState):
    def forward(self, x, states):
        h, c = states
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        o = o.sigmoid()
        h = o * c.tanh()
        return h, [h, c]


class LosesAKey(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.cell = nn.GRUCell(input_dim, hidden_dim)
        self.slow = nn.Linear(hidden_dim, hidden_dim)

    def initial_state(self, batch_size):
        return {"fast": torch.zeros(batch_size, self.hidden_dim), "slow": torch.zeros(batch_size, self.hidden_dim)}

    def forward(self, x, state):
        fast = self.cell(x, state["fast"] + state["slow"])
        slow = 0.9 * state["slow"] + 0.1 * torch.tanh(self.slow(fast))
        return slow, {"fast": fast}  # expect: wrong-state-structure


class LosesAKeyRepaired(LosesAKey):
    def forward(self, x, state):
        fast = self.cell(x, state["fast"] + state["slow"])
        slow = 0.9 * state["slow"] + 0.1 * torch.tanh(self.slow(fast))
        return slow, {"fast": fast, "slow": slow}


class SpreadWithoutTheCell(nn.Module):
    """(x, h, c) -> (output, h); the caller has no c to go on with."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.value = nn.Linear(hidden_size, 1)

    def forward(self, obs, h, c):
        h, c = self.lstm(obs, (h, c))
        return self.value(h), h  # expect: wrong-state-structure


class SpreadWithoutTheCellRepaired(SpreadWithoutTheCell):
    def forward(self, obs, h, c):
        h, c = self.lstm(obs, (h, c))
        return self.value(h), h, c


class ConvLSTMWithoutState(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(in_channels + hidden_channels, 4 * hidden_channels, 3, padding=1)
        self.to_rgb = nn.Conv2d(hidden_channels, 3, 1)

    def init_hidden(self, batch_size, image_size):
        shape = (batch_size, self.hidden_channels, *image_size)
        return torch.zeros(shape), torch.zeros(shape)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.conv(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return self.to_rgb(h)  # expect: wrong-state-structure


class ConvLSTMWithoutStateRepaired(ConvLSTMWithoutState):
    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.conv(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return self.to_rgb(h), (h, c)


class NamedTupleGrowsALayer(nn.Module):
    """Two layers of states come in, and each step puts another on top."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lower = nn.GRUCell(input_size, hidden_size)
        self.upper = nn.GRUCell(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return tuple(torch.zeros(batch_size, self.hidden_size) for _ in range(2))

    def forward(self, x, state):
        new = [*state]
        new[0] = self.lower(x, state[0])
        new.append(self.upper(new[0], state[1]))
        return new[-1], tuple(new)  # expect: wrong-state-structure


class NamedTupleGrowsALayerRepaired(NamedTupleGrowsALayer):
    def forward(self, x, state):
        new = [*state]
        new[0] = self.lower(x, state[0])
        new[1] = self.upper(new[0], state[1])
        return new[-1], tuple(new)


# 9. state-shape-mismatch


class OneMoreAxis(nn.Module):
    """(B, H) comes back as (1, B, H): broadcasting hides it at the next step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        h = torch.tanh(self.inp(x) + self.rec(h))
        return h, h.unsqueeze(0)  # expect: state-shape-mismatch error 0


class OneMoreAxisRepaired(OneMoreAxis):
    def forward(self, x, h):
        h = torch.tanh(self.inp(x) + self.rec(h))
        return h, h


class NormaliserWithoutItsAxis(nn.Module):
    """(B, 1) comes back as (B,), and squeeze() has nothing to do from then on."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.kv = nn.Linear(input_size, 2 * hidden_size)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.ones(batch_size, 1)

    def forward(self, x, state):
        num, den = state
        k, v = self.kv(x).chunk(2, -1)
        k = torch.sigmoid(k)
        num = 0.9 * num + k * v
        den = 0.9 * den.squeeze(-1) + k.sum(-1)
        return num / den.unsqueeze(-1), (num, den)  # expect: state-shape-mismatch error 1


class NormaliserWithoutItsAxisRepaired(NormaliserWithoutItsAxis):
    def forward(self, x, state):
        num, den = state
        k, v = self.kv(x).chunk(2, -1)
        k = torch.sigmoid(k)
        num = 0.9 * num + k * v
        den = 0.9 * den + k.sum(-1, keepdim=True)
        return num / den, (num, den)


class SqueezedLayerState(nn.Module):
    """nn.GRU's state is (1, B, H); it comes back squeezed, and the second call refuses it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)

    def init_hidden(self, batch_size):
        return torch.zeros(1, batch_size, self.gru.hidden_size)

    def forward(self, x, hidden):
        output, hidden = self.gru(x.unsqueeze(1), hidden)
        return output.squeeze(1), hidden.squeeze(0)  # expect: state-shape-mismatch error 0


class SqueezedLayerStateRepaired(SqueezedLayerState):
    def forward(self, x, hidden):
        output, hidden = self.gru(x.unsqueeze(1), hidden)
        return output.squeeze(1), hidden


class WindowNeverTrimmed(nn.Module):
    """A window of the last four frames that keeps all of them."""

    def __init__(self, input_size, hidden_size, window=4):
        super().__init__()
        self.input_size, self.window = input_size, window
        self.mix = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.window, self.input_size)

    def forward(self, x, frames):
        frames = torch.cat([frames, x.unsqueeze(1)], dim=1)
        return torch.tanh(self.mix(frames.mean(1))), frames  # expect: state-shape-mismatch error 0


class WindowNeverTrimmedRepaired(WindowNeverTrimmed):
    def forward(self, x, frames):
        frames = torch.cat([frames[:, 1:], x.unsqueeze(1)], dim=1)
        return torch.tanh(self.mix(frames.mean(1))), frames


class TransposedMemory(nn.Module):
    """(B, rows, dim) comes back as (B, dim, rows)."""

    def __init__(self, input_size, hidden_size, rows=4):
        super().__init__()
        self.hidden_size, self.rows = hidden_size, rows
        self.key = nn.Linear(input_size, rows)
        self.value = nn.Linear(input_size, hidden_size)

    def zero_state(self, batch_size):
        return {"memory": torch.zeros(batch_size, self.rows, self.hidden_size)}

    def forward(self, x, state):
        key = torch.softmax(self.key(x), -1)
        memory = 0.9 * state["memory"] + torch.einsum("br,bd->brd", key, self.value(x))
        read = torch.einsum("br,brd->bd", key, memory)
        return read, {"memory": memory.transpose(1, 2)}  # expect: state-shape-mismatch error 0


class TransposedMemoryRepaired(TransposedMemory):
    def forward(self, x, state):
        key = torch.softmax(self.key(x), -1)
        memory = 0.9 * state["memory"] + torch.einsum("br,bd->brd", key, self.value(x))
        read = torch.einsum("br,brd->bd", key, memory)
        return read, {"memory": memory}


class ShrinkingFeatureMap(nn.Module):
    """A convolution without padding takes two pixels off the state at every step."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, kernel_size=3)

    def init_hidden(self, batch_size, image_size):
        return torch.zeros(batch_size, self.hidden_channels, *image_size)

    def forward(self, x, h):
        h = torch.tanh(self.conv(torch.cat([x, h], dim=1)))
        return h, h  # expect: state-shape-mismatch error 0


class ShrinkingFeatureMapRepaired(ShrinkingFeatureMap):
    def __init__(self, in_channels, hidden_channels):
        super().__init__(in_channels, hidden_channels)
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, kernel_size=3, padding=1)


class ProjectionAsState(nn.Module):
    """An LSTM whose c is as wide as declared and whose h is the projection, narrower than declared."""

    def __init__(self, input_size, hidden_size, proj_size=3):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.proj = nn.Linear(hidden_size, proj_size)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = self.cell(x, state)
        h = self.proj(h)
        return h, (h, c)  # expect: state-shape-mismatch error 0


class ProjectionAsStateRepaired(ProjectionAsState):
    def forward(self, x, state):
        h, c = self.cell(x, state)
        out = self.proj(h)
        return out, (h, c)


# 10. state-dtype-mismatch


class DoubleDecay(nn.Module):
    """Rates made with NumPy are of double precision, and make the trace so; h is not touched by it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        self.register_buffer("decay", torch.from_numpy(np.exp(-1.0 / np.linspace(1, 20, hidden_size))))

    def forward(self, x, h, trace):
        h = torch.tanh(self.inp(x) + self.rec(h) - trace.to(h.dtype))
        trace = self.decay * trace + (1 - self.decay) * h  # expect: state-dtype-mismatch error 1
        return h, trace


class DoubleDecayRepaired(DoubleDecay):
    def forward(self, x, h, trace):
        h = torch.tanh(self.inp(x) + self.rec(h) - trace.to(h.dtype))
        decay = self.decay.to(h.dtype)
        trace = decay * trace + (1 - decay) * h
        return h, trace


class SpikesAsBooleans(nn.Module):
    """The spikes start as floats and come back as truth values."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.hidden_features = hidden_features
        self.fc = nn.Linear(in_features, hidden_features)
        self.rec = nn.Linear(hidden_features, hidden_features, bias=False)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_features), torch.zeros(batch_size, self.hidden_features)

    def forward(self, x, state):
        spk, mem = state
        mem = 0.9 * mem + self.fc(x) + self.rec(spk.float())
        spk = mem > 0.3  # expect: state-dtype-mismatch error 0
        mem = torch.where(spk, torch.zeros_like(mem), mem)
        return spk, (spk, mem)


class SpikesAsBooleansRepaired(SpikesAsBooleans):
    def forward(self, x, state):
        spk, mem = state
        mem = 0.9 * mem + self.fc(x) + self.rec(spk.float())
        fired = mem > 0.3
        mem = torch.where(fired, torch.zeros_like(mem), mem)
        spk = fired.float()
        return spk, (spk, mem)


class CountBecomesAFloat(nn.Module):
    """An integer count, to which a float is added."""

    def __init__(self, input_size, hidden_size, beta=0.9):
        super().__init__()
        self.hidden_size, self.beta = hidden_size, beta
        self.proj = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return {
            "count": torch.zeros(batch_size, 1, dtype=torch.long),
            "mean": torch.zeros(batch_size, self.hidden_size),
        }

    def forward(self, x, state):
        count = state["count"] + 1.0  # expect: state-dtype-mismatch error 0
        mean = self.beta * state["mean"] + (1 - self.beta) * self.proj(x)
        return mean / (1 - self.beta**count), {"count": count, "mean": mean}


class CountBecomesAFloatRepaired(CountBecomesAFloat):
    def forward(self, x, state):
        count = state["count"] + 1
        mean = self.beta * state["mean"] + (1 - self.beta) * self.proj(x)
        return mean / (1 - self.beta**count), {"count": count, "mean": mean}


class HalvedToSaveMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 2)

    def forward(self, x, h):
        h = self.gru(x, h.float())
        return self.out(h), h.half()  # expect: state-dtype-mismatch error 0


class HalvedToSaveMemoryRepaired(HalvedToSaveMemory):
    def forward(self, x, h):
        h = self.gru(x, h.float())
        return self.out(h), h


class RealStateTurnsComplex(nn.Module):
    """A linear recurrent unit that starts from real zeros."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.B = nn.Linear(input_size, hidden_size)
        self.log_radius = nn.Parameter(torch.linspace(-1.0, -0.1, hidden_size))
        self.phase = nn.Parameter(torch.linspace(0.0, 1.5, hidden_size))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, state):
        eigenvalues = torch.polar(torch.exp(self.log_radius), self.phase)
        state = eigenvalues * state + self.B(x)  # expect: state-dtype-mismatch error 0
        return state.real, state


class RealStateTurnsComplexRepaired(RealStateTurnsComplex):
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size, dtype=torch.cfloat)


class AutocastKeepsNothingFloat(nn.Module):
    """Under autocast the linear layers give bfloat16, and so does the state."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1)

    def forward(self, x, h):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pre = self.conv(torch.cat([x, h.to(x.dtype)], dim=1))
            h = torch.tanh(pre)  # expect: state-dtype-mismatch error 0
        return h


class AutocastKeepsNothingFloatRepaired(AutocastKeepsNothingFloat):
    def forward(self, x, h):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pre = self.conv(torch.cat([x, h.to(x.dtype)], dim=1))
            h = torch.tanh(pre)
        return h.to(x.dtype)


class ScoresForTokens(nn.Module):
    """Takes token ids as its memory and gives back their probabilities."""

    def __init__(self, input_size, hidden_size, vocab=11):
        super().__init__()
        self.hidden_size = hidden_size
        self.embed = nn.Embedding(vocab, hidden_size)
        self.gru = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, vocab)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, dtype=torch.long)

    def forward(self, x, state):
        h, token = state
        h = self.gru(torch.cat([x, self.embed(token.long())], -1), h)
        logits = self.out(h)
        token = logits.max(-1).values.clamp(0, 10)  # expect: state-dtype-mismatch error 1
        return logits, (h, token)


class ScoresForTokensRepaired(ScoresForTokens):
    def forward(self, x, state):
        h, token = state
        h = self.gru(torch.cat([x, self.embed(token.long())], -1), h)
        logits = self.out(h)
        token = logits.max(-1).indices
        return logits, (h, token)
