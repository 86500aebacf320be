"""The ten ways to break a step, each in several spellings, as changes of its source.

They go by the syntax tree and by what ``Step`` says of the running step; no framework is imported. Whether a mutant is
truly broken is for ``proof.py`` to say: some of what is made here still works.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from editing import Draft, Unfit
from sites import Site, Step, targets
from terms import drop_terms


@dataclass(frozen=True)
class Mutant:
    """A module with one defect, and on which ``lines`` it is. ``slots`` are those that it breaks."""

    operator: str
    spelling: str
    slots: tuple[int, ...]
    text: str
    lines: tuple[int, ...]


# --------------------------------------------------------------------------------------------------------------------
# Where a value is changed: as it comes in, or as it goes out.


def _filled(template: str, value: str, **others: str) -> str:
    """A template with a value in it, in parentheses where they are needed."""
    tree = ast.parse(f"({value})", mode="eval").body
    alone = template.count("{}") == 1 and "({})" in template
    if not alone and (isinstance(tree, ast.BinOp | ast.UnaryOp | ast.IfExp | ast.Compare) or "\n" in value):
        value = f"({value})"
    return template.replace("{}", value).format_map(others) if others else template.replace("{}", value)


def ahead(site: Site, draft: Draft, names: Sequence[str], text: str, *, fault: bool = True) -> None:
    """Write a statement where one of these values is about to be taken, after its default was put in its place."""
    node = site.first_use(names)
    defaults = {ast.unparse(target) for target in targets(node)} & set(names)
    (draft.after if defaults else draft.before)(node, text, fault=fault)


def by_name(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the old value as soon as it has a name."""
    names = site.step.slots[slot].names
    if not names:
        raise Unfit("the old value has no name")
    name = names[0]
    bound = [node for node in site.simple if name in {ast.unparse(target) for target in targets(node)}]
    first = site.first_use([name])
    if bound and bound[0].lineno < first.lineno:
        node = bound[0]
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            draft.replace(node.value, _filled(template, site.module.source(node.value)), fault=fault)
        else:
            draft.after(node, f"{name} = {_filled(template, name)}", fault=fault)
    else:
        ahead(site, draft, [name], f"{name} = {_filled(template, name)}", fault=fault)


def by_parameter(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change a part of the state before anything takes it."""
    step = site.step
    spelled = step.spelled(slot)
    if step.state is None or spelled is None or step.kind == "leaf":
        raise Unfit("the parts of the state come one by one")
    changed = step.rebuilt({slot: _filled(template, spelled)})
    ahead(site, draft, [step.state], f"{step.state} = {changed}", fault=fault)


def by_use(site: Site, draft: Draft, slot: int, template: str, *, fault: bool = True) -> None:
    """Change the old value wherever it is taken."""
    step = site.step
    if step.kind == "leaf" and step.state and not step.slots[slot].names:
        raise Unfit("the old value has no name")
    names = step.slots[slot].names[-1:] or step.old(slot)
    found = site.taken(names)
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
            target = next(target for target in targets(node) if ast.unparse(target) == name)
            draft.replace(target, f"new_{name}")
            draft.also(site.statement(_new(site, slot)))
        draft.also(site.returned)

    def overwritten(site: Site, draft: Draft, slots: Sequence[int]) -> None:
        for slot in slots:
            node, name = computed(site, slot)
            draft.after(node, f"{name} = {_kept(site, slot, '{old}')}")
            draft.also(site.statement(_new(site, slot)))
        draft.also(site.returned)

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
            ahead(site, draft, [step.input], f"{step.input} = {_filled(template, step.input)}")

        return change

    def each(template: str) -> Change:
        def change(site: Site, draft: Draft, slots: Sequence[int]) -> None:
            found = site.taken([step.input])
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
                taken = old if old in step.slots[slot].names else step.state or old
                ahead(site, draft, [taken], template.format(old))

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
            names = {ast.unparse(target): target for target in targets(node)}
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
            yield Mutant(operator.name, name, slots, changed, lines)


def _is_method(site: Site) -> bool:
    arguments = site.function.args.posonlyargs + site.function.args.args
    return bool(arguments) and arguments[0].arg == "self"
