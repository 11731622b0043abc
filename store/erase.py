"""Erasing somebody's words inside the caller's transaction: what they said, and all that was said after hearing it.

The rule: from a person's first words in an episode on, everything that was said, told, sent or heard there is erased,
on all seats, and in every branch, rollout and replay that goes on from there; for whoever heard them may have quoted
them. What they judged, wrote about others or answered goes whole, and so does what others judged of the erased words.
Turns stay as empty places, so that an episode still has its length, its players and its outcome. The connection needs
foreign keys off: messages are found by reachability, and looking for each one's children would take hours.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from players.ports import ERASED
from store.erase_notes import distinct, forget_memory, forms, scrub_notes
from store.errors import LogError
from store.ids import content_id, new_id, now, to_json, unpacked
from store.people import mark, was_forgotten

NOBODY = ("human", "erased", "", "", "{}")
"""The player that stands where a forgotten person sat."""


@dataclass(slots=True)
class Erasure:
    """What was erased. Counts are rows."""

    redaction: str
    episodes: int = 0
    turns: int = 0
    """Turns erased, of which `own` were theirs."""
    own: int = 0
    calls: int = 0
    candidates: int = 0
    annotations: int = 0
    """Their judgements, and those of others about erased words."""
    of_others: int = 0
    items: int = 0
    messages: int = 0
    files: int = 0
    answers: int = 0
    datasets: dict[str, int] = field(default_factory=dict[str, int])
    """Rows that lost their words, by data set."""
    words: list[str] = field(default_factory=list[str])
    """What they had written, longest first: to look for it afterwards. Never shown."""


def forgotten(db: sqlite3.Connection, people: Iterable[str], schema: str = "main") -> list[str]:
    """Those of these people who were forgotten in that database."""
    return [person for person in people if was_forgotten(db, person, schema)]


def erase(db: sqlite3.Connection, people: Sequence[str], reason: str = "asked for") -> Erasure:
    """Erase all that these people said and wrote. Raises LogError where references would break, and sqlite3.Error."""
    done = Erasure(new_id())
    db.execute("INSERT INTO redactions (id, reason, opened_at) VALUES (?, ?, ?)", (done.redaction, reason, now()))
    for sql in _TABLES:
        db.execute(sql)
    db.executemany("INSERT INTO gone VALUES (?)", ((person,) for person in people))
    db.execute(_SITTERS)
    _touch(db)
    done.words = sorted({word for word in _words(db) if word.strip()}, key=len, reverse=True)
    for step in (_gather, _data_sets, _judgements, _spoken, _files, _people, _search, _memory, _notes, _messages):
        step(db, done)
    db.execute("INSERT INTO unswept VALUES (?)", (done.redaction,))
    db.execute("UPDATE redactions SET closed_at = ? WHERE id = ?", (now(), done.redaction))
    for table in ("gone", "gone_players", "touched", "blank", "lost", "lost_notes", "lost_items"):
        db.execute(f"DROP TABLE temp.{table}")
    broken = db.execute("PRAGMA foreign_key_check").fetchone()
    if broken is not None:
        raise LogError(f"nothing was erased: a row of {broken[0]} would name one of {broken[2]} that is gone")
    return done


_TABLES = (
    "CREATE TEMP TABLE gone (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE gone_players (id TEXT PRIMARY KEY) WITHOUT ROWID",
    # first: the ply from which on it is erased; said: that of their first words, below it in what a branch goes on from
    "CREATE TEMP TABLE touched (id TEXT PRIMARY KEY, first INTEGER NOT NULL, said INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE blank (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE lost (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE lost_notes (id TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TEMP TABLE lost_items (id TEXT PRIMARY KEY) WITHOUT ROWID",
)
_SITTERS = """
INSERT INTO gone_players SELECT id FROM players
WHERE kind = 'human' AND (name IN (SELECT id FROM gone) OR name IN (SELECT 'human:' || id FROM gone))"""
_FIRST = """
INSERT INTO touched SELECT episode_id, min(ply), min(ply) FROM (
  SELECT episode_id, ply FROM turns WHERE person_id IN (SELECT id FROM gone)
  UNION ALL SELECT episode_id, ply FROM turns WHERE player_id IN (SELECT id FROM gone_players)
  UNION ALL SELECT t.episode_id, t.ply FROM candidates c JOIN turns t ON t.id = c.turn_id
    WHERE c.person_id IN (SELECT id FROM gone)
  UNION ALL SELECT e.id, e.fork_ply FROM candidates c JOIN rollouts r ON r.candidate_id = c.id
    JOIN episodes e ON e.id = r.episode_id WHERE c.person_id IN (SELECT id FROM gone) AND e.fork_ply IS NOT NULL
) GROUP BY episode_id"""
_SPREAD = """
INSERT INTO touched SELECT id, min(first), min(said) FROM (
  SELECT e.id AS id, e.fork_ply AS first, x.said AS said
  FROM touched x JOIN episodes e ON e.parent_id = x.id WHERE x.said < e.fork_ply
  UNION ALL
  SELECT t.episode_id, min(t.ply), min(t.ply) FROM touched x
  JOIN players p ON p.kind = 'replay' AND p.name = 'replay:' || x.id
  JOIN turns t ON t.player_id = p.id AND t.ply >= x.said GROUP BY t.episode_id
) GROUP BY id
ON CONFLICT (id) DO UPDATE SET first = min(first, excluded.first), said = min(said, excluded.said)
WHERE excluded.first < first OR excluded.said < said"""


def _touch(db: sqlite3.Connection) -> None:
    """Where their words stand, from which ply on: through branches of branches and replays of replays."""
    db.execute(_FIRST)
    while db.execute(_SPREAD).rowcount > 0:
        pass
    db.execute("INSERT INTO blank SELECT t.id FROM turns t JOIN touched x ON x.id = t.episode_id AND t.ply >= x.first")


def _words(db: sqlite3.Connection) -> Iterator[str]:
    """Everything they typed: whole, line by line, and without the tag in front."""
    for sql in (
        "SELECT text FROM turns WHERE person_id IN (SELECT id FROM gone) OR player_id IN (SELECT id FROM gone_players)",
        "SELECT text FROM candidates WHERE person_id IN (SELECT id FROM gone)",
        "SELECT text FROM drafts WHERE judge IN (SELECT id FROM gone)",
    ):
        for (text,) in db.execute(sql):
            yield from _parts(text)
    for sql in (
        "SELECT value FROM annotations WHERE annotator_id IN (SELECT id FROM gone)",
        "SELECT value FROM answers WHERE participant_id IN "
        "(SELECT id FROM participants WHERE person_id IN (SELECT id FROM gone))",
    ):
        for (value,) in db.execute(sql):
            for text in _texts(json.loads(value)):
                yield from _parts(text)


def _parts(text: str) -> Iterator[str]:
    yield text
    for line in text.splitlines():
        yield line.strip()
        yield line.partition(":")[2].strip()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        inner = cast(Any, value)
        for one in inner.values() if isinstance(value, dict) else inner:
            yield from _texts(one)


_AFTER = "EXISTS (SELECT 1 FROM touched x WHERE x.id = o.episode_id AND o.ply > x.said)"
_LOST = (
    # candidates: theirs, what became an erased turn, and what answered their words
    f"""INSERT OR IGNORE INTO lost SELECT id FROM candidates o WHERE o.person_id IN (SELECT id FROM gone)
      OR o.player_id IN (SELECT id FROM gone_players) OR o.turn_id IN (SELECT id FROM blank) OR {_AFTER}""",
    f"""INSERT OR IGNORE INTO lost_items SELECT id FROM items o WHERE o.a_id IN (SELECT id FROM lost)
      OR o.b_id IN (SELECT id FROM lost) OR {_AFTER}""",
    """INSERT OR IGNORE INTO lost_notes SELECT id FROM annotations WHERE annotator_id IN (SELECT id FROM gone)
      OR turn_id IN (SELECT id FROM blank) OR item_id IN (SELECT id FROM lost_items)
      OR chosen_id IN (SELECT id FROM lost) OR rejected_id IN (SELECT id FROM lost)
      OR (turn_id IS NULL AND item_id IS NULL AND episode_id IN (SELECT id FROM touched))""",
)
_SUPERSEDES = """
INSERT OR IGNORE INTO lost_notes SELECT a.id FROM annotations a JOIN lost_notes l ON l.id = a.supersedes"""


def _gather(db: sqlite3.Connection, done: Erasure) -> None:
    """Which candidates, items and judgements go with the words, and a tombstone for each."""
    for sql in _LOST:
        db.execute(sql)
    while db.execute(_SUPERSEDES).rowcount > 0:
        pass
    for kind, ids in (
        ("episodes", "SELECT id FROM touched"),
        ("turns", "SELECT id FROM blank"),
        ("candidates", "SELECT id FROM lost"),
        ("items", "SELECT id FROM lost_items"),
        ("annotations", "SELECT id FROM lost_notes"),
        ("participants", "SELECT id FROM participants WHERE person_id IN (SELECT id FROM gone)"),
    ):
        db.execute(f"INSERT OR IGNORE INTO tombstones SELECT '{kind}', id, ? FROM ({ids})", (done.redaction,))
    for (person,) in db.execute("SELECT id FROM gone").fetchall():
        db.execute("INSERT OR IGNORE INTO tombstones VALUES ('people', ?, ?)", (mark(person), done.redaction))
    own = "SELECT count(*) FROM turns WHERE person_id IN (SELECT id FROM gone)"
    done.own = db.execute(f"{own} OR player_id IN (SELECT id FROM gone_players)").fetchone()[0]
    done.of_others = db.execute(
        "SELECT count(*) FROM annotations WHERE id IN (SELECT id FROM lost_notes) "
        "AND annotator_id IS NOT NULL AND annotator_id NOT IN (SELECT id FROM gone)"
    ).fetchone()[0]


_ROWS = f"""
UPDATE dataset_rows SET prompt_hash = NULL, tip_hash = NULL, rejected_hash = NULL, general = NULL,
  annotation_id = NULL, chosen_id = NULL, rejected_id = NULL, why = '{ERASED}'
