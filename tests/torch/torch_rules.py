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


class _CellAndHidden(NamedTuple):
    c: Tensor
    h: Tensor


# 0. One slot of several: the other defects of a single slot stand with their rules


class ReturnsItsOldCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, states):
        h, c = states
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c_t = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_t = torch.sigmoid(o) * torch.tanh(c_t)
        return h_t, [h_t, c]  # expect: returned-old-state error 1


class ReturnsItsOldCellRepaired(ReturnsItsOldCell):
    def forward(self, x, states):
        h, c = states
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c_t = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_t = torch.sigmoid(o) * torch.tanh(c_t)
        return h_t, [h_t, c_t]


class ReadsTheFirstStateTwice(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def get_initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, states):
        h, c = states[0], states[0]  # expect: ignored-recurrence warning 1
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, [h, c]


class ReadsTheFirstStateTwiceRepaired(ReadsTheFirstStateTwice):
    def forward(self, x, states):
        h, c = states[0], states[1]
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, [h, c]


class _Adaptive(NamedTuple):
    v: Tensor
    threshold: Tensor


class _AdaptiveStep(nn.Module):
    """A threshold that starts as one number and rises with every spike, of which ordinary inputs make none."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.drive = nn.Linear(input_size, hidden_size)

    def step(self, x, state):
        v = 0.8 * state.v + 0.05 * torch.tanh(self.drive(x))
        spikes = torch.sigmoid(40.0 * (v - state.threshold))
        decayed = 1.0 + 0.9 * (state.threshold - 1.0)
        return spikes, _Adaptive(v - spikes * state.threshold, decayed + 0.2 * spikes.detach())

    def first(self, x):
        return _Adaptive(torch.zeros(x.shape[0], self.drive.out_features), torch.tensor(1.0))


class TakesOneFieldOfTheOldState(_AdaptiveStep):
    def forward(self, x, state=None):
        state = self.first(x) if state is None else state
        spikes, after = self.step(x, state)
        return spikes, after._replace(threshold=state.threshold)  # expect: returned-old-state error 1


class TakesOneFieldOfTheOldStateRepaired(_AdaptiveStep):
    def forward(self, x, state=None):
        state = self.first(x) if state is None else state
        spikes, after = self.step(x, state)
        return spikes, after._replace(threshold=after.threshold)


class ClampsTheOldOne(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def forward(self, x, hc):
        h, c = hc
        f, i, o = torch.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(3, 1)
        c_next = f * c + i * (1 - f)
        with torch.no_grad():
            c.clamp_(max=1.0)  # expect: mutated-state warning 1
        h = o * c
        return h, c  # expect: returned-old-state error 1


class ClampsTheOldOneRepaired(ClampsTheOldOne):
    def forward(self, x, hc):
        h, c = hc
        f, i, o = torch.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(3, 1)
        c_next = torch.clamp(f * c + i * (1 - f), max=1.0)
        h = o * c_next
        return h, c_next


class PartOfANewDict(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.mix = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def forward(self, x, state):
        fast, slow = torch.tanh(self.mix(torch.cat([x, state["fast"] + state["slow"]], 1))).chunk(2, 1)
        after = {"fast": fast, "slow": 0.95 * state["slow"] + 0.05 * slow}
        return fast, {"fast": after["fast"], "slow": state["slow"]}  # expect: returned-old-state error 0


class PartOfANewDictRepaired(PartOfANewDict):
    def forward(self, x, state):
        fast, slow = torch.tanh(self.mix(torch.cat([x, state["fast"] + state["slow"]], 1))).chunk(2, 1)
        after = {"fast": fast, "slow": 0.95 * state["slow"] + 0.05 * slow}
        return fast, {"fast": after["fast"], "slow": after["slow"]}


class ForgetsInOneMode(nn.Module):
    """Peepholes are a mode of their own, in which the old cell is used."""

    def __init__(self, input_size, hidden_size, peepholes=False):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        self.peep = nn.Parameter(torch.rand(hidden_size)) if peepholes else None

    def forward(self, x, hidden):
        h_old, c_old = hidden
        i, f, g, o = self.gates(torch.cat([x, h_old], 1)).chunk(4, 1)
        if self.peep is not None:
            c_new = torch.sigmoid(f + self.peep * c_old) * c_old + torch.sigmoid(i) * torch.tanh(g)
        else:
            c_new = torch.sigmoid(i) * torch.tanh(g)  # expect: ignored-recurrence warning 1
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        return h_new, (h_new, c_new)


class ForgetsInOneModeRepaired(ForgetsInOneMode):
    def forward(self, x, hidden):
        h_old, c_old = hidden
        i, f, g, o = self.gates(torch.cat([x, h_old], 1)).chunk(4, 1)
        if self.peep is not None:
            c_new = torch.sigmoid(f + self.peep * c_old) * c_old + torch.sigmoid(i) * torch.tanh(g)
        else:
            c_new = torch.sigmoid(f) * c_old + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        return h_new, (h_new, c_new)


class NeverUsesTheOldCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, states):
        hidden, memory = states
        drive = torch.tanh(self.w(x) + self.u(hidden))
        fresh = 0.3 * drive + 0.7 * torch.sigmoid(drive)  # expect: ignored-recurrence warning 1
        return drive * fresh, (drive * fresh, fresh)


class NeverUsesTheOldCellRepaired(NeverUsesTheOldCell):
    def forward(self, x, states):
        hidden, memory = states
        drive = torch.tanh(self.w(x) + self.u(hidden))
        fresh = 0.3 * drive + 0.7 * memory
        return drive * fresh, (drive * fresh, fresh)


class StateBesideATensorOfItsName(nn.Module):
    """What comes back in the tuple that went in is the state, whatever is called by the state's name."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.ih, self.hh = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return (torch.zeros(batch_size, self.hidden_size),)

    def forward(self, x, state):
        (h,) = state
        h_new = torch.tanh(self.ih(x) + self.hh(h))
        after = (h,)
        return h_new, after  # expect: returned-old-state error 0


class StateBesideATensorOfItsNameRepaired(StateBesideATensorOfItsName):
    def forward(self, x, state):
        (h,) = state
        h_new = torch.tanh(self.ih(x) + self.hh(h))
        after = (h_new,)
        return h_new, after


class _Only(NamedTuple):
    h: Tensor


class FieldBesideATensorOfItsName(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.ih, self.hh = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden)

    def forward(self, x, state: _Only):
        h_new = torch.tanh(self.ih(x) + self.hh(state.h))
        after = _Only(state.h)
        return h_new, after  # expect: returned-old-state error 0


class FieldBesideATensorOfItsNameRepaired(FieldBesideATensorOfItsName):
    def forward(self, x, state: _Only):
        h_new = torch.tanh(self.ih(x) + self.hh(state.h))
        after = _Only(h_new)
        return h_new, after


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
        e = F.relu(self.embed(x))
        i, f, g, o = self.gates(torch.cat((h, h), dim=-1)).chunk(4, dim=-1)  # expect: ignored-input
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
        features = F.leaky_relu(self.stem(frame), 0.2)
        z, r = torch.sigmoid(self.gates(torch.cat([h, h], 1))).chunk(2, 1)  # expect: ignored-input
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


class ReadsHalfOfIt(nn.Module):
    """The other half was blanked for an ablation."""

    def __init__(self, input_size=6, hidden_size=5):
        super().__init__()
        self.cut = input_size // 2
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        left = torch.cat([x[:, : self.cut], torch.zeros_like(x[:, self.cut :])], 1)  # expect: ignored-input note
        return torch.tanh(self.i2h(left) + self.h2h(h))


class ReadsHalfOfItRepaired(ReadsHalfOfIt):
    def forward(self, x, h):
        return torch.tanh(self.i2h(x) + self.h2h(h))


class ReadsTheFirstChannels(nn.Module):
    def __init__(self, in_channels=4, hidden_channels=6):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1)

    def forward(self, frame, h):
        seen = frame.clone()  # expect: ignored-input note
        seen[:, 2:] = 0.0
        joined = torch.cat([seen, h], dim=1)
        return torch.tanh(self.conv(joined))


class ReadsTheFirstChannelsRepaired(ReadsTheFirstChannels):
    def forward(self, frame, h):
        joined = torch.cat([frame, h], dim=1)
        return torch.tanh(self.conv(joined))


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
        residual = self.body(torch.cat([x, h], -1))
        return h + 0.1 * F.pad(residual, (0, h.shape[-1] - self.narrow))  # expect: partial-freeze


class PaddedResidualRepaired(PaddedResidual):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        residual = self.body(torch.cat([x, h], -1))
        return 0.95 * h + 0.1 * F.pad(residual, (0, h.shape[-1] - self.narrow))


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
        return c, h  # expect: swapped-states warning


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
        return h_new, m_new, c_new  # expect: swapped-states warning


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


class SwappedInADict(nn.Module):
    """Told apart by what the code calls them alone; the dict has a name of its own, and keys."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.to_fast, self.to_slow = nn.Linear(input_size, hidden_size), nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return {"fast": torch.zeros(batch_size, self.hidden_size), "slow": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        fast, slow = state["fast"], state["slow"]
        fast_t = torch.tanh(self.to_fast(x) + 0.5 * fast.roll(1, -1))
        slow_t = torch.tanh(self.to_slow(x) + 0.9 * slow.roll(1, -1))
        after = {"fast": slow_t, "slow": fast_t}  # expect: swapped-states
        return fast_t, after


class SwappedInADictRepaired(SwappedInADict):
    def forward(self, x, state):
        fast, slow = state["fast"], state["slow"]
        fast_t = torch.tanh(self.to_fast(x) + 0.5 * fast.roll(1, -1))
        slow_t = torch.tanh(self.to_slow(x) + 0.9 * slow.roll(1, -1))
        after = {"fast": fast_t, "slow": slow_t}
        return fast_t, after


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
        clipped = np.clip(state.detach().cpu().numpy(), -1.0, 1.0)  # expect: detached-state warning
        state = torch.from_numpy(clipped)
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


_TRACE: deque[Tensor] = deque(maxlen=1)


def _smoothed(value):
    """A helper of the module, which remembers what it was given last."""
    previous = _TRACE[0] if _TRACE and _TRACE[0].shape == value.shape else torch.zeros_like(value)
    _TRACE.append(value)
    return 0.5 * (value + previous)


class _SmoothsByAHelper(nn.RNNCell):
    def forward(self, x, hx):
        return super().forward(_smoothed(x), hx)


class SmoothsWithoutAHelper(nn.RNNCell):
    def forward(self, x, hx):
        return super().forward(0.5 * x, hx)


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


class ContiguousIsNoCopy(nn.Module):
    """A contiguous tensor is its own contiguous(), so that the addition lands in the caller's memory."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.kv = nn.Linear(dim, 2 * dim)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.dim)

    def forward(self, x, memory):
        k, v = self.kv(x).chunk(2, -1)
        fast = memory.contiguous()
        fast += torch.einsum("bi,bj->bij", torch.softmax(k, -1), v)  # expect: mutated-state error 0
        return torch.einsum("bi,bij->bj", x, fast), 0.9 * fast


class ContiguousIsNoCopyRepaired(ContiguousIsNoCopy):
    def forward(self, x, memory):
        k, v = self.kv(x).chunk(2, -1)
        fast = memory.clone()
        fast += torch.einsum("bi,bj->bij", torch.softmax(k, -1), v)
        return torch.einsum("bi,bij->bj", x, fast), 0.9 * fast


class HalvesItsWindow(nn.Module):
    """The window starts at zeros, of which a half is zero as well: no queue."""

    def __init__(self, channels, kernel_size=4):
        super().__init__()
        self.channels, self.kernel_size = channels, kernel_size
        self.weight = nn.Parameter(torch.randn(channels, kernel_size) / kernel_size)

    def init_cache(self, batch_size):
        return torch.zeros(batch_size, self.channels, self.kernel_size - 1)

    def step(self, x, cache):
        cache *= 0.5  # expect: mutated-state error 0
        window = torch.cat([cache, x.unsqueeze(2)], dim=2)
        return torch.tanh((window * self.weight).sum(2)), window[:, :, 1:]


class HalvesItsWindowRepaired(HalvesItsWindow):
    def step(self, x, cache):
        window = torch.cat([0.5 * cache, x.unsqueeze(2)], dim=2)
        return torch.tanh((window * self.weight).sum(2)), window[:, :, 1:]


class FieldsUnpackedInAnotherOrder(nn.Module):
    """The fields are c and h; what they are unpacked into says otherwise."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def zero_state(self, batch_size):
        return _CellAndHidden(torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size))

    def forward(self, x, state):
        m_prev, c_prev = state
        i, j, f, o = self.gates(torch.cat([x, m_prev], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c_prev + torch.sigmoid(i) * torch.tanh(j)
        m = torch.sigmoid(o) * torch.tanh(c)
        new_state = _CellAndHidden(c, m)  # expect: swapped-states
        return m, new_state


class FieldsUnpackedInAnotherOrderRepaired(FieldsUnpackedInAnotherOrder):
    def forward(self, x, state):
        c_prev, m_prev = state
        i, j, f, o = self.gates(torch.cat([x, m_prev], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c_prev + torch.sigmoid(i) * torch.tanh(j)
        m = torch.sigmoid(o) * torch.tanh(c)
        return m, _CellAndHidden(c, m)


class SpikesWithoutTheirPast(nn.Module):
    """The state is spikes, which a small change does not make: its cut is seen before the threshold."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.ih, self.hh = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        h = h.detach()  # expect: detached-state warning 0
        return _Spike.apply(self.ih(x) + self.hh(h))


