"""Each experiment once, recorded as a Trace."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import operator
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck import (
    build,
    chance,
    computed,
    flow,
    gradients,
    graphs,
    growth,
    layers,
    leaks,
    learning,
    mutation,
    norms,
    order,
    probes,
    rows,
    source,
    unused,
)
from rnncheck.backends.base import Array, Backend, Gradients, Held, Tensor
from rnncheck.binding import bind
from rnncheck.build import Built
from rnncheck.capture import METHOD, Recording, recording
from rnncheck.computed import dropped
from rnncheck.convention import Bound, outline
from rnncheck.definitions import is_graph_name, words
from rnncheck.discovery import Misfit, NoNextState
from rnncheck.errors import CallError, RnncheckError
from rnncheck.probes import Lab, Probe
from rnncheck.reading import Reading
from rnncheck.settings import Settings
from rnncheck.signature import EACH, KEPT, ONE
from rnncheck.trace import (
    Behaviour,
    Computed,
    Declaration,
    Fault,
    Influence,
    Initial,
    Leak,
    Method,
    Passage,
    Slot,
    SlotStep,
    Span,
    Swap,
    Trace,
    WrongGradient,
)
from rnncheck.unroll import Run, State, Step, arrived, different, each_step, glimpses

SECONDS = 60.0
"""How long ways to build and to call one cell are tried."""
EVIDENCE = 16
"""How many steps the experiments look at; more that are asked for are run, and their sizes told."""
UNREAD_GRADIENTS = 6
"""How many more gradients are taken before a part of a weight counts as never used."""


@dataclass(frozen=True)
class Observed:
    """A Trace and what the report says of how it was made."""

    trace: Trace
    built: Built
    input_shape: tuple[int, ...]
    dtype: str
    convention: str


def observe(obj: Any, backend: Backend, settings: Settings) -> Observed:
    """Build the target, find how it is called, run all experiments, and leave an instance as it was.

    Raises BuildError or CallError when the cell cannot be built or called.
    """
    with (
        backend.eagerly(),
        backend.on_device(settings.device, obj),
        backend.keep_randomness(),
        contextlib.ExitStack() as afterwards,
    ):
        backend.seed(settings.seed)
        refused: RnncheckError | None = None
        until = time.process_time() + SECONDS
        with backend.construction_dtype(settings.dtype):
            tries = build.candidates(obj, settings.kwargs, backend.owns, _input_size(backend, settings), settings.batch)
            for built in tries:
                cell = backend.unwrap(built.cell)
                if not built.own:
                    afterwards.callback(backend.snapshot(cell).restore)
                home = backend.move(cell)
                if not built.own:
                    afterwards.callback(home)
                declared = backend.declares_state_size(cell)
                if settings.dtype is not None:
                    cell = backend.with_dtype(cell, settings.dtype)
                try:
                    bound, shape = bind(backend, cell, settings, built, until)
                except NoNextState as error:
                    return _misfit(error.misfit, built, settings)
                except CallError as error:
                    refused = refused or error
                    tries.refused(error)
                    if time.process_time() > until:
                        break
                    continue
                return _observed(bound, shape, built, declared, settings)
    assert refused is not None
    raise refused


def _input_size(backend: Backend, settings: Settings) -> int | None:
    """The features of the input shape that was given."""
    shape = settings.input_shape
    if shape is None:
        return None
    return shape[-1] if len(shape) == 1 or backend.channels_last() else shape[0]


def _observed(
    bound: Bound, shape: tuple[int, ...], built: Built, declared: bool | None, settings: Settings
) -> Observed:
    rng = np.random.default_rng(settings.seed)
    inputs = bound.form.draw(rng, (min(settings.steps, EVIDENCE), bound.batch, *shape), bound.input_dtype)
    initial, start = _initial(bound, settings, rng)
    lab, main, repeatable, leak = _first_run(Lab(bound, settings.seed, inputs, start))
    if not main.finite and not initial.declared and settings.initial_state == "cell":
        # Nobody said that it starts at zeros: where its arithmetic is not defined there, it starts elsewhere.
        ones = State(start.structure, [np.ones_like(array) for array in start.arrays])
        again, from_ones, repeated, leaked = _first_run(dataclasses.replace(lab, initial=ones))
        if from_ones.finite:
            lab, main, repeatable, leak = again, from_ones, repeated, leaked
            initial = Initial("ones, since zeros give NaN", False, (False,) * len(ones.arrays))
    tail = _tail(lab, settings.steps) if main.finite else Tail()
    if not main.finite or tail.broken is not None:
        return _nonfinite(lab, main, tail, initial, built, shape)
    draw = functools.partial(_drawn, lab, built, shape)
    trace = (
        _trace(lab, initial, main, tail, repeatable, declared, draw) if lab.slots else _layer_trace(lab, initial, shape)
    )
    trace = dataclasses.replace(trace, leak=leak, later=_with_updates(lab, tail, trace.computed))
    mixing, span = _row_leak(lab, trace, main, shape)
    change = None if mixing is None else mixing.change
    trace = dataclasses.replace(trace, graph=_is_graph(bound), row_leak=change, row_span=span)
    if mixing is None and trace.repeatable and trace.slots and not trace.graph:
        trace = dataclasses.replace(trace, shared_norm=norms.shared(lab, main, shape, trace.method.path))
    trace = _with_what_ran(trace, main)
    convention = bound.convention.describe([slot.name for slot in trace.slots])
    return Observed(trace, built, shape, bound.input_dtype, convention)


def _nonfinite(lab: Lab, main: Run, tail: Tail, initial: Initial, built: Built, shape: tuple[int, ...]) -> Observed:
    """What is known of a cell whose numbers stop being numbers."""
    bound = lab.bound
    trace = _frame(bound, initial)
    bindings = _old_names(bound, main.steps[0].recording, main.steps[0].passed)
    names = _slot_names(bound, bindings)
    at, step = tail.broken or next((at, step) for at, step in enumerate(main.steps) if not step.finite)
    bad = [slot for slot in lab.slots if slot in step.broken]
    record = step.recording
    line = computed.nonfinite(lab, step, trace.method.path) or (record.return_line if record else None)
    method = dataclasses.replace(
        trace.method, bindings=bindings, returns=source.span(trace.method.path, record.return_line if record else None)
    )
    values = np.concatenate([array.reshape(-1) for array in (*step.returned, *step.outputs)])
    fault = Fault(
        "nonfinite-state",
        bad[0] if len(bad) == 1 else None,
        at,
        source.span(method.path, line),
        "ordinary inputs",
        "NaN" if np.isnan(values).any() else "infinity",
    )
    shapes = [bound.rows_first(slot, array).shape[1:] for slot, array in enumerate(lab.initial.arrays)]
    slots = tuple(Slot(slot, names[slot], shapes[slot], bound.backend.dtype(bound.initial[slot])) for slot in lab.slots)
    steps = tuple(_slot_steps(bound, step, index, [()] * len(slots)) for index, step in enumerate(main.steps))
    trace = dataclasses.replace(trace, method=method, slots=slots, steps=steps, later=tail.passages, fault=fault)
    trace = _with_what_ran(trace, main)
    return Observed(trace, built, shape, bound.input_dtype, bound.convention.describe(names))


def _with_what_ran(trace: Trace, main: Run) -> Trace:
    records = [step.recording for step in main.steps if step.recording]
    helpers = sorted(
        set().union(*(record.helpers for record in records)), key=lambda helper: (helper.first, helper.called)
    )
    ran = frozenset[int]().union(*(record.lines for record in records))
    return dataclasses.replace(trace, method=dataclasses.replace(trace.method, helpers=tuple(helpers), ran=ran))


def _row_leak(lab: Lab, trace: Trace, main: Run, shape: tuple[int, ...]) -> tuple[rows.Mixing | None, Span | None]:
    """Chance that cannot be repeated would look like a leak."""
    if not trace.repeatable or _is_graph(lab.bound):
        return None, None
    given = lab.bound, lab.seed, main.after(len(main.steps) - 1), shape, rows.STEPS
    mixing = rows.leak(*given)
    return mixing, None if mixing is None else rows.where(*given, mixing, trace.method.path)


def _is_graph(bound: Bound) -> bool:
    """Whether the rows may be nodes of a graph, which depend on each other on purpose."""
    return any(is_graph_name(name) or words(name) & {"edge", "edges"} for name in bound.callee.further)


def _layer_trace(lab: Lab, initial: Initial, shape: tuple[int, ...]) -> Trace:
    """What there is to know of a layer that takes no state."""
    bound = lab.bound
    return dataclasses.replace(
        _frame(bound, initial),
        steps=((),) * len(lab.inputs),
        influence=Influence((), (), (), None, "it takes no state"),
        kind="layer",
        memory=layers.remembers(bound, lab.seed, shape),
    )


def _frame(bound: Bound, initial: Initial) -> Trace:
    """A Trace of which nothing is known but the cell."""
    alive = (True,) * len(bound.initial)
    return Trace(
        backend=bound.backend.name,
        method=_method(bound),
        slots=(),
        structure=bound.convention.state,
        steps=(),
        initial=initial,
        declaration=Declaration(False, False),
        built=Behaviour(alive, alive, alive, True),
        redrawn=(),
        influence=Influence((), (), (), None, "the experiments ended before"),
        weights=(),
        computed=((),) * len(bound.initial),
        repeatable=True,
        library=bound.backend.library,
    )


def _misfit(misfit: Misfit, built: Built, settings: Settings) -> Observed:
    """What is known of a cell that gives back something else than its state."""
    bound = misfit.bound
    backend = bound.backend
    rng = np.random.default_rng(settings.seed)
    x = bound.callee.form.draw(rng, (bound.batch, *misfit.shape), bound.input_dtype)
    bound.begin(settings.seed)
    start = [backend.numpy(leaf) for leaf in bound.initial]
    passed = bound.state(start)
    state = bound.convention.state.build(passed)
    with backend.without_gradient(), recording(bound.callee.code, backend.is_tensor, bound.held) as record:
        returned = bound.callee.call(bound.inputs(x), state)
    initial = Initial(bound.initial_source, bound.initial_declared, tuple(not array.any() for array in start))
    trace = _frame(bound, initial)
    returns = source.span(trace.method.path, record.return_line)
    bindings = _old_names(bound, record, passed)
    names = _slot_names(bound, bindings)
    slots = tuple(
        Slot(slot, name, array.shape[1:], backend.dtype(bound.initial[slot]))
        for slot, (name, array) in enumerate(zip(names, start))
    )
    where = returns
    if misfit.rule == "state-dtype-mismatch" and misfit.slot is not None:
        leaf = bound.split(returned)[2][misfit.slot]
        lines = [binding.line for binding in record.bindings if binding.value is leaf and binding.frame == record.step]
        where = source.span(trace.method.path, lines[0]) if lines else returns
    fault = Fault(misfit.rule, misfit.slot, misfit.step, where, misfit.went_in, misfit.came_back)
    method = dataclasses.replace(trace.method, returns=returns, bindings=bindings)
    convention = bound.convention.describe(names).partition(" -> ")[0]
    trace = dataclasses.replace(trace, slots=slots, method=method, fault=fault)
    return Observed(trace, built, misfit.shape, bound.input_dtype, f"{convention} -> {outline(returned, backend)}")


def _initial(bound: Bound, settings: Settings, rng: np.random.Generator) -> tuple[Initial, State]:
    structure, start = bound.convention.state, [bound.backend.numpy(leaf) for leaf in bound.initial]
    if settings.initial_state == "cell":
        zeros = tuple(not array.any() for array in start)
        return Initial(bound.initial_source, bound.initial_declared, zeros), State(structure, start)
    if settings.initial_state == "random":
        start = [(0.5 * rng.standard_normal(array.shape)).astype(array.dtype) for array in start]
    else:
        start = [np.full_like(array, settings.initial_state == "ones") for array in start]
    return Initial(settings.initial_state, True, tuple(not array.any() for array in start)), State(structure, start)


def _first_run(lab: Lab) -> tuple[Lab, Run, bool, Leak | None]:
    """The recorded unroll, whether the same run gives the same numbers again, and what keeps it from doing so.

    Where it does not, the cell keeps something between runs, and from then on each run starts from a snapshot
    of it; only chance that rnncheck cannot repeat is left.
    """
    kept = lab.bound.backend.snapshot(lab.bound.cell)
    main = lab.run(lab.inputs, lab.initial, record=True)
    if leaks.alike(main, lab.run(lab.inputs, lab.initial, chance.OTHER)):
        return dataclasses.replace(lab, steady=True), main, True, None
    kept.restore()
    main = lab.run(lab.inputs, lab.initial, record=True)
    if leaks.alike(main, lab.run(lab.inputs, lab.initial)):
        return lab, main, True, None
    kept.restore()
    again = dataclasses.replace(lab, bound=dataclasses.replace(lab.bound, kept=kept))
    main = again.run(lab.inputs, lab.initial, record=True)
    repeatable = leaks.alike(main, again.run(lab.inputs, lab.initial))
    code = lab.bound.callee.code
    leak = leaks.leak(lab, kept, code.co_filename if code is not None else None) if repeatable else None
    return again, main, repeatable, leak


@dataclass(frozen=True)
class Tail:
    """The steps beyond those that the experiments look at, and which of all was the first that was not finite."""

    passages: tuple[tuple[Passage, ...], ...] = ()
    broken: tuple[int, Step] | None = None

    def moves(self, slot: int) -> bool:
        return any(not step[slot].unchanged for step in self.passages)


def _tail(lab: Lab, steps: int) -> Tail:
    """The unroll over so many steps, of which only sizes are kept."""
    if steps <= len(lab.inputs):
        return Tail()
    passages: list[tuple[Passage, ...]] = []
    for at, seen in enumerate(glimpses(lab.bound.backend, _all_steps(lab, steps, record=False))):
        if at >= len(lab.inputs):
            passages.append(seen.passages)
        if not seen.finite:
            again = list(itertools.islice(_all_steps(lab, steps, record=True), at, at + 1))
            return Tail(tuple(passages), (at, arrived(lab.bound.backend, again)[0]))
    return Tail(tuple(passages))


def _all_steps(lab: Lab, steps: int, *, record: bool) -> Iterator[Step]:
    more = (lab.other_inputs(100 + at, 1)[0] for at in range(len(lab.inputs), steps))
    return each_step(lab.bound, lab.seed, itertools.chain(lab.inputs, more), lab.initial, record=record)


def _with_updates(lab: Lab, tail: Tail, found: Sequence[Sequence[Computed]]) -> tuple[tuple[Passage, ...], ...]:
    """The passages with the new values of slots that were computed and dropped."""
    first = {slot: next((item for item in every if item.is_update), None) for slot, every in enumerate(found)}
    updates = {slot: update for slot, update in first.items() if update is not None}
    if not updates or not tail.passages:
        return tail.passages
    first_steps = len(lab.inputs)
    steps = itertools.islice(_all_steps(lab, first_steps + len(tail.passages), record=True), first_steps, None)

    def dropped(step: Step) -> Mapping[int, Held]:
        found = {slot: computed.value_of(lab, step, update.key, slot) for slot, update in updates.items()}
        return {slot: value for slot, value in found.items() if value is not None}

    return tuple(seen.passages for seen in glimpses(lab.bound.backend, steps, dropped))


def _drawn(lab: Lab, built: Built, shape: tuple[int, ...], number: int) -> list[Array]:
    """The weights of another cell, constructed in the same way; none where that fails."""
    bound, backend = lab.bound, lab.bound.backend
    if built.again is None:
        return []
    backend.seed(lab.seed + 1000 + number)
    try:
        cell = backend.unwrap(built.again())
        backend.move(cell)
        backend.prepare(cell, (bound.batch, *shape))
        # Some weights are only made by the first call.
        callee = dataclasses.replace(bound.callee, cell=cell)
        callee.call(bound.inputs(lab.inputs[0]), lab.initial.structure.build(bound.state(lab.initial.arrays)))
        return [weight.read() for weight in backend.weights(cell)]
    except Exception:
        return []


def _trace(
    lab: Lab, initial: Initial, main: Run, tail: Tail, repeatable: bool, declared: bool | None, draw: growth.Draw
) -> Trace:
    bound, slots = lab.bound, lab.slots
    backend = bound.backend
    method = _method(bound)
    bindings = _old_names(bound, main.steps[0].recording, main.steps[0].passed)
    names = _slot_names(bound, bindings)
    seen = probes.observe(lab, main)
    if not seen.behaviour.finite:
        raise CallError(
            f"{bound.callee.name} gives NaN or infinity for ordinary inputs, so that nothing can be told of its state.",
            hint="Its first state may lie outside its domain: try --initial-state ones.",
        )
    behaviour = _with_tail(seen.behaviour, tail)
    found, later, error = gradients.of(lab, seen.probe, bool(main.steps[0].outputs))
    wrong = _wrong_gradients(lab, seen.probe, found)
    known = found is not None and repeatable
    variables = _in_variables(bound)
    cuts = flow.cuts(lab, seen.probe, found, later, method.path) if known and found else []
    cuts = [cut for cut in cuts if not variables[cut.slot]]
    if found is not None and not all(behaviour.read):
        for number in range(UNREAD_GRADIENTS):
            more, _, _ = gradients.of(lab, gradients.other_probe(lab, seen.probe, number), bool(main.steps[0].outputs))
            found = found if more is None else gradients.together(found, more)
    never = None if found is None else unused.never(lab, seen.probe, found)
    first = None if found is None else gradients.first(lab)
    redrawn: tuple[Behaviour, ...] = ()
    connected = tuple(found is None or any(row[slot] is not None for row in found.sources) for slot in slots)
    if repeatable:
        redrawn = tuple(probes.redraw(lab, behaviour, certain=_certain(behaviour, main, connected)))
    elif found is not None:
        # Chance that cannot be repeated looks like influence; whether the state is connected at all does not.
        behaviour = dataclasses.replace(behaviour, read=connected)
    method = _described(method, lab, main, seen.probe, bindings, behaviour)
    moving = [all(moves) for moves in zip(behaviour.moves, behaviour.moves_from_initial)]
    candidates = [() if moving[slot] else dropped(lab, main, seen.probe, slot, method.path) for slot in slots]
    chosen = computed.assign(candidates, names)
    forms = graphs.forms(lab)
    # A form is compared over all steps.
    drawing = not lab.steady and chance.draws(lab, main, len(lab.inputs) if forms else probes.WINDOW)
    targets = (*names, "output") if main.steps[0].outputs else tuple(names)
    shapes = [bound.rows_first(slot, array).shape[1:] for slot, array in enumerate(lab.initial.arrays)]
    weights = unused.settled(lab, main, seen.probe, unused.seen(bound, found, never), method.path)
    unread = () if found is None else learning.unread_features(lab, seen.probe, found)
    return Trace(
        backend=backend.name,
        method=method,
        slots=tuple(
            Slot(slot, names[slot], shapes[slot], backend.dtype(bound.initial[slot]), variables[slot]) for slot in slots
        ),
        structure=bound.convention.state,
        steps=tuple(_slot_steps(bound, step, index, chosen) for index, step in enumerate(main.steps)),
        initial=initial,
        declaration=_declaration(bound, declared) if _driven(bound) else Declaration(False, False),
        built=behaviour,
        redrawn=redrawn,
        influence=Influence(
            (*names, "input"),
            targets,
            tuple(map(tuple, seen.effects)),
            gradients.by_source(found, len(slots) + 1),
            error,
        ),
        weights=learning.cut_off(lab, seen.probe, weights, method.path) if repeatable else weights,
        computed=tuple(chosen),
        repeatable=repeatable,
        library=backend.library,
        cuts=tuple(cuts),
        mutations=tuple(mutation.mutations(lab, main, method.path)),
        retyped=tuple(computed.retyped(lab, main, initial, method.path)),
        # A mask that the cell itself draws and carries along scales the state as it does while training.
        growth=()
        if any(initial.filled(slot) and not behaviour.moves[slot] for slot in slots)
        else tuple(growth.exploding(lab, main, draw)),
        decay=_decay(lab, seen.probe, found, draw),
        gradient_fault=learning.fault(lab, main, method.path) if first is not None and not first.finite else None,
        asleep=first is not None and learning.asleep(lab, main, behaviour, first, draw),
        unread=unread,
        features=learning.features(lab),
        taken=source.first_use(method.path, method.line, method.input_parameter) if unread else None,
        forms=forms,
        mismatch=None if drawing else graphs.mismatch(lab, main, forms, _starts_itself(initial), method.path),
        chance=chance.chance(lab, main, method.path, repeatable=repeatable) if drawing else None,
        wrong_gradients=wrong,
        swap=_swap(bound, lab, main, seen.probe, bindings, method) if all(behaviour.moves) else None,
    )


def _decay(lab: Lab, probe: Probe, found: Gradients | None, draw: growth.Draw) -> float | None:
    """By how much the gradient through the state shrinks per step, where that is hardly any at all."""
    if found is None:
        return None
    sizes = [found.sources[target][slot] for target in lab.slots for slot in lab.slots]
    known = [size for size in sizes if size is not None]
    if not known or not 0 < max(known) < growth.DECAYS:
        return None
    bound, backend = lab.bound, lab.bound.backend

    def through(steps: int) -> Sequence[float | None]:
        def run(sources: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
            bound.begin(lab.seed)
            structure, leaves = probe.start.structure, list(sources)
            for index in range(steps):
                _, structure, leaves = bound.split(
                    bound.callee.call(bound.inputs(probe.inputs[index]), structure.build(leaves))
                )
            return [leaves]

        leaves = bound.state(probe.start.arrays)
        through = backend.gradients(run, [*zip(probe.start.arrays, map(backend.dtype, leaves))], [])
        return through.sources[0]

    return growth.vanishing(lab, through, draw)


def _wrong_gradients(lab: Lab, probe: Probe, found: Gradients | None) -> tuple[WrongGradient, ...]:
    """The functions of the user's own, met in a step, whose backward is not the derivative."""
    if found is None or not found.functions:
        return ()
    one = dataclasses.replace(probe, inputs=probe.inputs[:1])
    run = functools.partial(gradients.of, lab, one, has_output=True)
    wrong = lab.bound.backend.wrong_derivatives(found.functions, run)
    return tuple(WrongGradient(one.function, one.gap, one.path, source.span(one.path, one.line)) for one in wrong)


