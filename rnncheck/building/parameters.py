"""The parameters of a constructor or factory, and what its source does with them."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnncheck.building.roles import is_size_like, role_of, usual
from rnncheck.usercode import source
from rnncheck.usercode.definitions import FRAMEWORKS
from rnncheck.usercode.functions import code_of

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One argument. ``annotation`` is resolved where it can be, ``owner`` the function that declares it."""

    name: str
    default: Any = EMPTY
    annotation: Any = EMPTY
    owner: Callable[..., Any] | None = None
    positional: bool = False

    @property
    def required(self) -> bool:
        return self.default is EMPTY


@dataclass(frozen=True)
class Constructor:
    """What makes a cell and what it takes.

    ``open`` when it takes any keyword, ``handed_up`` when it takes only positional arguments for its bases.
    """

    make: Callable[..., Any]
    name: str
    parameters: tuple[Parameter, ...]
    open: bool = False
    handed_up: bool = False

    def __call__(self, kwargs: Mapping[str, Any]) -> Any:
        """The cell for these arguments."""
        rest = dict(kwargs)
        positional: list[Any] = []
        if self.handed_up or any(parameter.positional for parameter in self.parameters):
            for parameter in self.parameters:
                if parameter.name not in rest or not (self.handed_up or parameter.positional):
                    break
                positional.append(rest.pop(parameter.name))
        return self.make(*positional, **rest)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def scope(self) -> Mapping[str, Any]:
        """The names of the module that defines it."""
        return scope_of(self.make)


def scope_of(obj: Any) -> Mapping[str, Any]:
    """The names of the module in which something was defined; a framework's are not the user's to name."""
    module = str(getattr(obj, "__module__", None))
    return {} if module.partition(".")[0] in FRAMEWORKS else vars(sys.modules[module]) if module in sys.modules else {}


def constructor_of(make: Any) -> Constructor:
    """The constructor of a class, or a factory.

    Where a class hands ``*args`` on, the parameters of its bases are also its own.
    """
    name = getattr(make, "__name__", None) or "the factory"
    if not inspect.isclass(make) or hasattr(make, "__signature__"):
        found = list(_declared(make, make))
        return Constructor(make, name, _plain(found), _takes(found, inspect.Parameter.VAR_KEYWORD))
    every: dict[str, tuple[inspect.Parameter, Parameter]] = {}
    levels = 0
    for base in make.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        declared = list(_declared(vars(base)["__init__"], base))[1:]
        if not declared and levels:
            break
        levels += 1
        for raw, parameter in declared:
            every.setdefault(parameter.name, (raw, parameter))
        if not _takes(declared, inspect.Parameter.VAR_POSITIONAL):
            break
    if not levels:
        found = list(_declared(make, make))
        return Constructor(make, name, _plain(found), _takes(found, inspect.Parameter.VAR_KEYWORD))
    found = list(every.values())
    keywords = _takes(found, inspect.Parameter.VAR_KEYWORD)
    return Constructor(
        make, name, _plain(found), keywords, levels > 1 and _takes(found, inspect.Parameter.VAR_POSITIONAL)
        and not keywords
    )  # fmt: skip


def _takes(found: list[tuple[inspect.Parameter, Parameter]], kind: Any) -> bool:
    return any(raw.kind is kind for raw, _ in found)


def _plain(found: list[tuple[inspect.Parameter, Parameter]]) -> tuple[Parameter, ...]:
    return tuple(parameter for raw, parameter in found if raw.kind not in (raw.VAR_POSITIONAL, raw.VAR_KEYWORD))


def _declared(function: Any, holder: Any) -> Iterator[tuple[inspect.Parameter, Parameter]]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return
    hints = _hints(function, holder) if any(isinstance(raw.annotation, str) for raw in parameters) else {}
    for raw in parameters:
        annotation = hints.get(raw.name, raw.annotation)
        owner = function if not inspect.isclass(function) else None
        yield raw, Parameter(raw.name, raw.default, annotation, owner, raw.kind is raw.POSITIONAL_ONLY)


