"""How often people and games disagree about which of two replies is better, with an interval, and about which pairs."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from evaluation.intervals import Estimate, clustered_rate
from store.disagreement import Pair, judged_pairs
from store.filters import Filters

Order: TypeAlias = Literal["strongest", "newest"]


@dataclass(frozen=True, slots=True)
class DisagreementReport:
    """All pairs that people judged, counted, and those about which people and games disagree."""

    pairs: int
    agree: int
    undecided: dict[str, int]
    """How many cannot be told, by reason, the commonest first."""
    share: Estimate | None
    """Of pairs that can be told, how many disagree, 0 to 1; the interval knows which are of one instance."""
    disagreeing: tuple[Pair, ...]
    withdrawn: int
    """Votes that are left out, since whoever gave them took their consent back."""

    @property
    def disagree(self) -> int:
        """How many pairs."""
        return len(self.disagreeing)

    @property
    def open(self) -> int:
        """How many cannot be told."""
        return sum(self.undecided.values())


def disagreement(
    reader: sqlite3.Connection,
    queue: str | None = None,
    filters: Filters | None = None,
    *,
    played_on: bool = False,
    order: Order = "strongest",
) -> DisagreementReport:
    """Pairs of a queue (all without), of episodes that fit; with `played_on` only those with rollouts of both sides.

    Raises Unknown for the queue, ValueError and BadCondition for the filters.
    """
    found = judged_pairs(reader, queue, filters)
    pairs = [one for one in found.pairs if not played_on or (one.a.rewards and one.b.rewards)]
    clusters: dict[str, list[bool]] = defaultdict(list)
    for one in pairs:
        if one.stand != "undecided":
            clusters[one.instance].append(one.stand == "disagree")
    against = [one for one in pairs if one.stand == "disagree"]
    reasons = Counter(one.undecided for one in pairs if one.stand == "undecided")
    return DisagreementReport(
        len(pairs),
        sum(one.stand == "agree" for one in pairs),
        dict(reasons.most_common()),
        clustered_rate(clusters) if clusters else None,
        tuple(ordered(against, order)),
        found.withdrawn,
    )


def ordered(pairs: Iterable[Pair], order: Order) -> list[Pair]:
    """The newest first; or the strongest, which are those played on before those that ended once, the widest apart
    first, then those on which more people are of one mind."""
    newest = sorted(pairs, key=lambda one: (one.at, one.last), reverse=True)
    return newest if order == "newest" else sorted(newest, key=_weakness)


def _weakness(one: Pair) -> tuple[bool, float, int]:
    votes = one.tally
    return one.measure != "rollouts", -one.gap, -abs(votes["a"] - votes["b"])
