"""Each experiment once, recorded as a Trace."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncheck import build, computed, probes, source
from rnncheck.backends.base import Array, Backend, Tensor
from rnncheck.build import Built
from rnncheck.capture import code_of
from rnncheck.convention import Bound, discover
from rnncheck.errors import CallError, RnncheckError
from rnncheck.settings import Settings
from rnncheck.structure import flatten
from rnncheck.trace import Computed, Declaration, Influence, Initial, Method, Slot, SlotStep, Trace, Weight
from rnncheck.unroll import Run, different, unroll


@dataclass(frozen=True)
class Observed:
    """A Trace and what the report says of how it was made."""

    trace: Trace
    built: Built
    input_shape: tuple[int, ...]
    dtype: str
    convention: str


def observe(obj: Any, backend: Backend, settings: Settings) -> Observed:
    """Build the target, find how it is called, run all experiments.

    Raises BuildError or CallError when the cell cannot be built or called.
    """
    with backend.keep_randomness(), backend.eagerly():
        built, bound, shape = _establish(obj, backend, settings)
        dtype = backend.float_dtype(bound.cell)
        rng = np.random.default_rng(settings.seed)
        inputs = rng.standard_normal((settings.steps, settings.batch, *shape)).astype(dtype)
        initial, start = _initial(bound, settings, rng)
        bound, main, repeatable = _first_run(bound, settings.seed, inputs, start)
        trace, names = _trace(bound, settings.seed, inputs, start, initial, main, repeatable)
    return Observed(trace, built, shape, dtype, bound.convention.describe(names))


def _establish(obj: Any, backend: Backend, settings: Settings) -> tuple[Built, Bound, tuple[int, ...]]:
    backend.seed(settings.seed)
    refused: RnncheckError | None = None
    with backend.construction_dtype(settings.dtype):
        for built in build.candidates(obj, settings.kwargs):
            cell = built.cell
            if not built.own:
                cell = _own_copy(backend, cell)
            if settings.dtype is not None:
                cell = backend.with_dtype(cell, settings.dtype)
            cell = backend.prepare(cell)
            for shape in [settings.input_shape] if settings.input_shape else _input_shapes(built, backend, cell):
                try:
                    bound = _discover(backend, cell, settings, shape, built)
                except CallError as error:
                    refused = refused or error
                else:
                    return built, bound, shape
    assert refused is not None
    raise refused


def _own_copy(backend: Backend, cell: Any) -> Any:
    """A copy, so that the user's instance stays as it was; the instance itself where it cannot be copied."""
    try:
        return backend.copy(cell)
    except Exception:
        return cell


def _discover(backend: Backend, cell: Any, settings: Settings, shape: tuple[int, ...], built: Built) -> Bound:
    rng = np.random.default_rng(settings.seed)
    dtype = backend.float_dtype(cell)
    inputs = [backend.tensor(rng.standard_normal((settings.batch, *shape)).astype(dtype)) for _ in range(2)]
    method = settings.method or backend.method
    with backend.without_gradient():
        return discover(backend, cell, method, inputs, _hidden_widths(built, backend, cell, shape))


def _input_shapes(built: Built, backend: Backend, cell: Any) -> list[tuple[int, ...]]:
    """Row shapes of the input to try, likeliest first."""
    known = built.width("input") or _attribute(cell, "input", build.INPUT_NAMES)
    if known is not None:
        return [(known,)]
    shape = _built_shape(cell)
    if shape is not None:
        return [shape]
    widths = [build.INPUT, *_weight_sizes(backend, cell)]
    return [(width,) for width in dict.fromkeys(widths[:6])]


def _built_shape(cell: Any) -> tuple[int, ...] | None:
    """The row shape that a Keras layer was built with."""
    try:
        shape = (cell.get_build_config() or {}).get("input_shape")
    except Exception:
        return None
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return tuple(shape[1:]) or None


def _hidden_widths(built: Built, backend: Backend, cell: Any, shape: tuple[int, ...]) -> list[int]:
    found = [
        built.width("hidden"),
        _attribute(cell, "hidden", build.HIDDEN_NAMES),
        _attribute(cell, "both", build.BOTH_NAMES),
    ]
    every = [*found, build.HIDDEN, *_weight_sizes(backend, cell), shape[-1]]
    return list(dict.fromkeys(width for width in every if width is not None))[:8]


