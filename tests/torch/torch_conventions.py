"""PyTorch cells called in all the ways in which people call them; comments mark the line at fault.

A class without a mark is healthy. ``NEEDS`` holds what a user would have to type, since nobody could know it.
"""

from __future__ import annotations

import itertools
import math
from collections import namedtuple
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

NEEDS: dict[str, dict[str, Any]] = {}


# 1. (x, h) -> h


class FastGRNNCell(nn.Module):
    """One weight pair for gate and candidate; zeta and nu are learned scalars."""

    def __init__(self, input_size, hidden_size, zeta_init=1.0, nu_init=-4.0):
        super().__init__()
        self.W = nn.Parameter(0.1 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.1 * torch.randn(hidden_size, hidden_size))
        self.bias_gate = nn.Parameter(torch.ones(1, hidden_size))
        self.bias_update = nn.Parameter(torch.ones(1, hidden_size))
        self.zeta = nn.Parameter(torch.tensor([[zeta_init]]))
        self.nu = nn.Parameter(torch.tensor([[nu_init]]))

    def forward(self, x, h):
        pre = F.linear(x, self.W) + F.linear(h, self.U)
        z = torch.sigmoid(pre + self.bias_gate)
        c = torch.tanh(pre + self.bias_update)
        return z * h + (torch.sigmoid(self.zeta) * (1.0 - z) + torch.sigmoid(self.nu)) * c


class MGUCell(nn.Module):
    """Minimal gated unit: the forget gate resets as well."""

    def __init__(self, input_dim: int, hidden_dim: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.forget = nn.Linear(input_dim + hidden_dim, hidden_dim, bias=bias)
        self.update = nn.Linear(input_dim + hidden_dim, hidden_dim, bias=bias)

    def _zeros(self, like: Tensor) -> Tensor:
        return like.new_zeros(like.size(0), self.hidden_dim)

    def forward(self, inp: Tensor, hidden: Tensor | None = None) -> Tensor:
        hidden = self._zeros(inp) if hidden is None else hidden
        f = self.forget(torch.cat((hidden, inp), dim=-1)).sigmoid()
        n = self.update(torch.cat((f * hidden, inp), dim=-1)).tanh()
        return torch.lerp(hidden, n, f)


class UGRNNCell(nn.Module):
    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.lin = nn.Linear(in_features + hidden_features, 2 * hidden_features)

    def forward(self, input, hx):
        gate, cand = self.lin(torch.cat([input, hx], 1)).split(hx.size(1), 1)
        gate = torch.sigmoid(gate + 1.0)
        hy = gate * hx + (1 - gate) * torch.tanh(cand)
        return hx  # expect: returned-old-state error 0


class LightGRUCell(nn.Module):
    """Ravanelli et al., 2018, after the recurrent product went missing in a refactoring."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.wx = nn.Linear(input_size, 2 * hidden_size)
        self.uh = nn.Linear(hidden_size, 2 * hidden_size, bias=False)

    def forward(self, x_t, h_prev):
        z, a = self.wx(x_t).chunk(2, dim=1)  # expect: ignored-recurrence error 0
        return (1 - torch.sigmoid(z)) * F.relu(a)


class MultiplicativeRNNCell(nn.Module):
    """Sutskever's mRNN; with neither bias nor a direct path from the input it sticks at zero."""

    def __init__(self, input_size, hidden_size, factor_size=6):
        super().__init__()
        self.hidden_size = hidden_size
        self.x2f = nn.Linear(input_size, factor_size)
        self.h2f = nn.Linear(hidden_size, factor_size, bias=False)
        self.f2h = nn.Linear(factor_size, hidden_size, bias=False)

    def forward(self, x, h=None):
        if h is None:
            h = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)
        h = torch.tanh(self.f2h(self.x2f(x) * self.h2f(h)))  # expect: unchanged-initial-state error 0
        return h


# 2. (x, (h, c)) -> (h, c)


class PeepholeLSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ih = nn.Linear(input_size, 4 * hidden_size)
        self.hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.p_i, self.p_f, self.p_o = (nn.Parameter(0.3 * torch.randn(hidden_size)) for _ in range(3))

    def forward(self, x, hc):
        h, c = hc
        i, f, g, o = (self.ih(x) + self.hh(h)).chunk(4, dim=-1)
        i = torch.sigmoid(i + self.p_i * c)
        f = torch.sigmoid(f + self.p_f * c)
        c = f * c + i * torch.tanh(g)
        o = torch.sigmoid(o + self.p_o * c)
        return o * torch.tanh(c), c


class CoupledLayerNormLSTM(nn.Module):
    """Input and forget gate coupled, layer normalisation before the gates."""

    def __init__(self, input_dim: int, hidden_dim: int):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.weight = nn.Linear(input_dim + hidden_dim, 3 * hidden_dim, bias=False)
        self.norm = nn.LayerNorm(3 * hidden_dim)

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if state is None:
            zeros = inputs.new_zeros(inputs.shape[0], self.hidden_dim)
            state = (zeros, zeros)
        (h, c) = state
        f, g, o = self.norm(self.weight(torch.cat([h, inputs], dim=1))).chunk(3, dim=1)
        keep = torch.sigmoid(f + 1)
        c_t = keep * c + (1 - keep) * torch.tanh(g)
        h_t = torch.sigmoid(o) * torch.tanh(c_t)
        return h_t, c_t


class ResidualLSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ii = nn.Parameter(0.2 * torch.randn(3 * hidden_size, input_size))
        self.weight_ih = nn.Parameter(0.2 * torch.randn(3 * hidden_size, hidden_size))
        self.weight_ir = nn.Parameter(0.2 * torch.randn(hidden_size, input_size))

    def forward(self, input, hidden):
        hx, cx = hidden
        ingate, forgetgate, outgate = (input @ self.weight_ii.t() + hx @ self.weight_ih.t()).chunk(3, 1)
        cy = torch.sigmoid(forgetgate) * cx + torch.sigmoid(ingate) * torch.tanh(input @ self.weight_ir.t())
        hy = torch.sigmoid(outgate) * (torch.tanh(cy) + input @ self.weight_ir.t())
        return hx, cy  # expect: returned-old-state error 0


class LSTMCellWithDropout(nn.Module):
    def __init__(self, n_in, n_hidden, p=0.1):
        super().__init__()
        self.inner = nn.LSTMCell(n_in, n_hidden)
        self.p = p

    def forward(self, x, hc):
        h_next, c_next = self.inner(x, hc)
        h_next = F.dropout(h_next, self.p, self.training)
        _, c = hc
        return h_next, c  # expect: returned-old-state error 1


class ForgetfulLSTMCell(nn.Module):
    """All four gates, none of which looks back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x2h = nn.Linear(input_size, 4 * hidden_size)
        self.h2h = nn.Linear(hidden_size, 4 * hidden_size)

    def forward(self, x, hidden):
        hx, cx = hidden
        gates = self.x2h(x)  # expect: ignored-recurrence error
        i, f, g, o = gates.chunk(4, 1)
        cy = torch.sigmoid(f) * torch.sigmoid(i) * torch.tanh(g)
        hy = torch.sigmoid(o) * torch.tanh(cy)
        return hy, cy


class ProductLSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def init_hidden(self, batch_size):
        h = torch.zeros(batch_size, self.hidden_size)
        c = torch.zeros(batch_size, self.hidden_size)
        return h, c

    def forward(self, x, state):
        h, c = state
        f, g, o = self.gates(torch.cat([x, h], 1)).chunk(3, 1)
        c = torch.sigmoid(f) * c * (1 + torch.tanh(g))  # expect: unchanged-initial-state error
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


# 3. (x, s) -> (output, s'): a list, a tuple, a bare tensor


class BistableCell(nn.Module):
    """Vecoven et al., 2020. One state, in a list, as Keras would have it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.U_c, self.U_a, self.U = (nn.Linear(input_size, hidden_size) for _ in range(3))
        self.w_c = nn.Parameter(torch.randn(hidden_size))
        self.w_a = nn.Parameter(torch.randn(hidden_size))

    def get_initial_state(self, batch_size):
        return [torch.zeros(batch_size, self.hidden_size)]

    def forward(self, inp, states):
        prev_h = states[0]
        c = torch.sigmoid(self.U_c(inp) + self.w_c * prev_h)
        a = 1.0 + torch.tanh(self.U_a(inp) + self.w_a * prev_h)
        h = c * prev_h + (1.0 - c) * torch.tanh(self.U(inp) + a * prev_h)
        return h, [h]


class StackedGRU(nn.Module):
    """A list with a hidden state for each layer."""

    def __init__(self, input_size, hidden_size, num_layers=3):
        super().__init__()
        sizes = [input_size] + [hidden_size] * num_layers
        self.layers = nn.ModuleList(nn.GRUCell(a, b) for a, b in itertools.pairwise(sizes))
        self.readout = nn.Linear(hidden_size, input_size)

    def init_hidden(self, batch_size):
        weight = next(self.parameters())
        return [weight.new_zeros(batch_size, layer.hidden_size) for layer in self.layers]

    def forward(self, x, hiddens):
        new_hiddens = []
        for layer, hidden in zip(self.layers, hiddens):
            x = layer(x, hidden)
            new_hiddens.append(x)
        return self.readout(x), new_hiddens


class RecurrentHighwayCell(nn.Module):
    def __init__(self, input_size, hidden_size, depth=2):
        super().__init__()
        self.w = nn.Linear(input_size, 2 * hidden_size)
        self.r = nn.ModuleList(nn.Linear(hidden_size, 2 * hidden_size) for _ in range(depth))

    def forward(self, x, states):
        (s,) = states
        for i, r in enumerate(self.r):
            h, t = (r(s) + (self.w(x) if i == 0 else 0.0)).chunk(2, 1)
            t = torch.sigmoid(t - 2)
            s = torch.tanh(h) * t + s * (1 - t)
        return s, states  # expect: returned-old-state error 0


class StackOfLists(nn.Module):
    """Only the first layer's new state gets into the list."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.l0 = nn.GRUCell(input_size, hidden_size)
        self.l1 = nn.GRUCell(hidden_size, hidden_size)

    def forward(self, x, states):
        s0, s1 = states
        n0 = self.l0(x, s0)
        n1 = self.l1(n0, s1)
        return n1, [n0, s1]  # expect: returned-old-state error 1


class SCRNCell(nn.Module):
    """Structurally constrained: a slow context beside a fast hidden state (Mikolov et al., 2015)."""

    def __init__(self, input_size, hidden_size, context_size=4, alpha=0.95):
        super().__init__()
        self.alpha = alpha
        self.B = nn.Linear(input_size, context_size, bias=False)
        self.A = nn.Linear(input_size, hidden_size)
        self.P = nn.Linear(context_size, hidden_size, bias=False)
        self.R = nn.Linear(hidden_size, hidden_size, bias=False)
        self.U = nn.Linear(hidden_size + context_size, input_size)

    def forward(self, x, state):
        h, s = state
        s = (1 - self.alpha) * self.B(x) + self.alpha * s
        h = torch.sigmoid(self.A(x) + self.P(s) + self.R(h))
        return self.U(torch.cat([h, s], dim=1)), (h, s)


class AttentiveLSTMCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1)

    def zero_state(self, batch_size, device=None):
        shape = (batch_size, self.hidden_size)
        return torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def forward(self, x, state):
        state = self.lstm(x, state)
        return state[0] * torch.sigmoid(self.score(state[0])), state


class DeltaRNNCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size, bias=False)
        self.decode = nn.Linear(hidden_size, 3)

    def forward(self, x, state):
        h, trace = state
        h_new = torch.tanh(self.i(x) + self.h(h) + 0.1 * trace)
        trace_new = 0.8 * trace + 0.2 * h_new
        state = (h, trace_new)
        return self.decode(h_new), state  # expect: returned-old-state error 0


class MemorylessTuple(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.lstm = nn.LSTMCell(input_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, 2)

    def forward(self, x, state):
        hx, cx = state
        hx, cx = torch.zeros_like(hx), torch.zeros_like(cx)  # expect: ignored-recurrence error
        hx, cx = self.lstm(x, (hx, cx))
        return self.out(hx), (hx, cx)


class LiquidTimeConstantCell(nn.Module):
    """Fused Euler solver with six unfolds a step (Hasani et al., 2021)."""

    def __init__(self, in_features, hidden_features, unfolds=6):
        super().__init__()
        self.unfolds = unfolds
        self.sensory = nn.Linear(in_features, hidden_features)
        self.synapse = nn.Linear(hidden_features, hidden_features)
        self.gleak = nn.Parameter(torch.rand(hidden_features))
        self.A = nn.Parameter(torch.randn(hidden_features))

    def forward(self, inputs, v):
        drive = self.sensory(inputs)
        for _ in range(self.unfolds):
            f = torch.sigmoid(drive + self.synapse(v))
            v = (v + f * self.A / self.unfolds) / (1 + (F.softplus(self.gleak) + f) / self.unfolds)
        return v[:, :1], v


class VanillaRNN(nn.Module):
    """The cell of the PyTorch name-classification tutorial."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        return self.softmax(self.h2o(hidden)), hidden

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)


class TutorialRNN(nn.Module):
    """The same, with the two results of the step mixed up."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(input_size + hidden_size, output_size)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        new_hidden = self.i2h(combined)
        output = F.log_softmax(self.i2o(combined), dim=1)
        return output, hidden  # expect: returned-old-state error 0

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


class DecoderStep(nn.Module):
    def __init__(self, embed_dim, hidden_dim, vocab=11):
        super().__init__()
        self.x = nn.Linear(embed_dim, hidden_dim)
        self.h = nn.Linear(hidden_dim, hidden_dim)
        self.vocab = nn.Linear(hidden_dim, vocab)

    def forward(self, embedded, hidden):
        hidden = torch.tanh(self.x(embedded))  # expect: ignored-recurrence error 0
        return self.vocab(hidden), hidden


# 4. Sequence layers (xs, s) -> (outputs, s')


class GRULayer(nn.Module):
    """A loop over the second axis, one state without an axis for layers."""

    def __init__(self, input_size, hidden_size, batch_first=True):
        super().__init__()
        self.hidden_size, self.batch_first = hidden_size, batch_first
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, input, hx=None):
        if self.batch_first:
            input = input.transpose(0, 1)
        h = input.new_zeros(input.size(1), self.hidden_size) if hx is None else hx
        outputs = []
        for x in input.unbind(0):
            h = self.cell(x, h)
            outputs.append(h)
        output = torch.stack(outputs, 1 if self.batch_first else 0)
        return output, h


class SpeechEncoder(nn.Module):
    """A torch layer in the middle, and the state that goes with it: (layers, batch, hidden)."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.pre = nn.Sequential(nn.Linear(input_dim, hidden_dim), nn.ReLU())
        self.rnn = nn.LSTM(hidden_dim, hidden_dim, batch_first=True)
        self.post = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, xs, state=None):
        ys, state = self.rnn(self.pre(xs), state)
        return self.post(ys), state


class StreamingGRU(nn.Module):
    """Chunks of a stream; the state between chunks gets lost."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.gru = nn.GRU(input_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, 1)

    def forward(self, chunk, h):
        out, h_n = self.gru(chunk, h)
        return self.fc(out), h  # expect: returned-old-state error 0


class FreshEveryChunk(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.gru = nn.GRU(input_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, 1)

    def forward(self, seq, hidden=None):
        out, h_n = self.gru(seq)  # expect: ignored-recurrence error 0
        return self.fc(out), h_n


class IndRNNLayer(nn.Module):
    """Time first: (T, B, F), and (B, H) for the state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)
        self.u = nn.Parameter(torch.empty(hidden_size).uniform_(0.3, 1))

    def forward(self, xs, h0):
        steps, h = [], h0
        for z in self.inp(xs):
            h = torch.relu(z + self.u * h)
            steps.append(h)
        return torch.stack(steps), h


class SimpleRecurrentUnitLayer(nn.Module):
    """SRU: everything heavy is batched over time, the loop is elementwise."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.hidden_size = hidden_size
        self.proj = nn.Linear(input_size, 4 * hidden_size)

    def forward(self, input: Tensor, c0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        length, batch, _ = input.shape
        x_tilde, f, r, skip = self.proj(input).chunk(4, -1)
        f, r = f.sigmoid(), r.sigmoid()
        c = input.new_zeros(batch, self.hidden_size) if c0 is None else c0
        hs = []
        for t in range(length):
            c = f[t] * c + (1 - f[t]) * x_tilde[t]
            hs.append(r[t] * c.tanh() + (1 - r[t]) * skip[t])
        return torch.stack(hs), c


class QuasiRNNLayer(nn.Module):
    """fo-pooling over time; the last value of the loop is thrown away."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.linear = nn.Linear(input_size, 3 * hidden_size)

    def forward(self, X, hidden):
        z, f, o = self.linear(X).chunk(3, dim=2)
        z, f, o = torch.tanh(z), torch.sigmoid(f), torch.sigmoid(o)
        c, cells = hidden, []
        for step in range(X.size(0)):
            c = f[step] * c + (1 - f[step]) * z[step]
            cells.append(c)
        return o * torch.stack(cells), hidden  # expect: returned-old-state error 0


class TimeFirstTagger(nn.Module):
    def __init__(self, embed_dim, hidden_dim, tags=4):
        super().__init__()
        self.rnn = nn.RNN(embed_dim, hidden_dim)
        self.tag = nn.Linear(hidden_dim, tags)

    def forward(self, sequence, hx=None):
        states, last = self.rnn(sequence)  # expect: ignored-recurrence error 0
        return self.tag(states), last


