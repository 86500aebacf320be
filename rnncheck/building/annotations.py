"""What an annotation says of an argument."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import re
import types
import typing
from typing import Any

from rnncheck.building.parameters import EMPTY, Parameter, constructor_of
from rnncheck.usercode.definitions import FRAMEWORKS
from rnncheck.usercode.expressions import text_of

CONFIG_NAMES = frozenset(
    "config cfg conf args opt opts hparams hps hp params param options configuration settings hyperparams flags "
    "model_config cell_config model_args model_cfg arguments hyper_params hyperparameters rnn_config".split()
)
_CONFIG_CLASS = re.compile(r"(config(uration)?|cfg|h?params|parameters|options|args|arguments|settings|spec)$", re.I)


def as_annotated(values: tuple[Any, ...], annotation: Any) -> tuple[Any, ...]:
    """Whole numbers as the pair or list that the annotation asks for, where it takes no number itself."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        if int in arguments or float in arguments:
            return values
        inner = [part for part in arguments if part is not type(None)]
        return as_annotated(values, inner[0]) if inner else values
    sequence = annotation if isinstance(annotation, type) else origin
    if not is_sequence(sequence):
        return values

    def many(value: Any) -> Any:
        if isinstance(value, (list, tuple)) or type(value) not in (int, float):
            return value
        if sequence is tuple:
            count = len(arguments) if arguments and Ellipsis not in arguments else 1 if arguments else 2
            return (value,) * count
        return [value]

    return tuple({text_of(many(value)): many(value) for value in values}.values())


def is_sequence(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, collections.abc.Iterable) and not issubclass(cls, (str, dict))


def parts_of(annotation: Any) -> frozenset[Any]:
    """The plain types that an annotation names, also inside ``Optional``, ``Union`` and sequences."""
    if isinstance(annotation, str):
        named = {"int": int, "float": float, "bool": bool, "str": str}
        return frozenset(named[word] for word in re.findall(r"\w+", annotation) if word in named)
    origin = typing.get_origin(annotation)
    if origin is None:
        return frozenset([annotation]) if annotation is None or isinstance(annotation, type) else frozenset([Any])
    if origin is typing.Literal or origin is collections.abc.Callable:
        return frozenset([origin])
    return frozenset([origin]).union(*(parts_of(part) for part in typing.get_args(annotation)))


def literals(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal or an Enum."""
    for part in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(part) is typing.Literal:
            return typing.get_args(part)
        if isinstance(part, type) and issubclass(part, enum.Enum) and len(part):
            return tuple(part)
    return ()


def config_class(parameter: Parameter) -> type | None:
    """The class of a configuration that the annotation names: one that holds data, or that is called like one."""
    for part in (parameter.annotation, *typing.get_args(parameter.annotation)):
        if (
            not isinstance(part, type)
            or part is EMPTY
            or part.__module__.partition(".")[0] in (*FRAMEWORKS, "builtins", "typing")
        ):
            continue
        if inspect.isabstract(part) or getattr(part, "_is_protocol", False) or issubclass(part, enum.Enum):
            continue
        if (taken := constructor_of(part)).open and not taken.parameters:
            # An argparse.Namespace holds whatever is read of it.
            continue
        holds = (
            dataclasses.is_dataclass(part)
            or (issubclass(part, tuple) and hasattr(part, "_fields"))
            or any(hasattr(part, mark) for mark in ("__attrs_attrs__", "model_fields"))
        )
        if holds or _CONFIG_CLASS.search(part.__name__) or parameter.name.lower() in CONFIG_NAMES:
            return part
    return None
