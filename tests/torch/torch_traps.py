"""Healthy PyTorch cells, each with something in it that looks like a bug; the docstring names what."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEEDS: dict[str, dict[str, Any]] = {}


class LowRankFromZero(nn.Module):
    """Recurrent weights start at zero: one factor of the low-rank recurrence, as in LoRA."""

    def __init__(self, input_size, hidden_size, rank=2):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.down = nn.Parameter(torch.randn(rank, hidden_size))
        self.up = nn.Parameter(torch.zeros(hidden_size, rank))

    def forward(self, x, h):
        return torch.tanh(self.inp(x) + h @ self.down.T @ self.up.T)


class ZeroAttentionVectors(nn.Module):
    """Recurrent weights start at zero: SRU's vectors v, and its c is read nowhere else but through f."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size, 4 * hidden_size)
        self.v_f = nn.Parameter(torch.zeros(hidden_size))
        self.v_r = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, c):
        u, f, r, skip = self.w(x).chunk(4, dim=-1)
        f = torch.sigmoid(f + self.v_f * c)
        r = torch.sigmoid(r + self.v_r * c)
        c = f * c + (1 - f) * u
        return r * c + (1 - r) * skip, c


class LayerScaleZero(nn.Module):
    """A gate starts closed: every channel's update is scaled by zero (ReZero for each channel)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.scale_h = nn.Parameter(torch.zeros(hidden_size))
        self.scale_c = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, state):
        h, c = state
        dh, dc = self.cell(x, state)
        return h + self.scale_h * dh, c + self.scale_c * dc


class GateClosedInLogits(nn.Module):
    """A gate starts closed: sigmoid(-200) is exactly zero in single precision."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gate_logit = nn.Parameter(torch.full((hidden_size,), -200.0))
        self.body = nn.Linear(input_size + hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        return torch.lerp(h, torch.tanh(self.body(torch.cat([x, h], 1))), torch.sigmoid(self.gate_logit))


class AlmostDeadReLU(nn.Module):
    """A mostly dead ReLU: one unit in eight is alive at all."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.lin = nn.Linear(input_size + hidden_size, hidden_size)
        with torch.no_grad():
            self.lin.bias[1:] = -8.0
            self.lin.bias[0] = 0.5

    def forward(self, x, h):
        return F.relu(self.lin(torch.cat([x, h], dim=1)))


class SaturatedForgetGate(nn.Module):
    """A saturated gate: the forget gate is one and the input gate some 1e-5."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        with torch.no_grad():
            self.w.bias[:hidden_size] = -11.0
            self.w.bias[hidden_size : 2 * hidden_size] = 30.0

    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.w(torch.cat([x, h], -1)).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class UndampedOscillators(nn.Module):
    """Tiny step size: dt is 1e-5, and what z sees of y is another 1e-5 smaller."""

    def __init__(self, input_size, hidden_size, dt=1e-5, alpha=1.0):
        super().__init__()
        self.dt, self.alpha = dt, alpha
        self.w = nn.Linear(hidden_size, hidden_size, bias=False)
        self.v = nn.Linear(input_size, hidden_size)
        self.c = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, states):
        y, z = states
        z = z - self.dt * torch.sigmoid(self.c) * (torch.tanh(self.w(y) + self.v(x)) + self.alpha * y)
        y = y + self.dt * torch.sigmoid(self.c) * z
        return y, z


class HeunStep(nn.Module):
    """Tiny step size: two evaluations of the slope, a step of 1e-6, in the domain of the state itself."""

    def __init__(self, input_dim, hidden_dim, step_size=1e-6):
        super().__init__()
        self.step_size = step_size
        self.slope = nn.Sequential(nn.Linear(input_dim + hidden_dim, 10), nn.Tanh(), nn.Linear(10, hidden_dim))

    def forward(self, u, y):
        k1 = self.slope(torch.cat([u, y], -1))
        k2 = self.slope(torch.cat([u, y + self.step_size * k1], -1))
        return y + 0.5 * self.step_size * (k1 + k2)


