"""What training reads: each seat's own dialogue in each episode, turn by turn with who spoke and what it was worth.

A perspective holds nothing but what its role heard and said: the messages are the chain that the recorder kept for that
seat, so what another seat knew cannot be in it. Thousands are read in a few queries, messages shared between them.
"""

from __future__ import annotations

import gc
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from games.engine import Message, Role
from store.errors import LogError
from store.filters import FROM, Filters
from store.history import lineage
from store.ids import MessageRow
from store.seats import Seats
from store.writer import Row

CHUNK, LARGEST = 64, 2048
"""Episodes that are read at once: few, so that what belongs together is still in the processor's caches when it is put
together; more where so many were under way at once that few do not lie together."""
SPREAD = 8
"""Messages that may be read for each turn that is wanted; where more would be, each is looked up instead."""
NEAR, FAR = 64, 16_384
"""Messages of others that may stand between those of one episode; as long as some lie farther off, more and more."""


@contextmanager
def still() -> Generator[None]:
    """Keep Python's collector still: what a data set is made of stays, and it would look through it time and again.

    At the end all counts as old, for else it would look through it after all.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.freeze()
            gc.unfreeze()
            gc.enable()


class Spoken(NamedTuple):
    """One reply of the seat. `turn` is None for one that does not train here: a branch has it from its parent, or the
    seat changed hands and somebody else said it than the filters name.
    """

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


@dataclass
class Perspective:
    """One seat of one episode: `messages` alternate user and assistant, `spoken[n]` is the nth assistant message.

    What it heard and said is kept as the log has it, and made into messages for those who ask. Nothing changes one, but
    a frozen class takes seven times as long to make, and there is one for each seat of the log.
    """

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
    lines: tuple[MessageRow, ...]
    """What it heard and said as rows of the log, oldest first."""
    spoken: tuple[Spoken, ...]
    places: tuple[int, ...]
    """Where in `messages` each reply stands."""

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """What it heard and said."""
        return tuple([Message(role, content) for _, _, role, content in self.lines])

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """Name of each message in its conversation: `hashes[n]` stands for the dialogue up to it."""
        return tuple([line[0] for line in self.lines])


@dataclass(slots=True)
class Read:
    """How reading went: how many episodes fitted, and how many perspectives were left out, by reason."""

    episodes: int = 0
    left_out: Counter[str] = field(default_factory=Counter[str])
    absent: list[str] = field(default_factory=list[str])
    """What was asked for and is nowhere in the log, where nothing fitted."""


def perspectives(
    reader: sqlite3.Connection, filters: Filters, *, roles: Sequence[Role] = (), read: Read | None = None
) -> Iterator[Perspective]:
    """Perspectives of all episodes that fit, oldest first, roles in alphabetical order.

    Filters that describe a seat leave only such seats of them, and `roles` only those. `read` is filled as they come.
    Raises ValueError for a filter that cannot be.
    """
    told = read if read is not None else Read()
    condition, values = filters.sql()
    ids = [id for (id,) in reader.execute(f"SELECT e.id {FROM} WHERE {condition} ORDER BY e.id", values)]
    told.episodes = len(ids)
    gone = reader.execute("SELECT id FROM tombstones WHERE kind = 'episodes'").fetchall()
    if erased := {id for (id,) in gone}.intersection(ids):
        told.left_out["episodes in which words were erased"] += len(erased)
        ids = [id for id in ids if id not in erased]
    meant = Seats(reader, filters, roles)
    at, messages = 0, _Messages(reader)
    while at < len(ids):
        size = messages.size
        yield from _chunk(reader, messages, ids[at : at + size], meant, told)
        at += size


def _chunk(
    reader: sqlite3.Connection, messages: _Messages, chosen: Sequence[str], meant: Seats, told: Read
) -> Iterator[Perspective]:
    players, every, ids = meant.players, meant.all, json.dumps(chosen)
    heads = reader.execute(_HEADS, (ids,)).fetchall()
    tips: dict[str, list[tuple[Role, str]]] = {}
    under_way = json.dumps([row[0] for row in heads if row[10] is None])
    for episode, role, tip in chain(reader.execute(_HEARD, (ids,)), reader.execute(_TIPS, (under_way,))):
        if every or meant.has(episode, role):
            tips.setdefault(episode, []).append((role, tip))
    turns = {episode: list(said) for episode, said in groupby(reader.execute(_TURNS, (ids,)), _FIRST)}
    messages.read(ids, tips, sum(map(len, turns.values())))
    for row in heads:
        episode, *_, rewards, plies, scored, parent = row
        said = turns.get(episode, ()) if parent is None else lineage(reader, episode, _COLUMNS)
        try:
            credit, paid = _credit(scored), _paid(rewards)
        except ValueError as error:
            raise LogError(
                f"what episode {episode} was worth cannot be read ({error}); --where \"e.id <> '{episode}'\" leaves it "
                "out, and `playpen-tui db check` looks through the whole log"
            ) from error
        spoken: dict[Role, list[Spoken]] = {role: [] for role, _ in tips.get(episode, ())}
        for holder, turn, ply, round, who, player, person, assisted, verdict in said:
            if (mine := spoken.get(who)) is not None:
                name, kind, wanted = players[player]
                own = turn if wanted and holder == episode else None
                mine.append(_spoken((own, ply, round, name, kind, person, assisted == 1, verdict, credit.get(ply))))
        for role, tip in tips.get(episode, ()):
            try:
                lines, places = messages.walk(tip)
            except KeyError:  # a message of it is gone
                lines, places = (), ()
            if not lines or len(places) != len(spoken[role]):
                whole = row[10] is not None  # else the last reply is not yet in what anybody heard
                told.left_out["words were erased, or the dialogue is not whole" if whole else "unfinished"] += 1
                continue
            ended: list[Any] = [row[10], row[11] or "", row[12], paid.get(role), plies or 0]
            values: list[Any] = [*row[:10], role, *ended, lines, tuple(spoken[role]), places]
            yield Perspective(*values)


class _Messages(dict[str, MessageRow]):
    """Messages by their hash; what was not read with the others is looked up when a dialogue comes to it.

    How many episodes are read at once, and how far around them, follows how those before lay in the file.
    """

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self.size = CHUNK
        self._near = NEAR
        self._missed = 0
        self._prompts: dict[str, MessageRow] = {}
        """Messages that many episodes begin with, and that lie where the first of them was played."""

    def read(self, ids: str, tips: Mapping[str, Sequence[tuple[Role, str]]], turns: int) -> None:
        """Read the dialogues of these episodes, which end in `tips`, and forget those before.

        Messages stand in the file in the order in which they were said, so those of one episode lie near each other,
        and to read what lies there costs a fifth of looking it up.
        """
        if 8 * self._missed > self.size:
            self._near = min(4 * self._near, FAR)
        self._missed = 0
        self.clear()
        ends = [(episode, tip) for episode, some in tips.items() for _, tip in some]
        told = json.dumps([*ends, *self._reader.execute(_BEGINNINGS, (ids,))])
        spans: list[list[int]] = []
        found = self._reader.execute(_SPANS, (told,))
        for low, high in sorted([(max(low, high - self._near) - 2, high) for low, high in found]):  # 2: the prompts
            if spans and low <= spans[-1][1] + 8:
                spans[-1][1] = max(spans[-1][1], high)
            else:
                spans.append([low, high])
        many = sum(high - low for low, high in spans)
        if self._near > turns:  # else most of what is read would lie before these episodes
            self.size = min(2 * self.size, LARGEST)
        if many < SPREAD * (turns + len(ends)):
            self._keep(self._reader.execute(_THERE, (json.dumps(spans),)))
        else:
            self._keep(self._reader.execute(_UP, (json.dumps([tip for _, tip in ends]),)))

    def _keep(self, found: sqlite3.Cursor) -> None:
        rows: list[MessageRow] = found.fetchall()
        self.update(zip(map(_FIRST, rows), rows, strict=True))

    def __missing__(self, hash: str) -> MessageRow:
        if (row := self._prompts.get(hash)) is not None:
            return row
        rows: list[MessageRow] = self._reader.execute(_UP, (json.dumps([hash]),)).fetchall()
        prompt = len(rows) <= 2
        self._missed += not prompt
        (self._prompts if prompt else self).update(zip(map(_FIRST, rows), rows, strict=True))
        for row in rows:
            if row[0] == hash:
                return row
        raise KeyError(hash)

    def walk(self, tip: str | None) -> tuple[tuple[MessageRow, ...], tuple[int, ...]]:
        """The dialogue that ends there, and where the seat's own replies stand in it."""
        found: list[MessageRow] = []
        while tip is not None:
            row = self[tip]
            found.append(row)
            tip = row[1]
        found.reverse()
        return tuple(found), tuple([at for at, row in enumerate(found) if row[2] == "assistant"])