class RNNModel(nn.Module):
    """The model of PyTorch's word_language_model example, without the embedding."""

    def __init__(self, ninp, nhid, nlayers=2):
        super().__init__()
        self.nhid, self.nlayers = nhid, nlayers
        self.rnn = nn.LSTM(ninp, nhid, nlayers)
        self.decoder = nn.Linear(nhid, ninp)

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return weight.new_zeros(self.nlayers, bsz, self.nhid), weight.new_zeros(self.nlayers, bsz, self.nhid)

    def forward(self, input, hidden):
        output, hidden = self.rnn(input, hidden)
        return self.decoder(output), hidden


class TwoLayerMinGRU(nn.Module):
    """Two layers by hand; the state is stacked to (2, B, H) at the end."""

    def __init__(self, input_size, hidden_size, num_layers=2):
        super().__init__()
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.z = nn.ModuleList(nn.Linear(w, hidden_size) for w in widths)
        self.n = nn.ModuleList(nn.Linear(w, hidden_size) for w in widths)

    def forward(self, x, h_0):
        last = []
        for z, n, h in zip(self.z, self.n, h_0):
            gate, cand, outs = torch.sigmoid(z(x)), n(x), []
            for t in range(x.shape[1]):
                h = torch.lerp(h, cand[:, t], gate[:, t])
                outs.append(h)
            x = torch.stack(outs, 1)
            last.append(h)
        return x, torch.stack(last)


class KeepsTheStateItWasGiven(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=2, dropout=0.0):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, dropout=dropout, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, x, states):
        (h0, c0) = states
        out, (hn, cn) = self.lstm(x, (h0, c0))
        return self.linear(out), (h0, c0)  # expect: returned-old-state error


class SecondLayerForgets(nn.Module):
    """Two stacked layers, each with its own state; the second starts from zero every time."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.first = nn.GRU(input_size, hidden_size)
        self.second = nn.GRU(hidden_size, hidden_size)

    def forward(self, xs, hs):
        below, above = hs
        ys, below = self.first(xs, below)
        ys, above = self.second(ys)  # expect: ignored-recurrence warning 1
        return ys, (below, above)


class ProjectedLSTMLayer(nn.Module):
    """LSTMP: h is narrower than c."""

    def __init__(self, input_size, hidden_size, proj_size=3):
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size, num_layers=2, proj_size=proj_size)

    def forward(self, xs, hc=None):
        return self.rnn(xs, hc)


class HandmadeLSTMP(nn.Module):
    def __init__(self, input_size, hidden_size, proj_size=4):
        super().__init__()
        self.hidden_size, self.proj_size = hidden_size, proj_size
        self.gates = nn.Linear(input_size + proj_size, 4 * hidden_size)
        self.project = nn.Linear(hidden_size, proj_size, bias=False)

    def init_state(self, batch_size, device=None):
        return (
            torch.zeros(batch_size, self.proj_size, device=device),
            torch.zeros(batch_size, self.hidden_size, device=device),
        )

    def forward(self, inputs, state):
        r, c = state
        outs = []
        for t in range(inputs.size(1)):
            i, f, g, o = self.gates(torch.cat([inputs[:, t], r], -1)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            r = self.project(o.sigmoid() * c.tanh())
            outs.append(r)
        return torch.stack(outs, 1), (r, c)


class ProjectionDropsTheCell(nn.Module):
    def __init__(self, input_size, hidden_size, proj_size=3):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, proj_size=proj_size, batch_first=True)

    def forward(self, input, hx):
        output, (h_n, c_n) = self.lstm(input, hx)
        return output, (h_n, hx[1])  # expect: returned-old-state error 1


class ProjectionWithoutState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, proj_size=2)

    def forward(self, input, hx=None):
        output, hx = self.lstm(input)  # expect: ignored-recurrence error
        return output, hx


# 5. Spread states


class SpreadLSTM(nn.Module):
    """(x, h, c) -> (h, c)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W = nn.Linear(input_size, 4 * hidden_size)
        self.U = nn.Linear(hidden_size, 4 * hidden_size, bias=False)

    def forward(self, x, h, c):
        f, i, o, g = torch.chunk(self.W(x) + self.U(h), 4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class TwinStateCell(nn.Module):
    """A slow and a fast state, both optional."""

    def __init__(self, in_dim, hidden_dim, tau=2.0):
        super().__init__()
        self.hidden_dim, self.tau = hidden_dim, tau
        self.fast = nn.GRUCell(in_dim + hidden_dim, hidden_dim)
        self.slow = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, u, h_fast: Tensor | None = None, h_slow: Tensor | None = None):
        if h_fast is None:
            h_fast = torch.zeros(u.shape[0], self.hidden_dim, device=u.device)
        if h_slow is None:
            h_slow = torch.zeros(u.shape[0], self.hidden_dim, device=u.device)
        h_fast = self.fast(torch.cat([u, h_slow], dim=1), h_fast)
        h_slow = h_slow + (torch.tanh(self.slow(h_fast)) - h_slow) / self.tau
        return h_fast, h_slow


class SpreadReturnsOldCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, h_prev, c_prev):
        h_t, c_t = self.lstm(x, (h_prev, c_prev))
        return h_t, c_prev  # expect: returned-old-state error 1


class SpreadReadsNothing(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def forward(self, input_, h=None, c=None):
        h, c = self.lstm(input_)  # expect: ignored-recurrence error
        return h, c


class ActorCriticCore(nn.Module):
    """(x, h, c) -> (logits, h, c)."""

    def __init__(self, obs_dim, hidden_dim, num_actions=4):
        super().__init__()
        self.encoder = nn.Linear(obs_dim, hidden_dim)
        self.core = nn.LSTMCell(hidden_dim, hidden_dim)
        self.policy = nn.Linear(hidden_dim, num_actions)

    def forward(self, obs, hx, cx):
        hx, cx = self.core(F.elu(self.encoder(obs)), (hx, cx))
        return self.policy(hx), hx, cx


class MixtureDensityStep(nn.Module):
    def __init__(self, input_size, hidden_size, mixtures=3):
        super().__init__()
        self.hidden_size = hidden_size
        self.rnn = nn.LSTMCell(input_size, hidden_size)
        self.mdn = nn.Linear(hidden_size, 3 * mixtures)

    def forward(self, z, h=None, c=None):
        batch = z.size(0)
        h = z.new_zeros(batch, self.hidden_size) if h is None else h
        c = z.new_zeros(batch, self.hidden_size) if c is None else c
        h, c = self.rnn(z, (h, c))
        pi, mu, sigma = self.mdn(h).chunk(3, -1)
        return torch.cat([pi.softmax(-1), mu, sigma.exp()], -1), h, c


class WorldModelKeepsOldHidden(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTMCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 6)

    def forward(self, z, h, c):
        h_next, c_next = self.rnn(z, (h, c))
        return self.head(h_next), h, c_next  # expect: returned-old-state error 0


class PolicyHalfForgets(nn.Module):
    """The hidden state never gets into the gates."""

    def __init__(self, obs_dim, hidden_dim):
        super().__init__()
        self.inp = nn.Linear(obs_dim, 3 * hidden_dim)
        self.rec = nn.Linear(hidden_dim, 3 * hidden_dim)
        self.pi = nn.Linear(hidden_dim, 2)

    def forward(self, obs, h, c):
        f, g, o = self.inp(obs).chunk(3, -1)  # expect: ignored-recurrence warning 0
        c = torch.sigmoid(f) * c + torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return self.pi(h), h, c


class _FastSigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (25 * v.abs() + 1.0) ** 2


class SynapticNeuron(nn.Module):
    """No weights: the input must be as wide as the neurons are many."""

    def __init__(self, alpha=0.9, beta=0.8, threshold=1.0):
        super().__init__()
        self.alpha, self.beta, self.threshold = alpha, beta, threshold

    def forward(self, input_, syn, mem):
        syn = self.alpha * syn + input_
        mem = self.beta * mem + syn
        spk = _FastSigmoid.apply(mem - self.threshold)
        return spk, syn, mem - spk * self.threshold


class RecurrentLIF(nn.Module):
    """The last spikes go back in through a dense layer."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.fc = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        self.beta = nn.Parameter(torch.full((hidden_size,), 0.8))

    def init_rleaky(self, batch_size=1):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, spk=None, mem=None):
        if spk is None or mem is None:
            spk, mem = self.init_rleaky(x.size(0))
        reset = (mem.detach() > 0.2).float()
        mem = self.beta.clamp(0, 1) * mem + self.fc(x) + self.rec(spk) - 0.2 * reset
        spk = _FastSigmoid.apply(mem - 0.2)
        return spk, mem


class AlphaNeuronStuckSynapse(nn.Module):
    def __init__(self, input_size, hidden_size, alpha=0.9, beta=0.8):
        super().__init__()
        self.alpha, self.beta = alpha, beta
        self.fc = nn.Linear(input_size, hidden_size)

    def forward(self, input_, syn, mem):
        cur = self.fc(input_)
        syn_next = self.alpha * syn + cur
        mem_next = self.beta * mem + syn_next
        spk = _FastSigmoid.apply(mem_next - 0.5)
        return spk, syn, mem_next - 0.5 * spk  # expect: returned-old-state error 0


class LeakyWithoutLeak(nn.Module):
    """The membrane is charged anew at each step."""

    def __init__(self, input_size, hidden_size, beta=0.9):
        super().__init__()
        self.beta = beta
        self.fc = nn.Linear(input_size, hidden_size)

    def forward(self, inputs, syn, mem):
        cur = self.fc(inputs)  # expect: ignored-recurrence error
        syn = self.beta * cur
        mem = self.beta * syn + cur
        spk = _FastSigmoid.apply(mem - 0.1)
        return spk, syn, mem


class HippocampalCell(nn.Module):
    """A hidden state and a pair beside it: (x, h, (u, l)) -> (h, (u, l))."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)
        self.lift = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h, ul):
        u, l = ul  # noqa: E741
        h = torch.tanh(self.i2h(x) + self.h2h(h) + u * l)
        u = 0.9 * u + 0.1 * self.lift(h)
        l = 0.5 * l + torch.sigmoid(h)  # noqa: E741
        return h, (u, l)


class GroupedMemoryCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size + 2 * hidden_size, hidden_size)
        self.w = nn.Linear(hidden_size, 2 * hidden_size)

    def forward(self, x, hidden=None, memories=None):
        zeros = x.new_zeros(x.size(0), self.hidden_size)
        hidden = zeros if hidden is None else hidden
        upper, lower = (zeros, zeros) if memories is None else memories
        hidden = self.cell(torch.cat([x, upper, lower], -1), hidden)
        du, dl = torch.tanh(self.w(hidden)).chunk(2, -1)
        return hidden.mean(-1), hidden, (0.7 * upper + du, 0.3 * lower + dl)


class GroupedButStuck(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size + 2 * hidden_size, hidden_size)
        self.a = nn.Linear(hidden_size, hidden_size)
        self.b = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, ul):
        upper, lower = ul
        h_new = self.cell(torch.cat([x, upper, lower], 1), h)
        upper_new = 0.9 * upper + self.a(h_new)
        lower_new = 0.9 * lower + self.b(h_new)
        return h_new, (upper_new, lower)  # expect: returned-old-state error 2


class GroupedIgnoresHidden(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i2h = nn.Linear(input_size, hidden_size)
        self.h2h = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, ul):
        u, v = ul
        a = self.i2h(x)  # expect: ignored-recurrence warning 0
        h = torch.tanh(a + u - v)
        return h, (0.9 * u + 0.2 * h, 0.5 * v + 0.1 * a)


