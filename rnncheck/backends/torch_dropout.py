"""The calls of PyTorch's dropout that drop something although the module is in evaluation mode."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rnncheck.backends.base import Dropping
from rnncheck.usercode import source
from rnncheck.usercode.definitions import is_framework, words

DROPOUTS = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
)
PLACE = 2
"""Where they take ``training``."""
MEANT = frozenset("mc monte carlo bayes bayesian variational stochastic uncertainty epistemic ensemble always".split())
"""What a class says that drops units in evaluation mode on purpose."""


class Watch(TorchFunctionMode):  # type: ignore[misc]
    """Within its block ``found`` fills with the calls that drop something, on lines of the file ``path``."""

    def __init__(self, cell: Any, path: str) -> None:
        super().__init__()
        self.path, self.found = path, list[Dropping]()
        self.modules = (
            {id(module) for module in torch.nn.Module.modules(cell)} if isinstance(cell, torch.nn.Module) else set()
        )

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in DROPOUTS and kwargs.get("training") and 0 < kwargs.get("p", 0) < 1:
            self._note(function.__name__)
        return function(*args, **kwargs)

    def _note(self, name: str) -> None:
        frames = list(_frames())
        module = frames[0].f_locals.get("self") if frames[0].f_code.co_filename == _MODULES else None
        user = [frame for frame in frames if not _of_torch(frame)]
        at = next((frame for frame in user if frame.f_code.co_filename == self.path), None)
        if at is None:
            return
        if module is not None:
            made = id(module) not in self.modules
            self.found.append(
                Dropping(
                    at.f_lineno,
                    f"a {type(module).__name__} that is no attribute of the module" if made else f"its {_name(module)}",
                    made and not _meant(user),
                    f"self.dropout = nn.{type(module).__name__}({module.p}) in __init__(), and self.dropout(...) here"
                    if made
                    else None,
                )
            )
            return
        direct = frames[0] is user[0]
        instead = _told(user[0], name) if direct else None
        careless = instead is not None and not _meant(user)
        self.found.append(Dropping(at.f_lineno, f"torch.nn.functional.{name}()", careless, instead))


_MODULES = sys.modules["torch.nn.modules.dropout"].__file__
_SKIPPED = {functional.__file__, sys.modules["torch.overrides"].__file__, __file__}


def _frames() -> Iterator[FrameType]:
    """Those that run, innermost first, from the one that called the function on."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename not in _SKIPPED:
            yield frame
        frame = frame.f_back  # type: ignore[assignment]


def _of_torch(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "torch"


def _name(module: Any) -> str:
    return f"{type(module).__name__}, which is in training mode"


def _told(frame: FrameType, name: str) -> str | None:
    """The statement as it is to be written; None where it says itself whether to drop."""
    node = source.statement(frame.f_code.co_filename, frame.f_lineno)
    if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)):
        return None
    copied = ast.parse(ast.unparse(node)).body[0]
    calls = [part for part in ast.walk(copied) if isinstance(part, ast.Call) and source.called_name(part) == name]
    told = any(keyword.arg in ("training", None) for call in calls for keyword in call.keywords)
    starred = any(isinstance(part, ast.Starred) for call in calls for part in call.args)
    if not calls or told or starred or any(len(call.args) > PLACE for call in calls):
        return None
    of_module = isinstance(frame.f_locals.get("self"), torch.nn.Module)
    value = ast.Attribute(ast.Name("self", ast.Load()), "training", ast.Load()) if of_module else ast.Name("training")
    for call in calls:
        call.keywords.append(ast.keyword("training", value))
    return ast.unparse(copied)


def _meant(frames: list[FrameType]) -> bool:
    """Whether one of the classes whose methods run says that it samples."""
    owners = [type(frame.f_locals["self"]) for frame in frames if "self" in frame.f_locals]
    classes = {base for owner in owners if issubclass(owner, torch.nn.Module) for base in owner.__mro__}
    return any(MEANT & words(_text(cls)) for cls in classes if not is_framework(cls))


@functools.lru_cache(maxsize=64)
def _text(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return cls.__name__
