"""The curves of a training, a piece at a time: what was measured beyond the last step that somebody has seen."""

from __future__ import annotations

from collections.abc import Iterator

from store.log import Log

PIECE = 2_000
"""Points that are read at once, so that a long curve keeps nobody waiting."""


def names(log: Log, training: str) -> list[str]:
    """What is measured, in order; asks the index once a name, however many steps there are."""
    sql = "SELECT min(name) FROM metrics WHERE training_id = ? AND name > ?"
    found: list[str] = []
    while True:
        (name,) = log.reader().execute(sql, (training, found[-1] if found else "")).fetchone()
        if name is None:
            return found
        found.append(name)


def beyond(log: Log, training: str, name: str, step: int) -> Iterator[list[tuple[int, float | None]]]:
    """Points of one curve behind a step, in pieces of at most `PIECE`; None is no number."""
    sql = "SELECT step, value FROM metrics WHERE training_id = ? AND name = ? AND step > ? ORDER BY step LIMIT ?"
    while True:
        rows: list[tuple[int, float | None]] = log.reader().execute(sql, (training, name, step, PIECE)).fetchall()
        if rows:
            yield rows
        if len(rows) < PIECE:
            return
        step = rows[-1][0]


def latest(log: Log, training: str, name: str) -> float | None:
    """The last value of a curve that is a number; None where there is none."""
    sql = (
        "SELECT value FROM metrics WHERE training_id = ? AND name = ? AND value IS NOT NULL ORDER BY step DESC LIMIT 1"
    )
    row = log.reader().execute(sql, (training, name)).fetchone()
    return None if row is None else float(row[0])
