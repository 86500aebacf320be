"""``rnncheck`` and ``python -m rnncheck``."""

from __future__ import annotations

import sys

ALONE = {"--version", "--help", "-h", "--list-rules", "--explain", "--no-isolate"}
"""What needs no process for targets."""


def main() -> None:
    """Start the process for the targets, which is at work before this one has read its command line."""
    child = None
    if len(sys.argv) > 1 and not ALONE & {argument.partition("=")[0] for argument in sys.argv[1:]}:
        from rnncheck.isolation.supervisor import Child

        child = Child()
    try:
        from rnncheck.cli import main as command

        command(child)
    finally:
        if child is not None:
            child.end()


if __name__ == "__main__":
    main()
