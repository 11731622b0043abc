"""The form of a legal reply, as data.

A game says what a reply must look like (a tag, then one word of a vocabulary; two lines of text; a grid) without
knowing who will generate it. `players` compiles shapes to grammars for llama.cpp, structured outputs for vLLM, or a
JSON schema. Parts that carry a `name` are the fields that `Game.compose` takes and `Game.read` gives back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these strings."""

    options: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Free text on one line, between `low` and `high` characters; `letters`: words and plain punctuation only."""

    name: str = ""
    low: int = 1
    high: int = 200
    letters: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """`rows` lines of `cols` symbols, separated by `gap`."""

    rows: int
    cols: int
    symbols: str
    gap: str = " "
    name: str = ""


@dataclass(frozen=True, slots=True)
class Seq:
    """Parts one after the other."""

    parts: tuple[Shape, ...]


Shape: TypeAlias = Literal | Choice | Text | Grid | Seq

_PLAIN = r"[A-Za-zÀ-ÖØ-öø-ÿ ,.'’;:!?()\-]"
_LINE = r"[^\n]"


@lru_cache(maxsize=256)
def pattern(shape: Shape) -> str:
    """The shape as a Python regular expression, to be used with `re.fullmatch`."""
    match shape:
        case Literal(text):
            return re.escape(text)
        case Choice(options):
            return "(?:" + "|".join(re.escape(option) for option in options) + ")"
        case Text(_, low, high, letters):
            return (_PLAIN if letters else _LINE) + f"{{{low},{high}}}"
        case Grid(rows, cols, symbols, gap):
            cell = f"[{re.escape(symbols)}]"
            line = re.escape(gap).join([cell] * cols)
            return r"\n".join([line] * rows)
        case Seq(parts):
            return "".join(pattern(part) for part in parts)


def fits(shape: Shape, text: str) -> bool:
    """Whether the text has this form."""
    return re.fullmatch(pattern(shape), text) is not None


def strings(shape: Shape) -> tuple[str, ...]:
    """Every string that the shape spells out: what a leak check must look through."""
    match shape:
        case Literal(text):
            return (text,)
        case Choice(options):
            return options
        case Seq(parts):
            return tuple(string for part in parts for string in strings(part))
        case Text() | Grid():
            return ()
