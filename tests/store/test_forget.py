"""Forgetting a person: their words are in no byte of the file, nor of one into which an old copy is merged."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from tiny_game import Script, Tiny, new_match, train

from games.engine import Message
from players.base import Identity, PlayerError
from players.driver import drive
from players.ports import Place
from players.scripted import ReplayPlayer
from store import datasets, trainings
from store.copies import note
from store.datasets import DatasetRow
from store.errors import LogError, LogLocked, NoConsent, NoLog, UnknownPerson
from store.forget import finish, forget
from store.ids import chain, new_id, now
from store.keep import backup, check
from store.log import Log
from store.merge import merge

NONCE = "plover of the seventh drawer"
ANNA = "coral-lynx-417"
BEN = "brisk-owl-200"


async def play(log, asker, teller, run=None, parent=None, fork=0):
    """One episode, or a branch of one; returns its id."""
    match, place = new_match(), Place(run=run)
    if parent is not None:
        match = log.history.match(parent, Tiny())
        match = match.replay(match.game, match.instance, match.seed, match.texts[:fork])
        place = Place(run=run, parent=parent, fork_ply=fork)
    with contextlib.suppress(PlayerError):
        await drive(match, {"asker": asker, "teller": teller}, log.recorder, place=place)
    return log.queries.recent(1)[0].id


def human(id):
    return {"kind": "human", "name": id, "person": id}


def row(log, table, **columns):
    """Insert a row past the functions of other rooms; returns its id."""
    names = ", ".join(columns)
    sql = f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})"
    log.write(lambda db: db.execute(sql, tuple(columns.values())).rowcount)
    return columns.get("id")


def candidate(log, episode, ply, text, person=None, turn=None):
    about = (
        log.reader()
        .execute("SELECT role, player_id, seen_hash FROM turns WHERE episode_id = ? AND ply = ?", (episode, ply))
        .fetchone()
    )
    role, player, seen = about
    return row(
        log, "candidates", id=new_id(), episode_id=episode, ply=ply, role=role, player_id=player, person_id=person,
        seen_hash=seen, text=text, turn_id=turn, created_at=now(),
    )  # fmt: skip


def judge(log, who, **more):
    value = json.dumps(more.pop("value", {}))
    return row(log, "annotations", id=new_id(), annotator_id=who, value=value, created_at=now(), **more)


async def fill(path):
    """Anna's words everywhere that words can be, and others' beside them. Returns ids by name."""
    ids = {}
    async with Log.open(path, split_of=train) as log:
        log.people.add("research", id=ANNA)
        log.people.add("research", id=BEN)
        model = {"kind": "model", "name": "m", "calls": True}
        run = log.new_run("play", {"seats": {"asker": f"human:{ANNA}"}, "name": "sitting"}, seed=1)
        quoting = Script(f"you said {NONCE}", "x", **model)
        ids["anna"] = await play(log, Script(f"CLUE: {NONCE}", "win", **human(ANNA)), quoting, run)
        ids["late"] = await play(log, Script("calm words", "win", **model), Script("yes", **human(BEN)))
        ids["half"] = await play(log, Script(f"half {NONCE}", **human(ANNA)), Script())
        ids["other"] = await play(log, Script("nothing of hers", "win", **model), Script("no"), run)
        ids["branch"] = await play(log, Script("win"), Script("again", **model), parent=ids["anna"], fork=2)
        ids["below"] = await play(log, Script("win"), Script("again", **model), parent=ids["branch"], fork=2)
        ids["aside"] = await play(log, Script("something else", "win"), Script("a"), parent=ids["anna"], fork=0)
        told = log.history.episode(ids["anna"])
        ids["replay"] = await play(log, ReplayPlayer(told, "asker"), Script("once more", **model))
        turns = log.queries.detail(ids["anna"]).turns
        first = candidate(log, ids["anna"], 0, turns[0].text, ANNA, turns[0].id)
        second = candidate(log, ids["anna"], 0, "a model's other clue")
        row(log, "queues", id="Q", name="q", seed=1, config=json.dumps({"who": ANNA}), created_at=now())
        item = row(
            log, "items", id="I", queue_id="Q", kind="pair", episode_id=ids["anna"], ply=0, role="asker", a_id=first,
            b_id=second, created_at=now(),
        )  # fmt: skip
        verdict = {"verdict": "a", "comment": f"{NONCE} is better"}
        pair = {"kind": "preference", "item_id": item, "chosen_id": first, "rejected_id": second, "strength": 1}
        ids["ben_of_her"] = judge(log, BEN, value=verdict, **pair)
        judge(log, BEN, kind="note", turn_id=turns[1].id, value={"text": f"it quotes {NONCE}"})
        other = log.queries.detail(ids["other"]).turns
        ids["anna_judged"] = judge(log, ANNA, kind="note", turn_id=other[0].id, value={"text": f"{NONCE} said I"})
        better = candidate(log, ids["other"], 1, f"corrected to {NONCE}", ANNA)
        ids["edit"] = judge(log, ANNA, kind="edit", turn_id=other[1].id, chosen_id=better)
        ids["ben_of_other"] = judge(log, BEN, kind="label", turn_id=other[0].id, value={"label": "+"})
        ids["rollout"] = await play(
            log, Script("win"), Script(f"corrected to {NONCE}", **model), parent=ids["other"], fork=1
        )
        row(log, "rollouts", episode_id=ids["rollout"], candidate_id=better)
        row(log, "branches", run_id=run, candidate_id=better, place=0)
        row(log, "drafts", judge=ANNA, place="I", text=f"draft {NONCE}", written_at=now())
        row(log, "saved_views", name="hers", query="plover", saved_at=now())
        row(log, "saved_views", name="mine", query="game:tiny nothing", saved_at=now())
        row(log, "studies", id="S", name="s", config="{}", created_at=now())
        row(log, "participants", id="P", study_id="S", person_id=ANNA, place=0, plan="[]", code="KTR", joined_at=now())
        row(log, "answers", participant_id="P", question="free", value=json.dumps(NONCE), created_at=now())
        seen = other[1].seen_hash
        new = chain([Message("assistant", f"corrected to {NONCE}")], seen)
        rows = [
            DatasetRow(turns[1].seen_hash, (0,), episode=ids["anna"], role="teller", trained=(turns[1].id,)),
            DatasetRow(
                new[0][0], (1,), seen, other[1].seen_hash, episode=ids["other"], role="teller",
                annotation=ids["edit"], chosen=better, against=(other[1].id,), new=(new[0],),
            ),
            DatasetRow(other[1].seen_hash, (0,), episode=ids["other"], role="asker", trained=(other[0].id,)),
        ]  # fmt: skip
        ids["dataset"] = datasets.freeze(log, "sft", rows, {"models": [f"human:{ANNA}"]}).id
        clean_one = [rows[2]]
        ids["clean_dataset"] = datasets.freeze(log, "sft", clean_one, {}).id
        training = log.new_run("train", {"name": "tuned", "folder": "/somewhere/tuned"}, seed=1)
        ids["training"] = trainings.begin(log, training, "sft", Identity("model", "m"), ids["dataset"])
        await log.tag(ids["other"], "fine")
    return ids


def bytes_of(path):
    return b"".join(
        file.read_bytes()
        for end in ("", "-wal", "-shm", "-journal")
        if (file := path.with_name(path.name + end)).exists()
    )


def nowhere(path):
    content = bytes_of(path)
    for words in (NONCE, "plover", "drawer", ANNA):
        assert words.encode() not in content, words


def sound(path):
    with Log.open(path, split_of=train) as log:
        report = check(log, sample=1000, game_of=lambda name: Tiny())
    assert report.ok, report.problems
    return report


@pytest.fixture
async def ids(path):
    return await fill(path)


async def test_no_byte_of_the_file_holds_them_and_what_others_said_stays(path, ids):
    assert NONCE.encode() in bytes_of(path)
    found = forget(path, ANNA)
    nowhere(path)
    assert found.left == 0 and found.looked_for > 5 and found.elsewhere <= found.looked_for
    erased = found.erased
    assert erased.episodes == 6 and erased.own == 3  # hers, her half one, branch, branch of that, replay, rollout
    assert erased.of_others == 2 and erased.items == 1 and erased.answers == 1
    assert erased.datasets == {ids["dataset"]: 2}
    report = sound(path)
    assert report.skipped["words were erased"] == 6
    with Log.open(path, readonly=True) as log:
        assert [turn.text for turn in log.queries.detail(ids["late"]).turns] == ["calm words", "yes", "win"]
        assert log.people.find(ANNA) is None and log.people.find(BEN) is not None
        detail = log.queries.detail(ids["anna"])
        assert {turn.text for turn in detail.turns} == {"(erased)"} and detail.row.outcome == "success"
        assert [turn.text for turn in log.queries.detail(ids["aside"]).turns] == ["something else", "a", "win"]
        assert [turn.text for turn in log.queries.detail(ids["other"]).turns] == ["nothing of hers", "no", "win"]
        kept = {id for (id,) in log.reader().execute("SELECT id FROM annotations")}
        assert kept == {ids["ben_of_other"]}
        assert [name for (name,) in log.reader().execute("SELECT name FROM saved_views")] == ["mine"]
        assert len(list(datasets.records(log.reader(), ids["clean_dataset"]))) == 1
        with pytest.raises(LogError, match="erased on request"):
            list(datasets.records(log.reader(), ids["dataset"]))


async def test_an_old_copy_brings_nothing_back_and_one_that_is_merged_into_loses_them(path, ids, tmp_path):
    old, older = tmp_path / "old.db", tmp_path / "older.db"
    for copy in (old, older):
        with Log.open(path, readonly=True) as log:
            backup(log, copy)
    async with Log.open(old, split_of=train) as log:  # what happened there since
        turn = log.queries.detail(ids["anna"]).turns[1].id
        judge(log, BEN, kind="note", turn_id=turn, value={"text": f"still {NONCE}"})
        await play(log, Script(f"more {NONCE}", "win", **human(ANNA)), Script("x"), log.new_run("play", {"who": ANNA}))
        judge(log, ANNA, kind="note", episode_id=ids["other"], value={"text": f"late {NONCE}"})
    forget(path, ANNA)
    with Log.open(path, split_of=train) as log:
        done = merge(log, old)
    nowhere(path)
    sound(path)
    assert done.episodes == 0 and done.consent == 4 and done.erased == 3 and done.judgements == 6 and not done.forgotten
    with Log.open(older, split_of=train) as log:
        done = merge(log, path)
        assert done.forgotten == 1 and done.swept
    nowhere(older)
    sound(older)
    with Log.open(path, split_of=train) as log:
        assert merge(log, older).rows in ({}, {"redactions": 1})


async def test_somebody_who_only_judged_is_forgotten_too(path, ids):
    found = forget(path, BEN)
    assert found.erased.annotations == 3 and found.erased.of_others == 0
    assert BEN.encode() not in bytes_of(path)
    sound(path)
    with Log.open(path, readonly=True) as log:
        assert log.queries.detail(ids["anna"]).turns[0].text == f"CLUE: {NONCE}"
        assert log.reader().execute("SELECT count(*) FROM items").fetchone() == (1,)


async def test_copies_data_sets_and_trainings_are_named(path, ids, tmp_path):
    made = [tmp_path / "mine.sqlite", tmp_path / "out.jsonl", tmp_path / "clean.jsonl", tmp_path / "beside.db"]
    with Log.open(path, readonly=True) as log:
        backup(log, made[0])
        backup(log, made[3])
    made[1].write_text(f'{{"who": "{ANNA}"}}')
    made[2].write_text("{}")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM copies WHERE path = ?", (str(made[3]),))
        db.commit()
    assert [note(path, file, "export") for file in made[1:3]] == ["", ""]
    found = forget(path, ANNA)
    told = {copy.path: (copy.kind, copy.holds) for copy in found.copies}
    assert told == {
        str(made[0]): ("backup", True),
        str(made[1]): ("export", True),
        str(made[3]): ("beside", True),
    }
    assert [(one.id, one.name, one.dataset) for one in found.trainings] == [(ids["training"], "tuned", ids["dataset"])]
    assert found.trainings[0].folder == "/somewhere/tuned" and "--name tuned-again" in found.trainings[0].again


async def test_dry_counts_and_changes_nothing(path, ids):
    before = path.read_bytes()
    found = forget(path, ANNA, dry=True)
    assert found.erased.episodes == 6 and found.looked_for == 0
    with Log.open(path, readonly=True) as log:
        assert log.queries.detail(ids["anna"]).turns[0].text == f"CLUE: {NONCE}"
    assert len(path.read_bytes()) == len(before)
    again = forget(path, ANNA)
    assert again.erased.turns == found.erased.turns


async def test_twice_is_fine_and_a_stranger_is_said_to_be_one(path, ids):
    forget(path, ANNA)
    again = forget(path, ANNA)
    assert again.erased is None and again.left == 0
    with pytest.raises(UnknownPerson, match="nobody is called 'zoe'"):
        forget(path, "zoe")
    with pytest.raises(NoLog, match="no log"):
        forget(path.with_name("none.sqlite"), ANNA)


async def test_the_pseudonym_is_not_given_again_and_records_nothing(path, ids):
    forget(path, ANNA)
    async with Log.open(path, split_of=train) as log:
        with pytest.raises(LogError, match="was forgotten"):
            log.people.add("public", id=ANNA)
        with pytest.raises(NoConsent):
            await drive(new_match(), {"asker": Script("x", **human(ANNA)), "teller": Script()}, log.recorder)


HOLDING = """
import sys, time
from store.log import Log
log = Log.open(sys.argv[1])
print("open", flush=True)
time.sleep(60)
"""


async def test_a_log_that_is_open_elsewhere_is_left_alone_with_a_sentence(path, ids, child_env):
    child = subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, env=child_env)
    try:
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(LogLocked, match=f"nothing was erased: .* is open in process {child.pid}"):
            forget(path, ANNA, wait=0.3)
    finally:
        child.kill()
        child.wait()
    with Log.open(path, readonly=True) as log:
        assert log.people.find(ANNA) is not None
    forget(path, ANNA)
    nowhere(path)


DYING = """
import os, signal, sys
from pathlib import Path
import store.forget, store.erase
module, name = sys.argv[3].rsplit(".", 1)
setattr(sys.modules[module], name, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
store.forget.forget(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize(("where", "gone"), [("store.erase._messages", False), ("store.forget.sweep", True)])
async def test_dying_in_the_middle_leaves_all_or_a_note_to_finish(path, ids, child_env, where, gone):
    words = [sys.executable, "-c", textwrap.dedent(DYING), str(path), ANNA, where]
    assert subprocess.run(words, env=child_env).returncode == -signal.SIGKILL
    with Log.open(path, split_of=train) as log:
        assert (log.people.find(ANNA) is None) == gone
        problems = check(log, sample=0).problems
        assert [problem.kind for problem in problems] == (["redaction"] if gone else [])
    if gone:
        assert finish(path) == 1
    else:
        forget(path, ANNA)
    nowhere(path)
    sound(path)


async def test_resuming_or_branching_an_erased_episode_is_refused_with_a_sentence(path, ids):
    forget(path, ANNA)
    with Log.open(path, readonly=True) as log:
        for name in ("half", "anna", "branch"):
            with pytest.raises(LogError, match="was erased on request"):
                log.history.match(ids[name], Tiny())
        assert log.history.match(ids["aside"], Tiny()).over


async def test_an_empty_copy_takes_what_is_left(path, ids, tmp_path):
    forget(path, ANNA)
    fresh = tmp_path / "fresh.db"
    with Log.open(fresh, split_of=train) as log:
        merge(log, path)
        assert log.queries.detail(ids["anna"]).turns[0].text == "(erased)"
    sound(fresh)
    shutil.copy(path, tmp_path / "again.db")
