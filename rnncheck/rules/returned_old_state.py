"""A state slot comes back as it went in, although the cell ran.

## What it does

Runs the cell from its own first state and from states that it reached, and compares each slot that comes
back with the one that went in, number for number. The local variables of the running method tell whether
a new value was computed and dropped, and on which line.

It is an error when a new value was computed, when every slot is stuck, or when no other slot is read; a warning
for a slot that is only carried along while others move; a note when the slot moves with other weights (a gate
that starts closed), or when the cell itself fills it with something other than zeros (a mask, a context).

## Why it is bad

The state is the cell's only memory. A cell that hands its old state back starts every timestep from the
same place: it is a feed-forward layer with unused weights, it raises nothing, and its loss still falls a
little.

## Known problems

A slot that the caller fills on purpose and the cell only reads (an encoder's context) is reported as a
warning when the cell itself does not say how it starts.

## Example

    def call(self, inputs, states):
        previous_hidden_state = states[0]
        x_proj = tf.matmul(inputs, self.kernel)
        h_proj = tf.matmul(previous_hidden_state, self.recurrent_kernel)
        new_hidden_state = x_proj + h_proj
        output = new_hidden_state
        return output, [previous_hidden_state]

## Use instead

    def call(self, inputs, states):
        previous_hidden_state = states[0]
        x_proj = tf.matmul(inputs, self.kernel)
        h_proj = tf.matmul(previous_hidden_state, self.recurrent_kernel)
        new_hidden_state = x_proj + h_proj
        output = new_hidden_state
        return output, [new_hidden_state]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnncheck.findings import Finding, Related, Severity
from rnncheck.rules.base import Rule, at, listing, needs_state, old_name
from rnncheck.trace import Computed, Slot, Span, Trace
from rnncheck.usercode import rewriting, source, usage
from rnncheck.usercode.definitions import words

EARLIER = frozenset("prev previous last old before".split())
LONGEST = 60
"""So many characters of an expression are said in a sentence."""


def check(trace: Trace) -> Iterator[Finding]:
    built = trace.built
    untouched = [
        slot for slot in trace.slots if not built.moves_from_initial[slot.index] and _is_untouched(trace, slot)
    ]
    stuck = [slot for slot in trace.slots if not built.moves[slot.index] or slot in untouched]
    asleep = [
        slot
        for slot in stuck
        if slot not in untouched and any(again.moves[slot.index] for again in trace.conclusive_redraws)
    ]
    frozen = [slot for slot in stuck if slot not in asleep]
    if frozen and len(frozen) == len(trace.slots):
        yield _finding(trace, frozen, "error" if _proven(trace) else "note")
    else:
        for slot in frozen:
            yield _finding(trace, [slot], _severity(trace, slot))
    if asleep:
        yield _asleep(trace, asleep)


def _is_untouched(trace: Trace, slot: Slot) -> bool:
    """The very tensor that went in came back beside a new value: no gate was between, closed or open."""
    return all(step[slot.index].same_object for step in trace.steps) and _update(trace, slot) is not None


def _proven(trace: Trace) -> bool:
    """The very tensor that went in came back, or there are no weights that could wake the cell, or other
    weights did not."""
    same = all(slot.same_object for step in trace.steps for slot in step)
    return same or not trace.redrawn or bool(trace.conclusive_redraws)


def _severity(trace: Trace, slot: Slot) -> Severity:
    if _update(trace, slot) is not None or not _remembers(trace):
        return "error"
    filled = trace.initial.filled(slot.index)
    return "note" if filled or not slot.dtype.startswith(("float", "bfloat", "complex")) else "warning"


def _remembers(trace: Trace) -> bool:
    """Whether some slot both moves and is read, under some weights: else nothing is carried from step to step."""
    return any(
        seen.moves[slot.index] and seen.read[slot.index]
        for seen in (trace.built, *trace.redrawn)
        for slot in trace.slots
    )


def _update(trace: Trace, slot: Slot) -> Computed | None:
    """The new value that was dropped. What the cell fills with numbers of its own may be meant to stay (a dropout mask
    for the whole sequence): there only a value that is at hand where the old one is returned counts."""
    found = (item for item in trace.computed[slot.index] if item.is_update)
    return next((item for item in found if item.spelled or not trace.initial.filled(slot.index)), None)


@dataclass(frozen=True)
class _Told:
    """How it came that the old value was returned: in a sentence, where, what to write instead, and the lines on which
    the new value was computed and what became of it there."""

    message: str
    where: Span | None
    suggestion: str | None = None
    lines: tuple[int, ...] = ()
    dropped: str = "computed here, then dropped"


def _finding(trace: Trace, slots: Sequence[Slot], severity: Severity) -> Finding:
    updates = {slot.index: update for slot in slots if (update := _update(trace, slot)) is not None}
    told = _told(trace, slots, updates)
    return Finding(
        rule=RULE.id,
        severity=severity,
        message=told.message,
        location=at(trace, told.where),
        state=slots[0].name if len(slots) == 1 else None,
        state_index=slots[0].index if len(slots) == 1 else None,
        steps=(0, trace.last_step),
        suggestion=told.suggestion,
        related=tuple(Related(line, told.dropped) for line in told.lines),
        evidence={
            "same_object": all(step[slot.index].same_object for step in trace.steps for slot in slots),
            "equal_by_value": all(step[slot.index].unchanged for step in trace.steps for slot in slots),
            "redrawn_weights": len(trace.conclusive_redraws),
            "new_value_computed": bool(updates),
        },
    )


def _told(trace: Trace, slots: Sequence[Slot], updates: dict[int, Computed]) -> _Told:
    name, back = trace.method.name, trace.method.handed_back(slots[0].index)
    old = listing(_old(trace, slot, updates.get(slot.index)) for slot in slots)
    lost = _thrown_away(trace, slots)
    if lost is not None:
        called, line, suggestion = lost
        came = "comes back as it" if len(slots) == 1 else "come back as they"
        message = f"{name}() calls {called}() and keeps nothing of what it returns: {old} {came} came in."
        return _Told(message, source.span(trace.method.path, line), suggestion)
    taken = _input_of_before(trace, slots)
    if taken is not None:
        message = f"{name}() returns {old} as it came in, and {taken} is what it is called after."
        return _Told(message, back, _with_input(trace, slots[0], taken))
    lines = tuple(sorted({update.line for update in updates.values()}))
    if len(slots) == 1 and any(_is_cancelled(trace, slots[0], update) for update in updates.values()):
        new = updates[slots[0].index].name
        message = f"{name}() returns {old} as it came in: what it adds of {new} is always zero."
        suggestion = f"let {new} in: what it is multiplied by is zero at every step"
        return _Told(message, back, suggestion, lines, "computed here, then multiplied by zero")
    overwriting = _overwriting(trace, slots, updates)
    if overwriting is not None:
        new = updates[slots[0].index].name
        return _Told(
            f"{name}() computes {new} and then overwrites it with {old}.", overwriting, "leave this line out", lines
        )
    where, suggestion = _where(trace, slots, updates), _suggestion(trace, slots, updates)
    if updates:
        new = listing(dict.fromkeys(_brief(update.name) for update in updates.values()))
        return _Told(f"{name}() computes {new} and returns {old}.", where, suggestion, lines)
    message = f"{name}() only carries {old} along: it comes back as it came in, whatever the weights."
    if len(slots) == len(trace.slots):
        message = f"{name}() returns {old} as it came in, at every step and whatever the weights."
    return _Told(message, where, suggestion)


def _input_of_before(trace: Trace, slots: Sequence[Slot]) -> str | None:
    """The input, where the one slot is called the one before it (``last_x``)."""
    taken = trace.method.input_parameter
    known = trace.method.bindings[slots[0].index] if len(slots) == 1 and trace.method.bindings else ()
    called = (words(known_by) for known_by in (slots[0].name, *known))
    return taken if any(said & EARLIER and said - EARLIER == words(taken) for said in called) else None


def _with_input(trace: Trace, slot: Slot, taken: str) -> str | None:
    known, back = trace.method.bindings[slot.index], trace.method.handed_back(slot.index)
    return rewriting.rewrite_return(trace.method.path, back.line, dict.fromkeys(known, taken)) if back else None


def _thrown_away(trace: Trace, slots: Sequence[Slot]) -> tuple[str, int, str | None] | None:
    """A part that is called with the old values and whose weights reach nothing, since nobody keeps what it returns;
    with its line, and what to write there."""
    method = trace.method
    bindings = [method.bindings[slot.index] if method.bindings else () for slot in slots]
    for node in source.thrown_away(method.path, method.line, [name for names in bindings for name in names]):
        called, call = ast.unparse(node.func), ast.unparse(node)
        own = [weight for weight in trace.weights if weight.name.startswith(f"{called.removeprefix('self.')}.")]
        if node.lineno in method.ran and own and all(weight.never or not weight.reached for weight in own):
            known = [next((name for name in names if name.isidentifier()), "") for names in bindings]
            return called, node.lineno, f"{', '.join(known)} = {call}" if all(known) else None
    return None


def _brief(name: str) -> str:
    """A name; what a return statement computes, cut short where it is long."""
    return name if len(name) <= LONGEST else f"{name[:LONGEST].rstrip()} …"


def _old(trace: Trace, slot: Slot, update: Computed | None) -> str:
    """What the old value is called, by a name that the new one has not got."""
    known = trace.method.bindings[slot.index] if trace.method.bindings and update is not None else ()
    return next((name for name in known if update is None or name != update.name), old_name(trace, slot))


def _where(trace: Trace, slots: Sequence[Slot], updates: dict[int, Computed]) -> Span | None:
    """Where the old state was handed back: in the function that computed the new one, when that returned it."""
    helpers = [update.returns for update in updates.values() if not update.in_method and update.returns is not None]
    return helpers[0] if helpers and len(helpers) == len(updates) else trace.method.handed_back(slots[0].index)


def _is_cancelled(trace: Trace, slot: Slot, update: Computed) -> bool:
    """Whether what came back was computed with the new value in it, and equals the old one all the same."""
    method = trace.method
    span = method.produced[slot.index] if method.produced else None
    if span is None or not update.in_method or any(step[slot.index].same_object for step in trace.steps):
        return False
    function = source.function_at(method.path, method.line)
    names = method.bindings[slot.index] if method.bindings else ()
    return function is not None and usage.joins(function, update.name, update.line, span.line, names)


def _overwriting(trace: Trace, slots: Sequence[Slot], updates: Mapping[int, Computed]) -> Span | None:
    """The assignment that gave the name of the new value to the old one, which was then returned by that name."""
    if len(slots) != 1 or not updates or not trace.method.produced or not trace.method.returned_names:
        return None
    slot, update = slots[0].index, updates[slots[0].index]
    span = trace.method.produced[slot]
    again = update.in_method and update.name in trace.method.returned_names[slot] and not update.spelled
    return span if again and span is not None and span.line > update.line else None


def _suggestion(trace: Trace, slots: Sequence[Slot], updates: dict[int, Computed]) -> str | None:
    """The return statement with the new values in it, where all of them are known by name at its end."""
    where = _where(trace, slots, updates)
    if (
        not updates
        or where is None
        or any(not update.spelled or update.returns != where for update in updates.values())
    ):
        return None
    spelled = {update.spelled[0] for update in updates.values()}
    if len(updates) < len(slots) or len(spelled) < len(updates):
        return None
    if len(updates) == 1:
        (update,) = updates.values()
        if update.line == where.line:
            return _named_first(trace, update, where)
    if old_name(trace, slots[0]).startswith("self."):
        return _put_back(trace, updates)
    replacements = {old: update.spelled[0] for update in updates.values() for old in update.old}
    whole = _whole(trace, updates)
    one_slots = any(trace.method.state_parameter in known for known in trace.method.bindings)
    if whole is not None and (not one_slots or len(trace.slots) == 1):
        replacements.setdefault(trace.method.state_parameter, whole)
    keras = trace.declaration.expected and where == trace.method.returns
    rewritten = rewriting.rewrite_return(trace.method.path, where.line, replacements, listed=keras)
    return rewritten or (f"return {whole} as the new state" if whole is not None else None)


def _put_back(trace: Trace, updates: dict[int, Computed]) -> str | None:
    """The statements that keep the new values on the cell."""
    whole = _names(trace, updates)
    if whole is None:
        return None
    remaining, statements = iter(whole), list[str]()
    for key, part in zip(trace.structure.keys, trace.structure.children):
        first = len(statements)
        value = part.describe([next(remaining) for _ in range(part.size)])
        variable = part.is_leaf and trace.slots[first].variable
        statements.append(f"self.{key}.assign({value})" if variable else f"self.{key} = {value}")
    return "; ".join(statements)


def _named_first(trace: Trace, update: Computed, where: Span) -> str | None:
    """What the return statement itself computes, under the old value's name, which is then returned in both places."""
    name = next((old for old in update.old if old.isidentifier()), None)
    if name is None:
        return None
    returned = rewriting.rewrite_return(trace.method.path, where.line, {update.name: name})
    return f"{name} = {update.name}; {returned}" if returned is not None else None


