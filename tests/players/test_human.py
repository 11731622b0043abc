"""A person at the table: waiting, saying, leaving, being late, being cancelled."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from players.base import Identity, Player, PlayerError, Thinking
from players.human import HumanPlayer


async def waiting(player, ask):
    task = asyncio.create_task(player.speak((), ask))
    while not player.waiting:
        await asyncio.sleep(0)
    return task


async def test_the_match_waits_for_the_person_and_times_them(ask, heard):
    player = HumanPlayer("quiet-otter", name="human:quiet-otter")
    assert isinstance(player, Player)
    assert player.identity == Identity("human", "human:quiet-otter", person="quiet-otter")
    task = await waiting(player, ask)
    await asyncio.sleep(0.05)
    assert not task.done() and heard == [Thinking("first")]
    player.say("SAY: hello")
    reply = await task
    assert (reply.text, reply.call, reply.assisted) == ("SAY: hello", None, False)
    assert 50 <= reply.ms < 2000 and not player.waiting


async def test_lines_that_come_early_are_taken_in_order(ask):
    player = HumanPlayer()
    player.say("a")
    player.say("b")
    assert [(await player.speak((), ask)).text for _ in range(2)] == ["a", "b"]


async def test_what_nobody_has_asked_for_yet_is_known(ask):
    player = HumanPlayer()
    assert player.unheard is None
    player.say("a")
    assert player.unheard == "a"
    await player.speak((), ask)
    assert player.unheard is None


async def test_what_was_typed_ahead_can_be_dropped(ask):
    player = HumanPlayer()
    player.say("a")
    player.say("b")
    assert player.forget() == 2 and player.forget() == 0
    task = await waiting(player, ask)
    player.say("c")
    assert (await task).text == "c"


async def test_leaving_ends_the_waiting_but_what_was_said_counts(ask):
    player = HumanPlayer()
    player.say("last words")
    player.leave("the input ended")
    assert (await player.speak((), ask)).text == "last words"
    for _ in range(2):
        with pytest.raises(PlayerError) as caught:
            await player.speak((), ask)
        assert caught.value.kind == "gone" and caught.value.message.startswith("the input ended: ")
        assert "--resume" in caught.value.message and not player.waiting


async def test_leaving_in_the_middle_of_the_waiting(ask):
    player = HumanPlayer()
    task = await waiting(player, ask)
    player.leave()
    with pytest.raises(PlayerError, match="left the table"):
        await task


async def test_a_deadline_is_kept(ask):
    player = HumanPlayer()
    with pytest.raises(PlayerError) as caught:
        await player.speak((), replace(ask, deadline=0.02))
    assert caught.value.kind == "timeout" and "0.02 s" in caught.value.message


async def test_cancelling_loses_nothing_that_is_said_later(ask):
    player = HumanPlayer()
    task = await waiting(player, ask)
    player.say("heard by nobody yet")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not player.waiting and (await player.speak((), ask)).text == "heard by nobody yet"
