"""What training reads: each seat's own dialogue in each episode, turn by turn with who spoke and what it was worth.

A perspective holds nothing but what its role heard and said: the messages are the chain that the recorder kept for that
seat, so what another seat knew cannot be in it. Thousands are read in a few queries, messages shared between them.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from games.engine import Message, Role
from store.filters import FROM, Filters

CHUNK = 2000
"""Episodes that are read at once."""
SPREAD = 8
"""Messages that may lie between the first and the last of a chunk, for each turn; more are looked up one by one."""
_Messages: TypeAlias = dict[str, tuple[str | None, Any, str]]
"""By their hash: the message before, role, content."""


class Spoken(NamedTuple):
    """One reply of the seat. `turn` is None for one that a branch has from its parent, and trains there."""

    turn: str | None
    ply: int
    round: int
    player: str
    """Name of whoever spoke, as typed."""
    kind: str
    """human, model, bot or replay."""
    person: str | None
    assisted: bool
    verdict: str
    credit: float | None
    """What this turn was worth by the game's own arithmetic, where it says."""


@dataclass(frozen=True, slots=True)
class Perspective:
    """One seat of one episode: `messages` alternate user and assistant, `spoken[n]` is the nth assistant message."""

    episode: str
    run: str | None
    game: str
    instance: str
    """Name of the instance."""
    instance_id: str
    key: str
    experiment: str
    language: str
    split: str
    seed: int
    role: Role
    outcome: str | None
    """None while the episode is unfinished."""
    reason: str
    main: float | None
    """Main score, 0 to 100; None when aborted or unfinished."""
    reward: float | None
    """Of this role, 0 to 1."""
    plies: int
    messages: tuple[Message, ...]
    hashes: tuple[str, ...]
    """Name of each message in its conversation: `hashes[n]` stands for the dialogue up to it."""
    spoken: tuple[Spoken, ...]
    places: tuple[int, ...]
    """Where in `messages` each reply stands."""


@dataclass(slots=True)
class Read:
    """How reading went: how many episodes fitted, and how many perspectives were left out, by reason."""

    episodes: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])


def perspectives(
    reader: sqlite3.Connection, filters: Filters, *, roles: Sequence[Role] = (), read: Read | None = None
) -> Iterator[Perspective]:
    """Perspectives of all episodes that fit, oldest first, roles in alphabetical order.

    `roles` keeps those seats only. `read` is filled as they come. Raises ValueError for a filter that cannot be.
    """
    told = read if read is not None else Read()
    condition, values = filters.sql()
    ids = [id for (id,) in reader.execute(f"SELECT e.id {FROM} WHERE {condition} ORDER BY e.id", values)]
    told.episodes = len(ids)
    gone = reader.execute("SELECT id FROM tombstones WHERE kind = 'episodes'").fetchall()
    if erased := {id for (id,) in gone}.intersection(ids):
        told.left_out["episodes in which words were erased"] += len(erased)
        ids = [id for id in ids if id not in erased]
    for at in range(0, len(ids), CHUNK):
        yield from _chunk(reader, json.dumps(ids[at : at + CHUNK]), frozenset(roles), told)


def _chunk(reader: sqlite3.Connection, ids: str, roles: frozenset[Role], told: Read) -> Iterator[Perspective]:
    tips: dict[str, list[tuple[Role, str]]] = {}
    for episode, role, tip in reader.execute(_TIPS, (ids,)):
        tips.setdefault(episode, []).append((role, tip))
    turns = reader.execute(_TURNS, (ids,)).fetchall()
    messages = _messages(reader, [tip for some in tips.values() for _, tip in some], len(turns))
    spoken_by = {episode: list(rows) for episode, rows in groupby(turns, key=itemgetter(0))}
    for row in reader.execute(_HEADS, (ids,)).fetchall():
        episode, parent = row[0], row[-1]
        credit = _credit(row[-2])
        said = _lineage(reader, episode) if parent is not None else spoken_by.get(episode, [])
        for role, tip in tips.get(episode, ()):
            if roles and role not in roles:
                continue
            heard, hashes = _walk(messages, tip)
            mine = tuple(
                [
                    Spoken(
                        turn if holder == episode else None, ply, round, player, kind, person, bool(assisted), verdict,
                        credit.get(ply),
                    )
                    for holder, turn, ply, round, who, player, kind, person, assisted, verdict in said
                    if who == role
                ]
            )  # fmt: skip
            places = tuple([at for at, message in enumerate(heard) if message[0] == "assistant"])
            if len(places) != len(mine):
                told.left_out["words were erased, or the dialogue is not whole"] += 1
                continue
            yield _made(row, role, (heard, hashes, mine, places))


