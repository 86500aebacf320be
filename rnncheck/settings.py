"""What a run may be told: the command line over ``[tool.rnncheck]`` of ``pyproject.toml``."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import math
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rnncheck.errors import UsageError

BACKENDS = ("auto", "tf", "torch", "tensorflow", "pytorch")
INITIAL_STATES = ("cell", "zeros", "ones", "random")
DTYPES = ("float16", "float32", "float64", "bfloat16")
DEVICE_FORMS = "the name of one, such as cpu, cuda or cuda:1"
FAIL_ON = ("error", "warning", "never")
FORMATS = ("full", "concise", "json")
LARGEST = 2**31 - 1
COLORS = ("auto", "always", "never")


@dataclass(frozen=True)
class StateShape:
    """One part of a state as the user gives it: its name, if it has one, and the shape of one row of it."""

    name: str | None
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Override:
    """What the configuration says of some targets only: the rules that are ignored there and why, and ``options``.

    A pattern of ``target`` may have ``*`` and ``?``; it stands for ``file.py:Attr`` or ``module:Attr``, or for either
    half of that.
    """

    target: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    reason: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, names: Collection[str]) -> bool:
        spelled = {part for name in names for part in (name, *name.rsplit(":", 1))}
        return any(fnmatch.fnmatchcase(name, pattern) for name in spelled for pattern in self.target)


OVERRIDABLE = (
    "kwargs", "input_shape", "method", "call_kwargs", "state", "initial_state", "steps", "batch", "seed", "dtype",
    "device", "select",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """One run. ``input_shape`` is that of one row at one step; None means that it is inferred, as it does for
    ``state``, the parts that the state has. ``call_kwargs`` are further arguments of the step, ``device`` that on which
    the cell is run: without one the CPU, or where an instance lives.

    With ``isolate`` the command line runs targets in ``jobs`` processes of their own, of which each may load a target,
    or check a cell, for ``timeout`` seconds and take ``memory`` bytes; from Python a target runs where it is called.

    ``overrides`` are told from the configuration alone, as is ``folder``, where it stands; ``ignored_by`` tells who
    asked for ``ignore``. Raises UsageError for a value that is not accepted.
    """

    backend: str = "auto"
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    input_shape: tuple[int, ...] | None = None
    method: str | None = None
    call_kwargs: Mapping[str, Any] = field(default_factory=dict)
    state: tuple[StateShape, ...] | None = None
    initial_state: str = "cell"
    steps: int = 7
    batch: int = 3
    seed: int = 0
    dtype: str | None = None
    device: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = "error"
    output_format: str = "full"
    defs_only: bool = False
    isolate: bool = True
    timeout: float = 60.0
    memory: int | None = None
    jobs: int = 1
    ignored_by: Literal["configuration", "option"] = "option"
    overrides: tuple[Override, ...] = ()
    folder: Path | None = None

    def __post_init__(self) -> None:
        for name, allowed in (
            ("backend", BACKENDS), ("initial_state", INITIAL_STATES), ("fail_on", FAIL_ON), ("output_format", FORMATS),
        ):  # fmt: skip
            _one_of(name, getattr(self, name), allowed)
        if self.dtype is not None:
            _one_of("dtype", self.dtype, DTYPES)
        if self.device is not None and not re.fullmatch(r"/?[A-Za-z]+(:\d{1,4})?", str(self.device), re.ASCII):
            raise UsageError(f"--device takes {DEVICE_FORMS}, not {self.device!r}.")
        if self.method is not None and not isinstance(self.method, str):
            raise UsageError(f"--method takes the name of one, not {self.method!r}.")
        for name in ("defs_only", "isolate"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name.replace('_', '-')} is true or false, not {getattr(self, name)!r}.")
        for name in ("steps", "batch", "jobs"):
            if not _size(getattr(self, name)):
                raise UsageError(f"{_option(name)} takes {SIZES}, not {getattr(self, name)!r}.")
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, (int, float)) or not 0 < self.timeout < 1e6:
            raise UsageError(f"--timeout takes seconds, more than 0, not {self.timeout!r}.")
        if self.memory is not None and (not _whole(self.memory) or self.memory < 1):
            raise UsageError(f"--memory takes {MEMORY_FORMS}, not {self.memory!r}.")
        if not _whole(self.seed) or not 0 <= self.seed <= LARGEST:
            raise UsageError(f"--seed takes a whole number from 0 to {LARGEST}, not {self.seed!r}.")
        if self.input_shape is not None and not (self.input_shape and all(map(_size, self.input_shape))):
            raise UsageError("--input-shape takes whole numbers from 1, such as 10 or 3,16,16.")
        for name in ("kwargs", "call_kwargs"):
            _check_arguments(name, getattr(self, name))
        if self.state is not None:
            _check_state(self.state)
        from rnncheck.rules import IDS

        for rule in (*self.select, *self.ignore, *(rule for override in self.overrides for rule in override.ignore)):
            if rule not in IDS:
                hint = _close(str(rule), IDS) or "See rnncheck --list-rules."
                raise UsageError(f"There is no rule '{rule}'.", hint=hint)

    def of(self, names: Collection[str]) -> Settings:
        """The settings for a target that goes by these names: of its overrides the last goes before the others."""
        overrides = tuple(override for override in self.overrides if override.matches(names))
        options = {name: value for override in overrides for name, value in override.options.items()}
        return dataclasses.replace(self, **options, overrides=overrides)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


SIZES = f"a whole number from 1 to {LARGEST}"


def _size(value: Any) -> bool:
    return _whole(value) and 1 <= value <= LARGEST


def _check_arguments(name: str, given: Any) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(key, str) and key.isidentifier() for key in given):
        raise UsageError(f"{_option(name)} takes arguments by their names, such as {{'size': 8}}, not {given!r}.")


STATE_FORMS = "the sizes of one row of each part, such as h:8,c:8 or h:4x6x7 or 8"


def _check_state(parts: Any) -> None:
    if not isinstance(parts, tuple) or not parts or not all(isinstance(part, StateShape) for part in parts):
        raise UsageError(f"--state takes {STATE_FORMS}.")
    names = [part.name for part in parts if part.name is not None]
    for name in names:
        if not re.fullmatch(r"[^\W\d]\w*(\.\w+)*", str(name)):
            raise UsageError(f"--state takes {STATE_FORMS}; a part cannot be called '{name}'.")
        if name in ("input", "output"):
            raise UsageError(f"--state cannot call a part '{name}': the report has another use for that word.")
        if names.count(name) > 1:
            raise UsageError(f"--state names the part '{name}' more than once.")
    for part in parts:
        if not all(map(_size, part.shape)):
            raise UsageError(f"--state takes {STATE_FORMS}, not '{'x'.join(map(str, part.shape))}'.")


def state_parts(given: Any) -> tuple[StateShape, ...]:
    """What ``state`` means: ``"h:8,c:8"``, ``{"h": 8, "c": (4, 6, 7)}``, or one part or a list of them without names.

    Raises UsageError for anything else.
    """
    if isinstance(given, Mapping):
        return tuple(StateShape(name, _row(shape)) for name, shape in given.items())
    if isinstance(given, str):
        return tuple(_part(text.strip()) for text in given.split(","))
    return tuple(_part(part) for part in (given if isinstance(given, (list, tuple)) else [given]))


def _part(given: Any) -> StateShape:
    if isinstance(given, StateShape):
        return given
    if not isinstance(given, str):
        return StateShape(None, _row(given))
    name, colon, sizes = given.rpartition(":")
    return StateShape(name.strip() if colon else None, _row(sizes))


def _row(given: Any) -> tuple[Any, ...]:
    """The shape of one row: a number, several, or text such as ``4x6x7``."""
    if isinstance(given, str):
        given = [_number(size) for size in given.split("x")]
    return tuple(given) if isinstance(given, (list, tuple)) else (given,)


def _number(text: str) -> int | str:
    try:
        return int(text) if text.strip().isdecimal() else text
    except ValueError:
        # More digits than Python reads.
        return text


MEMORY_FORMS = "a size such as 8G or 500M"


def memory_size(given: Any) -> int:
    """Bytes, from a number of them or a text such as ``8G``, ``1.5GiB`` or ``500M``; raises UsageError for other."""
    if _whole(given):
        return int(given)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(given), re.IGNORECASE)
    size = float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " ") if found else math.inf
    if size == math.inf:
        raise UsageError(f"--memory takes {MEMORY_FORMS}, not {given!r}.")
    return int(size)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(
            f"{_option(name)} takes {', '.join(allowed)}, not {value!r}.", hint=_close(str(value), allowed)
        )


def _close(word: str, known: tuple[str, ...]) -> str | None:
    close = difflib.get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]}?" if close else None


def configured(folder: Path, given: Mapping[str, Any]) -> Settings:
    """The settings that were given, over those of the nearest ``pyproject.toml`` at or above a folder.

    Raises UsageError for a key or a value that is not known.
    """
    path = _pyproject(folder)
    table = _underscored(_read(path)) if path is not None else {}
    if path is None or not table:
        return Settings(**_present(given))
    overrides = table.pop("overrides", [])
    try:
        values = {**_values(table), "folder": path.parent, "ignored_by": "configuration"}
        if not isinstance(overrides, list) or not all(isinstance(item, dict) for item in overrides):
            raise UsageError("overrides are tables: write [[tool.rnncheck.overrides]].")
        values["overrides"] = tuple(_override(_underscored(item), given) for item in overrides)
        Settings(**values)
    except UsageError as error:
        raise UsageError(f"{path}: [tool.rnncheck] {error.message}", hint=error.hint) from error
    if given.get("ignore") is not None:
        values["ignored_by"] = "option"
    return Settings(**{**values, **_present(given)})


def _present(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _underscored(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _override(table: Mapping[str, Any], given: Mapping[str, Any]) -> Override:
    """One table of ``overrides``; what was given on the command line goes before its options."""
    known = ("target", "reason", "ignore", *OVERRIDABLE)
    for name in table:
        if name not in known:
            raise UsageError(f"There is no option '{name}' in overrides.", hint=_close(name, known))
    target = _several(table.get("target"))
    if not target or not all(isinstance(pattern, str) and pattern for pattern in target):
        raise UsageError('Each of the overrides takes a target, such as "cells.py:MyCell" or "old/*".')
    reason = table.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise UsageError(f"reason takes a text, not {reason!r}.")
    options = _values({name: value for name, value in table.items() if name in OVERRIDABLE})
    Settings(**options)
    options = {name: value for name, value in options.items() if given.get(name) is None}
    return Override(target, _several(table.get("ignore", ())), reason, options)


def _several(given: Any) -> tuple[Any, ...]:
    """What may be written as one or as a list."""
    return tuple(given) if isinstance(given, (list, tuple)) else () if given is None else (given,)


def from_options(options: Mapping[str, Any]) -> Settings:
    """The settings of a call from Python; raises UsageError for a name or a value that is not known."""
    for name in ("isolate", "timeout", "memory", "jobs"):
        if name in options:
            raise UsageError(f"'{name}' is for the command line: from Python a target runs where it is called.")
    return Settings(**_values(options))


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names of their fields; a single rule or size may stand for a list of one."""
    fields = {item.name for item in dataclasses.fields(Settings)} - {"ignored_by", "overrides", "folder"}
    values = dict(given)
    for name, value in given.items():
        if name not in fields:
            raise UsageError(
                f"There is no option '{name}'.", hint=_close(name, tuple(sorted(fields | {"overrides"} - {name})))
            )
        if name in ("select", "ignore", "input_shape") and value is not None:
            values[name] = _several(value)
        if name == "device" and value is not None:
            # A torch.device is written as its name.
            values[name] = str(value)
        if name == "memory" and value is not None:
            values[name] = memory_size(value)
        if name == "state" and value is not None:
            values[name] = state_parts(value)
    return values


def _pyproject(folder: Path) -> Path | None:
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        if path.is_file():
            return path
    return None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{path} could not be read: {error.strerror}.") from error
    if "tool.rnncheck" not in text:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: Any = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from error
    for name in ("tool", "rnncheck"):
        table = table.get(name, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path}: [tool.rnncheck] is not a table.")
    return dict(table)
