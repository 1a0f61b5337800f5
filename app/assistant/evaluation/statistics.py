"""Intervals and quantiles; the same numbers and the same seed give the same result."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval."""

    value: float
    low: float
    high: float


def wilson(good: int, count: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the share ``good`` of ``count`` with Wilson's score interval; None without any.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927); without continuity correction, as in statsmodels'
    ``proportion_confint(method="wilson")``, a library that is heavier than this application.

    Raises:
        ValueError: ``good`` is no count of ``count``.
    """
    if not 0 <= good <= count:
        raise ValueError(f"{good} of {count} is no share")
    if not count:
        return None
    share, z = good / count, NormalDist().inv_cdf((1 + confidence) / 2)
    z2 = z * z
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = z / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    # Rounding must not put the ends of "none" and "all" outside of the share.
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest of ``values`` that at least ``share`` of them do not exceed; None without any."""
    if not values:
        return None
    return float(np.quantile(np.asarray(values, dtype=float), share, method="inverted_cdf"))


def bootstrap(
    strata: Sequence[int],
    statistic: Callable[[NDArray[np.int64]], float],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval:
    """Return ``statistic`` of all with its percentile bootstrap interval.

    Source: B. Efron and R. Tibshirani, "An introduction to the bootstrap" (1993), chapter 13. Each resample
    takes as many of every stratum as there are. A paired comparison hands in a ``statistic`` that is the
    difference of two models on the same numbers.

    Args:
        strata: the group of each of the things that are drawn, by number.
        statistic: a figure of those whose numbers it is given.
        seed: of the random numbers.
        resamples: how often is drawn.

    Raises:
        ValueError: there is nothing to draw from.
    """
    if not strata:
        raise ValueError("nothing to draw from")
    groups = np.asarray(strata)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    source = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([source.choice(one, size=len(one)) for one in members]))
        for _ in range(resamples)
    ]
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.asarray(drawn), [edge, 1 - edge])
    return Interval(float(statistic(np.arange(len(groups)))), float(low), float(high))
