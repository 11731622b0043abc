"""Pairs that people judged, beside what came of both sides: where the two agree, disagree, or cannot be told.

People's side is the adjudicated verdict where there is one, else what more people prefer; models as judges do not
count. The games' side is the mean reward of the role over the rollouts from both candidates, else over the games in
which both were said. Where endings were judged it is always those games, for they are what people read.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from store.adjudication import Opinion
from store.filters import FROM, Filters
from store.queries import told
from store.verdicts import queue_ids

Letter: TypeAlias = Literal["a", "b"]
Measure: TypeAlias = Literal["rollouts", "games", ""]
Stand: TypeAlias = Literal["agree", "disagree", "undecided"]


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a pair: a candidate, and what came of it."""

    candidate: str
    episode: str
    ply: int
    text: str
    rewards: tuple[float, ...]
    """Of its role, 0 to 1, in the finished rollouts from it."""
    outcome: str | None
    """Of the game in which it was said; None where it was not said, or that game is unfinished."""
    reward: float | None
    """Of its role there."""

    @property
    def value(self) -> float | None:
        """Mean over the rollouts."""
        return math.fsum(self.rewards) / len(self.rewards) if self.rewards else None


@dataclass(frozen=True, slots=True)
class Decision:
    """The adjudicated verdict: a, b, tie or bad, whose, and why."""

    verdict: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates that people judged. `votes` has the last word of each person: a, b, tie or bad."""

    kind: str
    """pair or endings."""
    game: str
    instance: str
    """Its content: pairs of one instance are not independent of each other."""
    role: str
    a: Contender
    b: Contender
    votes: Mapping[str, str]
    decision: Decision | None
    opinions: tuple[Opinion, ...]
    """All that stands, models among them."""
    queues: tuple[str, ...]
    """Names; none where it was judged outside of queues."""
    item: str
    why: str
    """Why it was asked about."""
    last: str
    """The annotation with the last word on it."""
    at: str
    """When that was said."""

    @property
    def id(self) -> str:
        """What names it, among pairs of one reading."""
        return f"{self.kind}:{self.a.candidate}:{self.b.candidate}"

    @property
    def episode(self) -> str:
        """Whose dialogue stands before both."""
        return self.a.episode

    @property
    def ply(self) -> int:
        """At which turn they compete."""
        return self.a.ply

    @property
    def tally(self) -> Counter[str]:
        """How many people say a, b, tie and bad."""
        return Counter(self.votes.values())

    @property
    def preferred(self) -> Letter | None:
        """What people prefer: what was decided, else what more of them do; None where that is neither."""
        if self.decision is not None:
            return _letter(self.decision.verdict)
        votes = self.tally
        return None if votes["a"] == votes["b"] else "a" if votes["a"] > votes["b"] else "b"

    @property
    def measure(self) -> Measure:
        """By what the games tell which is worth more; empty where they do not."""
        if self.kind != "endings" and self.a.rewards and self.b.rewards:
            return "rollouts"
        return "games" if self.a.reward is not None and self.b.reward is not None else ""

    def worth(self, letter: Letter) -> float | None:
        """What a side came to, from 0 to 1, by the measure of the pair."""
        side = self.side(letter)
        return {"rollouts": side.value, "games": side.reward, "": None}[self.measure]

    @property
    def favoured(self) -> Letter | None:
        """What came to more; None where they came to the same, or it is not known."""
        a, b = self.worth("a"), self.worth("b")
        if a is None or b is None or abs(a - b) < 1e-9:
            return None
        return "a" if a > b else "b"

    @property
    def gap(self) -> float:
        """How far the two are apart, 0 to 1."""
        return abs((self.worth("a") or 0.0) - (self.worth("b") or 0.0))

    @property
    def stand(self) -> Stand:
        """Whether people and games agree."""
        if self.preferred is None or self.favoured is None:
            return "undecided"
        return "agree" if self.preferred == self.favoured else "disagree"

    @property
    def undecided(self) -> str:
        """Why it cannot be told; empty where it can."""
        if self.preferred is None:
            if self.decision is not None:
                return "decided: neither is better"
            return "people are split evenly" if self.tally["a"] else "people prefer neither"
        if not self.measure:
            return "no outcome of both"
        return "" if self.favoured else "both came to the same"

    def side(self, letter: Letter) -> Contender:
        """One of the two."""
        return self.a if letter == "a" else self.b


@dataclass(slots=True)
class Judged:
    """Pairs in the order in which they were first judged, and how many votes of people who withdrew are left out."""

    pairs: list[Pair]
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    """One annotation that stands, with where it belongs."""

    annotation: str
    at: str
    judge: str
    item: str
    kind: str
    why: str
    queue: str
    game: str
    instance: str
    role: str
    chosen: str
    refused: str
    a: str
    b: str
    strength: int
    value: Mapping[str, Any]
    verdict: str | None
    person: bool
    repeat: bool
    withdrawn: bool

    @property
    def is_vote(self) -> bool:
        """Whether a person says something of the two, which decides nothing by itself."""
        return self.person and self.verdict != "skip" and not self.value.get("adjudicated")


@dataclass(slots=True)
class _Found:
    """What was said of a pair so far."""

    kind: str
    a: str
    b: str
    role: str
    game: str
    instance: str
    item: str = ""
    why: str = ""
    last: str = ""
    at: str = ""
    votes: dict[str, str] = field(default_factory=dict[str, str])
    decision: Decision | None = None
    opinions: list[Opinion] = field(default_factory=list[Opinion])
    queues: dict[str, None] = field(default_factory=dict[str, None])


def judged_pairs(reader: sqlite3.Connection, queue: str | None = None, filters: Filters | None = None) -> Judged:
    """Pairs of which people said something, of episodes that fit; of the queues of one name (or id) where one is given.

    A role of the filters is whose replies they are. Raises Unknown for the queue, ValueError and BadCondition for the
    filters.
    """
    wanted = filters or Filters()
    queues = None if queue is None else queue_ids(reader, queue)
    condition, values = wanted.sql()
    sql = _SAID.format(fits=f"SELECT e.id {FROM} WHERE {condition}")
    with told(wanted):
        rows = reader.execute(sql, [*values, json.dumps(queues), json.dumps(wanted.roles)]).fetchall()
    found: dict[tuple[str, str, str], _Found] = {}
    standing = [row for row in map(_row, rows) if row.verdict is not None]
    firsts = {(row.item, row.judge) for row in standing if row.item and not row.repeat and row.is_vote}
    for row in standing:
        if not row.withdrawn:
            _hear(found, row, firsts)
    sides = _contenders(reader, [one for some in found.values() for one in (some.a, some.b)])
    return Judged(list(_made(found, sides)), sum(row.withdrawn for row in standing))


def judged_games(reader: sqlite3.Connection) -> list[str]:
    """Games of which somebody judged a pair."""
    return [game for (game,) in reader.execute(_GAMES)]


def _row(row: tuple[Any, ...]) -> _Row:
    value: dict[str, Any] = json.loads(row[15])
    plain = "a" if row[14] != 0 else "tie"  # what was brought in from elsewhere may say it by its strength alone
    verdict = value.get("verdict", plain)
    flags = {"person": bool(row[16]), "repeat": bool(row[17]), "withdrawn": bool(row[18])}
    return _Row(*row[:15], value=value, verdict=verdict, **flags)


def _hear(found: dict[tuple[str, str, str], _Found], row: _Row, firsts: set[tuple[str, str]]) -> None:
    """Take one row of what was said in. `firsts` are items with those who judged them at first sight."""
    a, b = (row.a, row.b) if row.item else sorted((row.chosen, row.refused))
    low, high = sorted((a, b))
    one = found.setdefault((row.kind, low, high), _Found(row.kind, a, b, row.role, row.game, row.instance))
    verdict = str(row.verdict)
    if verdict in ("a", "b"):
        verdict = "a" if row.chosen == one.a else "b"
    one.last, one.at = row.annotation, row.at
    if row.item and not one.item:
        one.item, one.why = row.item, row.why
    if row.queue:
        one.queues[row.queue] = None
    if row.value.get("adjudicated"):
        one.decision = Decision(verdict, row.judge, str(row.value.get("reason", "")))
        return
    comment, flag = str(row.value.get("comment", "")), bool(row.value.get("flag"))
    one.opinions.append(Opinion(row.judge, row.person, verdict, row.strength == 2, comment, row.repeat, flag))
    if row.is_vote and not (row.repeat and (row.item, row.judge) in firsts):
        one.votes[row.judge] = verdict


def _contenders(reader: sqlite3.Connection, candidates: list[str]) -> dict[str, Contender]:
    found: dict[str, Contender] = {}
    for id, episode, ply, text, rewards, outcome, reward in reader.execute(_SIDES, (json.dumps(candidates),)):
        worth = tuple(float(one) for one in json.loads(rewards))
        found[id] = Contender(id, episode, ply, text, worth, outcome, None if reward is None else float(reward))
    return found


def _made(found: Mapping[tuple[str, str, str], _Found], sides: Mapping[str, Contender]) -> Iterator[Pair]:
    for one in found.values():
        if one.votes or one.decision is not None:
            yield Pair(
                one.kind, one.game, one.instance, one.role, sides[one.a], sides[one.b], one.votes, one.decision,
                tuple(one.opinions), tuple(one.queues), one.item, one.why, one.last, one.at,
            )  # fmt: skip


def _letter(verdict: str) -> Letter | None:
    return "a" if verdict == "a" else "b" if verdict == "b" else None


_SAID = """
WITH fits AS ({fits}), mine AS (SELECT ? AS queues, ? AS roles)
SELECT a.id, a.created_at, coalesce(a.annotator_id, p.name), coalesce(a.item_id, ''), coalesce(i.kind, 'pair'),
  coalesce(i.why, ''), coalesce(q.name, ''), e.game, n.key, c.role, a.chosen_id, a.rejected_id,
  coalesce(i.a_id, ''), coalesce(i.b_id, ''), coalesce(a.strength, 1), a.value,
  a.judge_id IS NULL, a.repeat, h.withdrawn_at IS NOT NULL
