"""What the running method computed and dropped: its locals, told apart by what they depend on.

A local variable is a new value of a slot when it has the slot's shape, changes with the slot and with the
input, and is not a mere multiple of the slot. Found by running one step again with one thing changed.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Held, numpy_dtype
from rnncheck.experiments import readouts
from rnncheck.experiments.probes import Lab, Probe, other_rows
from rnncheck.running.capture import METHOD, Binding, Key, Return, holds
from rnncheck.running.unroll import Run, State, Step, different
from rnncheck.trace import Computed, Initial, Retyped, Span
from rnncheck.usercode import source
from rnncheck.usercode.definitions import words

FAR = 10
"""How far another value of a slot may lie."""


@dataclass(frozen=True)
class _Paired:
    """One step, and the same step with one thing changed."""

    base: Step
    by_slot: Step
    far_by_slot: Step
    by_input: Step
    from_zero: Step
    from_zero_by_input: Step
    by_the_rest: Step
    from_zero_by_the_rest: Step


def dropped(lab: Lab, main: Run, probe: Probe, slot: int, path: str | None) -> tuple[Computed, ...]:
    """Locals of the slot's shape that were not returned as state, in the order in which they were computed."""

    def step(x: Array, value: Array, start: State = probe.start) -> Step:
        return lab.run(x[None], start.with_slot(slot, value), record=True).steps[0]

    rest = State(probe.start.structure, probe.others)
    x, other_x = probe.inputs[0], other_rows(probe.inputs[0])
    value, zero = probe.start.arrays[slot], np.zeros_like(probe.start.arrays[slot])
    pairs = _Paired(
        step(x, value),
        step(x, probe.others[slot]),
        step(x, _far(probe.others[slot])),
        step(other_x, value),
        step(x, zero),
        step(other_x, zero),
        step(x, value, rest),
        step(x, zero, rest),
    )
    found: list[Computed] = []
    seen: set[int] = set()
    bindings, called = _bindings(pairs.base), lab.bound.convention.state.names()[slot]
    home = pairs.base.recording.step if pairs.base.recording else METHOD
    at_home = {id(binding.value) for binding in bindings.values() if binding.frame == home}
    own = {id(binding.value): key for key, binding in bindings.items() if binding.name == called}
    for key, binding in bindings.items():
        # Of several names for the same tensor that of the slot says most, then what the step itself calls it.
        elsewhere = binding.frame != home and id(binding.value) in at_home
        if own.get(id(binding.value), None if elsewhere else key) != key:
            continue
        placed = _in_place(lab, pairs.base, binding, slot)
        array = _array(lab, binding, None if placed else value)
        # A second name for the same tensor computes nothing.
        if not binding.name or id(binding.value) in seen or array is None or not _differs(array, value):
            continue
        if not _came_back(pairs.base, binding, array) and not _on_its_way(pairs.base, binding, slot):
            seen.add(id(binding.value))
            found.append(_computed(lab, pairs, main, key, slot, path, placed=placed))
    return tuple(_told_apart(lab, pairs, found))


def _told_apart(lab: Lab, pairs: _Paired, found: Sequence[Computed]) -> Iterator[Computed]:
    new = {item.key for item in found if item.is_update and item.key is not None}
    if len(new) > 1:
        bindings = _bindings(pairs.base)
        follows = {key for key, binding in bindings.items() if changes(lab, key, binding, [pairs.by_slot])}
        new = readouts.readouts(lab.bound, pairs.base, follows, new)
    else:
        new = set()
    return (dataclasses.replace(item, is_readout=item.key in new) for item in found)


def _far(array: Array) -> Array:
    """Values far from these, on both sides: a maximum takes no notice of what is small."""
    signs = np.where(np.indices(array.shape).sum(axis=0) % 2, -FAR, FAR) if array.ndim else FAR
    return (array + signs).astype(array.dtype) if array.dtype.kind == "f" else array


def _in_place(lab: Lab, step: Step, binding: Binding, slot: int) -> bool:
    """Whether it stands in the slot's place of a whole new state of which another part came back."""
    accessors = lab.bound.convention.state.accessors()
    if len(accessors) < 2 or not binding.name.endswith(accessors[slot]) or step.recording is None:
        return False
    whole = binding.name.removesuffix(accessors[slot])
    beside = {
        other.name: other.value
        for other in step.recording.bindings
        if (other.frame, other.line) == (binding.frame, binding.line)
    }
    return any(
        beside.get(whole + accessor) is step.leaves[index] for index, accessor in enumerate(accessors) if index != slot
    )


