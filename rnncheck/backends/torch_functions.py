"""Custom ``torch.autograd.Function`` by themselves: whether the backward is the derivative of the forward.

A backward that is another on purpose is none of our business: of a threshold, a rounding, a function that is flat or
has a jump or a corner somewhere, of the identity (reversed, clipped or scaled gradients), one that gives nothing, is
not linear in the gradient that it is given, or looks at what the forward does not.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import itertools
import statistics
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rnncheck.backends.base import Derivative, Tensor
from rnncheck.usercode.definitions import is_framework

PLAIN = (bool, int, float, str, type(None), torch.dtype, torch.device, torch.Size)
FUNCTIONS, CALLS, UNITS = 8, 2, 12
"""How many functions are tested, with the arguments of how many calls, at how many numbers of each argument."""
OFF = 0.05
"""By how much of the derivative a backward has to be off."""
ENOUGH = 3
"""At how many numbers."""
LINE, REACH, HALVINGS = 48, 3.0, 16
"""Points on a line through the arguments, how far it reaches, and how often the widest gap on it is halved."""


@dataclass(frozen=True)
class Call:
    """What a function was called with, and which of it had to be differentiated."""

    arguments: tuple[Any, ...]
    wanted: tuple[int, ...]


def met(targets: Iterable[Tensor]) -> tuple[type, ...]:
    """The functions, other than the framework's own, that lie on the way of the gradients."""
    others = set(torch.autograd.Function.__subclasses__()) - _theirs
    _theirs.update(function for function in others if not _own(function))
    if others <= _theirs:
        return ()
    waiting = [tensor.grad_fn for tensor in targets if tensor.grad_fn is not None]
    seen = set(waiting)
    found: dict[type, None] = {}
    while waiting:
        node = waiting.pop()
        function = getattr(type(node), "_forward_cls", None)
        if function is not None and _own(function):
            found[function] = None
        following = {following for following, _ in node.next_functions if following is not None} - seen
        seen |= following
        waiting += following
    return tuple(found)


_theirs: set[type] = set()
"""The frameworks' own, of which there are hundreds."""


def _own(function: type) -> bool:
    return not is_framework(function)


@contextlib.contextmanager
def calls_of(functions: Sequence[type]) -> Iterator[dict[type, list[Call]]]:
    """Within the block each call of the functions is noted, however it was named: ``apply`` looks for ``forward`` on
    the class."""
    found: dict[type, list[Call]] = {function: [] for function in functions}
    before = [(function, "forward" in vars(function), vars(function).get("forward")) for function in functions]
    try:
        for function in functions:
            function.forward = staticmethod(_noting(function, found[function]))  # type: ignore[attr-defined]
        yield found
    finally:
        for function, own, forward in before:
            if own:
                function.forward = forward  # type: ignore[attr-defined]
            else:
                del function.forward  # type: ignore[attr-defined]


def _noting(function: Any, calls: list[Call]) -> Callable[..., Any]:
    forward = function.forward
    first = int(not _sets_up(function))

    @functools.wraps(forward)
    def noting(*arguments: Any, **named: Any) -> Any:
        given = arguments[first:]
        wanted = tuple(index for index, value in enumerate(given) if _is_real(value) and value.requires_grad)
        kept = tuple(value.detach().clone() if isinstance(value, torch.Tensor) else value for value in given)
        if not named and wanted:
            calls.append(Call(kept, wanted))
        return forward(*arguments, **named)

    return noting


def _sets_up(function: Any) -> bool:
    return bool(function.setup_context is not torch.autograd.function._SingleLevelFunction.setup_context)


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def wrong(calls: dict[type, list[Call]]) -> list[Derivative]:
    """Those of the functions whose backward is not the derivative."""
    found = []
    for function in list(calls)[:FUNCTIONS]:
        gaps = [_gap(function, call) for call in calls[function][:CALLS]]
        if gaps and all(gap is not None for gap in gaps):
            path, line = _place(function)
            found.append(Derivative(function.__name__, max(gap for gap in gaps if gap is not None), path, line))
    return found


def _gap(function: Any, call: Call) -> float | None:
    """By how much of the derivative the backward is off; None where it is not, or may be meant."""
    if not all(_is_plain(value) for value in call.arguments):
        return None
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        for dtype in (torch.float64, torch.float32):
            arguments = [value.to(dtype) if _is_real(value) else value for value in call.arguments]
            try:
                return _Test(function, arguments, call.wanted, dtype).gap()
            except Exception:
                continue
    return None


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(part, PLAIN) for part in value)
    return isinstance(value, PLAIN) or (isinstance(value, torch.Tensor) and not value.is_complex())


