import torch
import torch.nn as nn
from torch.nn import functional


class DroppingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        kept = functional.dropout(h, 0.1)  # expect: random-state warning
        return torch.tanh(self.input(x) + self.recurrent(kept))
