"""`export --format jsonl`: one episode a line, with everything the log knows of it, so that it can be read anywhere.

A line holds the rows of the episode by table, and those that they name: run, instance, players, people, messages. What
a seat heard is a chain of messages, each with the hash of the one before. What was judged of it stands with it, a
change of mind where the first judgement stands. What belongs to no episode has lines of its own: first, where there are
any, the tombstones of what was erased; at the end a line a study with who took part and what they answered, and a line
a queue without items. `import jsonl` (`store.exchange.jsonl_in`) makes the same rows of it. Not in it: the bytes of
imported files, for which there is the bundle, data sets, trainings, and what people gave who agreed to less.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from store.errors import LogError
from store.exchange.chosen import LEAVING, Chosen, Exported, Progress, choose, new_file
from store.exchange.leaving import mark
from store.exchange.rows import columns, pack
from store.filters import Filters
from store.log import Log
from store.people import Level

FORMAT = "playpen-tui episode 1"
"""The first key of every line that is an episode, with the version of the form."""
ERASED = "playpen-tui erased 1"
STUDY = "playpen-tui study 1"
QUEUE = "playpen-tui queue 1"
FORMATS = (FORMAT, ERASED, STUDY, QUEUE)
"""Of every kind of line."""

OWN = ("seats", "turns", "heard", "calls", "results", "scorings", "failures", "tags")
"""Tables whose rows are an episode's own, parents before children."""

_ORDER = {
    **{"seats": "role", "heard": "role", "turns": "ply", "calls": "ply, id", "failures": "id"},
    **{"results": "episode_id", "scorings": "scorer", "tags": "tag"},
}

_NAMED = {
    "runs": """SELECT * FROM runs WHERE id = (SELECT run_id FROM episodes WHERE id = ?1) OR id IN (
        SELECT b.run_id FROM branches b JOIN temp.offered o ON o.id = b.candidate_id WHERE o.episode_id = ?1)
        ORDER BY id""",
    "instances": """WITH RECURSIVE line(id, up) AS (SELECT instance_id, 0 FROM episodes WHERE id = ?1
          UNION SELECT i.translation_of, l.up + 1 FROM line l CROSS JOIN instances i ON i.id = l.id
          WHERE i.translation_of IS NOT NULL)
        SELECT m.* FROM line l CROSS JOIN instances m ON m.id = l.id ORDER BY l.up DESC""",
    "players": """SELECT * FROM players WHERE id IN (SELECT player_id FROM seats WHERE episode_id = ?1
        UNION SELECT player_id FROM turns WHERE episode_id = ?1 UNION SELECT player_id FROM calls
        WHERE episode_id = ?1 UNION SELECT player_id FROM failures WHERE episode_id = ?1
        UNION SELECT player_id FROM temp.offered WHERE episode_id = ?1
        UNION SELECT a.judge_id FROM temp.judged a WHERE a.line = ?1) ORDER BY id""",
    "messages": """WITH RECURSIVE line(hash) AS (
          SELECT hash FROM heard WHERE episode_id = ?1 UNION SELECT seen_hash FROM turns WHERE episode_id = ?1
          UNION SELECT prompt_hash FROM calls WHERE episode_id = ?1
          UNION SELECT seen_hash FROM temp.offered WHERE episode_id = ?1
          UNION SELECT m.parent_hash FROM line l CROSS JOIN messages m ON m.hash = l.hash)
        SELECT m.* FROM line l CROSS JOIN messages m ON m.hash = l.hash""",
    "people": """SELECT * FROM people WHERE id IN (SELECT person_id FROM seats WHERE episode_id = ?1
        UNION SELECT person_id FROM turns WHERE episode_id = ?1
        UNION SELECT person_id FROM temp.offered WHERE episode_id = ?1
        UNION SELECT annotator_id FROM temp.judged WHERE line = ?1) ORDER BY id""",
}
"""Rows that an episode's rows name."""

_JUDGING = {
    "candidates": "id IN (SELECT id FROM temp.offered WHERE episode_id = ?1) ORDER BY id",
    "queues": "id IN (SELECT queue_id FROM temp.shown WHERE episode_id = ?1) ORDER BY id",
    "guidelines": "queue_id IN (SELECT queue_id FROM temp.shown WHERE episode_id = ?1) ORDER BY queue_id, version",
    "items": "id IN (SELECT id FROM temp.shown WHERE episode_id = ?1) ORDER BY id",
    "annotations": "id IN (SELECT id FROM temp.judged WHERE line = ?1) ORDER BY id",
    "branches": """candidate_id IN (SELECT id FROM temp.offered WHERE episode_id = ?1)
        ORDER BY run_id, place, candidate_id""",
    "rollouts": "episode_id = ?1 AND candidate_id IN (SELECT id FROM temp.offered)",
}
"""What was judged of an episode or went on from it, where it may go."""
_INSTEAD = ("turn_id", "call_id", "value")
"""Columns of a candidate that depend on what else goes."""


def export_jsonl(
    log: Log, filters: Filters, out: Path, level: Level = LEAVING, progress: Progress | None = None
) -> Exported:
    """Write the file, which must be new. Raises LogError."""
    chosen = choose(log, filters, level)
    path = new_file(out)
    lines = Lines(log.reader(), chosen)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            for told in lines.first():
                file.write(_text(told))
            for at, id in enumerate(chosen.ids, 1):
                file.write(_text(lines.line(id)))
                if progress is not None and at % 100 == 0:
                    progress(at, len(chosen.ids))
            for told in lines.last():
                file.write(_text(told))
    except OSError as error:
        raise LogError(f"{path} cannot be written ({error.strerror}); choose another place with --out") from error
    notes = _notes(log.reader(), chosen.ids)
    if chosen.parents:
        notes.append(f"{chosen.parents} of them are parents of branches that were asked for")
    return Exported(path, len(chosen.ids), chosen.withheld, 1, tuple(notes), lines.held)


