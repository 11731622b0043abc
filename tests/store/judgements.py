"""A queue of made-up pairs put straight into a log, and verdicts on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from finished import Played, put

from store.ids import digest, new_id, now, to_json
from store.log import Log


def queue(
    log: Log, items: int, name: str = "pairs", gold: Sequence[str | None] = (), game: str = "taboo", judges: int = 1
) -> list[str]:
    """A queue of so many pairs, both replies of which answer the same (erased) words; returns the items' ids."""
    (episode,) = put(log, [Played(game, f"{name}/1", {"describer": "ann-model", "guesser": "bo-model"})])
    found: list[str] = []
    id = digest("queue", name)

    def write(db: sqlite3.Connection) -> None:
        at = now()
        db.execute(
            "INSERT INTO queues (id, name, seed, judges, created_at) VALUES (?, ?, 7, ?, ?)", (id, name, judges, at)
        )
        player = db.execute("SELECT player_id FROM seats WHERE episode_id = ? LIMIT 1", (episode,)).fetchone()[0]
        for n in range(items):
            pair = [digest("candidate", name, str(n), side) for side in "ab"]
            for rank, candidate in enumerate(pair):
                db.execute(
                    "INSERT INTO candidates (id, episode_id, ply, role, rank, player_id, text, created_at) "
                    "VALUES (?, ?, 2, 'describer', ?, ?, ?, ?)",
                    (candidate, episode, rank, player, f"CLUE: number {n} {'ab'[rank]}", at),
                )
            item = digest("item", name, str(n))
            db.execute(
                "INSERT INTO items (id, queue_id, kind, episode_id, ply, role, a_id, b_id, gold, created_at) "
                "VALUES (?, ?, 'pair', ?, 2, 'describer', ?, ?, ?, ?)",
                (item, id, episode, *pair, gold[n] if n < len(gold) else None, at),
            )
            found.append(item)

    log.write(write)
    return found


def say(
    log: Log, item: str, judge: str, verdict: str | None, *, model: bool = False, strength: int = 1,
    repeat: bool = False, ms: float | None = 4000.0, a_left: bool = True, supersedes: str | None = None,
    **value: object,
) -> str:  # fmt: skip
    """One row of judgement by a person (who is in the log) or a model; returns its id."""
    id = new_id()

    def write(db: sqlite3.Connection) -> None:
        a, b = db.execute("SELECT a_id, b_id FROM items WHERE id = ?", (item,)).fetchone()
        if model:
            db.execute("INSERT OR IGNORE INTO players VALUES (?, 'model', ?, '', '', '{}')", (digest(judge), judge))
        order = [a, b] if a_left else [b, a]
        sides = (b, a) if verdict == "b" else (a, b)
        db.execute(
            "INSERT INTO annotations (id, kind, item_id, annotator_id, judge_id, chosen_id, rejected_id, strength,"
            " value, blind, shown_order, ms, repeat, supersedes, created_at)"
            " VALUES (?, 'preference', ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
            (id, item, None if model else judge, digest(judge) if model else None, *sides,
             strength if verdict in ("a", "b") else 0, to_json({"verdict": verdict, **value}), to_json(order), ms,
             int(repeat), supersedes, now()),
        )  # fmt: skip

    log.write(write)
    return id
