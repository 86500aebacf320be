import torch
import torch.nn as nn


class HalfFrozenCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h))
        half = h.shape[1] // 2
        return torch.cat([new[:, :half], h[:, half:]], dim=1)  # expect: partial-freeze
