"""Branches in the log: a point of an episode, the candidates at it, and how it went on from each.

A point is named by the episode that spoke there itself: what a branch shares with its parent is the parent's point.
A candidate's value is the mean reward of its role over its finished rollouts; triggers keep it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from games import catalog
from games.engine import Match, Message, Role
from players.base import Call, Identity
from store import history
from store.candidates import candidate_of
from store.errors import BadPoint, LogError
from store.filters import FROM, Filters
from store.history import LogHistory
from store.ids import MessageRow, chain, clean, new_id, now
from store.log import Log
from store.people import LEVELS
from store.writer import insert, require_consent


@dataclass(frozen=True, slots=True)
class Point:
    """Where candidates compete: `match` as it stood before `ply`, whose turn it was, and who had sat where."""

    episode: str
    ply: int
    role: Role
    match: Match
    seats: Mapping[Role, Identity]
    said: str | None
    """The turn that was said there, if any."""
    assisted: Mapping[Role, bool]
    """Of the models that spoke in this episode: whether their seat was assisted."""

    @property
    def key(self) -> tuple[str, int]:
        """What names it in the log."""
        return self.episode, self.ply


@dataclass(frozen=True, slots=True)
class Written:
    """A reply that is to become a candidate at a point."""

    text: str
    who: Identity
    verdict: str
    copies: int = 1
    call: Call | None = None
    """The request that it came from; for a copy, that of the first."""
    more: tuple[Call, ...] = ()
    """All other requests that were made for it."""
    turn: str | None = None
    """The logged turn that says it."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """An episode that went on from a candidate; without an outcome it goes on still, or was broken off."""

    episode: str
    run: str | None
    outcome: str | None
    reason: str
    reward: float | None
    """Of the candidate's role, 0 to 1; None while unfinished."""
    plies: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A candidate and its rollouts."""

    candidate: str
    text: str
    verdict: str | None
    player: str
    kind: str
    person: str | None
    said: bool
    """Whether it is what was said there."""
    assisted: bool
    copies: int
    """How often it was sampled; 0 where it was typed, or is only what was said."""
    value: float | None
    rollouts: tuple[Rollout, ...] = ()

    @property
    def rewards(self) -> tuple[float, ...]:
        """Of the finished rollouts."""
        return tuple(one.reward for one in self.rollouts if one.reward is not None)


@dataclass(frozen=True, slots=True)
class Tree:
    """All candidates of a point, in the order in which they came."""

    episode: str
    ply: int
    game: str
    instance: str
    role: Role
    said: str | None
    """The turn that was said there."""
    branches: tuple[Branch, ...] = ()

    @property
    def rollouts(self) -> int:
        """Finished ones."""
        return sum(len(one.rewards) for one in self.branches)


def owner(reader: sqlite3.Connection, episode: str, ply: int) -> str:
    """The episode whose point this is: an ancestor where the branch begins only there or later."""
    while True:
        row = reader.execute("SELECT parent_id, fork_ply FROM episodes WHERE id = ?", (episode,)).fetchone()
        if row is None or row[0] is None or ply > row[1]:
            return episode
        episode = row[0]


def point(log: Log, episode: str, ply: int) -> Point:
    """The point of this ply, replayed. Raises UnknownEpisode, Foreign, BadPoint and LogError with a sentence."""
    return standing(log.history, log.reader(), log.history.resolve(episode), ply)


def standing(past: LogHistory, reader: sqlite3.Connection, episode: str, ply: int) -> Point:
    """`point` of an episode whose id is known in full."""
    logged = past.episode(episode)
    past.require_code(logged)
    try:
        game = catalog.get(logged.game)
    except LookupError as error:
        raise BadPoint(
            f"episode {logged.id} is of {logged.game}, and that game is not here: it can only be read"
        ) from error
    if game.version != logged.version:
        raise BadPoint(
            f"episode {logged.id} was played with {game.name}@{logged.version}, and here is "
            f"{game.name}@{game.version}; it can be read, but not branched"
        )
    spoken = len(logged.texts)
    if not 0 <= ply <= spoken:
        raise BadPoint(f"episode {logged.id} has turns 0 to {spoken - 1}: there is no ply {ply} to branch at")
    try:
        instance = game.instance_type.model_validate(dict(logged.instance))
        match = Match.replay(game, instance, logged.seed, logged.texts[:ply])
    except Exception as error:  # whatever the game raises: it was changed without a new version
        raise BadPoint(f"episode {logged.id} cannot be replayed: {game.name} takes its turns no longer") from error
    if match.turn is None:
        raise BadPoint(f"episode {logged.id} is over at ply {ply}: branch at an earlier turn")
    owned = owner(reader, logged.id, ply)
    row = reader.execute("SELECT id FROM turns WHERE episode_id = ? AND ply = ?", (owned, ply)).fetchone()
    kind = "(SELECT p.kind FROM players p WHERE p.id = t.player_id)"
    spoke = history.lineage(reader, logged.id, f"t.role, t.assisted, {kind}")
    assisted = {role: bool(helped) for role, helped, kind in spoke if kind == "model"}
    return Point(owned, ply, match.turn, match, logged.seats, None if row is None else row[0], assisted)


def write(log: Log, run: str, where: Point, found: Sequence[Written], chosen: Sequence[str] = ()) -> list[str]:
    """Candidates of a run at a point, all in one transaction; returns their ids in order.

    A text that is there already stays one candidate; `chosen` are those that are gone on from besides. Raises LogError,
    NoConsent where a person did not agree.
    """
    heard = where.match.heard[where.role]
    messages = chain(heard)
    seen = messages[-1][0] if messages else None

    def writing(db: sqlite3.Connection) -> list[str]:
        ids: list[str] = []
        insert(db, [{"messages": messages}])
        for place, one in enumerate(found):
            if one.who.kind == "human":
                require_consent(db, one.who.person)
            known = _known(db, where, one)
            if known in ids:
                continue
            requests = [*([one.call] if one.call else []), *one.more]
            player, calls, rows = log.recorder.sampled((*where.key, where.role), (heard, seen), one.who, requests)
            insert(db, [rows])
            if known is None:
                known = new_id()
                db.execute(
                    _CANDIDATE,
                    (
                        *(known, *where.key, where.role, None, place, player, one.who.person or None),
                        *(calls[0] if one.call else None, seen, clean(one.text), one.verdict, now()),
                    ),
                )
            db.execute("UPDATE candidates SET verdict = coalesce(verdict, ?) WHERE id = ?", (one.verdict, known))
            db.execute(_BRANCH, (run, known, place, one.copies))
            ids.append(known)
        for candidate in chosen:
            if candidate not in ids:
                db.execute(_BRANCH, (run, candidate, len(ids), 0))
                ids.append(candidate)
        return ids

    return log.write(writing)


def said_at(reader: sqlite3.Connection, where: Point) -> Written:
    """What was said at this point, as a candidate of its own."""
    text, player, person, verdict = reader.execute(
        "SELECT text, player_id, person_id, verdict FROM turns WHERE id = ?", (where.said,)
    ).fetchone()
    return Written(text, history.identity(reader, player, person), verdict, 0, turn=where.said)


def _known(db: sqlite3.Connection, where: Point, one: Written) -> str | None:
    """A candidate of this point that says the same; what was said there is that turn's."""
    said = db.execute("SELECT text FROM turns WHERE id = ?", (where.said,)).fetchone()
    if said is not None and said[0] == clean(one.text):
        return candidate_of(db, str(where.said))
    row = db.execute(
        "SELECT id FROM candidates WHERE episode_id = ? AND ply = ? AND role = ? AND text = ? ORDER BY id LIMIT 1",
        (*where.key, where.role, clean(one.text)),
    ).fetchone()
    return None if row is None else row[0]


