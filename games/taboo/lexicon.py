"""The material: targets with their band, related words and a clue, and the instances made of them.

The benchmark set is frozen in `instances/`. All other targets follow in an order drawn from their keys, so that
neither names nor places tell a target.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import StringConstraints

from games import material
from games.engine import Instance
from games.taboo.clue import PACKAGE, base, beginning, fold, same_stem, tokens

LANGUAGES = ("en", "de")
ROUNDS = 3
"""Clues, and guesses, that a match has at most."""
BANDS = ("high", "medium", "low")
"""Frequency bands, which are the experiments."""

Word = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class TabooInstance(Instance):
    """A word to describe and the related words that must not be said. The experiment is its frequency band."""

    target: Word
    related: tuple[Word, ...]

    @property
    def key(self) -> str:
        """The target is what a learner would recognise: `taboo:en:elephant`."""
        return f"taboo:{self.language}:{self.target.casefold()}"


class Entry(NamedTuple):
    """One line of the material; `clue` is a sentence that describes the target and breaks no rule."""

    target: str
    band: str
    related: tuple[str, ...]
    clue: str


@lru_cache(maxsize=4)
def entries(language: str) -> tuple[Entry, ...]:
    """Every target in the order of the file."""
    rows = material.table(PACKAGE, f"material/targets_{language}.tsv")
    return tuple(
        Entry(row["target"], row["band"], tuple(word.strip() for word in row["related"].split(",")), row["clue"])
        for row in rows
    )


@lru_cache(maxsize=4)
def by_target(language: str) -> Mapping[str, Entry]:
    """Entries by folded target."""
    return {fold(entry.target, language): entry for entry in entries(language)}


@lru_cache(maxsize=4)
def vocabulary(language: str) -> tuple[str, ...]:
    """The words an assisted guesser chooses from, the same for all instances."""
    return tuple(line.strip() for line in material.lines(PACKAGE, f"material/vocabulary_{language}.txt"))


@lru_cache(maxsize=4)
def _by_beginning(language: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    """The vocabulary with its folded form, by the letters that all forms of a word begin with."""
    found: dict[str, list[tuple[str, str]]] = {}
    for word in vocabulary(language):
        folded = fold(word, language)
        found.setdefault(beginning(folded, 2), []).append((word, folded))
    return found


def said_in(clues: Iterable[str], language: str) -> frozenset[str]:
    """The words of the vocabulary that stand in a clue in any form: by the rules none of them can be the target."""
    said = {form for clue in clues for word in tokens(clue, language) for form in (word, base(word, language))}
    return frozenset(
        word
        for one in said
        for word, folded in _by_beginning(language).get(beginning(one, 2), ())
        if one == folded or same_stem(one, folded, language)
    )


@lru_cache(maxsize=4)
def benchmark(language: str) -> tuple[TabooInstance, ...]:
    """The frozen set; () for an unknown language."""
    if language not in LANGUAGES:
        return ()
    lines = material.lines(PACKAGE, f"instances/benchmark_{language}.jsonl")
    return tuple(TabooInstance.model_validate_json(line) for line in lines)


@lru_cache(maxsize=4)
def instances(language: str) -> tuple[TabooInstance, ...]:
    """The benchmark set, then all other targets band by band; names go on counting in their band."""
    first = benchmark(language)
    if not first:
        return ()
    frozen = {one.key for one in first}
    rest = [made for entry in entries(language) if (made := _instance(entry, language)).key not in frozen]
    counted = {band: sum(one.experiment == band for one in first) for band in BANDS}
    return (*first, *_named(rest, counted))


def draft(language: str) -> tuple[TabooInstance, ...]:
    """The benchmark set as the material names it, to be frozen."""
    known = by_target(language)
    rows = (line.split("\t") for line in material.lines(PACKAGE, f"material/benchmark_{language}.txt"))
    return _named([_instance(known[fold(target, language)], language) for _, target in rows], {})


def _instance(entry: Entry, language: str) -> TabooInstance:
    return TabooInstance(name="?", experiment=entry.band, language=language, target=entry.target, related=entry.related)


def _named(found: Sequence[TabooInstance], counted: Mapping[str, int]) -> tuple[TabooInstance, ...]:
    """Band by band, in an order drawn from the keys, with names that count on from `counted`."""
    count = dict(counted)
    named: list[TabooInstance] = []
    for one in sorted(found, key=lambda one: (BANDS.index(one.experiment), hashlib.sha256(one.key.encode()).digest())):
        count[one.experiment] = count.get(one.experiment, 0) + 1
        name = f"{one.experiment}-{one.language}-{count[one.experiment]:03d}"
        named.append(one.model_copy(update={"name": name}))
    return tuple(named)
