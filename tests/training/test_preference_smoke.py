"""DPO and KTO of the real small model through the command, from bots' self-play; what comes out plays."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.model,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("torch"),
]
WORDS = [sys.executable, "-m", "playpen_tui"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("smoke") / "e.sqlite"
    for player in ("bot", "bot:random"):
        play = ["selfplay", "taboo", "--player", player, "--episodes", "12", "--seed", "5", "--db", str(path)]
        subprocess.run([*WORDS, *play, "--json"], capture_output=True, check=True)
    return path


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_a_smoke_training_ends_and_its_result_plays(log, tmp_path, monkeypatch, unpacked_once, method):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    train = ["train", "--from-db", str(log), "--method", method, "--recipe", "smoke", "--name", "liked", "--steps", "1"]
    ran = subprocess.run([*WORDS, *train, "--out", "out", "--json"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + (tmp_path / "out" / "job.log").read_text()[-2000:]
    document = json.loads(ran.stdout)
    assert document["state"] == "done" and document["steps"] == 1 and document["player"] == "liked"
    held = document["held_out"]
    assert held["rows"] and abs(held["before"]["rewards/margins"]) < 1e-3 and held["after"]["rewards/margins"] != 0
    with sqlite3.connect(log) as db:
        sql = "SELECT count(*) FROM metrics WHERE training_id = ? AND name = 'eval/rewards/margins'"
        assert db.execute(sql, (document["training"],)).fetchone() == (2,)
        assert not db.execute("SELECT 1 FROM leakage").fetchone()
    play = ["selfplay", "taboo", "--seat", "guesser=liked?max_tokens=8", "--seat", "describer=bot", "--episodes", "1"]
    ran = subprocess.run([*WORDS, *play, "--db", "p.sqlite", "--json"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    with sqlite3.connect("p.sqlite") as db:
        spoken = "SELECT count(*) FROM turns t JOIN players p ON p.id = t.player_id WHERE p.name LIKE 'liked%'"
        assert db.execute(spoken).fetchone()[0] >= 1
