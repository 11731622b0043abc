"""Where people and games disagree, as screens and commands read it from the log. No screen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.disagreement import DisagreementReport, Order, disagreement
from playpen_tui.comparing import Compared, compared
from playpen_tui.judging import Shown
from store.disagreement import judged_games
from store.errors import Unknown
from store.filters import Filters
from store.judging import Item
from store.queues import all_queues

if TYPE_CHECKING:
    from playpen_tui.workbench import Workbench
    from store.disagreement import Pair
    from store.log import Log

LISTED = 200
"""Pairs that a screen lists; a filter shows others, and the command has all."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A report, with the first pairs as they are read: a stands left."""

    report: DisagreementReport
    pairs: tuple[tuple[Pair, Shown], ...]
    queue: str
    """The name of the queue that they are of; empty for all."""
    queues: tuple[str, ...]
    """Names of all queues, those that are open first."""
    games: tuple[str, ...]
    """Games of which somebody judged a pair."""


def read(log: Log, pair: Pair) -> Compared | None:
    """What there is to read of a pair; None where one of its sides was erased meanwhile."""
    item = Item(
        pair.item, pair.kind, pair.episode, pair.ply, pair.role, pair.a.candidate, pair.b.candidate, None, 0, ""
    )
    try:
        return compared(log, item)
    except Unknown:
        return None


def words(log: Log, report: DisagreementReport) -> dict[str, str]:
    """Candidates of the pairs that disagree, as people read them."""
    found: dict[str, str] = {}
    for pair in report.disagreeing:
        if (both := read(log, pair)) is not None:
            found |= {side.candidate: side.text for side in (both.a, both.b)}
    return found


async def look(bench: Workbench, queue: str | None, filters: Filters, order: Order = "strongest") -> Seen:
    """The report of a queue (all for None), of episodes that fit.

    Raises Unknown for the queue, ValueError and BadCondition for the filters, LogError.
    """
    log = await bench.log()

    def reading() -> Seen:
        report = disagreement(log.reader(), queue, filters, order=order)
        shown = [(one, _shown(log, one, at)) for at, one in enumerate(report.disagreeing[:LISTED], 1)]
        pairs = tuple((one, both) for one, both in shown if both is not None)
        queues = all_queues(log.reader())
        named = next((one.name for one in queues if queue in (one.id, one.name)), "")
        names = tuple(dict.fromkeys(one.name for one in queues))
        return Seen(report, pairs, named, names, tuple(judged_games(log.reader())))

    return await asyncio.to_thread(reading)


def _shown(log: Log, pair: Pair, number: int) -> Shown | None:
    both = read(log, pair)
    if both is None:
        return None
    return Shown(pair.item, pair.kind, both.game, pair.role, both.context, both.a, both.b, False, number, number)
