"""Queues: what waits to be judged, under which guidelines, by how many people.

A queue has items, each of two candidates that answer the same words. An item is named by the hash of its queue, its
kind and its two candidates, so that the same pair enters once, in every file that has the queue.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any, Literal, TypeAlias

from store.errors import LogError, UnknownQueue
from store.ids import clean, digest, new_id, now, to_json
from store.log import Log
from store.query import nearest

ItemKind: TypeAlias = Literal["pair", "endings"]
KINDS: tuple[ItemKind, ...] = ("pair", "endings")
Gold: TypeAlias = Literal["a", "b", "tie", "bad"]
GOLD: tuple[Gold, ...] = ("a", "b", "tie", "bad")
REPEATS = 0.07
"""Share of items that a judge is shown twice."""


class BadQueue(LogError, ValueError):
    """A queue cannot be made, or be used, like this; wrong usage."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Guideline:
    """What judges are asked to go by, as markdown; a changed text is another version."""

    id: str
    version: int
    text: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as the log has it. `guideline` is the latest, None where there is none."""

    id: str
    name: str
    seed: int
    judges: int
    """How many people each item needs."""
    repeats: float
    config: Mapping[str, Any]
    """The filters it was made from, and `reveal`: whether judges are told after the vote who wrote what."""
    created_at: str
    closed_at: str | None
    guideline: Guideline | None

    @property
    def open(self) -> bool:
        """Whether it takes votes."""
        return self.closed_at is None

    @property
    def reveal(self) -> bool:
        """Whether a judge is told after the vote who wrote what."""
        return bool(self.config.get("reveal", True))


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to be added: two candidates by id, the dialogue before them being that of `a`."""

    kind: ItemKind
    a: str
    b: str
    priority: float = 0.0
    why: str = ""
    gold: Gold | None = None


