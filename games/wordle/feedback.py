"""What a guess tells: the colours of its letters, which words they leave, and what is known after several guesses.

Colours are five characters, `g` in place, `y` elsewhere, `r` not (any more) in the word; a `Try` is a guess with its
colours. Everything here is pure and knows neither language nor screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from games.boards import Mark

LENGTH = 5
GREEN, YELLOW, RED = "g", "y", "r"
ALL_GREEN = GREEN * LENGTH
MARKS: Mapping[str, Mark] = {GREEN: "here", YELLOW: "elsewhere", RED: "absent"}
COLOURS: Mapping[Mark, str] = {mark: colour for colour, mark in MARKS.items()}


class Try(NamedTuple):
    """A guess and the colours it got."""

    guess: str
    colours: str


def colour(guess: str, target: str) -> str:
    """The colours of a guess: greens first, then yellows take what letters are left, from left to right."""
    left: list[str] | None = None
    found = ""
    for g, t in zip(guess, target, strict=True):
        if g == t:
            found += GREEN
        elif g not in target:
            found += RED
        else:
            if left is None:
                left = [t for g, t in zip(guess, target, strict=True) if g != t]
            if g in left:
                left.remove(g)
                found += YELLOW
            else:
                found += RED
    return found


def fits(word: str, tries: Iterable[Try]) -> bool:
    """Whether the word could be the target: it would have coloured every guess as it was coloured."""
    return all(colour(guess, word) == colours for guess, colours in tries)


class Knowledge(NamedTuple):
    """What several tries say together. Places count from 0."""

    placed: Mapping[int, str]
    banned: Mapping[int, frozenset[str]]
    """Per place the letters that cannot stand there; letters that are nowhere else are banned everywhere."""
    least: Mapping[str, int]
    """How often a letter occurs at least."""
    most: Mapping[str, int]
    """How often a letter occurs at most, where a red one told (and that is how often it occurs)."""

    @property
    def absent(self) -> frozenset[str]:
        """Letters that are not in the word at all."""
        return frozenset(letter for letter, count in self.most.items() if count == 0)


@lru_cache(maxsize=1024)
def known(tries: tuple[Try, ...]) -> Knowledge:
    """What these tries say. A word fits them exactly if it agrees with this (tested)."""
    placed: dict[int, str] = {}
    banned: dict[int, set[str]] = {place: set() for place in range(LENGTH)}
    least: dict[str, int] = {}
    most: dict[str, int] = {}
    for guess, colours in tries:
        here: dict[str, int] = {}
        for place, (letter, mark) in enumerate(zip(guess, colours, strict=True)):
            if mark == GREEN:
                placed[place] = letter
            else:
                banned[place].add(letter)
            if mark != RED:
                here[letter] = here.get(letter, 0) + 1
        for letter in set(guess):
            count = here.get(letter, 0)
            least[letter] = max(least.get(letter, 0), count)
            if any(g == letter and c == RED for g, c in zip(guess, colours, strict=True)):
                most[letter] = count
    least = {letter: count for letter, count in least.items() if count}
    return Knowledge(placed, {place: frozenset(letters) for place, letters in banned.items()}, least, most)


def pattern(tries: tuple[Try, ...]) -> re.Pattern[str]:
    """The tries as a regular expression over a text with one word a line: to filter thousands of words at once."""
    facts = known(tries)
    absent = facts.absent
    places = [
        re.escape(facts.placed[place])
        if place in facts.placed
        else f"[^\\n{re.escape(''.join(sorted(facts.banned[place] | absent)))}]"
        for place in range(LENGTH)
    ]
    counts = [f"(?={f'.*{re.escape(letter)}' * count})" for letter, count in sorted(facts.least.items())]
    counts += [f"(?!{f'.*{re.escape(letter)}' * (count + 1)})" for letter, count in sorted(facts.most.items()) if count]
    return re.compile(f"^(?={''.join(places)}$){''.join(counts)}.*$", re.MULTILINE)


def consistent(words: str, tries: Sequence[Try]) -> list[str]:
    """The words, of a text with one a line, that fit all tries, in their order."""
    if not tries:
        return words.split("\n")
    return pattern(tuple(tries)).findall(words)


def letters(tries: Iterable[Try]) -> dict[str, Mark]:
    """The best that is known of every letter tried: what a keyboard shows."""
    best: dict[str, Mark] = {}
    order: tuple[Mark, ...] = ("absent", "elsewhere", "here")
    for guess, colours in tries:
        for letter, mark in zip(guess, colours, strict=True):
            new = MARKS[mark]
            if letter not in best or order.index(new) > order.index(best[letter]):
                best[letter] = new
    return best