class VariadicLSTM(nn.Module):
    """Takes *states and gives back (output, *states)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, input_size)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x, *states):
        h, c = self.cell(x, states)
        return self.out(h), h, c


class VariadicStack(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a = nn.GRUCell(input_size, hidden_size)
        self.b = nn.GRUCell(hidden_size, hidden_size)

    def forward(self, x, *hs):
        lower, upper = hs
        lower = self.a(x, lower)
        upper = self.b(lower, upper)
        return lower, upper


class VariadicHandsBack(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, *states):
        h, c = states
        h_new, c_new = self.cell(x, (h, c))
        return h_new, *states  # expect: returned-old-state error


class VariadicForgetsTheUpper(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a = nn.GRUCell(input_size, hidden_size)
        self.b = nn.Linear(hidden_size, hidden_size)
        self.r = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, *hs):
        lower, upper = hs
        lower_new = self.a(x, lower)
        upper_new = torch.tanh(self.b(lower_new) + self.r(upper))
        return lower_new, upper  # expect: returned-old-state error 1


# 6. State first


class ScanGRU(nn.Module):
    """For torch scan: (carry, x) -> (carry, y)."""

    def __init__(self, features, in_features):
        super().__init__()
        self.dense_i = nn.Linear(in_features, 3 * features)
        self.dense_h = nn.Linear(features, 3 * features, bias=False)

    def forward(self, carry, x):
        ir, iz, i_n = self.dense_i(x).chunk(3, -1)
        hr, hz, hn = self.dense_h(carry).chunk(3, -1)
        z = torch.sigmoid(iz + hz)
        carry = z * carry + (1 - z) * torch.tanh(i_n + torch.sigmoid(ir + hr) * hn)
        return carry, carry


class OptimizedScanLSTM(nn.Module):
    def __init__(self, in_features, features):
        super().__init__()
        self.features = features
        self.cell = nn.LSTMCell(in_features, features)
        self.head = nn.Linear(features, 3)

    def initialize_carry(self, batch_size):
        mem_shape = (batch_size, self.features)
        return torch.zeros(mem_shape), torch.zeros(mem_shape)

    def forward(self, carry, inputs):
        c, h = carry
        h, c = self.cell(inputs, (h, c))
        return (c, h), self.head(h)


class ScanReturnsOldCarry(nn.Module):
    def __init__(self, in_features, features):
        super().__init__()
        self.cell = nn.GRUCell(in_features, features)
        self.head = nn.Linear(features, 3)

    def forward(self, carry, x):
        new_carry = self.cell(x, carry)
        return carry, self.head(new_carry)  # expect: returned-old-state error 0


class ScanNeverLooksBack(nn.Module):
    def __init__(self, in_features, features):
        super().__init__()
        self.enc = nn.Linear(in_features, features)
        self.mix = nn.Linear(features, features)
        self.head = nn.Linear(features, 3)

    def forward(self, carry, x):
        carry = torch.tanh(self.enc(x))  # expect: ignored-recurrence error 0
        return carry, self.head(carry)


class TransitionModel(nn.Module):
    """(h, x) -> h, as in control."""

    def __init__(self, state_features, in_features):
        super().__init__()
        self.A = nn.Linear(state_features, state_features, bias=False)
        self.B = nn.Linear(in_features, state_features, bias=False)
        with torch.no_grad():
            self.A.weight.mul_(0.5)

    def forward(self, state, u):
        return self.A(state) + self.B(u)


class JordanCell(nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(hidden_size + input_size, 12), nn.Tanh(), nn.Linear(12, hidden_size))

    def forward(self, h, x):
        return h + 0.5 * torch.tanh(self.net(torch.cat([h, x], dim=1)))


class StateFirstHandsBack(nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)

    def forward(self, prev_state, x):
        next_state = self.gru(x, prev_state)
        return prev_state  # expect: returned-old-state error 0


class StateFirstForgets(nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.a = nn.Linear(input_size, hidden_size)
        self.r = nn.Linear(hidden_size, hidden_size)

    def forward(self, h, x):
        z = self.a(x)  # expect: ignored-recurrence error 0
        return torch.sigmoid(z) * torch.tanh(z)


# 7. step() and the like, beside a forward over whole sequences that has no state


class DiagonalSSM(nn.Module):
    """Trains as a convolution, runs as a recurrence."""

    def __init__(self, d_model, order=4):
        super().__init__()
        self.order = order
        self.log_a = nn.Parameter(torch.log(torch.rand(d_model, order) + 0.5))
        self.b = nn.Parameter(torch.randn(d_model, order))
        self.c = nn.Parameter(torch.randn(d_model, order))

    def initial_state(self, batch_size):
        return self.b.new_zeros(batch_size, *self.b.shape)

    def forward(self, u):
        state, ys = self.initial_state(u.size(0)), []
        for t in range(u.size(1)):
            y, state = self.step(u[:, t], state)
            ys.append(y)
        return torch.stack(ys, 1)

    def step(self, u, state):
        decay = torch.exp(-torch.exp(self.log_a) * 0.1)
        state = decay * state + 0.1 * self.b * u.unsqueeze(-1)
        return (self.c * state).sum(-1), state


class LinearAttention(nn.Module):
    def __init__(self, dim, num_heads=2):
        super().__init__()
        self.heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        kv, outs = None, []
        for token in x.unbind(1):
            o, kv = self.step(token, kv)
            outs.append(o)
        return torch.stack(outs, dim=1)

    def step(self, x, state=None):
        q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.qkv(x).chunk(3, -1))
        kv = torch.einsum("bhd,bhe->bhde", F.elu(k) + 1, v)
        state = kv if state is None else 0.9 * state + kv
        return self.out(torch.einsum("bhd,bhde->bhe", F.elu(q) + 1, state).flatten(1)), state


class StepHandsBackTheOld(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.d_model = d_model
        self.inner = nn.GRUCell(d_model, d_model)
        self.gru = nn.Linear(d_model, d_model)

    def forward(self, xs):
        h = xs.new_zeros(xs.shape[0], self.d_model)
        ys = []
        for i in range(xs.shape[1]):
            y, h = self.step(xs[:, i], h)
            ys.append(y)
        return torch.stack(ys, dim=1)

    def step(self, x, h):
        h_next = self.inner(x, h)
        return self.gru(h_next), h  # expect: returned-old-state error 0


class StepIgnoresItsState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.x = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size)

    def step(self, x, h):
        z = self.x(x)  # expect: ignored-recurrence error 0
        h = torch.tanh(z)
        return h, h

    def forward(self, xs):
        return torch.tanh(self.x(xs))


class TransducerPredictor(nn.Module):
    """forward() for training; forward_one_step() for the beam search."""

    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.lstm = nn.LSTM(embed_dim, hidden_dim, batch_first=True)
        self.proj = nn.Linear(hidden_dim, embed_dim)

    def forward(self, ys):
        out, _ = self.lstm(ys)
        return self.proj(out)

    def init_state(self, batch_size):
        shape = (1, batch_size, self.lstm.hidden_size)
        return torch.zeros(shape), torch.zeros(shape)

    def forward_one_step(self, y, state):
        out, state = self.lstm(y.unsqueeze(1), state)
        return self.proj(out[:, 0]), state


class ConformerMemory(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.embed = nn.Linear(input_dim, hidden_dim)
        self.mix = nn.Linear(2 * hidden_dim, hidden_dim)

    def forward(self, xs):
        h, ys = torch.zeros(xs.size(0), self.hidden_dim), []
        for x in xs.unbind(dim=1):
            y, h = self.forward_one_step(x, h)
            ys.append(y)
        return torch.stack(ys, dim=1)

    def forward_one_step(self, x, memory=None):
        if memory is None:
            memory = torch.zeros(x.size(0), self.hidden_dim)
        e = self.embed(x)
        memory = 0.7 * memory + 0.3 * torch.tanh(self.mix(torch.cat([e, memory], -1)))
        return e + memory, memory


class OneStepKeepsOld(nn.Module):
    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.cell = nn.LSTMCell(embed_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, 9)

    def forward(self, ys):
        raise NotImplementedError("train with the parallel version")

    def forward_one_step(self, y, state):
        h, c = state
        h_t, c_t = self.cell(y, (h, c))
        return self.out(h_t).log_softmax(-1), (h_t, c)  # expect: returned-old-state error 1


class OneStepStartsAfresh(nn.Module):
    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.cell = nn.LSTMCell(embed_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, 9)

    def forward(self, ys):
        raise NotImplementedError("train with the parallel version")

    def forward_one_step(self, y, state):
        h, c = self.cell(y)  # expect: ignored-recurrence error
        return self.out(h), (h, c)


class MambaLike(nn.Module):
    """A cache of (h or None, the last inputs of the convolution), the oldest first."""

    def __init__(self, d_model, d_state=4, d_conv=4):
        super().__init__()
        self.d_conv = d_conv
        self.conv = nn.Conv1d(d_model, d_model, d_conv, groups=d_model, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_model, 2 * d_state + d_model, bias=False)
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, d_state + 1)).repeat(d_model, 1))
        self.D = nn.Parameter(torch.ones(d_model))

    def forward(self, x):
        cache, ys = (None, x.new_zeros(x.size(0), x.size(2), self.d_conv - 1)), []
        for t in range(x.size(1)):
            y, cache = self.step(x[:, t], cache)
            ys.append(y)
        return torch.stack(ys, dim=1)

    def ssm_step(self, x, h):
        d_state = self.A_log.size(1)
        delta, B, C = self.x_proj(x).split([x.size(1), d_state, d_state], -1)
        delta = F.softplus(delta).unsqueeze(-1)
        h = 0.0 if h is None else torch.exp(-delta * self.A_log.exp()) * h
        h = h + delta * B.unsqueeze(1) * x.unsqueeze(-1)
        return (h @ C.unsqueeze(-1)).squeeze(2) + self.D * x, h

    def step(self, x, cache):
        h, inputs = cache
        x_cache = x.unsqueeze(2)
        x = self.conv(torch.cat([inputs, x_cache], dim=2))[:, :, self.d_conv - 1]
        y, h = self.ssm_step(F.silu(x), h)
        return y, (h, torch.cat([inputs[:, :, 1:], x_cache], dim=2))


class CachedCausalConv(nn.Module):
    """Remembers through nothing but the last frames."""

    def __init__(self, in_channels, hidden_channels, kernel_size=3):
        super().__init__()
        self.in_channels, self.kernel_size = in_channels, kernel_size
        self.conv = nn.Conv1d(in_channels, hidden_channels, kernel_size)

    def init_cache(self, batch_size):
        return torch.zeros(batch_size, self.in_channels, self.kernel_size - 1)

    def forward(self, x):
        return self.conv(F.pad(x, (self.kernel_size - 1, 0)))

    def step(self, x, cache):
        window = torch.cat([cache, x[..., None]], dim=-1)
        return self.conv(window)[..., 0], window[..., 1:]


class CacheNeverFilled(nn.Module):
    def __init__(self, dim, window=4):
        super().__init__()
        self.dim, self.window = dim, window
        self.mix = nn.Linear(dim * window, dim)

    def init_cache(self, batch_size):
        return torch.zeros(batch_size, self.window - 1, self.dim)

    def forward(self, x):
        padded = F.pad(x, (0, 0, self.window - 1, 0)).unfold(1, self.window, 1)
        return self.mix(padded.flatten(2))

    def step(self, x, cache):
        frames = torch.cat([cache, x.unsqueeze(1)], dim=1)
        new_cache = frames[:, 1:]
        return self.mix(frames.flatten(1)), cache  # expect: returned-old-state error 0


class CacheWrittenNeverRead(nn.Module):
    def __init__(self, d_model, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(d_model, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_cache(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        return torch.tanh(self.inp(x))

    def step(self, x, cache):
        cache = torch.tanh(self.inp(x))  # expect: ignored-recurrence error 0
        return cache, cache


class RetentionStep(nn.Module):
    """Queries, keys and values are projected by the caller."""

    def __init__(self, dim):
        super().__init__()
        self.decay = nn.Parameter(torch.full((), 0.9))
        self.norm = nn.LayerNorm(dim)

    def forward(self, q, k, v, state=None):
        kv = k.unsqueeze(-1) * v.unsqueeze(-2)
        state = kv if state is None else self.decay * state + kv
        return self.norm((q.unsqueeze(-2) @ state).squeeze(-2)), state


class DeltaRuleMemory(nn.Module):
    """Fast weights, overwritten by the delta rule."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.beta = nn.Linear(dim, 1)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.dim)

    def step(self, q, k, v, state):
        k = F.normalize(k, dim=-1)
        old = torch.einsum("bij,bj->bi", state, k)
        beta = torch.sigmoid(self.beta(k))
        state = state + torch.einsum("bi,bj->bij", beta * (v - old), k)
        return torch.einsum("bij,bj->bi", state, q), state

    def forward(self, q, k, v):
        state, out = self.init_state(q.size(0)), []
        for t in range(q.size(1)):
            o, state = self.step(q[:, t], k[:, t], v[:, t], state)
            out.append(o)
        return torch.stack(out, 1)


class RetentionHandsBack(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.gate = nn.Linear(dim, dim)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.dim)

    def forward(self, q, k, v, state):
        decay = torch.sigmoid(self.gate(k)).unsqueeze(-1)
        new_state = decay * state + k.unsqueeze(-1) * v.unsqueeze(-2)
        out = torch.einsum("bd,bde->be", q, new_state)
        return out, state  # expect: returned-old-state error 0


class AttentionOverNothing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.norm = nn.LayerNorm(dim)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.dim)

    def forward(self, q, k, v, state):
        state = k.unsqueeze(-1) * v.unsqueeze(-2)  # expect: ignored-recurrence error 0
        return self.norm(torch.einsum("bd,bde->be", q, state)), state


# 8. Keywords, dicts, dataclasses, named tuples and leaves that are no plain matrix


class SLSTMStep(nn.Module):
    """step(x, **state), and the state comes back as a dict that fits."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.W = nn.Linear(dim, 4 * dim)
        self.R = nn.Linear(dim, 4 * dim, bias=False)

    def init_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.dim)
        return {"h": zeros, "c": zeros.clone(), "n": zeros + 1.0, "m": zeros.clone()}

    def step(self, x, h, c, n, m):
        i, f, z, o = (self.W(x) + self.R(h)).chunk(4, dim=-1)
        log_f = F.logsigmoid(f)
        m_new = torch.maximum(log_f + m, i)
        i, f = torch.exp(i - m_new), torch.exp(log_f + m - m_new)
        c = f * c + i * torch.tanh(z)
        n = f * n + i
        h = torch.sigmoid(o) * c / n
        return h, {"h": h, "c": c, "n": n, "m": m_new}

    def forward(self, xs):
        state, hs = self.init_state(xs.size(0)), []
        for x in xs.unbind(1):
            h, state = self.step(x, **state)
            hs.append(h)
        return torch.stack(hs, 1)


class MatrixMemoryStep(nn.Module):
    def __init__(self, d_model, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.q, self.k, self.v = (nn.Linear(d_model, hidden_size) for _ in range(3))
        self.f = nn.Linear(d_model, 1)

    def initial_state(self, batch_size):
        size = self.hidden_size
        return {"memory": torch.zeros(batch_size, size, size), "norm": torch.zeros(batch_size, size)}

    def forward(self, x, **state):
        memory, norm = state["memory"], state["norm"]
        q, k, v, f = self.q(x), self.k(x), self.v(x), torch.sigmoid(self.f(x))
        memory = f.unsqueeze(-1) * memory + v.unsqueeze(2) * k.unsqueeze(1)
        norm = f * norm + k
        h = (memory @ q.unsqueeze(-1)).squeeze(-1) / (norm * q).sum(-1, keepdim=True).abs().clamp(min=1.0)
        return h, {"memory": memory, "norm": norm}


class KeywordStepKeepsC(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return {"c": torch.zeros(batch_size, self.hidden_size), "h": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, xs):
        state = self.init_state(xs.size(0))
        for x in xs.unbind(1):
            h, state = self.step(x, **state)
        return h

    def step(self, x, **state):
        h, c = self.cell(x, (state["h"], state["c"]))
        return h, dict(state, h=h)  # expect: returned-old-state error 0


class KeywordStepNeverReads(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.wx = nn.Linear(input_size, 3 * hidden_size)
        self.wh = nn.Linear(hidden_size, 3 * hidden_size)

    def init_state(self, batch_size):
        return {"c": torch.zeros(batch_size, self.hidden_size), "h": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, **state):
        i, o, g = self.wx(x).chunk(3, 1)  # expect: ignored-recurrence error
        c = torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, {"c": c, "h": h}


class KeywordOnlyLSTM(nn.Module):
    """forward(x, *, h, c)."""

    def __init__(self, in_dim, hid_dim):
        super().__init__()
        self.lin = nn.Linear(in_dim + hid_dim, 4 * hid_dim)

    def forward(self, x, *, h, c):
        gates = self.lin(torch.hstack((x, h)))
        i, f, g, o = gates.tensor_split(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class KeywordOnlyGRU(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 2)

    def forward(self, x: Tensor, *, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden = self.gru(x, hidden)
        return self.out(hidden), hidden


class KeywordOnlyStuck(nn.Module):
    def __init__(self, in_dim, hid_dim):
        super().__init__()
        self.lin = nn.Linear(in_dim + hid_dim, 4 * hid_dim)

    def forward(self, x, *, h, c):
        i, f, g, o = self.lin(torch.cat((x, h), -1)).chunk(4, -1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_new = torch.sigmoid(o) * torch.tanh(c_new)
        return h_new, c  # expect: returned-old-state error 1


class KeywordOnlyForgets(nn.Module):
    def __init__(self, in_dim, hid_dim):
        super().__init__()
        self.a = nn.Linear(in_dim, hid_dim)
        self.b = nn.Linear(hid_dim, hid_dim)

    def forward(self, x, *, hidden):
        hidden = torch.tanh(self.a(x))  # expect: ignored-recurrence error 0
        return hidden


class DictLSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def get_initial_state(self, batch_size: int) -> dict[str, Tensor]:
        return {name: torch.zeros(batch_size, self.hidden_size) for name in ("cell", "hidden")}

    def forward(self, inputs: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        hidden, cell = self.lstm(inputs, (state["hidden"], state["cell"]))
        return hidden, {"cell": cell, "hidden": hidden}


class NestedDictCore(nn.Module):
    """Policy and value have their own cores, each with its own entry."""

    def __init__(self, obs_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.actor = nn.GRUCell(obs_dim, hidden_dim)
        self.critic = nn.LSTMCell(obs_dim, hidden_dim)

    def initial_state(self, batch_size):
        h = torch.zeros(batch_size, self.hidden_dim)
        return {"actor": h, "critic": {"c": h.clone(), "h": h.clone()}}

    def forward(self, obs, state):
        actor = self.actor(obs, state["actor"])
        h, c = self.critic(obs, (state["critic"]["h"], state["critic"]["c"]))
        return actor + h, {"actor": actor, "critic": {"c": c, "h": h}}


class DictUpdatedTooEarly(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def init_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "trace": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        h, trace = state["h"], state["trace"]
        new_state = dict(state)
        h = torch.tanh(self.w(torch.cat([x, h], 1)) - trace)
        trace = 0.9 * trace + 0.1 * h
        new_state["h"] = h
        return h, new_state  # expect: returned-old-state error 1


class DictForgetsDeter(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "slow": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        z = self.inp(x)  # expect: ignored-recurrence warning 0
        h = torch.tanh(z + state["slow"])
        return h, {"h": h, "slow": 0.9 * state["slow"] + 0.1 * h}


class EverythingInOneDict(nn.Module):
    """{"output": ..., "state": ...}."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 2)

    def forward(self, x, state=None):
        state = self.gru(x, state)
        return {"output": self.head(state), "state": state}


class OutputsBesideTheState(nn.Module):
    """The new h and c lie in one dict with what was made of them."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.value = nn.Linear(hidden_size, 1)

    def initial_state(self, batch_size):
        return {"c": torch.zeros(batch_size, self.hidden_size), "h": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        h, c = self.lstm(x, (state["h"], state["c"]))
        return {"value": self.value(h), "c": c, "h": h, "gate": torch.sigmoid(c)}


class OneDictOldState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 2)

    def forward(self, x, state):
        new = self.gru(x, state)
        return {"output": self.head(new), "state": state}  # expect: returned-old-state error 0


class OneDictWithoutMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        h, c = self.lstm(x)  # expect: ignored-recurrence error
        return {"output": h, "state": (h, c)}


class RSSMCore(nn.Module):
    """(prev_state, action) -> dict; mean and std are kept for the loss."""

    def __init__(self, deter_dim, embed_dim, stoch_dim=6):
        super().__init__()
        self.deter_dim, self.stoch_dim = deter_dim, stoch_dim
        self.inp = nn.Linear(stoch_dim + embed_dim, deter_dim)
        self.cell = nn.GRUCell(deter_dim, deter_dim)
        self.prior = nn.Linear(deter_dim, 2 * stoch_dim)

    def initial(self, batch_size):
        stoch = torch.zeros(batch_size, self.stoch_dim)
        deter = torch.zeros(batch_size, self.deter_dim)
        return {"mean": stoch, "std": torch.ones_like(stoch), "stoch": stoch.clone(), "deter": deter}

    def forward(self, prev_state, action):
        x = F.elu(self.inp(torch.cat([prev_state["stoch"], action], -1)))
        deter = self.cell(x, prev_state["deter"])
        mean, std = self.prior(deter).chunk(2, -1)
        std = F.softplus(std) + 0.1
        return {"mean": mean, "std": std, "stoch": mean + std * torch.randn_like(std), "deter": deter}


class DiscreteRSSM(nn.Module):
    """Straight-through categorical latents; state, action and nothing else."""

    def __init__(self, hidden_size, input_size, groups=3, classes=4):
        super().__init__()
        self.hidden_size, self.groups, self.classes = hidden_size, groups, classes
        self.cell = nn.GRUCell(input_size + groups * classes, hidden_size)
        self.logit = nn.Linear(hidden_size, groups * classes)

    def initial_state(self, batch_size: int):
        zeros = torch.zeros(batch_size, self.groups * self.classes)
        return {"deter": torch.zeros(batch_size, self.hidden_size), "logit": zeros, "stoch": zeros.clone()}

    def forward(self, state, action):
        deter = self.cell(torch.cat([state["stoch"], action], -1), state["deter"])
        logit = self.logit(deter).view(-1, self.groups, self.classes)
        probs = logit.softmax(-1)
        sample = F.one_hot(torch.distributions.Categorical(probs).sample(), self.classes).to(probs)
        stoch = (sample + probs - probs.detach()).flatten(1)
        return {"deter": deter, "logit": logit.flatten(1), "stoch": stoch}


class RSSMStuckDeter(nn.Module):
    def __init__(self, deter_dim, embed_dim, stoch_dim=6):
        super().__init__()
        self.deter_dim, self.stoch_dim = deter_dim, stoch_dim
        self.cell = nn.GRUCell(stoch_dim + embed_dim, deter_dim)
        self.prior = nn.Linear(deter_dim, stoch_dim)

    def initial(self, batch_size):
        return {"deter": torch.zeros(batch_size, self.deter_dim), "stoch": torch.zeros(batch_size, self.stoch_dim)}

    def forward(self, prev_state, action):
        x = torch.cat([prev_state["stoch"], action], -1)
        deter = self.cell(x, prev_state["deter"])
        stoch = torch.tanh(self.prior(deter))
        return {**prev_state, "stoch": stoch}  # expect: returned-old-state error 0


class RSSMActsOnActionsOnly(nn.Module):
    def __init__(self, deter_dim, embed_dim):
        super().__init__()
        self.deter_dim = deter_dim
        self.inp = nn.Linear(embed_dim, deter_dim)
        self.cell = nn.Linear(2 * deter_dim, deter_dim)

    def initial(self, batch_size):
        zeros = torch.zeros(batch_size, self.deter_dim)
        return {"deter": zeros, "stoch": zeros.clone()}

    def forward(self, prev_state, action):
        x = self.inp(action)  # expect: ignored-recurrence error
        deter = torch.tanh(x)
        stoch = deter + 0.1 * torch.randn_like(deter)
        return {"deter": deter, "stoch": stoch}


@dataclass
class _MemoryState:
    hidden: Tensor
    memory: Tensor


@dataclass(frozen=True)
class _LoopState:
    h: Tensor
    steps: Tensor

    def advance(self, h):
        return _LoopState(h, self.steps + 1)


class DataclassMemory(nn.Module):
    def __init__(self, input_size, hidden_size, slots=3):
        super().__init__()
        self.hidden_size, self.slots = hidden_size, slots
        self.controller = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.address = nn.Linear(hidden_size, slots)
        self.erase = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch_size) -> _MemoryState:
        memory = torch.full((batch_size, self.slots, self.hidden_size), 1e-2)
        return _MemoryState(torch.zeros(batch_size, self.hidden_size), memory)

    def forward(self, x: Tensor, state: _MemoryState) -> tuple[Tensor, _MemoryState]:
        where = self.address(state.hidden).softmax(-1).unsqueeze(-1)
        read = (where * state.memory).sum(1)
        h = self.controller(torch.cat([x, read], -1), state.hidden)
        memory = state.memory * (1 - where * torch.sigmoid(self.erase(h)).unsqueeze(1)) + where * h.unsqueeze(1)
        return read, _MemoryState(hidden=h, memory=memory)


class FrozenDataclassLoop(nn.Module):
    """The state knows how to advance itself."""

    def __init__(self, in_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.rnn = nn.RNNCell(in_dim, hidden_dim)

    def init_state(self, batch_size: int) -> _LoopState:
        return _LoopState(torch.zeros(batch_size, self.hidden_dim), torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor, state: _LoopState) -> tuple[Tensor, _LoopState]:
        h = self.rnn(x, state.h)
        return h, state.advance(h)


class DataclassHandsBack(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        return _MemoryState(*(torch.zeros(batch_size, self.hidden_size) for _ in range(2)))

    def forward(self, x: Tensor, state: _MemoryState):
        hidden, memory = self.lstm(x, (state.hidden, state.memory))
        return hidden, _MemoryState(state.hidden, memory)  # expect: returned-old-state error 0


class DataclassNeverRead(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a = nn.Linear(input_size, hidden_size)
        self.b = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, state: _MemoryState):
        z = self.a(x)  # expect: ignored-recurrence error
        hidden = torch.tanh(z)
        return hidden, _MemoryState(hidden, torch.sigmoid(z))


class _LSTMState(NamedTuple):
    h: Tensor
    c: Tensor


class _CoreState(NamedTuple):
    lstm: _LSTMState
    t: Tensor


_Pair = namedtuple("_Pair", "fast slow")


class NestedNamedTuples(nn.Module):
    """A 0-d step counter beside a nested pair."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return _CoreState(_LSTMState(zeros, zeros.clone()), torch.tensor(0))

    def forward(self, x, state):
        h, c = self.lstm(x, (state.lstm.h, state.lstm.c))
        scale = 1.0 + torch.exp(-state.t.float())
        return h * scale, _CoreState(_LSTMState(h, c), state.t + 1)


