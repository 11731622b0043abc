"""What a filter gives to be judged: replies to the same words that compete, and endings that began alike.

Two replies compete where the same role of the same instance had heard exactly the same. Turns stand beside candidates
that never became one; the same words said twice are one reply. The most informative comes first: where the games ended
differently, where values are close or the same words ended both ways, where people disagreed before.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import combinations, groupby
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from store.candidates import candidate_of
from store.filters import FROM, Filters
from store.history import lineage
from store.log import Log
from store.queries import told
from store.queues import FILLS, Added, Gold, ItemKind, NewItem, Queue, put_items

Kind: TypeAlias = Literal["pair", "endings", "all"]
PER_STATE = 6
"""Pairs at most of replies to the same words, and of endings of one instance."""
PER_REPLY = 2
"""How often one reply may stand in them."""
CLOSE = 0.2
"""Values that differ by less are close."""
LOOKED_AT = 40
"""Replies to the same words, and episodes of one instance, that are compared at most."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A turn, or a candidate that never became one: one of the two is given."""

    turn: str | None = None
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Two replies that somebody may be asked about."""

    kind: ItemKind
    a: Reply
    b: Reply
    priority: float
    why: str
    split: str = "train"
    gold: Gold | None = None


@dataclass(slots=True)
class Questions:
    """What was found, the most informative first. `there` counts what there was before limits."""

    chosen: list[Question] = field(default_factory=list[Question])
    there: int = 0
    states: int = 0
    """Dialogues that different replies followed, and instances that went on differently."""

    @property
    def splits(self) -> dict[str, int]:
        """How many there are of each split."""
        return dict(Counter(one.split for one in self.chosen))


def find(
    reader: sqlite3.Connection,
    filters: Filters,
    kind: Kind = "pair",
    *,
    seed: int = 0,
    per_state: int = PER_STATE,
    limit: int | None = None,
) -> Questions:
    """What the episodes that fit give. The same log gives the same. Raises ValueError, BadCondition for the filters."""
    found = Questions()
    with told(filters):
        if kind != "endings":
            _ask(found, _pairs(reader, filters), seed, per_state)
        if kind != "pair":
            _ask(found, _endings(reader, filters, seed), seed, per_state)
    found.chosen.sort(key=lambda one: (-one.priority, _luck(seed, one)))
    del found.chosen[limit if limit is not None else len(found.chosen) :]
    return found


def fill(log: Log, queue: Queue, questions: Iterable[Question]) -> Added:
    """Put them into a queue; turns become candidates. Raises BadQueue where it is closed, LogError."""
    wanted = list(questions)

    def write(db: sqlite3.Connection) -> Added:
        return put_items(db, queue, [_item(db, one) for one in wanted])

    return log.write(write)


def _item(db: sqlite3.Connection, one: Question) -> NewItem:
    a, b = (candidate_of(db, side.turn) if side.turn else str(side.candidate) for side in (one.a, one.b))
    return NewItem(one.kind, a, b, one.priority, one.why, one.gold)


def _ask(found: Questions, groups: Iterable[Sequence[Question]], seed: int, per_state: int) -> None:
    """Of each group the most informative, none of its replies too often."""
    for group in groups:
        found.states += 1
        found.there += len(group)
        used: Counter[Reply] = Counter()
        kept = 0
        for one in sorted(group, key=lambda one: (-one.priority, _luck(seed, one))):
            if kept < per_state and used[one.a] < PER_REPLY and used[one.b] < PER_REPLY:
                used.update((one.a, one.b))
                found.chosen.append(one)
                kept += 1


def _luck(seed: int, one: Question) -> bytes:
    return blake2b(f"{seed}|{one.kind}|{one.a}|{one.b}".encode(), digest_size=8).digest()


# pairs


@dataclass(slots=True)
class _Said:
    """One reply to certain words, said in one game or several."""

    reply: Reply
    rewards: list[float] = field(default_factory=list[float])
    """What the role got in those games, 0 to 1."""
    values: list[float] = field(default_factory=list[float])
    """Mean returns of what was played on from it."""
    ids: set[str] = field(default_factory=set[str])
    """Candidates that say it."""

    @property
    def worth(self) -> float | None:
        """What is known of it: by what was played on from it, else by how its games ended."""
        known = self.values or self.rewards
        return sum(known) / len(known) if known else None


def _pairs(reader: sqlite3.Connection, filters: Filters) -> Iterator[list[Question]]:
    """For each dialogue that different replies followed, all pairs of them."""
    argued = _argued(reader)
    condition, values = filters.sql()
    sql = _REPLIES.format(fits=f"SELECT e.id {FROM} WHERE {condition}")
    rows = reader.execute(sql, [*values, json.dumps(filters.roles)]).fetchall()
    for _, group in groupby(rows, key=itemgetter(0, 1, 2)):
        said: dict[str, _Said] = {}
        split = ""
        for _, _, _, of, text, turn, candidate, value, reward in group:
            split = of
            one = said.setdefault(_plain(text), _Said(Reply(turn, None if turn else candidate)))
            if candidate is not None:
                one.ids.add(candidate)
            if value is not None:
                one.values.append(value)
            if reward is not None:
                one.rewards.append(reward)
        if len(said) > 1:
            yield [_question(a, b, split, argued) for a, b in combinations(list(said.values())[:LOOKED_AT], 2)]


def _plain(text: str) -> str:
    """Words without their case and spacing: what differs in nothing else is the same reply."""
    return " ".join(text.casefold().split())


def _question(a: _Said, b: _Said, split: str, argued: frozenset[frozenset[str]]) -> Question:
    priority, why = 0.0, list[str]()
    one, two = a.worth, b.worth
    if one is not None and two is not None:
        apart = abs(one - two)
        if a.values and b.values and apart < CLOSE:
            priority += 1 - apart / CLOSE
            why.append(f"their values are close: {one:.2f} and {two:.2f}")
        elif apart >= 0.5:
            priority += apart
            why.append(f"their games ended differently: {one:.2f} and {two:.2f}")
    unsure = [said for said in (a, b) if len(set(said.rewards)) > 1]
    if unsure:
        priority += 0.25 * len(unsure)
        why.append("the same words ended both ways")
    if any(frozenset((x, y)) in argued for x in a.ids for y in b.ids):
        priority += 1
        why.append("people disagreed before")
    return Question("pair", a.reply, b.reply, round(priority, 2), "; ".join(why), split)


def _argued(reader: sqlite3.Connection) -> frozenset[frozenset[str]]:
    """Pairs of candidates of which people said different things, in whatever queue."""
    return frozenset(frozenset(pair) for pair in reader.execute(_ARGUED).fetchall())


# endings


_Turn: TypeAlias = tuple[str, int, str, str | None, str, str]
"""id, ply, role, seen_hash, text, episode."""


def _endings(reader: sqlite3.Connection, filters: Filters, seed: int) -> Iterator[list[Question]]:
    """For each instance that went on differently, pairs of the turns in which two finished episodes part."""
    condition, values = filters.sql()
    heads = reader.execute(_FINISHED.format(fits=f"SELECT e.id {FROM} WHERE {condition}"), values).fetchall()
    for _, group in groupby(heads, key=itemgetter(0)):
        several = sorted(group, key=lambda row: blake2b(f"{seed}|{row[1]}".encode(), digest_size=8).digest())
        if len(several) < 2:
            continue
        turns = {row[1]: _turns(reader, row[1]) for row in several[:LOOKED_AT]}
        found = [
            one
            for x, y in combinations(several[:LOOKED_AT], 2)
            if (one := _parting(x, y, turns[x[1]], turns[y[1]], filters.roles)) is not None
        ]
        if found:
            yield found


def _turns(reader: sqlite3.Connection, episode: str) -> list[_Turn]:
    return lineage(reader, episode, "t.id, t.ply, t.role, t.seen_hash, t.text, t.episode_id")


def _parting(
    x: Sequence[Any], y: Sequence[Any], one: Sequence[_Turn], two: Sequence[_Turn], roles: Sequence[str]
) -> Question | None:
    """Two endings of an instance; None where they do not part with two replies of a role to the same words."""
    for a, b in zip(one, two, strict=False):
        if _plain(a[4]) == _plain(b[4]):
            continue
        if a[2] != b[2] or a[3] is None or a[3] != b[3] or (roles and a[2] not in roles):
            return None
        if (a[5], b[5]) != (x[1], y[1]):  # a turn that a branch has from its parent is no beginning of its own ending
            return None
        apart = abs((x[4] or 0.0) - (y[4] or 0.0)) / 100
        differ = x[3] != y[3]
        why = f"one ended as {x[3]}, the other as {y[3]}" if differ else f"both ended as {x[3]}"
        return Question("endings", Reply(a[0]), Reply(b[0]), round(apart + differ / 2, 2), why, x[2])
    return None


_REPLIES = """
WITH fits AS ({fits}),
roles AS (SELECT value FROM json_each(?)),
said AS (
  SELECT t.episode_id AS episode, t.role AS role, t.seen_hash AS seen, t.text AS text, t.id AS turn,
    c.id AS candidate, c.value AS value, t.ply AS ply
  FROM fits f JOIN turns t ON t.episode_id = f.id LEFT JOIN candidates c ON c.turn_id = t.id
  WHERE t.seen_hash IS NOT NULL AND NOT EXISTS (SELECT 1 FROM tombstones x WHERE x.kind = 'turns' AND x.id = t.id)
  UNION ALL
  SELECT c.episode_id, c.role, c.seen_hash, c.text, NULL, c.id, c.value, c.ply
  FROM fits f JOIN candidates c ON c.episode_id = f.id WHERE c.turn_id IS NULL AND c.seen_hash IS NOT NULL),
