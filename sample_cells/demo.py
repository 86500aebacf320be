"""Run rnncheck on the sample cells of both backends: each broken cell beside its repaired twin."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FROZEN = [HERE / "tf" / "returned_old_state.py", HERE / "tf" / "returned_old_state_repaired.py"]


def rnncheck(*arguments: object) -> int:
    command = [sys.executable, "-m", "rnncheck", *map(str, arguments)]
    print(f"\n$ rnncheck {' '.join(map(str, arguments))}\n", flush=True)
    return subprocess.run(command, cwd=HERE.parent, check=False).returncode


def main() -> int:
    print("A frozen cell, and the same cell repaired:")
    frozen = rnncheck(*(path.relative_to(HERE.parent) for path in FROZEN))
    print("All sample cells, one line a finding:")
    every = [rnncheck(f"sample_cells/{name}", "--output-format", "concise") for name in ("tf", "torch")]
    healthy = [
        rnncheck(*sorted(path.relative_to(HERE.parent) for path in (HERE / name).glob("*_repaired.py")), "--output-format", "concise")
        for name in ("tf", "torch")
    ]
    caught = frozen == 1 and every == [1, 1] and healthy == [0, 0]
    print(f"\nEvery broken cell caught (exit status 1), every repaired one clean (exit status 0): {'yes' if caught else 'NO'}")
    return 0 if caught else 1


if __name__ == "__main__":
    sys.exit(main())
