import torch
import torch.nn as nn


class LeavingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gate = nn.Linear(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        h = h * torch.sigmoid(self.gate(x))
        return h + self.input(x)
