"""One step: questions that arrive at a set rate, and what became of them."""

from __future__ import annotations

import http.client
import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from tests.bench.ack.arrivals import Arrival, Post, arrive
from tests.bench.mix.sites import Site
from tools.controller.failure import StageFailure

PATH = "/v1/chat/completions"
# More than the assistant has on its way at once: 16 calls of the model and what waits for one of those.
CONNECTIONS = 96
# As many as the model answers at once.
PRIMING = 4
CACHED = ("hit", "pinned")
# A step is kept up with where hardly anything failed, and what arrived was answered in the same time.
KEPT_UP, FAILED = 0.95, 0.01


@dataclass(frozen=True)
class Step:
    """What was measured; latencies are in ms, from the moment at which a question was due.

    ``in_time`` is how many were answered before the last one was due.
    """

    rate: float
    warm: bool
    arrivals: int
    in_time: int
    answered_per_second: float
    cached_ms: list[float]
    other_ms: list[float]
    failed: dict[str, int]
    late_ms_p99: float
    load: float

    @property
    def kept_up(self) -> bool:
        """Whether the assistant keeps up with this rate."""
        failed = sum(self.failed.values())
        return failed <= FAILED * self.arrivals and self.in_time >= KEPT_UP * self.arrivals

    @property
    def cached_share(self) -> float:
        """Which share of the answers came out of the cache."""
        return len(self.cached_ms) / max(1, len(self.cached_ms) + len(self.other_ms))

    def sample(self) -> dict[str, object]:
        """Return all of it for the samples' file."""
        return {**asdict(self), "kept_up": self.kept_up, "cached_share": self.cached_share}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile, a value that was measured."""
    ordered = sorted(values)
    return ordered[max(1, -(-len(ordered) * percent // 100).__int__()) - 1]


def post(site: Site, name: str, text: str, seed: int) -> Post:
    """Return a call that asks ``text``; calls of another ``seed`` have cached answers of their own."""
    body = {"messages": [{"role": "user", "content": text}], "temperature": 0, "seed": seed}
    headers = {"Authorization": f"Bearer {site.token}", "Content-Type": "application/json"}
    return Post(name, PATH, json.dumps(body).encode(), headers)


def prime(site: Site, texts: Sequence[str], seed: int) -> int:
    """Have each of ``texts`` answered, so that the cache may keep it; returns how many it keeps.

    Raises:
        StageFailure: one was not answered.
    """

    def twice(text: str) -> bool:
        call = post(site, "", text, seed)
        connection = site.door.connect()
        try:
            for _ in range(2):
                connection.request("POST", call.path, call.body, {**call.headers, "Host": site.door.host})
                answer = connection.getresponse()
                said = answer.read()
                if answer.status != 200:
                    raise StageFailure(f"'{text}' got {answer.status}: {said[:300]!r}", "see the log")
            return answer.getheader("X-Cache") in CACHED
        except (OSError, http.client.HTTPException) as error:
            raise StageFailure(f"'{text}' was not answered: {error!r}", "see the log") from error
        finally:
            connection.close()

    with ThreadPoolExecutor(PRIMING) as pool:
        return sum(pool.map(twice, texts))


def step(site: Site, texts: Sequence[str], rate: float, seed: int, *, warm: bool) -> Step:
    """Ask ``texts`` at ``rate`` a second, at random distances, and return what became of them."""
    posts = [post(site, str(number), text, seed) for number, text in enumerate(texts)]
    arrivals = arrive(site.door, posts, rate, CONNECTIONS, random.Random(seed))
    return judged(arrivals, rate, warm=warm)


def judged(arrivals: Sequence[Arrival], rate: float, *, warm: bool) -> Step:
    """Return the step that ``arrivals`` were."""
    well = [arrival for arrival in arrivals if arrival.status == 200]
    failed: dict[str, int] = {}
    for arrival in arrivals:
        if arrival.status != 200:
            failed[str(arrival.status)] = failed.get(str(arrival.status), 0) + 1
    first, last = min(arrival.due for arrival in arrivals), max(arrival.due for arrival in arrivals)
    in_time = sum(arrival.due + arrival.seconds <= last for arrival in well)
    return Step(
        rate,
        warm,
        len(arrivals),
        in_time,
        in_time / (last - first),
        [1000 * arrival.seconds for arrival in well if arrival.cache in CACHED],
        [1000 * arrival.seconds for arrival in well if arrival.cache not in CACHED],
        failed,
        percentile([1000 * arrival.late_seconds for arrival in arrivals], 99),
        os.getloadavg()[0],
    )
