"""make stability: all seeds of all entries, what was found before a stop is not asked again, and what is odd is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stability
from stability import COMMAND_LINE, Piece, Stability

from zoo import Entry, Seen

ENTRY = Entry("brc", "brc_pytorch.modules:BRC", "torch", "clean", "", "")
OTHER = Entry("brc", "brc_pytorch.modules:NBRC", "torch", "clean", "", "")


def test_every_seed_of_every_entry_is_asked_once_and_the_command_line_too() -> None:
    found = stability.pieces([ENTRY, OTHER], 50)
    for entry in (ENTRY, OTHER):
        mine = [piece.seeds for piece in found if piece.entry == entry]
        assert mine[0] == COMMAND_LINE
        assert [seed for seeds in mine for seed in seeds] == list(range(50))
    assert len({piece.key for piece in found}) == len(found)


def test_what_was_found_is_used_again_by_the_same_version_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = tmp_path / "done.jsonl"
    monkeypatch.setattr(stability, "DONE", done)
    assert stability.before("one") == {}
    piece = Piece(ENTRY, range(2))
    done.write_text(json.dumps({"piece": piece.key, "said": ["clean"] * 2, "version": "one"}) + "\n")
    assert stability.before("one") == {piece.key: ["clean", "clean"]}
    assert stability.before("two") == {}


def test_a_verdict_that_a_seed_changed_is_counted_and_shown() -> None:
    found = [
        Stability(ENTRY, (("clean", 200), ("error: batch-leak", 1))),
        Stability(OTHER, (("clean", 201),)),
    ]
    assert stability.figures(found) == {
        "cells": 2,
        "checks": 402,
        "cells without a verdict": 0,
        "checks that changed a verdict": 1,
    }
    text = stability.document(found, 200)
    assert "* checks that changed a verdict: **1**" in text
    assert "`brc_pytorch.modules:BRC`: 200 × clean; 1 × error: batch-leak" in text
    assert "NBRC" not in text


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Seen("clean", (("random-state", "note", None),)), "clean"),
        (Seen("findings", (("batch-leak", "error", None),)), "error: batch-leak"),
        (Seen("findings", (("returned-old-state", "error", 1),)), "error: returned-old-state of state 1"),
        (Seen("error", (), error="it was not built"), "no verdict: it was not built"),
    ],
)
def test_what_counts_of_a_verdict(seen: Seen, words: str) -> None:
    assert stability._words(seen) == words
