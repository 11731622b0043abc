"""Two people at one terminal: a curtain between their turns, under which neither sees what is the other's."""

from __future__ import annotations

import asyncio

import pytest

from playpen_tui.sitting import Setup


@pytest.fixture
def film(stage):
    """Everything that is drawn from now on, frame by frame, as (screen, text)."""
    frames: list[tuple[str, str]] = []

    def start() -> list[tuple[str, str]]:
        display = stage.app._display

        def filmed(screen, renderable) -> None:
            display(screen, renderable)
            if screen is stage.app.screen:
                frames.append((type(screen).__name__, stage.text))

        stage.app._display = filmed
        return frames

    return start


async def lift(stage, role: str) -> None:
    await stage.to("Curtain")
    await stage.sees("Hand the terminal to the", role, "enter when only they are looking")
    stage.press("enter")
    await stage.my_turn(role)


async def test_the_curtain_falls_before_every_turn_and_hides_card_and_clues(stage, film):
    setup = Setup("taboo", {"describer": "human", "guesser": "human"}, instance="high-en-004", seed=1)
    async with stage.open(setup):
        frames = film()
        await stage.to("Curtain")
        assert "L I B R A R Y" not in stage.text
        await lift(stage, "describer")
        await stage.sees("L I B R A R Y", "only you see this")
        del frames[:]
        await stage.say("paper to borrow")
        await stage.to("Curtain")
        assert "L I B R A R Y" not in stage.text and "paper to borrow" not in stage.text
        await lift(stage, "guesser")
        await stage.sees("paper to borrow")
        await stage.settle()
        fell = next(number for number, (screen, _) in enumerate(frames) if screen == "Curtain")
        for screen, text in frames[fell:]:
            assert "L I B R A R Y" not in text, screen
            assert screen != "Curtain" or "paper to borrow" not in text
        del frames[:]
        await stage.say("banana")
        await lift(stage, "describer")
        await stage.sees("L I B R A R Y", "banana", "round 2 of 3")
        await stage.say("a house of silence")
        await lift(stage, "guesser")
        await stage.say("library")
        await stage.over()
        assert "✓ won" in stage.text and "L I B R A R Y" in stage.text
    people = stage.bench.rows("select distinct person_id from turns")
    assert len(people) == 1 and people[0][0]


async def test_what_is_typed_under_the_curtain_goes_nowhere(stage):
    setup = Setup("taboo", {"describer": "human", "guesser": "human"}, instance="high-en-004", seed=1)
    async with stage.open(setup):
        await stage.to("Curtain")
        stage.type("nosy")
        stage.press("escape", "tab", "up")
        await stage.settle()
        assert stage.at == "Curtain" and stage.match.ply == 0
        await lift(stage, "describer")
        assert stage.draft == ""


async def test_help_and_palette_do_not_look_under_the_curtain(stage):
    setup = Setup("referencegame", {"describer": "human", "guesser": "human"}, instance="letter_grids-en-001", seed=1)
    async with stage.open(setup):
        await stage.to("Curtain")
        before = stage.text
        assert "▸" not in before
        stage.press("ctrl+p")
        await stage.to("CommandPalette")
        await stage.sees("Lift the curtain")
        assert "▸" not in stage.text
        stage.press("escape")
        await stage.to("Curtain")


async def test_guesser_and_critic_hand_over_as_well(stage):
    setup = Setup("wordle_withcritic", {"guesser": "human", "critic": "human"}, instance="high-en-001", seed=1)
    async with stage.open(setup):
        await lift(stage, "guesser")
        await stage.say("crane")
        await lift(stage, "critic")
        await stage.sees("crane")
        stage.press("y", "enter")
        await lift(stage, "guesser")
        await stage.sees("yes")


async def test_one_person_and_a_model_see_no_curtain(stage, taboo):
    stage.bench.hold = asyncio.Event()
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("paper to borrow")
        await stage.settle()
        assert stage.at == "PlayScreen"
        stage.bench.hold.set()
