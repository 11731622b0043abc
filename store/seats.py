"""Which seats the seat filters mean: what was said in them is data, and what was said in the others is not."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from games.engine import Role
from store.filters import Filters


class Seats:
    """The seats that fit the filters, of those `roles` where some are named. Raises BadFilter."""

    def __init__(self, reader: sqlite3.Connection, filters: Filters, roles: Collection[Role] = ()) -> None:
        self._roles = frozenset(roles)
        seats, values = filters.seats()
        self._seats = frozenset(reader.execute(seats, values)) if seats else None
        who, values = filters.players()
        wanted = {id for (id,) in reader.execute(who, values)} if who else None
        self.players: dict[str, tuple[str, str, bool]] = {
            id: (name, kind, wanted is None or id in wanted)
            for id, name, kind in reader.execute("SELECT id, name, kind FROM players")
        }
        """Name and kind of each player by id, and whether their turns are wanted: a seat may have changed hands."""

    @property
    def all(self) -> bool:
        """Whether every seat is: nobody has to ask for each."""
        return not self._roles and self._seats is None

    def has(self, episode: str, role: Role) -> bool:
        """Whether this seat is one of them."""
        return (not self._roles or role in self._roles) and (self._seats is None or (episode, role) in self._seats)