class NamedPairOfClocks(nn.Module):
    """Clockwork: the slow part moves at every third step."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.fast = nn.RNNCell(input_size + hidden_size, hidden_size)
        self.slow = nn.RNNCell(hidden_size, hidden_size)

    def get_initial_state(self, batch_size):
        fast, slow = torch.zeros(2, batch_size, self.hidden_size).unbind(0)
        return _Pair(fast, slow), torch.tensor(0)

    def forward(self, x, state):
        pair, tick = state
        fast = self.fast(torch.cat([x, pair.slow], 1), pair.fast)
        slow = torch.where(tick % 3 == 0, self.slow(fast, pair.slow), pair.slow)
        return fast, (_Pair(fast, slow), tick + 1)


class NestedTupleOldInner(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return _CoreState(_LSTMState(zeros, zeros.clone()), torch.zeros(()))

    def forward(self, x, state):
        (h, c), t = state
        h_new, c_new = self.lstm(x, (h, c))
        return h_new, _CoreState(_LSTMState(h_new, c), t + 1.0)  # expect: returned-old-state error 1


class ReplacedOnlyTheClock(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "t": torch.zeros((), dtype=torch.int64)}

    def forward(self, x, state):
        h = self.gru(x, state["h"])
        return h, {**state, "t": state["t"] + 1}  # expect: returned-old-state error 0


class CountsInPython(nn.Module):
    """A whole number of Python's own in the state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "step": 0}

    def forward(self, x, state):
        warm = min(1.0, (state["step"] + 1) / 4)
        h = state["h"] + warm * (self.cell(x, state["h"]) - state["h"])
        return h, {"h": h, "step": state["step"] + 1}


class RunningMean(nn.Module):
    """Cumulative average of what was seen: (sum, how many)."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.hidden_features = hidden_features
        self.embed = nn.Linear(in_features, hidden_features)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_features), 0

    def forward(self, x, state):
        total, n = state
        total, n = total + self.embed(x), n + 1
        return total / n, (total, n)


class CountsButStaysPut(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), 0

    def forward(self, x, state):
        h, n = state
        h_next = self.cell(x, h)
        return h_next, (h, n + 1)  # expect: returned-old-state error 0


class CountsAndForgets(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.x = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "n": 0}

    def forward(self, x, state):
        h = torch.tanh(self.x(x))  # expect: ignored-recurrence error 0
        return h, {"h": h, "n": state["n"] + 1}


class RingBuffer(nn.Module):
    """An integer pointer per row into a buffer of past states."""

    def __init__(self, input_size, hidden_size, length=3):
        super().__init__()
        self.hidden_size, self.length = hidden_size, length
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.length, self.hidden_size), torch.zeros(batch_size, dtype=torch.long)

    def forward(self, x, state):
        buffer, pointer = state
        rows = torch.arange(x.size(0))
        h = self.cell(x, buffer[rows, pointer])
        pointer = (pointer + 1) % self.length
        buffer = buffer.index_put((rows, pointer), h)
        return h, (buffer, pointer)


class TokenHistory(nn.Module):
    """What it said last, as indices, and a hidden state."""

    def __init__(self, input_size, hidden_size, vocab=7):
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocab, hidden_size)
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.logits = nn.Linear(hidden_size, vocab)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, dtype=torch.int64)

    def forward(self, x, state):
        h, token = state
        h = self.cell(torch.cat([x, self.embedding(token)], 1), h)
        logits = self.logits(h)
        return logits, (h, logits.argmax(1))


class RingBufferNeverWritten(nn.Module):
    def __init__(self, input_size, hidden_size, length=3):
        super().__init__()
        self.hidden_size, self.length = hidden_size, length
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.length, self.hidden_size), torch.zeros(batch_size, dtype=torch.long)

    def forward(self, x, state):
        buffer, pointer = state
        rows = torch.arange(x.size(0))
        h = self.cell(x, buffer[rows, pointer])
        new_buffer = torch.cat([h.unsqueeze(1), buffer[:, :-1]], 1)
        return h, (buffer, (pointer + 1) % self.length)  # expect: returned-old-state error 0


class TokensWithoutHidden(nn.Module):
    def __init__(self, input_size, hidden_size, vocab=7):
        super().__init__()
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocab, hidden_size)
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)
        self.logits = nn.Linear(hidden_size, vocab)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, dtype=torch.int64)

    def forward(self, x, state):
        h, token = state
        z = self.w(x)  # expect: ignored-recurrence warning 0
        h = torch.tanh(z + self.embedding(token))
        return h, (h, self.logits(h).argmax(1))


class FirstSeenGate(nn.Module):
    """A bool per unit: has it fired yet?"""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def init_state(self, batch_size):
        shape = (batch_size, self.hidden_size)
        return torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)

    def forward(self, x, state):
        h, fired = state
        a = self.w(torch.cat([x, h], -1))
        h = torch.where(fired, 0.9 * h + 0.1 * torch.tanh(a), torch.tanh(a))
        return h, (h, fired | (h > 0.3))


class RefractoryCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.syn = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        v = torch.zeros(batch_size, self.hidden_size)
        return {"resting": v > 0, "v": v}

    def forward(self, x, state):
        current = self.syn(x).masked_fill(state["resting"], 0.0)
        v = 0.8 * state["v"] + current
        spikes = v > 0.3
        return spikes.float(), {"resting": spikes, "v": v.masked_fill(spikes, 0.0)}


class MaskMovesMembraneStays(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.syn = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        v = torch.zeros(batch_size, self.hidden_size)
        return {"resting": v > 0, "v": v}

    def forward(self, x, state):
        current = self.syn(x).masked_fill(state["resting"], 0.0)
        v = 0.8 * state["v"] + current
        spikes = v > 0.3
        return spikes.float(), {"resting": spikes, "v": state["v"]}  # expect: returned-old-state error 1


class GateOpensForNobody(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        shape = (batch_size, self.hidden_size)
        return torch.zeros(shape), torch.zeros(shape, dtype=torch.bool)

    def forward(self, x, state):
        h, fired = state
        a = self.w(x)  # expect: ignored-recurrence warning 0
        h = torch.where(fired, torch.sigmoid(a), torch.tanh(a))
        return h, (h, h > 0.2)


class LinearRecurrentUnit(nn.Module):
    """Complex diagonal recurrence (Orvieto et al., 2023)."""

    def __init__(self, in_features, out_features, state_features=6):
        super().__init__()
        self.nu_log = nn.Parameter(torch.log(torch.linspace(0.1, 0.9, state_features)))
        self.theta_log = nn.Parameter(torch.log(torch.linspace(0.3, 3.0, state_features)))
        self.B = nn.Parameter(torch.randn(state_features, in_features, dtype=torch.cfloat) / math.sqrt(in_features))
        self.C = nn.Parameter(torch.randn(out_features, state_features, dtype=torch.cfloat))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.nu_log.numel(), dtype=torch.cfloat)

    def forward(self, x, state):
        lam = torch.exp(torch.complex(-torch.exp(self.nu_log), torch.exp(self.theta_log)))
        state = lam * state + x.to(self.B.dtype) @ self.B.T
        return (state @ self.C.T).real, state


class UnitaryRNNCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.phase = nn.Parameter(torch.rand(hidden_size) * 2 * math.pi)
        self.inp = nn.Linear(input_size, 2 * hidden_size)

    def init_hidden(self, batch_size):
        h = torch.randn(batch_size, self.hidden_size, dtype=torch.complex64)
        return h / h.abs().norm(dim=1, keepdim=True)

    def forward(self, x, h):
        re, im = self.inp(x).chunk(2, -1)
        z = torch.fft.ifft(
            torch.polar(torch.ones_like(self.phase), self.phase) * torch.fft.fft(h, norm="ortho"), norm="ortho"
        )
        z = z + torch.complex(re, im)
        return z / (z.abs() + 1e-6) * F.relu(z.abs() - 0.01)


class ComplexHandsBack(nn.Module):
    def __init__(self, in_features, out_features, state_features=6):
        super().__init__()
        self.state_features = state_features
        self.lam = nn.Parameter(torch.polar(torch.full((state_features,), 0.9), torch.rand(state_features)))
        self.B = nn.Linear(in_features, state_features)
        self.C = nn.Linear(state_features, out_features)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.state_features, dtype=torch.complex64)

    def forward(self, x, state):
        new_state = self.lam * state + self.B(x)
        return self.C(new_state.real), state  # expect: returned-old-state error 0


class ComplexForgets(nn.Module):
    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.hidden_features = hidden_features
        self.inp = nn.Linear(in_features, hidden_features)
        self.lam = nn.Parameter(torch.polar(torch.full((hidden_features,), 0.9), torch.rand(hidden_features)))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_features, dtype=torch.complex64)

    def forward(self, x, state):
        drive = self.inp(x)  # expect: ignored-recurrence error 0
        state = drive * self.lam
        return state.real, state


class LazyCache(nn.Module):
    """Both entries are None until the first step."""

    def __init__(self, dim):
        super().__init__()
        self.shift = nn.Parameter(torch.rand(dim))
        self.kv = nn.Linear(dim, 2 * dim)

    def init_cache(self):
        return None, None

    def step(self, x, cache):
        last, memory = cache
        last = torch.zeros_like(x) if last is None else last
        k, v = self.kv(torch.lerp(last, x, self.shift)).chunk(2, -1)
        memory = k.sigmoid() * v if memory is None else (1 - k.sigmoid()) * memory + k.sigmoid() * v
        return memory, (x, memory)

    def forward(self, xs):
        cache, out = self.init_cache(), []
        for x in xs.unbind(1):
            y, cache = self.step(x, cache)
            out.append(y)
        return torch.stack(out, 1)


class NoneForEachLayer(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=2):
        super().__init__()
        self.num_layers = num_layers
        self.cells = nn.ModuleList(
            nn.LSTMCell(hidden_size if i else input_size, hidden_size) for i in range(num_layers)
        )

    def init_states(self):
        return [None] * self.num_layers

    def forward(self, x, states):
        new = []
        for cell, state in zip(self.cells, states):
            x, c = cell(x, state)
            new.append((x, c))
        return x, new


class KeepsThePairButNotTheBias(nn.Module):
    """One leaf is None and stays None: this variant has no normaliser."""

    def __init__(self, input_size, hidden_size, normalise=False):
        super().__init__()
        self.hidden_size, self.normalise = hidden_size, normalise
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def init_state(self, batch_size):
        h = torch.zeros(batch_size, self.hidden_size)
        return h, (torch.ones_like(h) if self.normalise else None)

    def forward(self, x, state):
        h, n = state
        h = h + torch.tanh(self.w(torch.cat([x, h], -1)))
        if n is not None:
            n = n + 1
            return h / n, (h, n)
        return h, (h, None)


class OptionalMemory(nn.Module):
    def __init__(self, input_size, hidden_size, use_memory=False):
        super().__init__()
        self.hidden_size, self.use_memory = hidden_size, use_memory
        self.rnn = nn.RNNCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return {"hidden": zeros, "memory": zeros.clone() if self.use_memory else None}

    def forward(self, x, state):
        hidden, memory = self.rnn(x, state["hidden"]), state["memory"]
        if memory is not None:
            memory = 0.5 * (memory + hidden)
        return hidden, {"hidden": hidden, "memory": memory}


class LazyCacheFirstOnly(nn.Module):
    """Filled at the first step and never again."""

    def __init__(self, dim):
        super().__init__()
        self.w = nn.Linear(2 * dim, dim)

    def init_cache(self):
        return (None,)

    def step(self, x, cache):
        (memory,) = cache
        if memory is None:
            return x, (x,)
        memory_new = torch.tanh(self.w(torch.cat([x, memory], -1)))
        return memory_new, (memory,)  # expect: returned-old-state error 0

    def forward(self, xs):
        cache, out = self.init_cache(), []
        for x in xs.unbind(1):
            y, cache = self.step(x, cache)
            out.append(y)
        return torch.stack(out, 1)


class NoneForEachLayerForgets(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lower = nn.LSTMCell(input_size, hidden_size)
        self.upper = nn.LSTMCell(hidden_size, hidden_size)

    def init_states(self):
        return [None, None]

    def forward(self, x, states):
        lower, upper = states
        lower = self.lower(x)  # expect: ignored-recurrence error
        upper = self.upper(lower[0])
        return upper[0], [lower, upper]


class NoneStaysAndSoDoesTheRest(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), None

    def forward(self, x, state):
        h, extra = state
        h_t = self.cell(x, h)
        return h_t, (h, extra)  # expect: returned-old-state error 0


class NoneStaysNothingRead(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        return {"h": torch.zeros(batch_size, self.hidden_size), "memory": None}

    def forward(self, x, state):
        h = self.w(x).tanh()  # expect: ignored-recurrence error 0
        return h, {"h": h, "memory": state["memory"]}


# 9. The state is only on self


class StatefulElman(nn.Module):
    """Zeros until the first call; reset() starts a new sequence."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.wx = nn.Linear(input_size, hidden_size)
        self.wh = nn.Linear(hidden_size, hidden_size, bias=False)
        self.h = None

    def reset(self):
        self.h = None

    def forward(self, x):
        if self.h is None:
            self.h = x.new_zeros(x.shape[0], self.hidden_size)
        self.h = torch.tanh(self.wx(x) + self.wh(self.h))
        return self.h


class OnlinePolicy(nn.Module):
    def __init__(self, obs_dim, hidden_dim, num_actions=3):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.lstm = nn.LSTMCell(obs_dim, hidden_dim)
        self.pi = nn.Linear(hidden_dim, num_actions)
        self.reset()

    def reset(self):
        self._hidden = self._cell = None

    def forward(self, obs):
        state = None if self._hidden is None else (self._hidden, self._cell)
        self._hidden, self._cell = self.lstm(obs, state)
        return self.pi(self._hidden)


class StatefulByBatch(nn.Module):
    """reset_state(batch) makes the tensors."""

    def __init__(self, in_dim, hidden_dim, tau=2.0):
        super().__init__()
        self.hidden_dim, self.tau = hidden_dim, tau
        self.w = nn.Linear(in_dim + hidden_dim, hidden_dim)
        self.out = nn.Linear(hidden_dim, in_dim)

    def reset_state(self, batch_size, device="cpu"):
        self.state = torch.zeros(batch_size, self.hidden_dim, device=device)

    def forward(self, u):
        target = torch.tanh(self.w(torch.cat([u, self.state], dim=-1)))
        self.state = self.state + (target - self.state) / self.tau
        return self.out(self.state)


