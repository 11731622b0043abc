"""Cross-play: every player with and against every other, per game; and checkpoints against one frozen partner.

A cell is who sat in the first seat (row) with whom in the second (column): how much was played, won, and how well. A
game of one seat has one column. Who plays well only with itself has learned a private language: the difference between
the diagonal and the rest says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evaluation.intervals import Estimate, clustered_mean, clustered_rate
from evaluation.ratings import CannotRate
from store.records import OutcomeRow


@dataclass(frozen=True, slots=True)
class Cell:
    """Results of some episodes. Rates are 0 to 1, `quality` is the mean main score (0 to 100) of those played."""

    n: int
    played: Estimate
    success: Estimate
    quality: Estimate | None
    """None where all were aborted."""
    episodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """One game: cells by (player in the first role, player in the second; empty for a game of one role)."""

    game: str
    roles: tuple[str, ...]
    players: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    self_play: Mapping[str, Cell]
    """Each player with itself in all seats."""
    cross_play: Mapping[str, Cell]
    """Each player with others, in whatever seat."""


def cell(rows: Sequence[OutcomeRow], seed: int = 0) -> Cell:
    """What these episodes come to. Raises ValueError for none."""
    n = len(rows)
    clusters: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.main is not None:
            clusters[row.key].append(row.main)
    return Cell(
        n,
        _rate((row.key, row.outcome != "aborted") for row in rows),
        _rate((row.key, row.outcome == "success") for row in rows),
        clustered_mean(clusters, seed) if clusters else None,
        tuple(row.episode for row in rows),
    )


def _rate(held: Iterable[tuple[str, bool]]) -> Estimate:
    clusters: dict[str, list[bool]] = defaultdict(list)
    for key, holds in held:
        clusters[key].append(holds)
    return clustered_rate(clusters)


def matrix(outcomes: Iterable[OutcomeRow]) -> Matrix:
    """The matrix of one game. Raises ValueError where the episodes are of several games, or of none."""
    rows = list(outcomes)
    games = {row.game for row in rows}
    if len(games) != 1:
        raise ValueError(f"a matrix is of one game, not of {len(games)}")
    roles = tuple(rows[0].players)[:2]
    pairs: dict[tuple[str, str], list[OutcomeRow]] = defaultdict(list)
    alone: dict[str, list[OutcomeRow]] = defaultdict(list)
    mixed: dict[str, list[OutcomeRow]] = defaultdict(list)
    for row in rows:
        seated = list(row.players.values())
        pairs[seated[0], seated[1] if len(seated) > 1 else ""].append(row)
        if len(set(seated)) == 1:
            alone[seated[0]].append(row)
        else:
            for player in set(seated):
                mixed[player].append(row)
    return Matrix(
        games.pop(),
        roles,
        tuple(sorted({player for row in rows for player in row.players.values()})),
        {place: cell(some) for place, some in sorted(pairs.items())},
        {player: cell(some) for player, some in sorted(alone.items())},
        {player: cell(some) for player, some in sorted(mixed.items())},
    )


def frozen_curve(outcomes: Iterable[OutcomeRow], learners: Sequence[str], partner: str) -> list[tuple[str, Cell]]:
    """Each learner beside or against one frozen partner, in the order given. Raises CannotRate for one who never was.

    Only instances that all of them played count, so that a point does not rise because its instances were easier.
    """
    rows: dict[str, list[OutcomeRow]] = {learner: [] for learner in learners}
    for row in outcomes:
        seated = set(row.players.values())
        for learner in learners:
            if seated == {learner, partner} and learner != partner:
                rows[learner].append(row)
    missing = [learner for learner, some in rows.items() if not some]
    if missing:
        raise CannotRate(f"{missing[0]} never played with {partner}; `playpen-tui selfplay` lets it, by --seat")
    shared = set.intersection(*({(row.game, row.key) for row in some} for some in rows.values()))
    if not shared:
        raise CannotRate(
            f"{', '.join(learners)} never played the same instances with {partner}; `playpen-tui selfplay` lets them,"
            " with the same --seed and --episodes"
        )
    return [(learner, cell([row for row in some if (row.game, row.key) in shared])) for learner, some in rows.items()]
