"""Ratings: how strong each player is, from who did better than whom. Bradley and Terry's model with Davidson's ties.

The odds that one player does better than another are the ratio of their strengths; the seat that is named first may be
the better one, which is a term of its own; ties have one, too. A comparison needs two players whose results can be held
against each other:

* where the seats compete (somebody won, or rewards differ), the two players of an episode;
* where they share the result, two players who took the same seat on the same instance beside the same partners, or who
  each played all seats themselves. The higher main score wins, equal ones tie, an aborted game loses to a played one.
  This takes for granted that what a partner does is the same for both, as it is for bots and fixed models.

Strengths are shrunk a little towards their mean (a ridge), so that who has only won does not go to infinity; they are
told in points of 400 / ln 10, as in chess, around 1000. Intervals come from drawing instances anew. Players whom no
chain of comparisons joins cannot be ranked, and are not.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from evaluation.intervals import LEAST, percentiles
from store.records import OutcomeRow

POINTS = 400 / math.log(10)
MIDDLE = 1000.0
RIDGE = 0.05
"""Weight of the pull towards the mean: that of a twentieth of an observation."""
RESAMPLES = 400
ABORTED = -1.0
"""The result of a game that broke its protocol: below every score."""


class CannotRate(ValueError):
    """What was asked cannot be said of these episodes; the message says what would help."""

    exit_code = 1


class Disconnected(CannotRate):
    """The players fall into groups that never met. `groups` are their names; the message says what would join them."""

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        parts = " | ".join(", ".join(group) for group in groups)
        hint = " ".join(f"--player {group[0]}" for group in groups[:2])
        super().__init__(
            f"these players were never compared with each other: {parts}; let some meet on the same instances, with"
            f" `playpen-tui selfplay GAME {hint} --cross`"
        )
        self.groups = [list(group) for group in groups]


class Comparison(NamedTuple):
    """Who did better on one instance: 1 the first, 0 the second, 0.5 neither. `seated` where first and second are
    different seats of one game, so that the first may have the better one."""

    first: str
    second: str
    result: float
    cluster: str
    seated: bool = False


@dataclass(frozen=True, slots=True)
class Rating:
    """One player's strength in points, with its 95% interval (None where there is too little to say)."""

    player: str
    points: float
    low: float | None
    high: float | None
    comparisons: int
    better: int
    ties: int
    worse: int
    ahead: float | None
    """How probable it is that this player is stronger than the next in the list; None for the last."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """The list, strongest first, and the terms of the model. `advantage` is in points; None where no seats compete."""

    ratings: tuple[Rating, ...]
    advantage: float | None
    tie: float
    """Davidson's nu: 0 where nothing ties, 1 where equals tie a third of the time."""
    comparisons: int
    clusters: int
    warnings: tuple[str, ...]


def comparisons(outcomes: Iterable[OutcomeRow]) -> list[Comparison]:
    """Everything that can be held against each other in these episodes, in an order that depends on nothing else."""
    found: list[Comparison] = []
    groups: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in outcomes:
        roles, cluster = list(row.players), f"{row.game}:{row.key}"
        if row.competitive and len(roles) == 2:
            first, second = (row.players[role] for role in roles)
            if first != second:
                found.append(Comparison(first, second, _better(row, roles), cluster, True))
            continue
        value = ABORTED if row.main is None else row.main
        if len(set(row.players.values())) == 1:
            groups[row.game, row.key, "all seats"][row.players[roles[0]]].append(value)
        for role in roles:
            others = tuple(f"{other}={row.players[other]}" for other in roles if other != role)
            groups[row.game, row.key, role, *others][row.players[role]].append(value)
    for place, values in sorted(groups.items()):
        means = sorted((player, sum(some) / len(some)) for player, some in values.items())
        for at, (first, one) in enumerate(means):
            for second, other in means[at + 1 :]:
                result = 0.5 if one == other else float(one > other)
                found.append(Comparison(first, second, result, f"{place[0]}:{place[1]}"))
    return sorted(found)


def _better(row: OutcomeRow, roles: Sequence[str]) -> float:
    if row.winners:
        won = [role in row.winners for role in roles]
        return 0.5 if won[0] == won[1] else float(won[0])
    one, other = (row.rewards.get(role, 0.0) for role in roles)
    return 0.5 if one == other else float(one > other)


def rate(found: Sequence[Comparison], *, seed: int = 0, resamples: int = RESAMPLES) -> Ratings:
    """Fit the model. Raises Disconnected, and CannotRate where there is nothing to compare."""
    if not found:
        raise CannotRate(
            "nothing can be compared: two players must have taken the same seat on the same instances, with the same"
            " partner; `playpen-tui selfplay GAME --player A --player B --cross` lets them"
        )
    players = sorted({name for one in found for name in (one.first, one.second)})
    parts = components(players, found)
    if len(parts) > 1:
        raise Disconnected(parts)
    seated = any(one.seated for one in found)
    theta, advantage, tie = fit(players, found, seated)
    clusters: dict[str, list[Comparison]] = defaultdict(list)
    for one in found:
        clusters[one.cluster].append(one)
    drawn = _resampled(players, list(clusters.values()), seated, seed, resamples) if len(clusters) >= LEAST else []
    order = sorted(range(len(players)), key=lambda at: (-theta[at], players[at]))
    ratings: list[Rating] = []
    for place, at in enumerate(order):
        low, high = percentiles([one[at] for one in drawn]) if drawn else (None, None)
        after = order[place + 1] if place + 1 < len(order) else None
        ahead = None
        if drawn and after is not None:
            ahead = sum(one[at] > one[after] for one in drawn) / len(drawn)
        ratings.append(_rating(players[at], theta[at], low, high, ahead, found))
    warnings = [
        f"{one.player} has only {'won' if one.better else 'lost'}; how strong it is beyond that the data cannot say"
        for one in ratings
        if not one.ties and not (one.better and one.worse)
    ]
    return Ratings(
        tuple(ratings),
        advantage * POINTS if seated else None,
        math.exp(tie),
        len(found),
        len(clusters),
        tuple(warnings),
    )


