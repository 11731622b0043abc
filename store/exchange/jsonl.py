"""`export --format jsonl`: one episode a line, with everything the log knows of it, so that it can be read anywhere.

A line holds the rows of the episode by table, and those that they name: run, instance, players, people, messages. What
a seat heard is a chain of messages, each with the hash of the one before. `import jsonl` (`store.exchange.jsonl_in`)
makes the same rows of it. Not in it: the bytes of imported files, for which there is the bundle, and judgements or
candidates of people who agreed to less.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from store.errors import LogError
from store.exchange.chosen import LEAVING, Exported, Progress, allowed, choose, new_file
from store.exchange.rows import columns, pack
from store.filters import Filters
from store.log import Log
from store.people import Level

FORMAT = "playpen-tui episode 1"
"""The first key of every line, with the version of the form."""

OWN = ("seats", "turns", "heard", "calls", "results", "scorings", "failures", "tags")
"""Tables whose rows are an episode's own, parents before children."""

_ORDER = {
    **{"seats": "role", "heard": "role", "turns": "ply", "calls": "ply, id", "failures": "id"},
    **{"results": "episode_id", "scorings": "scorer", "tags": "tag"},
}

_NAMED = {
    "runs": "SELECT * FROM runs WHERE id = (SELECT run_id FROM episodes WHERE id = ?)",
    "instances": "SELECT * FROM instances WHERE id = (SELECT instance_id FROM episodes WHERE id = ?)",
    "players": """SELECT * FROM players WHERE id IN (SELECT player_id FROM seats WHERE episode_id = ?1
        UNION SELECT player_id FROM turns WHERE episode_id = ?1 UNION SELECT player_id FROM calls
        WHERE episode_id = ?1 UNION SELECT player_id FROM failures WHERE episode_id = ?1
        UNION SELECT player_id FROM candidates WHERE episode_id = ?1) ORDER BY id""",
    "messages": """WITH RECURSIVE line(hash) AS (
          SELECT hash FROM heard WHERE episode_id = ?1 UNION SELECT seen_hash FROM turns WHERE episode_id = ?1
          UNION SELECT prompt_hash FROM calls WHERE episode_id = ?1
          UNION SELECT seen_hash FROM candidates WHERE episode_id = ?1
          UNION SELECT m.parent_hash FROM line l CROSS JOIN messages m ON m.hash = l.hash)
        SELECT m.* FROM line l CROSS JOIN messages m ON m.hash = l.hash ORDER BY m.rowid""",
}
"""Rows that an episode's rows name."""

_CANDIDATES = """
SELECT c.{columns} FROM candidates c LEFT JOIN people p ON p.id = c.person_id WHERE c.episode_id = ?
  AND (c.person_id IS NULL OR (p.withdrawn_at IS NULL AND p.consent IN ({marks})))
  AND (c.turn_id IS NULL OR EXISTS (SELECT 1 FROM turns t JOIN temp.going g ON g.id = t.episode_id
       WHERE t.id = c.turn_id))
ORDER BY c.id
"""

_ANNOTATIONS = """
SELECT a.{columns} FROM annotations a LEFT JOIN people p ON p.id = a.annotator_id
WHERE coalesce(a.episode_id, (SELECT t.episode_id FROM turns t WHERE t.id = a.turn_id),
    (SELECT c.episode_id FROM candidates c WHERE c.id = a.chosen_id)) = ?
  AND (a.annotator_id IS NULL OR (p.withdrawn_at IS NULL AND p.consent IN ({marks})))
ORDER BY a.id
"""


def export_jsonl(
    log: Log, filters: Filters, out: Path, level: Level = LEAVING, progress: Progress | None = None
) -> Exported:
    """Write the file, which must be new. Raises LogError."""
    chosen = choose(log, filters, level)
    path = new_file(out)
    lines = Lines(log.reader(), chosen.ids, level)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            for at, id in enumerate(chosen.ids, 1):
                file.write(json.dumps(lines.line(id), ensure_ascii=False, allow_nan=False) + "\n")
                if progress is not None and at % 100 == 0:
                    progress(at, len(chosen.ids))
    except OSError as error:
        raise LogError(f"{path} cannot be written ({error.strerror}); choose another place with --out") from error
    notes = _notes(log.reader(), chosen.ids)
    if chosen.parents:
        notes.append(f"{chosen.parents} of them are parents of branches that were asked for")
    return Exported(path, len(chosen.ids), chosen.withheld, 1, tuple(notes))


