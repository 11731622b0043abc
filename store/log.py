"""The log as the application holds it: one object that records, reads, knows the people, and closes.

async with Log.open("episodes.sqlite") as log:
    run = log.new_run("play", {"game": "taboo"}, seed=7, app_version="0.1.0")
    await drive(match, seats, log.recorder, place=Place(run=run))
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from games import catalog
from games.engine import Role
from store.connection import WAIT, Opened, Reader, default_path, open_reader, open_readonly, open_writer
from store.errors import LogClosed, ReadOnly, Taken
from store.filesystem import NetworkFileSystem
from store.history import LogHistory
from store.ids import content_id, new_id, now, to_json
from store.people import People
from store.provenance import commit, hardware
from store.queries import Queries
from store.recorder import LogRecorder, SplitOf
from store.records import Progress, Sign
from store.writer import Work, Writer

_NEW_RUN = (
    "INSERT INTO runs (id, kind, created_at, app_version, git_commit, git_dirty, seed, config, config_hash, hardware) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
BEAT = (
    "INSERT OR REPLACE INTO progress (run_id, state, planned, done, failed, running, tokens_in, tokens_out, cost, "
    "seconds, host, pid, beat_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SAID_APART = "BCDFGHJKMNPQRSTVWXZ"
"""Letters of codes: no vowels, so that no words come out, and none that is easily taken for another."""


def _new_code() -> str:
    """Six letters in two halves, such as `KTR-WQM`: 47 million of them, easily read out."""
    letters = [secrets.choice(_SAID_APART) for _ in range(6)]
    return f"{''.join(letters[:3])}-{''.join(letters[3:])}"


RunKind: TypeAlias = Literal["play", "self_play", "eval", "train", "branch", "study", "import"]


class Log:
    """One open log. Reading works from any thread; writing goes through one thread of its own.

    `history` reads episodes back (`players.ports.History`), `queries` answers everything else, `people` knows who
    agreed to what. `network` is set when the file lies on a network file system, `backup` when an older log was just
    brought up to date; `notices` has both as sentences, which the caller shows.
    """

    def __init__(self, path: Path, opened: Opened, *, readonly: bool, wait: float, split_of: SplitOf) -> None:
        self.path = path
        self.readonly = readonly
        self.network: NetworkFileSystem | None = opened.network
        self.backup: Path | None = opened.backup
        self._wait = wait
        self._closed = False
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._writer: Writer | None = None
        self._recorder: LogRecorder | None = None
        if readonly:
            self._keep(opened.connection)
        else:
            self._writer = Writer(opened.connection, path)
            self._recorder = LogRecorder(self._writer, split_of)
        self.history = LogHistory(self.reader)
        self.queries = Queries(self.reader)
        self.people = People(self.reader, self._writer)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        readonly: bool = False,
        *,
        wait: float = WAIT,
        split_of: SplitOf = catalog.split_of,
    ) -> Log:
        """Open the log at `path` (default `$PLAYPEN_DB` or `episodes.sqlite` here), or create it.

        `wait` is how many seconds to wait for other writers. Raises LogError, whose message is fit for users.
        """
        place = Path(path) if path is not None else default_path()
        opened = open_readonly(place, wait=wait) if readonly else open_writer(place, wait=wait)
        return cls(place, opened, readonly=readonly, wait=wait, split_of=split_of)

    @property
    def recorder(self) -> LogRecorder:
        """Writes episodes (`players.ports.Recorder`). Raises ReadOnly on a log that was opened to be read."""
        if self._recorder is None:
            raise ReadOnly(f"{self.path} was opened to be read only; open it for writing to record")
        return self._recorder

    @property
    def notices(self) -> list[str]:
        """Sentences the user should see."""
        found = [str(self.network)] if self.network else []
        if self.backup:
            found.append(f"the log was brought up to date; as it was before, it lies in {self.backup}")
        return found

    def write(self, call: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run a function inside one transaction of the writing thread, and wait for it. For the store's own floor."""
        if self._writer is None:
            raise ReadOnly(f"{self.path} was opened to be read only; open it for writing")
        return self._writer.do(call)

    def new_run(self, kind: RunKind, config: Mapping[str, Any], seed: int | None = None, app_version: str = "") -> str:
        """Log the beginning of a run with everything needed to repeat it; returns its id."""
        run = new_id()
        head, dirty = commit()
        data = to_json(dict(config))
        row = (run, kind, now(), app_version, head, dirty, seed, data, content_id(dict(config)), to_json(hardware()))
        self.write(lambda connection: connection.execute(_NEW_RUN, row).rowcount)
        return run

    async def beat(self, run: str, progress: Progress) -> None:
        """Say how far a run is. Raises LogError."""
        row = (run, *astuple(progress)[:-1], now())
        await self._do(lambda connection: connection.execute(BEAT, row).rowcount)

    async def tag(self, episode: str, tag: str) -> None:
        """Put a word on an episode; twice is once. Raises LogError."""
        sql = "INSERT INTO tags (episode_id, tag, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        await self._do(lambda connection: connection.execute(sql, (episode, tag, now())).rowcount)

    async def untag(self, episode: str, tag: str) -> None:
        """Take a word off an episode. Raises LogError."""
        sql = "DELETE FROM tags WHERE episode_id = ? AND tag = ?"
        await self._do(lambda connection: connection.execute(sql, (episode, tag)).rowcount)

    async def invite(self, episode: str, role: Role, code: str | None = None) -> str:
        """Open a seat to other terminals, under this code or a new one; a code that was closed here opens it again.

        A seat has one open code. Raises Taken where another seat has the code, LogError.
        """
        wished = code.strip().upper() if code else None

        def write(connection: sqlite3.Connection) -> str:
            found = connection.execute(
                "SELECT code FROM invitations WHERE episode_id = ? AND role = ? AND closed_at IS NULL", (episode, role)
            ).fetchone()
            if found is not None:
                return found[0]
            taken = connection.execute("SELECT episode_id, role FROM invitations WHERE code = ?", (wished,)).fetchone()
            if taken == (episode, role):
                connection.execute("UPDATE invitations SET closed_at = NULL WHERE code = ?", (wished,))
                return str(wished)
            if taken is not None:
                raise Taken(f"the code {wished} is used already; choose another, or leave it out")
            made = wished or _new_code()
            connection.execute(
                "INSERT INTO invitations (code, episode_id, role, opened_at) VALUES (?, ?, ?, ?)",
                (made, episode, role, now()),
            )
            return made

        return await self._do(write)

    async def attend(self, code: str, last: str = "") -> Sign:
        """Leave the sign that whoever joined with this code is there; none is left where the seat is closed.

        `last` is the sign that was left before (`Sign.at`): another that stands there instead is from another terminal
        at the same seat. Raises LogError.
        """

        def write(connection: sqlite3.Connection) -> Sign:
            at = now()
            row = connection.execute("SELECT seen_at, closed_at FROM invitations WHERE code = ?", (code,)).fetchone()
            if row is None or row[1] is not None:
                return Sign("", open=False)
            connection.execute("UPDATE invitations SET seen_at = ? WHERE code = ?", (at, code))
            return Sign(at, open=True, other=bool(last) and row[0] != last)

        return await self._do(write)

    async def withdraw(self, code: str) -> None:
        """Close a seat to other terminals. Raises LogError."""
        sql = "UPDATE invitations SET closed_at = ? WHERE code = ? AND closed_at IS NULL"
        await self._do(lambda connection: connection.execute(sql, (now(), code)).rowcount)

    async def _do(self, call: Callable[[sqlite3.Connection], Any]) -> Any:
        if self._writer is None:
            raise ReadOnly(f"{self.path} was opened to be read only; open it for writing")
        work = self._writer.submit(Work({}, call=call, loop=asyncio.get_running_loop()))
        await work
        return work.result

    def reader(self) -> sqlite3.Connection:
        """A connection of this thread's own that cannot write. Raises LogClosed."""
        if self._closed:
            raise LogClosed(f"the log {self.path} was closed already; open it again")
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._keep(open_reader(self.path, wait=self._wait))
        return connection

    def _keep(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        self._local.connection = connection
        with self._lock:
            self._readers.append(connection)
        return connection

    def close(self) -> None:
        """Write what still waits and close. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        with self._lock, contextlib.ExitStack() as stack:
            # the writer goes last: the last connection to close folds the write-ahead log into the file
            if self._writer is not None:
                stack.callback(self._writer.close)
            for connection in self._readers:
                # one that another thread is reading from, such as a screen's that was left meanwhile, would take the
                # process with it
                stack.callback(connection.let_go if isinstance(connection, Reader) else connection.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)
