"""playpen's data set in: rows of one perspective, instances with splits, every form of file, twice, and broken rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from clem_trees import put
from data_hub import serving

from games.engine import Message
from store.exchange import playpen_rows
from store.exchange.intake import NothingThere
from store.exchange.playpen_data import import_playpen_data
from store.keep import check
from store.log import Log

MESSAGES = [
    {"role": "user", "content": "describe APPLE"},
    {"role": "assistant", "content": "CLUE: a fruit"},
    {"role": "user", "content": "GUESS: pear"},
    {"role": "assistant", "content": "CLUE: red"},
]
META = {
    "game": "taboo",
    "experiment": "high_en",
    "task_id": 3,
    "player_name": "Player 1",
    "game_role": "WordDescriber",
    "model": "gpt-4",
    "outcome": "success",
}


def row(messages=MESSAGES, **changes):
    return {"messages": messages, "meta": {**META, **changes}}


def lines(*rows):
    return "".join(json.dumps(one) + "\n" for one in rows)


def sound(log):
    report = check(log)
    assert report.ok, report.problems


def test_a_row_is_an_episode_of_one_seat(log, tmp_path):
    done = import_playpen_data(log, str(put(tmp_path / "train.jsonl", lines(row()))))
    assert (done.episodes, done.turns, done.unfinished, done.refused) == (1, 2, 0, [])
    found = log.queries.detail(log.queries.recent(1)[0].id)
    assert (found.row.game, found.row.outcome, found.row.main, found.split) == ("clem:taboo", "success", None, "train")
    assert found.row.seats == {"WordDescriber": "gpt-4"}
    assert log.queries.perspective(found.row.id, "WordDescriber") == [Message(**m) for m in MESSAGES]
    assert log.queries.conversation(found.turns[1].seen_hash) == [Message(**m) for m in MESSAGES[:3]]
    assert [say.text for say in found.opening] == ["describe APPLE"]
    assert [say.text for say in found.turns[0].says] == ["GUESS: pear"]
    assert found.rewards == {"WordDescriber": 1.0}
    sound(log)


def test_both_sides_of_a_dialogue_are_not_put_together(log, tmp_path):
    other = row(MESSAGES[::-1][:1], game_role="WordGuesser", player_name="Player 2")
    done = import_playpen_data(log, str(put(tmp_path / "a.jsonl", lines(row(), other))))
    assert done.episodes == 2
    assert all(len(one.seats) == 1 for one in log.queries.recent())


def test_every_form_of_file_gives_the_same_and_twice_is_once(log, tmp_path):
    made = [row(), row(task_id=4, outcome="aborted"), row(task_id=5, outcome=None)]
    put(tmp_path / "data" / "interactions" / "train.jsonl", lines(*made))
    put(tmp_path / "data" / "interactions" / "copy.json", json.dumps(made))
    parquet = pytest.importorskip("pyarrow.parquet")
    table = sys.modules["pyarrow"].Table.from_pylist(made)
    parquet.write_table(table, tmp_path / "data" / "interactions" / "train-00000-of-00001.parquet")
    done = import_playpen_data(log, str(tmp_path / "data"))
    assert (done.episodes, done.known, done.unfinished, done.refused) == (3, 6, 1, [])
    assert import_playpen_data(log, str(tmp_path / "data")).episodes == 0
    assert log.queries.by_game() == {"clem:taboo": {"aborted": 1, "success": 1, "unfinished": 1}}
    sound(log)


def test_instances_say_which_split_a_number_is_of(log, tmp_path):
    one = {"game": "taboo", "experiment": "high_en", "task_id": 3}
    put(tmp_path / "d" / "a_interactions.jsonl", lines(row()))
    put(tmp_path / "d" / "instances" / "validation.jsonl", lines(one, {**one, "task_id": 9, "split": "train"}))
    done = import_playpen_data(log, str(tmp_path / "d"))
    assert (done.episodes, done.instances, done.moved) == (1, 1, 1)
    found = dict(log.reader().execute("SELECT name, split FROM instances").fetchall())
    assert found == {"high_en/3": "validation", "high_en/9": "train"}


@pytest.mark.parametrize(
    "line, reason",
    [
        ("{", "is no JSON"),
        ("[]", "is no object"),
        (json.dumps({"messages": [], "meta": META}), "has no messages"),
        (json.dumps(row([{"role": "tool", "content": "x"}])), "without role or text"),
        (json.dumps(row([{"role": "user", "content": 3}])), "without role or text"),
        (json.dumps({"messages": MESSAGES}), "does not tell game"),
        (json.dumps(row(split="dev")), "is of split"),
        (json.dumps(row(model="human")), "is of a person"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested too deeply"),
    ],
)
def test_a_broken_row_is_listed_and_the_others_come(log, tmp_path, line, reason):
    done = import_playpen_data(log, str(put(tmp_path / "a.jsonl", line + "\n" + lines(row()))))
    assert done.episodes == 1
    assert [(refused.path, reason in refused.reason) for refused in done.refused] == [("a.jsonl:1", True)]
    sound(log)


def test_what_is_no_data_set_is_said(log, tmp_path):
    (tmp_path / "d").mkdir()
    for source, told in (
        (tmp_path / "nix.jsonl", "there is no file"),
        (tmp_path / "d", "holds no .json"),
        (put(tmp_path / "empty.jsonl", ""), "holds no rows"),
    ):
        with pytest.raises(NothingThere, match=told):
            import_playpen_data(log, str(source))


def test_parquet_without_pyarrow_says_what_to_install(log, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(playpen_rows.Missing, match=r"playpen-tui\[train\]"):
        import_playpen_data(log, str(put(tmp_path / "a.parquet", b"PAR1")))
    monkeypatch.undo()
    pytest.importorskip("pyarrow.parquet")
    with pytest.raises(NothingThere, match="is no parquet file"):
        import_playpen_data(log, str(tmp_path / "a.parquet"))


CARD = """---
configs:
- config_name: interactions
  data_files:
  - split: train
    path: interactions/train.jsonl
