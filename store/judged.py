"""What people judged, as training reads it: pairs of candidates, corrections, and labels of turns.

A preference names two candidates that answer the same words. A correction (`edit`) names the turn and, as its chosen
candidate, what should have been said. A label names a turn and says `{"label": "+"}` or `"-"`. Whatever was superseded
or taken back does not count, nor does a tie, a skip or "both are bad". Of two looks at the same item the first counts.
A decision about what people disagreed on (`adjudicated`) is marked, also where it prefers neither.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from games.engine import Message
from store.filters import FROM, Filters
from store.ids import MessageRow, chain
from store.people import LEVELS

JudgedKind: TypeAlias = Literal["preference", "edit", "label"]
Judges: TypeAlias = Literal["people", "models", "all"]
JUDGES: tuple[Judges, ...] = ("people", "models", "all")


@dataclass(frozen=True, slots=True)
class Reply:
    """Something said in answer to `seen`, or that might have been: a turn, a candidate, or both."""

    seen: str
    """The hash of the dialogue before it."""
    place: int
    """How many messages that has, and so where this one stands."""
    message: MessageRow
    turn: str | None
    candidate: str | None

    @property
    def tip(self) -> str:
        """The hash of the dialogue with it."""
        return str(self.message[0])


@dataclass(frozen=True, slots=True)
class Judged:
    """One judgement. `chosen` is the better reply, or the labelled one; `refused` the other of a pair."""

    annotation: str
    kind: JudgedKind
    annotator: str | None
    """A person's pseudonym, or the id of the player that judged."""
    episode: str
    key: str
    split: str
    role: str
    chosen: Reply
    refused: Reply | None
    label: bool | None
    """Of a label: whether it was good."""
    withheld: bool
    """Whether somebody behind it agreed to less than the filters ask for."""
    model: bool = False
    """Whether a model or bot judged."""
    adjudicated: bool = False
    """Whether it decides what others disagreed about."""
    neither: bool = False
    """Of a decision: it prefers neither, and `chosen` is just one of the two."""


def judged(reader: sqlite3.Connection, filters: Filters, judges: Judges = "people") -> list[Judged]:
    """Judgements about episodes that fit, oldest first: by people, by models, or both.

    Raises ValueError for a filter that cannot be.
    """
    if judges not in JUDGES:
        raise ValueError(f"no judges {judges!r}; there are {', '.join(JUDGES)}")
    condition, values = filters.sql()
    enough = LEVELS[LEVELS.index(filters.consent) :] if filters.consent else LEVELS
    sql = _JUDGED.format(fits=f"SELECT e.id {FROM} WHERE {condition}")
    rows = reader.execute(sql, [*values, json.dumps(enough), judges, judges]).fetchall()
    before = json.dumps(sorted({row[at] for row in rows for at in _SEEN if row[at] is not None}))
    places: dict[str, int] = dict(reader.execute(_PLACES, (before,)).fetchall())
    found: list[Judged] = []
    for row in rows:
        one = _made(row, places, filters.consent is not None)
        if one is not None:
            found.append(one)
    return found


def _made(row: Sequence[Any], places: Mapping[str, int], asked: bool) -> Judged | None:
    annotation, kind, annotator, value, episode, key, split, role, less, model, adjudicated, strength = row[:12]
    turn, chosen, refused = (_reply(places, *row[at : at + 4]) for at in _SEEN)
    label = None
    if kind == "edit":
        refused = turn
    elif kind == "label":
        label = {"+": True, "-": False}.get(json.loads(value).get("label"))
        chosen, refused = turn, None
    if chosen is None or (label is None if kind == "label" else refused is None or refused.seen != chosen.seen):
        return None
    return Judged(
        annotation, kind, annotator, episode, key, split, role, chosen, refused, label, bool(less) and asked,
        bool(model), bool(adjudicated), bool(adjudicated) and strength == 0,
    )  # fmt: skip


def _reply(
    places: Mapping[str, int], seen: str | None, text: str | None, turn: str | None, candidate: str | None
) -> Reply | None:
    """None where there is none, or what it answers was erased."""
    if seen is None or text is None or seen not in places:
        return None
    (message,) = chain([Message("assistant", text)], seen)
    return Reply(seen, places[seen], message, turn, candidate)


_SEEN = (12, 16, 20)
"""Where in a row the turn, the chosen and the refused candidate begin."""
_PLACES = """
WITH RECURSIVE walk(tip, hash, place) AS (
  SELECT m.hash, m.parent_hash, 1 FROM messages m WHERE m.hash IN (SELECT value FROM json_each(?))
  UNION ALL SELECT w.tip, m.parent_hash, w.place + 1 FROM walk w JOIN messages m ON m.hash = w.hash)
SELECT tip, max(place) FROM walk GROUP BY tip"""
_JUDGED = """
WITH fits AS ({fits})
SELECT a.id, a.kind, coalesce(a.annotator_id, a.judge_id), a.value, e.id, i.key, i.split, coalesce(t.role, c.role),
  EXISTS (SELECT 1 FROM people p WHERE p.id IN (a.annotator_id, c.person_id, x.person_id)
    AND (p.withdrawn_at IS NOT NULL OR p.consent NOT IN (SELECT value FROM json_each(?)))),
  a.judge_id IS NOT NULL, coalesce(json_extract(a.value, '$.adjudicated'), 0), a.strength,
  t.seen_hash, t.text, t.id, NULL,
  c.seen_hash, c.text, c.turn_id, c.id,
  x.seen_hash, x.text, x.turn_id, x.id
FROM annotations a
LEFT JOIN turns t ON t.id = a.turn_id
LEFT JOIN candidates c ON c.id = a.chosen_id
LEFT JOIN candidates x ON x.id = a.rejected_id
JOIN episodes e ON e.id = coalesce(CASE WHEN a.kind <> 'preference' THEN t.episode_id END, c.episode_id)
JOIN instances i ON i.id = e.instance_id
WHERE a.kind IN ('preference', 'edit', 'label')
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)
  AND (? = 'all' OR (a.judge_id IS NULL) = (? = 'people'))
  AND (a.kind <> 'preference' OR coalesce(a.strength, 1) <> 0
    OR (json_extract(a.value, '$.adjudicated') AND json_extract(a.value, '$.verdict') IS NOT NULL))
  AND (a.repeat = 0 OR NOT EXISTS (SELECT 1 FROM annotations f WHERE f.item_id = a.item_id AND f.repeat = 0
    AND coalesce(f.annotator_id, f.judge_id) = coalesce(a.annotator_id, a.judge_id)
    AND json_extract(f.value, '$.verdict') IS NOT NULL AND coalesce(json_extract(f.value, '$.adjudicated'), 0) = 0
    AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = f.id)))
  AND e.id IN fits AND (x.id IS NULL OR x.episode_id IN fits)
ORDER BY a.id"""
