"""The log read back: an episode by its id, with everything that replaying or resuming it takes.

A branch holds only its own turns; those below its fork are its parent's and are fetched from there.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from games.engine import Game, Match, Role
from players.base import Identity
from players.ports import LoggedEpisode
from store.errors import Erased, Foreign, LogError, UnknownEpisode

FOREIGN = 0
"""Version of a game of which there is only a log: another program played it, and nothing here can play it again."""

_DIGITS = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


class LogHistory:
    """Implements `players.ports.History`. `reader` gives a connection that this thread may read from."""

    def __init__(self, reader: Callable[[], sqlite3.Connection]) -> None:
        self._reader = reader

    def resolve(self, id: str) -> str:
        """The full id for an id or an unambiguous beginning of one. Raises UnknownEpisode (a LookupError)."""
        wish = id.strip().upper()
        rows: list[str] = []
        if wish and _DIGITS.issuperset(wish):
            found = self._reader().execute(
                "SELECT id FROM episodes WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 4", (wish, wish + "~")
            )
            rows = [row for (row,) in found]
        if not rows:
            raise UnknownEpisode(f"no episode {id!r} in the log; Home and `playpen-tui browse` list what is there")
        if len(rows) > 1 and wish not in rows:
            several = ", ".join(rows[:3]) + (" …" if len(rows) > 3 else "")
            raise UnknownEpisode(f"several episodes begin with {id!r} ({several}); type more of it")
        return wish if wish in rows else rows[0]

    def episode(self, id: str) -> LoggedEpisode:
        """The episode with this id or unambiguous beginning of it. Raises LookupError with a sentence."""
        return load(self._reader(), self.resolve(id))

    def match(self, id: str, game: Game) -> Match:
        """The match an episode stands for, replayed. Raises LookupError, or LogError where the game has changed."""
        logged = self.episode(id)
        self.require_code(logged)
        if (logged.game, logged.version) != (game.name, game.version):
            raise LogError(
                f"episode {logged.id} was played with {logged.game}@{logged.version}, and here is "
                f"{game.name}@{game.version}; it can be read, but not resumed"
            )
        return replay(logged, game)

    def require_code(self, logged: LoggedEpisode) -> None:
        """Raises Foreign where the episode was imported, so that nothing here can play it on, and Erased."""
        if logged.version == FOREIGN:
            raise Foreign(
                f"episode {logged.id} of {logged.game} was imported, and its game's code is not here: it can be read "
                f"and watched (playpen-tui spectate --episode {logged.id}), but not resumed or branched"
            )
        if self.erased(logged.id):
            raise Erased(
                f"what was said in episode {logged.id} was erased on request: how it ended can be read, but it cannot "
                "be played again, resumed or branched"
            )

    def erased(self, id: str) -> bool:
        """Whether words of this episode, or words that it goes on from, were erased on request."""
        return is_erased(self._reader(), id)


def is_erased(connection: sqlite3.Connection, id: str) -> bool:
    """Whether words of this episode were erased, or words that it goes on from as a branch."""
    sql = """SELECT 1 FROM tombstones WHERE kind = 'episodes' AND id = ?1 UNION ALL
    SELECT 1 FROM turns t JOIN tombstones x ON x.kind = 'turns' AND x.id = t.id WHERE t.episode_id = ?1"""
    return connection.execute(sql, (id,)).fetchone() is not None


def replay(logged: LoggedEpisode, game: Game) -> Match:
    """Play the logged texts again. Raises what the game raises where it no longer takes them."""
    instance = game.instance_type.model_validate(dict(logged.instance))
    return Match.replay(game, instance, logged.seed, logged.texts)


def load(connection: sqlite3.Connection, id: str) -> LoggedEpisode:
    """The episode with exactly this id. Raises UnknownEpisode."""
    row = connection.execute(
        "SELECT e.game, e.game_version, e.seed, i.data, r.outcome FROM episodes e "
        "JOIN instances i ON i.id = e.instance_id LEFT JOIN results r ON r.episode_id = e.id WHERE e.id = ?",
        (id,),
    ).fetchone()
    if row is None:
        raise UnknownEpisode(f"no episode {id!r} in the log")
    game, version, seed, data, outcome = row
    turns = lineage(connection, id, "t.ply, t.role, t.text")
    return LoggedEpisode(
        id=id,
        game=game,
        version=version,
        instance=json.loads(data),
        seed=seed,
        texts=[text for _, _, text in turns],
        roles=[role for _, role, _ in turns],
        seats=seats(connection, id),
        outcome=outcome,
    )


def lineage(connection: sqlite3.Connection, id: str, columns: str) -> list[tuple[Any, ...]]:
    """`columns` of turns `t` of an episode in order of ply, beginning with those of the episodes it branched from."""
    return connection.execute(
        f"""
        WITH RECURSIVE line(id, low, high) AS (
          SELECT id, coalesce(fork_ply, 0), 9223372036854775807 FROM episodes WHERE id = ?
          UNION ALL
          SELECT p.id, coalesce(p.fork_ply, 0), min(l.low, l.high)
          FROM line l JOIN episodes e ON e.id = l.id JOIN episodes p ON p.id = e.parent_id
        )
        SELECT {columns} FROM line l JOIN turns t ON t.episode_id = l.id AND t.ply >= l.low AND t.ply < l.high
        ORDER BY t.ply
        """,
        (id,),
    ).fetchall()


def seats(connection: sqlite3.Connection, id: str) -> Mapping[Role, Identity]:
    """Who sat where last: who spoke last in each role, or was seated at the start where nobody has spoken yet."""
    last: dict[Role, tuple[str, str | None]] = {}
    for table, order in (("seats", "role"), ("turns", "ply")):
        rows = connection.execute(
            f"SELECT role, player_id, person_id FROM {table} WHERE episode_id = ? ORDER BY {order}", (id,)
        )
        last.update((role, (player, person)) for role, player, person in rows)
    return {role: identity(connection, player, person) for role, (player, person) in last.items()}


def identity(connection: sqlite3.Connection, player: str, person: str | None = None) -> Identity:
    """The player of this id, and the person who sat there."""
    kind, name, revision, adapter, sampling = connection.execute(
        "SELECT kind, name, revision, adapter_hash, sampling FROM players WHERE id = ?", (player,)
    ).fetchone()
    return Identity(kind, name, revision, adapter, json.loads(sampling), person or "")