- config_name: instances
  data_files:
  - split: validation
    path: instances/validation.jsonl
---
"""


def from_hub(name, hub, tmp_path):
    """The command in a process of its own, since the library reads the hub's address when it is imported."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hub-home"),
        "NO_PROXY": "127.0.0.1",
    }
    words = ["import", "playpen-data", name, "--db", str(tmp_path / "hub.sqlite"), "--json"]
    return subprocess.run(
        [sys.executable, "-m", "playpen_tui", *words], env=environment, capture_output=True, text=True, timeout=240
    )


@pytest.mark.slow
def test_a_data_set_on_the_hub_is_read_by_its_parts(tmp_path):
    pytest.importorskip("datasets")
    published = tmp_path / "published"
    put(published / "README.md", CARD)
    put(published / "interactions" / "train.jsonl", lines(row(), row(task_id=4, outcome="aborted")))
    put(published / "instances" / "validation.jsonl", lines({"game": "taboo", "experiment": "high_en", "task_id": 9}))
    with serving("owner/playpen-data", published) as hub:
        ran = from_hub("owner/playpen-data", hub, tmp_path)
        assert ran.returncode == 0, ran.stderr
        told = json.loads(ran.stdout)
        assert (told["episodes"], told["instances"], told["refused"]) == (2, 1, [])
        again = json.loads(from_hub("owner/playpen-data", hub, tmp_path).stdout)
        assert (again["episodes"], again["known"]) == (0, 2)
        absent = from_hub("owner/nothing", hub, tmp_path)
    assert absent.returncode == 1
    assert "owner/nothing could not be had from the hub" in absent.stderr
    assert "Traceback" not in absent.stderr
    with Log.open(tmp_path / "hub.sqlite") as log:
        assert log.queries.by_game() == {"clem:taboo": {"aborted": 1, "success": 1}}
        assert log.queries.runs(1)[0].config == {"from": "owner/playpen-data", "format": "playpen-data"}
        sound(log)


@pytest.mark.slow
def test_a_data_set_that_names_no_parts_is_read_whole(tmp_path):
    pytest.importorskip("datasets")
    put(tmp_path / "published" / "train.jsonl", lines(row()))
    with serving("owner/plain", tmp_path / "published") as hub:
        ran = from_hub("owner/plain", hub, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["episodes"] == 1
