"""Cells made up at random, healthy or with one defect of which slot and line are known, as files of their own.

What is drawn: the framework's dialect, how many slots a state has, of which structure and names, where the step takes
it and gives it back, how each slot is updated, how sizes are called, and the defect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cases import seen
from hypothesis import assume
from hypothesis import strategies as st

import rnncheck

# How a framework spells what a cell is made of


@dataclass(frozen=True)
class Dialect:
    """``layer`` is filled with the widths that go in and come out, all others with values."""

    backend: str
    imports: str
    base: str
    method: str
    sizes: tuple[tuple[str, ...], ...]
    layer: str
    functions: str
    join: str
    chunk: str
    zeros: str
    detach: str
    structures: tuple[str, ...]
    rows: tuple[str, ...]
    double: str
    norm: str
    cells: tuple[str, str] | None
    undefined: tuple[str, ...]
    image: bool = False

    def tanh(self, value: str) -> str:
        return f"{self.functions}.tanh({value})"

    def sigmoid(self, value: str) -> str:
        return f"{self.functions}.sigmoid({value})"

    def cat(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else self.join.format(", ".join(parts))


TORCH = Dialect(
    backend="torch",
    imports="from dataclasses import dataclass\nfrom typing import NamedTuple\n\nimport torch\nfrom torch import Tensor, nn\n",
    base="nn.Module",
    method="forward",
    sizes=(("input_size", "hidden_size"), ("in_features", "hidden_dim"), ("input_dim", "units"), ("n_in", "n_hidden")),
    layer="nn.Linear({0}, {1})",
    functions="torch",
    join="torch.cat([{}], dim=1)",
    chunk="{}.chunk({}, dim=1)",
    zeros="torch.zeros_like({})",
    detach="{}.detach()",
    structures=("bare", "spread", "tuple", "list", "nested", "dict", "named", "dataclass"),
    rows=("{0} - {0}.mean(0, keepdim=True)", "0.5 * {0} + 0.1 * {0}.sum(0)", "torch.roll({0}, 1, 0)", "{0} * torch.softmax({0}, dim=0)"),
    double="{}.double()",
    norm="nn.LayerNorm({})",
    cells=("nn.GRUCell({0}, {1})", "nn.LSTMCell({0}, {1})"),
    undefined=("torch.sqrt({})", "torch.log({})", "{0} / ({0} - {0})"),
)  # fmt: skip
IMAGES = replace(
    TORCH,
    sizes=(("in_channels", "hidden_channels"), ("input_channels", "hidden_dim"), ("in_channels", "out_channels")),
    layer="nn.Conv2d({0}, {1}, 3, padding=1)",
    norm="nn.GroupNorm(1, {})",
    cells=None,
    image=True,
)  # fmt: skip
KERAS = Dialect(
    backend="tf",
    imports="import tensorflow as tf\nfrom keras import layers, ops\n",
    base="layers.Layer",
    method="call",
    sizes=(("units",), ("hidden_size",), ("hidden_dim",)),
    layer="layers.Dense({1}, bias_initializer='random_normal')",
    functions="ops",
    join="ops.concatenate([{}], axis=-1)",
    chunk="ops.split({}, {}, axis=-1)",
    zeros="ops.zeros_like({})",
    detach="ops.stop_gradient({})",
    structures=("list", "tuple"),
    rows=(
        "{0} - ops.mean({0}, axis=0, keepdims=True)",
        "0.5 * {0} + 0.1 * ops.sum({0}, axis=0)",
        "ops.roll({0}, 1, axis=0)",
    ),
    double="ops.cast({}, 'float64')",
    norm="layers.LayerNormalization()",
    cells=("layers.GRUCell({1})", "layers.LSTMCell({1})"),
    undefined=("ops.sqrt({})", "ops.log({})", "{0} / ({0} - {0})"),
)
MODULE = replace(
    KERAS,
    base="tf.Module",
    method="__call__",
    functions="tf",
    join="tf.concat([{}], axis=-1)",
    chunk="tf.split({}, {}, axis=-1)",
    zeros="tf.zeros_like({})",
    detach="tf.stop_gradient({})",
    structures=("bare", "spread", "tuple", "list", "dict", "nested"),
    rows=("{0} - tf.reduce_mean({0}, axis=0, keepdims=True)", "0.5 * {0} + 0.1 * tf.reduce_sum({0}, axis=0)", "tf.roll({0}, 1, axis=0)"),
    double="tf.cast({}, tf.float64)",
    undefined=("tf.sqrt({})", "tf.math.log({})", "{0} / ({0} - {0})"),
)  # fmt: skip
DIALECTS = {"torch": (TORCH, TORCH, TORCH, IMAGES), "tf": (KERAS, KERAS, MODULE)}


# What is made


@dataclass(frozen=True)
class Line:
    """A line of the step; ``fault`` where a finding may point at it."""

    text: str
    fault: bool = False


@dataclass(frozen=True)
class Slot:
    """A part of the state: its old value's name, its new value's, and the width of a row."""

    old: str
    new: str
    width: str


@dataclass(frozen=True)
class Expected:
    """The one finding that has to be there, at any of these slots."""

    rule: str
    severities: tuple[str, ...]
    slots: tuple[int | None, ...]


@dataclass(frozen=True)
class Generated:
    """A file with one class, ``Cell``, and what is to be said of it; nothing where it is healthy."""

    source: str
    backend: str
    expected: Expected | None
    lines: frozenset[int]

    def __str__(self) -> str:
        lines = enumerate(self.source.splitlines(), 1)
        return "\n".join([f"{self.expected}", *(f"{line}  # <-" if at in self.lines else line for at, line in lines)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@dataclass
class Draft:
    """A cell that is being written."""

    dialect: Dialect
    slots: list[Slot]
    structure: str
    input: str
    state: str
    sizes: tuple[str, ...]
    layers: list[str] = field(default_factory=list)
    ahead: list[Line] = field(default_factory=list)
    updates: list[Line] = field(default_factory=list)
    last: list[Line] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    fault_on_return: bool = False

    @property
    def hidden(self) -> str:
        return self.sizes[-1]

    def layer(self, name: str, into: Sequence[str], out: str) -> str:
        """A new layer of the constructor; how it is called in the step."""
        self.layers.append(f"self.{name} = {self.dialect.layer.format(' + '.join(into), out)}")
        return f"self.{name}"


# How a slot is updated. ``old`` is its old value, as it is spelled, and ``drive`` what comes from elsewhere.

Update = Callable[[Draft, Slot, str, Sequence[str], Sequence[str]], list[str]]


def elman(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    into, back = (
        draft.layer(f"in_{slot.old}", widths, slot.width),
        draft.layer(f"rec_{slot.old}", [slot.width], slot.width),
    )
    return [f"{slot.new} = {d.tanh(f'{into}({d.cat(drive)}) + {back}({old})')}"]


def concatenating(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    mix = draft.layer(f"mix_{slot.old}", [*widths, slot.width], slot.width)
    return [f"{slot.new} = {d.tanh(f'{mix}({d.cat([*drive, old])})')}"]


def gru(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    gates = draft.layer(f"gates_{slot.old}", [*widths, slot.width], f"2 * ({slot.width})")
    candidate = draft.layer(f"cand_{slot.old}", [*widths, slot.width], slot.width)
    reset = f"r * {old}"
    return [
        f"z, r = {d.chunk.format(d.sigmoid(f'{gates}({d.cat([*drive, old])})'), 2)}",
        f"n = {d.tanh(f'{candidate}({d.cat([*drive, reset])})')}",
        f"{slot.new} = z * {old} + (1 - z) * n",
    ]


def leaky(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    into = draft.layer(f"in_{slot.old}", widths, slot.width)
    return [f"{slot.new} = 0.8 * {old} + 0.2 * {d.tanh(f'{into}({d.cat(drive)})')}"]


def gated(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    gate, into = draft.layer(f"gate_{slot.old}", widths, slot.width), draft.layer(f"in_{slot.old}", widths, slot.width)
    return [
        f"gate = {d.sigmoid(f'{gate}({d.cat(drive)})')}",
        f"candidate = {d.tanh(f'{into}({d.cat(drive)})')}",
        f"{slot.new} = gate * {old} + (1 - gate) * candidate",
    ]


def euler(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    into, back = (
        draft.layer(f"in_{slot.old}", widths, slot.width),
        draft.layer(f"rec_{slot.old}", [slot.width], slot.width),
    )
    return [
        f"target = {d.tanh(f'{into}({d.cat(drive)}) + {back}({old})')}",
        f"{slot.new} = {old} + 0.3 * (target - {old})",
    ]


def normed(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    into, back = (
        draft.layer(f"in_{slot.old}", widths, slot.width),
        draft.layer(f"rec_{slot.old}", [slot.width], slot.width),
    )
    draft.layers.append(f"self.norm_{slot.old} = {d.norm.format(slot.width)}")
    return [
        f"pre = {into}({d.cat(drive)}) + {back}({old})",
        f"{slot.new} = {d.tanh(f'self.norm_{slot.old}(pre)')}",
    ]


def framework_gru(draft: Draft, slot: Slot, old: str, drive: Sequence[str], widths: Sequence[str]) -> list[str]:
    d = draft.dialect
    if d.cells is None:
        return gru(draft, slot, old, drive, widths)
    draft.layers.append(f"self.cell_{slot.old} = {d.cells[0].format(' + '.join(widths), slot.width)}")
    if d.backend == "torch":
        return [f"{slot.new} = self.cell_{slot.old}({d.cat(drive)}, {old})"]
    return [f"{slot.new}, _ = self.cell_{slot.old}({d.cat(drive)}, [{old}])"]


UPDATES: tuple[Update, ...] = (elman, concatenating, gru, leaky, gated, euler, normed, framework_gru)
GATED: tuple[Update, ...] = (gru, leaky, gated)


def lstm(
    draft: Draft, slots: Sequence[Slot], olds: Sequence[str], drive: Sequence[str], widths: Sequence[str], whole: bool
) -> list[str]:
    """The update of two slots of one width, the hidden state and the cell state; ``whole`` by the framework's cell."""
    d, (hidden, cell), (h, c) = draft.dialect, slots, olds
    if d.cells is not None and whole:
        draft.layers.append(f"self.lstm_{hidden.old} = {d.cells[1].format(' + '.join(widths), hidden.width)}")
        if d.backend == "torch":
            return [f"{hidden.new}, {cell.new} = self.lstm_{hidden.old}({d.cat(drive)}, ({h}, {c}))"]
        return [f"_, ({hidden.new}, {cell.new}) = self.lstm_{hidden.old}({d.cat(drive)}, [{h}, {c}])"]
    gates = draft.layer(f"gates_{hidden.old}", [*widths, hidden.width], f"4 * ({hidden.width})")
    return [
        f"i, f, g, o = {d.chunk.format(f'{gates}({d.cat([*drive, h])})', 4)}",
        f"{cell.new} = {d.sigmoid('f')} * {c} + {d.sigmoid('i')} * {d.tanh('g')}",
        f"{hidden.new} = {d.sigmoid('o')} * {d.tanh(cell.new)}",
    ]


