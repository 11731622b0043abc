"""The door to the file: look before touching, connect with the settings the log relies on, say in words what is wrong.

Write-ahead log, foreign keys, thirty seconds of patience for other writers, deleted words overwritten. Whatever is not
a log of ours is refused by reading its header, before SQLite gets to see it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from store.errors import Damaged, DiskFull, LogError, LogLocked, NoFolder, NoLog, NotALog, ReadOnly
from store.filesystem import NetworkFileSystem, holders, network_of
from store.schema import APPLICATION_ID, NAMES, SET, applied, refuse_newer

WAIT = 30.0
"""Seconds to wait for another process's lock."""

MAGIC = b"SQLite format 3\0"
_READ_ONLY_CODES = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection, and what the user should hear about it."""

    connection: sqlite3.Connection
    network: NetworkFileSystem | None = None
    backup: Path | None = None
    """The copy made before an older log was migrated."""


def default_path() -> Path:
    """`$PLAYPEN_DB`, else `episodes.sqlite` in the current folder."""
    return Path(os.environ.get("PLAYPEN_DB") or "episodes.sqlite")


def look(path: Path) -> bool:
    """Whether a log is there (an empty file is none yet). Raises NotALog or NoFolder; touches nothing."""
    if path.is_dir():
        raise NotALog(f"{path} is a folder; name a file with --db")
    if not path.parent.is_dir():
        raise NoFolder(f"there is no folder {path.parent} for the log; create it, or choose another file with --db")
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    except PermissionError as error:
        raise ReadOnly(
            f"{path} may not be read by you; change its permissions, or choose another file with --db"
        ) from error
    if not header:
        return False
    if not header.startswith(MAGIC):
        raise NotALog(f"{path} is not an SQLite database; it was not touched, choose another file with --db")
    if int.from_bytes(header[68:72]) != APPLICATION_ID and not _ours(path):
        raise NotALog(f"{path} belongs to another program; it was not touched, choose another file with --db")
    return True


def _ours(path: Path) -> bool:
    """Whether a database without our mark is ours after all: rebuilt from a dump, or still without any table."""
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        return False
    try:
        with closing(sqlite3.connect(_uri(path, "mode=ro&immutable=1"), uri=True)) as peek:
            return SET in _sets(peek) or not peek.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError:
        return False


def _sets(peek: sqlite3.Connection) -> list[str]:
    if not peek.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return []
    return [name for (name,) in peek.execute("SELECT DISTINCT migration_set FROM _sqlite_migrations")]


def _uri(path: Path, query: str) -> str:
    return f"file:{quote(str(path.absolute()))}?{query}"


class Reader(sqlite3.Connection):
    """A connection that knows whether somebody is in the middle of a query: closing it then crashes the process."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = threading.RLock()
        self._cursors: weakref.WeakSet[sqlite3.Cursor] = weakref.WeakSet()

    def cursor(self, *args: Any, **options: Any) -> Any:
        """A cursor that is counted while it lives."""
        made = super().cursor(*args, **options)
        self._cursors.add(made)
        return made

    def execute(self, *args: Any) -> Any:
        """Through a cursor that is counted; the one that SQLite's module makes by itself is not."""
        with self._gate:
            return self.cursor().execute(*args)

    def let_go(self) -> None:
        """Close, or where a cursor of it is alive leave that to the last one."""
        with self._gate:
            if not len(self._cursors):
                self.close()


def connect(path: Path, *, readonly: bool = False, wait: float = WAIT) -> sqlite3.Connection:
    """A connection with our settings; transactions are begun and ended by hand. Raises sqlite3.Error."""
    mode = "ro" if readonly else "rwc"
    connection = sqlite3.connect(
        _uri(path, f"mode={mode}"),
        uri=True,
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=Reader if readonly else sqlite3.Connection,
    )
    try:
        _prepare(connection, readonly)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, readonly: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA recursive_triggers = ON")  # else INSERT OR REPLACE slips past the append-only triggers
    connection.execute("PRAGMA secure_delete = ON")
    # every thread has a reader of its own, and the system's cache stands behind them all
    connection.execute(f"PRAGMA cache_size = -{16384 if readonly else 65536}")