class SpikesWithoutTheirPastRepaired(SpikesWithoutTheirPast):
    def forward(self, x, h):
        return _Spike.apply(self.ih(x) + self.hh(h))


class ReturnsDetachedSpikes(SpikesWithoutTheirPast):
    def forward(self, x, h):
        spikes = _Spike.apply(self.ih(x) + self.hh(h))
        return spikes, spikes.detach()  # expect: detached-state warning 0


class ReturnsDetachedSpikesRepaired(ReturnsDetachedSpikes):
    def forward(self, x, h):
        spikes = _Spike.apply(self.ih(x) + self.hh(h))
        return spikes, spikes


class HandsAllOnToAHelper(nn.Module):
    """The step is written in a helper, where its line is."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w_i = nn.Parameter(torch.randn(input_size, 4 * hidden_size) / 2)
        self.w_h = nn.Parameter(torch.randn(hidden_size, 4 * hidden_size) / 3)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, inputs, prev_state):
        return self.step_fn(inputs, prev_state, self.w_i, self.w_h)

    @staticmethod
    def step_fn(inputs, prev_state, w_i, w_h):
        h, c = prev_state
        i, f, g, o = (inputs @ w_i + h @ w_h).chunk(4, 1)
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        new_h = torch.sigmoid(o) * torch.tanh(new_c)
        half = h.shape[1] // 2
        return new_h, (torch.cat([h[:, :half], new_h[:, half:]], 1), new_c)  # expect: partial-freeze error 0


class HandsAllOnToAHelperRepaired(HandsAllOnToAHelper):
    @staticmethod
    def step_fn(inputs, prev_state, w_i, w_h):
        h, c = prev_state
        i, f, g, o = (inputs @ w_i + h @ w_h).chunk(4, 1)
        new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        new_h = torch.sigmoid(o) * torch.tanh(new_c)
        return new_h, (new_h, new_c)


class OverwritesChannels(nn.Module):
    """Half of an image is written anew, as in a queue, but what comes back is no queue."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv_x = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.conv_h = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1)

    def forward(self, x, h):
        h[:, 0::2] = 1.0  # expect: mutated-state error 0
        return torch.tanh(self.conv_x(x) + self.conv_h(h))


class OverwritesChannelsRepaired(OverwritesChannels):
    def forward(self, x, h):
        ones = torch.ones_like(h[:, 0::2])
        h = torch.cat([ones, h[:, 1::2]], dim=1)
        return torch.tanh(self.conv_x(x) + self.conv_h(h))


class CopiesItsQueue(nn.Module):
    """A queue that is written in place is no defect, be it that or a copy of it which comes back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, 4, self.hidden_size)

    def forward(self, x, cache):
        cache.copy_(torch.roll(cache, -1, 1))
        cache[:, -1] = self.inp(x)
        return cache.sum(1), cache.clone()


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
        keep = torch.sigmoid(self.gate(torch.cat([mixed, tokens], -1)))
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


class NormalisesItsDriveOverTheBatch(nn.Module):
    """While training only, with one set of running statistics for all steps."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.BatchNorm1d(hidden_size)

    def forward(self, input, hx):
        drive = self.norm(self.i2h(input) + self.h2h(hx))  # expect: batch-leak note
        return torch.tanh(drive)


class NormalisesItsDriveOverTheBatchRepaired(NormalisesItsDriveOverTheBatch):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)


class NormalisesItsFeatureMaps(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1),
            nn.BatchNorm2d(hidden_channels),
            nn.Dropout(0.2),
        )

    def forward(self, x, h):
        return torch.tanh(self.body(torch.cat([x, h], 1)))  # expect: batch-leak note


class NormalisesItsFeatureMapsRepaired(NormalisesItsFeatureMaps):
    def __init__(self, in_channels, hidden_channels):
        super().__init__(in_channels, hidden_channels)
        self.body[1] = nn.GroupNorm(2, hidden_channels)


class NormalisesEachStepByItself(nn.Module):
    """batch-leak: one set of statistics a step; the step is counted in the state."""

    def __init__(self, input_size, hidden_size, steps=40):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_size) for _ in range(steps))

    def init_hidden(self, batch):
        return torch.zeros(batch, self.h2h.in_features), torch.zeros(batch, dtype=torch.long)

    def forward(self, x, state):
        h, step = state
        norm = self.norms[min(int(step.max()), len(self.norms) - 1)]
        h = torch.tanh(norm(self.i2h(x) + self.h2h(h)))
        return h, (h, step + 1)


class NormalisesItsInput(NormalisesItsDriveOverTheBatch):
    """batch-leak: what the statistics are of has nothing to do with the state."""

    def forward(self, input, hx):
        return torch.tanh(self.norm(self.i2h(input)) + self.h2h(hx))


class SpikesForTheOppositeRow(nn.Module):
    """Of three rows the one in the middle keeps its own spikes, and no small change makes any."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.fc, self.rec = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        mem, spikes = state
        mem = 0.8 * mem + self.fc(x) + self.rec(spikes)
        spikes = (mem > 0.5).float().flip(0)  # expect: batch-leak
        return spikes, (mem, spikes)


class SpikesForTheOppositeRowRepaired(SpikesForTheOppositeRow):
    def forward(self, x, state):
        mem, spikes = state
        mem = 0.8 * mem + self.fc(x) + self.rec(spikes)
        spikes = (mem > 0.5).float()
        return spikes, (mem, spikes)


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
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.value = nn.Linear(hidden_size, 1)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

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
        self.out = nn.Linear(hidden_size, 2)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        h = torch.tanh(self.inp(x) + self.rec(h))
        return self.out(h), h.unsqueeze(0)  # expect: state-shape-mismatch error 0


class OneMoreAxisRepaired(OneMoreAxis):
    def forward(self, x, h):
        h = torch.tanh(self.inp(x) + self.rec(h))
        return self.out(h), h


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


class EveryStepAsState(nn.Module):
    """Over a sequence: the last h and c are wanted, those of every step come back."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.hidden_features = hidden_features
        self.cell = nn.LSTMCell(in_features, hidden_features)

    def forward(self, X, hidden_states=None):
        if hidden_states is None:
            h_t = c_t = torch.zeros(X.size(0), self.hidden_features)
        else:
            h_t, c_t = hidden_states
        hs, cs = [], []
        for t in range(X.size(1)):
            h_t, c_t = self.cell(X[:, t], (h_t, c_t))
            hs.append(h_t)
            cs.append(c_t)
        hidden_seq, cell_seq = torch.stack(hs, 1), torch.stack(cs, 1)
        return hidden_seq, (hidden_seq, cell_seq)  # expect: state-shape-mismatch error 0


class EveryStepAsStateRepaired(EveryStepAsState):
    def forward(self, X, hidden_states=None):
        h_t, c_t = hidden_states or [torch.zeros(X.size(0), self.hidden_features)] * 2
        hs = []
        for t in range(X.size(1)):
            h_t, c_t = self.cell(X[:, t], (h_t, c_t))
            hs.append(h_t)
        return torch.stack(hs, 1), (h_t, c_t)


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
            pre = self.conv(torch.cat([x, h.to(x.dtype)], dim=1))  # expect: state-dtype-mismatch error 0
            h = torch.tanh(pre)
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


class WidensOnItsOwnLine(nn.Module):
    """The next step's layers refuse it; the line is where it was widened, and not where it was returned."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ih, self.hh = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        h = torch.tanh(self.ih(x) + self.hh(h))
        wide = h.double()  # expect: state-dtype-mismatch error 0
        return wide


class WidensOnItsOwnLineRepaired(WidensOnItsOwnLine):
    def forward(self, x, h):
        h = torch.tanh(self.ih(x) + self.hh(h))
        return h


class WidensWhatItDeclares(nn.Module):
    """One tensor of as many rows as the list has parts would be taken as well, and its rows would mix."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.ih, self.hh = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, state):
        h_new = torch.tanh(self.ih(x) + self.hh(state[0]))
        return h_new, [h_new.double()]  # expect: state-dtype-mismatch error 0


class WidensWhatItDeclaresRepaired(WidensWhatItDeclares):
    def forward(self, x, state):
        h_new = torch.tanh(self.ih(x) + self.hh(state[0]))
        return h_new, [h_new]


# 11. nonfinite-state


class LogOfAnEmptyState(nn.Module):
    """0 * log(0) is NaN."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, p):
        entropy = -p * torch.log(p)  # expect: nonfinite-state
        return torch.sigmoid(self.inp(x) + entropy)


class LogOfAnEmptyStateRepaired(LogOfAnEmptyState):
    def forward(self, x, p):
        entropy = -p * torch.log(p + 1e-8)
        return torch.sigmoid(self.inp(x) + entropy)


class NormOfZero(nn.Module):
    """The direction of a state that is zero; a helper divides."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)

    def init_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def _unit(self, v):
        length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        return v / length  # expect: nonfinite-state

    def forward(self, inputs, states):
        direction = self._unit(states[0])
        h = torch.tanh(self.lin(torch.cat([inputs, direction], dim=1)))
        return h, [h]


class NormOfZeroRepaired(NormOfZero):
    def _unit(self, v):
        length = torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        return v / length.clamp(min=1e-6)


class AttendsToAnEmptyMemory(nn.Module):
    """At the first step all rows of the memory are masked, and the softmax is over nothing but -inf."""

    def __init__(self, input_size, hidden_size, rows=5):
        super().__init__()
        self.hidden_size, self.rows = hidden_size, rows
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)

    def zero_state(self, batch_size):
        memory = torch.zeros(batch_size, self.rows, self.hidden_size)
        return {"h": torch.zeros(batch_size, self.hidden_size), "memory": memory}

    def forward(self, x, state):
        h, memory = state["h"], state["memory"]
        scores = torch.einsum("bd,brd->br", h, memory)
        empty = memory.abs().sum(-1) == 0
        weights = scores.masked_fill(empty, float("-inf")).softmax(-1)  # expect: nonfinite-state
        read = torch.einsum("br,brd->bd", weights, memory)
        h = self.cell(torch.cat([x, read], -1), h)
        return h, {"h": h, "memory": torch.cat([memory[:, 1:], h.unsqueeze(1)], 1)}


class AttendsToAnEmptyMemoryRepaired(AttendsToAnEmptyMemory):
    def forward(self, x, state):
        h, memory = state["h"], state["memory"]
        scores = torch.einsum("bd,brd->br", h, memory)
        empty = memory.abs().sum(-1) == 0
        weights = scores.masked_fill(empty, -1e9).softmax(-1)
        read = torch.einsum("br,brd->bd", weights, memory)
        h = self.cell(torch.cat([x, read], -1), h)
        return h, {"h": h, "memory": torch.cat([memory[:, 1:], h.unsqueeze(1)], 1)}


class MeanOfNoneYet(nn.Module):
    """The mean of what was seen so far, divided by a count that is zero at first."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        shape = (batch_size, self.hidden_size)
        return torch.zeros(shape), torch.zeros(shape), torch.zeros(batch_size, 1)

    def forward(self, x, state):
        h, total, count = state
        mean = total / count  # expect: nonfinite-state
        h = self.cell(x, 0.5 * (h + mean))
        return h, (h, total + h, count + 1)


class MeanOfNoneYetRepaired(MeanOfNoneYet):
    def forward(self, x, state):
        h, total, count = state
        mean = total / count.clamp(min=1)
        h = self.cell(x, 0.5 * (h + mean))
        return h, (h, total + h, count + 1)


class SoftplusByHand(nn.Module):
    """log(1 + exp(z)) overflows in single precision from z = 89."""

    def __init__(self, input_size, hidden_size, sharpness=400.0):
        super().__init__()
        self.sharpness = sharpness
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size))
        self.decay = nn.Parameter(torch.full((hidden_size,), 0.8))

    def forward(self, x, r):
        drive = F.linear(x, self.weight)
        rate = torch.log(1 + torch.exp(self.sharpness * drive)) / self.sharpness  # expect: nonfinite-state
        return self.decay * r + rate


class SoftplusByHandRepaired(SoftplusByHand):
    def forward(self, x, r):
        drive = F.linear(x, self.weight)
        rate = F.softplus(drive, beta=self.sharpness)
        return self.decay * r + rate


class RootOfANegative(nn.Module):
    """The deviation is the root of a variance that no one keeps above zero; only this slot goes wrong."""

    def __init__(self, input_size, hidden_size, latent=4):
        super().__init__()
        self.hidden_size, self.latent = hidden_size, latent
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.stats = nn.Linear(hidden_size, 2 * latent)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.ones(batch_size, self.latent)

    def forward(self, x, state):
        h, std = state
        h = self.gru(x, h)
        mean, var = self.stats(h).chunk(2, dim=-1)
        std = 0.5 * std + torch.sqrt(var)  # expect: nonfinite-state error 1
        return mean, (h, std)


class RootOfANegativeRepaired(RootOfANegative):
    def forward(self, x, state):
        h, std = state
        h = self.gru(x, h)
        mean, var = self.stats(h).chunk(2, dim=-1)
        std = 0.5 * std + torch.sqrt(F.softplus(var))
        return mean, (h, std)


class ConvWithoutEpsilon(nn.Module):
    """Instance normalisation by hand, of a state that is constant at first."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(in_channels + hidden_channels, hidden_channels, 3, padding=1)

    def init_hidden(self, batch_size, image_size):
        return torch.zeros(batch_size, self.hidden_channels, *image_size)

    def forward(self, x, h):
        normed = (h - h.mean((2, 3), keepdim=True)) / h.std((2, 3), keepdim=True)  # expect: nonfinite-state
        h = torch.tanh(self.conv(torch.cat([x, normed], 1)))
        return h


