"""From what the user typed to the object: ``module:Attr.nested``, ``file.py:Attr``, ``file.py`` or a folder.

Loading runs the user's code, so all that it raises is theirs and is shown as theirs.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from rnncheck.backends.noise import quiet_tensorflow
from rnncheck.errors import TargetError
from rnncheck.hints import remedy
from rnncheck.usercode import cells, definitions, usertrace


@dataclass(frozen=True)
class Spec:
    """A target as typed. Either ``module`` or ``path`` is set; ``attribute`` may be None for a file."""

    text: str
    module: str | None = None
    path: Path | None = None
    attribute: str | None = None


@dataclass(frozen=True)
class Loaded:
    """An object to check. ``remarks`` is what the user should know of how it was loaded."""

    name: str
    obj: Any
    attribute: str
    remarks: tuple[str, ...] = ()

    def names(self, folder: Path | None) -> set[str]:
        """All that it may be called: by its module and by its file, that as typed and as seen from a folder."""
        holders = {self.name.removesuffix(f":{self.attribute}"), str(getattr(self.obj, "__module__", ""))}
        for holder in tuple(holders):
            file = holder if holder.endswith(".py") else getattr(sys.modules.get(holder), "__file__", None)
            if file is not None:
                holders.add(Path(os.path.relpath(os.path.realpath(file), os.path.realpath(folder or "."))).as_posix())
        return {f"{holder}:{self.attribute}" for holder in holders}


@dataclass(frozen=True)
class _Module:
    module: ModuleType
    remarks: tuple[str, ...] = ()
    failure: BaseException | None = None


def parse(text: str) -> Spec:
    """Split a target into its parts; raises TargetError when it can be none of the accepted forms."""
    if not text.strip():
        raise TargetError("The target is empty.", hint="Type module:Attr, file.py:Attr, file.py or a folder.")
    file, _, attribute = text.rpartition(":")
    if file.endswith(".py"):
        return Spec(text, path=Path(file), attribute=_attribute(text, attribute))
    if text.endswith(".py") or os.sep in text or os.path.isdir(text):
        return Spec(text, path=Path(text))
    if os.path.isfile(text):
        raise TargetError(f"{text} is not a Python file.", hint="Type module:Attr, file.py:Attr, file.py or a folder.")
    module = file or text
    if not all(part.isidentifier() for part in module.split(".")):
        raise TargetError(f"'{module}' is not the name of a module.", hint="Type module:Attr, file.py:Attr or file.py.")
    if not file:
        parent, _, last = text.rpartition(".")
        is_module = os.path.isfile(text.replace(".", os.sep) + ".py") or not parent
        meant = f"{text}:MyCell" if is_module else f"{parent}:{last}"
        raise TargetError(f"'{text}' names no attribute.", hint=f"Did you mean: rnncheck {meant}")
    return Spec(text, module=file, attribute=_attribute(text, attribute))


def _attribute(text: str, attribute: str) -> str:
    if not attribute or not all(part.isidentifier() for part in attribute.split(".")):
        raise TargetError(
            f"'{text}': '{attribute}' is not the name of an attribute.", hint="Type module:Attr or file.py:Attr."
        )
    return attribute


def load(spec: Spec, *, defs_only: bool = False) -> list[Loaded | TargetError]:
    """The objects that a target names: one for an attribute, every cell for a file or a folder.

    A file of a folder that cannot be loaded takes its place in the list as the error it raised.
    """
    with _importable_folder(), quiet_tensorflow():
        if spec.path is None:
            assert spec.module is not None
            found = _Module(_import(spec.module))
            return [_named(spec, found, spec.module)]
        # The functions of os.path take what cannot be looked at, such as too long a name, for what is not there.
        if os.path.isdir(spec.path):
            return _load_folder(spec.path, defs_only)
        if not os.path.isfile(spec.path):
            close = difflib.get_close_matches(spec.path.name, [path.name for path in _siblings(spec.path)])
            hint = f"Did you mean: {', '.join(str(spec.path.parent / name) for name in close)}" if close else None
            raise TargetError(f"There is no file {spec.path}.", hint=hint)
        found = load_file(spec.path, defs_only=defs_only)
        if spec.attribute is not None:
            return [_named(spec, found, str(spec.path))]
        return list(_cells(spec.path, found))


def _siblings(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.py")) if os.path.isdir(path.parent) else []


def _load_folder(folder: Path, defs_only: bool) -> list[Loaded | TargetError]:
    loaded: list[Loaded | TargetError] = []
    files = sorted(
        path
        for path in folder.rglob("*.py")
        if os.path.isfile(path) and not any(_hidden(part) for part in path.relative_to(folder).parts)
    )
    for path in files:
        try:
            if not definitions.may_define_cell(_source(path).decode(errors="replace")):
                continue
            loaded.extend(_cells(path, load_file(path, defs_only=defs_only)))
        except NoCell:
            continue
        except TargetError as error:
            error.target = str(path)
            loaded.append(error)
    if not loaded:
        raise TargetError(f"No cell is defined in the {len(files)} Python files below {folder}.", hint=NO_CELL_HINT)
    return loaded


def _hidden(part: str) -> bool:
    return part.startswith((".", "__")) or part in ("node_modules", "site-packages")


class NoCell(TargetError):
    """A file that defines no class which takes a state."""


NO_CELL_HINT = (
    "A cell is a class whose call() or forward() takes an input and a state. "
    "Name one to check it whatever its arguments: rnncheck file.py:MyCell"
)


@contextlib.contextmanager
def _importable_folder() -> Iterator[None]:
    """The current folder on sys.path, and an empty command line for scripts that parse theirs."""
    folder, argv = os.getcwd(), sys.argv
    added = folder not in sys.path
    if added:
        sys.path.insert(0, folder)
    sys.argv = [""]
    try:
        yield
    finally:
        sys.argv = argv
        if added:
            with contextlib.suppress(ValueError):
                sys.path.remove(folder)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name != missing and not name.startswith(f"{missing}."):
            raise _raised(error, f"importing {name}") from error
        raise _module_missing(name, missing) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _raised(error, f"importing {name}") from error


PACKAGES = {
    "torch": '"rnncheck[torch]"',
    "tensorflow": '"rnncheck[tf]"',
    "keras": '"rnncheck[tf]"',
    "tf_keras": "tf_keras",
    "sonnet": "dm-sonnet",
}
"""What brings a framework: the argument of ``pip install``."""


def _framework_missing(name: str, why: str = "") -> TargetError:
    return TargetError(f"{name} is not installed{why}.", hint=f"Install it with: pip install {PACKAGES[name]}")


def _module_missing(name: str, missing: str) -> TargetError:
    root = missing.split(".")[0]
    if missing == root and root in PACKAGES:
        return _framework_missing(root)
    if missing == root:
        here = [path.stem for path in Path.cwd().glob("*.py")] + [
            path.parent.name for path in Path.cwd().glob("*/__init__.py")
        ]
        close = difflib.get_close_matches(root, here)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        return TargetError(
            f"There is no module named '{root}'.",
            hint=f"{hint}Run rnncheck where 'import {root}' works, or name a file: rnncheck path/to/file.py",
        )
    parent, _, last = name.rpartition(".")
    with contextlib.suppress(BaseException):
        if hasattr(importlib.import_module(parent), last):
            return TargetError(
                f"'{name}' is no module: {last} is an attribute of {parent}.",
                hint=f"Did you mean: rnncheck {parent}:{last}",
            )
    return TargetError(f"The package '{missing.rpartition('.')[0]}' has no module '{missing.rpartition('.')[2]}'.")


def _raised(error: BaseException, doing: str) -> TargetError:
    where = usertrace.place(error)
    at = f" ({where})" if where else ""
    if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
        return _framework_missing(error.name, f", and {where} imports it" if where else "")
    if isinstance(error, SystemExit):
        hint = "Run only its definitions with --defs-only."
        return TargetError(f"{doing} ended with SystemExit({error.code!r}){at}.", hint=hint)
    return TargetError(
        f"{doing} raised {usertrace.summary(error)}{at}.", hint=remedy(error), details=usertrace.format_user(error)
    )


def _source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path} could not be read: {error.strerror}.") from error


def load_file(path: Path, *, defs_only: bool = False) -> _Module:
    """Run a file as a module of its own, going on with its definitions where one of its lines raises."""
    source = _source(path)
    try:
        tree = ast.parse(source, str(path))
    except (MemoryError, RecursionError) as error:
        raise TargetError(f"{path} is nested too deeply for Python.") from error
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise TargetError(f"{path}{line} is not valid Python: {reason}.") from error
    module = _module_for(path)
    body = definitions.only(tree.body) if defs_only else tree.body
    remarks, failure = [], None
    try:
        exec(_compile(body, path, source), module.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failure = error
        at = usertrace.line_in(error, str(path)) or 0
        remarks.append(
            f"line {at} raised {usertrace.summary(error)}; "
            "the definitions after it were loaded without running the rest"
        )
        hint = remedy(error)
        if hint is not None:
            remarks.append(hint)
        _go_on([node for node in tree.body if node.lineno > at], module, path, source)
    return _Module(module, tuple(remarks), failure)


def _go_on(body: list[ast.stmt], module: ModuleType, path: Path, source: bytes) -> None:
    for node in definitions.only(body):
        with contextlib.suppress(Exception, SystemExit):
            exec(_compile([node], path, source), module.__dict__)


def _compile(body: list[ast.stmt], path: Path, source: bytes) -> CodeType:
    flags = definitions.future_flags(source)
    code: CodeType = compile(ast.Module(body, []), str(path.resolve()), "exec", flags=flags, dont_inherit=True)
    return code


def _module_for(path: Path) -> ModuleType:
    """An empty module that stands where the file does, in its package when it has one."""
    path = path.resolve()
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        parts.insert(0, folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    package = ".".join(parts[:-1])
    name = ".".join(parts)
    if package:
        _import(package)
    elif name in sys.modules or name in sys.stdlib_module_names:
        name = f"_rnncheck_{re.sub(r'[^0-9a-zA-Z_]', '_', path.stem)}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    return module


def _named(spec: Spec, found: _Module, where: str) -> Loaded:
    assert spec.attribute is not None
    obj: Any = found.module
    walked = where
    for part in spec.attribute.split("."):
        try:
            obj = getattr(obj, part)
        except AttributeError as error:
            raise _attribute_missing(walked, part, obj, found, error) from error
        except Exception as error:
            raise _raised(error, f"{walked}.{part}") from error
        walked = f"{walked}:{part}" if walked == where else f"{walked}.{part}"
    if isinstance(obj, ModuleType):
        raise TargetError(
            f"{spec.text} is a module, not a cell.", hint=f"Name a class in it: rnncheck {obj.__name__}:MyCell"
        )
    return Loaded(spec.text, obj, spec.attribute, found.remarks)


def _attribute_missing(where: str, part: str, holder: Any, found: _Module, missing: AttributeError) -> TargetError:
    if found.failure is not None and holder is found.module:
        error = found.failure
        if isinstance(error, ModuleNotFoundError) and error.name in PACKAGES:
            return _raised(error, where)
        return TargetError(
            f"{where} defines no '{part}': {usertrace.summary(error)} ({usertrace.place(error)}) came before it.",
            hint=remedy(error),
            details=usertrace.format_user(error),
        )
    hint = remedy(missing)
    if hint is not None:
        return TargetError(f"{where} has no attribute '{part}'.", hint=hint)
    names = [name for name in dir(holder) if not name.startswith("_")]
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(part.lower(), lowered, n=3)
    if close:
        hint = f"Did you mean {' or '.join(lowered[name] for name in close)}?"
    elif len(names) <= 12:
        hint = f"It has: {', '.join(names) or 'nothing'}."
    return TargetError(f"{where} has no attribute '{part}'.", hint=hint)


def _cells(path: Path, found: _Module) -> Iterator[Loaded]:
    """Every class that the file itself defines and that takes a state, in the order of definition."""
    defined = [
        obj
        for name, obj in vars(found.module).items()
        if inspect.isclass(obj) and obj.__module__ == found.module.__name__ and obj.__name__ == name
    ]
    chosen = [cls for cls in defined if cells.is_cell_class(cls)]
    if not chosen:
        if found.failure is not None:
            raise _raised(found.failure, f"running {path}")
        seen = f" It defines {', '.join(cls.__name__ for cls in defined)}." if defined else ""
        raise NoCell(f"{path} defines no cell.{seen}", hint=NO_CELL_HINT)
    others = [
        f"{path}:{cls.__name__}"
        for cls in defined
        if cls not in chosen and cells.is_network_class(cls) and not cells.is_base(cls)
    ]
    remarks = found.remarks
    if others:
        them = "it" if len(others) == 1 else "them"
        remarks += (
            f"not checked, as no argument is named like a state: {', '.join(others)} "
            f"(name {them} as a target to check {them})",
        )
    for cls in chosen:
        yield Loaded(f"{path}:{cls.__name__}", cls, cls.__name__, remarks)
        remarks = ()
