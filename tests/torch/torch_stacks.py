"""Cells of several layers, in the usual ways to keep a state for each; comments mark the line at fault."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn


def _cells(kind: Any, input_size: int, hidden_size: int, num_layers: int) -> nn.ModuleList:
    return nn.ModuleList([kind(hidden_size if layer else input_size, hidden_size) for layer in range(num_layers)])


class _GRUs(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.cells = _cells(nn.GRUCell, input_size, hidden_size, num_layers)


class _LSTMs(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.cells = _cells(nn.LSTMCell, input_size, hidden_size, num_layers)


class OneTensor(_GRUs):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = []
        for i, cell in enumerate(self.cells):
            x = cell(x, h[i])
            new.append(x)
        return x, torch.stack(new)


class OneTensorKeepsTheLast(_GRUs):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = h.clone()
        for i, cell in enumerate(self.cells):
            x = cell(x, h[i])
            if i == 0:
                new[i] = x  # expect: partial-freeze
        return x, new


class TakenApart(_GRUs):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new = []
        for cell, own in zip(self.cells, h.unbind(0)):
            x = cell(x, own)
            new.append(x)
        return x, torch.stack(new, 0)


class Tensors(_GRUs):
    def forward(self, x: Tensor, hiddens: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        new = []
        for i in range(self.num_layers):
            x = self.cells[i](x, hiddens[i])
            new.append(x)
        return x, new


class TensorsOfTheFirst(_GRUs):
    def forward(self, x, hiddens):  # type: ignore[no-untyped-def]
        new = []
        for i in range(self.num_layers):
            x = self.cells[i](x, hiddens[0])  # expect: ignored-recurrence warning 1
            new.append(x)
        return x, new


class Pairs(_LSTMs):
    def forward(self, x, states):  # type: ignore[no-untyped-def]
        new = []
        for cell, state in zip(self.cells, states):
            h, c = cell(x, state)
            new.append((h, c))
            x = h
        return x, new


class PairsKeepACell(_LSTMs):
    def forward(self, x, states):  # type: ignore[no-untyped-def]
        new = []
        for i, (cell, (h, c)) in enumerate(zip(self.cells, states)):
            h_new, c_new = cell(x, (h, c))
            new.append((h_new, c if i else c_new))
            x = h_new
        return x, new  # expect: returned-old-state error 3


class PairsWithoutTheCell(_LSTMs):
    def forward(self, x, states):  # type: ignore[no-untyped-def]
        new = []
        for cell, state in zip(self.cells, states):
            x, _ = cell(x, state)
            new.append(x)
        return x, new  # expect: wrong-state-structure


class PairsByNumber(_LSTMs):
    def forward(self, x, states):  # type: ignore[no-untyped-def]
        h1, c1 = self.cells[0](x, states[0])
        h2, c2 = self.cells[1](h1, states[1])
        return h2, [(h1, c1), (h2, c2)]


class PairsByNumberKeepOne(_LSTMs):
    def forward(self, x, states):  # type: ignore[no-untyped-def]
        h1, c1 = self.cells[0](x, states[0])
        h2, c2 = self.cells[1](h1, states[1])
        return h2, [(h1, c1), (h2, states[1][1])]  # expect: returned-old-state error 3


class PairsByName(_LSTMs):
    def forward(self, x: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        h1, c1 = self.cells[0](x, state["lower"])
        h2, c2 = self.cells[1](h1, state["upper"])
        return h2, {"lower": (h1, c1), "upper": (h2, c2)}


class ListsOfHAndC(_LSTMs):
    def forward(self, x, state):  # type: ignore[no-untyped-def]
        hs, cs = [], []
        for cell, h, c in zip(self.cells, *state):
            x, c = cell(x, (h, c))
            hs.append(x)
            cs.append(c)
        return x, (hs, cs)


class EachAList(_LSTMs):
    def forward(self, x, h, c):  # type: ignore[no-untyped-def]
        hs, cs = [], []
        for i, cell in enumerate(self.cells):
            x, own = cell(x, (h[i], c[i]))
            hs.append(x)
            cs.append(own)
        return x, hs, cs


class EachATensor(_LSTMs):
    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hs, cs = [], []
        for i, cell in enumerate(self.cells):
            x, own = cell(x, (h[i], c[i]))
            hs.append(x)
            cs.append(own)
        return x, torch.stack(hs), torch.stack(cs)


class SecondBeginsFromTheFirst(_LSTMs):
    """What is passed in and read by nobody, and no output either."""

    def forward(self, x, h1, c1, h2, c2):  # type: ignore[no-untyped-def]
        lower, upper = self.cells
        h1, c1 = lower(x, (h1, c1))
        h2, c2 = upper(h1, (h1, c1))  # expect: ignored-recurrence warning 2  # expect: ignored-recurrence warning 3
        return h2.tanh(), h1, c1, h2, c2


class KeepsItsOutput(nn.Module):
    """The last output goes in as well, for the caller alone."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.readout = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, last_hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = self.cell(x, h)
        last_hidden = self.readout(h)
        return last_hidden, h, last_hidden


class Images(nn.Module):
    def __init__(self, input_dim: int, hidden_dim: int, kernel_size: int, num_layers: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d((hidden_dim if i else input_dim) + hidden_dim, 4 * hidden_dim, kernel_size, padding="same")
            for i in range(num_layers)
        )

    def forward(self, x, hidden):  # type: ignore[no-untyped-def]
        new = []
        for conv, (h, c) in zip(self.convs, hidden):
            i, f, o, g = conv(torch.cat([x, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            x = o.sigmoid() * c.tanh()
            new.append((x, c))
        return x, new


class ImagesOverTime(Images):
    def forward(self, x, state):  # type: ignore[no-untyped-def]
        b, t, channels, height, width = x.shape
        new = []
        for layer, conv in enumerate(self.convs):
            h, c = state[layer]
            outputs = []
            for step in range(t):
                i, f, o, g = conv(torch.cat([x[:, step], h], 1)).chunk(4, 1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                outputs.append(h)
            x = torch.stack(outputs, 1)
            new.append((h, c))
        return x, new


class ImagesEachStepAnew(Images):
    def forward(self, x, state):  # type: ignore[no-untyped-def] # expect: ignored-recurrence
        b, t, channels, height, width = x.shape
        new = []
        for layer, conv in enumerate(self.convs):
            outputs = []
            for step in range(t):
                h, c = state[layer]
                i, f, o, g = conv(torch.cat([x[:, step], h], 1)).chunk(4, 1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                outputs.append(h)
            x = torch.stack(outputs, 1)
            new.append((h, c))
        return x, new


class ListOfSizes(nn.Module):
    def __init__(self, input_size: int, hidden_sizes: list[int]) -> None:
        super().__init__()
        sizes = [input_size, *hidden_sizes]
        self.cells = nn.ModuleList([nn.GRUCell(one, other) for one, other in itertools.pairwise(sizes)])

    def forward(self, x, states):  # type: ignore[no-untyped-def]
        new = []
        for cell, state in zip(self.cells, states):
            x = cell(x, state)
            new.append(x)
        return x, new


class OneLayerOnly(nn.Module):
    """Two layers do not fit each other."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        if num_layers > 1:
            raise ValueError("not written yet")
        self.cells = _cells(nn.GRUCell, input_size, hidden_size, num_layers)

    def forward(self, x, states):  # type: ignore[no-untyped-def]
        new = []
        for cell, state in zip(self.cells, states):
            x = cell(x, state)
            new.append(x)
        return x, new
