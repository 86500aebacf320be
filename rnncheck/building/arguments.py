"""Values for constructor arguments: from their names, their annotations and what the source does with them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnncheck.building import roles
from rnncheck.building.annotations import CONFIG_NAMES, as_annotated, config_class, is_sequence, literals, parts_of
from rnncheck.building.parameters import (
    EMPTY,
    Constructor,
    Parameter,
    choices,
    constructor_of,
    is_flag,
    is_size,
    other_names,
    reads,
)
from rnncheck.building.roles import Image, Sizes
from rnncheck.usercode.definitions import FRAMEWORKS
from rnncheck.usercode.expressions import Expression, Made, text_of

_ACTIVATION = re.compile(
    r"(.*_)?(activation|act|nonlinearity|non_linearity|nonlin|nl|phi|transfer|squash)(_?(fn|func|function|layer|class|cls|"
    r"module|name|type))?|.*_(fn|func|function)|activations?_.*"
)
_GATE = re.compile(r"(recurrent|gate|inner|sigma)_.*")
_CELL = re.compile(r"(rnn|lstm|gru)?(cell|core)|(?!n_|num_|nb_).*_(cell|core)|rnn|gru|lstm|controller")
_CELLS = re.compile(r"(.*_)?(cells|cores)|(cell|core|rnn|layer)_?list|rnns")
_CELL_KIND = re.compile(
    r"(rnn|cell|core|unit|recurrent|layer|gru|lstm|model|base)_?(cell_?)?(type|kind|mode|name|class|cls|factory|ctor|fn)|rnntype"
)
_SIZES_LIST = re.compile(
    r"(?!.*(kernel|filter))(.*_)?(sizes|list|widths)|hiddens|(hidden|units?|rnn|lstm|gru)_layers|layers_units|"
    r"(layer|hidden)_?(units|dims)_list"
)
_CELL_OF = {
    "torch": ("torch.nn", "{module}.{name}Cell({input}, {hidden})"),
    "keras": ("keras.layers", "{module}.{name}Cell({hidden})"),
    "tf_keras": ("tf_keras.layers", "{module}.{name}Cell({hidden})"),
    "sonnet": ("sonnet", "{module}.{name}({hidden})"),
    "tensorflow": ("tensorflow.compat.v1.nn.rnn_cell", "{module}.{name}Cell({hidden})"),
}


@dataclass(frozen=True)
class Argument:
    """An inferred argument: the values that it may have, the one in use first.

    ``path`` is its name, after that of the configuration it stands in (``config.units``).
    """

    path: str
    values: tuple[Any, ...]
    role: str | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


@dataclass(frozen=True)
class Context:
    """What is known of the cell as a whole. ``framework`` is a key of the table of cells, or nothing."""

    framework: str | None = None
    image: Image | None = None
    batch: int = 3
    scope: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channels_last(self) -> bool:
        return self.framework != "torch"


@dataclass(frozen=True)
class Plan:
    """One try: sizes, and what earlier tries taught.

    ``values`` are by path; ``wanted`` are arguments that have a default and are needed all the same; ``filled`` is
    1 when defaults that only say "unset" (-1, ``...``) are replaced, and 2 when None is too.
    """

    sizes: Sizes = field(default_factory=Sizes)
    values: Mapping[str, Any] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    filled: int = 0
    depth: int = 0


@dataclass
class Inference:
    """The arguments of one try. ``unknown`` are those for which there was nothing to go by, ``kwargs`` the values."""

    plan: Plan
    context: Context
    arguments: list[Argument] = field(default_factory=list)
    unknown: list[Parameter] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


def framework_of(make: Any) -> str | None:
    """The framework of a class; of a factory the one that is loaded."""
    if not inspect.isclass(make):
        loaded = [name for name in ("torch", "keras") if name in sys.modules]
        return loaded[0] if len(loaded) == 1 else None
    roots = [base.__module__.partition(".")[0] for base in make.__mro__]
    if any(root == "sonnet" for root in roots):
        return "sonnet"
    if hasattr(make, "_is_tf_rnn_cell"):
        return "tensorflow"
    return next((root for root in roots if root in FRAMEWORKS), None)


def infer(constructor: Constructor, given: Mapping[str, Any], plan: Plan, context: Context) -> Inference:
    """The arguments for one try, those that were given among them."""
    inference = Inference(plan, context)
    inferred = _values(inference, constructor, given, "")
    inference.kwargs = {**inferred, **_given(inference, constructor, given)}
    return inference


def _values(inference: Inference, constructor: Constructor, given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    plan = inference.plan
    known = {f"{prefix}{parameter.name}" for parameter in constructor.parameters}
    added = [
        Parameter(path[len(prefix) :])
        for path in plan.wanted
        if path.startswith(prefix) and "." not in path[len(prefix) :] and path not in known
    ]
    needed = [
        parameter
        for parameter in (*constructor.parameters, *added)
        if parameter.name not in given
        and f"{prefix}{parameter.name}" not in plan.dropped
        and (
            parameter.required
            or f"{prefix}{parameter.name}" in (*plan.wanted, *plan.values)
            or _unset(parameter, plan.filled)
            or _is_absent_device(parameter)
        )
    ]
    every = [parameter.name for parameter in constructor.parameters]
    telling = _telling_names(needed)
    sized = [parameter for parameter in needed if _may_be_size(parameter)]
    measured = {telling[parameter.name] for parameter in sized if is_size(parameter)}
    assigned = roles.assign([telling[parameter.name] for parameter in sized], every, given, measured)
    values: dict[str, Any] = {}
    for parameter in needed:
        path = f"{prefix}{parameter.name}"
        role = assigned.get(telling[parameter.name])
        found = _candidates(inference, constructor, parameter, role, [*every, *given], prefix)
        if path in plan.values:
            chosen = plan.values[path]
            found = (chosen, *(value for value in found if text_of(value) != text_of(chosen)))
        if not found:
            inference.unknown.append(dataclasses.replace(parameter, name=path))
            continue
        inference.arguments.append(Argument(path, found, role))
        values[parameter.name] = found[0]
    return values


def _telling_names(parameters: Sequence[Parameter]) -> dict[str, str]:
    """The name by which each argument is judged: ``p`` may be kept as ``self.units``."""

    def tells(name: str) -> bool:
        return bool(roles.role_of(name) or roles.usual(name))

    names = {parameter.name: parameter.name for parameter in parameters}
    for parameter in parameters:
        if tells(parameter.name):
            continue
        others = [name for name in other_names(parameter) if tells(name) and name not in names.values()]
        if others:
            names[parameter.name] = others[0]
    return names


def _may_be_size(parameter: Parameter) -> bool:
    """Whether the annotation leaves room for a whole number, or for some."""
    annotation = parameter.annotation
    if annotation is EMPTY or isinstance(annotation, (str, typing.TypeVar)):
        return True
    return bool({int, Any} & parts_of(annotation))


def _unset(parameter: Parameter, filled: int) -> bool:
    """Whether the default only says that there is no value, of an argument that is a size, or is a configuration
    in which that may be so."""
    default = parameter.default
    sized = roles.role_of(parameter.name) is not None and _may_be_size(parameter)
    if type(default) is int:
        return filled >= 1 and default == -1 and (sized or bool(roles.usual(parameter.name)))
    if default is Ellipsis or (isinstance(default, str) and default in ("???", "MISSING")):
        return filled >= 1
    if default is None:
        return filled >= 2 and (sized or config_class(parameter) is not None)
    return filled >= 1 and config_class(parameter) is not None


def _is_absent_device(parameter: Parameter) -> bool:
    """Whether the default is a GPU, or the source may ask for one, where there is none."""
    torch = sys.modules.get("torch")
    named = "device" in parameter.name and str(parameter.default).startswith("cuda")
    named = named or (parameter.name == "device" and parameter.default is EMPTY)
    return named and torch is not None and not torch.cuda.is_available()


def _candidates(
    inference: Inference,
    constructor: Constructor,
    parameter: Parameter,
    role: str | None,
    every: Sequence[str],
    prefix: str,
) -> tuple[Any, ...]:
    """The values to try for one argument, likeliest first; none where there is nothing to go by."""
    context, sizes = inference.context, inference.plan.sizes
    name, annotation = parameter.name, parameter.annotation
    if _is_absent_device(parameter):
        return ("cpu", Expression("torch.device('cpu')"))
    optional = type(None) in parts_of(annotation)
    fixed = literals(annotation)
    if fixed:
        return (*fixed, *([None] if optional else []))
    if (config := _config(inference, constructor, parameter, f"{prefix}{name}.")) is not None:
        return (config,)
    if config_class(parameter) is not None:
        return (None,) if optional else ()
    image = context.image
    if image is not None and not prefix:
        extents = roles.extents_of(name, every, image, sizes.input, context.channels_last)
        if extents:
            return extents
    values = _by_name(inference, parameter, role, _telling_names([parameter])[name])
    if values is None:
        values = _by_annotation(parameter)
    if not values and optional:
        return (None,)
    return (*as_annotated(values, annotation), *([None] if optional and values else []))


def _by_name(inference: Inference, parameter: Parameter, role: str | None, name: str) -> tuple[Any, ...] | None:
    context, sizes = inference.context, inference.plan.sizes
    lowered = roles.plain(name)
    parts = parts_of(parameter.annotation)
    said = choices(parameter) if str in parts or parameter.annotation is EMPTY else ()
    if _CELL_KIND.fullmatch(lowered):
        classes = _cell_classes(context)
        words = said or (() if lowered.endswith(("class", "cls", "factory", "ctor")) else ("GRU", "gru"))
        return (*words, *classes) if words and type not in parts else (*classes, *words)
    if _ACTIVATION.fullmatch(lowered) and not {int, float, bool} & parts:
        return _activations(context, lowered, said, parameter.annotation)
    if said:
        return said
    many = _CELLS.fullmatch(lowered) or (lowered == "layers" and any(is_sequence(part) for part in parts))
    if many and int not in parts and (cell := _cell(context, sizes)):
        after = _cell(context, Sizes(sizes.hidden, sizes.hidden)) or cell
        return (Expression(f"[{cell}, {after}]"), Expression(f"[{cell}]"), Expression(cell))
    if _CELL.fullmatch(lowered) and not {int, float, str} & parts and (cell := _cell(context, sizes)):
        return (Expression(cell), Expression(cell.replace("GRU", "LSTM")), *_cell_classes(context))
    if lowered == "device" and context.framework == "torch":
        return (None, "cpu", Expression("torch.device('cpu')"))
    if lowered == "batch_size":
        return (context.batch,)
    if _SIZES_LIST.fullmatch(lowered) and not {float, str} & parts:
        return ([sizes.hidden, sizes.hidden], [sizes.hidden], sizes.hidden)
    if role is not None:
        size = sizes.of(role)
        return (size, [size, size], [size])
    if roles.is_kernel(name):
        dimensions = context.image.dimensions if context.image else 2
        return (3, (3,) * dimensions)
    usual = _fitting(roles.usual(name), parts)
    if usual:
        return usual
    if lowered.endswith(("initializer", "_init", "initialiser")) or lowered in ("init", "initialization"):
        return (Expression("torch.nn.init.xavier_uniform_"), None) if context.framework == "torch" else (
            "glorot_uniform", None)  # fmt: skip
    if re.fullmatch(r"norm(alization)?_?(layer|class|cls|module)", lowered) and context.framework == "torch":
        return (Expression("torch.nn.LayerNorm"),)
    return None


def _fitting(values: tuple[Any, ...], parts: frozenset[Any]) -> tuple[Any, ...]:
    """The usual values, in the type of the annotation where that says another: a dropout may be a flag."""
    if not values:
        return ()
    if any(getattr(part, "__module__", "").partition(".")[0] in FRAMEWORKS for part in parts):
        # A tensor, a layer: no number stands for it.
        return tuple(value for value in values if value is None)
    value = values[0]
    if bool in parts and not {int, float} & parts and not isinstance(value, bool):
        return (False,)
    if isinstance(value, bool) and bool not in parts and parts & {int, float}:
        return (1,) if int in parts else (1.0,)
    if type(value) is float and int in parts and float not in parts:
        return (max(1, int(value)),)
    if str in parts and not isinstance(value, str) and len(parts - {type(None)}) == 1:
        return tuple(other for other in values if isinstance(other, str))
    return values


def _by_annotation(parameter: Parameter) -> tuple[Any, ...]:
    parts = parts_of(parameter.annotation)
    if is_flag(parameter) or bool in parts:
        return (False, True)
    if int in parts:
        return (2, 1, 8)
    if float in parts:
        return (0.5,)
    if parts & {dict}:
        return ({},)
    return ()


def _activations(context: Context, name: str, said: tuple[Any, ...], annotation: Any) -> tuple[Any, ...]:
    word = "sigmoid" if _GATE.fullmatch(name) else "tanh"
    if said:
        said = tuple(sorted(said, key=lambda choice: choice.lower() != word))
    if context.framework == "torch":
        class_ = f"torch.nn.{word.capitalize()}"
        function, module, cls = Expression(f"torch.{word}"), Expression(f"{class_}()"), Expression(class_)
        text = str(annotation)
        if "Module" in text:
            return (cls, module) if "ype[" in text else (module, cls)
        if "Callable" in text:
            return (function, cls)
        if name.endswith(("layer", "class", "cls")):
            return (cls, function, word)
        if name.endswith(("fn", "func", "function")) and not said:
            return (function, word, module, cls)
        return (*(said or (word,)), function, module, cls)
    functions = (Expression(f"tensorflow.{word}"),) if context.framework else ()
    return (*functions, word) if "Callable" in str(annotation) and functions else (*(said or (word,)), *functions)


def _cell(context: Context, sizes: Sizes) -> str | None:
    """A cell of the framework, as code."""
    if context.framework not in _CELL_OF:
        return None
    module, call = _CELL_OF[context.framework]
    return call.format(module=module, name="GRU", input=sizes.input, hidden=sizes.hidden)


def _cell_classes(context: Context) -> tuple[Any, ...]:
    if context.framework not in _CELL_OF:
        return ()
    module, call = _CELL_OF[context.framework]
    return (Expression(call.partition("(")[0].format(module=module, name="GRU")),)


class Options(dict[str, Any]):
    """A configuration that was read off the source: its values are attributes and items."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _config(inference: Inference, constructor: Constructor, parameter: Parameter, prefix: str) -> Made | None:
    """A configuration: of the class that the annotation names, else with what the source reads of it."""
    if prefix.count(".") > 3:
        return None
    cls = config_class(parameter)
    if cls is not None:
        return _configured(inference, cls, {}, prefix)
    if parameter.name.lower() not in CONFIG_NAMES or parameter.annotation in (int, float, str, bool):
        return None
    return _read_off(inference, reads(constructor.make, parameter.name), prefix, {})


