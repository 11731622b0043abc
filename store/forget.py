"""`db forget`: erase a person from the log and its file, see that nothing is left, and name what went elsewhere.

Nobody else may have the log open meanwhile, for what another program holds it could write back. Erasing is one
transaction (`store.erase`); then the file is written anew, so that no free page, index or write-ahead log keeps what
was erased. A process that dies in between leaves a log without the words and a note that the file is still to be
written anew: the next call does that. Weights cannot be erased: trainings that had the words are named.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.connection import connect, explain, look, patiently
from store.copies import Copy, copies
from store.erase import Erasure, erase, forgotten
from store.erase_notes import distinct, forms
from store.errors import LogLocked, NoLog, UnknownPerson
from store.filesystem import opening
from store.log import Log

PATIENCE = 5.0
"""Seconds to wait for other programs to let go of the log."""
WORK = 20 << 30
"""Bytes that looking for words may read in all: of a large file fewer texts are looked for, the longest first."""
SHORTEST = 4
"""Characters of the shortest text that is looked for."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A training that had erased words in its data, or began from what came out of such a one."""

    id: str
    name: str
    """The player that came out of it."""
    method: str
    state: str
    dataset: str | None
    """Null where it only began from one that had them."""
    folder: str
    checkpoints: tuple[str, ...]
    again: str
    """The command that trains it again."""


@dataclass(slots=True)
class Forgotten:
    """What was erased, what was looked for, and what lies elsewhere."""

    path: Path
    person: str
    erased: Erasure | None
    """None where the person had been forgotten before, and only the file was written anew."""
    looked_for: int = 0
    """Texts of theirs that were looked for in the file's bytes."""
    elsewhere: int = 0
    """Of these, texts that others said or games hold too, and which therefore stand there still."""
    left: int = 0
    """Of these, texts that stand in the file and in no table: must be 0."""
    copies: list[Copy] = field(default_factory=list[Copy])
    trainings: list[Trained] = field(default_factory=list[Trained])
    size: tuple[int, int] = (0, 0)
    """Bytes of the file before and after."""


