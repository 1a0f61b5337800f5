"""``make bench-second-run``: how long ``site.yml`` takes on a machine that has it all already.

Both strategies take turns in one run, because the machine is shared and its speed drifts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

from tests.bench.report import write_report
from tests.machines_verify.site_run import run_site

STRATEGIES = ("mitogen_linear", "linear")
BAR_SECONDS = 60.0  # issue: everything in under 60 s on 2 cores


def measure(inventory: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every unchanged run, by strategy.

    Raises:
        RuntimeError: A run failed or changed something, so that its time would mean nothing.
    """
    seconds: dict[str, list[float]] = {strategy: [] for strategy in STRATEGIES}
    for _ in range(rounds):
        for strategy in STRATEGIES:
            os.environ["AI_ASSISTANT_STRATEGY"] = strategy
            start = time.monotonic()
            run = run_site(inventory)
            seconds[strategy].append(time.monotonic() - start)
            if run.status != 0 or run.changed != 0:
                raise RuntimeError(f"status {run.status}, {run.changed} changed:\n{run.output[-3000:]}")
            print(f"{strategy}: {seconds[strategy][-1]:.1f} s", file=sys.stderr, flush=True)
    return seconds


def main() -> int:
    """Measure, write build/bench/second_run.json and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("info", type=Path, help="info.json of a deployed machine")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seconds = measure(arguments.info.parent / "inventory", arguments.rounds)
    figures: dict[str, float] = {"bar_seconds": BAR_SECONDS}
    for strategy, samples in seconds.items():
        figures[f"{strategy}_median_seconds"] = statistics.median(samples)
        figures[f"{strategy}_min_seconds"] = min(samples)
        figures[f"{strategy}_max_seconds"] = max(samples)
    figures["plain_over_mitogen"] = (
        figures["linear_median_seconds"] / figures["mitogen_linear_median_seconds"]
    )
    write_report("second_run", figures, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
