"""What must not be trained on: content kept for validation or test, whatever game or import it comes through."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from games import catalog
from store.perspectives import Perspective


@dataclass(frozen=True, slots=True)
class Leak:
    """Content that was to be trained and may not be: how many perspectives hold it, and why not."""

    key: str
    games: tuple[str, ...]
    perspectives: int
    why: str


class Guard:
    """Knows the content that is kept for validation and test, in the log's games and imported trees alike.

    What a game of this program keeps stays kept, whatever the split of an import says of the same content.
    """

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._kept: dict[str, str] = {}
        for key, split in reader.execute("SELECT DISTINCT key, split FROM instances WHERE split <> 'train'"):
            self._kept[key] = "test" if "test" in (split, self._kept.get(key)) else split
        games = reader.execute("SELECT DISTINCT game FROM instances WHERE split = 'train'").fetchall()
        if any(game not in catalog.names() for (game,) in games):
            self._kept |= catalog.kept()
        self._found: dict[str, list[Perspective]] = {}

    def keeps(self, key: str, split: str) -> bool:
        """Whether this content is kept for validation or test, here or in another game."""
        return split != "train" or key in self._kept

    def clean(self, perspectives: Iterable[Perspective]) -> Iterable[Perspective]:
        """Let through what may be trained; remember the rest."""
        for one in perspectives:
            if self.keeps(one.key, one.split):
                self._found.setdefault(one.key, []).append(one)
            else:
                yield one

    @property
    def leaks(self) -> list[Leak]:
        """What was held back, most often found first."""
        found = [
            Leak(
                key,
                tuple(sorted({one.game for one in some})),
                len(some),
                f"{self._kept.get(key, some[0].split)} material" + ("" if some[0].split != "train" else " elsewhere"),
            )
            for key, some in self._found.items()
        ]
        return sorted(found, key=lambda leak: (-leak.perspectives, leak.key))
