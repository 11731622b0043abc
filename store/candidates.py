"""Candidates: replies that were said or might have been. A logged turn becomes one the first time it is compared.

The candidate of a turn has an id that follows from the turn's, so two files that compare the same turns and are merged
later mean the same candidates.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from store.errors import Unknown
from store.ids import clean, fixed_id, new_id, now
from store.writer import require_consent


def candidate_of(db: sqlite3.Connection, turn: str) -> str:
    """The id of the candidate of a turn, made where there is none yet; inside the caller's transaction.

    Raises Unknown where the turn is not in the log.
    """
    found = db.execute("SELECT id FROM candidates WHERE turn_id = ? ORDER BY id LIMIT 1", (turn,)).fetchone()
    if found is not None:
        return found[0]
    row = db.execute("SELECT created_at FROM turns WHERE id = ?", (turn,)).fetchone()
    if row is None:
        raise Unknown(f"no turn {turn} in the log; it may have been erased")
    id = fixed_id(round(datetime.fromisoformat(row[0]).timestamp() * 1000), "candidate", turn)
    db.execute(_OF_TURN, {"id": id, "turn": turn, "at": now()})
    return id


def add_candidate(
    db: sqlite3.Connection, beside: str, text: str, player: str, *, person: str | None = None, rank: int = 0
) -> str:
    """Another reply to what the turn `beside` answers, by this row of `players`; inside the caller's transaction.

    `person` is who wrote it, where a person did. Raises Unknown where the turn is not in the log, NoConsent.
    """
    if person is not None:
        require_consent(db, person)
    id = new_id()
    values = {
        **{"id": id, "turn": beside, "text": clean(text), "player": player, "person": person, "rank": rank},
        "at": now(),
    }
    if not db.execute(_BESIDE, values).rowcount:
        raise Unknown(f"no turn {beside} in the log; it may have been erased")
    return id


_OF_TURN = """
INSERT INTO candidates (id, episode_id, ply, role, turn_id, player_id, person_id, call_id, seen_hash, text, created_at)
SELECT :id, t.episode_id, t.ply, t.role, t.id, t.player_id, t.person_id,
  (SELECT c.id FROM calls c WHERE c.turn_id = t.id ORDER BY c.id DESC LIMIT 1), t.seen_hash, t.text, :at
FROM turns t WHERE t.id = :turn"""
_BESIDE = """
INSERT INTO candidates (id, episode_id, ply, role, rank, player_id, person_id, seen_hash, text, created_at)
SELECT :id, t.episode_id, t.ply, t.role, :rank, :player, :person, t.seen_hash, :text, :at
FROM turns t WHERE t.id = :turn"""
