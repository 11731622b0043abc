"""`results`, `results verify` and `compare` from outside."""

from __future__ import annotations

import csv
import io
import json
from random import Random

import pytest
from click.testing import CliRunner
from finished import Played, put

from playpen_tui.cli import cli
from store.log import Log


def filled(path, models=("big", "small"), games=("clem:taboo", "clem:wordle", "taboo"), instances=12):
    luck = Random(4)
    episodes = []
    for game in games:
        for n in range(instances):
            for model in models:
                well = 0.95 if model == "big" else 0.05
                main = luck.choice([50.0, 100.0]) if luck.random() < well else luck.choice([0.0, None])
                outcome = "aborted" if main is None else "success" if main else "failure"
                seats = {"describer": model, "guesser": model}
                metrics = {"Request Count": 4, "Parsed Request Count": 3, "Violated Request Count": 1}
                reason = "format" if main is None else ""
                episodes.append(Played(game, f"{game}-{n}", seats, outcome, main, reason=reason, metrics=metrics))
    with Log.open(path) as log:
        put(log, episodes)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "episodes.sqlite"
    filled(path)
    return path


def run(log, *words):
    return CliRunner().invoke(cli, [*words, "--db", str(log)], catch_exceptions=True)


def test_the_table_in_words(log):
    told = run(log, "results").output
    assert "played %" in told and "clemscore[native-1.0]" in told and "2: clem:taboo, clem:wordle" in told
    assert "filters: none" in told and "database: sha256 " in told and "format " in told
    assert "(too few)" in run(log, "results", "--where", "i.name LIKE '%-1'").output


def test_the_contract_of_the_json(log):
    found = json.loads(run(log, "results", "--json").stdout)
    assert {(row["model"], row["game"]) for row in found["rows"]} == {
        (model, game) for model in ("big", "small") for game in ("clem:taboo", "clem:wordle", "taboo")
    }
    for row in found["rows"]:
        assert row["episodes"] == len(row["episode_ids"]) == 12 and 0 <= row["played"] <= 100
        assert "clemscore" in row and (row["quality"] is None or 0 <= row["quality"] <= 100)
        if row["game"] == "clem:taboo":
            assert (row["requests"], row["violated_requests"], row["request_success_ratio"]) == (48, 12, 75.0)
    assert {(one["model"], one["score"]) for one in found["overall"]} == {
        (model, score) for model in ("big", "small") for score in ("clemscore", "clemscore[native-1.0]")
    }


def test_filters_and_lines_by_experiment_and_role(log):
    found = json.loads(run(log, "results", "--game", "clem:*", "--model", "big", "--by", "role", "--json").stdout)
    assert {(row["game"], row["role"]) for row in found["rows"]} == {
        (game, role) for game in ("clem:taboo", "clem:wordle") for role in ("describer", "guesser")
    }
    assert found["filters"] == {"games": ["clem:*"], "models": ["big"]} and found["by"] == "role"
    assert "easy" in run(log, "results", "--by", "experiment").output


def test_csv_and_markdown(log):
    rows = list(csv.DictReader(io.StringIO(run(log, "results", "--csv").output)))
    assert len(rows) == 6 + 4 and all(len(row["database"]) == 64 for row in rows)
    assert run(log, "results", "--markdown").output.startswith("| model | score | value |")
    assert run(log, "results", "--markdown", "--csv").exit_code == 2


def test_a_published_table_is_checked(log, tmp_path):
    table = tmp_path / "table.json"
    table.write_text(run(log, "results", "--json").output)
    good = run(log, "results", "verify", str(table))
    assert good.exit_code == 0 and "0 differ" in good.output and "is the one of the table" in good.output
    wrong = json.loads(table.read_text())
    wrong["rows"][0]["played"] += 1
    table.write_text(json.dumps(wrong))
    bad = run(log, "results", "verify", str(table))
    assert bad.exit_code == 1 and "big, clem:taboo · played: published" in bad.output and "1 differ" in bad.output
    found = json.loads(run(log, "results", "verify", str(table), "--json").stdout)
    assert found["differs"] == 1 and found["missing"] == 0 and found["same_database"] is True
    assert [cell["column"] for cell in found["cells"] if cell["word"] != "holds"] == ["played"]


def test_a_table_is_checked_against_another_database(log, tmp_path):
    table, bundle = tmp_path / "table.json", tmp_path / "bundle.sqlite"
    table.write_text(run(log, "results", "--json").output)
    filled(bundle, models=("big",))
    other = run(bundle, "results", "verify", str(table))
    assert other.exit_code == 1 and "cannot be told" in other.output and "not the one" in other.output
    assert "further episodes" in other.output


def test_db_stands_before_and_behind_verify(log, tmp_path):
    table = tmp_path / "table.json"
    table.write_text(run(log, "results", "--json").output)
    found = CliRunner().invoke(cli, ["--db", str(log), "results", "verify", str(table)])
    assert found.exit_code == 0, found.output
    assert CliRunner().invoke(cli, ["results", "--db", str(log), "verify", str(table)]).exit_code == 0


def test_models_compared_in_words(log):
    told = run(log, "compare", "big", "small", "--game", "clem:*").output
    assert told.startswith("big against small") and "big better in quality: clem:taboo, clem:wordle" in told
    assert "▲ higher" in told and "counts an aborted episode as 0" in told
    assert "only where both played" in run(log, "compare", "big", "small", "--aborted", "omit").output


def test_models_compared_in_other_forms(log):
    found = json.loads(run(log, "compare", "big", "small", "--json").stdout)
    (pair,) = found["pairs"]
    assert set(pair["differ"]) >= {"clem:taboo", "clem:wordle"} and len(found["database"]) == 64
    assert len(list(csv.DictReader(io.StringIO(run(log, "compare", "big", "small", "--csv").output)))) == 3 * 3 + 2
    assert run(log, "compare", "big", "small", "--markdown").output.startswith("## big against small")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("results", "--game", "nothing"), 1, "no finished episodes fit"),
        (("compare", "big"), 2, "two different models"),
        (("compare", "big", "nobody"), 1, "no finished episodes of 'nobody' fit; there are: big, small"),
        (("compare", "big", "small", "--csv", "--json"), 2, "take one"),
        (("results", "--where", "nothing at all"), 2, "no condition that SQLite understands"),
        (("results", "--run", "01XYZ"), 1, "no run"),
    ],
)
def test_what_cannot_be_is_a_sentence(log, words, code, told):
    from playpen_tui.cli.errors import sentence

    found = run(log, *words)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        text, exit_code = sentence(found.exception)
        assert told in text and exit_code == code
    else:
        assert told in found.output and found.exit_code == code


def test_files_that_are_no_tables(log, tmp_path):
    from evaluation.verify import NotATable

    for text in ("{", '{"rows": []}', "[" * 100_000):
        file = tmp_path / "x.json"
        file.write_text(text)
        found = run(log, "results", "verify", str(file))
        assert isinstance(found.exception, NotATable) and "results --json" in str(found.exception)


def test_a_table_that_is_not_there(log, tmp_path):
    found = run(log, "results", "verify", str(tmp_path / "none.json"))
    assert found.exit_code == 1 and "none.json cannot be read: No such file" in str(found.exception)


def test_nothing_is_read_by_importing_the_commands():
    import subprocess
    import sys

    code = (
        "import sys, playpen_tui.cli.results, playpen_tui.cli.compare; "
        "sys.exit(bool({'textual', 'pydantic', 'evaluation.results', 'sqlite3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
