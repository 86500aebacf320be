from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from peers.remarks import Remark

RUFF = str(Path(sys.executable).with_name("ruff"))


def examine(path: Path) -> list[Remark]:
    command = [RUFF, "check", "--isolated", "--no-cache", "--select", "ALL", "--output-format", "json", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    return [
        Remark(f"{said['code']} {said['message']}", said["message"], (said["location"]["row"],), "advice")
        for said in json.loads(done.stdout)
    ]
