"""`import jsonl`: lines that `export --format jsonl` wrote become the very rows they were, ids and all.

Nothing is believed: hashes of messages are worked out again, and a line that does not fit (cut off, of another version,
naming what is not there, with somebody at the table who did not agree or was erased here) is listed with its reason.
Twice adds nothing; an episode that went on meanwhile is continued. Candidates, then items, branches and studies, then
judgements come after all episodes, since they may speak of other lines. What was erased here, or was given by somebody
who does not agree here, is left out and counted, and what speaks of it. Tombstones come along; they erase nothing here:
who was forgotten there and is known here is named, and waits for `db forget`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from players.ports import ERASED as WORDS_GONE
from store.erase_notes import scrub_notes
from store.errors import LogError, NoConsent
from store.exchange.intake import NESTED, NothingThere, Refused, Unreadable, mapping, parse_object
from store.exchange.jsonl import ERASED, FORMAT, FORMATS, OWN, STUDY
from store.exchange.rows import columns, unpack
from store.ids import content_id, message_hash, to_json
from store.log import Log
from store.people import mark, was_forgotten

T = TypeVar("T")
LONGEST = 64 << 20
"""Bytes of a line that is read."""
BATCH = 64
"""Lines in one transaction."""
_FIRST = ("people", "players", "runs", "instances")
_LATER = (
    ("candidates",),
    ("queues", "guidelines", "items", "branches", "rollouts", "studies", "participants", "answers"),
    ("annotations",),
)
"""What comes after all episodes, table by table, so that whatever a row names is there before it."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Lines:
    """What an import of lines did."""

    episodes: int = 0
    """New episodes."""
    known: int = 0
    continued: int = 0
    """Known episodes that went further in the file."""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    """New rows by table."""
    left_out: dict[str, int] = field(default_factory=dict[str, int])
    """Rows that were erased here or come of somebody who does not agree here, or speak of such a one, by table."""
    forgotten: list[str] = field(default_factory=list[str])
    """People of this log who were forgotten in that one."""
    refused: list[Refused] = field(default_factory=list[Refused])


@dataclass(slots=True)
class _Told:
    """What is known of the whole file while its lines are taken."""

    dead: frozenset[tuple[str, str]] = frozenset()
    """What was erased there: kind and id. It holds nothing any more, and may come."""
    gone: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Rows that were left out: table and id."""
    absent: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Rows of lines that were refused."""
    refused: frozenset[str] = frozenset()
    """Lines that were refused when episodes were taken."""
    strangers: set[str] = field(default_factory=set[str])
    """People who were forgotten here and stand in the file."""


_Take = Callable[[sqlite3.Connection, str, Mapping[str, Any], Lines], None]


def import_jsonl(log: Log, path: Path, progress: Progress | None = None) -> Lines:
    """Bring the lines of a file into the log. Raises NothingThere where there is no such file, and LogError."""
    done = Lines()
    if not path.is_file():
        raise NothingThere(f"there is no file {path}; name one that `export --format jsonl` wrote")
    size = path.stat().st_size
    about = _Told(_erased_there(path))

    def first(db: sqlite3.Connection, where: str, told: Mapping[str, Any], part: Lines) -> None:
        _before(db, told, part, about)

    later: list[tuple[int, int]] = []
    batch: list[tuple[str, dict[str, Any]]] = []
    for line in _lines(path, done.refused):
        if any(told_of(line.told, table) for step in _LATER for table in step):
            later.append((line.number, line.begin))
        batch.append((line.where, line.told))
        if len(batch) == BATCH:
            _write(log, batch, done, first)
            batch = []
            if progress is not None:
                progress(line.end, size)
    _write(log, batch, done, first)
    about.refused = frozenset(refused.path for refused in done.refused)
    for step in _LATER:

        def then(
            db: sqlite3.Connection, where: str, told: Mapping[str, Any], part: Lines, step: tuple[str, ...] = step
        ) -> None:
            _judging(db, where, told, part, about, step)

        for at in range(0, len(later), BATCH):
            again = _lines(path, [], later[at : at + BATCH])
            _write(log, [(line.where, line.told) for line in again], done, then)
    if about.dead:
        done.forgotten = log.write(lambda db: _bury(db, about.dead, _of(path, ERASED)))
    if about.strangers:
        log.write(lambda db: scrub_notes(db, sorted(about.strangers), ()))
    for table, _ in sorted(about.gone):
        done.left_out[table] = done.left_out.get(table, 0) + 1
    return done


