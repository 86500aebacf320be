"""Which method of a cell is one step, and how it takes its input."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from rnncheck.backends.base import Backend
from rnncheck.building import roles
from rnncheck.calling import signature
from rnncheck.calling.convention import Callee, Form
from rnncheck.errors import CallError
from rnncheck.settings import Settings
from rnncheck.usercode import source, stacking, usage
from rnncheck.usercode.definitions import BEFORE, is_framework, is_step_name, is_surely_state_name, stem, words
from rnncheck.usercode.functions import code_of, is_method


def methods(cell: Any, settings: Settings, backend: Backend) -> list[str]:
    """The methods that may be one step, likeliest first.

    Raises CallError where there is none.
    """
    if settings.method is not None:
        if not callable(getattr(cell, settings.method, None)):
            raise CallError(
                f"{type(cell).__name__} has no method '{settings.method}'.", hint="Name its step with --method NAME."
            )
        return [settings.method]
    first = backend.method_of(cell)
    own = callable(getattr(cell, first, None)) and not _is_missing(getattr(type(cell), first, None))
    found = [*([first] if own else []), *(name for name in _steps(cell) if name != first)]
    if not found:
        raise CallError(
            f"{type(cell).__name__} has no {first}(), and no method that is one step by its name.",
            hint="Name its step with --method NAME.",
        )
    return found


def _is_missing(method: Any) -> bool:
    """Whether it is what PyTorch puts in the place of a ``forward`` that is not defined."""
    return getattr(method, "__name__", None) == "_forward_unimplemented"


def _steps(cell: Any) -> list[str]:
    """Methods of the user's own that are one step by their names and take a state."""
    found = []
    for base in type(cell).__mro__:
        if is_framework(base):
            break
        for name, value in vars(base).items():
            named = is_step_name(name) and is_method(value) and name not in found
            if named and any(way.states for way in signature.signatures(getattr(cell, name))):
                found.append(name)
    return sorted(found, key=lambda name: "step" not in words(name))


def ordered(forms: Sequence[Form], callee: Callee) -> list[Form]:
    """Sequences first where the method reads its input as one; the batch first where the cell says so."""
    if callee.backend.drives(callee.cell):
        return [form for form in forms if not form.over_time]
    sequence = runs_over_time(callee)
    batch_first = _batch_first(callee)

    def rank(form: Form) -> tuple[bool, bool]:
        return form.over_time != sequence, form.over_time and (form.layout == "batch first") != batch_first

    return sorted(forms, key=rank)


def own_batch_first(cell: Any) -> bool | None:
    """Whether the batch comes before time, as the cell itself keeps it; None where it does not."""
    kept = (getattr(cell, name, None) for name in ("batch_first", "_batch_first"))
    return next((value for value in kept if isinstance(value, bool)), None)


def told_otherwise(callee: Callee) -> bool:
    """Whether the cell or its code says that time is another axis of the input than it is here."""
    told = _told_batch_first(callee)
    return callee.form.over_time and told is not None and told != (callee.form.layout == "batch first")


def _told_batch_first(callee: Callee) -> bool | None:
    """What the cell keeps, else what its method calls the sizes of its input, or loops over."""
    own = own_batch_first(callee.cell)
    if own is not None:
        return own
    axes = (usage.time_axis(function, parameter) for function, parameter in _reading_input(callee))
    axis = next((axis for axis in axes if axis is not None), None)
    return None if axis is None else axis == 1


def _batch_first(callee: Callee) -> bool:
    """What is told, else what its constructor takes by default: it may only hand it on to a part."""
    told = _told_batch_first(callee)
    if told is not None:
        return told
    try:
        parameter = inspect.signature(type(callee.cell)).parameters.get("batch_first")
    except (TypeError, ValueError):
        return True
    return parameter is None or parameter.default is not False


def runs_over_time(callee: Callee) -> bool:
    """Whether the method loops over its input, or hands it to a layer that does."""
    named = any(usage.takes_sequence(function, parameter) for function, parameter in _reading_input(callee))
    return named or callee.backend.has_recurrent_layer(callee.cell)


