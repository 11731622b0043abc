"""What a seat may see, as data: cards, tiles, grids, facts, never widgets.

A `Board` is what a game hands to a screen, a plain-text printer, a bot or (later) a browser. Each of them draws it in
its own way; none of them needs to know the game. Panels marked `private` hold what only this seat knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, TypeAlias

Mark: TypeAlias = Literal["here", "elsewhere", "absent", "empty"]
"""A letter stands in this place, elsewhere in the word, nowhere in it; or the place is still empty."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask a person for. `options` makes it a choice; `length` fixes the number of letters."""

    name: str
    label: str
    hint: str = ""
    options: tuple[str, ...] = ()
    length: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """A word or sentence in large, with a list under it: `Describe ELEPHANT / without trunk, ivory, tusk`."""

    title: str
    head: str
    label: str = ""
    items: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """One letter and what became of it."""

    letter: str
    mark: Mark = "empty"


@dataclass(frozen=True, slots=True)
class Tiles:
    """Rows of letter tiles; `rows` holds the filled ones, `height` how many there will be, `width` letters each."""

    rows: tuple[tuple[Tile, ...], ...]
    width: int = 5
    height: int = 6
    private: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """A keyboard: rows of letters, and the best that is known of each."""

    rows: tuple[str, ...]
    marks: Mapping[str, Mark] = field(default_factory=dict[str, Mark])
    private: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A small picture of symbols. `target` is set only on the board of one who may know."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    target: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Labelled values, one a line."""

    items: tuple[tuple[str, str], ...]
    title: str = ""
    private: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Plain lines under a title."""

    title: str
    lines: tuple[str, ...]
    private: bool = False


Panel: TypeAlias = Card | Tiles | Keys | Grid | Facts | Lines


@dataclass(frozen=True, slots=True)
class Board:
    """Everything one seat sees: a status line (`round 2 of 3`) and panels in reading order."""

    status: str = ""
    panels: tuple[Panel, ...] = ()


def strings(value: Any) -> Iterator[str]:
    """Every string on a board, however deep: what a leak check must look through."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, tuple | list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from strings(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for f in fields(value):
            yield from strings(getattr(value, f.name))
