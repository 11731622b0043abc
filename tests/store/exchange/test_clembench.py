"""clembench's results in: every form of a tree, twice, in parts, from copies, and the bytes as they were."""

from __future__ import annotations

import json
import zlib

import pytest
from clem_trees import ABORTED, MODEL, PLAYERS, TABOO, call, copy, episode, interactions, put, run_json, scores, tree

from games.engine import Message, Say
from store.exchange.clem_instances import BadSplits, read_splits
from store.exchange.clembench import import_clembench
from store.exchange.intake import NothingThere
from store.keep import check


def only(log):
    """The one episode of the log in full."""
    (row,) = log.queries.recent(2)
    return log.queries.detail(row.id)


def rows(log, sql, *values):
    return log.reader().execute(sql, values).fetchall()


def sound(log):
    report = check(log)
    assert report.ok, report.problems


def test_an_episode_comes_in_whole(log, tmp_path):
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000")
    run_json(tmp_path / "m")
    done = import_clembench(log, tmp_path / "m", app_version="9")
    assert (done.episodes, done.unfinished, done.turns, done.files, done.refused) == (1, 0, 4, 5, [])
    found = only(log)
    assert found.row.game == "clem:taboo" and found.row.version == 0 and found.row.run_kind == "import"
    assert found.row.seats == {"WordDescriber": "m", "WordGuesser": "m"}
    assert (found.row.outcome, found.row.main, found.row.plies) == ("success", 50.0, 4)
    assert (found.experiment, found.split, found.key) == ("high_en", "test", "taboo:en:apple")
    assert [turn.text for turn in found.turns] == [
        "CLUE: a fruit",
        "GUESS: pear",
        "CLUE: it keeps doctors away",
        "GUESS: apple",
    ]
    assert [turn.round for turn in found.turns] == [0, 0, 1, 1]
    assert found.opening == (Say("WordDescriber", "describe APPLE", "gm", "brief"),)
    assert found.turns[0].says == (Say("WordGuesser", "guess", "gm", "brief"),)
    assert found.turns[1].says == (Say("WordDescriber", "GUESS: pear", "WordGuesser", "relay"),)
    assert found.rewards == {"WordDescriber": 0.5, "WordGuesser": 0.5}
    assert {(s.scorer, s.name): s.value for s in found.scores if s.scorer == "clembench"}[
        ("clembench", "Main Score")
    ] == 50
    assert [(s.name, s.value) for s in found.scores if s.scorer == "clembench/rounds"] == [("0/Request Count", 2.0)]
    assert not any(score.name == "Name" for score in found.scores)
    (player,) = rows(log, "SELECT kind, name, revision, sampling FROM players")
    assert player == ("model", "m", "org/m", '{"temperature":0.0}')
    (run,) = log.queries.runs(2)
    assert run.config == {"from": "m", "format": "clembench", "clem_version": "3.7.2", "models": ["m"]}
    sound(log)


def test_each_seat_heard_what_it_heard(log, tmp_path):
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000")
    import_clembench(log, tmp_path)
    found = only(log)
    assert log.queries.perspective(found.row.id, "WordGuesser") == [
        Message("user", "guess"),
        Message("assistant", "GUESS: pear"),
        Message("user", "CLUE: it keeps doctors away"),
        Message("assistant", "GUESS: apple"),
    ]
    assert log.queries.conversation(found.turns[2].seen_hash) == [
        Message("user", "describe APPLE"),
        Message("assistant", "CLUE: a fruit"),
        Message("user", "GUESS: pear"),
    ]


