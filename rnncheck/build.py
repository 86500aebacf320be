"""A cell from a class, a factory or an instance: constructor arguments inferred, given or asked for."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnncheck import usertrace
from rnncheck.definitions import words
from rnncheck.errors import BuildError
from rnncheck.hints import remedy

INPUT, HIDDEN, OUTPUT = 5, 8, 6
"""The sizes tried first; all differ, so that a mixed-up axis cannot hide."""

INPUT_NAMES = (
    "input_size in_features input_dim in_channels input_channels in_dim dim_in embed_dim obs_dim n_in nin ninp "
    "input_dims num_inputs n_inputs feature_size num_features n_features emb_dim embedding_size emb_size x_dim d_in "
    "in_size input_features input_units insize inputs_size dim_input input_sz xdim nx"
).split()
HIDDEN_NAMES = (
    "hidden_size units num_units hidden_dim dim_hidden hidden_features features hidden_channels out_channels filters "
    "output_channels state_features deter_dim n_hidden nhid hid_dim h_dim num_hidden n_units rnn_size cell_size "
    "state_size state_dim hidden hidden_units hidden_dims num_hiddens d_hidden d_state memory_size memory_dim rnn_dim "
    "latent_dim latent_size hid_size out_features rnn_units n_h dim_h unit_size recurrent_units num_cells hidden_sz "
    "hdim nh n_neurons"
).split()
BOTH_NAMES = "dim d_model embedding_dim size model_dim width channels n_embd".split()
OUTPUT_NAMES = (
    "output_size output_dim n_out nout num_classes n_outputs n_classes out_size out_dim d_out num_outputs"
).split()
KNOWN: dict[str, Any] = {
    "num_layers": 1, "n_layers": 1, "depth": 1, "order": 2, "num_heads": 2, "n_heads": 2, "k": 2, "rank": 2,
    "kernel_size": 3, "beta": 0.9, "alpha": 0.95, "tau": 2.0, "theta": 8, "dt": 0.1, "bias": True, "use_bias": True,
    "threshold": 1.0, "dropout": 0.0, "dropout_rate": 0.0, "drop": 0.0, "zoneout": 0.0, "eps": 1e-5, "epsilon": 1e-5,
    "decay": 0.9, "leak": 0.1, "batch_first": True, "gamma": 0.5, "activation": "tanh", "nonlinearity": "tanh",
    "act": "tanh", "forget_bias": 1.0, "batch_size": 3,
}  # fmt: skip
BY_ENDING = {"initializer": "glorot_uniform", "regularizer": None, "constraint": None, "activation": "tanh"}
SIZE_WORD = re.compile(
    r"(size|sz|dims?|width|units?|neurons?|nodes?|features?|channels?|hiddens?)_?\d*$|^[a-zA-Z]{1,2}$|^n_?[a-z]{1,4}$"
)
"""Names that can only be a size, though not of what."""


@dataclass(frozen=True)
class Built:
    """A constructed cell. ``kwargs`` are the arguments it was given, ``own`` whether it is ours to
    change: an instance is the user's, and so may be what a factory returns."""

    cell: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    own: bool = True

    def width(self, role: str) -> int | None:
        """The size that was passed for the role ``input`` or ``hidden``."""
        for name, value in self.kwargs.items():
            if isinstance(value, int) and not isinstance(value, bool) and role_of(name) in (role, "both"):
                return value
        return None


Owns = Callable[[Any], bool]


