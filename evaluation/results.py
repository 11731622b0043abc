"""Tables of results: how much each model played, and how well, per game, experiment or role, and over all its games.

*Played* is the share of episodes that kept the protocol, *quality* the mean main score of those, so the two speak of
different episodes. Their product is the clemscore: clembench's formula, its rounding, a macro-average over the games
that are there. It stands bare where clembench's own games were played, and is never made of both kinds of games.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from evaluation.intervals import (
    LEAST,
    RESAMPLES,
    Estimate,
    Vector,
    clustered_mean,
    clustered_rate,
    percentiles,
    sums,
    tail,
)
from store.scored import Requests, ScoredRow

By: TypeAlias = Literal["game", "experiment", "role"]
BY: tuple[By, ...] = get_args(By)
NATIVE = "native-1.0"
"""Our games with our prompts."""
CLEMSCORE = "clemscore"
NATIVE_CLEMSCORE = f"{CLEMSCORE}[{NATIVE}]"
SEED = 20261126
"""Of every bootstrap here: the same episodes give the same intervals."""


@dataclass(frozen=True, slots=True)
class Line:
    """Results of one model in one game, or one experiment or role of it. Played, success and quality are 0 to 100."""

    model: str
    game: str
    experiment: str | None
    role: str | None
    episodes: tuple[str, ...]
    instances: int
    played: Estimate
    success: Estimate
    quality: Estimate | None
    """None where nothing was played."""
    requests: Requests
    violated: Estimate | None
    """Violated requests per episode; None where none was made."""
    request_success: Estimate | None
    """Mean over episodes of the share of requests whose reply was in form, 0 to 100."""
    aborts: Mapping[str, int]
    """Aborted episodes by cause, most frequent first."""
    unscored: int
    """Episodes that were played and have no main score."""

    @property
    def score(self) -> str:
        """The name that the product has here."""
        return score_name(self.game)

    @property
    def clemscore(self) -> float | None:
        """Played times quality, 0 to 100; None without quality."""
        if self.quality is None:
            return None
        return round(round(self.played.value, 2) / 100 * round(self.quality.value, 2), 2)


@dataclass(frozen=True, slots=True)
class Overall:
    """One model over all games of one kind. Played and quality are means over games, 0 to 100."""

    model: str
    score: str
    """`clemscore` or `clemscore[native-1.0]`."""
    games: tuple[str, ...]
    episodes: int
    played: float
    quality: float | None
    clemscore: Estimate | None
    """None without quality; without interval where a game has fewer than five instances."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines by model and game, and one sum a model and kind of games."""

    by: By
    lines: tuple[Line, ...]
    overall: tuple[Overall, ...]


def score_name(game: str) -> str:
    """What the product of played and quality is called for this game."""
    return CLEMSCORE if game.startswith("clem:") else NATIVE_CLEMSCORE


def table(rows: Iterable[ScoredRow], by: By = "game") -> Table:
    """The results of these episodes."""
    every = list(rows)
    whole: dict[tuple[str, str], dict[str, list[ScoredRow]]] = defaultdict(lambda: defaultdict(list))
    for row in every:
        whole[row.model, score_name(row.game)][row.game].append(row)
    sums = (_overall(model, score, games) for (model, score), games in sorted(whole.items()))
    return Table(by, lines(every, by), tuple(sums))


def lines(rows: Iterable[ScoredRow], by: By = "game") -> tuple[Line, ...]:
    """One line a model and game, experiment or role, in this order. `role` has the requests of that seat alone."""
    places: dict[tuple[str, str, str, str], list[ScoredRow]] = defaultdict(list)
    for row in rows:
        if by == "role":
            for role, player in row.players.items():
                places[player, row.game, "", role].append(row)
        else:
            places[row.model, row.game, row.experiment if by == "experiment" else "", ""].append(row)
    return tuple(
        line(some, model, game, experiment if by == "experiment" else None, role or None)
        for (model, game, experiment, role), some in sorted(places.items())
    )


