"""Putting order into a log without changing what was said: tags, a trash, saved views. All can be undone.

Each change returns the episodes that it really changed, so that taking it back touches no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from store.errors import LogError
from store.ids import now
from store.log import Log
from store.query import parse

_SOME = "SELECT value FROM json_each(?)"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A query under a name."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to which episodes: `kind` is `tag`, `untag`, `trash` or `restore`."""

    kind: str
    episodes: tuple[str, ...]
    tag: str = ""

    def __str__(self) -> str:
        many = f"{len(self.episodes):,} episode{'' if len(self.episodes) == 1 else 's'}"
        return {
            "tag": f"tagged {many} {self.tag}",
            "untag": f"took {self.tag} off {many}",
            "trash": f"moved {many} to the trash",
            "restore": f"took {many} out of the trash",
        }[self.kind]


class BadTag(LogError, ValueError):
    """This word cannot be a tag."""

    exit_code = 2


def tag_word(text: str) -> str:
    """The text as a tag: one line without quotation marks and commas. Raises BadTag."""
    word = " ".join(text.split())
    if not word or not word.isprintable() or len(word) > 60 or set(word) & set('",'):
        raise BadTag("a tag is up to 60 characters on one line, without commas and quotation marks; choose another")
    return word


def tag(log: Log, episodes: Iterable[str], word: str) -> Change:
    """Put a word on episodes. Raises BadTag, LogError."""
    word = tag_word(word)
    sql = f"INSERT INTO tags (episode_id, tag, created_at) SELECT e.id, ?, ? FROM episodes e WHERE e.id IN ({_SOME})"
    return Change("tag", _change(log, f"{sql} ON CONFLICT DO NOTHING", (word, now()), episodes), word)


def untag(log: Log, episodes: Iterable[str], word: str) -> Change:
    """Take a word off episodes. Raises LogError."""
    sql = f"DELETE FROM tags WHERE tag = ? AND episode_id IN ({_SOME})"
    return Change("untag", _change(log, sql, (word,), episodes), word)


def trash(log: Log, episodes: Iterable[str]) -> Change:
    """Hide episodes from lists, exports and results. Raises LogError."""
    sql = f"INSERT INTO trash (episode_id, trashed_at) SELECT e.id, ? FROM episodes e WHERE e.id IN ({_SOME})"
    return Change("trash", _change(log, f"{sql} ON CONFLICT DO NOTHING", (now(),), episodes))


def restore(log: Log, episodes: Iterable[str]) -> Change:
    """Take episodes out of the trash. Raises LogError."""
    return Change("restore", _change(log, f"DELETE FROM trash WHERE episode_id IN ({_SOME})", (), episodes))


def undo(log: Log, change: Change) -> Change:
    """Take a change back. Raises LogError."""
    if change.kind in ("tag", "untag"):
        return (untag if change.kind == "tag" else tag)(log, change.episodes, change.tag)
    return (restore if change.kind == "trash" else trash)(log, change.episodes)


def save_view(log: Log, name: str, query: str) -> SavedView:
    """Keep a query under a name, in place of one that had it. Raises BadQuery, BadTag for the name, LogError."""
    view = SavedView(tag_word(name), str(parse(query)))
    log.write(
        lambda db: (
            db.execute(
                "INSERT INTO saved_views (name, query, saved_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET query = excluded.query, saved_at = excluded.saved_at",
                (view.name, view.query, now()),
            ).rowcount
        )
    )
    return view


def drop_view(log: Log, name: str) -> None:
    """Forget a saved view. Raises LogError."""
    log.write(lambda db: db.execute("DELETE FROM saved_views WHERE name = ?", (name,)).rowcount)


def saved_views(log: Log) -> list[SavedView]:
    """All of them, by name."""
    rows = log.reader().execute("SELECT name, query FROM saved_views ORDER BY name")
    return [SavedView(name, query) for name, query in rows]


def _change(log: Log, sql: str, values: tuple[str, ...], episodes: Iterable[str]) -> tuple[str, ...]:
    """Run a statement over episodes and return those it changed."""
    ids = json.dumps(list(episodes))
    return tuple(
        sorted(log.write(lambda db: [id for (id,) in db.execute(f"{sql} RETURNING episode_id", (*values, ids))]))
    )
