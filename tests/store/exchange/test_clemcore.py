"""clemcore itself reads what we write: `clem eval` gives the official table of an exported tree, and takes our own."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest
from own_log import fill

from store.exchange.clembench import import_clembench
from store.exchange.clembench_out import export_clembench
from store.filters import Filters
from store.log import Log

CLEM = Path(__file__).parents[3] / ".venv-clem" / "bin" / "clem"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not CLEM.exists(), reason="clemcore is not here: `make clem` makes its environment"),
]
GAMES = ("clem:dond", "clem:guesswhat", "clem:taboo", "clem:wordle")
"""Four of fourteen: clemcore builds its table row by row, and takes a minute for all."""


def clem(folder, *words):
    """Run clemcore in a folder; returns what it printed."""
    done = subprocess.run([CLEM, *words], capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def table(folder):
    """results.csv by model."""
    with (folder / "results.csv").open(encoding="utf-8") as file:
        return {row[""]: row for row in csv.DictReader(file)}


def test_an_exported_tree_has_the_official_table(log, real, real_trees, tmp_path):
    import_clembench(log, real_trees)
    export_clembench(log, Filters(games=GAMES), tmp_path / "out")
    clem(tmp_path / "out", "eval", "-r", ".")
    with (real / "playschool-2026-indomain.csv").open(encoding="utf-8") as file:
        official = {row[""]: row for row in csv.DictReader(file)}
    found = table(tmp_path / "out")
    assert set(found) == {"llama-3.1-8b-instruct", "qwen3.5-27b"}
    for model, row in found.items():
        for game in GAMES:
            for name in ("% Played", "Quality Score"):
                column = f"{game.removeprefix('clem:')}, {name}"
                assert row[column] == official[model][column]


async def test_our_own_episodes_are_transcribed_and_evaluated(log, tmp_path):
    await fill(log)
    done = export_clembench(log, Filters(outcomes=("success", "aborted")), tmp_path / "out")
    assert "exceptions" not in clem(tmp_path / "out", "transcribe", "-r", ".")
    made = list((tmp_path / "out").rglob("transcript.html"))
    assert len(made) == len(list((tmp_path / "out").rglob("transcript.tex"))) == done.episodes
    clem(tmp_path / "out", "eval", "-r", ".")
    row = table(tmp_path / "out")["m--script"]
    assert (row["native_tiny, % Played"], row["native_tiny, Quality Score"]) == ("50.0", "100.0")


async def test_clem_score_leaves_our_scores_alone(log, tmp_path):
    """Its scorer of another game must not run over ours, though it looks through the whole tree."""
    await fill(log)
    export_clembench(log, Filters(outcomes=("success",)), tmp_path / "out")
    peer = Path(__file__).parents[3] / "bench" / "clem_peer"
    (tmp_path / "out" / "game_registry.json").write_text(f'[{{"benchmark_path": "{peer}"}}]', encoding="utf-8")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("scores.json")}
    clem(tmp_path / "out", "score", "-r", ".")
    assert before and {path: path.read_bytes() for path in before} == before
    with Log.open(tmp_path / "b.sqlite") as back:
        assert import_clembench(back, tmp_path / "out").episodes == len(before)