class DiagonalOnly(nn.Module):
    """No recurrent matrix at all: each unit only sees itself, with a decay of its own."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.inp = nn.Linear(input_size, hidden_size)
        self.decay = nn.Parameter(torch.linspace(-3.0, 3.0, hidden_size))

    def forward(self, x, h=None):
        drive = self.inp(x)
        return drive if h is None else torch.sigmoid(self.decay) * h + drive


class ExponentialTrace(nn.Module):
    """No recurrent matrix at all, and no weight either: an exponential moving average of the input."""

    def __init__(self, momentum: float = 0.99):
        super().__init__()
        self.momentum = momentum

    def forward(self, x: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.momentum * mean + (1 - self.momentum) * x
        return x - mean, mean


class MinLSTMStep(nn.Module):
    """No recurrent matrix at all: gates read the input only, and are normalised."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.f, self.i, self.h = (nn.Linear(input_size, hidden_size) for _ in range(3))

    def forward(self, x_t, h_prev):
        f, i = torch.sigmoid(self.f(x_t)), torch.sigmoid(self.i(x_t))
        return (f * h_prev + i * self.h(x_t)) / (f + i)


class TokenShiftMixer(nn.Module):
    """A slot is the previous input: token shift, where the other slots are running sums."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.mix_k, self.mix_v, self.mix_r = (nn.Parameter(torch.rand(dim)) for _ in range(3))
        self.decay = nn.Parameter(torch.linspace(-4, 1, dim))
        self.k, self.v, self.r = (nn.Linear(dim, dim, bias=False) for _ in range(3))

    def init_state(self, batch_size):
        last, num, den = torch.zeros(3, batch_size, self.dim)
        return [last, num, den]

    def forward(self, x, state):
        last, num, den = state
        k = self.k(torch.lerp(last, x, self.mix_k)).clamp(max=8)
        v = self.v(torch.lerp(last, x, self.mix_v))
        r = self.r(torch.lerp(last, x, self.mix_r)).sigmoid()
        w = torch.exp(-torch.exp(self.decay))
        num = w * num + k.exp() * v
        den = w * den + k.exp()
        return r * num / den, [x, num, den]


class ReadsOnlyTheLastInput(nn.Module):
    """A slot is the previous input, and there is no other: memory of one step (TGRU's reset)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.now = nn.Linear(input_size, hidden_size)
        self.then = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.input_size)

    def forward(self, x, previous):
        return torch.tanh(self.now(x) - self.then(previous)), x


class DelayLine(nn.Module):
    """A slot is another slot's old value: eight frames in one tensor, and the output sees only the last."""

    def __init__(self, input_size, hidden_size, delay=8):
        super().__init__()
        self.hidden_size, self.delay = hidden_size, delay
        self.enc = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.delay, self.hidden_size)

    def forward(self, x, line):
        out = line[:, -1]
        return out, torch.cat([self.enc(x).unsqueeze(1), line[:, :-1]], dim=1)


class NarxCell(nn.Module):
    """A slot is another slot's old value: h of one step ago and of two, nothing computed for the second."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + 2 * hidden_size, hidden_size)

    def forward(self, x, h1, h2):
        h = torch.tanh(self.w(torch.cat([x, h1, h2], dim=1)))
        return h, h1


class MatrixLSTM(nn.Module):
    """A slot that nobody reads, kept for the caller: h beside C, n and m."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.qkv = nn.Linear(dim, 3 * dim)
        self.gates = nn.Linear(dim, 2)

    def initial_state(self, batch_size):
        C = torch.zeros(batch_size, self.dim, self.dim)
        n = torch.zeros(batch_size, self.dim)
        return n.clone(), C, n, torch.zeros(batch_size, 1)

    def forward(self, x, state):
        _, C, n, m = state
        q, k, v = self.qkv(x).chunk(3, -1)
        i, f = self.gates(x).chunk(2, -1)
        f = F.logsigmoid(f)
        m_new = torch.maximum(f + m, i)
        i, f = torch.exp(i - m_new), torch.exp(f + m - m_new)
        k = k / math.sqrt(self.dim)
        C = f.unsqueeze(-1) * C + i.unsqueeze(-1) * v.unsqueeze(-1) * k.unsqueeze(-2)
        n = f * n + i * k
        h = torch.einsum("bvk,bk->bv", C, q) / (n * q).sum(-1, keepdim=True).abs().clamp(min=1)
        return h, (h, C, n, m_new)


