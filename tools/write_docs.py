"""Write what is generated from the rules: docs/rules.md, and the table of rules in README.md.

python tools/write_docs.py
"""

from __future__ import annotations

import re
from pathlib import Path

from rnncheck.rules import RULES
from rnncheck.rules.base import Rule

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "rules.md"
BEGIN, END = "<!-- rules: written by make docs -->\n", "<!-- end of rules -->\n"


def table(page: str = "") -> str:
    """A row a rule, each with a link to its section of the page."""
    rows = [f"| [`{rule.id}`]({page}#{rule.id}) | {', '.join(rule.severities)} | {rule.summary} |" for rule in RULES]
    return "\n".join(["| rule | severity | says |", "|---|---|---|", *rows]) + "\n"


def page() -> str:
    """All that the rules say of themselves."""
    head = "# Rules\n\n<!-- Written by `make docs` from the docstrings in `rnncheck/rules`: do not edit. -->\n"
    return "\n".join([head, table(), *map(_section, RULES)])


def _section(rule: Rule) -> str:
    return f"## {rule.id}\n\n{re.sub('^## ', '### ', rule.documentation, flags=re.MULTILINE)}\n"


def readme(text: str) -> str:
    """The README with the table as it should be; raises ValueError where it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{README} has no place for the table of rules: {BEGIN.strip()} ... {END.strip()}")
    return f"{before}{BEGIN}{table('docs/rules.md')}{END}{after}"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    README.write_text(readme(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
