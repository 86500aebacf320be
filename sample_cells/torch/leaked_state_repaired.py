import torch
import torch.nn as nn


class CountingInStateCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def init_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 1)

    def forward(self, x, state):
        h, steps = state
        steps = steps + 1
        new = torch.tanh(self.input(x) + self.recurrent(h))
        h = h + (new - h) / steps
        return h, (h, steps)
