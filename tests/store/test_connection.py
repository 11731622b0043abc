"""The door: what is opened, what is refused and left as it was, and what the user is told."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from store import connection, migrations
from store.connection import connect, default_path, explain, open_readonly, open_writer
from store.errors import (
    Damaged,
    DiskFull,
    LogError,
    LogLocked,
    NewerSchema,
    NoFolder,
    NoLog,
    NotALog,
    ReadOnly,
)
from store.filesystem import NetworkFileSystem
from store.log import Log

assert migrations, "loaded here, since some tests give up the right to read it"


def snapshot(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def foreign_database(path, *, wal=False):
    with contextlib.closing(sqlite3.connect(path)) as other:
        if wal:
            other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE bookmarks (url)")
        other.execute("INSERT INTO bookmarks VALUES ('x')")
        other.commit()


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("Dear diary, this is not a database."),
        lambda path: path.write_bytes(bytes(range(256)) * 100),
        lambda path: path.write_bytes(connection.MAGIC),
        lambda path: path.write_bytes(connection.MAGIC + b"\xff" * 5000),
        foreign_database,
        lambda path: foreign_database(path, wal=True),
    ],
    ids=["text", "bytes", "short", "garbage", "other", "other-wal"],
)
def test_what_is_not_a_log_is_not_touched(path, write, readonly):
    write(path)
    before = snapshot(path.parent)
    with pytest.raises(NotALog, match="was not touched"):
        Log.open(path, readonly=readonly)
    assert snapshot(path.parent) == before


def test_a_foreign_database_in_use_is_not_touched(path):
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("PRAGMA wal_autocheckpoint=0")
        other.execute("CREATE TABLE bookmarks (url)")
        other.commit()
        before = snapshot(path.parent)
        with pytest.raises(NotALog):
            Log.open(path)
        assert snapshot(path.parent) == before


def test_an_empty_file_becomes_a_log_and_so_does_an_empty_database(path):
    path.touch()
    Log.open(path).close()
    assert path.stat().st_size > 0
    other = path.with_name("other.sqlite")
    with contextlib.closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE x (y)")
        db.execute("DROP TABLE x")
    Log.open(other).close()


def test_a_log_rebuilt_from_a_dump_is_still_a_log(path):
    Log.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        own = ("turns_fts", "sqlite_master", "sqlite_stat1")
        script = "\n".join(line for line in db.iterdump() if not any(word in line for word in own))
    copy = path.with_name("copy.sqlite")
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.executescript(script)
    Log.open(copy).close()


def test_a_folder_and_a_missing_folder(tmp_path):
    with pytest.raises(NotALog, match="is a folder"):
        Log.open(tmp_path)
    with pytest.raises(NoFolder, match="create it"):
        Log.open(tmp_path / "no" / "such" / "e.sqlite")


def test_reading_a_log_that_is_not_there_creates_none(path):
    with pytest.raises(NoLog, match="play a game first"):
        Log.open(path, readonly=True)
    assert not path.exists()


def test_the_settings(path):
    opened = open_writer(path)
    with contextlib.closing(opened.connection) as db:
        wanted = "journal_mode synchronous foreign_keys secure_delete busy_timeout recursive_triggers"
        settings = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted.split()}
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "secure_delete": 1,
        "busy_timeout": 30_000,
        "recursive_triggers": 1,
    }
    assert opened.network is None and opened.backup is None


def test_after_closing_one_file_is_left(path):
    Log.open(path).close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_reader_cannot_write(log):
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        log.reader().execute("DELETE FROM episodes")


def test_the_default_path(monkeypatch, path):
    monkeypatch.delenv("PLAYPEN_DB", raising=False)
    assert default_path() == Path("episodes.sqlite")
    monkeypatch.setenv("PLAYPEN_DB", str(path))
    assert default_path() == path
    with Log.open() as log:
        assert log.path == path


def test_a_name_with_odd_characters(tmp_path):
    path = tmp_path / "what? 100% #1 ü.sqlite"
    with Log.open(path) as log:
        assert log.queries.counts().episodes == 0
    assert path.exists()


def test_a_newer_log_is_refused_and_left(path):
    Log.open(path).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('playpen_tui', '0099_future', '')"
        )
        db.commit()
    before = snapshot(path.parent)
    for readonly in (True, False):
        with pytest.raises(NewerSchema, match=r"0099_future.*update playpen-tui"):
            Log.open(path, readonly=readonly)
    assert snapshot(path.parent)[path.name] == before[path.name]


def test_on_a_network_file_system_there_is_no_write_ahead_log(path, monkeypatch):
    there = NetworkFileSystem(path, "nfs4", Path("/home"))
    monkeypatch.setattr(connection, "network_of", lambda path: there)
    with Log.open(path) as log:
        assert log.network == there
        (notice,) = log.notices
        assert "nfs4" in notice and str(path) in notice and "--db" in notice
        assert log.reader().execute("PRAGMA journal_mode").fetchone() == ("delete",)
        log.new_run("play", {})
        assert not path.with_name(path.name + "-wal").exists()
    monkeypatch.undo()
    with Log.open(path) as log:
        assert log.reader().execute("PRAGMA journal_mode").fetchone() == ("wal",)


HOLD = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("COMMIT")
"""


