"""The way from any older log to this version's: numbered SQL files, forward only, each in a transaction.

They run under one write lock, so that two programs that open the same new file do not both build it. A file that
held a log before is backed up first. A log that knows more migrations than we do is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from sqlite_utils import Database, Migrations

from store.schema import APPLICATION_ID, NAMES, SET, applied, refuse_newer


def _step(name: str) -> Callable[[Database], None]:
    def run(db: Database) -> None:
        sql = files("store").joinpath(f"{name}.sql").read_text(encoding="utf-8")
        for statement in statements(sql):
            db.conn.execute(statement)

    return run


def known() -> Migrations:
    """Every migration of this version, as sqlite-utils runs them."""
    migrations = Migrations(SET)
    for name in NAMES:
        migrations(name=name)(_step(name))
    return migrations


def statements(sql: str) -> list[str]:
    """The statements of a script, triggers whole; a comment stays with what it precedes."""
    found: list[str] = []
    lines: list[str] = []
    for line in sql.splitlines(keepends=True):
        lines.append(line)
        if line.rstrip().endswith(";") and sqlite3.complete_statement("".join(lines)):
            found.append("".join(lines).strip())
            lines = []
    if "".join(lines).strip():
        raise ValueError(f"a migration ends in the middle of a statement: {''.join(lines).strip()[:60]}")
    return found


def backup_path(path: Path, name: str) -> Path:
    """Where the copy goes that is made before migration `name`: beside the log, never over another file."""
    wish = path.with_name(f"{path.stem}.before-{name}{path.suffix}")
    number = 2
    while wish.exists():
        wish = path.with_name(f"{path.stem}.before-{name}-{number}{path.suffix}")
        number += 1
    return wish


def migrate(connection: sqlite3.Connection, path: Path, migrations: Migrations | None = None) -> Path | None:
    """Bring the log up to date; returns the backup's path when an older log was there. Raises sqlite3.Error."""
    migrations = migrations or known()
    database = Database(connection)
    held = connection.execute("PRAGMA foreign_keys").fetchone()[0]
    connection.execute("PRAGMA foreign_keys = OFF")  # else a table that others name cannot be made anew
    connection.execute("BEGIN IMMEDIATE")
    try:
        refuse_newer(connection, path)  # another process may have been here since we looked
        pending = migrations.pending(database)
        older = bool(applied(connection))
        backup = _copy(path, backup_path(path, pending[0].name)) if pending and older else None
        migrations.apply(database)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.execute(f"PRAGMA foreign_keys = {held}")
    return backup


def _copy(path: Path, to: Path) -> Path:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to