class NeuralTuringLike(nn.Module):
    def __init__(self, input_size, hidden_size, slots=4):
        super().__init__()
        self.hidden_size, self.slots = hidden_size, slots
        self.controller = nn.LSTMCell(input_size + hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.write = nn.Linear(hidden_size, hidden_size)

    def reset_state(self, batch_size=1):
        self.hx = torch.zeros(batch_size, self.hidden_size)
        self.cx = torch.zeros(batch_size, self.hidden_size)
        self.memory = 1e-2 * torch.ones(batch_size, self.slots, self.hidden_size)

    def address(self):
        return torch.einsum("bd,bsd->bs", self.key(self.hx), self.memory).softmax(-1)

    def forward(self, x):
        read = torch.einsum("bs,bsd->bd", self.address(), self.memory)
        self.hx, self.cx = self.controller(torch.cat([x, read], -1), (self.hx, self.cx))
        self.memory = self.memory + self.address().unsqueeze(-1) * self.write(self.hx).unsqueeze(1)
        return read + self.hx


class EchoState(nn.Module):
    """A registered buffer of one row that grows with the batch."""

    def __init__(self, input_size, hidden_size, leak=0.3):
        super().__init__()
        self.leak = leak
        self.register_buffer("w_in", 0.5 * torch.randn(hidden_size, input_size))
        self.register_buffer("w", 0.3 * torch.randn(hidden_size, hidden_size))
        self.register_buffer("state", torch.zeros(1, hidden_size))
        self.readout = nn.Linear(hidden_size, 2)

    def reset_state(self):
        self.state = torch.zeros_like(self.state[:1])

    def forward(self, x):
        new = torch.tanh(F.linear(x, self.w_in) + F.linear(self.state, self.w))
        self.state = (1 - self.leak) * self.state + self.leak * new
        return self.readout(self.state)


class BufferedLIF(nn.Module):
    def __init__(self, in_features, out_features, tau=2.0):
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)
        self.tau = tau
        self.register_buffer("v", torch.zeros(0), persistent=False)

    def reset(self):
        self.v = torch.zeros(0)

    def forward(self, x):
        current = self.fc(x)
        if self.v.shape != current.shape:
            self.v = torch.zeros_like(current)
        v = self.v + (current - self.v) / self.tau
        spike = _FastSigmoid.apply(v - 0.1)
        self.v = v - 0.1 * spike
        return spike


class StatefulNeverStores(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 2)

    def reset_state(self, batch_size):
        self.h = torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        h = self.cell(x, self.h)
        return self.out(h)  # expect: returned-old-state error 0


class StatefulNeverLooks(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.wx = nn.Linear(input_size, hidden_size)
        self.wh = nn.Linear(hidden_size, hidden_size)

    def reset_state(self, batch_size):
        self.h = torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        self.h = torch.tanh(self.wx(x))  # expect: ignored-recurrence error 0
        return self.h


class StatefulResetsItself(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.RNNCell(input_size, hidden_size)
        self.h = torch.zeros(1, hidden_size)

    def reset(self, batch_size=1):
        self.h = torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        self.reset(x.shape[0])  # expect: ignored-recurrence error 0
        self.h = self.cell(x, self.h)
        return self.h


class StatefulStoresTheOldCell(nn.Module):
    """h, c on self; c is written back as it was."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def reset(self, batch_size=1):
        self.h = torch.zeros(batch_size, self.hidden_size)
        self.c = torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        h, c = self.cell(x, (self.h, self.c))
        self.h, self.c = h, self.c  # expect: returned-old-state error 1
        return h


class BufferNeverUpdated(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)
        self.register_buffer("state", torch.zeros(1, hidden_size))

    def reset_state(self, batch_size=1):
        self.state = torch.zeros(batch_size, self.state.size(1))

    def forward(self, x):
        state = torch.tanh(self.w(torch.cat([x, self.state.expand(x.size(0), -1)], 1)))
        return state  # expect: returned-old-state error 0


class BufferOverwritten(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size, bias=False)
        self.register_buffer("state", torch.zeros(1, hidden_size))

    def reset_state(self, batch_size=1):
        self.state = torch.zeros(batch_size, self.state.size(1))

    def forward(self, x):
        drive = self.inp(x)  # expect: ignored-recurrence error 0
        self.state = drive.tanh()
        return self.state


class StatefulProduct(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gain = nn.Linear(input_size, hidden_size)

    def reset(self, batch_size=1):
        self.trace = torch.zeros(batch_size, self.hidden_size)

    def forward(self, x):
        self.trace = self.trace * (1 + torch.tanh(self.gain(x)))  # expect: unchanged-initial-state error 0
        return self.trace


# 10. Further arguments without a default


class ODERNNCell(nn.Module):
    """ts: the time since the last observation."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rate = nn.Parameter(torch.zeros(hidden_size))
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h, ts):
        h = h * torch.exp(-F.softplus(self.rate) * ts)
        return self.cell(x, h)


class GRUDCell(nn.Module):
    """x, its mask and delta_t; missing values decay to the mean (Che et al., 2018)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.decay_x = nn.Linear(input_size, input_size)
        self.decay_h = nn.Linear(input_size, hidden_size)
        self.cell = nn.GRUCell(2 * input_size, hidden_size)

    def forward(self, x, h, mask, delta_t):
        gamma_x = torch.exp(-F.relu(self.decay_x(delta_t)))
        gamma_h = torch.exp(-F.relu(self.decay_h(delta_t)))
        x_hat = mask * x + (1 - mask) * gamma_x * x
        return self.cell(torch.cat([x_hat, mask], dim=1), gamma_h * h)


class ContinuousTimeLSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.decay = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, hx, elapsed_time):
        h, c = hx
        short = torch.tanh(self.decay(c))
        c = c - short + short / (1.0 + elapsed_time)
        h, c = self.lstm(x, (h, c))
        return h, (h, c)


class TimespanRNN(nn.Module):
    """A sequence layer that wants timespans of shape (batch, time)."""

    def __init__(self, input_size, units):
        super().__init__()
        self.units = units
        self.cell = nn.RNNCell(input_size, units)
        self.log_tau = nn.Parameter(torch.zeros(units))

    def forward(self, input, timespans, hx=None):
        batch, length, _ = input.shape
        hx = input.new_zeros(batch, self.units) if hx is None else hx
        outs = []
        for t in range(length):
            alpha = 1 - torch.exp(-timespans[:, t].unsqueeze(-1) / self.log_tau.exp())
            hx = hx + alpha * (self.cell(input[:, t], hx) - hx)
            outs.append(hx)
        return torch.stack(outs, dim=1), hx


class TimeAwareReturnsOld(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h, ts):
        decayed = h / (1.0 + ts)
        h_new = self.cell(x, decayed)
        return h_new, h  # expect: returned-old-state error 0


class TimeInsteadOfState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, elapsed_time):
        z = self.inp(x)  # expect: ignored-recurrence error 0
        h = torch.tanh(z) * torch.exp(-0.1 * torch.as_tensor(elapsed_time))
        return h


class MaskedGRUStep(nn.Module):
    """mask: one where a frame is real, zero where it is padding."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, mask, h):
        h_new = self.gru(x, h)
        return mask * h_new + (1 - mask) * h


class ForgetsAtEpisodeEnds(nn.Module):
    """done: one where a new episode begins."""

    def __init__(self, obs_dim, hidden_dim):
        super().__init__()
        self.gru = nn.GRUCell(obs_dim, hidden_dim)
        self.value = nn.Linear(hidden_dim, 1)

    def forward(self, obs, hidden, done):
        hidden = hidden * (1.0 - done)
        hidden = self.gru(obs, hidden)
        return self.value(hidden), hidden


class MasksOfOneMeanGoOn(nn.Module):
    """masks as in pytorch-a2c: zero where an episode has ended."""

    def __init__(self, num_inputs, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(num_inputs, hidden_size)
        self.critic = nn.Linear(hidden_size, 1)

    def forward(self, inputs, rnn_hxs, masks):
        rnn_hxs = self.gru(inputs, rnn_hxs * masks)
        return self.critic(rnn_hxs), rnn_hxs


class ResetFlagPerRow(nn.Module):
    """reset: a bool for each row."""

    def __init__(self, in_features, features):
        super().__init__()
        self.cell = nn.LSTMCell(in_features, features)

    def forward(self, carry, x, reset):
        h, c = (torch.where(reset.bool().view(-1, 1), torch.zeros_like(s), s) for s in carry)
        h, c = self.cell(x, (h, c))
        return (h, c), h


class MaskedReturnsOld(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state, mask):
        h, c = state
        h_t, c_t = self.lstm(x, (h, c))
        h_t = mask * h_t + (1 - mask) * h
        c_t = mask * c_t + (1 - mask) * c
        return h_t, (h_t, c)  # expect: returned-old-state error 1


class ForgetsAlwaysNotAtEnds(nn.Module):
    """(1 - done) fell victim to a refactoring."""

    def __init__(self, obs_dim, hidden_dim):
        super().__init__()
        self.gru = nn.GRUCell(obs_dim, hidden_dim)
        self.value = nn.Linear(hidden_dim, 1)

    def forward(self, obs, hidden, done):
        hidden = torch.zeros_like(hidden) * (1.0 - done)  # expect: ignored-recurrence error 0
        hidden = self.gru(obs, hidden)
        return self.value(hidden), hidden


class AttentionDecoderStep(nn.Module):
    """(output, attention, state): encoder outputs come in, the output goes out first."""

    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.attn = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.rnn = nn.GRUCell(embed_dim + hidden_dim, hidden_dim)
        self.fc = nn.Linear(2 * hidden_dim, 7)

    def forward(self, input, hidden, encoder_outputs):
        weights = torch.einsum("bth,bh->bt", encoder_outputs, self.attn(hidden)).softmax(dim=1)
        context = torch.einsum("bt,bth->bh", weights, encoder_outputs)
        hidden = self.rnn(torch.cat((input, context), dim=1), hidden)
        return self.fc(torch.cat((hidden, context), 1)), weights, hidden


class ConditionedLSTM(nn.Module):
    """A context vector at each step, as wide as the hidden state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size + hidden_size, hidden_size)

    def forward(self, x, state, context):
        h, c = self.cell(torch.cat([x, context], dim=-1), state)
        return h, c


class LookAtEncoder(nn.Module):
    """(state, out, aux)."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.query = nn.Linear(input_dim + hidden_dim, hidden_dim)
        self.update = nn.GRUCell(hidden_dim, hidden_dim)
        self.readout = nn.Linear(hidden_dim, 4)

    def forward(self, state, x, memory_bank):
        q = self.query(torch.cat([state, x], 1)).unsqueeze(1)
        scores = (q * memory_bank).sum(-1).softmax(-1)
        state = self.update((scores.unsqueeze(-1) * memory_bank).sum(1) + q.squeeze(1), state)
        return state, self.readout(state), scores


class AttentionDecoderOldState(nn.Module):
    def __init__(self, embed_dim, hidden_dim):
        super().__init__()
        self.attn = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.rnn = nn.GRUCell(embed_dim + hidden_dim, hidden_dim)
        self.fc = nn.Linear(hidden_dim, 7)

    def forward(self, input, hidden, encoder_outputs):
        weights = torch.einsum("bth,bh->bt", encoder_outputs, self.attn(hidden)).softmax(dim=1)
        context = torch.einsum("bt,bth->bh", weights, encoder_outputs)
        new_hidden = self.rnn(torch.cat((input, context), dim=1), hidden)
        return self.fc(new_hidden), weights, hidden  # expect: returned-old-state error 0


class OnlyTheContext(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)
        self.ctx = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, context):
        a = self.inp(x) + self.ctx(context)  # expect: ignored-recurrence error 0
        h = torch.tanh(a)
        return h


class OutputFirstOfThree(nn.Module):
    """(out, state, gate)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        self.out = nn.Linear(hidden_size, 3)

    def forward(self, x, state):
        gate, cand = self.lin(torch.cat([x, state], 1)).chunk(2, 1)
        gate = torch.sigmoid(gate)
        state = torch.lerp(state, torch.tanh(cand), gate)
        return self.out(state), state, gate


class StateOutAux(nn.Module):
    """(state, out, losses), the last a dict."""

    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 3)

    def forward(self, state, x):
        state = self.cell(x, state)
        return state, self.out(state), {"activity": state.abs().mean(), "norm": state.norm()}


class StateOutAuxOld(nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, 3)

    def forward(self, state, x):
        new_state = self.cell(x, state)
        return state, self.out(new_state), {"activity": new_state.abs().mean()}  # expect: returned-old-state error 0


class StateOutAuxForgets(nn.Module):
    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.w = nn.Linear(input_size, hidden_size)
        self.r = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, 3)

    def forward(self, state, x):
        a = self.w(x)  # expect: ignored-recurrence error 0
        state = torch.sigmoid(a) * a
        return state, self.out(state), a.abs().mean()


class DynamicsModel(nn.Module):
    """Observation and action, the latter of another width."""

    def __init__(self, obs_dim, hidden_dim, action_dim=3):
        super().__init__()
        self.action_dim = action_dim
        self.gru = nn.GRUCell(obs_dim + action_dim, hidden_dim)
        self.next_obs = nn.Linear(hidden_dim, obs_dim)

    def forward(self, obs, action, hidden):
        hidden = self.gru(torch.cat([obs, action], -1), hidden)
        return obs + self.next_obs(hidden), hidden


class OneHotActionCore(nn.Module):
    """The last action as an index."""

    def __init__(self, obs_dim, hidden_dim, num_actions=4):
        super().__init__()
        self.embed = nn.Embedding(num_actions, hidden_dim)
        self.rnn = nn.LSTMCell(obs_dim + hidden_dim, hidden_dim)

    def forward(self, obs, last_action, state):
        h, c = self.rnn(torch.cat([obs, self.embed(last_action.long())], -1), state)
        return h, (h, c)


class DynamicsOld(nn.Module):
    def __init__(self, obs_dim, hidden_dim, action_dim=3):
        super().__init__()
        self.action_dim = action_dim
        self.gru = nn.GRUCell(obs_dim + action_dim, hidden_dim)
        self.next_obs = nn.Linear(hidden_dim, obs_dim)

    def forward(self, obs, action, hidden):
        h_t = self.gru(torch.cat([obs, action], -1), hidden)
        return obs + self.next_obs(h_t), hidden  # expect: returned-old-state error 0


class DynamicsMarkov(nn.Module):
    """Observation and action only."""

    def __init__(self, obs_dim, hidden_dim, action_dim=3):
        super().__init__()
        self.action_dim = action_dim
        self.obs = nn.Linear(obs_dim, hidden_dim)
        self.act = nn.Linear(action_dim, hidden_dim)
        self.rec = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, obs, hidden, action):
        o = self.obs(obs)  # expect: ignored-recurrence error 0
        hidden = torch.tanh(o + self.act(action))
        return hidden


class ClockworkStep(nn.Module):
    """t: which step this is; each group of units has a period."""

    def __init__(self, input_size, hidden_size, groups=4):
        super().__init__()
        self.rnn = nn.Linear(input_size + hidden_size, hidden_size)
        periods = 2 ** torch.arange(groups).repeat_interleave(hidden_size // groups)
        self.register_buffer("periods", periods)

    def forward(self, x, h, t):
        update = torch.tanh(self.rnn(torch.cat([x, h], 1)))
        return torch.where(t % self.periods == 0, update, h)


class RecurrentBatchNormStep(nn.Module):
    """Statistics of its own for each of the first time steps (Cooijmans et al., 2017)."""

    def __init__(self, input_size, hidden_size, max_length=10):
        super().__init__()
        self.max_length = max_length
        self.x = nn.Linear(input_size, hidden_size)
        self.h = nn.Linear(hidden_size, hidden_size)
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden_size) for _ in range(max_length))

    def forward(self, x, h, time):
        norm = self.norms[min(int(time), self.max_length - 1)]
        return torch.tanh(norm(self.h(h)) + self.x(x))


class ClockworkStuck(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.Linear(input_size + hidden_size, hidden_size)
        self.register_buffer("periods", torch.arange(hidden_size) % 3 + 1)

    def forward(self, x, h, t):
        update = torch.tanh(self.rnn(torch.cat([x, h], 1)))
        h_new = torch.where(t % self.periods == 0, update, 0.5 * (h + update))
        return h_new, h  # expect: returned-old-state error 0


class PositionInsteadOfMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, t):
        e = self.inp(x)  # expect: ignored-recurrence error 0
        h = torch.tanh(e + torch.sin(torch.as_tensor(t) * 0.1))
        return h


class PackedEncoder(nn.Module):
    """lengths: of each sequence, longest first or not."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, batch_first=True)

    def forward(self, xs, lengths, hidden=None):
        packed = pack_padded_sequence(xs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed, hidden = self.rnn(packed, hidden)
        out, _ = pad_packed_sequence(packed, batch_first=True, total_length=xs.size(1))
        return out, hidden


class MaskedByLength(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, xs, h, lengths):
        outs = []
        for t in range(xs.size(1)):
            alive = (t < lengths).to(xs.dtype).unsqueeze(1)
            h = alive * self.cell(xs[:, t], h) + (1 - alive) * h
            outs.append(h * alive)
        return torch.stack(outs, 1), h


class PackedOldState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, batch_first=True)

    def forward(self, xs, hidden, lengths):
        packed = pack_padded_sequence(xs, lengths.cpu(), batch_first=True, enforce_sorted=False)
        packed, new_hidden = self.rnn(packed, hidden)
        out, _ = pad_packed_sequence(packed, batch_first=True, total_length=xs.size(1))
        return out, hidden  # expect: returned-old-state error 0


class LengthsWithoutState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, xs, state, lengths):
        out, state = self.rnn(xs)  # expect: ignored-recurrence error
        alive = torch.arange(xs.size(1)) < lengths.unsqueeze(1)
        return out * alive.unsqueeze(-1), state