def _configured(inference: Inference, cls: type, given: Mapping[str, Any], prefix: str) -> Made | None:
    inner = constructor_of(cls)
    known = len(inference.unknown)
    values = {**_values(inference, inner, given, prefix), **given}
    if len(inference.unknown) > known:
        # What is asked for is the configuration, not a part of it.
        del inference.unknown[known:]
        return None
    shown = ", ".join(f"{name}={text_of(value)}" for name, value in values.items())
    return Made(f"{cls.__name__}({shown})", lambda: inner(made(values, inference.context.scope)), cls)


def _read_off(inference: Inference, tree: Mapping[str, Any], prefix: str, given: Mapping[str, Any]) -> Made | None:
    """Options with the names that were read, or that an error asked for; an inner one of names read in turn."""
    wanted = [path[len(prefix) :] for path in inference.plan.wanted if path.startswith(prefix)]
    names = dict.fromkeys([*tree, *(path.partition(".")[0] for path in wanted)])
    if not names:
        return None
    inner = [name for name in names if tree.get(name) or any(path.startswith(f"{name}.") for path in wanted)]
    leaves = Constructor(dict, "", tuple(Parameter(name) for name in names if name not in inner))
    values = {**_values(inference, leaves, given, prefix), **given}
    for name in inner:
        part = given.get(name, {})
        if isinstance(part, dict):
            values[name] = _read_off(inference, tree.get(name) or {}, f"{prefix}{name}.", part)
    return Made(text_of(values), lambda: Options(made(values, inference.context.scope)))


def _given(inference: Inference, constructor: Constructor, given: Mapping[str, Any]) -> dict[str, Any]:
    """The user's arguments; a dictionary for a configuration becomes one, of the class that is annotated if any."""
    values = dict(given)
    for parameter in constructor.parameters:
        value = given.get(parameter.name)
        if type(value) is not dict:
            continue
        cls = config_class(parameter)
        if cls is not None:
            values[parameter.name] = _configured(inference, cls, value, f"{parameter.name}.") or value
        elif parameter.name.lower() in CONFIG_NAMES:
            path, read = f"{parameter.name}.", reads(constructor.make, parameter.name, given=True)
            values[parameter.name] = _read_off(inference, read, path, value) or _options(value)
    return values


def _options(value: Any) -> Any:
    return Options({key: _options(part) for key, part in value.items()}) if type(value) is dict else value


def made(values: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """The values with every object made anew."""
    return {name: _made(value, scope) for name, value in values.items()}


def _made(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, Made):
        return value.make()
    if isinstance(value, Expression):
        return value.resolved(scope)
    if type(value) in (list, tuple):
        return type(value)(_made(part, scope) for part in value)
    if type(value) is dict:
        return {key: _made(part, scope) for key, part in value.items()}
    return value
