"""``make bench-lifecycle``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from assistant.evaluation import EvaluationError
from tests.bench.lifecycle.evaluation import evaluate
from tests.bench.report import write_report


def main() -> int:
    """Measure and write the figures; 1 with the reason where that fails."""
    # The assistant is on this machine: no proxy is asked.
    os.environ["NO_PROXY"] = "*"
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_report("lifecycle", *evaluate(Path(folder)))
    except (EvaluationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
