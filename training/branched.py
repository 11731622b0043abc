"""Pairs that were played on: two candidates of one turn, of which the rollouts say which is worth more.

Both answer exactly the same words (the hash of the dialogue says so). A pair is made where their values differ beyond
chance, or by as much as the recipe asks for; what broke a rule is never the preferred side.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random

from store.branches import Competing, competing
from store.datasets import DatasetRow
from store.filters import Filters
from store.seats import Seats
from training.leaks import Guard
from training.pairs import Mining

CHANCE = 0.05
DRAWS = 2000
"""Shuffles that are drawn where rewards lie between 0 and 1."""


def branched_rows(
    reader: sqlite3.Connection,
    filters: Filters,
    guard: Guard,
    left_out: Counter[str],
    wish: Mining,
    roles: Sequence[str] = (),
) -> list[DatasetRow]:
    """Pairs of all points, the widest apart first within a point; what may not be used is counted in `left_out`."""
    seats = Seats(reader, filters, roles)
    points: dict[tuple[str, int, str, str], list[Competing]] = defaultdict(list)
    for one in competing(reader, filters):
        if one.withheld:
            left_out["played on, but written by somebody who agreed to less"] += 1
        elif guard.keeps(one.key, one.split):
            left_out["played on, but validation or test material"] += 1
        elif len(one.rewards) < wish.rollouts:
            left_out["played on too seldom"] += 1
        elif seats.has(one.episode, one.role):
            points[one.episode, one.ply, one.role, one.seen].append(one)
    return [row for some in points.values() for row in _pairs(some, wish, left_out)]


def _pairs(some: Sequence[Competing], wish: Mining, left_out: Counter[str]) -> list[DatasetRow]:
    found = [(good, bad) for good in some for bad in some if mean(good) > mean(bad) and good.legal]
    found.sort(key=lambda pair: mean(pair[1]) - mean(pair[0]))
    used: Counter[tuple[str, str]] = Counter()
    rows: list[DatasetRow] = []
    for good, bad in found:
        sides = (("chosen", good.candidate), ("rejected", bad.candidate))
        if len(rows) >= wish.per_state or any(used[side] >= wish.per_reply for side in sides):
            continue
        if not apart(good.rewards, bad.rewards, wish.gap):
            left_out["played on, but no difference beyond chance"] += 1
            continue
        used.update(sides)
        rows.append(_row(good, bad))
    return rows


def mean(one: Competing) -> float:
    """The candidate's value."""
    return math.fsum(one.rewards) / len(one.rewards)


def apart(first: Sequence[float], second: Sequence[float], gap: float | None) -> bool:
    """Whether the first are worth more than the second: by `gap`, or, where that is None, beyond chance."""
    difference = math.fsum(first) / len(first) - math.fsum(second) / len(second)
    return difference >= gap - 1e-9 if gap is not None else difference > 0 and chance(first, second) < CHANCE


def chance(first: Sequence[float], second: Sequence[float]) -> float:
    """How likely means lie at least so far apart, either way, where it is chance which rewards fell to whom.

    Exact where all rewards are 0 or 1 (Fisher's test); else from seeded shuffles.
    """
    n, m = len(first), len(second)
    pooled = [*first, *second]
    seen = abs(math.fsum(first) / n - math.fsum(second) / m) - 1e-9
    if set(pooled) <= {0.0, 1.0}:
        hits, ways = round(sum(pooled)), math.comb(n + m, n)
        sizes = range(max(0, hits - m), min(n, hits) + 1)
        far = [at for at in sizes if abs(at / n - (hits - at) / m) >= seen]
        return sum(math.comb(hits, at) * math.comb(n + m - hits, n - at) for at in far) / ways
    luck, far_off = Random(f"{n}:{m}:{sorted(pooled)}"), 0
    for _ in range(DRAWS):
        luck.shuffle(pooled)
        far_off += abs(math.fsum(pooled[:n]) / n - math.fsum(pooled[n:]) / m) >= seen
    return (far_off + 1) / (DRAWS + 1)


def _row(good: Competing, bad: Competing) -> DatasetRow:
    why = f"played on: {mean(good):.2f} of {len(good.rewards)} against {mean(bad):.2f} of {len(bad.rewards)}"
    return DatasetRow(
        str(good.message[0]), (good.place,), good.seen, str(bad.message[0]),
        episode=good.episode, role=good.role, trained=_some(good.turn), against=_some(bad.turn),
        chosen=good.candidate, refused=bad.candidate, why=why, new=(good.message, bad.message),
    )  # fmt: skip


def _some(turn: str | None) -> tuple[str, ...]:
    return () if turn is None else (turn,)
