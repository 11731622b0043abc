"""Keeping house: info, a check that finds what was tampered with, and backups that overwrite nothing."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from tiny_game import Louder, Script, Tiny, new_match

from players.base import PlayerError
from players.driver import drive
from store.errors import FileExists, LogError, NoFolder
from store.keep import backup, check, info
from store.log import Log
from store.schema import NAMES


@pytest.fixture
async def played(log):
    await drive(new_match(), {"asker": Script("one", "!", "win"), "teller": Script("a")}, log.recorder)
    with pytest.raises(PlayerError):
        await drive(new_match(seed=8), {"asker": Script("one"), "teller": Script()}, log.recorder)
    return log


def tamper(path, *statements):
    """Change a log behind its back, as a stray program would: without our settings."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for name in ("turns", "messages", "results"):
            db.execute(f"DROP TRIGGER IF EXISTS {name}_stay")
            db.execute(f"DROP TRIGGER IF EXISTS {name}_remain")
        for statement in statements:
            assert db.execute(statement).rowcount > 0, statement
        db.commit()


def look(log, **options):
    return check(log, game_of=options.pop("game_of", lambda name: Tiny()), **options)


async def test_a_good_log_has_no_problems(played):
    report = look(played)
    assert report.ok and report.problems == () and report.skipped == {}
    assert report.replayed == report.episodes == 2 and report.messages > 5


async def test_info(played, path):
    played.people.add("research")
    found = info(played)
    assert found.path == path and found.schema == NAMES[-1] and found.journal == "wal"
    assert found.size > 50_000 and found.waiting > 0 and found.free > 0
    assert found.counts.episodes == 2 and found.games == {"tiny": {"success": 1, "unfinished": 1}}
    assert found.people == {"research": 1} and found.first <= found.last and found.notices == ()


async def test_info_of_an_empty_log(log):
    found = info(log)
    assert found.first is None and found.games == {} and found.counts.turns == 0


@pytest.mark.parametrize(
    ("statement", "kind", "says"),
    [
        ("UPDATE messages SET content = 'forged' WHERE content LIKE 'It is%'", "hash", "not the one that was logged"),
        ("UPDATE turns SET text = 'two' WHERE ply = 0", "replay", "would have heard something else"),
        ("UPDATE turns SET verdict = 'ok' WHERE verdict = 'illegal'", "replay", "asker ok, now it is asker illegal"),
        ("UPDATE turns SET says = '[]' WHERE ply = 0", "replay", "answers something else"),
        ("UPDATE results SET outcome = 'failure'", "replay", "outcome was 'failure', played again it is 'success'"),
        ("UPDATE results SET main = 3", "replay", "main score was 3.0"),
        ("UPDATE heard SET hash = (SELECT seen_hash FROM turns LIMIT 1)", "replay", "by the end"),
        ("DELETE FROM turns WHERE ply = 1", "order", "a turn is missing"),
        ("DELETE FROM turns WHERE text = 'win'", "order", "its result counts 4 turns, the log has 3"),
        ("DELETE FROM seats WHERE role = 'teller'", "order", "a role that has no seat spoke"),
        ("DELETE FROM instances", "reference", "names a row of instances that is not there"),
        ("INSERT INTO redactions VALUES ('r', NULL, 'x', '2026', NULL)", "redaction", "never closed"),
    ],
)
async def test_what_was_tampered_with_is_found(played, path, statement, kind, says):
    tamper(path, statement)
    report = look(played)
    assert not report.ok
    assert any(problem.kind == kind and says in problem.message for problem in report.problems), report.problems


async def test_a_search_index_that_lies_is_found(played, path):
    tamper(path, "INSERT INTO turns_fts(turns_fts, rowid, text) VALUES ('delete', 1, 'one')")
    assert [problem.kind for problem in look(played).problems] == ["search"]


async def test_a_damaged_file_is_reported_not_raised(played, path):
    (root,) = played.reader().execute("SELECT rootpage FROM sqlite_master WHERE name = 'scorings'").fetchone()
    played.close()
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with Log.open(path, readonly=True) as log:
        report = look(log)
    assert not report.ok and {problem.kind for problem in report.problems} >= {"file"}


async def test_rules_that_changed_without_a_new_version_are_found(played):
    report = look(played, game_of=lambda name: Louder())
    assert any("answers something else" in problem.message for problem in report.problems)


async def test_what_cannot_be_replayed_is_counted_not_blamed(played):
    def nowhere(name):
        raise LookupError(name)

    class Newer(Tiny):
        version = 2

    assert look(played, game_of=nowhere).skipped == {"no code for tiny": 2}
    assert look(played, game_of=lambda name: Newer()).skipped == {"tiny@1 is tiny@2 here": 2}
    assert look(played, sample=1).replayed == 1
    assert look(played, sample=0).replayed == 0


async def test_erased_words_are_no_fault(played):
    def redact(db):
        db.execute("INSERT INTO redactions VALUES ('R', NULL, 'asked', '2026', NULL)")
        db.execute("INSERT INTO tombstones SELECT 'turns', id, 'R' FROM turns WHERE text = 'a'")
        db.execute("UPDATE turns SET text = '' WHERE text = 'a'")
        db.execute("UPDATE redactions SET closed_at = '2026'")

    played.write(redact)
    report = look(played)
    assert report.ok and report.skipped == {"words were erased": 1}


async def test_a_game_that_breaks_on_its_own_log_is_a_problem(played):
    class Broken(Tiny):
        def play(self, state, text, rng):
            raise ZeroDivisionError("oh")

    assert any(
        "ZeroDivisionError: oh" in problem.message for problem in look(played, game_of=lambda n: Broken()).problems
    )


async def test_a_log_open_to_be_read_can_be_checked(played, path):
    with Log.open(path, readonly=True) as log:
        assert look(log).ok


async def test_a_backup_is_whole_and_overwrites_nothing(played, tmp_path):
    to = tmp_path / "copy.sqlite"
    done = backup(played, to)
    assert done.path == to and done.size == to.stat().st_size > 50_000
    with Log.open(to) as copy:
        assert look(copy).ok and copy.queries.counts() == played.queries.counts()
    before = to.read_bytes()
    with pytest.raises(FileExists, match="choose another name"):
        backup(played, to)
    assert to.read_bytes() == before
    with pytest.raises(NoFolder):
        backup(played, tmp_path / "no" / "copy.sqlite")
    with pytest.raises(FileExists):
        backup(played, tmp_path)


async def test_a_backup_that_fails_leaves_nothing(played, tmp_path, monkeypatch):
    class Broken:
        def backup(self, target):
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(played, "reader", Broken)
    with pytest.raises(LogError, match="disk I/O error"):
        backup(played, tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()
