"""What runs over a sequence, and outputs and arguments that only look like states; comments mark the line at fault."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Normal

NEEDS: dict[str, dict[str, Any]] = {"LatentModel": {"input_shape": (12,)}}


class _Layer(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.cell = nn.GRUCell(input_size, hidden_size)
        self.readout = nn.Linear(hidden_size, 3)

    def zeros(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.hidden_size)


# Within one call each step has to begin where the last one ended.


class BeginsEachStepAnew(_Layer):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:  # expect: ignored-recurrence
        new = torch.stack([self.cell(step, h) for step in x])
        return self.readout(new), new[-1]


class BeginsEachStepAnewRepaired(_Layer):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        outputs = []
        for step in x:
            h = self.cell(step, h)
            outputs.append(h)
        return self.readout(torch.stack(outputs)), h


class ZerosAtEachStep(nn.Module):
    """The state that comes back beside the outputs is that of the last step alone."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:  # expect: ignored-recurrence
        start = x.new_zeros(1, x.size(0), self.hidden_size)
        outputs = []
        for step in range(x.size(1)):
            out, state = self.lstm(x[:, step : step + 1], (start, start))
            outputs.append(out)
        return torch.cat(outputs, dim=1), state


class ForgetfulWithALoss(_Layer):
    """A loss over all steps is no output of a later one."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # expect: ignored-recurrence
        outputs, loss = [], torch.zeros(())
        for step in range(x.size(1)):
            h = self.cell(x[:, step], self.zeros(x.size(0)))
            outputs.append(self.readout(h))
            loss = loss + outputs[-1].pow(2).mean()
        return torch.stack(outputs, 1), loss


class RemembersWithALoss(_Layer):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, outputs, loss = self.zeros(x.size(0)), [], torch.zeros(())
        for step in range(x.size(1)):
            h = self.cell(x[:, step], h)
            outputs.append(self.readout(h))
            loss = loss + outputs[-1].pow(2).mean()
        return torch.stack(outputs, 1), loss


class CutAtEachStep(_Layer):
    def forward(self, x: Tensor) -> Tensor:
        h, outputs = self.zeros(x.size(0)), []
        for step in range(x.size(1)):
            h = self.cell(x[:, step], h.detach())  # expect: detached-state warning
            outputs.append(h)
        return torch.stack(outputs, 1)


class CutAtEachStepWithState(_Layer):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        outputs = []
        for step in range(x.size(0)):
            h = self.cell(x[step], h.data)  # expect: detached-state warning 0
            outputs.append(h)
        return torch.stack(outputs), h


# A loop may be anywhere, and go along any axis.


class ListOfSteps(_Layer):
    """(time, batch, feature) -> a list with one output for each step, as wide as the batch is long."""

    def forward(self, data: Tensor) -> list[Tensor]:
        h, outputs = self.zeros(data.shape[1]), []
        for x in data:
            h = self.cell(x, h)
            outputs.append(self.readout(h))
        return outputs


class LoopsInAHelper(nn.Module):
    """Of two axes each step would have one, and be stretched over the rows of the state."""

    def __init__(self, num_inputs: int, num_hiddens: int) -> None:
        super().__init__()
        self.num_hiddens = num_hiddens
        self.w = nn.Parameter(0.4 * torch.randn(num_inputs, num_hiddens))
        self.u = nn.Parameter(0.4 * torch.randn(num_hiddens, num_hiddens))

    def run(self, steps: Tensor, h: Tensor | None) -> tuple[list[Tensor], Tensor]:
        h = torch.zeros(steps.shape[1], self.num_hiddens) if h is None else h
        outputs = []
        for x in steps:
            h = torch.tanh(x @ self.w + h @ self.u)
            outputs.append(h)
        return outputs, h

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[list[Tensor], Tensor]:
        return self.run(inputs, state)


class LoopsInAPart(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.part = _Loop(input_size, hidden_size)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[list[Tensor], Tensor]:
        return self.part(inputs, state)


class _Loop(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.w = nn.Parameter(0.4 * torch.randn(input_size, hidden_size))
        self.u = nn.Parameter(0.4 * torch.randn(hidden_size, hidden_size))

    def forward(self, inputs: Tensor, state: Tensor | None) -> tuple[list[Tensor], Tensor]:
        h = torch.zeros(inputs.shape[1], self.hidden_size) if state is None else state
        outputs = []
        for x in inputs:
            h = torch.tanh(x @ self.w + h @ self.u)
            outputs.append(h)
        return outputs, h


class WhileThereAreSteps(_Layer):
    def forward(self, x: Tensor) -> Tensor:
        h, step = self.zeros(x.shape[0]), 0
        while step < x.shape[1]:
            h = self.cell(x[:, step], h)
            step += 1
        return h


class StacksItsStates(nn.Module):
    """A first state of (batch, width), and all states back: with an axis of time it would be stretched over rows."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        super().__init__()
        self.w_in, self.w_rec = nn.Linear(n_in, n_hidden), nn.Linear(n_hidden, n_hidden)
        self.readout = nn.Linear(n_hidden, n_out)
        self.h0 = nn.Parameter(torch.zeros(n_hidden))

    def forward(self, x: Tensor, h0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = self.h0.expand(x.shape[0], -1) if h0 is None else h0
        states = []
        for step in range(x.shape[1]):
            h = 0.8 * h + 0.2 * torch.tanh(self.w_in(x[:, step]) + self.w_rec(h))
            states.append(h)
        hidden = torch.stack(states, dim=1)
        return self.readout(hidden), hidden


class TakesNoStateYet(_Layer):
    def forward(self, input_tensor: Tensor, hidden_state: Any = None) -> tuple[Tensor, Tensor]:
        if hidden_state is not None:
            raise NotImplementedError()
        h, outputs = self.zeros(input_tensor.size(0)), []
        for step in range(input_tensor.size(1)):
            h = self.cell(input_tensor[:, step], h)
            outputs.append(h)
        return torch.stack(outputs, 1), h


class RefusesImagesBeforeIt(nn.Module):
    """It takes a state and no other than None, for sequences of images: the way round all other tries is long."""

    def __init__(
        self, input_dim: int, hidden_dim: int, kernel_size: tuple[int, int], batch_first: bool = False
    ) -> None:
        super().__init__()
        self.hidden_dim, self.batch_first = hidden_dim, batch_first
        padding = kernel_size[0] // 2, kernel_size[1] // 2
        self.conv = nn.Conv2d(input_dim + hidden_dim, 4 * hidden_dim, kernel_size, padding=padding)

    def forward(self, input_tensor: Tensor, hidden_state: Any = None) -> Any:
        if not self.batch_first:
            input_tensor = input_tensor.permute(1, 0, 2, 3, 4)
        batch, steps, _, height, width = input_tensor.size()
        if hidden_state is not None:
            raise NotImplementedError()
        h = c = torch.zeros(batch, self.hidden_dim, height, width)
        outputs = []
        for t in range(steps):
            i, f, o, g = self.conv(torch.cat([input_tensor[:, t], h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return [torch.stack(outputs, 1)], [[h, c]]


class SeesTheStepBefore(nn.Module):
    """The last step hears of the one before it alone: no gradient is cut off that would lead further back."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.shift = nn.ZeroPad2d((0, 0, 1, -1))
        self.key = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.key(x + self.shift(x))


class SpikesWhenItIsLoud(nn.Module):
    """Ordinary inputs never reach its threshold, and what it loops over is made of its input."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.drive = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        current = self.drive(x)
        voltage = torch.zeros(current.shape[0], current.shape[2])
        spikes = []
        for t in range(current.shape[1]):
            voltage = 0.9 * voltage + 0.1 * current[:, t, :]
            spikes.append(voltage.gt(1.0).float())
        return torch.stack(spikes, dim=1)


class LengthsThatNothingReads(_Layer):
    def forward(self, inputs: Tensor, spans: Tensor, extents: Tensor) -> Tensor:
        h, outputs = self.zeros(inputs.size(0)), []
        for step in range(inputs.size(1)):
            h = self.cell(inputs[:, step], h)
            outputs.append(h)
        return torch.stack(outputs, 1)


class KeepsResultsForTheLoss(nn.Module):
    """What differs from call to call by chance is no memory."""

    def __init__(self, x_dim: int, z_dim: int = 16) -> None:
        super().__init__()
        self.rnn = nn.GRU(x_dim, z_dim)
        self.mean, self.out = nn.Linear(z_dim, z_dim), nn.Linear(z_dim, x_dim)

    def forward(self, x: Tensor) -> Tensor:
        h, _ = self.rnn(x)
        self.z_mean = self.mean(h)
        self.z = self.z_mean + torch.randn_like(self.z_mean)
        return self.out(self.z)


# Outputs that are no tensors.


class ActsByADistribution(nn.Module):
    def __init__(self, input_size: int, hidden_size: int, num_actions: int) -> None:
        super().__init__()
        self.rnn = nn.GRUCell(input_size, hidden_size)
        self.actor, self.critic = nn.Linear(hidden_size, num_actions), nn.Linear(hidden_size, 1)

    def forward(self, obs: Tensor, h: Tensor) -> tuple[Any, Tensor, Tensor]:
        h = self.rnn(obs, h)
        return [Categorical(logits=self.actor(h))], self.critic(h), h


class LatentModel(nn.Module):
    """(state, action, hidden, next observation) -> (prior, posterior, hidden): a state that only goes in."""

    def __init__(self, state_dim: int, action_dim: int, rnn_hidden_dim: int) -> None:
        super().__init__()
        self.inp = nn.Linear(state_dim + action_dim, rnn_hidden_dim)
        self.rnn = nn.GRUCell(rnn_hidden_dim, rnn_hidden_dim)
        self.prior, self.posterior = nn.Linear(rnn_hidden_dim, state_dim), nn.Linear(rnn_hidden_dim + 12, state_dim)

    def forward(self, state: Tensor, action: Tensor, rnn_hidden: Tensor, embedded_obs: Tensor) -> tuple[Any, ...]:
        rnn_hidden = self.rnn(torch.relu(self.inp(torch.cat([state, action], 1))), rnn_hidden)
        prior = Normal(self.prior(rnn_hidden), 1.0)
        posterior = Normal(self.posterior(torch.cat([rnn_hidden, embedded_obs], 1)), 1.0)
        return prior, posterior, rnn_hidden


# What else was taken for something that it is not.


class CallsItsPartsModules(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.rnn, self.fc = nn.GRUCell(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.modules = [self.fc]  # type: ignore[assignment]

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.fc(self.rnn(x, h))


class _Options:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"no such option: {name}")


class KeepsStrictOptions(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.options, self.rnn = _Options(), nn.GRUCell(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.rnn(x, h)


class AsWideAsItsInput(nn.Module):
    """A first state like the input asks for as many channels of both."""

    def __init__(self, in_channel: int, num_hidden: int, filter_size: int) -> None:
        super().__init__()
        self.x = nn.Conv2d(in_channel, num_hidden, filter_size, padding=filter_size // 2)
        self.h = nn.Conv2d(in_channel, num_hidden, filter_size, padding=filter_size // 2)

    def _init_state(self, inputs: Tensor) -> Tensor:
        return torch.zeros_like(inputs)

    def forward(self, x: Tensor, h_t: Tensor | None) -> Tensor:
        h_t = self._init_state(x) if h_t is None else h_t
        return torch.tanh(self.x(x) + self.h(h_t))


class NodesByTheirEmbeddings(nn.Module):
    """(batch, nodes, feature): what mixes are nodes, which no name tells."""

    def __init__(self, in_channels: int, out_channels: int, embed_dim: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.w = nn.Parameter(0.1 * torch.randn(embed_dim, in_channels + out_channels, out_channels))

    def forward(self, X: Tensor, E: Tensor, H: Tensor | None = None) -> Tensor:
        H = torch.zeros(X.shape[0], X.shape[1], self.out_channels) if H is None else H
        near = torch.softmax(torch.relu(E @ E.t()), 1)
        mixed = torch.einsum("nm,bmc->bnc", near, torch.cat([X, H], -1))
        return torch.tanh(torch.einsum("bni,nio->bno", mixed, torch.einsum("nd,dio->nio", E, self.w)))


class ReadsItsOptionsInTheStep(nn.Module):
    def __init__(self, input_shape: Any, args: Any) -> None:
        super().__init__()
        self.args = args
        self.rnn = nn.GRUCell(input_shape, args.rnn_hidden_dim)

    def forward(self, inputs: Tensor, hidden_state: Tensor) -> Tensor:
        return self.rnn(inputs, hidden_state.reshape(-1, self.args.rnn_hidden_dim))


class CutsItsComplexState(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.rate = nn.Parameter(0.5 * torch.randn(hidden_size, dtype=torch.complex64))
        self.inp = nn.Linear(input_size, hidden_size)

    def init_hidden(self, batch: int) -> Tensor:
        return torch.zeros(batch, self.inp.out_features, dtype=torch.complex64)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.rate * z.detach() + self.inp(x)  # expect: detached-state warning 0


class DiscreteOrNot(nn.Module):
    """An argument that is asked whether it is true is no tensor."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, last: Any) -> Tensor:
        h = self.cell(x, h.detach())  # expect: detached-state warning 0
        if h.requires_grad and not last:
            h.register_hook(lambda gradient: gradient.clamp(-1, 1))
        return h


class UnpacksOneAndReturnsItBare(_Layer):
    """The second step could not take apart what the first one gave."""

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        if state is None:
            h = self.zeros(x.shape[0])
        else:
            (h,) = state
        h = self.cell(x, h)
        return self.readout(h), h  # expect: wrong-state-structure
