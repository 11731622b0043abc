"""`annotate pack`: a small log for an annotator elsewhere, with one queue, its items and the episodes they are of.

Votes of others do not go along, so that whoever judges it stands alone; `db merge` joins what comes back, as often as
one likes. Episodes in which somebody agreed to less stay, and their items with them.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from store.connection import connect, explain
from store.errors import LogError
from store.exchange.chosen import LEAVING, allowed, new_file
from store.exchange.rows import columns
from store.filters import Filters
from store.log import Log
from store.people import Level
from store.queues import BadQueue, Queue

_HERE = "o.episode_id IN (SELECT id FROM temp.going)"
_MINE = "(a.annotator_id = (SELECT id FROM temp.whom) AND a.item_id IN (SELECT id FROM temp.asked))"

_STEPS: tuple[tuple[str, str], ...] = (
    (
        "people",
        """o.id IN (SELECT person_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM temp.sides UNION SELECT id FROM temp.whom)""",
    ),
    (
        "players",
        """o.id IN (SELECT player_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM temp.sides)""",
    ),
    ("runs", "o.id IN (SELECT run_id FROM other.episodes WHERE id IN (SELECT id FROM temp.going))"),
    (
        "instances",
        """o.id IN (WITH RECURSIVE line(id) AS (
            SELECT instance_id FROM other.episodes WHERE id IN (SELECT id FROM temp.going)
            UNION SELECT i.translation_of FROM line l CROSS JOIN other.instances i ON i.id = l.id
            WHERE i.translation_of IS NOT NULL) SELECT id FROM line)""",
    ),
    ("episodes", "o.id IN (SELECT id FROM temp.going)"),
    ("seats", _HERE),
    (
        "messages",
        """o.hash IN (WITH RECURSIVE line(hash) AS (
            SELECT hash FROM other.heard WHERE episode_id IN (SELECT id FROM temp.going)
            UNION SELECT seen_hash FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
            UNION SELECT seen_hash FROM temp.sides
            UNION SELECT m.parent_hash FROM line l CROSS JOIN other.messages m ON m.hash = l.hash)
          SELECT hash FROM line)""",
    ),
    ("turns", _HERE),
    ("heard", _HERE),
    ("candidates", "o.id IN (SELECT id FROM temp.sides)"),
    ("results", _HERE),
    ("scorings", _HERE),
    ("queues", "o.id = (SELECT id FROM temp.which)"),
    ("guidelines", "o.queue_id = (SELECT id FROM temp.which)"),
    ("items", "o.id IN (SELECT id FROM temp.asked)"),
    (
        "annotations",
        f"""o.id IN (SELECT a.id FROM other.annotations a WHERE {_MINE})""",
    ),
)
"""Tables in the order of their references, each with what of it goes."""

_ORDER = {
    "turns": " ORDER BY o.seq",
    "messages": " ORDER BY o.rowid",
    "episodes": " ORDER BY o.rowid",
    "annotations": " ORDER BY o.id",
}
"""Parents before children also within a table."""
_WITHOUT = {"candidates": ("call_id",)}
"""Columns that stay empty: what models were sent does not go along."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into a pack."""

    path: Path
    items: int
    episodes: int
    withheld: int
    """Items that stay, since somebody in their episodes agreed to less."""


def pack_queue(log: Log, queue: Queue, out: Path, *, judge: str | None = None, level: Level = LEAVING) -> Packed:
    """Write a pack to a new file. `judge` is for whom: their own votes go along, and nobody else's.

    Raises BadQueue where nothing may leave, FileExists, NoFolder, LogError; then there is no file.
    """
    free = set(log.queries.ids(Filters(consent=level, trash="either")))
    going, items, withheld = _chosen(log, queue, free, level)
    if not items:
        raise BadQueue(
            f"nothing of {queue.name!r} may leave at the level {level!r}"
            if withheld
            else f"{queue.name!r} has no items; `annotate queue new {queue.name} --more` adds some"
        )
    path = new_file(out)
    try:
        Log.open(path).close()
        with closing(connect(path)) as db:
            db.execute("ATTACH ? AS other", (f"file:{log.path.absolute().as_uri()[7:]}?mode=ro",))
            db.execute("BEGIN IMMEDIATE")
            _copy(db, queue, going, items, judge)
            db.execute("COMMIT")
            db.execute("DETACH other")
        with closing(connect(path)) as db:
            db.execute("VACUUM")
            db.execute("PRAGMA journal_mode = DELETE")  # one file to be handed on, with nothing beside it
    except (sqlite3.Error, LogError) as error:
        for ending in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        raise explain(error, path) from error if isinstance(error, sqlite3.Error) else None
    return Packed(path, len(items), len(going), withheld)


def _chosen(log: Log, queue: Queue, free: set[str], level: Level) -> tuple[list[str], list[str], int]:
    """Episodes and items that may leave, and how many items stay."""
    reader = log.reader()
    above = dict(reader.execute("SELECT id, parent_id FROM episodes WHERE parent_id IS NOT NULL"))
    levels = json.dumps(allowed(level))
    going: set[str] = set()
    items: list[str] = []
    withheld = 0
    for id, *rest in reader.execute(_ITEMS, {"queue": queue.id, "levels": levels}).fetchall():
        *episodes, agreed = rest
        line: set[str] = set()
        for episode in episodes:
            at: str | None = episode
            while at is not None:
                line.add(at)
                at = above.get(at)
        if agreed and free.issuperset(line):
            going |= line
            items.append(id)
        else:
            withheld += 1
    return sorted(going), items, withheld


def _copy(db: sqlite3.Connection, queue: Queue, going: list[str], items: list[str], judge: str | None) -> None:
    for name, ids in (
        ("going", going),
        ("asked", items),
        ("which", [queue.id]),
        ("whom", [] if judge is None else [judge]),
    ):
        db.execute(f"CREATE TEMP TABLE {name} (id TEXT PRIMARY KEY) WITHOUT ROWID")
        db.executemany(f"INSERT INTO temp.{name} VALUES (?)", ((id,) for id in ids))
    db.execute(_SIDES)
    for table, wanted in _STEPS:
        names = columns(db, table)
        values = ["NULL" if name in _WITHOUT.get(table, ()) else "o." + name for name in names]
        db.execute(
            f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(values)} FROM other.{table} o "
            f"WHERE {wanted}{_ORDER.get(table, '')}"
        )


_ITEMS = """
SELECT i.id, i.episode_id, a.episode_id, b.episode_id, coalesce(t.episode_id, a.episode_id),
  coalesce(u.episode_id, b.episode_id), NOT EXISTS (SELECT 1 FROM people p WHERE p.id IN (a.person_id, b.person_id)
    AND (p.withdrawn_at IS NOT NULL OR p.consent NOT IN (SELECT value FROM json_each(:levels))))
FROM items i JOIN candidates a ON a.id = i.a_id JOIN candidates b ON b.id = i.b_id
LEFT JOIN turns t ON t.id = a.turn_id LEFT JOIN turns u ON u.id = b.turn_id
WHERE i.queue_id = :queue ORDER BY i.id"""
_SIDES = """
CREATE TEMP TABLE sides AS SELECT DISTINCT c.id, c.player_id, c.person_id, c.seen_hash
FROM other.items i JOIN other.candidates c ON c.id IN (i.a_id, i.b_id) WHERE i.id IN (SELECT id FROM temp.asked)"""