class GaussianLatent(nn.Module):
    """Slots that nobody reads, kept for the caller: mean and std of a sample that is read."""

    def __init__(self, input_size, hidden_size, latent=4):
        super().__init__()
        self.hidden_size, self.latent = hidden_size, latent
        self.gru = nn.GRUCell(input_size + latent, hidden_size)
        self.stats = nn.Linear(hidden_size, 2 * latent)

    def initial_state(self, batch_size):
        zeros = torch.zeros(batch_size, self.latent)
        return {"deter": torch.zeros(batch_size, self.hidden_size), "mean": zeros, "std": zeros, "stoch": zeros}

    def forward(self, x, state):
        deter = self.gru(torch.cat([x, state["stoch"]], -1), state["deter"])
        mean, std = self.stats(deter).chunk(2, -1)
        std = std.exp()
        stoch = mean + std * torch.randn_like(std)
        return torch.cat([deter, stoch], -1), {"deter": deter, "mean": mean, "std": std, "stoch": stoch}


class CarriesItsEncoding(nn.Module):
    """Constant slots: the encoder's memory and the keys made of it are carried along."""

    def __init__(self, input_size, hidden_size, slots=4):
        super().__init__()
        self.hidden_size, self.slots = hidden_size, slots
        self.cell = nn.GRUCell(input_size + hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch_size):
        memory = torch.randn(batch_size, self.slots, self.hidden_size)
        return torch.zeros(batch_size, self.hidden_size), memory, self.key(memory)

    def forward(self, x, state):
        h, memory, keys = state
        weights = torch.einsum("bsh,bh->bs", keys, h).softmax(-1)
        h = self.cell(torch.cat([x, torch.einsum("bs,bsh->bh", weights, memory)], -1), h)
        return h, (h, memory, keys)


class FastWeightsInTheState(nn.Module):
    """Constant slots: a hypernetwork's matrix, drawn once for a sequence, and a dropout mask."""

    def __init__(self, input_size, hidden_size, keep=0.7):
        super().__init__()
        self.hidden_size, self.keep = hidden_size, keep
        self.inp = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        matrix = torch.randn(batch_size, self.hidden_size, self.hidden_size) / math.sqrt(self.hidden_size)
        mask = torch.bernoulli(torch.full((batch_size, self.hidden_size), self.keep)) / self.keep
        return {"h": torch.zeros(batch_size, self.hidden_size), "mask": mask, "matrix": matrix}

    def forward(self, x, state):
        recurrent = torch.einsum("bij,bj->bi", state["matrix"], state["mask"] * state["h"])
        h = torch.tanh(self.inp(x) + recurrent)
        return h, {**state, "h": h}


class WarmsUpByStep(nn.Module):
    """A step counter decides what is done, and a leaf is None for the first three steps."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), None, 0

    def forward(self, x, state):
        h, anchor, step = state
        h = self.cell(x, h)
        if step == 2:
            anchor = h
        if anchor is not None:
            h = h + 0.5 * (anchor - h)
        return h, (h, anchor, step + 1)


class BiasCorrected(nn.Module):
    """An integer step counter as a tensor without axes, as in Adam's moments."""

    def __init__(self, input_size, hidden_size, beta=0.9):
        super().__init__()
        self.hidden_size, self.beta = hidden_size, beta
        self.proj = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return {"count": torch.tensor(0), "m": torch.zeros(batch_size, self.hidden_size)}

    def forward(self, x, state):
        count = state["count"] + 1
        m = self.beta * state["m"] + (1 - self.beta) * self.proj(x)
        return m / (1 - self.beta**count), {"count": count, "m": m}


class _Surrogate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v >= 0).type_as(v)

    @staticmethod
    def backward(ctx, grad_output):
        (v,) = ctx.saved_tensors
        return grad_output * torch.clamp(1 - v.abs(), min=0) * 0.3


