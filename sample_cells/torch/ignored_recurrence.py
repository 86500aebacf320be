import torch
import torch.nn as nn


class IncorrectRNNCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.W_ih = nn.Linear(input_size, hidden_size)
        self.W_hh = nn.Linear(hidden_size, hidden_size)

    def forward(self, input, hidden):
        combined = self.W_ih(input)  # expect: ignored-recurrence
        new_hidden = torch.relu(combined)
        return new_hidden
