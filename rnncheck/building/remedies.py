"""What the error of one try says about the arguments of the next."""

from __future__ import annotations

import ast
import dataclasses
import linecache
import re
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from rnncheck.building import roles
from rnncheck.building.annotations import literals
from rnncheck.building.arguments import Argument, Inference, Plan
from rnncheck.building.parameters import Constructor, constructor_of
from rnncheck.building.roles import Sizes, is_kernel
from rnncheck.usercode import source, usertrace
from rnncheck.usercode.expressions import Expression, Made, text_of

LIMIT = 8
"""How many ways are tried to mend one error."""

_TYPES = {"int": int, "float": float, "str": str, "tuple": tuple, "list": list, "NoneType": type(None), "bool": bool}
_COMPLAINTS = (
    re.compile(r"'(\w+)' object (?:is not|has no|does not|cannot|doesn't)"),
    re.compile(r"object of type '(\w+)' has no len"),
    re.compile(r"must be (?:an iterable|a mapping), not (\w+)"),
    re.compile(r"cannot unpack non-(?:iterable|sequence) (\w+)"),
    re.compile(r"unsupported operand type\(s\) for .*?: '(\w+)' and '\w+'"),
    re.compile(r"unsupported operand type\(s\) for .*?: '\w+' and '(\w+)'"),
    re.compile(r"not supported between instances of '(\w+)' and '\w+'"),
    re.compile(r"not supported between instances of '\w+' and '(\w+)'"),
    re.compile(
        r"(?:not|got|found|was|of type|but is|is a) (?:an? )?<?(?:class )?'?(int|float|str|tuple|list|NoneType)\b"
    ),
    re.compile(r"can(?:'t| ?not) multiply sequence by non-int of type '(\w+)'"),
)
_WANTED = (
    (re.compile(r"\b(list|sequence)\b"), list),
    (re.compile(r"\b(tuple|pair|iterable|length (?:of )?2|2-tuple)\b"), tuple),
    (re.compile(r"\b(int|integer|whole number)\b"), int),
    (re.compile(r"\b(str|string)\b"), str),
    (re.compile(r"\b(callable|function|module)\b", re.IGNORECASE), Expression),
)
_GPU = re.compile(r"cuda|triton|nvcc|gpu", re.IGNORECASE)
_DEMAND = re.compile(r"must|should|expect|need|require|has to|have to|only|want")
_SIZE_TROUBLE = re.compile(
    r"divi|multiple of|power of|\beven\b|equal|match|same|larger|smaller|greater|less than|>=|<=", re.I
)


def remedies(error: BaseException, inference: Inference, constructor: Constructor) -> Iterator[Plan]:
    """Other tries, likeliest first, that the error of this one suggests; none where it says nothing."""
    plan = inference.plan
    tries = [
        *_missing(error, inference, constructor),
        *_refused(error, inference),
        *_named_defaults(error, inference, constructor),
        *_asked_for(error, inference),
        *_without_gpu(error, inference, constructor),
    ]
    types, sizes = list(_of_other_type(error, inference, constructor)), list(_other_sizes(error, plan))
    tries += [*sizes, *types] if isinstance(error, (AssertionError, ValueError)) else [*types, *sizes]
    tries = [*_fewer_layers(inference), *tries]
    if plan.filled == 0:
        tries.insert(0, dataclasses.replace(plan, filled=1))
    elif plan.filled == 1:
        tries.append(dataclasses.replace(plan, filled=2))
    for found in tries[:LIMIT]:
        yield dataclasses.replace(found, depth=plan.depth + 1)


def of_a_call(error: BaseException, inference: Inference, constructor: Constructor) -> Iterator[Plan]:
    """Other tries for a cell that was built and could not be called: only an argument of a wrong type shows so, and
    layers that do not fit each other."""
    plan = inference.plan
    tries = [
        *_asked_for(error, inference),
        *_fewer_layers(inference),
        *_of_other_type(error, inference, constructor, told=True),
    ]
    for found in tries[:LIMIT]:
        yield dataclasses.replace(found, depth=plan.depth + 1)


def _with(plan: Plan, path: str, value: Any) -> Plan:
    return dataclasses.replace(plan, values={**plan.values, path: value})


def _fewer_layers(inference: Inference) -> Iterator[Plan]:
    """One layer, where there were two: what holds of the first may not fit the next."""
    values: dict[str, Any] = {}
    for argument in inference.arguments:
        value = argument.values[0]
        if type(value) is int and value == 2 and roles.counts_layers(argument.name):
            values[argument.path] = 1
        elif isinstance(value, list) and len(value) == 2 and value[:1] in argument.values:
            values[argument.path] = value[:1]
    if values:
        yield dataclasses.replace(inference.plan, values={**inference.plan.values, **values})


