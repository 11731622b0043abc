"""People in the log: a random pseudonym, what they agreed to, and under which text. No name, no mail, no key strokes.

The question is asked before a person's first recorded turn. Without a terminal nothing is asked, and the answer is
"this machine only".
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from store.errors import LogError, ReadOnly, UnknownPerson
from store.ids import digest, now
from store.writer import Writer

T = TypeVar("T")
Level: TypeAlias = Literal["none", "local", "research", "public"]
LEVELS: tuple[Level, ...] = ("none", "local", "research", "public")
DEFAULT: Level = "local"
"""What holds when nothing was asked: the words stay on this machine."""

VERSION = "1"
"""Version of the consent text; a changed text gets a new one, and is asked anew."""


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person is shown, in one language: the text, and an answer per level."""

    text: str
    answers: Mapping[Level, str]


CONSENT: Mapping[str, Consent] = {
    "en": Consent(
        "playpen-tui writes games into a file on this machine: what you say, what your partner says, when, how long "
        "you took in all for each turn, and how the game ended. You appear under a random pseudonym; no name is asked "
        "for. Nothing is sent anywhere; whoever deletes the file deletes it all. "
        "How may your games be used?",
        {
            "local": "on this machine only, by whoever uses it",
            "research": "on this machine, and shared with researchers who keep them to themselves",
            "public": "published, for anybody to use",
            "none": "not recorded at all",
        },
    ),
    "de": Consent(
        "playpen-tui schreibt Spiele in eine Datei auf diesem Rechner: was du sagst, was dein Gegenüber sagt, wann, "
        "wie lange du für jeden Zug insgesamt gebraucht hast und wie das Spiel ausging. Du erscheinst unter einem "
        "zufälligen Pseudonym; nach einem Namen wird nicht gefragt. Nichts wird verschickt; wer die Datei löscht, "
        "löscht alles. Wofür dürfen deine Spiele verwendet werden?",
        {
            "local": "nur auf diesem Rechner, von denen, die ihn benutzen",
            "research": "auf diesem Rechner und weitergegeben an Forschende, die sie für sich behalten",
            "public": "veröffentlicht, für alle",
            "none": "gar nicht aufzeichnen",
        },
    ),
}

_FIRST = (
    "amber azure brisk calm cedar clear coral crisp dapper dusky early fern gentle ginger golden hazel idle "
    "indigo ivory jade jolly keen lilac linen lively lunar maple mellow merry misty mossy nimble noble olive opal "
    "patient pearl plucky polar quick quiet rapid rosy rustic sable sandy scarlet silver sleek snowy solar spry "
    "sunny swift tidal topaz tulip velvet violet vivid warm willow witty zesty"
)
_SECOND = (
    "badger beaver bison bittern cricket crane curlew dipper dormouse dove egret falcon ferret finch fox gannet "
    "gecko gull hare hedgehog heron ibex ibis jackdaw jay kestrel kite lapwing lark lemur linnet lizard lynx "
    "magpie marten merlin mole moth newt nuthatch osprey otter owl petrel pika plover puffin quail raven redstart "
    "robin salmon seal shrew siskin skylark sparrow squirrel stoat stork swallow swift tern thrush toad trout "
    "vole wagtail weasel wren"
)


@dataclass(frozen=True, slots=True)
class Person:
    """One person as the log knows them; `id` is the pseudonym."""

    id: str
    consent: Level
    consent_version: str
    consented_at: str
    withdrawn_at: str | None
    created_at: str

    @property
    def may_record(self) -> bool:
        """Whether their turns may be written."""
        return self.consent != "none" and self.withdrawn_at is None

    def allows(self, level: Level) -> bool:
        """Whether their turns may be used at this level: `public` implies `research` implies `local`."""
        return self.may_record and LEVELS.index(self.consent) >= LEVELS.index(level)


def pseudonym() -> str:
    """A fresh random name, such as `amber-otter-417`; it is made from nothing about the person."""
    luck = random.SystemRandom()
    return f"{luck.choice(_FIRST.split())}-{luck.choice(_SECOND.split())}-{luck.randrange(100, 1000)}"