class ConvWithoutEpsilonRepaired(ConvWithoutEpsilon):
    def forward(self, x, h):
        normed = F.instance_norm(h)
        h = torch.tanh(self.conv(torch.cat([x, normed], 1)))
        return h


# 12. exploding-state


class UnitNormalWeights(nn.Module):
    """Recurrent weights of unit variance in a linear recurrence."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = nn.Parameter(torch.randn(input_size, hidden_size))
        self.U = nn.Parameter(torch.randn(hidden_size, hidden_size))

    def forward(self, x, h):
        h = x @ self.W + h @ self.U  # expect: exploding-state warning
        return h


class UnitNormalWeightsRepaired(UnitNormalWeights):
    def forward(self, x, h):
        h = torch.tanh(x @ self.W + h @ self.U)
        return h


class ForgetGateAboveOne(nn.Module):
    """The forget gate is 1 + sigmoid; h stays bounded, c does not."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c = (1 + torch.sigmoid(f)) * c + torch.sigmoid(i) * torch.tanh(g)  # expect: exploding-state warning 1
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ForgetGateAboveOneRepaired(ForgetGateAboveOne):
    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], -1)).chunk(4, -1)
        c = torch.sigmoid(1 + f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class SignOfTheRate(nn.Module):
    """exp(dt * A) with the minus of A = -exp(log_a) forgotten."""

    def __init__(self, d_model, order=4, dt=0.2):
        super().__init__()
        self.order, self.dt = order, dt
        self.log_a = nn.Parameter(torch.linspace(-1.0, 0.7, order).repeat(d_model, 1))
        self.b = nn.Parameter(torch.randn(d_model, order))
        self.c = nn.Parameter(torch.randn(d_model, order))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, *self.b.shape)

    def forward(self, u, state):
        decay = torch.exp(self.dt * torch.exp(self.log_a))
        state = decay * state + self.dt * self.b * u.unsqueeze(-1)  # expect: exploding-state warning 0
        return (self.c * state).sum(-1), state


class SignOfTheRateRepaired(SignOfTheRate):
    def forward(self, u, state):
        decay = torch.exp(-self.dt * torch.exp(self.log_a))
        state = decay * state + self.dt * self.b * u.unsqueeze(-1)
        return (self.c * state).sum(-1), state


class LeakTheWrongWay(nn.Module):
    """The membrane leaks upwards: + mem for - mem."""

    def __init__(self, in_features, out_features, tau=5.0):
        super().__init__()
        self.tau = tau
        self.fc = nn.Linear(in_features, out_features)

    def forward(self, input_, mem):
        current = self.fc(input_)
        mem = mem + (current + mem) / self.tau  # expect: exploding-state warning
        return torch.sigmoid(mem), mem


class LeakTheWrongWayRepaired(LeakTheWrongWay):
    def forward(self, input_, mem):
        current = self.fc(input_)
        mem = mem + (current - mem) / self.tau
        return torch.sigmoid(mem), mem


class IdentityAndMore(nn.Module):
    """An IRNN whose identity was scaled up; the work is done by nn.RNNCell."""

    def __init__(self, input_size, hidden_size, scale=1.3):
        super().__init__()
        self.hidden_size = hidden_size
        self.rnn = nn.RNNCell(input_size, hidden_size, nonlinearity="relu")
        nn.init.eye_(self.rnn.weight_hh)
        with torch.no_grad():
            self.rnn.weight_hh.mul_(scale)
            self.rnn.bias_ih.abs_()

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, hidden):
        h = self.rnn(x, hidden[0])  # expect: exploding-state warning
        return h, [h]


class IdentityAndMoreRepaired(IdentityAndMore):
    def __init__(self, input_size, hidden_size, scale=0.95):
        super().__init__(input_size, hidden_size, scale)


class ResidualWithoutNorm(nn.Module):
    """h + f(h) with a positive f, in a dict."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.inp = nn.Linear(input_dim, hidden_dim)
        self.mix = nn.Linear(hidden_dim, hidden_dim)
        nn.init.constant_(self.mix.weight, 0.5 / hidden_dim)

    def initial_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_dim), "last": torch.zeros(batch_size, self.hidden_dim)}

    def forward(self, x, state):
        drive = F.relu(self.inp(x) + 0.1 * state["last"])
        h = state["h"] + F.relu(self.mix(state["h"])) + drive  # expect: exploding-state warning 0
        return torch.tanh(h), {"h": h, "last": drive}


class ResidualWithoutNormRepaired(ResidualWithoutNorm):
    def forward(self, x, state):
        drive = F.relu(self.inp(x) + 0.1 * state["last"])
        h = F.layer_norm(state["h"] + F.relu(self.mix(state["h"])) + drive, (self.hidden_dim,))
        return torch.tanh(h), {"h": h, "last": drive}


class ConvGrows(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.x = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.h = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1)
        nn.init.dirac_(self.h.weight)
        nn.init.zeros_(self.h.bias)

    def forward(self, x, h):
        return 1.5 * self.h(h) + torch.tanh(self.x(x))  # expect: exploding-state warning


class ConvGrowsRepaired(ConvGrows):
    def forward(self, x, h):
        return 0.5 * self.h(h) + torch.tanh(self.x(x))


# 13. vanishing-gradient


class GateBiasOfTen(nn.Module):
    """A bias of the wrong sign: the update gate is open from the start, and the old state is gone at once."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size, hidden_size)
        self.cand = nn.Linear(input_size, hidden_size)
        nn.init.constant_(self.gate.bias, 10.0)

    def forward(self, x, h):
        z = torch.sigmoid(self.gate(x))
        h = (1 - z) * h + z * torch.tanh(self.cand(x))  # expect: vanishing-gradient warning
        return h


class GateBiasOfTenRepaired(GateBiasOfTen):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        nn.init.constant_(self.gate.bias, -2.0)


class TinyRecurrentWeights(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(n_hidden, n_in))
        self.weight_hh = nn.Parameter(torch.empty(n_hidden, n_hidden))
        nn.init.xavier_uniform_(self.weight_ih)
        nn.init.normal_(self.weight_hh, std=1e-5)

    def forward(self, inp, hidden):
        pre = F.linear(inp, self.weight_ih) + F.linear(hidden, self.weight_hh)
        return torch.tanh(pre)  # expect: vanishing-gradient warning


class TinyRecurrentWeightsRepaired(TinyRecurrentWeights):
    def __init__(self, n_in, n_hidden):
        super().__init__(n_in, n_hidden)
        nn.init.orthogonal_(self.weight_hh)


class AllGatesShut(nn.Module):
    """One bias for all gates of an LSTM, as low as the forget gate's should be high."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        nn.init.constant_(self.gates.bias[: 3 * hidden_size], -10.0)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)  # expect: vanishing-gradient warning


class AllGatesShutRepaired(AllGatesShut):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        nn.init.constant_(self.gates.bias[: 3 * hidden_size], 0.5)


class ScaledAway(nn.Module):
    """Each step multiplies the state by 1e-4, in a list of one."""

    def __init__(self, input_size, hidden_size, eps=1e-4):
        super().__init__()
        self.hidden_size, self.eps = hidden_size, eps
        self.drive = nn.Linear(input_size, hidden_size)
        self.mix = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def forward(self, x, states):
        h = torch.tanh(self.drive(x) + self.eps * self.mix(states[0]))  # expect: vanishing-gradient warning
        return h, [h]


class ScaledAwayRepaired(ScaledAway):
    def __init__(self, input_size, hidden_size, eps=0.5):
        super().__init__(input_size, hidden_size, eps)


class ConvSaturates(nn.Module):
    """Every unit sits at the flat end of its sigmoid."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.x = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.h = nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, bias=False)
        nn.init.constant_(self.x.bias, 11.0)

    def forward(self, x, h):
        h = torch.sigmoid(self.x(x) + self.h(h))  # expect: vanishing-gradient warning
        return h


class ConvSaturatesRepaired(ConvSaturates):
    def __init__(self, in_channels, hidden_channels):
        super().__init__(in_channels, hidden_channels)
        nn.init.constant_(self.x.bias, 0.0)


class TimeConstantInTheWrongUnit(nn.Module):
    """A decay of exp(-dt / tau) with dt in milliseconds and tau in seconds."""

    def __init__(self, in_features, hidden_features, dt=1.0, tau=0.1):
        super().__init__()
        self.decay = math.exp(-dt / tau)
        self.fc = nn.Linear(in_features, hidden_features)

    def forward(self, x, syn, mem):
        syn = self.decay * syn + self.fc(x)
        mem = self.decay * mem + (1 - self.decay) * syn
        return torch.sigmoid(mem), syn, mem  # expect: vanishing-gradient warning


class TimeConstantInTheWrongUnitRepaired(TimeConstantInTheWrongUnit):
    def __init__(self, in_features, hidden_features, dt=1.0, tau=10.0):
        super().__init__(in_features, hidden_features, dt, tau)


# 14. unused-weight


class ReadoutNeverCalled(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, 2)

    def forward(self, x, h):  # expect: unused-weight warning
        return torch.tanh(self.i2h(x) + self.h2h(h))


class ReadoutNeverCalledRepaired(ReadoutNeverCalled):
    def forward(self, x, h):
        h = torch.tanh(self.i2h(x) + self.h2h(h))
        return self.h2o(h), h


class GateComputedAndDropped(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.peephole = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, hc):
        h, c = hc
        peep = torch.sigmoid(self.peephole(c))  # expect: unused-weight warning
        h, c = self.lstm(x, (h, c))
        return h, (h, c)


class GateComputedAndDroppedRepaired(GateComputedAndDropped):
    def forward(self, x, hc):
        h, c = hc
        peep = torch.sigmoid(self.peephole(c))
        h, c = self.lstm(x, (peep * h, c))
        return h, (h, c)


class OverwrittenAttention(nn.Module):
    """What the first statement computes, the second overwrites."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.attend = nn.Linear(hidden_size, hidden_size)
        self.proj = nn.Linear(input_size, hidden_size)
        self.mix = nn.Parameter(torch.randn(hidden_size, hidden_size) / math.sqrt(hidden_size))

    def initial_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        context = torch.tanh(self.attend(state["h"]))  # expect: unused-weight warning
        context = self.proj(x)
        h = torch.tanh(context + torch.einsum("ij,bj->bi", self.mix, state["h"]))
        return h, {"h": h}


class OverwrittenAttentionRepaired(OverwrittenAttention):
    def forward(self, x, state):
        context = torch.tanh(self.attend(state["h"]))
        context = context * self.proj(x)
        h = torch.tanh(context + torch.einsum("ij,bj->bi", self.mix, state["h"]))
        return h, {"h": h}


class OneLayerTooMany(nn.Module):
    """The loop ends before the last layer."""

    def __init__(self, input_size, hidden_size, num_layers=3):
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.embed = nn.Linear(input_size, hidden_size)
        self.layers = nn.ModuleList(nn.Linear(2 * hidden_size, hidden_size) for _ in range(num_layers))

    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in range(self.num_layers - 1)]

    def forward(self, x, hiddens):
        x, new = self.embed(x), []
        for index, h in enumerate(hiddens):
            x = torch.tanh(self.layers[index](torch.cat([x, h], -1)))  # expect: unused-weight warning
            new.append(x)
        return x, new


class OneLayerTooManyRepaired(OneLayerTooMany):
    def init_hidden(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in range(self.num_layers)]


class NormOfTheCellForgotten(nn.Module):
    """Two norms are made, one is used; spread states."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.norm_gates = nn.LayerNorm(3 * hidden_size)
        self.norm_c = nn.LayerNorm(hidden_size)

    def forward(self, x, h, c):  # expect: unused-weight warning
        f, g, o = self.norm_gates(self.gates(torch.cat([x, h], -1))).chunk(3, -1)
        c = torch.sigmoid(f + 1) * c + torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


class NormOfTheCellForgottenRepaired(NormOfTheCellForgotten):
    def forward(self, x, h, c):
        f, g, o = self.norm_gates(self.gates(torch.cat([x, h], -1))).chunk(3, -1)
        c = torch.sigmoid(f + 1) * c + torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
        return h, c


class ConvBiasBesideABias(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, 2 * hidden_channels, 3, padding=1)
        self.extra_bias = nn.Parameter(torch.randn(hidden_channels, 1, 1))

    def forward(self, x, h):  # expect: unused-weight warning
        z, n = self.conv(torch.cat([x, h], 1)).chunk(2, 1)
        z = torch.sigmoid(z)
        return (1 - z) * h + z * torch.tanh(n)


class ConvBiasBesideABiasRepaired(ConvBiasBesideABias):
    def forward(self, x, h):
        z, n = self.conv(torch.cat([x, h], 1)).chunk(2, 1)
        z = torch.sigmoid(z + self.extra_bias)
        return (1 - z) * h + z * torch.tanh(n)


class AuxiliaryHeadInAHelper(nn.Module):
    """The helper computes an auxiliary prediction that nobody takes."""

    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.gru = nn.GRUCell(embed_dim, hidden_dim)
        self.reward = nn.Linear(hidden_dim, 1)

    def _heads(self, h):
        reward = self.reward(h)  # expect: unused-weight warning
        return torch.tanh(h)

    def forward(self, embed, h):
        h = self.gru(embed, h)
        return self._heads(h), h


