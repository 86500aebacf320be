"""Cells of ``torch_broken`` and ``torch_conventions`` with the one line that was at fault written as it should be."""

import torch
import torch.nn.functional as F
from torch_broken import (
    AbsorbingZero,
    AbsorbingZeroAssumed,
    AliasedEarly,
    BlendsOldWithOld,
    ForgetsOneSlot,
    ForgetsTheCellState,
    InAHelper,
    NeverReads,
    OldInADict,
    OverwritesTheState,
    ReturnsOldH,
    StartsFromZerosEachStep,
    TakesItsMaskBothWays,
)
from torch_conventions import MultiplicativeRNNCell, ProductLSTMCell


class ReturnsOldHRepaired(ReturnsOldH):
    def forward(self, x, state):
        h, c = state
        h_next, c_next = self.cell(x, (h, c))
        return h_next, (h_next, c_next)


class AliasedEarlyRepaired(AliasedEarly):
    def forward(self, x, h):
        h_new = torch.tanh(self.w(torch.cat((x, h), 1)))
        candidate = h_new
        return candidate, h_new


class InAHelperRepaired(InAHelper):
    def step(self, x, h):
        h_new = self.cell(x, h)
        return h_new, h_new


class OldInADictRepaired(OldInADict):
    def forward(self, x, state):
        h, c = self.cell(x, (state["h"], state["c"]))
        return h, {"h": h, "c": c}


class BlendsOldWithOldRepaired(BlendsOldWithOld):
    def forward(self, x, h):
        z = torch.sigmoid(self.z(x))
        n = torch.tanh(self.n(torch.cat((x, h), 1)))
        h_new = z * h + (1 - z) * n
        return h_new


class NeverReadsRepaired(NeverReads):
    def forward(self, x, h):
        z = self.i2h(x) + self.h2h(h)
        return torch.tanh(z)


class StartsFromZerosEachStepRepaired(StartsFromZerosEachStep):
    def forward(self, x, state):
        h, c = self.cell(x, state)
        return h, (h, c)


class ForgetsOneSlotRepaired(ForgetsOneSlot):
    def forward(self, x, state):
        h, c = state
        gates = self.x(x) + self.h(h)
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ForgetsTheCellStateRepaired(ForgetsTheCellState):
    def forward(self, x, state):
        h, c = state
        i, f, g, o = self.w(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class OverwritesTheStateRepaired(OverwritesTheState):
    def forward(self, x, h):
        x_proj = self.i2h(x)
        h = torch.tanh(x_proj + self.h2h(h))
        return h


class AbsorbingZeroRepaired(AbsorbingZero):
    def forward(self, x, h):
        h = h * torch.exp(-F.softsign(self.w(x)).abs()) + self.w(x)
        return h


class AbsorbingZeroAssumedRepaired(AbsorbingZeroAssumed):
    def forward(self, x, h):
        gate = torch.sigmoid(self.w(x))
        h = gate * h + (1 - gate) * torch.tanh(self.w(x))
        return h


class MultiplicativeRNNCellRepaired(MultiplicativeRNNCell):
    def forward(self, x, h=None):
        if h is None:
            h = torch.zeros(x.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)
        factors = self.x2f(x)
        h = torch.tanh(self.f2h(factors * self.h2f(h) + factors))
        return h


class ProductLSTMCellRepaired(ProductLSTMCell):
    def forward(self, x, state):
        h, c = state
        f, g, o = self.gates(torch.cat([x, h], 1)).chunk(3, 1)
        c = torch.sigmoid(f) * c + torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


class TakesItsMaskBothWaysRepaired(TakesItsMaskBothWays):
    def forward(self, x, mask, hx):
        h, c = hx
        h_new, c_new = self.cell(x, (h, c))
        m = mask.float().unsqueeze(1)
        return h_new * m + h * (1 - m), c_new * m + c * (1 - m)
