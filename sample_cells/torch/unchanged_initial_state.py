import torch
from torch import nn


class MultiplicativeCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, x, h=None):
        if h is None:
            h = x.new_zeros(x.shape[0], self.hidden_size)
        gate = torch.sigmoid(self.gate(x))
        h_new = gate * h + (1 - gate) * h * self.recurrent(h)  # expect: unchanged-initial-state
        return h_new