def candidates(obj: Any, kwargs: Mapping[str, Any], owns: Owns, input_size: int | None = None) -> Iterator[Built]:
    """Ways to construct the cell, likeliest first; the caller takes the first that can be called.

    An instance is handed on as it is; ``owns`` tells whether something is of the framework's, ``input_size`` how
    wide the input is known to be. Raises BuildError when no argument list could be inferred or every one was
    refused by the constructor.
    """
    if inspect.isclass(obj):
        yield from _constructions(obj, obj.__name__, _parameters(obj), kwargs, owns, input_size)
    elif _is_instance(obj, owns):
        if kwargs:
            raise BuildError(
                "--kwargs was given, but the target is an instance, built already.", hint="Name its class instead."
            )
        yield Built(obj, own=False)
    elif callable(obj):
        try:
            parameters = list(inspect.signature(obj).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        yield from _constructions(obj, getattr(obj, "__name__", "the factory"), parameters, kwargs, owns, input_size)
    else:
        raise BuildError(
            f"The target is a {type(obj).__name__}, not a cell.",
            hint="Name a class, a factory without required arguments, or an instance of a cell.",
        )


def _is_instance(obj: Any, owns: Owns) -> bool:
    return owns(obj) or (any(hasattr(type(obj), name) for name in ("forward", "call")) and not inspect.isroutine(obj))


def _constructions(
    make: Any,
    name: str,
    parameters: list[inspect.Parameter],
    given: Mapping[str, Any],
    owns: Owns,
    input_size: int | None,
) -> Iterator[Built]:
    _check_given(name, parameters, given)
    first: BaseException | None = None
    any_built = False
    tried: list[dict[str, Any]] = []
    for kwargs in _argument_lists(name, parameters, given, input_size):
        if kwargs in tried:
            continue
        tried.append(kwargs)
        try:
            cell = make(**kwargs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            first = first or error
            continue
        if not _is_instance(cell, owns):
            raise BuildError(
                f"{name}() returned a {type(cell).__name__}, not a cell.",
                hint="A factory returns an instance of the cell.",
            )
        any_built = True
        yield Built(cell, kwargs, own=inspect.isclass(make))
    if not any_built:
        assert first is not None
        raise _refused(name, tried[0], given, first)


def _argument_lists(
    name: str, parameters: list[inspect.Parameter], given: Mapping[str, Any], input_size: int | None
) -> Iterator[dict[str, Any]]:
    inputs = input_size or INPUT
    for sizes in ((inputs, HIDDEN), (HIDDEN, HIDDEN), (16, 16), (inputs, 16), (32, 32), (inputs, inputs)):
        yield {**_inferred(name, parameters, given, *sizes), **given}
    # An activation may be wanted as a function.
    functions = [vars(sys.modules[module])["tanh"] for module in ("torch", "tensorflow") if module in sys.modules]
    kwargs = _inferred(name, parameters, given, inputs, HIDDEN)
    for function in functions[:1]:
        yield {**{key: function if value == "tanh" else value for key, value in kwargs.items()}, **given}


def _refused(name: str, kwargs: Mapping[str, Any], given: Mapping[str, Any], error: BaseException) -> BuildError:
    where = usertrace.place(error)
    shown = ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
    inferred = [f"--kwargs {shlex.quote(f'{key}={value!r}')}" for key, value in kwargs.items() if key not in given]
    return BuildError(
        f"{name}({shown}) raised {usertrace.summary(error)}{f' ({where})' if where else ''}.",
        hint=remedy(error) or (f"Give other arguments than the inferred {' '.join(inferred)}" if inferred else None),
        details=usertrace.format_user(error),
    )


def _check_given(name: str, parameters: list[inspect.Parameter], given: Mapping[str, Any]) -> None:
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for key in given:
        if key not in known:
            takes = f"It takes {', '.join(known)}." if known else "It takes no arguments."
            raise BuildError(f"{name}() has no argument '{key}'.", hint=takes)


def _parameters(cls: type) -> list[inspect.Parameter]:
    """The constructor's parameters; where it passes ``*args`` or ``**kwargs`` on, also those of its bases."""
    found: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        try:
            parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        except (TypeError, ValueError):
            break
        for parameter in parameters:
            found.setdefault(parameter.name, parameter)
        if not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
            break
    return list(found.values())


def role_of(name: str) -> str | None:
    """What a constructor argument of this name sizes: input, hidden, both or output."""
    lowered = re.sub(r"_?\d+$", "", name.lower())
    for role, names in (
        ("input", INPUT_NAMES),
        ("hidden", HIDDEN_NAMES),
        ("both", BOTH_NAMES),
        ("output", OUTPUT_NAMES),
    ):
        if lowered in names or f"{lowered}s" in names:
            return role
    parts = words(name)
    if not parts & {"size", "dim", "dims", "features", "units", "channels", "num", "n", "width"}:
        return None
    for role, marks in (
        ("input", {"input", "inputs", "in", "embed", "embedding", "obs", "x", "inp"}),
        ("hidden", {"hidden", "state", "cell", "rnn", "memory", "units", "hid", "recurrent", "h"}),
        ("output", {"output", "out", "outputs", "classes"}),
    ):
        if parts & marks:
            return role
    return None


def _inferred(
    name: str, parameters: list[inspect.Parameter], given: Mapping[str, Any], input_size: int, hidden_size: int
) -> dict[str, Any]:
    sizes = {"input": input_size, "hidden": hidden_size, "both": hidden_size, "output": OUTPUT}
    needed = [
        parameter
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.default is parameter.empty
        and parameter.name not in given
    ]
    roles = _roles(needed, given)
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for parameter in needed:
        ending = parameter.name.rpartition("_")[2]
        if parameter.name in roles:
            values[parameter.name] = sizes[roles[parameter.name]]
        elif parameter.name in KNOWN:
            values[parameter.name] = KNOWN[parameter.name]
        elif ending in BY_ENDING:
            values[parameter.name] = BY_ENDING[ending]
        else:
            unknown.append(parameter.name)
    if unknown:
        line = " ".join(f"--kwargs {key}=..." for key in unknown)
        raise BuildError(
            f"{name}() needs {', '.join(unknown)}, and rnncheck cannot tell what to pass.",
            hint=f"Type: rnncheck ... {line}",
        )
    return values


def _roles(needed: list[inspect.Parameter], given: Mapping[str, Any]) -> dict[str, str]:
    """What each argument sizes; a size of unknown role is the input's, then the state's, in order of position."""
    roles = {parameter.name: role for parameter in needed if (role := role_of(parameter.name)) is not None}
    sizes = [
        parameter.name
        for parameter in needed
        if parameter.name not in roles
        and parameter.name not in KNOWN
        and parameter.annotation in (int, "int", parameter.empty)
        and SIZE_WORD.search(parameter.name)
    ]
    taken = {*roles.values(), *(role for name in given if (role := role_of(name)) is not None)}
    for name in sizes:
        alone = len(sizes) == 1 and not taken
        roles[name] = "hidden" if alone or "input" in taken or "both" in taken else "input"
        taken.add(roles[name])
    return roles
