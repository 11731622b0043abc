"""How good judgements are: each judge by themselves, people with each other, and models against what people say.

Between judges only the first judgement of an item counts, not the repeat with sides swapped, nor one that settles a
dispute. Verdicts are nominal: a, b, tie, bad; a skip is no verdict and so is missing. Strength is ordinal: a much
better, a, tie, b, b much better; bad says nothing of which is better and is missing there, as a skip is. Models that
judge never count as people.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import TypeAlias

from evaluation.coefficients import Coefficient, Unit, ac1, alpha, estimated, kappa, prevalence, raw
from evaluation.intervals import Estimate, wilson
from store.verdicts import ItemPlace, JudgeKind, Judgements, Verdict, item_places, verdicts

SCALE = ("a", "b", "tie", "bad")
"""Verdicts that say something."""
STRENGTHS = 5
SEED = 0
SKEWED = 0.8
"""Share of the commonest verdict from which kappa and alpha say little, and AC1 is the one to read."""
OUTLYING = 3.5
"""Modified z (Iglewicz and Hoaglin 1993) of the logarithm of a time, beyond which it is an outlier."""
TIMED = 10
"""Times below which none is called an outlier."""


Firsts: TypeAlias = dict[str, dict[str, Verdict]]
"""By judge and item, what they said the first time."""


@dataclass(frozen=True, slots=True)
class JudgeRow:
    """One judge by themselves. Rates are from 0 to 1, with their n; None where there was nothing to count."""

    judge: str
    name: str
    kind: JudgeKind
    items: int
    """Different items."""
    votes: int
    """With repeats and skips."""
    pace: float | None
    """Items per minute of judging, slow outliers left out."""
    seconds: float | None
    """Median time from shown to judged."""
    left: Estimate | None
    """How often the left one, where one was better."""
    ties: Estimate | None
    bad: Estimate | None
    skips: Estimate | None
    consistency: Estimate | None
    """How often the repeat, with sides swapped, got the same verdict."""
    same_side: int
    """Repeats where the same side was called better both times, and so the other candidate."""
    gold: Estimate | None
    """How often right, of items with a known answer."""
    early: int
    """Votes before both sides could be read."""
    slow: int
    fast: int
    flagged: int


@dataclass(frozen=True, slots=True)
class PairRow:
    """Two judges on the items that both judged. Of a model and people, `first` is the model."""

    first: str
    second: str
    raw: Coefficient
    kappa: Coefficient
    alpha: Coefficient
    ac1: Coefficient


@dataclass(frozen=True, slots=True)
class GroupRow:
    """All people together. `kappa` is None unless they are exactly two."""

    judges: int
    raw: Coefficient
    kappa: Coefficient | None
    alpha: Coefficient
    strength: Coefficient
    """Alpha of the ordinal scale of strengths."""
    ac1: Coefficient
    commonest: str
    prevalence: float
    """Share of the commonest verdict."""

    @property
    def skewed(self) -> bool:
        """Whether kappa and alpha are low merely because nearly all verdicts are the same."""
        return self.prevalence >= SKEWED


@dataclass(frozen=True, slots=True)
class Disputed:
    """An item that people judge differently. `settled` is the verdict that decided it, None where it is open."""

    item: str
    place: ItemPlace | None
    votes: tuple[tuple[str, str, bool], ...]
    """(judge, verdict, much better)."""
    settled: str | None


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Everything that `annotate agreement` tells. People come first, models apart."""

    queues: tuple[str, ...]
    items: int
    judged: int
    """Items that at least one person judged."""
    votes: int
    withdrawn: int
    """Verdicts left out because their judge withdrew."""
    people: tuple[JudgeRow, ...]
    models: tuple[JudgeRow, ...]
    among_people: GroupRow
    pairs: tuple[PairRow, ...]
    with_people: tuple[PairRow, ...]
    """Each model against what people say of an item: what settled it, else what most of them say."""
    disputed: tuple[Disputed, ...]


