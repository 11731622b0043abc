"""The query language: one line such as `game:taboo outcome:failure,aborted score>50 "exact words" -tag:seen`.

A line is a row of chips. Each is a condition; all must hold, a minus before one turns it round, several values with
commas between are alternatives. What is no condition is searched for in what was said. `parse` and `write` are
inverse to each other, so that screens can show chips and people can type.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from store.errors import LogError
from store.filters import KINDS, OUTCOMES, SIGNS, SPEAKERS, SPLITS, Filters, Trash

Sort: TypeAlias = Literal["newest", "oldest", "score", "-score", "plies", "-plies", "game", "-game"]
SORTS: dict[Sort, str] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "score": "highest score first",
    "-score": "lowest score first",
    "plies": "longest first",
    "-plies": "shortest first",
    "game": "by game, A to Z",
    "-game": "by game, Z to A",
}
"""Orders and how they are called."""

KEYS = {
    "game": "taboo, clem:taboo, clem:*",
    "outcome": " ".join(OUTCOMES),
    "model": "a player, such as smollm2, qwen* or human",
    "role": "the seat that model, speaker and partner speak of",
    "partner": "a player in another seat",
    "speaker": " ".join(SPEAKERS),
    "experiment": "as the game calls it",
    "lang": "en, de, …",
    "split": " ".join(SPLITS),
    "run": "an id or its beginning",
    "kind": " ".join(KINDS),
    "tag": "a word that was put on an episode",
    "since": "2026-11-01",
    "until": "2026-12-01",
    "score": "0 to 100: score>50",
    "plies": "number of turns: plies<=3",
    "in": "trash all",
    "sort": " ".join(SORTS),
}
"""Every key, and what it takes."""

_MEASURES = ("score", "plies")
_CLOSED: dict[str, tuple[str, ...]] = {
    **{"outcome": OUTCOMES, "split": SPLITS, "speaker": SPEAKERS, "kind": KINDS},
    **{"in": ("trash", "all"), "sort": tuple(SORTS)},
}
_ONE = ("speaker", "since", "until", "in", "sort", *_MEASURES)
"""Keys that take one value."""
_ALIASES = {
    "won": "success",
    "lost": "failure",
    "running": "unfinished",
    "self-play": "self_play",
    "selfplay": "self_play",
}
_FIELDS = {
    "game": "games",
    "experiment": "experiments",
    "lang": "languages",
    "outcome": "outcomes",
    "split": "splits",
    "role": "roles",
    "model": "models",
    "partner": "partners",
    "run": "runs",
    "kind": "kinds",
    "tag": "tags",
}


class BadQuery(LogError, ValueError):
    """The line is no query. The message says where, and what would be right."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition. `key` is empty for words that are searched for."""

    key: str
    values: tuple[str, ...]
    """At least one."""
    negated: bool = False
    sign: str = ":"
    """`:` but for score and plies: > >= < <= =."""

    def __str__(self) -> str:
        if not self.key:
            return "-" * self.negated + _word(self.values[0])
        return "-" * self.negated + self.key + self.sign + ",".join(map(_value, self.values))


@dataclass(frozen=True, slots=True)
class Query:
    """What a line asks for."""

    chips: tuple[Chip, ...] = ()

    def __str__(self) -> str:
        return write(self.chips)

    @property
    def filters(self) -> Filters:
        """As filters. Those of one key add up to alternatives where they are not turned round."""
        return _filters(self.chips)

    @property
    def sort(self) -> Sort:
        """The order; the last chip that names one counts."""
        named = [chip.values[0] for chip in self.chips if chip.key == "sort"]
        return cast(Sort, named[-1] if named else "newest")

    @property
    def text(self) -> str:
        """What is searched for."""
        return self.filters.text

    def sorted(self, sort: Sort) -> Query:
        """The same in another order."""
        kept = tuple(chip for chip in self.chips if chip.key != "sort")
        return Query(kept if sort == "newest" else (*kept, Chip("sort", (sort,))))


_TOKEN = re.compile(
    r"""
    (?P<minus>-)?
    (?: (?P<key>[A-Za-z_]+) (?P<sign>>=|<=|[:><=]) (?P<values> (?: "[^"]*" | [^\s"] )* )
      | (?P<phrase>"[^"]*"\*?) (?=\s|$)
      | (?P<word>\S+)
    )
    """,
    re.VERBOSE,
)
_VALUE = re.compile(r'"([^"]*)"|([^,"]+)')
_PLAIN_WORD = re.compile(r'[^\s"\-:<>=,][^\s":<>=]*')
_PLAIN_VALUE = re.compile(r'[^\s",]+')
_NUMBER = re.compile(r"\d+(\.\d+)?")
_DAY = re.compile(r"\d{4}(-\d\d(-\d\d([T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?)?)?")


def parse(line: str) -> Query:
    """The chips of a line. Raises BadQuery with one sentence."""
    line = "".join(" " if letter.isspace() or not letter.isprintable() else letter for letter in line)
    if line.count('"') % 2:
        raise BadQuery('a quotation mark is left open; close it with "')
    chips: list[Chip] = []
    for token in _TOKEN.finditer(line):
        negated = token["minus"] is not None
        if token["phrase"] is not None:
            text = " ".join(token["phrase"].replace('"', "").split())
            chips += [Chip("", (text,), negated)] if text.strip("* ") else []
        elif token["word"] is not None:
            text = " ".join(token["word"].replace('"', " ").split())
            if not text.strip("* "):
                continue
            chips.append(Chip("", (text,), negated))
        else:
            chips.append(_chip(token["key"].lower(), token["sign"], token["values"], negated))
    return Query(tuple(chips))


