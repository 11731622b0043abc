"""What is done to queues from a screen: look one up, make one from a query, close one. The commands do it in theirs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from store import pairing, query, queues
from store.queues import BadQueue, Queue

if TYPE_CHECKING:
    from playpen_tui.workbench import Workbench

MOST = 500
"""Pairs that a queue made here gets at most; the most informative ones."""


async def queue_of(bench: Workbench, queue: str) -> Queue:
    """The queue of this name or id. Raises UnknownQueue, LogError."""
    log = await bench.log()
    return await asyncio.to_thread(lambda: queues.find_queue(log.reader(), queue))


async def make_queue(bench: Workbench, name: str, text: str, judges: int) -> str:
    """Make a queue of pairs from the episodes that fit a query; a sentence that says what is in it.

    Raises BadQueue where there are no pairs or the name is taken, and what a wrong query raises.
    """
    log = await bench.log()

    def make() -> str:
        filters = query.parse(text).filters
        found = pairing.find(log.reader(), filters, limit=MOST)
        if not found.chosen:
            raise BadQueue(
                "no two different replies to the same words are among those episodes; "
                "`playpen-tui selfplay GAME --player PLAYER --per-instance 4` plays siblings that have some"
            )
        queue = queues.new_queue(log, name, judges=judges, config={"query": text})
        added = pairing.fill(log, queue, found.chosen)
        more = f", of {found.there:,} that there are" if found.there > len(added.new) else ""
        many = f"{len(added.new):,} pair{'' if len(added.new) == 1 else 's'}"
        return f"{queue.name}: {many}{more}"

    return await asyncio.to_thread(make)


async def shut(bench: Workbench, queue: str, *, again: bool = False) -> None:
    """Let no more votes in, or with `again` let them in once more. Raises UnknownQueue, LogError."""
    log = await bench.log()
    await asyncio.to_thread(lambda: queues.close_queue(log, queues.find_queue(log.reader(), queue), again=again))
