import torch
from torch import nn


class SafelyNormalisingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h):
        memory = self.recurrent(h)
        length = memory.pow(2).sum(dim=1, keepdim=True).add(1e-6).sqrt()
        return torch.tanh(self.input(x) + memory / (1 + length))