class SpikesWithSurrogate(nn.Module):
    """A spiking threshold: the state is the spike train, so small changes vanish."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ff = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.normal_(self.rec.weight, std=1.0)

    def forward(self, x, spk):
        return _Surrogate.apply(self.ff(x) + self.rec(spk) - 0.2)


class HardResetNeuron(nn.Module):
    """A spiking threshold without a gradient, in whose hard reset the old membrane is lost."""

    def __init__(self, in_features, hidden_features):
        super().__init__()
        self.lin = nn.Linear(in_features, hidden_features)

    def forward(self, x, v=None):
        v = torch.zeros(x.size(0), self.lin.out_features) if v is None else v
        v = 0.95 * v + self.lin(x)
        fired = v > 0.6
        return fired.float(), torch.where(fired, torch.zeros_like(v), v)


class FixedPointGRU(nn.Module):
    """Quantised state: sixteenths, rounded straight through."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    @staticmethod
    def quantise(value, bits=4):
        scale = 2**bits
        rounded = torch.round(value.detach() * scale) / scale
        return value + (rounded - value.detach())

    def forward(self, x, h):
        return self.quantise(self.cell(x, self.quantise(h)))


class BinaryState(nn.Module):
    """Quantised state: plus or minus one, with neither surrogate nor gradient."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)
        self.u = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.ones(batch_size, self.hidden_size)

    def forward(self, x, h):
        a = self.w(x) + 2 * self.u(h)
        return torch.where(a > 0, torch.ones_like(a), -torch.ones_like(a))


class HardAttentionMemory(nn.Module):
    """Straight through: the code that is written is an argmax."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.w = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, code):
        soft = torch.softmax(3 * self.w(torch.cat([x, code], -1)), -1)
        hard = F.one_hot(soft.argmax(-1), soft.size(-1)).to(soft.dtype)
        code = hard - soft.detach() + soft
        return soft, code


class AdaptiveThreshold(nn.Module):
    """Flat until a spike: the adaptation stays where it is until the membrane crosses a high threshold."""

    def __init__(self, input_size, hidden_size, rho=0.97):
        super().__init__()
        self.hidden_size, self.rho = hidden_size, rho
        self.inp = nn.Linear(input_size, hidden_size)
        self.rec = nn.Linear(hidden_size, hidden_size, bias=False)

    def init_state(self, batch_size):
        v, a, z = torch.zeros(3, batch_size, self.hidden_size).unbind(0)
        return v, a, z

    def forward(self, x, state):
        v, a, z = state
        v = 0.9 * v + self.inp(x) + self.rec(z)
        z = _Surrogate.apply(v - (2.5 + 1.8 * a))
        v = v - z
        a = self.rho * a + z
        return z, (v, a, z)


class EventDriven(nn.Module):
    """Flat until an event: rows whose input is weak keep their state bit for bit."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        event = x.abs().amax(dim=1, keepdim=True) > 1.0
        return torch.where(event, self.cell(x, h), h)


class MaskCachedOnTheCell(nn.Module):
    """Dropout, whose mask is kept on the cell with the batch size of the first call until it is reset."""

    def __init__(self, input_size, hidden_size, p=0.5):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.p = p
        self._mask = None

    def reset_mask(self):
        self._mask = None

    def forward(self, x, state):
        h, c = state
        if self.training:
            if self._mask is None:
                self._mask = torch.bernoulli(torch.full_like(h, 1 - self.p)) / (1 - self.p)
            h = h * self._mask
        return self.cell(x, (h, c))


class HeavyZoneout(nn.Module):
    """Zoneout: nine units of ten keep their old value, others in each step."""

    def __init__(self, input_size, hidden_size, rate=0.9):
        super().__init__()
        self.rate = rate
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        new = self.cell(x, h)
        if not self.training:
            return self.rate * h + (1 - self.rate) * new
        return torch.where(torch.rand_like(h) < self.rate, h, new)


class SampledWithoutGradient(nn.Module):
    """A sampled state: Bernoulli draws, which no gradient passes."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.logits = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, z):
        p = torch.sigmoid(2 * self.logits(torch.cat([x, z], 1)))
        return p, torch.bernoulli(p)


