"""``python -m rnncheck``."""

from rnncheck.cli import main

if __name__ == "__main__":
    main()
