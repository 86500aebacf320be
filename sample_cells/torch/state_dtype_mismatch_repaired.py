import torch
import torch.nn as nn


class SingleCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h))
        return 0.9 * h + 0.1 * new