class MinGRUWithFlag(nn.Module):
    """The state comes back only when it is asked for."""

    def __init__(self, dim):
        super().__init__()
        self.to_hidden_and_gate = nn.Linear(dim, dim * 2, bias=False)

    def forward(self, x, prev_hidden=None, return_next_prev_hidden=False):
        hidden, gate = self.to_hidden_and_gate(x).chunk(2, dim=-1)
        hidden, gate = torch.where(hidden >= 0, hidden + 0.5, hidden.sigmoid()), gate.sigmoid()
        out = gate * hidden if prev_hidden is None else torch.lerp(prev_hidden, hidden, gate)
        if not return_next_prev_hidden:
            return out
        return out, out


class SequenceWithReturnState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 4)

    def forward(self, inputs, initial_state=None, return_state: bool = False):
        out, state = self.rnn(inputs, initial_state)
        out = self.head(out)
        return (out, state) if return_state else out


class FlagReturnsOld(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.cell = nn.GRUCell(dim, dim)
        self.out = nn.Linear(dim, 3)

    def forward(self, x, prev_hidden=None, return_next_prev_hidden=False):
        if prev_hidden is None:
            prev_hidden = x.new_zeros(x.size(0), self.dim)
        next_hidden = self.cell(x, prev_hidden)
        if not return_next_prev_hidden:
            return self.out(next_hidden)
        return self.out(next_hidden), prev_hidden  # expect: returned-old-state error 0


class FlagWithoutMemory(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 4)

    def forward(self, inputs, initial_state=None, return_state=False):
        out, state = self.rnn(inputs)  # expect: ignored-recurrence error 0
        return (self.head(out), state) if return_state else self.head(out)


# Pairs that could be (h, c) or (output, h)


class IntersectionRNNCell(nn.Module):
    """(x, h) -> (out, h), both as wide as the input (Collins et al., 2017)."""

    def __init__(self, dim):
        super().__init__()
        self.lin = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(4))

    def forward(self, inp, state):
        both = torch.cat([inp, state], -1)
        yin, hin = torch.relu(self.lin[0](both)), torch.tanh(self.lin[1](both))
        gy, gh = torch.sigmoid(self.lin[2](both)), torch.sigmoid(self.lin[3](both))
        h = gh * state + (1 - gh) * hin
        out = gy * inp + (1 - gy) * yin
        return out, h


class IntersectionSwappedOld(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(4))

    def forward(self, inp, state):
        both = torch.cat([inp, state], -1)
        yin, hin = torch.relu(self.lin[0](both)), torch.tanh(self.lin[1](both))
        gy, gh = torch.sigmoid(self.lin[2](both)), torch.sigmoid(self.lin[3](both))
        h = gh * state + (1 - gh) * hin
        out = gy * inp + (1 - gy) * yin
        return out, state  # expect: returned-old-state error 0


class JANETCell(nn.Module):
    """(x, (h, c)) -> (h, c), and h is c (van der Westhuizen and Lasenby, 2018)."""

    def __init__(self, input_size, hidden_size, beta=1.0):
        super().__init__()
        self.ih = nn.Linear(input_size, 2 * hidden_size)
        self.hh = nn.Linear(hidden_size, 2 * hidden_size)
        self.beta = beta

    def forward(self, inp, state=None):
        if state is None:
            zeros = inp.new_zeros(inp.size(0), self.hh.in_features)
            state = (zeros, zeros)
        h, c = state
        s, g = (self.ih(inp) + self.hh(h)).chunk(2, -1)
        c = torch.sigmoid(s) * c + (1 - torch.sigmoid(s - self.beta)) * torch.tanh(g)
        return c, c


class JANETOldCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ih = nn.Linear(input_size, 2 * hidden_size)
        self.hh = nn.Linear(hidden_size, 2 * hidden_size)

    def forward(self, inp, state):
        h, c = state
        s, g = (self.ih(inp) + self.hh(h)).chunk(2, -1)
        new_c = torch.sigmoid(s) * c + (1 - torch.sigmoid(s)) * torch.tanh(g)
        return new_c, c  # expect: returned-old-state warning 1


class ClosedFormContinuous(nn.Module):
    """CfC: (x, h, ts) -> (h, h), the same tensor twice."""

    def __init__(self, input_size, hidden_size, backbone=12):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(input_size + hidden_size, backbone), nn.SiLU())
        self.ff1, self.ff2, self.time_a, self.time_b = (nn.Linear(backbone, hidden_size) for _ in range(4))

    def forward(self, input, hx, ts):
        x = self.backbone(torch.cat([input, hx], 1))
        t_interp = torch.sigmoid(self.time_a(x) * ts + self.time_b(x))
        new_hidden = torch.tanh(self.ff1(x)) * (1.0 - t_interp) + t_interp * torch.tanh(self.ff2(x))
        return new_hidden, new_hidden


