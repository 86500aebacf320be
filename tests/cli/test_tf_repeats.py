"""The same seed gives the same report, byte for byte, whatever the process."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "sample_cells" / "tf"
NAMES = ("returned_old_state", "detached_state", "leaked_state", "swapped_states", "ignored_input_repaired")


def test_the_same_bytes(rnncheck) -> None:
    targets = [str(SAMPLES / f"{name}.py") for name in NAMES]
    run = (*targets, "--backend", "tf", "--seed", "3", "--output-format", "json")
    one = rnncheck(*run, env={"PYTHONHASHSEED": "1"})
    assert one.status == 1, one.err
    assert rnncheck(*run, env={"PYTHONHASHSEED": "2"}).out == one.out
    assert rnncheck(*run, "--no-isolate").out == one.out
    assert rnncheck(*run, "-j", "2").out == one.out
