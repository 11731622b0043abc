"""A sitting without a screen: whose turn, whose eyes, what is asked and refused, and what brings it back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from games import catalog
from games.engine import Match
from players.base import Called, Identity, PlayerError, Reply, Said
from players.human import HumanPlayer
from players.ports import NoRecorder
from players.scripted import BotPlayer
from playpen_tui.sitting import Setup, Sitting

TABOO = catalog.get("taboo")
TARGET = "library"


def table(**seats: str) -> Sitting:
    """Taboo about a library: seats are `human` or `bot`."""
    made = {
        role: HumanPlayer("ann") if spec == "human" else BotPlayer(TABOO, "competent", TABOO.bots()["competent"])
        for role, spec in seats.items()
    }
    match = Match.new(TABOO, catalog.instance(TABOO, "high-en-004"), 1)
    return Sitting(Setup("taboo", seats), match, made)


class Book(NoRecorder):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def begin(self, match, seats, place) -> str:
        self.told.append("begin")
        return "01ABC"

    async def turn(self, episode, match, step, who, reply) -> None:
        self.told.append(f"turn {step.ply} {step.role}")

    async def result(self, episode, match, scores) -> None:
        self.told.append(f"result {match.state.outcome}")


def test_one_person_sees_through_their_own_eyes_all_the_time():
    sitting = table(describer="bot", guesser="human")
    assert sitting.waiting_for is None and sitting.viewer() == "guesser"
    assert sitting.names() == {"describer": "bot:competent", "guesser": "you"}
    assert sitting.fields() == ()
    assert sitting.problems({"guess": "x"}) == ("it is not your turn",)


def test_two_people_see_through_the_eyes_of_whose_turn_it_is():
    sitting = table(describer="human", guesser="human")
    assert sitting.viewer("guesser") == "describer" == sitting.waiting_for
    assert sitting.names() == {"describer": "describer", "guesser": "guesser"}
    sitting.match = sitting.match.play("CLUE: paper to borrow")
    assert sitting.viewer("describer") == "guesser"
    sitting.match = sitting.match.play(f"GUESS: {TARGET}")
    assert sitting.match.over and sitting.viewer("guesser") == "guesser"


def test_bots_alone_are_seen_by_the_game_master():
    assert table(describer="bot", guesser="bot").viewer() is None


def test_what_is_wrong_is_not_said_and_what_is_right_is_said_with_its_tag():
    sitting = table(describer="human", guesser="bot")
    (problem,) = sitting.say({"clue": "read it"})
    assert "forbidden" in problem
    assert sitting.humans["describer"].forget() == 0
    assert sitting.say({"clue": "paper to borrow"}) == ()
    assert sitting.humans["describer"].forget() == 1


def test_who_has_spoken_is_not_asked_again_before_the_match_goes_on():
    sitting = table(describer="human", guesser="bot")
    assert sitting.say({"clue": "a house of paper"}) == ()
    assert sitting.unheard == ("describer", "CLUE: a house of paper")
    assert sitting.waiting_for is None and sitting.fields() == ()
    assert sitting.say({"clue": "another"}) == ("it is not your turn",)


async def test_playing_records_each_turn_before_the_next_and_once_the_result():
    sitting = table(describer="human", guesser="bot")
    book = sitting.recorder = Book()
    seen: list[int] = []
    heard: list[object] = []
    bot = TABOO.bots()["competent"]
    fields = sitting.match.view("describer").read(bot(sitting.match.view("describer"), Random(1)))
    sitting.say(fields)
    match = await sitting.play(heard.append, lambda match: seen.append(match.ply))
    assert match.state.outcome == "success" and sitting.match is match
    assert book.told == ["begin", "turn 0 describer", "turn 1 guesser", "result success"]
    assert seen == [1, 2]
    assert [type(event) for event in heard].count(Said) == 2
    assert not [event for event in heard if isinstance(event, Called)]


async def test_a_failed_player_leaves_the_match_where_it_was_and_can_be_asked_again():
    sitting = table(describer="human", guesser="bot")
    book = sitting.recorder = Book()

    class Shy:
        identity = Identity("model", "shy")
        asked = 0

        async def speak(self, heard, ask) -> Reply:
            self.asked += 1
            if self.asked == 1:
                raise PlayerError("timeout", "shy said nothing: ask again")
            return Reply(f"GUESS: {TARGET}")

    sitting.players["guesser"] = Shy()
    sitting.say({"clue": "paper to borrow"})
    with pytest.raises(PlayerError, match="shy said nothing"):
        await sitting.play()
    assert sitting.match.ply == 1 and sitting.command() == "playpen-tui play --resume 01ABC"
    await sitting.play()
    assert book.told == ["begin", "turn 0 describer", "turn 1 guesser", "result success"]


async def test_a_cancelled_game_stands_and_goes_on():
    sitting = table(describer="human", guesser="bot")
    task = asyncio.create_task(sitting.play())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sitting.match.ply == 0
    sitting.say({"clue": "paper to borrow"})
    task = asyncio.create_task(sitting.play())
    for _ in range(200):
        await asyncio.sleep(0.005)
        if sitting.match.ply >= 2:
            break
    assert sitting.match.steps[0].text == "CLUE: paper to borrow"
    task.cancel()


def test_the_command_seats_the_same_table_again_when_it_is_over():
    seats = {"describer": "human", "guesser": "openai:a model?temperature=0"}
    sitting = Sitting(Setup("taboo", seats, language="de"), table(describer="bot", guesser="bot").match, {}, episode="")
    words = "playpen-tui play taboo --seat describer=human --seat 'guesser=openai:a model?temperature=0' --lang de"
    assert sitting.command() == words
    sitting.episode = "01ABC"
    sitting.match = sitting.match.play("no tag")
    assert sitting.match.over and sitting.command() == words


def test_with_three_seats_everybody_moves_on_by_one():
    setup = Setup("x", {"a": "human", "b": "bot", "c": "m"}, seed=3, resume="01")
    assert setup.swapped().seats == {"a": "bot", "b": "m", "c": "human"}
    assert setup.swapped().resume is None and setup.swapped().seed is None
    assert setup.swapped().swapped().swapped().seats == setup.seats
