"""Each experiment once, recorded as a Trace."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck.backends.base import Array, Backend, Gradients, Tensor
from rnncheck.building.build import Built
from rnncheck.building.parameters import constructor_of
from rnncheck.building.roles import plain
from rnncheck.calling.convention import Bound
from rnncheck.calling.signature import EACH
from rnncheck.discovery import further, steps
from rnncheck.discovery.misfits import NoNextState
from rnncheck.discovery.ready import Ready, ready
from rnncheck.errors import CallError
from rnncheck.experiments import (
    chance,
    computed,
    ended,
    flow,
    gradients,
    graphs,
    growth,
    leaks,
    learning,
    mutation,
    naming,
    norms,
    order,
    probes,
    unused,
)
from rnncheck.experiments.computed import dropped
from rnncheck.experiments.ended import frame, slot_steps, with_what_ran
from rnncheck.experiments.probes import Lab, Probe
from rnncheck.experiments.tail import Tail, beyond, moved_late, with_updates
from rnncheck.running import layers, rows
from rnncheck.running.unroll import Run, State, different
from rnncheck.settings import Settings
from rnncheck.trace import (
    Behaviour,
    Influence,
    Initial,
    Leak,
    Method,
    Slot,
    Span,
    Swap,
    Trace,
    WrongGradient,
)
from rnncheck.usercode import source, usage
from rnncheck.usercode.definitions import is_graph_name, words

EVIDENCE = 16
"""How many steps the experiments look at; more that are asked for are run, and their sizes told."""


WIDE = 2**16
"""So many numbers in one tensor are shared among threads."""

First = tuple[Lab, Run, bool, Leak | None]
"""A recorded unroll, whether it repeats, and what keeps it from doing so."""


@dataclass(frozen=True)
class Observed:
    """A Trace and what the report says of how it was made. ``passed_over`` is the method that is called where nobody
    names one, where another was checked."""

    trace: Trace
    built: Built
    input_shape: tuple[int, ...]
    batch: int
    dtype: str
    convention: str
    drawn: tuple[str, ...] = ()
    passed_over: str | None = None


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
        try:
            found = ready(obj, backend, settings, afterwards)
            if not _is_wide(found.bound):
                afterwards.enter_context(backend.one_thread())
            return _observed(found, settings)
        except NoNextState as error:
            misfit = error.misfit
            trace, called = ended.misfit(misfit, settings)
            return Observed(trace, error.built, misfit.shape, misfit.bound.batch, misfit.bound.input_dtype, called)


def _is_wide(bound: Bound) -> bool:
    """Whether several threads are worth their while."""
    sizes = [math.prod(weight.shape) for weight in bound.backend.weights(bound.cell)]
    return max([*sizes, *(math.prod(leaf.shape) for leaf in bound.initial)], default=0) >= WIDE


def _observed(found: Ready, settings: Settings) -> Observed:
    bound, shape, built = found.bound, found.shape, found.built
    rng = np.random.default_rng(settings.seed)
    inputs = bound.form.draw(rng, (min(settings.steps, EVIDENCE), bound.batch, *shape), bound.input_dtype)
    initial, start = _initial(bound, settings, rng)
    lab, main, repeatable, leak = _first_run(Lab(bound, settings.seed, inputs, start))
    _refuse_switched_off(lab, main)
    from_zeros = None
    if not main.finite and not initial.declared and settings.initial_state == "cell":
        # Nobody said that it starts at zeros: where its arithmetic is not defined there, it starts elsewhere, in a
        # domain that it does not leave.
        ones = State(start.structure, [np.ones_like(array) for array in start.arrays])
        again, from_ones, repeated, leaked = _first_run(dataclasses.replace(lab, initial=ones))
        if from_ones.finite and again.run(again.other_inputs(1, probes.THOROUGH.long), ones, 1).finite:
            from_zeros = ended.first_nonfinite(lab, main)
            lab, main, repeatable, leak = again, from_ones, repeated, leaked
            initial = Initial("ones, since zeros give NaN", False, (False,) * len(ones.arrays))
    if main.finite and lab.slots:
        lab, main, repeatable, leak = _awake(lab, main, repeatable, leak, settings)
        bound = lab.bound
    tail = beyond(lab, settings.steps) if main.finite else Tail()
    if not main.finite or tail.broken is not None:
        trace = ended.nonfinite(lab, main, tail, initial)
    else:
        draw = functools.partial(_drawn, lab, built, shape)
        trace = (
            _trace(lab, initial, main, tail, repeatable, found.declares, draw, found.otherwise)
            if lab.slots
            else _layer_trace(lab, initial, shape)
        )
        trace = dataclasses.replace(trace, growth=growth.of_its_own(trace.growth, lab, draw, settings.call_kwargs))
        later = with_updates(lab, tail, trace.computed)
        trace = dataclasses.replace(trace, leak=leak, later=later, from_zeros=from_zeros)
        trace = _with_memory(trace, lab, shape)
        trace = with_what_ran(_with_rows(trace, lab, main, shape), main)
    convention = bound.convention.describe([slot.name for slot in trace.slots])
    usual, *_ = steps.methods(bound.cell, settings, bound.backend)
    passed_over = usual if bound.convention.state.size and usual != bound.callee.method else None
    return Observed(trace, built, shape, bound.batch, bound.input_dtype, convention, found.drawn, passed_over)


def _refuse_switched_off(lab: Lab, main: Run) -> None:
    """Raise CallError where the cell hands its state on as it is, and would not if one of its options were another."""
    callee, signature = lab.bound.callee, lab.bound.convention.signature
    function = source.function_of(callee.code)
    if function is None or not signature.states or not all(all(step.same_object) for step in main.steps):
        return
    told = {switch for name in signature.states for switch in usage.switches(function, name)}
    off = sorted((name, value) for name, value in told if bool(getattr(callee.cell, name, value)) is not value)
    if not told or len(off) < len(told) or any(name == "training" for name, _ in off):
        return
    other = State(lab.initial.structure, [np.ones_like(array) for array in lab.initial.arrays])
    outputs = main.steps[0].outputs
    if not outputs or any(map(different, lab.run(lab.inputs[:1], other).steps[0].outputs, outputs)):
        return
    name, value = off[0]
    names = [parameter.name for parameter in constructor_of(type(callee.cell)).parameters]
    option = next((item for item in names if plain(item) == plain(name)), None)
    raise CallError(
        f"{callee.name} gives {signature.state} no new value: its recurrence is switched off by self.{name}.",
        hint=f"Switch it on: --kwargs {option}={value}" if option else f"Check a cell whose self.{name} is {value}.",
    )


def _with_memory(trace: Trace, lab: Lab, shape: tuple[int, ...]) -> Trace:
    """The same with whether one call over a sequence carries the state from step to step."""
    if not lab.slots or not lab.bound.form.over_time or not steps.runs_over_time(lab.bound.callee):
        return trace
    with contextlib.suppress(CallError):
        memory = layers.remembers(lab.bound, lab.seed, shape)
        return dataclasses.replace(trace, memory=memory, cut_within=_is_cut_within(lab, memory, shape))
    return trace


def _is_cut_within(lab: Lab, memory: bool | None, shape: tuple[int, ...]) -> bool:
    with contextlib.suppress(Exception):
        return memory is True and layers.is_cut(lab.bound, lab.seed, shape)
    return False


def _with_rows(trace: Trace, lab: Lab, main: Run, shape: tuple[int, ...]) -> Trace:
    """The same with what the rows of a batch have to do with each other."""
    mixing, span = _row_leak(lab, trace, main, shape)
    change = None if mixing is None else mixing.change
    trace = dataclasses.replace(trace, graph=_is_graph(lab.bound), row_leak=change, row_span=span)
    if mixing is None and trace.repeatable and trace.slots and not trace.graph:
        trace = dataclasses.replace(trace, shared_norm=norms.shared(lab, main, shape, trace.method.path))
    return trace


def _row_leak(lab: Lab, trace: Trace, main: Run, shape: tuple[int, ...]) -> tuple[rows.Mixing | None, Span | None]:
    """Chance that cannot be repeated would look like a leak, and so would the nodes of a graph on an axis that is taken
    for that of the rows, where there is no loop over the one before it."""
    bound = lab.bound
    guessed = bound.form.layout == "time first" and bool(bound.callee.further)
    of_nodes = guessed and not steps.runs_over_time(bound.callee)
    if not trace.repeatable or _is_graph(bound) or of_nodes:
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
    memory = layers.remembers(bound, lab.seed, shape)
    return dataclasses.replace(
        frame(bound, initial),
        steps=((),) * len(lab.inputs),
        influence=Influence((), (), (), None, "it takes no state"),
        kind="layer",
        memory=memory,
        cut_within=_is_cut_within(lab, memory, shape),
    )


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


def _awake(lab: Lab, main: Run, repeatable: bool, leak: Leak | None, settings: Settings) -> First:
    """The first unroll with those values of further arguments that were guessed under which the most is alive; as it
    is where all of it was, or other values do not help."""
    best: First = lab, main, repeatable, leak
    if not set(lab.bound.callee.further) - set(settings.call_kwargs):
        return best
    alive = probes.awake(probes.observe(lab, main, probes.BRIEF).behaviour)
    for other in further.variations(lab.bound.callee, settings.call_kwargs):
        if all(alive):
            break
        callee = dataclasses.replace(lab.bound.callee, further=other.values, shown=other.shown)
        convention = dataclasses.replace(lab.bound.convention, further=other.shown)
        bound = dataclasses.replace(lab.bound, callee=callee, convention=convention, kept=None)
        if lab.bound.kept is not None:
            lab.bound.kept.restore()
        with contextlib.suppress(CallError):
            tried = _first_run(dataclasses.replace(lab, bound=bound, steady=False))
            seen = probes.observe(tried[0], tried[1], probes.BRIEF).behaviour
            awake = probes.awake(seen)
            # Slots that no one value of a mask lets move together are no luck of the guess.
            moves = slice(0, 2 * len(lab.slots))
            if seen.finite and sum(awake) > sum(alive) and not (other.mixed and sum(awake[moves]) > sum(alive[moves])):
                best, alive = tried, awake
    return best


def _first_run(lab: Lab) -> First:
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
    lab: Lab,
    initial: Initial,
    main: Run,
    tail: Tail,
    repeatable: bool,
    declared: bool | None,
    draw: growth.Draw,
    otherwise: bool,
) -> Trace:
    bound, slots = lab.bound, lab.slots
    backend = bound.backend
    method = naming.method(bound)
    bindings = naming.old_names(bound, main.steps[0].recording, main.steps[0].passed)
    names = naming.slot_names(bound, bindings)
    seen = probes.observe(lab, main)
    if not seen.behaviour.finite:
        raise CallError(
            f"{bound.callee.name} gives NaN or infinity for ordinary inputs, so that nothing can be told of its state.",
            hint="Its first state may lie outside its domain: try --initial-state ones.",
        )
    behaviour = moved_late(seen.behaviour, tail)
    found, later, error = gradients.of(lab, seen.probe, bool(main.steps[0].outputs))
    wrong = _wrong_gradients(lab, seen.probe, found)
    known = found is not None and repeatable
    variables = naming.in_variables(bound)
    cuts = flow.cuts(lab, seen.probe, found, later, method.path) if known and found else []
    cuts = [cut for cut in cuts if not variables[cut.slot]]
    if found is not None and not all(behaviour.read):
        found = gradients.further(lab, seen.probe, found, bool(main.steps[0].outputs))
    never = None if found is None else unused.never(lab, seen.probe, found)
    first = None if found is None else gradients.first(lab)
    redrawn: tuple[Behaviour, ...] = ()
    connected = tuple(found is None or any(row[slot] is not None for row in found.sources) for slot in slots)
    if repeatable:
        redrawn = tuple(probes.redraw(lab, behaviour, certain=_certain(behaviour, main, connected)))
    elif found is not None:
        # Chance that cannot be repeated looks like influence; whether the state is connected at all does not.
        behaviour = dataclasses.replace(behaviour, read=connected)
    method = naming.described(method, lab, main, seen.probe, bindings, behaviour)
    moving = [
        moves and from_initial and not constant
        for moves, from_initial, constant in zip(behaviour.moves, behaviour.moves_from_initial, behaviour.constant)
    ]
    candidates = [() if moving[slot] else dropped(lab, main, seen.probe, slot, method.path) for slot in slots]
    chosen = computed.assign(candidates, names, bound.convention.state.accessors())
    forms = graphs.forms(lab)
    # A form is compared over all steps.
    drawing = not lab.steady and chance.draws(lab, main, len(lab.inputs) if forms else probes.WINDOW)
    targets = (*names, "output") if main.steps[0].outputs else tuple(names)
    shapes = [bound.rows_first(slot, array).shape[1:] for slot, array in enumerate(lab.initial.arrays)]
    weights = unused.settled(lab, main, seen.probe, unused.seen(bound, found, never), method.path)
    declaration = naming.declaration(bound, declared)
    own_start = _starts_itself(initial) or (otherwise and _wider(declaration.shapes, shapes))
    unread = () if found is None else learning.unread_features(lab, seen.probe, found)
    return Trace(
        backend=backend.name,
        method=method,
        slots=tuple(
            Slot(slot, names[slot], shapes[slot], backend.dtype(bound.initial[slot]), variables[slot]) for slot in slots
        ),
        structure=bound.convention.state,
        steps=tuple(slot_steps(bound, step, index, chosen) for index, step in enumerate(main.steps)),
        initial=initial,
        declaration=declaration,
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
        mismatch=None if drawing else graphs.mismatch(lab, main, forms, own_start, method.path),
        chance=chance.chance(lab, main, method.path, repeatable=repeatable) if drawing else None,
        wrong_gradients=wrong,
        doubled=order.doubled(lab, main, seen.probe, bindings, method.path) if repeatable else None,
        forgotten=()
        if found is None or not repeatable
        else tuple(learning.forgotten(lab, main, seen.probe, found, behaviour)),
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


def _wider(declared: Sequence[Sequence[int]], shapes: Sequence[Sequence[int]]) -> bool:
    """Whether other widths are declared than the slots have; a layout of more axes is a matter of its own."""
    flat = all(len(shape) == 1 for shape in (*declared, *shapes))
    return flat and len(declared) == len(shapes) and [*map(tuple, declared)] != [*map(tuple, shapes)]


def _swap(
    bound: Bound, lab: Lab, main: Run, probe: Probe, bindings: Sequence[Sequence[str]], method: Method
) -> Swap | None:
    keys = [(name,) if name else () for name in bound.convention.state.names()]
    old = naming.variables(bindings) or [(*known, *key) for known, key in zip(bindings, keys)]
    new = naming.variables(method.returned_names) or method.returned_names
    found = order.swapped(lab, main, probe, old, new)
    return None if found is None else dataclasses.replace(found, apart=bound.convention.signature.passing == EACH)


def _certain(behaviour: Behaviour, main: Run, connected: Sequence[bool]) -> bool:
    """Whether what looks dead cannot be so by its weights alone."""
    if any(behaviour.constant):
        return False
    for slot, moves in enumerate(behaviour.moves):
        same = all(step.same_object[slot] for step in main.steps)
        if (not moves and not same) or (moves and not behaviour.moves_from_initial[slot]):
            return False
        if not behaviour.read[slot] and connected[slot] and moves:
            return False
    return True
