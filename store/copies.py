"""Where words went from a log: backups and exports are noted when they are made, and looked for before erasing.

What lies beside the log is looked through too, since a copy may have been made by hand or before it was noted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from store.connection import MAGIC, connect
from store.ids import clean, now
from store.schema import APPLICATION_ID

CopyKind: TypeAlias = Literal["backup", "export", "beside"]
CHUNK = 1 << 24
MOST = 500
"""Files beside the log that are looked at."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A file or folder that may hold somebody's words."""

    path: str
    kind: CopyKind
    """`beside`: found next to the log, and never noted."""
    made_at: str
    holds: bool | None
    """Whether the person is in it; None where that cannot be seen, such as in a folder or a file of another machine."""
    there: bool


def note(log: Path, copy: Path | str, kind: Literal["backup", "export"]) -> str:
    """Write down that a copy was made, at a path or an address; returns a sentence where the log cannot be written."""
    where = copy if isinstance(copy, str) else str(copy.absolute())
    try:
        with closing(connect(log)) as db:
            db.execute(
                "INSERT INTO copies VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, "
                "made_at = excluded.made_at",
                (clean(where), kind, now()),
            )
    except sqlite3.Error as error:
        return f"the log does not know of this {kind}, since it cannot be written ({error}); db forget will not name it"
    return ""


def copies(db: sqlite3.Connection, log: Path, people: Sequence[str]) -> list[Copy]:
    """Every copy that is noted or lies beside the log, but for those that surely do not hold these people."""
    found: dict[str, Copy] = {}
    for path, kind, made_at in db.execute("SELECT path, kind, made_at FROM copies ORDER BY made_at, path"):
        if path.startswith(("http://", "https://")):  # nobody here can look into it
            found[path] = Copy(path, kind, made_at, None, True)
            continue
        there = Path(path).exists()
        found[path] = Copy(path, kind, made_at, holds(Path(path), people) if there else None, there)
    for path in _beside(log):
        if str(path) not in found and (held := holds(path, people)):
            found[str(path)] = Copy(str(path), "beside", "", held, True)
    return [copy for copy in found.values() if copy.holds is not False]


def _beside(log: Path) -> Iterator[Path]:
    log = log.absolute()
    own = {log.name + ending for ending in ("", "-wal", "-shm", "-journal")}
    files = sorted(path for path in log.parent.iterdir() if path.name not in own)
    yield from [path for path in files[:MOST] if path.is_file() and _is_log(path)]


def _is_log(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError:
        return False  # what may not be read by us is nobody's copy that we could name with a reason
    return header.startswith(MAGIC) and int.from_bytes(header[68:72]) == APPLICATION_ID


def holds(path: Path, people: Sequence[str]) -> bool | None:
    """Whether these people are in a copy: asked of a log, searched for in any other file, unknown of a folder."""
    if not path.is_file():
        return None
    try:
        if _is_log(path):
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
                marks = ", ".join("?" * len(people))
                sql = f"SELECT 1 FROM people WHERE id IN ({marks}) LIMIT 1"
                return db.execute(sql, tuple(people)).fetchone() is not None
        return found_in(path, [person.encode() for person in people])
    except (OSError, sqlite3.Error):
        return None


def found_in(path: Path, words: Sequence[bytes]) -> bool:
    """Whether any of these bytes stand in a file. Raises OSError."""
    longest = max((len(word) for word in words), default=1)
    with path.open("rb") as file:
        before = b""
        while chunk := file.read(CHUNK):
            whole = before + chunk
            if any(word in whole for word in words):
                return True
            before = whole[-longest:]
    return False
