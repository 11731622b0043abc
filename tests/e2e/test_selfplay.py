"""Self-play as a process: killed, interrupted, sharded, served by a broken server; the log has every episode once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from store.keep import check
from store.log import Log

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
    return {**os.environ, **folders, "PLAYPEN_DB": str(tmp_path / "episodes.sqlite"), "PLAYPEN_GAMES": ""}


def start(env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "playpen_tui", "selfplay", *words, "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def selfplay(env: dict[str, str], *words: str) -> tuple[int, dict, str]:
    process = start(env, *words)
    out, err = process.communicate(timeout=200)
    return process.returncode, json.loads(out) if out.strip() else {}, err


def rows(env: dict[str, str], sql: str) -> list[tuple]:
    with sqlite3.connect(env["PLAYPEN_DB"]) as connection:
        return connection.execute(sql).fetchall()


def wait_for(env: dict[str, str], count: int) -> None:
    """Until so many episodes are over."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if Path(env["PLAYPEN_DB"]).exists():
            try:
                if rows(env, "SELECT count(*) FROM results")[0][0] >= count:
                    return
            except sqlite3.OperationalError:  # the tables are being made
                pass
        time.sleep(0.02)
    pytest.fail(f"not {count} episodes within a minute")


def whole(env: dict[str, str], planned: int) -> None:
    """Every planned slot has one episode with one result, and the log is sound."""
    slots = rows(env, "SELECT slot FROM episodes e JOIN results r ON r.episode_id = e.id ORDER BY slot")
    assert [slot for (slot,) in slots] == list(range(planned))
    with Log.open(env["PLAYPEN_DB"], readonly=True) as log:
        report = check(log, sample=50)
    assert report.ok, report.problems


def test_a_killed_run_goes_on_with_every_episode_exactly_once(home):
    process = start(home, "taboo", "wordle_withclue", "--player", "bot", "--episodes", "600", "--per-instance", "2")
    wait_for(home, 60)
    process.kill()
    process.communicate()
    before = rows(home, "SELECT count(*) FROM results")[0][0]
    assert 60 <= before < 600
    run = rows(home, "SELECT id FROM runs")[0][0]
    code, document, _ = selfplay(home, "--resume", run)
    assert code == 0 and document["done_before"] == before and document["done"] == 600
    whole(home, 600)
    groups = rows(
        home, "SELECT count(*), count(DISTINCT instance_id), count(DISTINCT seed) FROM episodes GROUP BY group_id"
    )
    assert set(groups) == {(2, 1, 1)}
    again, document, _ = selfplay(home, "--resume", run)
    assert again == 0 and document["done_before"] == 600 and rows(home, "SELECT count(*) FROM episodes") == [(600,)]


def test_the_first_interrupt_lets_matches_end_and_says_how_to_go_on(home):
    process = start(home, "wordle", "--player", "bot", "--episodes", "5000")
    wait_for(home, 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    document = json.loads(out)
    assert process.returncode == 130 and document["interrupted"] and document["running"] == 0
    assert f"selfplay --resume {document['run']}" in err and "ctrl-c again" in err
    assert rows(home, "SELECT count(*) FROM episodes") == rows(home, "SELECT count(*) FROM results")
    assert rows(home, "SELECT state, done FROM progress") == [("stopped", document["done"])]


def test_a_run_that_is_being_played_is_not_resumed_beside(home):
    process = start(home, "taboo", "--player", "bot", "--episodes", "5000")
    wait_for(home, 20)
    run = rows(home, "SELECT id FROM runs")[0][0]
    code, document, err = selfplay(home, "--resume", run)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert code == 1 and not document and f"run {run} is being played right now, by process {process.pid}" in err
    assert rows(home, "SELECT count(*) FROM episodes") == rows(home, "SELECT count(*) FROM results")


def test_shards_in_one_file_are_the_whole_plan(home):
    for number in (1, 2, 3):
        code, document, _ = selfplay(home, "taboo", "--player", "bot", "--episodes", "31", "--shard", f"{number}/3")
        assert code == 0 and document["planned"] in (10, 11)
    assert Counter(rows(home, "SELECT slot FROM episodes")) == {(slot,): 1 for slot in range(31)}


def test_a_plan_that_has_changed_is_not_resumed(home, tmp_path):
    folder = tmp_path / "games"
    folder.mkdir()
    env = {**home, "PLAYPEN_GAMES": str(folder)}
    made = subprocess.run(
        [sys.executable, "-m", "playpen_tui", "games", "new", "mine", "--dir", str(folder)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:  # the option is called otherwise
        pytest.fail(made.stderr)
    assert selfplay(env, "mine", "--player", "bot:random", "--episodes", "3", "--split", "train")[0] == 0
    run = rows(env, "SELECT id FROM runs")[0][0]
    (file,) = folder.glob("mine.py")
    text = file.read_text()
    file.write_text(
        text.replace("version = 1", "version = 2") if "version = 1" in text else text + "\n    version = 2\n"
    )
    code, _, err = selfplay(env, "--resume", run)
    assert code == 2 and "are not what they were" in err


def test_a_server_that_is_not_there_costs_seconds_and_the_matches_stand(home):
    began = time.monotonic()
    dead = "openai:m?base_url=http://127.0.0.1:9/v1&timeout=1"
    code, document, err = selfplay(
        home, "taboo", "--seat", "describer=bot", "--seat", f"guesser={dead}", "--episodes", "40", "--retries", "0"
    )
    assert (
        code == 1 and document["done"] == 0 and document["failed"] + document["left"] == 40 and document["failed"] >= 5
    )
    assert "refused" in document["errors"] and "not finished" in err and time.monotonic() - began < 120
    assert rows(home, "SELECT count(*) FROM failures")[0][0] == document["failed"]
    assert rows(home, "SELECT DISTINCT failure FROM unfinished")[0][0]
    assert rows(home, "SELECT count(*) FROM turns")[0][0] == document["failed"]  # the bot's clues are kept
