"""Every standing vote of a person between two replies, ties and skips among them: for rankings and for counting."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from games.engine import Message
from store.filters import FROM, Filters
from store.ids import chain
from store.people import LEVELS


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote. Of a tie, of both bad and of a skip `better` and `worse` are the two sides as they stood."""

    annotation: str
    judge: str
    verdict: str
    """`better` (one of them is), `tie`, `bad` or `skip`."""
    episode: str
    game: str
    key: str
    split: str
    role: str
    seen: str
    """The hash of the dialogue before both."""
    better: tuple[str, str]
    """Hash of the dialogue with the reply, and the reply."""
    worse: tuple[str, str]
    turns: tuple[str | None, str | None]
    """The turns in which the two were said, if they were."""
    withheld: bool
    """Whether somebody behind it agreed to less than the filters ask for."""


def votes(reader: sqlite3.Connection, filters: Filters) -> list[Vote]:
    """Votes of people about episodes that fit, oldest first; models are no people. Raises ValueError."""
    condition, values = filters.sql()
    enough = LEVELS[LEVELS.index(filters.consent) :] if filters.consent else LEVELS
    sql = _VOTES.format(fits=f"SELECT e.id {FROM} WHERE {condition}")
    found: list[Vote] = []
    for id, judge, value, strength, episode, game, key, split, role, seen, *said, first, second, less in reader.execute(
        sql, [*values, json.dumps(enough)]
    ).fetchall():
        told = json.loads(value).get("verdict")
        verdict = told if told in ("tie", "bad", "skip") else "tie" if strength == 0 else "better"
        one, two = [(str(chain([Message("assistant", text)], seen)[0][0]), text) for text in said]
        place = (episode, game, key, split, role, seen)
        found.append(Vote(id, judge or "", verdict, *place, one, two, (first, second), bool(less)))
    return found


_VOTES = """
WITH fits AS ({fits})
SELECT a.id, a.annotator_id, a.value, a.strength, e.id, e.game, i.key, i.split, c.role, c.seen_hash, c.text, x.text,
  c.turn_id, x.turn_id,
  EXISTS (SELECT 1 FROM people p WHERE p.id IN (a.annotator_id, c.person_id, x.person_id)
    AND (p.withdrawn_at IS NOT NULL OR p.consent NOT IN (SELECT value FROM json_each(?))))
FROM annotations a JOIN candidates c ON c.id = a.chosen_id JOIN candidates x ON x.id = a.rejected_id
JOIN episodes e ON e.id = c.episode_id JOIN instances i ON i.id = e.instance_id
WHERE a.kind = 'preference' AND a.judge_id IS NULL AND c.seen_hash IS NOT NULL AND c.seen_hash = x.seen_hash
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)
  AND json_type(a.value, '$.verdict') IS NOT 'null'
  AND e.id IN fits AND x.episode_id IN fits
ORDER BY a.id"""
