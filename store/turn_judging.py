"""What one person thinks of single turns: labels, corrections, and which of two replies is better.

A label says whether a turn was good, a correction what should have been said instead, a comparison which of two replies
to the same words is better. All is appended: a change of mind, and taking one back, are new rows that supersede.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from games.engine import Message, Role
from players.base import Identity
from store.candidates import candidate_of
from store.errors import LogError, UnknownTurn
from store.history import lineage
from store.ids import chain, clean, new_id, now, to_json
from store.log import Log
from store.recorder import player_row
from store.writer import insert, require_consent

Sign: TypeAlias = Literal["+", "-"]
SIGNS: tuple[Sign, ...] = ("+", "-")


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody thinks of a turn now. `edit` is what should have been said; `won` and `lost` count comparisons."""

    label: Sign | None = None
    edit: str | None = None
    won: int = 0
    lost: int = 0

    def __bool__(self) -> bool:
        return self != Mark()


@dataclass(frozen=True, slots=True)
class Wording:
    """A reply that might be said, and whose words they are."""

    text: str
    who: Identity


def turn_at(reader: sqlite3.Connection, episode: str, ply: int) -> str:
    """The id of the turn at this ply; a branch has its parent's below its fork. Raises UnknownTurn."""
    there = dict(lineage(reader, episode, "t.ply, t.id"))
    if ply not in there:
        known = f"0 to {max(there)}" if there else "none"
        raise UnknownTurn(f"episode {episode} has no turn {ply}; it has {known}")
    return there[ply]


def marks(reader: sqlite3.Connection, turns: Iterable[str], annotator: str) -> dict[str, Mark]:
    """What this person thinks of these turns, by turn; those of which they said nothing are left out."""
    found: dict[str, Mark] = {}
    for turn, kind, said in reader.execute(_MARKS, {"turns": json.dumps(list(turns)), "who": annotator}):
        mark = found.get(turn, Mark())
        if kind == "label":
            mark = replace(mark, label=said)
        elif kind == "edit":
            mark = replace(mark, edit=said)
        else:
            mark = replace(mark, won=mark.won + (kind == "won"), lost=mark.lost + (kind == "lost"))
        found[turn] = mark
    return {turn: mark for turn, mark in found.items() if mark}


def marks_of(reader: sqlite3.Connection, episode: str, annotator: str) -> dict[int, Mark]:
    """The same for all turns of an episode, by ply."""
    there = {turn: ply for ply, turn in lineage(reader, episode, "t.ply, t.id")}
    return {there[turn]: mark for turn, mark in marks(reader, there, annotator).items()}


def label(log: Log, turn: str, sign: Sign | None, annotator: str) -> str | None:
    """Say that a turn was good or bad, or take that back (None); the id of the new row, None where nothing changes.

    Raises UnknownTurn, NoConsent, LogError.
    """

    def write(db: sqlite3.Connection) -> str | None:
        _check(db, turn, annotator)
        before = _standing(db, "label", turn, annotator)
        was = None if before is None else json.loads(before[1]).get("label")
        if was == sign:
            return None
        return _annotate(db, "label", annotator, turn=turn, value={"label": sign}, over=before and before[0])

    return log.write(write)


def edit(log: Log, turn: str, text: str | None, annotator: str) -> str | None:
    """Say what should have been said instead of a turn, tags and all; None, or the words of the turn, take it back.

    The id of the new row, None where nothing changes. Raises UnknownTurn, NoConsent, LogError.
    """

    def write(db: sqlite3.Connection) -> str | None:
        said = _check(db, turn, annotator)
        wish = None if text is None or clean(text) == said else clean(text)
        before = _standing(db, "edit", turn, annotator)
        if wish is not None and not wish.strip():
            raise LogError("a correction needs words; esc leaves the turn as it is")
        if wish == (before[2] if before else None):
            return None
        chosen = None
        if wish is not None:
            person = Identity("human", "human", person=annotator)
            chosen = _beside(db, turn, Wording(wish, person))
        return _annotate(db, "edit", annotator, turn=turn, chosen=chosen, over=before and before[0])

    return log.write(write)


def add_reply(log: Log, turn: str, reply: Wording) -> str:
    """Another reply to what a turn answered, as a candidate; its id. Raises UnknownTurn, LogError."""
    return log.write(lambda db: _beside(db, turn, reply))


def candidate_of_turn(log: Log, turn: str) -> str:
    """The candidate that a turn is, made where there is none yet. Raises LogError."""
    return log.write(lambda db: candidate_of(db, turn))


