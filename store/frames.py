"""Episodes and turns as flat tables: one row each, one column per fact, for data frames and spreadsheets."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from store.filters import FROM, Filters


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, and rows as they come: read them once."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


_EPISODES = f"""
SELECT e.id, e.run_id, u.kind, e.game, e.game_version, i.experiment, i.name, i.key, i.split, i.language, e.seed,
  e.group_id, e.parent_id,
  (SELECT json_group_object(s.role, p.name) FROM seats s JOIN players p ON p.id = s.player_id
    WHERE s.episode_id = e.id),
  coalesce(r.outcome, 'unfinished'), r.reason, r.main,
  coalesce(r.plies, (SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0),
  (SELECT count(*) FROM turns t WHERE t.episode_id = e.id AND t.verdict = 'illegal'),
  r.rewards, e.started_at, r.ended_at
{FROM} WHERE {{}} ORDER BY e.id"""
EPISODES = (
    "episode", "run", "kind", "game", "version", "experiment", "instance", "key", "split", "language", "seed", "group",
    "parent", "players", "outcome", "reason", "score", "plies", "violations", "rewards", "started_at", "ended_at",
)  # fmt: skip
"""Columns of `episodes`; `players` and `rewards` are dictionaries by role, `score` the main score (0 to 100)."""

_TURNS = f"""
SELECT t.id, t.episode_id, e.game, t.ply, t.round, t.role, p.name, p.kind, t.person_id, t.assisted, t.text, t.verdict,
  t.note, t.ms, c.tokens_in, c.tokens_out, coalesce(r.outcome, 'unfinished'), t.created_at
{FROM} JOIN turns t ON t.episode_id = e.id JOIN players p ON p.id = t.player_id
LEFT JOIN calls c ON c.turn_id = t.id WHERE {{}} ORDER BY e.id, t.ply"""
TURNS = (
    "turn", "episode", "game", "ply", "round", "role", "player", "kind", "person", "assisted", "text", "verdict",
    "note", "ms", "tokens_in", "tokens_out", "outcome", "created_at",
)  # fmt: skip
"""Columns of `turns`: a branch's own turns only. `ms` is how long the reply took."""


def episodes(reader: sqlite3.Connection, filters: Filters) -> Table:
    """One row per episode that fits, oldest first. Raises ValueError for a filter that cannot be."""
    condition, values = filters.sql()
    rows = reader.execute(_EPISODES.format(condition), values)
    reads = {EPISODES.index("players"), EPISODES.index("rewards")}
    return Table(EPISODES, (_read(row, reads) for row in rows))


def turns(reader: sqlite3.Connection, filters: Filters) -> Table:
    """One row per turn of the episodes that fit, in reading order. Raises ValueError for a filter that cannot be."""
    condition, values = filters.sql()
    flags = TURNS.index("assisted")
    rows = reader.execute(_TURNS.format(condition), values)
    return Table(TURNS, ((*row[:flags], bool(row[flags]), *row[flags + 1 :]) for row in rows))


def _read(row: tuple[Any, ...], reads: set[int]) -> tuple[Any, ...]:
    return tuple(json.loads(value) if at in reads and value is not None else value for at, value in enumerate(row))
