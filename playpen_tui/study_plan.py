"""Who plays what in a study: the cells of its design filled evenly, and nobody the same content twice.

A cell is a game, a role and a partner. Places are planned in order, each from the counts of those before: the cell that
is furthest behind comes next (of equal ones the one this person had least), and of its instances the one that this cell
had least, whose content this person has not met. Ties fall by a hash of the seed, so that a plan is the same wherever
it is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple


class Cell(NamedTuple):
    """One condition. `partner` takes all other seats; empty where the game has none."""

    game: str
    role: str
    partner: str


class Material(NamedTuple):
    """An instance by its name, and the key of its content."""

    name: str
    key: str


class Trial(NamedTuple):
    """One game that a person is to play."""

    cell: Cell
    instance: str
    seed: int


class TooLittle(ValueError):
    """A person would meet the same content twice; the message says of which game there is too little."""


@dataclass(frozen=True, slots=True)
class Design:
    """Cells, the instances of each game, how many games a person plays, and the seed."""

    cells: Sequence[Cell]
    pools: Mapping[str, Sequence[Material]]
    episodes: int
    seed: int

    def plans(self, places: int) -> list[list[Trial]]:
        """What the people in the first so many places play. Raises TooLittle."""
        filled: Counter[Cell] = Counter()
        used: Counter[tuple[Cell, str]] = Counter()
        found: list[list[Trial]] = []
        for place in range(places):
            mine: Counter[Cell] = Counter()
            met = set[str]()
            trials: list[Trial] = []
            for number in range(self.episodes):
                cell = min(
                    self.cells, key=lambda one: (filled[one], mine[one], self._luck(place, number, *one))
                )  # fmt: skip
                fresh = [one for one in self.pools[cell.game] if one.key not in met]
                if not fresh:
                    raise TooLittle(
                        f"{cell.game} has too few instances of different content for a person who plays "
                        f"{self.episodes} games; take more instances, or fewer games each"
                    )
                chosen = min(fresh, key=lambda one: (used[cell, one.name], self._luck(place, number, one.name)))
                filled[cell] += 1
                mine[cell] += 1
                used[cell, chosen.name] += 1
                met.add(chosen.key)
                trials.append(Trial(cell, chosen.name, self._luck(place, number, "match") % 2**31))
            found.append(trials)
        return found

    def plan(self, place: int) -> list[Trial]:
        """What the person in this place plays. Raises TooLittle."""
        return self.plans(place + 1)[place]

    def _luck(self, place: int, number: int, *words: str) -> int:
        text = "|".join((str(self.seed), str(place), str(number), *words))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
