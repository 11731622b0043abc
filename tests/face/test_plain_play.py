"""The plain mode as a process: lines in, lines out, exit codes, a killed game, and going on after it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from games import catalog
from games.engine import Match


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return {**os.environ, **folders, "PLAYPEN_DB": str(tmp_path / "episodes.sqlite"), "PLAYPEN_GAMES": ""}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "playpen_tui", *words]


def playpen(env: dict[str, str], *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), input=given, capture_output=True, text=True, timeout=100, env=env, check=False
    )


def rows(env: dict[str, str], sql: str) -> list[tuple]:
    with sqlite3.connect(env["PLAYPEN_DB"]) as connection:
        return connection.execute(sql).fetchall()


def test_bots_play_to_the_end_and_the_log_checks(env: dict[str, str]) -> None:
    played = playpen(env, "play", "taboo", "--seat", "describer=bot", "--seat", "guesser=bot", "--plain", "--seed", "3")
    assert played.returncode == 0, played.stderr
    assert "won: guessed in 1 of 3" in played.stdout
    assert "CLUE:" not in played.stdout
    checked = playpen(env, "db", "check", "--json")
    assert checked.returncode == 0
    assert json.loads(checked.stdout)["replayed"] == 1


def test_a_forbidden_word_is_named_and_not_sent_and_nothing_is_asked_about_consent(env: dict[str, str]) -> None:
    taboo = catalog.get("taboo")
    name = "high-en-001"
    related = catalog.instance(taboo, name).related[0]
    given = f"it has to do with {related}\nyou may think of this\n"
    played = playpen(env, "play", "taboo", "--vs", "bot", "--instance", name, "--plain", given=given)
    assert f'not sent: "{related}" is one of the forbidden words' in played.stdout
    assert "How may your games be used" not in played.stdout
    assert rows(env, "select text from turns where role = 'describer'")[0][0].endswith("you may think of this")
    assert rows(env, "select consent from people") == [("local",)]


def test_input_that_ends_early_leaves_the_episode_unfinished_and_it_goes_on(env: dict[str, str]) -> None:
    left = playpen(env, "play", "wordle", "--plain", "--seed", "8", given="crane\n")
    assert left.returncode == 1
    assert rows(env, "select count(*) from results") == [(0,)]
    again = left.stderr.split("playpen-tui play ")[-1].split()
    target = json.loads(rows(env, "select data from instances")[0][0])["target"]
    gone_on = playpen(env, "play", *again, given=f"{target}\n")
    assert gone_on.returncode == 0, gone_on.stderr
    assert rows(env, "select outcome, plies from results") == [("success", 2)]
    assert rows(env, "select count(*) from episodes") == [(1,)]
    over = playpen(env, "play", *again)
    assert over.returncode == 2
    assert "there is nothing to go on with" in over.stderr


def test_a_killed_game_keeps_every_committed_turn_and_goes_on(env: dict[str, str]) -> None:
    process = subprocess.Popen(
        command("play", "wordle", "--plain", "--seed", "8"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("crane\nmoist\n")
    process.stdin.flush()
    for _ in range(600):
        time.sleep(0.05)
        if Path(env["PLAYPEN_DB"]).exists():
            try:
                if rows(env, "select count(*) from turns")[0][0] == 2:
                    break
            except sqlite3.OperationalError:  # the tables are being made
                continue
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert rows(env, "pragma integrity_check") == [("ok",)]
    assert [text.split()[-1] for (text,) in rows(env, "select text from turns order by ply")] == ["crane", "moist"]
    episode = rows(env, "select id from episodes")[0][0]
    target = json.loads(rows(env, "select data from instances")[0][0])["target"]
    gone_on = playpen(env, "play", "--resume", episode[:20], "--plain", given=f"{target}\n")
    assert gone_on.returncode == 0, gone_on.stderr
    assert "2. MOIST" in gone_on.stdout, "the board of before is there again"
    assert rows(env, "select outcome, plies from results") == [("success", 3)]


def test_two_people_take_turns(env: dict[str, str]) -> None:
    taboo = catalog.get("taboo")
    target = catalog.instance(taboo, "high-en-001").target
    seats = ("--seat", "describer=human", "--seat", "guesser=human:ann")
    given = f"you may think of this\n{target}\n"
    played = playpen(env, "play", "taboo", *seats, "--instance", "high-en-001", "--plain", given=given)
    assert "-- hand over to the guesser" in played.stdout, played.stderr
    assert played.returncode == 0
    assert ("ann",) in rows(env, "select person_id from turns where role = 'guesser'")


def test_without_record_nothing_is_written(env: dict[str, str]) -> None:
    seats = ("--seat", "describer=bot", "--seat", "guesser=bot")
    played = playpen(env, "play", "taboo", *seats, "--plain", "--no-record")
    assert played.returncode == 0, played.stderr
    assert not Path(env["PLAYPEN_DB"]).exists() or rows(env, "select count(*) from episodes") == [(0,)]


def test_the_log_replays_to_the_same_match(env: dict[str, str]) -> None:
    playpen(env, "play", "referencegame", "--vs", "bot", "--as", "describer", "--plain", given="it is there\n")
    texts = [text for (text,) in rows(env, "select text from turns order by ply")]
    game, data, seed = rows(
        env, "select e.game, i.data, e.seed from episodes e join instances i on i.id = instance_id"
    )[0]
    rules = catalog.get(game)
    match = Match.replay(rules, rules.instance_type.model_validate_json(data), seed, texts)
    assert match.over
    assert rows(env, "select outcome from results") == [(match.state.outcome,)]
