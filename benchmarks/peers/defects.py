"""The defects: each a broken cell, its repaired twin, and what it takes to have named cause and line.

The first are the sample cells of the rules, the others are built after what the peers' own documentation says they
find. A comment marks the lines at fault; no tool gets to see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "sample_cells" / "torch"
CELLS = HERE / "cells"
MARK = re.compile(r"  # (?:expect: [\w -]+|at fault)$", re.MULTILINE)


@dataclass(frozen=True)
class Defect:
    """A broken cell. A message names the cause if it has one of ``names`` or a match of ``words``.

    ``names`` are the variables and weights at fault, ``words`` regular expressions. ``at_fault`` are lines that may be
    named as well as the marked ones.
    """

    name: str
    folder: Path
    names: tuple[str, ...]
    words: tuple[str, ...]
    at_fault: tuple[str, ...] = ()

    def source(self, which: str) -> str:
        """What the tools are given: ``broken`` or ``repaired``, without the marks."""
        return MARK.sub("", self._marked(which))

    @property
    def lines(self) -> frozenset[int]:
        """The lines of the broken cell that are at fault, counted from 1."""
        return frozenset(
            number
            for number, line in enumerate(self._marked("broken").splitlines(), 1)
            if MARK.search(line) or line.strip() in self.at_fault
        )

    def _marked(self, which: str) -> str:
        suffix = "" if which == "broken" else "_repaired"
        return (self.folder / f"{self.name.replace('-', '_')}{suffix}.py").read_text(encoding="utf-8")


def _sample(name: str, names: str, *words: str, at_fault: tuple[str, ...] = ()) -> Defect:
    return Defect(name, SAMPLES, tuple(names.split()), words, at_fault)


def _gallery(name: str, names: str, *words: str) -> Defect:
    return Defect(name, CELLS, tuple(names.split()), words)


OF_RNNCHECK = (
    _sample("wrong-state-structure", "c", "unpack", "structure", "slots?", "missing"),
    _sample("state-shape-mismatch", "", "shapes?", "grows"),
    _sample("state-dtype-mismatch", "decay", "dtypes?", "float64", "double"),
    _sample("nonfinite-state", "gain", "nans?", "infs?", "(in|non|not )?finite"),
    _sample("returned-old-state", "c c_new", "old state", "comes back as it went in", "unchanged state", "frozen"),
    _sample(
        "ignored-recurrence",
        "hidden W_hh",
        "recurrence",
        "state .*(ignored|no influence|unused)",
        at_fault=("def forward(self, input, hidden):",),
    ),
    _sample("unchanged-initial-state", "h h_new recurrent", "initial state", "never (moves|changes)"),
    _sample(
        "ignored-input",
        "x input",
        "inputs? .*(ignored|no influence|unused)",
        at_fault=("def forward(self, x, h):",),
    ),
    _sample("partial-freeze", "h half", "units", "frozen"),
    _sample("swapped-states", "c h c_next h_next", "swapped", "order of"),
    _sample("detached-state", "h", "detach(ed|es)?", "graph is cut", "input[ _]1"),
    _sample("leaked-state", "context", "leak(s|ed)?", "state (survives|is shared)", "earlier", "remembers"),
    _sample("mutated-state", "h", "in-?place", "mutat(es|ed|ion)", "modified"),
    _sample("batch-leak", "h centred", "samples?", "rows?", "batch (composition|invariance)", "across the batch"),
    _sample("exploding-state", "h", "explod(es|ing)", "explosion", "grows"),
    _sample("vanishing-gradient", "h recurrent", "vanish(es|ing)", "gradient .*dies"),
    _sample("unused-weight", "gate", "unused"),
    _sample("untrained-weight", "drive input", "detach(ed|es)?", "graph is cut"),
    _sample("graph-mismatch", "forward", "torchscript", "script(ed|ing)?", "trac(ed|ing)"),
    _sample("random-state", "kept dropout", "random", "dropout", "determinis(tic|m)", "differ between"),
    _sample("wrong-gradient", "Squash", "backward", "jacobian", "finite differences"),
)

OF_THE_PEERS = (
    _gallery("dropped-new-state", "h h_new", "old state", "comes back as it went in"),
    _gallery("no-grad-recurrence", "h recurrent memory", "detach(ed|es)?", "graph is cut", "no_grad", "input[ _]1"),
    _gallery("unread-half-of-the-input", "left right x", "features", "part of the input"),
    _gallery("constant-attention", "attention score", "softmax"),
    _gallery("dead-relu", "input activation", "dead", "saturat(es|ed)"),
    _gallery("nan-gradient", "length memory", "nans?", "infs?", "(in|non|not )?finite"),
    _gallery("running-average-in-a-buffer", "average", "buffers?", "leak(s|ed)?", "earlier", "remembers"),
    _gallery("mutable-default", "history context", "mutable", "leak(s|ed)?", "earlier", "remembers"),
    _gallery("unregistered-layers", "layers", "not registered", "unregistered", "checkpoint"),
    _gallery("shared-batch-norm", "norm", "batchnorm", "stateful layer", "other (samples?|rows?)"),
)

DEFECTS = OF_RNNCHECK + OF_THE_PEERS


def by_name(name: str) -> Defect:
    return next(defect for defect in DEFECTS if defect.name == name)