def test_what_is_to_be_forgotten_is_heard_once(log, tmp_path):
    lines = [[">1 rules", "?1 a hint for now", "<1 one", ">1 go on", "<1 two"]]
    alone = {"GM": {}, "Player 1": {"game_role": "Guesser", "model_name": "m"}}
    episode(tmp_path / "m" / "g" / "x" / "instance_00000", interactions(lines, alone))
    import_clembench(log, tmp_path)
    found = only(log)
    assert log.queries.conversation(found.turns[0].seen_hash) == [Message("user", "rules\n\na hint for now")]
    assert [m.content for m in log.queries.conversation(found.turns[1].seen_hash)] == ["rules", "one", "go on"]
    assert [m.content for m in log.queries.perspective(found.row.id, "Guesser")] == ["rules", "one", "go on", "two"]


def test_seats_that_share_a_role_are_numbered_and_programs_are_bots(log, tmp_path):
    players = {
        "GM": {"game_role": "Game Master", "model_name": "programmatic"},
        "Player 1": {"game_role": "Cleaner", "model_name": "m"},
        "Player 2": {"game_role": "Cleaner", "model_name": "m"},
        "Player 3": {"game_role": "Judge", "model_name": "programmatic"},
    }
    log_ = interactions([[">1 a", "<1 b", ">2 c", "<2 d", ">3 e", "<3 f"]], players)
    episode(tmp_path / "m" / "clean_up" / "x" / "instance_00000", log_, game="clean_up")
    import_clembench(log, tmp_path)
    assert only(log).row.seats == {"Cleaner 1": "m", "Cleaner 2": "m", "Judge": "programmatic"}
    assert rows(log, "SELECT kind FROM players WHERE name = 'programmatic'") == [("bot",)]
    sound(log)


@pytest.mark.parametrize(
    "note, verdict",
    [
        ("!invalid format: no tag", "illegal"),
        ("!parse_error: head is not empty", "illegal"),
        ("!validation error: clue is related", "illegal"),
        ("!invalid content: asks for the word class", "illegal"),
        ("!invalid clue: similar to a taboo word", "ok"),
        ("!invalid_move: the cell is taken", "ok"),
        ("!metadata: Error: not a word", "ok"),
        ("!valid format: continue", "ok"),
    ],
)
def test_a_turn_is_illegal_where_clembench_counts_a_violation(log, tmp_path, note, verdict):
    episode(
        tmp_path / "m" / "taboo" / "high_en" / "instance_00000",
        interactions([[">1 go", "<1 something", "!valid response: continue", note]]),
        scored=scores(ABORTED),
    )
    import_clembench(log, tmp_path)
    found = only(log)
    assert found.turns[0].verdict == verdict
    objection = note[1:].partition(": ")[2]
    assert (objection in found.turns[0].note) == (note[1:13] != "valid format")
    assert (found.row.outcome, found.row.main) == ("aborted", None)
    assert found.row.reason == note[1:].partition(": ")[0]
    assert not any(score.name == "Main Score" for score in found.scores)


@pytest.mark.parametrize(
    "keys, outcome",
    [
        ({"Aborted": 1, "Success": 0, "Lose": 0}, "aborted"),
        ({"Aborted": False, "Lose": False}, "success"),
        ({"Aborted": False, "Lose": True}, "failure"),
        ({"Aborted": 0, "Success": 0, "Lose": 0}, "failure"),
        ({}, None),
        ({"Aborted": 0}, None),
    ],
)
def test_without_scores_the_keys_tell_the_outcome(log, tmp_path, keys, outcome):
    log_ = interactions(**keys)
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", log_, scored=False)
    done = import_clembench(log, tmp_path)
    found = only(log)
    assert found.row.outcome == outcome and found.row.main is None
    assert done.unfinished == (outcome is None)
    assert [f.kind for f in log.queries.failures()] == ([] if outcome else ["unscored"])