def _computed(lab: Lab, pairs: _Paired, main: Run, key: Key, slot: int, path: str | None, *, placed: bool) -> Computed:
    base = pairs.base
    binding, given = _bindings(base)[key], base.previous[slot]
    like = None if placed else given

    def differs(left: Step, right: Step) -> bool:
        one, other = (_array(lab, _bindings(step).get(key), like) for step in (left, right))
        return one is not None and other is not None and different(one, other)

    at_zero = _array(lab, _bindings(pairs.from_zero).get(key), like)
    defined_at_zero = at_zero is not None and (at_zero.dtype.kind not in "fc" or bool(np.isfinite(at_zero).all()))
    ended = _ending(base, binding, slot)
    stands = source.span(path, binding.line)
    return Computed(
        name=binding.name,
        line=binding.line,
        statement=stands.text if stands else "",
        reads_slot=differs(base, pairs.by_slot) or differs(base, pairs.far_by_slot),
        reads_input=differs(base, pairs.by_input),
        writes=differs(pairs.from_zero, pairs.from_zero_by_input) if defined_at_zero else True,
        blends=defined_at_zero
        and differs(base, pairs.by_the_rest)
        and differs(pairs.from_zero, pairs.from_zero_by_the_rest),
        is_output=any(binding.value is tensor for tensor in base.output_tensors),
        values=tuple(_values(lab, main.steps, key, slot)),
        spelled=spelled(ended, lambda value: value is binding.value) or _written(base, binding),
        old=spelled(ended, lambda value: value is base.passed[slot]),
        returns=source.span(path, ended.line) if ended is not None else None,
        in_method=binding.frame == METHOD,
        in_place_of_it=placed,
        is_unread=binding.frame == METHOD and not source.reads_after(path, binding.line, _starts(lab), binding.name),
        key=key,
    )


def _written(step: Step, binding: Binding) -> tuple[str, ...]:
    """What the return statement itself computes, as it stands there."""
    ends = step.recording.returns.get(METHOD) if step.recording else None
    inline = ends is not None and binding.frame == METHOD and binding.line == ends.line and not _called(binding.name)
    return (binding.name,) if inline else ()


def _starts(lab: Lab) -> int | None:
    code = lab.bound.callee.code
    return code.co_firstlineno if code is not None else None


def _ending(step: Step, binding: Binding, slot: int) -> Return | None:
    """Where the frame that computed the value ended, if it handed the old one back; else nothing is known."""
    ended = step.recording.returns.get(binding.frame) if step.recording else None
    if ended is not None and (binding.frame == METHOD or holds(ended.value, step.passed[slot])):
        return ended
    return None


def spelled(ended: Return | None, is_it: Callable[[Any], bool]) -> tuple[str, ...]:
    """The expressions by which a tensor is known where a frame ends."""
    names: list[str] = []
    for name, value in ended.variables.items() if ended is not None else ():
        if name == "_":
            continue
        if is_it(value):
            names.append(name)
        elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            names.extend(f"{name}[{index}]" for index, part in enumerate(value) if is_it(part))
        elif isinstance(value, dict):
            names.extend(f"{name}[{key!r}]" for key, part in value.items() if is_it(part))
        elif hasattr(value, "_fields"):
            names.extend(f"{name}.{field}" for field in value._fields if is_it(getattr(value, field)))
    return tuple(sorted(names, key=lambda name: not name.isidentifier()))


def value_of(lab: Lab, step: Step, key: Key | None, slot: int) -> Held | None:
    """What a local variable was in another recorded step; None where it was not computed there, or was nothing like
    the slot."""
    binding = _bindings(step).get(key) if key is not None else None
    if binding is None:
        return None
    backend, like = lab.bound.backend, step.passed[slot]
    kinds = {np.dtype(numpy_dtype(backend.dtype(value))).kind for value in (binding.value, like)}
    same = tuple(binding.value.shape) == tuple(like.shape) and len(kinds) == 1
    return backend.hold(binding.value) if same else None


def _values(lab: Lab, steps: Sequence[Step], key: Key, slot: int) -> Iterator[Array | None]:
    found = [value_of(lab, step, key, slot) for step in steps]
    arrays = iter(lab.bound.backend.read([value for value in found if value is not None]))
    return (None if value is None else next(arrays) for value in found)


