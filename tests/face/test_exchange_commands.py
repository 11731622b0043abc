"""`import` and `export` on the command line: what they print, as lines and as JSON, and how they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.log import Log
from store.people import mark

ROOT = Path(__file__).parents[2]
EVENT = {"from": "Player 1", "to": "GM", "timestamp": "2026-07-01T19:02:12.954900"}


def call(tmp_path, *words, code=0):
    """Run a command on the log of this test; returns (stdout, stderr)."""
    command = [sys.executable, "-m", "playpen_tui", "--db", str(tmp_path / "e.sqlite"), *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.fixture
def tree(tmp_path):
    """A results tree of two episodes, one of them broken."""
    for number in (0, 1):
        folder = tmp_path / "results" / "m" / "taboo" / "high_en" / f"instance_{number:05}"
        folder.mkdir(parents=True)
        (folder / "instance.json").write_text(json.dumps({"game_id": number, "target_word": f"word{number}"}))
        said = {**EVENT, "action": {"type": "get message", "content": f"CLUE: {number}", "label": "response"}}
        players = {"GM": {}, "Player 1": {"game_role": "WordDescriber", "model_name": "m"}}
        (folder / "interactions.json").write_text(
            json.dumps({"players": players, "turns": [[said]], "Success": 1, "Aborted": 0, "Lose": 0})[
                : 999 - 980 * number
            ]
        )
    return tmp_path / "results"


def test_a_tree_in_and_out_again(tmp_path, tree):
    out, err = call(tmp_path, "import", "clembench", tree)
    assert out.splitlines()[0] == "1 episodes, 1 turns, 2 files kept"
    assert "not taken, or not all of it: 1" in err and "interactions.json is no JSON" in err
    out, err = call(tmp_path, "import", "clembench", tree, "--json")
    told = json.loads(out)
    assert (told["episodes"], told["known"]) == (0, 1)
    assert told["refused"][0]["path"] == "m/taboo/high_en/instance_00001"
    out, err = call(tmp_path, "export", "--format", "clembench", "--out", "back", "--json")
    told = json.loads(out)
    assert (told["episodes"], told["withheld"], told["consent"], told["files"]) == (1, 0, "research", 2)
    assert (tmp_path / "back" / "m" / "taboo" / "high_en" / "instance_00000" / "instance.json").is_file()
    out, _ = call(tmp_path, "db", "check")
    assert "all is well" in out


def test_lines_out_and_in_with_filters_and_consent(tmp_path, tree):
    with Log.open(tmp_path / "e.sqlite") as log:
        person = log.people.add("local").id
        log.new_run("play", {})
        sql = "INSERT INTO instances VALUES ('i', 'taboo', 'n', 'k', 'x', 'en', 'train', NULL, '{}')"
        log.write(lambda db: db.execute(sql).rowcount)
        sql = "INSERT INTO episodes VALUES ('E', NULL, NULL, NULL, 'i', 'taboo', 1, 0, NULL, NULL, '[]', '2026')"
        log.write(lambda db: db.execute(sql).rowcount)
        log.write(lambda db: db.execute("INSERT INTO players VALUES ('p', 'human', 'x', '', '', '{}')").rowcount)
        sql = "INSERT INTO seats VALUES ('E', 'describer', 'p', ?)"
        log.write(lambda db: db.execute(sql, (person,)).rowcount)
    call(tmp_path, "import", "clembench", tree)
    out, _ = call(tmp_path, "export", "--format", "jsonl", "--out", "a.jsonl")
    assert out.splitlines() == [
        "1 episodes written to a.jsonl",
        "1 episodes left out, since somebody in them did not agree to be shared for research",
        "0 candidates, 0 judgements and 0 participants of studies left out, since whoever gave them did not agree to "
        "be shared for research",
    ]
    out, _ = call(tmp_path, "export", "--format", "bundle", "--out", "b.sqlite", "--json")
    assert json.loads(out)["withheld_rows"] == {"candidates": 0, "judgements": 0, "participants": 0}
    out, _ = call(tmp_path, "export", "--format", "csv", "--out", "a.csv", "--consent", "local", "--game", "taboo")
    assert out.startswith("1 episodes written") and "0 episodes left out" in out
    assert len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) == 2
    (tmp_path / "e.sqlite").rename(tmp_path / "old.sqlite")
    out, _ = call(tmp_path, "import", "jsonl", "a.jsonl")
    assert out == "1 episodes, 1 turns\n"
    out, _ = call(tmp_path, "import", "jsonl", "a.jsonl", "--json")
    assert json.loads(out)["known"] == 1


def test_a_bundle_is_one_file(tmp_path, tree):
    call(tmp_path, "import", "clembench", tree)
    call(tmp_path, "export", "--format", "bundle", "--out", "b.sqlite")
    assert [path.name for path in tmp_path.glob("b.sqlite*")] == ["b.sqlite"]
    with Log.open(tmp_path / "b.sqlite", readonly=True) as bundle:
        assert bundle.queries.counts().episodes == 1


def test_playpen_data_in(tmp_path):
    meta = {"game": "taboo", "experiment": "high_en", "task_id": 1, "model": "m", "outcome": "success"}
    rows = [{"messages": [{"role": "assistant", "content": "CLUE: x"}], "meta": meta}, {}]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out, err = call(tmp_path, "import", "playpen-data", "train.jsonl")
    assert out == "1 episodes of one seat, 1 turns\n"
    assert "train.jsonl:2: does not tell game" in err


@pytest.mark.parametrize(
    "words, code, told",
    [
        (("import", "clembench", "nix"), 1, "there is no folder nix"),
        (("import", "clembench", "."), 1, "holds no clembench episodes"),
        (("import", "clembench", ".", "--splits", "nix.csv"), 2, "the file of splits nix.csv cannot be read"),
        (("import", "playpen-data", "nix"), 1, "there is no file or folder nix"),
        (("import", "jsonl", "nix"), 1, "there is no file nix"),
        (("export", "--format", "csv", "--out", "nix/a.csv"), 1, "there is no folder"),
        (("export", "--format", "xml", "--out", "a"), 2, "'xml' is not one of"),
        (("export", "--format", "csv", "--out", "a.csv", "--run", "nix"), 1, "no run 'nix'"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, words, code, told):
    Log.open(tmp_path / "e.sqlite").close()
    out, err = call(tmp_path, *words, code=code)
    assert told in err and len(err.strip().splitlines()) == 1 and out == ""


def test_lines_tell_what_stays_out_and_who_was_forgotten_elsewhere(tmp_path):
    row = {"id": "R", "person_id": None, "reason": "", "opened_at": "2026", "closed_at": "2026"}
    stones = [{"kind": "people", "id": mark("amber-fox-100"), "redaction_id": "R"}]
    lines = [
        {"format": "playpen-tui erased 1", "redactions": [row], "tombstones": stones},
        {"format": "playpen-tui study 1", "study": {"id": "S", "name": "s", "config": {}, "created_at": ""}},
    ]
    person = {"id": "calm-mole-300", "consent": "none", "consent_version": "", "consented_at": "", "created_at": ""}
    takes = {
        "id": "P",
        "study_id": "S",
        "person_id": "calm-mole-300",
        "place": 0,
        "plan": [],
        "code": "",
        "joined_at": "",
    }
    lines[1] |= {"people": [person], "participants": [takes]}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with Log.open(tmp_path / "e.sqlite") as log:
        log.people.add("local", id="amber-fox-100")
    out, err = call(tmp_path, "import", "jsonl", "a.jsonl")
    assert "1 participants left out, since they were erased here or whoever gave them" in out
    assert "known here: amber-fox-100; `db forget` erases them here too" in err
