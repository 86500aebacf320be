"""The state that goes in influences neither the next state nor the output.

## What it does

Runs the cell twice with everything alike but the state, which is replaced by other states that the cell
reached and then by perturbations from a thousandth to ten times its scale, and compares what comes back
number for number over several steps. A gradient says whether the state is connected at all. What shows no
influence is tried again with weights drawn afresh.

It is an error when the whole state is ignored; a warning for one slot of several when the code names its old
value to no effect, or when weights lie idle with it; a note when weights drawn afresh bring it to life (a
recurrence that starts at zero), or when a slot is only kept for the caller. Of what runs over a sequence it is an
error when, in one call, no step reaches a later output. Units of a slot that are one part of it (a layer, a half of
what is packed together) are told of too: in a warning where weights lie idle or where they are a layer whose new value
is no output, else in a note.

## Why it is bad

What the cell saw at earlier steps is lost. It is a feed-forward layer, whatever its name.

## Known problems

A slot that is returned for the caller and never read (a mean, a copy of the output) is told from a forgotten
one by what the code does with its old value and by the weights that lie idle. A slot without weights of its own
that the code does not name at all, or takes out of the state unused while its new value is the output, is only a
note; but not a layer's state where the same loop reads another layer's, nor an argument of its own that is no output.

## Example

    def forward(self, input, hidden):
        combined = self.W_ih(input)
        new_hidden = torch.relu(combined)
        return new_hidden

## Use instead

    def forward(self, input, hidden):
        combined = self.W_ih(input) + self.W_hh(hidden)
        new_hidden = torch.relu(combined)
        return new_hidden
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rnncheck.findings import Finding, Related, Severity
from rnncheck.rules.base import Rule, at, idle_weights, listing, old_name, unused
from rnncheck.trace import Forgotten, Slot, Span, Trace, Weight
from rnncheck.usercode import rewriting, source

if TYPE_CHECKING:
    from rnncheck.trace import Array


def check(trace: Trace) -> Iterator[Finding]:
    if not trace.slots:
        if trace.memory is False:
            yield _forgetful(trace)
        return
    unread = [slot for slot in trace.slots if not trace.built.read[slot.index]]
    asleep = [slot for slot in unread if any(again.read[slot.index] for again in trace.conclusive_redraws)]
    if len(unread) == len(trace.slots):
        if asleep or _undecided(trace):
            yield _asleep(trace, woken=bool(asleep))
        else:
            yield _whole(trace)
        return
    if trace.memory is False:
        yield _forgetful(trace)
    for slot in unread:
        if slot not in asleep and trace.built.moves[slot.index]:
            yield _one(trace, slot)
    for units in trace.forgotten:
        yield _units(trace, units)


def _forgetful(trace: Trace) -> Finding:
    method = trace.method
    message = f"The first step of a sequence reaches no later output of {method.name}(), whatever the weights."
    if trace.slots:
        message = (
            f"In one call of {method.name}() no step reaches a later one, whatever the weights: each step begins from "
            f"{method.state_parameter} as it went in."
        )
    return Finding(
        rule=RULE.id,
        severity="error",
        message=message,
        location=at(trace, None),
        suggestion="feed each step the state that the step before returned",
        evidence={"by_value": "never"},
        explained_by=_cause(trace) if trace.slots else None,
    )


def _undecided(trace: Trace) -> bool:
    """Connected, without effect, and no other weights gave finite numbers to tell by."""
    return _connected(trace) and bool(trace.redrawn) and not trace.conclusive_redraws


def _connected(trace: Trace) -> bool:
    gradient = trace.influence.gradient
    return gradient is not None and any(value is not None for slot in trace.slots for value in gradient[slot.index])


def _whole(trace: Trace) -> Finding:
    method = trace.method
    idle = idle_weights(trace)
    single = trace.slots[0] if len(trace.slots) == 1 else None
    name = old_name(trace, single) if single is not None else method.state_parameter
    line = method.line
    return Finding(
        rule=RULE.id,
        severity="error",
        message=f"{name} influences neither the next state nor the output of {method.name}(){unused(idle)}.",
        location=at(trace, _where(trace, trace.slots) or next((span for span in method.produced if span), None)),
        state=single.name if single else None,
        state_index=single.index if single else None,
        steps=(0, trace.last_step),
        suggestion=_suggestion(trace, trace.slots, idle),
        related=(Related(line, f"{method.state_parameter} comes in here and has no effect"),) if line else (),
        evidence={
            "by_value": "never",
            "gradient": "zero" if _connected(trace) else "not connected",
            "redrawn_weights": len(trace.conclusive_redraws),
            "idle_weights": [weight.name for weight in idle],
        },
        explained_by=_cause(trace),
    )


def _lost(trace: Trace, slot: Slot) -> Span | None:
    return trace.method.lost[slot.index] if trace.method.lost else None


def _where(trace: Trace, slots: Sequence[Slot], idle: Sequence[Weight] = ()) -> Span | None:
    """Where the state was lost, else where a layer is called of which a part goes unused, else where the input enters:
    there the old state belongs too."""
    lost = [_lost(trace, slot) for slot in slots]
    lost += [trace.method.without[slot.index] for slot in slots if trace.method.without]
    used = {weight.name.partition(".")[0] for weight in trace.weights if weight.reached and not weight.never}
    layers = [layer for layer in dict.fromkeys(weight.name.partition(".")[0] for weight in idle) if layer in used]
    called = [source.first_mention(trace.method.path, trace.method.line, f"self.{layer}") for layer in layers]
    return next((span for span in (*lost, *called) if span is not None), trace.method.entered)


def _suggestion(trace: Trace, slots: Sequence[Slot], idle: Sequence[Weight]) -> str:
    """The statement in which the input enters, with the idle recurrent weight added to it."""
    method = trace.method
    for slot in slots:
        where = _lost(trace, slot)
        if where is not None and method.overwritten[slot.index]:
            return f"leave out: {where.text.partition('#')[0].rstrip()}"
    term = next((term for slot in slots for weight in idle if (term := _term(trace, slot, weight)) is not None), None)
    if term is None:
        return f"use {listing(old_name(trace, slot) for slot in slots)} where the new state is computed"
    extended = rewriting.add_term(method.path, method.entered.line, term) if method.entered is not None else None
    return extended or f"add {term} where the new state is computed"


def _term(trace: Trace, slot: Slot, weight: Weight) -> str | None:
    """The old state through an idle weight, where the weight takes the slot's width and gives that of the value
    that the input became."""
    bindings = trace.method.bindings[slot.index] if trace.method.bindings else ()
    if not bindings or len(slot.shape) != 1:
        return None
    state, wanted = bindings[0], trace.method.entered_width or slot.shape[-1]
    owner, _, last = weight.name.rpartition(".")
    if weight.shape is None:
        return f"self.{weight.name}({state})"
    widths = (slot.shape[-1], wanted)
    if owner and last == "weight":
        return f"self.{owner}({state})" if weight.shape == widths[::-1] else None
    if owner and last == "kernel":
        return f"self.{owner}({state})" if weight.shape == widths else None
    if weight.shape == widths:
        matmul = "keras.ops.matmul" if trace.library == "keras" else "tf.matmul" if trace.backend == "tf" else None
        return f"{matmul}({state}, self.{weight.name})" if matmul else f"{state} @ self.{weight.name}"
    return f"{state} @ self.{weight.name}.T" if weight.shape == widths[::-1] and trace.backend == "torch" else None


def _asleep(trace: Trace, *, woken: bool) -> Finding:
    name = old_name(trace, trace.slots[0]) if len(trace.slots) == 1 else trace.method.state_parameter
    outlook = (
        "has one with other weights (a recurrence that starts at zero)" if woken else "other weights could not tell"
    )
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{name} has no influence with the weights as they are initialised; {outlook}.",
        location=at(trace, trace.method.returns),
        steps=(0, trace.last_step),
        evidence={"by_value": "never", "redrawn_weights": len(trace.conclusive_redraws), "reads_when_redrawn": woken},
        explained_by=_cause(trace),
    )


def _one(trace: Trace, slot: Slot) -> Finding:
    method, name = trace.method, old_name(trace, slot)
    width = slot.shape[-1] if slot.shape else 1
    idle = [weight for weight in trace.weights if _could_have_read(weight, width)]
    partly = [weight for weight in trace.weights if width in weight.idle_blocks and not weight.elsewhere]
    mistaken = _mistaken(trace, slot)
    forgotten = _forgotten(trace, slot)
    skipped = _skipped(trace, slot)
    severity: Severity = "note"
    if idle or partly or mistaken or forgotten or skipped or _lost(trace, slot):
        severity = "warning"
    reason = unused(idle) or (f"; part of {listing(weight.name for weight in partly)} goes unused" if partly else "")
    reason = reason or forgotten
    message = f"{name} influences neither the next state nor the output of {method.name}(){reason}."
    if severity == "note":
        message = f"{name} is never read by {method.name}(): it can only be kept for the caller."
    produced = method.produced[slot.index] if method.produced else None
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=message,
        location=at(trace, _lost(trace, slot) or mistaken or (_where(trace, [slot], idle) if idle else produced)),
        state=slot.name,
        state_index=slot.index,
        steps=(0, trace.last_step),
        suggestion=_suggestion(trace, [slot], idle) if severity == "warning" else None,
        evidence={
            "by_value": "never",
            "redrawn_weights": len(trace.conclusive_redraws),
            "idle_weights": [weight.name for weight in idle or partly],
        },
        explained_by=_cause(trace),
    )


def _units(trace: Trace, units: Forgotten) -> Finding:
    slot, method = trace.slots[units.slot], trace.method
    idle = [weight for weight in trace.weights if weight.never and not weight.elsewhere]
    among_layers = units.axis < len(slot.shape) - 1
    severity: Severity = "warning" if idle or (among_layers and not units.given_out) else "note"
    alone = units.first == units.last
    span = f"Unit {units.first}" if alone else f"Units {units.first}–{units.last}"
    where = f" along axis {units.axis + 1}" if len(slot.shape) > 1 else ""
    name, have = old_name(trace, slot), "influences" if alone else "influence"
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=f"{span}{where} of {name} {have} neither the next state nor the output of {method.name}(); the others "
        "do.",
        location=at(trace, method.produced[slot.index] if method.produced else None),
        state=slot.name,
        state_index=slot.index,
        steps=(0, trace.last_step),
        suggestion=f"use all of {name} where the new state is computed" if severity == "warning" else None,
        evidence={"by_value": "never", "axis": units.axis, "units": [units.first, units.last]},
        explained_by=_cause(trace),
    )


def _forgotten(trace: Trace, slot: Slot) -> str:
    """That the code names the old value and does not use it; where it does so elsewhere, only of a slot that is no
    constant and no copy of another one: in some modes a cell has no need of a slot."""
    method = trace.method
    found = source.unused_name(
        method.path, method.line, method.bindings[slot.index] if method.bindings else (), method.ran
    )
    # An output that is kept as a state for the caller alone has to be taken apart from the others.
    given_out = bool(method.given_out) and method.given_out[slot.index]
    if found is None:
        if _reads_another(trace, slot):
            return "; another state is taken in its place"
        # An argument of its own is asked for to be read.
        names = (*method.bindings[slot.index], "")[:1] if method.bindings else ("",)
        alone = names[0] != method.state_parameter and names[0] in source.parameters(method.path, method.line)
        return "; it is passed in for nothing" if alone and not given_out else ""
    name, line = found
    if line is None:
        return "" if given_out else f"; {name} is never used"
    returned = [[step[other.index].returned for step in trace.steps] for other in trace.slots]
    own = returned.pop(slot.index)
    varies = not all(_equal(own[0], later) for later in own[1:])
    copy = any(all(map(_equal, own, other)) for other in returned)
    return f"; {name} is used only on lines that did not run, such as {line}" if varies and not copy else ""


def _reads_another(trace: Trace, slot: Slot) -> bool:
    """Whether what computes the slot's new value takes other slots where it would take this one."""
    method, made = trace.method, trace.method.produced[slot.index] if trace.method.produced else None
    names = [{name for name in known if name.isidentifier()} for known in method.bindings]
    others = set().union(*names[: slot.index], *names[slot.index + 1 :]) if names else set()
    own = names[slot.index] if names else set()
    return made is not None and any(source.takes_others(method.path, made.line, name, others) for name in own)


