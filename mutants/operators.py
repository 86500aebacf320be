"""The ten ways to break a step, each in several spellings, as changes of its source.

They go by the syntax tree and by what ``Step`` says of the running step; no framework is imported. Whether a mutant is
truly broken is for ``proof.py`` to say: some of what is made here still works.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from editing import SIMPLE, Draft, Module, Unfit, statements


@dataclass(frozen=True)
class Slot:
    """One part of the state: the local variables that held its old value, in the order of their binding, and those that
    still held it at the end."""

    names: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """What is known of the function that is one step, from seeing it run.

    ``function`` and ``returned`` are the lines of its definition and of the return statement that ran, ``ran`` all
    lines that did. ``state`` is the parameter that is the whole state (None where each part has one of its own),
    ``kind`` what it is: leaf, list, tuple, named or dict, with these ``keys``. ``at`` and ``count`` say where the new
    state is in what comes back (the index of ``count`` parts, or their range; None: all of it). ``rows`` is the axis
    of the batch.
    """

    framework: str
    function: int
    returned: int
    ran: frozenset[int]
    input: str
    slots: tuple[Slot, ...]
    state: str | None = None
    kind: str = "leaf"
    keys: tuple[str, ...] = ()
    at: int | tuple[int, int] | None = None
    count: int = 1
    rows: int = 0

    def spelled(self, slot: int) -> str | None:
        """A part of the state by the parameter that is the state."""
        if self.state is None:
            return self.slots[slot].names[0] if self.slots[slot].names else None
        if self.kind in ("list", "tuple"):
            return f"{self.state}[{slot}]"
        if self.kind == "named":
            return f"{self.state}.{self.keys[slot]}"
        return f'{self.state}["{self.keys[slot]}"]' if self.kind == "dict" else self.state

    def old(self, slot: int) -> tuple[str, ...]:
        """All expressions for a slot's old value."""
        spelled = self.spelled(slot)
        return tuple(dict.fromkeys([*self.slots[slot].names, *([spelled] if spelled else [])]))

    def rebuilt(self, parts: dict[int, str]) -> str:
        """The whole state with some parts replaced by other expressions."""
        if self.kind == "named":
            return f"{self.state}._replace({', '.join(f'{self.keys[slot]}={text}' for slot, text in parts.items())})"
        if self.kind == "dict":
            return f"{{**{self.state}, {', '.join(f'{self.keys[slot]!r}: {text}' for slot, text in parts.items())}}}"
        if self.kind == "leaf":
            return parts[0]
        items = ", ".join(parts.get(slot, self.spelled(slot) or "") for slot in range(len(self.slots)))
        return f"[{items}]" if self.kind == "list" else f"({items},)" if len(self.slots) == 1 else f"({items})"


@dataclass(frozen=True)
class Mutant:
    """A module with one defect in the function on a line, and on which ``lines`` it is. ``slots`` are those broken."""

    operator: str
    spelling: str
    slots: tuple[int, ...]
    text: str
    lines: tuple[int, ...]
    function: int


