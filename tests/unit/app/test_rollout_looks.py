"""A rollout is looked at each hour for up to a week: how often a candidate that is worse gets through."""

import numpy as np
import pytest

from assistant.rollout.judge import Evidence, Health, judge
from assistant.rollout.rules import Rules, make_rules
from assistant.store.rollout_answers import ArmFigures

ROLLOUTS = 1000
RATINGS_A_DAY = 1000.0
STABLE = 0.75


def promoted(difference: float, rules: Rules) -> float:
    """Return the share of rollouts that promote a candidate whose good ratings differ by so much."""
    random = np.random.default_rng(20261127)
    return sum(_promoted(difference, rules, random) for _ in range(ROLLOUTS)) / ROLLOUTS


def _promoted(difference: float, rules: Rules, random: np.random.Generator) -> bool:
    hours = int(rules.max_hours)
    ratings = [
        np.cumsum(random.poisson(RATINGS_A_DAY / 24 * share, hours))
        for share in (rules.share, 1 - rules.share)
    ]
    good = [
        np.cumsum(random.binomial(np.diff(counts, prepend=0), quality))
        for counts, quality in zip(ratings, (STABLE + difference, STABLE), strict=True)
    ]
    due = rules.hours
    while due <= hours:
        mine, base = (
            ArmFigures(
                ok=10_000,
                p50=1.0,
                p99=3.0,
                ratings=int(count[int(due) - 1]),
                good_ratings=int(those[int(due) - 1]),
            )
            for count, those in zip(ratings, good, strict=True)
        )
        found = judge(
            Evidence(stable=base, candidate=mine), Health(), rules, elapsed_seconds=due * 3600, due_hours=due
        )
        if found.action != "extend":
            return found.action == "promote"
        due += rules.extend_hours
    return False


def test_worse_by_just_the_margin_one_in_twenty_gets_through_at_most() -> None:
    assert promoted(-Rules().ratings_margin, Rules()) <= 0.05


def test_with_the_interval_of_a_single_look_more_would() -> None:
    assert promoted(-Rules().ratings_margin, make_rules({"confidence": 0.95})) > 0.08


@pytest.mark.parametrize(("difference", "least"), [(0.0, 0.9), (0.1, 1.0)])
def test_one_that_is_as_good_gets_through_within_the_week(difference: float, least: float) -> None:
    assert promoted(difference, Rules()) >= least
