"""``make bench-lifecycle``: is the better model told from the worse one, and is a bad one gone in time?

``evaluation``: both demonstration models are evaluated and compared. ``share``: to how many of 10,000
conversations the service gives the candidate. ``faults``: candidates that crash, are slow, answer with
nothing and run out of memory are released beside people who use the service on Telegram, Feishu and the API;
every answer that one of them did not get is counted. ``promotion``: v2 over v1 and v1 over v2, a day in a
minute. Figures of parts that are not run stay as they were.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assistant.evaluation import EvaluationError
from tests.bench.ack.rig import going_first
from tests.bench.lifecycle.candidates import FAULTS
from tests.bench.lifecycle.evaluation import MODELS, evaluate
from tests.bench.lifecycle.releases import failures, faults, figures, promotion, share_of
from tests.bench.report import FOLDER, Figure, write_report
from tools.controller.failure import StageFailure

PARTS = ("evaluation", "share", "faults", "promotion")
# In how many rollouts' conversations, each with a key of its own.
KEYS = 20


def measure(
    chosen: argparse.Namespace, folder: Path
) -> tuple[dict[str, Figure], dict[str, Sequence[object]]]:
    """Measure the ``chosen`` parts; returns the figures, and the samples by part.

    Raises:
        StageFailure: a rollout was not decided, or a part did not start.
        EvaluationError: a model could not be asked.
        OSError: a model is missing.
    """
    found: dict[str, Figure] = {}
    samples: dict[str, Sequence[object]] = {}

    def place(name: str) -> Path:
        made = folder / name
        made.mkdir()
        return made

    if "evaluation" in chosen.parts:
        evaluated, samples["evaluation"] = evaluate(place("evaluation"))
        found |= evaluated
    if "share" in chosen.parts:
        shares = [share_of() for _ in range(KEYS)]
        found |= {
            "canary_share_of_10000": shares[0],
            "canary_share_of_10000_min": min(shares),
            "canary_share_of_10000_max": max(shares),
        }
        samples["share"] = shares
    if "faults" in chosen.parts:
        releases, turns = faults(place("faults"), chosen.faults, chosen.rounds)
        found |= figures(releases) | failures(releases) | {"fault_rounds": chosen.rounds}
        samples |= {"faults": [asdict(one) for one in releases], "faults_turns": turns}
    if "promotion" in chosen.parts:
        releases, turns = [], []
        for old, new in (("v1", "v2"), ("v2", "v1")):
            mine = []
            for number in range(chosen.rounds):
                release, more = promotion(place(f"{new}-{old}-{number}"), number, MODELS[old], MODELS[new])
                mine.append(release)
                turns += more
            releases += mine
            found[f"promoted_{new}_over_{old}"] = sum(one.state == "promoted" for one in mine)
            found[f"promotion_reasons_{new}_over_{old}"] = ", ".join(sorted({one.reason for one in mine}))
        found |= {f"promotion_{key}": value for key, value in failures(releases).items()}
        found["promotion_rounds"] = chosen.rounds
        samples |= {"promotion": [asdict(one) for one in releases], "promotion_turns": turns}
    return found, samples


def _write(found: dict[str, Figure], samples: dict[str, Sequence[object]], missing: Sequence[str]) -> None:
    """Write the report; what an earlier run has found of the ``missing`` parts stays."""
    old, raw = FOLDER / "lifecycle.json", FOLDER / "lifecycle.samples.json"
    if missing and old.exists() and raw.exists():
        found = json.loads(old.read_text(encoding="utf-8")) | found
        before = json.loads(raw.read_text(encoding="utf-8"))
        samples = {**(before if isinstance(before, dict) else {}), **samples}
    write_report("lifecycle", found, samples)


def main() -> int:
    """Measure and write the figures; 1 with the reason where that fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lifecycle", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS), metavar="FAULT")
    parser.add_argument("--rounds", type=int, default=3, help="of rollouts (default: %(default)s)")
    chosen = parser.parse_args()
    # The assistant is on this machine: no proxy is asked.
    os.environ["NO_PROXY"] = "*"
    begun = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="bench-lifecycle-") as folder, going_first():
            found, samples = measure(chosen, Path(folder))
        found |= {"cores": os.cpu_count() or 0, "load_before": begun, "load_after": os.getloadavg()[0]}
        _write(found, samples, [part for part in PARTS if part not in chosen.parts])
    except StageFailure as failure:
        print(failure.why, failure.remedy, sep="\n", file=sys.stderr)
        return 1
    except (EvaluationError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