def told_of(told: Mapping[str, Any], table: str) -> Any:
    """What a line tells of a table; a study and a queue stand in their lines alone."""
    alone = {"studies": "study", "queues": "queue"}.get(table)
    return [told[alone]] if alone is not None and alone in told else told.get(table, [])


def _of(path: Path, form: str) -> list[dict[str, Any]]:
    """The first lines of the file, as long as they are of this form."""
    found: list[dict[str, Any]] = []
    for line in _lines(path, []):
        if line.told["format"] != form:
            break
        found.append(line.told)
    return found


def _erased_there(path: Path) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for told in _of(path, ERASED):
        try:
            found |= {(str(row.get("kind")), str(row.get("id"))) for row in _dicts(told, "tombstones")}
        except Unreadable:
            continue  # it is refused, with this reason, when its turn comes
    return frozenset(found)


class _Line(NamedTuple):
    where: str
    number: int
    told: dict[str, Any]
    begin: int
    """Its first byte in the file, and the one behind its last."""
    end: int


def _lines(path: Path, refused: list[Refused], places: Sequence[tuple[int, int]] | None = None) -> Iterator[_Line]:
    """Every line of ours, or those with these numbers that begin at these bytes."""
    with path.open("rb") as file:
        wanted = iter(places or ())
        number = 0
        while True:
            number += 1
            if places is not None:
                if (place := next(wanted, None)) is None:
                    return
                number, begin = place
                file.seek(begin)
            begin = file.tell()
            if not (line := file.readline(LONGEST + 1)):
                return
            where = f"{path.name}:{number}"
            try:
                if len(line) > LONGEST:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST)
                    raise Unreadable(f"is longer than {LONGEST >> 20} MB")
                if not line.strip():
                    continue
                told = parse_object(line, 2 * NESTED)
                if told.get("format") not in FORMATS:
                    raise Unreadable(f"is no line of ours ({FORMAT!r} is missing)")
            except Unreadable as error:
                refused.append(Refused(where, str(error)))
                continue
            yield _Line(where, number, told, begin, file.tell())


def _write(log: Log, batch: Sequence[tuple[str, dict[str, Any]]], done: Lines, take: _Take) -> None:
    """Write lines in one transaction; where one is refused, each by itself."""
    if not batch:
        return

    def write(db: sqlite3.Connection) -> Lines:
        part = Lines()
        for where, told in batch:
            take(db, where, told, part)
        return part

    try:
        part = log.write(write)
    except LogError as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.OperationalError) or (cause is None and not isinstance(error, NoConsent)):
            raise
        if len(batch) == 1:
            known = any(refused.path == batch[0][0] for refused in done.refused)
            if not known:
                done.refused.append(Refused(batch[0][0], _reason(error, cause)))
            return
        for one in batch:
            _write(log, [one], done, take)
        return
    done.episodes += part.episodes
    done.known += part.known
    done.continued += part.continued
    for table, count in part.rows.items():
        done.rows[table] = done.rows.get(table, 0) + count


def _reason(error: LogError, cause: BaseException | None) -> str:
    if isinstance(cause, Unreadable):
        return str(cause)
    if isinstance(error, NoConsent):
        return f"was left out: {error}"
    return f"does not fit into the log ({cause})"


def _dicts(told: Mapping[str, Any], table: str) -> list[Mapping[str, Any]]:
    rows = told_of(told, table)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in cast(list[Any], rows)):
        raise Unreadable(f"holds no rows of {table}")
    return cast(list[Mapping[str, Any]], rows)


def _before(db: sqlite3.Connection, told: Mapping[str, Any], part: Lines, about: _Told) -> None:
    """Inside a transaction: what stands before candidates and judgements; of a study its run and who took part."""
    if told["format"] == FORMAT:
        _episode(db, told, part, about)
    elif told["format"] == STUDY:
        barred = _barred(db, _dicts(told, "people"), about)
        _put(db, "people", [person for person in _dicts(told, "people") if person.get("id") not in barred], part)
        _put(db, "runs", _dicts(told, "runs"), part)
    elif told["format"] == ERASED and any(row.get("closed_at") is None for row in _dicts(told, "redactions")):
        raise Unreadable("has an erasure that was never closed")


