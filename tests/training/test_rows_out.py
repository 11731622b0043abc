"""Training data for elsewhere: every form loads with `datasets` and passes TRL's own checks, and names its source."""

from __future__ import annotations

import csv
import json

import pytest
from test_judged import annotate, candidate, log, turn  # noqa: F401  # the judged log is theirs

from store.datasets import get, records
from store.errors import LogError
from store.filters import Filters
from store.forget import forget
from store.log import Log
from store.merge import merge
from store.trace import Trace
from training.build import NothingToTrain
from training.rows_out import export_rows

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
)


@pytest.fixture
def judged(log, turn):  # noqa: F811
    """Votes on three replies to the same words, a tie, both bad, a skip, one by a model, and labels."""
    made = [candidate(log, turn, f"GUESS: {word}") for word in ("apple", "pear", "plum")]
    for by, better, worse in (("kind-owl-1", 0, 1), ("shy-fox-2", 0, 1), ("kind-owl-1", 1, 2)):
        annotate(log, "preference", chosen=made[better], rejected=made[worse], by=by, value='{"verdict": "a"}')
    for verdict in ("tie", "bad", "skip"):
        value = json.dumps({"verdict": verdict})
        annotate(log, "preference", chosen=made[0], rejected=made[2], value=value, strength=0)
    annotate(log, "label", turn=turn[0], value='{"label": "-"}')
    return log


def trl_takes(path, form):
    """The file as `datasets` and TRL read it."""
    datasets = pytest.importorskip("datasets")
    data_utils = pytest.importorskip("trl.data_utils")
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    )
    tokenizer.chat_template = TEMPLATE
    loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / "cache"))
    keys = {"sft": ["messages"], "dpo": ["prompt", "chosen", "rejected"], "kto": ["prompt", "completion", "label"]}
    for example in loaded:
        trained = {key: example[key] for key in keys.get(form, ["prompt"])}
        assert data_utils.is_conversational(trained)
        applied = data_utils.maybe_apply_chat_template(dict(trained), tokenizer)
        assert all(isinstance(value, str | bool) for value in applied.values()) and set(applied) >= {
            "text" if form == "sft" else "prompt"
        }
    return loaded


@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "ranking"])
def test_every_form_loads_and_passes_the_checks_of_trl(form, judged, tmp_path):
    path = tmp_path / f"{form}.jsonl"
    done = export_rows(judged, form, Filters(), "research", path)
    loaded = trl_takes(path, form)
    assert len(loaded) == done.rows > 0
    assert set(loaded[0]["source"]) >= {"episode", "role", "game"}
    assert done.dataset == loaded[0]["source"]["dataset"] and done.content_hash
    again = export_rows(judged, form, Filters(), "research", tmp_path / "again.jsonl")
    assert again.content_hash == done.content_hash and again.dataset != done.dataset
    assert export_rows(judged, form, Filters(), "research", None).content_hash == done.content_hash


def test_a_ranking_counts_every_vote_and_names_it(judged, tmp_path):
    path = tmp_path / "r.jsonl"
    done = export_rows(judged, "ranking", Filters(), "research", path)
    (row,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one[0]["content"] for one in row["completions"]] == ["GUESS: apple", "GUESS: pear", "GUESS: plum"]
    assert row["scores"] == [0.625, 0.3333, 0.1667] and row["ranks"] == [1, 2, 3] and row["votes"] == [4, 3, 3]
    assert len(row["source"]["annotations"]) == 5 and row["source"]["judges"] == ["kind-owl-1", "shy-fox-2"]
    assert done.votes == {"better": 3, "tie": 1, "bad": 1, "skip": 1}
    assert done.left_out == {"skipped by a judge": 1}