# Games have few values, and so thousands of episodes few texts of them.
@lru_cache(maxsize=4096)
def _credit(turns: str | None) -> Mapping[int, float]:
    return {ply: value for ply, _, value in json.loads(turns)} if turns else {}


@lru_cache(maxsize=4096)
def _paid(rewards: str | None) -> Mapping[str, float]:
    return json.loads(rewards) if rewards else {}


_FIRST = itemgetter(0)
# in half the time of Spoken(…)
_spoken: Callable[[Row], Spoken] = partial(tuple.__new__, Spoken)  # pyright: ignore[reportUnknownMemberType]
_CHOSEN = "(SELECT value FROM json_each(?))"
_COLUMNS = "t.episode_id, t.id, t.ply, t.round, t.role, t.player_id, t.person_id, t.assisted, t.verdict"
_HEADS = f"""
SELECT e.id, e.run_id, e.game, i.name, i.id, i.key, i.experiment, i.language, i.split, e.seed, r.outcome, r.reason,
  r.main, r.rewards, r.plies,
  (SELECT s.turns FROM scorings s WHERE s.episode_id = e.id ORDER BY s.created_at DESC LIMIT 1), e.parent_id
{FROM} WHERE e.id IN {_CHOSEN} ORDER BY e.id"""
_TURNS = f"""
SELECT {_COLUMNS} FROM turns t WHERE t.episode_id IN {_CHOSEN} ORDER BY t.episode_id, t.ply"""
_HEARD = f"SELECT episode_id, role, hash FROM heard WHERE episode_id IN {_CHOSEN} ORDER BY episode_id, role"
_TIPS = f"SELECT episode_id, role, hash FROM tips WHERE episode_id IN {_CHOSEN} ORDER BY episode_id, role"
_BEGINNINGS = f"SELECT episode_id, seen_hash FROM turns WHERE episode_id IN {_CHOSEN} AND ply = 0"
_SPANS = """
SELECT min(m.rowid), max(m.rowid) FROM json_each(?) j JOIN messages m ON m.hash = j.value ->> 1
GROUP BY j.value ->> 0 ORDER BY 1"""
_THERE = """
SELECT m.hash, m.parent_hash, m.role, m.content FROM json_each(?) j
CROSS JOIN messages m ON m.rowid BETWEEN j.value ->> 0 AND j.value ->> 1"""
_UP = """
WITH RECURSIVE walk(hash, parent, role, content) AS (
  SELECT hash, parent_hash, role, content FROM messages WHERE hash IN (SELECT value FROM json_each(?))
  UNION ALL
  SELECT m.hash, m.parent_hash, m.role, m.content FROM walk w CROSS JOIN messages m ON m.hash = w.parent)
SELECT hash, parent, role, content FROM walk"""