def _reading_input(callee: Callee) -> Iterator[tuple[ast.FunctionDef, str]]:
    """The method, and those of the cell and of its parts to which it hands its input as it is; each with its name for
    the input."""
    function = source.function_of(callee.code)
    if function is None:
        return
    yield function, callee.signature.input
    for name, place in usage.handed_to(function, callee.signature.input):
        helper = definition(callee.cell, name)
        part = getattr(callee.cell, name, None)
        if helper is None and callee.backend.is_module(part):
            helper = definition(part, callee.backend.method_of(part))
        parameters = [item.arg for item in helper.args.args[1:]] if helper is not None else []
        if helper is not None and place < len(parameters):
            yield helper, parameters[place]


def takes_layers(callee: Callee, name: str) -> bool:
    """Whether the method takes a state one layer after the other."""
    function = source.function_of(callee.code)
    return function is not None and (
        usage.takes_one_by_one(function, name) or stacking.stacked(function, name) is not None
    )


def layers(callee: Callee, name: str) -> tuple[int, int | None] | None:
    """How many layers there are to a state that the method takes one layer after the other, and how many parts to
    each, None where the code does not take it apart; None for another state, and where nobody says how many."""
    function = source.function_of(callee.code)
    found = stacking.stacked(function, name) if function is not None else None
    if found is None:
        return None
    count = found.count(callee.cell) or number_of_layers(callee)
    return None if count is None else (count, found.parts)


def number_of_layers(callee: Callee) -> int | None:
    """How many layers a cell has by a number that it keeps, or by a list of parts that its method names."""
    function, is_module = source.function_of(callee.code), callee.backend.is_module
    kept = getattr(callee.cell, "__dict__", {})
    numbers = [value for name, value in kept.items() if type(value) is int and roles.counts_layers(name)]
    named = [getattr(callee.cell, name, None) for name in stacking.attributes(function)] if function is not None else []
    numbers += [len(value) for value in named if _is_list(value) and value and all(map(is_module, value))]
    return next((number for number in numbers if 1 <= number <= stacking.MOST), None)


def _is_list(value: Any) -> bool:
    """Whether it is a list, of Python or of modules that none calls as a whole."""
    return isinstance(value, (list, tuple)) or (
        hasattr(value, "__len__") and _is_missing(getattr(type(value), "forward", None))
    )


def input_parts(cell: Any, method: str, parameter: str) -> tuple[str, ...]:
    """The variables into which a step takes its input apart, none of which is its state."""
    function = definition(cell, method)
    parts = usage.parts_of(function, parameter) if function is not None else ()
    return () if any(map(_is_state, parts)) else parts


def _is_state(name: str) -> bool:
    """Whether it is a state, and not what else was there before, such as an action."""
    return is_surely_state_name(name) or words(name) <= BEFORE


def packed(cell: Any, method: str) -> signature.Signature | None:
    """How a step takes its only argument apart into input and states."""
    parameters = signature.parameters(getattr(cell, method)) or []
    needed = [item for item in parameters if item.kind in signature.POSITIONAL and item.default is item.empty]
    function = definition(cell, method)
    names = usage.nested_parts(function, needed[0].name) if function is not None and len(needed) == 1 else ()
    return signature.packed(names) if names else None


def indexed_parts(cell: Any, method: str, parameter: str) -> tuple[str, ...]:
    """The variables that a step fills from its input by index, which may be a tuple, none of which is its state."""
    function = definition(cell, method)
    parts = usage.indexed_parts(function, parameter) if function is not None else ()
    return () if any(map(_is_state, parts)) else parts


def returned_names(cell: Any, method: str) -> tuple[str, ...]:
    """What the parts of what it returns are called in its code."""
    function = definition(cell, method)
    return usage.returned_parts(function) if function is not None else ()


def returned_order(cell: Any, method: str, taken: Sequence[str]) -> tuple[str, ...]:
    """The arguments in the order in which their new values come back, by their names, where that differs by the output,
    which comes first: computed from one that comes after it, as a spike is from the new potential. Else nothing."""
    function, names = definition(cell, method), returned_names(cell, method)
    by_stem = {stem(name): name for name in taken}
    order = tuple(by_stem.get(stem(name), "") for name in names)
    if function is None or order == tuple(taken) or sorted(order) != sorted(taken):
        return ()
    ahead = list(order[1:]) == [name for name in taken if name != order[0]]
    return order if ahead and any(usage.computed_after(function, names[0], other) for other in names[1:]) else ()


def definition(cell: Any, method: str) -> ast.FunctionDef | None:
    """The source of a method; None where there is none."""
    return source.function_of(code_of(getattr(type(cell), method, None)))
