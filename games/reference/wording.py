"""Pictures in words: `row 1 is full; row 2 is filled at 3; column 5 is empty`, and back.

One fixed wording serves the bots and the assisted seats. What is read back is wider, since people write as they like:
`rows 1 and 3 are full`, `column 2: 1 to 4`, `Reihe 5 ist leer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from games.material import Prompts, prompts
from games.reference.pictures import EMPTY, FILLED, PACKAGE, SIDE, Picture, rows, turned

MOST = 12
"""How many sentences are offered at most to tell a picture from others."""

_SPAN = 200
"""How many characters after `row 3` may be about that row."""


class Line(NamedTuple):
    """A row or column (`kind`), counted from 1."""

    kind: str
    number: int


LINES = tuple(Line(kind, number) for kind in ("row", "column") for number in range(1, SIDE + 1))


def cells(picture: Picture, line: Line) -> str:
    """The five cells of a line."""
    return rows(picture if line.kind == "row" else turned(picture))[line.number - 1]


def sentence(line: Line, found: str, language: str) -> str:
    """What a line looks like: `row 1 is full`, `column 2 is filled at 1 and 4`."""
    said = prompts(PACKAGE, language)
    name = said.fill(f"wording.{line.kind}", number=line.number)
    places = [str(n) for n, cell in enumerate(found, 1) if cell == FILLED]
    if len(places) in (0, SIDE):
        return said.fill("wording.full" if places else "wording.empty", line=name)
    *first, last = places
    joined = f"{', '.join(first)} {said.word('wording.and')} {last}" if first else last
    return said.fill("wording.some", line=name, cells=joined)


def sentences(picture: Picture, lines: Iterable[Line], language: str) -> str:
    """What these lines of a picture look like."""
    return "; ".join(sentence(line, cells(picture, line), language) for line in lines)


def description(picture: Picture, language: str) -> str:
    """A picture row by row: exact, and enough."""
    return f"{sentences(picture, LINES[:SIDE], language)}."


def telling(target: Picture, others: Sequence[Picture], language: str) -> tuple[str, ...]:
    """Sentences that are true of the target and of none of the others, plain ones first."""
    plain = sorted(LINES, key=lambda line: (len(set(cells(target, line))) > 1, line.kind != "row"))
    apart = {line: [cells(other, line) != cells(target, line) for other in others] for line in plain}
    found = [(line,) for line in plain if all(apart[line])]
    if not found:  # no line tells it from all: one for each of the others
        pairs = product(*([line for line in plain if apart[line][n]] for n in range(len(others))))
        found = list(dict.fromkeys(tuple(dict.fromkeys(pair)) for pair in pairs))
    return tuple(sentences(target, lines, language) for lines in found[:MOST])


def understood(text: str, language: str) -> dict[Line, str]:
    """What a description says of rows and columns, with their cells; what it says last counts."""
    return dict(_read(text[:2000].casefold(), prompts(PACKAGE, language)))


def _read(text: str, said: Prompts) -> Iterator[tuple[Line, str]]:
    heads = list(_head(said).finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):
        about = re.split(r"[;.\n]", text[head.end() : min(end, head.end() + _SPAN)], maxsplit=1)[0]
        found = _cells(about, said)
        kind = "row" if head["row"] else "column"
        for number in re.findall("[1-5]", head["numbers"]) if found else ():
            yield Line(kind, int(number)), found


@lru_cache(maxsize=4)
def _head(said: Prompts) -> re.Pattern[str]:
    spelt = {kind: "|".join(said.words(f"understood.{kind}")) for kind in ("rows", "columns", "and")}
    several = rf"[1-5]\b(?:(?:, ?| ?(?:{spelt['and']}) )[1-5]\b)*"
    return re.compile(rf"\b(?:(?P<row>{spelt['rows']})|(?:{spelt['columns']})) ?(?P<numbers>{several})")


@lru_cache(maxsize=4)
def _range(said: Prompts) -> re.Pattern[str]:
    return re.compile(rf"\b([1-5]) ?(?:[-–]|{'|'.join(said.words('understood.to'))}) ?([1-5])\b")


def _cells(about: str, said: Prompts) -> str:
    """A line such as `X...X` from `1, 5`, `is full`, `nothing`, `2 to 4`; empty where it says nothing of the kind."""
    places = {int(n) for n in re.findall(r"(?<!\d)[1-5](?!\d)", about)}
    for low, high in _range(said).findall(about):
        places |= {*range(int(low), int(high) + 1)}
    words = set(re.findall(r"\w+", about))
    if not places and not words.isdisjoint(said.words("understood.empty")):
        return EMPTY * SIDE
    if not places and not words.isdisjoint(said.words("understood.full")):
        return FILLED * SIDE
    return "".join(FILLED if n in places else EMPTY for n in range(1, SIDE + 1)) if places else ""


def misfit(picture: Picture, said: Mapping[Line, str]) -> int:
    """In how many cells a picture differs from what was said of its lines."""
    return sum(a != b for line, found in said.items() for a, b in zip(cells(picture, line), found, strict=True))
