"""Pairs that nobody had to judge: two replies to the same words, of which the game itself says which was better.

Two replies compete where the same seat of the same instance had heard exactly the same (the hash of the dialogue says
so), so the shared part is byte-identical and holds nothing that the seat could not see. A reply given in several
games counts by how many of them it won. A dialogue pair compares how two games went on to the end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from games.engine import Message
from store.perspectives import Perspective, Spoken
from training.mistakes import Heard

Kind: TypeAlias = Literal["malformed", "repeat", "ignored", "credit", "turn", "dialogue"]
KINDS: tuple[Kind, ...] = ("malformed", "repeat", "ignored", "credit", "turn", "dialogue")
LOST = ("failure", "aborted")


class Mining(BaseModel):
    """Which pairs are looked for, and how many of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = ("malformed", "repeat", "ignored", "credit", "turn")
    """`malformed` broke a rule, `repeat` said again what was no use, `ignored` goes against what the seat had been
    told, `credit` got less from the game for this turn, `turn` lost the game where the other won, `dialogue` compares
    the whole rest."""
    outcomes: Literal["any", "won"] = "any"
    """`won`: the preferred side won its game and the other lost it, whatever the kind."""
    own: Literal["only", "first", "any"] = "first"
    """Whose: both sides by the learner only, those first, or whoever's."""
    per_state: int = Field(default=4, ge=1)
    """Pairs at most for the same words heard, or the same two seats in a dialogue pair."""
    per_reply: int = Field(default=2, ge=1)
    """How often one reply may be used on a side."""
    limit: int | None = Field(default=None, ge=1)
    branched: Literal["with", "only", "without"] = "with"
    """Pairs of candidates of one turn that were played on: beside the others, alone, or not at all."""
    rollouts: int = Field(default=4, ge=1)
    """So many must have been finished from either side."""
    gap: float | None = Field(default=None, gt=0, le=1)
    """Values that lie so far apart make a pair; None: those that differ beyond chance (5%)."""
    seed: int = 0


def by_learner(said: Spoken, learner: str) -> bool:
    """Whether this player said it, whatever its settings."""
    return said.player.partition("?")[0] == learner


@dataclass(frozen=True, slots=True)
class Side:
    """One side: the dialogue of a seat from the shared prefix to message `upto`; `at` is its first reply there."""

    perspective: Perspective
    at: int
    upto: int

    @property
    def said(self) -> Spoken:
        """The reply in which the sides differ."""
        return self.perspective.spoken[self.at]

    @property
    def replies(self) -> tuple[Spoken, ...]:
        """What the seat said from there on."""
        one = self.perspective
        return one.spoken[self.at : bisect_left(one.places, self.upto)]

    def all_by(self, player: str) -> bool:
        """Whether all of it was said by this player, whatever its settings; nothing is by nobody."""
        return bool(player) and all(by_learner(said, player) for said in self.replies)

    @property
    def tip(self) -> str:
        """The hash of its last message."""
        return self.perspective.hashes[self.upto - 1]


@dataclass(frozen=True, slots=True)
class Pair:
    """A preferred and a rejected continuation of the first `prefix` messages, and why."""

    kind: Kind
    why: str
    prefix: int
    chosen: Side
    rejected: Side
    own: int
    """0: both sides by the learner, 1: the preferred one, 2: the rejected one, 3: neither."""

    @property
    def won(self) -> bool:
        """Whether the preferred side won its game and the other lost it."""
        return self.chosen.perspective.outcome == "success" and self.rejected.perspective.outcome in LOST

    @property
    def prompt(self) -> tuple[Message, ...]:
        """What both had heard."""
        return self.chosen.perspective.messages[: self.prefix]

    @property
    def continuations(self) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
        """What each said, and for a dialogue pair what came then."""
        one, two = self.chosen, self.rejected
        return (
            one.perspective.messages[self.prefix : one.upto],
            two.perspective.messages[self.prefix : two.upto],
        )


@dataclass(slots=True)
class Mined:
    """The pairs, how many there were of each kind before limits, and what was looked through."""

    pairs: list[Pair] = field(default_factory=list[Pair])
    there: Counter[str] = field(default_factory=Counter[str])
    states: int = 0
    """Dialogues that at least two different replies followed."""

    def by_kind(self) -> dict[str, int]:
        """Pairs kept, by kind."""
        return dict(Counter(pair.kind for pair in self.pairs))


def mine(perspectives: Iterable[Perspective], wish: Mining, learner: str = "") -> Mined:
    """Look for pairs. `learner` is the player whose own replies come first. The same input gives the same pairs."""
    seats = [one for one in perspectives if one.outcome is not None]
    mined = Mined()
    found: list[Pair] = []
    for competing in _states(seats):
        mined.states += 1
        found += _choose(_wanted(_at_state(competing, wish, learner), wish), wish, mined.there)
    if "dialogue" in wish.kinds:
        for group in _tables(seats):
            found += _choose(_wanted(_dialogues(group, learner), wish), wish, mined.there)
    Random(f"pairs:{wish.seed}").shuffle(found)
    if wish.own != "any":
        found.sort(key=lambda pair: pair.own)
    if wish.limit is not None:
        found = found[: wish.limit]
    mined.pairs = found
    return mined


def _wanted(pairs: Iterable[Pair], wish: Mining) -> Iterator[Pair]:
    """Those that are by whom, and ended as, was wished."""
    for pair in pairs:
        if (wish.own != "only" or pair.own == 0) and (wish.outcomes == "any" or pair.won):
            yield pair


