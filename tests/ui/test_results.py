"""The screen of results: from Home and from the command line, the episodes behind a row, head to head, exports."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from finished import Played, put

from playpen_tui.app import PlaypenApp
from playpen_tui.figures import Asked
from playpen_tui.messages import Weigh
from playpen_tui.screens.results import ResultsScreen
from store.filters import Filters

WIDE, SMALL = (120, 36), (80, 24)
GAMES = ("clem:taboo", "clem:wordle", "clem:imagegame", "taboo")
EVIL = "[bold]x[/bold]\x1b[2J\u202e"


def scores(game: str, model: str, n: int) -> float | None:
    """Made up, and always the same."""
    if model == "large-model-27b":
        return [100.0, 50.0, 100.0, 33.3, 100.0][n % 5] if n % 9 else None
    if game == "clem:wordle":
        return [50.0, 100.0, None][n % 3]
    return [0.0, 50.0, None, 33.3][n % 4]


def episodes(models, games=GAMES, instances=18):
    for game in games:
        for n in range(instances):
            for model in models:
                main = scores(game, model, n)
                outcome = "aborted" if main is None else "success" if main else "failure"
                kind = "bot" if "bot" in model else "model"
                metrics = {"Request Count": 4, "Parsed Request Count": 3 + n % 2, "Violated Request Count": 1 - n % 2}
                seats = {"describer": model, "guesser": model}
                level, reason = "high" if n % 2 else "low", "format" if main is None else ""
                key = f"{game}-{n}"
                yield Played(game, f"i-{n:02}", seats, outcome, main, level, reason, key, metrics, kind=kind)


@pytest.fixture
def two(bench):
    """A log in which two models have played four games."""

    async def fill():
        log = await bench.log()
        put(log, episodes(("large-model-27b", "small-model-8b-instruct")))

    asyncio.run(fill())
    return bench


async def opened(stage) -> ResultsScreen:
    stage.press("e")
    await stage.to("ResultsScreen")
    await stage.sees("clemscore, 3 games")
    return stage.screen


async def test_from_home_the_table_with_its_figures(stage, two):
    async with stage.open():
        await opened(stage)
        text = stage.text
        assert "Results · 2 models · 4 games" in text and "144 episodes · 95% intervals · by game" in text
        assert "clemscore[native-1.0], 1 game" in text and "▕" in text and "●" in text
        await stage.sees("enter episodes", "h versus", "t text", "e export")
        await stage.sees("requests violated, in form", "aborted: format 2")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_the_row_under_the_cursor_is_told_below(stage, two):
    async with stage.open():
        await opened(stage)
        stage.press("end")
        await stage.sees("= played", "means over 1 game: taboo")


async def test_enter_lists_the_episodes_and_enter_again_opens_one(stage, two):
    async with stage.open():
        await opened(stage)
        stage.press("enter")
        await stage.to("EpisodesDialog")
        await stage.sees("large-model-27b · clem:imagegame", "i-17", "aborted, format")
        assert "small-model" not in stage.text.split("clem:imagegame", 1)[1].split("enter read")[0].split("│")[1]
        stage.press("enter")
        await stage.to("EpisodeScreen")
        await stage.sees("i-17")
        stage.press("escape")
        await stage.to("EpisodesDialog")
        stage.press("y")
        await stage.until(lambda: "copied 01" in stage.notes, "the copy")
        stage.press("escape")
        await stage.to("ResultsScreen")


async def test_head_to_head_with_words_and_glyphs(stage, two):
    async with stage.open():
        await opened(stage)
        stage.press("h")
        await stage.sees("large-model-27b against small-model-8b-instruct", "▲ higher", "≈ not significant")
        await stage.sees("72 paired instances", "quality, paired difference", "McNemar")
        stage.press("m")
        await stage.sees("played, paired difference")
        stage.press("enter")
        await stage.to("EpisodesDialog")
        await stage.sees("large-model-27b and small-model-8b-instruct")
        stage.press("escape")
        await stage.to("ResultsScreen")
        stage.press("escape")
        await stage.sees("Results · 2 models")


async def test_by_game_by_experiment_by_role(stage, two):
    async with stage.open():
        await opened(stage)
        stage.press("b")
        await stage.sees("by experiment", "low · large-model")
        stage.press("b")
        await stage.sees("by role", "describer · large")
        stage.press("b")
        await stage.sees("by game")


async def test_as_text_and_into_a_file(stage, two, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with stage.open():
        await opened(stage)
        stage.press("t")
        await stage.to("TextDialog")
        await stage.sees("| model | score | value |")
        stage.press("escape")
        await stage.to("ResultsScreen")
        stage.press("e")
        await stage.to("Choose")
        await stage.sees("which `results verify` checks")
        stage.press("enter")
        await stage.until(lambda: "wrote" in stage.notes, "the file")
        (file,) = tmp_path.glob("results-*.json")
        assert len(json.loads(file.read_text())["rows"]) == 8


async def test_a_third_model_is_asked_for_and_all_pairs_can_be_seen(stage, two):
    put(await two.log(), episodes(("third",)))
    async with stage.open():
        await opened(stage)
        stage.press("h")
        await stage.to("Choose")
        await stage.sees("large-model-27b against", "each other model", "third")
        stage.press("enter")
        await stage.sees("1 of 3 · ", "against small-model")
        stage.press("n")
        await stage.sees("2 of 3 · ", "large-model-27b against third")


async def test_nothing_to_show_and_only_one_model(stage, bench):
    async with stage.open():
        stage.press("e")
        await stage.to("ResultsScreen")
        await stage.sees("no finished episodes yet")
        assert "h versus" not in stage.text and "e export" not in stage.text
        stage.press("escape")
        await stage.to("HomeScreen")
        put(await bench.log(), episodes(("alone",), ("taboo",)))
        stage.press("e")
        await stage.to("ResultsScreen")
        await stage.sees("alone")
        stage.press("h")
        await stage.until(lambda: "only one model" in stage.notes, "the reason")


async def test_from_the_command_line(stage, two):
    stage.bench = two
    async with stage.open():
        stage.app.post_message(Weigh(Asked(Filters(games=("clem:*",)), ("large-model-27b", "small-model-8b-instruct"))))
        await stage.sees("against small-model-8b-instruct", "filtered · 54 paired instances")
        stage.press("escape")
        await stage.to("HomeScreen")
        stage.app.post_message(Weigh(Asked(names=("large-model-27b", "nobody"))))
        await stage.until(lambda: "no finished episodes of 'nobody'" in stage.notes, "the reason")


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_games_that_were_held_out_stand_apart(stage, two, size):
    stage.bench = two
    names = ("large-model-27b", "small-model-8b-instruct")
    async with stage.open(size=size):
        stage.app.post_message(Weigh(Asked(names=names, held_out=("clem:taboo", "taboo"))))
        await stage.sees("trained", "held out", "paired difference")
        lines = [line.strip() for line in stage.text.splitlines()]
        apart = lines.index("held out")
        where = {game: next(at for at, line in enumerate(lines) if line.startswith(f"{game} ")) for game in GAMES}
        assert {game for game, at in where.items() if at > apart} == {"clem:taboo", "taboo"}
        assert lines.index("trained") < min(where.values())


async def test_hostile_names_do_no_harm(stage, bench):
    log = await bench.log()
    evil = [replace(one, game=f"g{EVIL}", reason=EVIL) for one in episodes((f"a{EVIL}", f"b{EVIL}"), ("taboo",))]
    put(log, evil)
    async with stage.open(size=SMALL):
        stage.press("e")
        await stage.to("ResultsScreen")
        await stage.sees("[bold]x", "clemscore[native-1.0]")
        stage.press("h")
        await stage.sees("paired difference")
        stage.press("enter")
        await stage.to("EpisodesDialog")
        await stage.sees("esc close")
        assert "\x1b" not in stage.text and "\u202e" not in stage.text


# pictures


async def table(stage) -> None:
    await stage.sees("clemscore")
    stage.press("down")


async def versus(stage) -> None:
    await stage.sees("paired difference", "McNemar")
    stage.press("down", "down")


async def behind(stage) -> None:
    await table(stage)
    stage.press("enter")
    await stage.to("EpisodesDialog")
    await stage.sees("i-17")


NAMES = ("large-model-27b", "small-model-8b-instruct")
SCENES = {
    "table": (Asked(), table),
    "versus": (Asked(Filters(games=("clem:*",)), NAMES), versus),
    "behind": (Asked(), behind),
}
SHOTS = [(scene, size) for scene in SCENES for size in (WIDE, SMALL)]


@pytest.mark.parametrize(
    ("scene", "size"), SHOTS, ids=[f"{scene}-{width}x{height}" for scene, (width, height) in SHOTS]
)
def test_looks_as_it_did(stage, two, snap_compare, scene, size):
    asked, act = SCENES[scene]
    asyncio.run(two.people.give_consent("local"))
    stage.app = PlaypenApp(two, first=Weigh(asked))
    stage.app.animation_level = "none"

    async def before(pilot) -> None:
        stage.pilot = pilot
        await act(stage)
        await stage.settle()

    assert snap_compare(stage.app, terminal_size=size, run_before=before)
