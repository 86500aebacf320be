import torch
from torch import nn


class AttendingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1)

    def forward(self, x, h):
        attention = torch.sigmoid(self.score(h))
        return torch.tanh(self.input(x) + attention * self.recurrent(h))