def prefer(
    log: Log,
    better: str | None,
    shown: tuple[str, str],
    annotator: str,
    *,
    blind: bool = False,
    ms: float | None = None,
) -> str:
    """Say which of two candidates is the better one, None for neither; `shown` has them as they stood, left first.

    What this person said of the two before is superseded. The id of the new row. Raises NoConsent, LogError.
    """

    def write(db: sqlite3.Connection) -> str:
        require_consent(db, annotator)
        return _prefer(db, better, shown, annotator, blind, ms)

    return log.write(write)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Replies that were offered before one of them was said. `shown` has their places in `replies`, left first.

    `better` is the place of the one that goes on, None where the person did not say; `over` the places of those it is
    better than.
    """

    replies: tuple[Wording, ...]
    shown: tuple[int, int]
    better: int | None
    over: tuple[int, ...] = ()
    blind: bool = True
    ms: float | None = None


def choose(
    log: Log, episode: str, ply: int, role: Role, heard: Sequence[Message], chosen: Chosen, annotator: str
) -> tuple[str, ...]:
    """Keep what was offered as candidates and what was chosen as preferences; the ids of the candidates.

    The turn need not be in the log yet: `said` ties it to its candidate. Raises NoConsent, LogError.
    """

    def write(db: sqlite3.Connection) -> tuple[str, ...]:
        require_consent(db, annotator)
        conversation = chain(heard)
        insert(db, [{"messages": conversation}])
        seen = conversation[-1][0] if conversation else None
        ids: list[str] = []
        for rank, reply in enumerate(chosen.replies):
            player = _player(db, reply.who)
            person = reply.who.person or None
            ids.append(new_id())
            row = (ids[-1], episode, ply, role, rank, player, person, seen, clean(reply.text), now())
            db.execute(_OFFERED, row)
        left, right = (ids[at] for at in chosen.shown)
        for at in chosen.over:
            assert chosen.better is not None
            pair = (left, right) if {chosen.better, at} == set(chosen.shown) else (ids[chosen.better], ids[at])
            _prefer(db, ids[chosen.better], pair, annotator, chosen.blind, chosen.ms)
        if chosen.better is None:
            _prefer(db, None, (left, right), annotator, chosen.blind, chosen.ms)
        return tuple(ids)

    return log.write(write)


def said(log: Log, candidates: Sequence[str]) -> bool:
    """Tie candidates that were offered to the turn that one of them became, and to the requests they came from.

    Whether one of them was said.
    """

    def write(db: sqlite3.Connection) -> int:
        some = json.dumps(list(candidates))
        db.execute(_CALLED, (some,))
        db.execute(_SAID, (some,))
        found = "SELECT count(*) FROM candidates WHERE id IN (SELECT value FROM json_each(?)) AND turn_id IS NOT NULL"
        return db.execute(found, (some,)).fetchone()[0]

    return bool(log.write(write))


def take_back(log: Log, pair: tuple[str, str], annotator: str) -> str | None:
    """Take back what this person said of two candidates; the id of the new row, None where nothing stands.

    Raises NoConsent, LogError.
    """

    def write(db: sqlite3.Connection) -> str | None:
        require_consent(db, annotator)
        found = db.execute(_COMPARED, {"a": pair[0], "b": pair[1], "who": annotator}).fetchone()
        if found is None:
            return None
        over, chosen, rejected, shown = found
        nothing: dict[str, Any] = {"verdict": None}
        return _annotate(
            db, "preference", annotator, chosen=chosen, rejected=rejected, strength=0, value=nothing,
            shown=json.loads(shown), over=over,
        )  # fmt: skip

    return log.write(write)


def _check(db: sqlite3.Connection, turn: str, annotator: str) -> str:
    """What the turn said, where this person may judge it."""
    require_consent(db, annotator)
    found = db.execute("SELECT text FROM turns WHERE id = ?", (turn,)).fetchone()
    if found is None:
        raise UnknownTurn(f"no turn {turn} in the log; it may have been erased")
    return found[0]


def _standing(db: sqlite3.Connection, kind: str, turn: str, annotator: str) -> tuple[str, str, str | None] | None:
    """The row of this kind that holds now: its id, its value, and the words of its candidate."""
    return db.execute(_STANDING, (kind, turn, annotator)).fetchone()


def _player(db: sqlite3.Connection, who: Identity) -> str:
    row = player_row(who)
    insert(db, [{"players": [row]}])
    return row[0]


def _beside(db: sqlite3.Connection, turn: str, reply: Wording) -> str:
    person = reply.who.person or None
    if person is not None:
        require_consent(db, person)
    id, player = new_id(), _player(db, reply.who)
    written = db.execute(_BESIDE, (id, player, person, clean(reply.text), now(), turn)).rowcount
    if not written:
        raise UnknownTurn(f"no turn {turn} in the log; it may have been erased")
    db.execute(_CALLED, (json.dumps([id]),))
    return id


def _prefer(
    db: sqlite3.Connection, better: str | None, shown: tuple[str, str], annotator: str, blind: bool, ms: float | None
) -> str:
    a, b = shown
    chosen, rejected = (b, a) if better == b else (a, b)
    verdict = "tie" if better is None else "a" if better == a else "b"
    before = db.execute(_COMPARED, {"a": a, "b": b, "who": annotator}).fetchone()
    return _annotate(
        db, "preference", annotator, chosen=chosen, rejected=rejected, strength=int(better is not None),
        value={"verdict": verdict}, shown=shown, blind=blind, ms=ms, over=before and before[0],
    )  # fmt: skip


def _annotate(
    db: sqlite3.Connection,
    kind: str,
    annotator: str,
    *,
    turn: str | None = None,
    chosen: str | None = None,
    rejected: str | None = None,
    strength: int | None = None,
    value: dict[str, Any] | None = None,
    shown: Sequence[str] = (),
    blind: bool = False,
    ms: float | None = None,
    over: str | None = None,
) -> str:
    id = new_id()
    row = (
        id, kind, turn, annotator, chosen, rejected, strength, to_json(value or {}), int(blind), to_json(list(shown)),
        ms, now(), over,
    )  # fmt: skip
    db.execute(_ANNOTATE, row)
    return id


_STANDS = "NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)"
_ANNOTATE = (
    "INSERT INTO annotations (id, kind, turn_id, annotator_id, chosen_id, rejected_id, strength, value, blind, "
    f"shown_order, ms, created_at, supersedes) VALUES ({', '.join('?' * 13)})"
)
_STANDING = f"""
SELECT a.id, a.value, c.text FROM annotations a LEFT JOIN candidates c ON c.id = a.chosen_id
WHERE a.kind = ? AND a.turn_id = ? AND a.annotator_id = ? AND {_STANDS} ORDER BY a.id DESC LIMIT 1"""
_COMPARED = f"""
SELECT a.id, a.chosen_id, a.rejected_id, a.shown_order FROM annotations a
WHERE a.kind = 'preference' AND a.item_id IS NULL AND a.annotator_id = :who
  AND (a.chosen_id, a.rejected_id) IN (VALUES (:a, :b), (:b, :a)) AND {_STANDS} ORDER BY a.id DESC LIMIT 1"""
_MARKS = f"""
WITH some(turn) AS (SELECT value FROM json_each(:turns)), mine AS (
  SELECT c.turn_id AS turn, c.id AS id FROM some s JOIN candidates c ON c.turn_id = s.turn)
