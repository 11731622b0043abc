"""Text beside the episodes that may name a forgotten person or quote their words: configurations, views, tags, files.

A name goes wherever it stands as a word; of what they said only what is long enough to be nobody else's, since
settings are full of words that people type too.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, cast

from players.ports import ERASED
from store.ids import digest, to_json

_NOTES = (
    *(("runs", "config"), ("queues", "config"), ("studies", "config"), ("datasets", "filters")),
    *(("evaluations", "player_ids"), ("training_events", "value")),
)
"""JSON beside the episodes that may name a person or quote their words: table and column."""


def scrub_notes(db: sqlite3.Connection, names: Sequence[str], words: Sequence[str]) -> None:
    """Take names and words out of configurations, filters, reasons and the last words of trainings."""
    scrub = scrubber(names, words)
    for table, column in _NOTES:
        for id, value in db.execute(f"SELECT id, {column} FROM {table}").fetchall():
            told = json.loads(value)
            plain = _within(told, scrub)
            if plain != told:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (to_json(plain), id))
    for table, column in (("datasets", "query"), ("dataset_rows", "why"), ("items", "why")):
        for (why,) in db.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
            if scrub(why) != why:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (scrub(why), why))


def _within(value: Any, scrub: Callable[[str], str]) -> Any:
    """JSON with every text in it scrubbed, keys apart."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {key: _within(inner, scrub) for key, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_within(inner, scrub) for inner in cast(list[Any], value)]
    return value


def scrubber(names: Sequence[str], words: Sequence[str]) -> Callable[[str], str]:
    """A function that takes names (as whole words) and texts that are nobody else's out of a text."""
    parts = [rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in names if name]
    parts += [re.escape(word) for word in words if distinct(word)]
    if not parts:
        return lambda text: text
    wanted = re.compile("|".join(parts))
    return lambda text: wanted.sub(ERASED, text)


def distinct(text: str) -> bool:
    """Whether a text is long enough to be somebody's own, and not a word that settings and everybody use."""
    return len(text) >= 24 or (len(text) >= 12 and " " in text)


def forms(word: str) -> set[bytes]:
    """A text as it may stand in a file: as it is, and within JSON."""
    return {
        word.encode(),
        json.dumps(word, ensure_ascii=False)[1:-1].encode(),
        json.dumps(word)[1:-1].encode(),
    }


def mark_text(*parts: str) -> str:
    """The same for a text that somebody kept: a saved view, a tag."""
    return digest("erased", *parts)


def forget_memory(db: sqlite3.Connection, names: set[str], words: Sequence[str], redaction: str) -> None:
    """Saved views and tags with a name or a word of theirs that nobody else has said."""
    said = {token for word in words for token in _TOKEN.findall(word.lower())}
    views = db.execute("SELECT name, query FROM saved_views").fetchall()
    tags = db.execute("SELECT episode_id, tag FROM tags").fetchall()
    for kind, texts in (("saved_views", views), ("tags", tags)):
        for key, text in texts:
            told = f"{key} {text}" if kind == "saved_views" else text
            bare = [part for part in told.lower().split() if ":" not in part]
            tokens = {token for part in bare for token in _TOKEN.findall(part)} & said
            if any(name.lower() in told.lower() for name in names) or any(_unsaid(db, token) for token in tokens):
                column = "query" if kind == "saved_views" else "tag"
                first = "name" if kind == "saved_views" else "episode_id"
                db.execute(f"DELETE FROM {kind} WHERE {first} = ? AND {column} = ?", (key, text))
                values = (kind, mark_text(key, text), redaction)
                db.execute("INSERT OR IGNORE INTO tombstones VALUES (?, ?, ?)", values)


_TOKEN = re.compile(r"\w{4,}")


def _unsaid(db: sqlite3.Connection, token: str) -> bool:
    return not db.execute("SELECT 1 FROM turns_fts WHERE turns_fts MATCH ? LIMIT 1", (f'"{token}"',)).fetchone()