def sampled_before(reader: sqlite3.Connection, where: tuple[str, int], run: str) -> int:
    """How many replies earlier runs sampled at this point: the luck of the next ones goes on from there."""
    return reader.execute(
        "SELECT coalesce(sum(b.copies), 0) FROM candidates c JOIN branches b ON b.candidate_id = c.id "
        "WHERE c.episode_id = ? AND c.ply = ? AND b.run_id < ?",
        (*where, run),
    ).fetchone()[0]


@dataclass(frozen=True, slots=True)
class Planned:
    """A candidate that a run goes on from: who wrote it, and how many rollouts it had before this run."""

    candidate: str
    place: int
    text: str
    who: Identity
    assisted: bool
    before: int


def planned(reader: sqlite3.Connection, run: str, where: tuple[str, int]) -> list[Planned]:
    """What this run goes on from at a point, in order; none where it has not come to it."""
    rows = reader.execute(_PLANNED, (run, run, *where)).fetchall()
    return [
        Planned(id, place, text, history.identity(reader, player, person), bool(assisted), before)
        for id, place, text, player, person, assisted, before in rows
    ]


def tree(reader: sqlite3.Connection, episode: str, ply: int) -> Tree:
    """The tree of a point; `episode` must be its owner. Raises LogError where there is no such episode."""
    row = reader.execute(_POINT, (ply, episode)).fetchone()
    if row is None:
        raise LogError(f"no episode {episode!r} in the log")
    game, instance, turn, role = row
    rollouts: dict[str, list[Rollout]] = {}
    for candidate, *rest in reader.execute(_ROLLOUTS, (episode, ply)):
        rollouts.setdefault(candidate, []).append(Rollout(*rest))
    found: list[Branch] = []
    for id, text, verdict, player, kind, person, said, assisted, copies, value, seat in reader.execute(
        _BRANCHES, (turn, episode, ply)
    ):
        role = role or seat
        mine = tuple(rollouts.get(id, ()))
        found.append(Branch(id, text, verdict, player, kind, person, bool(said), bool(assisted), copies, value, mine))
    return Tree(episode, ply, game, instance, role or "", turn, tuple(found))