def agreement(reader: sqlite3.Connection, queue: str | None = None) -> AgreementReport:
    """The report on the queues of this name or id, or on all. Raises Unknown (a LogError) for a queue that is not."""
    found = verdicts(reader, queue)
    plain = report(found)
    places = item_places(reader, [one.item for one in plain.disputed])
    return replace(plain, disputed=tuple(replace(one, place=places.get(one.item)) for one in plain.disputed))


def report(found: Judgements) -> AgreementReport:
    """The report on these judgements. No item has its place yet."""
    votes = [one for one in found.verdicts if not one.adjudicated]
    people, models = ([one for one in votes if one.kind == kind] for kind in ("person", "model"))
    first = firsts(people)
    settled = {one.item: one.verdict for one in found.verdicts if one.adjudicated and one.kind == "person"}
    said = said_by_people(first, settled)
    pairs = tuple(pair(one, other, first[one], first[other]) for one, other in combinations(sorted(first), 2))
    return AgreementReport(
        found.queues,
        found.items,
        len({one.item for one in people}),
        len(people),
        found.withdrawn,
        tuple(_rows(people)),
        tuple(_rows(models)),
        _group(first, pairs),
        pairs,
        tuple(_against(models, said)),
        tuple(_disputed(first, settled)),
    )


def firsts(votes: Sequence[Verdict]) -> Firsts:
    """What each judge said of each item the first time they were shown it; the last word of several."""
    found: Firsts = {}
    for one in votes:
        mine = found.setdefault(one.judge, {})
        other = mine.get(one.item)
        if other is None or (one.repeat, other.at) <= (other.repeat, one.at):
            mine[one.item] = one
    return found


def said_by_people(first: Firsts, settled: dict[str, str]) -> dict[str, str]:
    """What people say of each item: what settled it, else what more of them say than anything else."""
    found: dict[str, str] = {}
    for item, some in _by_item(first).items():
        counts = Counter(one.verdict for one in some if one.verdict in SCALE).most_common(2)
        if counts and (len(counts) == 1 or counts[0][1] > counts[1][1]):
            found[item] = counts[0][0]
    return found | {item: verdict for item, verdict in settled.items() if verdict in SCALE}


def pair(first: str, second: str, one: dict[str, Verdict], other: dict[str, Verdict]) -> PairRow:
    """Two judges on what both of them judged."""
    units = [_unit((one[item], other[item])) for item in sorted(one.keys() & other.keys())]
    return _pair(first, second, units)


def _pair(first: str, second: str, units: Sequence[Unit]) -> PairRow:
    size, used = len(SCALE), _used(units)
    measures = (raw(), kappa(size), alpha(size), ac1(size, used))
    return PairRow(first, second, *(estimated(one, units, SEED) for one in measures))


def _group(first: Firsts, pairs: Sequence[PairRow]) -> GroupRow:
    items = _by_item(first)
    units = [_unit(some) for _, some in sorted(items.items())]
    strengths = [_strengths(some) for _, some in sorted(items.items())]
    size = len(SCALE)
    counts = Counter(value for unit in units for value in unit)
    return GroupRow(
        len(first),
        estimated(raw(), units, SEED),
        pairs[0].kappa if len(first) == 2 else None,
        estimated(alpha(size), units, SEED),
        estimated(alpha(STRENGTHS, ordinal=True), strengths, SEED),
        estimated(ac1(size, _used(units)), units, SEED),
        SCALE[counts.most_common(1)[0][0]] if counts else "",
        prevalence(units),
    )


def _against(models: Sequence[Verdict], said: dict[str, str]) -> list[PairRow]:
    found: list[PairRow] = []
    for judge, mine in sorted(firsts(models).items()):
        name = next(one.name for one in mine.values())
        both = sorted(item for item in mine.keys() & said.keys() if mine[item].verdict in SCALE)
        units = [(SCALE.index(mine[item].verdict), SCALE.index(said[item])) for item in both]
        found.append(_pair(name or judge, "people", units))
    return found


