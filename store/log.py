"""The log as the application holds it: one object that records, reads, knows the people, and closes.

async with Log.open("episodes.sqlite") as log:
    run = log.new_run("play", {"game": "taboo"}, seed=7, app_version="0.1.0")
    await drive(match, seats, log.recorder, place=Place(run=run))
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from games import catalog
from store.connection import WAIT, Opened, default_path, open_reader, open_readonly, open_writer
from store.errors import LogClosed, ReadOnly
from store.filesystem import NetworkFileSystem
from store.history import LogHistory
from store.ids import content_id, new_id, now, to_json
from store.people import People
from store.provenance import commit, hardware
from store.queries import Queries
from store.recorder import LogRecorder, SplitOf
from store.writer import Writer

_NEW_RUN = (
    "INSERT INTO runs (id, kind, created_at, app_version, git_commit, git_dirty, seed, config, config_hash, hardware) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
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
                stack.callback(connection.close)

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
