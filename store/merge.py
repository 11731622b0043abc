"""Joining logs: the shards of a job array, or two people's files, become one. By id, so that twice is once.

Every table is copied from the other file by one statement, parents before children, whatever is here already left
alone. Three things are not brought in: what was erased here or there, words of people who did not agree, and second
episodes for a slot of a run that is filled. An unfinished episode that went on in the other file is continued here.
The other file is only read; an older one is brought up to date in a temporary copy. All of it is one transaction, but
for one thing: who was forgotten there is forgotten here first, in a transaction of its own.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from store.connection import connect, explain, look
from store.erase import erase, forgotten
from store.erase_notes import mark_text, scrub_notes
from store.errors import LogError, NoLog, ReadOnly
from store.forget import sweep
from store.log import Log
from store.schema import NAMES, applied, refuse_newer

ORDER = (
    *("people", "players", "runs", "instances", "episodes", "seats", "messages", "turns", "heard", "calls"),
    *("candidates", "results", "scorings", "failures", "queues", "guidelines", "items", "annotations"),
    *("datasets", "dataset_rows", "dataset_turns", "dataset_ranked", "dataset_votes"),
    *("trainings", "metrics", "checkpoints", "training_events"),
    *("evaluations", "tags", "redactions", "tombstones", "invitations", "blobs", "files", "saved_views"),
    *("substitutes", "trash", "branches", "rollouts", "studies", "participants", "answers"),
)
"""Every table but `progress`, `reservations`, `drafts`, `copies` and `unswept`, parents before children."""

IDS = {
    **{"turns": "id", "episodes": "id", "calls": "id", "candidates": "id", "annotations": "id", "messages": "hash"},
    **{"items": "id", "participants": "id", "blobs": "hash"},
}
"""Tables whose rows can have a tombstone, and the column that it names."""

BY_EPISODE = frozenset(
    (
        *("seats", "turns", "heard", "calls", "candidates", "results", "scorings", "failures", "tags", "invitations"),
        *("substitutes", "trash", "items", "rollouts"),
    )
)
"""Tables whose rows belong to an episode and come only where that comes."""


@dataclass(slots=True)
class Merged:
    """What a merge brought in."""

    source: Path
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """New rows by table; tables without any are left out."""
    continued: int = 0
    """Unfinished episodes that the other file took further."""
    consent: int = 0
    """Episodes left out since somebody in them did not agree to be recorded."""
    judgements: int = 0
    """Candidates, judgements and participants left out since whoever gave them did not agree."""
    forgotten: int = 0
    """People forgotten here since they were forgotten there."""
    swept: bool = True
    """Whether the file was written anew after that; if not, `db forget --finish` does it."""
    erased: int = 0
    """Episodes left out since words of theirs were erased here: one with a hole is no episode."""
    doubled: int = 0
    """Episodes left out since their slot of the run is filled here by another."""

    @property
    def episodes(self) -> int:
        """New episodes."""
        return self.rows.get("episodes", 0)


def merge(log: Log, source: Path) -> Merged:
    """Bring everything of `source` into this log. Raises LogError; then nothing has changed."""
    if not look(source):
        raise NoLog(f"there is no log at {source}; name the file of a shard")
    if source.absolute().resolve() == log.path.absolute().resolve():
        return Merged(source)
    if log.readonly:
        raise ReadOnly(f"{log.path} was opened to be read only; open it for writing")
    try:
        with tempfile.TemporaryDirectory(prefix="playpen-merge-") as folder, closing(connect(log.path)) as db:
            # a connection of its own, since no file can be attached within a transaction of the writer's
            db.execute("ATTACH ? AS other", (str(_current(source, Path(folder))),))
            gone = _obey(db)
            db.execute("BEGIN IMMEDIATE")
            try:
                done = _join(db, source)
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("DETACH other")
            done.forgotten = gone
            if gone:
                done.swept = _sweep(db)
            return done
    except sqlite3.Error as error:
        raise explain(error, log.path) from error


def _obey(db: sqlite3.Connection) -> int:
    """Forget here who was forgotten there; returns how many people."""
    people = forgotten(db, [id for (id,) in db.execute("SELECT id FROM main.people")], "other")
    if people:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("BEGIN IMMEDIATE")
        try:
            erase(db, people, "forgotten in a log that was merged")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("PRAGMA foreign_keys = ON")
    return len(people)


def _sweep(db: sqlite3.Connection) -> bool:
    """Write the file anew; False where another program is in the way."""
    try:
        return sweep(db)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        return False


def _current(source: Path, folder: Path) -> Path:
    """The file itself where it has today's schema, else a copy that was brought up to it."""
    try:
        with closing(connect(source, readonly=True)) as there:
            refuse_newer(there, source)
            if list(applied(there)) == list(NAMES):
                return source
            copy = folder / source.name
            with closing(sqlite3.connect(copy)) as target:
                there.backup(target)
    except sqlite3.Error as error:
        raise explain(error, source) from error
    Log.open(copy).close()
    return copy


