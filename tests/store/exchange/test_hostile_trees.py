"""Trees that are broken or mean harm: what is good comes in, the rest is listed with a reason, the log is whole."""

from __future__ import annotations

import json
import os
import threading

import pytest
from clem_trees import PLAYERS, dialogue, episode, interactions, put, scores, tree

from store.exchange import intake
from store.exchange.clembench import import_clembench
from store.keep import check
from store.log import Log
from store.merge import merge

EVE = b'{"turns": [[{"from": "Eve", "to": "GM", "action": {"type": "x"}}]], "players": {}}'
DEEP = "[" * 100_000 + "]" * 100_000


def reasons(done):
    return {refused.path: refused.reason for refused in done.refused}


def sound(log):
    report = check(log)
    assert report.ok, report.problems


def broken(name, content):
    """What to do to an episode's folder, by the name of the case."""
    return pytest.param(name, content, id=f"{name}-{len(content)}")


@pytest.mark.parametrize(
    "name, content",
    [
        broken("interactions.json", b""),
        broken("interactions.json", b'{"meta": {}, "turns": [[{"from"'),
        broken("interactions.json", b"\xff\xfe\x00"),
        broken("interactions.json", b"[1, 2]"),
        broken("interactions.json", b'{"turns": []}'),
        broken("interactions.json", b'{"turns": {}, "players": {}}'),
        broken("interactions.json", b'{"turns": [3], "players": {}}'),
        broken("interactions.json", b'{"turns": [[3]], "players": {}}'),
        broken(
            "interactions.json", b'{"turns": [[{"from": "Eve", "to": "GM", "action": {"type": "x"}}]], "players": {}}'
        ),
        broken("interactions.json", DEEP.encode()),
        broken("interactions.json", b'{"n": ' + b"9" * 10_000 + b"}"),
        broken("instance.json", DEEP.encode()),
        broken("instance.json", json.dumps({"a": json.loads("[" * 500 + "]" * 500)}).encode()),
        broken("instance.json", b"nonsense"),
    ],
)
def test_an_episode_that_cannot_be_read_is_listed_and_the_others_come(log, tmp_path, name, content):
    root = tree(tmp_path, 3)
    put(root / "taboo" / "high_en" / "instance_00001" / name, content)
    done = import_clembench(log, tmp_path)
    assert done.episodes == 2
    assert list(reasons(done)) == ["m/taboo/high_en/instance_00001"]
    assert reasons(done)["m/taboo/high_en/instance_00001"]
    sound(log)


@pytest.mark.parametrize("name", ["scores.json", "player_1.requests.json", "requests.json", "error.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff", DEEP.encode(), b"3"], ids=len)
def test_a_broken_file_beside_it_costs_only_itself(log, tmp_path, name, content):
    folder = episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", interactions(Success=1))
    put(folder / name, content)
    done = import_clembench(log, tmp_path)
    assert (done.episodes, done.turns) == (1, 4)
    fine = content.startswith(b'{"calls"') and name != "error.json"
    assert [path.rpartition("/")[2] for path in reasons(done)] == ([] if fine else [name]) or fine
    sound(log)


def test_links_folders_pipes_and_odd_names_are_not_read(log, tmp_path):
    outside = put(tmp_path / "outside" / "secret.json", {"secret": 1})
    root = tree(tmp_path / "in", 4)
    folders = [root / "taboo" / "high_en" / f"instance_{n:05}" for n in range(4)]
    (folders[0] / "link.json").symlink_to(outside)
    (folders[1] / "interactions.json").unlink()
    (folders[1] / "interactions.json").symlink_to(outside)
    (folders[2] / "interactions.json").unlink()
    (folders[2] / "interactions.json").mkdir()
    (root / "loop").symlink_to(root)
    os.mkfifo(folders[3] / "pipe.json")
    (root / "taboo" / os.fsdecode(b"\xff")).mkdir()
    put(root / "taboo" / "README.md", "about")
    done = import_clembench(log, tmp_path / "in")
    assert done.episodes == 2
    told = reasons(done)
    assert told["m/taboo/high_en/instance_00000/link.json"] == "is a link, and links are not followed"
    assert told["m/taboo/high_en/instance_00001/interactions.json"] == "is a link, and links are not followed"
    assert told["m/taboo/high_en/instance_00002/interactions.json"] == "is a folder"
    assert told["m/loop"] == "is a link, and links are not followed"
    assert told["m/taboo/high_en/instance_00003/pipe.json"] == "is no ordinary file"
    assert told["m/taboo/?"] == "has a name that is not UTF-8"
    assert told["m/taboo/README.md"] == "is no part of a clembench results tree"
    assert len(told) == 7
    assert not log.reader().execute("SELECT 1 FROM files WHERE path LIKE '%secret%' OR path LIKE '%link%'").fetchall()
    sound(log)


def test_a_file_without_end_is_not_read(log, tmp_path, monkeypatch):
    monkeypatch.setattr(intake.read, "__defaults__", (1 << 20,))
    root = tree(tmp_path, 2)
    put(root / "taboo" / "high_en" / "instance_00000" / "transcript.html", b"x" * (1 << 20) + b"y")
    put(root / "taboo" / "high_en" / "instance_00001" / "interactions.json", b'"' + b"x" * (1 << 20) + b'"')
    done = import_clembench(log, tmp_path)
    assert done.episodes == 1
    assert set(reasons(done).values()) == {"is larger than 1 MB", "interactions.json is larger than 1 MB"}


