"""How a method uses its parameters, read from its source: to choose what to try first, never to judge."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Collection, Sequence

from rnncheck.usercode.definitions import is_reset_name, stem
from rnncheck.usercode.source import TENSOR_ATTRIBUTES, class_bodies, inside


@functools.lru_cache(maxsize=256)
def unpacking(function: ast.FunctionDef, parameter: str) -> tuple[str, Sequence[str]] | None:
    """How a function takes its state parameter apart: ``("tuple", names)``, ``("index", [count])``,
    ``("keys", keys)`` or ``("attributes", names)``; None when it passes it on whole."""
    indices: set[int] = set()
    keys: list[str] = []
    attributes: list[str] = []
    methods = {id(node.func) for node in inside(function) if isinstance(node, ast.Call)}
    for node in inside(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            target = node.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and not any(
                isinstance(part, ast.Starred) for part in target.elts
            ):
                return "tuple", [ast.unparse(part) for part in target.elts]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            known = id(node) in methods or node.attr in TENSOR_ATTRIBUTES
            attributes.extend([] if known else [node.attr])
        if _gets_key(node, parameter):
            keys.append(node.args[0].value)  # type: ignore[attr-defined]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == parameter:
            key = _literal(node.slice)
            if isinstance(key, str):
                keys.append(key)
            elif isinstance(key, int):
                indices.add(key)
    if keys:
        return "keys", list(dict.fromkeys(keys))
    if attributes:
        return "attributes", list(dict.fromkeys(attributes))
    if indices:
        return "index", [str(max(max(indices) + 1, -min(indices)))]
    return None


@functools.lru_cache(maxsize=256)
def takes_one_by_one(function: ast.FunctionDef, parameter: str) -> bool:
    """Whether it takes parts of a parameter by a number that varies, as ``hidden[i]`` for each layer."""
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == parameter
        and isinstance(node.slice, ast.Name)
        for node in inside(function)
    )


def reset_attributes(cls: type, *, by_constructor: bool = True) -> set[str]:
    """The attributes of ``self`` that are assigned by methods which begin a new sequence, by their names, of which the
    constructor is one."""
    found: set[str] = set()
    for node in class_bodies(cls):
        for function in node.body:
            if not isinstance(function, ast.FunctionDef) or (function.name == "__init__" and not by_constructor):
                continue
            if is_reset_name(function.name):
                for part in ast.walk(function):
                    if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                        found.add(part.attr)
                    if _assigns(part):
                        found.add(part.func.value.attr)  # type: ignore[attr-defined]
    return found


def _assigns(node: ast.AST) -> bool:
    """Whether this is ``self.state.assign(...)`` or ``self.state.zero_()``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("assign", "zero_", "fill_", "copy_")
        and isinstance(node.func.value, ast.Attribute)
    )


def _gets_key(node: ast.AST, parameter: str) -> bool:
    """Whether this is ``parameter.get("key")`` or ``parameter.pop("key")``."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
        return False
    named = isinstance(node.func.value, ast.Name) and node.func.value.id == parameter
    key = node.args[0]
    return named and node.func.attr in ("get", "pop") and isinstance(key, ast.Constant) and isinstance(key.value, str)


@functools.lru_cache(maxsize=256)
def returned_parts(function: ast.FunctionDef) -> tuple[str, ...]:
    """The expressions of the tuple that the function's last return statement gives; none for another value."""
    returns = [node for node in _own(function) if isinstance(node, ast.Return) and node.value is not None]
    last = max(returns, key=lambda node: node.lineno, default=None)
    return tuple(map(ast.unparse, last.value.elts)) if last and isinstance(last.value, (ast.Tuple, ast.List)) else ()


@functools.lru_cache(maxsize=256)
def switches(function: ast.FunctionDef, name: str) -> tuple[tuple[str, bool], ...]:
    """The attributes of the cell on which it depends whether a method ever gives a variable a value, each with what it
    must be; none where it does so under no or under other conditions."""
    found: list[tuple[str, bool] | None] = []

    def visit(node: ast.AST, under: tuple[str, bool] | None) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            found.append(under)
        elif isinstance(node, ast.If):
            switch = _switch(node.test)
            otherwise = (switch[0], not switch[1]) if switch else under
            for then in node.body:
                visit(then, switch or under)
            for then in node.orelse:
                visit(then, otherwise)
        else:
            for part in ast.iter_child_nodes(node):
                visit(part, under)

    visit(function, None)
    return tuple(dict.fromkeys(under for under in found if under)) if None not in found else ()


def _switch(test: ast.expr) -> tuple[str, bool] | None:
    """The attribute that a test looks at, and whether it must be true."""
    inverted = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    value = test.operand if isinstance(test, ast.UnaryOp) and inverted else test
    owned = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"
    return (value.attr, not inverted) if owned and isinstance(value, ast.Attribute) else None


