"""Scripted players of the reference game.

The competent describer goes through the target row by row; the competent guesser reads such descriptions, and of what
people write it understands rows and columns, letters and digits, and horizontal or vertical lines. Where that leaves
a choice, it tosses a coin.
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
from games.reference import pictures, wording
from games.reference.pictures import PACKAGE, Picture


def competent_bot(view: View, rng: Random) -> str:
    """Describe every row, or take the picture that fits the description best."""
    field = view.fields[0]
    if not field.options:
        target = next(panel for panel in _grids(view) if panel.target)
        return view.compose({field.name: wording.description(_picture(target), view.language)})
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


def best_fits(seen: Sequence[Picture], expression: str, language: str) -> list[int]:
    """The places of the pictures that fit a description best: all of them where nothing in it is understood."""
    misfits = [misfit(picture, expression, language) for picture in seen]
    return [place for place, found in enumerate(misfits) if found == min(misfits)]


def misfit(picture: Picture, expression: str, language: str) -> tuple[int, int, int]:
    """How badly a picture fits: by the lines described, then the sign it is said to show, then its direction."""
    text = expression[:2000]
    said = prompts(PACKAGE, language)
    by_lines = wording.misfit(picture, wording.understood(text, language))
    by_sign = min((pictures.distance(picture, sign) for sign in _signs_in(text, said)), default=0)
    words = set(re.findall(r"\w+", text.casefold()))
    across, down = (not words.isdisjoint(said.words(f"understood.{way}")) for way in ("horizontal", "vertical"))
    by_direction = 0
    if across != down:
        by_direction = int(not (pictures.of_rows if across else pictures.of_columns)(picture))
    return by_lines, by_sign, by_direction


def _signs_in(text: str, said: Prompts) -> list[Picture]:
    """Every picture of a letter or digit that the text names: `the letter T`, `Zahl 8`."""
    found = _sign(said).search(text)
    known = chain(pictures.signs("letters.txt").items(), pictures.signs("numbers.txt").items())
    return [picture for picture, name in known if found and name == found[1].upper()]


@lru_cache(maxsize=4)
def _sign(said: Prompts) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(said.words('understood.signs'))})\W+([a-z0-9])\b", re.IGNORECASE | re.ASCII)
