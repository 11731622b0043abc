"""The question before the first recorded turn of a person, and what each answer leads to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playpen_tui.screens.dialogs import Choose
from playpen_tui.sitting import Setup
from store.people import CONSENT


async def test_it_is_asked_once_before_the_first_turn(stage, taboo):
    async with stage.open(taboo(), consent=None):
        await stage.to("Choose")
        await stage.sees("You appear under a random pseudonym", *CONSENT["en"].answers.values())
        assert stage.bench.rows("select count(*) from episodes") == [(0,)]
        stage.press("down", "enter")
        await stage.my_turn()
        await stage.say(stage.good()["clue"])
        await stage.over()
        stage.press("a")
        await stage.my_turn()
    (person, level), *others = stage.bench.rows("select id, consent from people")
    assert level == "research" and not others
    assert stage.bench.rows("select person_id from turns where role = 'describer'") == [(person,)]
    assert stage.bench.settings.get("person") == person


async def test_enter_alone_means_this_machine_only(stage, taboo):
    async with stage.open(taboo(), consent=None):
        await stage.to("Choose")
        stage.press("enter")
        await stage.my_turn()
    assert stage.bench.rows("select consent from people") == [("local",)]


async def test_none_plays_without_record(stage, taboo):
    async with stage.open(taboo(), consent=None):
        await stage.to("Choose")
        stage.press("end", "enter")
        await stage.my_turn()
        await stage.sees("not recorded")
        await stage.say(stage.good()["clue"])
        await stage.over()
    for table in ("episodes", "turns", "calls", "people"):
        assert stage.bench.rows(f"select count(*) from {table}") == [(0,)], table


async def test_esc_goes_back_and_nothing_is_played(stage, taboo):
    async with stage.open(taboo(), consent=None):
        await stage.to("Choose")
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("nothing played yet")
        stage.press("enter")
        await stage.to("Choose")
    assert stage.bench.rows("select count(*) from people") == [(0,)]


async def test_who_took_consent_back_is_asked_again(stage, taboo):
    await stage.bench.people.give_consent("public")
    log = await stage.bench.log()
    log.people.withdraw(stage.bench.settings.get("person"))
    async with stage.open(taboo(), consent=None):
        await stage.to("Choose")
        stage.press("enter")
        await stage.my_turn()
    assert stage.bench.rows("select consent, withdrawn_at from people") == [("local", None)]


async def test_a_german_game_asks_in_german(stage, taboo):
    setup = replace(taboo(), language="de", instance="high-de-003")
    async with stage.open(setup, consent=None):
        await stage.to("Choose")
        await stage.sees(CONSENT["de"].answers["local"])


@pytest.mark.parametrize("size", [(80, 24), (60, 18)])
async def test_every_answer_is_on_the_screen_at_small_sizes(stage, taboo, size):
    async with stage.open(taboo(), consent=None, size=size):
        await stage.to("Choose")
        for number, answer in enumerate(CONSENT["en"].answers.values()):
            if number:
                stage.press("down")
            await stage.sees(answer)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 18)])
async def test_a_long_text_is_read_to_its_end_by_keys(stage, size):
    async with stage.open(size=size):
        text = "\n".join([*(f"line {n}" for n in range(60)), "the last words"])
        stage.app.push_screen(Choose(text, [("yes", "I agree"), ("no", "I do not")]))
        await stage.to("Choose")
        await stage.sees("line 0", "I agree", "I do not", "pgup pgdn read on")
        for key, there in (("pagedown", "the last words"), ("pageup", "line 0")):
            for _ in range(30):
                if there not in stage.text:
                    stage.press(key)
                    await stage.settle()
            await stage.sees(there, "I agree", "I do not")


async def test_bots_alone_are_asked_nothing(stage):
    async with stage.open(Setup("taboo", {"describer": "bot", "guesser": "bot"}, seed=1), consent=None):
        await stage.over()
    assert stage.bench.rows("select count(*) from people") == [(0,)]
