import torch
import torch.nn as nn


class ContextInStateCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def init_hidden(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, self.hidden_size)

    def forward(self, x, state):
        h, context = state
        new = torch.tanh(self.input(x) + self.recurrent(h) + context)
        return new, (new, 0.5 * context + 0.5 * new)
