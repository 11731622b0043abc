"""Evaluations in the log: a run of kind `eval`, whom it was about, and what it played."""

from __future__ import annotations

import json
from collections.abc import Sequence

from store.ids import clean, new_id, now
from store.log import Log


def record(log: Log, run: str, name: str, suite_hash: str) -> str:
    """Write down that a run evaluated the models in its episodes; returns the evaluation's id. Raises LogError.

    `suite_hash` is over the instances in their order.
    """
    sql = """SELECT DISTINCT s.player_id FROM episodes e JOIN seats s ON s.episode_id = e.id
    JOIN players p ON p.id = s.player_id WHERE e.run_id = ? AND p.kind = 'model' ORDER BY 1"""
    players = json.dumps([id for (id,) in log.reader().execute(sql, (run,))])
    id = new_id()
    row = (id, run, clean(name), suite_hash, players, now())
    log.write(lambda db: db.execute("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?)", row).rowcount)
    return id


def leaks(log: Log, dataset: str, runs: Sequence[str]) -> int:
    """How many contents these runs evaluated on that the data set trains on."""
    marks = ", ".join("?" * len(runs))
    sql = f"SELECT count(DISTINCT key) FROM leakage WHERE dataset = ? AND evaluation_run IN ({marks})"
    return int(log.reader().execute(sql, (dataset, *runs)).fetchone()[0])