def points_of(reader: sqlite3.Connection, run: str) -> list[tuple[str, int]]:
    """Points at which a run has candidates, in the order in which they were written."""
    rows = reader.execute(
        "SELECT c.episode_id, c.ply FROM branches b JOIN candidates c ON c.id = b.candidate_id WHERE b.run_id = ? "
        "GROUP BY c.episode_id, c.ply ORDER BY min(c.id)",
        (run,),
    )
    return [(episode, ply) for episode, ply in rows]


def branched(reader: sqlite3.Connection, episode: str) -> dict[int, int]:
    """Plies of an episode with candidates that were played on, and how many those are."""
    rows = reader.execute(
        "SELECT c.ply, count(DISTINCT c.id) FROM candidates c JOIN rollouts o ON o.candidate_id = c.id "
        "WHERE c.episode_id = ? GROUP BY c.ply",
        (episode,),
    )
    return dict(rows.fetchall())


def turns(reader: sqlite3.Connection, episode: str) -> list[tuple[int, Role]]:
    """Plies of an episode's own turns, and who spoke."""
    rows = reader.execute("SELECT ply, role FROM turns WHERE episode_id = ? ORDER BY ply", (episode,))
    return [(ply, role) for ply, role in rows]


@dataclass(frozen=True, slots=True)
class Competing:
    """A candidate with finished rollouts, among those that answer the same words at one point."""

    candidate: str
    episode: str
    ply: int
    role: Role
    key: str
    split: str
    seen: str
    place: int
    """How many messages it answers, and so where its own stands."""
    message: MessageRow
    turn: str | None
    legal: bool
    rewards: tuple[float, ...]
    withheld: bool
    """Whether whoever wrote it agreed to less than the filters ask for."""


def competing(reader: sqlite3.Connection, filters: Filters) -> list[Competing]:
    """Candidates with rollouts, of points of episodes that fit. Raises ValueError for a filter that cannot be."""
    condition, values = filters.sql()
    enough = LEVELS[LEVELS.index(filters.consent) :] if filters.consent else LEVELS
    sql = _COMPETING.format(fits=f"SELECT e.id {FROM} WHERE {condition}")
    rows = reader.execute(sql, [*values, json.dumps(enough)]).fetchall()
    depth: dict[str, int] = dict(reader.execute(_DEPTHS, (json.dumps(sorted({row[6] for row in rows})),)).fetchall())
    found: list[Competing] = []
    for id, episode, ply, role, key, split, seen, text, turn, verdict, less, rewards in rows:
        if seen in depth:  # else what it answers was erased
            (message,) = chain([Message("assistant", text)], seen)
            worth = tuple(float(one) for one in json.loads(rewards))
            held = bool(less) and filters.consent is not None
            place = (id, episode, ply, role, key, split, seen, depth[seen])
            found.append(Competing(*place, message, turn, verdict != "illegal", worth, held))
    return found


def values_of(reader: sqlite3.Connection, episode: str) -> dict[int, tuple[float, int]]:
    """What turns of an episode are worth by the rollouts from them: mean reward of their role, and of how many."""
    rows = reader.execute(_VALUES, {"episode": episode}).fetchall()
    return {ply: (value, count) for ply, value, count in rows}


def points(reader: sqlite3.Connection) -> dict[tuple[str, Role], set[int]]:
    """Where a turn was said and candidates were played on: plies by episode and role."""
    found: dict[tuple[str, Role], set[int]] = {}
    for episode, role, ply in reader.execute(
        "SELECT DISTINCT c.episode_id, c.role, c.ply FROM rollouts o JOIN candidates c ON c.id = o.candidate_id "
        "JOIN turns t ON t.episode_id = c.episode_id AND t.ply = c.ply AND t.role = c.role"
    ):
        found.setdefault((episode, role), set()).add(ply)
    return found


