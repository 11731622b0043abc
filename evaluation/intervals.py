"""Intervals beside every number: Wilson for rates, cluster bootstrap for means. Below five observations there is none.

The unit is the instance: repeats and siblings of it are not independent, so they are drawn together. The percentiles of
a bootstrap are too narrow for few clusters; they are moved outwards as Hesterberg (2015, The American Statistician 69)
has it, so that for a mean of normal values they come to Student's interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter, mul
from random import Random
from statistics import NormalDist
from typing import NamedTuple, TypeAlias

LEAST = 5
"""Observations below which no interval is given."""
RESAMPLES = 2000
MANY = 256
"""Clusters above which sums of resamples are taken from the normal distribution that they have by then."""
FEW = 24
"""Different clusters that are counted; more are added up one by one."""
BATCH = 4096
"""Random bytes that are drawn at once."""
Z = 1.959963984540054
"""The 97.5% point of the normal distribution."""
NORMAL = NormalDist()

Vector: TypeAlias = tuple[float, ...]


class Estimate(NamedTuple):
    """A value with its 95% interval; `low` and `high` are None where there is too little to say."""

    value: float
    low: float | None
    high: float | None
    n: int

    def times(self, factor: float) -> Estimate:
        """The same in another unit: a rate times 100 is in percent."""
        return Estimate(
            self.value * factor,
            None if self.low is None else self.low * factor,
            None if self.high is None else self.high * factor,
            self.n,
        )


def wilson(successes: float, n: float, least: int = LEAST) -> Estimate:
    """A rate from 0 to 1 and Wilson's score interval. Raises ValueError for n = 0."""
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"no rate of {successes} in {n}")
    rate = successes / n
    if n < least:
        return Estimate(rate, None, None, int(n))
    spread = Z * math.sqrt(rate * (1 - rate) / n + Z * Z / (4 * n * n))
    middle, scale = rate + Z * Z / (2 * n), 1 + Z * Z / n
    return Estimate(rate, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale), int(n))


def mean_return(rewards: Sequence[float]) -> Estimate | None:
    """The mean of rewards from 0 to 1, with Wilson's interval from five on; None without any.

    Rewards between 0 and 1 vary least where none is in between, so that the interval of a rate is never too narrow.
    """
    return wilson(min(max(math.fsum(rewards), 0.0), len(rewards)), len(rewards)) if rewards else None


def percentiles(drawn: Sequence[float], tail: float = 0.025) -> tuple[float, float]:
    """Resampled values with this share of them cut off at either end."""
    order = sorted(drawn)
    last = len(order) - 1
    return order[round(tail * last)], order[round((1 - tail) * last)]


def tail(*clusters: int) -> float:
    """What to cut off at either end of a bootstrap for 95%, given the numbers of clusters per stratum.

    A bootstrap takes the spread within n clusters to be (n - 1) / n of what it is, and knows no Student's t.
    """
    n, free = sum(clusters), sum(clusters) - len(clusters)
    if free < 1:
        raise ValueError("no interval from one cluster a stratum")
    return NORMAL.cdf(-student(0.975, free) * math.sqrt(n / free))


