import torch
import torch.nn as nn


class DoubleTraceCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.register_buffer("decay", torch.linspace(0.5, 0.9, hidden_size, dtype=torch.float64))

    def forward(self, x, h):
        h = self.decay * h + self.input(x)  # expect: state-dtype-mismatch
        return torch.tanh(h), h