class AuxiliaryHeadInAHelperRepaired(AuxiliaryHeadInAHelper):
    def _heads(self, h):
        reward = self.reward(h)
        return torch.cat([torch.tanh(h), reward], -1)


# 15. graph-mismatch


class ScriptedWithoutForgetBias(nn.Module):
    """The branch for TorchScript was not touched when the forget bias came in."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]):  # expect: graph-mismatch
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        if not torch.jit.is_scripting():
            f = f + 1.0
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ScriptedWithoutForgetBiasRepaired(ScriptedWithoutForgetBias):
    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        f = f + 1.0
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ScriptedHelperDiffers(nn.Module):
    """A helper takes another activation where it is scripted."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size, bias=False)

    def activation(self, z: Tensor) -> Tensor:
        if torch.jit.is_scripting():
            return torch.clamp(z, -1.0, 1.0)
        return torch.tanh(z)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # expect: graph-mismatch
        return self.activation(self.inp(x) + self.rec(h))


class ScriptedHelperDiffersRepaired(ScriptedHelperDiffers):
    def activation(self, z: Tensor) -> Tensor:
        return torch.tanh(z)


class PreparedForScripting(nn.Module):
    """Where it is scripted, a library cell stands in for it, with gates in another order."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def __prepare_scriptable__(self):
        cell = nn.GRUCell(self.input_size, self.hidden_size)
        weight, bias = self.weight.weight.data, self.weight.bias.data
        cell.weight_ih.data, cell.weight_hh.data = weight[:, : self.input_size], weight[:, self.input_size :]
        cell.bias_ih.data, cell.bias_hh.data = bias, torch.zeros_like(bias)
        return cell

    def forward(self, x: Tensor, hx: Tensor) -> Tensor:  # expect: graph-mismatch
        w_i, w_h = self.weight.weight.split([self.input_size, self.hidden_size], dim=1)
        i_z, i_r, i_n = F.linear(x, w_i, self.weight.bias).chunk(3, 1)
        h_z, h_r, h_n = F.linear(hx, w_h).chunk(3, 1)
        z, r = torch.sigmoid(i_z + h_z), torch.sigmoid(i_r + h_r)
        return z * hx + (1 - z) * torch.tanh(i_n + r * h_n)


class PreparedForScriptingRepaired(PreparedForScripting):
    def forward(self, x: Tensor, hx: Tensor) -> Tensor:
        w_i, w_h = self.weight.weight.split([self.input_size, self.hidden_size], dim=1)
        i_r, i_z, i_n = F.linear(x, w_i, self.weight.bias).chunk(3, 1)
        h_r, h_z, h_n = F.linear(hx, w_h).chunk(3, 1)
        z, r = torch.sigmoid(i_z + h_z), torch.sigmoid(i_r + h_r)
        return z * hx + (1 - z) * torch.tanh(i_n + r * h_n)


class UnusedInScript(nn.Module):
    """@torch.jit.unused compiles and raises as soon as it is called."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)

    @torch.jit.unused
    def _smooth(self, new, old):
        return 0.5 * (new + old)

    def forward(self, x: Tensor, hiddens: list[Tensor]) -> tuple[Tensor, list[Tensor]]:  # expect: graph-mismatch
        h = torch.tanh(self.lin(torch.cat([x, hiddens[0]], 1)))
        h = self._smooth(h, hiddens[0])
        return h, [h]


