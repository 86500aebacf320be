"""Broken PyTorch cells in the styles that people write; comments mark the line at fault."""

import torch
import torch.nn.functional as F
from torch import nn


class ReturnsOldH(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = state
        h_next, c_next = self.cell(x, (h, c))
        return h_next, (h, c_next)  # expect: returned-old-state error 0


class ReturnsOldWhole(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h_next, c_next = self.cell(x, state)
        return h_next, state  # expect: returned-old-state


class ReturnsOldInline(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.w = nn.Linear(n_in + n_hidden, n_hidden)

    def forward(self, inp, hidden):
        return torch.tanh(self.w(torch.cat((inp, hidden), 1))), hidden  # expect: returned-old-state error 0


class ReturnsAClone(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        new = torch.tanh(self.w(torch.cat((x, h), 1)))
        return new, h.clone()  # expect: returned-old-state error 0


class AliasedEarly(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        h_new = h
        candidate = torch.tanh(self.w(torch.cat((x, h), 1)))
        return candidate, h_new  # expect: returned-old-state error 0


class SeveralLines(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        h_new = self.cell(x, h)
        return (  # expect: returned-old-state error 0
            h_new,
            h,
        )


class InAHelper(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def step(self, x, h):
        h_new = self.cell(x, h)
        return h_new, h  # expect: returned-old-state error 0

    def forward(self, x, h):
        return self.step(x, h)


class OldInADict(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.cell(x, (state["h"], state["c"]))
        return h, {"h": h, "c": state["c"]}  # expect: returned-old-state error 1


class BlendsOldWithOld(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.z = nn.Linear(input_size, hidden_size)
        self.n = nn.Linear(input_size + hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.ones(batch_size, self.hidden_size)

    def forward(self, x, h):
        z = torch.sigmoid(self.z(x))
        n = torch.tanh(self.n(torch.cat((x, h), 1)))
        h_new = z * h + (1 - z) * h
        return h_new  # expect: returned-old-state error 0


class CarriesASlotAlong(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)

    def forward(self, x, state):
        h, memory = state
        h = self.cell(torch.cat([x, memory], 1), h)
        return h, (h, memory)  # expect: returned-old-state warning 1


class NeverReads(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        z = self.i2h(x)  # expect: ignored-recurrence error 0
        return torch.tanh(z)


class MultipliesByZero(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        z = self.i2h(x) + 0.0 * self.h2h(h)  # expect: ignored-recurrence error 0
        return torch.tanh(z)


class StartsFromZerosEachStep(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.cell(x)  # expect: ignored-recurrence
        return h, (h, c)


class ForgetsOneSlot(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x = nn.Linear(input_size, 4 * hidden_size)
        self.h = nn.Linear(hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        gates = self.x(x)  # expect: ignored-recurrence warning 0
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ForgetsTheCellState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.w(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(i) * torch.tanh(g)  # expect: ignored-recurrence warning 1
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class AbsorbingZero(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        h = h * torch.exp(F.softsign(self.w(x)))  # expect: unchanged-initial-state error 0
        return h


class AbsorbingZeroAssumed(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        h = h * torch.sigmoid(self.w(x))  # expect: unchanged-initial-state warning 0
        return h


class OverwritesTheState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        x_proj = self.i2h(x)
        h = torch.zeros_like(h)  # expect: ignored-recurrence error 0
        h = torch.tanh(x_proj + self.h2h(h))
        return h


class ReadsOnePartOfADict(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        h = torch.tanh(self.i(x) + self.h(state["deter"]))
        return h, {"deter": state["deter"], "stoch": h}  # expect: returned-old-state error 0


class ForgetsASlotWithoutWeights(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def forward(self, x, state):
        h, trace = state
        u, v = self.w(torch.cat([x, h], 1)).chunk(2, 1)
        mixed = torch.tanh(u) + torch.zeros_like(trace)  # expect: ignored-recurrence warning 1
        h = torch.tanh(mixed)
        return h, (h, v)


class ReadsOutOfTheNew(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)
        self.head = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        z, r = torch.sigmoid(self.gates(torch.cat([x, state], 1))).chunk(2, 1)
        n = torch.tanh(self.candidate(torch.cat([x, r * state], 1)))
        mixed = (1 - z) * n + z * state
        out = self.head(mixed)
        return out, state  # expect: returned-old-state error 0


class ReadsOutByAHelper(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.h2o = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size))

    def read(self, value):
        return F.log_softmax(self.h2o(value), -1)

    def step(self, x, state):
        summed = self.i2h(x) + self.h2h(state)
        active = torch.tanh(summed)
        y = self.read(active)
        return y, state  # expect: returned-old-state error 0

    def forward(self, x, state):
        return self.step(x, state)


class NormalisesAtTheEnd(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, x, state):
        summed = self.i2h(x) + self.h2h(state)
        out = torch.tanh(self.norm(summed))
        return out, state  # expect: returned-old-state error 0


class DropsOutTheNew(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x, state):
        new = self.cell(x, state)
        out = self.dropout(new)
        return out, state  # expect: returned-old-state error 0


class TwoOfOneStatement(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, state):
        h, c = state
        a, b = self.cell(x, (h, c))
        return self.head(a), (h, c)  # expect: returned-old-state


class KeepsOneOfItsArguments(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, h, c):
        h, c_new = self.cell(x, (h, c))
        return h, c  # expect: returned-old-state error 1


class KeepsItsHiddenBesideAContext(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.attend = nn.GRUCell(hidden_size, hidden_size)

    def forward(self, x, hidden, context, alignment):
        new_hidden = self.rnn(torch.cat([x, context], -1), hidden)
        alignment = self.attend(new_hidden, alignment)
        context = torch.tanh(alignment) * new_hidden
        return hidden, context, alignment  # expect: returned-old-state error 0


class ForgetsItsFastWeights(nn.Module):
    """What the dropped value adds comes from the other slot."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size, self.hidden_size)

    def forward(self, x, state):
        h, fast = state
        new_fast = 0.9 * fast + 0.1 * h.unsqueeze(2) @ h.unsqueeze(1)
        h = torch.tanh(self.w(x) + self.u(h) + (new_fast @ h.unsqueeze(2)).squeeze(2))
        return h, (h, fast)  # expect: returned-old-state error 1


class WipesItsState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, state):
        new = self.cell(x, state)
        return new, torch.zeros_like(state)  # expect: unchanged-initial-state error 0


class WipesItsMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.cell(x, state)
        return h, (h, torch.zeros_like(c))  # expect: unchanged-initial-state error 1


class StartsAnewEachStep(nn.Module):
    """Its first state, which is learned, is its state at every step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)
        self.first = nn.Parameter(torch.randn(hidden_size))

    def forward(self, x, h):
        y = torch.tanh(self.mix(torch.cat([x, h], 1)))
        h = self.first.expand_as(y)  # expect: unchanged-initial-state error 0
        return y, h


class GivesItsArgumentsBackInAnotherOrder(nn.Module):
    """Whoever calls it may know."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, c, h):
        h, c = self.cell(x, (h, c))
        return h, c  # expect: swapped-states warning


class TakesItsMaskBothWays(nn.Module):
    """One slot goes on where the mask is set, the other where it is not."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, mask, hx):
        h, c = hx
        h_new, c_new = self.cell(x, (h, c))
        m = mask.float().unsqueeze(1)
        return h_new * m + h * (1 - m), c * m + c_new * (1 - m)  # expect: returned-old-state error 1


class ForgetsItsLargestGate(nn.Module):
    """The new value is a maximum, which mostly takes no notice of the old one."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.v, self.gates = nn.Linear(input_size, hidden_size), nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x, state):
        c, m = state
        i, f = self.gates(x).chunk(2, 1)
        m_new = torch.maximum(f - 6 + m, i)
        c = torch.exp(f - 6 + m - m_new) * c + torch.exp(i - m_new) * self.v(x)
        return c, (c, m)  # expect: returned-old-state error 1


def factory():
    return ReturnsOldH(3, 4)


class ReturnsInsideAWith(nn.Module):
    """Python runs the line of the ``with`` once more to leave it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, state):
        with torch.enable_grad(), torch.autograd.profiler.record_function("lstm"):
            h, c = state
            i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
            new_c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            new_h = o.sigmoid() * new_c.tanh()
            return new_h, (new_h, c)  # expect: returned-old-state error 1
