"""Who is better, and is it more than luck: models compared on the same instances, in the same seat, beside the same
partner.

A pair is two models on one such place; where one of them played it several times, its mean counts. An instance with all
its pairs is drawn as one. *Quality* counts an aborted episode as 0, so that the mean difference is that of played times
quality, game by game, and no pair drops out for having gone badly; `aborted="omit"` takes only pairs that both played,
which compares the two on different instances than they were dealt. Words are given after Holm's correction over all
games and pairs of models; intervals stand for themselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias, get_args

from evaluation.intervals import LEAST, RESAMPLES, Estimate, Vector, percentiles, sums, tail
from evaluation.paired import (
    ALPHA,
    McNemar,
    holm,
    holm_factors,
    instances_needed,
    mcnemar,
    paired_mean,
    sign_p,
    spread_of,
    swap_p,
)
from evaluation.results import SEED, product, quality, rate, score_name
from store.scored import ScoredRow

Aborted: TypeAlias = Literal["zero", "omit"]
ABORTED: tuple[Aborted, ...] = get_args(Aborted)
Measure: TypeAlias = Literal["quality", "played", "success"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
Word: TypeAlias = Literal["higher", "lower", "not significant", "too few"]
GLYPHS: dict[Word, str] = {"higher": "▲", "lower": "▼", "not significant": "≈", "too few": "·"}
"""Never without the word beside it."""


class CannotCompare(ValueError):
    """The models have nothing in common, or are not in the log."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """First less second, in points (percent, or score 0 to 100)."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    """By itself; None where there are too few instances."""
    adjusted: float | None
    """After Holm's correction."""
    pairs: int
    instances: int
    spread: float
    """Standard deviation of the instances' differences."""
    more: int | None = None
    """How many more instances would show this difference with 80% power after the correction, given the spread seen;
    None where it shows already, or no number would do."""

    @property
    def word(self) -> Word:
        """What can be said."""
        if self.adjusted is None:
            return "too few"
        if self.adjusted > ALPHA or not self.value:
            return "not significant"
        return "higher" if self.value > 0 else "lower"

    @property
    def glyph(self) -> str:
        """The word's glyph."""
        return GLYPHS[self.word]

    @property
    def short(self) -> str:
        """`▲ higher`, or `≈ not significant, 140 more`."""
        more = "" if self.more is None or self.word != "not significant" else f", {self.more:,} more"
        return f"{self.glyph} {self.word}{more}"

    def __str__(self) -> str:
        """`higher`, or `not significant, 140 more instances would separate them`."""
        if self.word != "not significant":
            return self.word
        if not self.value:
            return "not significant, no difference seen"
        if self.more is None:
            return "not significant, and no number of instances in reach would separate them"
        return f"not significant, {self.more:,} more instance{'' if self.more == 1 else 's'} would separate them"