def _messages(reader: sqlite3.Connection, tips: Sequence[str], turns: int) -> _Messages:
    """All messages of the dialogues that end in `tips`.

    Messages stand in the file in the order in which they were said, so those of episodes that follow each other lie
    together, and to read what lies there costs a fifth of looking them up. What is not among them is looked up.
    """
    found: _Messages = {}
    wanted = json.dumps(tips)
    low, high = reader.execute(_RANGE, (wanted,)).fetchone()
    if low is not None and high - low < SPREAD * (turns + len(tips)):
        rows = reader.execute(_THERE, (low, high))
        found = {hash: (parent, role, content) for hash, parent, role, content in rows}
        missing = {parent for parent, _, _ in found.values() if parent is not None and parent not in found}
        wanted = json.dumps(sorted(missing))
    for hash, parent, role, content in reader.execute(_MESSAGES, (wanted,)):
        found[hash] = (parent, role, content)
    return found


def _made(row: Sequence[Any], role: Role, dialogue: tuple[Any, Any, Any, Any]) -> Perspective:
    rewards, plies = row[13:15]
    reward = json.loads(rewards).get(role) if rewards else None
    values: list[Any] = [*row[:10], role, row[10], row[11] or "", row[12], reward, plies or 0, *dialogue]
    return Perspective(*values)


def _walk(messages: _Messages, tip: str | None) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    found: list[Message] = []
    names: list[str] = []
    while tip is not None:
        names.append(tip)
        tip, role, content = messages[tip]
        found.append(Message(role, content))
    return tuple(found[::-1]), tuple(names[::-1])


def _credit(turns: str | None) -> dict[int, float]:
    return {ply: value for ply, _, value in json.loads(turns)} if turns else {}


def _lineage(reader: sqlite3.Connection, episode: str) -> list[tuple[Any, ...]]:
    """All turns of a branch, its parents' among them."""
    from store.history import lineage

    columns = _COLUMNS.replace("p.name", "(SELECT name FROM players WHERE id = t.player_id)")
    return lineage(reader, episode, columns.replace("p.kind", "(SELECT kind FROM players WHERE id = t.player_id)"))


_CHOSEN = "(SELECT value FROM json_each(?))"
_COLUMNS = "t.episode_id, t.id, t.ply, t.round, t.role, p.name, p.kind, t.person_id, t.assisted, t.verdict"
_HEADS = f"""
SELECT e.id, e.run_id, e.game, i.name, i.id, i.key, i.experiment, i.language, i.split, e.seed, r.outcome, r.reason,
  r.main, r.rewards, r.plies,
  (SELECT s.turns FROM scorings s WHERE s.episode_id = e.id ORDER BY s.created_at DESC LIMIT 1), e.parent_id
{FROM} WHERE e.id IN {_CHOSEN} ORDER BY e.id"""
_TURNS = f"""
SELECT {_COLUMNS} FROM turns t JOIN players p ON p.id = t.player_id
WHERE t.episode_id IN {_CHOSEN} ORDER BY t.episode_id, t.ply"""
_TIPS = f"SELECT episode_id, role, hash FROM tips WHERE episode_id IN {_CHOSEN} ORDER BY episode_id, role"
_RANGE = "SELECT min(rowid), max(rowid) FROM messages WHERE hash IN (SELECT value FROM json_each(?))"
_THERE = "SELECT hash, parent_hash, role, content FROM messages WHERE rowid BETWEEN ? AND ?"
_MESSAGES = """
WITH RECURSIVE walk(hash, parent, role, content) AS (
  SELECT hash, parent_hash, role, content FROM messages WHERE hash IN (SELECT value FROM json_each(?))
  UNION ALL
  SELECT m.hash, m.parent_hash, m.role, m.content FROM walk w CROSS JOIN messages m ON m.hash = w.parent)
SELECT hash, parent, role, content FROM walk"""
