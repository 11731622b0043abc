"""Watching a log while another process writes it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_game import Script, new_match

from players.base import PlayerError
from players.driver import drive
from players.ports import Place
from store.follow import Follower
from store.log import Log
from store.records import Progress

HERE = Path(__file__).parent
WRITES = """
import asyncio, sys
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from tiny_game import Script, new_match
from players.driver import drive
from players.ports import Place
from store.log import Log

async def main():
    async with Log.open(sys.argv[1]) as log:
        run = log.queries.runs()[0].id
        asker = Script("one", "two", "win", name="a", kind="model")
        seats = {"asker": asker, "teller": Script("x", "y")}
        await drive(new_match(), seats, log.recorder, place=Place(run=run, slot=0))

asyncio.run(main())
"""


@pytest.fixture
async def log(path):
    async with Log.open(path) as log:
        yield log


async def test_news_of_a_run_come_as_they_are_committed_and_only_of_that_run(log, path):
    run, other = (log.new_run("self_play", {"n": n}) for n in (1, 2))
    follower = Follower(path, run=run)
    await follower.open()
    assert await follower.look() is None
    for which in (run, other):
        seats = {"asker": Script("one", "win", name="a", kind="model"), "teller": Script("x")}
        await drive(new_match(), seats, log.recorder, place=Place(run=which, slot=0))
    news = await follower.look()
    assert news and [(turn.ply, turn.role, turn.player, turn.text) for turn in news.turns] == [
        (0, "asker", "a", "one"),
        (1, "teller", "script", "x"),
        (2, "asker", "a", "win"),
    ]
    (episode,) = news.begun
    assert news.ended == ((episode, "success"),) and not news.failed and news.progress is None
    assert await follower.look() is None
    await log.beat(run, Progress("running", 10, 1, 0, 3, cost=0.5, host="here", pid=7))
    news = await follower.look()
    assert news and news.progress and (news.progress.planned, news.progress.cost, news.progress.pid) == (10, 0.5, 7)
    assert news.progress.word(15) == "running" and news.progress.word(-1) == "killed"
    await follower.close()


async def test_a_failure_is_news(log, path):
    run = log.new_run("self_play", {})
    follower = Follower(path, run=run)
    await follower.open()
    broken = Script("one", name="a", kind="model")
    with pytest.raises(PlayerError):
        await drive(new_match(), {"asker": broken, "teller": Script("x")}, log.recorder, place=Place(run=run, slot=0))
    news = await follower.look()
    assert news and [message for _, message in news.failed] == ["no more lines"] and not news.ended
    assert [(row.ply, row.role, row.kind) for row in log.queries.failures(run)] == [(2, "asker", "gone")]
    (live,) = log.queries.live(run)
    assert live.plies == 2 and live.outcome is None


async def test_another_process_is_followed_turn_by_turn(log, path):
    run = log.new_run("self_play", {})
    follower, seen = Follower(path, run=run), []

    async def watch():
        async for news in follower.news(every=0.01):
            seen.append(news)
            if news.ended:
                return

    watching = asyncio.ensure_future(watch())
    process = subprocess.Popen([sys.executable, "-c", WRITES, str(path), str(HERE), str(HERE.parents[1])])
    await asyncio.wait_for(watching, 60)
    assert process.wait(20) == 0
    assert [turn.text for news in seen for turn in news.turns] == ["one", "x", "two", "y", "win"]
    await follower.close()


async def test_a_turn_is_awaited_promptly_and_the_waiting_can_be_cancelled(log, path):
    match = new_match()
    episode = await log.recorder.begin(match, {"asker": Script().identity, "teller": Script().identity}, Place())
    follower = Follower(path, episode=episode)
    gone = asyncio.ensure_future(follower.turn(episode, 5))
    waiting = asyncio.ensure_future(follower.turn(episode, 0))
    await asyncio.sleep(0.12)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert not waiting.done()
    began = time.monotonic()
    playing = asyncio.ensure_future(
        drive(match, {"asker": Script("hello", "win"), "teller": Script("x")}, log.recorder, episode=episode)
    )
    turn = await asyncio.wait_for(waiting, 5)
    await playing
    assert (turn.text, turn.role, turn.ply) == ("hello", "asker", 0) and time.monotonic() - began < 10
    await follower.close()
    await follower.close()


async def test_who_is_cancelled_twice_and_closes_waits_for_the_read_that_is_left(log, path):
    """Closing a connection under a query ends the process."""
    follower, at = Follower(path), []

    def read(db):
        at.append("reads")
        time.sleep(0.3)
        at.append("has read")
        return db.execute("SELECT 1").fetchone()

    reading = asyncio.ensure_future(follower._ask(read))
    while not at:
        await asyncio.sleep(0.01)
    for _ in range(2):
        reading.cancel()
        await asyncio.sleep(0.02)
    assert reading.done()
    await follower.close()
    assert at == ["reads", "has read"] and follower._connection is None


async def test_looking_costs_next_to_nothing(log, path):
    """Twenty looks a second must not be felt: a look at a quiet log is a pragma."""
    follower = Follower(path)
    await follower.open()
    began = time.process_time()
    for _ in range(200):
        assert await follower.look() is None
    assert time.process_time() - began < 0.5
    await follower.close()
