"""Replies thrown at a game at random: legal ones, so that matches get on, and every kind of adversary between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from games.conformance.replies import Adversary, Repertoire, describe, shown
from games.engine import Game, Instance, Match

LEGAL = 0.6
"""Share of replies that are legal ones of the bots."""
RARE = {"endless": 0.1}
"""Adversaries that come less often than others, since each of their replies takes long."""


@dataclass(slots=True)
class Report:
    """What was thrown, and what went wrong: exceptions that were not `Illegal`, and matches that did not end."""

    replies: int = 0
    matches: int = 0
    plies: int = 0
    """The longest match that ended."""
    raised: list[str] = field(default_factory=list[str])
    endless: list[str] = field(default_factory=list[str])

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong."""
        return not self.raised and not self.endless


def throw(
    game: Game[Any, Any],
    instances: Sequence[Instance],
    known: Repertoire,
    adversaries: Mapping[str, Adversary],
    replies: int,
    seed: int,
    plies: int,
) -> Report:
    """Throw `replies` at matches over these instances, until something is wrong ten times or all are thrown."""
    rng = Random(f"fuzz:{seed}")
    report = Report()
    names = list(adversaries)
    weights = [RARE.get(name, 1.0) for name in names]
    while instances and report.replies < replies and len(report.raised) + len(report.endless) < 10:
        match = Match.new(game, rng.choice(instances), rng.randrange(2**31))
        report.matches += 1
        while match.turn is not None and report.replies < replies:
            legal = not names or rng.random() < LEGAL
            name = "legal" if legal else rng.choices(names, weights)[0]
            text = rng.choice(known.of(match.turn)) if legal else adversaries[name](match, known, rng)
            where = f"{match.instance.name}, ply {match.ply}, {name} reply {shown(text)} of {match.turn}"
            report.replies += 1
            try:
                match = _answer(match, text, look=report.replies % 8 == 0)
            except Exception as error:
                report.raised.append(f"{where}: {describe(error)}")
                break
            if match.ply > plies:
                report.endless.append(f"{where}: not over after {match.ply} replies")
                break
        report.plies = max(report.plies, match.ply)
    return report


def _answer(match: Match, text: str, *, look: bool) -> Match:
    """The next position, seen from all sides now and then."""
    game, role = match.game, match.turn or ""
    if look:
        game.check(match.state, text)
        game.read(match.state, role, text)
    after = match.play(text)
    if look:
        for seat in (*game.roles, None):
            game.board(after.state, seat)
    if after.over:
        _ = after.scores(), after.rewards(), game.verdict(after)
    return after
