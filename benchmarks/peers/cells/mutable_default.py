import torch
from torch import nn


class HistoryCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h, history=[]):  # at fault
        history.append(h.mean())  # at fault
        context = torch.stack(history).mean()
        return torch.tanh(self.input(x) + self.recurrent(h) + context)
