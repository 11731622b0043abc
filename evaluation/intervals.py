"""Intervals beside every number: Wilson for rates, cluster bootstrap for means. Below five observations there is none.

The unit is the instance: repeats and siblings of it are not independent, so they are drawn together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import NamedTuple

LEAST = 5
"""Observations below which no interval is given."""
RESAMPLES = 2000
Z = 1.959963984540054
"""The 97.5% point of the normal distribution."""


class Estimate(NamedTuple):
    """A value with its 95% interval; `low` and `high` are None where there is too little to say."""

    value: float
    low: float | None
    high: float | None
    n: int


def wilson(successes: int, n: int) -> Estimate:
    """A rate from 0 to 1 and Wilson's score interval. Raises ValueError for n = 0."""
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"no rate of {successes} in {n}")
    rate = successes / n
    if n < LEAST:
        return Estimate(rate, None, None, n)
    spread = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    middle, scale = rate + Z * Z / (2 * n), 1 + Z * Z / n
    return Estimate(rate, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale), n)


def percentiles(drawn: Sequence[float]) -> tuple[float, float]:
    """The middle 95% of resampled values."""
    order = sorted(drawn)
    last = len(order) - 1
    return order[round(0.025 * last)], order[round(0.975 * last)]


def clustered_mean(clusters: Mapping[str, Sequence[float]], seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean over all values, and a percentile interval from drawing whole clusters. Raises ValueError without any.

    With fewer than five clusters there is no interval, however many values they hold.
    """
    sums = [(sum(values), len(values)) for _, values in sorted(clusters.items()) if values]
    n = sum(count for _, count in sums)
    if not n:
        raise ValueError("no mean of nothing")
    mean = sum(total for total, _ in sums) / n
    if len(sums) < LEAST:
        return Estimate(mean, None, None, n)
    luck = Random(seed)
    drawn: list[float] = []
    for _ in range(resamples):
        some = luck.choices(sums, k=len(sums))
        drawn.append(sum(total for total, _ in some) / sum(count for _, count in some))
    return Estimate(mean, *percentiles(drawn), n)
