"""The list before the stands: what is on it, in which order, how it is filtered, and where its rows lead."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from games import catalog
from games.engine import Match
from players.base import Identity, Reply
from players.plan import Plan
from players.ports import Place
from playpen_tui.programme import Item, ago, listed
from playpen_tui.screens.stands import columns, row
from playpen_tui.selfplay import Wish, open_selfplay
from playpen_tui.stands import FollowStand, ReplayStand
from playpen_tui.watching import BOOKMARK, headline
from store.records import Progress

SIZES = pytest.mark.parametrize("size", [(120, 36), (80, 24)])


async def played(bench, *games, episodes=2) -> str:
    """A run of bots into the log; returns its id."""
    run = await open_selfplay(bench, Wish(Plan(games or ("taboo",), ("bot",), episodes=episodes)))
    await run.run()
    return run.run_id


async def running(log, **progress) -> tuple[str, str]:
    """A run that says it is running elsewhere, with one match under way; returns both ids."""
    plan = Plan(("taboo",), ("smollm2?temperature=0",))
    run = log.new_run("self_play", {"plan": plan.as_json()})
    await log.beat(run, Progress("running", 9, progress.get("done", 1), 2, 1, host="elsewhere", pid=1, seconds=1.0))
    game = catalog.get("taboo")
    match = Match.new(game, catalog.instances(game)[0], 1)
    who = Identity("model", "smollm2")
    episode = await log.recorder.begin(match, dict.fromkeys(game.roles, who), Place(run=run, slot=0))
    match = match.play("CLUE: zebra crossing")
    await log.recorder.turn(episode, match, match.steps[-1], who, Reply("CLUE: zebra crossing"))
    return run, episode


@SIZES
async def test_the_list_leads_into_the_stands_and_back(stage, size):
    async with stage.open(size=size):
        await played(stage.bench, "taboo")
        run, _ = await running(await stage.bench.log())
        stage.press("s")
        await stage.to("StandsScreen")
        await stage.sees(
            "Running", "● running", "1 of 9 · 1 running · 2 failed", "Runs", "2 of 2 · 0 failed", "Episodes"
        )
        stage.press("enter")
        await stage.to("SpectateScreen")
        assert isinstance(stage.screen.stand, FollowStand) and stage.screen.stand.run_id == run
        await stage.sees("zebra crossing", "guesser smollm2 · to speak")
        stage.press("escape")
        await stage.to("StandsScreen")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_a_run_that_is_done_is_replayed(stage):
    async with stage.open():
        await played(stage.bench, "taboo", episodes=3)
        stage.press("s")
        await stage.sees("✓ done")
        stage.press("enter")
        await stage.to("SpectateScreen")
        assert isinstance(stage.screen.stand, ReplayStand)
        await stage.sees("replayed", "of 3 at their end", "1 Taboo", "3 Taboo")


async def test_typing_filters_and_escape_shows_all_again(stage):
    async with stage.open():
        await played(stage.bench, "taboo")
        await played(stage.bench, "wordle")
        stage.press("s")
        await stage.sees("Episodes")
        stage.type("wordle won")
        await stage.until(lambda: "Runs" not in stage.text, "fewer rows")
        await stage.sees("filter ▸ wordle won")
        assert "taboo" not in stage.text and stage.text.count("✓ won") == 2
        stage.press("down", "enter")
        await stage.to("SpectateScreen")
        assert stage.screen.stand.offered()[0].match.game.name == "wordle"
        stage.press("escape")
        await stage.to("StandsScreen")
        await stage.sees("filter ▸ wordle won")  # the list is as it was left
        stage.press("escape")
        await stage.sees("taboo")
        stage.press("/")
        stage.type("zebra")
        await stage.sees("nothing here has “zebra” in it; esc shows all again")
        stage.press("ctrl+u")
        await stage.sees("filter ▸ ▏a game", "taboo", "wordle")
        stage.press("escape")
        await stage.until(lambda: "filter ▸" not in stage.text, "no filter")
        stage.press("escape")
        await stage.to("HomeScreen")


async def test_an_empty_list_says_how_to_get_something(stage):
    async with stage.open():
        stage.press("s")
        await stage.sees("There is nothing to watch yet", "ctrl+n")
        stage.press("enter", "down")
        await stage.settle()
        assert stage.at == "StandsScreen"


async def test_a_run_that_never_began_is_called_that_and_is_not_opened(stage):
    async with stage.open():
        log = await stage.bench.log()
        plan = Plan(("taboo",), ("llamacpp:x",), episodes=6)
        run = log.new_run("self_play", {"plan": plan.as_json(), "planned": 6})
        stage.press("s")
        await stage.sees("… not begun", "0 of 6")
        stage.press("enter")
        await stage.until(lambda: f"selfplay --resume {run}` begins it" in stage.notes, "why it is not opened")
        assert stage.at == "StandsScreen"


async def test_the_cursor_stays_with_its_row_when_the_list_moves(stage):
    async with stage.open():
        log = await stage.bench.log()
        await played(stage.bench, "taboo", episodes=3)
        stage.press("s")
        await stage.sees("Episodes")
        stage.press("down", "down")
        await stage.until(lambda: not stage.screen.chosen.is_run, "an episode")
        chosen = stage.screen.chosen.id
        await running(log)
        stage.press("ctrl+r")
        await stage.sees("● running")
        assert stage.screen.chosen.id == chosen


async def test_a_bookmark_is_found_again(stage):
    async with stage.open():
        await played(stage.bench, "taboo", episodes=2)
        stage.press("s")
        await stage.sees("Episodes")
        stage.press("down")
        stage.press("enter")
        await stage.to("SpectateScreen")
        await stage.until(lambda: bool(stage.screen._shown), "the match")
        stage.press("b")
        await stage.sees("★ Taboo")
        episode = stage.screen.stand.offered()[0].episode
        stage.press("escape")
        await stage.to("StandsScreen")
        await stage.sees("Bookmarked")
        stage.type("bookmarked")
        await stage.until(lambda: stage.screen.chosen and stage.screen.chosen.group == "bookmarked", "the bookmark")
        assert stage.screen.chosen.id == episode
        stage.press("enter")
        await stage.to("SpectateScreen")
        await stage.sees("★ Taboo")


async def test_names_from_outside_are_harmless_in_the_list(stage):
    async with stage.open():
        log = await stage.bench.log()
        plan = {"games": ["[red]taboo[/red]\x1b[31m"], "players": ["evil\u202e[b]"], "seats": {}}
        await log.beat(log.new_run("self_play", {"plan": plan}), Progress("stopped", 3, 1, 0, 0))
        stage.press("s")
        await stage.sees("[red]taboo[/red]", "evil", "[b]")
        assert "\x1b" not in stage.text and "\u202e" not in stage.text


# rows


async def test_rows_in_order_each_once(bench):
    log = await bench.log()
    done = await played(bench, "taboo", episodes=2)
    run, episode = await running(log)
    first, second = (one.id for one in log.queries.ended(done))
    await log.tag(first, BOOKMARK)
    log.new_run("play", {})
    rows = listed(log, datetime.now(UTC))
    assert [(item.group, item.id) for item in rows] == [
        ("running", run),
        ("runs", done),
        ("bookmarked", first),
        ("episodes", second),
    ]  # what a running run is at is watched with the run
    assert (rows[0].who, rows[0].how, rows[0].state) == ("smollm2", "1 of 9 · 1 running · 2 failed", "running")
    log.write(
        lambda db: db.execute("UPDATE progress SET beat_at = '2020-01-01T00:00:00.000Z' WHERE run_id = ?", (run,))
    )
    rows = {item.id: item for item in listed(log, datetime.now(UTC))}
    assert rows[run].state == "killed" and rows[run].group == "runs"
    assert rows[episode].state == "unfinished" and rows[episode].how == "turn 2"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (40, "40 s ago"), (360, "6 min ago"), (3 * 3600, "3 h ago"), (2 * 86400, "2 days ago")],
)
def test_ages_are_words(seconds, words):
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert ago(datetime.fromtimestamp(now.timestamp() - seconds, UTC).isoformat(), now) == words


def item(**more) -> Item:
    told = {"group": "runs", "id": "01J", "state": "done", "games": "taboo", "who": "bot", "how": "", "age": "now"}
    return Item(**{**told, **more})


@pytest.mark.parametrize("width", [60, 75, 115])
def test_counts_are_never_cut_where_names_can_be(width):
    long = item(games="taboo, wordle, referencegame", who="qwen2.5-1.5b · smollm2", how="12 of 40 · 3 failed")
    drawn = row(long, width, columns([long], width))
    assert drawn.cell_length <= width and "12 of 40 · 3 failed" in drawn.plain and drawn.plain.endswith("now")


def test_a_row_fits_words_in_any_order_and_case():
    one = item(games="wordle", who="llama", bookmarked=True)
    assert one.fits("") and one.fits("LLAMA wordle") and one.fits("bookmark run")
    assert not one.fits("llama taboo") and not item().fits("bookmarked")


def test_a_head_line_drops_rates_before_its_name_and_never_its_counts():
    names, counts, more = ("self-play 01J", "01J", ""), ("1 done", "2 failed"), ("41/s", "ETA 6 min")

    def line(width: int) -> str:
        return headline(names, counts, more, width)

    assert line(80) == "self-play 01J  1 done · 2 failed · 41/s · ETA 6 min"
    assert line(45) == "self-play 01J  1 done · 2 failed · ETA 6 min"
    assert line(33) == "self-play 01J  1 done · 2 failed"
    assert line(25) == "01J  1 done · 2 failed"
    assert line(5) == "1 done · 2 failed"


@pytest.mark.parametrize(
    ("width", "drawn"),
    [
        (80, "self-play 01J  1 done · 2 failed · budget spent · 41/s · $1.20"),
        (55, "self-play 01J  1 done · 2 failed · budget spent · $1.20"),
        (40, "01J  1 done · 2 failed · budget spent"),
        (32, "1 done · 2 failed · budget spent"),
        (31, "01J  1 done · 2 failed · $1.20"),
    ],
)
def test_why_a_run_ended_is_said_before_its_name_and_its_rates(width, drawn):
    names, counts = ("self-play 01J", "01J", ""), ("1 done", "2 failed")
    assert headline(names, counts, ("41/s", "$1.20"), width, "budget spent") == drawn


def command(*options: str, db) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "playpen_tui", "spectate", *options, "--db", str(db)],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


async def test_the_list_without_a_screen(bench):
    run = await played(bench, "taboo", episodes=1)
    lines = command("--plain", db=bench.path).splitlines()
    assert lines[0].startswith(f"run {run} done taboo bot 1 of 1 · 0 failed") and lines[1].startswith("episode ")
    rows = json.loads(command("--json", db=bench.path))
    assert [(one["kind"], one["state"], one["games"]) for one in rows] == [
        ("run", "done", "taboo"),
        ("episode", "success", "taboo"),
    ]
