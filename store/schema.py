"""What this version of the program knows about the schema, without loading the migration machinery.

A log is current when the names applied to it are exactly `NAMES`; then it opens with one query. `store.migrations`
is imported only for a new or an older file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from store.errors import NewerSchema

SET = "playpen_tui"
"""The name of our set of migrations in `_sqlite_migrations`."""

APPLICATION_ID = 0x504C4179
"""Marks the file as ours in its header (`PLAy`)."""

NAMES: tuple[str, ...] = (
    *("0001_log", "0002_views", "0003_runs", "0004_exchange", "0005_browse", "0006_training"),
    *("0007_judging", "0008_rankings", "0009_trained_turns"),
)
"""Every migration this version knows, in order. Append only; a released one is never edited."""


def applied(connection: sqlite3.Connection) -> Sequence[str]:
    """Names of our migrations that the file has, in order; [] for an empty file."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()
    if there is None:
        return []
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid", (SET,))
    return [name for (name,) in rows]


def refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raises NewerSchema when the log has migrations this version does not know."""
    unknown = [name for name in applied(connection) if name not in NAMES]
    if unknown:
        raise NewerSchema(
            f"{path} was written by a newer version of playpen-tui (schema {unknown[-1]}, this one knows {NAMES[-1]}); "
            "update playpen-tui, or choose another file with --db"
        )
