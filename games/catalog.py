"""The catalog: which games there are, their instances, and which split an instance belongs to.

Built-in games are listed by import path, so that naming them loads none. Games of others come through the entry point
group `playpen_tui.games`, or as single files `NAME.py` in a `playpen_games` folder (see `search_path`). Splits go by
content key over a family: benchmark keys are `test`, all others fall by hash.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias, cast

from games.engine import Game, Instance

Split: TypeAlias = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

BUILT_IN = {
    "taboo": "games.taboo.game:Taboo",
    "wordle": "games.wordle.game:Wordle",
    "wordle_withclue": "games.wordle.game:WordleWithClue",
    "wordle_withcritic": "games.wordle.critic:WordleWithCritic",
    "referencegame": "games.reference.game:ReferenceGame",
}


class UnknownGame(LookupError):
    """No game of this name; the message names the nearest ones."""


class BrokenGame(UnknownGame):
    """A game is there, but cannot be loaded; the message says what is wrong with it."""


class UnknownInstance(LookupError):
    """No such instance, experiment or language; the message says what there is."""


def nearest(name: str, known: Sequence[str]) -> str:
    """`did you mean a, b?` or the whole list where nothing is near."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known)}"


def search_path() -> list[Path]:
    """Folders whose `NAME.py` files are games: `$PLAYPEN_GAMES` (like PATH), then `playpen_games` here."""
    named = [Path(part) for part in os.environ.get("PLAYPEN_GAMES", "").split(os.pathsep) if part]
    return [*named, Path("playpen_games")]


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in search_path():
        for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
            if not path.name.startswith(("_", "test_")) and path.stem not in found:
                found[path.stem] = path
    return found


def names() -> list[str]:
    """Names of all games, built-in first. Loads none of them."""
    plugged = [entry.name for entry in entry_points(group="playpen_tui.games")]
    return list(dict.fromkeys([*BUILT_IN, *plugged, *_files()]))


def load(path: Path) -> Game:
    """The game of a single file. Raises BrokenGame where the file cannot be run or holds no game."""
    spec = importlib.util.spec_from_file_location(f"playpen_games.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BrokenGame(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
    for value in cast(dict[str, object], vars(module)).values():
        if isinstance(value, type) and issubclass(value, Game) and value.__module__ == module.__name__:
            made = cast(type[Any], value)
            if inspect.isabstract(made):
                continue
            if made.name != path.stem:
                raise BrokenGame(f"{path} defines a game called {made.name!r}; file and game must be called alike")
            return made()
    raise BrokenGame(f"{path} defines no subclass of Game; see docs/writing-a-game.md")


@lru_cache(maxsize=256)
def get(name: str) -> Game:
    """The game of this name. Raises UnknownGame with the nearest names, BrokenGame where it cannot be loaded."""
    try:
        if name in BUILT_IN:
            module, _, attribute = BUILT_IN[name].partition(":")
            return getattr(importlib.import_module(module), attribute)()
        for entry in entry_points(group="playpen_tui.games"):
            if entry.name == name:
                return entry.load()()
    except Exception as error:
        raise BrokenGame(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
    if name in (found := _files()):
        return load(found[name])
    raise UnknownGame(f"no game {name!r}; {nearest(name, names())}")


def beside(trained: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those of these games that can be played here, and one built-in game of each family that none of them is of.

    clembench's own games count as ours of the same name: `clem:taboo` is played as `taboo`.
    """
    known = names()
    here = tuple(dict.fromkeys(name for one in trained if (name := one.removeprefix("clem:")) in known))
    families = {get(name).family_name for name in here}
    others: dict[str, str] = {}
    for name in BUILT_IN:
        if (family := get(name).family_name) not in families:
            others.setdefault(family, name)
    return here, tuple(others.values())


def by_hash(key: str) -> Split:
    """The split of a key that is not in a benchmark: 75% train, 15% validation, 10% test, the same on every machine."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 100
    return "train" if place < 75 else "validation" if place < 90 else "test"


def _loading() -> Iterator[Game]:
    """All games that load: somebody's game file that does not must not stop the others."""
    for name in names():
        try:
            yield get(name)
        except Exception:
            if name in BUILT_IN:
                raise


@lru_cache(maxsize=64)
def benchmark_keys(family: str) -> frozenset[str]:
    """Keys of the frozen benchmark sets of every game of a family, in every language."""
    games = (game for game in _loading() if game.family_name == family)
    return frozenset(i.key for game in games for language in game.languages for i in game.benchmark(language))


def split_of(game: Game, instance: Instance) -> Split:
    """The split an instance belongs to: by content key, so that all games of a family agree."""
    return "test" if instance.key in benchmark_keys(game.family_name) else by_hash(instance.key)


@lru_cache(maxsize=1)
def kept() -> Mapping[str, Split]:
    """Keys of all instances of all games that are for validation or test, in every language."""
    found: dict[str, Split] = {}
    for game in _loading():
        for language in game.languages:
            for one in (*game.instances(language), *game.benchmark(language)):
                if (split := split_of(game, one)) != "train":
                    found[one.key] = split
    return found


def instances(
    game: Game, *, language: str = "en", experiment: str | None = None, split: Split | None = None
) -> list[Instance]:
    """Built-in instances that fit. Raises UnknownInstance when there are none, saying what there is."""
    if language not in game.languages:
        raise UnknownInstance(f"{game.name} is not there in {language!r}; there are: {', '.join(game.languages)}")
    all_of_them: list[Instance] = list(game.instances(language))
    found = [i for i in all_of_them if experiment is None or i.experiment == experiment]
    if not found:
        there = list(dict.fromkeys(i.experiment for i in all_of_them))
        raise UnknownInstance(f"{game.name} has no experiment {experiment!r}; {nearest(experiment or '', there)}")
    found = [i for i in found if split is None or split_of(game, i) == split]
    if not found:
        raise UnknownInstance(f"no instance of {game.name} is in split {split!r}; try another split")
    return found


def instance(game: Game, name: str) -> Instance:
    """The instance of this name in any language. Raises UnknownInstance with the nearest names."""
    known: list[str] = []
    for language in game.languages:
        for found in game.instances(language):
            if found.name == name:
                return found
            known.append(found.name)
    raise UnknownInstance(f"{game.name} has no instance {name!r}; {nearest(name, known[:2000])[:300]}")


def experiments(game: Game, language: str = "en") -> list[str]:
    """Names of its experiments, in order of appearance."""
    return list(dict.fromkeys(i.experiment for i in game.instances(language)))


def shuffled(found: Sequence[Instance], seed: int | str) -> Iterator[Instance]:
    """The instances in a seeded order: which one a new match takes."""
    order = list(found)
    Random(f"instances:{seed}").shuffle(order)
    yield from order