class UnusedInScriptRepaired(UnusedInScript):
    def forward(self, x: Tensor, hiddens: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h = torch.tanh(self.lin(torch.cat([x, hiddens[0]], 1)))
        h = 0.5 * (h + hiddens[0])
        return h, [h]


class ScriptedConvPadsOtherwise(nn.Module):
    """Reflection in Python, zeros where it is scripted."""

    def __init__(self, in_channels: int, hidden_channels: int):
        super().__init__()
        self.x = nn.Conv2d(in_channels, hidden_channels, 3)
        self.h = nn.Conv2d(hidden_channels, hidden_channels, 1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:  # expect: graph-mismatch
        padded = F.pad(x, [1, 1, 1, 1]) if torch.jit.is_scripting() else F.pad(x, [1, 1, 1, 1], mode="reflect")
        return torch.tanh(self.x(padded) + self.h(h))


class ScriptedConvPadsOtherwiseRepaired(ScriptedConvPadsOtherwise):
    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        padded = F.pad(x, [1, 1, 1, 1], mode="reflect")
        return torch.tanh(self.x(padded) + self.h(h))


# 16. random-state


class DropsItsState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        kept = F.dropout(h, 0.2)  # expect: random-state warning
        return torch.tanh(self.i2h(x) + self.h2h(kept))


class DropsItsStateRepaired(DropsItsState):
    def forward(self, x, h):
        kept = F.dropout(h, 0.2, self.training)
        return torch.tanh(self.i2h(x) + self.h2h(kept))


class MakesADropoutEachStep(nn.Module):
    """``eval()`` does not reach a layer that is made in the step."""

    def __init__(self, input_size, hidden_size, rate=0.3):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        self.rate = rate

    def forward(self, inputs, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([inputs, h], 1)).chunk(4, 1)
        new = nn.Dropout(self.rate)(torch.tanh(g))  # expect: random-state warning
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * new
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class MakesADropoutEachStepRepaired(MakesADropoutEachStep):
    def __init__(self, input_size, hidden_size, rate=0.3):
        super().__init__(input_size, hidden_size, rate)
        self.dropout = nn.Dropout(rate)

    def forward(self, inputs, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([inputs, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * self.dropout(torch.tanh(g))
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class DropsChannelsInAHelper(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels + hidden_channels, 2 * hidden_channels, 3, padding=1)

    def _dropped(self, h):
        return F.dropout2d(h, p=0.4)  # expect: random-state warning

    def forward(self, x, h):
        z, n = self.conv(torch.cat([x, self._dropped(h)], 1)).chunk(2, 1)
        z = torch.sigmoid(z)
        return (1 - z) * h + z * torch.tanh(n)


class DropsChannelsInAHelperRepaired(DropsChannelsInAHelper):
    def _dropped(self, h):
        return F.dropout2d(h, p=0.4, training=self.training)


class DropsInItsReturn(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, states):
        (h,) = states
        return h, [F.dropout(self.cell(x, h))]  # expect: random-state warning


class DropsInItsReturnRepaired(DropsInItsReturn):
    def forward(self, x, states):
        (h,) = states
        return h, [F.dropout(self.cell(x, h), training=self.training)]


class DropsWithAMaskOfItsOwn(nn.Module):
    """By its values alone this is a dropout: nobody told PyTorch of it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)

    def forward(self, x, h):
        kept = h * torch.bernoulli(torch.full_like(h, 0.8)) / 0.8  # expect: random-state note
        return self.cell(x, kept)


class DropsWithAMaskOfItsOwnRepaired(DropsWithAMaskOfItsOwn):
    def forward(self, x, h):
        kept = h * torch.bernoulli(torch.full_like(h, 0.8)) / 0.8 if self.training else h
        return self.cell(x, kept)


class DropsForMonteCarlo(nn.Module):
    """Monte Carlo dropout: it stays on to tell how sure the cell is."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)

    def forward(self, x, h):
        kept = F.dropout(h, 0.2)  # expect: random-state note
        return self.cell(x, kept)


class DropsForMonteCarloRepaired(DropsForMonteCarlo):
    def forward(self, x, h):
        return self.cell(x, F.dropout(h, 0.2, training=self.training))


class SamplesItsState(nn.Module):
    """As the RSSM does; the output is filled in piece by piece, and starts with what nobody wrote there."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.moments = nn.Linear(hidden_size, 2 * hidden_size)

    def forward(self, x, h):
        mean, spread = self.moments(self.cell(x, h)).chunk(2, 1)
        whole = torch.empty(2, *mean.shape)
        whole[0], whole[1] = mean, spread
        state = mean + F.softplus(spread) * torch.randn_like(mean)  # expect: random-state note
        return whole.sum(0), state


class SamplesItsStateRepaired(SamplesItsState):
    def forward(self, x, h):
        mean, _ = self.moments(self.cell(x, h)).chunk(2, 1)
        return mean, mean


class DrawsFromAGeneratorOfItsOwn(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.RNNCell(input_size, hidden_size)
        self.generator = torch.Generator().manual_seed(3)

    def forward(self, x, h):
        noise = torch.randn(h.shape, generator=self.generator)  # expect: random-state note
        return self.cell(x, h) + 0.1 * noise


class DrawsFromAGeneratorOfItsOwnRepaired(DrawsFromAGeneratorOfItsOwn):
    def forward(self, x, h):
        return self.cell(x, h)


# 17. wrong-gradient


class SquashesByHand(nn.Module):
    """By a name for ``apply`` that is made before anyone could look."""

    class Squash(torch.autograd.Function):
        @staticmethod
        def forward(ctx, drive):
            new = torch.tanh(drive)
            ctx.save_for_backward(new)
            return new

        @staticmethod
        def backward(ctx, gradient):
            (new,) = ctx.saved_tensors
            return gradient * (1 - new)  # expect: wrong-gradient warning

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        self.squash = self.Squash.apply

    def forward(self, x, h):
        return self.squash(self.inp(x) + self.rec(h))


class SquashesByHandRepaired(SquashesByHand):
    class Squash(SquashesByHand.Squash):
        @staticmethod
        def backward(ctx, gradient):
            (new,) = ctx.saved_tensors
            return gradient * (1 - new**2)


class GatesByHand(nn.Module):
    """Two arguments and two results, and one of the gradients off; as it is written since PyTorch 2."""

    class Gate(torch.autograd.Function):
        @staticmethod
        def forward(z, h):
            return torch.sigmoid(z) * h, (1 - torch.sigmoid(z)) * h

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, left, right):
            z, h = ctx.saved_tensors
            gate = torch.sigmoid(z)
            of_gate = (left + right) * h * gate * (1 - gate)
            return of_gate, left * gate + right * (1 - gate)  # expect: wrong-gradient warning

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        kept, given = self.Gate.apply(self.inp(x), h)
        h = torch.tanh(self.rec(kept) + self.inp(x))
        return given, h


class GatesByHandRepaired(GatesByHand):
    class Gate(GatesByHand.Gate):
        @staticmethod
        def backward(ctx, left, right):
            z, h = ctx.saved_tensors
            gate = torch.sigmoid(z)
            return (left - right) * h * gate * (1 - gate), left * gate + right * (1 - gate)


class MultipliesByHand(nn.Module):
    class Multiply(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h, weight):
            ctx.save_for_backward(h, weight)
            return h @ weight.t()

        @staticmethod
        def backward(ctx, gradient):
            h, weight = ctx.saved_tensors
            return gradient @ weight.t(), gradient.t() @ h  # expect: wrong-gradient warning

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.weight = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, states):
        h = torch.tanh(self.inp(x) + self.Multiply.apply(states[0], self.weight))
        return h, [h]


class MultipliesByHandRepaired(MultipliesByHand):
    class Multiply(MultipliesByHand.Multiply):
        @staticmethod
        def backward(ctx, gradient):
            h, weight = ctx.saved_tensors
            return gradient @ weight, gradient.t() @ h


class SoftensByHand(nn.Module):
    class Softplus(torch.autograd.Function):
        @staticmethod
        def forward(ctx, drive, sharpness):
            ctx.save_for_backward(drive)
            ctx.sharpness = sharpness
            return torch.log1p(torch.exp(sharpness * drive)) / sharpness

        @staticmethod
        def backward(ctx, gradient):
            if not ctx.needs_input_grad[0]:
                return None, None
            (drive,) = ctx.saved_tensors
            return gradient * torch.sigmoid(drive) / ctx.sharpness, None  # expect: wrong-gradient warning

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.Softplus.apply(self.inp(x) + self.rec(h), 3.0) - h)


class SoftensByHandRepaired(SoftensByHand):
    class Softplus(SoftensByHand.Softplus):
        @staticmethod
        def backward(ctx, gradient):
            (drive,) = ctx.saved_tensors
            return gradient * torch.sigmoid(ctx.sharpness * drive), None


# 18. Healthy cells that look like one of these; the docstring names what


class TwoModesOfOneState(nn.Module):
    """ignored-recurrence: what a GRU needs no second slot for is a copy of the first."""

    def __init__(self, input_size, hidden_size, lstm=False):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size) if lstm else None
        self.gru = None if lstm else nn.GRUCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = state
        if self.lstm is not None:
            h, c = self.lstm(x, (h, c))
            return h, (h, c)
        new = self.gru(x, h)
        return new, (new, new.clone())


class RisesWithoutSpikes(_AdaptiveStep):
    """returned-old-state: the threshold starts as one number and is spread over all units."""

    def forward(self, x, state=None):
        state = self.first(x) if state is None else state
        spikes, (v, threshold) = self.step(x, state)
        return spikes, _Adaptive(v=v, threshold=threshold)


class ShiftRegister(nn.Module):
    """Units that are copied: each row of the register is the old row above it."""

    def __init__(self, input_size, hidden_size, length=6):
        super().__init__()
        self.input_size, self.length = input_size, length
        self.read = nn.Linear(length * input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.length, self.input_size)

    def forward(self, x, register):
        register = torch.cat([x.unsqueeze(1), register[:, :-1]], dim=1)
        return torch.tanh(self.read(register.flatten(1))), register


class ClockworkOfPowers(nn.Module):
    """Units that seldom move: the slowest block is written at every 32nd step only."""

    def __init__(self, input_size, hidden_size, blocks=4):
        super().__init__()
        self.hidden_size = hidden_size
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)
        periods = torch.tensor([1, 2, 8, 32]).repeat_interleave(hidden_size // blocks)
        self.register_buffer("periods", F.pad(periods, (0, hidden_size - len(periods)), value=1))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 1, dtype=torch.long)

    def forward(self, x, state):
        h, step = state
        due = step % self.periods == 0
        h = torch.where(due, torch.tanh(self.lin(torch.cat([x, h], 1))), h)
        return h, (h, step + 1)


class TemporalLinks(nn.Module):
    """Units that stay zero: the link matrix of a DNC has no diagonal, and starts empty."""

    def __init__(self, input_size, rows=5):
        super().__init__()
        self.rows = rows
        self.address = nn.Linear(input_size + rows, rows)

    def initial_state(self, batch_size):
        return {
            "precedence": torch.zeros(batch_size, self.rows),
            "link": torch.zeros(batch_size, self.rows, self.rows),
        }

    def forward(self, x, state):
        p, link = state["precedence"], state["link"]
        forward_read = torch.einsum("bij,bj->bi", link, p)
        w = torch.softmax(self.address(torch.cat([x, forward_read], -1)), -1)
        link = (1 - w.unsqueeze(2) - w.unsqueeze(1)) * link + w.unsqueeze(2) * p.unsqueeze(1)
        link = link * (1 - torch.eye(self.rows))
        p = (1 - w.sum(-1, keepdim=True)) * p + w
        return forward_read, {"precedence": p, "link": link}


class TriangularMask(nn.Module):
    """Units that see little: under a triangular mask the first unit sees none of the others."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.3)
        self.register_buffer("mask", torch.tril(torch.ones(hidden_size, hidden_size)))

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + F.linear(h, self.u * self.mask))


class WritesIntoItsOwnZeros(nn.Module):
    """Units written in blocks: every block is, one after the other."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.half = hidden_size // 2
        self.a = nn.Linear(input_size + hidden_size, self.half)
        self.b = nn.Linear(input_size + self.half, hidden_size - self.half)

    def forward(self, x, h):
        new = torch.zeros_like(h)
        new[:, : self.half] = torch.tanh(self.a(torch.cat([x, h], 1)))
        new[:, self.half :] = 0.9 * h[:, self.half :] + 0.1 * self.b(torch.cat([x, new[:, : self.half]], 1))
        return new


class SkipsQuietRows(nn.Module):
    """The old state comes back: in the rows in which nothing happened."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        quiet = x.abs().amax(-1, keepdim=True) < 1.0
        return torch.where(quiet, h, self.cell(x, h))


class ConvStateInPlace(nn.Module):
    """The argument is changed: a queue of inputs is shifted in place, as inference code does it."""

    def __init__(self, dim, kernel_size=4):
        super().__init__()
        self.dim, self.kernel_size = dim, kernel_size
        self.weight = nn.Parameter(torch.randn(dim, kernel_size))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.kernel_size)

    @torch.no_grad()
    def step(self, x, conv_state):
        conv_state.copy_(torch.roll(conv_state, shifts=-1, dims=-1))
        conv_state[:, :, -1] = x
        return F.silu((conv_state * self.weight).sum(-1)), conv_state

    def forward(self, xs):
        padded = F.pad(xs.transpose(1, 2), (self.kernel_size - 1, 0))
        return F.silu(F.conv1d(padded, self.weight.unsqueeze(1), groups=self.dim)).transpose(1, 2)


class FillsTheDictAndReturnsIt(nn.Module):
    """The argument is changed: the dict is the state's home, and it is what comes back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "c": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        state["h"], state["c"] = self.lstm(x, (state["h"], state["c"]))
        return state["h"], state


class InPlaceOnWhatItMade(nn.Module):
    """In-place arithmetic: on tensors of its own, of which some are views of others."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def forward(self, x, h):
        pre = self.gates(torch.cat([x, h], 1))
        z, n = pre.chunk(2, 1)
        out = torch.zeros_like(h)
        out += torch.sigmoid(z) * h
        out += (1 - torch.sigmoid(z)) * torch.tanh(n)
        return out.mul_(0.9)


class LearnedStart(nn.Module):
    """A weight without effect: the first state is learned, and used where none is passed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.h0 = nn.Parameter(torch.randn(1, hidden_size))
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h=None):
        if h is None:
            h = torch.tanh(self.h0).expand(x.size(0), -1)
        return self.cell(x, h)


class HeadOfAnotherMethod(nn.Module):
    """A weight without effect: another method decodes."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.decoder = nn.Linear(hidden_size, 3)

    def decode(self, h):
        return self.decoder(h).log_softmax(-1)

    def forward(self, x, state):
        return self.cell(x, state)


class AuxiliaryHeadInTraining(nn.Module):
    """A weight without effect: the auxiliary head runs in training only."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 2)
        self.aux = nn.Linear(hidden_size, input_size)
        self.aux_loss = None

    def forward(self, x, h):
        h = self.cell(x, h)
        if self.training:
            self.aux_loss = F.mse_loss(self.aux(h), x)
        return self.head(h), h


class OptionalPeephole(nn.Module):
    """A weight without effect: what uses it was not asked for."""

    def __init__(self, input_size, hidden_size, peephole=False):
        super().__init__()
        self.peephole = peephole
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.w_peep = nn.Parameter(torch.randn(hidden_size))

    def forward(self, x, state):
        h, c = state
        f, g, o = self.gates(torch.cat([x, h], 1)).chunk(3, 1)
        if self.peephole:
            f = f + self.w_peep * c
        f = torch.sigmoid(f)
        c = f * c + (1 - f) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ReZeroBranch(nn.Module):
    """A weight without effect: the branch behind a gate of zero has not opened yet."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        self.branch = nn.Sequential(nn.Linear(hidden_size, 6), nn.ReLU(), nn.Linear(6, hidden_size))
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + self.rec(h)) + self.alpha * self.branch(h)


class FixedReservoir(nn.Module):
    """Weights without a gradient: a reservoir is not trained."""

    def __init__(self, input_size, hidden_size, leak=0.3):
        super().__init__()
        self.leak = leak
        self.w_in = nn.Parameter(torch.rand(hidden_size, input_size) - 0.5, requires_grad=False)
        w = torch.randn(hidden_size, hidden_size)
        self.w = nn.Parameter(0.9 * w / torch.linalg.eigvals(w).abs().max(), requires_grad=False)

    def forward(self, u, r):
        return (1 - self.leak) * r + self.leak * torch.tanh(F.linear(u, self.w_in) + F.linear(r, self.w))


class CachedMask(nn.Module):
    """Memory on self: a constant mask, made at the first call."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.3)
        self._mask = None

    def forward(self, x, h):
        if self._mask is None:
            self._mask = 1 - torch.eye(h.size(1))
        return torch.tanh(self.inp(x) + h @ (self.u * self._mask))


class CachedDropoutMask(nn.Module):
    """Memory on self: one dropout mask for a whole sequence (Gal and Ghahramani), drawn at its first step."""

    def __init__(self, input_size, hidden_size, p=0.3):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.p = p
        self._mask = None

    def reset_mask(self):
        self._mask = None

    def forward(self, x, h):
        if self.training:
            if self._mask is None or self._mask.shape != h.shape:
                self._mask = torch.bernoulli(torch.full_like(h, 1 - self.p)) / (1 - self.p)
            h = h * self._mask
        return self.cell(x, h)


class KeepsStatistics(nn.Module):
    """Memory on self: written at every step for a log, and never read."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.calls, self.last_hidden, self.norms = 0, None, []

    def forward(self, x, state):
        h, c = self.cell(x, state)
        with torch.no_grad():
            self.calls += 1
            self.last_hidden = h.detach()
            self.norms.append(float(h.norm()))
        return h, (h, c)


class CachedTransition(nn.Module):
    """Memory on self: what is made of the weights is kept in evaluation, as inference code does it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-2, 0, hidden_size))
        self.b = nn.Linear(input_size, hidden_size)
        self._a = None

    def train(self, mode=True):
        self._a = None
        return super().train(mode)

    def _decay(self):
        if self.training or self._a is None:
            self._a = torch.exp(-torch.exp(self.log_a))
        return self._a

    def forward(self, u, s):
        return self._decay() * s + self.b(u)


class NormalisedByRunningStatistics(nn.Module):
    """Memory in a buffer, and rows that see one another: BatchNorm, in training."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size, bias=False)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.bn = nn.BatchNorm1d(hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.bn(self.i2h(x)) + self.h2h(h))


class SpectrallyNormalised(nn.Module):
    """Memory in a buffer: the power iteration of spectral_norm."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.utils.parametrizations.spectral_norm(nn.Linear(hidden_size, hidden_size))

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + self.rec(h))


class SoftmaxOverLayers(nn.Module):
    """An operation along the first axis, which is that of the layers: the state is (layers, batch, hidden)."""

    def __init__(self, input_size, hidden_size, num_layers=3):
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.inp = nn.Linear(input_size, hidden_size)
        self.cells = nn.ModuleList(nn.GRUCell(hidden_size, hidden_size) for _ in range(num_layers))

    def init_hidden(self, batch_size):
        return torch.zeros(self.num_layers, batch_size, self.hidden_size)

    def forward(self, x, hidden):
        x = torch.tanh(self.inp(x))
        new = torch.stack([cell(x, h) for cell, h in zip(self.cells, hidden)])
        return (new.softmax(dim=0) * new).sum(dim=0), new


class ColumnsAreRows(nn.Module):
    """A norm along the first axis, which is that of the units: the state is (hidden, batch)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(0.3 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))

    def init_state(self, batch_size):
        return torch.zeros(self.hidden_size, batch_size)

    def forward(self, x, h):
        h = torch.tanh(self.W @ x.T + self.U @ h)
        h = h / (1e-3 + h.norm(dim=0, keepdim=True))
        return h.T, h


class WaveEquation(nn.Module):
    """Slots in another order: what was now is before, and the new one is linear in both."""

    def __init__(self, input_size, hidden_size, dt=0.2):
        super().__init__()
        self.dt = dt
        self.force = nn.Linear(input_size, hidden_size)
        self.stiffness = nn.Parameter(torch.rand(hidden_size) + 0.5)

    def forward(self, x, now, before):
        acceleration = self.force(x) - self.stiffness * now
        return 2 * now - before + self.dt**2 * acceleration, now


class CarryInItsOwnOrder(nn.Module):
    """Slots in another order: c before h, and so it comes back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, carry, x):
        c, h = carry
        h, c = self.cell(x, (h, c))
        return (c, h), h


class TwoLinearMemories(nn.Module):
    """Slots in another order: each of two linear memories takes more of the other than of itself."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x, even, odd):
        keep, write = self.gates(x).chunk(2, -1)
        keep = 0.5 * torch.sigmoid(keep)
        return keep * even + (0.9 - keep) * odd + write, 0.3 * odd + 0.6 * even


class RotatesItsPhases(nn.Module):
    """Slots in another order: a rotation by a quarter and more, as oscillators have it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.register_buffer("angle", torch.linspace(0.3, 1.6, hidden_size))

    def forward(self, x, re, im):
        cos, sin = torch.cos(self.angle), torch.sin(self.angle)
        return 0.98 * (cos * re - sin * im) + self.inp(x), 0.98 * (sin * re + cos * im)


class CoupledOscillators(nn.Module):
    """No growth: an oscillator network with damping, and a velocity that starts it (coRNN)."""

    def __init__(self, input_size, hidden_size, dt=0.1, gamma=1.0, epsilon=0.5):
        super().__init__()
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon
        self.inner = nn.Linear(input_size + 2 * hidden_size, hidden_size)

    def forward(self, x, hy, hz):
        force = torch.tanh(self.inner(torch.cat([x, hz, hy], 1)))
        hz = hz + self.dt * (force - self.gamma * hy - self.epsilon * hz)
        hy = hy + self.dt * hz
        return hy, hz


class PerfectIntegrator(nn.Module):
    """Growth that is linear: all that comes in is positive, and nothing leaks."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, total):
        total = total + F.softplus(self.inp(x))
        return total.log1p(), total


class ChainOfIntegrators(nn.Module):
    """Growth like a power of t: position, velocity, acceleration and jerk."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.hidden_size = hidden_size

    def initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size) for _ in range(4)]

    def forward(self, x, states):
        position, velocity, acceleration, jerk = states
        jerk = jerk + F.softplus(self.inp(x))
        acceleration = acceleration + jerk
        velocity = velocity + acceleration
        position = position + velocity
        return position, [position, velocity, acceleration, jerk]


class LinearAttentionSums(nn.Module):
    """Growth that is linear: keys and values are summed, and so is the normaliser."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.qkv = nn.Linear(dim, 3 * dim)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.dim), torch.zeros(batch_size, self.dim)

    def forward(self, x, state):
        s, z = state
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        s = s + torch.einsum("bi,bj->bij", k, v)
        z = z + k
        return torch.einsum("bi,bij->bj", q, s) / (q * z).sum(-1, keepdim=True), (s, z)


class LargeWeightsSaturate(nn.Module):
    """Growth that ends: the weights are large, and tanh holds the units."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = nn.Parameter(torch.randn(input_size, hidden_size))
        self.U = nn.Parameter(2 * torch.randn(hidden_size, hidden_size))

    def forward(self, x, h):
        return torch.tanh(x @ self.W + h @ self.U)


class DoublesAndClamps(nn.Module):
    """Growth that ends: doubled at each step, and clamped."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        return (2 * h + self.inp(x)).clamp(-3.0, 3.0)


class TransientGrowth(nn.Module):
    """Growth that ends: a delay line with gain, whose matrix is nilpotent."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.register_buffer("shift", 2.0 * torch.diag(torch.ones(hidden_size - 1), 1))

    def forward(self, x, h):
        return h @ self.shift + 0.01 * torch.tanh(self.inp(x))


class OrthogonalLinear(nn.Module):
    """Neither grows nor fades: an orthogonal matrix without a nonlinearity."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.utils.parametrizations.orthogonal(nn.Linear(hidden_size, hidden_size, bias=False))

    def forward(self, x, h):
        return self.rec(h) + self.inp(x)


class SlowLeak(nn.Module):
    """Neither grows nor fades within sight: a leak of 0.99."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.fc = nn.Linear(in_features, hidden_features)

    def forward(self, x, trace_state):
        return 0.99 * trace_state + 0.01 * self.fc(x)


class FastLeak(nn.Module):
    """Fades within a few steps, as it was meant to: a leak of 0.05."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.fc = nn.Linear(in_features, hidden_features)

    def forward(self, x, h):
        return 0.05 * h + self.fc(x)


class MomentumCell(nn.Module):
    """Two linear memories in one step, and one of them is a velocity."""

    def __init__(self, input_size, hidden_size, mu=0.9, step=0.6):
        super().__init__()
        self.mu, self.step = mu, step
        self.W = nn.Linear(input_size, hidden_size)
        self.U = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        h, v = state
        v = self.mu * v + self.step * self.W(x)
        h = torch.tanh(self.U(h) + v)
        return h, (h, v)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (1 + 10 * v.abs()) ** 2


class DetachedReset(nn.Module):
    """A detach: only the reset is cut, the membrane itself is not."""

    def __init__(self, in_features, hidden_features, beta=0.9):
        super().__init__()
        self.beta = beta
        self.fc = nn.Linear(in_features, hidden_features)

    def forward(self, x, mem):
        mem = self.beta * mem + self.fc(x)
        spk = _Spike.apply(mem - 0.5)
        return spk, mem - 0.5 * spk.detach()


class HardResetToConstant(nn.Module):
    """No gradient in the rows that fired: they are set to a constant."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.fc = nn.Linear(in_features, hidden_features)

    def forward(self, x, v):
        v = 0.9 * v + self.fc(x)
        spike = _Spike.apply(v - 0.4)
        return spike, torch.where(v > 0.4, torch.full_like(v, -0.1), v)


class StraightThroughBinary(nn.Module):
    """A detach: the state is binary, and its gradient is that of the sigmoid."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        soft = torch.sigmoid(4 * self.lin(torch.cat([x, h], 1)))
        hard = (soft > 0.5).float()
        return hard + soft - soft.detach()


class DetachesTheQuery(nn.Module):
    """A detach: of what is looked up with, while the state goes on with its gradient."""

    def __init__(self, input_size, hidden_size, rows=6):
        super().__init__()
        self.keys = nn.Parameter(torch.randn(rows, hidden_size))
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        weights = torch.softmax(h.detach() @ self.keys.t(), dim=-1)
        return self.cell(torch.cat([x, weights @ self.keys], dim=-1), h)


class TruncatedWithinTheSequence(nn.Module):
    """A detach: backpropagation is truncated every third step of a sequence."""

    def __init__(self, input_size, hidden_size, truncate=3):
        super().__init__()
        self.truncate = truncate
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, xs, h):
        outputs = []
        for t, x in enumerate(xs.unbind(1)):
            if t % self.truncate == 0:
                h = h.detach()
            h = self.cell(x, h)
            outputs.append(h)
        return torch.stack(outputs, 1), h


