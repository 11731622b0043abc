"""A log in which people and games are of two minds: items whose endings and rollouts are known to the last digit."""

from __future__ import annotations

from finished import Played, put
from judgements import queue

from store.ids import new_id, now, to_json
from store.log import Log

ROLE = "describer"
WON, LOST = 1.0, 0.0


def paired(log: Log, items: int, name: str = "pairs", game: str = "taboo") -> list[str]:
    """A queue of pairs, each of an instance of its own: a was said in a game that was lost, b in one that was won."""
    found = queue(log, items, name, game=game)
    for at, item in enumerate(found):
        for letter, reward in (("a", LOST), ("b", WON)):
            said(log, item, letter, reward, game, f"{name}/{at}")
    return found


def side(log: Log, item: str, letter: str) -> str:
    """The candidate that stands there."""
    return log.reader().execute(f"SELECT {letter}_id FROM items WHERE id = ?", (item,)).fetchone()[0]


def said(log: Log, item: str, letter: str, reward: float, game: str = "taboo", instance: str = "") -> str:
    """Let a side have been said in a finished game, which came to so much for its role; the episode."""
    candidate = side(log, item, letter)
    outcome = "success" if reward == WON else "failure"
    turns = ((ROLE, "ok", ""),) * 3
    seats = {ROLE: "ann-model", "guesser": "bo-model"}
    rewards = {ROLE: reward}
    played = Played(game, instance or f"{item}/{letter}", seats, outcome, turns=turns, rewards=rewards)
    (episode,) = put(log, [played])
    sql = """UPDATE candidates SET episode_id = ?1, turn_id = (SELECT id FROM turns WHERE episode_id = ?1 AND ply = 2)
    WHERE id = ?2"""
    log.write(lambda db: db.execute(sql, (episode, candidate)).rowcount)
    return episode


def played_on(log: Log, item: str, letter: str, rewards: list[float]) -> None:
    """Let a side have been played on, with what each rollout came to."""
    candidate = side(log, item, letter)

    def write(db) -> None:
        sql = """SELECT c.role, e.instance_id, e.game, e.id, c.ply FROM candidates c
          JOIN episodes e ON e.id = c.episode_id WHERE c.id = ?"""
        role, *row = db.execute(sql, (candidate,)).fetchone()
        for reward in rewards:
            id = new_id()
            db.execute(
                "INSERT INTO episodes VALUES (?, NULL, NULL, NULL, ?, ?, 1, 0, ?, ?, '[]', ?)",
                (id, *row, now()),
            )
            db.execute("INSERT INTO rollouts (episode_id, candidate_id) VALUES (?, ?)", (id, candidate))
            db.execute(
                "INSERT INTO results VALUES (?, 'success', '', NULL, ?, '[]', 3, ?)",
                (id, to_json({role: reward}), now()),
            )

    log.write(write)