@functools.lru_cache(maxsize=256)
def computed_after(function: ast.FunctionDef, name: str, other: str) -> bool:
    """Whether the last statement that gives a variable its value reads a new value of another one."""
    statements: dict[str, ast.Assign] = {}
    for node in sorted(_own(function), key=lambda node: getattr(node, "lineno", 0)):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(node, ast.Assign) and isinstance(target, ast.Name):
                statements[target.id] = node
    one = statements.get(name)
    before = [known for known in statements if stem(known) == stem(other)]
    return one is not None and any(
        known in _read(one.value) and statements[known].lineno < one.lineno for known in before
    )


@functools.lru_cache(maxsize=256)
def parts_of(function: ast.FunctionDef, parameter: str) -> tuple[str, ...]:
    """The variables into which a function always takes a parameter apart; none where it does not."""
    for node in function.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in (parameter, f"tf.nest.flatten({parameter})"):
            target = node.targets[0]
            if isinstance(target, (ast.Tuple, ast.List)) and all(isinstance(part, ast.Name) for part in target.elts):
                return tuple(ast.unparse(part) for part in target.elts) if len(target.elts) > 1 else ()
        if any(isinstance(part, ast.Name) and part.id == parameter for part in ast.walk(node)):
            break
    return ()


def nested_parts(function: ast.FunctionDef, parameter: str) -> tuple[str | tuple[str, ...], ...]:
    """The variables into which the first statement that names a parameter takes it apart, some of them together in a
    tuple; none where it does not."""
    for node in function.body:
        if not any(isinstance(part, ast.Name) and part.id == parameter for part in ast.walk(node)):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) and ast.unparse(node.value) == parameter else None
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
        inner = [part.elts if isinstance(part, (ast.Tuple, ast.List)) else [part] for part in parts]
        if not all(isinstance(name, ast.Name) for names in inner for name in names):
            return ()
        nested = (isinstance(part, (ast.Tuple, ast.List)) for part in parts)
        named = [tuple(map(ast.unparse, names)) for names in inner]
        return tuple(names if deep else names[0] for names, deep in zip(named, nested))
    return ()


@functools.lru_cache(maxsize=256)
def indexed_parts(function: ast.FunctionDef, parameter: str) -> tuple[str, ...]:
    """The variables, in order, that a function fills from a parameter by index, as ``elapsed = inputs[1]``, where it
    may be several tensors; none where it is not read so, or where a number is left out."""
    names: dict[int, str] = {}
    for node in _own(function):
        value, target = (node.value, node.targets[0]) if isinstance(node, ast.Assign) else (node, None)
        if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id == parameter:
            index = _literal(value.slice)
            if type(index) is int and isinstance(target, ast.Name):
                names[index] = target.id
    parts = tuple(names[index] for index in sorted(names))
    return parts if len(parts) == len(set(parts)) > 1 and sorted(names) == [*range(len(parts))] else ()


@functools.lru_cache(maxsize=256)
def unread(function: ast.FunctionDef) -> frozenset[str]:
    """The parameters of a function that it never names."""
    named = {node.id for node in inside(function) if isinstance(node, ast.Name)}
    # A part of another class is handed all of them.
    if "locals" in named:
        return frozenset()
    parameters = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return frozenset(item.arg for item in parameters) - named


def asked_whether(function: ast.FunctionDef) -> frozenset[str]:
    """The parameters that it takes for true or false by themselves, as ``if last`` does."""
    tests: list[ast.expr] = []
    for node in inside(function):
        if isinstance(node, (ast.If, ast.While, ast.IfExp)):
            tests.append(node.test)
        elif isinstance(node, ast.BoolOp):
            tests.extend(node.values)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            tests.append(node.operand)
    names = {test.id for test in tests if isinstance(test, ast.Name)}
    parameters = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return frozenset(item.arg for item in parameters if item.arg in names)


