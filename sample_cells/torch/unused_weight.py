import torch
import torch.nn as nn


class UnusedGateCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):  # expect: unused-weight warning
        return torch.tanh(self.input(x) + self.recurrent(h))
