"""The list of checks, and how to run them.

An exception inside a check is a fault too: whatever a game raises where it should answer must not stop the
examination.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from games.conformance import declared, playing, telling, understanding
from games.conformance.fuzz import Report
from games.conformance.lab import Finding, Lab
from games.conformance.replies import ADVERSARIES, Adversary, describe
from games.conformance.rules import Check
from games.engine import Game

CHECKS: tuple[Check, ...] = (
    declared.declaration,
    declared.languages,
    declared.instances,
    declared.benchmark,
    declared.splits,
    playing.bots,
    playing.adversaries,
    playing.only_illegal,
    playing.replay,
    playing.luck,
    playing.json,
    playing.pure,
    playing.outcome,
    playing.rewards,
    playing.scores,
    telling.briefed,
    telling.dialogue,
    telling.board,
    telling.secrets,
    understanding.round_trip,
    understanding.check,
    understanding.shape,
    understanding.examples,
)
"""Every check, in the order in which they run."""


def check(
    game: Game[Any, Any],
    *,
    languages: Sequence[str] | None = None,
    instances: int = 3,
    seeds: Sequence[int] = (0,),
    replies: int = 1_000,
    adversaries: Mapping[str, Adversary] = ADVERSARIES,
    plies: int = 400,
    only: Sequence[str] = (),
    most: int = 4,
) -> list[Finding]:
    """Every fault of a game, empty when it conforms.

    `instances` of each experiment are played in each of `languages` (all without an argument) with every seed, no
    match longer than `plies`; `replies` are thrown at it at random besides. `only` names the checks to run; each
    reports `most` faults at most.
    """
    unknown = sorted({*only} - {c.name for c in CHECKS})
    if unknown:
        raise ValueError(f"no check {', '.join(unknown)}; there are: {', '.join(c.name for c in CHECKS)}")
    lab = Lab(game, tuple(languages or game.languages), instances, tuple(seeds), adversaries, plies, replies)
    found: list[Finding] = []
    for one in CHECKS:
        if not only or one.name in only:
            found += [Finding(one.name, game.name, detail) for detail in islice(_faults(one, lab), most)]
    return found


def _faults(one: Check, lab: Lab) -> Iterable[str]:
    try:
        yield from dict.fromkeys(one.look(lab))
    except Exception as error:
        yield f"the game raised {describe(error)}"


def fuzz(
    game: Game[Any, Any], *, replies: int = 100_000, seed: int = 0, plies: int = 400, instances: int = 3
) -> Report:
    """Throw that many replies at a game, and nothing else: the big run. The report is clean when nothing went wrong."""
    return Lab(game, game.languages, instances, (seed,), ADVERSARIES, plies, replies).fuzzed