def _states(seats: Sequence[Perspective]) -> Iterator[list[Side]]:
    """Replies that followed the same words in the same instance, where they are not all the same."""
    by: dict[tuple[str, str, str], list[Side]] = defaultdict(list)
    for one in seats:
        for at, place in enumerate(one.places):
            if place > 0 and one.spoken[at].turn is not None:
                by[one.instance_id, one.role, one.hashes[place - 1]].append(Side(one, at, place + 1))
    for sides in by.values():
        if len({side.tip for side in sides}) > 1:
            yield sides


def _tables(seats: Sequence[Perspective]) -> Iterator[list[Perspective]]:
    """Dialogues of the same seat of the same instance that began with the same words."""
    by: dict[tuple[str, str, str], list[Perspective]] = defaultdict(list)
    for one in seats:
        if one.spoken and one.messages[0].role == "user":
            by[one.instance_id, one.role, one.hashes[0]].append(one)
    for group in by.values():
        if len(group) > 1:
            yield group


def _at_state(sides: Sequence[Side], wish: Mining, learner: str) -> Iterator[Pair]:
    prefix = sides[0].upto - 1
    heard = Heard(sides[0].perspective, prefix)
    by: dict[str, list[Side]] = defaultdict(list)
    for side in sides:
        by[side.tip].append(side)
    replies = [_Reply(some, heard) for some in by.values()]
    for good in replies:
        if good.first.said.verdict != "ok" or good.repeated or good.ignored:
            continue
        for bad in replies:
            if bad is not good and (found := _reason(good, bad)) is not None and found[0] in wish.kinds:
                yield Pair(*found, prefix, good.best, bad.worst, _own(good.best, bad.worst, learner))


class _Reply:
    """The same words said in the same place in one game or several, and what is wrong with them at first sight."""

    __slots__ = ("best", "first", "games", "ignored", "repeated", "won", "worst")

    def __init__(self, sides: Sequence[Side], heard: Heard) -> None:
        text = sides[0].perspective.messages[sides[0].upto - 1].content
        outcomes = [side.perspective.outcome for side in sides]
        self.first = sides[0]
        self.repeated = heard.repeated(text)
        self.ignored = heard.ignored(text)
        self.games = len(sides)
        self.won = outcomes.count("success")
        self.best = next((side for side in sides if side.perspective.outcome == "success"), sides[0])
        self.worst = next((side for side in sides if side.perspective.outcome in LOST), sides[0])

    @property
    def credit(self) -> float | None:
        """What the game credited this turn with, the mean of its best and its worst game; None where it did not say."""
        best, worst = self.best.said.credit, self.worst.said.credit
        return None if best is None or worst is None else (best + worst) / 2


def _reason(good: _Reply, bad: _Reply) -> tuple[Kind, str] | None:
    """Why the one is better than the other; None where the game does not say."""
    if bad.first.said.verdict != "ok":
        return "malformed", "the other broke a rule"
    if bad.repeated:
        return "repeat", "the other said again what it had said before"
    # a word that cannot be the one may be tried on purpose, to learn more: where that won more often, it was no mistake
    if bad.ignored and bad.won * good.games <= good.won * bad.games:
        return "ignored", f"the other made nothing of what it had been told: {bad.ignored}"
    one, two = good.credit, bad.credit
    if one is not None and two is not None and one > two:
        return "credit", f"the game credits this turn with {one:g}, the other with {two:g}"
    if good.won * bad.games > bad.won * good.games and bad.worst.perspective.outcome in LOST:
        return "turn", f"from here it won {good.won} of {good.games} games, the other {bad.won} of {bad.games}"
    return None


def _dialogues(group: Sequence[Perspective], learner: str) -> Iterator[Pair]:
    for good in group:
        if good.outcome != "success":
            continue
        for bad in group:
            if bad.outcome not in LOST:
                continue
            prefix = _shared(good, bad)
            if prefix >= min(len(good.messages), len(bad.messages)) or good.messages[prefix].role != "assistant":
                continue
            won, lost = (Side(one, one.places.index(prefix), one.places[-1] + 1) for one in (good, bad))
            why = f"one won, the other ended as {bad.outcome} ({bad.reason or 'no reason given'})"
            yield Pair("dialogue", why, prefix, won, lost, _own(won, lost, learner))


def _shared(one: Perspective, two: Perspective) -> int:
    """How many messages they share from the beginning."""
    at = 0
    for left, right in zip(one.hashes, two.hashes, strict=False):
        if left != right:
            break
        at += 1
    return at


def _choose(found: Iterable[Pair], wish: Mining, there: Counter[str]) -> list[Pair]:
    """The learner's own first, then by a seeded draw; no reply too often, no words twice."""
    pairs = list(found)
    there.update(pair.kind for pair in pairs)
    Random(f"pairs:{wish.seed}:{pairs[0].chosen.tip if pairs else ''}").shuffle(pairs)
    pairs.sort(key=lambda pair: (pair.own if wish.own != "any" else 0, KINDS.index(pair.kind)))
    used: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[str, str]] = set()
    kept: list[Pair] = []
    for pair in pairs:
        sides = (("chosen", pair.chosen.tip), ("rejected", pair.rejected.tip))
        words = (pair.chosen.tip, pair.rejected.tip)
        if words in seen or any(used[side] >= wish.per_reply for side in sides):
            continue
        seen.add(words)
        used.update(sides)
        kept.append(pair)
        if len(kept) == wish.per_state:
            break
    return kept


def _own(good: Side, bad: Side, learner: str) -> int:
    mine = (good.all_by(learner), bad.all_by(learner))
    return {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[mine]
