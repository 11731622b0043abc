"""Judging, as the log does it: which item a judge sees next, on which side what stands, and votes that only ever add.

A judge reserves an item, looks at it and votes; the reservation ends with the vote or by itself. No more people look at
an item than it needs. A change of mind, and to take a vote back, is a new row that supersedes the old one. Sides, and
which items a judge is shown twice, follow from the queue's seed, the item and the judge.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from players.base import Identity
from store.errors import LogError, Unknown
from store.ids import clean, new_id, now, to_json, written
from store.log import Log
from store.queues import FILLS, STANDS, BadQueue, Queue
from store.recorder import player_row
from store.writer import insert_sql, require_consent

Verdict: TypeAlias = Literal["a", "b", "tie", "bad", "skip"]
VERDICTS: tuple[Verdict, ...] = ("a", "b", "tie", "bad", "skip")
RESERVED = 600.0
"""Seconds for which an item is reserved; whoever still looks at it renews."""
APART = 6
"""Votes at least between the two times that a judge is shown the same, and at most twice as many; fewer at the end."""


class PlaceTaken(LogError):
    """Somebody else filled the last place of an item while it was looked at for longer than it was reserved."""


class NothingToUndo(LogError):
    """This judge has no vote in the queue that stands."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Whoever judges: a person by pseudonym, or a model or bot by its row of `players`."""

    id: str
    person: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a queue as it was made."""

    id: str
    kind: str
    episode: str
    ply: int
    role: str
    a: str
    b: str
    gold: str | None
    priority: float
    why: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """An item that a judge may look at now. `number` of `of` is how far the judge is, this one included."""

    item: Item
    repeat: bool
    left: str
    right: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a judge says of an item, and how it came about."""

    item: str
    verdict: Verdict
    left: str
    right: str
    repeat: bool = False
    much: bool = False
    early: bool = False
    """It was given before both sides could be read."""
    flag: bool = False
    comment: str = ""
    blind: bool = True
    ms: float | None = None
    guideline: str | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote that stands. `verdict` speaks of a and b; `left` is the candidate that stood there."""

    annotation: str
    item: str
    verdict: str
    much: bool
    flag: bool
    comment: str
    repeat: bool
    left: str
    right: str
    a: str
    at: str

    @property
    def side(self) -> str:
        """The verdict as the judge saw it: left, right, tie, bad or skip."""
        if self.verdict not in ("a", "b"):
            return self.verdict
        return "left" if (self.verdict == "a") == (self.left == self.a) else "right"


@lru_cache(maxsize=65536)
def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())


def a_is_left(seed: int, item: str, judge: str, repeat: bool = False) -> bool:
    """On which side a stands for this judge; the second time the sides are swapped."""
    return (_hash(f"{seed}|{item}|{judge}|side") % 2 == 0) != repeat


def is_repeated(seed: int, item: str, judge: str, share: float) -> bool:
    """Whether this judge is shown the item a second time."""
    return _hash(f"{seed}|{item}|{judge}|repeat") / 2**64 < share


def judge_player(log: Log, identity: Identity) -> Judge:
    """The judge that a model or bot is: its row of `players`, written where there is none yet. Raises LogError."""
    row = player_row(identity)
    log.write(lambda db: db.execute(insert_sql("players"), row).rowcount)
    return Judge(row[0], person=False)


def reserve(
    log: Log, queue: Queue, judge: Judge, seconds: float = RESERVED, *, but: Collection[str] = ()
) -> Reserved | None:
    """The next item for this judge, reserved; None where nothing is left. What the judge has reserved comes first.

    Items `but` are passed over.
    Then come repeats that are due, then known answers at random moments among the rest: the highest priority first,
    then what is disputed, then what has the fewest votes. Raises BadQueue where the queue is closed, LogError.
    """

    def write(db: sqlite3.Connection) -> Reserved | None:
        _require_open(db, queue)
        db.execute("DELETE FROM reservations WHERE until <= ?", (now(),))
        mine = _Standing(db, queue, judge, but)
        fresh = [one for one in _fresh(db, queue, judge) if one[0] not in but]
        found = _held(db, queue, judge, mine, but) or mine.due(APART) or _pick(fresh, queue, judge, mine) or mine.due(1)
        if found is None:
            return None
        reserved = _reserved(db, queue, judge, found, mine, fresh)
        _hold(db, judge, found, seconds)
        return reserved

    return log.write(write)


def look_again(log: Log, queue: Queue, judge: Judge, item: str) -> Reserved:
    """An item that this judge has voted on, to change the vote: with the sides of then. Raises Unknown, LogError."""
    reader = log.reader()
    mine = _Standing(reader, queue, judge)
    votes = [row for row in mine.rows if row[0] == item]
    if not votes:
        raise Unknown(f"you have no vote on item {item[:8]} in {queue.name!r}; `h` lists those you have")
    _, repeat, left, right, id = votes[-1]
    place = [row[-1] for row in mine.rows].index(id) + 1
    return Reserved(item_of(reader, item), bool(repeat), left, right, place, len(mine.rows))


def renew(log: Log, judge: Judge, item: str, seconds: float = RESERVED) -> None:
    """Go on looking at an item; nothing where the reservation is gone, since it was voted on or given up.

    Raises LogError.
    """
    until = _until(seconds)
    sql = "UPDATE reservations SET until = ? WHERE item_id = ? AND judge = ?"
    log.write(lambda db: db.execute(sql, (until, item, judge.id)).rowcount)


def release(log: Log, queue: Queue, judge: Judge) -> None:
    """Let go of whatever this judge has reserved in the queue. Raises LogError."""
    sql = "DELETE FROM reservations WHERE judge = ? AND item_id IN (SELECT id FROM items WHERE queue_id = ?)"
    log.write(lambda db: db.execute(sql, (judge.id, queue.id)).rowcount)


def vote(log: Log, queue: Queue, judge: Judge, ballot: Ballot) -> str:
    """Write a vote; one that this judge gave before, the same time it was shown, is superseded. Its annotation's id.

    Raises PlaceTaken, BadQueue where the queue is closed, NoConsent, LogError; then nothing was written.
    """
    if ballot.verdict not in VERDICTS:
        raise BadQueue(f"no verdict {ballot.verdict!r}; there are {', '.join(VERDICTS)}")

    def write(db: sqlite3.Connection) -> str:
        _require_open(db, queue)
        _may(db, judge)
        item = item_of(db, ballot.item)
        fills = judge.person and not ballot.repeat and ballot.verdict != "skip" and item.gold is None
        if fills and not _has_place(db, queue, judge, item.id):
            raise PlaceTaken(
                "somebody else filled the last place of this item meanwhile, so the vote was not counted; go on with "
                "the next"
            )
        better = ballot.verdict in ("a", "b")
        value: dict[str, Any] = {"verdict": ballot.verdict}
        value |= {"flag": True} if ballot.flag else {}
        value |= {"comment": clean(ballot.comment)} if ballot.comment else {}
        value |= {"early": True} if ballot.early else {}
        sides = (item.b, item.a) if ballot.verdict == "b" else (item.a, item.b)
        id = _add(
            db, judge, item.id, ballot.repeat, sides, (2 if ballot.much else 1) if better else 0, value,
            blind=ballot.blind, order=(ballot.left, ballot.right), ms=ballot.ms, guideline=ballot.guideline,
        )  # fmt: skip
        db.execute("DELETE FROM reservations WHERE item_id = ? AND judge = ?", (item.id, judge.id))
        db.execute("DELETE FROM drafts WHERE judge = ? AND place = ?", (judge.id, item.id))
        return id

    return log.write(write)


def take_back(log: Log, queue: Queue, judge: Judge, seconds: float = RESERVED) -> Reserved:
    """Take the last vote of this judge that stands back, and reserve its item. Raises NothingToUndo, LogError."""

    def write(db: sqlite3.Connection) -> Reserved:
        _require_open(db, queue)
        _may(db, judge)
        mine = _Standing(db, queue, judge)
        if not mine.rows:
            raise NothingToUndo(f"no vote of yours stands in {queue.name!r}; there is nothing to take back")
        item, repeat, left, right, _ = mine.rows[-1]
        row = item_of(db, item)
        _add(db, judge, item, bool(repeat), (row.a, row.b), 0, {"verdict": None}, order=(left, right))
        db.execute(
            "DELETE FROM reservations WHERE judge = ? AND item_id IN (SELECT id FROM items WHERE queue_id = ?)",
            (judge.id, queue.id),
        )
        _hold(db, judge, item, seconds)
        mine = _Standing(db, queue, judge)
        return _reserved(db, queue, judge, item, mine, _fresh(db, queue, judge), (left, right))

    return log.write(write)


def history(reader: sqlite3.Connection, queue: Queue, judge: Judge, limit: int = 5) -> list[Vote]:
    """Votes of this judge that stand, newest first."""
    rows = reader.execute(_HISTORY, (queue.id, judge.id, limit)).fetchall()
    return [_vote(row) for row in rows]


def standing(reader: sqlite3.Connection, judge: Judge, item: str, repeat: bool = False) -> Vote | None:
    """What this judge thinks of an item now; None where there is no vote that stands."""
    row = reader.execute(_ONE, (item, judge.id, int(repeat))).fetchone()
    return None if row is None else _vote(row)


def seen_before(reader: sqlite3.Connection, judge: Judge, item: str) -> bool:
    """Whether this judge was told already who wrote the sides: there was a vote, even one that was taken back."""
    sql = "SELECT 1 FROM annotations WHERE item_id = ? AND coalesce(annotator_id, judge_id) = ? LIMIT 1"
    return reader.execute(sql, (item, judge.id)).fetchone() is not None


def item_of(reader: sqlite3.Connection, id: str) -> Item:
    """An item by id, or an unambiguous beginning of one. Raises Unknown."""
    sql = """SELECT id, kind, episode_id, ply, role, a_id, b_id, gold, priority, why FROM items
    WHERE id >= ? AND id < ? LIMIT 2"""
    rows = reader.execute(sql, (id, id + "~")).fetchall() if id else []
    if len(rows) != 1:
        raise Unknown(f"{'several items begin with' if rows else 'no item'} {id!r} in the log")
    return Item(*rows[0])


def items(reader: sqlite3.Connection, queue: Queue) -> list[Item]:
    """All items of a queue, the most informative first."""
    sql = """SELECT id, kind, episode_id, ply, role, a_id, b_id, gold, priority, why FROM items
    WHERE queue_id = ? ORDER BY priority DESC, id"""
    return [Item(*row) for row in reader.execute(sql, (queue.id,))]


def left_for(reader: sqlite3.Connection, queue: Queue, judge: Judge) -> tuple[int, int]:
    """How many votes of this judge stand (skips and repeats among them), and how many more the queue wants."""
    mine = _Standing(reader, queue, judge)
    return len(mine.rows), mine.to_come(_fresh(reader, queue, judge))


def write_draft(log: Log, judge: str, place: str, text: str) -> None:
    """Keep what somebody is writing about an item or a turn; empty text drops it. Raises LogError."""

    def write(db: sqlite3.Connection) -> None:
        if text:
            sql = """INSERT INTO drafts (judge, place, text, written_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (judge, place) DO UPDATE SET text = excluded.text, written_at = excluded.written_at"""
            db.execute(sql, (judge, place, clean(text), now()))
        else:
            db.execute("DELETE FROM drafts WHERE judge = ? AND place = ?", (judge, place))

    log.write(write)


def read_draft(reader: sqlite3.Connection, judge: str, place: str) -> str:
    """What was written before; empty where nothing was."""
    row = reader.execute("SELECT text FROM drafts WHERE judge = ? AND place = ?", (judge, place)).fetchone()
    return "" if row is None else row[0]


class _Standing:
    """The votes of a judge in a queue that stand, oldest first: item, repeat, left, right, annotation."""

    def __init__(self, db: sqlite3.Connection, queue: Queue, judge: Judge, but: Collection[str] = ()) -> None:
        self.queue, self.judge = queue, judge
        self.rows: list[tuple[str, int, str, str, str]] = []
        self._opinions: list[str] = []
        repeated: set[str] = set()
        for item, repeat, verdict, order, id in db.execute(_MINE, (queue.id, judge.id)).fetchall():
            left, right = json.loads(order)
            self.rows.append((item, repeat, left, right, id))
            if repeat:
                repeated.add(item)
            elif verdict != "skip":
                self._opinions.append(item)
        self._pending = [item for item in self._opinions if not (item in repeated or item in but) and self._twice(item)]

    def _twice(self, item: str) -> bool:
        return is_repeated(self.queue.seed, item, self.judge.id, self.queue.repeats)

    def due(self, apart: int) -> str | None:
        """An item that is to be shown again, after `apart` other votes or up to twice as many."""
        at = {item: place for place, (item, repeat, *_) in enumerate(self.rows) if not repeat}
        for item in self._pending:
            luck = _hash(f"{self.queue.seed}|{item}|{self.judge.id}|apart") % (apart + 1) if apart > 1 else 0
            if len(self.rows) - 1 - at[item] >= apart + luck:
                return item
        return None

    def wants(self, item: str) -> bool:
        """Whether there is something for this judge to say of it: no vote stands, or it is to be shown again."""
        return item in self._pending or all(other != item for other, *_ in self.rows)

    def to_come(self, fresh: Sequence[tuple[str, str | None]]) -> int:
        """How many more times something will be shown to this judge, if nobody else fills places."""
        return len(fresh) + len(self._pending) + sum(self._twice(item) for item, _ in fresh)


def _pick(fresh: Sequence[tuple[str, str | None]], queue: Queue, judge: Judge, mine: _Standing) -> str | None:
    """The best of what was not judged yet, or in its seeded share of moments one whose answer is known."""
    gold = [item for item, answer in fresh if answer is not None]
    rest = [item for item, answer in fresh if answer is None]
    luck = _hash(f"{queue.seed}|{judge.id}|{len(mine.rows)}|gold") / 2**64
    if gold and (not rest or luck < len(gold) / len(fresh)):
        return min(gold, key=lambda item: _hash(f"{queue.seed}|{item}|{judge.id}|place"))
    return rest[0] if rest else None


def _fresh(db: sqlite3.Connection, queue: Queue, judge: Judge) -> list[tuple[str, str | None]]:
    """Items with their known answers that the judge has not judged and that have a place, in the order to be shown."""
    values = {"queue": queue.id, "judge": judge.id, "judges": queue.judges, "now": now(), "person": int(judge.person)}
    return db.execute(_FRESH, values).fetchall()


def _held(db: sqlite3.Connection, queue: Queue, judge: Judge, mine: _Standing, but: Collection[str]) -> str | None:
    sql = """SELECT r.item_id FROM reservations r JOIN items i ON i.id = r.item_id
    WHERE i.queue_id = ? AND r.judge = ? ORDER BY r.until DESC"""
    held = [item for (item,) in db.execute(sql, (queue.id, judge.id)) if item not in but and mine.wants(item)]
    return held[0] if held else None


def _hold(db: sqlite3.Connection, judge: Judge, item: str, seconds: float) -> None:
    until = _until(seconds)
    db.execute("INSERT OR REPLACE INTO reservations (item_id, judge, until) VALUES (?, ?, ?)", (item, judge.id, until))


def _until(seconds: float) -> str:
    return written(time.time_ns() // 1_000_000 + round(seconds * 1000))


def _reserved(
    db: sqlite3.Connection,
    queue: Queue,
    judge: Judge,
    item: str,
    mine: _Standing,
    fresh: Sequence[tuple[str, str | None]],
    order: tuple[str, str] | None = None,
) -> Reserved:
    row = item_of(db, item)
    repeat = any(other == item and not again for other, again, *_ in mine.rows)
    if order is None:
        sides = (row.a, row.b)
        order = sides if a_is_left(queue.seed, item, judge.id, repeat) else (sides[1], sides[0])
    done = len(mine.rows)
    return Reserved(row, repeat, *order, done + 1, done + max(1, mine.to_come(fresh)))


def _has_place(db: sqlite3.Connection, queue: Queue, judge: Judge, item: str) -> bool:
    (others,) = db.execute(_OTHERS, {"item": item, "judge": judge.id, "now": now()}).fetchone()
    return others < queue.judges


def _add(
    db: sqlite3.Connection,
    judge: Judge,
    item: str,
    repeat: bool,
    sides: tuple[str, str],
    strength: int,
    value: dict[str, Any],
    *,
    blind: bool = True,
    order: tuple[str, str],
    ms: float | None = None,
    guideline: str | None = None,
) -> str:
    """Write one row behind the last of this judge about this showing of the item."""
    tail = db.execute(_TAIL, (item, judge.id, int(repeat))).fetchone()
    id = new_id()
    person, model = (judge.id, None) if judge.person else (None, judge.id)
    row = (
        *(id, "preference", item, person, model, *sides, strength, to_json(value), int(blind), to_json(list(order))),
        *(ms, now(), guideline, int(repeat), None if tail is None else tail[0]),
    )
    db.execute(f"INSERT INTO annotations ({_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)
    return id


def _require_open(db: sqlite3.Connection, queue: Queue) -> None:
    row = db.execute("SELECT closed_at FROM queues WHERE id = ?", (queue.id,)).fetchone()
    if row is None or row[0] is not None:
        raise BadQueue(f"the queue {queue.name!r} is closed; `annotate queue close {queue.name} --again` opens it")


def _may(db: sqlite3.Connection, judge: Judge) -> None:
    if judge.person:
        require_consent(db, judge.id)


def _vote(row: tuple[Any, ...]) -> Vote:
    id, item, value, strength, repeat, order, a, at = row
    told = json.loads(value)
    left, right = json.loads(order)
    flag, comment = bool(told.get("flag")), str(told.get("comment", ""))
    return Vote(id, item, told["verdict"], strength == 2, flag, comment, bool(repeat), left, right, a, at)


_COLUMNS = (
    "id, kind, item_id, annotator_id, judge_id, chosen_id, rejected_id, strength, value, blind, shown_order, ms, "
    "created_at, guideline_id, repeat, supersedes"
)
_OWN = "coalesce(a.annotator_id, a.judge_id) = ? AND coalesce(json_extract(a.value, '$.adjudicated'), 0) = 0"
_MINE = f"""
SELECT a.item_id, a.repeat, json_extract(a.value, '$.verdict'), a.shown_order, a.id
FROM items i JOIN annotations a ON a.item_id = i.id WHERE i.queue_id = ? AND {_OWN} AND {STANDS} ORDER BY a.id"""
_TAIL = f"""
SELECT a.id FROM annotations a WHERE a.item_id = ? AND {_OWN} AND a.repeat = ? AND a.kind = 'preference'
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id) ORDER BY a.id DESC LIMIT 1"""
_VOTE = "a.id, a.item_id, a.value, a.strength, a.repeat, a.shown_order, i.a_id, a.created_at"
_HISTORY = f"""
SELECT {_VOTE} FROM items i JOIN annotations a ON a.item_id = i.id
WHERE i.queue_id = ? AND {_OWN} AND {STANDS} ORDER BY a.id DESC LIMIT ?"""
_ONE = f"""
SELECT {_VOTE} FROM annotations a JOIN items i ON i.id = a.item_id
WHERE a.item_id = ? AND {_OWN} AND a.repeat = ? AND {STANDS} ORDER BY a.id DESC LIMIT 1"""
_OTHERS = f"""
SELECT count(*) FROM (
  SELECT a.annotator_id FROM annotations a WHERE a.item_id = :item AND {FILLS} AND a.annotator_id <> :judge
  UNION SELECT r.judge FROM reservations r JOIN people p ON p.id = r.judge
    WHERE r.item_id = :item AND r.until > :now AND r.judge <> :judge)"""
_FRESH = f"""
WITH votes AS (
  SELECT a.item_id AS item, a.annotator_id AS who, json_extract(a.value, '$.verdict') AS verdict
  FROM items i JOIN annotations a ON a.item_id = i.id WHERE i.queue_id = :queue AND {FILLS}),
said AS (SELECT item, count(*) AS votes, count(DISTINCT verdict) > 1 AS disputed FROM votes GROUP BY item),
places AS (
  SELECT item, count(*) AS taken FROM (
    SELECT item, who FROM votes
    UNION SELECT r.item_id, r.judge FROM reservations r JOIN people p ON p.id = r.judge
      WHERE r.until > :now AND r.judge <> :judge) GROUP BY item)
SELECT i.id, i.gold FROM items i LEFT JOIN said s ON s.item = i.id LEFT JOIN places p ON p.item = i.id
WHERE i.queue_id = :queue
  AND (i.gold IS NOT NULL OR NOT :person OR coalesce(p.taken, 0) < :judges)
  AND NOT EXISTS (SELECT 1 FROM annotations a WHERE a.item_id = i.id AND a.repeat = 0
    AND coalesce(a.annotator_id, a.judge_id) = :judge AND coalesce(json_extract(a.value, '$.adjudicated'), 0) = 0
    AND {STANDS})
ORDER BY i.priority DESC, coalesce(s.disputed, 0) DESC, coalesce(s.votes, 0), i.id"""