@dataclass(slots=True)
class Added:
    """What came of adding items: new ones, those that were there, and how many no queue may hold, by reason."""

    new: list[str] = field(default_factory=list[str])
    known: list[str] = field(default_factory=list[str])
    refused: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a queue is. Votes are of people and stand now; skips and repeats are not among them."""

    items: int
    gold: int
    pairs: int
    endings: int
    votes: int
    full: int
    """Items that have all the people they need."""
    disputed: int
    """Items of which people say different things, and nobody has decided."""
    adjudicated: int
    people: int
    models: int
    by: Mapping[str, int]
    """Votes by judge: pseudonyms, and names of models."""


def new_queue(
    log: Log,
    name: str,
    *,
    judges: int = 1,
    repeats: float = REPEATS,
    seed: int | None = None,
    guidelines: str = "",
    config: Mapping[str, Any] | None = None,
) -> Queue:
    """Make a queue without items. Raises BadQueue for a name that is taken or no name, LogError."""
    name = _name(name)
    if judges < 1:
        raise BadQueue(f"an item needs one judge at least, not {judges}; say --judges 1 or more")
    if not 0 <= repeats <= 1:
        raise BadQueue(f"the share that is shown again lies between 0 and 1, not {repeats:g}; say --repeats 0.07")
    id, at = new_id(), now()
    luck = SystemRandom().randrange(2**31) if seed is None else seed

    def write(db: sqlite3.Connection) -> None:
        if db.execute("SELECT 1 FROM queues WHERE name = ?", (name,)).fetchone():
            raise BadQueue(f"there is a queue {name!r} already; choose another name")
        row = (id, name, luck, judges, repeats, to_json(dict(config or {})), at)
        db.execute(
            "INSERT INTO queues (id, name, seed, judges, repeats, config, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)", row
        )
        if guidelines.strip():
            _guide(db, id, guidelines)

    log.write(write)
    return find_queue(log.reader(), id)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable() or len(name) > 60:
        raise BadQueue("a queue's name is up to 60 characters on one line; choose another")
    return name


def find_queue(reader: sqlite3.Connection, wish: str) -> Queue:
    """The queue of this name, id, or beginning of an id. Raises UnknownQueue, with the nearest name where one is."""
    rows = reader.execute(f"{_QUEUE} WHERE q.name = ?1 OR q.id = ?1 ORDER BY q.id", (wish,)).fetchall()
    if not rows and len(wish) >= 6:
        upper = wish.upper()
        rows = reader.execute(f"{_QUEUE} WHERE q.id >= ? AND q.id < ? ORDER BY q.id", (upper, upper + "~")).fetchall()
    if len(rows) == 1:
        return _queue(rows[0])
    if rows:
        several = " and ".join(row[0] for row in rows[:3])
        raise UnknownQueue(f"several queues are called {wish!r}; name one by its id: {several}")
    known = [name for (name,) in reader.execute("SELECT name FROM queues ORDER BY name")]
    near = nearest(wish, known)
    if near:
        raise UnknownQueue(f"no queue {wish!r}; did you mean {near!r}?")
    there = f"there are: {', '.join(known[:8])}" if known else "`annotate queue new NAME` makes one"
    raise UnknownQueue(f"no queue {wish!r}; {there}")


def all_queues(reader: sqlite3.Connection) -> list[Queue]:
    """Every queue, those that are open first, then the newest first."""
    return [_queue(row) for row in reader.execute(f"{_QUEUE} ORDER BY q.closed_at IS NOT NULL, q.id DESC")]


def close_queue(log: Log, queue: Queue, *, again: bool = False) -> Queue:
    """Let no more votes in, or with `again` let them in again. Raises LogError."""

    def write(db: sqlite3.Connection) -> None:
        sql = "UPDATE queues SET closed_at = ? WHERE id = ? AND (closed_at IS NULL) = ?"
        db.execute(sql, (None if again else now(), queue.id, int(not again)))
        db.execute("DELETE FROM reservations WHERE item_id IN (SELECT id FROM items WHERE queue_id = ?)", (queue.id,))

    log.write(write)
    return find_queue(log.reader(), queue.id)


def guide(log: Log, queue: Queue, text: str) -> Guideline:
    """Put another version of the guidelines in force; the same text again is no new version. Raises BadQueue."""
    if not text.strip():
        raise BadQueue("the guidelines are empty; write in a few sentences what makes one reply better than another")
    log.write(lambda db: _guide(db, queue.id, text))
    latest = find_queue(log.reader(), queue.id).guideline
    assert latest is not None
    return latest


def _guide(db: sqlite3.Connection, queue: str, text: str) -> None:
    text = clean(text)
    row = db.execute(
        "SELECT version, text FROM guidelines WHERE queue_id = ? ORDER BY version DESC LIMIT 1", (queue,)
    ).fetchone()
    if row is not None and row[1] == text:
        return
    version = 1 if row is None else row[0] + 1
    db.execute(
        "INSERT INTO guidelines (id, queue_id, version, text, created_at) VALUES (?, ?, ?, ?, ?)",
        (digest("guideline", queue, str(version), text), queue, version, text, now()),
    )


def guidelines(reader: sqlite3.Connection, queue: Queue) -> list[Guideline]:
    """All versions, oldest first."""
    sql = "SELECT id, version, text, created_at FROM guidelines WHERE queue_id = ? ORDER BY version"
    return [Guideline(*row) for row in reader.execute(sql, (queue.id,))]


def item_id(queue: str, kind: ItemKind, a: str, b: str) -> str:
    """The name of an item: whichever way round its candidates are given, it is the same."""
    return digest("item", queue, kind, *sorted((a, b)))


def add_items(log: Log, queue: Queue, items: Iterable[NewItem]) -> Added:
    """Put items into a queue, once each; one that is there gets the higher priority, and gold where it had none.

    Raises BadQueue where the queue is closed, LogError.
    """
    wanted = list(items)
    return log.write(lambda db: put_items(db, queue, wanted))


def put_items(db: sqlite3.Connection, queue: Queue, items: Iterable[NewItem]) -> Added:
    """As `add_items`, inside the caller's transaction."""
    if not db.execute("SELECT closed_at IS NULL FROM queues WHERE id = ?", (queue.id,)).fetchone()[0]:
        raise BadQueue(f"the queue {queue.name!r} is closed; `annotate queue close {queue.name} --again` opens it")
    added = Added()
    for item in items:
        problem = _unfit(db, item)
        if problem:
            added.refused[problem] = added.refused.get(problem, 0) + 1
            continue
        id = item_id(queue.id, item.kind, item.a, item.b)
        there = db.execute("SELECT a_id FROM items WHERE id = ?", (id,)).fetchone()
        gold = item.gold
        if there is not None and there[0] != item.a and gold in ("a", "b"):  # it stands there the other way round
            gold = "b" if gold == "a" else "a"
        if there is not None:
            sql = "UPDATE items SET priority = max(priority, ?), gold = coalesce(gold, ?) WHERE id = ?"
            db.execute(sql, (item.priority, gold, id))
            added.known.append(id)
            continue
        db.execute(_ITEM, (id, queue.id, item.kind, item.b, gold, item.priority, clean(item.why), now(), item.a))
        added.new.append(id)
    return added


