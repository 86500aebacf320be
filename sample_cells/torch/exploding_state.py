import torch
import torch.nn as nn


class GrowingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.log_rate = nn.Parameter(torch.linspace(-1, 1, hidden_size))

    def forward(self, x, h):
        growth = torch.exp(0.2 * torch.exp(self.log_rate))
        return growth * h + self.input(x)  # expect: exploding-state warning
