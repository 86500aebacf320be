"""Which statements of a file are definitions, and what their names tell.

Reads syntax trees and signatures only; no framework is needed.
"""

from __future__ import annotations
import __future__

import ast
import dis
import re
from collections.abc import Callable, Sequence
from typing import Any

from rnncheck.usercode.functions import undecorated

FRAMEWORKS = ("torch", "keras", "tensorflow", "tf_keras", "sonnet")
STATE_WORDS = frozenset(
    [
        "h",
        "c",
        "hx",
        "cx",
        "hc",
        "hxs",
        "cxs",
        "s",
        "state",
        "states",
        "hidden",
        "carry",
        "prev",
        "previous",
        "mem",
        "memory",
        "memories",
        "caches",
        "mems",
        "cache",
        "hiddens",
        "hn",
        "cn",
        "syn",
        "spk",
        "cell",
        "h0",
        "c0",
        "ht",
        "ct",
        "hid",
        "latent",
        "tm1",
        "past",
    ]
)
INPUT_WORDS = frozenset(
    [
        "x",
        "xt",
        "xs",
        "inp",
        "inputs",
        "input",
        "sequence",
        "u",
        "obs",
        "tensor",
        "token",
        "embedded",
        "embedding",
        "in",
    ]
)


RESETTING = frozenset("reset init initialize clear begin start".split())
NOTHING = frozenset("RESUME NOP LOAD_CONST RETURN_VALUE RETURN_CONST".split())
"""The operations of a function without statements."""
NOT_STATES = frozenset("weights weight parameters params parameter bias layer layers cell config".split())


def only(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The imports, definitions and constants among these statements, also inside ``if`` and ``try``."""
    return [node for node in map(_definition, body) if node is not None]


def _definition(node: ast.stmt) -> ast.stmt | None:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return node
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and not _calls(node.value):
        return node
    if isinstance(node, ast.If) and not _calls(node.test) and not _is_main_guard(node.test):
        kept = ast.If(node.test, only(node.body) or [ast.Pass()], only(node.orelse))
        return ast.fix_missing_locations(ast.copy_location(kept, node))
    if isinstance(node, ast.Try) and any(isinstance(inner, (ast.Import, ast.ImportFrom)) for inner in node.body):
        return node
    return None


def _calls(node: ast.AST | None) -> bool:
    return node is not None and any(isinstance(inner, (ast.Call, ast.Await)) for inner in ast.walk(node))


def _is_main_guard(test: ast.expr) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == "__name__" for inner in ast.walk(test))


def future_flags(source: bytes) -> int:
    """The compiler flags of the ``from __future__`` imports in a file."""
    names = re.findall(rb"^from __future__ import ([\w, ]+)", source, re.MULTILINE)
    features = {name.strip().decode() for line in names for name in line.split(b",")}
    return sum(getattr(__future__, name).compiler_flag for name in features if name in __future__.all_feature_names)


def may_define_cell(source: str) -> bool:
    """Whether a file of a folder is worth loading: it defines a class and imports a framework or defines a
    ``call``, ``forward`` or ``__call__``."""
    imports = rf"^\s*(?:import|from)\s+(?:{'|'.join(FRAMEWORKS)})\b"
    steps = r"^\s+def (?:call|forward|__call__)\("
    return _holds(r"^\s*class\s", source) and (_holds(imports, source) or _holds(steps, source))


def _holds(pattern: str, source: str) -> bool:
    return re.search(pattern, source, re.MULTILINE) is not None


def words(name: str) -> set[str]:
    """The lower-case words of an identifier: ``prevHidden_state`` has prev, hidden and state."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+\d?|[A-Z]+(?![a-z])\d?|[a-z]\w?", name)}


BEFORE = frozenset(["prev", "previous", "tm1"])
NEWER = frozenset("new next updated cur curr current out t tp1 n".split())
"""Words that tell the new value of something from the old one."""