@contextlib.contextmanager
def held(path, seconds):
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"held\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_lock_is_waited_for(path):
    Log.open(path).close()
    with held(path, 0.3), Log.open(path, wait=10) as log:
        log.new_run("play", {})
        assert log.queries.counts().runs == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_who_holds_the_lock_is_named(path):
    Log.open(path).close()
    with held(path, 60) as child, pytest.raises(LogLocked) as raised:
        Log.open(path, wait=0.1)
    assert f"process {child.pid} (" in str(raised.value) and "python" in str(raised.value)
    with Log.open(path, wait=0.1) as log, held(path, 60) as child:
        with pytest.raises(LogLocked, match=f"process {child.pid} "):
            log.new_run("play", {})
        child.kill()
        child.wait()
        log.new_run("play", {})


def test_a_full_disk_loses_nothing_that_was_committed(path):
    opened = open_writer(path)
    db = opened.connection
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 20}")
    from store.writer import Writer

    writer = Writer(db, path)
    insert = "INSERT INTO messages VALUES (?, NULL, 'user', ?)"
    writer.do(lambda db: db.execute(insert, ("a", "x")).rowcount)
    with pytest.raises(DiskFull, match="free some space"):
        writer.do(lambda db: db.executemany(insert, [(str(n), "y" * 10_000) for n in range(50)]).rowcount)
    writer.do(lambda db: db.execute(insert, ("b", "x")).rowcount)
    writer.close()
    with contextlib.closing(connect(path)) as db:
        assert db.execute("SELECT hash FROM messages ORDER BY 1").fetchall() == [("a",), ("b",)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@contextlib.contextmanager
def as_nobody():
    """Without the rights of root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(tmp_path):
    """A folder that another user can reach; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_what_cannot_be_written_says_so_and_can_be_read(open_folder):
    path = open_folder / "e.sqlite"
    open_folder.chmod(0o555)
    with as_nobody(), pytest.raises(ReadOnly, match="choose another file"):
        Log.open(path)
    open_folder.chmod(0o755)
    Log.open(path).close()
    open_folder.chmod(0o555)
    path.chmod(0o666)
    with as_nobody(), pytest.raises(ReadOnly, match="cannot be written by you, so the log can only be read"):
        Log.open(path)
    path.chmod(0o444)
    with as_nobody(), pytest.raises(ReadOnly, match="cannot be written by you"):
        Log.open(path)
    with as_nobody(), Log.open(path, readonly=True) as log:
        assert log.queries.counts().episodes == 0, "though the folder has no room for shared memory"
    path.chmod(0o000)
    with as_nobody(), pytest.raises(ReadOnly, match="may not be read by you"):
        Log.open(path, readonly=True)
    open_folder.chmod(0o755)


def test_a_log_that_is_there_and_cannot_be_opened_can_still_be_read(path):
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    assert "cannot be opened or created there" in str(explain(error, path))
    path.touch()
    assert "so the log can only be read" in str(explain(error, path))


def test_a_damaged_file_is_named_as_such(path):
    with Log.open(path) as log:
        log.new_run("play", {"x": "y" * 50_000})
    data = bytearray(path.read_bytes())
    data[100:4096] = os.urandom(3996)
    path.write_bytes(data)
    with pytest.raises(LogError) as raised:
        Log.open(path)
    assert isinstance(raised.value, Damaged) and "restore a backup" in str(raised.value)


def test_every_other_error_of_sqlite_still_has_a_sentence(path):
    error = sqlite3.OperationalError("odd")
    assert type(explain(error, path)) is LogError and "odd" in str(explain(error, path))
    same = DiskFull("x")
    assert explain(same, path) is same


def test_old_logs_are_not_changed_by_reading(path):
    with contextlib.closing(connect(path)) as db:
        db.execute(f"PRAGMA application_id = {connection.APPLICATION_ID}")
        db.execute("CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set, name, applied_at)")
        db.execute("INSERT INTO _sqlite_migrations VALUES (1, 'playpen_tui', '0001_log', '')")
    with pytest.raises(NoLog, match="older version"):
        open_readonly(path)


def test_read_only_means_it(path):
    Log.open(path).close()
    with Log.open(path, readonly=True) as log:
        with pytest.raises(ReadOnly):
            log.recorder  # noqa: B018
        with pytest.raises(ReadOnly):
            log.new_run("play", {})
        with pytest.raises(ReadOnly):
            log.people.add()
        assert log.queries.counts().runs == 0
