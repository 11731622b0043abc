"""Instances of clembench's games as rows: data as it was, and a key by which splits and comparisons go.

Where one of our own games has the same material the key is the same (the target word of Taboo and Wordle, the target
grid of the reference game); elsewhere it is a hash of the content, without the number that clembench gave it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from store.errors import LogError
from store.exchange.intake import Unreadable, mapping, parse, read
from store.ids import clean, content_id, digest, to_json
from store.writer import Row

PREFIX = "clem:"
"""Games of clembench's that are known from their logs alone."""
SPLITS = ("train", "validation", "test")
_LANGUAGE = re.compile(r"(?:^|_)([a-z]{2})$")
_GRID = re.compile(r"(?:[X.]{5}/){4}[X.]{5}")


class BadSplits(LogError):
    """The file of splits is not as it should be."""

    exit_code = 2


def key(game: str, experiment: str, instance: Mapping[str, Any], language: str) -> str:
    """What a learner would recognise."""
    word = instance.get("target_word")
    if isinstance(word, str) and word.strip():
        if game == "taboo":
            return f"taboo:{language}:{clean(word).strip().casefold()}"
        if game in ("wordle", "wordle_withclue", "wordle_withcritic"):
            return f"wordle:{language}:{clean(word).strip().casefold()}"
    if game == "referencegame":
        grid = _grid(instance.get("player_1_target_grid"))
        if grid:
            return f"grid:{grid}"
    content = {name: value for name, value in instance.items() if name != "game_id"}
    return f"{PREFIX}{game}:{content_id(content)}"


def _grid(text: object) -> str:
    """A 5 by 5 grid as our reference game writes it: `XXXXX/X.X.X/…`; nothing where it is none."""
    if not isinstance(text, str):
        return ""
    rows = ["".join("X" if cell == "X" else "." for cell in row.split()) for row in text.strip().splitlines()]
    found = "/".join(rows)
    return found if _GRID.fullmatch(found) and set(text.split()) <= {"X", "□", "▢"} else ""


def language(experiment: str, about: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    """The language as instance or experiment say it, or the end of the experiment's name; else English."""
    for told in (instance.get("language"), instance.get("lang"), about.get("language"), about.get("lang")):
        if isinstance(told, str) and re.fullmatch(r"[a-z]{2}", told):
            return told
    ending = _LANGUAGE.search(experiment)
    return ending[1] if ending and ending[1] in ("en", "de", "it", "es", "fr", "pt", "zh", "ru", "tr", "te") else "en"


def row(
    game: str, experiment: str, about: Mapping[str, Any], instance: Mapping[str, Any], splits: Splits, fallback: str
) -> Row:
    """A row of `instances`; `fallback` names an instance that has no `game_id`. Two experiments may share content."""
    spoken = language(experiment, about, instance)
    number = instance.get("game_id", fallback)
    data = to_json(dict(instance))
    return (
        digest(f"{PREFIX}{game}", experiment, to_json(dict(instance), sort=True)),
        f"{PREFIX}{game}",
        clean(f"{experiment}/{number}")[:300],
        key(game, experiment, instance, spoken),
        experiment,
        spoken,
        splits.of(game, experiment, number),
        data,
    )


@dataclass(slots=True)
class Splits:
    """Which split an instance belongs to, by game, experiment and number; `test` where nothing says otherwise."""

    listed: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])

    def of(self, game: str, experiment: str, number: object) -> str:
        """The split of an instance."""
        return self.listed.get((game, experiment, str(number)), "test")


def read_splits(path: Path) -> Splits:
    """A manifest: JSON (a list of objects) or CSV with `game`, `experiment`, `task_id`, `split`. Raises BadSplits."""
    try:
        data = read(path)
        rows = _rows(data)
    except Unreadable as error:
        raise BadSplits(f"the file of splits {path} {error}") from error
    found = Splits()
    for number, entry in enumerate(rows, 1):
        game, experiment, task, split = (
            mapping(entry).get(name) for name in ("game", "experiment", "task_id", "split")
        )
        if not isinstance(game, str) or not isinstance(experiment, str) or task is None or split not in SPLITS:
            raise BadSplits(
                f"row {number} of {path} does not name game, experiment, task_id and split (one of {', '.join(SPLITS)})"
            )
        found.listed[(game.removeprefix(PREFIX), experiment, str(task))] = str(split)
    return found


def _rows(data: bytes) -> Iterable[Any]:
    if data.lstrip()[:1] in (b"[", b"{"):
        try:
            found = parse(data)
        except Unreadable:
            found = [parse(line) for line in data.splitlines() if line.strip()]
        if isinstance(found, dict):
            inner = cast(dict[str, Any], found)
            lists: list[Any] = [value for value in inner.values() if isinstance(value, list)]
            found = lists[0] if lists else [inner]
        if not isinstance(found, list):
            raise Unreadable("holds no list of rows")
        return cast(list[Any], found)
    try:
        return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable("is neither JSON nor CSV") from error
