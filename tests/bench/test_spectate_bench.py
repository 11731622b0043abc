"""The stands' benchmark: what it takes for a frame, its sums, and that it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is no part of the package

from bench import spectate  # noqa: E402


def test_of_a_hundred_keys_one_may_be_slower_than_p99():
    assert spectate._p99([float(ms) for ms in range(1, 101)]) == 99.0
    assert spectate._p99([7.0]) == 7.0


def test_time_without_waiting_is_told_beside_the_clock():
    taken = [spectate.Taken(key, ms, ms - 10) for key, ms in (("v", 20.0), ("1", 40.0), ("z", 60.0))]
    found = spectate._figures(taken)
    assert (found["keys"], found["median"], found["p99"]) == (3, 40.0, 60.0)
    assert found["less_waiting"] == {"median": 30.0, "p99": 50.0, "high": 50.0}
    assert found["by_key"] == {"eyes": 20.0, "open": 40.0, "back": 60.0}


def test_frames_are_known_by_what_only_they_show():
    card = b"\x1b[3;3H\x1b[1;38;2;1;2;3m1 \x1b[0m\x1b[1mTaboo \xc2\xb7 high\x1b[0m"
    seats = b"\x1b[35;1H\x1b[48;2;1;2;3m  \x1b[0m\x1b[38;2;1;2;3mguesser \x1b[0m"
    assert spectate.BACK.search(card) and not spectate.OPENED.search(card)
    assert spectate.OPENED.search(seats) and not spectate.BACK.search(seats)


@pytest.mark.slow
def test_a_smoke_run_prints_what_was_promised():
    command = [sys.executable, "-m", "bench.spectate", "--smoke"]
    small = {**os.environ, "COLUMNS": "80", "LINES": "24"}  # as pytest-xdist sets them
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, env=small)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout)
    assert found["benchmark"] == "spectate" and found["smoke"] and found["met"] is None
    assert found["boards"] == 8 and found["tokens_per_s"] > 0 and found["goal"] == 100.0
    for side in ("idle", "streaming"):
        assert 0 < found[side]["median"] <= found[side]["p99"] <= found[side]["high"]
        assert found[side]["less_waiting"]["p99"] <= found[side]["p99"]
    assert found["difference"]["p99"] == pytest.approx(found["streaming"]["p99"] - found["idle"]["p99"], rel=0.01)