def _unfit(db: sqlite3.Connection, item: NewItem) -> str:
    """Why two candidates make no item; empty where they do."""
    if item.a == item.b:
        return "one reply against itself"
    sql = """SELECT c.seen_hash, c.role, e.game, i.id FROM candidates c JOIN episodes e ON e.id = c.episode_id
    JOIN instances i ON i.id = e.instance_id WHERE c.id = ?"""
    a, b = (db.execute(sql, (id,)).fetchone() for id in (item.a, item.b))
    if a is None or b is None:
        return "a candidate that is not in the log"
    if a[:3] != b[:3] or a[0] is None:
        return "two replies to different words"
    if item.kind == "endings" and a[3] != b[3]:
        return "endings of different instances"
    return ""


def tally(reader: sqlite3.Connection, queue: Queue) -> Tally:
    """How far it is."""
    items, gold, endings = reader.execute(
        "SELECT count(*), count(gold), coalesce(sum(kind = 'endings'), 0) FROM items WHERE queue_id = ?", (queue.id,)
    ).fetchone()
    full = disputed = adjudicated = votes = 0
    for standing, different, decided in reader.execute(_STANDING, (queue.id,)):
        votes += standing
        full += standing >= queue.judges
        adjudicated += decided
        disputed += different > 1 and not decided
    by = reader.execute(_BY, (queue.id,)).fetchall()
    people, models = (sum(kind == which for _, kind, _ in by) for which in ("person", "model"))
    return Tally(
        items, gold, items - endings, endings, votes, full, disputed, adjudicated, people, models,
        {judge: count for judge, _, count in by},
    )  # fmt: skip


def _queue(row: tuple[Any, ...]) -> Queue:
    guideline = None if row[8] is None else Guideline(*row[8:12])
    return Queue(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[6], row[7], guideline)


_QUEUE = """
SELECT q.id, q.name, q.seed, q.judges, q.repeats, q.config, q.created_at, q.closed_at,
  g.id, g.version, g.text, g.created_at
FROM queues q LEFT JOIN guidelines g ON g.queue_id = q.id
  AND g.version = (SELECT max(version) FROM guidelines WHERE queue_id = q.id)"""
_ITEM = """
INSERT INTO items (id, queue_id, kind, episode_id, ply, role, a_id, b_id, gold, priority, why, created_at)
SELECT ?1, ?2, ?3, c.episode_id, c.ply, c.role, c.id, ?4, ?5, ?6, ?7, ?8 FROM candidates c WHERE c.id = ?9"""

STANDS = """a.kind = 'preference' AND json_extract(a.value, '$.verdict') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)"""
"""What makes a row `a` of annotations a verdict that stands."""
FILLS = f"""a.annotator_id IS NOT NULL AND a.repeat = 0 AND json_extract(a.value, '$.verdict') <> 'skip'
  AND coalesce(json_extract(a.value, '$.adjudicated'), 0) = 0 AND {STANDS}"""
"""What makes it one that fills a place of its item: a person's, at first sight, and no skip."""
_STANDING = f"""
SELECT coalesce(sum({FILLS}), 0), count(DISTINCT CASE WHEN {FILLS} THEN json_extract(a.value, '$.verdict') END),
  coalesce(max(json_extract(a.value, '$.adjudicated') AND {STANDS}), 0)
FROM items i LEFT JOIN annotations a ON a.item_id = i.id WHERE i.queue_id = ? GROUP BY i.id"""
_BY = f"""
SELECT coalesce(a.annotator_id, p.name), CASE WHEN a.judge_id IS NULL THEN 'person' ELSE 'model' END, count(*)
FROM items i JOIN annotations a ON a.item_id = i.id LEFT JOIN players p ON p.id = a.judge_id
WHERE i.queue_id = ? AND {STANDS} AND a.repeat = 0 AND json_extract(a.value, '$.verdict') <> 'skip'
  AND coalesce(json_extract(a.value, '$.adjudicated'), 0) = 0
GROUP BY 1, 2 ORDER BY 3 DESC, 1"""