# How a state is taken apart and put together


def _grouped(structure: str, names: Sequence[str]) -> str:
    if structure == "nested":
        head, last = names[:-1], names[-1]
        return f"({', '.join(head)}{',' if len(head) == 1 else ''}), {last}"
    return f"{names[0]}," if len(names) == 1 else ", ".join(names)


def taken(draft: Draft, by_index: bool) -> list[str]:
    """The lines that give the old values their names."""
    names = [slot.old for slot in draft.slots]
    state = draft.state
    if draft.structure in ("bare", "spread"):
        return []
    parts = [f'{state}["{name}"]' if draft.structure == "dict" else f"{state}.{name}" for name in names]
    if draft.structure in ("dict", "named", "dataclass"):
        return [f"{', '.join(names)} = {', '.join(parts)}"]
    if by_index and draft.structure in ("tuple", "list"):
        return [f"{name} = {state}[{index}]" for index, name in enumerate(names)]
    left = _grouped(draft.structure, names)
    return [f"({left}) = {state}" if len(names) == 1 else f"{left} = {state}"]


def together(draft: Draft, values: Sequence[str]) -> str:
    """The state that is made of these values."""
    if draft.structure == "bare":
        return values[0]
    if draft.structure == "spread":
        return ", ".join(values)
    if draft.structure == "list":
        return f"[{', '.join(values)}]"
    if draft.structure == "dict":
        return "{" + ", ".join(f'"{slot.old}": {value}' for slot, value in zip(draft.slots, values)) + "}"
    if draft.structure in ("named", "dataclass"):
        return f"Memory({', '.join(values)})"
    return f"({_grouped(draft.structure, values)})"