def _starts_itself(initial: Initial) -> bool:
    """Whether the first state is the one that a framework's driver makes."""
    return initial.source in ("get_initial_state()", "state_size")


def _swap(
    bound: Bound, lab: Lab, main: Run, probe: Probe, bindings: Sequence[Sequence[str]], method: Method
) -> Swap | None:
    keys = [(name,) if name else () for name in bound.convention.state.names()]
    old = _variables(bindings) or [(*known, *key) for known, key in zip(bindings, keys)]
    new = _variables(method.returned_names) or method.returned_names
    return order.swapped(lab, main, probe, old, new)


def _variables(names: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Per slot the names that the code has for it by itself; nothing where one has none. A field's name tells where a
    value was put, which may be where another belongs."""
    variables = [tuple(name for name in known if name.isidentifier()) for known in names]
    return variables if all(variables) else []


def _certain(behaviour: Behaviour, main: Run, connected: Sequence[bool]) -> bool:
    """Whether what looks dead cannot be so by its weights alone."""
    for slot, moves in enumerate(behaviour.moves):
        same = all(step.same_object[slot] for step in main.steps)
        if (not moves and not same) or (moves and not behaviour.moves_from_initial[slot]):
            return False
        if not behaviour.read[slot] and connected[slot] and moves:
            return False
    return True


def _described(
    method: Method,
    lab: Lab,
    main: Run,
    probe: Probe,
    bindings: tuple[tuple[str, ...], ...],
    behaviour: Behaviour,
) -> Method:
    """The method with what was seen of its running code."""
    record, read = main.steps[0].recording, behaviour.read
    where, width = (None, None) if all(read) else computed.entered(lab, probe, method.path)
    losses = [
        computed.Lost() if read[slot] else computed.lost(lab, probe, slot, bindings[slot], method.path)
        for slot in lab.slots
    ]
    stored = _stored(lab.bound, method.path)
    return dataclasses.replace(
        method,
        bindings=bindings,
        returns=source.span(method.path, record.return_line) if record else None,
        produced=tuple(kept or span for kept, span in zip(stored, computed.produced(main.steps[0], method.path))),
        returned_names=computed.returned_names(main.steps[0]),
        assembled=computed.assembled(main.steps[0], method.path),
        stored=stored,
        entered=where,
        entered_width=width,
        lost=tuple(loss.span for loss in losses),
        overwritten=tuple(loss.overwritten for loss in losses),
        without=tuple(loss.without for loss in losses),
        deaf=None if behaviour.hears else computed.unheard(lab, probe, method.input_parameter, method.path),
    )


def _stored(bound: Bound, path: str | None) -> tuple[Span | None, ...]:
    """Per slot the statement of the method that puts it on the cell, where it is kept there."""
    structure = bound.convention.state
    if bound.convention.signature.passing != KEPT or bound.callee.code is None:
        return (None,) * structure.size
    lines = [source.stores(path, bound.callee.code.co_firstlineno, name) for name in structure.names()]
    return tuple(source.span(path, line) for line in lines)


def _in_variables(bound: Bound) -> list[bool]:
    """Per slot whether it is kept on the cell in a variable of the framework, which no gradient goes through."""
    found = bound.convention.state
    if not bound.held:
        return [False] * found.size
    result = []
    for path, child in zip(found.keys, found.children):
        holder = operator.attrgetter(path)(bound.cell)
        result += [bound.backend.is_weight(holder)] * child.size
    return result


def _with_tail(behaviour: Behaviour, tail: Tail) -> Behaviour:
    """What moves late moves."""
    late = [tail.moves(slot) for slot in range(len(behaviour.moves))]
    return dataclasses.replace(
        behaviour,
        moves=tuple(map(operator.or_, behaviour.moves, late)),
        moves_from_initial=tuple(map(operator.or_, behaviour.moves_from_initial, late)),
    )


def _slot_steps(bound: Bound, step: Step, index: int, chosen: Sequence[Sequence[Computed]]) -> tuple[SlotStep, ...]:
    result = []
    for slot, (previous, returned, same) in enumerate(zip(step.previous, step.returned, step.same_object)):
        updates = [item for item in chosen[slot] if item.is_update]
        new = returned if different(previous, returned) else updates[0].values[index] if updates else None
        before, after = (bound.rows_first(slot, array) for array in (previous, returned))
        result.append(SlotStep(before, after, same, None if new is None else bound.rows_first(slot, new)))
    return tuple(result)


def _method(bound: Bound) -> Method:
    cls, name = type(bound.cell), bound.callee.method
    code = bound.callee.code
    path = code.co_filename if code is not None and not code.co_filename.startswith("<") else None
    line = code.co_firstlineno if code is not None and path is not None else None
    function = source.function_at(path, line)
    signature = bound.convention.signature
    owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
    class_line = source.class_line(path, owner.__name__, line)
    return Method(
        name,
        path,
        function.lineno if function is not None else line,
        cls.__name__,
        class_line,
        signature.input,
        signature.state,
        defined=(path, class_line) if owner is cls and path and class_line else source.class_place(cls),
    )


def _old_names(bound: Bound, recording: Recording | None, passed: Sequence[Tensor]) -> tuple[tuple[str, ...], ...]:
    """Per slot the expressions by which the running method knew the old value, local variables first."""
    structure, signature = bound.convention.state, bound.convention.signature
    parameter = signature.state
    if structure.is_leaf:
        spelled = [parameter]
    elif signature.passing == KEPT:
        spelled = [f"self.{name}" for name in structure.names()]
    elif signature.passing == EACH:
        spelled = list(signature.states) if structure.size == len(signature.states) else []
    else:
        spelled = [parameter + accessor for accessor in structure.accessors()]
    names: list[tuple[str, ...]] = []
    bindings = recording.in_method() if recording else []
    inside = recording.returns.get(recording.step) if recording and recording.step != METHOD else None
    for index, leaf in enumerate(passed):
        others = {item.name for item in bindings for other in passed if item.value is other and other is not leaf}
        bound_to = [item.name for item in bindings if item.value is leaf and item.name not in others]
        bound_to += computed.spelled(inside, functools.partial(operator.is_, leaf))
        known = [*spelled, *bound_to] if structure.is_leaf else [*bound_to, *spelled[index : index + 1]]
        names.append(tuple(dict.fromkeys(known)))
    return tuple(names)


def _slot_names(bound: Bound, bindings: Sequence[Sequence[str]]) -> list[str]:
    """The name that was given with --state, else a key or field of the structure, else the user's own variable, else
    the index; each only once."""
    structure = bound.convention.state
    asked = bound.names if len(bound.names) == structure.size else (None,) * structure.size
    names: list[str] = []
    for index, (said, given, known) in enumerate(zip(asked, structure.names(), bindings)):
        variables = [name for name in known if name.isidentifier()]
        name = said or given or (variables[0] if variables else str(index))
        names.append(name if name not in names and name not in ("input", "output") else f"{name}[{index}]")
    return names


def _driven(bound: Bound) -> bool:
    """Whether the call is the one that a framework's own driver makes."""
    convention, callee = bound.convention, bound.callee
    signature = convention.signature
    plain = signature.passing == ONE and not signature.optional and not callee.further
    plain = plain and signature.order[:2] == (signature.input, signature.state)
    first = callee.method == bound.backend.method_of(bound.cell) and callee.form.layout == "rows"
    return plain and first and convention.reading == Reading(1, 2) and not convention.state.is_leaf


def _declaration(bound: Bound, declared: bool | None) -> Declaration:
    if declared is None:
        return Declaration(False, False)
    cell, backend = bound.cell, bound.backend
    name = next((name for name in build.HIDDEN_NAMES if isinstance(vars(cell).get(name), int)), None)
    place = source.defined_at(type(cell), "state_size")
    return Declaration(True, declared, name, vars(cell)[name] if name else None, backend.declared_shapes(cell), place)
