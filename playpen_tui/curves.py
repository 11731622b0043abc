"""Curves of a training at a size that stays quick to draw, however many steps it has.

A curve keeps at most `BINS` bins. Each covers as many steps as the others, and this doubles where they would be too
many, so adding is cheap and drawing never looks at more. No screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

BINS = 2048
"""Bins of a curve at most: more than any terminal has dots in a line."""


@dataclass(slots=True)
class Bin:
    """What `span` steps from `start` on came to: `broken` is how many of their values were no number."""

    start: int
    total: float = 0.0
    number: int = 0
    low: float = math.inf
    high: float = -math.inf
    broken: int = 0

    @property
    def mean(self) -> float | None:
        """The mean of its numbers; None where there is none."""
        return self.total / self.number if self.number else None

    def add(self, value: float | None) -> None:
        """Take in one value; None is no number."""
        if value is None or not math.isfinite(value):
            self.broken += 1
            return
        self.total += value
        self.number += 1
        self.low, self.high = min(self.low, value), max(self.high, value)

    def join(self, other: Bin) -> None:
        """Take in the bin behind it."""
        self.total += other.total
        self.number += other.number
        self.broken += other.broken
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


@dataclass(slots=True)
class Curve:
    """One quantity by step. `last` and `latest` are the last step and its value, None where that is no number."""

    name: str
    span: int = 1
    bins: list[Bin] = field(default_factory=list[Bin])
    last: int = -1
    latest: float | None = None
    first: float | None = None
    """The first value that is a number."""
    broken_at: int | None = None
    """The first step whose value is no number."""

    def add(self, step: int, value: float | None) -> None:
        """The value of a step behind all others; one of a step that is known already is passed over."""
        if step <= self.last:
            return
        start = step - step % self.span
        if not self.bins or self.bins[-1].start != start:
            self.bins.append(Bin(start))
        self.bins[-1].add(value)
        self.last, self.latest = step, value if value is not None and math.isfinite(value) else None
        if self.latest is None:
            self.broken_at = step if self.broken_at is None else self.broken_at
        elif self.first is None:
            self.first = self.latest
        if len(self.bins) > BINS:
            self._halve()

    def _halve(self) -> None:
        """Join bins two by two; new ones, since somebody may be drawing the old ones."""
        span = 2 * self.span
        kept: list[Bin] = []
        for one in self.bins:
            start = one.start - one.start % span
            if not kept or kept[-1].start != start:
                kept.append(Bin(start))
            kept[-1].join(one)
        self.span, self.bins = span, kept

    def at(self, step: float) -> Bin | None:
        """The bin nearest to a step; None where the curve is empty."""
        return min(self.bins, key=lambda one: abs(one.start + (self.span - 1) / 2 - step), default=None)


def smoothed(bins: Iterable[Bin], weight: float) -> Iterator[float | None]:
    """Means of bins, each drawn towards those before it by `weight` (0 to 1), none of which stands for a start."""
    sum, share = 0.0, 0.0
    for one in bins:
        mean = one.mean
        if mean is not None:
            sum, share = weight * sum + (1 - weight) * mean, weight * share + (1 - weight)
        yield None if mean is None else sum / share
