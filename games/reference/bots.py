"""Scripted players of the reference game.

The competent describer goes through the target row by row; the competent guesser reads such descriptions, and of what
people write it understands rows, letters and digits, and horizontal or vertical lines. Where that leaves a choice, it
tosses a coin.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from random import Random

from games.boards import Card, Grid
from games.engine import View
from games.material import Prompts, prompts
from games.reference import pictures
from games.reference.pictures import EMPTY, FILLED, PACKAGE, SIDE, Picture

_NUMBER = re.compile(r"[1-5](?!\d)")


def competent_bot(view: View, rng: Random) -> str:
    """Describe every row, or take the picture that fits the description best."""
    field = view.fields[0]
    if not field.options:
        target = next(panel for panel in _grids(view) if panel.target)
        return view.compose({field.name: description(_picture(target), view.language)})
    expression = next((panel.head for panel in view.board.panels if isinstance(panel, Card)), "")
    best = best_fits([_picture(panel) for panel in _grids(view)], expression, view.language)
    return view.compose({field.name: field.options[rng.choice(best)]})


def random_bot(view: View, rng: Random) -> str:
    """Say something that tells nothing, or take any picture."""
    field = view.fields[0]
    said = field.options or prompts(PACKAGE, view.language).words("bot.phrases")
    return view.compose({field.name: rng.choice(said)})


def _grids(view: View) -> list[Grid]:
    return [panel for panel in view.board.panels if isinstance(panel, Grid)]


def _picture(panel: Grid) -> Picture:
    return pictures.of(["".join(row) for row in panel.rows])


def description(picture: Picture, language: str) -> str:
    """Its five rows in words and numbers: `row 1: all; row 2: 3; row 3: none; row 4: 1, 5; row 5: 2, 3, 4.`"""
    said = prompts(PACKAGE, language)
    parts = [said.fill("bot.row", number=n, cells=_cells(row, said)) for n, row in enumerate(pictures.rows(picture), 1)]
    return "; ".join(parts) + "."


def _cells(row: str, said: Prompts) -> str:
    places = [str(n) for n, cell in enumerate(row, 1) if cell == FILLED]
    return said.word({0: "bot.none", SIDE: "bot.all"}[len(places)]) if len(places) in (0, SIDE) else ", ".join(places)


def best_fits(seen: Sequence[Picture], expression: str, language: str) -> list[int]:
    """The places of the pictures that fit a description best: all of them where nothing in it is understood."""
    misfits = [misfit(picture, expression, language) for picture in seen]
    return [place for place, found in enumerate(misfits) if found == min(misfits)]


def misfit(picture: Picture, expression: str, language: str) -> tuple[int, int, int]:
    """How badly a picture fits: by the rows described, then by the sign it is said to show, then by its lines."""
    text = expression[:2000]
    said = prompts(PACKAGE, language)
    rows = _rows_in(text, said)
    by_rows = sum(a != b for n, row in rows for a, b in zip(pictures.rows(picture)[n], row, strict=True))
    by_sign = min((pictures.distance(picture, sign) for sign in _signs_in(text, said)), default=0)
    words = set(re.findall(r"\w+", text.casefold()))
    across, down = (not words.isdisjoint(said.words(f"understood.{way}")) for way in ("horizontal", "vertical"))
    by_lines = 0
    if across != down:
        by_lines = int(not (pictures.of_rows if across else pictures.of_columns)(picture))
    return by_rows, by_sign, by_lines


def _rows_in(text: str, said: Prompts) -> list[tuple[int, str]]:
    """Rows that are spelled out, with their cells; counted from 0."""
    found: list[tuple[int, str]] = []
    for part in re.split(r"[;.\n]", text.casefold()):
        if head := _row_head(said).search(part):
            cells = _understood(part[head.end() :], said)
            if cells is not None:
                found.append((int(head[1]) - 1, cells))
    return found


@lru_cache(maxsize=4)
def _row_head(said: Prompts) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(said.words('understood.rows'))}) ([1-5])\b[: ]*")


@lru_cache(maxsize=4)
def _range(said: Prompts) -> re.Pattern[str]:
    return re.compile(rf"\b([1-5]) ?(?:[-–]|{'|'.join(said.words('understood.to'))}) ?([1-5])\b")


def _understood(cells: str, said: Prompts) -> str | None:
    """A row such as `X...X` from `1, 5`, `all`, `none`, `2 to 4`; None where it says nothing of the kind."""
    places = {int(n) for n in _NUMBER.findall(cells)}
    for low, high in _range(said).findall(cells):
        places |= {*range(int(low), int(high) + 1)}
    words = set(re.findall(r"\w+", cells))
    if not places and words.isdisjoint(chain(said.words("understood.all"), said.words("understood.none"))):
        return None
    if not places and words.isdisjoint(said.words("understood.none")):
        return FILLED * SIDE
    return "".join(FILLED if n in places else EMPTY for n in range(1, SIDE + 1))


def _signs_in(text: str, said: Prompts) -> list[Picture]:
    """Every picture of a letter or digit that the text names: `the letter T`, `Zahl 8`."""
    found = _sign(said).search(text)
    known = chain(pictures.signs("letters.txt").items(), pictures.signs("numbers.txt").items())
    return [picture for picture, name in known if found and name == found[1].upper()]


@lru_cache(maxsize=4)
def _sign(said: Prompts) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(said.words('understood.signs'))})\W+([a-z0-9])\b", re.IGNORECASE | re.ASCII)
