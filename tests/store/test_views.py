"""What people read with other tools: each view says what its comment promises."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tiny_game import Script, Tiny, new_match

from players.base import Identity, PlayerError, Reply
from players.driver import drive
from players.ports import Place
from store.ids import new_id


def rows(log, sql, *values):
    cursor = log.reader().execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


async def play(log, asker, teller, place=None, **changes):
    return await drive(new_match(**changes), {"asker": asker, "teller": teller}, log.recorder, place=place)


async def test_transcript_reads_well_with_sqlite_utils(log, path):
    await play(log, Script("is it round?", "win", name="smollm2"), Script("yes", name="amber-otter-417"))
    words = [sys.executable, "-m", "sqlite_utils", "rows", str(path), "transcript"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = json.loads(done.stdout)
    columns = "episode game instance ply round role speaker text verdict note assisted outcome reason score at"
    assert all(list(line) == columns.split() for line in lines)
    assert [(line["speaker"], line["text"], line["outcome"]) for line in lines] == [
        ("smollm2", "is it round?", "success"),
        ("amber-otter-417", "yes", "success"),
        ("smollm2", "win", "success"),
    ]


async def test_transcript_of_episodes_that_ran_at_once_is_in_reading_order(log):
    import asyncio

    await asyncio.gather(*[play(log, Script("one", "two", "win"), Script("a", "b")) for _ in range(5)])
    found = rows(log, "SELECT episode, ply FROM transcript")
    assert found == sorted(found, key=lambda row: (row["episode"], row["ply"])) and len(found) == 25


async def test_perspective_is_one_seats_eyes(log):
    match = await play(log, Script("one", "win"), Script("a"))
    episode = log.queries.recent()[0].id
    for role in match.game.roles:
        found = rows(log, "SELECT * FROM perspective WHERE episode = ? AND role = ?", episode, role)
        assert [(row["sender"], row["content"]) for row in found] == [tuple(m) for m in match.heard[role]]
        assert [row["position"] for row in found] == list(range(len(found)))


async def test_perspective_of_an_unfinished_episode_ends_before_the_latest_turn(log):
    with pytest.raises(PlayerError):
        await play(log, Script("one", "two"), Script("a"))
    found = rows(log, "SELECT role, sender, content FROM perspective WHERE role = 'asker' ORDER BY position")
    assert [row["sender"] for row in found] == ["user", "assistant", "user"]
    assert found[1]["content"] == "one" and found[2]["content"].startswith("a\n\n")


async def test_unfinished(log):
    await play(log, Script("win"), Script())
    with pytest.raises(PlayerError):
        await play(log, Script("one"), Script("a", name="b"))
    (row,) = rows(log, "SELECT * FROM unfinished")
    assert (row["game"], row["instance"], row["seats"], row["plies"]) == (
        "tiny",
        "riddle-0",
        "asker=script teller=b",
        2,
    )
    assert row["started_at"] <= row["last_at"]


async def test_leaderboard_counts_only_whole_seats_and_keeps_assisted_ones_apart(log):
    await play(log, Script("win", name="A"), Script(name="B"))
    await play(log, Script("lose", name="A"), Script(name="B"))
    await play(log, Script("!", "!", name="A"), Script(name="B"))
    await play(log, Script("lose", name="A", assisted=True), Script(name="B"))
    with pytest.raises(PlayerError):
        await play(log, Script("one", name="A"), Script("a", name="B"))
    half = log.queries.unfinished()[0].id
    taken = {"asker": Script("win", name="C"), "teller": Script(name="B")}
    await drive(log.history.match(half, Tiny()), taken, log.recorder, episode=half)
    found = {(r["role"], r["player"], r["assisted"]): r for r in rows(log, "SELECT * FROM leaderboard")}
    assert set(found) == {("asker", "A", 0), ("asker", "A", 1), ("teller", "B", 0)}
    best = found["asker", "A", 0]
    assert (best["episodes"], best["played"], best["success"], best["failure"], best["aborted"]) == (3, 66.7, 1, 1, 1)
    assert (best["won"], best["quality"]) == (1, 50.0)
    assert best["reward"] == pytest.approx(1 / 3, abs=0.001)
    assert found["teller", "B", 0]["episodes"] == 5


async def test_preference_pairs_count_agreement_and_show_how_it_went_on(log):
    await play(log, Script("lose"), Script())
    parent = log.queries.detail(log.queries.recent()[0].id)
    who = {"asker": Identity("bot", "s"), "teller": Identity("bot", "s")}
    branch = await log.recorder.begin(new_match(), who, Place(parent=parent.row.id, fork_ply=0))
    won = new_match().play("win")
    await log.recorder.turn(branch, won, won.steps[0], who["asker"], Reply("win"))
    await log.recorder.result(branch, won, won.scores())
    player = rows(log, "SELECT id FROM players LIMIT 1")[0]["id"]
    turns = [log.queries.detail(branch).turns[0].id, parent.turns[0].id]
    good, bad = new_id(), new_id()

    def annotate(db):
        for id, turn, text in ((good, turns[0], "win"), (bad, turns[1], "lose")):
            db.execute(
                "INSERT INTO candidates (id, episode_id, ply, role, turn_id, player_id, text, created_at) "
                "VALUES (?, ?, 0, 'asker', ?, ?, ?, '')",
                (id, parent.row.id, turn, player, text),
            )
        said = [("a", good, bad, None), ("b", good, bad, None), ("c", bad, good, None), ("d", bad, good, "b")]
        for id, chosen, rejected, before in said:
            db.execute(
                "INSERT INTO annotations (id, kind, turn_id, chosen_id, rejected_id, created_at, supersedes) "
                "VALUES (?, 'preference', ?, ?, ?, '', ?)",
                (id, turns[1], chosen, rejected, before),
            )

    log.write(annotate)
    found = {(r["chosen"], r["rejected"]): r for r in rows(log, "SELECT * FROM preference_pairs")}
    assert (found["win", "lose"]["judgements"], found["win", "lose"]["disagreed"]) == (1, 2), "b changed its mind"
    assert (found["win", "lose"]["chosen_outcome"], found["win", "lose"]["rejected_outcome"]) == ("success", "failure")
    assert (found["lose", "win"]["judgements"], found["lose", "win"]["disagreed"]) == (2, 1)


async def test_leakage_finds_content_that_was_trained_and_evaluated_on(log):
    await play(log, Script("win"), Script())
    trained = log.queries.detail(log.queries.recent()[0].id).turns[0].id
    log.write(lambda db: db.execute("INSERT INTO datasets VALUES ('d', 'sft', '', '{}', 'h', 1, '')").rowcount)
    sql = "INSERT INTO dataset_rows (dataset_id, position, episode_id, turn_id) VALUES ('d', 0, ?, ?)"
    log.write(lambda db: db.execute(sql, (log.queries.recent()[0].id, trained)).rowcount)
    for kind in ("play", "eval"):
        await play(log, Script("win"), Script(), Place(run=log.new_run(kind, {})), answer="sun", name="riddle-1")
    assert rows(log, "SELECT * FROM leakage") == []
    run = log.new_run("eval", {})
    await play(log, Script("win"), Script(), Place(run=run), name="the-same-under-another-name")
    (row,) = rows(log, "SELECT * FROM leakage")
    assert (row["key"], row["dataset"], row["evaluation_run"]) == ("tiny:en:moon", "d", run)