class BatchNormalisedLSTM(nn.Module):
    """Batch statistics while training, apart for input and state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.ih = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.hh = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.bn_i, self.bn_h = nn.BatchNorm1d(4 * hidden_size), nn.BatchNorm1d(4 * hidden_size)
        self.bn_c = nn.BatchNorm1d(hidden_size)

    def forward(self, x, hx):
        h, c = hx
        i, f, g, o = (self.bn_i(self.ih(x)) + self.bn_h(self.hh(h))).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.bn_c(c))
        return h, (h, c)


class PopulationNorm(nn.Module):
    """Batch statistics while training, by hand: what is normalised is the new state itself."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.register_buffer("mean", torch.zeros(hidden_size))
        self.register_buffer("var", torch.ones(hidden_size))

    def forward(self, x, h):
        h = self.cell(x, h)
        if self.training and h.size(0) > 1:
            mean, var = h.mean(0), h.var(0, unbiased=False)
            self.mean.lerp_(mean.detach(), 0.1)
            self.var.lerp_(var.detach(), 0.1)
        else:
            mean, var = self.mean, self.var
        return (h - mean) / torch.sqrt(var + 1e-3)


class LogDomain(nn.Module):
    """The state's domain: positive, since its logarithm is taken; the cell starts it at one."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size, hidden_size)
        self.value = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.ones(batch_size, self.hidden_size)

    def forward(self, x, h):
        log_keep, log_take = -F.softplus(self.gate(x)), -F.softplus(-self.gate(x))
        log_value = F.logsigmoid(self.value(x))
        log_h = torch.logaddexp(log_keep + torch.log(h), log_take + log_value)
        return torch.exp(log_h)


class LogStateWithoutProvider(nn.Module):
    """The state's domain: positive, left out at first, never zero afterwards."""

    def __init__(self, dim):
        super().__init__()
        self.project = nn.Linear(dim, 2 * dim)

    def forward(self, x, prev_hidden=None):
        hidden, gate = self.project(x).chunk(2, dim=-1)
        hidden, gate = F.softplus(hidden) + 1e-2, torch.sigmoid(gate)
        if prev_hidden is None:
            return gate * hidden
        return torch.exp(torch.logaddexp(torch.log1p(-gate) + prev_hidden.log(), torch.log(gate) + hidden.log()))


class BeliefFilter(nn.Module):
    """The state's domain: probabilities; it is divided by its sum."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.transition = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.emission = nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size):
        return torch.full((batch_size, self.hidden_size), 1.0 / self.hidden_size)

    def forward(self, x, belief):
        predicted = belief @ self.transition.softmax(-1)
        posterior = predicted * torch.exp(self.emission(x))
        return posterior / posterior.sum(-1, keepdim=True)


class UnitNormState(nn.Module):
    """The state's domain: on the sphere, and NaN at zero."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.full((batch_size, self.hidden_size), self.hidden_size**-0.5)

    def forward(self, x, s):
        s = s / torch.linalg.vector_norm(s, dim=-1, keepdim=True)
        s = s + 0.5 * torch.tanh(self.w(x))
        return s / torch.linalg.vector_norm(s, dim=-1, keepdim=True)


class PhaseMemory(nn.Module):
    """The state's domain: complex numbers of length one; only the angle remembers."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.turn = nn.Linear(input_size, hidden_size)

    def init_state(self, batch_size):
        return torch.ones(batch_size, self.hidden_size, dtype=torch.complex64)

    def forward(self, x, z):
        angle = self.turn(x)
        z = z / z.abs() * torch.polar(torch.ones_like(angle), angle)
        return torch.view_as_real(z).flatten(1), z


class AlsoKeptOnSelf(nn.Module):
    """The state is kept on self beside the argument, and overridden when one is passed."""

    def __init__(self, input_size, hidden_size, beta=0.8):
        super().__init__()
        self.fc = nn.Linear(input_size, hidden_size)
        self.beta = beta
        self.mem = torch.zeros(0)

    def reset_mem(self):
        self.mem = torch.zeros_like(self.mem)
        return self.mem

    def forward(self, input_, mem=None):
        if mem is not None:
            self.mem = mem
        current = self.fc(input_)
        if self.mem.shape != current.shape:
            self.mem = torch.zeros_like(current)
        self.mem = self.beta * self.mem + current
        spk = _Surrogate.apply(self.mem - 0.5)
        self.mem = self.mem - 0.5 * spk
        return spk, self.mem


class RemembersWhenNotGiven(nn.Module):
    """The state is kept on self beside the argument: a layer that streams unless a state is passed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        self._last = None

    def reset(self):
        self._last = None

    def forward(self, xs, hidden=None):
        hidden = self._last if hidden is None else hidden
        out, hidden = self.gru(xs, hidden)
        self._last = hidden.detach()
        return out, hidden


