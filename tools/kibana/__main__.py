"""Write Kibana's objects, or see that the written ones are these.

Usage: python -m tools.kibana [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tools.kibana.objects import objects

FILE = Path(__file__).resolve().parents[2] / "files" / "kibana" / "objects.ndjson"


def generated() -> str:
    """Return the file's text: one object a line, as Kibana's import wants it."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in objects())


def main(arguments: list[str]) -> int:
    """Write the file, or with ``--check`` only compare; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.kibana", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file differs")
    check = parser.parse_args(arguments).check
    text = generated()
    if FILE.is_file() and FILE.read_text(encoding="utf-8") == text:
        print(f"{FILE.name} is as tools/kibana makes it")
        return 0
    if check:
        print(f"{FILE.name} differs from what tools/kibana makes; run: make kibana")
        return 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    print(f"{FILE.name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
