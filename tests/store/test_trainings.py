"""Trainings in the log: how one stands, whoever asks and whatever its process could still write down."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from players.base import Identity
from store import datasets, trainings
from store.records import Progress

BASE = Identity("model", "smollm2", "r1", "", {})


@pytest.fixture
def training(log):
    dataset = datasets.freeze(log, "sft", [], {})
    run = log.new_run("train", {"folder": "/somewhere/out", "name": "bars"}, 1, "test")
    return trainings.begin(log, run, "sft", BASE, dataset.id)


def beaten(log, training, *, ago=0.0, state="running", planned=10, running=1, pid=None, host=None):
    row = trainings.get(log, training)
    told = (0, 0, None, 1.0, host or socket.gethostname(), os.getpid() if pid is None else pid)
    log.write(lambda db: trainings.beat(db, row.run, Progress(state, planned, 3, 0, running, *told)))
    at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    log.write(lambda db: db.execute("UPDATE progress SET beat_at = ?", (at,)).rowcount)
    return trainings.state_of(log, trainings.get(log, training))


@pytest.fixture
def gone():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_it_is_found_by_id_by_the_beginning_of_it_and_by_name(log, training):
    for wish in (training, training[:20].lower(), "bars"):
        assert trainings.get(log, wish).id == training
    for wish in ("bar", "", " "):
        with pytest.raises(trainings.Unknown, match="no training"):
            trainings.get(log, wish)
    run = log.new_run("train", {"folder": "/somewhere/else", "name": "bars"}, 2, "test")
    again = trainings.begin(log, run, "sft", BASE, trainings.get(log, training).dataset)
    with pytest.raises(trainings.Unknown, match=f"several trainings are called bars, the latest is {again}"):
        trainings.get(log, "bars")
    with pytest.raises(trainings.Unknown, match="several trainings begin"):
        trainings.get(log, again[:1])


def test_how_it_stands(log, training, gone, monkeypatch):
    monkeypatch.setattr(trainings, "alive", lambda pid: pid != gone)
    assert trainings.state_of(log, trainings.get(log, training)) == "queued"
    log.write(lambda db: db.execute("UPDATE trainings SET created_at = '2026-01-01T00:00:00Z'").rowcount)
    assert trainings.state_of(log, trainings.get(log, training)) == "crashed"
    assert beaten(log, training, planned=0) == "queued"
    assert beaten(log, training) == "running"
    assert beaten(log, training, running=0) == "paused"
    assert beaten(log, training, ago=60) == "stalled"
    assert beaten(log, training, ago=60, host="elsewhere", pid=gone) == "stalled"
    assert beaten(log, training, pid=gone) == "crashed"
    assert beaten(log, training, state="stopped", ago=1) == "queued"  # resumed, and not a word yet
    assert beaten(log, training, state="stopped", ago=600) == "crashed"
    for state in ("stopped", "done"):
        trainings.end(log, training, state)
        assert trainings.state_of(log, trainings.get(log, training)) == state
    trainings.end(log, training, "failed", about={"state": "diverged", "why": "x"}, step=7)
    assert trainings.state_of(log, trainings.get(log, training)) == "diverged"
    trainings.end(log, training, "failed", about={"state": "failed", "why": "y"})
    assert trainings.state_of(log, trainings.get(log, training)) == "failed"
    assert [event.step for event in trainings.events(log, training)] == [7, 0]


def test_a_process_that_took_the_number_is_not_it(gone):
    assert not trainings.alive(gone)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "training.job"])
    try:
        time.sleep(0.2)
        assert trainings.alive(mine.pid)
        if Path("/proc/self/cmdline").exists():
            assert not trainings.alive(other.pid)
    finally:
        for process in (other, mine):
            process.kill()
            process.wait()


def test_a_checkpoint_is_a_player_and_is_traced(log, training, tmp_path):
    who = Identity("model", "bars@20", "abc", str(tmp_path), {})
    for _ in range(2):  # a resumed training saves the same step again
        log.write(lambda db: trainings.checkpoint(db, training, 20, tmp_path, who))
    log.write(lambda db: trainings.checkpoint(db, training, 40, tmp_path / "gone", None))
    found = trainings.checkpoints(log, training)
    assert [(one.step, one.player, one.revision, one.there) for one in found] == [
        (20, "bars@20", "abc", True),
        (40, None, "", False),
    ]
    from store.trace import Trace

    trace = Trace(log.reader)
    assert trace.find("bars@20").kind == "player"


def test_events_and_curves(log, training):
    log.write(lambda db: trainings.event(db, training, "warning", 3, {"sentence": "groups are equal"}))
    trainings.measure(log, training, 1, {"loss": 2.0, "grad_norm": float("nan")})
    trainings.measure(log, training, 1, {"loss": 1.5})
    assert trainings.curves(log, training) == {"loss": [(1, 1.5)], "grad_norm": [(1, None)]}
    (event,) = trainings.events(log, training, ("warning",))
    assert event.value == {"sentence": "groups are equal"} and trainings.events(log, training, ("start",)) == []
    trainings.end(log, training, "failed")
    trainings.go_on(log, training)
    row = trainings.get(log, training)
    assert row.state == "running" and row.folder == Path("/somewhere/out")
