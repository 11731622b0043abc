"""Seats that change hands in mid-game at one terminal: taken, given away, handed back, and what the log has of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from textual.widgets import Input, OptionList

from playpen_tui.sitting import Setup
from playpen_tui.widgets.seats import Seats

WHO = "select t.role, p.name from turns t join players p on p.id = t.player_id order by t.ply"


def option(stage, id: str) -> str:
    """What the list of players says of this one."""
    return str(stage.screen.query_one("#seats-whom", OptionList).get_option(id).prompt)


def once(stage, text: str):
    """What the model says once; the next time it does not come to an end."""
    said: list[str] = []

    def say(ask) -> str:
        if said:
            stage.bench.models[-1].hold = asyncio.Event()
        said.append(text)
        return text

    return say


async def change(stage, role: str, spec: str) -> None:
    """Open the dialog, choose the seat and the player by their keys."""
    stage.press("f3")
    await stage.to("SeatsDialog")
    roles = list(stage.sitting.setup.seats)
    stage.press("shift+tab")
    which = stage.screen.query_one("#seats-which", OptionList)
    await stage.until(lambda: which.has_focus, "the seats to choose from")
    stage.press("home", *["down"] * roles.index(role), "enter")
    whom = stage.screen.query_one("#seats-whom", OptionList)
    await stage.until(lambda: whom.has_focus and spec in [o.id for o in whom.options], f"{spec} to choose")
    stage.press("home", *["down"] * [o.id for o in whom.options].index(spec), "enter")
    await stage.until(lambda: stage.sitting.setup.seats[role] == spec, f"{spec} as {role}")


async def test_ones_own_seat_is_given_to_a_model_and_taken_back(stage, taboo):
    stage.bench.say = once(stage, "CLUE: you borrow there")
    async with stage.open(taboo(partner="bot:random")):
        await stage.my_turn("describer")
        await stage.say("paper on shelves")
        await stage.my_turn("describer")
        stage.bench.hold = asyncio.Event()
        await change(stage, "describer", "scripted")
        await stage.until(lambda: stage.screen.query_one(Seats).busy, "the model at work")
        assert "L I B R A R Y" in stage.text, "whoever gave the seat away goes on seeing what it sees"
        stage.bench.hold.set()
        await stage.until(lambda: stage.match.ply == 4, "two turns")
        await change(stage, "describer", "human")
        await stage.my_turn("describer")
        await stage.sees("you paper on shelves", "scripted you borrow there")
        await stage.say("whisper in it")
        await stage.over()
        await stage.sees("you whisper in it")
    spoke = stage.bench.rows(WHO)
    assert [name for role, name in spoke if role == "describer"] == ["human", "scripted", "human"]
    assert {name for role, name in spoke if role == "guesser"} == {"bot:random"}


async def test_the_partners_seat_is_taken_while_it_writes_and_handed_back(stage, taboo):
    stage.bench.hold = asyncio.Event()
    stage.bench.say = lambda ask: "GUESS: library"
    async with stage.open(taboo()):
        await stage.my_turn("describer")
        await stage.say("paper on shelves")
        await stage.until(lambda: stage.screen.query_one(Seats).busy, "the model at work")
        await change(stage, "guesser", "human")
        await stage.until(lambda: stage.at == "Curtain", "the curtain between two seats of people")
        stage.press("enter")
        await stage.my_turn("guesser")
        assert "libra" not in stage.text
        await stage.say("museum")
        await stage.to("Curtain")
        stage.press("enter")
        await stage.my_turn("describer")
        stage.press("f3")
        await stage.to("SeatsDialog")
        stage.screen.query_one("#seats-which", OptionList).highlighted = 1
        await stage.until(lambda: option(stage, "scripted").startswith("back to scripted"), "the one of before on top")
        stage.press("escape")
        await stage.to("PlayScreen")
        stage.bench.hold.set()
        await change(stage, "guesser", "scripted")
        await stage.say("you borrow there")
        await stage.over()
    assert stage.bench.rows(WHO) == [
        ("describer", "human"),
        ("guesser", "human"),
        ("describer", "human"),
        ("guesser", "scripted"),
    ]
    calls = stage.bench.rows("select finish, turn_id is null from calls order by id")
    assert calls[0] == ("cancelled", 1) and calls[-1] == ("stop", 0), "what was written of a reply is kept"


async def test_any_player_can_be_named_and_one_that_is_none_changes_nothing(stage, taboo):
    async with stage.open(taboo(partner="bot")):
        await stage.my_turn("describer")
        for spec, why in (
            ("nobody-here", "nobody-here"),
            ("bot:clever", "clever"),
            ("openai:m?base_url=http://127.0.0.1:9/v1&bad=1", "bad"),
        ):
            stage.press("f3")
            await stage.to("SeatsDialog")
            stage.screen.query_one("#seats-which", OptionList).highlighted = 1
            stage.screen.query_one(Input).focus()
            stage.line(spec)
            await stage.to("PlayScreen")
            await stage.until(lambda why=why: why in stage.notes, "the sentence")
            assert stage.sitting.setup.seats == {"describer": "human", "guesser": "bot"}
        await stage.say(stage.good()["clue"])
        await stage.over()


async def test_esc_leaves_everybody_where_they_sit_and_the_draft_stays(stage, taboo):
    async with stage.open(taboo(partner="bot")):
        await stage.my_turn("describer")
        stage.type("paper on")
        await stage.until(lambda: stage.draft == "paper on", "the draft")
        stage.press("f3")
        await stage.to("SeatsDialog")
        await stage.sees("describer you", "guesser bot:competent", "esc leave all as it is")
        stage.press("escape")
        await stage.my_turn("describer")
        assert stage.draft == "paper on" and stage.sitting.setup.seats["guesser"] == "bot" and not stage.sitting.before


async def test_who_sits_there_is_not_offered(stage, taboo):
    async with stage.open(taboo(partner="bot")):
        await stage.my_turn("describer")
        stage.press("f3")
        await stage.to("SeatsDialog")
        whom = stage.screen.query_one("#seats-whom", OptionList)
        await stage.until(lambda: "bot:random" in [o.id for o in whom.options], "everybody who could play")
        assert "human" not in [o.id for o in whom.options] and "bot" in [o.id for o in whom.options]
        stage.screen.query_one("#seats-which", OptionList).highlighted = 1
        await stage.until(lambda: "bot" not in [o.id for o in whom.options], "the players for the other seat")
        assert whom.options[0].id == "human"
        stage.press("escape")
        await stage.to("PlayScreen")


async def test_who_sits_down_at_a_game_of_bots_is_asked_first(stage):
    setup = Setup("taboo", {"describer": "scripted", "guesser": "bot"}, instance="high-en-004", seed=1)
    stage.bench.hold = asyncio.Event()
    async with stage.open(setup, consent=None):
        await stage.until(lambda: stage.at == "PlayScreen" and stage.screen.query_one(Seats).busy, "the model at work")
        for answer, seat in (("end", "scripted"), ("home", "human")):
            stage.press("f3")
            await stage.to("SeatsDialog")
            stage.screen.query_one(Input).focus()
            stage.line("human")
            await stage.to("Choose")
            stage.press(answer, "enter")
            await stage.to("PlayScreen")
            if answer == "end":
                await stage.until(
                    lambda: "without your consent you cannot sit at a game" in stage.notes, "the sentence"
                )
            await stage.until(lambda seat=seat: stage.sitting.setup.seats["describer"] == seat, "who describes")
        await stage.my_turn("describer")
        await stage.say(stage.good()["clue"])
        await stage.over()
    assert stage.bench.rows("select role, person_id is not null from turns order by ply") == [
        ("describer", 1),
        ("guesser", 0),
    ]


async def test_a_game_that_is_not_recorded_has_no_seat_for_another_terminal(stage, taboo):
    async with stage.open(replace(taboo(partner="bot"), record=False)):
        await stage.my_turn("describer")
        stage.press("f3")
        await stage.to("SeatsDialog")
        stage.screen.query_one("#seats-which", OptionList).highlighted = 1
        stage.screen.query_one(Input).focus()
        stage.line("human@")
        await stage.until(lambda: "needs a game that is recorded: the log is the table" in stage.notes, "the sentence")
        assert stage.sitting.setup.seats["guesser"] == "bot"
        await stage.say(stage.good()["clue"])
        await stage.over()


async def test_a_game_that_is_over_or_anothers_has_no_seats_to_change(stage, taboo):
    async with stage.open(taboo(partner="bot")):
        await stage.my_turn("describer")
        await stage.sees("f3 seats")
        await stage.say(stage.good()["clue"])
        await stage.over()
        assert "f3 seats" not in stage.text
        stage.press("f3")
        await stage.settle()
        assert stage.at == "PlayScreen"


async def test_a_resumed_game_seats_who_sat_there_last_and_names_who_spoke(stage, taboo):
    stage.bench.say = once(stage, "CLUE: you borrow there")
    async with stage.open(taboo(partner="bot:random")):
        await stage.my_turn("describer")
        await stage.say("paper on shelves")
        await stage.my_turn("describer")
        await change(stage, "describer", "scripted")
        await stage.until(lambda: stage.match.ply == 4 and stage.screen.query_one(Seats).busy, "the next of its turns")
        episode = stage.app.last.episode
    async with stage.open(Setup("", seats={"describer": "human"}, resume=episode)):
        await stage.my_turn("describer")
        await stage.sees("you paper on shelves", "scripted you borrow there")
