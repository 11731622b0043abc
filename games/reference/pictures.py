"""Pictures of five by five cells: how they are written, drawn and compared, and what makes a family of them.

A picture is its five rows joined by slashes, `XXXXX/..X../..X../..X../..X..`. The two signs for a filled and an empty
cell stand here and nowhere else; prompts and boards take them from here (in clembench 3.0 the prompt named another
sign than the pictures had).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations, pairwise, product
from random import Random
from typing import TypeAlias

from games.material import lines

PACKAGE = "games.reference"
FILLED = "X"
EMPTY = "."
SIDE = 5

Picture: TypeAlias = str

_FULL = FILLED * SIDE
_BLANK = EMPTY * SIDE


def rows(picture: Picture) -> tuple[str, ...]:
    """Its five rows, five cells each."""
    return tuple(picture.split("/"))


def of(found: Sequence[str]) -> Picture:
    """The picture of these rows."""
    return "/".join(found)


def drawn(picture: Picture) -> str:
    """Five lines with a space between cells, as a prompt shows it."""
    return "\n".join(" ".join(row) for row in rows(picture))


def well_formed(picture: str) -> bool:
    """Whether this is five rows of five cells."""
    return len(rows(picture)) == SIDE and all(len(row) == SIDE and set(row) <= {FILLED, EMPTY} for row in rows(picture))


def turned(picture: Picture) -> Picture:
    """Rows made columns."""
    return of(["".join(column) for column in zip(*rows(picture), strict=True)])


def distance(one: Picture, other: Picture) -> int:
    """How many cells differ."""
    return sum(a != b for a, b in zip(one, other, strict=True))


def flipped(picture: Picture, cells: Sequence[int]) -> Picture:
    """The same picture with some cells (0 to 24) turned over."""
    flat = list(picture.replace("/", ""))
    for cell in cells:
        flat[cell] = EMPTY if flat[cell] == FILLED else FILLED
    return of(["".join(flat[i : i + SIDE]) for i in range(0, SIDE * SIDE, SIDE)])


def of_rows(picture: Picture) -> bool:
    """Horizontal lines only: each row is empty or one bar of three cells or more, and bars touch only if both full."""
    found = rows(picture)
    bars = all(row.strip(EMPTY) in ("", *(FILLED * n for n in range(3, SIDE + 1))) for row in found)
    apart = all(_BLANK in pair or pair == (_FULL, _FULL) for pair in pairwise(found))
    return bars and apart and {_BLANK} < {*found}


def of_columns(picture: Picture) -> bool:
    """Vertical lines only: a picture of rows, turned."""
    return of_rows(turned(picture))


def without_order(picture: Picture) -> bool:
    """No lines, no checkerboard, no symmetry: what a random picture has to be."""
    found = rows(picture)
    across = tuple(row[::-1] for row in found)
    mirrors = (across, found[::-1], across[::-1], rows(turned(picture)), rows(turned(of(across)))[::-1])
    return not of_rows(picture) and not of_columns(picture) and found not in mirrors


def at_random(rng: Random) -> Picture:
    """A picture of 8 to 14 filled cells without any order."""
    while True:
        picture = flipped(of([_BLANK] * SIDE), rng.sample(range(SIDE * SIDE), rng.randint(8, 14)))
        if without_order(picture):
            return picture


def _named(path: str) -> list[tuple[str, Picture]]:
    """Pictures of a material file with their names; slim ones once in each place where they fit."""
    found = lines(PACKAGE, f"material/{path}")
    step = SIDE + 1
    pictures: list[tuple[str, Picture]] = []
    for at in range(0, len(found), step):
        name, *drawing = found[at : at + step]
        room = SIDE - len(drawing[0])
        pictures += [(name, of([EMPTY * i + row + EMPTY * (room - i) for row in drawing])) for i in range(room + 1)]
    return pictures


@lru_cache(maxsize=4)
def signs(path: str) -> Mapping[Picture, str]:
    """Pictures of letters (`letters.txt`) or digits (`numbers.txt`) and what they show, broad ones first."""
    return {picture: name for name, picture in _named(path)}


@lru_cache(maxsize=4)
def lines_drawn(name: str) -> tuple[Picture, ...]:
    """The hand-drawn pictures of rows (`R`) or columns (`C`)."""
    return tuple(picture for found, picture in _named("lines.txt") if found == name)


@lru_cache(maxsize=1)
def all_rows() -> tuple[Picture, ...]:
    """Every picture of rows with two lines or more."""
    bars = [EMPTY * i + FILLED * n + EMPTY * (SIDE - n - i) for n in range(3, SIDE + 1) for i in range(SIDE - n + 1)]
    found: dict[Picture, None] = {}
    for count in (2, 3):
        for places in combinations(range(SIDE), count):
            for chosen in product(bars, repeat=count):
                drawing = [_BLANK] * SIDE
                for place, bar in zip(places, chosen, strict=True):
                    drawing[place] = bar
                found[of(drawing)] = None
    return tuple(picture for picture in found if of_rows(picture))