def open_reader(path: Path, *, wait: float = WAIT) -> sqlite3.Connection:
    """A connection that cannot write. Raises LogError."""
    try:
        try:
            return _probe(connect(path, readonly=True, wait=wait))
        except sqlite3.OperationalError as error:
            # a folder that cannot be written has no room for the shared memory of a write-ahead log; a file that
            # nobody is writing to can be read without
            denied = error.sqlite_errorcode & 0xFF in (*_READ_ONLY_CODES, sqlite3.SQLITE_CANTOPEN)
            if not denied or path.with_name(path.name + "-wal").exists():
                raise
            uri = _uri(path, "mode=ro&immutable=1")
            return _probe(sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=Reader))
    except sqlite3.Error as error:
        raise explain(error, path) from error


def _probe(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_readonly(path: Path, *, wait: float = WAIT) -> Opened:
    """Open a log to read it. Raises LogError; NoLog where there is none, or one that is older than this version."""
    if not look(path):
        raise NoLog(f"there is no log at {path}; play a game first, or name another file with --db")
    connection = open_reader(path, wait=wait)
    refuse_newer(connection, path)
    if list(applied(connection)) != list(NAMES):
        connection.close()
        raise NoLog(f"{path} was written by an older version; open it once for writing, which brings it up to date")
    return Opened(connection, network_of(path))


def open_writer(path: Path, *, wait: float = WAIT) -> Opened:
    """Open or create a log, and bring its schema up to date. Raises LogError."""
    there = look(path)
    network = network_of(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = connect(path, wait=wait)
        backup = None
        if not there or list(applied(connection)) != list(NAMES):
            refuse_newer(connection, path)
            from store.migrations import migrate  # slow to import, and seldom needed

            backup = migrate(connection, path)
        _journal(connection, network, wait)
        connection.execute("BEGIN IMMEDIATE")  # whether we may write is better known now than at the first turn
        connection.execute("ROLLBACK")
    except (sqlite3.Error, LogError) as error:
        if connection is not None:
            connection.close()
        raise explain(error, path) from error if isinstance(error, sqlite3.Error) else None
    return Opened(connection, network, backup)


def _journal(connection: sqlite3.Connection, network: NetworkFileSystem | None, wait: float) -> None:
    if network is not None:
        patiently(connection, "PRAGMA journal_mode = DELETE", wait)
        connection.execute("PRAGMA synchronous = FULL")
        return
    patiently(connection, "PRAGMA journal_mode = WAL", wait)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")


def patiently(connection: sqlite3.Connection, pragma: str, wait: float) -> None:
    """Run what SQLite gives up on at once, without the patience it has for transactions."""
    until = time.monotonic() + wait
    while True:
        try:
            connection.execute(pragma)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def explain(error: Exception, path: Path) -> LogError:
    """The sentence for an error of SQLite's, with who holds the lock where that is the matter."""
    if isinstance(error, LogError):
        return error
    whole = getattr(error, "sqlite_errorcode", 0)
    code = whole & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        who = " and ".join(str(holder) for holder in holders(path)) or "another process"
        return LogLocked(f"{path} is locked by {who}; wait for it to end, or choose another file with --db")
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"no space is left for {path}; every turn committed so far is safe, free some space and resume")
    if whole == sqlite3.SQLITE_READONLY_DIRECTORY or (code == sqlite3.SQLITE_CANTOPEN and path.is_file()):
        return ReadOnly(
            f"the folder of {path} cannot be written by you, so the log can only be read; change its permissions, or"
            " choose another file with --db"
        )
    if code in _READ_ONLY_CODES:
        return ReadOnly(f"{path} cannot be written by you; change its permissions, or choose another file with --db")
    if code == sqlite3.SQLITE_CANTOPEN:
        return ReadOnly(f"{path} cannot be opened or created there; choose another file with --db")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Damaged(f"{path} is damaged ({error}); restore a backup, or save what is left with sqlite3's .recover")
    return LogError(f"{path}: {error}; see what `playpen-tui db check` says")
