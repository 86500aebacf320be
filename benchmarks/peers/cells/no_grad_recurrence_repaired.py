import torch
from torch import nn


class TrainedRecurrenceCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        memory = self.recurrent(h)
        return torch.tanh(self.input(x) + memory)
