import torch
import torch.nn as nn


class HalfReturningCore(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTMCell(input_size, hidden_size)
        self.head = nn.Linear(hidden_size, 2)

    def init_hidden(self, batch_size):
        zeros = torch.zeros(batch_size, self.hidden_size)
        return zeros, zeros.clone()

    def forward(self, x, state):
        h, c = self.lstm(x, state)
        return self.head(h), h  # expect: wrong-state-structure