def given_values(function: ast.FunctionDef) -> frozenset[str]:
    """The variables that a function gives a value."""
    return frozenset(
        node.id for node in inside(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


@functools.lru_cache(maxsize=256)
def _own(function: ast.FunctionDef) -> Sequence[ast.AST]:
    """The nodes of a function, but for those of functions inside it."""
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return nodes


LENGTH = re.compile(r"seq|time|step|len|^[tTlL]$")
BATCH = re.compile(r"[bB]|bs|bsz|(n_|num_)?batch(_size|_dim)?")
LOOPED = r"(enumerate\()?(reversed\()?\b{0}\b(\.(unbind|split|chunk|transpose|permute)\(.*\))?\)*"
SCANS = frozenset("scan associative_scan rnn while_loop dynamic_rnn".split())
"""Functions that run over a sequence."""
COUNTED = (
    r"range\(.*\b{0}\b\.(shape\[[01]\]|size\([01]\))|range\(len\({0}\)|range\(\w*(seq|time|len|steps)\w*\)"
    r"|range\([TL]\)"
)


def joins(function: ast.FunctionDef, name: str, first: int, last: int, others: Collection[str]) -> bool:
    """Whether an expression of the statement on the ``last`` line is computed both from one of the ``others`` and from
    what the ``first`` line calls ``name``, by the names of the statements between them."""
    known = {name}
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
    found = [node for node in ast.walk(function) if isinstance(node, kinds) and first < node.lineno <= last]
    for node in sorted(found, key=lambda node: node.lineno):
        read = [_read(part) for part in _parts(node.value)]
        if node.lineno == last:
            return any(names & known and names & set(others) for names in read)
        targets = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
        if any(names & known for names in read):
            known |= targets
        elif not isinstance(node, ast.AugAssign):
            known -= targets
    return False


def _parts(value: ast.expr | None) -> list[ast.expr]:
    """The expressions that a display puts together; itself, where it is none."""
    if isinstance(value, (ast.Tuple, ast.List)):
        return [part for item in value.elts for part in _parts(item)]
    if isinstance(value, ast.Dict):
        return [part for item in value.values for part in _parts(item)]
    return [] if value is None else [value]


def _read(expression: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(expression) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


@functools.lru_cache(maxsize=256)
def takes_sequence(function: ast.FunctionDef, parameter: str) -> bool:
    """Whether a method reads its input as a sequence: loops over it or its steps, or takes its length."""
    if re.search(r"seq|^xs$", parameter):
        return True
    name = re.escape(parameter)
    for node in _own(function):
        if isinstance(node, (ast.For, ast.comprehension)):
            over = ast.unparse(node.iter)
            if re.fullmatch(LOOPED.format(name), over) or re.search(COUNTED.format(name), over):
                return True
            if re.search(rf"\b(unstack|unbind)\({name}\b|\b{name}\b.*\)\.unbind\(|^tf\.range\(.*shape\b", over):
                return True
        if isinstance(node, ast.Call) and _is_scan(node.func):
            return True
        if not isinstance(node, ast.Assign) or not _taken_of(node.value, parameter):
            continue
        if _lengths(node.targets[0], ast.unparse(node.value), name):
            return True
    return False


def _is_scan(function: ast.expr) -> bool:
    """Whether it is a function of a library that runs over a sequence, and no part of the cell."""
    named = isinstance(function, ast.Attribute) and function.attr in SCANS
    return named and isinstance(function, ast.Attribute) and ast.unparse(function.value) != "self"


def _taken_of(node: ast.expr, name: str) -> bool:
    """Whether an expression is an attribute, a part or a method's answer of the variable."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id == name


def _lengths(target: ast.expr, value: str, name: str) -> list[int]:
    """Which of the first two axes of the input an assignment calls the number of its steps: of all its sizes, which are
    three or more, or of the first ones, or one."""
    if all_of_them := re.fullmatch(rf"{name}\.(?:shape|size\(\))(\[:\d\])?", value):
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
        enough = len(parts) >= (2 if all_of_them[1] else 3)
        return [axis for axis, part in enumerate(parts[:2]) if enough and LENGTH.search(ast.unparse(part))]
    axis = _one_size(value, name)
    return [axis] if axis is not None and LENGTH.search(ast.unparse(target)) else []


def _one_size(value: str, name: str) -> int | None:
    """The axis, of the first two, whose size an expression takes."""
    one = re.fullmatch(rf"{name}\.(?:shape\[([01])\]|size\(([01])\))", value)
    return int(one[1] or one[2]) if one is not None else None


@functools.lru_cache(maxsize=256)
def handed_to(function: ast.FunctionDef, parameter: str) -> list[tuple[str, int]]:
    """The methods of ``self`` that are called with this parameter, and at which place."""
    return [
        (node.func.attr, place)
        for node in _own(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "self"
        for place, argument in enumerate(node.args)
        if isinstance(argument, ast.Name) and argument.id == parameter
    ]


def time_axis(function: ast.FunctionDef, parameter: str) -> int | None:
    """Which of the first two axes of its input a method calls the sequence's length, or takes step by step; None where
    it does not say."""
    name = re.escape(parameter)
    for node in _own(function):
        if not isinstance(node, ast.Assign) or not _taken_of(node.value, parameter):
            continue
        target, value = node.targets[0], ast.unparse(node.value)
        found = _lengths(target, value, name)
        if len(found) == 1:
            return found[0]
        if _one_size(value, name) == 1 and BATCH.fullmatch(ast.unparse(target)):
            return 0
    loops = [ast.unparse(node.iter) for node in _own(function) if isinstance(node, (ast.For, ast.comprehension))]
    return next((axis for over in loops if (axis := _looped_axis(over, name)) is not None), None)


def _looped_axis(over: str, name: str) -> int | None:
    """The axis along which a loop over a tensor itself, or over as many numbers as it is long, goes."""
    if re.fullmatch(rf"(enumerate\()?{name}\)?|range\(len\({name}\)\)", over):
        return 0
    counted = re.fullmatch(r"range\((.*)\)", over)
    return _one_size(counted.group(1), name) if counted else None


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return None
