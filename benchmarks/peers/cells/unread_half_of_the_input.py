import torch
from torch import nn


class TwoTowerCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.half = (input_size + 1) // 2
        self.left = nn.Linear(self.half, hidden_size)
        self.right = nn.Linear(self.half, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        left, right = x[:, : self.half], x[:, : self.half]  # at fault
        return torch.tanh(self.left(left) + self.right(right) + self.recurrent(h))
