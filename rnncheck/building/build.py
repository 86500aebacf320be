"""A cell from a class, a factory or an instance: constructor arguments inferred, given or asked for."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnncheck.building.arguments import Argument, Context, Inference, Plan, framework_of, infer, made
from rnncheck.building.parameters import EMPTY, Constructor, Parameter, constructor_of, scope_of
from rnncheck.building.remedies import of_a_call, progress, remedies
from rnncheck.building.roles import (
    BOTH_NAMES,
    HIDDEN,
    HIDDEN_NAMES,
    INPUT,
    INPUT_NAMES,
    Image,
    Sizes,
    image_of,
    role_of,
)
from rnncheck.errors import BuildError, RnncheckError
from rnncheck.hints import remedy
from rnncheck.usercode import usertrace
from rnncheck.usercode.expressions import Expression, text_of

__all__ = [
    "BOTH_NAMES", "HIDDEN", "HIDDEN_NAMES", "INPUT", "INPUT_NAMES", "Built", "Candidates", "candidates", "role_of",
]  # fmt: skip

TRIES, DEPTH, PATIENCE = 60, 6, 20.0
"""How many argument lists are tried, how often what an error taught is built upon, and for how many seconds."""


@dataclass(frozen=True)
class Built:
    """A constructed cell. ``kwargs`` are the arguments it was given, ``own`` whether it is ours to
    change: an instance is the user's, and so may be what a factory returns. ``image`` tells that its
    arguments look like those of a cell that takes images, ``objects`` are the values that were passed,
    ``again`` constructs another one in the same way."""

    cell: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    own: bool = True
    image: Image | None = None
    arguments: tuple[Argument, ...] = ()
    objects: tuple[Any, ...] = ()
    again: Callable[[], Any] | None = None

    def width(self, role: str) -> int | None:
        """The size that was passed for the role ``input`` or ``hidden``, also within a configuration."""
        inferred = [(argument.role, argument.values[0]) for argument in self.arguments]
        by_name = [(role_of(name), value) for name, value in self.kwargs.items() if not self._inferred(name)]
        held = [
            (role_of(name), value)
            for holder in self.objects
            if hasattr(holder, "__dict__") and not isinstance(holder, type)
            for name, value in vars(holder).items()
        ]
        sizes = [(found, value) for found, value in (*inferred, *by_name, *held) if _whole(value)]
        for wanted in (role, "both"):
            for found, value in sizes:
                if found == wanted:
                    return int(value)
        return None

    def _inferred(self, name: str) -> bool:
        return any(argument.path == name for argument in self.arguments)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Owns = Callable[[Any], bool]


class Candidates(Iterator[Built]):
    """Ways to construct the cell, likeliest first; the caller takes the first that can be called, and tells the
    others' errors to ``refused``: they may say what argument was wrong."""

    def __init__(self, found: Iterator[Built]) -> None:
        self._found = found
        self._errors: list[BaseException] = []

    def __next__(self) -> Built:
        return next(self._found)

    def refused(self, error: BaseException) -> None:
        """The last one could not be called, for this reason."""
        self._errors.append(error.__cause__ or error)

    def last_error(self) -> BaseException | None:
        """The reason why the last one was refused, once."""
        return self._errors.pop() if self._errors else None


def candidates(
    obj: Any, kwargs: Mapping[str, Any], owns: Owns, input_size: int | None = None, batch: int = 3
) -> Candidates:
    """Ways to construct the cell.

    An instance is handed on as it is; ``owns`` tells whether something is of the framework's, ``input_size`` how
    wide the input is known to be, ``batch`` how many rows it will have. Raises BuildError when no argument list
    could be inferred or every one was refused by the constructor, and UsageError when an argument that was given
    as a call cannot be made.
    """
    if not inspect.isclass(obj) and _is_instance(obj, owns):
        return Candidates(_instance(obj, kwargs))
    if not callable(obj):
        raise BuildError(
            f"The target is a {type(obj).__name__}, not a cell.",
            hint="Name a class, a factory without required arguments, or an instance of a cell.",
        )
    # The caller's verdict on one cell is known when it asks for the next.
    told: list[Candidates] = []
    search = _Search(constructor_of(obj), kwargs, owns, input_size, batch, lambda: told[0].last_error())
    told.append(Candidates(search.found()))
    return told[0]