WHERE turn_id IN (SELECT id FROM blank) OR annotation_id IN (SELECT id FROM lost_notes)
  OR chosen_id IN (SELECT id FROM lost) OR rejected_id IN (SELECT id FROM lost)
  OR (instance_id IS NOT NULL AND episode_id IN (SELECT id FROM touched))
  OR EXISTS (SELECT 1 FROM dataset_votes v WHERE v.dataset_id = dataset_rows.dataset_id
    AND v.position = dataset_rows.position AND v.annotation_id IN (SELECT id FROM lost_notes))
  OR EXISTS (SELECT 1 FROM dataset_turns t WHERE t.dataset_id = dataset_rows.dataset_id
    AND t.position = dataset_rows.position AND t.turn_id IN (SELECT id FROM blank))
RETURNING dataset_id"""


def _data_sets(db: sqlite3.Connection, done: Erasure) -> None:
    for (id,) in db.execute(_ROWS).fetchall():
        done.datasets[id] = done.datasets.get(id, 0) + 1
    for table in ("dataset_ranked", "dataset_votes"):
        db.execute(
            f"DELETE FROM {table} AS o WHERE EXISTS (SELECT 1 FROM dataset_rows d WHERE d.dataset_id = o.dataset_id "
            "AND d.position = o.position AND d.why = ?)",
            (ERASED,),
        )


def _judgements(db: sqlite3.Connection, done: Erasure) -> None:
    """What was judged, waits to be judged, was being written, or was answered in a study."""
    done.annotations = db.execute("DELETE FROM annotations WHERE id IN (SELECT id FROM lost_notes)").rowcount
    done.items = db.execute("DELETE FROM items WHERE id IN (SELECT id FROM lost_items)").rowcount
    for table in ("rollouts", "branches"):
        db.execute(f"DELETE FROM {table} WHERE candidate_id IN (SELECT id FROM lost)")
    done.candidates = db.execute("DELETE FROM candidates WHERE id IN (SELECT id FROM lost)").rowcount
    item = "SELECT id FROM lost_items"
    db.execute(f"DELETE FROM reservations WHERE judge IN (SELECT id FROM gone) OR item_id IN ({item})")
    db.execute(
        f"DELETE FROM drafts WHERE judge IN (SELECT id FROM gone) OR place IN ({item} UNION SELECT id FROM blank)"
    )
    theirs = "SELECT id FROM participants WHERE person_id IN (SELECT id FROM gone)"
    done.answers = db.execute(f"DELETE FROM answers WHERE participant_id IN ({theirs})").rowcount
    db.execute("DELETE FROM participants WHERE person_id IN (SELECT id FROM gone)")


def _spoken(db: sqlite3.Connection, done: Erasure) -> None:
    """Turns and calls become empty places; what seats heard goes; results keep their numbers."""
    done.turns = db.execute(
        f"""UPDATE turns SET text = '{ERASED}', note = '', says = '[]', seen_hash = (
          SELECT CASE WHEN turns.ply > x.said THEN NULL ELSE turns.seen_hash END
          FROM touched x WHERE x.id = turns.episode_id)
        WHERE id IN (SELECT id FROM blank)"""
    ).rowcount
    done.calls = db.execute(
        f"""UPDATE calls AS o SET text = '{ERASED}', reasoning = '', error = '', raw = '{{}}', token_ids = NULL,
          logprobs = NULL, prompt_hash = NULL WHERE o.turn_id IN (SELECT id FROM blank) OR {_AFTER}"""
    ).rowcount
    db.execute("DELETE FROM heard WHERE episode_id IN (SELECT id FROM touched)")
    db.execute("DELETE FROM invitations WHERE episode_id IN (SELECT id FROM touched)")
    db.execute("UPDATE results SET reason = '' WHERE episode_id IN (SELECT id FROM touched)")
    db.execute(
        f"""UPDATE failures SET message = '{ERASED}' WHERE EXISTS (
          SELECT 1 FROM touched x WHERE x.id = failures.episode_id AND failures.ply >= x.first)"""
    )
    done.episodes = db.execute("SELECT count(*) FROM touched").fetchone()[0]
    rows = db.execute("SELECT episode_id, scorer, metrics FROM scorings WHERE episode_id IN (SELECT id FROM touched)")
    for episode, scorer, metrics in rows.fetchall():
        numbers = {k: v for k, v in json.loads(metrics).items() if isinstance(v, int | float | None)}
        values = (to_json(numbers), episode, scorer)
        db.execute("UPDATE scorings SET metrics = ? WHERE episode_id = ? AND scorer = ?", values)


def _files(db: sqlite3.Connection, done: Erasure) -> None:
    """Files that were imported with these episodes, and those of their runs that hold the words as well."""
    done.files = db.execute("DELETE FROM files WHERE episode_id IN (SELECT id FROM touched)").rowcount
    shared = db.execute(
        """SELECT f.run_id, f.path, b.size, b.content FROM files f JOIN blobs b ON b.hash = f.hash
        WHERE f.episode_id IS NULL AND f.run_id IN (
          SELECT e.run_id FROM episodes e JOIN touched x ON x.id = e.id)"""
    )
    words = [form for word in done.words if distinct(word) for form in forms(word)]
    for run, path, size, content in shared.fetchall():
        try:
            plain = unpacked(content, size)
        except zlib.error:
            plain = b""  # `db check` reports it; nobody can read it
        if any(word in plain for word in words):
            done.files += db.execute("DELETE FROM files WHERE run_id = ? AND path = ?", (run, path)).rowcount
    dead = "SELECT hash FROM blobs WHERE hash NOT IN (SELECT hash FROM files)"
    db.execute(f"INSERT OR IGNORE INTO tombstones SELECT 'blobs', hash, ? FROM ({dead})", (done.redaction,))
    db.execute(f"DELETE FROM blobs WHERE hash IN ({dead})")


def _search(db: sqlite3.Connection, done: Erasure) -> None:
    """Deleted terms live on in the index until it is built anew."""
    db.execute("INSERT INTO turns_fts(turns_fts) VALUES ('rebuild')")


def _people(db: sqlite3.Connection, done: Erasure) -> None:
    """Nobody stands where they sat; their pseudonym goes."""
    nobody = content_id([*NOBODY])
    there = "SELECT id FROM gone_players"
    db.execute("INSERT OR IGNORE INTO players VALUES (?, ?, ?, ?, ?, ?)", (nobody, *NOBODY))
    db.execute(
        f"INSERT OR IGNORE INTO substitutes SELECT episode_id, role, ? FROM substitutes WHERE player_id IN ({there})",
        (nobody,),
    )
    db.execute(f"DELETE FROM substitutes WHERE player_id IN ({there})")
    for table in ("seats", "turns", "calls", "failures"):
        db.execute(f"UPDATE {table} SET player_id = ? WHERE player_id IN ({there})", (nobody,))
    for table in ("seats", "turns"):
        db.execute(f"UPDATE {table} SET person_id = NULL WHERE person_id IN (SELECT id FROM gone)")
    db.execute("UPDATE redactions SET person_id = NULL WHERE person_id IN (SELECT id FROM gone)")


def _notes(db: sqlite3.Connection, done: Erasure) -> None:
    """The pseudonym and the words leave what stands beside the episodes; and so do the people."""
    names = [id for (id,) in db.execute("SELECT id FROM gone UNION ALL SELECT id FROM gone_players")]
    scrub_notes(db, names, done.words)
    db.execute("DELETE FROM players WHERE id IN (SELECT id FROM gone_players)")
    db.execute("DELETE FROM people WHERE id IN (SELECT id FROM gone)")


def _memory(db: sqlite3.Connection, done: Erasure) -> None:
    forget_memory(db, {id for (id,) in db.execute("SELECT id FROM gone")}, done.words, done.redaction)


_DEAD = """
DELETE FROM messages WHERE hash NOT IN (
  WITH RECURSIVE live(hash) AS (
    SELECT hash FROM (
      SELECT seen_hash AS hash FROM turns UNION SELECT hash FROM heard UNION SELECT prompt_hash FROM calls
      UNION SELECT seen_hash FROM candidates UNION SELECT prompt_hash FROM dataset_rows
      UNION SELECT tip_hash FROM dataset_rows UNION SELECT rejected_hash FROM dataset_rows
      UNION SELECT tip_hash FROM dataset_ranked
    ) WHERE hash IS NOT NULL
    UNION SELECT m.parent_hash FROM live l JOIN messages m ON m.hash = l.hash WHERE m.parent_hash IS NOT NULL
  ) SELECT hash FROM live)"""


def _messages(db: sqlite3.Connection, done: Erasure) -> None:
    """Messages that nothing names any more, directly or as what stands before."""
    done.messages = db.execute(_DEAD).rowcount
