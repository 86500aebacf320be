import torch
import torch.nn as nn


class AutonomousCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        gate = torch.sigmoid(self.gate(h))  # expect: ignored-input
        return gate * h + (1 - gate) * torch.tanh(self.recurrent(h))