class _Test:
    """One function at arguments of one call, by central differences."""

    def __init__(self, function: Any, arguments: list[Any], wanted: Sequence[int], dtype: torch.dtype) -> None:
        self.function, self.arguments, self.wanted = function, arguments, wanted
        self.fine = dtype == torch.float64
        self.steps = (1e-4, 3e-5) if self.fine else (2e-2, 1e-2)
        self.noise = torch.Generator().manual_seed(0)

    def gap(self) -> float | None:
        if not self._repeats() or self._jumps() or self._looks_elsewhere():
            return None
        gaps = []
        # Where it was called, and near there.
        for width in (0.0, 0.1, 0.3):
            arguments = [
                value * (1 + width * self._random(value)) if _is_real(value) else value for value in self.arguments
            ]
            gaps.append(self._gap_at(arguments))
            if gaps[-1] is None:
                return None
        return min(gap for gap in gaps if gap is not None)

    def _gap_at(self, arguments: list[Any]) -> float | None:
        outputs = self._forward(arguments)
        weights = [self._random(output).abs() + 0.5 for output in outputs]
        found = self._backward(arguments, weights)
        if not self._is_linear(arguments, weights, found):
            return None
        worst = 0.0
        for index, gradient in zip(self.wanted, found):
            if gradient is None or not gradient.any():
                continue
            gap = self._gap_of(arguments, index, weights, gradient)
            if gap is None:
                return None
            worst = max(worst, gap)
        return worst or None

    def _gap_of(self, arguments: list[Any], index: int, weights: list[Tensor], gradient: Tensor) -> float | None:
        """Zero where the backward is right for this argument; None where its derivative tells nothing, for it may be
        meant then."""
        size = arguments[index].numel()
        units = torch.randperm(size, generator=self.noise)[:UNITS].tolist()
        columns, gaps, ratios = [], [], []
        for unit in units:
            wide, narrow = (self._column(arguments, index, unit, step) for step in self.steps)
            scale = float(torch.cat([part.reshape(-1) for part in wide]).abs().max())
            given = float(gradient.reshape(-1)[unit])
            if scale == 0 and given != 0:
                return None  # It is flat there, and the gradient passes all the same.
            smooth = all(torch.allclose(one, other, rtol=1e-2, atol=1e-3 * scale) for one, other in zip(wide, narrow))
            if not smooth:
                return None
            if scale == 0:
                continue
            expected = float(sum((weight * part).sum() for weight, part in zip(weights, narrow)))
            columns.append(narrow)
            total = float(sum((weight * part).abs().sum() for weight, part in zip(weights, narrow)))
            if abs(expected) > 0.1 * total:
                gaps.append(abs(given - expected) / abs(expected))
                ratios.append(given / expected)
        if sum(gap > OFF for gap in gaps) < max(ENOUGH, len(gaps) // 3):
            return 0.0
        if max(ratios) - min(ratios) < OFF * max(map(abs, ratios)) and self._is_straight(columns):
            return 0.0  # The gradient of a linear function, reversed or scaled.
        return statistics.median(gap for gap in gaps if gap > OFF)

    def _is_straight(self, columns: list[list[Tensor]]) -> bool:
        """Whether each number has one and the same effect."""
        sizes = [float(max(part.abs().max() for part in column)) for column in columns]
        return max(sizes) - min(sizes) < OFF * max(sizes)

    def _forward(self, arguments: list[Any]) -> list[Tensor]:
        with torch.no_grad():
            given = [value.clone() if isinstance(value, torch.Tensor) else value for value in arguments]
            outputs = self.function.apply(*given)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        return [output for output in outputs if _is_real(output)]

    def _backward(self, arguments: list[Any], weights: list[Tensor]) -> list[Tensor | None]:
        leaves = {index: arguments[index].detach().clone().requires_grad_() for index in self.wanted}
        given = [
            leaves[index].clone() if index in leaves else value.clone() if isinstance(value, torch.Tensor) else value
            for index, value in enumerate(arguments)
        ]
        outputs = self.function.apply(*given)
        outputs = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        pairs = [pair for pair in zip([one for one in outputs if _is_real(one)], weights) if pair[0].requires_grad]
        ends, given_weights = [output for output, _ in pairs], [weight for _, weight in pairs]
        return list(torch.autograd.grad(ends, list(leaves.values()), given_weights, allow_unused=True))

    def _column(self, arguments: list[Any], index: int, unit: int, step: float) -> list[Tensor]:
        sides = []
        for sign in (1, -1):
            value = arguments[index].clone()
            value.view(-1)[unit] += sign * step
            sides.append(self._forward([*arguments[:index], value, *arguments[index + 1 :]]))
        return [(right - left) / (2 * step) for right, left in zip(*sides)]

    def _is_linear(self, arguments: list[Any], weights: list[Tensor], found: list[Tensor | None]) -> bool:
        """Whether the backward only multiplies: one that clips, normalises or looks at signs does so on purpose."""
        for factor in (1e-3, -1.0, 100.0):
            again = self._backward(arguments, [factor * weight for weight in weights])
            for one, other in zip(found, again):
                if (one is None) != (other is None):
                    return False
                if one is not None and other is not None and not torch.allclose(other, factor * one, rtol=1e-2):
                    return False
        return True

    def _repeats(self) -> bool:
        """Whether the same arguments give the same numbers, whatever the random numbers and what was run before."""
        runs = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            runs.append(self._forward(self.arguments))
        return bool(runs[0]) and all(torch.equal(one, other) for one, other in zip(*runs))

    def _jumps(self) -> bool:
        """Whether it has a jump, a corner or a flat piece on a line through the arguments."""
        sizes = [output.numel() for output in self._forward(self.arguments)]
        for _ in range(2):
            ways = [self._way(value) if _is_real(value) else None for value in self.arguments]

            def at(place: float, ways: Sequence[Any] = ways) -> Tensor:
                moved = [value if way is None else value + place * way for value, way in zip(self.arguments, ways)]
                return torch.cat([output.reshape(-1) for output in self._forward(moved)])

            places = torch.linspace(-REACH, REACH, LINE).tolist()
            values = torch.stack([at(place) for place in places])
            if not torch.isfinite(values).all():
                continue
            slopes = values.diff(dim=0)
            bends = slopes.diff(dim=0).abs()
            # A unit that stands quite still on one piece of the line and moves on another, or a whole output that does.
            still = slopes == 0
            if (still.any(0) & ~still.all(0)).any() or any(part.all() for part in still.split(sizes, 1)):
                return True
            for unit in bends.max(0).values.topk(min(3, bends.shape[1])).indices.tolist():
                first = int(bends[:, unit].argmax())
                one = functools.partial(_unit, at, unit)
                if not _is_smooth(one, places[first], places[first + 2]):
                    return True
        return False

    def _looks_elsewhere(self) -> bool:
        """Whether the backward depends on a tensor that the forward does not take notice of."""
        outputs = self._forward(self.arguments)
        weights = [torch.ones_like(output) for output in outputs]
        found = self._backward(self.arguments, weights)
        for index, value in enumerate(self.arguments):
            if not _is_real(value):
                continue
            others = [*self.arguments[:index], value + self._random(value), *self.arguments[index + 1 :]]
            if all(torch.equal(one, other) for one, other in zip(outputs, self._forward(others))):
                again = self._backward(others, weights)
                pairs = [(one, other) for one, other in zip(found, again) if one is not None and other is not None]
                if any(not torch.equal(one, other) for one, other in pairs):
                    return True
        return False

    def _way(self, value: Tensor) -> Tensor:
        return self._random(value) * max(1.0, float(value.abs().mean()) if value.numel() else 1.0)

    def _random(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.noise, dtype=like.dtype)


def _unit(at: Callable[[float], Tensor], unit: int, place: float) -> float:
    return float(at(place)[unit])


def _is_smooth(value: Callable[[float], float], left: float, right: float) -> bool:
    """Whether the bend within a piece of the line vanishes faster than the piece, as it is halved around it."""
    bends = []
    for _ in range(HALVINGS):
        middle = (left + right) / 2
        quarters = [left, (left + middle) / 2, middle, (middle + right) / 2, right]
        values = [value(place) for place in quarters]
        slopes = [(after - before) / ((right - left) / 4) for before, after in itertools.pairwise(values)]
        changes = [abs(after - before) for before, after in itertools.pairwise(slopes)]
        bends.append(max(changes))
        at = changes.index(max(changes))
        left, right = quarters[at], quarters[at + 2]
        if right - left < 1e-3:
            break
    return bends[-1] <= 0.25 * bends[0] or bends[-1] < 1e-6


def _place(function: Any) -> tuple[str | None, int | None]:
    """The file, and the line of the last return statement of the backward."""
    backward = inspect.unwrap(function.backward)
    try:
        lines, first = inspect.getsourcelines(backward)
        tree = ast.parse(textwrap.dedent("".join(lines)))
        path = inspect.getsourcefile(backward)
    except (OSError, TypeError, SyntaxError):
        return None, None
    returns = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    return path, first + max(returns, default=1) - 1