def _hints(function: Any, holder: Any) -> Mapping[str, Any]:
    """The annotations that are written as text, each resolved by itself: one that cannot be spoils no other."""
    scope = dict(vars(sys.modules.get(getattr(holder, "__module__", ""), typing)))
    annotations = dict(getattr(function, "__annotations__", {}))
    if inspect.isclass(function):
        annotations = {name: hint for base in reversed(function.__mro__)
                       for name, hint in getattr(base, "__annotations__", {}).items()}  # fmt: skip
    hints: dict[str, Any] = {}
    for name, annotation in annotations.items():
        if isinstance(annotation, str):
            try:
                hints[name] = eval(annotation, scope)
            except Exception:
                hints[name] = annotation
    return hints


@functools.lru_cache(maxsize=64)
def _tree(function: Any) -> ast.AST | None:
    known = source.function_of(code_of(function)) if inspect.isfunction(function) else None
    if known is not None:
        return known
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, ValueError, SyntaxError):
        return None


def choices(parameter: Parameter) -> tuple[Any, ...]:
    """The words with which the source compares the argument, or that are the keys of what it looks it up in."""
    tree = _tree(parameter.owner) if parameter.owner is not None else None
    if tree is None:
        return ()
    found: list[Any] = []
    for node in source.inside(tree):
        if isinstance(node, ast.Compare) and _uses(node.left, parameter.name):
            for operator, other in zip(node.ops, node.comparators):
                if isinstance(operator, (ast.Eq, ast.In, ast.NotEq, ast.NotIn)):
                    found += _words(other)
        elif isinstance(node, ast.Subscript) and _uses(node.slice, parameter.name) and isinstance(node.value, ast.Dict):
            found += _words(node.value)
        elif isinstance(node, ast.Match) and _uses(node.subject, parameter.name):
            found += [word for case in node.cases for word in _words(case.pattern)]
    return tuple(dict.fromkeys(found))


def _uses(node: ast.AST, name: str) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id == name) or (isinstance(part, ast.Attribute) and part.attr == name)
        for part in ast.walk(node)
    )


def _words(node: ast.AST) -> list[str]:
    parts = node.keys if isinstance(node, ast.Dict) else [node]
    return [
        constant.value
        for part in parts
        if part is not None
        for constant in ast.walk(part)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    ]


def is_flag(parameter: Parameter) -> bool:
    """Whether the source only ever asks whether the argument is true."""
    tree = _tree(parameter.owner) if parameter.owner is not None else None
    if tree is None:
        return False
    tests: set[int] = set()
    kept: set[int] = set()
    for node in source.inside(tree):
        if isinstance(node, (ast.If, ast.IfExp)):
            tests |= {id(part) for part in ast.walk(node.test) if not isinstance(part, ast.Compare)}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            kept.add(id(node.value))
    uses = [node for node in source.inside(tree) if isinstance(node, ast.Name) and node.id == parameter.name]
    compared = [node for node in source.inside(tree) if isinstance(node, ast.Compare) and _uses(node, parameter.name)]
    return any(id(use) in tests for use in uses) and not compared and all(id(use) in tests | kept for use in uses)


_SIZED = re.compile(
    r"(Lazy)?(Linear|Conv\w*|Embedding|LayerNorm|RMSNorm|BatchNorm\w*|Dense|RNN|GRU|LSTM|\w*(RNN|GRU|LSTM)?Cell)|"
    r"zeros|ones|rand|randn|empty|eye|(Float)?Tensor|add_weight|get_variable|range|sqrt"
)


def is_size(parameter: Parameter) -> bool:
    """Whether the source takes the argument for a size: of a layer, of a weight, in whole-number arithmetic."""
    tree = _tree(parameter.owner) if parameter.owner is not None else None
    if tree is None:
        return False
    for node in source.inside(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call) and _SIZED.fullmatch(source.called_name(node)):
            parts = [*node.args, *(word.value for word in node.keywords)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.FloorDiv, ast.Mod)):
            parts = [node.left, node.right]
        if any(_counts(part, parameter.name) for part in parts):
            return True
    return False