def _attribute(cell: Any, role: str, names: Sequence[str]) -> int | None:
    for name in (*names, *vars(cell)):
        if name in names or build.role_of(name) == role:
            value = vars(cell).get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


def _weight_sizes(backend: Backend, cell: Any) -> list[int]:
    try:
        return list(
            dict.fromkeys(size for weight in backend.weights(cell) for size in reversed(weight.shape) if size > 1)
        )
    except Exception:
        return []


def _initial(bound: Bound, settings: Settings, rng: np.random.Generator) -> tuple[Initial, list[Array]]:
    start = [bound.backend.numpy(leaf) for leaf in bound.initial]
    if settings.initial_state == "cell":
        zeros = tuple(not array.any() for array in start)
        return Initial(bound.initial_source, bound.initial_declared, zeros), start
    if settings.initial_state == "random":
        start = [(0.5 * rng.standard_normal(array.shape)).astype(array.dtype) for array in start]
    else:
        start = [np.full_like(array, settings.initial_state == "ones") for array in start]
    return Initial(settings.initial_state, True, tuple(not array.any() for array in start)), start


def _first_run(bound: Bound, seed: int, inputs: Array, start: Sequence[Array]) -> tuple[Bound, Run, bool]:
    """The recorded unroll, and whether the same run gives the same numbers again.

    Where it does not, the cell keeps something between runs, and from then on each run gets its own copy.
    """
    main = unroll(bound, seed, inputs, start, record=True)
    again = unroll(bound, seed, inputs, start)
    same = all(
        not different(one, other)
        for a, b in zip(main.steps, again.steps)
        for one, other in zip((*a.returned, *a.outputs), (*b.returned, *b.outputs))
    )
    if same:
        return bound, main, True
    isolated = dataclasses.replace(bound, isolated=True)
    try:
        return isolated, unroll(isolated, seed, inputs, start, record=True), False
    except CallError:
        raise
    except Exception:
        return bound, main, False


def _trace(
    bound: Bound, seed: int, inputs: Array, start: Sequence[Array], initial: Initial, main: Run, repeatable: bool
) -> tuple[Trace, list[str]]:
    backend, cell = bound.backend, bound.cell
    method = _method(bound)
    bindings = _old_names(bound, main)
    names = _slot_names(bound, bindings)
    slots = tuple(
        Slot(index, name, array.shape[1:], backend.dtype(leaf))
        for index, (name, array, leaf) in enumerate(zip(names, start, bound.initial))
    )
    seen = probes.observe(bound, seed, main, inputs, start)
    redrawn = tuple(probes.redraw(bound, seed, inputs, start, seen.behaviour))
    gradient, error, reached = _gradients(bound, seed, inputs, seen.probe.base, bool(main.steps[0].outputs))
    stuck = [slot for slot in range(len(slots)) if not seen.behaviour.moves[slot]]
    candidates = [
        computed.dropped(bound, seed, main, inputs, seen.probe, slot, method.path) if slot in stuck else ()
        for slot in range(len(slots))
    ]
    chosen = computed.assign(candidates, names)
    targets = (*names, "output") if main.steps[0].outputs else tuple(names)
    record = main.steps[0].recording
    unread = not any(seen.behaviour.read)
    method = dataclasses.replace(
        method,
        bindings=bindings,
        returns=source.span(method.path, record.return_line) if record else None,
        produced=computed.produced(main.steps[0], method.path),
        entered=computed.entered(bound, seed, inputs, seen.probe.base, method.path) if unread else None,
    )
    trace = Trace(
        backend=backend.name,
        method=method,
        slots=slots,
        state_container=bound.convention.state.describe(["{}"] * len(slots)),
        steps=tuple(_slot_steps(step, index, chosen) for index, step in enumerate(main.steps)),
        initial=initial,
        declaration=_declaration(backend, cell),
        built=seen.behaviour,
        redrawn=redrawn,
        influence=Influence((*names, "input"), targets, tuple(map(tuple, seen.effects)), gradient, error),
        weights=reached,
        computed=tuple(chosen),
        repeatable=repeatable,
    )
    return trace, names