SELECT a.turn_id, a.kind, CASE a.kind WHEN 'label' THEN json_extract(a.value, '$.label') ELSE c.text END
FROM some s JOIN annotations a ON a.turn_id = s.turn LEFT JOIN candidates c ON c.id = a.chosen_id
WHERE a.kind IN ('label', 'edit') AND a.annotator_id = :who AND {_STANDS}
UNION ALL
SELECT m.turn, 'won', NULL FROM mine m JOIN annotations a ON a.chosen_id = m.id
WHERE a.kind = 'preference' AND a.item_id IS NULL AND a.annotator_id = :who AND a.strength <> 0 AND {_STANDS}
UNION ALL
SELECT m.turn, 'lost', NULL FROM mine m JOIN annotations a ON a.rejected_id = m.id
WHERE a.kind = 'preference' AND a.item_id IS NULL AND a.annotator_id = :who AND a.strength <> 0 AND {_STANDS}"""
_OFFERED = (
    "INSERT INTO candidates (id, episode_id, ply, role, rank, player_id, person_id, seen_hash, text, created_at) "
    f"VALUES ({', '.join('?' * 10)})"
)
_BESIDE = """
INSERT INTO candidates (id, episode_id, ply, role, player_id, person_id, seen_hash, text, created_at)
SELECT ?, t.episode_id, t.ply, t.role, ?, ?, t.seen_hash, ?, ? FROM turns t WHERE t.id = ?"""
_CALLED = """
UPDATE candidates SET call_id = (
  SELECT k.id FROM calls k WHERE k.episode_id = candidates.episode_id AND k.ply = candidates.ply
    AND k.role = candidates.role AND k.player_id = candidates.player_id AND k.text = candidates.text
  ORDER BY k.id DESC LIMIT 1)
WHERE id IN (SELECT value FROM json_each(?)) AND call_id IS NULL"""
_SAID = """
UPDATE candidates AS c SET turn_id = (
  SELECT t.id FROM turns t WHERE t.episode_id = c.episode_id AND t.ply = c.ply AND t.player_id = c.player_id
    AND t.text = c.text AND NOT EXISTS (SELECT 1 FROM candidates o WHERE o.turn_id = t.id))
WHERE c.id IN (SELECT value FROM json_each(?)) AND c.turn_id IS NULL"""