def _skipped(trace: Trace, slot: Slot) -> bool:
    """Whether no part of the slot's layer is read, while the very statement that computes its new value, in a loop,
    computes that of a layer which is."""
    method, layers, produced = trace.method, trace.structure.layers(), trace.method.produced
    layer, where = layers[slot.index], produced[slot.index] if produced else None
    if layer is None or where is None or not source.is_looped(method.path, method.line, where.line):
        return False
    read = {layers[other.index] for other in trace.slots if trace.built.read[other.index]}
    beside = {layers[other.index] for other in trace.slots if produced[other.index] == where}
    return layer not in read and bool(read & beside)


def _equal(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def _mistaken(trace: Trace, slot: Slot) -> Span | None:
    """Where another slot got a second name, while the code does not name this one at all: it was read twice."""
    method = trace.method
    if not method.bindings or any(name.isidentifier() for name in method.bindings[slot.index]):
        return None
    for other in trace.slots:
        names = [
            name for name in method.bindings[other.index] if name.isidentifier() and name != method.state_parameter
        ]
        if other.index != slot.index and len(names) > 1:
            return source.first_store(method.path, method.line, names[1])
    return None


def _could_have_read(weight: Weight, width: int) -> bool:
    return not weight.elsewhere and (not weight.reached or weight.never) and weight.could_take(width)


def _cause(trace: Trace) -> str | None:
    """A new state that was dropped takes with it what it was computed from."""
    dropped = any(update.is_update for updates in trace.computed for update in updates)
    return "returned-old-state" if dropped or not any(trace.built.moves) else None


UNKNOWN = "it cannot be told whether an early step reaches a later one"


def _inapplicable(trace: Trace) -> str | None:
    return UNKNOWN if not trace.slots and trace.memory is None else None


RULE = Rule(
    "ignored-recurrence",
    "the state that went in influences neither the next state nor the output",
    check,
    _inapplicable,
    severities=("error", "warning", "note"),
)