def _join(db: sqlite3.Connection, source: Path) -> Merged:
    """Copy from the attached database `other`, inside the caller's transaction."""
    done = Merged(source)
    db.execute("CREATE TEMP TABLE left_out (id TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("CREATE TEMP TABLE kept_messages (hash TEXT PRIMARY KEY) WITHOUT ROWID")
    strangers = _refuse_people(db)
    done.judgements = sum(db.execute(sql).fetchone()[0] for sql in _NOT_GIVEN)
    done.consent = _leave_out(db, _DISAGREED)
    done.doubled = _leave_out(db, _SLOT_TAKEN)
    done.erased = _leave_out(db, _ERASED)
    while _leave_out(db, _BRANCHES) + _leave_out(db, _REPLAYS):
        pass
    _refuse_different(db, source)
    before = _unfinished(db)
    db.execute("CREATE TEMP TABLE here_before (id TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("INSERT INTO here_before SELECT id FROM main.episodes WHERE id IN (SELECT episode_id FROM other.trash)")
    partly = bool(db.execute("SELECT 1 FROM left_out UNION ALL SELECT 1 FROM refused LIMIT 1").fetchone())
    if partly:
        db.execute(_SAID_IN_WHAT_COMES.format(row=_ROW_COMES))
    for table in ORDER:
        wanted = [_KEPT[table]] if partly and table in _KEPT else []
        count = more = _copy(db, table, wanted)
        while more and table == "annotations":  # a change of mind comes once what it supersedes is here
            more = _copy(db, table, wanted)
            count += more
        if count:
            done.rows[table] = count
    done.continued = before - _unfinished(db)
    _progress(db)
    if strangers:
        scrub_notes(db, strangers, ())
    for table in ("left_out", "kept_messages", "here_before", "refused", "lost_views"):
        db.execute(f"DROP TABLE temp.{table}")
    return done


def _refuse_people(db: sqlite3.Connection) -> list[str]:
    """Who does not come, and nothing of theirs: without consent there or here, or forgotten. Returns the latter."""
    db.execute("CREATE TEMP TABLE refused (id TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute(
        """INSERT INTO refused SELECT o.id FROM other.people o LEFT JOIN main.people m ON m.id = o.id
        WHERE o.consent = 'none' OR o.withdrawn_at IS NOT NULL OR m.consent = 'none' OR m.withdrawn_at IS NOT NULL"""
    )
    gone = forgotten(db, [id for (id,) in db.execute("SELECT id FROM other.people").fetchall()])
    db.executemany("INSERT OR IGNORE INTO refused VALUES (?)", ((id,) for id in gone))
    db.execute("CREATE TEMP TABLE lost_views (name TEXT PRIMARY KEY) WITHOUT ROWID")
    for name, query in db.execute("SELECT name, query FROM other.saved_views").fetchall():
        sql = "SELECT 1 FROM main.tombstones WHERE kind = 'saved_views' AND id = ?"
        if db.execute(sql, (mark_text(name, query),)).fetchone():
            db.execute("INSERT INTO lost_views VALUES (?)", (name,))
    return gone


_KEPT = {
    "messages": "o.hash IN (SELECT hash FROM kept_messages)",
    "blobs": "o.hash IN (SELECT f.hash FROM other.files f WHERE coalesce(f.episode_id, '') NOT IN "
    "(SELECT id FROM left_out))",
}
"""What does not come where episodes are left out: their words."""

_DISAGREED = """
SELECT DISTINCT t.episode_id AS id FROM (
  SELECT episode_id, person_id FROM other.seats WHERE person_id IS NOT NULL
  UNION SELECT episode_id, person_id FROM other.turns WHERE person_id IS NOT NULL
  UNION SELECT r.episode_id, c.person_id FROM other.rollouts r JOIN other.candidates c ON c.id = r.candidate_id
    WHERE c.person_id IS NOT NULL
) t LEFT JOIN other.people o ON o.id = t.person_id
WHERE o.id IS NULL OR t.person_id IN (SELECT id FROM refused)
"""

_NOT_GIVEN = (
    "SELECT count(*) FROM other.candidates WHERE person_id IN (SELECT id FROM refused)",
    "SELECT count(*) FROM other.annotations WHERE annotator_id IN (SELECT id FROM refused)",
    "SELECT count(*) FROM other.participants WHERE person_id IN (SELECT id FROM refused)",
)

_SLOT_TAKEN = """
SELECT o.id FROM other.episodes o JOIN main.episodes m ON m.run_id = o.run_id AND m.slot = o.slot WHERE m.id <> o.id
"""

_ERASED = """
SELECT DISTINCT o.episode_id AS id FROM other.turns o JOIN main.tombstones x ON x.kind = 'turns' AND x.id = o.id
WHERE NOT EXISTS (SELECT 1 FROM other.tombstones y WHERE y.kind = 'turns' AND y.id = o.id)
"""
"""What was erased there too holds nothing any more, and may come."""

_BRANCHES = """
WITH RECURSIVE below(id) AS (
  SELECT e.id FROM other.episodes e JOIN left_out l ON l.id = e.parent_id
  UNION SELECT e.id FROM other.episodes e JOIN below b ON b.id = e.parent_id
) SELECT id FROM below
"""
"""A branch holds only its own turns: without its parent it is nothing."""

_REPLAYS = """
SELECT DISTINCT t.episode_id AS id FROM other.turns t JOIN other.players p ON p.id = t.player_id
JOIN left_out l ON p.kind = 'replay' AND p.name = 'replay:' || l.id
"""
"""A replay says again what must not come."""

_SAID_IN_WHAT_COMES = """
INSERT INTO kept_messages
WITH RECURSIVE walk(hash) AS (
  SELECT hash FROM (
    SELECT seen_hash AS hash, episode_id FROM other.turns UNION SELECT hash, episode_id FROM other.heard
    UNION SELECT prompt_hash, episode_id FROM other.calls UNION SELECT seen_hash, episode_id FROM other.candidates
    UNION SELECT d.prompt_hash, '' FROM other.dataset_rows d WHERE {row}
    UNION SELECT d.tip_hash, '' FROM other.dataset_rows d WHERE {row}
    UNION SELECT d.rejected_hash, '' FROM other.dataset_rows d WHERE {row}
    UNION SELECT r.tip_hash, '' FROM other.dataset_ranked r JOIN other.dataset_rows d
      ON d.dataset_id = r.dataset_id AND d.position = r.position WHERE {row}
  ) WHERE hash IS NOT NULL AND episode_id NOT IN (SELECT id FROM left_out)
  UNION SELECT m.parent_hash FROM walk w JOIN other.messages m ON m.hash = w.hash WHERE m.parent_hash IS NOT NULL
) SELECT hash FROM walk
"""
"""Conversations of what is left out must not come by themselves."""

_ROW_COMES = """NOT EXISTS (SELECT 1 FROM other.dataset_row_turns t JOIN other.turns s ON s.id = t.turn_id
    WHERE t.dataset_id = d.dataset_id AND t.position = d.position AND s.episode_id IN (SELECT id FROM left_out))
  AND NOT EXISTS (SELECT 1 FROM other.candidates c WHERE c.id IN (d.chosen_id, d.rejected_id)
    AND (c.person_id IN (SELECT id FROM refused) OR c.episode_id IN (SELECT id FROM left_out)))
  AND NOT EXISTS (SELECT 1 FROM other.annotations a WHERE a.id = d.annotation_id
    AND a.annotator_id IN (SELECT id FROM refused))
  AND coalesce(d.episode_id, '') NOT IN (SELECT id FROM left_out)
  AND NOT EXISTS (SELECT 1 FROM main.tombstones x WHERE (x.kind = 'candidates' AND x.id IN (d.chosen_id, d.rejected_id))
    OR (x.kind = 'annotations' AND x.id = d.annotation_id))
  AND NOT EXISTS (SELECT 1 FROM other.dataset_votes v JOIN other.annotations a ON a.id = v.annotation_id
    LEFT JOIN other.candidates c ON c.id IN (a.chosen_id, a.rejected_id)
    WHERE v.dataset_id = d.dataset_id AND v.position = d.position
      AND (a.annotator_id IN (SELECT id FROM refused) OR c.person_id IN (SELECT id FROM refused)
        OR c.episode_id IN (SELECT id FROM left_out)
        OR EXISTS (SELECT 1 FROM main.tombstones x WHERE (x.kind = 'annotations' AND x.id = a.id)
          OR (x.kind = 'candidates' AND x.id = c.id))))"""
"""A row of a data set that holds nobody's words who is left out."""

_DIFFERENT = """
SELECT o.episode_id, o.ply FROM other.turns o JOIN main.turns m ON m.episode_id = o.episode_id AND m.ply = o.ply
WHERE m.id <> o.id AND o.episode_id NOT IN (SELECT id FROM left_out) ORDER BY o.episode_id, o.ply LIMIT 1
"""


def _leave_out(db: sqlite3.Connection, episodes: str) -> int:
    return db.execute(f"INSERT OR IGNORE INTO left_out (id) SELECT id FROM ({episodes})").rowcount


def _refuse_different(db: sqlite3.Connection, source: Path) -> None:
    """The same episode, played on in two files in two ways, cannot be one."""
    found = db.execute(_DIFFERENT).fetchone()
    if found is not None:
        raise LogError(
            f"episode {found[0]} went on differently here and in {source} from ply {found[1]} on; nothing was merged:"
            " keep one of the two files for it"
        )


def _unfinished(db: sqlite3.Connection) -> int:
    """Unfinished episodes here that are longer, or over, in the other file."""
    return db.execute(
        """SELECT count(*) FROM main.episodes m JOIN other.episodes o ON o.id = m.id
        WHERE m.id NOT IN (SELECT id FROM left_out) AND (
          (SELECT count(*) FROM main.turns t WHERE t.episode_id = m.id)
            < (SELECT count(*) FROM other.turns t WHERE t.episode_id = m.id)
          OR (NOT EXISTS (SELECT 1 FROM main.results r WHERE r.episode_id = m.id)
            AND EXISTS (SELECT 1 FROM other.results r WHERE r.episode_id = m.id)))"""
    ).fetchone()[0]


def _tombstone(table: str) -> str:
    """SQL for: this row was erased here, and not there. What was erased there holds nothing any more, and may come."""
    same = f"x.kind = '{table}' AND x.id = o.{IDS[table]}"
    return (
        f"EXISTS (SELECT 1 FROM main.tombstones x WHERE {same}) "
        f"AND NOT EXISTS (SELECT 1 FROM other.tombstones x WHERE {same})"
    )


def _copy(db: sqlite3.Connection, table: str, wanted: list[str]) -> int:
    """Copy the rows that are not here yet and fit these conditions; returns how many."""
    columns = [name for (name,) in db.execute(f"SELECT name FROM pragma_table_info('{table}')") if name != "seq"]
    wanted = ["1", *wanted]
    if table == "episodes":
        wanted.append("o.id NOT IN (SELECT id FROM left_out)")
    elif table == "files":
        wanted.append("(o.episode_id IS NULL OR EXISTS (SELECT 1 FROM main.episodes e WHERE e.id = o.episode_id))")
        wanted.append("coalesce(o.episode_id, '') NOT IN (SELECT id FROM left_out)")
    elif table in BY_EPISODE:
        wanted.append("EXISTS (SELECT 1 FROM main.episodes e WHERE e.id = o.episode_id)")
        wanted.append("o.episode_id NOT IN (SELECT id FROM left_out)")
    elif table == "people":
        wanted.append("o.id NOT IN (SELECT id FROM refused)")
    elif table == "saved_views":
        wanted.append("o.name NOT IN (SELECT name FROM lost_views)")
    elif table == "dataset_rows":
        wanted.append(_ROW_COMES.replace("d.", "o."))
    elif table == "players":
        absent = "SELECT id FROM other.people EXCEPT SELECT id FROM main.people"
        wanted.append(f"(o.kind <> 'human' OR o.name NOT IN ({absent}))")
    if table == "trash":  # what lies here and was not thrown away here stays
        wanted.append("o.episode_id NOT IN (SELECT id FROM here_before)")
    wanted += [f"NOT ({_tombstone(table)})"] if table in IDS else []
    wanted += [f"({sql})" for sql in _NEEDS.get(table, ())]
    order = " ORDER BY o.seq" if table == "turns" else " ORDER BY o.rowid" if table == "episodes" else ""
    names = ", ".join(columns)
    sql = (
        f"INSERT INTO main.{table} ({names}) SELECT {', '.join('o.' + name for name in columns)} FROM other.{table} o "
        f"WHERE {' AND '.join(wanted)}{order} ON CONFLICT DO NOTHING"
    )
    return db.execute(sql).rowcount


_HERE = "EXISTS (SELECT 1 FROM main.{table} x WHERE x.id = o.{column})"


def _there(table: str, *columns: str) -> Iterable[str]:
    return [f"o.{column} IS NULL OR " + _HERE.format(table=table, column=column) for column in columns]


_AGREES = "o.{column} IS NULL OR o.{column} NOT IN (SELECT id FROM refused)"
_NOT_LEFT_OUT = "coalesce({episode}, '') NOT IN (SELECT id FROM left_out)"
_ROW_HOLDS = (
    "EXISTS (SELECT 1 FROM main.dataset_rows x WHERE x.dataset_id = o.dataset_id AND x.position = o.position "
    "AND x.tip_hash IS NOT NULL)"
)
"""The row of the data set is here, and nothing of it was erased."""
_NEEDS: Mapping[str, Iterable[str]] = {
    "calls": _there("turns", "turn_id"),
    "candidates": [
        *_there("turns", "turn_id"),
        *_there("calls", "call_id"),
        *_there("people", "person_id"),
        _AGREES.format(column="person_id"),
    ],
    "files": ["EXISTS (SELECT 1 FROM main.blobs x WHERE x.hash = o.hash)"],
    "annotations": [
        _AGREES.format(column="annotator_id"),
        _NOT_LEFT_OUT.format(episode="o.episode_id"),
        _NOT_LEFT_OUT.format(episode="(SELECT t.episode_id FROM other.turns t WHERE t.id = o.turn_id)"),
        *_there("episodes", "episode_id"),
        *_there("turns", "turn_id"),
        *_there("candidates", "chosen_id", "rejected_id"),
        *_there("people", "annotator_id"),
        *_there("annotations", "supersedes"),
        *_there("items", "item_id"),
        *_there("players", "judge_id"),
        *_there("guidelines", "guideline_id"),
    ],
    "guidelines": _there("queues", "queue_id"),
    "items": [*_there("queues", "queue_id"), *_there("candidates", "a_id", "b_id")],
    "branches": [*_there("candidates", "candidate_id"), *_there("runs", "run_id")],
    "rollouts": _there("candidates", "candidate_id"),
    "participants": [
        *_there("studies", "study_id"),
        *_there("people", "person_id"),
        _AGREES.format(column="person_id"),
    ],
    "answers": _there("participants", "participant_id"),
    "dataset_rows": [
        *_there("episodes", "episode_id"),
        *_there("turns", "turn_id"),
        *_there("annotations", "annotation_id"),
        *_there("candidates", "chosen_id", "rejected_id"),
        *(
            f"o.{column} IS NULL OR EXISTS (SELECT 1 FROM main.messages x WHERE x.hash = o.{column})"
            for column in ("prompt_hash", "tip_hash", "rejected_hash")
        ),
    ],
    "dataset_turns": [
        *_there("turns", "turn_id"),
        "EXISTS (SELECT 1 FROM main.dataset_rows x WHERE x.dataset_id = o.dataset_id AND x.position = o.position)",
    ],
    "dataset_ranked": [_ROW_HOLDS, "EXISTS (SELECT 1 FROM main.messages x WHERE x.hash = o.tip_hash)"],
    "dataset_votes": [_ROW_HOLDS, *_there("annotations", "annotation_id")],
    "redactions": _there("people", "person_id"),
}
"""What must have come for a row to come: a row that names what was left out is left out too."""


def _progress(db: sqlite3.Connection) -> None:
    """A run whose pulse came from both files is as far as its episodes are."""
    db.execute(
        """INSERT INTO main.progress SELECT * FROM other.progress o WHERE 1
        ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, planned = max(planned, excluded.planned),
          failed = max(failed, excluded.failed), running = 0, tokens_in = max(tokens_in, excluded.tokens_in),
          tokens_out = max(tokens_out, excluded.tokens_out), cost = coalesce(max(cost, excluded.cost), cost),
          seconds = max(seconds, excluded.seconds), beat_at = excluded.beat_at WHERE excluded.beat_at > beat_at"""
    )
    db.execute(
        """UPDATE main.progress SET done = (SELECT count(*) FROM main.episodes e JOIN main.results r
          ON r.episode_id = e.id WHERE e.run_id = progress.run_id)
        WHERE run_id IN (SELECT run_id FROM other.progress)"""
    )
