"""Seats that another process speaks for: waiting for the log, and being overtaken by it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from players.base import Identity, Player, PlayerError, Reply, Thinking
from players.elsewhere import OPEN, Beside, Elsewhere
from players.human import HumanPlayer


@dataclass
class Turn:
    """A turn as the log has it."""

    text: str
    player: str = "human"
    ms: float = 3.0


class Log:
    """A log to which another process writes when the test says so; counts who is still watching."""

    def __init__(self) -> None:
        self.written = asyncio.Event()
        self.next = Turn("SAY: there")
        self.asked: list[tuple[str, int]] = []
        self.watching = 0

    async def turn(self, episode, ply):
        self.asked.append((episode, ply))
        self.watching += 1
        try:
            await self.written.wait()
        finally:
            self.watching -= 1
        return self.next


class Slow:
    """A model that never answers, and says when it was cancelled."""

    identity = Identity("model", "slow")
    cancelled = False

    async def speak(self, heard, ask):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def begun(log: Log, player, ask):
    task = asyncio.create_task(player.speak((), ask))
    while not log.watching:
        await asyncio.sleep(0)
    return task


async def test_the_turn_of_this_ply_is_waited_for_and_not_written_again(ask, heard):
    log = Log()
    player = Elsewhere(log, "01E")
    assert isinstance(player, Player) and player.identity == Identity("replay", OPEN)
    task = await begun(log, player, ask)
    assert not task.done() and heard == [Thinking("first", "at another terminal")]
    log.written.set()
    assert await task == Reply("SAY: there", ms=3.0, logged=True)
    assert log.asked == [("01E", ask.ply)] and log.watching == 0


async def test_the_name_follows_who_speaks_there(ask):
    log = Log()
    player = Elsewhere(log, "01E", "smollm2")
    log.written.set()
    names = []
    for log.next in (Turn("a", "bot:competent"), Turn("b", "human:Ann"), Turn("c", "human"), Turn("d", "smollm2")):
        await player.speak((), ask)
        names.append(player.identity.name)
    assert names == ["bot:competent", OPEN, OPEN, "smollm2"]


async def test_nobody_speaks_in_time(ask):
    log = Log()
    with pytest.raises(
        PlayerError, match=r"nobody spoke as first for 0\.01 s: wait longer, or give the seat"
    ) as caught:
        await Elsewhere(log, "01E").speak((), replace(ask, deadline=0.01))
    assert caught.value.kind == "timeout" and log.watching == 0


async def test_a_player_here_speaks_first_and_the_watch_ends(ask):
    log, others = Log(), []
    human = HumanPlayer("ann")
    player = Beside(human, log, "01E", others.append)
    assert player.identity is human.identity
    task = await begun(log, player, ask)
    human.say("SAY: here")
    reply = await task
    assert (reply.text, reply.logged) == ("SAY: here", False) and log.watching == 0 and others == []


async def test_the_log_speaks_first_and_the_request_here_is_cancelled(ask):
    log, slow, others = Log(), Slow(), []
    task = await begun(log, Beside(slow, log, "01E", others.append), ask)
    log.next = Turn("SAY: there", "bot:random")
    log.written.set()
    assert await task == Reply("SAY: there", ms=3.0, logged=True)
    assert slow.cancelled and others == ["bot:random"]


async def test_a_player_here_that_fails_is_heard_as_failing(ask):
    log, human = Log(), HumanPlayer("ann")
    human.leave()
    with pytest.raises(PlayerError, match="the person left the table"):
        await Beside(human, log, "01E").speak((), ask)
    assert log.watching == 0


async def test_who_stops_waiting_stops_both(ask):
    log, slow = Log(), Slow()
    task = await begun(log, Beside(slow, log, "01E"), ask)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.cancelled and log.watching == 0
