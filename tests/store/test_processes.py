"""Real processes: one killed in the middle of writing, two writing at once, two creating the same file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from tiny_game import Script, Tiny, train

from players.driver import drive
from store.keep import check
from store.log import Log

PLAY = """
import asyncio, sys
from pathlib import Path
from players.driver import drive
from players.ports import Place
from store.log import Log
from tiny_game import Script, new_match, train

async def main(path, name, episodes, said):
    async with Log.open(path, split_of=train) as log:
        run = log.new_run("self_play", {"name": name}, seed=1)
        todo = iter(range(episodes))

        def heard(episode_seed):
            def advanced(match):
                said.write(f"{episode_seed} {match.ply}\\n")  # only after the commit was reported
                said.flush()
            return advanced

        async def lane():
            for n in todo:
                seats = {"asker": Script("one", "two", "three", name=name), "teller": Script("a", "b", "c", name=name)}
                await drive(new_match(seed=n), seats, log.recorder, place=Place(run=run, slot=n), advanced=heard(n))

        await asyncio.gather(*[lane() for _ in range(8)])

with open(sys.argv[4], "w") as said:
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), said))
"""


def start(path, name, episodes, said, env):
    words = [sys.executable, "-c", PLAY, str(path), name, str(episodes), str(said)]
    return subprocess.Popen(words, env=env, stderr=subprocess.PIPE)


def finish(child):
    _, errors = child.communicate(timeout=100)
    assert child.returncode == 0, errors.decode()


async def test_a_killed_process_loses_no_committed_turn(path, tmp_path, child_env):
    said = tmp_path / "said"
    child = start(path, "victim", 1_000_000, said, child_env)
    until = time.monotonic() + 60
    while time.monotonic() < until and (not said.exists() or said.stat().st_size < 4000):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stderr.close()
    heard: dict[int, int] = {}
    for line in said.read_text().splitlines()[:-1]:  # the last line may be torn
        seed, ply = line.split()
        heard[int(seed)] = int(ply)
    assert len(heard) > 20

    with Log.open(path, split_of=train, wait=5) as log:
        report = check(log, game_of=lambda name: Tiny(), sample=10_000)
        assert report.ok, report.problems[:3]
        assert report.replayed == report.episodes >= len(heard)
        logged = {row.id: log.history.episode(row.id) for row in log.queries.recent(100_000)}
        plies = {episode.seed: len(episode.texts) for episode in logged.values()}
        assert all(plies[seed] >= ply for seed, ply in heard.items()), "a turn that was reported is not there"
        halves = log.queries.unfinished(100)
        assert len(halves) <= 8  # the matches under way, unless they all had just ended
        for half in halves:
            match = log.history.match(half.id, Tiny())
            rest = ["x"] * 6
            end = await drive(match, {"asker": Script(*rest), "teller": Script(*rest)}, log.recorder, episode=half.id)
            assert end.ply == 6
        assert log.queries.unfinished() == []
        done, begun = log.queries.slots(log.queries.runs()[0].id)
        assert len(done) == len(logged) and not begun
        assert check(log, game_of=lambda name: Tiny(), sample=10_000).ok


def test_two_processes_create_and_write_the_same_log(path, tmp_path, child_env):
    children = [start(path, f"p{n}", 60, tmp_path / f"said{n}", child_env) for n in range(2)]
    for child in children:
        finish(child)
    with Log.open(path, wait=5) as log:
        counts = log.queries.counts()
        assert (counts.episodes, counts.finished, counts.turns, counts.runs) == (120, 120, 720, 2)
        assert check(log, game_of=lambda name: Tiny(), sample=1000).ok
        speakers = log.reader().execute("SELECT speaker, count(*) FROM transcript GROUP BY 1").fetchall()
        assert speakers == [("p0", 360), ("p1", 360)]


@pytest.mark.parametrize("how", ["close", "leave"])
def test_a_process_that_forgets_to_close_ends_all_the_same(path, child_env, how):
    code = (
        "import sys\nfrom store.log import Log\nlog = Log.open(sys.argv[1])\nlog.new_run('play', {})\n"
        "if sys.argv[2] == 'close': log.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), how], env=child_env, capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    with Log.open(path) as log:
        assert log.queries.counts().runs == 1