def _missing(error: BaseException, inference: Inference, constructor: Constructor) -> Iterator[Plan]:
    """Arguments with a default, or of a base's constructor, that are needed all the same."""
    plan, text = inference.plan, str(error)
    names: list[str] = []
    if isinstance(error, TypeError) and (match := re.search(r"missing \d+ required .*?arguments?: (.*)", text)):
        names = re.findall(r"'(\w+)'", match[1])
    elif isinstance(error, KeyError) and error.args and isinstance(error.args[0], str) and error.args[0].isidentifier():
        names = [error.args[0]]
    elif match := re.search(r"'Options' object has no attribute '(\w+)'", text):
        names = [match[1]]
    options = [argument.path for argument in inference.arguments if isinstance(argument.values[0], Made)]
    configs = dict.fromkeys([path.rpartition(".")[0] for path in inference_paths(inference) if "." in path] + options)
    takes = [name for name in names if name not in inference.kwargs]
    if takes and (constructor.open or set(takes) & set(constructor.names)):
        yield dataclasses.replace(plan, wanted=(*plan.wanted, *takes))
    if not isinstance(error, TypeError):
        for config in configs:
            new = tuple(f"{config}.{name}" for name in names)
            if names and not set(new) & set(inference_paths(inference)):
                yield dataclasses.replace(plan, wanted=(*plan.wanted, *new))


def inference_paths(inference: Inference) -> list[str]:
    return [argument.path for argument in inference.arguments]


def _refused(error: BaseException, inference: Inference) -> Iterator[Plan]:
    """An argument that the constructor does not take, or gives to its base itself."""
    match = re.search(
        r"unexpected keyword argument '(\w+)'|multiple values for (?:keyword )?argument '(\w+)'", str(error)
    )
    name = (match[1] or match[2]) if match else None
    if name in inference.kwargs:
        yield dataclasses.replace(inference.plan, dropped=inference.plan.dropped | {str(name)})


def _named_defaults(error: BaseException, inference: Inference, constructor: Constructor) -> Iterator[Plan]:
    """Arguments that were left at None and that the text of the error names."""
    if not isinstance(error, (TypeError, ValueError, AssertionError)):
        return
    plan, text = inference.plan, str(error)
    for parameter in constructor.parameters:
        left = parameter.default is None or parameter.default is False
        named = len(parameter.name) > 2 and re.search(rf"\b{re.escape(parameter.name)}\b", text)
        if left and named and parameter.name not in inference.kwargs:
            yield dataclasses.replace(plan, wanted=(*plan.wanted, parameter.name))


def _without_gpu(error: BaseException, inference: Inference, constructor: Constructor) -> Iterator[Plan]:
    """Another choice, where one of the defaults needs a GPU that is not there."""
    if not _GPU.search(f"{type(error).__name__} {error}"):
        return
    described = [(parameter.name, parameter) for parameter in constructor.parameters]
    for argument in inference.arguments:
        cls = getattr(argument.values[0], "cls", None)
        if cls is not None:
            described += [(f"{argument.path}.{inner.name}", inner) for inner in constructor_of(cls).parameters]
    for path, parameter in described:
        default = parameter.default
        if isinstance(default, str) and _GPU.search(default):
            others = [value for value in literals(parameter.annotation) if not _GPU.search(str(value))]
            for value in (*others, *(["cpu"] if not others else [])):
                yield _with(inference.plan, path, value)
        elif default is True and _GPU.search(parameter.name):
            yield _with(inference.plan, path, False)


def _asked_for(error: BaseException, inference: Inference) -> Iterator[Plan]:
    """The numbers and the words that the text of an error about an argument names."""
    text = str(error)
    if isinstance(error, (AttributeError, NameError, ImportError, OSError)):
        return
    numbers = [int(number) for number in re.findall(r"(?<![\w.])\d+(?![\w.]*\d)", text) if 0 < int(number) <= 1024]
    words = re.findall(r"['\"`]([\w-]{1,24})['\"`]", text)
    for argument in _concerned(error, inference, told=True):
        value = argument.values[0]
        if isinstance(value, str):
            said = words or re.findall(r"(?:one of|either|from|in|supports?|:)\s+([\w-]+)", text)
            for word in said:
                if word not in (value, argument.name):
                    yield _with(inference.plan, argument.path, word)
        elif type(value) is int:
            if "odd" in text or "even" in text:
                yield _with(inference.plan, argument.path, value + 1)
            beyond = [number + 1 for number in numbers if "than" in text]
            for number in (*numbers, *beyond):
                if number != value:
                    yield _with(inference.plan, argument.path, number)


