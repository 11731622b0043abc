"""The benchmark of branches: its sums, and that it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # `bench` is no part of the package

from bench.branches import means  # noqa: E402
from bench.keys import both, spread  # noqa: E402


def test_values_are_held_against_means_reckoned_apart():
    rows = [
        ("a", "guesser", 0.5, '{"guesser": 1.0, "describer": 0.0}'),
        ("a", "guesser", 0.5, '{"guesser": 0.0, "describer": 0.0}'),
        ("b", "describer", 0.9, '{"guesser": 0.0, "describer": 1.0}'),
    ]
    assert means(rows) == [(0.5, 0.5), (0.9, 1.0)]


def test_of_fewer_than_a_hundred_keys_the_slowest_is_p99():
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "p99": 3.0, "high": 3.0}
    assert both([(2.0, 1.0)])["cpu"] == {"median": 1.0, "p99": 1.0, "high": 1.0}


@pytest.mark.slow
def test_a_smoke_run_prints_what_was_promised():
    command = [sys.executable, "-m", "bench.branches", "--smoke"]
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout)
    assert found["benchmark"] == "branches" and found["smoke"] and found["met"] is None
    assert found["rollouts"] == found["planned"] == 9 and not found["failed"]
    assert found["values"] >= 2 and found["values_are_means"]
    for side in ("idle", "running"):
        assert 0 < found[side]["wall"]["median"] <= found[side]["wall"]["high"]
