"""The form of a self-play run: it counts what is asked for, says what will not do, and what it begins is watched."""

from __future__ import annotations

import json

import pytest
from textual.widgets import OptionList

from playpen_tui.app import PlaypenApp
from playpen_tui.messages import Go, NewRun
from playpen_tui.selfplay import Wish, open_selfplay
from playpen_tui.selfplay_wish import CROSS, Draft

SIZES = [(120, 36), (80, 24)]


async def form(stage, draft: Draft | None = None) -> None:
    stage.app.post_message(NewRun(draft))
    await stage.to("SelfplayScreen")


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_is_written_counted_begun_and_watched(stage, size):
    async with stage.open(size=size):
        await stage.sees("many matches, models among themselves")
        stage.press("n")
        await stage.to("SelfplayScreen")
        await stage.sees(
            "✓ 20 episodes", "describer smollm2   guesser smollm2", "one or several, such as: taboo wordle"
        )
        stage.press("down", *["backspace"] * len("smollm2"))
        stage.type("bot:random bot")
        stage.press("down", "down", "right")
        await stage.sees("4 tables", "describer bot:random   guesser bot", "a player with itself, all with all")
        stage.press("down", "down", "down", *["backspace"] * 2, "8")
        await stage.sees("✓ 8 episodes", "ctrl+s begins it", "ctrl+s begin")
        stage.press("ctrl+s")
        await stage.to("SpectateScreen")
        await stage.sees("8 of 8 done")
    ((config,),) = stage.bench.rows("SELECT config FROM runs WHERE kind = 'self_play'")
    plan = json.loads(config)["plan"]
    assert (plan["games"], plan["players"], plan["cross"], plan["episodes"]) == (
        ["taboo"],
        ["bot:random", "bot"],
        True,
        8,
    )
    assert json.loads(config)["concurrency"] == 16


@pytest.mark.parametrize(
    ("draft", "said"),
    [
        (Draft(games=""), "a game is missing; there are taboo"),
        (Draft(games="tabu"), "no game 'tabu'; did you mean taboo?"),
        (Draft(players=""), "nobody sits at describer and guesser of taboo"),
        (Draft(players="nobody"), "no player 'nobody'"),
        (Draft(players="human"), "human cannot sit at"),
        (Draft(seats="guesser"), "seats are ROLE=PLAYER, such as guesser=bot, not"),
        (Draft(seats="guesser=bot guesser=bot"), "guesser is seated twice"),
        (Draft(players="bot 'x"), "a quote is missing in bot 'x"),
        (Draft(seats="asker=bot"), "no role 'asker' in taboo"),
        (Draft(episodes="0"), "episodes: a whole number from 1 to 2,147,483,647, not"),
        (Draft(siblings="two"), "siblings: a whole number from 1 to 2,147,483,647"),
        (Draft(at_once="9999"), "at once: a whole number from 1 to 4,096, not 9999"),
        (Draft(tokens="1e9"), "tokens: a whole number from 1 to 2,147,483,647"),
        (Draft(language="xx"), "taboo"),
    ],
)
async def test_what_will_not_do_is_one_sentence_and_cannot_begin(stage, draft, said):
    async with stage.open():
        await form(stage, draft)
        await stage.sees("✗", said)
        stage.press("ctrl+s")
        await stage.settle()
        await stage.until(lambda: "ctrl+s" not in stage.text, "nothing to begin")
        assert stage.at == "SelfplayScreen"


async def test_games_players_and_seats_are_added_from_lists(stage):
    async with stage.open():
        await form(stage, Draft(players=""))
        for field, asked, name in (
            (0, "Which game?", "wordle "),
            (1, "Who plays?", "bot:random "),
            (2, "Which seat?", "desc"),
        ):
            stage.screen.set_focus(stage.screen.fields[field])
            stage.press("ctrl+o")
            await stage.sees(asked)
            box = stage.screen.query_one(OptionList)
            texts = [str(box.get_option_at_index(at).prompt) for at in range(box.option_count)]
            box.highlighted = next(at for at, text in enumerate(texts) if text.startswith(name))
            stage.press("enter")
            await stage.to("SelfplayScreen")
        stage.type("bot")
        await stage.until(
            lambda: stage.screen.draft == Draft("taboo wordle", "bot:random", "describer=bot"), "all three"
        )
        await stage.sees("describer bot   guesser bot:random", "wordle")


