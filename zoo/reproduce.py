"""Run the reproductions of ``docs/found.md`` and compare what they print with what stands below them.

Exit status: 1 if one prints something else.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FOUND = Path(__file__).parent.parent / "docs" / "found.md"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n.*?^```text\n(?P<printed>.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> int:
    text = FOUND.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python") == text.count("```text")
    failed = 0
    for block in blocks:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-W", "ignore", "-c", block["code"]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.stdout != block["printed"]:
            failed += 1
            title = re.findall(r"^## (.*)", text[: block.start()], re.MULTILINE)[-1]
            print(f"found.md, {title}: printed\n{done.stdout}{done.stderr[-1000:]}")
    print(f"reproductions: {len(blocks)}, {failed} of them print something else")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
