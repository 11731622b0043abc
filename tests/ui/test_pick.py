"""The picker: four columns by keys, what follows from each choice, and the game it leads to."""

from __future__ import annotations

from textual.widgets import OptionList

from playpen_tui.sitting import Setup


def at(stage, column: str) -> str:
    """What stands under the cursor of a column."""
    found = stage.screen.query_one(f"#pick-{column}", OptionList)
    return "" if found.highlighted is None else found.get_option_at_index(found.highlighted).id


async def opened(stage) -> None:
    await stage.to("PickScreen")
    await stage.until(lambda: at(stage, "partner") and at(stage, "seat"), "the columns filled")


async def test_p_opens_it_at_what_was_played_last_and_enter_sits_down(stage):
    async with stage.open():
        await stage.sees("nothing played yet")
        stage.press("p")
        await opened(stage)
        await stage.sees(
            "What shall it be?", "Taboo", "Wordle with critic", "Reference game", "you are", "with", "material"
        )
        assert (at(stage, "game"), at(stage, "seat")) == ("taboo", "describer")
        stage.press("enter")
        await stage.my_turn("describer")


async def test_four_columns_are_chosen_by_arrows(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("down", "down", "down")
        await stage.until(lambda: at(stage, "game") == "wordle_withcritic", "the third game below")
        await stage.until(lambda: at(stage, "seat") == "guesser", "its seats")
        stage.press("right", "down")
        await stage.until(lambda: at(stage, "seat") == "critic", "the other seat")
        stage.press("right", "end", "up", "up")
        await stage.until(lambda: at(stage, "partner") == "bot", "the bot as partner")
        await stage.sees("bot: scripted, knows the game well")
        stage.press("right", "down", "down")
        await stage.until(lambda: at(stage, "material") == "en/medium", "the material")
        stage.press("left", "left", "left")
        stage.press("enter")
        await stage.my_turn("critic")
        assert stage.sitting.setup.seats == {"guesser": "bot", "critic": "human"}
        assert stage.match.instance.experiment == "medium"


async def test_tab_walks_the_columns_as_well(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("tab", "tab", "shift+tab")
        await stage.until(lambda: stage.screen.focused.id == "pick-seat", "the second column in focus")


async def test_who_only_watches_seats_the_partner_everywhere(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("right", "end")
        await stage.until(lambda: at(stage, "seat") == "any", "nobody chosen")
        stage.press("right", "end", "up", "up", "enter")
        await stage.over()
        assert stage.sitting.setup.seats == {"describer": "bot", "guesser": "bot"}


async def test_alone_there_is_one_seat_and_no_watching_of_nobody(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("down")
        await stage.until(lambda: at(stage, "game") == "wordle", "wordle")
        await stage.until(lambda: stage.screen.query_one("#pick-seat", OptionList).option_count == 1, "one seat")


async def test_another_language_is_material(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("right", "right", "right", "end")
        await stage.until(lambda: at(stage, "material").startswith("de/"), "German material")
        stage.press("enter")
        await stage.to("PlayScreen")
        assert stage.match.instance.language == "de"


async def test_esc_goes_home(stage):
    async with stage.open(picker=True):
        await opened(stage)
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_a_game_file_that_does_not_load_takes_nobody_down(stage, monkeypatch, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "broken.py").write_text("raise RuntimeError('half [/written]')\n")
    monkeypatch.setenv("PLAYPEN_GAMES", str(folder))
    async with stage.open(picker=True):
        await opened(stage)
        games = stage.screen.query_one("#pick-game", OptionList)
        assert "broken" not in [games.get_option_at_index(n).id for n in range(games.option_count)]
        assert any("broken cannot be loaded" in notice for notice in stage.bench.notices) or "broken" in stage.notes


async def test_the_picker_starts_at_the_game_of_last_time(stage):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        await stage.say("agree")
        await stage.over()
        stage.press("g")
        await opened(stage)
        assert at(stage, "game") == "wordle"