class ReadsItsFirstStateAsIs(nn.Module):
    """Infinity in the state: a running maximum starts from -inf, as it should."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.fc = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.full((batch_size, self.hidden_size), float("-inf"))

    def forward(self, x, m):
        m = torch.maximum(m, self.fc(x))
        return m, m


class LogDomain(nn.Module):
    """Infinity on the way: log-probabilities, of which some are -inf until they are summed."""

    def __init__(self, input_size, tags=4):
        super().__init__()
        self.tags = tags
        self.emit = nn.Linear(input_size, tags)
        self.transition = nn.Parameter(torch.randn(tags, tags))

    def initial_state(self, batch_size):
        start = torch.full((batch_size, self.tags), float("-inf"))
        start[:, 0] = 0.0
        return start

    def forward(self, x, alpha):
        scores = alpha.unsqueeze(2) + self.transition.log_softmax(-1)
        return torch.logsumexp(scores, dim=1) + self.emit(x).log_softmax(-1)


class ComputesInDouble(nn.Module):
    """Another type on the way: the sum is taken in double precision, the state is not."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)

    def forward(self, x, acc):
        precise = 0.9 * acc.double() + self.inp(x).double()
        return precise.to(acc.dtype)


class DoubleThroughout(nn.Module):
    """A cell of double precision."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size, dtype=torch.float64)

    def init_hidden(self, batch_size):
        return torch.zeros(2, batch_size, self.hidden_size, dtype=torch.float64).unbind(0)

    def forward(self, x, state):
        h, c = self.cell(x.double(), tuple(state))
        return h, (h, c)


class HalfPrecisionInside(nn.Module):
    """Another type on the way: bfloat16 within the step, and the type of the state on the way out."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            new = self.gru(x, h)
        return new.to(h.dtype)


class CountsAndFlags(nn.Module):
    """Slots that are no floats: a count, a flag and the last token."""

    def __init__(self, input_size, hidden_size, vocab=9):
        super().__init__()
        self.hidden_size = hidden_size
        self.embed = nn.Embedding(vocab, hidden_size)
        self.gru = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, vocab)

    def init_state(self, batch_size):
        return {
            "h": torch.zeros(batch_size, self.hidden_size),
            "token": torch.zeros(batch_size, dtype=torch.long),
            "count": torch.zeros(batch_size, dtype=torch.int32),
            "done": torch.zeros(batch_size, dtype=torch.bool),
        }

    def forward(self, x, state):
        h = self.gru(torch.cat([x, self.embed(state["token"])], -1), state["h"])
        logits = self.out(h) - 0.1 * state["count"].unsqueeze(-1)
        token = logits.argmax(-1)
        done = state["done"] | (token == 0)
        h = torch.where(done.unsqueeze(-1), 0.5 * h, h)
        return logits, {"h": h, "token": token, "count": state["count"] + 1, "done": done}


class KalmanFilter(nn.Module):
    """An input without effect on a slot: the covariance of a Kalman filter goes its own way."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.observe = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.ones(batch_size, self.hidden_size)

    def forward(self, z, state):
        mean, variance = state
        variance = variance + 0.1
        gain = variance / (variance + 1.0)
        mean = mean + gain * (self.observe(z) - mean)
        return mean, (mean, (1 - gain) * variance)


class ManyOutputs(nn.Module):
    """More comes back than went in: logits, a value and a dict of extras beside the state."""

    def __init__(self, obs_dim, hidden_dim, actions=3):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.core = nn.LSTMCell(obs_dim, hidden_dim)
        self.pi, self.v = nn.Linear(hidden_dim, actions), nn.Linear(hidden_dim, 1)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_dim), torch.zeros(batch_size, self.hidden_dim)

    def forward(self, obs, state):
        h, c = self.core(obs, state)
        logits, value = self.pi(h), self.v(h).squeeze(-1)
        return {"logits": logits, "value": value, "entropy": -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)}, (
            h,
            c,
        )


class AsksWhetherItIsScripted(nn.Module):
    """A branch for TorchScript: only the check of the shapes is left out there."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        if not torch.jit.is_scripting() and x.shape[0] != h.shape[0]:
            raise ValueError(f"{x.shape[0]} rows of input and {h.shape[0]} of state")
        return torch.tanh(self.inp(x) + self.rec(h))


class CannotBeScripted(nn.Module):
    """TorchScript refuses it, and nobody asked: keyword arguments by name, a lambda, a dict of functions."""

    activations = {"tanh": torch.tanh, "relu": torch.relu}

    def __init__(self, input_size, hidden_size, activation="tanh"):
        super().__init__()
        self.act = self.activations[activation]
        self.mix = lambda a, b: a + 0.5 * b
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, **kwargs):
        return self.act(self.mix(self.inp(x), self.rec(h)))


class SampledLatent(nn.Module):
    """Chance in the state: two runs of it differ, with one seed they do not, scripted or not."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.stats = nn.Linear(hidden_size, 2 * hidden_size)

    def forward(self, x: Tensor, h: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        h = self.gru(torch.cat([x, z], 1), h)
        mean, log_std = self.stats(h).chunk(2, dim=1)
        return h, mean + torch.exp(log_std) * torch.randn_like(mean)


def AlreadyScripted():
    """A scripted cell, checked as it is."""
    return torch.jit.script(AsksWhetherItIsScripted(5, 8))


class TaskHeads(nn.Module):
    """A weight without effect: each task has a head of its own, and one task is asked for."""

    def __init__(self, input_size, hidden_size, tasks=("near", "far")):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.heads = nn.ModuleDict({task: nn.Linear(hidden_size, 2) for task in tasks})

    def forward(self, x, h, task="near"):
        h = self.cell(x, h)
        return self.heads[task](h), h


class OneExpertForEachRow(nn.Module):
    """A weight without effect: of six experts those run that some row is routed to."""

    def __init__(self, input_size, hidden_size, experts=6):
        super().__init__()
        self.hidden_size = hidden_size
        self.router = nn.Linear(input_size + hidden_size, experts)
        self.experts = nn.ModuleList(nn.Linear(input_size + hidden_size, hidden_size) for _ in range(experts))

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        z = torch.cat([x, h], -1)
        weight, chosen = self.router(z).softmax(-1).max(-1)
        rows = [w * self.experts[int(index)](row) for row, w, index in zip(z, weight, chosen)]
        return torch.tanh(torch.stack(rows))


class CellForEachStep(nn.Module):
    """A weight without effect: a cell for each of ten positions, of which seven were seen."""

    def __init__(self, input_size, hidden_size, period=10):
        super().__init__()
        self.hidden_size = hidden_size
        self.cells = nn.ModuleList(nn.GRUCell(input_size, hidden_size) for _ in range(period))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), 0

    def forward(self, x, state):
        h, position = state
        h = self.cells[position % len(self.cells)](x, h)
        return h, (h, position + 1)


class OpensLate(nn.Module):
    """A weight without effect: it comes in after a hundred steps."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.late = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 1, dtype=torch.long)

    def forward(self, x, state):
        h, step = state
        h = self.cell(x, h)
        h = torch.where(step > 100, torch.tanh(self.late(h)), h)
        return h, (h, step + 1)


class PropertyOfAWeight(nn.Module):
    """A weight that no method names but a property does."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self._raw = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.inp = nn.Linear(input_size, hidden_size)

    @property
    def recurrent(self):
        return self._raw - self._raw.t()

    def forward(self, x, h):
        return h + 0.1 * torch.tanh(self.inp(x) + h @ self.recurrent)


class InputFromZero(nn.Module):
    """An input without effect: its projection starts at zero, as an adapter's does."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size, bias=False)
        nn.init.zeros_(self.inp.weight)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + self.rec(h))


class InputAtTheFirstStep(nn.Module):
    """An input without effect: a caption model sees the image once, at the first step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.look = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 1)

    def forward(self, x, state):
        h, step = state
        h = torch.tanh(self.rec(h) + (step == 0) * self.look(x))
        return h, (h, step + 1)


class OnlyLoudInputs(nn.Module):
    """An input without effect: below a threshold of six nothing gets in."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.inp(F.softshrink(x, 6.0)) + self.rec(h))


class LongRingBuffer(nn.Module):
    """Units that have not moved yet: a ring of 100 places, of which one is written at each step."""

    def __init__(self, input_size, hidden_size, places=100):
        super().__init__()
        self.input_size, self.places = input_size, places
        self.read = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return {"ring": torch.zeros(batch_size, self.places, self.input_size), "at": torch.zeros((), dtype=torch.long)}

    def forward(self, x, state):
        ring = state["ring"].clone()
        ring[:, state["at"] % self.places] = x
        return torch.tanh(self.read(ring.sum(1))), {"ring": ring, "at": state["at"] + 1}


class HardWrites(nn.Module):
    """Units that have not moved yet: the row with the best match is written, the others are not."""

    def __init__(self, input_size, hidden_size, rows=12):
        super().__init__()
        self.rows, self.hidden_size = rows, hidden_size
        self.key = nn.Linear(input_size, hidden_size)
        self.value = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.eye(self.rows, self.hidden_size).repeat(batch_size, 1, 1)

    def forward(self, x, memory):
        scores = torch.einsum("bd,brd->br", self.key(x), memory)
        place = F.one_hot(scores.argmax(-1), self.rows).unsqueeze(-1).to(memory.dtype)
        memory = torch.where(place > 0, 0.5 * memory + self.value(x).unsqueeze(1), memory)
        return torch.einsum("br,brd->bd", scores.softmax(-1), memory), memory


class LeapFrog(nn.Module):
    """Slots in another order: the leapfrog method steps over the present one."""

    def __init__(self, input_size, hidden_size, dt=0.05):
        super().__init__()
        self.dt = dt
        self.slope = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, previous, current):
        following = previous + 2 * self.dt * torch.tanh(self.slope(torch.cat([x, current], -1)))
        return current, following


