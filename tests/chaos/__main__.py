"""``make chaos``: 500 messages, 20 kills, a tenth of the network's calls lost, on both databases."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgresql
from tests.bench.report import FOLDER, Figure, write_report
from tests.chaos.plan import make_plan
from tests.chaos.run import Result, run

FILES = FOLDER.parent / "chaos"
DATABASES = ("sqlite", "postgresql")
FAULTS = (
    *("lost", "order_violations", "feishu_doubles", "doubles_unexplained", "misplaced_answers"),
    *("mixed_contexts", "dead_letters", "exit_status"),
)
# Of both databases together; all other figures are in the parts of each.
SUMS = (*FAULTS, "telegram_doubles", "telegram_doubles_by_kill", "telegram_doubles_by_lost_answer")
LEAST = ("messages", "kills")


@contextmanager
def _database(kind: str, directory: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory}/assistant.db"
    else:
        with postgresql.server() as socket_directory:
            yield postgresql.new_database(socket_directory)


def main() -> int:
    """Run all and write build/bench/chaos.json; returns 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run's plan; drawn if left out")
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.1, help="of the calls to the platforms that fail")
    parser.add_argument("--database", choices=DATABASES, action="append", help="both if left out")
    parser.add_argument(
        "--lost-answers", action="store_true", help="also lose the answers to Telegram's sendMessage"
    )
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    plan = make_plan(seed, options.messages, options.conversations, options.kills)
    print(f"seed {seed} (make chaos CHAOS_SEED={seed}); kills over {plan.seconds:.0f} s", flush=True)
    results: dict[str, Result] = {}
    for kind in options.database or DATABASES:
        FILES.mkdir(parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=FILES))
        print(f"{kind}: files and log in {directory}", flush=True)
        with _database(kind, directory) as url:
            results[kind] = run(url, plan, directory, share=options.share, lost_answers=options.lost_answers)
            seen = results[kind].figures
            wrong = [f"{name} {seen[name]}" for name in FAULTS if seen[name]]
            print(f"{kind}: {', '.join(wrong) or 'as it should be'}", flush=True)
    figures: dict[str, Figure] = {"seed": seed}
    parts = [result.figures for result in results.values()]
    figures |= {name: min(part[name] for part in parts) for name in LEAST}
    figures |= {name: sum(part[name] for part in parts) for name in SUMS}
    for kind, result in results.items():
        figures |= {f"{kind}_{name}": figure for name, figure in result.figures.items()}
    write_report("chaos", figures, {kind: [result.samples] for kind, result in results.items()})
    wrong = [name for name in FAULTS if figures[name]]
    if wrong:
        print(
            f"seed {seed}: not as it should be: {', '.join(wrong)}; see chaos.samples.json", file=sys.stderr
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