def test_an_episode_that_was_stopped_by_an_error_is_unfinished(log, tmp_path):
    folder = tmp_path / "m" / "taboo" / "high_en"
    stopped = {"timestamp": "2026-07-01T19:30:00.000000", "error": "KeyError", "message": "'x'"}
    episode(folder / "instance_00000", log=False, scored=False, error=stopped)
    episode(folder / "instance_00001", log=False, scored=False)
    done = import_clembench(log, tmp_path)
    assert (done.episodes, done.unfinished) == (2, 2)
    told = {(f.kind, f.message) for f in log.queries.failures()}
    assert ("KeyError", "'x'") in told and {kind for kind, _ in told} == {"KeyError", "unplayed"}
    sound(log)


def test_scores_that_come_later_finish_the_episode(log, tmp_path):
    folder = episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", scored=False)
    import_clembench(log, tmp_path)
    put(folder / "scores.json", scores())
    done = import_clembench(log, tmp_path)
    assert (done.episodes, done.known, done.completed, done.files) == (0, 1, 1, 1)
    assert only(log).row.outcome == "success"
    sound(log)


def test_twice_is_once_also_from_a_copy_elsewhere_or_in_parts(log, tmp_path):
    root = tree(tmp_path / "a")
    first = import_clembench(log, root)
    counts = log.queries.counts()
    elsewhere = copy(root, tmp_path / "elsewhere" / "m")
    renamed = copy(root, tmp_path / "elsewhere" / "backup of m")
    for again in (root, root.parent, elsewhere, renamed, root / "taboo", root / "taboo" / "high_en"):
        done = import_clembench(log, again)
        assert (done.episodes, done.known, done.files, done.refused) == (0, 3, 0, [])
    assert len(log.queries.runs()) == 1
    now = log.queries.counts()
    assert first.episodes == 3 and (now.episodes, now.turns, now.calls) == (counts.episodes, counts.turns, counts.calls)
    sound(log)


def test_a_tree_that_grew_brings_only_what_is_new(log, tmp_path):
    import_clembench(log, tree(tmp_path, 2))
    done = import_clembench(log, tree(tmp_path, 4))
    assert (done.episodes, done.known) == (2, 2)
    assert len(log.queries.runs()) == 1