mine AS (
  SELECT s.*, e.instance_id AS instance FROM said s JOIN episodes e ON e.id = s.episode
  WHERE NOT EXISTS (SELECT 1 FROM roles) OR s.role IN (SELECT value FROM roles)),
compete AS (SELECT instance, role, seen FROM mine GROUP BY 1, 2, 3 HAVING count(DISTINCT text) > 1)
SELECT m.instance, m.role, m.seen, i.split, m.text, m.turn, m.candidate, m.value,
  CASE WHEN m.turn IS NOT NULL THEN (
    SELECT j.value FROM results r, json_each(r.rewards) j WHERE r.episode_id = m.episode AND j.key = m.role) END
FROM compete k JOIN mine m ON m.instance = k.instance AND m.role = k.role AND m.seen = k.seen
JOIN instances i ON i.id = m.instance
ORDER BY m.instance, m.role, m.seen, m.turn IS NULL, m.turn, m.candidate"""
_ARGUED = f"""
SELECT i.a_id, i.b_id FROM items i JOIN annotations a ON a.item_id = i.id
WHERE {FILLS} GROUP BY i.id HAVING count(DISTINCT json_extract(a.value, '$.verdict')) > 1"""
_FINISHED = """
WITH fits AS ({fits})
SELECT e.instance_id, e.id, i.split, r.outcome, r.main FROM fits f JOIN episodes e ON e.id = f.id
JOIN instances i ON i.id = e.instance_id JOIN results r ON r.episode_id = e.id
WHERE NOT EXISTS (SELECT 1 FROM tombstones x JOIN turns t ON t.id = x.id WHERE x.kind = 'turns' AND t.episode_id = e.id)
ORDER BY e.instance_id, e.id"""