def stem(name: str) -> frozenset[str]:
    """The words of a variable but those that tell its new value from its old one."""
    newer = {word for word in words(name) if word in NEWER or word.rstrip("0123456789") in NEWER}
    return frozenset(words(name) - newer - BEFORE) or frozenset([name])


def is_state_name(name: str) -> bool:
    return bool(_unnumbered(name) & STATE_WORDS) and not is_input_name(name)


def is_surely_state_name(name: str) -> bool:
    """Whether the name tells of a state and not only of something that was there before: an action, an output."""
    return bool(_unnumbered(name) & (STATE_WORDS - BEFORE)) and not is_input_name(name)


def _unnumbered(name: str) -> set[str]:
    """Its words, and those of them that end in the number of a layer without it: ``h1`` is a hidden state."""
    found = words(name)
    if name in ("hs", "cs"):
        # As a word among others they are an encoder's.
        return {name, name[0]}
    return found | {word.rstrip("0123456789") for word in found}


def is_input_name(name: str) -> bool:
    return bool(words(name) & INPUT_WORDS) and not re.search(r"_(states?|hidden|carry|hx)$", name)


CONTEXT_WORDS = frozenset("encoder enc context memory annotations keys outputs knowledge constants".split())
"""Words of what was computed from another sequence."""
FURTHER_WORDS = frozenset(
    "mask masks ts dt delta timespan timespans timestamp timestamps elapsed interval time training train "
    "deterministic edge adj adjacency graph laplacian supports lengths length lens len done dones reset resets "
    "first terminal episode action actions context encoder enc annotations index key rng generator weight "
    "attr step constants".split()
)
"""Words of parameters that are neither input nor state."""


TIME_WORDS = frozenset("t time times ts".split())


def is_time_name(name: str) -> bool:
    """Whether an argument of this name is when the step is, as a solver of differential equations passes it."""
    return words(name) <= TIME_WORDS


GRAPH_WORDS = frozenset("adj adjacency graph laplacian support supports adjmat".split())


def is_graph_name(name: str) -> bool:
    """Whether an argument of this name tells which nodes of a graph are neighbours."""
    return name in ("A", "a") or bool(words(name) & GRAPH_WORDS)


def is_reset_name(name: str) -> bool:
    """Whether a method of this name begins a new sequence."""
    parts = words(name)
    if parts == {"set", "batch", "size"}:
        return True
    return bool(parts & RESETTING) and (len(parts) == 1 or bool(parts & STATE_WORDS)) and not parts & NOT_STATES


NO_STEPS = frozenset("training validation test predict optimizer lr configure functional multi".split())


def is_step_name(name: str) -> bool:
    """Whether a method of this name is one step of a cell."""
    parts = words(name)
    if name.startswith("_") or parts & NO_STEPS:
        return False
    return bool(parts & {"step", "recurrence", "recurrent", "recur"}) or name in (
        "update",
        "forward_one",
        "one_forward",
    )


def method_of(cls: type) -> Callable[..., Any] | None:
    """The ``call`` or ``forward`` of a class, else the ``__call__`` that stands in its place in cells of TensorFlow 1
    and of Sonnet; what the user defines comes before what a framework does."""
    found = [
        undecorated(vars(base)[name])
        for name in ("call", "forward", "__call__")
        for base in cls.__mro__
        if name in vars(base)
    ]
    own = [method for method in found if root_of(method) not in FRAMEWORKS]
    # Some define call() only so that there is one.
    own = [method for method in own if not does_nothing(method)] or own
    method = next(iter(own or found), None)
    return method if callable(method) else None


def does_nothing(function: Any) -> bool:
    """Whether it returns a constant and has no other statement."""
    code = getattr(function, "__code__", None)
    return code is not None and {each.opname for each in dis.get_instructions(code)} <= NOTHING


def root_of(item: Any) -> str:
    """The package that defines it."""
    return str(getattr(item, "__module__", None)).partition(".")[0]


def is_framework(cls: type) -> bool:
    """Whether a framework defines this class."""
    return cls is object or root_of(cls) in FRAMEWORKS