class FeistelRound(nn.Module):
    """Slots in another order: the halves of a Feistel network change places at every round."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.round = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, left, right):
        return right, left + torch.tanh(self.round(torch.cat([x, right], -1)))


class CodebookState(nn.Module):
    """A detach: the state is quantised, and its gradient goes straight through."""

    def __init__(self, input_size, hidden_size, codes=16):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.codes = nn.Parameter(torch.randn(codes, hidden_size))

    def forward(self, x, z):
        z = self.cell(x, z)
        nearest = self.codes[torch.cdist(z, self.codes).argmin(-1)]
        return z + (nearest - z).detach() + 0.0 * nearest


class GreedyFeedback(nn.Module):
    """A slot without a gradient: the word that was chosen, as one of many."""

    def __init__(self, input_size, hidden_size, vocab=7):
        super().__init__()
        self.hidden_size, self.vocab = hidden_size, vocab
        self.cell = nn.GRUCell(input_size + vocab, hidden_size)
        self.out = nn.Linear(hidden_size, vocab)

    def zero_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.vocab)

    def forward(self, x, state):
        h, word = state
        h = self.cell(torch.cat([x, word], -1), h)
        logits = self.out(h)
        return logits, (h, F.one_hot(logits.argmax(-1), self.vocab).float())


class NormalisedByItsOwnScale(nn.Module):
    """A detach: of the scale that the state is divided by."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        with torch.no_grad():
            scale = h.abs().amax(-1, keepdim=True).clamp(min=1.0)
        return torch.tanh(self.inp(x)) + self.rec(h / scale)


class MasksItsLogits(nn.Module):
    """Infinity in the output: logits of words that may not be said."""

    def __init__(self, input_size, hidden_size, vocab=9):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, vocab)

    def forward(self, x, h):
        h = self.cell(x, h)
        logits = self.out(h)
        logits[:, 0] = float("-inf")
        return logits, h


class UnsetIsNaN(nn.Module):
    """NaN in the state: what has not been seen yet is marked so, and seen to."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.fc = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.full((batch_size, self.hidden_size), float("nan"))

    def forward(self, x, mean):
        drive = self.fc(x)
        return torch.where(mean.isnan(), drive, 0.9 * mean + 0.1 * drive)


class DividesUnderAMask(nn.Module):
    """NaN on the way: 0 / 0 is computed, and not taken."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.fc = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 1)]

    def forward(self, x, states):
        total, count = states
        mean = torch.where(count > 0, total / count, torch.zeros_like(total))
        drive = torch.tanh(self.fc(x) - mean)
        return mean, [total + drive, count + 1]


class BroadcastsItsFirstRow(nn.Module):
    """A slot of another shape: the first state is one row for all."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.start = nn.Parameter(torch.randn(1, hidden_size))
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self):
        return self.start

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + self.rec(h))


class StartsFromANumber(nn.Module):
    """A slot of another kind: the first state is the number zero."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return 0.0

    def forward(self, x, trace):
        trace = 0.9 * trace + self.inp(x)
        return torch.tanh(trace), trace


class NoiseOfItsOwn(nn.Module):
    """Chance of its own: a generator on self, which goes on."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.generator = torch.Generator().manual_seed(3)

    def forward(self, x, h):
        h = self.cell(x, h)
        return h + 0.1 * torch.randn(h.shape, generator=self.generator)


class GrowsItsTable(nn.Module):
    """Memory on self: a table of sines, made longer as it is needed; the position stands in the state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.table = torch.zeros(0, hidden_size)

    def _position(self, t):
        if t >= len(self.table):
            steps = torch.arange(2 * t + 2).unsqueeze(1)
            self.table = torch.sin(steps / 10 ** torch.linspace(0, 3, self.hidden_size))
        return self.table[t]

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), 0

    def forward(self, x, state):
        h, t = state
        h = self.cell(torch.cat([x, self._position(t).expand_as(h)], -1), h)
        return h, (h, t + 1)


class WeightNormed(nn.Module):
    """Memory on self: weight_norm writes the weight anew before each step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.utils.weight_norm(nn.Linear(input_size, hidden_size))
        self.rec = nn.utils.parametrizations.weight_norm(nn.Linear(hidden_size, hidden_size))

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + self.rec(h))


class Chaotic(nn.Module):
    """Rows that see one another: only by rounding, which a gain of forty makes large."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        nn.init.orthogonal_(self.rec.weight, gain=40.0)

    def forward(self, x, h):
        return torch.sin(self.inp(x) + self.rec(h))


