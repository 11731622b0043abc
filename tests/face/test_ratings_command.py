"""`ratings` from outside: tables, JSON, and what cannot be ranked."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from evaluation.ratings import Rating, Ratings
from playpen_tui.cli import cli
from playpen_tui.cli.errors import sentence
from playpen_tui.cli.ratings import _print_ratings, called


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
    assert sentence(nobody.exception) == (
        "nobody never played with bot:competent; `playpen-tui selfplay` lets it, by --seat",
        1,
    )


def test_refusals_are_not_called_a_fault_of_ours(log, tmp_path):
    """`ratings` where nobody met, of no such day and of no such game: a sentence each, as `compare` has it."""
    alone = tmp_path / "alone.sqlite"
    CliRunner().invoke(cli, ["selfplay", "taboo", "--player", "bot", "--episodes", "2", "--db", str(alone), "--json"])
    text, code = sentence(run(alone).exception)
    assert text.startswith("nothing can be compared") and code == 1
    text, code = sentence(run(log, "--since", "foo").exception)
    assert text.startswith("'foo' is no day or time") and code == 2
    text, code = sentence(run(log, "--game", "taboo", "--game", "nosuch").exception)
    assert "nosuch" in text and "fault of ours" not in text and code == 2


def test_bot_alone_is_the_competent_one(log):
    assert "beside bot:competent" in run(log, "--frozen", "bot", "--curve", "bot:random").output
    told = CliRunner().invoke(cli, ["compare", "bot", "bot:random", "--plain", "--db", str(log)])
    assert told.output.startswith("bot:competent against bot:random"), told.output


def test_one_comparison_is_not_several(capsys):
    _print_ratings(Ratings((), None, 0.0, 1, 1, ()), ["wordle"], 1)
    assert capsys.readouterr().out.startswith("1 episode of wordle: 1 comparison on 1 instance\n")


def test_a_path_to_weights_does_not_widen_the_table(capsys):
    names = ("transformers:/somewhere/far/away/models/SmolLM2-135M-Instruct?temperature=0", "bot:competent")
    rated = tuple(Rating(name, 1063.0, 950.0, 1420.0, 9, 3, 3, 3, 0.5) for name in names)
    _print_ratings(Ratings(rated, None, 0.0, 18, 9, ()), ["taboo"], 18)
    told = capsys.readouterr().out.split("\n")
    assert all(len(line) <= 80 for line in told) and told[2].startswith("SmolLM2-135M-Instruct  "), told


def test_short_names_stay_apart():
    cold, warm = "transformers:/models/smollm2?temperature=0", "transformers:/models/smollm2?temperature=1"
    assert called([cold, "bot"]) == {cold: "transformers:smollm2", "bot": "bot"}
    assert called([cold, warm]) == {cold: cold, warm: warm}
    base, tuned = "transformers:/models/SmolLM2-135M-Instruct-base", "transformers:/models/SmolLM2-135M-Instruct-tuned"
    assert called([base, tuned]) == {name: name.replace("/models/", "") for name in (base, tuned)}
