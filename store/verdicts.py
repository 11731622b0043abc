"""What judges think of items, as agreement is computed from it: one row per judge, item and time it was shown.

A queue is named by its name or id. Files that met may hold several queues of one name; they are read as one, for that
is what the people who named them meant. What somebody took back does not count, nor what a person said who since
withdrew their consent; how many rows that left out is told.
"""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from store.errors import UnknownQueue

JudgeKind: TypeAlias = Literal["person", "model"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judgement that stands. `verdict` is in terms of the candidates a and b, whichever side they were on."""

    annotation: str
    item: str
    judge: str
    """A pseudonym, or the id of the player that judges."""
    name: str
    """The judge as one would type it."""
    kind: JudgeKind
    repeat: bool
    """Whether it was the second time, with sides swapped."""
    verdict: str
    """a, b, tie, bad or skip."""
    much: bool
    a_was_left: bool
    adjudicated: bool
    """Whether it settles a dispute, and so is no vote."""
    early: bool
    """Whether it came before both sides could be read."""
    flagged: bool
    gold: str | None
    ms: float | None
    """From shown to judged."""
    at: str

    @property
    def left(self) -> bool | None:
        """Whether the left side was called better; None where neither was."""
        return (self.verdict == "a") == self.a_was_left if self.verdict in ("a", "b") else None


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """Where an item comes from."""

    item: str
    kind: str
    game: str
    episode: str
    ply: int
    role: str


class Judgements(NamedTuple):
    """The verdicts of some queues, oldest first; which queues, their items, and how many rows were left out."""

    queues: tuple[str, ...]
    """Names, each once."""
    items: int
    verdicts: tuple[Verdict, ...]
    withdrawn: int


def queue_ids(reader: sqlite3.Connection, queue: str | None) -> list[str]:
    """Queues of this name or id, oldest first; all for None. Raises UnknownQueue, which names those nearby."""
    rows = reader.execute("SELECT id, name FROM queues ORDER BY id").fetchall()
    found = [id for id, name in rows if queue is None or queue in (id, name)]
    if queue is not None and not found:
        names = sorted({str(name) for _, name in rows})
        near = difflib.get_close_matches(queue, names, n=3, cutoff=0.5) or names[:5]
        there = f"there is {', '.join(near)}" if near else "there is none yet; `annotate queue new` makes one"
        raise UnknownQueue(f"no queue is called {queue!r}; {there}")
    return found


def verdicts(reader: sqlite3.Connection, queue: str | None = None) -> Judgements:
    """Everything that stands in the queues of this name (or id), or in all. Raises UnknownQueue."""
    ids = queue_ids(reader, queue)
    names: list[str] = []
    found: list[Verdict] = []
    items = withdrawn = 0
    for id in ids:
        name, count = reader.execute(
            "SELECT name, (SELECT count(*) FROM items i WHERE i.queue_id = queues.id) FROM queues WHERE id = ?", (id,)
        ).fetchone()
        names.append(name)
        items += count
        for *row, gone in reader.execute(_VERDICTS, (id,)):
            if gone:
                withdrawn += 1
            else:
                found.append(_made(row))
    found.sort(key=lambda one: (one.at, one.annotation))
    return Judgements(tuple(dict.fromkeys(names)), items, tuple(found), withdrawn)


def item_places(reader: sqlite3.Connection, items: Sequence[str]) -> dict[str, ItemPlace]:
    """Where these items come from, by id."""
    found: dict[str, ItemPlace] = {}
    for at in range(0, len(items), 500):
        some = items[at : at + 500]
        marks = ", ".join("?" * len(some))
        rows = reader.execute(f"{_PLACES} WHERE i.id IN ({marks})", some)
        found.update((row[0], ItemPlace(*row)) for row in rows)
    return found


def _made(row: Sequence[Any]) -> Verdict:
    annotation, item, judge, name, kind, repeat, verdict, strength, left, adjudicated, early, flagged, *rest = row
    much = verdict in ("a", "b") and (strength or 0) >= 2
    flags = (bool(left), bool(adjudicated), bool(early), bool(flagged))
    return Verdict(annotation, item, judge, name, kind, bool(repeat), verdict, much, *flags, *rest)


_VERDICTS = """
SELECT a.id, a.item_id, coalesce(a.judge_id, a.annotator_id, ''), coalesce(p.name, a.annotator_id, 'somebody'),
  CASE WHEN a.judge_id IS NULL THEN 'person' ELSE 'model' END,
  a.repeat, json_extract(a.value, '$.verdict'), a.strength, coalesce(json_extract(a.shown_order, '$[0]') = i.a_id, 1),
  coalesce(json_extract(a.value, '$.adjudicated'), 0), coalesce(json_extract(a.value, '$.early'), 0),
  coalesce(json_extract(a.value, '$.flag'), 0), i.gold, a.ms, a.created_at,
  h.withdrawn_at IS NOT NULL
FROM items i
JOIN annotations a ON a.item_id = i.id
LEFT JOIN players p ON p.id = a.judge_id
LEFT JOIN people h ON h.id = a.annotator_id
WHERE i.queue_id = ? AND a.kind = 'preference'
  AND json_extract(a.value, '$.verdict') IN ('a', 'b', 'tie', 'bad', 'skip')
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)"""
_PLACES = """
SELECT i.id, i.kind, e.game, i.episode_id, i.ply, i.role FROM items i JOIN episodes e ON e.id = i.episode_id"""
