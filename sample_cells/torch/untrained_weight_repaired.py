import torch
import torch.nn as nn


class TrainedInputCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        drive = self.input(x)
        return torch.tanh(drive + self.recurrent(h))