class OneTensorForBoth(nn.Module):
    """The same tensor for h and c at the start, read from a buffer and expanded without a copy."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.register_buffer("zero", torch.zeros(1, hidden_size))

    def init_hidden(self, batch_size):
        zeros = self.zero.expand(batch_size, -1)
        return [zeros, zeros]

    def forward(self, x, state):
        h, c = self.cell(x, tuple(state))
        return h, [h, c]


class RandomStart(nn.Module):
    """A random initial state: another one at each call."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.randn(batch_size, self.hidden_size), torch.randn(batch_size, self.hidden_size)

    def forward(self, x, state):
        return self.cell(x, state)


class LearnedStartFromContext(nn.Module):
    """A learned initial state, made of the first input, of parameters, and shared by h and c."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(hidden_size))
        self.bridge = nn.Linear(input_size, hidden_size)
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def init_state(self, x):
        first = torch.tanh(self.bridge(x) + self.start)
        return first, first

    def forward(self, x, state=None):
        h, c = self.init_state(x) if state is None else state
        return self.cell(x, (h, c))


class RollsItsOwnCopy(nn.Module):
    """In-place work on an own copy: rolled, overwritten at the end, and handed on."""

    def __init__(self, dim, kernel_size=4):
        super().__init__()
        self.dim, self.kernel_size = dim, kernel_size
        self.weight = nn.Parameter(torch.randn(dim, kernel_size))

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.dim, self.kernel_size)

    def step(self, x, conv_state):
        conv_state = conv_state.clone()
        conv_state.copy_(torch.roll(conv_state, shifts=-1, dims=-1))
        conv_state[:, :, -1] = x
        return F.silu((conv_state * self.weight).sum(-1)), conv_state

    def forward(self, xs):
        state, ys = self.init_state(xs.size(0)), []
        for x in xs.unbind(1):
            y, state = self.step(x, state)
            ys.append(y)
        return torch.stack(ys, 1)


class InPlaceArithmetic(nn.Module):
    """In-place work on an own copy: h is cloned, then changed by mul_ and add_."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.z = nn.Linear(input_size, hidden_size)
        self.n = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        z = torch.sigmoid(self.z(x))
        state = h.clone()
        state.mul_(1 - z).add_(z * torch.tanh(self.n(x)))
        return state