class ThreeHeads(nn.Module):
    """An axis as long as the batch: three heads for three rows."""

    def __init__(self, dim=6, heads=3):
        super().__init__()
        self.dim, self.heads = dim, heads
        self.qkv = nn.Linear(dim, 3 * dim)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.heads, self.dim // self.heads, self.dim // self.heads)

    def forward(self, x, state):
        q, k, v = (part.view(-1, self.heads, self.dim // self.heads) for part in self.qkv(x).chunk(3, -1))
        weights = torch.softmax(k.sum(-1), dim=1).unsqueeze(-1)
        state = 0.9 * state + torch.einsum("bhi,bhj->bhij", weights * k, v)
        return torch.einsum("bhi,bhij->bhj", q, state).flatten(1), state


class SharpPointer(nn.Module):
    """A gradient next to nothing: the state is a pointer, and its softmax is sharp."""

    def __init__(self, input_size, places=8):
        super().__init__()
        self.places = places
        self.move = nn.Linear(input_size, 3)

    def init_state(self, batch_size):
        return F.one_hot(torch.zeros(batch_size, dtype=torch.long), self.places).float()

    def forward(self, x, pointer):
        shift = torch.softmax(20 * self.move(x), -1)
        left, right = torch.roll(pointer, -1, dims=1), torch.roll(pointer, 1, dims=1)
        pointer = shift[:, :1] * left + shift[:, 1:2] * pointer + shift[:, 2:] * right
        pointer = pointer**2 / (pointer**2).sum(-1, keepdim=True)
        return pointer, pointer


class ResetsOnLoudInput(nn.Module):
    """Growth that ends: 1.2-fold at each step until it is reset."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        h = 1.2 * h + self.inp(x)
        return torch.where(h.abs().amax(-1, keepdim=True) > 4.0, torch.zeros_like(h), h)


class TracedForExport(nn.Module):
    """Names torch.jit, and cannot be scripted: it only asks whether it is being traced."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state=None, *, scale=None, **unused):
        if not torch.jit.is_tracing() and x.dim() != 2:
            raise ValueError("one step at a time")
        h, c = self.cell(x, state)
        return h, (h, c)


class LogsOutsideScript(nn.Module):
    """Scripted and eager do the same; a method for the log is left to Python."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    @torch.jit.ignore
    def log(self, h):
        float(h.norm())

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        h = torch.tanh(self.inp(x) + self.rec(h))
        self.log(h)
        return h


@torch.jit.script
def _scripted_gates(z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    i, f, g, o = z.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class ScriptedGates(nn.Module):
    """A scripted function does the work, in a cell whose state is not annotated."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        h, c = _scripted_gates(self.lin(torch.cat([x, h], 1)), c)
        return h, (h, c)


# untrained-weight


class InputThroughData(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        drive = self.input(x).data  # expect: untrained-weight warning
        return torch.tanh(drive + self.recurrent(h))


class InputThroughDataRepaired(InputThroughData):
    def forward(self, x, h):
        drive = self.input(x)
        return torch.tanh(drive + self.recurrent(h))


class GateDetachedLater(nn.Module):
    """Two slots; the gate is computed with a gradient, and used without."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size, hidden_size)
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        return (torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size))

    def forward(self, frame, state):
        gate = torch.sigmoid(self.gate(frame))
        h, c = self.lstm(frame, state)
        held = gate.detach()  # expect: untrained-weight warning
        return held * h, (held * h, c)


class GateDetachedLaterRepaired(GateDetachedLater):
    def forward(self, frame, state):
        gate = torch.sigmoid(self.gate(frame))
        h, c = self.lstm(frame, state)
        return gate * h, (gate * h, c)


class LayersInAList(nn.Module):
    def __init__(self, input_size, hidden_size, depth=2):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.layers = [nn.Linear(hidden_size, hidden_size) for _ in range(depth)]  # expect: untrained-weight warning

    def forward(self, x, h):
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return torch.tanh(self.input(x) + h)


class LayersInAListRepaired(LayersInAList):
    def __init__(self, input_size, hidden_size, depth=2):
        super().__init__(input_size, hidden_size, depth)
        del self.layers
        self.layers = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(depth))


class GatesInADict(nn.Module):
    """Parameters by the names of the gates, spread states."""

    def __init__(self, in_features, out_features):
        super().__init__()
        shape = in_features + out_features, out_features
        z, n = (nn.Parameter(0.3 * torch.randn(shape)) for _ in range(2))
        self.w = {"z": z, "n": n}  # expect: untrained-weight warning
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, inp, hidden):
        both = torch.cat([inp, hidden], dim=-1)
        z = torch.sigmoid(both @ self.w["z"] + self.bias)
        return z * hidden + (1 - z) * torch.tanh(both @ self.w["n"])


class GatesInADictRepaired(GatesInADict):
    def __init__(self, in_features, out_features):
        super().__init__(in_features, out_features)
        w = self.w
        del self.w
        self.w = nn.ParameterDict(w)


class ScaledByItem(nn.Module):
    """A learned scale that becomes a Python number."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x, h):
        return self.cell(x * self.scale.item(), h)  # expect: untrained-weight warning


class ScaledByItemRepaired(ScaledByItem):
    def forward(self, x, h):
        return self.cell(x * self.scale, h)


class _Twin(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.mu = nn.Parameter(weight)


class SharesMemory(nn.Module):
    """Two parameters in the same memory, one of which is used."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size + hidden_size) * 0.3)
        self.sampler = _Twin(self.weight)

    def forward(self, x, h):
        return torch.tanh(F.linear(torch.cat([x, h], 1), self.sampler.mu))


class DetachedInEvaluation(nn.Module):
    """A learned scale that is only let through while training."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x, h):
        scale = self.scale if self.training else self.scale.detach()
        return self.cell(x * scale, h)


class FixedReservoirInAList(nn.Module):
    """What is not to be trained need not be registered."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.fixed = [nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.2, requires_grad=False)]

    def forward(self, x, h):
        return torch.tanh(self.input(x) + h @ self.fixed[0])


class PicksTheLoudest(nn.Module):
    """A step function of a weight: no gradient leads through it, and none could."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.router = nn.Linear(input_size, 3)
        self.experts = nn.ModuleList(nn.Linear(input_size + hidden_size, hidden_size) for _ in range(3))

    def forward(self, x, h):
        both = torch.cat([x, h], 1)
        new = torch.stack([torch.tanh(expert(both)) for expert in self.experts], 1)
        chosen = F.one_hot(self.router(x).argmax(1), 3).to(x.dtype)
        return (chosen[:, :, None] * new).sum(1)


class QuantisesWithACodebook(nn.Module):
    """Straight through; whoever trains it may have a loss for the codebook."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.codebook = nn.Parameter(torch.randn(16, hidden_size))

    def forward(self, x, h):
        z = self.cell(x, h)
        code = self.codebook[torch.cdist(z, self.codebook).argmin(1)]
        return z + (code - z).detach()  # expect: untrained-weight note


class QuantisesWithACodebookRepaired(QuantisesWithACodebook):
    def forward(self, x, h):
        z = self.cell(x, h)
        weights = torch.softmax(-torch.cdist(z, self.codebook), 1)
        return weights @ self.codebook


class KeepsTheLossOfItsCodebook(QuantisesWithACodebookRepaired):
    """untrained-weight: the codebook learns by a loss that the cell keeps."""

    def forward(self, x, h):
        z = self.cell(x, h)
        code = self.codebook[torch.cdist(z, self.codebook).argmin(1)]
        self.loss = ((code - z.detach()) ** 2).mean()
        return z + (code - z).detach()


# what has no effect though a gradient leads to it, and what is asleep


class SoftmaxOverOne(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1)

    def forward(self, x, h):
        attention = torch.softmax(self.score(h), dim=1)  # expect: unused-weight warning
        return torch.tanh(self.input(x) + attention * self.recurrent(h))


class SoftmaxOverOneRepaired(SoftmaxOverOne):
    def forward(self, x, h):
        attention = torch.sigmoid(self.score(h))
        return torch.tanh(self.input(x) + attention * self.recurrent(h))


class NormOfOne(nn.Module):
    """Each number is normalised by itself, which leaves nothing of it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.bias = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h):
        mixed = self.input(x) * self.recurrent(h)  # expect: unused-weight warning
        normed = F.layer_norm(mixed[..., None], (1,))[..., 0]
        return torch.tanh(self.input(x) + self.bias + 0.5 * h + normed)


class NormOfOneRepaired(NormOfOne):
    def forward(self, x, h):
        mixed = self.input(x) * self.recurrent(h)
        normed = F.layer_norm(mixed, mixed.shape[-1:])
        return torch.tanh(self.input(x) + self.bias + 0.5 * h + normed)


class SwitchedOff(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        nn.init.constant_(self.input.bias, -10.0)

    def forward(self, x, h):
        return torch.relu(self.input(x) + self.recurrent(h))  # expect: unchanged-initial-state warning


class SwitchedOffRepaired(SwitchedOff):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        nn.init.zeros_(self.input.bias)


class ZeroAtFirst(nn.Module):
    """ReZero: nothing moves at first, and the gradient of the scale wakes it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.both = nn.Linear(input_size + hidden_size, hidden_size)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x, h):
        return h + self.scale * torch.tanh(self.both(torch.cat([x, h], 1)))


class RootAtZero(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        memory = self.recurrent(h)
        length = memory.pow(2).sum(dim=1, keepdim=True).sqrt()  # expect: nonfinite-state
        return torch.tanh(self.input(x) + memory / (1 + length))


class RootAtZeroRepaired(RootAtZero):
    def forward(self, x, h):
        memory = self.recurrent(h)
        length = (memory.pow(2).sum(dim=1, keepdim=True) + 1e-6).sqrt()
        return torch.tanh(self.input(x) + memory / (1 + length))


class NormAtZero(nn.Module):
    """The norm of zeros has a derivative of zero in PyTorch."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h):
        memory = self.recurrent(h)
        return torch.tanh(self.input(x) + memory / (1 + memory.norm(dim=1, keepdim=True)))


class _Resets(torch.autograd.Function):
    """A threshold with a surrogate gradient, and with it a reset: what it leaves of the potential is smooth but for
    the jump."""

    @staticmethod
    def forward(ctx, potential, threshold):
        spike = (potential > threshold).to(potential.dtype)
        ctx.save_for_backward(potential)
        ctx.threshold = threshold
        return spike, 0.9 * potential - threshold * spike

    @staticmethod
    def backward(ctx, of_spike, of_rest):
        (potential,) = ctx.saved_tensors
        surrogate = 1 / (1 + 10 * (potential - ctx.threshold).abs()) ** 2
        return of_spike * surrogate + of_rest * (0.9 - ctx.threshold * surrogate), None


class SpikesWithASurrogate(nn.Module):
    """wrong-gradient: the derivative of a threshold is of no use."""

    threshold = 1.0

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, v):
        spike, v = _Resets.apply(self.inp(x) + v + 0.1 * torch.tanh(self.rec(v)), self.threshold)
        return spike, v


class SpikesAtAFarThreshold(SpikesWithASurrogate):
    """wrong-gradient: no spike is near."""

    threshold = 60.0


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        return h.view_as(h)

    @staticmethod
    def backward(ctx, gradient):
        return -0.5 * gradient


class _Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        new = torch.tanh(h)
        ctx.save_for_backward(new)
        return new

    @staticmethod
    def backward(ctx, gradient):
        (new,) = ctx.saved_tensors
        return (gradient * (1 - new * new)).clamp(-0.01, 0.01)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        return torch.round(8 * torch.tanh(h)) / 8

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class _Hard(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return (0.25 * h + 0.5).clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        soft = torch.sigmoid(h)
        return gradient * soft * (1 - soft)


class _Aligned(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, weight, feedback):
        ctx.save_for_backward(h, weight, feedback)
        return torch.tanh(h @ weight.t())

    @staticmethod
    def backward(ctx, gradient):
        h, weight, feedback = ctx.saved_tensors
        inner = gradient * (1 - torch.tanh(h @ weight.t()) ** 2)
        return inner @ feedback, inner.t() @ h, None


class GivesGradientsOfItsOwn(SquashesByHandRepaired):
    """wrong-gradient: reversed, clipped, straight through a rounding, of a softer function."""

    def forward(self, x, h):
        new = _Clipped.apply(self.inp(x) + self.rec(_Reversed.apply(h)))
        return _StraightThrough.apply(_Hard.apply(new) + 0.1 * x.mean(1, keepdim=True))


class AlignsItsFeedback(SquashesByHandRepaired):
    """wrong-gradient: the way back through other weights than the way there, as feedback alignment has it."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.register_buffer("feedback", torch.randn(hidden_size, hidden_size))

    def forward(self, x, h):
        return _Aligned.apply(self.inp(x) + h, self.rec.weight, self.feedback) + self.rec.bias


class CreepsToItsBound(nn.Module):
    """exploding-state: it grows for a hundred steps, and less and less."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.drive = nn.Linear(input_size, hidden_size)
        self.mix = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return 0.99 * h + 1 + 0.1 * torch.tanh(self.drive(x) + self.mix(h))


class DropsWhileTraining(nn.Module):
    """random-state: all of its dropouts are told."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, h):
        x = F.dropout(x, 0.5, training=self.training)
        return self.cell(self.dropout(x), F.alpha_dropout(h, 0.5, self.training))


class ForgetsToReturn(nn.Module):
    """It ends with the new state in a local."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        h = self.cell(x, h)  # expect: wrong-state-structure


class ForgetsToReturnRepaired(ForgetsToReturn):
    def forward(self, x, h):
        h = self.cell(x, h)
        return h


class FieldOfItsOwn(nn.Module):
    """ignored-input: the right-hand side of a differential equation, which a solver calls with the time."""

    def __init__(self, hidden_size):
        super().__init__()
        self.gate = nn.Linear(hidden_size, hidden_size, bias=False)
        self.pull = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, t, h):
        return (1 - torch.sigmoid(self.gate(h))) * (torch.tanh(self.pull(h)) - h)


class RootsItsDrive(nn.Module):
    """From ones it never meets a negative number, from zeros half of its units do at once."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.drive = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        h = 0.95 * h + 0.05 * torch.tanh(self.drive(x))
        return torch.sqrt(h)  # expect: nonfinite-state warning


class RootsItsDriveRepaired(RootsItsDrive):
    def forward(self, x, h):
        return 0.95 * h + 0.05 * torch.tanh(self.drive(x))


class OverwritesTheNew(nn.Module):
    """The new state, and then the old one by the same name."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, state):
        new_state = self.cell(x, state)
        new_state = state  # expect: returned-old-state
        return new_state


class OverwritesTheNewRepaired(OverwritesTheNew):
    def forward(self, x, state):
        new_state = self.cell(x, state)
        return new_state


class ClosesItsGateForGood(nn.Module):
    """The new value is let in through a gate that is always shut."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.new = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        both = torch.cat([x, h], 1)
        gate = torch.sigmoid(self.gate(both)) * 0
        candidate = torch.tanh(self.new(both))
        change = gate * (candidate - h)
        return h + change  # expect: returned-old-state


class ClosesItsGateForGoodRepaired(ClosesItsGateForGood):
    def forward(self, x, h):
        both = torch.cat([x, h], 1)
        gate = torch.sigmoid(self.gate(both))
        return h + gate * (torch.tanh(self.new(both)) - h)


class GivesOneForBoth(nn.Module):
    """The hidden state comes back for the cell state too."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h_new = o.sigmoid() * c_new.tanh()
        return h_new, (h_new, h_new)  # expect: wrong-state-structure warning 1


class GivesOneForBothRepaired(GivesOneForBoth):
    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c_new = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h_new = o.sigmoid() * c_new.tanh()
        return h_new, (h_new, c_new)


class KeepsOneForBoth(GivesOneForBoth):
    """wrong-state-structure: without an output gate the hidden state is the cell state."""

    def forward(self, x, state):
        h, c = state
        _, f, g, _ = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        kept = f.sigmoid() * c
        new = kept + (1 - f.sigmoid()) * g.tanh()
        return new, (new, new)


class TwoLayersByNumber(nn.Module):
    """Their parts are arguments of their own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lower = nn.LSTMCell(input_size, hidden_size)
        self.upper = nn.LSTMCell(hidden_size, hidden_size)

    def forward(self, x, h1, c1, h2, c2):
        h1, c1 = self.lower(x, (h1, c1))
        h2, c2 = self.upper(h1, (h2, c2))
        return h1, c1, h2, c2


class KeepsTheOldBySomeName(nn.Module):
    """The new carry of a layer below, which has another name there, is dropped for a copy of the old one."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.below = OverwritesTheNewRepaired(input_size, hidden_size)
        self.above = nn.GRUCell(hidden_size, hidden_size)

    def forward(self, x, low, high):
        before = low
        low = self.below(x, low)
        high = self.above(low, high)
        return before, high  # expect: returned-old-state 0


class KeepsTheOldBySomeNameRepaired(KeepsTheOldBySomeName):
    def forward(self, x, low, high):
        low = self.below(x, low)
        high = self.above(low, high)
        return low, high


# Of a slot one part is forgotten.


class UpperLayerFromZeros(nn.Module):
    """Both layers' states in one tensor; the upper one begins each step from nothing, and its weights lie idle."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.l0, self.l1 = nn.GRUCell(input_size, hidden_size), nn.GRUCell(hidden_size, hidden_size)

    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, torch.zeros_like(hx[1]))
        return h1, torch.stack([h0, h1])  # expect: ignored-recurrence warning


class UpperLayerFromZerosRepaired(UpperLayerFromZeros):
    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, hx[1])
        return h1, torch.stack([h0, h1])


class LowerLayerTwice(UpperLayerFromZeros):
    """The lower layer is read for the upper one, of which something else is the output."""

    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, hx[0])
        return h0 + h1, torch.stack([h0, h1])  # expect: ignored-recurrence warning


class LowerLayerTwiceRepaired(UpperLayerFromZeros):
    def forward(self, x, hx):
        h0 = self.l0(x, hx[0])
        h1 = self.l1(h0, hx[1])
        return h0 + h1, torch.stack([h0, h1])


class KeepsItsSpikesBeside(nn.Module):
    """The spikes are kept for the caller, in one tensor with the potential."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.enter, self.again = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        potential = 0.9 * state[1] + self.enter(x) + self.again(torch.sigmoid(state[1]))
        spikes = torch.sigmoid(5 * potential)
        return spikes, torch.stack([spikes, potential])


class OldHiddenForTheCell(nn.Module):
    """Half of what the cell computes is dropped, and the old of the other half comes back for it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = state
        new_h, new_c = self.cell(x, (h, c))
        return new_h, (new_h, h)  # expect: wrong-state-structure error 1


class OldHiddenForTheCellRepaired(OldHiddenForTheCell):
    def forward(self, x, state):
        h, c = state
        new_h, new_c = self.cell(x, (h, c))
        return new_h, (new_h, new_c)


class _Candidate(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)


class GivesOutWhatItDrops(_Candidate):
    def forward(self, x, h):
        f = self.gate(torch.cat([x, h], 1)).sigmoid()
        h_tilde = self.candidate(torch.cat([x, f * h], 1)).tanh()
        ht = (1 - f) * h + f * h_tilde
        return ht, h  # expect: returned-old-state 0


class GivesOutWhatItDropsRepaired(_Candidate):
    def forward(self, x, h):
        f = self.gate(torch.cat([x, h], 1)).sigmoid()
        h_tilde = self.candidate(torch.cat([x, f * h], 1)).tanh()
        ht = (1 - f) * h + f * h_tilde
        return ht, ht


class GivesOutWhatItDropsAtOnce(_Candidate):
    def forward(self, x, h):
        f = self.gate(torch.cat([x, h], 1)).sigmoid()
        h_tilde = self.candidate(torch.cat([x, f * h], 1)).tanh()
        return (1 - f) * h + f * h_tilde, h  # expect: returned-old-state 0


class GivesOutWhatItDropsAtOnceRepaired(_Candidate):
    def forward(self, x, h):
        f = self.gate(torch.cat([x, h], 1)).sigmoid()
        h_tilde = self.candidate(torch.cat([x, f * h], 1)).tanh()
        h = (1 - f) * h + f * h_tilde
        return h, h


class GivesOutItsHiddenStateAtOnce(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), (h, c)  # expect: returned-old-state error 0


class GivesOutItsHiddenStateAtOnceRepaired(GivesOutItsHiddenStateAtOnce):
    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


class ThrowsItsNewStateAway(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn, self.mean = nn.GRUCell(2 * hidden_size, hidden_size), nn.Linear(input_size + hidden_size, hidden_size)
        self.phi = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        z = self.mean(torch.cat([x, h], 1)).tanh()
        self.rnn(torch.cat([self.phi(x), z], 1), h)  # expect: returned-old-state error 0
        return z, h


class ThrowsItsNewStateAwayRepaired(ThrowsItsNewStateAway):
    def forward(self, x, h):
        z = self.mean(torch.cat([x, h], 1)).tanh()
        h = self.rnn(torch.cat([self.phi(x), z], 1), h)
        return z, h


class FeedsZerosToAMatrix(nn.Module):
    """The bias of the layer is alive, its weight is not."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x_z, self.h_z = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.x_n, self.h_n = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        z = (self.x_z(x) + self.h_z(h)).sigmoid()
        n = (self.x_n(x) + self.h_n(torch.zeros_like(h))).tanh()  # expect: unused-weight warning
        return z * h + (1 - z) * n


class FeedsZerosToAMatrixRepaired(FeedsZerosToAMatrix):
    def forward(self, x, h):
        z = (self.x_z(x) + self.h_z(h)).sigmoid()
        return z * h + (1 - z) * (self.x_n(x) + self.h_n(h)).tanh()


class ShiftsByAToken(nn.Module):
    """What it keeps of a step is the input of it."""

    def __init__(self, size):
        super().__init__()
        self.key, self.receptance, self.value = (nn.Linear(size, size) for _ in range(3))
        self.mix = nn.Parameter(torch.full((size,), 0.5))

    def forward(self, x, last_x):
        mixed = x * self.mix + last_x * (1 - self.mix)
        k = self.key(mixed).relu() ** 2
        return self.receptance(mixed).sigmoid() * self.value(k), last_x  # expect: returned-old-state error 0


class ShiftsByATokenRepaired(ShiftsByAToken):
    def forward(self, x, last_x):
        mixed = x * self.mix + last_x * (1 - self.mix)
        k = self.key(mixed).relu() ** 2
        return self.receptance(mixed).sigmoid() * self.value(k), x
