"""The one loader of package data: prompts per language, word lists, frozen instances.

Games do no other I/O. Everything read is cached, since rules and bots ask for the same lists at every move.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from string import Template
from typing import Any


class MissingMaterial(LookupError):
    """A game asks for a file or a prompt that its package does not hold."""


@lru_cache(maxsize=256)
def text(package: str, path: str) -> str:
    """The text of a file beside a game, e.g. `text("games.taboo", "material/targets_en.tsv")`."""
    try:
        return files(package).joinpath(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingMaterial(f"{package} has no file {path}") from error


@lru_cache(maxsize=256)
def lines(package: str, path: str) -> tuple[str, ...]:
    """Its non-empty lines, without those that start with `#`."""
    return tuple(line for line in text(package, path).splitlines() if line.strip() and not line.startswith("#"))


@lru_cache(maxsize=64)
def table(package: str, path: str) -> tuple[Mapping[str, str], ...]:
    """A tab-separated file with a header line, as one mapping a row."""
    head, *rows = lines(package, path)
    names = head.split("\t")
    return tuple(dict(zip(names, row.split("\t"), strict=True)) for row in rows)


def _percent(text: str) -> str:
    """A text with `$names` as one for the `%` operator, which fills it in at a tenth of the price."""

    def one(found: re.Match[str]) -> str:
        if found["escaped"] is not None:
            return "$"
        name = found["named"] or found["braced"]
        if name is None:
            raise ValueError("a $ is followed by no name")
        return f"%({name})s"

    return Template.pattern.sub(one, text.replace("%", "%%"))


class Prompts:
    """The prompts and words of one game in one language, from `prompts/LANG.toml` beside its rules."""

    def __init__(self, package: str, language: str) -> None:
        self.where = f"{package}/prompts/{language}.toml"
        self._data: dict[str, Any] = tomllib.loads(text(package, f"prompts/{language}.toml"))
        self._found: dict[str, str] = {}
        self._formats: dict[str, str] = {}

    def word(self, path: str) -> str:
        """A plain string by dotted path, e.g. `tags.clue`."""
        if path in self._found:
            return self._found[path]
        found: Any = self._data
        for part in path.split("."):
            if not isinstance(found, dict) or part not in found:
                raise MissingMaterial(f"{self.where} lacks {path}")
            found = found[part]  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(found, str):
            raise MissingMaterial(f"{path} in {self.where} is not a text")
        self._found[path] = found
        return found

    def words(self, path: str) -> tuple[str, ...]:
        """A list of strings by dotted path."""
        head, _, last = path.rpartition(".")
        found: Any = self._data
        for part in [*head.split(".")] if head else []:
            found = found.get(part, {})
        found = found.get(last)
        if not isinstance(found, list):
            raise MissingMaterial(f"{self.where} lacks the list {path}")
        return tuple(str(item) for item in found)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    def fill(self, path: str, **values: object) -> str:
        """A prompt with its `$names` filled in; a name without a value is an error, not a hole."""
        try:
            if path not in self._formats:
                self._formats[path] = _percent(self.word(path))
            return (self._formats[path] % values).strip("\n")
        except (KeyError, ValueError) as error:
            raise MissingMaterial(f"{path} in {self.where}: {error}") from error


@lru_cache(maxsize=64)
def prompts(package: str, language: str) -> Prompts:
    """The prompts of a game's package in one language. Raises MissingMaterial for a language it has not."""
    return Prompts(package, language)