def _whole(trace: Trace, updates: dict[int, Computed]) -> str | None:
    """The whole new state as an expression: what was computed for stuck slots, what came back for the others."""
    names = _names(trace, updates)
    return None if names is None else trace.structure.describe(names)


def _names(trace: Trace, updates: dict[int, Computed]) -> list[str] | None:
    names = []
    for slot in trace.slots:
        if slot.index in updates:
            known = updates[slot.index].spelled if updates[slot.index].in_method else ()
        else:
            known = trace.method.returned_names[slot.index] if trace.method.returned_names else ()
        if not known:
            return None
        names.append(known[0])
    return None if len(set(names)) < len(names) and len(updates) > 1 else names


def _asleep(trace: Trace, slots: Sequence[Slot]) -> Finding:
    return Finding(
        rule=RULE.id,
        severity="note",
        message=f"{listing(old_name(trace, slot) for slot in slots)} comes back unchanged with the weights as they are "
        "initialised, and moves with other weights (a closed gate, a zero initialiser).",
        location=at(trace, trace.method.handed_back(slots[0].index)),
        state=slots[0].name if len(slots) == 1 else None,
        state_index=slots[0].index if len(slots) == 1 else None,
        steps=(0, trace.last_step),
        evidence={"redrawn_weights": len(trace.conclusive_redraws), "moves_when_redrawn": True},
    )


RULE = Rule(
    "returned-old-state",
    "a state slot comes back as it went in, although the cell ran",
    check,
    needs_state,
    severities=("error", "warning", "note"),
)