def student_cdf(t: float, free: int) -> float:
    """Student's distribution for a whole number of degrees of freedom, by the finite sums of Abramowitz and Stegun
    (26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(free))
    cosine = math.cos(angle) ** 2
    term = math.cos(angle) if free % 2 else 1.0
    total = term if free > 1 else 0.0
    for step in range(3 if free % 2 else 2, free - 1, 2):
        term *= (step - 1) / step * cosine
        total += term
    inside = math.sin(angle) * total if free % 2 == 0 else 2 / math.pi * (angle + math.sin(angle) * total)
    return 0.5 + inside / 2


@lru_cache(maxsize=4096)
def student(share: float, free: int) -> float:
    """The point below which this share (0.5 to 1) of Student's distribution lies.

    For many degrees of freedom by the normal point and three terms (Abramowitz and Stegun 26.7.5), to seven digits.
    """
    if free > 200:
        z = NORMAL.inv_cdf(share)
        second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
        return z + (z**3 + z) / (4 * free) + second + third
    low, high = 0.0, 1.0
    while student_cdf(high, free) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, free) < share else (low, middle)
    return (low + high) / 2


def sums(clusters: Sequence[Vector], seed: int | str = 0, resamples: int = RESAMPLES) -> Iterator[Vector]:
    """For each resample, the sums over as many clusters as there are, drawn with replacement.

    A cluster is a vector of numbers that are added up, such as (played, episodes). Above `MANY` clusters the sums are
    drawn from the normal distribution with their means and covariances, which takes no longer for more of them.
    """
    luck, n = Random(seed), len(clusters)
    if n > MANY:
        yield from _normal_sums(clusters, luck, resamples)
        return
    kinds = sorted(set(clusters))  # equal clusters need not be told apart: then counting is enough, and much faster
    place = {kind: at for at, kind in enumerate(kinds)}
    even = 256 // n * n  # bytes from here on would favour the first clusters, and are dropped
    which = bytes(place[clusters[byte % n]] for byte in range(256))
    unfair = bytes(range(even, 256))
    columns = list(zip(*kinds, strict=True))
    drawn = b""
    for _ in range(resamples):
        while len(drawn) < n:
            drawn += luck.randbytes(BATCH).translate(which, unfair)
        some, drawn = drawn[:n], drawn[n:]
        if len(kinds) <= FEW:
            counts = [some.count(kind) for kind in range(len(kinds))]
            yield tuple(sum(map(mul, counts, column)) for column in columns)
        else:
            pick = itemgetter(*some)
            yield tuple(sum(pick(column)) for column in columns)


def _normal_sums(clusters: Sequence[Vector], luck: Random, resamples: int) -> Iterator[Vector]:
    n, size = len(clusters), len(clusters[0])
    means = [math.fsum(column) / n for column in zip(*clusters, strict=True)]
    rest = [[value - mean for value, mean in zip(cluster, means, strict=True)] for cluster in clusters]
    root = [[0.0] * size for _ in range(size)]
    for i in range(size):  # Cholesky's root of the covariance of the sums; a column that never varies stays zero
        for j in range(i + 1):
            left = math.fsum(one[i] * one[j] for one in rest) - sum(root[i][k] * root[j][k] for k in range(j))
            if i == j:
                root[i][i] = math.sqrt(left) if left > 1e-9 else 0.0
            elif root[j][j]:
                root[i][j] = left / root[j][j]
    for _ in range(resamples):
        z = [luck.gauss(0.0, 1.0) for _ in range(size)]
        yield tuple(n * means[i] + sum(root[i][k] * z[k] for k in range(i + 1)) for i in range(size))


def clustered_mean(clusters: Mapping[str, Sequence[float]], seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean over all values, and a percentile interval from drawing whole clusters. Raises ValueError without any.

    With fewer than five clusters there is no interval, however many values they hold.
    """
    pairs: list[Vector] = [(sum(values), len(values)) for _, values in sorted(clusters.items()) if values]
    n = sum(int(count) for _, count in pairs)
    if not n:
        raise ValueError("no mean of nothing")
    mean = sum(total for total, _ in pairs) / n
    if len(pairs) < LEAST:
        return Estimate(mean, None, None, n)
    drawn = [total / count for total, count in sums(pairs, seed, resamples) if count > 0]
    return Estimate(mean, *percentiles(drawn, tail(len(pairs))), n)


def clustered_rate(clusters: Mapping[str, Sequence[bool]]) -> Estimate:
    """A rate from 0 to 1 with Wilson's interval. Raises ValueError without any observation.

    Where a cluster holds several observations, Wilson's formula is given as many as they are worth: their number over
    the design effect, with Student's point for the number of clusters (Korn and Graubard 1998; Franco et al. 2019).
    A bootstrap of few clusters is too narrow near 0 and 1, and of no width where all are equal; this is not.
    """
    sizes: list[Vector] = [(sum(values), len(values)) for values in clusters.values() if values]
    n, hits = sum(size for _, size in sizes), sum(total for total, _ in sizes)
    if not n:
        raise ValueError("no rate of nothing")
    if n == len(sizes):
        return wilson(hits, n)
    rate, k = hits / n, len(sizes)
    if k < LEAST:
        return Estimate(rate, None, None, int(n))
    variance = k / (k - 1) * math.fsum((total - size * rate) ** 2 for total, size in sizes) / n**2
    worth = float(k) if rate in (0.0, 1.0) else min(n, rate * (1 - rate) / variance) if variance else n
    worth *= (Z / student(0.975, k - 1)) ** 2
    return Estimate(rate, *wilson(rate * worth, worth, least=0)[1:3], int(n))
