"""`export --format csv`: one row per episode, for a spreadsheet or a data frame; no words of anybody.

Scores are one JSON column, since every game has its own. A cell that a spreadsheet would take for a formula is marked
as text with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from store.errors import LogError
from store.exchange.chosen import LEAVING, Exported, Progress, choose, new_file
from store.filters import Filters
from store.log import Log
from store.people import Level

COLUMNS = (
    *("episode", "run", "run_kind", "slot", "game", "version", "experiment", "instance", "key", "language", "split"),
    *("seed", "group", "parent", "seats", "assisted", "turns", "illegal", "outcome", "reason", "main", "rewards"),
    *("winners", "scores", "tags", "started_at", "ended_at"),
)

_ROW = """
SELECT e.id, e.run_id, u.kind, e.slot, e.game, e.game_version, i.experiment, i.name, i.key, i.language, i.split,
  e.seed, e.group_id, e.parent_id,
  (SELECT json_group_object(s.role, p.name) FROM seats s JOIN players p ON p.id = s.player_id
    WHERE s.episode_id = e.id),
  (SELECT coalesce(max(t.assisted), 0) FROM turns t WHERE t.episode_id = e.id),
  coalesce(r.plies, (SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0),
  (SELECT count(*) FROM turns t WHERE t.episode_id = e.id AND t.verdict = 'illegal'),
  coalesce(r.outcome, 'unfinished'), coalesce(r.reason, ''), r.main, coalesce(r.rewards, '{}'),
  coalesce(r.winners, '[]'),
  (SELECT json_group_object(s.scorer, json(s.metrics)) FROM scorings s WHERE s.episode_id = e.id),
  (SELECT json_group_array(tag) FROM (SELECT tag FROM tags WHERE episode_id = e.id ORDER BY tag)),
  e.started_at, r.ended_at
FROM episodes e JOIN instances i ON i.id = e.instance_id LEFT JOIN runs u ON u.id = e.run_id
LEFT JOIN results r ON r.episode_id = e.id WHERE e.id = ?
"""


def export_csv(
    log: Log, filters: Filters, out: Path, level: Level = LEAVING, progress: Progress | None = None
) -> Exported:
    """Write the table to a new file. Raises LogError."""
    chosen = choose(log, filters, level)
    wanted = log.queries.ids(filters)
    ids = [id for id in chosen.ids if id in set(wanted)] if chosen.parents else list(chosen.ids)
    path = new_file(out)
    reader = log.reader()
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for at, id in enumerate(ids, 1):
                writer.writerow(_cells(reader.execute(_ROW, (id,)).fetchone()))
                if progress is not None and at % 500 == 0:
                    progress(at, len(ids))
    except OSError as error:
        raise LogError(f"{path} cannot be written ({error.strerror}); choose another place with --out") from error
    return Exported(path, len(ids), chosen.withheld)


def _cells(row: Sequence[Any]) -> list[Any]:
    return [_cell(value) for value in row]


def _cell(value: Any) -> Any:
    """A value as a spreadsheet may have it: nothing that begins like a formula, no NUL."""
    if isinstance(value, str):
        plain = value.replace("\0", "")
        return f"'{plain}" if plain[:1] in ("=", "+", "-", "@", "\t", "\r") else plain
    return "" if value is None else value
