import torch
import torch.nn as nn


class ClosedGateCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        keep = torch.sigmoid(self.gate(x) - 10)
        return keep * h + (1 - keep) * torch.tanh(self.input(x))  # expect: vanishing-gradient warning