def test_a_ranking_is_frozen_and_traced_both_ways(judged, tmp_path):
    done = export_rows(judged, "ranking", Filters(), "research", tmp_path / "r.jsonl")
    (row,) = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert get(judged.reader(), done.dataset).kind == "ranking"
    (record,) = records(judged.reader(), done.dataset)
    assert record == {key: row[key] for key in ("prompt", "completions", "ranks", "scores", "votes")}
    trace = Trace(judged.reader)
    around = trace.around(trace.find(f"{done.dataset}:0"))
    named = {branch.relation: {node.id for node in branch.nodes} for branch in around.sources}
    assert named["ranked by"] == set(row["source"]["annotations"]) and len(named["ranked"]) == 3
    for id in (*named["ranked by"], *named["ranked"]):
        uses = trace.around(trace.find(id)).uses
        assert f"{done.dataset}:0" in {node.id for branch in uses for node in branch.nodes}, id


def test_a_vote_that_is_forgotten_empties_its_ranking_and_no_merge_brings_it_back(judged, tmp_path):
    done = export_rows(judged, "ranking", Filters(), "research", tmp_path / "r.jsonl")
    old = tmp_path / "old.sqlite"
    judged.reader().execute("VACUUM INTO ?", (str(old),))
    with Log.open(tmp_path / "new.sqlite") as joined:
        merge(joined, old)
        assert list(records(joined.reader(), done.dataset)) == list(records(judged.reader(), done.dataset))
    path = judged.path
    judged.close()
    found = forget(path, "shy-fox-2")
    assert found.erased.datasets == {done.dataset: 1} and found.left == 0
    with Log.open(path) as log:  # noqa: F811
        with pytest.raises(LogError, match="erased on request"):
            list(records(log.reader(), done.dataset))
        merge(log, old)
        for table in ("dataset_ranked", "dataset_votes"):
            assert log.reader().execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        assert log.reader().execute("SELECT 1 FROM messages WHERE content = 'GUESS: plum'").fetchone() is None
    with Log.open(old) as other:
        other.people.withdraw("kind-owl-1")
    with Log.open(tmp_path / "third.sqlite") as third:
        merge(third, old)
        assert third.reader().execute("SELECT count(*) FROM dataset_votes").fetchone() == (0,)


def test_a_preview_counts_and_writes_nothing(judged, tmp_path):
    before = judged.reader().execute("SELECT count(*) FROM datasets").fetchone()
    done = export_rows(judged, "dpo", Filters(), "research", None, "only")
    assert (done.path, done.dataset, done.rows) == (None, None, 2)
    assert done.left_out["judged a tie"] == done.left_out["judged both bad"] == 1
    assert judged.reader().execute("SELECT count(*) FROM datasets").fetchone() == before


def test_who_agreed_to_less_is_counted_and_left_out(judged, tmp_path):
    done = export_rows(judged, "ranking", Filters(), "public", None)
    assert done.left_out["judged by somebody who agreed to less"] == 1 and done.votes["better"] == 2
    judged.people.withdraw("kind-owl-1")
    judged.people.withdraw("shy-fox-2")
    with pytest.raises(NothingToTrain, match="no vote of a person"):
        export_rows(judged, "ranking", Filters(), "local", None)


def test_a_table_holds_lists_as_json(judged, tmp_path):
    path = tmp_path / "pairs.csv"
    export_rows(judged, "dpo", Filters(), "research", path, "only")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert json.loads(rows[0]["chosen"]) == [{"role": "assistant", "content": "GUESS: apple"}]
    assert json.loads(rows[0]["source"])["annotation"]


def test_training_leaves_out_who_took_consent_back_and_counts_it(judged):
    from training.launch import choose
    from training.recipe import Recipe

    whose = judged.reader().execute("SELECT id FROM episodes ORDER BY id LIMIT 1").fetchone()[0]
    sql = "UPDATE seats SET person_id = 'kind-owl-1' WHERE episode_id = ?"
    judged.write(lambda db: db.execute(sql, (whose,)).rowcount)
    before = choose(judged, Recipe(), Filters())
    assert "episodes of people who did not agree" not in before.facts["left_out"]
    judged.people.withdraw("kind-owl-1")
    after = choose(judged, Recipe(), Filters())
    assert after.facts["left_out"]["episodes of people who did not agree"] == 1
    assert whose not in {row.episode for row in after.rows}