class Site:
    """A step's code and its parts, as the operators ask for them."""

    def __init__(self, text: str, step: Step) -> None:
        self.step = step
        self.module = Module(text)
        self.function = self.module.function(step.function)
        self.simple = [node for node in statements(self.function) if isinstance(node, SIMPLE) and self.has_run(node)]
        found = [node for node in self.simple if isinstance(node, ast.Return) and self.covers(node, step.returned)]
        if not found or found[0].value is None:
            raise Unfit("no return statement ran")
        self.returned = found[0]
        self.new = self._new_values()

    def has_run(self, node: ast.stmt) -> bool:
        return any(node.lineno <= line <= (node.end_lineno or 0) for line in self.step.ran)

    def covers(self, node: ast.stmt, line: int) -> bool:
        return node.lineno <= line <= (node.end_lineno or 0)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement that holds a node."""
        while not isinstance(node, ast.stmt):
            node = self.module.parents[node]
        return node

    def assigned(self, name: str, before: int) -> ast.stmt | None:
        """The last statement that ran above a line and gave this name or attribute its value."""
        for node in reversed([node for node in self.simple if node.lineno < before]):
            if name in {ast.unparse(target) for target in _targets(node)}:
                return node
        return None

    def uses(self, node: ast.stmt, names: Sequence[str]) -> list[ast.expr]:
        """Where the values of these expressions are taken in a statement, what only asks for a shape left out."""
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.Expr) and node.value:
            found = [part for part in ast.walk(node.value) if isinstance(part, ast.expr) and self._loads(part)]
            return [part for part in found if ast.unparse(part) in names and not self._only_asked(part)]
        return []

    def first_use(self, names: Sequence[str]) -> ast.stmt:
        for node in self.simple:
            value = getattr(node, "value", None)
            if value is not None and any(ast.unparse(part) in names for part in ast.walk(value)):
                return node
        raise Unfit("the old value is used nowhere")

    def first(self, names: Sequence[str]) -> Callable[[Draft, str, bool], None]:
        """Writes a statement where one of these values is about to be taken, after its default was put in its place."""
        node = self.first_use(names)
        given = {ast.unparse(target) for target in _targets(node)} & set(names)

        def write(draft: Draft, text: str, fault: bool = True) -> None:
            (draft.after if given else draft.before)(node, text, fault=fault)

        return write

    def _loads(self, node: ast.expr) -> bool:
        return isinstance(getattr(node, "ctx", None), ast.Load)

    def _only_asked(self, node: ast.expr) -> bool:
        parent = self.module.parents[node]
        if isinstance(parent, ast.Attribute) and parent.attr in ("shape", "dtype", "device", "ndim", "is_sparse"):
            return True
        if isinstance(parent, ast.Attribute) and parent.attr in ("size", "dim", "new_zeros"):
            return True
        return isinstance(parent, ast.Compare)

    def _new_values(self) -> list[ast.expr] | None:
        """The expressions of the new state's parts where it is put together; None when they do not show."""
        value, step = self.returned.value, self.step
        assert value is not None
        if step.at is not None:
            value = self._put_together(value)
            if not isinstance(value, (ast.Tuple, ast.List)) or len(value.elts) != step.count:
                return None
            if isinstance(step.at, tuple):
                parts = value.elts[slice(*step.at)]
                return parts if len(parts) == len(step.slots) else None
            value = value.elts[step.at]
        return self._parts(value)

    def _parts(self, value: ast.expr) -> list[ast.expr] | None:
        if self.step.kind == "leaf":
            return [value]
        value = self._put_together(value)
        parts: list[ast.expr] | None = None
        if isinstance(value, (ast.Tuple, ast.List)):
            parts = value.elts
        elif isinstance(value, ast.Call) and self.step.kind == "named" and _puts_together(value):
            given = {keyword.arg: keyword.value for keyword in value.keywords} | dict(zip(self.step.keys, value.args))
            parts = [given[key] for key in self.step.keys if key in given]
        elif isinstance(value, ast.Dict):
            named = {key.value: part for key, part in zip(value.keys, value.values) if isinstance(key, ast.Constant)}
            parts = [named[key] for key in self.step.keys if key in named]
        whole = parts is not None and len(parts) == len(self.step.slots)
        return parts if whole and not any(isinstance(part, ast.Starred) for part in parts or ()) else None

    def _put_together(self, value: ast.expr) -> ast.expr:
        """What a name was last given, and what a condition chooses."""
        for _ in range(3):
            if isinstance(value, ast.Name):
                node = self.assigned(value.id, self.statement(value).lineno)
                if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
                    break
                value = node.value
            elif isinstance(value, ast.IfExp):
                value = value.body
            elif isinstance(value, ast.Call) and ast.unparse(value.func) in ("tuple", "list") and value.args:
                value = value.args[0]
        return value


def _puts_together(call: ast.Call) -> bool:
    """Whether a call makes a named tuple of its arguments."""
    name = ast.unparse(call.func).rpartition(".")[2]
    return name == "_replace" or name.lstrip("_")[:1].isupper()


def _targets(node: ast.stmt) -> Iterator[ast.expr]:
    given = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in given:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from target.elts
        elif target is not None:
            yield target