def _of_other_type(
    error: BaseException, inference: Inference, constructor: Constructor, *, told: bool = False
) -> Iterator[Plan]:
    """Other values for the arguments that the error is about: of the type that it asks for, else of any other.

    With ``told`` only where the error complains of a type.
    """
    text = str(error)
    complained = {_TYPES[match[1]] for pattern in _COMPLAINTS for match in pattern.finditer(text) if match[1] in _TYPES}
    for blamed in ({type(None)}, {str}, {tuple, list}):
        # Of two operands that do not go together a number is the likelier to be right.
        complained = complained & blamed or complained
    asking = f"{text if _DEMAND.search(text) else ''} {_asserted(error)}"
    wanted = [kind for pattern, kind in _WANTED if pattern.search(asking)]
    if told and not complained:
        return
    concerned = _concerned(error, inference)
    if complained:
        right = [argument for argument in concerned if type(argument.values[0]) in complained]
        likely = [argument for argument in inference.arguments if type(argument.values[0]) in complained]
        likely.sort(key=lambda argument: not (is_kernel(argument.name) or isinstance(argument.values[0], str)))
        concerned = right or ([] if type(None) in complained and not likely else likely)
    if type(None) in complained and inference.plan.filled < 2:
        yield dataclasses.replace(inference.plan, filled=2)
    image = inference.context.image
    for argument in concerned:
        others = list(argument.values[1:])
        if complained or wanted:
            others += _generic(argument.values[0], image.dimensions if image else 2)
        others.sort(key=lambda value: (type(value) in complained, wanted != [] and type(value) not in wanted))
        seen = {text_of(argument.values[0])}
        for value in others:
            if text_of(value) not in seen and not (complained and type(value) in complained):
                seen.add(text_of(value))
                yield _with(inference.plan, argument.path, value)
    if (
        not inference.arguments
        and complained == {type(None)}
        and (names := _mentioned(error, [parameter.name for parameter in constructor.parameters]))
    ):
        yield dataclasses.replace(inference.plan, wanted=(*inference.plan.wanted, *names))


def _generic(value: Any, dimensions: int) -> list[Any]:
    if type(value) is int:
        return [(value,) * dimensions, [value], float(value)]
    if type(value) is tuple and value:
        return [value[0], list(value)]
    if type(value) is list and value:
        return [value[0], tuple(value)]
    if type(value) is float:
        return [int(value) or 1]
    return []


def _other_sizes(error: BaseException, plan: Plan) -> Iterator[Plan]:
    """Widths that fit together, where the error says that they do not."""
    if not isinstance(error, (AssertionError, ValueError, RuntimeError, TypeError)) or plan.sizes.input == 16:
        return
    if _SIZE_TROUBLE.search(f"{error} {_asserted(error)}"):
        hidden = plan.sizes.hidden
        for sizes in (Sizes(hidden, hidden, hidden), Sizes(16, 16, 16)):
            if sizes != plan.sizes:
                yield dataclasses.replace(plan, sizes=sizes)


def _concerned(error: BaseException, inference: Inference, *, told: bool = False) -> list[Argument]:
    """The arguments that the text of the error names, else those in the statement that failed.

    With ``told`` those of the statement only where it is a raise or an assert.
    """
    arguments = inference.arguments
    places = {argument.path: re.search(rf"\b{re.escape(argument.name)}\b", str(error)) for argument in arguments}
    found = [(place.start(), argument) for argument in arguments if (place := places[argument.path])]
    named = [argument for _, argument in sorted(found, key=lambda pair: pair[0])]
    if named and (len(named[0].name) > 2 or not told):
        return named
    names = _mentioned(error, [argument.name for argument in arguments], raising=told)
    return [argument for name in names for argument in arguments if argument.name == name]


def _mentioned(error: BaseException, names: Sequence[str], *, raising: bool = False) -> list[str]:
    """Which of the names stand in the innermost statement on the way to the error that has any of them."""
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    if raising and innermost and not _statement(innermost[0])[1]:
        return []
    for frame in reversed(usertrace.frames(error)):
        text = _statement(frame)[0]
        if found := [name for name in names if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}\b", text)]:
            return found
    return []


def _statement(frame: traceback.FrameSummary) -> tuple[str, bool]:
    """The statement of a frame as text, with the condition of the ``if`` in which it is raised."""
    node = source.statement(frame.filename, frame.lineno)
    line = linecache.getline(frame.filename, frame.lineno or 0)
    if node is None or isinstance(node, (ast.If, ast.For, ast.While, ast.With, ast.FunctionDef, ast.ClassDef, ast.Try)):
        return line, False
    if isinstance(node, ast.Raise):
        above = [linecache.getline(frame.filename, node.lineno - back) for back in (1, 2, 3)]
        condition = next((text for text in above if re.match(r"\s*(el)?if\b", text)), "")
        return f"{condition} {ast.unparse(node)}", True
    return ast.unparse(node), isinstance(node, ast.Assert)


def _asserted(error: BaseException) -> str:
    """The condition of the assertion that failed."""
    if not isinstance(error, AssertionError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    return _statement(frames[-1])[0] if frames else ""


def progress(error: BaseException) -> int:
    """How far a constructor came: the line of the first frame that is not rnncheck's own."""
    frames = usertrace.frames(error)
    return (frames[0].lineno or 0) if frames else 0