def test_hostile_words_come_in_and_stay_what_they_are(log, tmp_path):
    words = "a\0b \x1b[31m \u202e [bold]x[/] é 🦊 " + "z" * 100_000
    players = {**PLAYERS, "Player 1": {"game_role": "W\0\x1b[2J", "model_name": "m\x1b]0;x\x07"}}
    log_ = interactions([["<1 " + words, "!invalid format: " + words]], players, experiment="x\0y", Aborted=1)
    text = json.dumps(log_).replace("🦊", "\\ud800").replace("\\ud83e\\udd8a", "\\ud800")
    where = tmp_path / "m" / "taboo" / "high_en" / "instance_00000"
    odd = {"game_id": "\0", "target_word": "x\0"}
    episode(where, text, odd, scored=scores({"Aborted": 1, "a\0": 2, "big": 10**400}))
    done = import_clembench(log, tmp_path)
    assert (done.episodes, done.refused) == (1, [])
    (turn,) = log.reader().execute("SELECT text, verdict, note FROM turns").fetchall()
    assert turn[0] == words.replace("🦊", "?") and turn[1] == "illegal"
    sound(log)


def test_the_same_number_twice_is_two_episodes(log, tmp_path):
    for name in ("instance_00000", "instance_00001"):
        episode(tmp_path / "m" / "taboo" / "high_en" / name)
    assert import_clembench(log, tmp_path).episodes == 2
    assert log.queries.counts().turns == 8
    sound(log)


def test_two_imports_at_once_are_one(path, tmp_path):
    root = tree(tmp_path, 40)
    failed = []

    def run():
        try:
            with Log.open(path, wait=30) as own:
                import_clembench(own, root)
        except Exception as error:
            failed.append(error)

    Log.open(path).close()
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with Log.open(path) as log:
        assert log.queries.counts().episodes == 40
        assert len(log.queries.runs()) == 1
        sound(log)


def test_a_changed_file_does_not_replace_the_one_that_came_first(log, tmp_path):
    root = tree(tmp_path, 1)
    import_clembench(log, root)
    put(root / "taboo" / "high_en" / "instance_00000" / "scores.json", scores({"Aborted": 1}))
    done = import_clembench(log, root)
    assert reasons(done) == {
        "m/taboo/high_en/instance_00000/scores.json": "differs from what was imported before, which stays"
    }
    assert log.queries.recent(1)[0].outcome == "success"
    with pytest.raises(Exception, match="append-only"):
        log.write(lambda db: db.execute("DELETE FROM files"))
    with pytest.raises(Exception, match="append-only"):
        log.write(lambda db: db.execute("UPDATE blobs SET size = 0"))


def test_check_sees_a_blob_that_was_tampered_with(log, tmp_path):
    import_clembench(log, tree(tmp_path, 2))

    def tamper(db):
        db.execute("DROP TRIGGER blobs_stay")
        db.execute("UPDATE blobs SET content = x'00'")

    log.write(tamper)
    report = check(log)
    assert {problem.kind for problem in report.problems} == {"import"}


def test_merge_brings_imported_files_along_twice_is_once(log, tmp_path):
    other = tmp_path / "other.sqlite"
    with Log.open(other) as source:
        import_clembench(source, tree(tmp_path, 3))
    merge(log, other)
    assert merge(log, other).rows == {}
    sql = "SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM blobs), (SELECT count(*) FROM runs)"
    assert log.reader().execute(sql).fetchone() == (3 * 3 + 2, 3 * 2 + 3, 1)
    # three instances and dialogues, and one each of what they share: scores, experiment.json, run.json
    sound(log)


def test_merge_leaves_the_files_of_what_it_leaves_out(log, tmp_path):
    other = tmp_path / "other.sqlite"
    root = tree(tmp_path, 2)
    people = {**PLAYERS, "Player 1": {"game_role": "WordDescriber", "model_name": "human"}}
    log_ = interactions([["<1 words of a person"]], people)
    episode(root / "taboo" / "high_en" / "instance_00009", log_, {"game_id": 9})
    with Log.open(other) as source:
        import_clembench(source, root)
        (person,) = source.people.all()
        source.people.withdraw(person.id)
    done = merge(log, other)
    assert (done.episodes, done.consent) == (2, 1)
    paths = [path for (path,) in log.reader().execute("SELECT path FROM files")]
    assert paths and not any("instance_00009" in path for path in paths)
    sql = "SELECT count(*) FROM blobs WHERE hash NOT IN (SELECT hash FROM files)"
    assert log.reader().execute(sql).fetchone() == (0,)
    sound(log)


def test_events_without_times_have_the_time_of_their_run(log, tmp_path):
    turns = dialogue([["<1 a", "<2 b"]])
    for events in turns:
        for event in events:
            event["timestamp"] = "long ago"
    log_ = {**interactions(Success=1), "turns": turns}
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", log_, scored=False)
    import_clembench(log, tmp_path)
    (row,) = log.queries.recent()
    assert row.started_at == "2026-07-01T19:02:12.954Z", "that of experiment.json"
    assert row.outcome == "success"
    sound(log)
