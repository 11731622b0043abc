"""The batch driver: plays as the match driver does, in waves, and leaves alone what nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from games import catalog
from games.engine import Match, luck
from players.base import Reply
from players.batch import drive_batch
from players.driver import drive, sampling_seed
from players.scripted import BotPlayer


def matches(name: str, count: int) -> list[Match]:
    game = catalog.get(name)
    return [Match.new(game, one, seed=at) for at, one in enumerate(catalog.instances(game, split="train")[:count])]


def bots(name: str, waves: list[int]):
    """Every seat by the game's competent bot, as `BotPlayer` asks it."""
    bot = catalog.get(name).bots()["competent"]

    def generate(waiting):
        waves.append(len(waiting))
        seeds = [sampling_seed(one.match.seed, one.role, one.match.ply) for one in waiting]
        return [
            Reply(bot(one.match.view(one.role), luck(seed, one.match.ply)))
            for one, seed in zip(waiting, seeds, strict=True)
        ]

    return generate


@pytest.mark.parametrize("name", ["taboo", "wordle_withcritic", "referencegame"])
def test_it_plays_what_the_match_driver_plays(name):
    begun, waves = matches(name, 5), []
    found = drive_batch(begun, bots(name, waves))
    game = catalog.get(name)
    seats = {role: BotPlayer(game, "competent", game.bots()["competent"]) for role in game.roles}
    assert [match.texts for match in found] == [asyncio.run(drive(match, seats)).texts for match in begun]
    assert waves[0] == 5 and sum(waves) == sum(match.ply for match in found)


def test_a_match_without_a_reply_stands_and_the_rest_goes_on():
    begun, heard = matches("taboo", 3), []
    play = bots("taboo", [])

    def generate(waiting):
        return [
            None if one.at == 1 and one.match.ply else said for one, said in zip(waiting, play(waiting), strict=True)
        ]

    found = drive_batch(begun, generate, lambda at, match, reply: heard.append((at, match.ply)))
    assert [match.over for match in found] == [True, False, True] and found[1].ply == 1
    assert [ply for at, ply in heard if at == 0] == list(range(1, found[0].ply + 1))
    assert not begun[0].ply  # a match is a value


def test_too_few_replies_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        drive_batch(matches("taboo", 2), lambda waiting: [])