def _text(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n"


def _notes(reader: sqlite3.Connection, ids: Iterable[str]) -> list[str]:
    wanted = set(ids)
    here = {id for (id,) in reader.execute("SELECT DISTINCT episode_id FROM files WHERE episode_id IS NOT NULL")}
    if here & wanted:
        return ["the imported files themselves are not in it; --format clembench or bundle takes them along"]
    return []


class Lines:
    """A log as JSON objects: the chosen episodes, and what goes with them."""

    def __init__(self, reader: sqlite3.Connection, chosen: Chosen) -> None:
        self._reader = reader
        self._columns: dict[str, list[str]] = {}
        self.held = mark(reader, chosen.ids, chosen.level, whole=chosen.whole, barred=chosen.barred)
        """What stays for want of consent."""

    def first(self) -> Iterator[dict[str, Any]]:
        """What was erased, where anything was: it is read before what could bring it back."""
        dead = "EXISTS (SELECT 1 FROM temp.dead d WHERE d.kind = m.kind AND d.id = m.id) ORDER BY m.kind, m.id"
        if tombstones := self._rows("tombstones", dead):
            why = self._rows("redactions", "m.id IN (SELECT redaction_id FROM temp.dead) ORDER BY m.id")
            redactions = [{**redaction, "person_id": None} for redaction in why]
            yield {"format": ERASED, "redactions": redactions, "tombstones": tombstones}

    def line(self, id: str) -> dict[str, Any]:
        """One episode."""
        found: dict[str, Any] = {"format": FORMAT, "episode": self._rows("episodes", "id = ?", id)[0]}
        for table, sql in _NAMED.items():
            found[table] = self._named(table, sql, id)
        found["messages"] = _parents_first(found["messages"])
        for table in OWN:
            found[table] = self._rows(table, f"episode_id = ? ORDER BY {_ORDER[table]}", id)
        for table, wanted in _JUDGING.items():
            found[table] = self._rows(table, wanted, id)
        found["annotations"] = _in_turn(found["annotations"])
        sql = f"SELECT id, {', '.join(_INSTEAD)} FROM temp.offered WHERE episode_id = ?"
        instead = {row[0]: row[1:] for row in self._reader.execute(sql, (id,))}
        for candidate in found["candidates"]:
            candidate |= zip(_INSTEAD, instead[candidate["id"]], strict=True)
        return found

    def last(self) -> Iterator[dict[str, Any]]:
        """Studies, and queues that no episode brings along."""
        for (id,) in self._reader.execute("SELECT id FROM temp.held ORDER BY id").fetchall():
            taking = "IN (SELECT id FROM temp.taking WHERE study_id = ?1)"
            people = "id IN (SELECT person_id FROM temp.taking WHERE study_id = ?1) ORDER BY id"
            # by the code somebody is paid, so it would tell whoever pays who said what
            taken = [{**one, "code": ""} for one in self._rows("participants", f"id {taking} ORDER BY id", id)]
            runs = "kind = 'study' AND json_extract(config, '$.study') = ?1 ORDER BY id"
            yield {
                "format": STUDY,
                "study": self._rows("studies", "id = ?", id)[0],
                "runs": self._rows("runs", runs, id),
                "people": self._rows("people", people, id),
                "participants": taken,
                "answers": self._rows("answers", f"participant_id {taking} ORDER BY participant_id, question", id),
            }
        bare = "SELECT id FROM temp.asked WHERE id NOT IN (SELECT queue_id FROM temp.shown) ORDER BY id"
        for (id,) in self._reader.execute(bare).fetchall():
            guidelines = self._rows("guidelines", "queue_id = ? ORDER BY version", id)
            yield {"format": QUEUE, "queue": self._rows("queues", "id = ?", id)[0], "guidelines": guidelines}

    def _names(self, table: str) -> list[str]:
        if table not in self._columns:
            self._columns[table] = columns(self._reader, table)
        return self._columns[table]

    def _named(self, table: str, sql: str, id: str) -> list[dict[str, Any]]:
        names = self._names(table)
        inner = sql.replace("SELECT m.*", f"SELECT {', '.join('m.' + name for name in names)}")
        inner = inner.replace("SELECT *", f"SELECT {', '.join(names)}")
        return [pack(table, names, row) for row in self._reader.execute(inner, (id,))]

    def _rows(self, table: str, rest: str, *values: str) -> list[dict[str, Any]]:
        names = self._names(table)
        sql = f"SELECT {', '.join(names)} FROM {table} m WHERE {rest}"
        return [pack(table, names, row) for row in self._reader.execute(sql, values)]


def _parents_first(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages by how many stand before them, then by hash: the same order in every log that holds them."""
    above = {message["hash"]: message["parent_hash"] for message in messages}
    depth: dict[str | None, int] = {None: 0}
    for hash in above:
        path = list[str]()
        at = hash
        while at is not None and at not in depth:
            path.append(at)
            at = above.get(at)
        for one in reversed(path):
            depth[one] = depth.get(above.get(one), 0) + 1
    return sorted(messages, key=lambda message: (depth[message["hash"]], message["hash"]))


def _in_turn(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Judgements by id, each after the one that it supersedes."""
    found: dict[str, dict[str, Any]] = {}
    by = {annotation["id"]: annotation for annotation in annotations}
    for annotation in annotations:
        path = list[dict[str, Any]]()
        at: dict[str, Any] | None = annotation
        while at is not None and at["id"] not in found:
            path.append(at)
            at = by.get(at["supersedes"])
        found.update((one["id"], one) for one in reversed(path))
    return list(found.values())
