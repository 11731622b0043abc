"""Which episodes a command is about: the same filters everywhere, as one value that becomes one SQL condition.

The condition speaks of `e` (episodes), `i` (instances), `u` (runs, may be absent) and `r` (results, may be absent).
Filters that describe a seat (`roles`, `models`, `speaker`, `partners`) must hold of one and the same seat; data sets
are made of such seats alone.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

from store.errors import BadFilter
from store.people import LEVELS, Level

Speaker: TypeAlias = Literal["human", "synthetic"]
SPEAKERS: tuple[Speaker, ...] = ("human", "synthetic")
OUTCOMES = ("success", "failure", "aborted", "draw", "unfinished")
SPLITS = ("train", "validation", "test")
KINDS = ("play", "self_play", "eval", "train", "branch", "study", "import")
HUMAN = "human"
"""As the name of a player: any person."""

Trash: TypeAlias = Literal["out", "in", "either"]
"""Whether episodes in the trash are left out, the only ones, or among the others."""
Measure: TypeAlias = Literal["score", "plies"]
Sign: TypeAlias = Literal[">", ">=", "<", "<=", "="]
PLIES = "coalesce(r.plies, (SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0)"
"""SQL for how many turns an episode has."""
_MEASURES: dict[Measure, str] = {"score": "r.main", "plies": PLIES}
SIGNS: tuple[Sign, ...] = (">", ">=", "<", "<=", "=")

Said: TypeAlias = Callable[[str], tuple[str, list[Any]]]

FROM = """FROM episodes e JOIN instances i ON i.id = e.instance_id
LEFT JOIN runs u ON u.id = e.run_id LEFT JOIN results r ON r.episode_id = e.id"""
"""What the condition's short names stand for."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that must all hold; an empty one holds always. Several values of one filter are alternatives."""

    games: tuple[str, ...] = ()
    """Names of games; `clem:taboo` is clembench's own Taboo, and `clem:*` all that begin so."""
    experiments: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    """Of `OUTCOMES`."""
    splits: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    """Roles of the seat that the other seat filters are about."""
    models: tuple[str, ...] = ()
    """Names of players in that seat, as they are typed, with any settings where none are named; `qwen*` is all that
    begin so, `human` any person."""
    speaker: Speaker | None = None
    """Who sat in that seat: people, or models and bots. A seat that changed hands counts as both."""
    partners: tuple[str, ...] = ()
    """Names of players in another seat of the episode, as for `models`."""
    runs: tuple[str, ...] = ()
    """Ids of runs, in full, or their beginning with a `*`."""
    kinds: tuple[str, ...] = ()
    """Kinds of run: play, self_play, eval, …"""
    tags: tuple[str, ...] = ()
    since: str | None = None
    """A UTC day or time, such as 2026-11-01: episodes that began then or later."""
    until: str | None = None
    """Episodes that began before."""
    min_score: float | None = None
    """Main score of at least this (0 to 100)."""
    max_score: float | None = None
    bounds: tuple[tuple[Measure, Sign, float], ...] = ()
    """What the main score and the number of turns must be: ("plies", ">", 3). No score is above or below anything."""
    text: str = ""
    """Words that must all occur in one turn of the episode; "words in quotes" in this order."""
    where: str = ""
    """Any SQL condition over e, i, u and r."""
    consent: Level | None = None
    """Leave out episodes in which somebody agreed to less than this, or took the consent back."""
    nor: tuple[Filters, ...] = ()
    """Conditions of which none may hold; what they say of the trash does not count."""
    trash: Trash = "out"

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) != field.default for field in fields(self))

    def sql(self, said: Said | None = None) -> tuple[str, list[Any]]:
        """The condition and its values. Raises BadFilter for a filter that cannot be.

        `said` may give another condition for a full-text query (`match`) than the usual one, with its values.
        """
        wanted, values = self._wanted(said)
        if self.trash != "either":
            _among("trash", [self.trash], ("out", "in"))
            wanted.append(f"e.id {'NOT IN' if self.trash == 'out' else 'IN'} (SELECT episode_id FROM trash)")
        return " AND ".join(wanted) or "1", values

    def _wanted(self, said: Said | None) -> tuple[list[str], list[Any]]:
        """The conditions but for the trash, and their values."""
        wanted: list[str] = []
        values: list[Any] = []
        for condition, some in (*self._where_from(), *self._how_it_went(), *self._what_was_said(said or _said)):
            wanted.append(condition)
            values += some
        return wanted, values

    def _where_from(self) -> Iterator[tuple[str, Sequence[Any]]]:
        if self.games:
            parts = ["e.game GLOB ?" if "*" in game else "e.game = ?" for game in self.games]
            yield f"({' OR '.join(parts)})", self.games
        for column, some in (
            ("i.experiment", self.experiments),
            ("i.language", self.languages),
            ("i.split", self.splits),
            ("u.kind", self.kinds),
        ):
            if some:
                yield f"{column} IN ({_marks(some)})", some
        if self.runs:
            parts = ["e.run_id BETWEEN ? AND ?" if run.endswith("*") else "e.run_id = ?" for run in self.runs]
            ids = [[run[:-1], run[:-1] + "~"] if run.endswith("*") else [run] for run in self.runs]
            yield f"({' OR '.join(parts)})", [id for some in ids for id in some]
        if self.since is not None:
            yield "e.started_at >= ?", [_moment(self.since)]
        if self.until is not None:
            yield "e.started_at < ?", [_moment(self.until)]

    def _how_it_went(self) -> Iterator[tuple[str, Sequence[Any]]]:
        if self.outcomes:
            _among("outcome", self.outcomes, OUTCOMES)
            outcome = "coalesce(r.outcome, 'unfinished')" if "unfinished" in self.outcomes else "+r.outcome"
            yield f"{outcome} IN ({_marks(self.outcomes)})", self.outcomes  # +: the order comes from elsewhere
        seats, some = self.seats()
        if seats:
            yield f"e.id IN (SELECT episode_id FROM ({seats}))", some
        if self.tags:
            yield f"e.id IN (SELECT episode_id FROM tags WHERE tag IN ({_marks(self.tags)}))", self.tags
        if self.min_score is not None:
            yield "r.main >= ?", [self.min_score]
        if self.max_score is not None:
            yield "r.main <= ?", [self.max_score]
        for measure, sign, value in self.bounds:
            _among("sign", [sign], SIGNS)
            _among("measure", [measure], tuple(_MEASURES))
            yield f"{_MEASURES[measure]} {sign} ?", [value]

    def _what_was_said(self, said: Said) -> Iterator[tuple[str, Sequence[Any]]]:
        """And what needs other filters: the user's own condition, consent, what must not be."""
        if words := match(self.text):
            yield said(words)
        if self.where:
            yield f"({self.where}\n)", []  # the line break ends a comment that would swallow the bracket
        if self.consent is not None:
            enough = LEVELS[LEVELS.index(self.consent) :]
            yield f"e.id NOT IN ({_WITHHELD.format(marks=_marks(enough))})", [*enough, *enough, *enough]
        for one in self.nor:
            conditions, some = one._wanted(said)
            if conditions:
                yield f"NOT coalesce(({' AND '.join(conditions)}), 0)", some

    def seats(self) -> tuple[str, list[Any]]:
        """SQL for the seats that the seat filters mean, rows of episode and role, and its values; empty without such
        filters.
        """
        if not (self.roles or self.models or self.speaker or self.partners):
            return "", []
        wanted, values = list[str](), list[Any]()
        if self.roles:
            wanted.append(f"s.role IN ({_marks(self.roles)})")
            values += self.roles
        who, some = self.players()
        if who:
            wanted.append(f"s.player_id IN ({who})")
            values += some
        if self.partners:
            named, names = _named(self.partners)
            wanted.append(
                f"EXISTS (SELECT 1 FROM sitters o WHERE o.episode_id = s.episode_id AND o.role <> s.role "
                f"AND o.player_id IN (SELECT id FROM players WHERE {named}))"
            )
            values += names
        return f"SELECT s.episode_id, s.role FROM sitters s WHERE {' AND '.join(wanted)}", values

    def players(self) -> tuple[str, list[Any]]:
        """SQL for the ids of the players that may have spoken in those seats, and its values; empty for any."""
        wanted, values = list[str](), list[Any]()
        if self.models:
            named, names = _named(self.models)
            wanted.append(f"({named})")
            values += names
        if self.speaker is not None:
            _among("speaker", [self.speaker], SPEAKERS)
            wanted.append(f"kind {'=' if self.speaker == 'human' else '<>'} '{HUMAN}'")
        return (f"SELECT id FROM players WHERE {' AND '.join(wanted)}" if wanted else ""), values


