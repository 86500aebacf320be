import torch
from torch import nn


class LayerNormCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, x, h):
        return torch.tanh(self.norm(self.input(x) + self.recurrent(h)))