def assign(
    candidates: Sequence[Sequence[Computed]], names: Sequence[str], accessors: Sequence[str]
) -> list[tuple[Computed, ...]]:
    """Order each slot's candidates so that two slots do not claim the same variable.

    Where several would do, what is not called a candidate, then the one whose name shares a word with the slot's, then
    what stands in its place of something whole (its ``accessors``), then what is not read out of another, then what is
    called new, then what nothing reads, then the output, then the one computed last: this chooses what to show, not
    whether there is a finding.
    """
    taken: Counter[tuple[str, int]] = Counter()
    ordered = []
    for found, name, accessor in zip(candidates, names, accessors):
        ranked = sorted(
            enumerate(found),
            key=lambda item: (
                item[1].is_update,
                not taken[item[1].name, item[1].line],
                not _called(item[1].name) & CANDIDATE - _called(name),
                _affinity(item[1].name, name),
                len(names) > 1 and any(known.endswith(accessor) for known in item[1].spelled),
                not item[1].is_readout,
                bool(_called(item[1].name) & NEW),
                item[1].is_unread,
                item[1].is_output,
                item[1].in_method,
                item[0],
            ),
            reverse=True,
        )
        if ranked:
            taken[ranked[0][1].name, ranked[0][1].line] += 1
        ordered.append(tuple(item for _, item in ranked))
    return _in_their_order(ordered, names, candidates)


def _in_their_order(
    ordered: list[tuple[Computed, ...]], names: Sequence[str], candidates: Sequence[Sequence[Computed]]
) -> list[tuple[Computed, ...]]:
    """What one statement gives two slots, in the order of the slots where no name says otherwise."""
    result = list(ordered)
    for left, right in itertools.combinations([slot for slot, every in enumerate(ordered) if every], 2):
        one, other = result[left][0], result[right][0]
        named = _affinity(one.name, names[left]) or _affinity(other.name, names[right])
        made = [item.key for item in candidates[left]]
        if named or one.line != other.line or other.key not in made or made.index(other.key) > made.index(one.key):
            continue
        exchanged = _led_by(result[left], other), _led_by(result[right], one)
        if all(every[0].is_update for every in exchanged):
            result[left], result[right] = exchanged
    return result


def _led_by(every: Sequence[Computed], wanted: Computed) -> tuple[Computed, ...]:
    return tuple(sorted(every, key=lambda item: item.key != wanted.key))


def produced(step: Step, path: str | None) -> tuple[Span | None, ...]:
    """Per slot the statement that assigned the value that came back."""
    record = step.recording
    lines = []
    for leaf in step.leaves:
        every = [binding for binding in record.bindings if binding.value is leaf] if record else []
        # A helper's line where the method only hands on what it returned.
        frames = (METHOD, record.step) if record else ()
        bound = [binding for binding in every if binding.frame in frames] or every
        written = [binding.line for binding in bound if binding.in_place]
        lines.append(written[-1] if written else bound[0].line if bound else record.return_line if record else None)
    return tuple(source.span(path, line) for line in lines)


def returned_names(step: Step) -> tuple[tuple[str, ...], ...]:
    """Per slot the expressions by which the method knows, at its end, what it returned."""
    ended = step.recording.returns.get(step.recording.step) if step.recording else None
    return tuple(spelled(ended, functools.partial(operator.is_, leaf)) for leaf in step.leaves)


def assembled(step: Step, path: str | None) -> Span | None:
    """The statement that put the state together, where the return only names it; else the return."""
    record = step.recording
    ends = record.return_line if record else None
    if record is None or ends is None:
        return None
    frame = record.step
    containers = [
        (binding.line, re.split(r"[.\[]", binding.name)[0])
        for binding in record.bindings
        if binding.frame == frame
        and not binding.name.isidentifier()
        and not binding.name.startswith("self.")
        and any(binding.value is leaf for leaf in step.leaves)
    ]
    lines = [line for line, name in containers if source.hands_on(path, ends, name)]
    return source.span(path, lines[-1] if lines else ends)


def entered(lab: Lab, probe: Probe, path: str | None) -> tuple[Span | None, int | None]:
    """The first statement in which the input became a value of another shape, and that value's width."""
    x, other_x = probe.inputs[0], other_rows(probe.inputs[0])
    base, varied = (lab.run(given[None], probe.start, record=True).steps[0] for given in (x, other_x))
    frame = _frame(base)
    for key, binding in _bindings(base).items():
        if binding.frame != frame or tuple(binding.value.shape) == x.shape or not binding.value.shape:
            continue
        twin = _bindings(varied).get(key)
        numpy = lab.bound.backend.numpy
        if twin is not None and different(numpy(binding.value), numpy(twin.value)):
            return source.span(path, binding.line), int(binding.value.shape[-1])
    return None, None


