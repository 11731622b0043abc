"""Home: the first run, the same as last time, what is unfinished, and logs that cannot be opened."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from functools import partial

import pytest

from playpen_tui import workbench
from playpen_tui.overview import Overview, Recent, Unfinished, when
from playpen_tui.sitting import Setup
from store import trainings
from store.records import Progress


async def finished(stage, setup: Setup) -> None:
    """Play a game of bots into the log."""
    sitting = await stage.bench.deal(await stage.bench.complete(setup))
    await sitting.play()


async def test_the_first_run_is_one_key_from_a_game(stage):
    async with stage.open():
        await stage.sees("playpen", "episodes.sqlite · 0 episodes", "Taboo, describer with bot", "nothing played yet")
        assert "Recent" not in stage.text and "Go on" not in stage.text
        stage.press("enter")
        await stage.my_turn("describer")
        assert stage.sitting.setup.seats == {"describer": "human", "guesser": "bot"}


async def test_enter_plays_the_same_as_last_time_with_another_instance(stage):
    async with stage.open(Setup("wordle", {"guesser": "human"}, instance="high-en-001", seed=1)):
        await stage.my_turn()
        await stage.say("agree")
        await stage.over()
        stage.press("h")
        await stage.to("HomeScreen")
        await stage.sees("Wordle", "Recent", "✓ wordle", "1 episode")
        stage.press("enter")
        await stage.my_turn()
        assert stage.match.game.name == "wordle" and stage.match.instance.name != "high-en-001"


async def test_digits_go_on_with_what_is_unfinished(stage, taboo):
    async with stage.open(taboo()):
        await stage.my_turn()
        await stage.say("a house of paper")
        episode = stage.sitting.episode
        await stage.my_turn()
        guess = stage.match.steps[1].text.removeprefix("GUESS: ")
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("Go on", "taboo · you · scripted · turn 3")
        stage.press("2")
        await stage.settle()
        assert stage.at == "HomeScreen"
        stage.press("1")
        await stage.my_turn("describer")
        assert stage.sitting.episode == episode and stage.match.ply == 2
        await stage.sees("a house of paper", guess, "round 2 of 3")
        await stage.say(stage.good()["clue"])
        await stage.over()
        stage.press("escape")
        await stage.to("HomeScreen")
        await stage.sees("✓ taboo")
        await stage.until(lambda: "Go on" not in stage.text, "nothing unfinished")
    assert stage.bench.rows("select count(*) from episodes") == [(1,)]


async def test_a_run_that_stands_still_is_not_called_nothing(stage):
    log = await stage.bench.log()
    await log.beat(log.new_run("self_play", {}), Progress("stopped", 3, 0, 3, 0))
    async with stage.open():
        await stage.sees("Go on", "0 of 3 · stopped", "no game has ended yet")
        assert "nothing played yet" not in stage.text


async def test_recent_shows_results_in_words_and_glyphs(stage):
    await finished(stage, Setup("taboo", {"describer": "bot", "guesser": "bot"}, instance="high-en-004", seed=1))
    await finished(stage, Setup("taboo", {"describer": "bot", "guesser": "bot:random"}, instance="high-en-004", seed=1))
    async with stage.open():
        await stage.sees("Recent", "✓ taboo", "✗ taboo", "2 episodes")
        today = f"{datetime.now().astimezone():%H:}"
        assert today in stage.text


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 18)])
async def test_long_lists_fit_every_size(stage, monkeypatch, size):
    unfinished = tuple(
        Unfinished(f"01J{n}", f"wordle_withcritic · you · somebody-{n} · turn {n} · yesterday") for n in range(9)
    )
    recent = tuple(
        Recent(
            f"01K{n}",
            "wordle_withclue",
            ("you", "openai:a-model-with-a-long-name"),
            "failure",
            "rounds · 0",
            "2026-01-02",
        )
        for n in range(12)
    )

    async def overview() -> Overview:
        return Overview("episodes.sqlite · 1,204 episodes", Setup("taboo", {"describer": "human"}), unfinished, recent)

    monkeypatch.setattr(stage.bench, "overview", overview)
    async with stage.open(size=size):
        await stage.sees("1,204 episodes", "Go on")
        lines = stage.text.splitlines()
        assert max(map(len, lines)) <= size[0]
        assert [line for line in lines if line.rstrip().endswith(" 9")]
        assert not [line for line in lines if "yesterda" in line and "yesterday" not in line and "…" not in line]


async def test_more_runs_than_are_named_are_counted(stage):
    log = await stage.bench.log()
    for _ in range(5):
        run = log.new_run("self_play", {"plan": {"games": ["taboo"]}}, 0, "0")
        told = Progress("stopped", 4, 1, 0, 0)
        log.write(lambda db, run=run, told=told: trainings.beat(db, run, told))
    async with stage.open():
        await stage.sees("Go on", "self-play", "and 2 more runs")


def test_times_are_told_as_people_tell_them():
    now = datetime.now().astimezone()
    assert when(now.isoformat()) == f"{now:%H:%M}"
    assert when((now - timedelta(days=1)).isoformat()) == "yesterday"
    assert when((now - timedelta(days=40)).isoformat()) == f"{now - timedelta(days=40):%Y-%m-%d}"


async def test_a_file_that_is_no_log_is_named_and_left_alone(stage):
    stage.bench.path.write_text("dear diary")
    async with stage.open(consent=None):
        await stage.sees("episodes.sqlite is not an SQLite database", "another file with --db")
        assert "opening the log" not in stage.text
        stage.press("enter", "1", "r")
        await stage.settle()
        assert stage.at == "HomeScreen"
    assert stage.bench.path.read_text() == "dear diary"


async def test_a_game_over_a_file_that_is_no_log_says_so(stage, taboo):
    stage.bench.path.write_text("dear diary")
    async with stage.open(taboo(), consent=None):
        await stage.until(lambda: "not an SQLite database" in stage.notes, "the reason")
        assert stage.at == "HomeScreen"
    assert stage.bench.path.read_text() == "dear diary"


async def test_a_locked_log_is_named_and_r_tries_again(stage, monkeypatch):
    monkeypatch.setattr(workbench.Log, "open", partial(workbench.Log.open, wait=0.2))
    holder = sqlite3.connect(stage.bench.path, isolation_level=None)
    holder.execute("PRAGMA application_id = 0x504C4179")
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN EXCLUSIVE")
    async with stage.open(consent=None):
        await stage.sees("episodes.sqlite is locked by")
        holder.execute("ROLLBACK")
        holder.close()
        stage.press("r")
        await stage.sees("nothing played yet")


async def test_q_leaves(stage):
    async with stage.open():
        await stage.sees("nothing played yet")
        stage.press("q")
        await stage.until(lambda: stage.app._exit, "the app on its way out")
        assert stage.app.return_code == 0