@dataclass(frozen=True, slots=True)
class Tally:
    """A person, and how much of the log is theirs."""

    id: str
    consent: Level
    withdrawn: bool
    turns: int
    judgements: int
    since: str


def tally(reader: sqlite3.Connection) -> list[Tally]:
    """Everybody in the log, longest known first."""
    sql = """SELECT id, consent, withdrawn_at IS NOT NULL,
      (SELECT count(*) FROM turns t WHERE t.person_id = p.id),
      (SELECT count(*) FROM annotations a WHERE a.annotator_id = p.id), created_at
    FROM people p ORDER BY created_at, id"""
    return [Tally(id, level, bool(gone), *rest) for id, level, gone, *rest in reader.execute(sql)]


def mark(person: str) -> str:
    """What stands in `tombstones` for a forgotten person: a hash, so that the pseudonym itself is gone."""
    return digest("forgotten", person)


def was_forgotten(db: sqlite3.Connection, person: str, schema: str = "main") -> bool:
    """Whether this person was forgotten in that database of the connection."""
    sql = f"SELECT 1 FROM {schema}.tombstones WHERE kind = 'people' AND id = ?"
    return db.execute(sql, (mark(person),)).fetchone() is not None


_SELECT = "SELECT id, consent, consent_version, consented_at, withdrawn_at, created_at FROM people"


class People:
    """The people of one log."""

    def __init__(self, reader: Callable[[], sqlite3.Connection], writer: Writer | None) -> None:
        self._reader = reader
        self._writer = writer

    def all(self) -> list[Person]:
        """Everybody, longest known first."""
        return [Person(*row) for row in self._reader().execute(f"{_SELECT} ORDER BY created_at, rowid")]

    def find(self, id: str) -> Person | None:
        """The person of this pseudonym, or None."""
        row = self._reader().execute(f"{_SELECT} WHERE id = ?", (id,)).fetchone()
        return Person(*row) if row else None

    def get(self, id: str) -> Person:
        """The person of this pseudonym. Raises UnknownPerson (a LookupError)."""
        found = self.find(id)
        if found is None:
            raise UnknownPerson(f"nobody is called {id!r} in this log")
        return found

    def add(self, consent: Level = DEFAULT, id: str | None = None) -> Person:
        """A new person under a fresh pseudonym (or `id`, which must be free), with what they agreed to.

        Raises LogError for a pseudonym that was forgotten here: a merge would erase whoever took it.
        """
        at = now()

        def write(connection: sqlite3.Connection) -> str:
            name = id or pseudonym()
            while id is None and connection.execute("SELECT 1 FROM people WHERE id = ?", (name,)).fetchone():
                name = pseudonym()
            if was_forgotten(connection, name):
                raise LogError(f"{name} was forgotten in this log, so nobody can be called that; take another name")
            connection.execute(
                "INSERT INTO people (id, consent, consent_version, consented_at, created_at) VALUES (?, ?, ?, ?, ?)",
                (name, _level(consent), VERSION, at, at),
            )
            return name

        return self.get(self._do(write))

    def agree(self, id: str, consent: Level) -> Person:
        """Note a person's new answer, under today's text. Raises UnknownPerson."""
        at = now()

        def write(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "UPDATE people SET consent = ?, consent_version = ?, consented_at = ?, withdrawn_at = NULL "
                "WHERE id = ?",
                (_level(consent), VERSION, at, id),
            ).rowcount

        self._do(write)
        return self.get(id)

    def withdraw(self, id: str) -> Person:
        """Note that a person takes their consent back; nothing of theirs is recorded or used from now on."""
        at = now()

        def write(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "UPDATE people SET withdrawn_at = ? WHERE id = ? AND withdrawn_at IS NULL", (at, id)
            ).rowcount

        self._do(write)
        return self.get(id)

    def _do(self, write: Callable[[sqlite3.Connection], T]) -> T:
        if self._writer is None:
            raise ReadOnly("the log was opened to be read only; open it for writing to change who is in it")
        return self._writer.do(write)


def _level(consent: Level) -> Level:
    if consent not in LEVELS:
        raise ValueError(f"no level of consent {consent!r}; there are: {', '.join(LEVELS)}")
    return consent
