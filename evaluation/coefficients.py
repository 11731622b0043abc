"""Coefficients of agreement: raw, Cohen's kappa, Krippendorff's alpha and Gwet's AC1, with intervals over items.

Each is a function of sums over items, so that a bootstrap of whole items needs nothing but those sums, and the same
resampling serves here as in every other table (`evaluation.intervals`). They are our own few lines and no library:
`krippendorff` brings numpy and the GPL into an install that has neither, and knows no kappa, no AC1 and no interval;
`irrCAC` is pinned to scipy 1.12 and pandas 2. Tests hold them against `krippendorff` and published worked examples.

A unit is what judges said of one item, as places on a scale of `size` values; a missing verdict is left out of it.
Sources: Cohen 1960 (Educational and Psychological Measurement 20); Krippendorff 2011 (Computing Krippendorff's
Alpha-Reliability); Gwet 2008 (British Journal of Mathematical and Statistical Psychology 61) and, for more than two
judges and missing values, Gwet 2014 (Handbook of Inter-Rater Reliability).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from evaluation.intervals import RESAMPLES, Vector, percentiles, sums, tail

LEAST = 30
"""Items that two or more judged, below which no coefficient is given."""
TOO_FEW = f"too few (n<{LEAST})"
NO_VARIATION = "no variation"
"""Where all verdicts are the same there is no agreement beyond chance to speak of."""

Unit: TypeAlias = tuple[int, ...]


class Coefficient(NamedTuple):
    """A value with its 95% interval, or `why` there is none; `items` were judged at all, `overlaps` by two or more."""

    value: float | None
    low: float | None
    high: float | None
    items: int
    overlaps: int
    why: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return self.why
        bounds = "" if self.low is None or self.high is None else f" ({self.low:.2f} to {self.high:.2f})"
        return f"{self.value:.2f}{bounds}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A coefficient in two halves: what an item adds, and what the sums come to (None where that is undefined)."""

    name: str
    adds: Callable[[Unit], Vector]
    value: Callable[[Sequence[float]], float | None]

    def of(self, units: Sequence[Unit]) -> float | None:
        """The coefficient of all units; None where it is undefined."""
        vectors = [self.adds(unit) for unit in units]
        return self.value([sum(column) for column in zip(*vectors, strict=True)]) if vectors else None


def raw() -> Measure:
    """The share of pairs of judges that agree, over items that two or more judged."""

    def adds(unit: Unit) -> Vector:
        return (_agreeing(unit), 1.0) if len(unit) > 1 else (0.0, 0.0)

    return Measure("raw", adds, lambda found: found[0] / found[1] if found[1] > 0 else None)


def kappa(size: int) -> Measure:
    """Cohen's kappa of two judges; units are (first, second), those of one judge alone count for nothing."""

    def adds(unit: Unit) -> Vector:
        if len(unit) != 2:
            return (0.0,) * (2 * size + 2)
        marks = [0.0] * (2 * size)
        marks[unit[0]] = marks[size + unit[1]] = 1.0
        return (float(unit[0] == unit[1]), 1.0, *marks)

    def value(found: Sequence[float]) -> float | None:
        agree, n, *marks = found
        if n <= 0:
            return None
        chance = sum(first * second for first, second in zip(marks[:size], marks[size:], strict=True)) / n**2
        return _beyond(agree / n, chance)

    return Measure("kappa", adds, value)


def alpha(size: int, ordinal: bool = False) -> Measure:
    """Krippendorff's alpha for any number of judges and missing values; of a nominal or an ordinal scale."""
    pairs = [(low, high) for low in range(size) for high in range(low + 1, size)]

    def adds(unit: Unit) -> Vector:
        if len(unit) < 2:
            return (0.0,) * (size + len(pairs))
        counts = Counter(unit)
        share = 2 / (len(unit) - 1)  # every coincidence stands in the matrix twice, here once
        return (
            *(float(counts[value]) for value in range(size)),
            *(share * counts[low] * counts[high] for low, high in pairs),
        )

    def value(found: Sequence[float]) -> float | None:
        totals, seen = found[:size], found[size:]
        far = [_apart(totals, low, high) if ordinal else 1.0 for low, high in pairs]
        observed = sum(one * distance for one, distance in zip(seen, far, strict=True))
        expected = sum(
            2 * totals[low] * totals[high] * distance for (low, high), distance in zip(pairs, far, strict=True)
        )
        return 1 - (sum(totals) - 1) * observed / expected if expected > 0 else None

    return Measure("alpha", adds, value)


def ac1(size: int, used: int) -> Measure:
    """Gwet's AC1 for any number of judges and missing values; chance is spread over the `used` values of the scale."""

    def adds(unit: Unit) -> Vector:
        if not unit:
            return (0.0,) * (size + 3)
        counts = Counter(unit)
        both = (_agreeing(unit), 1.0) if len(unit) > 1 else (0.0, 0.0)
        return (*both, 1.0, *(counts[value] / len(unit) for value in range(size)))

    def value(found: Sequence[float]) -> float | None:
        agree, pairable, n, *shares = found
        if pairable <= 0 or n <= 0 or used < 2:
            return None
        common = [share / n for share in shares]
        return _beyond(agree / pairable, sum(one * (1 - one) for one in common) / (used - 1))

    return Measure("ac1", adds, value)


def estimated(
    measure: Measure, units: Sequence[Unit], seed: int | str = 0, least: int = LEAST, resamples: int = RESAMPLES
) -> Coefficient:
    """The coefficient with a percentile interval from drawing whole items; a word where two judged too few of them.

    Resamples in which it is undefined (all the same verdict) are left out of the interval.
    """
    some = [unit for unit in units if unit]
    overlaps = sum(len(unit) > 1 for unit in some)
    if overlaps < least:
        return Coefficient(None, None, None, len(some), overlaps, f"too few (n<{least})")
    value = measure.of(some)
    if value is None:
        return Coefficient(None, None, None, len(some), overlaps, NO_VARIATION)
    vectors = [measure.adds(unit) for unit in some]
    # above MANY items the sums come from a normal distribution, whose rarest counts may fall below nothing
    drawn = (measure.value([max(0.0, one) for one in found]) for found in sums(vectors, seed, resamples))
    kept = [one for one in drawn if one is not None]
    low, high = percentiles(kept, tail(overlaps)) if len(kept) > resamples // 2 else (None, None)
    return Coefficient(value, low, high, len(some), overlaps)


def prevalence(units: Sequence[Unit]) -> float:
    """The share of the commonest value among all; 0 where there is none."""
    counts = Counter(value for unit in units for value in unit)
    return max(counts.values()) / counts.total() if counts else 0.0


def _agreeing(unit: Unit) -> float:
    """The share of pairs of judges of one item that agree."""
    m = len(unit)
    return sum(count * (count - 1) for count in Counter(unit).values()) / (m * (m - 1))


def _apart(totals: Sequence[float], low: int, high: int) -> float:
    """The squared ordinal distance: how many values lie between, the ends counted half."""
    return (sum(totals[low : high + 1]) - (totals[low] + totals[high]) / 2) ** 2


def _beyond(seen: float, chance: float) -> float | None:
    """Agreement beyond chance, of what there could be."""
    return (seen - chance) / (1 - chance) if 1 - chance > 1e-12 else None
