"""The mix of questions, and when a rate counts as kept up with."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.bench.ack.arrivals import Arrival
from tests.bench.mix.questions import Mix, frequent
from tests.bench.mix.steps import Step, judged


def test_most_are_frequent_and_the_rest_was_never_asked() -> None:
    mix, known = Mix(), set(frequent())
    drawn = mix.draw(1000) + mix.draw(1000)
    new = [text for text in drawn if text not in known]
    assert len(new) == len(set(new)) == 300
    often = Counter(text for text in drawn if text in known).most_common()
    # The first rank's share of 400 by Zipf's law is 0.15, the tenth's a tenth of that.
    assert 0.11 < often[0][1] / 1700 < 0.20
    assert often[0][1] > 5 * often[9][1]


def test_the_same_seed_draws_the_same() -> None:
    assert Mix(3).draw(50) == Mix(3).draw(50) != Mix(4).draw(50)


def step(late: int = 0, failed: int = 0, count: int = 100) -> Step:
    arrivals = [Arrival(str(n), "/", n / 10, 0.0, 0.01, 200, "hit") for n in range(count)]
    for n in range(late):
        arrivals[n] = Arrival(str(n), "/", n / 10, 0.0, 60.0, 200, "miss")
    for n in range(late, late + failed):
        arrivals[n] = Arrival(str(n), "/", n / 10, 0.0, 0.01, 429)
    return judged(arrivals, 10.0, warm=True)


@pytest.mark.parametrize(
    ("late", "failed", "kept"), [(0, 0, True), (4, 0, True), (5, 0, False), (0, 2, False)]
)
def test_a_rate_is_kept_up_with_while_hardly_any_is_late_or_fails(late: int, failed: int, kept: bool) -> None:
    assert step(late, failed).kept_up is kept


def test_what_came_out_of_the_cache_is_told_from_the_rest() -> None:
    found = step(late=3, failed=1)
    assert (len(found.cached_ms), len(found.other_ms), found.failed) == (96, 3, {"429": 1})
    assert found.cached_share == pytest.approx(96 / 99)
    assert min(found.other_ms) == 60_000.0