@dataclass(frozen=True, slots=True)
class Side:
    """One model's own figures on the shared instances, 0 to 100; quality of what it played."""

    played: Estimate
    quality: Estimate | None
    success: Estimate
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GameComparison:
    """Two models in one game, on what both played of it."""

    game: str
    pairs: int
    instances: int
    first: Side
    second: Side
    differences: Mapping[Measure, Difference | None]
    """None where no pair has the measure."""
    discordant: McNemar
    """Instances on which only one of the two had success, or had it more often."""


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """The clemscores of two models over the games and instances that they share."""

    score: str
    games: tuple[str, ...]
    first: float
    second: float
    difference: Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models, game by game and over all games of one kind."""

    first: str
    second: str
    games: tuple[GameComparison, ...]
    scores: tuple[ScoreComparison, ...]
    apart: Mapping[str, tuple[int, int]]
    """Episodes per game of first and second that have no counterpart."""


Place: TypeAlias = tuple[str, ...]
Episodes: TypeAlias = dict[Place, list[ScoredRow]]


def places(rows: Iterable[ScoredRow], name: str) -> dict[str, Episodes]:
    """Per game, where this model sat: instance, key, and seat with partners, or the whole table; with its episodes."""
    found: dict[str, Episodes] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.model == name:
            found[row.game][row.instance, row.key, "whole table"].append(row)
            continue
        for role, player in row.players.items():
            if player == name:
                others = [f"{other}={who}" for other, who in row.players.items() if other != role]
                found[row.game][row.instance, row.key, role, *others].append(row)
    return {game: dict(some) for game, some in found.items()}


def seated(rows: Sequence[ScoredRow], names: Iterable[str]) -> dict[str, dict[str, Episodes]]:
    """Where each of these models sat; a name is enough where only one of that name did.

    Raises CannotCompare for fewer than two, for one that never sat anywhere, and for a name of several.
    """
    seats = {name: places(rows, name) for name in dict.fromkeys(names)}
    for name, some in seats.items():
        if not some and len(alike := _alike(rows, name)) == 1:
            label = alike[0][0]
            if label in seats:
                raise CannotCompare(f"{name} and {label} are one model; a comparison takes two different ones")
            seats[name] = places(rows, label)
    if len(seats) < 2:
        raise CannotCompare("a comparison takes two different models or more")
    for name, some in seats.items():
        if not some:
            if alike := _alike(rows, name):
                listed = ", ".join(f"{label} ({many:,} episodes)" for label, many in alike)
                raise CannotCompare(
                    f"{name!r} played with several weights or settings: {listed}; name one of them, or take fewer"
                    " episodes, such as those of a run"
                )
            known = sorted({row.model for row in rows})
            told = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
            raise CannotCompare(f"no finished episodes of {name!r} fit; there are: {told or 'none'}")
    return seats


def _alike(rows: Iterable[ScoredRow], name: str) -> list[tuple[str, int]]:
    """Labels of players who were typed as this name, who played most first; a table with others is none."""
    found = Counter(
        label for row in rows for label in {*row.players.values()} or {row.model} if label.partition("#")[0] == name
    )
    return [(label, many) for label, many in found.most_common() if label != name]


def compare(
    rows: Sequence[ScoredRow], names: Sequence[str], aborted: Aborted = "zero", *, resamples: int = RESAMPLES
) -> list[Comparison]:
    """All pairs of these models. Raises CannotCompare."""
    seats = seated(rows, names)
    pairs = [
        _pair(first, second, seats[first], seats[second], aborted, resamples)
        for first, second in combinations(seats, 2)
    ]
    if not any(pair.games for pair in pairs):
        raise CannotCompare(
            f"{', '.join(seats)} share no instance in the same seat beside the same partner;"
            f" `playpen-tui selfplay GAME {' '.join(f'--player {name}' for name in seats)}` plays some"
        )
    return _corrected(pairs)


def _pair(
    first: str,
    second: str,
    one: Mapping[str, Episodes],
    other: Mapping[str, Episodes],
    aborted: Aborted,
    resamples: int,
) -> Comparison:
    games: list[GameComparison] = []
    strata: dict[str, list[Vector]] = {}
    apart: dict[str, tuple[int, int]] = {}
    for game in sorted({*one, *other}):
        here, there = one.get(game, {}), other.get(game, {})
        shared = sorted(here.keys() & there.keys())
        alone = tuple(
            len({row.episode for place in some.keys() - set(shared) for row in some[place]}) for some in (here, there)
        )
        if any(alone):
            apart[game] = (alone[0], alone[1])
        if shared:
            games.append(_game(game, shared, here, there, aborted, resamples))
            strata[game] = _vectors(shared, here, there)
    kinds: dict[str, dict[str, list[Vector]]] = defaultdict(dict)
    for game, stratum in strata.items():
        kinds[score_name(game)][game] = stratum
    found = (_scores(kind, some, resamples) for kind, some in sorted(kinds.items()))
    return Comparison(first, second, tuple(games), tuple(one for one in found if one is not None), apart)


def _game(
    game: str, shared: Sequence[Place], here: Episodes, there: Episodes, aborted: Aborted, resamples: int
) -> GameComparison:
    wins = [0, 0]
    for total, _ in _clusters(shared, here, there, "success", aborted):
        wins[total < 0] += total != 0
    return GameComparison(
        game,
        len(shared),
        len({place[1] for place in shared}),
        _side(shared, here, resamples),
        _side(shared, there, resamples),
        {
            measure: _difference(_clusters(shared, here, there, measure, aborted), f"{game}:{measure}", resamples)
            for measure in MEASURES
        },
        mcnemar(*wins),
    )


def _side(shared: Sequence[Place], where: Episodes, resamples: int) -> Side:
    rows = list({row.episode: row for place in shared for row in where[place]}.values())
    return Side(
        rate(rows, lambda row: row.played),
        quality(rows, resamples),
        rate(rows, lambda row: row.success),
        tuple(row.episode for row in rows),
    )


def _measured(rows: Sequence[ScoredRow], measure: Measure, aborted: Aborted) -> float | None:
    """The mean over a model's episodes on one place, in points; None where none of them has this measure."""
    if measure == "played":
        values: list[float] = [100.0 * row.played for row in rows]
    elif measure == "success":
        values = [100.0 * row.success for row in rows]
    else:
        scores = (row.main if row.played else 0.0 if aborted == "zero" else None for row in rows)
        values = [score for score in scores if score is not None]
    return sum(values) / len(values) if values else None


