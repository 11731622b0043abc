"""From the events of an `interactions.json` to turns: who heard what, who said what, and what the game master objected.

A `get message` is a turn. What the game master sends before it is heard; what he notes after it, up to the next
message, says whether it kept the protocol. clembench's games each have their own words for that, but they agree with
their own count of violated requests: a note whose type says invalid, error or violation, except for moves that the
rules of the game (and not its protocol) forbid. TextArena's games note nothing: they tell the player, and at the end
their rewards say whether the last move was one too many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from games.engine import Role, Say, SayKind
from store.exchange.intake import Unreadable, mapping, moment
from store.ids import MessageRow, clean, message_hash, to_json

GAME_MASTER = "GM"

_BROKEN = re.compile(r"invalid|error|violat|illegal|malformed|unparsable|not parsable|wrong format", re.IGNORECASE)
_FORBIDDEN_MOVES = frozenset(("invalid_move", "invalid move", "invalid clue"))
"""Objections of the rules: the request was well formed, and clembench does not count it as violated."""
_REFUSED = re.compile(r"\[GAME\] .{0,80}attempted an invalid move\. Reason: (.*)")
"""How a game of TextArena sends a move back; clembench counts it as violated."""
_REWARDS = "rewards"
"""Type of the note of a game of TextArena that tells each player's end, as lines of `name: value`."""
_INVALID = "invalid move"
_NOTE = 2000
"""Characters of an objection that are kept."""


@dataclass(slots=True)
class Spoken:
    """One turn: `seat` is clembench's name of it, `at` milliseconds since 1970."""

    ply: int
    round: int
    seat: str
    text: str
    at: int
    stamp: str
    """The event's time as it was written: requests of older logs are found by it."""
    seen: str | None
    verdict: str = "ok"
    note: str = ""
    kind: str = ""
    """Type of the game master's note that made it illegal."""
    says: list[Say] = field(default_factory=list[Say])


@dataclass(slots=True)
class Dialogue:
    """What was said in an episode."""

    roles: Mapping[str, Role]
    """Role by seat."""
    opening: list[Say] = field(default_factory=list[Say])
    turns: list[Spoken] = field(default_factory=list[Spoken])
    messages: list[MessageRow] = field(default_factory=list[MessageRow])
    """Rows of every message that somebody heard or said, parents first."""
    heard: dict[str, str] = field(default_factory=dict[str, str])
    """Hash of each seat's whole conversation."""
    first: int | None = None
    last: int | None = None
    """Time of the first and last event, in milliseconds since 1970."""
    ending: str = ""
    """Type of the last note of the game master after the last turn, or the reason that it tells."""


class _Ear:
    """The conversation of one seat as it grows."""

    def __init__(self) -> None:
        self.tip: str | None = None
        self.waiting: list[tuple[str, bool]] = []
        """What was heard and not yet answered, each with whether it is remembered afterwards."""

    def add(self, rows: list[MessageRow], role: str, text: str) -> str:
        name = message_hash(self.tip, role, text)
        rows.append((name, self.tip, role, text))
        return name

    def listen(self, rows: list[MessageRow]) -> str | None:
        """Everything heard so far becomes part of the conversation; returns the hash of what is heard now."""
        if self.waiting:
            seen = self.add(rows, "user", "\n\n".join(text for text, _ in self.waiting))
            kept = [text for text, stays in self.waiting if stays]
            if len(kept) == len(self.waiting):
                self.tip = seen
            elif kept:
                self.tip = self.add(rows, "user", "\n\n".join(kept))
            self.waiting.clear()
            return seen
        return self.tip


def roles(players: Mapping[str, Any]) -> dict[str, Role]:
    """Roles by seat: `game_role` where it is unique in the episode, else with the number of the seat."""
    named: dict[str, str] = {}
    for seat, about in players.items():
        if seat == GAME_MASTER:
            continue
        told: Any = about if isinstance(about, str) else mapping(about).get("game_role")
        name = _role(told)
        if name == about and list(players.values()).count(about) > 1:  # the oldest logs tell the model alone
            name = clean(seat).replace("_", " ")
        named[clean(seat)] = name or clean(seat)
    found: dict[str, Role] = {}
    for seat, name in named.items():
        alone = sum(other == name for other in named.values()) == 1
        wish = name if alone and name.lower() != "gm" else f"{name} {_number(seat)}"
        found[seat] = wish if wish not in found.values() else seat
    return found


def _role(told: object) -> str:
    """A role as `players` tells it; older logs add the model: `Describer: gpt-4`, `Guesser (gpt-4)`, `A, gpt-4`."""
    return re.split(r"\s*[:(,]", clean(told), maxsplit=1)[0].strip()[:100] if isinstance(told, str) else ""


def _number(seat: str) -> str:
    found = re.search(r"\d+", seat)
    return found[0] if found else seat


