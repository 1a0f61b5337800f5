"""``make bench-demo``: ``make demo`` in a clean clone with nothing cached, and once more.

The issue's bar: the second run takes under a third of the first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.report import write_report
from tools.controller.cache import ROOT
from tools.controller.images import remove_images

NAME = "assistant-bench"
BAR_RATIO = 1 / 3


def _demo(clone: Path, environment: dict[str, str]) -> dict[str, float]:
    start = time.monotonic()
    subprocess.run(["make", "demo", f"DEMO_NAME={NAME}"], cwd=clone, env=environment, check=True)
    total = time.monotonic() - start
    stages: dict[str, float] = json.loads((clone / "build" / "demo" / "timings.json").read_text())
    return {**stages, "total": total}


def main() -> int:
    """Measure, write build/bench/demo.json and print the table."""
    with tempfile.TemporaryDirectory(prefix="ai-assistant-bench-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "AI_ASSISTANT_CACHE": str(Path(folder) / "cache")}
        remove_images()  # or the first run would find what earlier ones made
        try:
            first, second = _demo(clone, environment), _demo(clone, environment)
        finally:
            subprocess.run(
                ["make", "demo-down", f"DEMO_NAME={NAME}"], cwd=clone, env=environment, check=False
            )
    figures = {
        "first_run_seconds": first["total"],
        "second_run_seconds": second["total"],
        "second_over_first": second["total"] / first["total"],
        "bar_second_over_first": BAR_RATIO,
    }
    write_report("demo", figures, {"first": list(first.items()), "second": list(second.items())})
    return 0


if __name__ == "__main__":
    sys.exit(main())