def line(
    rows: Sequence[ScoredRow], model: str, game: str, experiment: str | None = None, role: str | None = None
) -> Line:
    """What these episodes of one game come to. Raises ValueError for none."""
    asked = [row.requests if role is None else row.by_role.get(role, Requests(0, 0, 0)) for row in rows]
    pairs = [(row, made) for row, made in zip(rows, asked, strict=True) if made.made]
    aborts = Counter(row.reason or "no reason given" for row in rows if not row.played)
    return Line(
        model,
        game,
        experiment,
        role,
        tuple(row.episode for row in rows),
        len({row.key for row in rows}),
        rate(rows, lambda row: row.played),
        rate(rows, lambda row: row.success),
        quality(rows),
        Requests(*(sum(part) for part in zip(*asked, strict=True))),
        clustered_mean(_clusters((row.key, float(made.violated)) for row, made in pairs), SEED) if pairs else None,
        clustered_mean(_clusters((row.key, 100 * made.parsed / made.made) for row, made in pairs), SEED)
        if pairs
        else None,
        dict(sorted(aborts.items(), key=lambda item: (-item[1], item[0]))),
        sum(row.played and row.main is None for row in rows),
    )


def rate(rows: Iterable[ScoredRow], holds: Callable[[ScoredRow], bool]) -> Estimate:
    """In percent, how often this holds. Raises ValueError for no rows."""
    clusters: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        clusters[row.key].append(holds(row))
    return clustered_rate(clusters).times(100)


def quality(rows: Iterable[ScoredRow], resamples: int = RESAMPLES) -> Estimate | None:
    """Mean main score of those played, 0 to 100. Scores that are only ever 0 or 100 are a rate, and treated as one."""
    clusters = _clusters((row.key, row.main) for row in rows if row.played and row.main is not None)
    if not clusters:
        return None
    if {value for values in clusters.values() for value in values} <= {0.0, 100.0}:
        won = {key: [value > 0 for value in values] for key, values in clusters.items()}
        return clustered_rate(won).times(100)
    return clustered_mean(clusters, SEED, resamples)


def _clusters(values: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for key, value in values:
        found[key].append(value)
    return found


# the product


def product(games: Iterable[Vector], digits: int | None = None) -> tuple[float, float | None, float | None]:
    """Played, quality and clemscore of games given as sums (episodes, played, scored, sum of scores), 0 to 100.

    Means over games; quality over those that have one. With `digits` every mean is rounded on the way, as clembench
    does it (clemcore's `clem eval` rounds to 2).
    """

    def kept(value: float) -> float:
        return value if digits is None else round(value, digits)

    shares: list[float] = []
    means: list[float] = []
    for episodes, played, scored, total in games:
        shares.append(kept(100 * played / episodes))
        if scored > 0:
            means.append(kept(total / scored))
    share = kept(sum(shares) / len(shares))
    if not means:
        return share, None, None
    mean = kept(sum(means) / len(means))
    return share, mean, kept(share / 100 * mean)


def vectors(rows: Iterable[ScoredRow]) -> list[Vector]:
    """Per instance of one game: episodes, how many were played, how many of them have a score, and its sum."""
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for row in rows:
        one = found[row.key]
        one[0] += 1
        if row.played:
            one[1] += 1
            if row.main is not None:
                one[2] += 1
                one[3] += row.main
    return [(one[0], one[1], one[2], one[3]) for _, one in sorted(found.items())]


def _overall(model: str, score: str, games: Mapping[str, Sequence[ScoredRow]]) -> Overall:
    strata = {game: vectors(rows) for game, rows in sorted(games.items())}
    played, mean, value = product(
        (tuple(sum(column) for column in zip(*stratum, strict=True)) for stratum in strata.values()), digits=2
    )
    episodes = sum(len(rows) for rows in games.values())
    low, high = score_interval(strata)
    estimate = None if value is None else Estimate(value, low, high, episodes)
    return Overall(model, score, tuple(strata), episodes, played, mean, estimate)


def score_interval(
    strata: Mapping[str, Sequence[Vector]], resamples: int = RESAMPLES
) -> tuple[float, float] | tuple[None, None]:
    """The interval of the product over these games, given as the vectors of their instances; none where a game has
    fewer than five."""
    if any(len(stratum) < LEAST for stratum in strata.values()):
        return None, None
    low, high = percentiles(resampled(strata, resamples), tail(*(len(stratum) for stratum in strata.values())))
    return max(0.0, low), min(100.0, high)


def resampled(strata: Mapping[str, Sequence[Vector]], resamples: int = RESAMPLES) -> list[float]:
    """The clemscore of every resample: instances drawn anew within each game, and the whole product made of them."""
    draws = [list(sums(stratum, f"{SEED}:{game}", resamples)) for game, stratum in strata.items()]
    return [product(games)[2] or 0.0 for games in zip(*draws, strict=True)]
