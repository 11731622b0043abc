"""`export --format bundle`: a database for reviewers, with only the chosen episodes and all that they need.

It is a new log into which rows are copied, so that no free page and no search index ever held anything else. Episodes
in which somebody agreed to less do not come, nor candidates, judgements and answers of such people; datasets and
trainings stay here. `db check` finds nothing to say of it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.connection import connect, explain
from store.errors import LogError
from store.exchange.chosen import LEAVING, Chosen, Exported, Held, Progress, choose, new_file
from store.exchange.leaving import mark
from store.exchange.rows import columns
from store.filters import Filters
from store.log import Log
from store.people import Level

_MINE = "o.episode_id IN (SELECT id FROM temp.going)"

_STEPS: tuple[tuple[str, str], ...] = (
    (
        "people",
        """o.id IN (SELECT person_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM temp.offered UNION SELECT annotator_id FROM temp.judged
          UNION SELECT person_id FROM temp.taking)""",
    ),
    (
        "players",
        """o.id IN (SELECT player_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.calls WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.failures WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM temp.offered UNION SELECT judge_id FROM temp.judged)""",
    ),
    (
        "runs",
        """o.id IN (SELECT run_id FROM other.episodes WHERE id IN (SELECT id FROM temp.going)
          UNION SELECT run_id FROM other.branches WHERE candidate_id IN (SELECT id FROM temp.offered))
          OR (o.kind = 'study' AND json_extract(o.config, '$.study') IN (SELECT id FROM temp.held))""",
    ),
    (
        "instances",
        """o.id IN (WITH RECURSIVE line(id) AS (
            SELECT instance_id FROM other.episodes WHERE id IN (SELECT id FROM temp.going)
            UNION SELECT i.translation_of FROM line l CROSS JOIN other.instances i ON i.id = l.id
            WHERE i.translation_of IS NOT NULL) SELECT id FROM line)""",
    ),
    ("episodes", "o.id IN (SELECT id FROM temp.going)"),
    ("seats", _MINE),
    (
        "messages",
        """o.hash IN (WITH RECURSIVE line(hash) AS (
            SELECT hash FROM other.heard WHERE episode_id IN (SELECT id FROM temp.going)
            UNION SELECT seen_hash FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
            UNION SELECT prompt_hash FROM other.calls WHERE episode_id IN (SELECT id FROM temp.going)
            UNION SELECT seen_hash FROM temp.offered
            UNION SELECT m.parent_hash FROM line l CROSS JOIN other.messages m ON m.hash = l.hash)
          SELECT hash FROM line)""",
    ),
    ("turns", _MINE),
    ("heard", _MINE),
    ("calls", _MINE),
    ("candidates", "o.id IN (SELECT id FROM temp.offered)"),
    ("results", _MINE),
    ("scorings", _MINE),
    ("failures", _MINE),
    ("queues", "o.id IN (SELECT id FROM temp.asked)"),
    ("guidelines", "o.queue_id IN (SELECT id FROM temp.asked)"),
    ("items", "o.id IN (SELECT id FROM temp.shown)"),
    ("annotations", "o.id IN (SELECT id FROM temp.judged)"),
    ("branches", "o.candidate_id IN (SELECT id FROM temp.offered)"),
    ("rollouts", f"{_MINE} AND o.candidate_id IN (SELECT id FROM temp.offered)"),
    ("studies", "o.id IN (SELECT id FROM temp.held)"),
    ("participants", "o.id IN (SELECT id FROM temp.taking)"),
    ("answers", "o.participant_id IN (SELECT id FROM temp.taking)"),
    ("redactions", "o.id IN (SELECT redaction_id FROM temp.dead)"),
    ("tombstones", "EXISTS (SELECT 1 FROM temp.dead d WHERE d.kind = o.kind AND d.id = o.id)"),
    ("evaluations", "o.run_id IN (SELECT id FROM main.runs)"),
    ("tags", _MINE),
    (
        "blobs",
        """o.hash IN (SELECT f.hash FROM other.files f WHERE f.episode_id IN (SELECT id FROM temp.going)
          OR (f.episode_id IS NULL AND f.run_id IN (SELECT id FROM main.runs)))""",
    ),
    (
        "files",
        """o.episode_id IN (SELECT id FROM temp.going)
          OR (o.episode_id IS NULL AND o.run_id IN (SELECT id FROM main.runs))""",
    ),
)
"""Tables in the order of their references, each with what of it goes."""

_ORDER = {"turns": " ORDER BY o.seq", "messages": " ORDER BY o.rowid", "episodes": " ORDER BY o.rowid"}
"""Parents before children also within a table: else SQLite looks for waiting children with every row, by scanning."""

_INSTEAD = {
    ("candidates", name): f"(SELECT f.{name} FROM temp.offered f WHERE f.id = o.id)"
    for name in ("turn_id", "call_id", "value")
} | {("redactions", "person_id"): "NULL", ("participants", "code"): "''"}
"""What is not taken as it stands: by the code somebody is paid, so it would tell whoever pays who said what."""


def export_bundle(
    log: Log, filters: Filters, out: Path, level: Level = LEAVING, progress: Progress | None = None
) -> Exported:
    """Write the bundle to a new file. Raises LogError; then there is no file."""
    chosen = choose(log, filters, level)
    path = new_file(out)
    try:
        Log.open(path).close()
        with closing(connect(path)) as db:
            db.execute("ATTACH ? AS other", (f"file:{log.path.absolute().as_uri()[7:]}?mode=ro",))
            db.execute("BEGIN IMMEDIATE")
            held = _copy(db, chosen, progress)
            db.execute("COMMIT")
            db.execute("DETACH other")
        with closing(connect(path)) as db:  # without the temporary tables, which VACUUM trips over
            db.execute("VACUUM")
            db.execute("PRAGMA journal_mode = DELETE")  # one file to be handed on, with nothing beside it
    except sqlite3.Error as error:
        _remove(path)
        raise explain(error, path) from error
    except LogError:
        _remove(path)
        raise
    notes = [f"{chosen.parents} of them are parents of branches that were asked for"] if chosen.parents else []
    return Exported(path, len(chosen.ids), chosen.withheld, 1, tuple(notes), held)


def _copy(db: sqlite3.Connection, chosen: Chosen, progress: Progress | None) -> Held:
    held = mark(db, chosen.ids, chosen.level, whole=chosen.whole, barred=chosen.barred, schema="other")
    ids = chosen.ids
    for at, (table, wanted) in enumerate(_STEPS, 1):
        names = columns(db, table)
        order = _ORDER.get(table, "")
        values = [_INSTEAD.get((table, name), "o." + name) for name in names]
        db.execute(
            f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(values)} "
            f"FROM other.{table} o WHERE {wanted}{order}"
        )
        if progress is not None:
            progress(at * len(ids) // len(_STEPS), len(ids))
    return held


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
