"""``make bench-cache``: how many cached answers the API gives a second, beside a plain handler.

The service runs with the demonstration's model and as deployed (its own ``gunicorn.conf.py``); the yardstick
is a plain Flask handler with one SQLite look-up under the same settings. Both are on this machine beside the
load generator (``wrk``, in C, one thread, connections kept open), which asks each in turn, the order changing
with the round; its own share of a core stands beside the figures. The generator waits for an answer before it
sends the next request on a connection, so a latency is one under full load.

Before that, the 200 pairs of near misses go through the API: the second question of a pair must not get the
first one's answer.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.bench.cache.servers import TOKEN, assistant, call, hits, plain, write_bodies
from tests.bench.report import Figure, write_report
from tests.integration.app.process import Assistant
from tools.controller.cache import ROOT
from tools.controller.failure import StageFailure

SCRIPT = Path(__file__).with_name("questions.lua")
PAIRS = ROOT / "tests" / "golden" / "cache_questions.json"
QUESTIONS = 100
Sample = dict[str, Any]


def false_hits(client: httpx.Client, pairs: Sequence[tuple[str, str]]) -> int:
    """Return how many second questions got the answer to the first one.

    Each pair has a seed of its own, which keeps it apart from the others.

    Raises:
        StageFailure: the cache did not know a question that was asked twice, so that nothing was shown.
    """
    found = 0
    for seed, (one, other) in enumerate(pairs):
        call(client, one, seed=seed, max_tokens=48)
        _, state = call(client, other, seed=seed, max_tokens=48)
        found += state != "miss"
    return found


def prime(client: httpx.Client, questions: Sequence[str]) -> dict[str, str]:
    """Have each of ``questions`` answered once; returns the answers of those that are cached now."""
    answers = {}
    for text in questions:
        call(client, text)
        answer, state = call(client, text)
        # An answer that reached the limit of tokens is not kept.
        if state == "hit":
            answers[text] = answer
    if not answers:
        raise StageFailure("no answer was kept", "see ASSISTANT_ANSWER_CACHE_SECONDS")
    return answers


def load(url: str, bodies: Path, seconds: float, connections: int) -> Sample:
    """Ask with ``connections`` callers for ``seconds``; returns what they saw and what asking cost.

    Raises:
        StageFailure: a request failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "-s", str(SCRIPT)]
    command += [f"{url}/v1/chat/completions", "--", str(bodies), TOKEN]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise StageFailure(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}", "make checkers")
    sample: Sample = json.loads(lines[0])
    if sample["failed"]:
        raise StageFailure(f"{sample['failed']} of {sample['requests']} failed", "see the server's log")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        **sample,
        "per_second": sample["requests"] / sample["seconds"],
        "generator_cores": used / sample["seconds"],
        "load": os.getloadavg()[0],
    }


def measure(running: Assistant, other: str, bodies: Path, chosen: argparse.Namespace) -> list[Sample]:
    """Measure both in each round, in changing order, after a warm-up.

    Raises:
        StageFailure: an answer of the service did not come out of the cache.
    """
    urls = {"cached": running.url, "plain": other}
    for url in urls.values():
        load(url, bodies, 2, chosen.connections)
    samples: list[Sample] = []
    for number in range(chosen.rounds):
        for name in list(urls) if number % 2 == 0 else list(reversed(urls)):
            known = hits(running)
            sample = {
                "round": number,
                "name": name,
                **load(urls[name], bodies, chosen.seconds, chosen.connections),
            }
            if name == "cached" and (came := hits(running) - known) < sample["requests"]:
                raise StageFailure(f"{came:.0f} of {sample['requests']} came out of the cache", "see its log")
            samples.append(sample)
            print(
                f"round {number} {name:7s} {sample['per_second']:7.0f}/s  p50 {sample['p50_ms']:.1f} ms  "
                f"p99 {sample['p99_ms']:.1f} ms  load {sample['load']:.1f}",
                flush=True,
            )
    return samples


def figures(samples: Sequence[Sample]) -> dict[str, Figure]:
    """Return the medians over the rounds, with the least and the greatest, and the ratio within a round."""
    result: dict[str, Figure] = {}
    of = {name: [s for s in samples if s["name"] == name] for name in ("cached", "plain")}
    for name, prefix in (("cached", "cached_answers"), ("plain", "plain_answers")):
        rates, tails = ([s[key] for s in of[name]] for key in ("per_second", "p99_ms"))
        result |= {
            f"{prefix}_per_s": statistics.median(rates),
            f"{prefix}_per_s_min": min(rates),
            f"{prefix}_per_s_max": max(rates),
            f"{name}_p99_ms": statistics.median(tails),
            f"{name}_p99_ms_min": min(tails),
            f"{name}_p99_ms_max": max(tails),
            f"{name}_p50_ms": statistics.median(s["p50_ms"] for s in of[name]),
        }
    ratios = [a["per_second"] / b["per_second"] for a, b in zip(of["cached"], of["plain"], strict=True)]
    result |= {
        "ratio_to_plain_handler": statistics.median(ratios),
        "ratio_to_plain_handler_min": min(ratios),
        "ratio_to_plain_handler_max": max(ratios),
        "generator_cores": statistics.median(s["generator_cores"] for s in samples),
    }
    return result


def main() -> int:
    """Measure and write build/bench/cache.json; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cache", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="each (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=8, help="callers at once (default: %(default)s)")
    chosen = parser.parse_args()
    begun = os.getloadavg()[0]
    known = json.loads(PAIRS.read_text(encoding="utf-8"))
    pairs = [(entry["pair"][0], entry["pair"][1]) for entry in known["near_misses"]]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="bench-cache-") as place,
            assistant(Path(place) / "a") as running,
        ):
            with httpx.Client(base_url=running.url, trust_env=False, timeout=120) as client:
                wrong = false_hits(client, pairs)
                answers = prime(client, [one for one, _ in pairs[:QUESTIONS]])
            bodies = Path(place) / "bodies"
            write_bodies(bodies, list(answers))
            with plain(Path(place) / "p", running.environment, answers) as other:
                samples = measure(running, other, bodies, chosen)
    except StageFailure as failure:
        print(failure.why, failure.remedy, sep="\n", file=sys.stderr)
        return 1
    loads = [sample["load"] for sample in samples]
    conditions: dict[str, Figure] = {
        "false_hits": wrong,
        "near_misses": len(pairs),
        "questions": len(answers),
        "rounds": chosen.rounds,
        "seconds": chosen.seconds,
        "connections": chosen.connections,
        "cores": os.cpu_count() or 0,
        "load_before": begun,
        "load_min": min(loads),
        "load_max": max(loads),
    }
    write_report("cache", figures(samples) | conditions, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
