import torch
import torch.nn as nn


class UnusedGateCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        gate = torch.sigmoid(self.gate(x))  # expect: unused-weight warning
        new = torch.tanh(self.input(x) + self.recurrent(h))
        return new