@dataclass(frozen=True)
class Lost:
    """Where an unread slot was lost: the statement that binds its name to a value that depends on nothing (it was
    ``overwritten``), else the first that names it and computes from the input alone. ``without`` is the first that goes
    on without what was computed from it."""

    span: Span | None = None
    overwritten: bool = False
    without: Span | None = None


def lost(lab: Lab, probe: Probe, slot: int, names: Sequence[str], path: str | None) -> Lost:
    """Where an unread slot, of which the method knows the old value by these names, was lost."""
    x = probe.inputs[0]
    everything = State(probe.start.structure, probe.others)
    runs = [
        (x, probe.start),
        (x, probe.start.with_slot(slot, probe.others[slot])),
        *((other, start) for other in _others(x) for start in (probe.start, everything)),
    ]
    base, by_slot, *varied = (lab.run(given[None], start, record=True).steps[0] for given, start in runs)
    named: Span | None = None
    constant: Span | None = None
    without: Span | None = None
    followed = False
    valid = list(names)
    frame = _frame(base)
    for key, binding in _bindings(base).items():
        if binding.frame != frame or any(binding.value is old for old in base.passed):
            continue
        by_its_value = changes(lab, key, binding, [by_slot])
        by_the_rest = changes(lab, key, binding, varied)
        if not by_its_value and not by_the_rest and binding.name in valid:
            return Lost(source.span(path, binding.line), True, None)
        if by_its_value:
            followed, without = True, None
        elif by_the_rest and followed and without is None:
            without = source.span(path, binding.line)
        if not by_its_value and by_the_rest and named is None and source.mentions(path, binding.line, valid):
            named = source.span(path, binding.line)
        if not by_its_value and not by_the_rest and constant is None and source.mentions(path, binding.line, valid):
            constant = source.span(path, binding.line)
        # From here on the name means something else.
        valid = [name for name in valid if name != binding.name]
    return Lost(named or constant, False, without)


def unheard(lab: Lab, probe: Probe, name: str, path: str | None) -> Span | None:
    """Where an input without effect was lost: the first statement that names it to no effect, else the first in which
    the state becomes something else, where the input's term belongs."""
    x, everything = probe.inputs[0], State(probe.start.structure, probe.others)
    base, by_input, by_state = (
        lab.run(given[None], start, record=True).steps[0]
        for given, start in ((x, probe.start), (other_rows(x), probe.start), (x, everything))
    )
    entered: Span | None = None
    known = [name]
    frame = _frame(base)
    for key, binding in _bindings(base).items():
        if binding.frame != frame or any(binding.value is old for old in base.passed):
            continue
        if changes(lab, key, binding, [by_input]):
            known.append(binding.name)
            # What goes on without it comes after.
            entered = None
            continue
        if source.mentions(path, binding.line, known):
            return source.span(path, binding.line)
        if entered is None and changes(lab, key, binding, [by_state]):
            entered = source.span(path, binding.line)
    return entered or source.span(path, base.recording.return_line if base.recording else None)


def nonfinite(lab: Lab, step: Step, path: str | None) -> int | None:
    """The line of the first value that is not finite, of the kind (NaN before infinity) that came back; of infinite
    ones that its statement uses, the first."""
    numpy = lab.bound.backend.numpy
    back = [step.returned[slot] for slot in step.broken] or [
        array for array in step.outputs if array.dtype.kind in "fc"
    ]
    is_bad = np.isnan if any(np.isnan(array).any() for array in back) else np.isinf
    infinite: dict[str, int] = {}
    for binding in _bindings(step).values():
        value = numpy(binding.value)
        if value.dtype.kind not in "fc":
            continue
        from_infinity = (line for name, line in infinite.items() if source.mentions(path, binding.line, [name]))
        if is_bad(value).any():
            return min(from_infinity, default=binding.line)
        if np.isinf(value).any():
            infinite[binding.name] = min(from_infinity, default=binding.line)
    return None