_VALUES = """
WITH said(ply, candidate) AS (
  SELECT t.ply, c.id FROM turns t JOIN candidates c ON c.turn_id = t.id WHERE t.episode_id = :episode
  UNION SELECT c.ply, c.id FROM rollouts o JOIN candidates c ON c.id = o.candidate_id WHERE o.episode_id = :episode)
SELECT s.ply, c.value, (SELECT count(*) FROM rollouts o JOIN results x ON x.episode_id = o.episode_id
  WHERE o.candidate_id = c.id)
FROM said s JOIN candidates c ON c.id = s.candidate WHERE c.value IS NOT NULL ORDER BY s.ply"""
_DEPTHS = """
WITH RECURSIVE walk(tip, hash, depth) AS (
  SELECT m.hash, m.parent_hash, 1 FROM messages m WHERE m.hash IN (SELECT value FROM json_each(?))
  UNION ALL SELECT w.tip, m.parent_hash, w.depth + 1 FROM walk w JOIN messages m ON m.hash = w.hash)
SELECT tip, max(depth) FROM walk GROUP BY tip"""
_COMPETING = """
WITH fits AS ({fits})
SELECT c.id, c.episode_id, c.ply, c.role, i.key, i.split, c.seen_hash, c.text, c.turn_id, c.verdict,
  EXISTS (SELECT 1 FROM people p WHERE p.id = c.person_id
    AND (p.withdrawn_at IS NOT NULL OR p.consent NOT IN (SELECT value FROM json_each(?)))),
  (SELECT json_group_array(json_extract(x.rewards, '$."' || c.role || '"')) FROM rollouts o
    JOIN results x ON x.episode_id = o.episode_id WHERE o.candidate_id = c.id
    AND json_extract(x.rewards, '$."' || c.role || '"') IS NOT NULL)
FROM candidates c JOIN episodes e ON e.id = c.episode_id JOIN instances i ON i.id = e.instance_id
WHERE c.value IS NOT NULL AND c.seen_hash IS NOT NULL AND e.id IN fits
ORDER BY c.episode_id, c.ply, c.role, c.id"""
_BRANCH = "INSERT INTO branches (run_id, candidate_id, place, copies) VALUES (?, ?, ?, ?)"
_CANDIDATE = """
INSERT INTO candidates (id, episode_id, ply, role, turn_id, rank, player_id, person_id, call_id, seen_hash, text,
  verdict, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PLANNED = """
SELECT c.id, b.place, c.text, c.player_id, c.person_id,
  coalesce((SELECT k.assisted FROM calls k WHERE k.id = c.call_id),
    (SELECT t.assisted FROM turns t WHERE t.id = c.turn_id), 0),
  (SELECT count(*) FROM rollouts o JOIN episodes e ON e.id = o.episode_id
    WHERE o.candidate_id = c.id AND coalesce(e.run_id, '') < ?)
FROM branches b JOIN candidates c ON c.id = b.candidate_id
WHERE b.run_id = ? AND c.episode_id = ? AND c.ply = ? ORDER BY b.place, c.id"""
_POINT = """
SELECT e.game, i.name, t.id, t.role FROM episodes e JOIN instances i ON i.id = e.instance_id
LEFT JOIN turns t ON t.episode_id = e.id AND t.ply = ? WHERE e.id = ?"""
_ROLLOUTS = """
SELECT o.candidate_id, e.id, e.run_id, x.outcome, coalesce(x.reason, ''),
  json_extract(x.rewards, '$."' || c.role || '"'),
  coalesce(x.plies, (SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply)
FROM candidates c JOIN rollouts o ON o.candidate_id = c.id JOIN episodes e ON e.id = o.episode_id
LEFT JOIN results x ON x.episode_id = e.id
WHERE c.episode_id = ? AND c.ply = ? ORDER BY e.run_id, e.slot, e.id"""
_BRANCHES = """
SELECT c.id, c.text, c.verdict, p.name, p.kind, c.person_id, c.turn_id IS NOT NULL AND c.turn_id IS ?,
  coalesce((SELECT k.assisted FROM calls k WHERE k.id = c.call_id),
    (SELECT t.assisted FROM turns t WHERE t.id = c.turn_id), 0),
  coalesce((SELECT sum(b.copies) FROM branches b WHERE b.candidate_id = c.id), 0), c.value, c.role
FROM candidates c JOIN players p ON p.id = c.player_id
WHERE c.episode_id = ? AND c.ply = ? ORDER BY c.id"""