async def test_what_is_written_stays_and_the_command_is_copied(stage, monkeypatch):
    copied = []
    async with stage.open():
        await form(
            stage, Draft(players="bot", pairing=CROSS, seats="guesser=bot:random", seed="7", tokens="500", split="test")
        )
        await stage.sees("copies the command")
        monkeypatch.setattr(stage.app, "copy_to_clipboard", copied.append)
        stage.press("ctrl+y")
        await stage.sees("the command is copied")
        stage.press("escape")
        await stage.to("HomeScreen")
        stage.press("n")
        await stage.to("SelfplayScreen")
        await stage.until(lambda: stage.screen.draft.tokens == "500", "what was written")
    (command,) = copied
    assert command.startswith(
        "playpen-tui selfplay taboo --player bot --seat guesser=bot:random --cross --split test --episodes 20 --seed 7"
        " --concurrency 16 --max-tokens 500"
    )


@pytest.mark.parametrize("late", [[], ["x"]], ids=["right", "wrong"])
async def test_a_key_that_comes_before_the_count_begins_what_was_counted_and_nothing_else(stage, late):
    async with stage.open():
        await form(stage, Draft(players="bot", episodes="2"))
        await stage.sees("ctrl+s begins it")
        stage.screen.set_focus(stage.screen.fields[6])
        await stage.settle()
        stage.press("0", *late, "ctrl+s")
        if late:
            await stage.sees("✗ episodes: a whole number from 1")
            assert stage.at == "SelfplayScreen"
        else:
            await stage.to("SpectateScreen")
            await stage.sees("20 of 20 done")
    assert len(stage.bench.rows("SELECT id FROM runs WHERE kind = 'self_play'")) == (0 if late else 1)


async def test_a_small_model_that_is_not_helped_is_named(stage):
    async with stage.open():
        await form(stage)
        await stage.sees("▲ smollm2 hardly keeps the form of a game without")
        stage.press("up", "right")
        await stage.until(lambda: "hardly keeps" not in stage.text and "--assist" in stage.text, "no warning")


async def test_the_field_with_the_cursor_is_in_sight_however_fast_one_goes(stage):
    async with stage.open(size=(80, 24)):
        await form(stage)
        await stage.sees("✓ 20 episodes")
        stage.press("up", "up", "left", "down", "down")
        await stage.settle()
        await stage.sees("games     taboo")
        stage.type("x")
        await stage.sees("taboox")


async def test_one_run_at_a_time_and_the_form_stays(stage):
    stage.bench.model_name = "slow"
    async with stage.open():
        stage.app.post_message(Go("stands"))
        await stage.to("StandsScreen")
        await stage.sees("ctrl+n")
        stage.press("ctrl+n")
        await stage.to("SelfplayScreen")
        opened = await open_selfplay(stage.bench, Wish(Draft(players="bot", episodes="4").plan()))

        class Live:
            finished = False
            played = opened

        stage.app.live = Live()
        await stage.sees("ctrl+s begins it")
        stage.press("ctrl+s")
        await stage.sees("a run goes on already")
        assert stage.at == "SelfplayScreen"
        stage.app.live = None
        await opened.run()


@pytest.mark.parametrize("size", SIZES, ids=["120x36", "80x24"])
def test_looks_as_it_did(stage, snap_compare, size):
    stage.bench.named_db = None
    stage.app = PlaypenApp(stage.bench)
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await form(stage, Draft("taboo wordle", "smollm2 bot", pairing=CROSS, tokens="100000"))
        await stage.sees("ctrl+s begins it")
        await stage.still()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
