"""Base and result on the same validation instances: what is planned, played, compared and kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from games import catalog
from players.base import Identity
from players.entry import ModelEntry
from players.plan import BadPlan, jobs
from players.registry import Registry
from playpen_tui import evaluating
from playpen_tui.cli import cli
from playpen_tui.evaluating import Evaluation
from store import datasets, evaluations, trainings
from store.datasets import DatasetRow
from store.filters import Filters
from store.log import Log
from store.trace import Trace
from training.bases import unpacked


def wish(**more):
    return Evaluation(
        **{"base": "bot:random", "result": "bot:competent", "trained": ("taboo",), "held_out": (), **more}
    )


def test_each_role_is_planned_alone_on_validation_instances():
    found = list(evaluating.plans(wish(base="smollm2?temperature=1", result="bars", held_out=("wordle",), instances=3)))
    assert [(plan.games, dict(plan.seats)) for plan in found] == [
        (("taboo",), {"guesser": "bot:patient"}),
        (("taboo",), {"describer": "bot:patient"}),
        (("wordle",), {}),
    ]
    for plan in found:
        assert plan.players == ("bars?temperature=0&max_tokens=100", "smollm2?temperature=0&max_tokens=100")
        planned = list(jobs(plan))
        game = catalog.get(plan.games[0])
        assert len(planned) == 6 and len({job.instance.key for job in planned}) == 3
        assert {catalog.split_of(game, job.instance) for job in planned} == {"validation"}


def test_base_and_result_play_by_the_same_library(tmp_path, monkeypatch):
    """Only where both are weights that lie here: a file of small numbers then plays from what it was unpacked to."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    file, folder = tmp_path / "small.gguf", tmp_path / "whole"
    file.write_bytes(b"GGUF")
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    small, bars = (
        ModelEntry("small", "llamacpp", str(file)),
        ModelEntry("bars", "transformers", str(folder), adapter="a"),
    )
    registry = Registry(tmp_path / "models.toml", {"small": small, "bars": bars})
    asked = wish(base="small", result="bars")
    assert evaluating.level(registry, asked) is registry  # nothing was unpacked here
    unpacked(file).mkdir(parents=True)
    (unpacked(file) / "config.json").write_text("{}")
    found = evaluating.level(registry, asked)
    assert found.entries["small"] == replace(
        bars, name="small", model=str(unpacked(file)), adapter="", source="built in"
    )
    assert (found.entries["bars"], registry.entries["small"]) == (bars, small)
    served = Registry(registry.path, {"small": small, "bars": ModelEntry("bars", "openai", "bars")})
    assert evaluating.level(served, asked) is served
    assert evaluating.level(registry, wish()) is registry


def test_games_beside_the_trained_ones_are_of_other_families():
    assert catalog.beside(["clem:taboo", "wordle", "clem:imagegame"]) == (("taboo", "wordle"), ("referencegame",))
    assert catalog.beside([]) == ((), ("taboo", "wordle", "referencegame"))


@pytest.fixture
def ended(tmp_path):
    """A log with a training from `bot:random` to `bot:competent`, in name only."""
    path = tmp_path / "episodes.sqlite"
    words = ["selfplay", "taboo", "--player", "bot:patient", "--episodes", "4", "--db", str(path), "--json"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "job.json").write_text("{}")
    with Log.open(path) as log:
        rows = [DatasetRow(None, (), episode=one.id, role="guesser") for one in log.queries.recent(4)]
        frozen = datasets.freeze(log, "sft", rows, {})
        told = {
            "folder": str(folder),
            "name": "bot:competent",
            "dataset": frozen.id,
            "recipe": {"about": ""},
            "filters": {},
        }
        (folder / "job.json").write_text(json.dumps({**told, "base": {"name": "bot:random"}}))
        run = log.new_run("train", told, 0, "0")
        training = trainings.begin(log, run, "sft", Identity("bot", "bot:random"), frozen.id)
    return path, training, folder