def retyped(lab: Lab, main: Run, initial: Initial, path: str | None) -> Iterator[Retyped]:
    """The slots that come back in another dtype than they went in; where the cell does not say how it starts, whole
    numbers may have been meant."""
    step, dtype = main.steps[0], lab.bound.backend.dtype
    for slot in lab.slots:
        before, after = dtype(step.passed[slot]), dtype(step.leaves[slot])
        if before == after or not (initial.declared or after.startswith(("float", "bfloat"))):
            continue
        # A first state in another precision than the cell was told to compute in.
        if before.startswith("float") and after == lab.bound.input_dtype:
            continue
        others = {id(leaf) for leaf in (*step.passed, *step.leaves) if leaf is not step.leaves[slot]}
        start = lab.initial.with_slot(slot, _another(lab.initial.arrays[slot]))
        changed = lab.run(lab.inputs[:1], start, record=True).steps[0]
        lines = [
            binding.line
            for key, binding in _bindings(step).items()
            if dtype(binding.value) == after
            and id(binding.value) not in others
            and tuple(binding.value.shape) == tuple(step.leaves[slot].shape)
            and (binding.value is step.leaves[slot] or changes(lab, key, binding, [changed]))
        ]
        end = step.recording.return_line if step.recording else None
        yield Retyped(slot, before, after, source.span(path, lines[0] if lines else end))


def _another(array: Array) -> Array:
    return ~array if array.dtype.kind == "b" else array + np.ones((), array.dtype)


def _others(x: Array) -> tuple[Array, ...]:
    return (other_rows(x),) if x.dtype.kind in "iu" else (other_rows(x), -x, 10 * x)


def changes(lab: Lab, key: Key, binding: Binding, steps: Sequence[Step]) -> bool:
    """Whether a local variable had another value in any of these steps, or was not computed there."""
    numpy = lab.bound.backend.numpy
    twins = [_bindings(step).get(key) for step in steps]
    return any(twin is None or different(numpy(binding.value), numpy(twin.value)) for twin in twins)


def _frame(step: Step) -> int:
    return step.recording.step if step.recording else METHOD


def _bindings(step: Step) -> dict[Key, Binding]:
    return step.recording.keyed() if step.recording else {}


def _array(lab: Lab, binding: Binding | None, like: Array | None) -> Array | None:
    """The variable's numbers, if it has this array's shape and kind."""
    if binding is None or (like is not None and tuple(binding.value.shape) != like.shape):
        return None
    array = lab.bound.backend.numpy(binding.value)
    return array if like is None or array.dtype.kind == like.dtype.kind else None


def _differs(array: Array, value: Array) -> bool:
    """Whether a value, which may have been spread over rows and units, became another one."""
    if value.ndim <= array.ndim and all(size in (1, wide) for size, wide in zip(value.shape[::-1], array.shape[::-1])):
        return different(array, np.broadcast_to(value, array.shape))
    return different(array, value)


def _came_back(step: Step, binding: Binding, array: Array) -> bool:
    return any(binding.value is leaf for leaf in step.leaves) or any(
        returned.shape == array.shape and not different(returned, array) for returned in step.returned
    )


def _on_its_way(step: Step, binding: Binding, slot: int) -> bool:
    """Whether the variable ends as what came back in another slot: then this is a stage of that one."""
    same = [other for other in (step.recording.bindings if step.recording else ()) if other.frame == binding.frame]
    last = [other.value for other in same if other.name == binding.name][-1]
    return any(last is leaf for index, leaf in enumerate(step.leaves) if index != slot)


NEW = frozenset(["new", "next", "updated"])
CANDIDATE = frozenset("tilde tilda hat bar cand candidate proposal proposed tmp temp".split())
"""Words for what a gate lets into the new state."""
FILLER = frozenset(
    ["new", "next", "old", "prev", "previous", "last", "cur", "current", "state", "states", "t", "tm", "out", "output"]
)


def _affinity(left: str, right: str) -> int:
    one, other = ({_untimed(word) for word in _called(name) - FILLER} for name in (left, right))
    return len(one & other)


def _called(name: str) -> set[str]:
    """The words of a variable, or of what leads to a part of one; none of what is computed in a return statement."""
    return words(re.sub(r"\W", " ", name)) if re.fullmatch(r"[\w.]+(\[[^]]*\])*", name) else set()


def _untimed(word: str) -> str:
    """``ht`` and ``nh`` are a later h, ``ph`` is an earlier one."""
    if len(word) == 2 and word[1] in "tn":
        return word[0]
    if len(word) == 2 and word[0] in "pn":
        return word[1]
    return word
