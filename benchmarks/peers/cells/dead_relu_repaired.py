from torch import nn


class LivelyCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input = nn.Linear(input_size, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)
        self.activation = nn.ReLU()
        nn.init.constant_(self.input.bias, 0.1)

    def forward(self, x, h):
        return self.activation(self.input(x) + self.recurrent(h))