class PreallocatedCache(nn.Module):
    """In place on the argument by design: keys and values are written into a cache, and the same dict comes back."""

    def __init__(self, dim, max_length=64):
        super().__init__()
        self.dim, self.max_length = dim, max_length
        self.qkv = nn.Linear(dim, 3 * dim)

    def init_cache(self, batch_size):
        shape = (batch_size, self.max_length, self.dim)
        return {"k": torch.zeros(shape), "v": torch.zeros(shape), "length": 0}

    @torch.no_grad()
    def step(self, x, cache):
        q, k, v = self.qkv(x).chunk(3, -1)
        t = cache["length"]
        cache["k"][:, t], cache["v"][:, t] = k, v
        cache["length"] = t + 1
        scores = torch.einsum("bd,btd->bt", q, cache["k"][:, : t + 1]) / math.sqrt(self.dim)
        return torch.einsum("bt,btd->bd", scores.softmax(-1), cache["v"][:, : t + 1]), cache

    def forward(self, xs):
        q, k, v = self.qkv(xs).chunk(3, -1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class NodesAreRows(nn.Module):
    """Rows are not the first axis: the state is (nodes, features), shared by all that is in a batch."""

    def __init__(self, in_channels, hidden_channels):
        super().__init__()
        self.lin = nn.Linear(in_channels, hidden_channels)
        self.gru = nn.GRUCell(hidden_channels, hidden_channels)

    def forward(self, x, edge_index, h):
        m = self.lin(x)
        pooled = torch.zeros_like(m).index_add_(0, edge_index[1], m[edge_index[0]])
        return self.gru(m + pooled, h)


class DirectionsFirst(nn.Module):
    """Rows are not the first axis: a bidirectional layer, batch first, has its state (2, B, H)."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, batch_first=True, bidirectional=True)
        self.merge = nn.Linear(2 * hidden_size, hidden_size)

    def forward(self, xs, h_0=None):
        out, h_n = self.rnn(xs, h_0)
        return self.merge(out), h_n


class Truncated(nn.Module):
    """Detach on purpose: backpropagation is truncated at the state that comes in."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 2)

    def forward(self, x, hidden):
        hidden = self.cell(x, hidden.detach())  # rnncheck: ignore[detached-state] backpropagation is truncated
        return self.head(hidden), hidden


class RepackagedLSTM(nn.Module):
    """Detach on purpose, as repackage_hidden() in the word language model does it, on what goes out."""

    def __init__(self, ninp, nhid):
        super().__init__()
        self.rnn = nn.LSTMCell(ninp, nhid)

    def repackage_hidden(self, h):
        return h.detach() if isinstance(h, Tensor) else tuple(self.repackage_hidden(v) for v in h)

    def forward(self, x, hidden):
        hidden = self.rnn(x, hidden)
        # rnncheck: ignore[detached-state] backpropagation is truncated
        return hidden[0], self.repackage_hidden(hidden)


class BranchesOnTheBatch(nn.Module):
    """A whole-batch branch: another formula as long as the normaliser is zero in all rows."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Linear(input_size + hidden_size, 3 * hidden_size)

    def init_state(self, batch_size):
        c = torch.zeros(batch_size, self.hidden_size)
        return c, c.clone(), c.clone()

    def forward(self, x, state):
        h, n, m = state
        i, f, z = self.w(torch.cat([x, h], -1)).chunk(3, -1)
        log_f = F.logsigmoid(f) + m
        m_new = i if torch.all(n == 0.0) else torch.maximum(i, log_f)
        n_new = torch.exp(log_f - m_new) * n + torch.exp(i - m_new)
        h = (torch.exp(log_f - m_new) * n * h + torch.exp(i - m_new) * torch.tanh(z)) / n_new
        return h, (h, n_new, m_new)


class SkipsQuietBatches(nn.Module):
    """A whole-batch branch: where no row has anything to say, the state comes back as the very same object."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, state):
        if not bool((x.abs() > 1.0).any()):
            return state[0], state
        h, c = self.cell(x, state)
        return h, (h, c)


class _AttributeDict(dict):
    """What it lacks raises KeyError, also where an attribute is asked for."""

    __getattr__ = dict.__getitem__


class _DottedDict(dict):
    """What it lacks is None, also where an attribute is asked for."""

    __getattr__ = dict.get


class OptionsByAttribute(nn.Module):
    """Anything that asks the options for an attribute of theirs gets a key or a KeyError."""

    options: type[dict[str, Any]] = _AttributeDict

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.options = self.options(scale=0.5, width=hidden_size)
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        options = self.options
        return self.cell(x * options["scale"], h)


class OptionsByAttributeOrNone(OptionsByAttribute):
    """Anything that asks the options for an attribute of theirs gets a key or None."""

    options = _DottedDict


class LayersInATensorEach(nn.Module):
    """A pair of tensors, in each of which the layers lie one upon the other: a pair of pairs is taken too."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.attend = nn.LSTMCell(input_size + hidden_size, hidden_size)
        self.speak = nn.LSTMCell(hidden_size, hidden_size)

    def forward(self, xt, state):
        last = state[0][-1]
        h0, c0 = self.attend(torch.cat([last, xt], 1), (state[0][0], state[1][0]))
        h1, c1 = self.speak(h0, (state[0][1], state[1][1]))
        return h1, (torch.stack([h0, h1]), torch.stack([c0, c1]))


class AsManyLayersAsRows(nn.Module):
    """Three layers, and three rows: (layers, batch, width) looks as if each row had been put beside each other one."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        widths = [input_size, hidden_size, hidden_size]
        self.read = nn.ModuleList(nn.Linear(width, 4 * hidden_size) for width in widths)
        self.recur = nn.ModuleList(nn.Linear(hidden_size, 4 * hidden_size) for _ in widths)

    def _layer(self, index, x, state):
        i, f, o, u = (self.read[index](x) + self.recur[index](state[0][-1])).chunk(4, 1)
        c = torch.sigmoid(f) * state[1][-1] + torch.sigmoid(i) * torch.tanh(u)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h.unsqueeze(0), c.unsqueeze(0))

    def forward(self, xt, state):
        h, first = self._layer(0, xt, [state[0][0:1], state[1][0:1]])
        h, second = self._layer(1, h, [state[0][1:2], state[1][1:2]])
        h, third = self._layer(2, h, [state[0][2:3], state[1][2:3]])
        return h, [torch.cat(parts, 0) for parts in zip(first, second, third)]


