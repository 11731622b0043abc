"""From nothing and from older files to today's schema, and the promises of the schema itself."""

from __future__ import annotations

import contextlib
import gzip
import re
import sqlite3
from importlib.resources import files
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations
from tiny_game import Script, Tiny, new_match

from players.driver import drive
from store import migrations, schema
from store.connection import connect
from store.keep import check
from store.log import Log
from store.migrations import backup_path, known, migrate, statements
from store.writer import COLUMNS

TABLES = [
    "annotations",
    "answers",
    "blobs",
    "branches",
    "calls",
    "candidates",
    "checkpoints",
    "copies",
    "dataset_ranked",
    "dataset_rows",
    "dataset_turns",
    "dataset_votes",
    "datasets",
    "drafts",
    "episodes",
    "evaluations",
    "failures",
    "files",
    "guidelines",
    "heard",
    "instances",
    "invitations",
    "items",
    "messages",
    "metrics",
    "participants",
    "people",
    "players",
    "progress",
    "queues",
    "redactions",
    "reservations",
    "results",
    "rollouts",
    "runs",
    "saved_views",
    "scorings",
    "seats",
    "studies",
    "substitutes",
    "tags",
    "tombstones",
    "training_events",
    "trainings",
    "trash",
    "turns",
    "unswept",
]
VIEWS = [
    *(
        "dataset_row_turns",
        "leaderboard",
        "leakage",
        "perspective",
        "preference_pairs",
        "scores",
        "sitters",
        "tips",
        "transcript",
    ),
    *("unfinished", "verdicts"),
]


def names(db, kind):
    rows = db.execute("SELECT name FROM sqlite_master WHERE type = ? ORDER BY 1", (kind,))
    return [name for (name,) in rows if not name.startswith(("sqlite_", "_sqlite", "turns_fts"))]


def test_a_new_log_has_every_table_and_view(log):
    assert names(log.reader(), "table") == sorted(TABLES)
    assert names(log.reader(), "view") == sorted(VIEWS)
    assert schema.applied(log.reader()) == list(schema.NAMES)
    assert log.reader().execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)


def test_every_table_is_strict(log):
    lists = log.reader().execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
    assert {name for name, strict in lists if strict} >= set(TABLES)


def test_json_columns_are_checked(log):
    rows = log.reader().execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
    sql = " ".join(row[0] for row in rows)
    checked = set(re.findall(r"json_valid\((\w+)\)", sql))
    wanted = "sampling config hardware data opening says rewards winners value filters raw player_ids shown_order"
    assert checked == {*wanted.split(), "turns", "metrics", "loss", "general", "plan"}
    with pytest.raises(Exception, match="CHECK constraint failed"):
        log.write(lambda db: db.execute("INSERT INTO players (id, kind, name, sampling) VALUES ('a', 'bot', 'b', '{')"))


def test_sql_files_are_in_order_and_all_are_known():
    there = sorted(file.name for file in files("store").iterdir() if file.name.endswith(".sql"))
    assert there == [f"{name}.sql" for name in schema.NAMES]
    assert [int(name[:4]) for name in schema.NAMES] == list(range(1, len(schema.NAMES) + 1))


def test_views_can_be_read(log):
    for view in VIEWS:
        log.reader().execute(f"SELECT * FROM {view}").fetchall()


def test_the_recorder_knows_the_columns(log):
    for table, columns in COLUMNS.items():
        there = [row[1] for row in log.reader().execute(f"PRAGMA table_info({table})")]
        assert set(columns.split()) <= set(there)


def test_statements_keep_triggers_whole():
    sql = "-- a\nCREATE TABLE a (b);\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n"
    assert [statement.split()[-1] for statement in statements(sql)] == ["(b);", "END;"]
    with pytest.raises(ValueError, match="middle of a statement"):
        statements("CREATE TABLE a (b")


