"""A seat of one's own in the stands: words there are neither lost, nor heard twice, nor taken for commands."""

from __future__ import annotations

import asyncio

import pytest

from players.plan import Plan
from players.scripted import BotPlayer
from playpen_tui.messages import Look
from playpen_tui.screens.seated import AHEAD, moved
from playpen_tui.selfplay import Wish
from playpen_tui.watching import Watch
from playpen_tui.widgets.composer import Composer, Line


@pytest.fixture
def go(monkeypatch):
    """Bots reply once this is set."""
    going, real = asyncio.Event(), BotPlayer.speak

    async def speak(player, heard, ask):
        await going.wait()
        return await real(player, heard, ask)

    monkeypatch.setattr(BotPlayer, "speak", speak)
    return going


async def opened(stage, *keys: str) -> None:
    """The first of two matches of taboo, after these keys."""
    stage.app.post_message(Look(Watch(wish=Wish(Plan(("taboo",), ("bot",), episodes=2), concurrency=2))))
    await stage.to("SpectateScreen")
    await stage.sees("1-8 open")
    stage.press("1")
    await stage.sees("esc all")
    stage.press(*keys)


async def sit(stage, role: str) -> None:
    """Take a seat of the opened match, and have the line."""
    stage.press("f3")
    await stage.sees("Which seat?")
    stage.press(*["down"] * (role == "guesser"), "enter")
    await stage.sees(f"Who takes {role}?")
    stage.press("enter")
    await stage.to("SpectateScreen")
    await stage.until(lambda: isinstance(stage.screen.focused, Line), "the writing line")


def lane(stage):
    return stage.screen._open.lane


async def test_what_is_said_in_a_paused_match_is_said_once_and_stands_there(stage, go):
    async with stage.open():
        await opened(stage, "p")
        await stage.sees("p go on")
        await sit(stage, "describer")
        await stage.sees("the match is paused, and waits for you: F7 lets it go on", "F7 go on")
        stage.line("cannot be found in a zoo")
        await stage.sees("cannot be found in a zoo", "said; heard when it goes on", "your words wait: F7 lets it go on")
        assert "to speak" not in stage.text and stage.draft == ""
        stage.line("another thing")
        await stage.settle()
        stage.press("escape")
        await stage.sees("1-8 open")
        stage.press("1")
        await stage.until(lambda: stage.draft == "another thing", "the draft for the next turn")
        await stage.sees("said; heard when it goes on")
        assert lane(stage).match.ply == 0
        stage.press("f7")
        await stage.until(lambda: lane(stage).match.ply == 1, "the clue")
        assert stage.draft == "another thing"
        go.set()
        await stage.until(lambda: lane(stage).over or lane(stage).match.ply == 2, "the guess")
    assert stage.bench.rows("SELECT text FROM turns WHERE person_id IS NOT NULL") == [
        ("CLUE: cannot be found in a zoo",)
    ]


async def test_who_does_not_leave_after_all_keeps_seat_and_draft(stage, go):
    async with stage.open():
        await opened(stage)
        await sit(stage, "describer")
        stage.type("nobody gue")
        await stage.until(lambda: stage.draft == "nobody gue", "the draft")
        stage.press("escape")
        await stage.sees("1-8 open")
        stage.press("escape")
        await stage.sees("The run goes on", "Seats that changed hands are handed back")
        stage.press("escape")
        await stage.to("SpectateScreen")
        assert [stage.app.live.taken(watched) for watched in stage.screen._shown] == [["describer"], []]
        stage.press("1")
        stage.type("sses")  # faster than the line comes
        await stage.until(lambda: stage.draft == "nobody guesses", "the whole draft")
        await stage.sees("describer you · to speak")
        stage.press("escape")
        await stage.sees("1-8 open")
        stage.press("escape")
        await stage.sees("The run goes on")
        stage.press("enter")
        await stage.to("HomeScreen")
        assert not any(stage.app.live.taken(watched) for watched in stage.app.live.offered())
        go.set()


async def test_what_is_typed_while_another_is_to_speak_is_a_draft_and_no_command(stage, go):
    async with stage.open():
        await opened(stage)
        await sit(stage, "guesser")
        await stage.sees("draft ▸", "describer is to speak")
        stage.line("xp")
        await stage.until(lambda: stage.draft == "xp", "the draft")
        await stage.settle()
        assert stage.at == "SpectateScreen" and lane(stage).state == "playing"
        go.set()
        await stage.sees("guess ▸")
        stage.type("zt")
        await stage.until(lambda: stage.draft == "xpzt", "the draft in the form of the turn")
        stage.press("enter")
        await stage.until(lambda: lane(stage).match.ply >= 2, "the guess")
    assert stage.bench.rows("SELECT text FROM turns WHERE person_id IS NOT NULL")[0] == ("GUESS: xpzt",)


async def test_a_seat_that_is_handed_back_takes_the_line_with_it(stage, go):
    async with stage.open():
        await opened(stage)
        await sit(stage, "describer")
        stage.press("f3")
        await stage.sees("leave everybody where they sit")
        stage.press("enter")  # the harmless answer is the first
        await stage.to("SpectateScreen")
        assert stage.app.live.taken(stage.screen._open) == ["describer"]
        stage.press("f3")
        await stage.sees("hand describer back")
        stage.press("down", "enter")
        await stage.until(lambda: not stage.screen.query_one(Composer).display, "no line")
        await stage.sees("describer bot:competent")
        stage.press("p")
        await stage.until(lambda: lane(stage).state == "held", "letters are keys again")
        go.set()


def test_a_draft_goes_into_the_form_of_the_turn():
    from games.boards import Field

    guess, why = Field("guess", "guess"), Field("why", "why", optional=True)
    agreed = Field("agreement", "agree", options=("yes", "no"))
    assert moved({"ahead": "sheep"}, (guess, why)) == {"guess": "sheep"}
    assert moved({"guess": "", "why": "so"}, (guess, why)) == {"why": "so"}
    assert moved({"guess": "sheep", "why": "so"}, (AHEAD,)) == {"ahead": "sheep so"}
    assert moved({"ahead": "N"}, (agreed, why)) == {"agreement": "no"}
    assert moved({"ahead": ""}, (guess,)) == {}
