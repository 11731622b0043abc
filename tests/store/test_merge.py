"""Logs joined: nothing twice, nothing of those who did not agree, nothing that was erased, the longer of two halves."""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_game import Script, Tiny, new_match, train

from players.base import Identity, PlayerError
from players.driver import drive
from players.ports import Place
from store import curate
from store.errors import LogError, NoLog, NotALog, ReadOnly
from store.filters import Filters
from store.keep import check
from store.log import Log
from store.merge import ORDER, merge
from store.records import Progress

FROZEN = Path(__file__).parent / "frozen" / "0.1.0.sqlite.gz"


async def play(log, *, run=None, slot=None, asker=("one", "win"), teller=("x",), person="", calls=False):
    """One episode; unfinished where the lines run out."""
    more = {"kind": "human", "person": person, "name": person} if person else {"name": "m", "kind": "model"}
    seats = {"asker": Script(*asker, calls=calls, **more), "teller": Script(*teller)}
    with contextlib.suppress(PlayerError):
        await drive(new_match(), seats, log.recorder, place=Place(run=run, slot=slot))
    return log.queries.recent(1)[0].id


def content(path, *, skip=("failures",)):
    """Every table's rows as a set, without the order of arrival."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        found = {}
        for table in ORDER:
            if table in skip:
                continue
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]
            found[table] = sorted(db.execute(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
    return found


def sound(path):
    with Log.open(path, split_of=train) as log:
        report = check(log, sample=10_000, game_of=lambda name: Tiny())
    assert report.ok, report.problems
    return report


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other.sqlite"


def test_every_table_has_its_place(log):
    there = {name for (name,) in log.reader().execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {name for name in there if not name.startswith(("sqlite_", "_sqlite", "turns_fts"))}
    assert ours - {"progress", "reservations", "drafts", "copies", "unswept"} == set(ORDER)


async def test_what_is_new_comes_whole_and_twice_is_once(path, other):
    async with Log.open(other, split_of=train) as log:
        run = log.new_run("self_play", {"n": 1})
        for slot in range(3):
            await play(log, run=run, slot=slot, calls=True)
        await log.tag(log.queries.recent(1)[0].id, "bookmark")
        await log.beat(run, Progress("done", 3, 3, 0, 0, host="there", pid=1))
    async with Log.open(path, split_of=train) as log:
        await play(log)
        done = merge(log, other)
        assert done.episodes == 3 and done.rows["turns"] == 9 and done.consent == done.erased == done.doubled == 0
        again = merge(log, other)
        assert again.rows == {} and again.continued == 0
        assert log.queries.counts().episodes == 4 and log.queries.run(run).finished == 3
        assert log.queries.progress(run).done == 3
        assert len(log.queries.search("one")) == 4
    assert sound(path).episodes == 4


async def test_merging_with_oneself_adds_nothing(path):
    async with Log.open(path, split_of=train) as log:
        await play(log)
        assert merge(log, path).rows == {}


async def test_either_way_round_gives_the_same(path, other, tmp_path):
    for at in (path, other):
        async with Log.open(at, split_of=train) as log:
            await play(log, calls=True)
            await play(log, asker=("half",), teller=())
    copies = [tmp_path / "a.sqlite", tmp_path / "b.sqlite"]
    for copy, order in zip(copies, ((path, other), (other, path)), strict=True):
        with Log.open(copy, split_of=train) as log:
            for source in order:
                merge(log, source)
    assert content(copies[0]) == content(copies[1])
    assert sound(copies[0]).episodes == 4


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plies=st.tuples(st.integers(0, 5), st.integers(0, 5)))
async def test_the_longer_half_of_an_episode_wins(plies, tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    first, second = folder / "first.sqlite", folder / "second.sqlite"
    lines = {"asker": ["a1", "a2", "a3"], "teller": ["t1", "t2", "t3"]}
    async with Log.open(first, split_of=train) as log:
        match = new_match()
        episode = await log.recorder.begin(match, {r: Script(name=r).identity for r in lines}, Place())
        states = [match]
        texts = [text for pair in zip(lines["asker"], lines["teller"], strict=True) for text in pair]
        copied = False
        for ply in range(max(plies)):
            if ply == min(plies) and not copied:
                copied = True
                _copy(log, second)
            from players.base import Reply

            states.append(states[-1].play(texts[ply]))
            who = Identity("bot", states[-1].steps[-1].role)
            await log.recorder.turn(episode, states[-1], states[-1].steps[-1], who, Reply(texts[ply]))
        if not copied:
            _copy(log, second)
    for into, source in ((second, first), (first, second)):
        with Log.open(into, split_of=train) as log:
            done = merge(log, source)
            assert done.continued == (into == second and plies[0] != plies[1])
            assert len(log.history.episode(episode).texts) == max(plies)
    sound(second)


def _copy(log, to):
    with contextlib.closing(sqlite3.connect(to)) as target:
        log.reader().backup(target)


async def test_an_episode_that_went_on_in_two_ways_is_refused_by_name_and_nothing_changes(path, other):
    async with Log.open(path, split_of=train) as log:
        episode = await play(log, asker=("half",), teller=())
        _copy(log, other)
    for at, word in ((path, "this"), (other, "that")):
        async with Log.open(at, split_of=train) as log:
            match = log.history.match(episode, Tiny())
            seats = {"asker": Script("win"), "teller": Script(word)}
            await drive(match, seats, log.recorder, episode=episode)
            await play(log)
    before = content(path)
    with Log.open(path, split_of=train) as log, pytest.raises(LogError, match=f"episode {episode} went on differently"):
        merge(log, other)
    assert content(path) == before


async def test_those_who_do_not_agree_stay_out_with_all_their_words(path, other):
    async with Log.open(other, split_of=train) as log:
        shy = log.people.add("local").id
        open_minded = log.people.add("public").id
        await play(log, person=shy, asker=("secret words", "win"))
        await play(log, person=open_minded, asker=("public words", "win"))
        log.write(lambda db: db.execute("UPDATE people SET withdrawn_at = '2026' WHERE id = ?", (shy,)))
    async with Log.open(path, split_of=train) as log:
        done = merge(log, other)
        assert (done.episodes, done.consent) == (1, 1)
        assert [person.id for person in log.people.all()] == [open_minded]
        log.reader().execute("SELECT 1")
    dump = "\n".join(sqlite3.connect(path).iterdump())
    assert "public words" in dump and "secret words" not in dump and shy not in dump
    assert sound(path).episodes == 1


async def test_what_was_erased_here_does_not_come_back(path, other):
    async with Log.open(other, split_of=train) as log:
        await play(log, asker=("gone words", "win"))
        turn = log.reader().execute("SELECT id FROM turns WHERE text = 'gone words'").fetchone()[0]
    async with Log.open(path, split_of=train) as log:
        log.write(
            lambda db: (
                db.execute("INSERT INTO redactions VALUES ('r', NULL, 'asked', '2026', '2026')"),
                db.execute("INSERT INTO tombstones VALUES ('turns', ?, 'r')", (turn,)),
            )
        )
        done = merge(log, other)
        assert done.erased == 1 and "episodes" not in done.rows
    assert "gone words" not in "\n".join(sqlite3.connect(path).iterdump())
    assert sound(path).episodes == 0


async def test_a_filled_slot_keeps_its_episode(path, other):
    async with Log.open(path, split_of=train) as log:
        run = log.new_run("self_play", {})
        _copy(log, other)
        mine = await play(log, run=run, slot=0)
    async with Log.open(other, split_of=train) as log:
        await play(log, run=run, slot=0, asker=("other words", "win"))
        await play(log, run=run, slot=1)
    async with Log.open(path, split_of=train) as log:
        done = merge(log, other)
        assert (done.episodes, done.doubled) == (1, 1)
        assert [row.id == mine for row in log.queries.of_run(run)] == [True, False]
    assert "other words" not in "\n".join(sqlite3.connect(path).iterdump())
    assert sound(path).episodes == 2


async def test_branches_come_with_their_parents_and_stay_with_them(path, other):
    async with Log.open(other, split_of=train) as log:
        shy = log.people.add("local").id
        for person in ("", shy):
            parent = await play(log, person=person)
            match = log.history.match(parent, Tiny())
            early = type(match).replay(match.game, match.instance, match.seed, match.texts[:1])
            await drive(
                early,
                {"asker": Script("win"), "teller": Script("y")},
                log.recorder,
                place=Place(parent=parent, fork_ply=1),
            )
        log.write(lambda db: db.execute("UPDATE people SET consent = 'none' WHERE id = ?", (shy,)))
    with Log.open(path, split_of=train) as log:
        done = merge(log, other)
        assert (done.episodes, done.consent) == (2, 1)
    assert sound(path).episodes == 2


def test_an_older_log_is_merged_and_left_as_it_is(path, other):
    raw = gzip.decompress(FROZEN.read_bytes())
    other.write_bytes(raw)
    with Log.open(path, split_of=train) as log:
        assert merge(log, other).episodes == 3
    assert other.read_bytes() == raw and not list(other.parent.glob("*before*"))
    assert sound(path).episodes == 3


def test_what_is_no_log_is_a_sentence(path, other, tmp_path):
    Log.open(path).close()
    with Log.open(path) as log:
        with pytest.raises(NoLog, match="no log at"):
            merge(log, other)
        other.write_text("hello")
        with pytest.raises(NotALog):
            merge(log, other)
    with Log.open(path, readonly=True) as log, pytest.raises(ReadOnly):
        Log.open(tmp_path / "third.sqlite").close()
        merge(log, tmp_path / "third.sqlite")


@pytest.mark.slow
async def test_twenty_thousand_episodes_take_seconds(path, other):
    async with Log.open(other, split_of=train) as log:
        run = log.new_run("self_play", {})
        await play(log, run=run, slot=0)
        copies = 20_000

        def multiply(db):
            for table, columns in (
                ("episodes", "run_id, group_id, instance_id, game, game_version, seed, opening, started_at"),
                (
                    "turns",
                    "ply, round, role, player_id, assisted, text, verdict, note, says, seen_hash, ms, created_at",
                ),
            ):
                ids = "printf('%s%d%015d', substr(t.id, 1, 10), t.rowid, n.n)"
                more = ", episode_id" if table == "turns" else ", slot"
                value = ", printf('%s1%015d', substr(t.episode_id, 1, 10), n.n)" if table == "turns" else ", n.n + 1"
                db.execute(
                    f"WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {copies - 2}) "
                    f"INSERT INTO {table} (id, {columns}{more}) SELECT {ids}, {columns}{value} FROM {table} t, n "
                    f"WHERE t.rowid <= 3"
                )

        log.write(multiply)
    with Log.open(path, split_of=train) as log:
        began = time.monotonic()
        done = merge(log, other)
        assert done.episodes == 20_000 and time.monotonic() - began < 60


async def test_what_was_thrown_away_there_is_thrown_away_here_only_where_it_is_new(path, other):
    async with Log.open(other, split_of=train) as log:
        ids = [await play(log) for _ in range(2)]
    async with Log.open(path, split_of=train) as log:
        merge(log, other)
        mine = await play(log)
        curate.trash(log, [mine])
        curate.save_view(log, "mine", "game:tiny")
    async with Log.open(other, split_of=train) as log:
        new = await play(log)
        curate.trash(log, [*ids, new])
        curate.save_view(log, "mine", "game:taboo")
        curate.save_view(log, "theirs", "in:trash")
    async with Log.open(path, split_of=train) as log:
        done = merge(log, other)
        assert done.rows["trash"] == 1 and done.rows["saved_views"] == 1
        trashed = {row.id for row in log.queries.matching(Filters(trash="in"))}
        assert trashed == {mine, new}
        views = {view.name: view.query for view in curate.saved_views(log)}
        assert views == {"mine": "game:tiny", "theirs": "in:trash"}
        assert merge(log, other).rows == {}
    sound(path)
