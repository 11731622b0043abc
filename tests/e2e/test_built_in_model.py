"""The whole road once, with the real built-in model: a person's clue, a model's guess, the log, a check of the log."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from players.weights import find

MISSING = [
    what
    for what, there in (
        ('pip install "playpen-tui[local]"', find_spec("xllamacpp") is not None),
        ("playpen-tui models get smollm2", find("smollm2") is not None),
    )
    if not there
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.model,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(MISSING), reason=f"the built-in model is not here: {' and '.join(MISSING)}"),
]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment without anybody's settings; a weights file that was fetched for this user stays in reach."""
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("CONFIG", "STATE", "CACHE")}
    return {**os.environ, **folders, "PLAYPEN_DB": str(tmp_path / "episodes.sqlite"), "PLAYPEN_GAMES": ""}


def playpen(env: dict[str, str], *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "playpen_tui", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=240,
        env=env,
        check=False,
    )


def rows(env: dict[str, str], sql: str) -> list[tuple]:
    with sqlite3.connect(env["PLAYPEN_DB"]) as connection:
        return connection.execute(sql).fetchall()


def test_a_person_describes_and_the_model_guesses(home: dict[str, str]) -> None:
    clues = "it is a thing that many people know\nyou may see it in the open air\nit is talked about\n" + "well\n" * 6
    played = playpen(home, "play", "taboo", "--vs", "smollm2", "--plain", "--seed", "11", given=clues)
    assert played.returncode == 0, played.stderr
    assert "guesser: smollm2, assisted" in played.stdout
    assert "GUESS:" not in played.stdout and "CLUE:" not in played.stdout
    assert rows(home, "select count(*) from episodes") == [(1,)]
    assert rows(home, "select outcome from results")[0][0] in ("success", "failure"), "never a broken form"
    guesses = rows(home, "select text, assisted, seen_hash from turns where role = 'guesser'")
    assert guesses and all(text.startswith("GUESS: ") and assisted and seen for text, assisted, seen in guesses)
    calls = rows(home, "select tokens_in, tokens_out, prompt_hash from calls where turn_id is not null")
    assert len(calls) == len(guesses)
    assert all(tokens_in > 0 and tokens_out > 0 and prompt for tokens_in, tokens_out, prompt in calls)
    assert rows(home, "select count(*) from transcript")[0][0] == 2 * len(guesses)
    checked = playpen(home, "db", "check", "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["ok"]


@pytest.mark.parametrize("game", ["taboo", "wordle_withclue", "wordle_withcritic", "referencegame"])
def test_the_model_plays_every_seat_without_breaking_the_form(home: dict[str, str], game: str) -> None:
    seats = {"wordle_withclue": ["guesser"], "wordle_withcritic": ["guesser", "critic"]}
    words = [word for role in seats.get(game, ["describer", "guesser"]) for word in ("--seat", f"{role}=smollm2")]
    played = playpen(home, "play", game, *words, "--plain", "--seed", "5", "--assist")
    assert played.returncode == 0, played.stderr
    assert rows(home, "select outcome from results")[0][0] in ("success", "failure")
    assert rows(home, "select count(*) from turns where verdict = 'illegal'") == [(0,)]


def test_without_help_the_seat_says_so(home: dict[str, str]) -> None:
    played = playpen(home, "play", "taboo", "--seat", "describer=bot", "--vs", "smollm2", "--no-assist", "--plain")
    assert played.returncode == 0, played.stderr
    assert "assisted" not in played.stdout
    assert {row[0] for row in rows(home, "select assisted from turns")} == {0}
