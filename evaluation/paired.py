"""Tests for paired differences: exact where that can be counted, else by drawing; Holm; and how many more it takes.

A difference is that of one instance: what one model made of it, less what the other made of it. If neither is better,
each difference could as well have had the other sign: the share of all ways to choose the signs that gives as large a
sum is the p value (Fisher's randomization test). For yes-or-no outcomes it is McNemar's exact test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from random import Random
from statistics import NormalDist

from evaluation.intervals import LEAST, MANY, RESAMPLES, Estimate, Vector, percentiles, student, sums, tail

EXACT = 20_000
"""Different sums that are counted one by one; where there are more, signs are drawn."""
DRAWN = 5_000
GRAIN = 1e-6
"""Differences that are closer than this are equal."""
COIN = bytes(byte & 1 for byte in range(256))
"""From a random byte to a random bit."""
ENOUGH = 100_000
"""Numbers of instances above which nobody is told how many it would take."""
POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class McNemar:
    """Discordant pairs: where only the first, and only the second one succeeded, and the exact two-sided p value."""

    first: int
    second: int
    p: float


def mcnemar(first: int, second: int) -> McNemar:
    """McNemar's test by the binomial distribution: how likely is so uneven a split of the discordant pairs."""
    n, least = first + second, min(first, second)
    ways = sum(math.comb(n, k) for k in range(least + 1))
    return McNemar(first, second, min(1.0, 2 * ways / 2**n))


def sign_p(differences: Sequence[float], seed: int | str = 0) -> float:
    """The two-sided p value of the sum of these differences, each of which could have had the other sign."""
    sizes = sorted(n for one in differences if (n := abs(round(one / GRAIN))))
    if not sizes:
        return 1.0
    rounding = len(sizes)  # thirds and the like are no whole grains: equal sums may differ by one for each
    observed = abs(sum(round(one / GRAIN) for one in differences)) - rounding
    if len(sizes) > MANY:
        return 2 * NormalDist().cdf(-max(0, observed) / math.sqrt(sum(one * one for one in sizes)))
    ways: dict[int, int] = {0: 1}
    for size in sizes:
        after: dict[int, int] = {}
        for total, count in ways.items():
            for moved in (total + size, total - size):
                after[moved] = after.get(moved, 0) + count
        ways = after
        if len(ways) > EXACT:
            return _drawn_p(sizes, observed, seed)
    return sum(count for total, count in ways.items() if abs(total) >= observed) / 2 ** len(sizes)


def _drawn_p(sizes: Sequence[int], observed: int, seed: int | str) -> float:
    """The share of drawn signs with as large a sum; what was observed counts as one of them, so p is never 0."""
    luck, whole, n = Random(seed), sum(sizes), len(sizes)
    hits = 0
    for _ in range(DRAWN):
        kept = sum(compress(sizes, luck.randbytes(n).translate(COIN)))
        hits += abs(2 * kept - whole) >= observed
    return (1 + hits) / (1 + DRAWN)


def swap_p(
    clusters: Sequence[Sequence[Vector]],
    statistic: Callable[[Sequence[Vector]], float],
    seed: int | str = 0,
    resamples: int = RESAMPLES,
) -> float:
    """The p value of a statistic of two models' sums, when any instance could have had the models exchanged.

    `clusters` has per stratum the instances' vectors, first model's half before the second's; `statistic` is given the
    sums of every stratum in that form, and changes its sign when the halves are exchanged.
    """
    luck = Random(seed)
    half = len(clusters[0][0]) // 2
    totals = [tuple(map(sum, zip(*stratum, strict=True))) for stratum in clusters]
    moves = [list(zip(*(_exchange(vector, half) for vector in stratum), strict=True)) for stratum in clusters]
    observed, hits = abs(statistic(totals)), 0
    for _ in range(resamples):
        drawn: list[Vector] = []
        for total, columns in zip(totals, moves, strict=True):
            n = len(columns[0])
            signs = luck.randbytes(n).translate(COIN)
            drawn.append(tuple(was + sum(compress(column, signs)) for was, column in zip(total, columns, strict=True)))
        hits += abs(statistic(drawn)) >= observed - 1e-9
    return (1 + hits) / (1 + resamples)


def _exchange(vector: Vector, half: int) -> Vector:
    """What exchanging the halves adds to each number."""
    return tuple(other - one for one, other in zip(vector, (*vector[half:], *vector[:half]), strict=True))


def holm(p_values: Sequence[float]) -> list[float]:
    """The same values after Holm's step-down correction, in the same order.

    If no difference is real, some value falls below 0.05 in at most 5% of all cases.
    """
    found, highest = [0.0] * len(p_values), 0.0
    for at, factor in sorted(enumerate(holm_factors(p_values)), key=lambda item: -item[1]):
        highest = max(highest, min(1.0, factor * p_values[at]))
        found[at] = highest
    return found


def holm_factors(p_values: Sequence[float]) -> list[int]:
    """What Holm multiplies each value with: the smallest with their number, the next with one less, and so on."""
    found = [0] * len(p_values)
    for place, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        found[at] = len(p_values) - place
    return found


def paired_mean(clusters: Sequence[Vector], seed: int | str = 0, resamples: int = RESAMPLES) -> Estimate:
    """The mean of paired differences, given as (sum, number) per instance, and its cluster bootstrap interval."""
    n = sum(count for _, count in clusters)
    value = sum(total for total, _ in clusters) / n
    if len(clusters) < LEAST:
        return Estimate(value, None, None, int(n))
    drawn = [total / count for total, count in sums(clusters, seed, resamples) if count > 0]
    return Estimate(value, *percentiles(drawn, tail(len(clusters))), int(n))


def instances_needed(difference: float, spread: float, power: float = POWER, alpha: float = ALPHA) -> int | None:
    """How many instances show a difference of means with this power, when single differences have this standard
    deviation. None where more than `ENOUGH` would be needed, or the difference is none.

    The normal formula n = ((z + z') s / d)², with Student's points for that n instead of z.
    """
    if not difference:
        return None
    if not spread:
        return LEAST
    n, ratio = float(LEAST), (spread / difference) ** 2
    for _ in range(50):
        if n > ENOUGH:
            return None
        free = max(2, math.ceil(n) - 1)
        after = (student(1 - alpha / 2, free) + student(power, free)) ** 2 * ratio
        if abs(after - n) < 0.01:
            break
        n = (n + after) / 2
    return max(LEAST, math.ceil(n)) if n <= ENOUGH else None


def spread_of(clusters: Sequence[Vector]) -> float:
    """The standard deviation of the instances' mean differences."""
    means = [total / count for total, count in clusters]
    middle = math.fsum(means) / len(means)
    return math.sqrt(math.fsum((mean - middle) ** 2 for mean in means) / (len(means) - 1)) if len(means) > 1 else 0.0
