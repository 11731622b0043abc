"""`import jsonl`: lines that `export --format jsonl` wrote become the very rows they were, ids and all.

Nothing is believed: hashes of messages are worked out again, and a line that does not fit (cut off, of another version,
naming what is not there, of somebody who did not agree or was erased here) is listed with its reason. Twice adds
nothing; an episode that went on meanwhile is continued. Candidates and judgements come last, since they may speak of
other lines.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from store.errors import LogError, NoConsent
from store.exchange.intake import NESTED, NothingThere, Refused, Unreadable, mapping, parse_object
from store.exchange.jsonl import FORMAT, OWN
from store.exchange.rows import columns, unpack
from store.ids import content_id, message_hash, to_json
from store.log import Log
from store.people import was_forgotten

T = TypeVar("T")
LONGEST = 64 << 20
"""Bytes of a line that is read."""
BATCH = 64
"""Lines in one transaction."""
_FIRST = ("people", "players", "runs", "instances")
_LATER = ("candidates", "queues", "guidelines", "items", "annotations")

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Lines:
    """What an import of lines did."""

    episodes: int = 0
    """New episodes."""
    known: int = 0
    continued: int = 0
    """Known episodes that went further in the file."""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """New rows by table."""
    refused: list[Refused] = field(default_factory=list[Refused])


def import_jsonl(log: Log, path: Path, progress: Progress | None = None) -> Lines:
    """Bring the lines of a file into the log. Raises NothingThere where there is no such file, and LogError."""
    done = Lines()
    if not path.is_file():
        raise NothingThere(f"there is no file {path}; name one that `export --format jsonl` wrote")
    size = path.stat().st_size
    for later in (False, True):
        batch: list[tuple[str, dict[str, Any]]] = []
        for where, told, at in _lines(path, [] if later else done.refused):
            batch.append((where, told))
            if len(batch) == BATCH:
                _write(log, batch, done, later)
                batch = []
                if progress is not None:
                    progress((at + size * later) // 2, size)
        _write(log, batch, done, later)
    return done


def _lines(path: Path, refused: list[Refused]) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Where each line stands, what it says, and how far into the file it goes."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST + 1):
            number += 1
            where = f"{path.name}:{number}"
            try:
                if len(line) > LONGEST:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST)
                    raise Unreadable(f"is longer than {LONGEST >> 20} MB")
                if not line.strip():
                    continue
                told = parse_object(line, 2 * NESTED)
                if told.get("format") != FORMAT:
                    raise Unreadable(f"is no line of ours ({FORMAT!r} is missing)")
            except Unreadable as error:
                refused.append(Refused(where, str(error)))
                continue
            yield where, told, file.tell()


def _write(log: Log, batch: Sequence[tuple[str, dict[str, Any]]], done: Lines, later: bool) -> None:
    """Write lines in one transaction; where one is refused, each by itself."""
    if not batch:
        return

    def write(db: sqlite3.Connection) -> Lines:
        part = Lines()
        for _, told in batch:
            (_judgements if later else _episode)(db, told, part)
        return part

    try:
        part = log.write(write)
    except LogError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.OperationalError) or (cause is None and not isinstance(error, NoConsent)):
            raise
        if len(batch) == 1:
            known = any(refused.path == batch[0][0] for refused in done.refused)
            if not known:
                done.refused.append(Refused(batch[0][0], _reason(error, cause)))
            return
        for one in batch:
            _write(log, [one], done, later)
        return
    done.episodes += part.episodes
    done.known += part.known
    done.continued += part.continued
    for table, count in part.rows.items():
        done.rows[table] = done.rows.get(table, 0) + count


def _reason(error: LogError, cause: BaseException | None) -> str:
    if isinstance(cause, Unreadable):
        return str(cause)
    if isinstance(error, NoConsent):
        return f"was left out: {error}"
    return f"does not fit into the log ({cause})"


def _dicts(told: Mapping[str, Any], table: str) -> list[Mapping[str, Any]]:
    rows = told.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[Any], rows)):
        raise Unreadable(f"holds no rows of {table}")
    return cast(list[Mapping[str, Any]], rows)


def _episode(db: sqlite3.Connection, told: Mapping[str, Any], part: Lines) -> None:
    """Inside a transaction: everything of one line but candidates and judgements."""
    episode = mapping(told.get("episode"))
    id = episode.get("id")
    if not isinstance(id, str):
        raise Unreadable("names no episode")
    turns = _dicts(told, "turns")
    _may(db, id, turns, _dicts(told, "people"))
    known = db.execute("SELECT 1 FROM episodes WHERE id = ?", (id,)).fetchone() is not None
    if known:
        _same(db, id, turns)
    new = 0
    for player in _dicts(told, "players"):
        content = [player.get(name) for name in ("kind", "name", "revision", "adapter_hash")]
        if content_id([*content, to_json(player.get("sampling", {}))]) != player.get("id"):
            raise Unreadable("has a player who is not the one that the id names")
    for table in _FIRST:
        _put(db, table, _dicts(told, table), part)
    _put(db, "episodes", [episode], part)
    _put(db, "messages", _checked(_dicts(told, "messages")), part)
    for table in OWN:
        rows = _dicts(told, table)
        if any(row.get("episode_id") != id for row in rows):
            raise Unreadable(f"has a row of {table} of another episode")
        count = _put(db, table, rows, part)
        new += count if table in ("turns", "results") else 0
    part.episodes += not known
    part.known += known
    part.continued += bool(known and new)


def _may(
    db: sqlite3.Connection, id: str, turns: Sequence[Mapping[str, Any]], people: Sequence[Mapping[str, Any]]
) -> None:
    """Raises where it was erased here, or somebody in it did not agree, there or here."""
    for kind, name in (("episodes", id), *(("turns", turn.get("id")) for turn in turns)):
        if db.execute("SELECT 1 FROM tombstones WHERE kind = ? AND id = ?", (kind, name)).fetchone():
            raise Unreadable("was erased here, and does not come back")
    for person in people:
        if was_forgotten(db, str(person.get("id"))):
            raise Unreadable("holds somebody who was forgotten here, and does not come back")
        here = db.execute("SELECT consent, withdrawn_at FROM people WHERE id = ?", (person.get("id"),)).fetchone()
        for consent, withdrawn in ((person.get("consent"), person.get("withdrawn_at")), here or ("local", None)):
            if consent == "none" or withdrawn is not None:
                raise NoConsent(f"{person.get('id')} does not agree to be recorded")


def _same(db: sqlite3.Connection, id: str, turns: Sequence[Mapping[str, Any]]) -> None:
    """Raises Unreadable where the episode went on differently here."""
    here = dict(db.execute("SELECT ply, id FROM turns WHERE episode_id = ?", (id,)).fetchall())
    if any(here.get(turn.get("ply"), turn.get("id")) != turn.get("id") for turn in turns):
        raise Unreadable("went on differently here")
    over = db.execute("SELECT 1 FROM results WHERE episode_id = ?", (id,)).fetchone()
    if over and any(turn.get("ply") not in here for turn in turns):
        raise Unreadable("is over here, and goes on in the file")


def _checked(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Messages whose hash is theirs. Raises Unreadable."""
    for row in rows:
        role, content, parent = row.get("role"), row.get("content"), row.get("parent_hash")
        fits = isinstance(role, str) and isinstance(content, str) and isinstance(parent, str | None)
        try:
            same = fits and message_hash(parent, str(role), str(content)) == row.get("hash")
        except UnicodeEncodeError:
            same = False
        if not same:
            raise Unreadable("has a message that is not the one its hash names")
    return rows


