"""Print a role's variables as the rows of its README's table.

Usage: python -m tests.lint.role_variables roles/proxy
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

_LONGEST = 60  # characters of a default that still fit into a table


def default_text(option: dict[str, Any]) -> str:
    """Return the default as a reader would write it, or where to find one that is too long."""
    if option.get("required"):
        return "must be set"
    text = json.dumps(option.get("default"), ensure_ascii=False)
    if isinstance(option.get("default"), str) and text != '""':
        text = text[1:-1]
    return f"`{text}`" if len(text) <= _LONGEST and "{{" not in text else "see `defaults/main.yml`"


def rows(role: Path) -> list[str]:
    """Return the table of the role's variables, one Markdown row each.

    Raises:
        FileNotFoundError: The role has no ``meta/argument_specs.yml``.
    """
    document = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    table = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, option in document["argument_specs"]["main"]["options"].items():
        description = option.get("description", "")
        meaning = " ".join(description if isinstance(description, list) else [description])
        cells = (f"`{name}`", default_text(option), " ".join(meaning.split()))
        table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return table


def main(arguments: list[str]) -> int:
    """Print the tables of the roles that are named; return the exit status."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    for argument in arguments:
        try:
            print("\n".join(rows(Path(argument))))
        except FileNotFoundError as error:
            print(f"{error.filename} does not exist; name a role, for example roles/proxy", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
