"""Episodes in pages: what fits a query, in an order, from any place in it, without reading what is not shown.

A page is fetched from a known row on, in either direction (keyset), so that the millionth costs what the first does.
Two things keep it so at 100,000 episodes and 1,000,000 turns: every order can be read off an index or sorted from one,
and words that are in very many turns are looked for per episode, in the order of the list, and not collected first.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from store.filters import FROM, PLIES, SAID, Filters, Said, match
from store.queries import ROW, episode_row, told
from store.query import Query, Sort
from store.records import EpisodeRow

Key: TypeAlias = tuple[Any, ...]
"""The place of a row in an order: what it is sorted by, and the id."""

MARKS = ("\x01", "\x02")
"""Before and behind each word found, in an excerpt."""
MOST_HITS = 50_000
"""Turns with the words up to which they are collected before the first page."""
PATIENCE = 4
"""How many times as many episodes as a page holds are looked into for words that are nearly everywhere, before those
are collected after all."""
KEPT = 4
"""Searches whose hits are kept."""
_numbers = count()

_ORDERS: dict[str, tuple[tuple[str, ...], bool]] = {
    "newest": (("e.id",), True),
    "oldest": (("e.id",), False),
    "score": (("coalesce(r.main, -1)", "e.id"), True),
    "-score": (("coalesce(r.main, 101)", "e.id"), False),
    "plies": ((PLIES, "e.id"), True),
    "-plies": ((PLIES, "e.id"), False),
    "game": (("e.game", "e.id"), False),
    "-game": (("e.game", "e.id"), True),
}
"""What each order sorts by, and whether downwards. Episodes without a score come last in both directions."""


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a list."""

    row: EpisodeRow
    key: Key
    tags: tuple[str, ...] = ()
    trashed: bool = False
    excerpt: str = ""
    """The first turn with what was searched for, the words between `MARKS`."""

    @property
    def id(self) -> str:
        """The episode."""
        return self.row.id