def _judgements(db: sqlite3.Connection, told: Mapping[str, Any], part: Lines) -> None:
    """Inside a transaction: candidates and annotations, of an episode that came."""
    id = mapping(told.get("episode")).get("id")
    if not db.execute("SELECT 1 FROM episodes WHERE id = ?", (id if isinstance(id, str) else "",)).fetchone():
        return
    for table in _LATER:
        _put(db, table, _dicts(told, table), part)


def _put(db: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]], part: Lines) -> int:
    names = columns(db, table)
    sql = (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({_KEYS[table]}) DO NOTHING"
    )
    new = sum(db.execute(sql, unpack(table, names, row)).rowcount for row in rows)
    if new:
        part.rows[table] = part.rows.get(table, 0) + new
    return new


_KEYS = {
    **dict.fromkeys(
        ("people", "players", "runs", "instances", "episodes", "turns", "calls", "candidates", "annotations"), "id"
    ),
    **dict.fromkeys(("queues", "guidelines", "items"), "id"),
    "failures": "id",
    "messages": "hash",
    "seats": "episode_id, role",
    "heard": "episode_id, role",
    "results": "episode_id",
    "scorings": "episode_id, scorer",
    "tags": "episode_id, tag",
}
"""What makes a row of a table the same row; any other clash is a contradiction, and refused."""
