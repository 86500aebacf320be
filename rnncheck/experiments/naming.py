"""What the user's code calls things, and where in it they are said: the method, its slots, their values."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Sequence

from rnncheck.backends.base import Tensor, derives
from rnncheck.building import build
from rnncheck.calling.convention import Bound
from rnncheck.calling.reading import Reading
from rnncheck.calling.signature import EACH, KEPT, ONE
from rnncheck.discovery.guesses import FOR_EACH_ROW
from rnncheck.experiments import computed
from rnncheck.experiments.probes import Lab, Probe
from rnncheck.running.capture import METHOD, Recording
from rnncheck.running.unroll import Run
from rnncheck.trace import Behaviour, Declaration, Method, Span
from rnncheck.usercode import source


def method(bound: Bound) -> Method:
    """The method and where it and its class are defined."""
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


def old_names(bound: Bound, recording: Recording | None, passed: Sequence[Tensor]) -> tuple[tuple[str, ...], ...]:
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


def slot_names(bound: Bound, bindings: Sequence[Sequence[str]]) -> list[str]:
    """The name that was given with --state, else a key or field of the structure or an argument of its own, else the
    user's own variable, else the index; each only once."""
    structure, signature = bound.convention.state, bound.convention.signature
    each = signature.passing == EACH and len(signature.states) == structure.size
    given_names = signature.states if each else structure.names()
    asked = bound.names if len(bound.names) == structure.size else (None,) * structure.size
    names: list[str] = []
    for index, (said, given, known) in enumerate(zip(asked, given_names, bindings)):
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
    # A model, and what hands out its first state in a way of its own, is driven by the user's own loop.
    provider = bound.initial_source.removesuffix(FOR_EACH_ROW)
    own = provider.endswith("()") and provider != "get_initial_state()"
    plain = plain and not derives(bound.cell, ("Model",)) and not own
    first = callee.method == bound.backend.method_of(bound.cell) and callee.form.layout == "rows"
    return plain and first and convention.reading == Reading(1, 2) and not convention.state.is_leaf


def declaration(bound: Bound, declared: bool | None) -> Declaration:
    """The sizes that the cell says its state has, where a framework's driver would ask for them."""
    if declared is None or not _driven(bound):
        return Declaration(False, False)
    cell, backend = bound.cell, bound.backend
    name = next((name for name in build.HIDDEN_NAMES if isinstance(vars(cell).get(name), int)), None)
    place = source.defined_at(type(cell), "state_size")
    return Declaration(True, declared, name, vars(cell)[name] if name else None, backend.declared_shapes(cell), place)


def described(
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
        given_out=tuple(any(leaf is one for one in main.steps[0].output_tensors) for leaf in main.steps[0].leaves),
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


def in_variables(bound: Bound) -> list[bool]:
    """Per slot whether it is kept on the cell in a variable of the framework, which no gradient goes through."""
    found = bound.convention.state
    if not bound.held:
        return [False] * found.size
    result = []
    for path, child in zip(found.keys, found.children):
        holder = operator.attrgetter(path)(bound.cell)
        result += [bound.backend.is_weight(holder)] * child.size
    return result


def variables(names: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Per slot the names that the code has for it by itself; nothing where one has none. A field's name tells where a
    value was put, which may be where another belongs."""
    variables = [tuple(name for name in known if name.isidentifier()) for known in names]
    return variables if all(variables) else []
