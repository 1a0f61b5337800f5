"""Write the dashboards, or see that the written ones are these.

Usage: python -m tools.dashboards [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from tools.dashboards.canary import canary
from tools.dashboards.host import host
from tools.dashboards.inference import inference
from tools.dashboards.overview import overview

FOLDER = Path(__file__).resolve().parents[2] / "files" / "grafana" / "dashboards"


def _numbered(made: dashboard.Dashboard) -> str:
    built = made.build()
    # Their numbers in addresses; Grafana would give others at each start.
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    text = json.dumps(built, cls=JSONEncoder, ensure_ascii=False, indent=2, sort_keys=True)
    return text + "\n"


def generated() -> dict[str, str]:
    """Return the text of each dashboard's file by the file's name."""
    boards = {"overview": overview(), "inference": inference(), "host": host(), "canary": canary()}
    return {f"{name}.json": _numbered(made) for name, made in boards.items()}


def main(arguments: list[str]) -> int:
    """Write them, or with ``--check`` only compare; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    check = parser.parse_args(arguments).check
    different = []
    for name, text in generated().items():
        path = FOLDER / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            different.append(name)
            if not check:
                FOLDER.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    verb = "differ from what tools/dashboards makes; run: make dashboards" if check else "written"
    print(
        f"{', '.join(different)} {verb}" if different else "the dashboards are as tools/dashboards makes them"
    )
    return 1 if check and different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