def _instance(obj: Any, kwargs: Mapping[str, Any]) -> Iterator[Built]:
    if kwargs:
        raise BuildError(
            "--kwargs was given, but the target is an instance, built already.", hint="Name its class instead."
        )
    yield Built(obj, own=False)


def _is_instance(obj: Any, owns: Owns) -> bool:
    return owns(obj) or (any(hasattr(type(obj), name) for name in ("forward", "call")) and not inspect.isroutine(obj))


class _Search:
    """The tries to construct one cell: the usual sizes in turn, after each the ways to mend what it raised."""

    def __init__(
        self,
        constructor: Constructor,
        given: Mapping[str, Any],
        owns: Owns,
        input_size: int | None,
        batch: int,
        refusal: Callable[[], BaseException | None],
    ) -> None:
        scope = dict(scope_of(constructor.make))
        self.constructor, self.owns, self.input_size, self.refusal = constructor, owns, input_size, refusal
        self.given = {name: _settled(value, scope) for name, value in given.items()}
        used = [parameter.name for parameter in constructor.parameters if parameter.default is not None]
        image = image_of([*used, *given], constructor.name, given)
        framework = framework_of(constructor.make)
        self.context = Context(framework, image, batch, scope)
        self.tried: set[str] = set()
        self.errors: list[tuple[BaseException, Inference]] = []

    def found(self) -> Iterator[Built]:
        """The cells that could be constructed."""
        _check_given(self.constructor, self.given)
        any_built, started = False, time.process_time()
        for start in self._plans():
            stack = [start]
            while stack and len(self.tried) < TRIES:
                plan = stack.pop(0)
                inference = self._inference(plan)
                if inference is None:
                    continue
                try:
                    arguments = made(inference.kwargs, self.context.scope)
                    cell = self.constructor(arguments)
                except (KeyboardInterrupt, RnncheckError):
                    raise
                except BaseException as error:
                    self.errors.append((error, inference))
                    if plan.depth < DEPTH and time.process_time() - started < PATIENCE:
                        stack = [*remedies(error, inference, self.constructor), *stack]
                    continue
                self._check_cell(cell)
                any_built = True
                yield self._built(cell, inference, arguments)
                if (refusal := self.refusal()) is not None and plan.depth < DEPTH:
                    stack = [*of_a_call(refusal, inference, self.constructor), *stack]
        if not any_built:
            raise self._refused()

    def _plans(self) -> Iterator[Plan]:
        image = self.context.image
        inputs = self.input_size or (3 if image else INPUT)
        hidden = 4 if image else HIDDEN
        output = 2 if image else Sizes().output
        for sizes in ((inputs, hidden), (hidden, hidden), (16, 16), (inputs, 16), (32, 32), (inputs, inputs)):
            yield Plan(Sizes(*sizes, output))
        plan = Plan(Sizes(inputs, hidden, output))
        inference = infer(self.constructor, self.given, plan, self.context)
        for number in (1, 2):
            # What is called only later may be wanted as a function, or as a module.
            others = {
                argument.path: argument.values[min(number, len(argument.values) - 1)]
                for argument in inference.arguments
                if any(isinstance(value, Expression) for value in argument.values[1:])
            }
            if others:
                yield dataclasses.replace(plan, values=others)

    def _inference(self, plan: Plan) -> Inference | None:
        """The arguments of a try; None where the same ones were tried before.

        Raises BuildError where nothing is known of some argument.
        """
        inference = infer(self.constructor, self.given, plan, self.context)
        if inference.unknown:
            if plan.depth:
                return None
            raise self._asked(inference)
        text = text_of(inference.kwargs)
        if text in self.tried:
            return None
        self.tried.add(text)
        return inference

    def _check_cell(self, cell: Any) -> None:
        if not _is_instance(cell, self.owns):
            if inspect.isclass(self.constructor.make):
                raise BuildError(
                    f"{self.constructor.name} is a class without call() or forward(), so it is not a cell.",
                    hint="Name a keras.layers.Layer or a torch.nn.Module.",
                )
            raise BuildError(
                f"{self.constructor.name}() returned a {type(cell).__name__}, not a cell.",
                hint="A factory returns an instance of the cell.",
            )

    def _built(self, cell: Any, inference: Inference, arguments: Mapping[str, Any]) -> Built:
        own = inspect.isclass(self.constructor.make)
        objects = tuple(arguments.values())
        again = functools.partial(self.constructor.make, **arguments)
        return Built(cell, inference.kwargs, own, self.context.image, tuple(inference.arguments), objects, again)

    def _asked(self, inference: Inference) -> BuildError:
        """The error for arguments that cannot be told, with the line to type."""
        name = self.constructor.name
        needed = ", ".join(parameter.name for parameter in inference.unknown)
        lines = [*_options(self.given), *_to_type(inference.unknown)]
        return BuildError(
            f"{name}() needs {needed}, and rnncheck cannot tell what to pass.",
            hint=_explained(inference.unknown),
            options=lines,
        )

    def _refused(self) -> BuildError:
        """The error of the try that came furthest, the likeliest of those."""
        error, inference = max(self.errors, key=lambda failed: progress(failed[0]))
        name = self.constructor.name
        where = usertrace.place(error)
        shown = ", ".join(f"{key}={text_of(value)}" for key, value in inference.kwargs.items())
        inferred = {key: value for key, value in inference.kwargs.items() if key not in self.given}
        return BuildError(
            f"{name}({shown}) raised {usertrace.summary(error)}{f' ({where})' if where else ''}.",
            hint=remedy(error)
            or (f"Give other arguments than the inferred {' '.join(_options(inferred))}" if inferred else None),
            details=usertrace.format_user(error),
        )


