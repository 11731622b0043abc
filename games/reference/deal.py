"""Instances of the reference game: three pictures in the guesser's order, and which of them is the target.

The benchmark set is frozen: six pictures of each family, each the target three times, once in each place, beside the
two of the six that are nearest to it. Everything else comes from a generator that runs from a seed and uses none of
the benchmark's pictures.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from random import Random
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import AfterValidator

from games import material
from games.engine import Instance
from games.reference import pictures
from games.reference.pictures import PACKAGE, Picture, distance

LANGUAGES = ("en", "de")
FAMILIES = ("letter_grids", "number_grids", "line_grids_rows", "line_grids_columns", "random_grids")
PER_FAMILY = 70
"""How many instances of each family are generated, as far as its pictures go."""

_NEAR = 4
"""Among how many of the nearest pictures the two others are chosen."""


def _picture(value: str) -> str:
    if not pictures.well_formed(value):
        raise ValueError(f"not five rows of five cells: {value!r}")
    return value


_Checked: TypeAlias = Annotated[Picture, AfterValidator(_picture)]


class ReferenceInstance(Instance):
    """`pictures` stand in the order in which the guesser sees them; `target` is the place of the right one."""

    pictures: tuple[_Checked, _Checked, _Checked]
    target: Literal[0, 1, 2]

    @property
    def key(self) -> str:
        """The target picture, e.g. `grid:XXXXX/..X../..X../..X../..X..`."""
        return f"grid:{self.pictures[self.target]}"


@lru_cache(maxsize=4)
def benchmark(language: str) -> tuple[ReferenceInstance, ...]:
    """The frozen set; () for an unknown language."""
    if language not in LANGUAGES:
        return ()
    found = material.lines(PACKAGE, f"instances/benchmark_{language}.jsonl")
    return tuple(ReferenceInstance.model_validate_json(line) for line in found)


@lru_cache(maxsize=4)
def instances(language: str) -> tuple[ReferenceInstance, ...]:
    """The benchmark set, then generated ones of each family; names go on counting."""
    first = benchmark(language)
    if not first:
        return ()
    others = [one for family in FAMILIES for one in generate(family, language, seed=0, size=PER_FAMILY)]
    return (*first, *others)


@lru_cache(maxsize=1)
def frozen() -> frozenset[Picture]:
    """Every picture that occurs in the benchmark set."""
    return frozenset(picture for language in LANGUAGES for one in benchmark(language) for picture in one.pictures)


@lru_cache(maxsize=8)
def pool(family: str) -> tuple[Picture, ...]:
    """Every picture of a family but those of the benchmark set; there is no pool of random ones."""
    found = {
        "letter_grids": lambda: tuple(pictures.signs("letters.txt")),
        "number_grids": lambda: tuple(pictures.signs("numbers.txt")),
        "line_grids_rows": pictures.all_rows,
        "line_grids_columns": lambda: tuple(map(pictures.turned, pictures.all_rows())),
    }[family]()
    return tuple(picture for picture in found if picture not in frozen())


def generate(family: str, language: str, seed: int | str, size: int) -> list[ReferenceInstance]:
    """Up to `size` instances of a family, each with another target, none with a picture of the benchmark set.

    The two other pictures differ from the target in two to four cells (random pictures), or are among the nearest of
    the family. The same seed gives the same pictures in every language.
    """
    rng = Random(f"{family}:{seed}")
    deals = _at_random(rng, size) if family == "random_grids" else _from_pool(family, rng, size)
    taken = sum(one.experiment == family for one in benchmark(language))
    return [_instance(family, language, taken + n, deal, rng.randrange(3)) for n, deal in enumerate(deals, 1)]


def _instance(family: str, language: str, number: int, deal: list[Picture], place: int) -> ReferenceInstance:
    """`deal` is the target and the two others; the target goes to `place`."""
    target, *others = deal
    others.insert(place, target)
    first, second, third = others
    return ReferenceInstance(
        name=f"{family}-{language}-{number:03d}",
        experiment=family,
        language=language,
        pictures=(first, second, third),
        target=cast(Literal[0, 1, 2], place),
    )


def _from_pool(family: str, rng: Random, size: int) -> list[list[Picture]]:
    known = pool(family)
    return [[target, *_others(target, known, rng)] for target in rng.sample(known, min(size, len(known)))]


def _others(target: Picture, known: tuple[Picture, ...], rng: Random) -> list[Picture]:
    far = sorted((distance(target, picture), picture) for picture in known)
    near = [picture for cells, picture in far if cells >= 2][:_NEAR]
    return rng.sample(near, 2)


def _at_random(rng: Random, size: int) -> list[list[Picture]]:
    deals: list[list[Picture]] = []
    used: set[Picture] = set(frozen())
    while len(deals) < size:
        target = pictures.at_random(rng)
        others = [pictures.flipped(target, rng.sample(range(25), rng.randint(2, 4))) for _ in range(2)]
        if used.isdisjoint((target, *others)) and others[0] != others[1]:
            deals.append([target, *others])
            used.add(target)
    return deals


def draft(language: str) -> tuple[ReferenceInstance, ...]:
    """The benchmark set as its recipe makes it; what is frozen was made by it once."""
    made: list[ReferenceInstance] = []
    for family, six in _chosen().items():
        deals: list[tuple[list[Picture], int]] = []
        for target in six:
            nearest = sorted((p for p in six if p != target), key=lambda p: (distance(target, p), six.index(p)))[:2]
            deals += [([target, *nearest], place) for place in range(3)]
        Random(f"order of {family}").shuffle(deals)  # names count along, and must not tell the place
        made += [_instance(family, language, n, deal, place) for n, (deal, place) in zip(count(1), deals, strict=False)]
    return tuple(made)


def _chosen() -> dict[str, tuple[Picture, ...]]:
    letters, numbers = pictures.signs("letters.txt"), pictures.signs("numbers.txt")
    rng = Random("six random pictures")
    return {
        "letter_grids": tuple(next(p for p, name in letters.items() if name == letter) for letter in "EFHPTY"),
        "number_grids": tuple(next(p for p, name in numbers.items() if name == digit) for digit in "235689"),
        "line_grids_rows": pictures.lines_drawn("R"),
        "line_grids_columns": pictures.lines_drawn("C"),
        "random_grids": tuple(pictures.at_random(rng) for _ in range(6)),
    }
