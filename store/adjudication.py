"""Adjudication: where people say different things of an item, somebody decides, and says why.

The decision is a vote of its own that stands beside theirs and is marked; training goes by it alone. A later decision
supersedes it.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from store.errors import Unknown
from store.ids import clean, new_id, now, to_json
from store.judging import Item, Verdict, item_of
from store.log import Log
from store.queues import STANDS, BadQueue, Queue
from store.writer import require_consent

DECISIONS: tuple[Verdict, ...] = ("a", "b", "tie", "bad")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one judge says of an item. `judge` is a pseudonym, or a model's name."""

    judge: str
    person: bool
    verdict: str
    much: bool
    comment: str
    repeat: bool
    flag: bool = False


@dataclass(frozen=True, slots=True)
class Dispute:
    """An item with what everybody says of it, and the decision where there is one."""

    item: Item
    opinions: tuple[Opinion, ...]
    decided: str | None = None
    reason: str = ""
    by: str = ""

    @property
    def disputed(self) -> bool:
        """Whether people say different things, skips and second looks aside."""
        said = {one.verdict for one in self.opinions if one.person and not one.repeat and one.verdict != "skip"}
        return len(said) > 1


def opinions(reader: sqlite3.Connection, queue: Queue) -> list[Dispute]:
    """Every item of a queue that somebody voted on, the most informative first."""
    sql = f"""SELECT a.item_id, coalesce(a.annotator_id, p.name), a.judge_id IS NULL, a.value, a.strength, a.repeat
    FROM items i JOIN annotations a ON a.item_id = i.id LEFT JOIN players p ON p.id = a.judge_id
    WHERE i.queue_id = ? AND {STANDS} ORDER BY i.priority DESC, i.id, a.id"""
    found: dict[str, tuple[list[Opinion], list[tuple[str, str, str]]]] = {}
    for id, judge, person, value, strength, repeat in reader.execute(sql, (queue.id,)).fetchall():
        told: dict[str, Any] = json.loads(value)
        said, decided = found.setdefault(id, ([], []))
        if told.get("adjudicated"):
            decided.append((told["verdict"], str(told.get("reason", "")), judge))
        else:
            comment, flag = str(told.get("comment", "")), bool(told.get("flag"))
            said.append(Opinion(judge, bool(person), told["verdict"], strength == 2, comment, bool(repeat), flag))
    return [
        Dispute(item_of(reader, id), tuple(said), *(decided[-1] if decided else (None, "", "")))
        for id, (said, decided) in found.items()
    ]


def disputes(reader: sqlite3.Connection, queue: Queue) -> list[Dispute]:
    """Items of which people say different things, those that nobody has decided first."""
    found = [one for one in opinions(reader, queue) if one.disputed]
    return sorted(found, key=lambda one: one.decided is not None)


def adjudicate(log: Log, queue: Queue, item: str, verdict: Verdict, reason: str, person: str) -> str:
    """Decide an item; returns the annotation's id. A closed queue can still be decided.

    Raises BadQueue without a reason, Unknown where nobody voted on the item, NoConsent, LogError.
    """
    if verdict not in DECISIONS:
        raise BadQueue(f"a decision is one of {', '.join(DECISIONS)}, not {verdict!r}")
    if not reason.strip():
        raise BadQueue("a decision needs a reason, so that others can learn from it; say why in a sentence")

    def write(db: sqlite3.Connection) -> str:
        require_consent(db, person)
        row = item_of(db, item)
        if not db.execute(_VOTED, (row.id, queue.id)).fetchone():
            raise Unknown(f"nobody has voted on item {row.id[:8]} in {queue.name!r}; there is nothing to decide")
        before = db.execute(_DECIDED, (row.id,)).fetchone()
        value = {"verdict": verdict, "adjudicated": True, "reason": clean(reason.strip())}
        sides = (row.b, row.a) if verdict == "b" else (row.a, row.b)
        id = new_id()
        columns = "id, kind, item_id, annotator_id, chosen_id, rejected_id, strength, value, shown_order, created_at, "
        values = (
            *(id, "preference", row.id, person, *sides, int(verdict in ("a", "b")), to_json(value)),
            *(to_json([row.a, row.b]), now(), None if before is None else before[0]),
        )
        db.execute(f"INSERT INTO annotations ({columns}supersedes) VALUES ({', '.join('?' * len(values))})", values)
        return id

    return log.write(write)


_VOTED = f"""
SELECT 1 FROM items i JOIN annotations a ON a.item_id = i.id WHERE i.id = ? AND i.queue_id = ? AND {STANDS}"""
_DECIDED = f"""
SELECT a.id FROM annotations a WHERE a.item_id = ? AND json_extract(a.value, '$.adjudicated') AND {STANDS}
ORDER BY a.id DESC LIMIT 1"""
