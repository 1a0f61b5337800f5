"""``make bench-ack``: how soon a webhook is acknowledged while the model is busy, and answered without it.

nginx with the role's rendered configuration, the app under its own gunicorn settings with the demonstration's
model, and the emulated platforms run side by side on this machine: a container in a virtual network on a
machine that others use gave times that said more of them than of the assistant.

Each round has, on a fresh database each: 100 webhooks a second while the model answers all the time; the same
with 2,000 messages already waiting; 50 questions a second whose answer is cached, from the webhook's
arrival until the platform gets the reply, while the model rests and while it answers API calls in all its
slots. The rounds' order changes, and what else the machine does (its load) stands beside the figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.bench.ack.arrivals import Arrival, arrive
from tests.bench.ack.rig import PARALLEL, Rig, assembled, going_first, nginx_configuration
from tests.bench.ack.traffic import CONVERSATIONS, KNOWN_QUESTION, People, questions
from tests.bench.report import Figure, write_report
from tests.integration.app.process import SECRETS
from tools.controller.failure import StageFailure

PER_SECOND, CACHED_PER_SECOND = 100, 50
QUEUED = 2000
# What fills the slots before the first arrival is counted.
WARM_UP = 30
REPLIES_SECONDS = 30.0
Sample = dict[str, Any]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile, a value that was measured."""
    ordered = sorted(values)
    return ordered[max(1, -(-len(ordered) * percent // 100).__int__()) - 1]


def acknowledged(rig: Rig, seconds: float) -> Sample:
    """Send 100 webhooks a second and return how soon they were acknowledged.

    Raises:
        StageFailure: one was not accepted, or the model rested.
    """
    asked = questions()
    # Each once: the answer cache must not rest the model.
    texts = [f"{asked[n % len(asked)]} ({n})" for n in range(WARM_UP + int(PER_SECOND * seconds))]
    people = People()
    arrive(rig.door, people.write(texts, WARM_UP), PER_SECOND)
    posts = people.write(texts[WARM_UP:], int(PER_SECOND * seconds))
    tokens = rig.metric("assistant_tokens_total", '{arm="stable",kind="completion"}')
    # From the database: the metric may be two seconds old.
    unanswered = "SELECT count(*) FROM inbox WHERE state = 'pending'"
    waiting = [rig.assistant.rows(unanswered)[0][0]]
    arrivals = arrive(rig.door, posts, PER_SECOND)
    waiting.append(rig.assistant.rows(unanswered)[0][0])
    made = rig.metric("assistant_tokens_total", '{arm="stable",kind="completion"}') - tokens
    if min(waiting) < PARALLEL or made <= 0:
        raise StageFailure(f"the model rested: {waiting} waited, {made:.0f} tokens", "send more before")
    return {**_judged(rig, arrivals), "waiting": waiting, "tokens": made}


def cached(rig: Rig, seconds: float) -> Sample:
    """Ask 50 questions a second whose answer is known; return how soon the platforms have the answers.

    Each begins a conversation of its own: the cache is for first questions.

    Raises:
        StageFailure: one was not accepted, or not answered.
    """
    count = int(CACHED_PER_SECOND * seconds)
    people = People(WARM_UP + count)
    arrive(rig.door, people.write([KNOWN_QUESTION], 1), CACHED_PER_SECOND)
    _await(rig, 1)
    arrive(rig.door, people.write([KNOWN_QUESTION], WARM_UP), CACHED_PER_SECOND)
    _await(rig, 1 + WARM_UP)
    rig.forget()
    hits = rig.metric("assistant_answer_cache_total", '{result="hit"}')
    posts = people.write([KNOWN_QUESTION], count)
    arrivals = arrive(rig.door, posts, CACHED_PER_SECOND)
    received = _await(rig, len(posts))
    if (known := rig.metric("assistant_answer_cache_total", '{result="hit"}') - hits) != len(posts):
        raise StageFailure(f"{known:.0f} of {len(posts)} answers came out of the cache", _log(rig))
    late = [received[arrival.name] - arrival.due for arrival in arrivals]
    return {**_judged(rig, arrivals), "answer_ms": [1000 * value for value in late]}


def _await(rig: Rig, count: int) -> dict[str, float]:
    deadline = time.monotonic() + REPLIES_SECONDS
    while len(received := rig.received()) < count:
        if time.monotonic() > deadline:
            raise StageFailure(f"{len(received)} of {count} were answered", _log(rig))
        time.sleep(0.5)
    return received


def _judged(rig: Rig, arrivals: list[Arrival]) -> Sample:
    refused = [arrival for arrival in arrivals if arrival.status != 200]
    if refused:
        raise StageFailure(f"{len(refused)} of {len(arrivals)} not accepted: {refused[:3]}", _log(rig))
    first, last = arrivals[0], arrivals[-1]
    return {
        "ack_ms": [1000 * arrival.seconds for arrival in arrivals],
        "late_ms": [1000 * arrival.late_seconds for arrival in arrivals],
        "per_second": len(arrivals) / (last.due + last.seconds - first.due),
        "load": os.getloadavg()[0],
    }


def _log(rig: Rig) -> str:
    return rig.assistant.log()[-2000:]


@contextmanager
def api_callers(rig: Rig) -> Iterator[None]:
    """Keep all slots of the model busy with API calls, each made when the one before is answered."""
    stop = threading.Event()

    def ask(first: int) -> None:
        headers = {"Authorization": f"Bearer {SECRETS['api_token']}"}
        texts = questions()
        with httpx.Client(
            base_url=rig.assistant.url, headers=headers, trust_env=False, timeout=120
        ) as client:
            while not stop.is_set():
                first += 1
                message = {"role": "user", "content": texts[first % len(texts)]}
                client.post("/v1/chat/completions", json={"messages": [message]})

    threads = [threading.Thread(target=ask, args=(n * 97,), daemon=True) for n in range(PARALLEL)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _busy_cached(rig: Rig, seconds: float) -> Sample:
    with api_callers(rig):
        tokens = rig.metric("assistant_tokens_total", '{arm="stable",kind="completion"}')
        sample = cached(rig, seconds)
        made = rig.metric("assistant_tokens_total", '{arm="stable",kind="completion"}') - tokens
    return {**sample, "tokens": made}


Part = Callable[[Rig, float], Sample]
PARTS: dict[str, tuple[Part, int]] = {
    "ack": (acknowledged, 0),
    "ack_queued": (acknowledged, QUEUED),
    "cached": (cached, 0),
    "cached_busy": (_busy_cached, 0),
}


def measure(rounds: int, seconds: float, parts: Sequence[str]) -> list[Sample]:
    """Run all ``rounds`` of ``parts`` with ``seconds`` of arrivals each."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="bench-ack-") as place:
        configuration = nginx_configuration(Path(place))
        for number in range(rounds):
            order = parts if number % 2 == 0 else list(reversed(parts))
            for name in order:
                part, waiting = PARTS[name]
                texts = questions()
                queued = [f"{texts[n % len(texts)]} [{n}]" for n in range(waiting)]
                folder = Path(place) / f"{number}-{name}"
                folder.mkdir()
                with assembled(folder, configuration, queued) as rig:
                    sample = {"round": number, "part": name, **part(rig, seconds)}
                samples.append(sample)
                print(_line(sample), flush=True)
    return samples


def _line(sample: Sample) -> str:
    parts = [f"round {sample['round']} {sample['part']:12s} load {sample['load']:.1f}"]
    for key in ("ack_ms", "answer_ms", "late_ms"):
        if key in sample:
            values = sample[key]
            parts.append(f"{key} p50 {percentile(values, 50):.1f} p99 {percentile(values, 99):.1f}")
            parts.append(f"max {max(values):.1f}")
    return "  ".join([*parts, f"waiting {sample.get('waiting')} tokens {sample.get('tokens')}"])


def figures(samples: Sequence[Sample]) -> dict[str, Figure]:
    """Return the medians over the rounds of each part's p50 and p99, with the smallest and largest p99."""
    result: dict[str, Figure] = {}
    names = {
        ("ack", "ack_ms"): "ack",
        ("ack_queued", "ack_ms"): "ack_queued",
        ("cached", "answer_ms"): "cached_answer",
        ("cached_busy", "answer_ms"): "cached_answer_busy",
    }
    for (part, key), name in names.items():
        found = [sample[key] for sample in samples if sample["part"] == part]
        if not found:
            continue
        tails = [percentile(values, 99) for values in found]
        result[f"{name}_p99_ms"] = statistics.median(tails)
        result[f"{name}_p99_ms_min"], result[f"{name}_p99_ms_max"] = min(tails), max(tails)
        result[f"{name}_p50_ms"] = statistics.median(percentile(values, 50) for values in found)
        result[f"{name}_requests"] = sum(len(values) for values in found)
    rates = [sample["per_second"] for sample in samples if sample["part"] == "ack"]
    if rates:
        result["requests_per_s"] = statistics.median(rates)
    for key in ("p50", "p99"):
        if {f"ack_{key}_ms", f"ack_queued_{key}_ms"} <= result.keys():
            plain, queued = result[f"ack_{key}_ms"], result[f"ack_queued_{key}_ms"]
            result[f"queued_slowdown_{key}"] = float(queued) / float(plain)
    return result


def main() -> int:
    """Measure and write build/bench/ack.json; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ack", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=20.0, help="of arrivals (default: %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    try:
        with going_first() as first:
            samples = measure(arguments.rounds, arguments.seconds, arguments.parts)
    except StageFailure as failure:
        print(failure.why, failure.remedy, sep="\n", file=sys.stderr)
        return 1
    loads = [sample["load"] for sample in samples]
    conditions: dict[str, Figure] = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "cores": os.cpu_count() or 0,
        "load_before": load,
        "load_min": min(loads),
        "load_max": max(loads),
        "senders_going_first": first,
        "conversations": 2 * CONVERSATIONS,
        "cached_question": KNOWN_QUESTION,
    }
    write_report("ack", figures(samples) | conditions, samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
