import torch
import torch.nn as nn


class FaintMemoryCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.input(x) + 1e-5 * self.recurrent(h))  # expect: vanishing-gradient warning