def write(chips: Iterable[Chip]) -> str:
    """The line of some chips."""
    return " ".join(map(str, chips))


def nearest(wrong: str, known: Sequence[str]) -> str | None:
    """The most alike of what there is."""
    close = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    begun = [one for one in known if wrong and one.startswith(wrong)]
    return (begun or close or [None])[0]


def suggest(line: str, vocabulary: Mapping[str, Sequence[str]]) -> str | None:
    """The line with its last word completed: a key, or a value that is known; None where nothing begins so."""
    start = line[: len(line) - len(line.split(" ")[-1])]
    minus, last = ("-", line[len(start) + 1 :]) if line[len(start) :].startswith("-") else ("", line[len(start) :])
    if not last or '"' in last:
        return None
    key, colon, values = last.partition(":")
    if not colon:
        keys = [one + (">" if one in _MEASURES else ":") for one in KEYS if one.startswith(last.lower())]
        return f"{start}{minus}{keys[0]}" if keys else None
    before, comma, value = values.rpartition(",")
    known = (*_CLOSED.get(key, ()), *vocabulary.get(key, ()))
    fitting = [one for one in known if value and one.startswith(value) and one != value and one.isprintable()]
    return f"{start}{minus}{key}:{before}{comma}{_value(fitting[0])}" if fitting else None


def _chip(key: str, sign: str, written: str, negated: bool) -> Chip:
    if key not in KEYS:
        near = nearest(key, tuple(KEYS))
        hint = f"did you mean {near}:?" if near else f"there are {', '.join(KEYS)}"
        raise BadQuery(f'there is no {key}{sign} to ask for; {hint} (in quotes, "{key}{sign}…", it is searched for)')
    if key in _MEASURES:
        sign = "=" if sign == ":" else sign
        values: tuple[str, ...] = (written,)
        if not _NUMBER.fullmatch(written):
            raise BadQuery(f"{key} takes a number, such as {key}>{50 if key == 'score' else 3}")
        values = (f"{float(written):g}",)
    elif sign != ":":
        raise BadQuery(f"{key} has no more or less; write {key}:{written.strip('=') or '…'}")
    else:
        values = tuple(
            _right(key, quoted or bare) for quoted, bare in _VALUE.findall(written) if (quoted or bare).strip()
        )
    if not values:
        raise BadQuery(f"{key}: wants something behind it ({KEYS[key]})")
    first = values[0]
    if key in _ONE and len(values) > 1:
        raise BadQuery(f"{key} takes one of its values at a time ({KEYS[key]})")
    if key in ("in", "sort") and negated:
        raise BadQuery(f"{key} cannot be turned round; write {key}:{first.removeprefix('-')} without the first minus")
    return Chip(key, values, negated, sign)


def _right(key: str, value: str) -> str:
    """The value as it is written, checked where the key knows all of its values."""
    value = " ".join(value.split())
    if key in _CLOSED:
        value = _ALIASES.get(value.lower(), value.lower())
        if value not in _CLOSED[key]:
            near = nearest(value, _CLOSED[key])
            hint = f"did you mean {key}:{near}?" if near else f"there are {', '.join(_CLOSED[key])}"
            raise BadQuery(f"there is no {key} {value}; {hint}")
    elif key in ("since", "until") and not _DAY.fullmatch(value):
        raise BadQuery(f"{value} is no day or time; write {key}:2026-11-01 or {key}:2026-11-01T14:30")
    elif key == "run":
        value = value.upper().rstrip("…")
    return value


def _word(text: str) -> str:
    if _PLAIN_WORD.fullmatch(text):
        return text
    return f'"{text[:-1]}"*' if text.endswith("*") and " " in text else f'"{text}"'


def _value(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else f'"{value}"'


def _filters(chips: Sequence[Chip]) -> Filters:
    fields: dict[str, Any] = {}
    words: list[str] = []
    nor: list[Filters] = []
    bounds: list[tuple[str, str, float]] = []
    for chip in chips:
        if chip.key == "sort":
            continue
        if chip.negated:
            nor.append(_filters([Chip(chip.key, chip.values, False, chip.sign)]))
        elif not chip.key:
            text = chip.values[0]
            quoted = f'"{text.rstrip("*")}"' + "*" * text.endswith("*")
            words.append(quoted if " " in text else text)
        elif chip.key in _MEASURES:
            bounds.append((chip.key, chip.sign, float(chip.values[0])))
        elif chip.key == "in":
            fields["trash"] = {"trash": "in", "all": "either"}[chip.values[0]]
        elif chip.key in ("since", "until", "speaker"):
            fields[chip.key] = chip.values[0]
        else:
            values = chip.values
            if chip.key == "run":
                values = tuple(value if len(value) == 26 or value.endswith("*") else f"{value}*" for value in values)
            name = _FIELDS[chip.key]
            fields[name] = (*fields.get(name, ()), *values)
    return Filters(text=" ".join(words), bounds=tuple(bounds), nor=tuple(nor), **fields)  # type: ignore[arg-type]


__all__ = [
    "KEYS",
    "SIGNS",
    "SORTS",
    "BadQuery",
    "Chip",
    "Query",
    "Sort",
    "Trash",
    "nearest",
    "parse",
    "suggest",
    "write",
]
