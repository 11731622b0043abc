"""Bots and replays: reproducible, and clear about their end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from games.engine import Match
from players.base import Identity, Player, PlayerError
from players.driver import drive
from players.ports import LoggedEpisode
from players.scripted import BotPlayer, ReplayPlayer


def bot(echo, name="random"):
    return BotPlayer(echo, name, echo.bots()[name])


async def test_a_bot_gets_its_luck_from_the_ask(echo, ask):
    player = bot(echo)
    first = await player.speak((), ask)
    assert (await player.speak((), ask)).text == first.text == (await bot(echo).speak((), ask)).text
    assert (await player.speak((), replace(ask, seed=8))).text != first.text
    assert first.call is None and first.text.startswith("SAY: ")


def test_a_bot_is_named_with_its_game(echo):
    assert isinstance(bot(echo), Player)
    assert bot(echo).identity == Identity("bot", "bot:random", revision="echo@1")


async def test_a_table_of_bots_leaves_the_loop_to_others(echo):
    seen = []

    async def other():
        while True:
            seen.append(1)
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    match = Match.new(echo, echo.instances("en")[0])
    await drive(match, {role: bot(echo) for role in echo.roles})
    task.cancel()
    assert len(seen) >= 4


def logged(match):
    return LoggedEpisode(
        id="01ABC",
        game="echo",
        version=1,
        instance=match.instance.model_dump(),
        seed=match.seed,
        texts=match.texts,
        roles=[step.role for step in match.steps],
        seats={},
        outcome=match.state.outcome,
    )


async def test_a_replay_says_what_its_role_said_and_then_that_it_is_over(echo, match):
    played = match
    for text in ("SAY: one", "SAY: two", "SAY: three"):
        played = played.play(text)
    episode = logged(played)
    first, second = ReplayPlayer(episode, "first"), ReplayPlayer(episode, "second")
    assert (first.texts, second.texts) == (("SAY: one", "SAY: three"), ("SAY: two",))
    assert first.identity == Identity("replay", "replay:01ABC", revision="echo@1")
    with pytest.raises(PlayerError) as caught:
        await drive(match, {"first": first, "second": second})
    assert caught.value.kind == "gone" and "01ABC has only 1 reply of second" in caught.value.message


async def test_a_replay_goes_on_wherever_the_seat_stands(echo, match, ask):
    played = match.play("SAY: one").play("SAY: two").play("SAY: three").play("SAY: four")
    replay = ReplayPlayer(logged(played), "first")
    other = match.play("SAY: somebody else said this").play("SAY: and this")
    assert (await replay.speak(other.heard["first"], ask)).text == "SAY: three"
    again = await drive(match, {"first": replay, "second": ReplayPlayer(logged(played), "second")})
    assert again.texts == played.texts and again.over