class MixesByAnArgument(nn.Module):
    """The state grows where the argument f, a gate that the caller computes, lies beyond 1."""

    def forward(self, f, x, h=None):
        out = f * x
        return out if h is None else out + (1 - f) * h


class OpenAtItsTimes(nn.Module):
    """A time for each row: one for each feature is stretched over the rows."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
        self.tau = nn.Parameter(torch.full((hidden_size,), 3.0))

    def forward(self, x_t, time_t, hx):
        h_prev, c_prev = hx
        phase = torch.remainder(time_t.unsqueeze(1), F.softplus(self.tau)) / F.softplus(self.tau)
        opened = torch.where(phase < 0.5, phase + 0.2, 0.01 * phase)
        h, c = self.cell(x_t, hx)
        return opened * h + (1 - opened) * h_prev, opened * c + (1 - opened) * c_prev


class SecondPartIsOptional(nn.Module):
    """One part of the state is None by default, as of a cell that may be a GRU as well."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.rnn = nn.LSTMCell(input_size, hidden_size)

    def forward(self, x, hs, cs=None):
        if cs is None:
            raise ValueError("an LSTM needs cs")
        return self.rnn(x, (hs * 1.0, cs))


class CountsByCasting(nn.Module):
    """The number of the step comes back without a gradient: there is none."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, state):
        h, count = state
        step = count.long()
        new = self.cell(x, h)
        return new, (torch.where(step % 2 == 0, new, 0.5 * (h + new)), (step + 1).float())


class ActsOnAState(nn.Module):
    """Its input is called an action, and so is the size of it."""

    def __init__(self, action_size=3, stoch_size=4, deter_size=8, hidden_size=6):
        super().__init__()
        self._action_size = action_size
        self._stoch_size = stoch_size
        self._deter_size = deter_size
        self.inner = nn.Linear(action_size + stoch_size, hidden_size)
        self.cell = nn.GRUCell(hidden_size, deter_size)
        self.prior = nn.Linear(deter_size, stoch_size)

    def initial_state(self, batch_size):
        return {
            "stoch": torch.zeros(batch_size, self._stoch_size),
            "deter": torch.zeros(batch_size, self._deter_size),
        }

    def forward(self, prev_action, prev_state):
        mixed = F.elu(self.inner(torch.cat([prev_action, prev_state["stoch"]], -1)))
        deter = self.cell(mixed, prev_state["deter"])
        return {"stoch": torch.tanh(self.prior(deter)), "deter": deter}


class QueuesNothing(nn.Module):
    """A part of the state without any numbers, as a queue of no steps has it."""

    def __init__(self, input_size, hidden_size, delay=0):
        super().__init__()
        self.cell, self.hidden_size, self.delay = nn.GRUCell(input_size, hidden_size), hidden_size, delay

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.delay, self.hidden_size)

    def forward(self, x, state):
        h, queue = state
        h = self.cell(x, h)
        return h, (h, torch.cat([h[:, None], queue], 1)[:, : self.delay])


class TakesTheActionBefore(nn.Module):
    """What was there before is a part of its input, and so is whether the observation counts at all."""

    def __init__(self, obs_size=5, hidden_size=8):
        super().__init__()
        self.see, self.act = nn.Linear(obs_size, hidden_size), nn.Linear(obs_size, hidden_size)
        self.cell = nn.GRUCell(hidden_size, hidden_size)

    def forward(self, inputs, state):
        obs, prev_action, use_obs = inputs
        seen = self.see(obs) if bool(use_obs[0, 0] == 1) else 0.0
        return self.cell(torch.relu(seen + self.act(prev_action)), state)