def _counts(node: ast.AST, name: str) -> bool:
    """Whether an expression is the argument itself, or a shape or a sum or product of whole numbers with it."""
    if isinstance(node, ast.BinOp):
        return _counts(node.left, name) or _counts(node.right, name)
    if isinstance(node, (ast.Tuple, ast.List)):
        return any(_counts(part, name) for part in node.elts)
    return (isinstance(node, ast.Name) and node.id == name) or (
        isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value) == "self"
    )


def other_names(parameter: Parameter) -> tuple[str, ...]:
    """The attributes under which the source keeps the argument: ``self.units = p``."""
    tree = _tree(parameter.owner) if parameter.owner is not None else None
    if tree is None:
        return ()
    return tuple(
        target.attr
        for node in source.inside(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == parameter.name
        for target in node.targets
        if isinstance(target, ast.Attribute)
    )


def reads(cls: Any, parameter: str, *, given: bool = False) -> dict[str, Any]:
    """What the source of a class takes of an argument: ``config.units``, ``config["units"]``, ``getattr(config, ..)``.

    Maps each name to a dictionary of what is taken of it in turn; what has a default of its own is left out, and what
    is asked for by ``config.get("name")`` where the user has ``given`` the others and it is no size.
    """
    found: dict[str, Any] = {}
    bases = [base for base in getattr(cls, "__mro__", (cls,)) if str(getattr(base, "__module__", "")).partition(".")[0]
             not in (*FRAMEWORKS, "builtins", "sonnet")]  # fmt: skip
    for base in bases:
        tree = _tree(base)
        if tree is None:
            continue
        aliases = _aliases(tree, parameter)
        optional = set(_asked_whether(tree, aliases))
        parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if not isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
                continue
            parent = parents.get(id(node))
            # The longest chain alone: config.model.units also holds config.model.
            if isinstance(parent, (ast.Attribute, ast.Subscript)):
                continue
            method = isinstance(node, ast.Attribute) and isinstance(parent, ast.Call) and parent.func is node
            path = _path(node.value if method and isinstance(node, ast.Attribute) else node, aliases)
            if path and path not in optional and not (given and _may_be_none(node, path[-1])):
                where = found
                for name in path:
                    where = where.setdefault(name, {})
    return found


def _may_be_none(node: ast.AST, name: str) -> bool:
    gets = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
    return gets and not (role_of(name) or usual(name))


def _asked_whether(tree: ast.AST, aliases: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """What the source asks of before it takes it: ``"units" in config``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            where = node.comparators[0]
            inner = _path(where.func if isinstance(where, ast.Call) else where, aliases)
            if inner is not None and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
                yield (*inner, node.left.value)


def _aliases(tree: ast.AST, parameter: str) -> dict[str, tuple[str, ...]]:
    """The expressions that stand for the argument or for a part of it: ``self.config``, ``cfg = config.model``."""
    aliases: dict[str, tuple[str, ...]] = {parameter: ()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            path = _path(node.value, aliases)
            # A size that is kept under another name is no part to reach into.
            if path is None or (path and (role_of(path[-1]) or usual(path[-1]) or is_size_like(path[-1]))):
                continue
            if isinstance(node.targets[0], (ast.Name, ast.Attribute)):
                aliases.setdefault(ast.unparse(node.targets[0]), path)
    return aliases


_METHODS = frozenset("get keys items values update copy pop to_dict setdefault __dict__".split())


def _path(node: ast.AST, aliases: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The names by which an expression reaches into the argument; None where it does not."""
    if isinstance(node, (ast.Name, ast.Attribute)) and (text := ast.unparse(node)) in aliases:
        return aliases[text]
    if isinstance(node, ast.Attribute):
        inner = _path(node.value, aliases)
        return None if inner is None else inner if node.attr in _METHODS else (*inner, node.attr)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        inner = _path(node.value, aliases)
        if inner is None or not isinstance(node.slice.value, str):
            return inner
        return (*inner, node.slice.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        if len(node.args) == 2 and isinstance(node.args[1], ast.Constant):
            inner = _path(node.args[0], aliases)
            return None if inner is None else (*inner, str(node.args[1].value))
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        inner = _path(node.func.value, aliases)
        if inner is not None and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            return (*inner, str(node.args[0].value))
    return None
