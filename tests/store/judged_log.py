"""Logs to be judged: bots play the same instances several times, so that replies to the same words compete."""

from __future__ import annotations

import asyncio
from pathlib import Path

from games import catalog
from games.engine import Match
from players.driver import drive
from players.scripted import BotPlayer
from store.candidates import candidate_of
from store.log import Log
from store.queues import NewItem, Queue, add_items, new_queue

BOTS = ("competent", "random", "random", "random")


async def _play(log: Log, name: str, many: int, bots: tuple[str, ...]) -> None:
    game = catalog.get(name)
    for instance in catalog.instances(game, split="train")[:many]:
        for seed, bot in enumerate(bots):
            seats = {role: BotPlayer(game, bot, game.bots()[bot]) for role in game.roles}
            await drive(Match.new(game, instance, seed), seats, log.recorder)


def played(path: Path, game: str = "taboo", many: int = 4, bots: tuple[str, ...] = BOTS) -> Log:
    """A log of bot games, open for writing."""
    log = Log.open(path)
    asyncio.run(_play(log, game, many, bots))
    return log


PAIRS = """
SELECT t.id, u.id FROM turns t JOIN turns u ON u.seen_hash = t.seen_hash AND u.role = t.role AND u.text > t.text
JOIN episodes e ON e.id = t.episode_id JOIN episodes f ON f.id = u.episode_id AND f.instance_id = e.instance_id
ORDER BY t.id, u.id LIMIT ?"""


def pairs(log: Log, many: int) -> list[NewItem]:
    """Pairs of first replies that compete."""
    rows = log.reader().execute(PAIRS, (many,)).fetchall()
    return log.write(lambda db: [NewItem("pair", candidate_of(db, a), candidate_of(db, b)) for a, b in rows])


def queue_of(log: Log, many: int = 12, name: str = "first", **wish) -> Queue:
    """A queue with so many pairs."""
    queue = new_queue(log, name, **{"seed": 7, **wish})
    found = pairs(log, many)
    assert len(found) == many
    add_items(log, queue, found)
    return queue
