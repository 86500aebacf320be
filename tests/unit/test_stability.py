"""make stability: all seeds of all entries, what was found before a stop is not asked again, and what is odd is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import answers
import pytest
import stability
from answers import Answer, Kept, NoAnswer
from stability import Said, Stability

from zoo import Entry, Seen

ENTRY = Entry("brc", "brc_pytorch.modules:BRC", "torch", "clean", "", "")
OTHER = Entry("brc", "brc_pytorch.modules:NBRC", "torch", "clean", "", "")
SAID = Seen("findings", (("batch-leak", "error", None),), "(x, h) -> h'")


class Asked:
    """Counts what is asked of rnncheck, and answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        monkeypatch.setattr(answers, "under", self._under)
        monkeypatch.setattr(answers, "typed", self._typed)

    def _under(self, entry: Entry, seeds: range, limit: float) -> list[Answer]:
        self.times += 1
        return [Answer(SAID, 0.5) for _ in seeds]

    def _typed(self, entry: Entry, limit: float) -> Seen:
        self.times += 1
        return SAID


def test_what_was_said_is_not_asked_again_but_of_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch)
    for _ in range(2):
        kept = Kept(tmp_path / "answers.jsonl")
        assert kept.under(ENTRY, range(2), 9) == [Answer(SAID, 0.5)] * 2
        assert kept.typed(ENTRY, 9) == SAID
    assert asked.times == 2
    kept.under(OTHER, range(2), 9)
    kept.under(ENTRY, range(3), 9)
    assert asked.times == 4
    assert Kept(tmp_path / "answers.jsonl").under(ENTRY, range(1), 9) == [Answer(SAID, 0.5)]
    assert asked.times == 4
    monkeypatch.setattr(answers, "_version", lambda: "another")
    Kept(tmp_path / "answers.jsonl").typed(ENTRY, 9)
    assert asked.times == 5


def test_what_ended_without_an_answer_is_told_and_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> list[Answer]:
        raise NoAnswer("exit status -9: nothing said")

    with monkeypatch.context() as patched:
        patched.setattr(answers, "under", killed)
        kept = Kept(tmp_path / "answers.jsonl")
        assert stability.said_of(kept, ENTRY, range(2), 9) == [Said("no verdict: exit status -9: nothing said")]
    Asked(monkeypatch)
    kept = Kept(tmp_path / "answers.jsonl")
    assert stability.said_of(kept, ENTRY, range(2), 9) == [Said("error: batch-leak")] * 2


def test_a_verdict_and_a_note_that_a_seed_changed_are_counted_and_shown() -> None:
    noted = Said("clean", "note: ignored-recurrence of state 0")
    found = [
        Stability(ENTRY, Counter({Said("error: batch-leak"): 1, Said("clean"): 195, noted: 5})),
        Stability(OTHER, Counter({noted: 201})),
    ]
    assert stability.figures(found) == {
        "cells": 2,
        "checks": 402,
        "cells without a verdict": 0,
        "checks that changed a verdict": 1,
        "checks that changed a note": 5,
    }
    assert [item.is_odd for item in found] == [True, False]
    text = stability.document(found, 200)
    assert "* checks that changed a verdict: **1**" in text
    assert "* checks that changed a note: **5**" in text
    assert (
        "`brc_pytorch.modules:BRC`: 195 × clean; 5 × clean (note: ignored-recurrence of state 0); 1 × error: batch-leak"
        in text
    )
    assert "NBRC" not in text


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Seen("clean", (("random-state", "note", None),)), "clean (note: random-state)"),
        (Seen("findings", (("batch-leak", "error", None),)), "error: batch-leak"),
        (Seen("findings", (("returned-old-state", "error", 1),)), "error: returned-old-state of state 1"),
        (Seen("error", (), error="it was not built"), "no verdict: it was not built"),
    ],
)
def test_the_words_of_what_was_said(seen: Seen, words: str) -> None:
    assert str(Said.of(seen)) == words