def test_files_are_kept_byte_for_byte(log, tmp_path):
    root = tree(tmp_path, 2)
    odd = b'{"Main Score": NaN,\r\n "x" : "\\ud800 \xc3\xa9" }  '
    put(root / "taboo" / "high_en" / "instance_00000" / "notes.json", odd)
    put(root / "taboo" / "high_en" / "instance_00001" / "images" / "a.png", b"\x89PNG\0\xff")
    import_clembench(log, root)
    stored = {
        path: zlib.decompress(content)
        for path, content in rows(log, "SELECT path, content FROM files JOIN blobs USING (hash)")
    }
    there = {str(path.relative_to(tmp_path)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert stored == there
    owned = rows(log, "SELECT count(*) FROM files WHERE episode_id IS NULL")
    assert owned == [(2,)], "run.json and experiment.json belong to no episode"


def test_requests_of_both_forms_become_calls(log, tmp_path):
    heard = [{"role": "user", "content": "describe APPLE"}]
    sent = [{"role": "system", "content": "be short"}, *heard]
    answer = {
        "choices": [{"message": {"content": "CLUE: a fruit", "reasoning_content": "hm"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    }
    meta = {"player_name": "Player 1"}
    per_player = {"meta": meta, "calls": [call(heard, answer), call(sent, {"response": "CLUE: it keeps"}, 1)]}
    new = tmp_path / "new" / "m" / "taboo" / "high_en" / "instance_00000"
    episode(new, requests={"player_1.requests.json": per_player})
    done = import_clembench(log, tmp_path / "new")
    assert done.refused == []
    first, second = only(log).calls
    turns = only(log).turns
    assert (first.turn, first.ply, first.prompt_hash) == (turns[0].id, 0, turns[0].seen_hash)
    assert (first.tokens_in, first.tokens_out, first.finish, first.reasoning) == (7, 3, "stop", "hm")
    assert (second.turn, second.ply) == (turns[2].id, 2)
    assert log.queries.conversation(second.prompt_hash) == [
        Message("system", "be short"),
        Message("user", "describe APPLE"),
    ]
    (raw,) = rows(log, "SELECT raw FROM calls WHERE id = ?", first.id)
    assert json.loads(raw[0]) == answer

    stamps = [e["timestamp"] for r in interactions()["turns"] for e in r if e["action"]["type"] == "get message"]
    old = [
        {"timestamp": stamps[3], "manipulated_prompt_obj": {"inputs": "a prompt"}, "raw_response_obj": "GUESS: apple"},
        {"timestamp": stamps[1], "manipulated_prompt_obj": heard, "raw_response_obj": None},
    ]
    words = {"game_id": 0, "target_word": "Bridge"}
    episode(tmp_path / "old" / "m" / "taboo" / "low_en" / "episode_1", instance=words, requests={"requests.json": old})
    import_clembench(log, tmp_path / "old")
    found = rows(log, "SELECT ply, text, raw FROM calls WHERE id NOT IN (?, ?) ORDER BY ply", first.id, second.id)
    assert found == [(1, "GUESS: pear", '{"response":null}'), (3, "GUESS: apple", '{"response":"GUESS: apple"}')]
    sound(log)


def test_branches_epochs_and_old_names(log, tmp_path):
    root = tmp_path / "m"
    branched = root / "taboo" / "high_en" / "instance_00000"
    put(branched / "instance.json", {"game_id": 0, "target_word": "Apple"})
    for number in (1, 2):
        log_ = interactions([[">1 go", f"<1 CLUE: {number}", ">2 guess", "<2 GUESS: a"]], Success=1, Aborted=0)
        put(branched / f"branch_{number:05}" / "interactions.json", log_)
    for epoch in (1, 2):
        log_ = interactions([[">1 go", f"<1 CLUE: epoch {epoch}", ">2 guess", "<2 GUESS: a"]])
        episode(root / f"epoch_{epoch:05}" / "taboo" / "high_en" / "instance_00000", log_)
    done = import_clembench(log, root)
    assert (done.episodes, done.refused, len(done.runs)) == (4, [], 1)
    groups = rows(log, "SELECT group_id, count(*) FROM episodes WHERE group_id IS NOT NULL GROUP BY 1")
    assert [count for _, count in groups] == [2]

    old = {"GM": "Game master for taboo", "Player 1": "Describer: gpt-4", "Player 2": "Guesser (gpt-4)"}
    log_ = interactions(players=old)
    del log_["player_models"], log_["meta"]
    folder = tmp_path / "old" / "gpt-4-t0.0--gpt-3.5-t0.7" / "taboo" / "2_low_en" / "episode_0"
    episode(folder, log_, above=False, scored=scores(word="turn scores"))
    import_clembench(log, tmp_path / "old")
    found = log.queries.detail(
        rows(log, "SELECT e.id FROM episodes e JOIN instances i ON i.id = e.instance_id WHERE i.experiment = 'low_en'")[
            0
        ][0]
    )
    assert found.row.seats == {"Describer": "gpt-4", "Guesser": "gpt-3.5"}
    assert rows(log, "SELECT sampling FROM players WHERE name = 'gpt-3.5'") == [('{"temperature":0.7}',)]
    sound(log)


def test_a_game_we_have_has_our_keys_and_others_go_by_content(log, tmp_path):
    grid = "X □ X □ X\n" * 5
    made = [
        ("wordle", "high_frequency", {"game_id": 1, "target_word": "daily"}, "wordle:en:daily"),
        ("taboo", "low_de", {"game_id": 1, "target_word": "Straße"}, "taboo:de:strasse"),
        (
            "referencegame",
            "line_grids",
            {"game_id": 1, "player_1_target_grid": grid},
            "grid:" + "/".join(["X.X.X"] * 5),
        ),
    ]
    for number, (game, experiment, instance, _) in enumerate(made):
        log_ = interactions([[">1 go", f"<1 {number}"]], game=game, experiment=experiment)
        where = tmp_path / "m" / game / experiment / "instance_00001"
        episode(where, log_, instance, game=game, experiment=experiment)
    for number in (1, 2):
        log_ = interactions([[">1 go", f"<1 {number}"]], game="matchit", experiment="same")
        where = tmp_path / "m" / "matchit" / "same" / f"instance_{number:05}"
        episode(where, log_, {"game_id": number, "grid_a": "XX"}, game="matchit", experiment="same")
    import_clembench(log, tmp_path)
    found = dict(rows(log, "SELECT game || i.name, key FROM instances i"))
    for game, experiment, _, key in made:
        assert found[f"clem:{game}{experiment}/1"] == key
    assert found["clem:matchitsame/1"] == found["clem:matchitsame/2"], "the number is no content"


def test_a_file_of_splits_says_what_is_not_test(log, tmp_path):
    root = tree(tmp_path)
    listed = put(tmp_path / "splits.csv", "game,experiment,task_id,split\ntaboo,high_en,1,train\n")
    as_json = [{"game": "clem:taboo", "experiment": "high_en", "task_id": 1, "split": "train"}]
    lines = "\n".join(json.dumps(entry) for entry in [*as_json, *as_json])
    assert read_splits(listed).listed == read_splits(put(tmp_path / "splits.json", as_json)).listed
    assert read_splits(listed).listed == read_splits(put(tmp_path / "splits.jsonl", lines)).listed
    import_clembench(log, root)
    done = import_clembench(log, root, read_splits(listed))
    assert (done.episodes, done.moved) == (0, 1)
    assert dict(rows(log, "SELECT name, split FROM instances")) == {
        "high_en/0": "test",
        "high_en/1": "train",
        "high_en/2": "test",
    }
    with pytest.raises(BadSplits, match="row 1 of"):
        read_splits(put(tmp_path / "bad.csv", "game,experiment,task_id,split\ntaboo,high_en,1,dev\n"))
    with pytest.raises(BadSplits, match=r"splits\.json"):
        read_splits(put(tmp_path / "splits.json", "{]"))


def test_people_of_another_log_agreed_to_nothing(log, tmp_path):
    players = {**PLAYERS, "Player 2": {"game_role": "WordGuesser", "model_name": "human"}}
    episode(tmp_path / "m" / "taboo" / "high_en" / "instance_00000", interactions(TABOO, players))
    import_clembench(log, tmp_path)
    (person,) = log.people.all()
    assert person.consent == "local" and not person.allows("research")
    assert only(log).row.people == (person.id,)
    assert rows(log, "SELECT kind, name FROM players WHERE kind = 'human'") == [("human", person.id)]


def test_what_is_no_tree_is_said(log, tmp_path):
    with pytest.raises(NothingThere, match="holds no clembench episodes"):
        import_clembench(log, tmp_path)
    with pytest.raises(NothingThere, match="there is no folder"):
        import_clembench(log, tmp_path / "nix")
    with pytest.raises(NothingThere, match="is a file"):
        import_clembench(log, put(tmp_path / "a.json", {}))
    assert log.queries.counts().runs == 0


def test_models_that_played_together_are_found_by_name(log, tmp_path):
    other = {"model_spec": {"model_name": "n"}, "gen_args": {"temperature": 1.0}}
    players = {**PLAYERS, "Player 2": {"game_role": "WordGuesser", "model_name": "n"}}
    log_ = {**interactions(TABOO, players), "player_models": {"0": MODEL, "1": other}}
    episode(tmp_path / "m--n" / "taboo" / "high_en" / "instance_00000", log_)
    import_clembench(log, tmp_path)
    assert only(log).row.seats == {"WordDescriber": "m", "WordGuesser": "n"}
    assert rows(log, "SELECT sampling FROM players WHERE name = 'n'") == [('{"temperature":1.0}',)]
