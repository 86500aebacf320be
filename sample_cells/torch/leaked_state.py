import torch
import torch.nn as nn


class ContextOnSelfCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.context = 0.0

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h) + self.context)
        self.context = 0.5 * self.context + 0.5 * new.detach().mean()  # expect: leaked-state
        return new
