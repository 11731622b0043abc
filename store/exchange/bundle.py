"""`export --format bundle`: a database for reviewers, with only the chosen episodes and all that they need.

It is a new log into which rows are copied, so that no free page and no search index ever held anything else. Episodes
in which somebody agreed to less do not come, nor candidates and judgements of such people; datasets and trainings stay
here. `db check` finds nothing to say of it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.connection import connect, explain
from store.errors import LogError
from store.exchange.chosen import LEAVING, Exported, Progress, allowed, choose, new_file
from store.exchange.rows import columns
from store.filters import Filters
from store.log import Log
from store.people import Level

_MINE = "o.episode_id IN (SELECT id FROM temp.going)"
_AGREED = "EXISTS (SELECT 1 FROM temp.agreed p WHERE p.id = o.{column})"

_STEPS: tuple[tuple[str, str], ...] = (
    (
        "people",
        """o.id IN (SELECT person_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT person_id FROM temp.offered UNION SELECT annotator_id FROM temp.judged)""",
    ),
    (
        "players",
        """o.id IN (SELECT player_id FROM other.seats WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.turns WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.calls WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM other.failures WHERE episode_id IN (SELECT id FROM temp.going)
          UNION SELECT player_id FROM temp.offered UNION SELECT judge_id FROM temp.judged)""",
    ),
    ("runs", "o.id IN (SELECT run_id FROM other.episodes WHERE id IN (SELECT id FROM temp.going))"),
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
    ("queues", "o.id IN (SELECT queue_id FROM temp.shown)"),
    ("guidelines", "o.queue_id IN (SELECT queue_id FROM temp.shown)"),
    ("items", "o.id IN (SELECT id FROM temp.shown)"),
    ("annotations", "o.id IN (SELECT id FROM temp.judged)"),
    ("rollouts", f"{_MINE} AND o.candidate_id IN (SELECT id FROM temp.offered)"),
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

_CANDIDATES = f"""
CREATE TEMP TABLE offered AS SELECT o.id, o.person_id, o.player_id, o.seen_hash FROM other.candidates o
WHERE {_MINE} AND (o.person_id IS NULL OR {_AGREED.format(column="person_id")})
  AND (o.turn_id IS NULL OR EXISTS (SELECT 1 FROM other.turns t JOIN temp.going g ON g.id = t.episode_id
    WHERE t.id = o.turn_id))
"""

_ITEMS = f"""
CREATE TEMP TABLE shown AS SELECT o.id, o.queue_id FROM other.items o WHERE {_MINE}
  AND o.a_id IN (SELECT id FROM temp.offered) AND o.b_id IN (SELECT id FROM temp.offered)
"""

_ANNOTATIONS = f"""
CREATE TEMP TABLE judged AS SELECT o.id, o.annotator_id, o.judge_id, o.supersedes FROM other.annotations o
WHERE coalesce(o.episode_id, (SELECT t.episode_id FROM other.turns t WHERE t.id = o.turn_id),
    (SELECT c.episode_id FROM other.candidates c WHERE c.id = o.chosen_id)) IN (SELECT id FROM temp.going)
  AND (o.turn_id IS NULL OR EXISTS (SELECT 1 FROM other.turns t JOIN temp.going g ON g.id = t.episode_id
    WHERE t.id = o.turn_id))
  AND (o.chosen_id IS NULL OR o.chosen_id IN (SELECT id FROM temp.offered))
  AND (o.rejected_id IS NULL OR o.rejected_id IN (SELECT id FROM temp.offered))
  AND (o.item_id IS NULL OR o.item_id IN (SELECT id FROM temp.shown))
  AND (o.guideline_id IS NULL OR o.item_id IS NOT NULL)
  AND (o.annotator_id IS NULL OR {_AGREED.format(column="annotator_id")})
"""


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
            _copy(db, chosen.ids, level, progress)
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
    return Exported(path, len(chosen.ids), chosen.withheld, 1, tuple(notes))


def _copy(db: sqlite3.Connection, ids: tuple[str, ...], level: Level, progress: Progress | None) -> None:
    levels = allowed(level)
    db.execute("CREATE TEMP TABLE going (id TEXT PRIMARY KEY) WITHOUT ROWID")
    db.executemany("INSERT INTO temp.going VALUES (?)", ((id,) for id in ids))
    marks = ", ".join("?" * len(levels))
    db.execute(
        f"CREATE TEMP TABLE agreed AS SELECT id FROM other.people WHERE withdrawn_at IS NULL AND consent IN ({marks})",
        levels,
    )
    db.execute(_CANDIDATES)
    db.execute(_ITEMS)
    db.execute(_ANNOTATIONS)
    gone = 1
    while gone:  # a judgement that supersedes one that stays does not go either
        gone = db.execute(
            "DELETE FROM temp.judged WHERE supersedes IS NOT NULL AND supersedes NOT IN (SELECT id FROM temp.judged)"
        ).rowcount
    for at, (table, wanted) in enumerate(_STEPS, 1):
        names = columns(db, table)
        order = _ORDER.get(table, "")
        db.execute(
            f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join('o.' + name for name in names)} "
            f"FROM other.{table} o WHERE {wanted}{order}"
        )
        if progress is not None:
            progress(at * len(ids) // len(_STEPS), len(ids))


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