def _named(names: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL condition on a player that it has one of these names, and its values."""
    parts, values = list[str](), list[Any]()
    for name in names:
        if name == HUMAN:
            parts.append("(kind = ? OR name = ?)")
        elif "*" in name:
            parts.append("name GLOB ?")
            values.append(re.sub(r"[\[?]", r"[\g<0>]", name))
            continue
        else:  # with whatever settings it had: smollm2?temperature=0 is smollm2
            parts.append("(name = ? OR substr(name, 1, length(?) + 1) = ? || '?')")
            values.append(name)
        values += [name, name]
    return " OR ".join(parts), values


def absent(reader: sqlite3.Connection, filters: Filters, roles: Sequence[str] = ()) -> list[str]:
    """Games, roles and players that are asked for and occur nowhere in the log, a clause each with those that do."""
    found: list[str] = []
    for what, wanted, sql in (
        ("game", filters.games, "SELECT DISTINCT game FROM episodes ORDER BY 1"),
        ("role", (*filters.roles, *roles), "SELECT DISTINCT role FROM seats ORDER BY 1"),
    ):
        there = [name for (name,) in reader.execute(sql)] if wanted else []
        for name in dict.fromkeys(wanted):
            if there and not any(fnmatchcase(one, name) for one in there):
                found.append(f"the log has no {what} {name!r}, but {', '.join(there)}")
    for name in dict.fromkeys((*filters.models, *filters.partners)):
        named, values = _named([name])
        if reader.execute(f"SELECT 1 FROM ({_SEATED}) WHERE {named}", values).fetchone() is None:
            shown = f"CASE kind WHEN '{HUMAN}' THEN kind ELSE name END"  # people have pseudonyms
            there = [one for (one,) in reader.execute(f"SELECT DISTINCT {shown} FROM ({_SEATED}) ORDER BY 1 LIMIT 9")]
            known = ", ".join([*there[:8], *(["…"] if there[8:] else [])])
            found.append(f"the log has no player {name!r}" + (f", but {known}" if known else ""))
    return found


def _said(words: str) -> tuple[str, list[Any]]:
    return f"e.id IN ({SAID})", [words]


_SEATED = "SELECT kind, name FROM players WHERE id IN (SELECT player_id FROM sitters)"
SAID = "SELECT t.episode_id FROM turns_fts f JOIN turns t ON t.seq = f.rowid WHERE turns_fts MATCH ?"
_WITHHELD = """
SELECT s.episode_id FROM seats s JOIN people p ON p.id = s.person_id
WHERE p.withdrawn_at IS NOT NULL OR p.consent NOT IN ({marks})
UNION
SELECT t.episode_id FROM turns t JOIN people p ON p.id = t.person_id
WHERE p.withdrawn_at IS NOT NULL OR p.consent NOT IN ({marks})
UNION
SELECT r.episode_id FROM rollouts r JOIN candidates c ON c.id = r.candidate_id JOIN people p ON p.id = c.person_id
WHERE p.withdrawn_at IS NOT NULL OR p.consent NOT IN ({marks})"""
"""Who sat there, spoke there, or wrote what it goes on from."""


_SPOKEN = re.compile(r'"([^"]*)"(\*?)|\S+')


def match(words: str) -> str:
    """Words as a full-text query that asks for all of them; "word*" finds beginnings, quotes hold words together."""
    found: list[tuple[str, bool]] = []
    for token in _SPOKEN.finditer(words.replace("\0", " ")):
        phrase = token[1] is not None
        text = token[1] if phrase else token[0].replace('"', "")
        beginning = bool(token[2]) if phrase else text.endswith("*")
        if text.strip("* "):
            found.append((" ".join(text.split()) if phrase else text.rstrip("*"), beginning))
    return " ".join(f'"{text}"' + "*" * beginning for text, beginning in found)


def _marks(some: Sequence[object]) -> str:
    return ", ".join("?" * len(some))


def _among(what: str, some: Sequence[str], known: Sequence[str]) -> None:
    for value in some:
        if value not in known:
            raise BadFilter(f"no {what} {value!r}; there are {', '.join(known)}")


_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?)?)?")


def _moment(text: str) -> str:
    """A day or time as the log writes times: `2026-11-01T10:00`, without what was not given."""
    if not _TIME.fullmatch(text):
        raise BadFilter(f"{text!r} is no day or time; write it such as 2026-11-01 or 2026-11-01T14:30")
    return text.replace(" ", "T").removesuffix("Z")
