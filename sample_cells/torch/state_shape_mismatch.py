import torch
import torch.nn as nn


class GrowingCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, h):
        new = torch.tanh(self.input(x) + self.recurrent(h[:, -8:]))
        return torch.cat([h, new], dim=1)  # expect: state-shape-mismatch