def forget(path: Path, person: str, *, dry: bool = False, wait: float = PATIENCE) -> Forgotten:
    """Erase a person. `dry`: only count, and change nothing. Raises UnknownPerson, LogLocked, LogError."""
    with _alone(path, wait) as db:
        known = db.execute("SELECT 1 FROM people WHERE id = ?", (person,)).fetchone() is not None
        if not known and not forgotten(db, [person]):
            raise UnknownPerson(f"nobody is called {person!r} in {path}; `playpen-tui db people` lists who is there")
        found = Forgotten(path, person, None, copies=copies(db, path, [person]), size=(path.stat().st_size, 0))
        if known:
            db.execute("BEGIN EXCLUSIVE")
            try:
                found.erased = erase(db, [person])
                found.trainings = list(_trainings(db, found.erased.datasets))
                db.execute("ROLLBACK" if dry else "COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
        if not dry:
            sweep(db)
            _look(db, path, person, found)
        found.size = (found.size[0], path.stat().st_size)
        return found


def finish(path: Path, wait: float = PATIENCE) -> int:
    """Write the file anew where an erasure has not done so yet; returns how many there were. Raises LogError."""
    with _alone(path, wait) as db:
        (waiting,) = db.execute("SELECT count(*) FROM unswept").fetchone()
        sweep(db)
        return waiting


def sweep(db: sqlite3.Connection) -> bool:
    """Write the file anew and empty the write-ahead log; False where others read, so that it has to be done again.

    Raises sqlite3.Error where somebody else writes.
    """
    db.execute("VACUUM")
    db.execute("DELETE FROM unswept")
    busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        db.execute("INSERT OR IGNORE INTO unswept SELECT id FROM redactions ORDER BY closed_at DESC LIMIT 1")
    return not busy


@contextmanager
def _alone(path: Path, wait: float) -> Generator[sqlite3.Connection]:
    """A connection that keeps everybody else out. Raises NoLog, LogLocked, LogError."""
    if not look(path):
        raise NoLog(f"there is no log at {path}; name another file with --db")
    Log.open(path, wait=wait).close()  # an older one is brought up to date first
    try:
        with closing(connect(path, wait=wait)) as db:
            db.execute("PRAGMA foreign_keys = OFF")
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            try:
                patiently(db, "PRAGMA journal_mode = DELETE", wait)  # which SQLite does only where nobody else is
            except sqlite3.OperationalError as error:
                raise _in_use(path) from error
            yield db
    except sqlite3.Error as error:
        raise explain(error, path) from error
    finally:
        with contextlib.suppress(LogLocked):  # somebody came at once: their opening brings the write-ahead log back
            Log.open(path, wait=wait).close()


def _in_use(path: Path) -> LogLocked:
    who = " and ".join(str(holder) for holder in opening(path)) or "another program"
    return LogLocked(
        f"nothing was erased: {path} is open in {who}, which could write back what it holds; close it and forget again"
    )


def _trainings(db: sqlite3.Connection, datasets: Sequence[str] | dict[str, int]) -> Iterator[Trained]:
    """Trainings on these data sets, and those that began from what came out of them."""
    for id, name, method, state, dataset, config in db.execute(_TRAINED, (json.dumps(list(datasets)),)).fetchall():
        told: dict[str, Any] = json.loads(config)
        players = db.execute(
            "SELECT DISTINCT path FROM checkpoints WHERE training_id = ? ORDER BY step", (id,)
        ).fetchall()
        called = str(told.get("name") or name)
        again = f"playpen-tui train --method {method} --model {name} --name {called}-again"
        folder = str(told.get("folder", ""))
        had = dataset if dataset in datasets else None
        yield Trained(id, called, method, state, had, folder, tuple(path for (path,) in players), again)


_TRAINED = """
WITH RECURSIVE had(id) AS (
  SELECT id FROM trainings WHERE dataset_id IN (SELECT value FROM json_each(?))
  UNION
  SELECT t.id FROM had h JOIN (
    SELECT id AS training, result_player_id AS player FROM trainings WHERE result_player_id IS NOT NULL
    UNION SELECT training_id, player_id FROM checkpoints WHERE player_id IS NOT NULL
  ) m ON m.training = h.id JOIN trainings t ON t.base_player_id = m.player
)
SELECT t.id, p.name, t.method, t.state, t.dataset_id, r.config FROM trainings t JOIN had h ON h.id = t.id
JOIN players p ON p.id = t.base_player_id JOIN runs r ON r.id = t.run_id ORDER BY t.id"""


def _look(db: sqlite3.Connection, path: Path, person: str, found: Forgotten) -> None:
    """Look for everything they wrote in the bytes of the file and of what lies beside it while it is open."""
    words = [person, *(found.erased.words if found.erased else [])]
    words = list(dict.fromkeys(word for word in words if len(word) >= SHORTEST))
    files = [path.with_name(path.name + ending) for ending in ("", "-wal", "-shm", "-journal")]
    files = [file for file in files if file.exists() and file.stat().st_size]
    most = max(50, WORK // max(1, sum(file.stat().st_size for file in files)))
    words = words[:most]
    found.looked_for = len(words)
    there = set[str]()
    for file in files:
        with file.open("rb") as opened, closing(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)) as content:
            there |= {word for word in words if any(content.find(form) >= 0 for form in forms(word))}
    for word in there:
        alive = _alive(db, word)
        found.elsewhere += alive or not (distinct(word) or word == person)
        found.left += not alive and (distinct(word) or word == person)


def _alive(db: sqlite3.Connection, word: str) -> bool:
    """Whether a row of some table holds this text."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE instr(lower(sql), lower(?))", (word,)).fetchone():
        return True
    tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%STRICT%'").fetchall()
    for (table,) in tables:
        columns = db.execute("SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'", (table,)).fetchall()
        for (column,) in columns:
            for form in {word, json.dumps(word, ensure_ascii=False)[1:-1], json.dumps(word)[1:-1]}:
                sql = f"SELECT 1 FROM {table} WHERE instr(lower({column}), lower(?)) LIMIT 1"
                if db.execute(sql, (form,)).fetchone():
                    return True
    return False
