"""The one thread of a process that writes: everything that waits goes into one transaction.

Rows of many episodes share a commit, which is what makes recording cheap. When one of them is refused the transaction
is rolled back and each piece of work is written by itself, so that only the culprit hears of it. No transaction is
ever open while somebody waits for a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from store.connection import explain
from store.errors import LogClosed, LogError, NoConsent, Taken

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Mapping[str, Sequence[Row]]
"""Rows by table, columns in the order of `COLUMNS`."""

COLUMNS: Mapping[str, str] = {
    "runs": "id kind created_at app_version git_commit git_dirty seed config config_hash hardware",
    "instances": "id game name key experiment language split data",
    "players": "id kind name revision adapter_hash sampling",
    "episodes": "id run_id slot group_id instance_id game game_version seed parent_id fork_ply opening started_at",
    "seats": "episode_id role player_id person_id",
    "messages": "hash parent_hash role content",
    "turns": "id episode_id ply round role player_id person_id assisted text verdict note says seen_hash ms created_at",
    "calls": "id episode_id ply role turn_id player_id prompt_hash text reasoning finish tokens_in tokens_out ms "
    "first_token_ms assisted sampling error token_ids logprobs raw created_at",
    "rollouts": "episode_id candidate_id",
    "heard": "episode_id role hash",
    "results": "episode_id outcome reason main rewards winners plies ended_at",
    "scorings": "episode_id scorer turns metrics created_at",
    "failures": "id episode_id ply role player_id kind message created_at",
    "blobs": "hash content size",
    "files": "run_id episode_id path hash",
    "dataset_rows": "dataset_id position episode_id role turn_id annotation_id chosen_id rejected_id prompt_hash "
    "tip_hash rejected_hash loss label why general instance_id",
    "dataset_turns": "dataset_id position turn_id side",
    "dataset_ranked": "dataset_id position place tip_hash rank score votes",
    "dataset_votes": "dataset_id position annotation_id",
}
"""The tables that are written many rows at once, parents before children."""

CONTENT = {"instances": "id", "players": "id", "messages": "hash", "blobs": "hash"}
"""Tables whose key is a hash of the rest: a row that is there already is the same row."""


MOST = 64
"""Rows that one statement inserts at most: it runs without Python, and so without keeping a screen from drawing."""


@lru_cache(maxsize=256)
def insert_sql(table: str, rows: int = 1, columns: str = "") -> str:
    """The statement that inserts so many rows: of `columns`, in their order, or of all `COLUMNS[table]`."""
    named = (columns or COLUMNS[table]).split()
    row = f"({', '.join('?' * len(named))})"
    again = f" ON CONFLICT({CONTENT[table]}) DO NOTHING" if table in CONTENT else ""
    return f"INSERT INTO {table} ({', '.join(named)}) VALUES {', '.join([row] * rows)}{again}"


class Work:
    """Something to be written in one piece: rows, or a function that uses the connection inside a transaction.

    `await work` returns when it is committed. It does so even when it is cancelled meanwhile, for what was handed to
    the writer will be in the log, and whoever asked must know that it is; the cancellation strikes at the next await.
    """

    __slots__ = ("call", "error", "loop", "people", "result", "rows", "settled", "waiter")

    def __init__(
        self,
        rows: Rows,
        people: Sequence[str] = (),
        call: Callable[[sqlite3.Connection], Any] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.rows = rows
        self.people = people
        """Those whose words the rows hold: each must be known and agree."""
        self.call = call
        self.result: Any = None
        self.error: LogError | None = None
        self.settled = False
        self.loop = loop
        """The loop of the coroutine that waits; None where a thread does."""
        self.waiter: asyncio.Future[None] | threading.Event | None = threading.Event() if loop is None else None

    def settle(self) -> None:
        """Wake whoever waits; called in the loop's own thread."""
        self.settled = True
        if isinstance(self.waiter, threading.Event):
            self.waiter.set()
        elif self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def __await__(self) -> Generator[Any, None, None]:
        assert self.loop is not None
        cancelled = False
        while not self.settled:
            self.waiter = self.loop.create_future()
            try:
                yield from self.waiter
            except asyncio.CancelledError:
                cancelled = True
        if cancelled and (task := asyncio.current_task()) is not None:
            task.uncancel()
            task.cancel()
        if self.error is not None:
            raise self.error

    def wait(self) -> Any:
        """Block this thread until it is committed; returns what the function returned. Raises LogError."""
        assert isinstance(self.waiter, threading.Event)
        self.waiter.wait()
        if self.error is not None:
            raise self.error
        return self.result