def _rating(
    player: str, theta: float, low: float | None, high: float | None, ahead: float | None, found: Sequence[Comparison]
) -> Rating:
    results = [
        one.result if one.first == player else 1 - one.result for one in found if player in (one.first, one.second)
    ]
    return Rating(
        player,
        MIDDLE + POINTS * theta,
        None if low is None else MIDDLE + POINTS * low,
        None if high is None else MIDDLE + POINTS * high,
        len(results),
        sum(result == 1 for result in results),
        sum(result == 0.5 for result in results),
        sum(result == 0 for result in results),
        ahead,
    )


def _resampled(
    players: Sequence[str], clusters: Sequence[Sequence[Comparison]], seated: bool, seed: int, resamples: int
) -> list[list[float]]:
    luck = Random(seed)
    return [
        fit(players, [one for some in luck.choices(clusters, k=len(clusters)) for one in some], seated)[0]
        for _ in range(resamples)
    ]


def components(players: Sequence[str], found: Iterable[Comparison]) -> list[list[str]]:
    """Players in groups that chains of comparisons join, the largest first."""
    near: dict[str, set[str]] = {name: set() for name in players}
    for one in found:
        near[one.first].add(one.second)
        near[one.second].add(one.first)
    left, parts = set(players), list[list[str]]()
    while left:
        part, todo = set[str](), [min(left)]
        while todo:
            name = todo.pop()
            if name not in part:
                part.add(name)
                todo += near[name] - part
        left -= part
        parts.append(sorted(part))
    return sorted(parts, key=lambda part: (-len(part), part))


def fit(players: Sequence[str], found: Sequence[Comparison], seated: bool) -> tuple[list[float], float, float]:
    """Strengths (mean 0, natural logarithms), the first seat's advantage, and the logarithm of the tie term.

    The likelihood is that of an exponential family and concave, so Newton's steps find its one maximum; the sizes are
    tens of players, for which plain lists will do.
    """
    index = {name: at for at, name in enumerate(players)}
    counts: dict[tuple[int, int, bool], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for one in found:
        counts[index[one.first], index[one.second], one.seated][int(2 - 2 * one.result)] += 1
    n = len(players)
    size = n + 2
    ties = any(count[1] for count in counts.values())
    values = [0.0] * size
    values[n + 1] = 0.0 if ties else -30.0
    for _ in range(60):
        slope = [-RIDGE * value for value in values[:n]] + [-RIDGE * values[n], -RIDGE * values[n + 1] if ties else 0.0]
        curve = [[0.0] * size for _ in range(size)]
        for at in range(size):
            curve[at][at] = RIDGE
        for (i, j, seat), observed in counts.items():
            _add(values, slope, curve, i, j, n, seat, ties, observed)
        if not seated:
            slope[n] = 0.0
        if not ties:
            slope[n + 1] = 0.0
        step = solve(curve, slope)
        longest = max(abs(one) for one in step)
        scale = min(1.0, 2.0 / longest) if longest else 1.0
        values = [value + scale * one for value, one in zip(values, step, strict=True)]
        if longest < 1e-9:
            break
    middle = sum(values[:n]) / n
    return [value - middle for value in values[:n]], values[n], values[n + 1]


def _add(
    values: Sequence[float],
    slope: list[float],
    curve: list[list[float]],
    i: int,
    j: int,
    n: int,
    seat: bool,
    ties: bool,
    observed: Sequence[float],
) -> None:
    """Add one pair's share of slope and curvature: features of each result, expected against observed."""
    features: list[dict[int, float]] = [{i: 1.0}, {i: 0.5, j: 0.5}, {j: 1.0}]
    if seat:
        features[0][n], features[1][n] = 1.0, 0.5
    if ties:
        features[1][n + 1] = 1.0
    weights = [sum(values[at] * amount for at, amount in feature.items()) for feature in features]
    if not ties:
        weights[1] = -math.inf
    top = max(weights)
    odds = [math.exp(weight - top) for weight in weights]
    total, chances = sum(observed), [one / sum(odds) for one in odds]
    involved = sorted({at for feature in features for at in feature})
    mean = {at: sum(p * feature.get(at, 0.0) for p, feature in zip(chances, features, strict=True)) for at in involved}
    for at in involved:
        slope[at] += (
            sum(k * feature.get(at, 0.0) for k, feature in zip(observed, features, strict=True)) - total * mean[at]
        )
        for other in involved:
            joint = sum(p * f.get(at, 0.0) * f.get(other, 0.0) for p, f in zip(chances, features, strict=True))
            curve[at][other] += total * (joint - mean[at] * mean[other])


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of a positive definite system, by elimination with pivots."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for at in range(size):
        pivot = max(range(at, size), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        for below in range(at + 1, size):
            factor = rows[below][at] / rows[at][at]
            if factor:
                rows[below] = [b - factor * a for a, b in zip(rows[at], rows[below], strict=True)]
    found = [0.0] * size
    for at in reversed(range(size)):
        found[at] = (rows[at][size] - sum(rows[at][k] * found[k] for k in range(at + 1, size))) / rows[at][at]
    return found


def by_game(outcomes: Iterable[OutcomeRow]) -> Mapping[str, list[OutcomeRow]]:
    """Episodes by game."""
    found: dict[str, list[OutcomeRow]] = defaultdict(list)
    for row in outcomes:
        found[row.game].append(row)
    return dict(sorted(found.items()))