def _notes(reader: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    wanted = set(ids)
    here = {id for (id,) in reader.execute("SELECT DISTINCT episode_id FROM files WHERE episode_id IS NOT NULL")}
    if here & wanted:
        return ["the imported files themselves are not in it; --format clembench or bundle takes them along"]
    return []


class Lines:
    """Episodes of a log as JSON objects."""

    def __init__(self, reader: sqlite3.Connection, ids: Iterable[str], level: Level) -> None:
        self._reader = reader
        self._level = allowed(level)
        self._columns: dict[str, list[str]] = {}
        reader.execute("CREATE TEMP TABLE IF NOT EXISTS going (id TEXT PRIMARY KEY) WITHOUT ROWID")
        reader.execute("DELETE FROM temp.going")
        reader.executemany("INSERT INTO temp.going VALUES (?)", ((id,) for id in ids))

    def line(self, id: str) -> dict[str, Any]:
        """One episode."""
        found: dict[str, Any] = {"format": FORMAT, "episode": self._rows("episodes", "id = ?", id)[0]}
        for table, sql in _NAMED.items():
            found[table] = self._named(table, sql, id)
        for table in OWN:
            found[table] = self._rows(table, f"episode_id = ? ORDER BY {_ORDER[table]}", id)
        for table, sql in (("candidates", _CANDIDATES), ("annotations", _ANNOTATIONS)):
            names = self._names(table)
            marks = ", ".join("?" * len(self._level))
            alias = sql.split("SELECT ")[1][0]
            wanted = sql.format(columns=f", {alias}.".join(names), marks=marks)
            found[table] = [pack(table, names, row) for row in self._reader.execute(wanted, (id, *self._level))]
        self._agreed(found)
        return found

    def _agreed(self, found: dict[str, Any]) -> None:
        """Leave out judgements of candidates that stay, and people and messages of nobody who goes."""
        ids = {candidate["id"] for candidate in found["candidates"]}
        judged = [a for a in found["annotations"] if {a["chosen_id"], a["rejected_id"]} <= {*ids, None}]
        self._shown(found, ids, {a["item_id"] for a in judged if a["item_id"]})
        items = {item["id"] for item in found["items"]}
        judged = [a for a in judged if a["item_id"] is None or a["item_id"] in items]
        judged = [a for a in judged if a["guideline_id"] is None or a["item_id"] is not None]
        kept = {annotation["id"] for annotation in judged}
        found["annotations"] = [a for a in judged if a["supersedes"] is None or a["supersedes"] in kept]
        speakers = {row.get("person_id") for table in ("seats", "turns", "candidates") for row in found[table]}
        speakers |= {annotation["annotator_id"] for annotation in found["annotations"]}
        names = self._names("people")
        sql = f"SELECT {', '.join(names)} FROM people WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        people = self._reader.execute(sql, (json.dumps([one for one in speakers if one]),))
        found["people"] = [pack("people", names, row) for row in people]
        players = {row["player_id"] for table in ("seats", "turns", "calls", "failures") for row in found[table]}
        players |= {candidate["player_id"] for candidate in found["candidates"]}
        judges = {a["judge_id"] for a in found["annotations"] if a["judge_id"]} - players
        found["players"] += self._among("players", "id", judges)
        players |= judges
        found["players"] = [player for player in found["players"] if player["id"] in players]
        tips = {row["seen_hash"] for table in ("turns", "candidates") for row in found[table]}
        tips |= {row["hash"] for row in found["heard"]} | {row["prompt_hash"] for row in found["calls"]}
        above = {message["hash"]: message["parent_hash"] for message in found["messages"]}
        wanted = set[str]()
        for tip in tips:
            while tip is not None and tip not in wanted:
                wanted.add(tip)
                tip = above.get(tip)
        found["messages"] = [message for message in found["messages"] if message["hash"] in wanted]

    def _shown(self, found: dict[str, Any], candidates: set[str], wanted: set[str]) -> None:
        """The items that were judged, where both candidates go, with their queues and guidelines."""
        items = self._among("items", "id", wanted)
        found["items"] = [item for item in items if {item["a_id"], item["b_id"]} <= candidates]
        queues = {item["queue_id"] for item in found["items"]}
        found["queues"] = self._among("queues", "id", queues)
        found["guidelines"] = self._among("guidelines", "queue_id", queues)

    def _among(self, table: str, column: str, wanted: set[str]) -> list[dict[str, Any]]:
        names = self._names(table)
        sql = f"SELECT {', '.join(names)} FROM {table} WHERE {column} IN (SELECT value FROM json_each(?)) ORDER BY id"
        return [pack(table, names, row) for row in self._reader.execute(sql, (json.dumps(sorted(wanted)),))]

    def _names(self, table: str) -> list[str]:
        if table not in self._columns:
            self._columns[table] = columns(self._reader, table)
        return self._columns[table]

    def _named(self, table: str, sql: str, id: str) -> list[dict[str, Any]]:
        names = self._names(table)
        inner = sql.replace("SELECT m.*", f"SELECT {', '.join('m.' + name for name in names)}")
        inner = inner.replace("SELECT *", f"SELECT {', '.join(names)}")
        return [pack(table, names, row) for row in self._reader.execute(inner, (id,))]

    def _rows(self, table: str, rest: str, id: str) -> list[dict[str, Any]]:
        names = self._names(table)
        sql = f"SELECT {', '.join(names)} FROM {table} WHERE {rest}"
        return [pack(table, names, row) for row in self._reader.execute(sql, (id,))]