def _by_item(first: Firsts) -> dict[str, list[Verdict]]:
    """Verdicts of an item in the order of the judges' names, so that a unit is the same in every file."""
    found: dict[str, list[Verdict]] = {}
    for judge in sorted(first):
        for item, one in first[judge].items():
            found.setdefault(item, []).append(one)
    return found


def _unit(some: Sequence[Verdict]) -> Unit:
    return tuple(SCALE.index(one.verdict) for one in some if one.verdict in SCALE)


def _strengths(some: Sequence[Verdict]) -> Unit:
    """0: a much better, 1: a, 2: tie, 3: b, 4: b much better."""
    scale = ({"a": 1 - one.much, "tie": 2, "b": 3 + one.much}.get(one.verdict) for one in some)
    return tuple(place for place in scale if place is not None)


def _used(units: Sequence[Unit]) -> int:
    return len({value for unit in units for value in unit})


def _rows(votes: Sequence[Verdict]) -> list[JudgeRow]:
    by: dict[str, list[Verdict]] = {}
    for one in votes:
        by.setdefault(one.judge, []).append(one)
    return [_row(judge, some) for judge, some in sorted(by.items())]


def _row(judge: str, votes: Sequence[Verdict]) -> JudgeRow:
    words = Counter(one.verdict for one in votes)
    said = len(votes) - words["skip"]
    lefts = [one.left for one in votes if one.left is not None]
    known = [one for one in votes if one.gold is not None and one.verdict != "skip"]
    times = [one.ms for one in votes if one.ms is not None and one.ms > 0]
    slow, fast = outliers(times)
    usual = [ms for ms in times if ms not in slow]
    twice = _twice(votes)
    return JudgeRow(
        judge,
        votes[0].name,
        votes[0].kind,
        len({one.item for one in votes}),
        len(votes),
        60_000 * len(usual) / sum(usual) if usual else None,
        median(times) / 1000 if times else None,
        _rate(sum(lefts), len(lefts)),
        _rate(words["tie"], said),
        _rate(words["bad"], said),
        _rate(words["skip"], len(votes)),
        _rate(sum(one.verdict == other.verdict for one, other in twice), len(twice)),
        sum(one.left is not None and one.left == other.left and one.verdict != other.verdict for one, other in twice),
        _rate(sum(one.verdict == one.gold for one in known), len(known)),
        sum(one.early for one in votes),
        len(slow),
        len(fast),
        sum(one.flagged for one in votes),
    )


def _twice(votes: Sequence[Verdict]) -> list[tuple[Verdict, Verdict]]:
    """Items that were judged, not skipped, both times."""
    both: dict[str, dict[bool, Verdict]] = {}
    for one in votes:
        if one.verdict in SCALE:
            both.setdefault(one.item, {})[one.repeat] = one
    return [(some[False], some[True]) for some in both.values() if len(some) == 2]


def _rate(hits: int, n: int) -> Estimate | None:
    return wilson(hits, n) if n else None


def outliers(times: Sequence[float]) -> tuple[list[float], list[float]]:
    """Times (all above 0) that are far slower and far faster than this judge's usual ones.

    On the logarithm, by distance from the median in units of the median distance; none among fewer than ten times.
    """
    if len(times) < TIMED:
        return [], []
    logs = [math.log(one) for one in times]
    middle = median(logs)
    spread = median(abs(one - middle) for one in logs)
    if spread == 0:
        return [], []
    scores = [(0.6745 * (one - middle) / spread, time) for one, time in zip(logs, times, strict=True)]
    return [time for score, time in scores if score > OUTLYING], [time for score, time in scores if score < -OUTLYING]


def _disputed(first: Firsts, settled: dict[str, str]) -> list[Disputed]:
    """Open ones first, those that most people judged first among them."""
    found: list[Disputed] = []
    for item, some in sorted(_by_item(first).items()):
        votes = tuple((one.judge, one.verdict, one.much) for one in some if one.verdict in SCALE)
        if len({verdict for _, verdict, _ in votes}) > 1:
            found.append(Disputed(item, None, votes, settled.get(item)))
    return sorted(found, key=lambda one: (one.settled is not None, -len(one.votes), one.item))
