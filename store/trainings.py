"""A training in the log: begun, its curves, how it stands, and the player that came out of it."""

from __future__ import annotations

import json
import math
import os
import socket
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from players.base import Identity
from store.errors import Unknown
from store.ids import clean, content_id, new_id, now, to_json
from store.log import BEAT, Log
from store.records import Progress

State: TypeAlias = Literal["running", "stopped", "failed", "done"]
"""As it is written down; `state_of` tells how it stands now."""
Now: TypeAlias = Literal["queued", "running", "paused", "stalled", "stopped", "crashed", "failed", "diverged", "done"]
Kind: TypeAlias = Literal["start", "preflight", "order", "warning", "end"]
SILENCE = 20.0
"""Seconds without a heartbeat after which a training is stalled, or crashed where its process is gone."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One training. `base` and `result` are names of players; `progress` counts steps and beats while it runs."""

    id: str
    run: str
    method: str
    state: State
    base: str
    result: str | None
    dataset: str | None
    config: Mapping[str, Any]
    created_at: str
    progress: Progress | None

    @property
    def folder(self) -> Path | None:
        """Where it keeps its files, on the machine that trains; None where the log does not know."""
        return Path(self.config["folder"]) if "folder" in self.config else None


def player(db: sqlite3.Connection, who: Identity) -> str:
    """The id of a player, whose row is written where it is new."""
    columns = [clean(text) for text in (who.kind, who.name, who.revision, who.adapter, to_json(dict(who.sampling)))]
    id = content_id(columns)
    db.execute("INSERT INTO players VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (id, *columns))
    return id


def begin(log: Log, run: str, method: str, base: Identity, dataset: str) -> str:
    """Write down that a training begins; returns its id. Raises LogError."""
    id = new_id()

    def write(db: sqlite3.Connection) -> None:
        row = (id, run, method, player(db, base), None, dataset, "running", now())
        db.execute("INSERT INTO trainings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    log.write(write)
    return id


def measure(log: Log, training: str, step: int, values: Mapping[str, float]) -> None:
    """Add to the curves; what is not a finite number is written as null. Raises LogError."""
    log.write(lambda db: measured(db, training, step, values))


def measured(db: sqlite3.Connection, training: str, step: int, values: Mapping[str, float]) -> None:
    """`measure` inside the caller's transaction."""
    rows = [(training, step, name, float(v) if math.isfinite(v) else None) for name, v in values.items()]
    sql = "INSERT INTO metrics (training_id, step, name, value) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
    db.executemany(sql + "SET value = excluded.value", rows)


def take_back(db: sqlite3.Connection, training: str, step: int) -> None:
    """Drop what was measured beyond a step, inside the caller's transaction: it goes on from there."""
    db.execute("DELETE FROM metrics WHERE training_id = ? AND step > ?", (training, step))


def event(db: sqlite3.Connection, training: str, kind: Kind, step: int, value: Mapping[str, Any]) -> None:
    """Write down what happened, inside the caller's transaction."""
    row = (new_id(), training, kind, step, clean(to_json(dict(value))), now())
    db.execute("INSERT INTO training_events VALUES (?, ?, ?, ?, ?, ?)", row)


def checkpoint(db: sqlite3.Connection, training: str, step: int, path: Path, who: Identity | None) -> None:
    """Write down that weights were saved, and as which player, inside the caller's transaction."""
    row = (training, step, None if who is None else player(db, who), str(path), now())
    db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)", row)


def go_on(log: Log, training: str) -> None:
    """Write down that a training that had ended runs again. Raises LogError."""
    log.write(lambda db: db.execute("UPDATE trainings SET state = 'running' WHERE id = ?", (training,)).rowcount)


def beat(db: sqlite3.Connection, run: str, progress: Progress) -> None:
    """Say how far a run is, inside the caller's transaction."""
    db.execute(BEAT, (run, *astuple(progress)[:-1], now()))


def end(
    log: Log,
    training: str,
    state: State,
    result: Identity | None = None,
    *,
    step: int = 0,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write down how it ended, who came out of it, and more `about` it. Raises LogError."""

    def write(db: sqlite3.Connection) -> None:
        made = None if result is None else player(db, result)
        sql = "UPDATE trainings SET state = ?, result_player_id = coalesce(?, result_player_id) WHERE id = ?"
        db.execute(sql, (state, made, training))
        if about is not None:
            event(db, training, "end", step, about)

    log.write(write)


def get(log: Log, id: str) -> TrainingRow:
    """The training with this id or beginning of it, or the one that has this name. Raises Unknown."""
    wish = id.strip()
    ids = (wish.upper(), wish.upper() + "~")
    rows = log.reader().execute(f"{_ROW} WHERE t.id >= ? AND t.id < ? LIMIT 2", ids).fetchall() if wish else []
    if len(rows) > 1:
        raise Unknown(f"several trainings begin with {id!r} in the log")
    if not rows:
        rows = (
            log.reader().execute(f"{_ROW} WHERE u.config ->> 'name' = ? ORDER BY t.id DESC LIMIT 2", (wish,)).fetchall()
        )
    if len(rows) > 1:
        raise Unknown(f"several trainings are called {wish}, the latest is {rows[0][0]}; name one by its id")
    if not rows:
        raise Unknown(f"no training {id!r} in the log; `playpen-tui trainings list` has their ids and names")
    return _row(log, rows[0])


def recent(log: Log, limit: int = 20) -> list[TrainingRow]:
    """The latest trainings, newest first."""
    return [_row(log, row) for row in log.reader().execute(f"{_ROW} ORDER BY t.id DESC LIMIT ?", (limit,)).fetchall()]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a training. `value` is what the kind says, see `training_events`."""

    kind: Kind
    step: int
    value: Mapping[str, Any]
    at: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saved weights. `there` says whether they still are; `player` is their name in the log, such as `bars@20`."""

    step: int
    path: Path
    player: str | None
    revision: str
    there: bool
    at: str


def events(log: Log, training: str, kinds: Iterable[Kind] = ()) -> list[Event]:
    """What happened, oldest first; only of these kinds where some are named."""
    sql = "SELECT kind, step, value, created_at FROM training_events WHERE training_id = ? ORDER BY id"
    wanted = set(kinds)
    rows = log.reader().execute(sql, (training,)).fetchall()
    return [Event(row[0], row[1], json.loads(row[2]), row[3]) for row in rows if not wanted or row[0] in wanted]


def checkpoints(log: Log, training: str) -> list[Checkpoint]:
    """The checkpoints of a training by step, those included whose files are gone."""
    sql = """SELECT c.step, c.path, p.name, coalesce(p.revision, ''), c.created_at FROM checkpoints c
    LEFT JOIN players p ON p.id = c.player_id WHERE c.training_id = ? ORDER BY c.step"""
    rows = log.reader().execute(sql, (training,)).fetchall()
    return [Checkpoint(row[0], Path(row[1]), row[2], row[3], Path(row[1]).is_dir(), row[4]) for row in rows]


def state_of(log: Log, row: TrainingRow, silence: float = SILENCE) -> Now:
    """How a training stands now, whatever its process could still write down.

    `queued` until the first step is near, `stalled` where its process lives and is silent, `crashed` where it is gone
    without having said how it ended. A process on another machine counts as stalled: nobody here can look at it.
    """
    if row.state == "failed":
        last = events(log, row.id, ("end",))[-1:]
        return "diverged" if last and last[0].value.get("state") == "diverged" else "failed"
    if row.state != "running":
        return row.state
    told = row.progress
    if told is None or told.state != "running":  # its process has not said a word yet
        return "queued" if _since(row.created_at if told is None else told.beat_at) < 3 * silence else "crashed"
    if told.host == socket.gethostname() and not alive(told.pid):
        return "crashed"
    if _since(told.beat_at) > silence:
        return "stalled"
    return "queued" if not told.planned else "running" if told.running else "paused"


def alive(pid: int) -> bool:
    """Whether a training's process of this number is on this machine: one that took its number is not it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # no such folder on this system
        return True
    return b"training" in words  # a process that nobody has waited for yet has no words any more


def _since(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def curves(log: Log, training: str) -> dict[str, list[tuple[int, float | None]]]:
    """Every curve of a training, by name: (step, value), None where it was no number."""
    found: dict[str, list[tuple[int, float | None]]] = {}
    sql = "SELECT name, step, value FROM metrics WHERE training_id = ? ORDER BY name, step"
    for name, step, value in log.reader().execute(sql, (training,)):
        found.setdefault(name, []).append((step, value))
    return found


_ROW = """
SELECT t.id, t.run_id, t.method, t.state, b.name, r.name, t.dataset_id, u.config, t.created_at
FROM trainings t JOIN runs u ON u.id = t.run_id JOIN players b ON b.id = t.base_player_id
LEFT JOIN players r ON r.id = t.result_player_id"""


def _row(log: Log, row: Any) -> TrainingRow:
    values: list[Any] = [*row[:7], json.loads(row[7]), row[8], log.queries.progress(row[1])]
    return TrainingRow(*values)
