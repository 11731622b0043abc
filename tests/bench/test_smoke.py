"""Benchmarks that have no tests of their own run small and print one document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recording", "browse"])
def test_a_smoke_run_prints_one_document(name):
    command = [sys.executable, "-m", f"bench.{name}", "--smoke"]
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout)
    assert found["benchmark"] == name and found["smoke"] and found["machine"]["cores"] >= 1