# Defects. Each breaks a draft at a slot, and tells what is expected; None where it has no place in such a cell.

Defect = Callable[[Draft, int, Callable[[Sequence[Any]], Any]], Expected | None]
ERROR, WARNING = ("error",), ("warning",)


def returned_old(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    if draft.slots[slot].new == draft.slots[slot].old:
        return None
    draft.returned[slot] = draft.slots[slot].old
    draft.fault_on_return = True
    return Expected("returned-old-state", ERROR, (slot,))


def recurrence_dropped(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    old = draft.slots[slot].old
    draft.ahead.append(Line(f"{old} = {draft.dialect.zeros.format(old)}", fault=True))
    return Expected("ignored-recurrence", ERROR if len(draft.slots) == 1 else WARNING, (slot,))


def all_recurrence_dropped(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    for part in draft.slots:
        draft.ahead.append(Line(f"{part.old} = {draft.dialect.zeros.format(part.old)}", fault=True))
    return Expected("ignored-recurrence", ERROR, (None, *range(len(draft.slots))))


def input_dropped(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    blank = choose([draft.dialect.zeros.format(draft.input), f"0.0 * {draft.input}", f"{draft.input} - {draft.input}"])
    draft.ahead.append(Line(f"{draft.input} = {blank}", fault=True))
    return Expected("ignored-input", ERROR, (None,))


def detached(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    inwards, name = choose([(True, part.old), (False, part.new)])
    line = Line(f"{name} = {draft.dialect.detach.format(name)}", fault=True)
    (draft.ahead if inwards else draft.last).append(line)
    return Expected("detached-state", WARNING, (slot,))


def half_frozen(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    if part.new == part.old:
        return None
    some, rest = choose([("[:, :3]", "[:, 3:]"), ("[:, :2]", "[:, 2:]")])
    halves = choose([[f"{part.new}{some}", f"{part.old}{rest}"], [f"{part.old}{some}", f"{part.new}{rest}"]])
    draft.last.append(Line(f"{part.new} = {draft.dialect.cat(halves)}", fault=True))
    return Expected("partial-freeze", ERROR, (slot,))


def rows_mixed(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    draft.last.append(Line(f"{part.new} = {choose(draft.dialect.rows).format(part.new)}", fault=True))
    return Expected("batch-leak", ERROR, (None, *range(len(draft.slots))))


def mutated(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    if draft.dialect.backend == "torch":
        change = choose(["{0} *= 0.9", "{0}.mul_(0.9)", "{0}.add_(0.1)", "{0} -= 0.1", "{0}[:, 0::2] = 1.0"])
        draft.ahead.append(Line(change.format(part.old), fault=True))
        return Expected("mutated-state", ERROR, (slot,))
    if draft.structure not in ("list", "dict"):
        return None
    key = f'"{part.old}"' if draft.structure == "dict" else str(slot)
    draft.last.append(Line(f"{draft.state}[{key}] = {part.new}", fault=True))
    if draft.dialect.base == "layers.Layer":
        # Keras hands its layers containers of its own, and when it drives a cell it hands it a tuple.
        return Expected("graph-mismatch", ERROR, (None,))
    return Expected("mutated-state", WARNING, (slot,))


def leaked(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part, tanh = draft.slots[slot], draft.dialect.tanh
    if draft.dialect.backend == "torch":
        start, write = choose([("0.0", f"{part.new}.detach()"), ("0.0", "0.5 * self.trace + 0.5")])
        draft.attributes.append(f"self.trace = {start}")
        draft.last += [
            Line(f"{part.new} = {tanh(f'{part.new} + 0.5 * self.trace')}"),
            Line(f"self.trace = {write}", fault=True),
        ]
    else:
        draft.attributes.append("self.trace = tf.Variable(0.0, trainable=False)")
        write = choose(["self.trace.assign_add(1.0)", "self.trace.assign(0.5 * self.trace + 0.5)"])
        draft.last += [Line(f"{part.new} = {tanh(f'{part.new} + 0.5 * self.trace')}"), Line(write, fault=True)]
    return Expected("leaked-state", ERROR, (None, *range(len(draft.slots))))


def undefined(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    draft.last.append(Line(f"{part.new} = {choose(draft.dialect.undefined).format(part.new)}", fault=True))
    return Expected("nonfinite-state", ERROR, (slot,))


def swapped(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    others = [
        index for index, part in enumerate(draft.slots) if index != slot and part.width == draft.slots[slot].width
    ]
    if not others:
        return None
    other = choose(others)
    draft.returned[slot], draft.returned[other] = draft.returned[other], draft.returned[slot]
    draft.fault_on_return = True
    # Whoever passes each by itself may know of the order.
    return Expected("swapped-states", WARNING if draft.structure == "spread" else ERROR, (None, slot, other))


def multiplied(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    """A slot that is only ever multiplied stays at zero."""
    part, d = draft.slots[slot], draft.dialect
    if part.new == part.old:
        return None
    draft.last.append(Line(f"{part.new} = {part.old} * {d.sigmoid(part.new)}", fault=True))
    return Expected("unchanged-initial-state", ("error", "warning"), (slot,))


def widened(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    """Widened as it is put into the state: a layer of the step would refuse it."""
    part = draft.slots[slot]
    wide = draft.dialect.double.format(part.new)
    if choose([True, False]):
        draft.returned[slot] = wide
        draft.fault_on_return = True
    else:
        draft.last.append(Line(f"wide = {wide}", fault=True))
        draft.returned[slot] = "wide"
    return Expected("state-dtype-mismatch", ERROR, (slot,))


def exploding(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    part = draft.slots[slot]
    if part.new == part.old:
        return None
    draft.last.append(Line(f"{part.new} = {choose(['1.5', '2.0'])} * {part.old} + {part.new}", fault=True))
    return Expected("exploding-state", WARNING, (slot,))


def idle(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    """A layer of which nothing is used. Layers of Keras in a plain ``tf.Module`` are not looked into."""
    if draft.dialect.base == "tf.Module":
        return None
    part = draft.slots[slot]
    draft.last.append(Line(f"score = {draft.layer('score', [part.width], '4')}({part.new})", fault=True))
    return Expected("unused-weight", WARNING, (None,))


def part_lost(draft: Draft, slot: int, choose: Callable[[Sequence[Any]], Any]) -> Expected | None:
    # Where nothing but the cell's own code says what its state is, what comes back may be read in another way.
    if len(draft.slots) == 1 or draft.dialect.base != "layers.Layer":
        return None
    del draft.returned[slot]
    draft.fault_on_return = True
    return Expected("wrong-state-structure", ERROR, (None,))


DEFECTS: dict[str, Defect] = {
    "returned old": returned_old,
    "recurrence dropped": recurrence_dropped,
    "all recurrence dropped": all_recurrence_dropped,
    "input dropped": input_dropped,
    "detached": detached,
    "half frozen": half_frozen,
    "rows mixed": rows_mixed,
    "mutated": mutated,
    "leaked": leaked,
    "undefined": undefined,
    "swapped": swapped,
    "multiplied": multiplied,
    "widened": widened,
    "exploding": exploding,
    "idle": idle,
    "part lost": part_lost,
}
ELSEWHERE = {("part lost", "torch")}

# The whole

SLOTS = ("h", "c", "m", "v", "trace", "fast", "slow", "mem", "s")
INPUTS = ("x", "inputs", "inp", "x_t", "obs", "input")
STATES = ("state", "states", "hx", "hidden", "carry", "prev_state")
BARE = ("h", "hx", "hidden", "state", "h_prev", "mem")
NEWS = ("{}_new", "new_{}", "{}_t", "next_{}", "{}")


@st.composite
def generated(draw: st.DrawFn, backend: str, defect: str | None) -> Generated:
    """A cell of the backend, with the defect or healthy."""
    dialect = draw(st.sampled_from(DIALECTS[backend]))

    def choose(options: Sequence[Any]) -> Any:
        return draw(st.sampled_from(list(options)))

    count = draw(st.integers(2 if defect in ("swapped", "part lost") else 1, 3))
    fitting = [name for name in dialect.structures if name not in (("spread", "nested") if count == 1 else ("bare",))]
    structure = choose(fitting)
    sizes = choose(dialect.sizes)
    names = (
        [choose(BARE)]
        if structure == "bare"
        else draw(st.lists(st.sampled_from(SLOTS), min_size=count, max_size=count, unique=True))
    )
    keep = defect in ("returned old", "half frozen", "multiplied", "swapped", "exploding")
    spelled = choose(NEWS[:-1] if keep else NEWS)
    provided = dialect.base != "layers.Layer" and (
        draw(st.booleans()) or structure in ("list", "tuple", "nested", "dict") or defect in ("undefined", "widened")
    )
    wide = (provided or dialect.base == "layers.Layer") and defect != "swapped" and draw(st.booleans())
    is_lstm = count > 1 and draw(st.booleans())
    slots = [
        Slot(
            name,
            spelled.format(name),
            f"2 * {sizes[-1]}" if wide and index == count - 1 and not (is_lstm and count == 2) else sizes[-1],
        )
        for index, name in enumerate(names)
    ]
    draft = Draft(dialect, slots, structure, choose(INPUTS), choose(STATES), sizes)
    draft.returned = [slot.new for slot in slots]

    previous: list[tuple[str, str]] = []
    index = 0
    while index < count:
        chained = previous[-1:] if previous and draw(st.booleans()) else []
        drive = [draft.input, *(value for value, _ in chained)]
        widths = [sizes[0], *(width for _, width in chained)]
        if is_lstm and index == 0:
            pair = slots[:2]
            lines = lstm(draft, pair, [slot.old for slot in pair], drive, widths, draw(st.booleans()))
            index += 2
        else:
            pair = [slots[index]]
            update = choose(GATED if defect == "swapped" else UPDATES)
            lines = update(draft, slots[index], slots[index].old, drive, widths)
            index += 1
        draft.updates += map(Line, lines)
        previous += [(slot.new, slot.width) for slot in pair]

    expected = DEFECTS[defect](draft, draw(st.integers(0, count - 1)), choose) if defect else None
    # Some defects have no place in some cells.
    assume(defect is None or expected is not None)
    return _written(draft, expected, provided, choose)


def _written(
    draft: Draft, expected: Expected | None, provided: bool, choose: Callable[[Sequence[Any]], Any]
) -> Generated:
    dialect, slots = draft.dialect, draft.slots
    state_first = choose([False, False, True]) and dialect.base != "layers.Layer"
    if dialect.base == "layers.Layer":
        form = "output first"
    else:
        form = "state first" if state_first else choose(["output first", "state alone"])
    separate = form == "state first" or (form == "output first" and choose([True, False]))
    if separate:
        draft.layers.append(f"self.readout = {dialect.layer.format(slots[0].width, '3')}")
    output = f"self.readout({slots[0].new})" if separate else slots[0].new
    state = together(draft, draft.returned)
    before: list[Line] = []
    if draft.structure not in ("bare", "spread") and choose([True, False]):
        before.append(Line(f"after = {state}", draft.fault_on_return))
        state = "after"
    if form == "state alone":
        value = state
    elif form == "state first":
        value = f"{state}, {output}"
    else:
        value = f"{output}, {state}"
    step = [
        *map(Line, taken(draft, choose([True, False]))),
        *draft.ahead,
        *draft.updates,
        *draft.last,
        *before,
        Line(f"return {value}", draft.fault_on_return),
    ]
    passed = [slot.old for slot in slots] if draft.structure in ("bare", "spread") else [draft.state]
    annotation = ": Memory" if draft.structure in ("named", "dataclass") else ""
    parameters = [*passed, draft.input] if state_first else [draft.input, *passed]
    parameters = [f"{name}{annotation if name == draft.state else ''}" for name in parameters]
    text = [*dialect.imports.splitlines(), ""]
    if draft.structure == "named":
        text += ["", "class Memory(NamedTuple):", *(f"    {slot.old}: Tensor" for slot in slots), ""]
    if draft.structure == "dataclass":
        text += ["", "@dataclass", "class Memory:", *(f"    {slot.old}: Tensor" for slot in slots), ""]
    further = ", **kwargs" if dialect.base == "layers.Layer" else ", name=None" if dialect.base == "tf.Module" else ""
    up = {"layers.Layer": "**kwargs", "tf.Module": "name=name"}.get(dialect.base, "")
    text += ["", f"class Cell({dialect.base}):"]
    text += [f"    def __init__(self, {', '.join(draft.sizes)}{further}):", f"        super().__init__({up})"]
    text += [f"        self.{name} = {name}" for name in draft.sizes]
    if dialect.base == "layers.Layer":
        widths = [slot.width for slot in slots]
        alone = len(widths) == 1 and choose([True, False])
        text.append(f"        self.state_size = {widths[0] if alone else '[' + ', '.join(widths) + ']'}")
    text += [f"        {line}" for line in (*draft.layers, *draft.attributes)]
    if provided:
        text += ["", *_provider(draft)]
    text += ["", f"    def {dialect.method}(self, {', '.join(parameters)}):"]
    lines = frozenset(number for number, line in enumerate(step, len(text) + 1) if line.fault)
    text += [f"        {line.text}" for line in step]
    return Generated("\n".join(text) + "\n", dialect.backend, expected, lines)


def _provider(draft: Draft) -> list[str]:
    """The method that makes the first state."""
    widths = [slot.width.replace(draft.hidden, f"self.{draft.hidden}") for slot in draft.slots]
    if draft.dialect.backend == "tf":
        made = [f"tf.zeros([batch_size, {width}])" for width in widths]
        return ["    def zero_state(self, batch_size):", f"        return {together(draft, made)}"]
    image = ", *image_size" if draft.dialect.image else ""
    made = [f"torch.zeros(batch_size, {width}{image})" for width in widths]
    parameters = "batch_size, image_size" if image else "batch_size"
    return [f"    def init_hidden(self, {parameters}):", f"        return {together(draft, made)}"]


# What is said of it


def defects(backend: str) -> list[str]:
    """The defects that a backend's cells may have."""
    return [name for name in DEFECTS if (name, backend) not in ELSEWHERE]


def as_told(cell: Generated, folder: Path) -> None:
    """rnncheck says of the cell what is to be said of it, and nothing else."""
    path = folder / f"cell_{hashlib.sha1(cell.source.encode()).hexdigest()[:12]}.py"
    path.write_text(cell.source, encoding="utf-8")
    report = rnncheck.check(f"{path}:Cell", backend=cell.backend)
    (result,) = report.results
    assert result.error is None, result.error
    assert not [outcome for outcome in result.outcomes if outcome.outcome == "crashed"]
    found = seen(result)
    if cell.expected is None:
        assert found == []
        return
    assert [rule for rule, *_ in found] == [cell.expected.rule], found
    ((_, line, severity, slot),) = found
    assert severity in cell.expected.severities, found
    assert line in cell.lines, found
    assert slot in cell.expected.slots, found
    assert report.exit_status() == (severity == "error")