def _settled(value: Any, scope: Mapping[str, Any]) -> Any:
    """A given argument: an expression that can be made, or the text of a name that is none."""
    if not isinstance(value, Expression):
        return value
    resolved = value.resolved(scope)
    return resolved if isinstance(resolved, str) else value


def _check_given(constructor: Constructor, given: Mapping[str, Any]) -> None:
    if constructor.open:
        return
    known = constructor.names
    for key in given:
        if key not in known:
            takes = f"It takes {', '.join(known)}." if known else "It takes no arguments."
            raise BuildError(f"{constructor.name}() has no argument '{key}'.", hint=takes)


def _options(kwargs: Mapping[str, Any]) -> list[str]:
    """The options that say these arguments."""
    return [f"--kwargs {shlex.quote(f'{key}={text_of(value)}')}" for key, value in kwargs.items()]


def _to_type(unknown: list[Parameter]) -> Iterator[str]:
    """An option for each argument that is asked for; those of a configuration in one dictionary."""
    tree: dict[str, Any] = {}
    for parameter in unknown:
        *holders, name = parameter.name.split(".")
        where = tree
        for holder in holders:
            where = where.setdefault(holder, {})
        where[name] = ...
    for name, value in tree.items():
        yield f"--kwargs {shlex.quote(f'{name}={_blank(value)}')}"


def _blank(value: Any) -> str:
    if not isinstance(value, dict):
        return "..."
    return "{" + ", ".join(f'"{name}": {_blank(part)}' for name, part in value.items()) + "}"


def _type_name(annotation: Any) -> str | None:
    """The class that an annotation names, as it is imported."""
    if not isinstance(annotation, type) or annotation is EMPTY or annotation.__module__ == "builtins":
        return None
    return f"{annotation.__module__}.{annotation.__qualname__}"


def _explained(unknown: list[Parameter]) -> str | None:
    """What the annotations tell of the arguments that are asked for."""
    told = [
        f"{parameter.name} is a {name}: --kwargs '{parameter.name}={name}(...)'"
        for parameter in unknown
        if (name := _type_name(parameter.annotation)) is not None
    ]
    return "; ".join(told) + "." if told else None
