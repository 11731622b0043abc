"""`train` from outside: what would be trained, what is refused, and a real training that then plays."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys

import pytest
from click.testing import CliRunner

from games import catalog
from players import weights
from playpen_tui import evaluating
from playpen_tui.cli import cli
from playpen_tui.cli.train import train
from store import datasets
from store.filters import Filters
from store.log import Log
from store.trace import Trace
from training import launch, recipe
from training.options import OPTIONS
from training.tokens import Template

WAY = ("played by", "is with these settings", "trained in", "trained on", "rows", "made of", "said in")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    path = tmp_path_factory.mktemp("train") / "episodes.sqlite"
    words = ["selfplay", "taboo", "--player", "bot", "--episodes", "24", "--seed", "5", "--db", str(path), "--json"]
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 0, ran.output
    return path


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def run(log, *words):
    return CliRunner().invoke(cli, ["train", "--from-db", str(log), *words])


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(log):
    facts = json.loads(run(log, "--name", "x", "--recipe", "smoke", "--dry-run", "--json").stdout)
    assert facts["rows"] == 48 and facts["cells"] == {"taboo · describer · 1": 24, "taboo · guesser · 1": 24}
    assert facts["preflight"]["disk_free"] > 0 and facts["preflight"]["leakage"] == {"instances": 0, "held_back": 0}
    assert facts["speakers"]["synthetic"]["turns_share"] == 1.0
    told = run(log, "--name", "x", "--recipe", "smoke", "--dry-run", "--role", "guesser")
    assert "24 rows" in told.stderr  # whoever asks for a role means to train it
    with sqlite3.connect(log) as db:
        assert db.execute("SELECT count(*) FROM datasets").fetchone() == (0,)


def test_general_data_is_in_the_table(log, tmp_path):
    talk = {"messages": [{"role": "user", "content": "say yes"}, {"role": "assistant", "content": "yes"}]}
    (tmp_path / "general.jsonl").write_text("\n".join([json.dumps(talk)] * 20))
    (tmp_path / "r.toml").write_text('method = "sft"\n[rehearsal]\npath = "general.jsonl"\nshare = 0.2\n')
    told = run(log, "--name", "x", "--recipe", "r.toml", "--dry-run").stderr
    assert "60 rows from" in told and "general data, against forgetting: 12 rows" in told


def test_every_option_that_a_card_writes_is_one_of_train():
    known = {option for parameter in train.params for option in parameter.opts}
    assert {*OPTIONS.values(), "--where", "--method", "--model", "--name", "--recipe", "--from-db"} <= known


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "--name says what the result is called"),
        (["--name", "smollm2"], 2, "there is a model smollm2 already"),
        (["--name", "x", "--recipe", "smok"], 1, "no recipe 'smok'; did you mean"),
        (["--name", "x", "--mix", "human=half"], 2, "--mix takes SPEAKER=SHARE"),
        (["--name", "x", "--mix", "dogs=1"], 2, "--mix takes SPEAKER=SHARE"),
        (["--name", "x", "--mix", "human=0.5,synthetic=0.5"], 1, "the mix wants 50% human turns"),
        (["--name", "x", "--game", "wordle"], 1, "nothing is left to train on: 0 episodes fit"),
        (["--name", "x", "--model", "nobody"], 2, "no player 'nobody'"),
        (["--name", "x", "--model", "openai:gpt"], 2, "no player 'openai:gpt'"),
        (["--resume", "nowhere"], 2, "holds no training"),
        (["--resume", "x", "--steps", "3", "--game", "taboo"], 2, "leave out --steps, --game, or begin a training"),
        (["--name", "n" * 300], 2, "a name has at most 80 letters, and this one has 300"),
        (["--name", "größe"], 2, "letters, digits and . _ - in it (a to z, 0 to 9), and 'größe' has others"),
        (["--name", "bot"], 2, "already names a player of another kind"),
        (["--name", "x", "--model", "bot"], 1, "bot has no weights to train"),
        (["--name", "x", "--method", "dpo", "--recipe", "smoke-sft"], 2, "is for sft, not for dpo: leave --method out"),
        (["--name", "x", "--split", "validation"], 1, "instances of validation are kept from training"),
        (["--name", "x", "--where", "foo bar", "--recipe", "smoke"], 2, "foo bar"),
        (["--name", "x", "--out", "/proc/none", "--recipe", "smoke"], 1, "name another folder (--out)"),
        (
            ["--name", "x", "--report-to", "trackio", "--recipe", "smoke"],
            1,
            "trackio is not installed: pip install trackio",
        ),
    ],
)
def test_what_will_not_do_is_one_sentence(log, words, code, told):
    words = [sys.executable, "-m", "playpen_tui", "train", "--from-db", str(log), *words]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == code, ran.stderr
    assert told in ran.stderr and len(ran.stderr.strip().splitlines()) == 1, ran.stderr


def test_a_log_that_is_not_there_is_not_made(tmp_path):
    ran = run(tmp_path / "none.sqlite", "--name", "x")
    assert "there is no log at" in str(ran.exception) and not (tmp_path / "none.sqlite").exists()


def test_labels_of_one_kind_only(log, tmp_path):
    (tmp_path / "k.toml").write_text('method = "kto"')
    ran = run(log, "--name", "x", "--method", "kto", "--recipe", "k.toml")
    assert "all 48 turns are good: labels need both kinds" in str(ran.exception)
    with sqlite3.connect(log) as db:
        assert db.execute("SELECT count(*) FROM trainings").fetchone() == (0,)


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
def test_a_training_ends_leaves_its_rows_and_is_evaluated(log, tmp_path, monkeypatch, unpacked_once):
    """With the real small model: three steps, then `--evaluate 1` with short replies; all of it can be traced."""
    plainly = evaluating._plainly
    monkeypatch.setattr(evaluating, "_plainly", lambda name, tokens: plainly(name, 12))
    ran = run(log, "--recipe", "smoke", "--name", "bars", "--steps", "3", "--evaluate", "1", "--out", "out", "--json")
    assert ran.exit_code == 0, (ran.stderr, ran.exception, (tmp_path / "out" / "job.log").read_text()[-2000:])
    document = json.loads(ran.stdout)
    assert document["state"] == "done" and document["steps"] == 3 and len(document["losses"]) == 3
    assert document["truncated"] == 0 and document["trained_tokens"] > 300
    with sqlite3.connect(log) as db:
        (rows,) = db.execute("SELECT count(*) FROM dataset_rows").fetchone()
        assert rows == document["dataset"]["rows"] == 48
        assert db.execute("SELECT state FROM trainings").fetchall() == [("done",)]
        curves = dict(db.execute("SELECT name, count(*) FROM metrics GROUP BY 1").fetchall())
        assert curves["loss"] == curves["grad_norm"] == 3
    assert "steps of at most about" in ran.stderr and "3 of 3 steps" in ran.stderr
    shown = CliRunner().invoke(cli, ["trainings", "list", "--db", str(log), "--json"])
    (row,) = json.loads(shown.stdout)
    assert (row["state"], row["name"], row["step"]) == ("done", "bars", 3) and row["folder"].endswith("/out")
    shown = CliRunner().invoke(cli, ["trainings", "show", row["training"], "--db", str(log)])
    assert "checkpoint 3:" in shown.stdout and "memory:" in shown.stdout
    refused = CliRunner().invoke(cli, ["trainings", "pause", row["training"], "--db", str(log)], catch_exceptions=True)
    assert "is done and obeys no orders" in str(refused.exception)
    again = run(log, "--recipe", "smoke", "--name", "bars", "--out", "out")
    assert again.exit_code != 0 and "there is a model bars already" in (again.stderr + str(again.exception))
    told = document["evaluation"]
    assert (told["result"], told["base"], told["leaked"]) == ("bars", "smollm2", 0)
    assert {row["episodes"] for row in told["roles"]} == {1}
    assert {game["game"] for game in told["comparison"]["pairs"][0]["games"]} == {"taboo", "wordle", "referencegame"}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "HuggingFaceTB/SmolLM2-135M-Instruct" in card and "| taboo | trained | guesser | bars | 1 |" in card
    assert str(tmp_path) not in card
    _trace_to_the_words(log, told["runs"][0])


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("torch")
def test_smoke_recipes_cut_no_dialogue_of_a_shipped_game(tmp_path):
    transformers = pytest.importorskip("transformers")
    path = tmp_path / "all.sqlite"
    for player in ("bot", "bot:random"):
        words = ["selfplay", *catalog.names(), "--player", player, "--episodes", "6", "--db", str(path), "--json"]
        assert CliRunner().invoke(cli, words).exit_code == 0
    file = weights.find("smollm2")
    template = Template(transformers.AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name))
    everything = recipe.load("smoke", "sft", {"selection": {"keep": "all", "limit": None}})
    with Log.open(path, readonly=True) as opened:
        built = launch.choose(opened, everything, Filters(splits=("train",)))
        told = list(datasets.told(opened.reader(), built.rows))
    longest = max(len(template.encode(one["messages"], one["loss"]).ids) for one in told)
    assert longest > 512, "wordle with a critic is long"
    assert all(longest <= recipe.load("smoke", method).steps.max_length for method in ("sft", "dpo", "kto"))


def _trace_to_the_words(log, run):
    """From an episode of the evaluation over the model, its training and its rows to what was said in the log."""
    with Log.open(log, readonly=True) as opened:
        trace = Trace(opened.reader)
        episode = next(one for one in opened.queries.of_run(run) if any("bars" in s for s in one.seats.values()))
        at, passed = trace.find(episode.id), []
        for relation in WAY:
            branch = next(one for one in trace.around(at).sources if one.relation == relation)
            at = next(node for node in branch.nodes if not node.label.startswith("bot:"))
            passed.append(at.kind)
        assert passed == ["player", "player", "training", "dataset", "dataset row", "turn", "episode"]
