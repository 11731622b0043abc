"""The words: which may be guessed, which are targets, and the instances made of them.

Lists are read once and kept. The benchmark set is frozen in `instances/`, the rest follows from the material in the
order of its files, so that names and numbers stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints

from games import material
from games.engine import Instance

PACKAGE = "games.wordle"
LANGUAGES = ("en", "de")
BANDS: tuple[str, ...] = ("high", "medium", "low")


class WordleInstance(Instance):
    """A word to find, lower case, and the clue to it where the game gives one. The experiment is its band."""

    target: Annotated[str, StringConstraints(pattern=r"^[a-zäöüß]{5}$")]
    clue: str = ""

    @property
    def key(self) -> str:
        """The word is what a learner would recognise, in all three games."""
        return f"wordle:{self.language}:{self.target}"


def listed(language: str) -> tuple[str, ...]:
    """Every word that counts as a guess, in alphabetical order."""
    return material.lines(PACKAGE, f"material/guesses_{language}.txt")


@lru_cache(maxsize=8)
def allowed(language: str) -> frozenset[str]:
    """Every word that counts as a guess."""
    return frozenset(listed(language))


@lru_cache(maxsize=8)
def clued(language: str) -> tuple[tuple[str, str, str], ...]:
    """(band, target, clue) of every target that has a clue."""
    rows = material.table(PACKAGE, f"material/targets_{language}.tsv")
    return tuple((row["band"], row["target"], row["clue"]) for row in rows)


@lru_cache(maxsize=8)
def extra(language: str) -> tuple[tuple[str, str, str], ...]:
    """(band, target, "") of the targets without a clue, which only plain Wordle uses."""
    rows = (line.split("\t") for line in material.lines(PACKAGE, f"material/targets_extra_{language}.txt"))
    return tuple((band, word, "") for band, word in rows)


@lru_cache(maxsize=8)
def targets(language: str) -> tuple[str, ...]:
    """Every target, band by band, which is roughly from frequent to rare."""
    both = [*clued(language), *extra(language)]
    return tuple(target for _, target, _ in sorted(both, key=lambda row: BANDS.index(row[0])))


@lru_cache(maxsize=8)
def ranked(language: str) -> str:
    """Every allowed word, one a line, targets first: what a seat without a dictionary may choose from."""
    first = targets(language)
    known = frozenset(first)
    return "\n".join((*first, *(word for word in listed(language) if word not in known)))


@lru_cache(maxsize=8)
def candidates(language: str) -> str:
    """Every target, one a line."""
    return "\n".join(targets(language))


@lru_cache(maxsize=16)
def benchmark(language: str, clue: bool) -> tuple[WordleInstance, ...]:
    """The frozen set; plain Wordle gets the same words without their clues."""
    if language not in LANGUAGES:
        return ()
    lines = material.lines(PACKAGE, f"instances/benchmark_{language}.jsonl")
    frozen = [WordleInstance.model_validate_json(line) for line in lines]
    return tuple(frozen if clue else [one.model_copy(update={"clue": ""}) for one in frozen])


@lru_cache(maxsize=16)
def instances(language: str, clue: bool) -> tuple[WordleInstance, ...]:
    """The benchmark set, then the other targets; without clues also those that have none. Names go on counting."""
    first = benchmark(language, clue)
    if not first:
        return ()
    taken = {one.target for one in first}
    count = dict.fromkeys(BANDS, 0)
    for one in first:
        count[one.experiment] += 1
    rows: Sequence[tuple[str, str, str]] = clued(language) if clue else (*clued(language), *extra(language))
    made: list[WordleInstance] = []
    for band, target, text in rows:
        if target in taken:
            continue
        count[band] += 1
        name = f"{band}-{language}-{count[band]:03d}"
        made.append(
            WordleInstance(name=name, experiment=band, language=language, target=target, clue=text if clue else "")
        )
    return (*first, *made)