class Browser:
    """Reads pages. `reader` gives a connection that this thread may read from."""

    def __init__(self, reader: Callable[[], sqlite3.Connection]) -> None:
        self._reader = reader
        self._local = threading.local()  # connections are a thread's own, and so are their tables

    def horizon(self) -> int:
        """A number that rises with every episode: pages asked for with it stay as they are while others come in."""
        return self._reader().execute("SELECT coalesce(max(rowid), 0) FROM episodes").fetchone()[0]

    def page(
        self,
        query: Query,
        limit: int,
        *,
        after: Key | None = None,
        before: Key | None = None,
        skip: int = 0,
        horizon: int | None = None,
    ) -> list[Found]:
        """Up to `limit` rows in the query's order behind `after`, or just before `before`, `skip` left out between.

        With neither the list begins, with `before=()` it ends there. Raises LogError.
        """
        backwards = before is not None
        keys = self._keys(query, limit, after if before is None else before, backwards, skip, horizon)
        if backwards:
            keys.reverse()
        return self._rows(keys, query.text)

    def count(self, query: Query, *, horizon: int | None = None) -> int:
        """How many fit."""
        if query.filters == Filters() and horizon is None:  # counted off two indexes
            sql = "SELECT (SELECT count(*) FROM episodes) - (SELECT count(*) FROM trash)"
            return self._reader().execute(sql).fetchone()[0]
        condition, values = self._condition(query, horizon)
        with told(query.filters):
            sql = f"SELECT count(*) {_needed(condition, query.filters)} WHERE {condition}"
            return self._reader().execute(sql, values).fetchone()[0]

    def ids(self, query: Query, *, horizon: int | None = None) -> list[str]:
        """All of them, for bulk actions; in no order."""
        condition, values = self._condition(query, horizon)
        with told(query.filters):
            rows = self._reader().execute(f"SELECT e.id {_needed(condition, query.filters)} WHERE {condition}", values)
            return [id for (id,) in rows]

    def key(self, sort: Sort, id: str) -> Key | None:
        """The place of an episode in an order; None where there is no such episode."""
        columns, _ = _ORDERS[sort]
        sql = f"SELECT {', '.join(columns)} {_needed(' '.join(columns))} WHERE e.id = ?"
        return self._reader().execute(sql, (id,)).fetchone()

    def position(self, query: Query, key: Key, *, horizon: int | None = None) -> int:
        """How many rows stand before this place."""
        columns, downwards = _ORDERS[query.sort]
        condition, values = self._condition(query, horizon)
        condition += f" AND ({', '.join(columns)}) {'>' if downwards else '<'} ({_marks(key)})"
        with told(query.filters):
            sql = f"SELECT count(*) {_needed(condition, query.filters)} WHERE {condition}"
            return self._reader().execute(sql, (*values, *key)).fetchone()[0]

    def vocabulary(self) -> dict[str, list[str]]:
        """What can stand behind `game:`, `model:`, `tag:`, `experiment:`, `role:`, `lang:` in this log."""
        reader = self._reader()

        def words(sql: str) -> list[str]:
            return [word for (word,) in reader.execute(sql)]

        players = words("SELECT DISTINCT name FROM players ORDER BY name LIMIT 500")
        return {
            "game": words("SELECT DISTINCT game FROM instances ORDER BY 1 LIMIT 200"),
            "model": players,
            "partner": players,
            "tag": words("SELECT DISTINCT tag FROM tags ORDER BY 1 LIMIT 200"),
            "experiment": words("SELECT DISTINCT experiment FROM instances ORDER BY 1 LIMIT 200"),
            "lang": words("SELECT DISTINCT language FROM instances ORDER BY 1 LIMIT 50"),
        }

    def tags_of(self, episodes: Sequence[str]) -> list[str]:
        """Tags that some of these episodes have."""
        sql = "SELECT DISTINCT tag FROM tags WHERE episode_id IN (SELECT value FROM json_each(?)) ORDER BY tag"
        return [tag for (tag,) in self._reader().execute(sql, (json.dumps(list(episodes)),))]

    # inside

    def _condition(self, query: Query, horizon: int | None, said: Said | None = None) -> tuple[str, list[Any]]:
        condition, values = query.filters.sql(said or self._hits)
        if horizon is not None:
            condition += " AND +e.rowid <= ?"  # +: no order of rows is meant
            values.append(horizon)
        return condition, values

    def _hits(self, words: str) -> tuple[str, list[Any]]:
        """The condition that these words were said: a table of this connection's own, filled when first asked for."""
        tables = self._tables()
        if words not in tables:
            reader, name = self._reader(), f"hits_{next(_numbers)}"
            reader.execute(f"CREATE TEMP TABLE {name} (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
            try:
                reader.execute(f"INSERT OR IGNORE INTO {name} {SAID}", (words,))
            except BaseException:
                reader.execute(f"DROP TABLE {name}")
                raise
            tables[words] = name
            while len(tables) > KEPT:
                reader.execute(f"DROP TABLE {tables.pop(next(iter(tables)))}")
        return f"e.id IN (SELECT id FROM {tables[words]})", []

    def _tables(self) -> dict[str, str]:
        found: dict[str, str] | None = getattr(self._local, "tables", None)
        if found is None:
            found = self._local.tables = {}
            self._reader().execute("PRAGMA temp_store = MEMORY")
        return found

    def forget(self) -> None:
        """Look for words anew the next time: what was said since is found, too."""
        tables = self._tables()
        for name in tables.values():
            self._reader().execute(f"DROP TABLE {name}")
        tables.clear()

    def _spread(self, query: Query) -> str:
        """The words of a query that are in so many turns that collecting them takes too long for a first page."""
        words = match(query.filters.text)
        if not words or words in self._tables():
            return ""
        sql = "SELECT count(*) FROM (SELECT 1 FROM turns_fts WHERE turns_fts MATCH ? LIMIT ?)"
        many = self._reader().execute(sql, (words, MOST_HITS + 1)).fetchone()[0] > MOST_HITS
        return words if many else ""

    def _first_seen(self, query: Query, limit: int, backwards: bool, horizon: int | None) -> list[Key] | None:
        """The first keys with words that are nearly everywhere, looked for row by row; None where it takes too long."""
        words = self._spread(query) if limit > 0 else ""
        if not words:
            return None
        rest = Query(tuple(chip for chip in query.chips if chip.key or chip.negated))
        found: list[Key] = []
        rows = self._keys(rest, PATIENCE * limit, None, backwards, 0, horizon)
        for key in rows:
            if self._reader().execute(_EXCERPT, (*MARKS, key[-1], words)).fetchone() is not None:
                found.append(key)
                if len(found) == limit:
                    return found
        return found if len(rows) < PATIENCE * limit else None

    def _keys(
        self, query: Query, limit: int, place: Key | None, backwards: bool, skip: int, horizon: int | None
    ) -> list[Key]:
        if place is None or not (place or skip):
            seen = self._first_seen(query, limit, backwards, horizon) if not skip else None
            if seen is not None:
                return seen
        columns, downwards = _ORDERS[query.sort]
        downwards ^= backwards
        condition, values = self._condition(query, horizon)
        if place:
            condition += f" AND ({', '.join(columns)}) {'<' if downwards else '>'} ({_marks(place)})"
            values += place
        order = ", ".join(f"{column} {'DESC' if downwards else 'ASC'}" for column in columns)
        tables = _needed(f"{condition} {order}", query.filters)
        sql = f"SELECT {', '.join(columns)} {tables} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"
        with told(query.filters):
            return self._reader().execute(sql, (*values, limit, skip)).fetchall()

    def _rows(self, keys: Sequence[Key], text: str) -> list[Found]:
        ids = [key[-1] for key in keys]
        reader = self._reader()
        rows = reader.execute(f"{ROW} WHERE e.id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
        by_id = {row[0]: episode_row(row) for row in rows}
        tags: dict[str, list[str]] = {}
        some = "episode_id IN (SELECT value FROM json_each(?))"
        for id, tag in reader.execute(
            f"SELECT episode_id, tag FROM tags WHERE {some} ORDER BY tag", (json.dumps(ids),)
        ):
            tags.setdefault(id, []).append(tag)
        trashed = {id for (id,) in reader.execute(f"SELECT episode_id FROM trash WHERE {some}", (json.dumps(ids),))}
        words = match(text)
        excerpts = {id: self._excerpt(id, words) for id in ids} if words else {}
        return [
            Found(by_id[key[-1]], key, tuple(tags.get(key[-1], ())), key[-1] in trashed, excerpts.get(key[-1], ""))
            for key in keys
            if key[-1] in by_id
        ]

    def _excerpt(self, id: str, words: str) -> str:
        row = self._reader().execute(_EXCERPT, (*MARKS, id, words)).fetchone()
        return " ".join(row[0].split()) if row else ""


_EXCERPT = """
SELECT snippet(turns_fts, 0, ?, ?, '…', 12) FROM turns t CROSS JOIN turns_fts ON turns_fts.rowid = t.seq
WHERE t.episode_id = ? AND turns_fts MATCH ? ORDER BY t.ply LIMIT 1
"""


def _needed(condition: str, filters: Filters | None = None) -> str:
    """The tables of which a condition speaks, and no others: each costs a look per episode."""
    if filters is not None and filters.where:
        return FROM
    tables = ["FROM episodes e"]
    for name, join in _JOINS.items():
        if re.search(rf"\b{name}\.", condition):
            tables.append(join)
    return " ".join(tables)


_JOINS = {
    "i": "JOIN instances i ON i.id = e.instance_id",
    "u": "LEFT JOIN runs u ON u.id = e.run_id",
    "r": "LEFT JOIN results r ON r.episode_id = e.id",
}


def _marks(some: Sequence[object]) -> str:
    return ", ".join("?" * len(some))
