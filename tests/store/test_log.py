"""The facade: opens, closes, and keeps what it takes to repeat a run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from tiny_game import Script, new_match, riddle

from games.engine import Match
from players.driver import drive
from players.ports import Place
from store import provenance
from store.errors import LogClosed
from store.log import Log


async def test_a_sitting_as_the_application_has_it(path):
    async with Log.open(path, split_of=lambda game, instance: "validation") as log:
        run = log.new_run("play", {"game": "tiny", "odd": {1, 2}}, seed=7, app_version="0.1.0")
        await drive(
            new_match(), {"asker": Script("win"), "teller": Script()}, log.recorder, place=Place(run=run, slot=0)
        )
        detail = log.queries.detail(log.queries.recent()[0].id)
        assert detail.row.run == run and detail.split == "validation"
    with pytest.raises(LogClosed):
        log.queries.counts()
    log.close()


def test_a_run_says_what_it_takes_to_repeat_it(log):
    run = log.new_run("eval", {"b": 1, "a": 2}, seed=3, app_version="0.1.0")
    same = log.new_run("eval", {"a": 2, "b": 1})
    row = (
        log.reader()
        .execute("SELECT kind, config, hardware, seed, app_version FROM runs WHERE id = ?", (run,))
        .fetchone()
    )
    assert row[0] == "eval" and json.loads(row[1]) == {"a": 2, "b": 1} and row[3:] == (3, "0.1.0")
    assert set(json.loads(row[2])) == {"system", "machine", "cpus", "python", "sqlite"}
    hashes = log.reader().execute("SELECT DISTINCT config_hash FROM runs").fetchall()
    assert len(hashes) == 1 and same != run
    with pytest.raises(Exception, match="CHECK"):
        log.new_run("party", {})


def git(folder, *words):
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, capture_output=True)


def test_the_commit_it_ran_from(tmp_path):
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path) == (None, None)
    git(tmp_path, "init")
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path) == (None, None), "nothing is committed yet"
    (tmp_path / "file").write_text("x")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "x")
    provenance.commit.cache_clear()
    head, dirty = provenance.commit(tmp_path)
    assert len(head) == 40 and dirty == 0
    (tmp_path / "file").write_text("y")
    provenance.commit.cache_clear()
    assert provenance.commit(tmp_path) == (head, 1)
    provenance.commit.cache_clear()


async def test_the_split_is_asked_once_per_instance(path):
    asked = []

    def split_of(game, instance):
        asked.append(instance.name)
        return "test"

    deal = riddle()
    with Log.open(path, split_of=split_of) as log:
        for _ in range(3):
            match = Match.new(new_match().game, deal)
            await drive(match, {"asker": Script("win"), "teller": Script()}, log.recorder)
    assert asked == ["riddle-0"]


async def test_nothing_can_be_read_after_closing_in_any_thread(log):
    import asyncio

    await asyncio.to_thread(log.queries.counts)
    log.close()
    with pytest.raises(LogClosed, match="open it again"):
        log.reader()
    with pytest.raises(LogClosed):
        log.people.add()


def test_what_other_threads_read_while_it_closes_is_read_to_the_end(path, child_env):
    """In a child, since the fault to guard against ends the process: a connection closed in the middle of a query."""
    program = """
import sys, threading, time
from store.log import Log

for _ in range(6):
    log = Log.open(sys.argv[1])
    begun, rows = threading.Event(), []
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n"

    def read():
        cursor = log.reader().execute(slow)
        begun.set()
        rows.extend(cursor.fetchall())

    thread = threading.Thread(target=read)
    thread.start()
    begun.wait()
    log.close()
    thread.join()
    assert len(rows) == 200000, len(rows)
print("whole")
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env=child_env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, "whole\n"), ran.stderr


def test_readers_at_rest_in_other_threads_close_with_it(path):
    log = Log.open(path)
    read, go = threading.Event(), threading.Event()

    def rest():
        log.reader().execute("SELECT 1").fetchone()
        read.set()
        go.wait()

    thread = threading.Thread(target=rest)
    thread.start()
    read.wait()
    log.close()
    assert not path.with_name(path.name + "-wal").exists()
    go.set()
    thread.join()