class Writer:
    """Owns the writing connection. Use from any thread or event loop; `close` writes what still waits."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._queue: list[Work] = []
        self._soon: dict[asyncio.AbstractEventLoop, list[Work]] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="playpen-log", daemon=True)
        self._thread.start()

    def submit(self, work: Work) -> Work:
        """Queue it; then `await work`, or `work.wait()` in a thread. Raises LogClosed.

        What the coroutines of a loop submit in one turn of the loop reaches the writer together and shares a commit.
        """
        with self._lock:
            if self._closed:
                raise LogClosed(f"the log {self._path} was closed already; open it again")
            loop = work.loop
            if loop is None:
                self._queue.append(work)
                self._wake.notify()
            elif (soon := self._soon.get(loop)) is not None:
                soon.append(work)
            else:
                self._soon[loop] = [work]
                loop.call_soon(self._hand_over, loop)
        return work

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._queue += self._soon.pop(loop, ())
            self._wake.notify()

    def write(self, rows: Rows, people: Sequence[str] = ()) -> Work:
        """Insert rows: `await writer.write(…)` returns when they are committed. Raises LogError."""
        return self.submit(Work(rows, people, None, asyncio.get_running_loop()))

    def do(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function in a transaction of its own and block until it is committed. Raises LogError."""
        return self.submit(Work({}, call=call)).wait()

    def close(self) -> None:
        """Write what waits, tidy up, close the connection. Twice is fine."""
        with self._lock:
            self._closed = True
            for soon in self._soon.values():
                self._queue += soon
            self._soon.clear()
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while self._next():
            pass
        with contextlib.suppress(sqlite3.OperationalError):  # others are writing: tidying can wait for the next time
            self._connection.execute("PRAGMA optimize")
        self._connection.close()

    def _next(self) -> bool:
        """Wait for work and do it; False where the log was closed and none is left.

        A function of its own, so that nothing holds what was written, such as the rows of a data set, while it waits.
        """
        with self._lock:
            while not self._queue and not self._closed:
                self._wake.wait()
            batch, self._queue = self._queue, []
        for piece in _pieces(batch):
            self._write(piece)
            _tell(piece)
        return bool(batch)

    def _write(self, piece: Sequence[Work]) -> None:
        try:
            self._transact(piece)
        except Exception as error:
            if len(piece) > 1 and not _hopeless(error):
                for work in piece:
                    self._write([work])
                return
            told = self._told(error)
            for work in piece:
                work.error = told

    def _transact(self, piece: Sequence[Work]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for work in piece:
                for person in work.people:
                    require_consent(connection, person)
                if work.call is not None:
                    work.result = work.call(connection)
            insert(connection, [work.rows for work in piece])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _told(self, error: Exception) -> LogError:
        if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
            told: LogError = Taken(
                f"somebody else has written this already ({error}); is the same episode or run open twice? Resume it"
            )
        elif isinstance(error, sqlite3.Error | LogError):
            told = explain(error, self._path)
        else:
            told = LogError(f"{self._path} could not be written: {type(error).__name__}: {error}")
        told.__cause__ = error if told is not error else None
        return told


def insert(connection: sqlite3.Connection, works: Sequence[Rows]) -> None:
    """Insert the rows of many pieces of work, table by table, inside the caller's transaction. Raises sqlite3.Error."""
    found: dict[str, list[Row]] = {}
    for work in works:
        for table, some in work.items():
            if some:
                found.setdefault(table, []).extend(some)
    for table in COLUMNS if len(found) > 1 else found:
        insert_rows(connection, table, found.get(table, ()))


def insert_rows(connection: sqlite3.Connection, table: str, rows: Sequence[Row], columns: str = "") -> None:
    """Insert rows of one table, with `columns` in their order, or with all of them. Raises sqlite3.Error."""
    at = 0
    while at < len(rows):
        size = 1 << (min(len(rows) - at, MOST).bit_length() - 1)  # powers of two: few statements to prepare
        connection.execute(insert_sql(table, size, columns), [*chain.from_iterable(rows[at : at + size])])
        at += size


def require_consent(connection: sqlite3.Connection, person: str) -> None:
    """Raises NoConsent unless this person is in the log and agrees to be recorded."""
    found = connection.execute("SELECT consent, withdrawn_at FROM people WHERE id = ?", (person,)).fetchone()
    if found is None:
        raise NoConsent(f"{person or 'somebody without a pseudonym'} is not in this log; ask for consent first")
    if found[0] == "none" or found[1] is not None:
        raise NoConsent(f"{person} does not agree to be recorded; play without record")


def _hopeless(error: Exception) -> bool:
    """Whether every piece would fail the same way: the file is locked or full, and waiting again helps nobody."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)


def _pieces(batch: Sequence[Work]) -> Iterable[Sequence[Work]]:
    """Rows that stand in a row share a transaction; a function has one of its own."""
    rows: list[Work] = []
    for work in batch:
        if work.call is None:
            rows.append(work)
            continue
        if rows:
            yield rows
            rows = []
        yield [work]
    if rows:
        yield rows


def _tell(piece: Sequence[Work]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Work]] = {}
    for work in piece:
        if work.loop is None:
            work.settle()
        else:
            by_loop.setdefault(work.loop, []).append(work)
    for loop, works in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, works)


def _settle(works: Sequence[Work]) -> None:
    for work in works:
        work.settle()