def an_older_log(path):
    """A file as the first migration alone leaves it, with one row."""
    with contextlib.closing(connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        known().apply(Database(db), stop_before=schema.NAMES[1])
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("INSERT INTO tombstones SELECT 'x', 'y', 'z' WHERE 0")
        db.execute("INSERT INTO people VALUES ('amber-otter-100', 'local', '1', '', NULL, '')")
        db.execute("COMMIT")


def test_an_older_log_is_copied_and_brought_up_to_date(path):
    an_older_log(path)
    with Log.open(path) as log:
        assert log.backup == path.with_name(f"episodes.before-{schema.NAMES[1]}.sqlite")
        assert str(log.backup) in log.notices[0]
        assert schema.applied(log.reader()) == list(schema.NAMES)
        assert [person.id for person in log.people.all()] == ["amber-otter-100"]
        with contextlib.closing(sqlite3.connect(log.backup)) as before:
            assert schema.applied(before) == [schema.NAMES[0]]
            assert before.execute("SELECT id FROM people").fetchall() == [("amber-otter-100",)]
    with Log.open(path) as log:
        assert log.backup is None and log.notices == []


def test_a_new_log_needs_no_copy(path):
    Log.open(path).close()
    assert list(path.parent.glob("*before*")) == []


def test_a_copy_never_overwrites(path):
    taken = backup_path(path, "0002_x")
    taken.touch()
    assert backup_path(path, "0002_x") != taken
    assert backup_path(path, "0002_x").name == "episodes.before-0002_x-2.sqlite"


def test_a_migration_that_fails_changes_nothing(path):
    an_older_log(path)
    broken = Migrations(schema.SET)
    broken(name=schema.NAMES[0])(lambda db: None)

    @broken(name=schema.NAMES[1])
    def half(db):
        db.conn.execute("CREATE TABLE halfway (x)")
        db.conn.execute("CREATE TABLE")

    with contextlib.closing(connect(path)) as db:
        with pytest.raises(sqlite3.OperationalError):
            migrate(db, path, broken)
        assert not db.in_transaction
        assert "halfway" not in names(db, "table") and schema.applied(db) == [schema.NAMES[0]]
    Log.open(path).close()


def test_a_current_log_opens_without_the_migration_machinery(path, monkeypatch):
    Log.open(path).close()
    monkeypatch.setattr(migrations, "migrate", lambda *a: pytest.fail("migrated again"))
    with Log.open(path) as log:
        assert log.backup is None


async def test_what_was_said_stays_unless_a_redaction_is_open(log):
    await drive(new_match(), {"asker": Script("hello", "win"), "teller": Script("secret")}, log.recorder)

    def tries(sql):
        with pytest.raises(Exception, match="append-only"):
            log.write(lambda db: db.execute(sql).rowcount)

    for table in ("turns", "messages", "results"):
        column = {"turns": "note", "messages": "content", "results": "reason"}[table]
        tries(f"UPDATE {table} SET {column} = 'x'")
        tries(f"DELETE FROM {table}")
        tries(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")

    def redact(db):
        db.execute("INSERT INTO redactions VALUES ('R', NULL, 'asked', '2026', NULL)")
        changed = db.execute("UPDATE turns SET text = '' WHERE text = 'secret'").rowcount
        db.execute("INSERT INTO tombstones SELECT 'turns', id, 'R' FROM turns WHERE text = ''")
        db.execute("UPDATE redactions SET closed_at = '2026' WHERE id = 'R'")
        return changed

    assert log.write(redact) == 1
    assert log.queries.search("secret") == [] and len(log.queries.search("hello")) == 1
    tries("UPDATE turns SET text = 'y'")


NOTE = "INSERT INTO annotations (id, kind, episode_id, created_at, supersedes) VALUES (?, 'note', 'E', '', ?)"


def test_annotations_are_superseded_not_changed(log):
    def add(db):
        db.execute("INSERT INTO instances VALUES ('i', 'g', 'n', 'k', 'e', 'en', 'train', NULL, '{}')")
        columns = "id, instance_id, game, game_version, seed, started_at"
        db.execute(f"INSERT INTO episodes ({columns}) VALUES ('E', 'i', 'g', 1, 0, '')")
        db.executemany(NOTE, [("A", None), ("B", "A")])

    log.write(add)
    with pytest.raises(Exception, match="add one that supersedes"):
        log.write(lambda db: db.execute("UPDATE annotations SET kind = 'label'").rowcount)
    with pytest.raises(Exception, match="written this already"):
        log.write(lambda db: db.execute(NOTE, ("C", "A")).rowcount)


FROZEN = sorted((Path(__file__).parent / "frozen").glob("*.sqlite.gz"))
FROZEN_1 = Path(__file__).parent / "frozen" / "0.1.0.sqlite.gz"


def shape(path):
    """Everything the schema consists of."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2")
        return rows.fetchall(), list(schema.applied(db))


def test_there_are_frozen_logs():
    assert FROZEN


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: path.name)
def test_a_frozen_log_opens_with_this_version(frozen, path):
    path.write_bytes(gzip.decompress(frozen.read_bytes()))
    with Log.open(path) as log:
        assert check(log, game_of=lambda name: Tiny()).ok
        counts = log.queries.counts()
        assert (counts.episodes, counts.finished, counts.turns, counts.calls) == (3, 2, 7, 4)
        (half,) = log.queries.unfinished()
        assert log.history.match(half.id, Tiny()).texts == ["one", "zwölf"]
        assert log.people.get("amber-otter-417").consent == "public"


def test_data_sets_keep_their_rows_when_rankings_come(path):
    """0008 makes the table of data sets anew, and three others name it."""
    with contextlib.closing(connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        known().apply(Database(db), stop_before="0008_rankings")
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("INSERT INTO datasets VALUES ('D', 'dpo', '', '{}', 'hash', 1, '2026')")
        db.execute("INSERT INTO dataset_rows (dataset_id, position, general) VALUES ('D', 0, '[]')")
        db.execute("COMMIT")
    with Log.open(path) as log:
        assert check(log).ok
        assert log.reader().execute("SELECT * FROM datasets").fetchall() == [("D", "dpo", "", "{}", "hash", 1, "2026")]
        row = "INSERT INTO datasets VALUES (?, 'ranking', '', '{}', 'hash', 1, '2026')"
        assert log.write(lambda db: db.execute(row, ("R",)).rowcount) == 1
        with pytest.raises(Exception, match="FOREIGN KEY"):
            log.write(lambda db: db.execute("INSERT INTO dataset_rows (dataset_id, position) VALUES ('X', 0)"))


def test_turns_that_a_row_names_itself_are_named_once(path):
    """0009 leaves the last trained turn of a row to the row."""
    path.write_bytes(gzip.decompress((Path(__file__).parent / "frozen" / "0.4.0.sqlite.gz").read_bytes()))
    wanted = "SELECT position, turn_id, side FROM {} ORDER BY 1, 3 DESC, 2"
    with contextlib.closing(connect(path)) as db:
        (one, two, three), *_ = db.execute("SELECT min(id), max(id), min(seen_hash) FROM turns").fetchall()
        db.execute("INSERT INTO datasets VALUES ('D', 'dpo', '', '{}', 'hash', 3, '2026')")
        row = "INSERT INTO dataset_rows (dataset_id, position, turn_id, tip_hash) VALUES ('D', ?, ?, ?)"
        db.executemany(row, [(0, one, three), (1, two, three), (2, None, three)])
        named = [(0, one, "trained"), (0, two, "rejected"), (1, one, "trained"), (1, two, "trained")]
        db.executemany("INSERT INTO dataset_turns VALUES ('D', ?, ?, ?)", named)
        db.commit()
        before = db.execute(wanted.format("dataset_turns")).fetchall()
    with Log.open(path) as log:
        assert log.reader().execute(wanted.format("dataset_row_turns")).fetchall() == before
        others = [(0, two, "rejected"), (1, one, "trained")]
        assert log.reader().execute(wanted.format("dataset_turns")).fetchall() == others
        assert check(log).ok


def test_scores_are_carried_over_number_by_number(path):
    """0003 keeps them as one row per episode and scorer; who reads the view sees what was there."""
    path.write_bytes(gzip.decompress(FROZEN_1.read_bytes()))
    wanted = "SELECT episode_id, name, ply, role, scorer, value FROM scores ORDER BY 1, 2, 3, 4"
    with contextlib.closing(sqlite3.connect(path)) as before:
        numbers = before.execute(wanted).fetchall()
    assert len(numbers) >= 3 and {row[1] for row in numbers} > {"turn"}
    with Log.open(path) as log:
        assert log.reader().execute(wanted).fetchall() == numbers


def test_no_released_migration_was_edited(path, tmp_path):
    """The newest frozen log must have exactly the tables that its migrations make today."""
    frozen = tmp_path / "frozen.sqlite"
    Log.open(path).close()
    for compressed in FROZEN:
        frozen.write_bytes(gzip.decompress(compressed.read_bytes()))
        tables, names = shape(frozen)
        if names == list(schema.NAMES):
            assert tables == shape(path)[0]
            return
    pytest.fail("no frozen log has today's schema: run tests/store/freeze.py for the release that brings it")