FROM mine m CROSS JOIN annotations a
JOIN candidates c ON c.id = a.chosen_id JOIN candidates x ON x.id = a.rejected_id
JOIN episodes e ON e.id = c.episode_id JOIN instances n ON n.id = e.instance_id
LEFT JOIN items i ON i.id = a.item_id LEFT JOIN queues q ON q.id = i.queue_id
LEFT JOIN players p ON p.id = a.judge_id LEFT JOIN people h ON h.id = a.annotator_id
WHERE a.kind = 'preference' AND coalesce(a.annotator_id, a.judge_id) IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM annotations s WHERE s.supersedes = a.id)
  AND (m.queues = 'null' OR i.queue_id IN (SELECT value FROM json_each(m.queues)))
  AND (m.roles = '[]' OR c.role IN (SELECT value FROM json_each(m.roles)))
  AND e.id IN fits AND x.episode_id IN fits
ORDER BY a.id"""
_GAMES = """
SELECT DISTINCT e.game FROM annotations a JOIN candidates c ON c.id = a.chosen_id JOIN episodes e ON e.id = c.episode_id
WHERE a.kind = 'preference' ORDER BY 1"""
_SIDES = """
SELECT c.id, c.episode_id, c.ply, c.text,
  (SELECT json_group_array(json_extract(x.rewards, '$."' || c.role || '"')) FROM rollouts o
    JOIN results x ON x.episode_id = o.episode_id WHERE o.candidate_id = c.id
    AND json_extract(x.rewards, '$."' || c.role || '"') IS NOT NULL),
  r.outcome, json_extract(r.rewards, '$."' || c.role || '"')
FROM candidates c LEFT JOIN turns t ON t.id = c.turn_id LEFT JOIN results r ON r.episode_id = t.episode_id
WHERE c.id IN (SELECT value FROM json_each(?))"""
