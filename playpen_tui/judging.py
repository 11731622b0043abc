"""One judge at one queue: the next item to read, votes, undo, drafts and history. No screen.

The screen, the plain mode and models that judge all hold a `Judging`. While an item is looked at its reservation is
renewed; when the process dies, the reservation ends by itself and what was being written is still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from playpen_tui.comparing import Side, compared, revealed
from store import adjudication, judging, queues
from store.adjudication import Dispute
from store.errors import LogError, Unknown
from store.judging import Ballot, Judge, PlaceTaken, Reserved, Verdict
from store.queues import BadQueue, Queue

if TYPE_CHECKING:
    from playpen_tui.workbench import Workbench
    from store.log import Log

__all__ = [
    "Judging",
    "PlaceTaken",
    "QueueLine",
    "Revealed",
    "Shown",
    "Side",
    "Voted",
    "decide",
    "disputed",
    "open_judging",
    "queue_lines",
]

RENEW = 60.0
"""Seconds between two renewals of a reservation."""
PATIENCE = 3600.0
"""Seconds for which an item stays reserved for somebody who does not touch a key."""
SAID = ("left", "right", "tie", "bad", "skip")


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as a judge sees it: nothing in it says who wrote what, or how it ended."""

    item: str
    kind: str
    game: str
    role: str
    context: tuple[tuple[str, str], ...]
    """Who and what: what the role has before its eyes (`board`), and the dialogue as it heard and said it."""
    left: Side
    right: Side
    repeat: bool
    """Whether this judge saw it before, the other way round. For the log only, never shown."""
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Revealed:
    """After the vote: who wrote left and right, how that ended, value and length. Empty where a queue stays blind."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Voted:
    """One line of the history."""

    annotation: str
    item: str
    verdict: str
    """left, right, tie, bad or skip, as it stood then."""
    much: bool
    flag: bool
    comment: str
    at: str


@dataclass(frozen=True, slots=True)
class QueueLine:
    """A queue in one line."""

    id: str
    name: str
    kind: str
    """pair, endings, or pair and endings; empty while it has no items."""
    items: int
    judges: int
    mine: int
    """Votes of the person who sits here."""
    left: int
    """What is left for that person."""
    votes: int
    full: int
    disputed: int
    open: bool
    created_at: str


class Judging:
    """One judge at one queue. Every method raises LogError and its kin, each with one sentence."""

    def __init__(self, log: Log, queue: Queue, judge: Judge) -> None:
        self._log = log
        self.queue = queue
        self._judge = judge
        self._now: Reserved | None = None
        self._shown_at = 0.0
        self._away = 0.0
        self._left_at: float | None = None
        self._flag = False
        self._blind = True
        self._renewing: asyncio.Task[None] | None = None
        self._erased: set[str] = set()
        """Items that cannot be shown any more."""

    @property
    def judge(self) -> str:
        """The pseudonym, or the id of the model that judges."""
        return self._judge.id

    @property
    def flagged(self) -> bool:
        """Whether there is a flag on the item shown."""
        return self._flag

    async def next(self, but: Collection[str] = ()) -> Shown | None:
        """The next item, reserved for this judge; None when nothing is left. Items `but` are passed over."""

        def look() -> tuple[Queue, Reserved | None]:
            reserved = judging.reserve(self._log, self.queue, self._judge, but=passed)
            return queues.find_queue(self._log.reader(), self.queue.id), reserved

        passed = set(but) | self._erased
        while True:
            self.queue, reserved = await asyncio.to_thread(look)
            if reserved is None:
                self._forget()
                return None
            try:
                return await self._show(reserved)
            except Unknown:  # somebody's words were erased since the item was made: there is nothing to compare
                self._erased.add(reserved.item.id)
                passed.add(reserved.item.id)
                await asyncio.to_thread(judging.release, self._log, self.queue, self._judge)

    async def vote(self, verdict: str, *, much: bool = False, early: bool = False) -> Revealed:
        """Write what the judge thinks of the item shown: left, right, tie, bad or skip.

        Raises PlaceTaken where others filled the item meanwhile: then nothing was written, and `next` goes on.
        """
        now = self._showing()
        if verdict not in SAID:
            raise BadQueue(f"no verdict {verdict!r}; there are {', '.join(SAID)}")
        spent = 1000 * (time.monotonic() - self._shown_at - self._away_for())
        ballot = Ballot(
            now.item.id,
            _of_items(now, verdict),
            now.left,
            now.right,
            repeat=now.repeat,
            much=much and verdict in ("left", "right"),
            early=early,
            flag=self._flag,
            blind=self._blind,
            ms=round(spent),
            guideline=self.queue.guideline.id if self.queue.guideline else None,
        )

        def write() -> Revealed:
            comment = judging.read_draft(self._log.reader(), self.judge, now.item.id)
            judging.vote(self._log, self.queue, self._judge, replace(ballot, comment=comment))
            if not self.queue.reveal:
                return Revealed("", "")
            return Revealed(revealed(self._log, now.left), revealed(self._log, now.right))

        try:
            told = await asyncio.to_thread(write)
        except PlaceTaken:
            await asyncio.to_thread(judging.release, self._log, self.queue, self._judge)
            self._forget()
            raise
        self._forget()
        return told

    async def undo(self) -> Shown | None:
        """Take the last vote that stands back and show its item again; None where there is none. As often as wished."""

        def back() -> tuple[Reserved, bool] | None:
            last = judging.history(self._log.reader(), self.queue, self._judge, 1)
            if not last:
                return None
            reserved = judging.take_back(self._log, self.queue, self._judge)
            judging.write_draft(self._log, self.judge, reserved.item.id, last[0].comment)
            return reserved, last[0].flag

        found = await asyncio.to_thread(back)
        if found is None:
            return None
        return await self._show(found[0], flag=found[1])

    async def flag(self) -> bool:
        """Put a flag on the item shown, or take it off; it goes out with the vote. Whether it is there now."""
        self._showing()
        self._flag = not self._flag
        return self._flag

    async def comment(self, text: str) -> None:
        """Keep what is being written about the item shown; it goes out with the vote, and outlives a crash."""
        item = self._showing().item.id
        await asyncio.to_thread(judging.write_draft, self._log, self.judge, item, text)

    async def draft(self) -> str:
        """What was written about the item shown and has not gone out yet."""
        item = self._showing().item.id
        return await asyncio.to_thread(lambda: judging.read_draft(self._log.reader(), self.judge, item))

    async def history(self, limit: int = 5) -> list[Voted]:
        """The votes of this judge that stand, newest first."""
        found = await asyncio.to_thread(lambda: judging.history(self._log.reader(), self.queue, self._judge, limit))
        return [Voted(one.annotation, one.item, one.side, one.much, one.flag, one.comment, one.at) for one in found]

    async def show(self, item: str) -> Shown:
        """An item from the history, with the sides of then: a vote on it supersedes the one that stands."""

        def look() -> tuple[Reserved, bool]:
            reserved = judging.look_again(self._log, self.queue, self._judge, item)
            before = judging.standing(self._log.reader(), self._judge, reserved.item.id, reserved.repeat)
            if before is not None and before.comment:
                judging.write_draft(self._log, self.judge, reserved.item.id, before.comment)
            return reserved, before is not None and before.flag

        reserved, flag = await asyncio.to_thread(look)
        return await self._show(reserved, flag=flag, keep=False)

    async def disputed(self) -> list[Dispute]:
        """Items of this queue that people disagree about, undecided ones first."""
        return await asyncio.to_thread(lambda: adjudication.disputes(self._log.reader(), self.queue))

    async def close(self) -> None:
        """Let go of what is reserved. Twice is fine."""
        self._forget()
        await asyncio.to_thread(judging.release, self._log, self.queue, self._judge)

    def away(self) -> None:
        """Nobody looks at the item from here on: the time does not count until `back`."""
        if self._left_at is None:
            self._left_at = time.monotonic()

    def back(self) -> None:
        """Somebody looks again."""
        if self._left_at is not None:
            self._away += time.monotonic() - self._left_at
            self._left_at = None

    def _away_for(self) -> float:
        return self._away + (0.0 if self._left_at is None else time.monotonic() - self._left_at)

    def _showing(self) -> Reserved:
        if self._now is None:
            raise BadQueue("no item is shown; ask for the next one first")
        return self._now

    async def _show(self, reserved: Reserved, *, flag: bool = False, keep: bool = True) -> Shown:
        """Read the item, and begin to count the time. `keep`: it is reserved, and stays so."""

        def look() -> tuple[Shown, bool]:
            seen = judging.seen_before(self._log.reader(), self._judge, reserved.item.id)
            return _shown(self._log, reserved), seen

        shown, seen = await asyncio.to_thread(look)
        self._forget()
        self._now, self._flag = reserved, flag
        # the second time is meant to be as blind as the first: who wrote what is not shown, and seldom remembered
        self._blind = reserved.repeat or not (seen and self.queue.reveal)
        self._shown_at, self._away, self._left_at = time.monotonic(), 0.0, None
        if keep:
            self._renewing = asyncio.create_task(self._renew(reserved.item.id))
        return shown

    async def _renew(self, item: str) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            await asyncio.sleep(RENEW)
            with contextlib.suppress(LogError):  # the vote will say what is wrong, and a minute later it is tried again
                await asyncio.to_thread(judging.renew, self._log, self._judge, item)

    def _forget(self) -> None:
        self._now, self._flag = None, False
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None


def _shown(log: Log, reserved: Reserved) -> Shown:
    item = reserved.item
    found = compared(log, item)
    sides = {found.a.candidate: found.a, found.b.candidate: found.b}
    return Shown(
        item.id, item.kind, found.game, item.role, found.context, sides[reserved.left], sides[reserved.right],
        reserved.repeat, reserved.number, reserved.of,
    )  # fmt: skip


def _of_items(reserved: Reserved, verdict: str) -> Verdict:
    """left and right as a and b."""
    match verdict:
        case "left" | "right":
            return "a" if (verdict == "left") == (reserved.left == reserved.item.a) else "b"
        case "tie" | "bad":
            return verdict
        case _:
            return "skip"


async def open_judging(bench: Workbench, queue: str, judge: str | None = None) -> Judging:
    """Sit down at a queue: as the person of this terminal, or under this pseudonym.

    A pseudonym that is new is noted as one who agreed to this machine only. Raises UnknownQueue, BadQueue where it is
    closed, LogError.
    """
    log = await bench.log()
    found = await asyncio.to_thread(lambda: queues.find_queue(log.reader(), queue))
    _require_open(found)
    who = await _person(bench, judge)
    return Judging(log, found, Judge(who))


def _require_open(queue: Queue) -> None:
    if not queue.open:
        raise BadQueue(f"the queue {queue.name!r} is closed; `annotate queue close {queue.name} --again` opens it")


async def queue_lines(bench: Workbench) -> list[QueueLine]:
    """Every queue, open ones first, with what the person who sits here did and has left."""
    log = await bench.log()
    who = Judge(bench.settings.get("person") or bench.settings.get("unasked"))
    return await asyncio.to_thread(lambda: [_line(log, queue, who) for queue in queues.all_queues(log.reader())])


def _line(log: Log, queue: Queue, who: Judge) -> QueueLine:
    told = queues.tally(log.reader(), queue)
    mine, left = judging.left_for(log.reader(), queue, who)
    kind = " and ".join(name for name, many in (("pair", told.pairs), ("endings", told.endings)) if many)
    return QueueLine(
        queue.id, queue.name, kind, told.items, queue.judges, mine, left if queue.open else 0, told.votes, told.full,
        told.disputed, queue.open, queue.created_at,
    )  # fmt: skip


async def disputed(bench: Workbench, queue: str) -> list[tuple[Dispute, Shown]]:
    """Items that people disagree about, undecided ones first, each as it is read: a stands left."""
    log = await bench.log()

    def look() -> list[tuple[Dispute, Shown]]:
        found = adjudication.disputes(log.reader(), queues.find_queue(log.reader(), queue))
        return [
            (one, _shown(log, Reserved(one.item, False, one.item.a, one.item.b, number, len(found))))
            for number, one in enumerate(found, 1)
        ]

    return await asyncio.to_thread(look)


async def decide(
    bench: Workbench, queue: str, item: str, verdict: Verdict, reason: str, judge: str | None = None
) -> str:
    """Decide a disputed item (a, b, tie or bad), as the person of this terminal or under a pseudonym.

    Returns the annotation's id. Raises BadQueue without a reason, Unknown, LogError.
    """
    log = await bench.log()
    person = await _person(bench, judge)
    found = await asyncio.to_thread(lambda: queues.find_queue(log.reader(), queue))
    return await asyncio.to_thread(adjudication.adjudicate, log, found, item, verdict, reason, person)


async def _person(bench: Workbench, judge: str | None) -> str:
    """Who judges: the person of this terminal, or whoever was named, noted where they are new."""
    if judge is None:
        return await bench.people.pseudonym()
    log = await bench.log()
    if await asyncio.to_thread(log.people.find, judge) is None:
        await asyncio.to_thread(log.people.add, "local", judge)
    return judge
