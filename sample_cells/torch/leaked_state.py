import torch
import torch.nn as nn


class CountingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.steps = 0

    def forward(self, x, h):
        self.steps += 1  # expect: leaked-state
        new = torch.tanh(self.input(x) + self.recurrent(h))
        return h + (new - h) / self.steps