def read(log: Mapping[str, Any]) -> Dialogue:
    """The dialogue of an `interactions.json`. Raises Unreadable where its events are not as clembench writes them."""
    players = log.get("players")
    rounds = log.get("turns")
    if not isinstance(players, dict) or not isinstance(rounds, list):
        raise Unreadable("has no players or no turns: it is no clembench episode")
    done = Dialogue(roles(cast(dict[str, Any], players)))
    ears = {seat: _Ear() for seat in done.roles}
    seats = {spoken(seat): seat for seat in done.roles} | {seat: seat for seat in done.roles}
    for number, events in enumerate(cast(list[Any], rounds)):
        if not isinstance(events, list):
            raise Unreadable(f"round {number} is no list of events")
        for place, event in enumerate(cast(list[Any], events)):
            _hear(done, ears, number, _event(event, number, place, seats))
    for seat, ear in ears.items():
        ear.listen(done.messages)
        if ear.tip is not None:
            done.heard[seat] = ear.tip
    return done


def spoken(seat: str) -> str:
    """A seat's name without its spelling: the oldest logs list `Player_1`, and `Player 1` speaks."""
    return "_".join(seat.lower().split())


@dataclass(frozen=True, slots=True)
class _Event:
    frm: str
    to: str
    type: str
    text: str
    forget: bool
    stamp: str
    at: int | None


def _event(event: Any, number: int, place: int, seats: Mapping[str, str]) -> _Event:
    where = f"event {place} of round {number}"
    about, action = mapping(event), mapping(mapping(event).get("action"))
    frm, to, kind = about.get("from"), about.get("to"), action.get("type")
    if not isinstance(frm, str) or not isinstance(to, str) or not isinstance(kind, str):
        raise Unreadable(f"{where} does not say from whom, to whom and of what type it is")
    frm, to = (_seat(name, seats, where) for name in (clean(frm), clean(to)))
    content = action.get("content")
    text = content if isinstance(content, str) else "" if content is None else to_json(content)
    stamp = about.get("timestamp")
    forget = action.get("label") == "forget"
    return _Event(frm, to, kind, clean(text), forget, stamp if isinstance(stamp, str) else "", moment(stamp))


def _seat(name: str, seats: Mapping[str, str], where: str) -> str:
    found = name if name == GAME_MASTER else seats.get(name, seats.get(spoken(name)))
    if found is None:
        raise Unreadable(f"{where} names {name[:40]!r}, who is not among the players")
    return found


def _hear(done: Dialogue, ears: Mapping[str, _Ear], number: int, event: _Event) -> None:
    if event.at is not None:
        done.first = event.at if done.first is None else done.first
        done.last = event.at
    if event.frm != GAME_MASTER:
        _speak(done, ears[event.frm], number, event)
    elif event.to != GAME_MASTER:
        _tell(done, ears[event.to], event)
    elif done.turns and event.type == _REWARDS:
        done.ending = _rewards(done.turns[-1], event) or event.type
    elif done.turns:
        _note(done.turns[-1], event)
        done.ending = event.type


def _speak(done: Dialogue, ear: _Ear, number: int, event: _Event) -> None:
    seen = ear.listen(done.messages)
    at = event.at if event.at is not None else done.last or 0
    done.turns.append(Spoken(len(done.turns), number, event.frm, event.text, at, event.stamp, seen))
    done.ending = ""
    if not event.forget:
        ear.tip = ear.add(done.messages, "assistant", event.text)


def _tell(done: Dialogue, ear: _Ear, event: _Event) -> None:
    before = done.turns[-1] if done.turns else None
    if before is not None and before.seat == event.to and (refused := _REFUSED.match(event.text)):
        _object(before, _INVALID, refused[1])
    by, kind = "gm", cast(SayKind, "feedback" if ear.tip is not None or ear.waiting else "brief")
    if before is not None and before.seat != event.to and before.text == event.text:
        by, kind = done.roles[before.seat], "relay"
    say = Say(done.roles[event.to], event.text, by, kind)
    (done.opening if before is None else before.says).append(say)
    ear.waiting.append((event.text, not event.forget))


def _note(turn: Spoken, event: _Event) -> None:
    """What the game master noted about the latest turn."""
    broken = bool(_BROKEN.search(event.type))
    if broken and event.type not in _FORBIDDEN_MOVES:
        _object(turn, event.type, event.text)
    elif not turn.note and (broken or (event.type == "metadata" and event.text.startswith("Error"))):
        turn.note = event.text[:_NOTE]


def _object(turn: Spoken, kind: str, text: str) -> None:
    """The turn broke the protocol; what was said of it first counts."""
    if turn.verdict == "ok":
        turn.verdict, turn.kind = "illegal", clean(kind)[:200]
        turn.note = clean(f"{kind}: {text}" if text else kind)[:_NOTE]


def _rewards(turn: Spoken, event: _Event) -> str:
    """What TextArena says at the end: whether the last move was invalid. Returns its reason."""
    lines = (line.partition(": ") for line in event.text.splitlines())
    told = {name: value for name, _, value in lines}
    reason = told.get("reason", "")
    if told.get("invalid_move") == "True":
        _object(turn, _INVALID, reason.removeprefix("Invalid Move: "))
    return reason