def spread(text: str, step: Step) -> tuple[str, Step]:
    """The same step with its new state taken apart by name before it is returned, for code that returns the result
    of a call as it is."""
    if Site(text, step).new is not None:
        return text, step
    module = Module(text)
    site = Site(text, step)
    names = [f"new_{key}" for key in step.keys] or [f"new_state_{slot}" for slot in range(len(step.slots))]
    pattern = put = names[0]
    if step.kind == "named":
        pattern, put = "new_state", f"new_state._replace({', '.join(f'{key}=new_state.{key}' for key in step.keys)})"
    elif step.kind in ("list", "tuple"):
        ends = "[]" if step.kind == "list" else "()"
        comma = "," if len(names) == 1 and step.kind == "tuple" else ""
        pattern = put = f"{ends[0]}{', '.join(names)}{comma}{ends[1]}"
    elif step.kind == "dict":
        raise Unfit("a dict cannot be taken apart")
    if step.at is not None:
        first, last = (step.at, step.at + 1) if isinstance(step.at, int) else step.at
        inner = [pattern] if isinstance(step.at, int) else names
        outer = [put] if isinstance(step.at, int) else names
        others = [f"output_{index}" if step.count > 2 else "output" for index in range(step.count)]
        pattern = ", ".join([*others[:first], *inner, *others[last:]])
        put = ", ".join([*others[:first], *outer, *others[last:]])
    draft = Draft(module)
    node = next(node for node in statements(module.function(step.function)) if node.lineno == site.returned.lineno)
    assert isinstance(node, ast.Return)
    assert node.value is not None
    draft.replace(node, f"{pattern} = {module.source(node.value)}")
    draft.after(node, f"return {put}")
    end = node.end_lineno or node.lineno
    changed, _ = draft.finish()
    ran = frozenset(line + (line > end) for line in step.ran) | {end + 1}
    after = replace(step, returned=end + 1, ran=ran)
    return changed, after


# --------------------------------------------------------------------------------------------------------------------
# Where a value is changed: as it comes in, or as it goes out.


def _filled(template: str, value: str, **others: str) -> str:
    """A template with a value in it, in parentheses where they are needed."""
    tree = ast.parse(f"({value})", mode="eval").body
    alone = template.count("{}") == 1 and "({})" in template
    if not alone and (isinstance(tree, ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Compare) or "\n" in value):
        value = f"({value})"
    return template.replace("{}", value).format_map(others) if others else template.replace("{}", value)


