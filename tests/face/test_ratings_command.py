"""`ratings` from outside: tables, JSON, and what cannot be ranked."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from playpen_tui.cli import cli


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("ratings") / "episodes.sqlite"
    words = ["selfplay", "taboo", "referencegame", "--player", "bot", "--player", "bot:random", "--cross"]
    ran = CliRunner().invoke(cli, [*words, "--episodes", "64", "--db", str(path), "--json"])
    assert ran.exit_code == 0, ran.output
    return path


def run(log, *words):
    return CliRunner().invoke(cli, ["ratings", *words, "--db", str(log)], catch_exceptions=True)


def test_ratings_as_a_table_and_as_json(log):
    told = run(log).output
    assert "64 episodes of referencegame, taboo" in told and told.index("bot:competent") < told.index("bot:random")
    found = json.loads(run(log, "--json").stdout)
    first, second = found["ratings"]
    assert first["player"] == "bot:competent" and first["low"] > second["high"] and found["advantage"] is None
    assert found["episodes"] == 64 and first["better"] + first["ties"] + first["worse"] == first["comparisons"]


def test_the_matrix_leads_to_its_episodes(log):
    (game,) = json.loads(run(log, "--matrix", "--game", "taboo", "--json").stdout)["games"]
    cells = {(cell["first"], cell["second"]): cell for cell in game["cells"]}
    assert len(cells) == 4 and sum(cell["n"] for cell in cells.values()) == 32
    assert cells["bot:competent", "bot:competent"]["success"]["value"] == 1.0
    assert all(len(cell["episodes"]) == cell["n"] for cell in cells.values())
    assert "bot:competent: with itself 100" in run(log, "--matrix", "--game", "taboo").output


def test_a_curve_beside_a_frozen_partner(log):
    found = json.loads(run(log, "--frozen", "bot:competent", "--curve", "bot:random", "--json").stdout)
    assert found["frozen"] == "bot:competent" and [point["player"] for point in found["curve"]] == ["bot:random"]
    assert "beside bot:competent" in run(log, "--frozen", "bot:competent", "--curve", "bot:random").output


def test_what_cannot_be_said_is_a_sentence(log, tmp_path):
    assert "belong together" in run(log, "--frozen", "bot").output
    assert "no finished episodes" in run(log, "--game", "wordle").output
    nobody = run(log, "--frozen", "bot:competent", "--curve", "nobody")
    assert nobody.exit_code != 0 and "nobody never played with bot:competent" in str(nobody.exception)