def _episode(db: sqlite3.Connection, told: Mapping[str, Any], part: Lines, about: _Told) -> None:
    """Everything of one line but candidates and judgements."""
    episode = mapping(told.get("episode"))
    id = episode.get("id")
    if not isinstance(id, str):
        raise Unreadable("names no episode")
    turns = _dicts(told, "turns")
    for kind, name in (("episodes", id), *(("turns", str(turn.get("id"))) for turn in turns)):
        if (kind, name) not in about.dead and _buried(db, kind, name):
            raise Unreadable("was erased here, and does not come back")
    barred = _barred(db, _dicts(told, "people"), about)
    for row in (*_dicts(told, "seats"), *turns):
        if error := barred.get(row.get("person_id")):
            raise error
    known = db.execute("SELECT 1 FROM episodes WHERE id = ?", (id,)).fetchone() is not None
    if known:
        _same(db, id, turns)
    new = 0
    for player in _dicts(told, "players"):
        content = [player.get(name) for name in ("kind", "name", "revision", "adapter_hash")]
        if content_id([*content, to_json(player.get("sampling", {}))]) != player.get("id"):
            raise Unreadable("has a player who is not the one that the id names")
    for table in _FIRST:
        _put(db, table, [row for row in _dicts(told, table) if not _is(table, row, barred)], part)
    _put(db, "episodes", [episode], part)
    _put(db, "messages", _checked(_dicts(told, "messages")), part)
    for table in OWN:
        rows = _dicts(told, table)
        if any(row.get("episode_id") != id for row in rows):
            raise Unreadable(f"has a row of {table} of another episode")
        count = _put(db, table, rows, part)
        new += count if table in ("turns", "results") else 0
    part.episodes += not known
    part.known += known
    part.continued += bool(known and new)


def _buried(db: sqlite3.Connection, kind: str, id: object) -> bool:
    sql = "SELECT 1 FROM tombstones WHERE kind = ? AND id = ?"
    return db.execute(sql, (kind, str(id))).fetchone() is not None


def _barred(db: sqlite3.Connection, people: Iterable[Mapping[str, Any]], about: _Told) -> dict[Any, Exception]:
    """Whose words may not come in, since they were forgotten here or did not agree, there or here, with what to say."""
    found: dict[Any, Exception] = {}
    for person in people:
        id = person.get("id")
        if was_forgotten(db, str(id)):
            found[id] = Unreadable("holds somebody who was forgotten here, and does not come back")
            about.strangers.add(str(id))
            continue
        here = db.execute("SELECT consent, withdrawn_at FROM people WHERE id = ?", (id,)).fetchone()
        for consent, withdrawn in ((person.get("consent"), person.get("withdrawn_at")), here or ("local", None)):
            if consent == "none" or withdrawn is not None:
                found[id] = NoConsent(f"{id} does not agree to be recorded")
    return found


def _is(table: str, row: Mapping[str, Any], barred: Mapping[Any, Exception]) -> bool:
    """Whether this row of people or players is one of them."""
    if table == "players" and row.get("kind") == "human":
        return str(row.get("name")).removeprefix("human:") in barred
    return table == "people" and row.get("id") in barred


def _same(db: sqlite3.Connection, id: str, turns: Sequence[Mapping[str, Any]]) -> None:
    """Raises Unreadable where the episode went on differently here."""
    here = dict(db.execute("SELECT ply, id FROM turns WHERE episode_id = ?", (id,)).fetchall())
    if any(here.get(turn.get("ply"), turn.get("id")) != turn.get("id") for turn in turns):
        raise Unreadable("went on differently here")
    over = db.execute("SELECT 1 FROM results WHERE episode_id = ?", (id,)).fetchone()
    if over and any(turn.get("ply") not in here for turn in turns):
        raise Unreadable("is over here, and goes on in the file")