def by_name(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the old value as soon as it has a name."""
    names = site.step.slots[slot].names
    if not names:
        raise Unfit("the old value has no name")
    name = names[0]
    bound = [node for node in site.simple if name in {ast.unparse(target) for target in _targets(node)}]
    first = site.first_use([name])
    if bound and bound[0].lineno < first.lineno:
        node = bound[0]
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            draft.replace(node.value, _filled(template, site.module.source(node.value)), fault=fault)
        else:
            draft.after(node, f"{name} = {_filled(template, name)}", fault=fault)
    else:
        site.first([name])(draft, f"{name} = {_filled(template, name)}", fault)


def by_parameter(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change a part of the state before anything takes it."""
    step = site.step
    spelled = step.spelled(slot)
    if step.state is None or spelled is None or step.kind == "leaf":
        raise Unfit("the parts of the state come one by one")
    changed = step.rebuilt({slot: _filled(template, spelled)})
    site.first([step.state])(draft, f"{step.state} = {changed}", fault)


def by_use(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the old value wherever it is taken."""
    step = site.step
    if step.kind == "leaf" and step.state and not step.slots[slot].names:
        raise Unfit("the old value has no name")
    names = step.slots[slot].names[-1:] or step.old(slot)
    found = [part for node in site.simple for part in site.uses(node, names)]
    if not 0 < len(found) <= 6:
        raise Unfit(f"the old value is taken {len(found)} times")
    for part in found:
        draft.replace(part, _filled(template, site.module.source(part)), fault=fault)


def in_return(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the new value where the state is put together."""
    node = _new(site, slot)
    draft.replace(node, _filled(template, site.module.source(node), old=_kept(site, slot, template)), fault=fault)


def as_computed(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the new value as soon as it is there."""
    node, name = computed(site, slot)
    old = _kept(site, slot, template)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and not isinstance(node.targets[0], ast.Tuple):
        value = site.module.source(node.value)
        if template.count("{}") == 1 and "\n" not in value:
            draft.replace(node.value, _filled(template, value, old=old), fault=fault)
            return
    draft.after(node, f"{name} = {_filled(template, name, old=old)}", fault=fault)


def _new(site: Site, slot: int) -> ast.expr:
    if site.new is None:
        raise Unfit("the new state is not put together here")
    return site.new[slot]


def computed(site: Site, slot: int) -> tuple[ast.stmt, str]:
    """The statement that gave the new value its name, and the name."""
    value = _new(site, slot)
    name = ast.unparse(value)
    node = site.assigned(name, site.statement(value).lineno)
    if node is None or not isinstance(value, (ast.Name, ast.Attribute)):
        raise Unfit("the new value has no name")
    return node, name


def _kept(site: Site, slot: int, template: str) -> str:
    """The old value by a name that it still has at the end."""
    kept = site.step.slots[slot].kept
    if "{old}" in template and not kept:
        raise Unfit("the old value has no name at the end")
    return kept[-1] if kept else ""


IN = (by_name, by_parameter, by_use)
OUT = (in_return, as_computed)
Way = Callable[..., None]

# --------------------------------------------------------------------------------------------------------------------
# What is written there. ``{}`` is the value, ``{old}`` the slot's old value.

ZERO = {
    "torch": ("torch.zeros_like({})", "({} * 0)", "torch.full_like({}, 0.0)"),
    "tf": ("tf.zeros_like({})", "({} * 0)"),
}
DETACHED = {
    "torch": ("{}.detach()", "{}.data", "{}.detach().clone()", "torch.from_numpy({}.detach().numpy())"),
    "tf": ("tf.stop_gradient({})", "tf.constant({}.numpy())"),
}
MIXED = {
    "torch": ("({} - {}.mean({rows}, keepdim=True))", "torch.roll({}, 1, {rows})", "{}.flip({rows})"),
    "tf": ("({} - tf.reduce_mean({}, {rows}, keepdims=True))", "tf.roll({}, 1, {rows})", "tf.reverse({}, [{rows}])"),
}
HALF = {
    "torch": (
        "torch.cat([{old}[..., : {old}.shape[-1] // 2], {}[..., {old}.shape[-1] // 2 :]], -1)",
        "torch.where(torch.arange({old}.shape[-1]) < {old}.shape[-1] // 2, {}, {old})",
        "torch.cat([{}[..., : {old}.shape[-1] // 2], {old}[..., {old}.shape[-1] // 2 :]], -1)",
    ),
    "tf": (
        "tf.concat([{old}[..., : {old}.shape[-1] // 2], {}[..., {old}.shape[-1] // 2 :]], -1)",
        "tf.where(tf.range({old}.shape[-1]) < {old}.shape[-1] // 2, {}, {old})",
        "tf.concat([{}[..., : {old}.shape[-1] // 2], {old}[..., {old}.shape[-1] // 2 :]], -1)",
    ),
}
NAN = {
    "torch": ("torch.log(-1 - {}.abs())", "({} / 0 * 0)", "torch.sqrt(-1 - {} ** 2)"),
    "tf": ("tf.math.log(-1 - tf.abs({}))", "({} / 0 * 0)", "tf.sqrt(-1 - {} ** 2)"),
}
CHANGED = {"torch": ("{}.mul_(0.5)", "{}.add_(0.1)", "{}.zero_()"), "tf": ()}

# --------------------------------------------------------------------------------------------------------------------
# The operators: (spelling, change) for some slots.

Change = Callable[[Site, Draft, Sequence[int]], None]
Spellings = Iterator[tuple[str, Change]]


def _templates(table: Mapping[str, tuple[str, ...]], step: Step) -> list[str]:
    return [template.replace("{rows}", str(step.rows)) for template in table[step.framework]]


def _everywhere(ways: Sequence[Way], table: Mapping[str, tuple[str, ...]], step: Step) -> Spellings:
    for template, way in itertools.product(_templates(table, step), ways):

        def change(site: Site, draft: Draft, slots: Sequence[int], way: Way = way, template: str = template) -> None:
            for slot in slots:
                way(site, draft, slot, template)

        yield f"{way.__name__}: {template}", change


def old_returned(step: Step) -> Spellings:
    def handed_back(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        for slot in slots:
            draft.replace(_new(site, slot), _kept(site, slot, "{old}"))
        draft.also(site.returned)

    def whole(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        if step.state is None or step.kind == "leaf" or len(slots) < len(step.slots):
            raise Unfit("the state is no container")
        parts = site.new or []
        holders = {site.module.parents[part] for part in parts}
        holder = holders.pop() if len(holders) == 1 else None
        if not isinstance(holder, (ast.Tuple, ast.List, ast.Call)) or isinstance(step.at, tuple):
            raise Unfit("the new state is not put together here")
        if holder is site.returned.value and step.at is not None:
            raise Unfit("the new state is not put together here")
        draft.replace(holder, step.state)
        draft.also(site.returned)

    def renamed(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        for slot in slots:
            node, name = computed(site, slot)
            if name not in step.slots[slot].names or not isinstance(node, ast.Assign):
                raise Unfit("the new value has a name of its own")
            target = next(target for target in _targets(node) if ast.unparse(target) == name)
            draft.replace(target, f"new_{name}")
            draft.also(site.statement(_new(site, slot)))

    def overwritten(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        for slot in slots:
            node, name = computed(site, slot)
            draft.after(node, f"{name} = {_kept(site, slot, '{old}')}")
            draft.also(site.statement(_new(site, slot)))

    yield "the new value is given another name", renamed
    yield "the old state is returned", whole
    yield "the old value is returned", handed_back
    yield "the new value is overwritten with the old one", overwritten


def recurrence_dropped(step: Step) -> Spellings:
    def term(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        drop_terms(site, draft, [name for slot in slots for name in step.old(slot)])

    yield "its terms are left out", term
    yield from _everywhere(IN, ZERO, step)


def input_dropped(step: Step) -> Spellings:
    def term(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        drop_terms(site, draft, [step.input])

    def first(template: str) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            site.first([step.input])(draft, f"{step.input} = {_filled(template, step.input)}", True)

        return change

    def each(template: str) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            found = [part for node in site.simple for part in site.uses(node, [step.input])]
            if not 0 < len(found) <= 6:
                raise Unfit(f"the input is taken {len(found)} times")
            for part in found:
                draft.replace(part, _filled(template, step.input))

        return change

    yield "its terms are left out", term
    for template in _templates(ZERO, step):
        yield f"at first: {template}", first(template)
        yield f"at each use: {template}", each(template)


def detached(step: Step) -> Spellings:
    def no_grad(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        if step.framework != "torch":
            raise Unfit("PyTorch alone has no_grad")
        names = [name for slot in slots for name in step.slots[slot].names[:1]]
        found = [node for node in site.simple if site.uses(node, names)]
        if not found or any(isinstance(node, ast.Return) for node in found):
            raise Unfit("the old value is taken by the return statement")
        for node in found:
            draft.replace(node, f"with torch.no_grad(): {site.module.source(node)}")

    ways = [*_everywhere(IN, DETACHED, step), *_everywhere(OUT, DETACHED, step)]
    yield from sorted(ways, key=lambda item: ways.index(item) % 5)
    yield "within no_grad", no_grad


def leaked(step: Step) -> Spellings:
    """Something of the new state is kept beside it, and takes part in the next call, whichever sequence that is of."""
    torch = step.framework == "torch"
    value = "{}.detach()" if torch else "{}"
    mean = "{}.detach().mean()" if torch else "tf.reduce_mean({})"
    blank = "torch.zeros(())" if torch else "tf.Variable(0.0)"
    update = f"_CONTEXT.copy_({mean})" if torch else f"_CONTEXT.assign({mean})"

    def kept(way: Way, read: str, write: str, footer: str | None = None) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            (slot,) = slots
            if "self" in read and not _is_method(site):
                raise Unfit("there is no self")
            way(site, draft, slot, read, fault=False)
            draft.before(site.returned, _filled(write, ast.unparse(_new(site, slot))))
            if footer:
                draft.footer(footer)

        return change

    for way in IN:
        read = '({} + getattr(self, "_memory", 0))'
        yield f"on self, {way.__name__}", kept(way, read, f"self._memory = 0.5 * {value}")
        read = '({} + _MEMORY.get("state", 0))'
        yield f"in a dict, {way.__name__}", kept(way, read, f'_MEMORY["state"] = 0.5 * {value}', "_MEMORY = {}")
    for way in OUT:
        read = '({} + 0.5 * getattr(self, "_context", 0))'
        write = f'self._context = 0.5 * getattr(self, "_context", 0) + 0.5 * {mean}'
        yield f"a running mean on self, {way.__name__}", kept(way, read, write)
        yield f"in a tensor, {way.__name__}", kept(way, "({} + 0.5 * _CONTEXT)", update, f"_CONTEXT = {blank}")


def rows_mixed(step: Step) -> Spellings:
    yield from _everywhere((in_return, as_computed, by_name, by_parameter), MIXED, step)


def half_frozen(step: Step) -> Spellings:
    yield from _everywhere(OUT, HALF, step)


def mutated(step: Step) -> Spellings:
    def at_the_end(template: str) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            for slot in slots:
                old = _kept(site, slot, "{old}")
                draft.before(site.returned, template.format(old, new=ast.unparse(_new(site, slot))))

        return change

    def at_first(template: str) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            for slot in slots:
                old = step.old(slot)[0]
                write = site.first([old] if old in step.slots[slot].names else [step.state or old])
                write(draft, template.format(old), True)

        return change

    def container(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        if step.kind not in ("list", "dict") or step.state is None:
            raise Unfit("the state cannot be changed in place")
        for slot in slots:
            draft.before(site.returned, f"{step.spelled(slot)} = {ast.unparse(_new(site, slot))}")

    if step.framework == "torch":
        yield "at the end: copy_", at_the_end("{}.copy_({new})")
    for template in _templates(CHANGED, step):
        yield f"at first: {template}", at_first(template)
        yield f"at the end: {template}", at_the_end(template)
    yield "the container", container


def swapped(step: Step) -> Spellings:
    def returned(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        one, other = (_new(site, slot) for slot in slots)
        draft.replace(one, ast.unparse(other))
        draft.replace(other, ast.unparse(one))

    def unpacked(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        left, right = (step.slots[slot].names[:1] for slot in slots)
        for node in site.simple:
            names = {ast.unparse(target): target for target in _targets(node)}
            if left and right and left[0] in names and right[0] in names and isinstance(node, ast.Assign):
                draft.replace(names[left[0]], right[0])
                draft.replace(names[right[0]], left[0])
                draft.also(site.statement(_new(site, slots[0])))
                return
        raise Unfit("the state is not unpacked in one statement")

    yield "as it is returned", returned
    yield "as it is unpacked", unpacked


def not_a_number(step: Step) -> Spellings:
    yield from _everywhere((as_computed, in_return), NAN, step)


@dataclass(frozen=True)
class Operator:
    """One way to break a cell, the rule that has to find it, and what it breaks at a time: each slot, all
    slots, two neighbours, the input; with ``one`` it need not be done for every slot."""

    name: str
    rule: str
    spellings: Callable[[Step], Spellings]
    breaks: tuple[str, ...] = ("each",)
    one: bool = False
    names_slot: bool = True

    def targets(self, count: int) -> Iterator[tuple[int, ...]]:
        every = tuple(range(count))
        if "each" in self.breaks:
            yield from ((slot,) for slot in every)
        if "all" in self.breaks and count > 1:
            yield every
        if "two" in self.breaks:
            yield from itertools.pairwise(every)
        if "input" in self.breaks:
            yield ()


OPERATORS = (
    Operator("old state returned", "returned-old-state", old_returned, ("each", "all")),
    Operator("recurrence dropped", "ignored-recurrence", recurrence_dropped, ("each", "all")),
    Operator("input dropped", "ignored-input", input_dropped, ("input",)),
    Operator("detached", "detached-state", detached, ("each", "all")),
    Operator("leaked", "leaked-state", leaked, one=True, names_slot=False),
    Operator("rows mixed", "batch-leak", rows_mixed, one=True, names_slot=False),
    Operator("half frozen", "partial-freeze", half_frozen),
    Operator("argument mutated", "mutated-state", mutated),
    Operator("slots swapped", "swapped-states", swapped, ("two",)),
    Operator("NaN", "nonfinite-state", not_a_number, one=True),
)


def mutants(operator: Operator, site: Site, slots: tuple[int, ...], first: int = 0) -> Iterator[Mutant]:
    """The mutants that an operator makes of a step by breaking these slots, a spelling each, those left out that it
    cannot make. ``first`` turns the order of the spellings."""
    spellings = list(operator.spellings(site.step))
    first %= len(spellings)
    for name, change in [*spellings[first:], *spellings[:first]]:
        draft = Draft(site.module)
        try:
            change(site, draft, slots)
            draft.footer({"torch": "import torch", "tf": "import tensorflow as tf"}[site.step.framework])
            changed, lines = draft.finish()
        except (Unfit, IndexError):
            continue
        if lines:
            yield Mutant(operator.name, name, slots, changed, lines, site.step.function)


# --------------------------------------------------------------------------------------------------------------------


def drop_terms(site: Site, draft: Draft, names: Sequence[str]) -> None:
    """Leave out of every sum the term that comes from these values, through the names that are given to them."""
    arguments = site.function.args
    tainted, unbound = set(names), set(names) - {item.arg for item in (*arguments.args, *arguments.kwonlyargs)}
    for node in site.simple:
        rest = site.uses(node, tuple(tainted))
        targets = {ast.unparse(target) for target in _targets(node)}
        if not rest:
            tainted -= targets - unbound
            unbound -= targets
            continue
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) not in tainted:
            if not isinstance(node.op, (ast.Add, ast.Sub)):
                raise Unfit("the value is no term of a sum")
            draft.replace(node, "pass")
            continue
        dropped: list[ast.expr] = []
        for use in rest:
            if any(part in dropped for part in _above(site, use, node)):
                continue
            found = _term(site, use, node, tainted)
            if found is None:
                break
            term, sum_, other = found
            dropped.append(term)
            draft.replace(sum_, _without_breaks(site.module.source(other)))
        else:
            tainted -= targets
            continue
        if dropped or not isinstance(node, ast.Assign):
            raise Unfit("the value is no term of a sum")
        tainted |= targets


def _without_breaks(text: str) -> str:
    return f"({text})" if "\n" in text else text


def _above(site: Site, node: ast.AST, top: ast.stmt) -> Iterator[ast.AST]:
    while node is not top:
        yield node
        node = site.module.parents[node]


def _term(site: Site, use: ast.expr, node: ast.stmt, tainted: set[str]) -> tuple[ast.expr, ast.expr, ast.expr] | None:
    """The term that holds a use, the sum that it is a part of, and the rest of the sum."""
    for part in _above(site, use, node):
        whole = site.module.parents[part]
        rest: ast.expr | None = None
        if isinstance(whole, ast.BinOp) and isinstance(whole.op, (ast.Add, ast.Sub)):
            if isinstance(whole.op, ast.Add) or part is whole.right:
                rest = whole.right if part is whole.left else whole.left
        elif (
            isinstance(whole, ast.Call) and ast.unparse(whole.func).rpartition(".")[2] == "add" and len(whole.args) == 2
        ):
            rest = (
                next((argument for argument in whole.args if argument is not part), None)
                if part in whole.args
                else None
            )
        if rest is None or isinstance(rest, ast.Constant):
            continue
        taken = [name for name in ast.walk(rest) if isinstance(name, ast.expr) and ast.unparse(name) in tainted]
        if not taken:
            assert isinstance(part, ast.expr)
            assert isinstance(whole, ast.expr)
            return part, whole, rest
    return None


def _is_method(site: Site) -> bool:
    arguments = site.function.args.posonlyargs + site.function.args.args
    return bool(arguments) and arguments[0].arg == "self"
