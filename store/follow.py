"""Watching a log that another process writes: what was committed since one last looked.

SQLite tells a connection for next to nothing whether any other has committed (`PRAGMA data_version`), so a follower
looks twenty times a second and reads only when there is something. It reads in a thread, on a connection of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from store.connection import open_reader
from store.records import Progress

T = TypeVar("T")

EVERY = 0.05
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn that was committed."""

    episode: str
    ply: int
    role: str
    player: str
    text: str
    assisted: bool
    ms: float


@dataclass(frozen=True, slots=True)
class News:
    """What is new: turns in order, and the episodes that began, ended (with outcome) or failed (with the sentence)."""

    turns: tuple[NewTurn, ...] = ()
    begun: tuple[str, ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    progress: Progress | None = None

    def __bool__(self) -> bool:
        return bool(self.turns or self.begun or self.ended or self.failed or self.progress)


class Follower:
    """Follows a run, or one episode, from now on. Call `close` at the end; use it in one event loop."""

    def __init__(self, path: Path, *, run: str | None = None, episode: str | None = None) -> None:
        self._path = path
        self._run = run
        self._episode = episode
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._seen: dict[str, int] = {}
        self._beat = ""
        self._one = asyncio.Lock()
        self._gate = threading.Lock()

    async def open(self) -> None:
        """Connect, and take what is there now as known. Raises LogError."""
        await self._ask(self._start)

    async def look(self) -> News | None:
        """What was committed since the last look; None where nothing was."""
        return await self._ask(self._new)

    async def news(self, every: float = EVERY) -> AsyncIterator[News]:
        """News as they come, for ever."""
        await self.open()
        while True:
            if found := await self.look():
                yield found
            await asyncio.sleep(every)

    async def turn(self, episode: str, ply: int, every: float = EVERY) -> NewTurn:
        """The turn of this ply, as soon as it is committed by whomever."""
        while (found := await self._ask(lambda db: self._at(db, episode, ply))) is None:
            await asyncio.sleep(every)
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        async with self._one:
            await asyncio.to_thread(self._disconnect)

    async def _ask(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Run a read in a thread; one at a time, since the connection is one."""
        async with self._one:
            reading = asyncio.ensure_future(asyncio.to_thread(self._connected, call))
            try:
                return await asyncio.shield(reading)
            except asyncio.CancelledError:
                await asyncio.wait([reading])
                raise

    def _connected(self, call: Callable[[sqlite3.Connection], T]) -> T:
        with self._gate:
            if self._connection is None:
                self._connection = open_reader(self._path)
            return call(self._connection)

    def _disconnect(self) -> None:
        with self._gate:  # whoever is cancelled twice leaves its read behind, and closing under it ends the process
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _start(self, db: sqlite3.Connection) -> None:
        self._version = db.execute("PRAGMA data_version").fetchone()[0]
        for name, table, column in _MARKS:
            self._seen[name] = db.execute(f"SELECT coalesce(max({column}), 0) FROM {table}").fetchone()[0]
        self._beat = self._progress(db)[1]

    def _new(self, db: sqlite3.Connection) -> News | None:
        version = db.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return None
        self._version = version
        db.execute("BEGIN")  # one moment for all that is read
        try:
            turns = self._since(db, "turns", _TURNS)
            begun = self._since(db, "episodes", "SELECT e.rowid, e.id FROM episodes e WHERE e.rowid > ?")
            ended = self._since(db, "results", _ENDED)
            failed = self._since(db, "failures", _FAILED)
            progress, beat = self._progress(db)
        finally:
            db.execute("COMMIT")
        changed, self._beat = beat != self._beat, beat
        return News(
            turns=tuple(map(_turn, turns)),
            begun=tuple(row[0] for row in begun),
            ended=tuple((row[0], row[1]) for row in ended),
            failed=tuple((row[0], row[1]) for row in failed),
            progress=progress if changed else None,
        )

    def _since(self, db: sqlite3.Connection, name: str, sql: str) -> list[tuple[Any, ...]]:
        """Rows that came since the last look, without their number."""
        of, which = ("e.run_id", self._run) if self._run else ("e.id", self._episode)
        sql = f"{sql} AND {of} = ? ORDER BY 1" if which else f"{sql} ORDER BY 1"
        rows: list[tuple[Any, ...]] = db.execute(sql, (self._seen[name], *([which] if which else []))).fetchall()
        if rows:
            self._seen[name] = rows[-1][0]
        return [row[1:] for row in rows]

    def _progress(self, db: sqlite3.Connection) -> tuple[Progress | None, str]:
        if self._run is None:
            return None, ""
        row = db.execute(f"SELECT {_PROGRESS} FROM progress WHERE run_id = ?", (self._run,)).fetchone()
        return (None, "") if row is None else (Progress(*row), row[-1])

    @staticmethod
    def _at(db: sqlite3.Connection, episode: str, ply: int) -> NewTurn | None:
        row = db.execute(_ONE, (episode, ply)).fetchone()
        return None if row is None else _turn(row)


def _turn(row: Sequence[Any]) -> NewTurn:
    values: list[Any] = [*row[:5], bool(row[5]), row[6]]
    return NewTurn(*values)


_COLUMNS = "t.episode_id, t.ply, t.role, p.name, t.text, t.assisted, t.ms"
_ONE = f"SELECT {_COLUMNS} FROM turns t JOIN players p ON p.id = t.player_id WHERE t.episode_id = ? AND t.ply = ?"
_TURNS = f"""SELECT t.seq, {_COLUMNS} FROM turns t JOIN players p ON p.id = t.player_id
JOIN episodes e ON e.id = t.episode_id WHERE t.seq > ?"""
_ENDED = "SELECT r.rowid, e.id, r.outcome FROM results r JOIN episodes e ON e.id = r.episode_id WHERE r.rowid > ?"
_FAILED = "SELECT f.rowid, e.id, f.message FROM failures f JOIN episodes e ON e.id = f.episode_id WHERE f.rowid > ?"
_PROGRESS = "state, planned, done, failed, running, tokens_in, tokens_out, cost, seconds, host, pid, beat_at"
_MARKS = (
    ("turns", "turns", "seq"),
    ("episodes", "episodes", "rowid"),
    ("results", "results", "rowid"),
    ("failures", "failures", "rowid"),
)
