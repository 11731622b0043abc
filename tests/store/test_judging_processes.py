"""Several processes at one queue: nothing lost, no place filled twice; one that is killed leaves its item to others."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from judged_log import played, queue_of

from store import judging
from store.judging import Judge
from store.keep import check
from store.log import Log

JUDGE = """
import sys, random, time
from store import judging, queues
from store.judging import Ballot, Judge, PlaceTaken
from store.log import Log

path, name, seconds, said = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
dice = random.Random(name)
with Log.open(path) as log, open(said, "w") as told:
    queue, judge = queues.find_queue(log.reader(), "first"), Judge(name)
    while (shown := judging.reserve(log, queue, judge, seconds)) is not None:
        time.sleep(dice.random() * 0.004)
        try:
            ballot = Ballot(shown.item.id, dice.choice("ab"), shown.left, shown.right, shown.repeat)
            id = judging.vote(log, queue, judge, ballot)
        except PlaceTaken:
            continue
        told.write(id + "\\n")
        told.flush()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "e.sqlite"
    with played(path, many=14) as log:
        queue_of(log, 40, judges=2, repeats=0.2)
        for name in ("kind-owl-1", "shy-fox-2", "calm-hen-3"):
            log.people.add("local", name)
    return path


def start(path, name, said, env, seconds=600.0):
    call = [sys.executable, "-c", JUDGE, str(path), name, str(seconds), str(said)]
    return subprocess.Popen(call, env=env, stderr=subprocess.PIPE)


def finish(child):
    _, errors = child.communicate(timeout=100)
    assert child.returncode == 0, errors.decode()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [600.0, 0.002])
def test_three_at_once_lose_nothing_and_fill_no_place_twice(path, tmp_path, child_env, seconds):
    """Also where reservations expire while somebody still looks."""
    names = ("kind-owl-1", "shy-fox-2", "calm-hen-3")
    children = [start(path, name, tmp_path / name, child_env, seconds) for name in names]
    for child in children:
        finish(child)
    said = {id for name in names for id in (tmp_path / name).read_text().split()}
    with Log.open(path) as log:
        kept = {id for (id,) in log.reader().execute("SELECT annotation FROM verdicts")}
        assert kept == said, "what was reported is there, and nothing else"
        places = Counter(item for (item,) in log.reader().execute("SELECT item FROM verdicts WHERE NOT repeat"))
        assert set(places.values()) == {2} and len(places) == 40
        assert check(log).ok


@pytest.mark.slow
def test_one_that_is_killed_loses_no_vote_and_its_item_goes_to_another(path, tmp_path, child_env):
    child = start(path, "kind-owl-1", tmp_path / "owl", child_env, seconds=3.0)
    until = time.monotonic() + 60
    owl = tmp_path / "owl"
    while not owl.exists() or owl.stat().st_size < 200:
        assert time.monotonic() < until
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stderr.close()
    said = set((tmp_path / "owl").read_text().split("\n")[:-1])
    with Log.open(path) as log:
        kept = {id for (id,) in log.reader().execute("SELECT annotation FROM verdicts")}
        assert said <= kept
        held = log.reader().execute("SELECT item_id FROM reservations WHERE judge = 'kind-owl-1'").fetchall()
        assert len(held) <= 1
        log.write(lambda db: db.execute("UPDATE reservations SET until = '2000'").rowcount)  # the time has passed
        fox, hen = Judge("shy-fox-2"), Judge("calm-hen-3")
        from store.queues import find_queue

        queue = find_queue(log.reader(), "first")
        for judge in (fox, hen):
            while (shown := judging.reserve(log, queue, judge)) is not None:
                ballot = judging.Ballot(shown.item.id, "a", shown.left, shown.right, shown.repeat)
                judging.vote(log, queue, judge, ballot)
        places = Counter(item for (item,) in log.reader().execute("SELECT item FROM verdicts WHERE NOT repeat"))
        assert set(places.values()) == {2} and len(places) == 40