class ClosedFormForgets(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ff1, self.ff2, self.time_a, self.time_b = (nn.Linear(input_size, hidden_size) for _ in range(4))
        self.rec = nn.Linear(hidden_size, hidden_size)

    def forward(self, input, hx, ts):
        t_interp = torch.sigmoid(self.time_a(input) * ts + self.time_b(input))  # expect: ignored-recurrence error 0
        hx = torch.tanh(self.ff1(input)) * (1.0 - t_interp) + t_interp * torch.tanh(self.ff2(input))
        return hx, hx


class OutputAsWideAsTheState(nn.Module):
    """(x, h) -> (out, h), where out would be accepted as a state, too."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        h = self.gru(x, h)
        return torch.tanh(self.out(h)), h


class StateAsWideAsTheOutputFirst(nn.Module):
    """(carry, x) -> (carry, out), equal in shape."""

    def __init__(self, hidden_size, input_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def forward(self, carry, x):
        carry = self.gru(x, carry)
        return carry, torch.tanh(self.out(carry))


class OutputAsWideOldState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(input_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        new = self.gru(x, h)
        out = torch.tanh(self.out(new))
        return out, h  # expect: returned-old-state error 0


class PairThatIsTheState(nn.Module):
    """(x, (v, w)) -> (v, w): a spring, not an output and a state."""

    def __init__(self, input_size, hidden_size, dt=0.1):
        super().__init__()
        self.w = nn.Linear(input_size + 2 * hidden_size, hidden_size)
        self.dt = dt

    def forward(self, x, states):
        y, z = states
        z = z + self.dt * (torch.tanh(self.w(torch.cat([x, y, z], 1))) - y - z)
        y = y + self.dt * z
        return y, z


# Images and graphs


class ConvLSTMCell(nn.Module):
    def __init__(self, input_dim, hidden_dim, kernel_size, bias):
        super().__init__()
        self.hidden_dim = hidden_dim
        kernel_size = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        padding = kernel_size[0] // 2, kernel_size[1] // 2
        self.conv = nn.Conv2d(input_dim + hidden_dim, 4 * hidden_dim, kernel_size, padding=padding, bias=bias)

    def forward(self, input_tensor, cur_state):
        h_cur, c_cur = cur_state
        combined = torch.cat([input_tensor, h_cur], dim=1)  # concatenate along channel axis
        cc_i, cc_f, cc_o, cc_g = torch.split(self.conv(combined), self.hidden_dim, dim=1)
        i, f, o, g = torch.sigmoid(cc_i), torch.sigmoid(cc_f), torch.sigmoid(cc_o), torch.tanh(cc_g)
        c_next = f * c_cur + i * g
        h_next = o * torch.tanh(c_next)
        return h_next, c_next

    def init_hidden(self, batch_size, image_size):
        height, width = image_size
        zeros = torch.zeros(batch_size, self.hidden_dim, height, width, device=self.conv.weight.device)
        return zeros, zeros


class ConvGRUCell(nn.Module):
    """No init_hidden; the state is left out at the first step."""

    def __init__(self, in_channels, hidden_channels, kernel_size=3):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.gates = nn.Conv2d(in_channels + hidden_channels, 2 * hidden_channels, kernel_size, padding="same")
        self.can = nn.Conv2d(in_channels + hidden_channels, hidden_channels, kernel_size, padding="same")

    def forward(self, x, h=None):
        if h is None:
            b, _, height, width = x.shape
            h = x.new_zeros(b, self.hidden_channels, height, width)
        r, z = torch.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(2, 1)
        return (1 - z) * h + z * torch.tanh(self.can(torch.cat([x, r * h], 1)))


class ConvRNNCellRequired(nn.Module):
    """Neither a default nor a provider."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.wx = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.wh = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x, hidden):
        hidden = torch.tanh(self.wx(x) + self.wh(hidden))
        return hidden, hidden


class ConvLSTMOldCell(nn.Module):
    def __init__(self, input_channels, hidden_channels, kernel_size=3):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(
            input_channels + hidden_channels, 4 * hidden_channels, kernel_size, padding=kernel_size // 2
        )

    def init_hidden(self, batch, hw):
        shape = (batch, self.hidden_channels, *hw)
        return torch.zeros(shape), torch.zeros(shape)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = self.conv(torch.cat((x, h), 1)).chunk(4, 1)
        c_t = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h_t = torch.sigmoid(o) * torch.tanh(c_t)
        return h_t, (h_t, c)  # expect: returned-old-state error 1


class ConvGRUForgets(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.wx = nn.Conv2d(in_channels, 2 * hidden_channels, 3, padding=1)
        self.wh = nn.Conv2d(hidden_channels, 2 * hidden_channels, 3, padding=1)

    def forward(self, x, h):
        z, n = self.wx(x).chunk(2, dim=1)  # expect: ignored-recurrence error 0
        h = torch.sigmoid(z) * torch.tanh(n)
        return h


class ConvGRU1d(nn.Module):
    """Signals: (B, C, L)."""

    def __init__(self, in_channels, hidden_channels, kernel_size=5):
        super().__init__()
        self.x = nn.Conv1d(in_channels, 3 * hidden_channels, kernel_size, padding=kernel_size // 2)
        self.h = nn.Conv1d(hidden_channels, 3 * hidden_channels, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x, h):
        xr, xz, xn = self.x(x).chunk(3, 1)
        hr, hz, hn = self.h(h).chunk(3, 1)
        z = torch.sigmoid(xz + hz)
        h = z * h + (1 - z) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
        return h, h


class ConvLSTM3dCell(nn.Module):
    """Volumes: (B, C, D, H, W)."""

    def __init__(self, in_channels, hidden_channels, kernel_size=3):
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv3d(in_channels + hidden_channels, 4 * hidden_channels, kernel_size, padding=1)

    def forward(self, x, state=None):
        if state is None:
            h = c = x.new_zeros(x.shape[0], self.hidden_channels, *x.shape[2:])
        else:
            h, c = state
        i, f, o, g = self.conv(torch.cat([x, h], dim=1)).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


class Conv1dHandsBack(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv = nn.Conv1d(in_channels + hidden_channels, hidden_channels, 3, padding=1)

    def forward(self, x, h):
        new_h = torch.tanh(self.conv(torch.cat([x, h], 1)))
        return new_h, h  # expect: returned-old-state error 0


class Conv3dForgets(nn.Module):
    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.x = nn.Conv3d(in_channels, hidden_channels, 3, padding=1)
        self.h = nn.Conv3d(hidden_channels, hidden_channels, 1)

    def forward(self, x, h):
        a = self.x(x)  # expect: ignored-recurrence error 0
        h = F.leaky_relu(a)
        return h


class SpatioTemporalLSTM(nn.Module):
    """PredRNN: a memory beside h and c, spread."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.conv_x = nn.Conv2d(in_channels, 6 * hidden_channels, 3, padding=1)
        self.conv_h = nn.Conv2d(hidden_channels, 3 * hidden_channels, 3, padding=1)
        self.conv_m = nn.Conv2d(hidden_channels, 3 * hidden_channels, 3, padding=1)
        self.out = nn.Conv2d(2 * hidden_channels, hidden_channels, 1)

    def forward(self, x_t, h_t, c_t, m_t):
        i, f, g, i_m, f_m, g_m = self.conv_x(x_t).chunk(6, 1)
        i_h, f_h, g_h = self.conv_h(h_t).chunk(3, 1)
        i_p, f_p, g_p = self.conv_m(m_t).chunk(3, 1)
        c_new = torch.sigmoid(f + f_h + 1) * c_t + torch.sigmoid(i + i_h) * torch.tanh(g + g_h)
        m_new = torch.sigmoid(f_m + f_p + 1) * m_t + torch.sigmoid(i_m + i_p) * torch.tanh(g_m + g_p)
        h_new = torch.tanh(self.out(torch.cat([c_new, m_new], 1)))
        return h_new, c_new, m_new


class GraphGRUCell(nn.Module):
    """Nodes first: x is (N, F), edge_index (2, E)."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.msg = nn.Linear(in_channels + out_channels, out_channels)
        self.gru = nn.GRUCell(in_channels + out_channels, out_channels)

    def propagate(self, nodes, edge_index):
        source, target = edge_index
        messages = self.msg(nodes)
        return torch.zeros_like(messages).index_add(0, target, messages[source])

    def forward(self, x, edge_index, H=None):
        if H is None:
            H = torch.zeros(x.shape[0], self.msg.out_features, device=x.device)
        incoming = self.propagate(torch.cat([x, H], dim=1), edge_index)
        return self.gru(torch.cat([x, incoming], dim=1), H)


class DiffusionConvGRU(nn.Module):
    """Batch x nodes x features, with a dense adjacency matrix."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.gate = nn.Linear(2 * (input_dim + hidden_dim), 2 * hidden_dim)
        self.update = nn.Linear(2 * (input_dim + hidden_dim), hidden_dim)

    def conv(self, layer, x, adj):
        return layer(torch.cat([x, torch.einsum("mn,bnf->bmf", adj, x)], dim=-1))

    def init_hidden(self, batch_size, num_nodes):
        return torch.zeros(batch_size, num_nodes, self.hidden_dim)

    def forward(self, x, state, adj):
        z, r = torch.sigmoid(self.conv(self.gate, torch.cat([x, state], -1), adj)).chunk(2, -1)
        hc = torch.tanh(self.conv(self.update, torch.cat([x, z * state], -1), adj))
        return r * state + (1 - r) * hc


class GConvLSTM(nn.Module):
    """X, edge_index, edge_weight, H, C -> H, C."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.x = nn.Linear(in_channels, 4 * out_channels)
        self.h = nn.Linear(out_channels, 4 * out_channels)

    def forward(self, X, edge_index, edge_weight=None, H=None, C=None):
        if H is None:
            H = X.new_zeros(X.shape[0], self.h.in_features)
        if C is None:
            C = torch.zeros_like(H)
        row, col = edge_index
        weight = X.new_ones(row.numel()) if edge_weight is None else edge_weight
        pooled = H + torch.zeros_like(H).index_add(0, col, weight.unsqueeze(-1) * H[row])
        i, f, o, t = (self.x(X) + self.h(pooled)).chunk(4, dim=-1)
        C = torch.sigmoid(f) * C + torch.sigmoid(i) * torch.tanh(t)
        H = torch.sigmoid(o) * torch.tanh(C)
        return H, C


class GraphOldState(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = nn.Linear(in_channels + out_channels, out_channels)
        self.gru = nn.GRUCell(out_channels, out_channels)

    def forward(self, x, edge_index, h):
        src, dst = edge_index
        m = self.lin(torch.cat([x, h], 1))
        h_next = self.gru(m + torch.zeros_like(m).index_add(0, dst, m[src]), h)
        return h_next, h  # expect: returned-old-state error 0


class GraphWithoutMemory(nn.Module):
    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.x = nn.Linear(in_features, hidden_features)
        self.h = nn.Linear(hidden_features, hidden_features)

    def forward(self, x, h, adjacency):
        nodes = self.x(x)  # expect: ignored-recurrence error 0
        h = torch.tanh(nodes + adjacency @ nodes)
        return h


class LayersFirstStep(nn.Module):
    """One step at a time, yet the state is (layers, batch, hidden)."""

    def __init__(self, input_size, hidden_size, num_layers=2):
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.cells = nn.ModuleList(nn.GRUCell(hidden_size if i else input_size, hidden_size) for i in range(num_layers))

    def init_hidden(self, batch_size):
        return torch.zeros(self.num_layers, batch_size, self.hidden_size)

    def forward(self, x, hidden):
        new = []
        for layer, cell in enumerate(self.cells):
            x = cell(x, hidden[layer])
            new.append(x)
        return x, torch.stack(new)


class HiddenByBatch(nn.Module):
    """Columns are rows: the state is (H, B), as in textbooks."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(0.3 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))
        self.b = nn.Parameter(torch.zeros(hidden_size, 1))

    def init_state(self, batch_size):
        return torch.zeros(self.hidden_size, batch_size)

    def forward(self, x, h):
        h = torch.tanh(self.W @ x.T + self.U @ h + self.b)
        return h.T, h


class LayersFirstStuck(nn.Module):
    def __init__(self, input_size, hidden_size, num_layers=2):
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.cells = nn.ModuleList(nn.GRUCell(hidden_size if i else input_size, hidden_size) for i in range(num_layers))

    def init_hidden(self, batch_size):
        return torch.zeros(self.num_layers, batch_size, self.hidden_size)

    def forward(self, x, hidden):
        new = []
        for layer, cell in enumerate(self.cells):
            x = cell(x, hidden[layer])
            new.append(x)
        new_hidden = torch.stack(new)
        return x, hidden  # expect: returned-old-state error 0


class HiddenByBatchForgets(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.W = nn.Parameter(0.3 * torch.randn(hidden_size, input_size))
        self.U = nn.Parameter(0.3 * torch.randn(hidden_size, hidden_size))

    def init_state(self, batch_size):
        return torch.zeros(self.hidden_size, batch_size)

    def forward(self, x, h):
        z = self.W @ x.T  # expect: ignored-recurrence error 0
        h = torch.sigmoid(z)
        return h.T, h


class TakesTimesWithItsInput(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, inputs, h):
        dt, x = inputs
        new = self.cell(x, h)
        return h + torch.sigmoid(dt) * (new - h)


class TakesTimesWithItsInputAndForgets(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, inputs, h):
        dt, x = inputs
        new = h + torch.sigmoid(dt) * (self.cell(x, h) - h)
        return new, h  # expect: returned-old-state error 0


class ReturnsTheStateBeforeWhatItReads(nn.Module):
    """h and then a function of it: the state is what is called as the argument."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        h = 0.95 * h + self.i(x)
        return h, torch.exp(3 * h)


class ReturnsTheOldStateBeforeWhatItReads(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i, self.h = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        new_h = torch.tanh(self.i(x) + self.h(h))
        return h, torch.sigmoid(new_h)  # expect: returned-old-state error 0


class IntegratesAVoltage(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i = nn.Linear(input_size, hidden_size)

    def forward(self, x, v):
        v = 0.9 * v + self.i(x)
        s = torch.sigmoid(4 * (v - 1))
        v = v - s.detach()
        return v, s


class MixesRowsOfEqualSizes(nn.Module):
    """Input and state are of one size, which is none that is tried first."""

    def __init__(self, input_size=16, hidden_size=16):
        super().__init__()
        self.i, self.h = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.i(x) + self.h(h) + h.mean(0))  # expect: batch-leak


class RetainsOuterProducts(nn.Module):
    """One step of a sequence ``(batch, 1, width)``, of which the code does not tell."""

    def __init__(self, hidden_size, gamma=0.9):
        super().__init__()
        self.gamma = gamma
        size = hidden_size, hidden_size
        self.q, self.k, self.v = (nn.Parameter(torch.randn(size) / hidden_size) for _ in range(3))

    def forward(self, x_n, s_n_1):
        s_n = self.gamma * s_n_1 + (x_n @ self.k).transpose(-1, -2) @ (x_n @ self.v)
        return (x_n @ self.q) @ s_n, s_n


class StartsFromItsInput(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def init_hidden(self, x, batch_size):
        return x.new_zeros(batch_size, self.cell.hidden_size)

    def forward(self, x, h):
        return self.cell(x, h)


class TakesItsLastAction(nn.Module):
    def __init__(self, obs_dim, action_dim, hidden_size):
        super().__init__()
        self.g = nn.Linear(obs_dim + action_dim + hidden_size, hidden_size)

    def forward(self, obs, prev_action, hidden):
        return torch.tanh(self.g(torch.cat([obs, prev_action, hidden], -1)))


class TakesItsLastActionAndForgets(nn.Module):
    def __init__(self, obs_dim, action_dim, hidden_size):
        super().__init__()
        self.g = nn.Linear(obs_dim + action_dim, hidden_size)

    def forward(self, obs, prev_action, hidden):
        return torch.tanh(self.g(torch.cat([obs, prev_action], -1)))  # expect: ignored-recurrence error 0


class TakesWhatIsBelow(nn.Module):
    """All but the first come back, in their order."""

    def __init__(self, bottom_size, hidden_size):
        super().__init__()
        self.i, self.h = nn.Linear(bottom_size, 4 * hidden_size + 1), nn.Linear(hidden_size, 4 * hidden_size + 1)

    def forward(self, h_bottom, h, c, z):
        s = self.i(h_bottom) + self.h(h)
        f, i, o, g = s[:, :-1].chunk(4, 1)
        kept = f.sigmoid() * c + i.sigmoid() * g.tanh()
        c_new = z * (i.sigmoid() * g.tanh()) + (1 - z) * kept
        return o.sigmoid() * c_new.tanh(), c_new, s[:, -1:].sigmoid()


class StepsWithoutForward(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.a, self.b = nn.Linear(input_size, hidden_size), nn.Parameter(torch.full((hidden_size,), 0.9))

    def step(self, x_t, S):
        S = self.b * S + self.a(x_t)
        return S.tanh(), S


class RestsAfterASpike(nn.Module):
    """The steps that it still rests are read by a comparison alone: detached, they lose nothing."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.i = nn.Linear(input_size, hidden_size)

    def forward(self, x, state):
        v, r = state
        v = 0.9 * v + self.i(x)
        z = torch.where(r > 0, torch.zeros_like(v), torch.sigmoid(4 * (v - 1)))
        r = torch.clamp(r + 2 * z - 1, 0.0, 2.0).detach()
        return z, (v - z, r)


class TakesAStateThatIsNamedAsAnInput(nn.Module):
    def __init__(self, embed_dim, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(embed_dim, hidden_size)

    def forward(self, embed, reset_mask, in_state):
        return self.cell(embed, in_state * reset_mask)


class ImaginesFromItsLastAction(nn.Module):
    """Two arguments of what was before: the one that comes back is the state."""

    def __init__(self, action_dim, deter=12, stoch=6):
        super().__init__()
        self.deter, self.stoch = deter, stoch
        self.cell, self.prior = nn.GRUCell(stoch + action_dim, deter), nn.Linear(deter, stoch)

    def initial(self, batch_size):
        return {"deter": torch.zeros(batch_size, self.deter), "stoch": torch.zeros(batch_size, self.stoch)}

    def img_step(self, prev_state, prev_action):
        deter = self.cell(torch.cat([prev_state["stoch"], prev_action], -1), prev_state["deter"])
        return {"deter": deter, "stoch": self.prior(deter)}


class _Unrolls(nn.Module):
    """Time is the first axis; a loop over the other would run over the rows of the batch."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, data, start=None):
        h = data.new_zeros(1, data.shape[1], self.cell.hidden_size) if start is None else start.clone()
        seen = []
        for t in range(data.shape[0]):
            h = self.cell(data[t, :, :], h[0])[None]
            seen.append(h[0])
        return torch.stack(seen)


class LeavesItsLoopToAPart(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.unroll = _Unrolls(nn.GRUCell(input_size, hidden_size))

    def forward(self, input, hidden=None):
        return self.unroll(input, hidden)


class SaysWhichAxisIsTimeByADefault(nn.Module):
    def __init__(self, input_size, hidden_size, batch_first=False):
        super().__init__()
        self.unroll = _Unrolls(nn.GRUCell(input_size, hidden_size))
        self.swaps = batch_first

    def forward(self, input, hidden=None):
        if self.swaps:
            return self.unroll(input.transpose(0, 1), hidden).transpose(0, 1)
        return self.unroll(input, hidden)


class TakesTheStateOfALayerByItsNumber(nn.Module):
    """Of a state (batch, width) its one layer would be given the first row, for all rows."""

    def __init__(self, input_size, hidden_size, n_layer=1):
        super().__init__()
        sizes = [input_size, *[hidden_size] * n_layer]
        self.into = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.again = nn.ParameterList(torch.rand(hidden_size) for _ in range(n_layer))

    def forward(self, x, hidden):
        layers = []
        for i, into in enumerate(self.into):
            x = torch.tanh(into(x) + self.again[i] * hidden[i])
            layers.append(x)
        return x, torch.cat(layers, -1)


class TakesTheStateOfALayerOfASequence(nn.Module):
    def __init__(self, input_size, hidden_size, n_layer=1, batch_first=False):
        super().__init__()
        self.hidden_size, self.batch_first = hidden_size, batch_first
        self.steps = TakesTheStateOfALayerByItsNumber(input_size, hidden_size, n_layer)

    def forward(self, seq, hidden=None):
        seq = seq.transpose(0, 1) if self.batch_first else seq
        states = [seq.new_zeros((*seq.shape[1:2], self.hidden_size)) for _ in self.steps.into]
        if hidden is not None:
            states = [hidden[layer] for layer in range(len(states))]
        outputs = []
        for x in seq.unbind(0):
            out, last = self.steps(x, states)
            states = list(last.chunk(len(states), -1))
            outputs.append(out)
        return torch.stack(outputs, 1 if self.batch_first else 0), last


class _HandsOutWhatItRemembered(nn.Module):
    """Each step of both its states, in another order and with more beside them: no state, and no defect."""

    def __init__(self, action_size, belief_size):
        super().__init__()
        self.belief = nn.GRUCell(belief_size + action_size, belief_size)
        self.mean = nn.Linear(belief_size, belief_size)

    def forward(self, prev_latent, actions, prev_belief, observations=None):
        latent, belief, means, latents, beliefs = prev_latent, prev_belief, [], [], []
        for t in range(actions.size(0)):
            belief = self.belief(torch.cat([latent, actions[t]], 1), belief)
            mean = self.mean(belief if observations is None else belief + observations[t].mean())
            latent = mean.tanh()
            means.append(mean)
            latents.append(latent)
            beliefs.append(belief)
        return [torch.stack(means), torch.stack(beliefs), torch.stack(latents)]


class FillsWhatItDidNotSee(nn.Module):
    """One state, and four arguments of the input's shape."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell, self.fade = nn.GRUCell(2 * input_size, hidden_size), nn.Linear(input_size, hidden_size)

    def initHidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def step(self, x, x_seen, x_usual, h, mask, delta):
        gone = self.fade(delta).relu().neg().exp()
        known = mask * x + (1 - mask) * (0.5 * x_seen + 0.5 * x_usual)
        return self.cell(torch.cat([known, mask], 1), gone * h)


class _FillsByTheTimeOfARow(nn.Module):
    """Called as if what it saw were a state, it returns one: no proof that the others should come back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell, self.fade = nn.GRUCell(input_size, hidden_size), nn.Linear(1, hidden_size)

    def step(self, x, x_seen, x_usual, h, mask, delta):
        known = mask * x + (1 - mask) * (0.5 * x_seen + 0.5 * x_usual)
        return self.cell(known, self.fade(delta).sigmoid() * h)


class _Inner(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gates = nn.Linear(2 * width, 3 * width)

    def forward(self, x, pair):
        m, n = pair
        i, f, o = self.gates(torch.cat([x, m], 1)).sigmoid().chunk(3, 1)
        n = f * n + i * x
        return o * n.tanh(), n


class TakesAPairWhoseSecondPartIsOne(nn.Module):
    """That the memory is a pair is said in a part to which it is handed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates, self.inner = nn.Linear(input_size + hidden_size, 4 * hidden_size), _Inner(hidden_size)

    def forward(self, x, state):
        shown, memory = state
        h, c = shown
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        memory = self.inner(f.sigmoid() * c + i.sigmoid() * g.tanh(), memory)
        return (o.sigmoid() * memory[0].tanh(), memory[0]), memory


class TakesAPairAndForgetsItsSecondPart(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates, self.inner = nn.Linear(input_size + hidden_size, 4 * hidden_size), _Inner(hidden_size)

    def forward(self, x, state):
        shown, memory = state
        h, c = shown
        i, f, g, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        m, _ = self.inner(f.sigmoid() * c + i.sigmoid() * g.tanh(), memory)
        return (o.sigmoid() * m.tanh(), m), (m, memory[1])  # expect: returned-old-state error 3


class ReadsOneLetterAtATime(nn.Module):
    """Of so few letters the next may be the same, and tells nothing of what the cell reads."""

    def __init__(self, letters, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.look, self.gru = nn.Embedding(letters, hidden_size), nn.GRU(hidden_size, hidden_size)
        self.tell = nn.Linear(hidden_size, letters)

    def init_hidden(self):
        return torch.zeros(1, 1, self.hidden_size)

    def forward(self, letter, hidden):
        seen, hidden = self.gru(self.look(letter.view(1, -1)).view(1, 1, -1), hidden)
        return self.tell(seen.view(1, -1)), hidden


class ReadsALetterAndForgets(nn.Module):
    def __init__(self, letters, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.look, self.gru = nn.Embedding(letters, hidden_size), nn.GRU(hidden_size, hidden_size)

    def init_hidden(self):
        return torch.zeros(1, 1, self.hidden_size)

    def forward(self, letter, hidden):
        seen, _ = self.gru(self.look(letter.view(1, -1)).view(1, 1, -1), hidden)
        return seen.view(1, -1), hidden  # expect: returned-old-state error 0


class StacksItsLayersAndShowsTheLast(nn.Module):
    """h is (layers, batch, width); a pair would be taken too, but for its second part."""

    def __init__(self, num_layers, input_size, rnn_size):
        super().__init__()
        sizes = [input_size, *[rnn_size] * num_layers]
        self.layers = nn.ModuleList(nn.GRUCell(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x, h):
        new = []
        for i, layer in enumerate(self.layers):
            x = layer(x, h[i])
            new.append(x)
        return x, torch.stack(new)


class StacksItsLayersAndReturnsTheOld(nn.Module):
    def __init__(self, num_layers, input_size, rnn_size):
        super().__init__()
        sizes = [input_size, *[rnn_size] * num_layers]
        self.layers = nn.ModuleList(nn.GRUCell(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, x, h):
        new = []
        for i, layer in enumerate(self.layers):
            x = layer(x, h[i])
            new.append(x)
        return x, h  # expect: returned-old-state


class WorksOnAGPUByDefault(nn.Module):
    """It is built without one, and fails at its first step."""

    def __init__(self, input_size, hidden_size, device="cuda"):
        super().__init__()
        self.device, self.hidden_size = device, hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        return self.cell(x, h) + torch.zeros(self.hidden_size, device=self.device).to(x)


class TellsADifferenceBeside(nn.Module):
    """What changed in the layer below goes in, called like a state, and is none: it does not come back."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + 4 * hidden_size, 3 * hidden_size)

    def forward(self, x, diff_h, h, c, m):
        read, change, note = self.gates(torch.cat([x, diff_h, h, c, m], dim=-1)).chunk(3, dim=-1)
        c_new = 0.9 * c + change.tanh()
        m_new = 0.8 * m + note.tanh()
        return read.sigmoid() * (c_new + m_new).tanh(), c_new, m_new


class TellsItsParts(TellsADifferenceBeside):
    def forward(self, x, diff_h, h, c, m):
        read, change, note = self.gates(torch.cat([x, diff_h, h, c, m], dim=-1)).chunk(3, dim=-1)
        c_new = 0.9 * c + change.tanh()
        m_new = 0.8 * m + note.tanh()
        h_new = read.sigmoid() * (c_new + m_new).tanh()
        return h_new, c_new, m_new


class TellsAnOldPart(TellsADifferenceBeside):
    def forward(self, x, diff_h, h, c, m):
        read, change, note = self.gates(torch.cat([x, diff_h, h, c, m], dim=-1)).chunk(3, dim=-1)
        c_new = 0.9 * c + change.tanh()
        m_new = 0.8 * m + note.tanh()
        h_new = read.sigmoid() * (c_new + m_new).tanh()
        return h_new, c, m_new  # expect: returned-old-state error 1


class OneRetention(nn.Module):
    def __init__(self, width, decay):
        super().__init__()
        self.decay = decay
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))

    def step(self, x, memory):
        memory = self.decay * memory + self.key(x).transpose(-1, -2) @ self.value(x)
        return self.query(x) @ memory, memory


class RetainsInListsOfLists(nn.Module):
    """A list for each layer, and in it a matrix for each head: a tensor could be read by these numbers too."""

    def __init__(self, layers, hidden_dim, heads):
        super().__init__()
        decays = [1 - 2.0 ** -(3 + head) for head in range(heads)]
        self.layers = nn.ModuleList(
            nn.ModuleList(OneRetention(hidden_dim, decay) for decay in decays) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(hidden_dim)

    def step(self, x, memories):
        kept = []
        for number, layer in enumerate(self.layers):
            found = [head.step(self.norm(x), memories[number][index]) for index, head in enumerate(layer)]
            x = x + sum(read for read, _ in found)
            kept.append([memory for _, memory in found])
        return x, kept


class SpikesBeforeItsPotential(nn.Module):
    """The output comes back first, which goes in last."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin, self.rec = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, current, v, spike):
        v = 0.9 * v + self.lin(current) + self.rec(spike) - spike
        spike = torch.sigmoid(5 * (v - 1))
        return spike, v


class SpikesFromItsOldPotential(SpikesBeforeItsPotential):
    def forward(self, current, v, spike):
        v_new = 0.9 * v + self.lin(current) + self.rec(spike) - spike
        spike_new = torch.sigmoid(5 * (v_new - 1))
        return spike_new, v  # expect: returned-old-state error 0


class ReturnsItsMemoryFirst(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)

    def forward(self, x, h, c):
        i, f, g, o = self.gates(torch.cat([x, h], dim=-1)).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return c, h  # expect: swapped-states warning


class ReadsOutBetween(nn.Module):
    """The output before the states, and what it attends to after them."""

    def __init__(self, embed_dim, decoder_dim):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(embed_dim, decoder_dim), nn.Linear(decoder_dim, 7)
        self.att = nn.Linear(decoder_dim, 4)

    def forward(self, x, h, c):
        alpha = torch.softmax(self.att(h), dim=1)
        h, c = self.cell(x, (h, c))
        return self.out(h), h, c, alpha


class ReadsOutBetweenOld(ReadsOutBetween):
    def forward(self, x, h, c):
        alpha = torch.softmax(self.att(h), dim=1)
        h, c_new = self.cell(x, (h, c))
        return self.out(h), h, c, alpha  # expect: returned-old-state error 1


class TakesAPairGivesItFlat(ReadsOutBetween):
    """The caller puts it together again."""

    def forward(self, x, state):
        h, c = state
        alpha = torch.softmax(self.att(h), dim=1)
        h, c = self.cell(x, (h, c))
        return self.out(h), h, c, alpha


class GivesItsStateAsAnExpression(nn.Module):
    """Beside it a feature is called hidden."""

    def __init__(self, num_inputs, hidden_size):
        super().__init__()
        self.gru = nn.GRUCell(num_inputs, hidden_size)
        self.actor, self.critic = nn.Linear(hidden_size, hidden_size), nn.Linear(hidden_size, 1)

    def forward(self, inputs, rnn_hxs, masks):
        x = rnn_hxs = self.gru(inputs, rnn_hxs * masks)
        hidden_actor = self.actor(x).tanh()
        return self.critic(x), hidden_actor, rnn_hxs * masks * 0  # expect: unchanged-initial-state error


class BeginsEachSequenceByATemplate(nn.Module):
    """What stays on the layer is only moved to where the input is."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        self.h0 = torch.zeros(1, 1, hidden_size)

    def forward(self, x):
        self.h0 = self.h0.to(x.device)
        return self.gru(x, self.h0.expand(-1, x.shape[0], -1).contiguous())[0]


class EmptiesItselfAfterEachSequence(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp, self.rec = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.state = torch.zeros(hidden_size)

    def forward(self, x):
        outputs = []
        for t in range(x.shape[1]):
            self.state = torch.tanh(self.inp(x[:, t]) + self.rec(self.state))
            outputs.append(self.state)
        self.state = torch.zeros_like(outputs[0][0])
        return torch.stack(outputs, 1)


class TimesOfASequence(nn.Module):
    """A time for each step goes in beside it."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.inp, self.rec = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, inputs, timestamps):
        h, outputs = inputs.new_zeros(inputs.shape[0], self.hidden_size), []
        for t in range(inputs.shape[1]):
            h = torch.tanh(self.inp(inputs[:, t]) + self.rec(h) * timestamps[:, t : t + 1])
            outputs.append(h)
        return torch.stack(outputs, 1)


class TimesOfASequenceAfresh(TimesOfASequence):
    def forward(self, inputs, timestamps):  # expect: ignored-recurrence error
        outputs = []
        for t in range(inputs.shape[1]):
            h = inputs.new_zeros(inputs.shape[0], self.hidden_size)
            outputs.append(torch.tanh(self.inp(inputs[:, t]) + self.rec(h) * timestamps[:, t : t + 1]))
        return torch.stack(outputs, 1)


class SaysThatTimeIsFirst(nn.Module):
    """With the batch first broadcasting would let it through, and each row would hear the one before."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.linear = nn.Linear(2 * input_size, 2 * hidden_size)
        self.last = None

    def reset(self):
        self.last = None

    def forward(self, x, hidden=None):
        seq_len, batch_size, _ = x.size()
        before = torch.cat([x[:1] * 0 if self.last is None else self.last, x[:-1]], 0)
        z, f = self.linear(torch.cat([x, before], 2)).chunk(2, dim=2)
        h, found = hidden, []
        for t in range(seq_len):
            h = f[t].sigmoid() * z[t].tanh() + (0 if h is None else (1 - f[t].sigmoid()) * h)
            found.append(h)
        self.last = x[-1:].detach()
        return torch.stack(found), h


class SlotsAttendToTokens(nn.Module):
    """Of one token, or for one slot, attention is one, and its weights would seem idle."""

    def __init__(self, in_features, slot_size):
        super().__init__()
        self.query, self.key = nn.Linear(slot_size, slot_size), nn.Linear(in_features, slot_size)
        self.value, self.gru = nn.Linear(in_features, slot_size), nn.GRUCell(slot_size, slot_size)

    def forward(self, inputs, slots):
        attention = torch.softmax(self.query(slots) @ self.key(inputs).transpose(1, 2), dim=-1)
        updates = attention @ self.value(inputs)
        return self.gru(updates.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)


class ReservoirWithAReadout(nn.Module):
    """What is trained has no part in the state: the gradient that is cut would reach nothing."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.register_buffer("W", torch.randn(hidden_size, hidden_size) * 0.9 / hidden_size**0.5)
        self.register_buffer("W_in", torch.randn(hidden_size, input_size))
        self.readout = nn.Linear(hidden_size, input_size)

    def forward(self, u, x):
        with torch.no_grad():
            x = torch.tanh(u @ self.W_in.T + x @ self.W.T)
        return self.readout(x), x


class ReadsTheLastLayer(nn.Module):
    """One row of each layer's state: (layers, batch, width), which is read as a list of one would be."""

    def __init__(self, x_dim, h_dim, n_layers=1):
        super().__init__()
        self.enter, self.mix = nn.Linear(x_dim, h_dim), nn.Linear(2 * h_dim, h_dim)
        self.rnn = nn.GRU(h_dim, h_dim, n_layers)

    def forward(self, x, h):
        mixed = self.mix(torch.cat([self.enter(x), h[-1]], 1))
        _, h = self.rnn(mixed.unsqueeze(0), h)
        return mixed, h


class PastInACache(nn.Module):
    """A language model's layer: the state is the first of what it calls its past, and comes back last."""

    def __init__(self, hidden_size):
        super().__init__()
        self.inp, self.rec = nn.Linear(hidden_size, hidden_size), nn.Linear(hidden_size, hidden_size)

    def forward(self, hidden_states, past_key_values=None, use_cache=True):
        past = hidden_states.new_zeros(hidden_states.shape[0], hidden_states.shape[2])
        state = past if past_key_values is None else past_key_values[0]
        outputs = []
        for t in range(hidden_states.shape[1]):
            state = torch.tanh(self.inp(hidden_states[:, t]) + self.rec(state))
            outputs.append(state)
        return torch.stack(outputs, 1), None, (state,)


class PastInACacheOld(PastInACache):
    def forward(self, hidden_states, past_key_values=None, use_cache=True):
        past = hidden_states.new_zeros(hidden_states.shape[0], hidden_states.shape[2])
        state = past if past_key_values is None else past_key_values[0]
        outputs = []
        for t in range(hidden_states.shape[1]):
            outputs.append(torch.tanh(self.inp(hidden_states[:, t]) + self.rec(state)))
        return torch.stack(outputs, 1), None, (state,)  # expect: returned-old-state error


class MadeBeforeTheFirstStep(nn.Module):
    """A list that is empty until it is told that a sequence begins."""

    def __init__(self, input_size, n_layers=2):
        super().__init__()
        self.cells = nn.ModuleList(nn.GRUCell(input_size, input_size) for _ in range(n_layers))
        self.n_layers, self.input_size, self.H = n_layers, input_size, []

    def initHidden(self, batch_size):
        self.H = [torch.zeros(batch_size, self.input_size) for _ in range(self.n_layers)]

    def forward(self, input_, first_timestep=False):
        if first_timestep:
            self.initHidden(input_.shape[0])
        for j, cell in enumerate(self.cells):
            self.H[j] = cell(input_ if j == 0 else self.H[j - 1], self.H[j])
        return self.H[-1]


class CountsItsBatchAlongTheSecondAxis(nn.Module):
    """Time first, which only the first state that it makes itself tells; a single step would go through as well."""

    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.x2g = nn.Linear(input_dim, 4 * hidden_dim)
        self.p2g = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.hidden_dim = hidden_dim

    def forward(self, input, state):
        if state is None:
            B = input.size(1)
            h, c = input.new_zeros(B, self.hidden_dim), input.new_zeros(B, self.hidden_dim)
        else:
            h, c = state
        outputs = []
        for gates in self.x2g(input).unbind(0):
            i, f, g, o = (gates + self.p2g(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        return torch.stack(outputs), [h, c]


class BelongsToACategory(nn.Module):
    """The category goes in first, and is no state: one tensor is declared."""

    def __init__(self, input_size, hidden_size, output_size, n_categories=4):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(n_categories + input_size + hidden_size, hidden_size)
        self.i2o = nn.Linear(n_categories + input_size + hidden_size, output_size)

    def initHidden(self):
        return torch.zeros(1, self.hidden_size)

    def forward(self, category, input, hidden):
        combined = torch.cat((category, input, hidden), 1)
        return self.i2o(combined), self.i2h(combined)


class AttendsToWhereItLooked(nn.Module):
    """The state is what it looked at of a padded encoding."""

    def __init__(self, input_size, encoded=6, width=8):
        super().__init__()
        self.key, self.query, self.place = (nn.Linear(size, width) for size in (encoded, input_size, 1))
        self.score = nn.Linear(width, 1)

    def forward(self, dec_z, att_prev, enc_hs_pad):
        T = enc_hs_pad.size(1)
        places = self.place(att_prev.view(-1, T, 1))
        scores = self.score(torch.tanh(self.key(enc_hs_pad) + self.query(dec_z).unsqueeze(1) + places))
        w = torch.softmax(scores.squeeze(-1), dim=1)
        return (w.unsqueeze(-1) * enc_hs_pad).sum(1), w


class FiltersByConstants(nn.Module):
    """The matrices of its model are tensors of its own, called as states are, and stay what they are."""

    def __init__(self, hidden_size=8):
        super().__init__()
        self.A, self.H = torch.eye(2) * 0.9, torch.eye(2)
        self.gain = nn.GRUCell(2, hidden_size)
        self.out = nn.Linear(hidden_size, 4)
        self.hn, self.posterior = None, None

    def init_hidden(self, batch_size):
        self.hn = torch.zeros(batch_size, self.out.in_features)
        self.posterior = torch.zeros(batch_size, 2)

    def forward(self, y):
        prior = self.posterior @ self.A.T
        seen = y - prior @ self.H.T
        self.hn = self.gain(seen, self.hn)
        gain = torch.sigmoid(self.out(self.hn)).view(-1, 2, 2)
        self.posterior = 0.9 * prior + (gain @ seen.unsqueeze(2)).squeeze(2)
        return self.posterior


class GridOfTwoCells(nn.Module):
    """The output is another cell's, and comes first: what is numbered after a state is its new value."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.embed = nn.Linear(input_size, hidden_size)
        self.time, self.depth = nn.LSTMCell(2 * hidden_size, hidden_size), nn.LSTMCell(2 * hidden_size, hidden_size)

    def forward(self, x, h_t, m_t):
        h_d = self.embed(x)
        h_t2, m_t2 = self.time(torch.cat([h_t, h_d], 1), (h_t, m_t))
        h_d2, m_d2 = self.depth(torch.cat([h_t2, h_d], 1), (h_d, torch.zeros_like(h_d)))
        return h_d2, h_t2, m_t2


class GridOfTwoCellsOld(GridOfTwoCells):
    def forward(self, x, h_t, m_t):
        h_d = self.embed(x)
        h_t2, m_t2 = self.time(torch.cat([h_t, h_d], 1), (h_t, m_t))
        h_d2, m_d2 = self.depth(torch.cat([h_t2, h_d], 1), (h_d, torch.zeros_like(h_d)))
        return h_d2, h_t2, m_t  # expect: returned-old-state error 1


class NormedAndSwapped(nn.Module):
    """Normalised, the cell is no longer linear in its old value: the names tell."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, input, state):
        hx, cx = state
        i, f, g, o = self.gates(torch.cat([input, hx], 1)).chunk(4, 1)
        cy = self.norm(f.sigmoid() * cx + i.sigmoid() * g.tanh())
        hy = o.sigmoid() * cy.tanh()
        return hy, (cy, hy)  # expect: swapped-states error


class CoreWithoutAHiddenSize(nn.Module):
    """How wide h and c are only the layer knows, which wants an axis of layers too."""

    def __init__(self, state_space=4, action_space=2):
        super().__init__()
        self.enter, self.lstm = nn.Linear(state_space, 16), nn.LSTM(16, 16, batch_first=True)
        self.leave = nn.Linear(16, action_space)

    def forward(self, x, h, c):
        x, (h, c) = self.lstm(torch.relu(self.enter(x)), (h, c))
        return self.leave(x), h, c


class OneNumberAStep(nn.Module):
    """A curve goes in, (batch, time), and is split into its steps."""

    def __init__(self):
        super().__init__()
        self.lstm, self.linear = nn.LSTMCell(1, 20), nn.Linear(20, 1)

    def forward(self, input, future=0):
        outputs, h_t, c_t = [], input.new_zeros(input.size(0), 20), input.new_zeros(input.size(0), 20)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm(input_t, (h_t, c_t))
            outputs.append(self.linear(h_t))
        return torch.cat(outputs, dim=1)


class OneNumberAStepAfresh(OneNumberAStep):
    def forward(self, input, future=0):  # expect: ignored-recurrence error
        outputs, h_t, c_t = [], input.new_zeros(input.size(0), 20), input.new_zeros(input.size(0), 20)
        for input_t in input.split(1, dim=1):
            h, _ = self.lstm(input_t, (h_t, c_t))
            outputs.append(self.linear(h))
        return torch.cat(outputs, dim=1)


class IsToldItsBatchSize(nn.Module):
    """Its state is made for so many rows, and is all that it leaves."""

    def __init__(self, input_size, decay=0.9):
        super().__init__()
        self.input_size, self.decay = input_size, decay
        self.register_buffer("v", torch.zeros(0))

    def set_batch_size(self, batch_size):
        self.v = torch.zeros(batch_size, self.input_size)

    def forward(self, x):
        self.v = self.decay * self.v + x


class HiddenAndCellAmongOutputs(nn.Module):
    """Their new values go by other names than they, and an output comes after them."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.policy, self.value = nn.Linear(hidden_size, 4), nn.Linear(hidden_size, 1)

    def forward(self, x, hidden, cell):
        h_t, c_t = self.cell(x, (hidden, cell))
        return self.policy(h_t), h_t, c_t, self.value(h_t)


class HiddenAndCellAmongOutputsOldCell(HiddenAndCellAmongOutputs):
    def forward(self, x, hidden, cell):
        h_t, c_t = self.cell(x, (hidden, cell))
        return self.policy(h_t), h_t, cell, self.value(h_t)  # expect: returned-old-state error 1


class AllInOneArgument(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lstm, self.actor = nn.LSTMCell(input_size, hidden_size), nn.Linear(hidden_size, 2)

    def forward(self, inputs):
        inputs, (hx, cx) = inputs
        hx, cx = self.lstm(inputs, (hx, cx))
        return self.actor(hx), (hx, cx)


class AllInOneArgumentOldCell(AllInOneArgument):
    def forward(self, inputs):
        inputs, (hx, cx) = inputs
        new, _ = self.lstm(inputs, (hx, cx))
        return self.actor(new), (new, cx)  # expect: returned-old-state error 1


class ReadsAnImage(nn.Module):
    """What it keeps of an image has no places."""

    def __init__(self, in_channels, hidden_size):
        super().__init__()
        self.conv, self.cell = nn.Conv2d(in_channels, 4, 3), nn.GRUCell(4, hidden_size)

    def forward(self, x, h):
        return self.cell(self.conv(x).relu().mean((2, 3)), h)


class AttendsTimeFirst(nn.Module):
    """What the encoder gave, (time, batch, both directions), goes in beside each token."""

    def __init__(self, output_dim, emb_dim, enc_hid_dim, dec_hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(output_dim, emb_dim)
        self.attention = nn.Linear(2 * enc_hid_dim + dec_hid_dim, 1)
        self.rnn, self.out = nn.GRU(2 * enc_hid_dim + emb_dim, dec_hid_dim), nn.Linear(dec_hid_dim, output_dim)

    def forward(self, input, hidden, encoder_outputs):
        embedded = self.embedding(input.unsqueeze(0))
        query = hidden.unsqueeze(0).expand(encoder_outputs.shape[0], -1, -1)
        weights = self.attention(torch.cat([query, encoder_outputs], 2)).softmax(0)
        context = (weights * encoder_outputs).sum(0, keepdim=True)
        output, hidden = self.rnn(torch.cat([embedded, context], 2), hidden.unsqueeze(0))
        return self.out(output.squeeze(0)), hidden.squeeze(0)


class WorldModel(nn.Module):
    """The step that needs more is the one that runs; the other imagines without seeing."""

    def __init__(self, stoch_size, deter_size, action_size, embed_size):
        super().__init__()
        self.sizes = stoch_size, deter_size
        self.cell = nn.GRUCell(stoch_size + action_size, deter_size)
        self.guess = nn.Linear(deter_size, stoch_size)
        self.see = nn.Linear(deter_size + embed_size, stoch_size)

    def initial(self, batch_size):
        stoch, deter = self.sizes
        return {"stoch": torch.zeros(batch_size, stoch), "deter": torch.zeros(batch_size, deter)}

    def img_step(self, prev_state, prev_action):
        deter = self.cell(torch.cat([prev_state["stoch"], prev_action], -1), prev_state["deter"])
        return {"stoch": self.guess(deter).tanh(), "deter": deter}

    def forward(self, prev_state, prev_action, embed):
        prior = self.img_step(prev_state, prev_action)
        stoch = self.see(torch.cat([prior["deter"], embed], -1)).tanh()
        return {"stoch": stoch, "deter": prior["deter"]}, prior


class WorldModelOfTheOldDeter(WorldModel):
    def forward(self, prev_state, prev_action, embed):
        prior = self.img_step(prev_state, prev_action)
        stoch = self.see(torch.cat([prior["deter"], embed], -1)).tanh()
        return {"stoch": stoch, "deter": prev_state["deter"]}, prior  # expect: returned-old-state