def _clusters(
    shared: Sequence[Place], here: Episodes, there: Episodes, measure: Measure, aborted: Aborted
) -> list[Vector]:
    """Per instance: the sum of its pairs' differences, and how many pairs there are."""
    found: dict[str, list[float]] = defaultdict(list)
    for place in shared:
        one, other = _measured(here[place], measure, aborted), _measured(there[place], measure, aborted)
        if one is not None and other is not None:
            found[place[1]].append(one - other)
    return [(sum(values), float(len(values))) for _, values in sorted(found.items())]


def _difference(clusters: Sequence[Vector], name: str, resamples: int) -> Difference | None:
    if not clusters:
        return None
    found = paired_mean(clusters, f"{SEED}:{name}", resamples)
    p = sign_p([total for total, _ in clusters], f"{SEED}:{name}") if len(clusters) >= LEAST else None
    return Difference(found.value, found.low, found.high, p, p, found.n, len(clusters), spread_of(clusters))


# the product


def _vectors(shared: Sequence[Place], here: Episodes, there: Episodes) -> list[Vector]:
    """Per instance, for either model: pairs, how many it played, how many of them have a score, and its sum."""
    found: dict[str, list[float]] = defaultdict(lambda: [0.0] * 8)
    for place in shared:
        total = found[place[1]]
        for at, rows in ((0, here[place]), (4, there[place])):
            scores = [row.main for row in rows if row.played and row.main is not None]
            total[at] += 1
            total[at + 1] += sum(row.played for row in rows) / len(rows)
            total[at + 2] += len(scores) / len(rows)
            total[at + 3] += sum(scores) / len(rows)
    return [tuple(total) for _, total in sorted(found.items())]


def _both(games: Sequence[Vector], digits: int | None = None) -> tuple[float, float]:
    """The clemscores of both models; 0 for one that never played."""
    first = product((tuple(game[:4]) for game in games), digits)[2]
    second = product((tuple(game[4:]) for game in games), digits)[2]
    return first or 0.0, second or 0.0


def _gap(games: Sequence[Vector]) -> float:
    first, second = _both(games)
    return first - second


def _scores(kind: str, strata: Mapping[str, Sequence[Vector]], resamples: int) -> ScoreComparison | None:
    totals = [tuple(map(sum, zip(*stratum, strict=True))) for stratum in strata.values()]
    first, second = _both(totals, digits=2)
    instances, pairs = sum(map(len, strata.values())), int(sum(total[0] for total in totals))
    low = high = p = None
    spread = 0.0
    if all(len(stratum) >= LEAST for stratum in strata.values()):
        draws = [list(sums(stratum, f"{SEED}:{kind}:{game}", resamples)) for game, stratum in strata.items()]
        drawn = [_gap(games) for games in zip(*draws, strict=True)]
        low, high = percentiles(drawn, tail(*map(len, strata.values())))
        p = swap_p(list(strata.values()), _gap, f"{SEED}:{kind}", resamples)
        middle = sum(drawn) / len(drawn)
        spread = (instances * sum((one - middle) ** 2 for one in drawn) / (len(drawn) - 1)) ** 0.5
    gap = Difference(round(first - second, 2), low, high, p, p, pairs, instances, spread)
    return ScoreComparison(kind, tuple(strata), first, second, gap)


# many at once


def _corrected(pairs: Sequence[Comparison]) -> list[Comparison]:
    """Holm's correction: per measure over all games and pairs of models, and over all pairs for the products."""
    scores = _family([one.difference for pair in pairs for one in pair.scores])
    measures = {
        measure: _family([game.differences[measure] for pair in pairs for game in pair.games]) for measure in MEASURES
    }
    return [
        replace(
            pair,
            games=tuple(
                replace(game, differences={measure: next(measures[measure]) for measure in MEASURES})
                for game in pair.games
            ),
            scores=tuple(replace(one, difference=next(scores) or one.difference) for one in pair.scores),
        )
        for pair in pairs
    ]


def _family(found: Sequence[Difference | None]) -> Iterator[Difference | None]:
    """The same differences in the same order, corrected for being looked at together."""
    tested = [one for one in found if one is not None and one.p is not None]
    p_values = [one.p for one in tested if one.p is not None]
    corrected = zip(holm(p_values), holm_factors(p_values), strict=True)
    for one in found:
        if one is None or one.p is None:
            yield one
            continue
        adjusted, factor = next(corrected)
        after = replace(one, adjusted=adjusted)
        if after.word == "not significant":
            needed = instances_needed(one.value, one.spread, alpha=ALPHA / factor)
            after = replace(after, more=None if needed is None else max(1, needed - one.instances))
        yield after