def test_a_training_is_evaluated_and_the_document_kept(ended):
    path, training, folder = ended
    refused = CliRunner().invoke(cli, ["trainings", "evaluate", training, "--db", str(path)])
    assert refused.exit_code == 1 and "nothing came out of the training" in str(refused.exception)
    with Log.open(path) as log:
        trainings.end(log, training, "done", Identity("bot", "bot:competent"))
    words = ["trainings", "evaluate", training, "--instances", "8", "--held-out", "wordle", "--db", str(path)]
    ran = CliRunner().invoke(cli, [*words, "--json"])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    document = json.loads(ran.stdout)
    assert document == json.loads((folder / "evaluation.json").read_text())
    assert (document["trained"], document["held_out"], document["leaked"]) == (["taboo"], ["wordle"], 0)
    assert len(document["runs"]) == 3 and document["comparison"]["pairs"][0]["differ"]
    taboo, _ = document["comparison"]["pairs"][0]["games"]
    assert taboo["instances"] == 16 or taboo["pairs"] == 16
    quality = taboo["differences"]["quality"]
    assert quality["value"] > 0 and quality["interval"] is not None
    assert {(row["role"], row["model"]): row["episodes"] for row in document["roles"] if row["game"] == "taboo"} == {
        (role, name): 8 for role in ("describer", "guesser") for name in ("bot:competent", "bot:random")
    }
    assert (
        "## Results" in (folder / "README.md").read_text()
        and "| wordle | held out |" in (folder / "README.md").read_text()
    )
    with Log.open(path, readonly=True) as log:
        asked = evaluating.asked(trainings.get(log, training))
        assert asked.filters == Filters(runs=tuple(document["runs"])) and asked.held_out == ("wordle",)
        assert asked.names == ("bot:competent", "bot:random")
        run = log.queries.run(document["runs"][0])
        assert run.kind == "eval" and run.finished == 16
        node = Trace(log.reader).find(run.id)
        assert "evaluated" in {branch.relation for branch in Trace(log.reader).around(node).uses}


def test_lines_lay_trained_and_held_out_games_side_by_side(ended):
    path, training, _ = ended
    with Log.open(path) as log:
        trainings.end(log, training, "done", Identity("bot", "bot:competent"))
    words = ["trainings", "evaluate", training, "--instances", "6", "--held-out", "wordle", "--db", str(path)]
    told = CliRunner().invoke(cli, words)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert any(line.startswith("trained ") and "taboo" in line for line in lines)
    assert any(line.startswith("held out") and "wordle" in line for line in lines)
    assert "evaluation 3 of 3: wordle, guesser" in told.stderr and "95% intervals" in told.stdout


def test_what_was_trained_on_and_evaluated_is_told(ended):
    """An instance of the rows that is played in an evaluation makes its figures worthless."""
    path, training, _ = ended
    with Log.open(path) as log:
        row = trainings.get(log, training)
        episode = log.queries.recent(1)[0]
        run = log.new_run("eval", {}, 0, "0")
        columns = "instance_id, game, game_version, seed, opening, started_at"
        sql = f"INSERT INTO episodes (id, run_id, {columns}) SELECT 'X', ?, {columns} FROM episodes WHERE id = ?"
        log.write(lambda db: db.execute(sql, (run, episode.id)))
        assert evaluations.leaks(log, row.dataset, [run]) == 1


def test_nothing_playable_is_one_sentence(ended):
    path, training, _ = ended
    with Log.open(path) as log:
        trainings.end(log, training, "done", Identity("bot", "bot:competent"))
        row = trainings.get(log, training)
        with pytest.raises(LookupError, match="no game 'chess'"):
            evaluating.wish_for(log, row, ["chess"])
        log.write(lambda db: db.execute("UPDATE episodes SET game = 'clem:imagegame'"))
        with pytest.raises(BadPlan, match="none of the games"):
            evaluating.wish_for(log, row)
