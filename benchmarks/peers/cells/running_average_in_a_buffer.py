import torch
from torch import nn


class RunningAverageCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.register_buffer("average", torch.zeros(hidden_size))

    def forward(self, x, h):
        drive = self.input(x) + self.recurrent(h)
        self.average.lerp_(drive.detach().mean(dim=0), 0.1)  # at fault
        return torch.tanh(drive - self.average)
