"""Studies: what a study asks for, who takes part in which place, what they answered and played.

A study is named by the hash of its name and its whole file: who changes the file begins another study, and the same
file makes the same study on every machine. A place that somebody left for longer than the study waits is given to the
next, so that the design fills up; whoever comes back later may still finish.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import LogError, Unknown
from store.ids import clean, content_id, new_id, now, to_json, written
from store.log import Log
from store.people import LEVELS, Level, pseudonym
from store.query import nearest

LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Of completion codes: none that is taken for another."""


class StudyFull(LogError):
    """As many people take part as the study asks for."""


class UnknownStudy(Unknown):
    """No study of this name or id is in the log, or several are."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study of the log; `config` is its file, `run` holds its episodes."""

    id: str
    name: str
    config: Mapping[str, Any]
    created_at: str
    run: str | None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who agreed to take part. `plan` is what they are to play, in order."""

    id: str
    study: str
    person: str
    place: int
    plan: tuple[Mapping[str, Any], ...]
    code: str
    joined_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Played:
    """An episode of a participant: which instance of which game, and whether it is over."""

    episode: str
    game: str
    instance: str
    role: str
    outcome: str | None


def study_id(name: str, config: Mapping[str, Any]) -> str:
    """The id of a study with this file."""
    return content_id(["study", name, dict(config)])


def add_study(log: Log, name: str, config: Mapping[str, Any], app_version: str = "") -> StudyRow:
    """Write a study down, with a run for its episodes, unless it is there. Raises LogError."""
    id = study_id(name, config)
    row = (id, clean(name), to_json(dict(config)), now())
    log.write(lambda db: db.execute("INSERT INTO studies VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount)
    found = get_study(log.reader(), id)
    if found.run is None:
        log.new_run("study", {"study": id, "name": name}, None, app_version)
        found = get_study(log.reader(), id)
    return found


def get_study(reader: sqlite3.Connection, wish: str) -> StudyRow:
    """The study of this name or id. Raises UnknownStudy, which names those nearby."""
    rows = reader.execute(f"{_STUDY} WHERE s.id = ?1 OR s.name = ?1 ORDER BY s.created_at, s.id", (wish,)).fetchall()
    if not rows and len(wish) >= 6:
        rows = reader.execute(f"{_STUDY} WHERE s.id >= ? AND s.id < ? LIMIT 2", (wish, wish + "~")).fetchall()
    if len(rows) > 1:
        ids = " and ".join(row[0][:12] for row in rows[:3])
        raise UnknownStudy(f"several studies are called {wish!r}, with different files; name one by its id: {ids}")
    if not rows:
        names = [name for (name,) in reader.execute("SELECT DISTINCT name FROM studies ORDER BY name")]
        near = nearest(wish, names)
        there = f"did you mean {near!r}?" if near else f"there are: {', '.join(names[:8])}" if names else ""
        raise UnknownStudy(f"no study {wish!r} in the log; {there or '`study run FILE` begins one'}")
    return _study(rows[0])


def all_studies(reader: sqlite3.Connection) -> list[StudyRow]:
    """Every study, the newest first."""
    return [_study(row) for row in reader.execute(f"{_STUDY} ORDER BY s.created_at DESC, s.id")]


def participants(reader: sqlite3.Connection, study: str) -> list[Participant]:
    """Everybody who agreed to take part, in the order they came."""
    sql = f"{_PARTICIPANT} WHERE study_id = ? ORDER BY joined_at, id"
    return [_participant(row) for row in reader.execute(sql, (study,))]


def participant(reader: sqlite3.Connection, study: str, person: str) -> Participant | None:
    """How this person takes part, or None."""
    row = reader.execute(f"{_PARTICIPANT} WHERE study_id = ? AND person_id = ?", (study, person)).fetchone()
    return None if row is None else _participant(row)


def join(
    log: Log,
    study: str,
    person: str | None,
    *,
    level: Level,
    quota: int,
    hours: float,
    plan: Callable[[int], list[dict[str, Any]]],
    code: str = "",
    consent: Mapping[str, Any],
) -> Participant:
    """Take part, after the study's own question about consent was answered with yes; once more is no second time.

    `person` is a pseudonym, new ones are made; None makes one. Who agreed to less than `level` agrees to it now. The
    place is the first that nobody holds: finished ones are held for good, others for so many `hours`. Raises StudyFull.
    """
    version = f"study {study[:12]}"

    def write(db: sqlite3.Connection) -> Participant:
        at = now()
        name = person or pseudonym()
        while person is None and db.execute("SELECT 1 FROM people WHERE id = ?", (name,)).fetchone():
            name = pseudonym()
        there = participant(db, study, name)
        if there is not None:
            return there
        held = require_room(participants(db, study), quota, hours)
        place = next(place for place in range(quota) if place not in held)
        _agree(db, name, level, version, at)
        id = new_id()
        token = code or "".join(secrets.choice(LETTERS) for _ in range(8))
        db.execute(
            "INSERT INTO participants (id, study_id, person_id, place, plan, code, joined_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (id, study, name, place, to_json(plan(place)), token, at),
        )
        _answer(db, id, "consent", dict(consent))
        found = participant(db, study, name)
        assert found is not None
        return found

    return log.write(write)


def places_held(everybody: Sequence[Participant], hours: float) -> list[int]:
    """Places of people who finished, and of those who came at most so many hours ago."""
    since = written(time.time_ns() // 1_000_000 - round(hours * 3_600_000))
    return [one.place for one in everybody if one.finished_at is not None or one.joined_at > since]


def require_room(everybody: Sequence[Participant], quota: int, hours: float) -> list[int]:
    """The places that are held. Raises StudyFull where that is all of them."""
    held = places_held(everybody, hours)
    if len(held) >= quota:
        raise StudyFull(f"the study is full: it asks for {quota} {'person' if quota == 1 else 'people'}, and has them")
    return held


def _agree(db: sqlite3.Connection, person: str, level: Level, version: str, at: str) -> None:
    row = db.execute("SELECT consent, withdrawn_at FROM people WHERE id = ?", (person,)).fetchone()
    if row is None:
        db.execute(
            "INSERT INTO people (id, consent, consent_version, consented_at, created_at) VALUES (?, ?, ?, ?, ?)",
            (clean(person), level, version, at, at),
        )
    elif row[1] is not None or LEVELS.index(row[0]) < LEVELS.index(level):
        db.execute(
            "UPDATE people SET consent = ?, consent_version = ?, consented_at = ?, withdrawn_at = NULL WHERE id = ?",
            (level, version, at, person),
        )


def answer(log: Log, participant: str, question: str, value: Any) -> None:
    """Keep an answer; the same question again replaces it. Raises LogError."""
    log.write(lambda db: _answer(db, participant, question, value))


def _answer(db: sqlite3.Connection, participant: str, question: str, value: Any) -> None:
    db.execute(
        "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT (participant_id, question) DO UPDATE SET "
        "value = excluded.value, created_at = excluded.created_at",
        (participant, question, to_json(clean(value) if isinstance(value, str) else value), now()),
    )


def answers(reader: sqlite3.Connection, participant: str) -> dict[str, Any]:
    """What they answered, by question, in the order they did."""
    sql = "SELECT question, value FROM answers WHERE participant_id = ? ORDER BY created_at, question"
    return {question: json.loads(value) for question, value in reader.execute(sql, (participant,))}


def finish(log: Log, participant: str) -> None:
    """Note that they have done everything. Twice is once. Raises LogError."""
    sql = "UPDATE participants SET finished_at = ? WHERE id = ? AND finished_at IS NULL"
    log.write(lambda db: db.execute(sql, (now(), participant)).rowcount)


def played(reader: sqlite3.Connection, study: str, person: str) -> list[Played]:
    """The episodes of this person in this study, oldest first."""
    return [Played(*row) for row in reader.execute(_PLAYED, (study, person))]


def judged_since(reader: sqlite3.Connection, queue: str, person: str, since: str) -> int:
    """Votes of this person in a queue (by id) that stand and were given from this moment on; a skip is one, too."""
    return int(reader.execute(_JUDGED, (queue, person, since)).fetchone()[0])


def _study(row: tuple[Any, ...]) -> StudyRow:
    return StudyRow(row[0], row[1], json.loads(row[2]), row[3], row[4])


def _participant(row: tuple[Any, ...]) -> Participant:
    id, study, person, place, plan, code, joined, finished = row
    return Participant(id, study, person, place, tuple(json.loads(plan)), code, joined, finished)


_STUDY = """
SELECT s.id, s.name, s.config, s.created_at, (SELECT min(r.id) FROM runs r
  WHERE r.kind = 'study' AND json_extract(r.config, '$.study') = s.id)
FROM studies s"""
_PARTICIPANT = "SELECT id, study_id, person_id, place, plan, code, joined_at, finished_at FROM participants"
_PLAYED = """
SELECT e.id, e.game, i.name, s.role, r.outcome
FROM episodes e JOIN instances i ON i.id = e.instance_id JOIN seats s ON s.episode_id = e.id
LEFT JOIN results r ON r.episode_id = e.id
WHERE e.run_id IN (SELECT id FROM runs WHERE kind = 'study' AND json_extract(config, '$.study') = ?)
  AND s.person_id = ? AND e.parent_id IS NULL
ORDER BY e.id"""
_JUDGED = """
SELECT count(*) FROM annotations a JOIN items i ON i.id = a.item_id
WHERE i.queue_id = ? AND a.annotator_id = ? AND a.created_at >= ? AND a.kind = 'preference'
  AND json_extract(a.value, '$.verdict') IS NOT NULL AND coalesce(json_extract(a.value, '$.adjudicated'), 0) = 0
  AND NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)"""
