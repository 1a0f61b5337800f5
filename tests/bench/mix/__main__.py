"""``make bench-mix``: how many questions a second the assistant answers where 85 % are frequent ones.

The frequent questions are drawn by Zipf's law from files/questions/demo.jsonl, the others are new: each in
words that nobody used before, so that the model must answer. They arrive over the HTTP API through nginx at a
set rate, step by step, whatever became of those before (an open loop), and a latency counts from the moment
at which its question was due. ``warm`` steps find the frequent questions' answers in the cache, ``cold`` ones
begin with an empty cache. A step is kept up with where 95 % of what arrives is answered while it lasts and no
more than 1 % fails; the steps end after the first one that is not.

``BENCH_MIX="--info build/machines/assistant-demo/info.json"`` asks a machine that ``make demo`` has made;
without it nginx and the app run as processes of this machine. Whoever asks shares its cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.ack.rig import going_first
from tests.bench.inference.peers import draw
from tests.bench.mix.questions import EXPONENT, SHARE, Mix, frequent
from tests.bench.mix.sites import Site, deployed, process
from tests.bench.mix.steps import Step, percentile, prime, step
from tests.bench.report import FOLDER, Figure, write_report
from tools.controller.failure import StageFailure

RATES = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 80.0, 100.0, 130.0, 160.0, 200.0)
WARM_SEED = 1
# What it is warmed up with, before anything counts.
FIRST = 40


@contextmanager
def _site(info: Path | None) -> Iterator[Site]:
    if info is not None:
        with deployed(info) as site:
            yield site
        return
    with tempfile.TemporaryDirectory(prefix="bench-mix-") as folder, process(Path(folder)) as site:
        yield site


def measure(site: Site, rates: Sequence[float], seconds: float) -> tuple[list[Step], int]:
    """Go through ``rates``, warm and cold, until one is not kept up with.

    Returns:
        the steps, and how many of the frequent questions the cache knew in the warm ones.

    Raises:
        StageFailure: a frequent question was not answered.
    """
    mix = Mix()
    known = prime(site, frequent(), WARM_SEED)
    step(site, mix.draw(FIRST), rates[0], WARM_SEED, warm=True)
    steps: list[Step] = []
    for warm in (True, False):
        for number, rate in enumerate(rates):
            seed = WARM_SEED if warm else WARM_SEED + 1 + number
            done = step(site, mix.draw(max(1, round(rate * seconds))), rate, seed, warm=warm)
            steps.append(done)
            print(_line(done), flush=True)
            if not done.kept_up:
                break
    return steps, known


def _line(done: Step) -> str:
    parts = [f"{'warm' if done.warm else 'cold'} {done.rate:5.0f}/s: {done.answered_per_second:6.1f}/s"]
    parts.append(f"{done.cached_share:.0%} cached")
    for name, values in (("cached", done.cached_ms), ("other", done.other_ms)):
        if values:
            tail = "  ".join(f"p{n} {percentile(values, n):.0f}" for n in (50, 95, 99))
            parts.append(f"{name} {tail} ms")
    parts.append(
        f"failed {done.failed or 0}  sender late p99 {done.late_ms_p99:.0f} ms  load {done.load:.1f}"
    )
    return "  ".join(parts)


def figures(steps: Sequence[Step]) -> dict[str, Figure]:
    """Return each step's figures, named ``warm_15_...``, and the highest rate that was kept up with."""
    result: dict[str, Figure] = {}
    for name, warm in (("warm", True), ("cold", False)):
        mine = [one for one in steps if one.warm is warm]
        result[f"{name}_kept_up_per_s"] = max((one.rate for one in mine if one.kept_up), default=0.0)
        for one in mine:
            prefix = f"{name}_{one.rate:g}"
            result |= {
                f"{prefix}_answered_per_s": one.answered_per_second,
                f"{prefix}_cached_share": one.cached_share,
                f"{prefix}_failed": sum(one.failed.values()),
            }
            for kind, values in (("cached", one.cached_ms), ("other", one.other_ms)):
                if values:
                    result |= {f"{prefix}_{kind}_p{n}_ms": percentile(values, n) for n in (50, 95, 99)}
    return result


def main() -> int:
    """Measure, write build/bench/mix.json and draw mix.png; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mix", description=__doc__)
    parser.add_argument("--info", type=Path, help="ask the deployed assistant that this file describes")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each step (default: %(default)s)")
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), metavar="PER_SECOND")
    chosen = parser.parse_args()
    begun = os.getloadavg()[0]
    try:
        with going_first() as first, _site(chosen.info) as site:
            steps, known = measure(site, chosen.rates, chosen.seconds)
            kind = site.kind
        samples = [one.sample() for one in steps]
        conditions: dict[str, Figure] = {
            "asked": kind,
            "frequent_share": SHARE,
            "zipf_exponent": EXPONENT,
            "frequent_questions": len(frequent()),
            "frequent_questions_cached": known,
            "seconds": chosen.seconds,
            "cores": os.cpu_count() or 0,
            "senders_going_first": first,
            "load_before": begun,
            "load_max": max(one.load for one in steps),
        }
        write_report("mix", figures(steps) | conditions, samples)
        draw(FOLDER / "mix.samples.json", FOLDER / "mix.png", Path(__file__).with_name("plot.py"))
    except (StageFailure, OSError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
