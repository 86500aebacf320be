"""Finding out how a cell is called.

Markers and providers of the cell itself come first, then its signature and code, then trying; a guess
counts only when the cell accepts what it returned as its next state.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnncheck import structure
from rnncheck.backends.base import Array, Backend, Tensor
from rnncheck.calling import signature
from rnncheck.calling.convention import Bound, Callee, Convention, Form, outline, rows_axis, split
from rnncheck.calling.reading import Reading, readings
from rnncheck.calling.signature import ANONYMOUS, EACH, KEPT, LIST, ONE
from rnncheck.discovery import further, misfits, steps
from rnncheck.discovery.guesses import Ground, Guess, asked_for, fresh, guesses, learned, paired, taken_apart
from rnncheck.discovery.misfits import Misfit
from rnncheck.discovery.refusals import NotAccepted, Problem, cause, explained
from rnncheck.errors import CallError
from rnncheck.running import layers, rows
from rnncheck.running.unroll import State
from rnncheck.settings import Settings
from rnncheck.structure import Structure, flatten
from rnncheck.trace import equal
from rnncheck.usercode import usage, usertrace
from rnncheck.usercode.definitions import is_state_name

FURTHER: Mapping[str, tuple[int, int | None]] = {"a few": (1, 5), "further": (1, None)}
"""Which of the values for further arguments an effort tries; the first are those of all others."""
MORE_STEPS = 3
"""How many more steps a convention must hold before it is believed."""

STRETCHED = 8
"""How many values for further arguments, and states with each, are tried where the rows mix."""
DOUBTFUL = 200
"""How many more states are tried where one of several arguments may have been taken apart by its rows."""
REDRAWS = 16
"""How often an input is drawn until it is another one."""


@dataclass
class Budget:
    """How many more states are tried on one cell. Counted, since a verdict must not hang on how fast a machine is."""

    left: int = 2500


@dataclass
class Search:
    """The search for one cell's convention, with inputs of one row's ``shape`` and hidden sizes ``widths``, likeliest
    first, at the latest until a time (of ``time.process_time``); with ``as_declared`` the states that the cell declares
    are tried alone."""

    backend: Backend
    cell: Any
    settings: Settings
    widths: Sequence[int]
    shape: tuple[int, ...]
    until: float
    budget: Budget
    as_declared: bool = False
    refused: list[Problem] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)
    before: Mapping[str, Any] = field(default_factory=dict)

    def found(self, forms: Sequence[Form], effort: str) -> Bound:
        """The convention; raises CallError with the cell's own complaint about the likeliest guess.

        ``effort`` is ``likely``, ``a few`` or ``further`` (with other values of further arguments), ``other steps`` (of
        methods that are steps by their names), ``wide`` (with
        unlikely states, which are many), ``kept`` (the state is looked for on the cell itself), ``layer`` (it runs
        over a sequence and needs no state) or ``silent`` (and gives back its output alone).
        """
        methods = steps.methods(self.cell, self.settings, self.backend)
        # Before another method is taken for the step, the usual one has its due.
        if effort in ("likely", "a few"):
            methods = methods[:1]
        elif effort == "other steps":
            methods = methods[1:]
        if not methods:
            raise explained(self.cell, steps.methods(self.cell, self.settings, self.backend), ())
        if effort in ("layer", "silent"):
            return self._layer(methods[0], forms, alone=effort == "silent")
        if effort == "kept":
            self.backend.restart(self.cell, self.settings.batch, self._inputs(forms[0], 1))
        self.before = self.backend.kept(self.cell)
        doubtful: Bound | None = None
        restore: Callable[[], None] | None = None
        try:
            for bound, ground, guess, likely in self._accepting(methods, forms, effort):
                if doubtful is not None:
                    if not self._leaks(bound):
                        return bound
                    continue
                apart = self._with_rows_apart(bound, guess, forms, likely)
                # A pair that was passed as one tensor was read by its rows. What may be left out the cell makes itself.
                way = bound.convention.signature
                if guess.declared or way.passing != EACH or way.optional or not self._leaks(apart):
                    return apart
                doubtful, self.budget.left = apart, min(self.budget.left, DOUBTFUL)
                restore = self.backend.snapshot(self.cell).restore
                pairs = (self._accepted(ground, other, likely) for other in paired(ground))
                found = next((pair for pair in pairs if pair is not None and not self._leaks(pair)), None)
                if found is not None:
                    return found
        except CallError:
            if doubtful is None:
                raise
        assert doubtful is not None
        assert restore is not None
        restore()
        return doubtful

    def _accepting(
        self, methods: Sequence[str], forms: Sequence[Form], effort: str
    ) -> Iterator[tuple[Bound, Ground, Guess, bool]]:
        """The states that the cell takes, each as it is called then; raises CallError after the last."""
        # A call that fails half-way leaves layers of Keras built for inputs that they will not see.
        undo = self.backend.snapshot(self.cell).restore if self.backend.output_first(self.cell) else None
        # A state that comes back before the output is believed only where it also goes in first, or where
        # nothing else fits: a cell that ignores its state would accept its output as a state.
        driven = self.backend.drives(self.cell)
        for likely in (True, False):
            for ground in self._grounds(methods, forms, effort):
                for guess in guesses(ground, wide=effort == "wide"):
                    # What a framework drives it starts as the cell declares, and in no other way.
                    if (self.as_declared or self._settled(driven)) and not guess.declared:
                        continue
                    bound = self._accepted(ground, guess, likely)
                    if bound is not None and self._keeps_a_template(bound):
                        raise explained(self.cell, methods, self.refused) from cause(self.refused)
                    if bound is not None:
                        yield bound, ground, guess, likely
                    if undo is not None:
                        undo()
                    self.budget.left -= 1
                    if self.budget.left < 0 or time.process_time() > self.until or self._hopeless():
                        raise explained(self.cell, methods, self.refused) from cause(self.refused)
                if self._settled(driven):
                    raise explained(self.cell, methods, self.refused) from cause(self.refused)
            if driven:
                break
        if effort == "kept" and not self.refused:
            self._call_without_state(methods, forms)
        raise explained(self.cell, methods, self.refused) from cause(self.refused)

    def _call_without_state(self, methods: Sequence[str], forms: Sequence[Form]) -> None:
        """For what the cell raises then, which may be why nothing is kept on it."""
        for ground in itertools.islice(self._grounds(methods, forms, "kept"), 1):
            try:
                ground.callee.without_state(ground.x)
            except Exception as error:
                self.refused.append(Problem(ground, Guess((), "", False), NotAccepted(cause=error)))

    def _hopeless(self) -> bool:
        """Whether the cell failed in a way that no other state would mend: some layers say that they take none yet."""
        error = self.refused[-1].reason.cause if self.refused else None
        return self.takes_none_yet() or isinstance(error, (RecursionError, MemoryError))

    def takes_none_yet(self) -> bool:
        """Whether the cell itself says that it takes no state, though it has an argument for one."""
        error = self.refused[-1].reason.cause if self.refused else None
        return isinstance(error, NotImplementedError) and usertrace.is_raised(error)

    def _settled(self, driven: bool) -> bool:
        """Whether the state that the cell declares was taken, and surely did not come back."""
        return any(misfit.settles(self.settings.call_kwargs, driven) for misfit in self.misfits)

    def _guessed(self, bound: Bound) -> set[str]:
        """The further arguments that nobody gave."""
        return set(bound.callee.further) - set(self.settings.call_kwargs)

    def _with_rows_apart(self, bound: Bound, guess: Guess, forms: Sequence[Form], likely: bool) -> Bound:
        """The call with another state or with the input's axes the other way round, where the rows mix as they are
        and the code does not say that they lie so."""
        callee = bound.callee
        told = callee.form.over_time and steps.own_batch_first(self.cell) is not None
        # A product with its own transpose, (batch, 1, width), sums over the rows of what has no axis of time.
        matrices = callee.form.layout == "rows" and any(len(leaf.shape) > len(self.shape) + 1 for leaf in bound.initial)
        # What takes a sequence alone may leave the loop over it to a part.
        sequence = callee.form.over_time or steps.runs_over_time(callee)
        stacks = not (sequence or matrices) and self._stacks(bound)
        turned = [form for form in steps.ordered(forms, callee) if form.over_time and form != callee.form]
        others = turned if (sequence or matrices or stacks) and not told else []
        # By the number of a layer, a row of (batch, width) would be taken.
        if steps.takes_layers(callee, callee.signature.state):
            others = [callee.form, *others]
        guessed = self._guessed(bound)
        if not (others or guessed) or not self._leaks(bound):
            return bound
        if guessed:
            apart = self._with_other_arguments(bound, guess, likely)
            if apart is not None:
                return apart
        for form in others:
            for ground in self._filled(dataclasses.replace(callee, form=form), "likely"):
                states = iter(()) if stacks else guesses(ground, wide=False)
                if form == callee.form:
                    # A pair would do for one part that is taken by its number.
                    states = iter(sorted(states, key=lambda other: self._size(other) != self._size(guess)))
                for other in (guess, *states):
                    found = self._accepted(ground, other, likely)
                    if found is not None and not self._leaks(found):
                        return found
        return bound

    def _with_other_arguments(self, bound: Bound, guess: Guess, likely: bool) -> Bound | None:
        """The call with other values for its further arguments, and a state that goes with them, under which the rows
        do not mix: those that were passed may have been stretched over them."""
        for effort in ("likely", "a few", "further"):
            for ground in itertools.islice(self._filled(bound.callee, effort), STRETCHED):
                for other in itertools.islice(itertools.chain((guess,), guesses(ground, wide=False)), STRETCHED):
                    found = self._accepted(ground, other, likely)
                    if found is not None and not self._leaks(found):
                        return found
        return None

    def _keeps_a_template(self, bound: Bound) -> bool:
        """Whether what was taken for a state that stays on the cell is what each sequence begins from: a layer that
        remembers within the sequence puts it back as it was, and no method begins a sequence by it."""
        held = bound.convention
        if held.signature.passing != KEPT or not held.form.over_time:
            return False
        if usage.reset_attributes(type(self.cell), by_constructor=False) & set(held.state.names()):
            return False
        before, x = [self.backend.numpy(leaf) for leaf in bound.initial], self._inputs(held.form, 1)
        restore = self.backend.snapshot(self.cell).restore
        _, _, after = bound.split(self._attempt(bound.callee, x, held.state.build(bound.state(before))))
        moved = not all(equal(one, self.backend.numpy(leaf)) for one, leaf in zip(before, after))
        restore()
        try:
            return not moved and layers.remembers(bound, self.settings.seed, self.shape) is True
        except CallError:
            return False

    def _stacks(self, bound: Bound) -> bool:
        """Whether an output has more axes than the input, as one step of a sequence that it was not meant to be."""
        state = bound.convention.state.build(bound.state([self.backend.numpy(leaf) for leaf in bound.initial]))
        x, restore = self._inputs(bound.form, 1), self.backend.snapshot(self.cell).restore
        outputs = self.backend.given_out(bound.split(self._attempt(bound.callee, x, state))[0])
        restore()
        return any(len(tensor.shape) > len(x.shape) for tensor in outputs)

    def _size(self, guess: Guess) -> int:
        return flatten(guess.value, self.backend.is_tensor)[0].size

    def _leaks(self, bound: Bound) -> bool:
        start = State(bound.convention.state, [self.backend.numpy(leaf) for leaf in bound.initial])
        return rows.leak(bound, self.settings.seed, start, self.shape, rows.STEPS) is not None

    def _layer(self, method: str, forms: Sequence[Form], *, alone: bool) -> Bound:
        """A layer that takes a sequence and no state, and gives back one tensor ``alone``. Where the code does not say
        which axis is time, that along which it remembers and under which the rows do not mix."""
        found: list[tuple[bool, Bound]] = []
        for way in signature.kept(getattr(self.cell, method), tuple(self.settings.call_kwargs)):
            callee = Callee(self.backend, self.cell, method, way)
            looks_like_one = steps.runs_over_time(callee)
            for form in steps.ordered([form for form in forms if form.over_time], callee):
                filled = (
                    self._filled(dataclasses.replace(callee, form=form), effort) for effort in ("likely", "a few")
                )
                for ground in itertools.chain.from_iterable(filled):
                    bound = self._sequence(ground, alone=alone)
                    if bound is None:
                        continue
                    remembers = layers.remembers(bound, self.settings.seed, self.shape, thorough=looks_like_one)
                    # Neurons may be silent for ordinary inputs.
                    if remembers is None and not looks_like_one:
                        remembers = layers.remembers(bound, self.settings.seed, self.shape)
                    # What shows no loop and no memory is no layer of this kind.
                    if not looks_like_one and remembers is not True:
                        continue
                    if remembers is not False and not self._leaks(bound):
                        return bound
                    if looks_like_one:
                        found.append((remembers is False, bound))
        best = min(found, key=lambda item: item[0])[1] if found else None
        # Not the other way round than the code has it, for an error that this may be the cause of.
        if best is None or steps.told_otherwise(best.callee):
            raise explained(self.cell, [method], self.refused) from cause(self.refused)
        return best

    def _sequence(self, ground: Ground, *, alone: bool) -> Bound | None:
        callee = ground.callee
        try:
            self.backend.seed(self.settings.seed)
            returned = callee.without_state(ground.x)
        except Exception as error:
            self.refused.append(Problem(ground, Guess((), "", False), NotAccepted(cause=error)))
            return None
        outputs = self.backend.given_out(returned)
        if not any(rows.output_axes(callee.form, ground.batch, tensor.shape) for tensor in outputs):
            return None
        if alone and len(outputs) > 1:
            return None
        convention = Convention(callee.signature, structure.mapping(()), Reading(1, 2), callee.form, callee.shown)
        return Bound(callee, convention, [], "none", True, self.backend.dtype(ground.x), ground.batch)

    def _grounds(self, methods: Sequence[str], forms: Sequence[Form], effort: str) -> Iterator[Ground]:
        given = self.settings.call_kwargs
        for method in methods:
            function, definition = getattr(self.cell, method), steps.definition(self.cell, method)
            if effort == "kept":
                ways = signature.kept(function, tuple(given))
            else:
                rebound = usage.given_values(definition) if definition is not None else ()
                names = steps.returned_names(self.cell, method)
                asked = [part.name for part in self.settings.state or () if part.name is not None]
                ways = list(signature.signatures(function, tuple(given), names, rebound, self._idle(definition), asked))
                if not ways and (packed := steps.packed(self.cell, method)) is not None:
                    ways = [packed]
            taken = [
                dataclasses.replace(way, parts=steps.input_parts(self.cell, method, way.input) or way.parts)
                for way in ways
            ]
            # What is read by index may be one tensor too.
            taken += [
                dataclasses.replace(way, parts=parts)
                for way in taken
                if not way.parts and (parts := steps.indexed_parts(self.cell, method, way.input))
            ]
            for way in taken:
                callee = Callee(self.backend, self.cell, method, way)
                for form in steps.ordered(forms, callee):
                    yield from self._filled(dataclasses.replace(callee, form=form), effort)

    def _idle(self, definition: ast.FunctionDef | None) -> frozenset[str]:
        """What a layer over a sequence does not name: it keeps its state to itself, and has no use for that."""
        if definition is None:
            return frozenset()
        loops = any(usage.takes_sequence(definition, item.arg) for item in definition.args.args[1:2])
        return usage.unread(definition) if loops or self.backend.has_recurrent_layer(self.cell) else frozenset()

    def _filled(self, callee: Callee, effort: str) -> Iterator[Ground]:
        """The callee with values for its further arguments."""
        batch = callee.form.batch(self.settings.batch)
        x = self._inputs(callee.form, 1)
        way = callee.signature
        flags = [dict.fromkeys(way.flags, True), {}] if way.flags else [{}]
        for switched in flags:
            given = {**switched, **self.settings.call_kwargs}
            every = further.arguments(callee, given, x, batch, self.widths)
            first, last = FURTHER.get(effort, (0, 1))
            picked: Iterable[further.Further] = itertools.islice(every, first, last)
            if way.unset and effort in FURTHER:
                needed = dataclasses.replace(way, further=way.further + way.unset)
                more = dataclasses.replace(callee, signature=needed)
                picked = (*picked, *further.arguments(more, given, x, batch, self.widths))
            for values in picked:
                filled = dataclasses.replace(callee, further=values.values, shown=values.shown)
                yield Ground(filled, x, batch, self.widths, self.settings.state)

    def _inputs(self, form: Form, number: int) -> Tensor:
        rng = np.random.default_rng((self.settings.seed, number))
        dtype = self.backend.float_dtype(self.cell)
        array = form.draw(rng, (form.batch(self.settings.batch), *self.shape), dtype)
        return self.backend.tensor(form.lay(array), "int64" if form.tokens is not None else dtype)

    def _accepted(self, ground: Ground, guess: Guess, likely: bool) -> Bound | None:
        """The guess, or what was learned from the way in which it was refused, if the cell takes it."""
        waiting = [guess]
        for _ in range(8):
            if not waiting:
                break
            tried = waiting.pop(0)
            try:
                return self._try(ground, tried, likely)
            except NotAccepted as reason:
                self.refused.append(Problem(ground, tried, reason))
                if ground.callee.signature.passing == KEPT:
                    continue
                others: Iterable[Guess] = ()
                if reason.cause is not None:
                    complaint = str(reason.cause)
                    others = (*asked_for(ground, tried, complaint), *taken_apart(ground, tried, complaint))
                elif reason.returned is not None:
                    others = learned(ground, tried, reason.returned)
                waiting.extend(other for other in others if other.declared or not self.as_declared)
        return None

    def _try(self, ground: Ground, guess: Guess, likely: bool) -> Bound:
        callee, backend, x = ground.callee, self.backend, ground.x
        skeleton, leaves = flatten(guess.value, backend.is_tensor)
        if not leaves:
            raise NotAccepted("takes a state without tensors.")
        self.backend.put(self.cell, self.before)
        returned = self._attempt(callee, x, fresh(backend, guess.value))
        shapes = [tuple(leaf.shape) for leaf in leaves]
        form, rows = callee.form, ground.batch
        whole = callee.signature.passing == KEPT or form.layout == "single"
        if all(rows_axis(shape, rows, form) is None for shape in shapes) and not whole:
            given = outline(guess.value, backend)
            raise NotAccepted(
                f"keeps a state ({given}) without a row for each of the {rows} rows of its input: is it a layer that "
                "runs over a whole sequence?",
                returned=returned,
            )
        reading = self._reading(callee, returned, skeleton, shapes, likely)
        if reading is None:
            self._note(
                misfits.returned_another(ground, guess, self.shape, returned, functools.partial(self._takes, ground))
            )
            if returned is None:
                raise NotAccepted("returned None: it has no return statement that ran.")
            given = outline(guess.value, backend)
            raise NotAccepted(
                f"returned {outline(returned, backend)}, which has no part like the state that went in ({given}).",
                returned=returned,
            )
        method = callee.method if callee.method != backend.method_of(self.cell) else None
        convention = Convention(callee.signature, skeleton, reading, form, callee.shown, method)
        # A framework that drives the cell itself starts it from zeros where the cell says nothing.
        declared = guess.declared or backend.output_first(self.cell)
        dtype = backend.dtype(x)
        names = tuple(part.name for part in ground.asked or ())
        bound = Bound(callee, convention, leaves, guess.source, declared, dtype, ground.batch, names)
        self._refuse_unwrapped(ground, guess, bound, returned)
        _, found, following = bound.split(returned)
        dtypes = [[backend.dtype(leaf) for leaf in part] for part in (leaves, following)]
        for number in range(2, 2 + MORE_STEPS):
            try:
                again = self._attempt(callee, self._inputs(form, number), found.build(following))
            except NotAccepted:
                for slot, (before, after) in enumerate(zip(*dtypes)):
                    if before != after and (declared or after.startswith("float")):
                        # The declared state came back whole, and the step refused it: it is no other.
                        rule = "state-dtype-mismatch"
                        self._note(Misfit(bound, self.shape, rule, slot, 0, before, after, declared))
                raise
            parts = split(again, reading, skeleton, backend, form)
            if parts is None or [tuple(leaf.shape) for leaf in parts[2]] != shapes:
                if parts is not None and len(parts[2]) == len(shapes):
                    back = [tuple(leaf.shape) for leaf in parts[2]]
                    self._note(misfits.reshaped(bound, self.shape, shapes, back, number - 1))
                text = f"returned {outline(again, backend)} at step {number}, another state than before."
                raise NotAccepted(text, returned=again)
            _, found, following = bound.split(again)
        # A state that nobody named, and an input laid out as few take it, must prove to be what they are taken for.
        unnamed = callee.signature.passing == LIST and not is_state_name(callee.signature.state)
        unlikely = unnamed or callee.signature == ANONYMOUS or form.layout in ("columns", "single")
        if unlikely and not self._reads(bound):
            raise NotAccepted("takes a state that has no effect, without a name to tell that it is one.")
        return bound

    def _refuse_unwrapped(self, ground: Ground, guess: Guess, bound: Bound, returned: Any) -> None:
        """Of a state that is a list of one part the part alone may come back, where the step takes that as well, or a
        framework puts it into a list again."""
        skeleton, parts = bound.convention.state, bound.convention.reading.split(returned)
        framed = ground.callee.signature.passing != ONE or self.backend.output_first(self.cell)
        if framed or skeleton.kind != "sequence" or skeleton.size != 1 or parts is None:
            return
        alone = parts[1]
        if self.backend.is_tensor(alone) and not self._takes(ground, alone):
            went_in, came_back = outline(guess.value, self.backend), outline(alone, self.backend)
            self._note(Misfit(bound, self.shape, "wrong-state-structure", None, 0, went_in, came_back, True))
            raise NotAccepted(f"returned {came_back} for {went_in}, and does not take it.", returned=returned)

    def _note(self, misfit: Misfit | None) -> None:
        if misfit is not None:
            self.misfits.append(misfit)

    def _takes(self, ground: Ground, state: Any) -> bool:
        """Whether the cell takes this as its state."""
        try:
            self._attempt(ground.callee, ground.x, state)
        except NotAccepted:
            return False
        return True

    def _reads(self, bound: Bound) -> bool:
        """Whether another state and another input change what the first step gives, and the same ones do not."""
        backend, rng = self.backend, np.random.default_rng(0)
        others = [
            backend.tensor(rng.uniform(0.1, 0.9, tuple(leaf.shape)).astype(array.dtype), backend.dtype(leaf))
            if (array := backend.numpy(leaf)).dtype.kind in "fc"
            else leaf
            for leaf in bound.initial
        ]
        given: list[list[Array]] = []
        own, another = bound.initial, self._another(bound.form)
        for leaves, number in ((own, 1), (others, 1), (own, another), (own, 1), (others, 1), (own, another)):
            backend.put(self.cell, self.before)
            try:
                returned = self._attempt(
                    bound.callee, self._inputs(bound.form, number), bound.convention.state.build(leaves)
                )
            except NotAccepted:
                return False
            given.append([backend.numpy(tensor) for tensor in backend.given_out(returned)])
        first, *changed = given[:3]
        repeated = all(all(map(equal, one, other)) for one, other in zip(given[:3], given[3:]))
        return repeated and not any(all(map(equal, first, other)) for other in changed)

    def _another(self, form: Form) -> int:
        """The number of an input that is not the first one: of a few whole numbers the next may be the same."""
        first, *later = (self.backend.numpy(self._inputs(form, number)) for number in range(1, 2 + REDRAWS))
        return next((number for number, array in enumerate(later, 2) if not equal(first, array)), 2)

    def _attempt(self, callee: Callee, x: Tensor, state: Any) -> Any:
        self.backend.seed(self.settings.seed)
        try:
            return callee.call(x, state)
        except Exception as error:
            raise NotAccepted(cause=error) from error

    def _reading(
        self, callee: Callee, returned: Any, skeleton: Structure, shapes: Sequence[tuple[int, ...]], likely: bool
    ) -> Reading | None:
        """How the state lies in what came back; None when it does not."""
        backend = self.backend
        if callee.signature.passing == KEPT:
            ways = [(Reading(1, 2), True)]
        else:
            ways = readings(
                returned,
                fixed=backend.drives(self.cell) and callee.method == backend.method_of(self.cell),
                output_first=backend.output_first(self.cell),
                state_first=not callee.signature.input_first,
                names=steps.returned_names(self.cell, callee.method),
                taken=callee.signature.states,
            )
        fitting = []
        for way, is_likely in ways:
            if likely and not is_likely:
                continue
            if callee.signature.passing == EACH:
                taken = callee.signature.states
                order = steps.returned_order(self.cell, callee.method, taken) if way.at is None else ()
                way = dataclasses.replace(way, names=taken, order=order)
            for reading in (way, dataclasses.replace(way, over_time=True)):
                if reading.over_time and not (callee.form.over_time or callee.form.layout == "rows"):
                    continue
                # Every step's h and c beside an output is no state that goes in again.
                if reading.over_time and reading.at is not None and skeleton.size > 1:
                    continue
                if _fits(returned, reading, skeleton, shapes, backend, callee.form):
                    fitting.append(reading)
        # What comes back in the container that went in is the state, however a tensor beside it is called.
        alike = [reading for reading in fitting if _alike(returned, reading, skeleton, backend)]
        return next(iter(alike or fitting), None)

    def complaints(self) -> list[str]:
        """The texts of what the cell raised, each once."""
        return list(dict.fromkeys(str(problem.reason.cause) for problem in self.refused if problem.reason.cause))


def _alike(returned: Any, reading: Reading, skeleton: Structure, backend: Backend) -> bool:
    """Whether what is read as the state is a container such as went in, and no parts that are put together for it."""
    parts = None if isinstance(reading.at, tuple) else reading.split(returned)
    found = structure.LEAF if parts is None else flatten(parts[1], backend.is_tensor)[0]
    same = found.kind == skeleton.kind and (found.kind != "named" or found.type is skeleton.type)
    return same and not skeleton.is_leaf


def _fits(
    returned: Any,
    reading: Reading,
    skeleton: Structure,
    shapes: Sequence[tuple[int, ...]],
    backend: Backend,
    form: Form,
) -> bool:
    parts = reading.split(returned)
    if parts is None:
        return False
    found, leaves = flatten(structure.reorder(parts[1], skeleton), backend.is_tensor)
    if not structure.compatible(skeleton, found):
        return False
    # (distribution, h) is no list with one part.
    if reading.at is None and structure.beside(found, backend.is_tensor):
        return False
    # (output, (h,)) is no state of two parts, nor of a pair.
    if reading.at is None and structure.is_flat(skeleton) and not structure.is_flat(found):
        return False
    nested = any(len(child.children) > 1 for child in skeleton.children)
    if reading.at is None and nested and not structure.parted_alike(skeleton, found):
        return False
    back = [tuple(leaf.shape) for leaf in leaves]
    if reading.over_time:
        axis = 0 if form.layout == "time first" else 1
        if any(len(shape) <= axis or shape[axis] != 1 for shape in back):
            return False
        back = [(*shape[:axis], *shape[axis + 1 :]) for shape in back]
    return back == list(shapes)