def _slot_steps(step: Any, index: int, chosen: Sequence[Sequence[Computed]]) -> tuple[SlotStep, ...]:
    result = []
    for slot, (previous, returned, same) in enumerate(zip(step.previous, step.returned, step.same_object)):
        updates = [item for item in chosen[slot] if item.is_update]
        new = returned if different(previous, returned) else updates[0].values[index] if updates else None
        result.append(SlotStep(previous, returned, same, new))
    return tuple(result)


def _method(bound: Bound) -> Method:
    cls, name = type(bound.cell), bound.convention.method
    code = code_of(getattr(cls, name, None))
    path = code.co_filename if code is not None and not code.co_filename.startswith("<") else None
    line = code.co_firstlineno if code is not None and path is not None else None
    function = source.function_at(path, line)
    signature = bound.convention.signature
    owner = next((base for base in cls.__mro__ if name in vars(base)), cls)
    return Method(
        name,
        path,
        function.lineno if function is not None else line,
        cls.__name__,
        source.class_line(path, owner.__name__, line),
        signature.input,
        signature.state,
    )


def _old_names(bound: Bound, main: Run) -> tuple[tuple[str, ...], ...]:
    """Per slot the expressions by which the running method knew the old value, local variables first."""
    step = main.steps[0]
    structure, parameter = bound.convention.state, bound.convention.signature.state
    if structure.is_leaf:
        spelled = [parameter]
    elif all(child.is_leaf for child in structure.children):
        spelled = [
            f"{parameter}.{key}" if structure.kind == "named" else f"{parameter}[{key!r}]" for key in structure.keys
        ]
    else:
        spelled = []
    names: list[tuple[str, ...]] = []
    bindings = [item for item in step.recording.bindings if item.in_method] if step.recording else []
    for index, leaf in enumerate(step.passed):
        others = {item.name for item in bindings for other in step.passed if item.value is other and other is not leaf}
        bound_to = [item.name for item in bindings if item.value is leaf and item.name not in others]
        known = [*spelled, *bound_to] if structure.is_leaf else [*bound_to, *spelled[index : index + 1]]
        names.append(tuple(dict.fromkeys(known)))
    return tuple(names)


def _slot_names(bound: Bound, bindings: Sequence[Sequence[str]]) -> list[str]:
    """A key or field of the structure, else the user's own variable, else the index; each only once."""
    structure = bound.convention.state
    names: list[str] = []
    for index, (given, known) in enumerate(zip(structure.names(), bindings)):
        variables = [name for name in known if name.isidentifier()]
        name = given or (variables[0] if variables else str(index))
        names.append(name if name not in names and name not in ("input", "output") else f"{name}[{index}]")
    return names


def _declaration(backend: Backend, cell: Any) -> Declaration:
    declared = backend.declares_state_size(cell)
    if declared is None:
        return Declaration(False, False)
    name = next((name for name in build.HIDDEN_NAMES if isinstance(vars(cell).get(name), int)), None)
    return Declaration(True, declared, name, vars(cell)[name] if name else None)


def _gradients(
    bound: Bound, seed: int, inputs: Array, base: Sequence[Array], has_output: bool
) -> tuple[tuple[tuple[float | None, ...], ...] | None, str | None, tuple[Weight, ...]]:
    """Gradients of each slot and the output over a few steps, by source: the slots, then the input."""
    backend, bound = bound.backend, bound.for_one_run()
    weights = backend.weights(bound.cell)
    given = inputs[: probes.PROBE_STEPS]

    def run(sources: Sequence[Tensor]) -> Sequence[Sequence[Tensor]]:
        backend.seed(seed)
        leaves: Sequence[Tensor] = sources[:-1]
        slots: list[list[Tensor]] = [[] for _ in leaves]
        outputs: list[Tensor] = []
        for index in range(len(given)):
            output, leaves = bound.split(bound.call(sources[-1][index], leaves))
            for slot, leaf in zip(slots, leaves):
                slot.append(leaf)
            outputs.extend(flatten(output, backend.is_tensor)[1])
        return [*slots, outputs] if has_output else slots

    try:
        found = backend.gradients(run, [*base, given], weights)
    except Exception as error:
        return None, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", ()
    by_source = tuple(tuple(row[index] for row in found.sources) for index in range(len(base) + 1))
    reached = tuple(
        Weight(
            weight.name,
            weight.shape,
            reach is not None,
            reach is not None and reach.largest == 0.0,
            reach is None or reach.idle_part,
        )
        for weight, reach in zip(weights, found.weights)
    )
    return by_source, None, reached
