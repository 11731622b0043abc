"""The big run: random and adversarial replies through every game of the catalog, and the kit over each.

`PLAYPEN_FUZZ=100000` sends so many through each game, as `make fuzz` does; without it, a fifth of that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from games import catalog, conformance

REPLIES = int(os.environ.get("PLAYPEN_FUZZ", "20000"))
GAMES = sorted(catalog.BUILT_IN)


@pytest.mark.parametrize("name", GAMES)
def test_every_game_conforms(name: str) -> None:
    findings = conformance.check(catalog.get(name))
    assert not findings, "\n".join(f"{found.check}: {found.detail}" for found in findings)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", GAMES)
def test_many_replies_raise_nothing_but_illegal_and_no_match_is_endless(name: str) -> None:
    start = time.process_time()
    report = conformance.fuzz(catalog.get(name), replies=REPLIES)
    assert report.clean, report
    assert report.replies == REPLIES and report.matches > REPLIES / 100
    assert time.process_time() - start < 60 * max(1, REPLIES / 100_000)


DIGEST = """
import hashlib, sys
from games import catalog
from games.conformance.lab import Lab
game = catalog.get(sys.argv[1])
lab = Lab(game, game.languages, 2, (0, 1), {}, 100)
told = [(str(run), run.last.texts, run.last.heard, run.last.game.board(run.last.state, None)) for run in lab.bot_runs]
print(len(told), hashlib.sha256(repr(told).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", GAMES)
def test_a_match_is_the_same_in_another_process(name: str) -> None:
    """Fault of clembench 3.0: descriptions in set order, which changes from process to process."""

    def run(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", DIGEST, name]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout

    first = run("1")
    assert int(first.split()[0]) >= 4
    assert run("2") == first
