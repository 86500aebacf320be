"""Hand-made traces: a healthy one-slot cell, and what to change in it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from rnncheck.structure import LEAF, mapping, sequence
from rnncheck.trace import (
    Behaviour,
    Computed,
    Declaration,
    Influence,
    Initial,
    Method,
    Slot,
    SlotStep,
    Trace,
    Weight,
)

STEPS, BATCH, UNITS = 4, 3, 8


def behaviour(slots: int = 1, **changes: Any) -> Behaviour:
    alive = (True,) * slots
    return dataclasses.replace(Behaviour(alive, alive, alive, True), **changes)


def trace(slots: int = 1, **changes: Any) -> Trace:
    """A healthy Trace with ``slots`` slots named h, c, ...; ``changes`` replace its fields."""
    names = ("h", "c", "n")[:slots]
    rng = np.random.default_rng(0)
    values = rng.standard_normal((STEPS + 1, slots, BATCH, UNITS))
    steps = tuple(
        tuple(
            SlotStep(values[step, slot], values[step + 1, slot], False, values[step + 1, slot]) for slot in range(slots)
        )
        for step in range(STEPS)
    )
    healthy = Trace(
        backend="torch",
        method=Method(
            "forward", None, None, "Cell", None, "x", "state", tuple((name,) for name in names), None, (None,) * slots
        ),
        slots=tuple(Slot(index, name, (UNITS,), "float32") for index, name in enumerate(names)),
        structure=LEAF if slots == 1 else sequence(tuple, slots),
        steps=steps,
        initial=Initial("init_hidden()", True, (True,) * slots),
        declaration=Declaration(False, False),
        built=behaviour(slots),
        redrawn=(),
        influence=Influence((*names, "input"), names, ((1.0,) * slots,) * (slots + 1), ((1.0,) * slots,) * (slots + 1)),
        weights=(Weight("W.weight", (UNITS, UNITS), True, False),),
        computed=((),) * slots,
        repeatable=True,
    )
    return dataclasses.replace(healthy, **changes)


def layer(**changes: Any) -> Trace:
    """A Trace of a layer that takes a sequence and no state, and remembers."""
    healthy = dataclasses.replace(
        trace(),
        method=Method("forward", None, None, "Layer", None, "x", "state"),
        slots=(),
        structure=mapping(()),
        steps=((),) * STEPS,
        built=Behaviour((), (), (), True),
        influence=Influence((), (), (), None, "it takes no state"),
        weights=(),
        computed=(),
        kind="layer",
        memory=True,
    )
    return dataclasses.replace(healthy, **changes)


def computed(name: str = "h_new", line: int = 3, **changes: Any) -> Computed:
    """A local variable that has all of a new value."""
    update = Computed(name, line, f"{name} = ...", True, True, True, False, (None,) * STEPS)
    return dataclasses.replace(update, **changes)


def stuck(slots: int = 1, which: tuple[int, ...] = (0,), same_object: bool = True, **changes: Any) -> Trace:
    """A Trace in which some slots come back as they went in."""
    healthy = trace(slots)
    steps = tuple(
        tuple(
            SlotStep(step[slot].previous, step[slot].previous, same_object, None) if slot in which else step[slot]
            for slot in range(slots)
        )
        for step in healthy.steps
    )
    moves = tuple(slot not in which for slot in range(slots))
    return dataclasses.replace(
        healthy, steps=steps, built=behaviour(slots, moves=moves, moves_from_initial=moves), **changes
    )