def _checked(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Messages whose hash is theirs. Raises Unreadable."""
    for row in rows:
        role, content, parent = row.get("role"), row.get("content"), row.get("parent_hash")
        fits = isinstance(role, str) and isinstance(content, str) and isinstance(parent, str | None)
        try:
            same = fits and message_hash(parent, str(role), str(content)) == row.get("hash")
        except UnicodeEncodeError:
            same = False
        if not same:
            raise Unreadable("has a message that is not the one its hash names")
    return rows


def _judging(
    db: sqlite3.Connection, where: str, told: Mapping[str, Any], part: Lines, about: _Told, step: Sequence[str]
) -> None:
    """Inside a transaction: these tables of a line, where its episode came."""
    if told["format"] == FORMAT:
        id = str(mapping(told.get("episode")).get("id"))
        if where in about.refused or not db.execute("SELECT 1 FROM episodes WHERE id = ?", (id,)).fetchone():
            about.absent |= {(table, _key(table, row)) for table in step for row in _dicts(told, table)}
            return
    barred = _barred(db, _dicts(told, "people"), about)
    for table in step:
        rows = [row for row in _dicts(told, table) if not _left_out(db, table, row, barred, about)]
        if table == "candidates":
            rows = [_detached(db, row) for row in rows]
        _put(db, table, rows, part)


def _left_out(
    db: sqlite3.Connection, table: str, row: Mapping[str, Any], barred: Mapping[Any, Exception], about: _Told
) -> bool:
    """Whether a row stays out: given by somebody who is barred, erased here, or speaking of such a one."""
    key = (table, _key(table, row))
    lost = [(kind, str(row.get(column))) for kind, column in _SPEAKS_OF.get(table, ())]
    theirs = row.get(_GIVEN_BY.get(table, "")) in barred
    dead = table in _DIES and key not in about.dead and _buried(db, *key)
    if theirs or dead or any(one in about.gone for one in lost):
        about.gone.add(key)
        return True
    if any(one in about.absent for one in lost):
        about.absent.add(key)
        return True
    return False


def _key(table: str, row: Mapping[str, Any]) -> str:
    return " ".join(str(row.get(column.strip())) for column in _KEYS[table].split(","))


def _detached(db: sqlite3.Connection, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A candidate without the turn or call that did not come with it."""
    found = dict(row)
    for table, column in (("turns", "turn_id"), ("calls", "call_id")):
        id = row.get(column)
        if isinstance(id, str) and not db.execute(f"SELECT 1 FROM {table} WHERE id = ?", (id,)).fetchone():
            found[column] = None
    return found


def _bury(db: sqlite3.Connection, dead: Iterable[tuple[str, str]], told: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keep the tombstones of what is not here, or came erased; none where somebody is here who was forgotten there.

    Returns who that is.
    """
    marks = {id for kind, id in dead if kind == "people"}
    known = [id for (id,) in db.execute("SELECT id FROM people ORDER BY id").fetchall() if mark(id) in marks]
    if known:
        return known
    alive = set[tuple[str, str]]()
    for kind, id in dead:
        if kind == "turns":
            row = db.execute("SELECT episode_id, text FROM turns WHERE id = ?", (id,)).fetchone()
            if row is not None and row[1] != WORDS_GONE:
                alive |= {(kind, id), ("episodes", row[0])}
        elif kind in _DIES and db.execute(f"SELECT 1 FROM {kind} WHERE id = ?", (id,)).fetchone():
            alive.add((kind, id))
    part, gone = Lines(), {" ".join(one) for one in alive}
    for line in told:
        _put(db, "redactions", _dicts(line, "redactions"), part)
        rows = [row for row in _dicts(line, "tombstones") if _key("tombstones", row) not in gone]
        _put(db, "tombstones", rows, part)
    return []


def _put(db: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]], part: Lines) -> int:
    names = columns(db, table)
    sql = (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
        f"ON CONFLICT ({_KEYS[table]}) DO NOTHING"
    )
    new = sum(db.execute(sql, unpack(table, names, row)).rowcount for row in rows)
    if new:
        part.rows[table] = part.rows.get(table, 0) + new
    return new


_KEYS = {
    **dict.fromkeys(
        ("people", "players", "runs", "instances", "episodes", "turns", "calls", "candidates", "annotations"), "id"
    ),
    **dict.fromkeys(("queues", "guidelines", "items", "studies", "participants", "redactions"), "id"),
    "branches": "run_id, candidate_id",
    "rollouts": "episode_id",
    "answers": "participant_id, question",
    "tombstones": "kind, id",
    "failures": "id",
    "messages": "hash",
    "seats": "episode_id, role",
    "heard": "episode_id, role",
    "results": "episode_id",
    "scorings": "episode_id, scorer",
    "tags": "episode_id, tag",
}
"""What makes a row of a table the same row; any other clash is a contradiction, and refused."""

_GIVEN_BY = {"candidates": "person_id", "annotations": "annotator_id", "participants": "person_id"}
"""Whose a row is."""
_DIES = ("candidates", "items", "annotations", "participants")
"""Judging tables whose rows can have a tombstone."""
_SPEAKS_OF: Mapping[str, Sequence[tuple[str, str]]] = {
    "items": (("candidates", "a_id"), ("candidates", "b_id")),
    "branches": (("candidates", "candidate_id"),),
    "rollouts": (("candidates", "candidate_id"),),
    "answers": (("participants", "participant_id"),),
    "annotations": (
        *(("candidates", "chosen_id"), ("candidates", "rejected_id")),
        *(("items", "item_id"), ("annotations", "supersedes")),
    ),
}
"""What a row names that may have been left out, and then it is, too."""
