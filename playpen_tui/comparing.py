"""What a judge reads of two candidates: the dialogue before them, both replies, and of endings how it went on.

Everything is as people read it, without protocol tags, and from the eyes of the role that speaks. Where a game's code
is not here, or plays differently by now, the logged words are shown as they came.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from games import catalog
from games.engine import Match, MatchOver, Role
from playpen_tui.plain_board import lines as board_lines
from playpen_tui.transcript import Entry, entries, spoken
from store.errors import Erased, Foreign, Unknown
from store.history import LogHistory, lineage, load
from store.judging import Item
from store.log import Log

GAME_MASTER = "game master"
BOARD = "board"
"""Who says what the role has before its eyes."""
Line = tuple[str, str]
"""Who, and what."""
WORDS = {"success": "won", "failure": "lost", "aborted": "aborted", "draw": "draw", None: "unfinished"}


@dataclass(frozen=True, slots=True)
class Side:
    """What a judge sees of one candidate. `goes_on` is what was said after it, for endings."""

    candidate: str
    text: str
    goes_on: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """Two candidates, a and b, behind what both had heard."""

    game: str
    context: tuple[Line, ...]
    a: Side
    b: Side


@dataclass(frozen=True, slots=True)
class _Candidate:
    id: str
    episode: str
    ply: int
    role: Role
    seen: str | None
    text: str
    game: str


def compared(log: Log, item: Item) -> Compared:
    """What there is to read of an item. Raises Unknown where a candidate was erased, LogError."""
    one, two = (_candidate(log, id) for id in (item.a, item.b))
    before = {id: _match(log, side) for id, side in ((one.id, one), (two.id, two))}
    a, b = (_side(log, side, before[side.id], item.kind == "endings") for side in (one, two))
    if a.text == b.text and one.text != two.text:  # they differ in what people are spared: then it must be seen
        a, b = replace(a, text=one.text), replace(b, text=two.text)
    return Compared(one.game, _context(log, one, before[one.id]), a, b)


def revealed(log: Log, candidate: str) -> str:
    """Who wrote a candidate, how that game ended, what it was worth, and how long it is, on one line."""
    row = log.reader().execute(_REVEALED, (candidate,)).fetchone()
    if row is None:
        raise Unknown("the reply was erased meanwhile")
    kind, name, outcome, main, value, rollouts, text, said = row
    parts = ["a person" if kind == "human" else name]
    if said:
        parts.append(WORDS[outcome])
        if main is not None:
            parts.append(f"score {main:.4g}")
    if value is not None:
        parts.append(f"value {value:.2f}" + (f" of {rollouts}" if rollouts else ""))
    parts.append(f"{len(text):,} characters")
    return " · ".join(parts)


def _candidate(log: Log, id: str) -> _Candidate:
    sql = """SELECT c.id, c.episode_id, c.ply, c.role, c.seen_hash, c.text, e.game
    FROM candidates c JOIN episodes e ON e.id = c.episode_id WHERE c.id = ?"""
    row: Any = log.reader().execute(sql, (id,)).fetchone()
    if row is None:
        raise Unknown("the reply was erased meanwhile; go on with the next")
    return _Candidate(*row)


def _match(log: Log, side: _Candidate, whole: bool = False) -> Match | None:
    """The match before a candidate, or the whole one; None where it cannot be played again as it was."""
    logged = load(log.reader(), side.episode)
    try:
        LogHistory(log.reader).require_code(logged)
        game = catalog.get(logged.game)
        if game.version != logged.version:
            return None
        instance = game.instance_type.model_validate(dict(logged.instance))
        match = Match.replay(game, instance, logged.seed, logged.texts if whole else logged.texts[: side.ply])
    except (Erased, Foreign, catalog.UnknownGame, ImportError, MatchOver, ValueError):
        return None
    return match if whole or match.turn == side.role else None


def _context(log: Log, side: _Candidate, match: Match | None) -> tuple[Line, ...]:
    if match is None:
        heard = log.queries.conversation(side.seen)
        return tuple((side.role if role == "assistant" else GAME_MASTER, text) for role, text in heard)
    board = "\n".join(board_lines(match.game.board(match.state, side.role)))
    said = [(one.role, _words(one)) for one in entries(match, side.role)]
    return ((BOARD, board), *said) if board else tuple(said)


def _side(log: Log, side: _Candidate, match: Match | None, endings: bool) -> Side:
    said = None if match is None else spoken(match, side.role, side.text)
    text = side.text if said is None else _with(*said)
    return Side(side.id, text, _after(log, side) if endings else ())


def _after(log: Log, side: _Candidate) -> tuple[Line, ...]:
    match = _match(log, side, whole=True)
    if match is not None:
        return tuple((one.role, _words(one)) for one in entries(match, None) if one.ply > side.ply)
    rows = lineage(log.reader(), side.episode, "t.ply, t.role, t.text")
    return tuple((role, text) for ply, role, text in rows if ply > side.ply)


def _words(one: Entry) -> str:
    broken = f" [not accepted: {one.broken}]" if one.broken else ""
    return _with(one.text, one.extra) + broken


def _with(text: str, extra: str) -> str:
    return f"{text} ({extra})" if extra else text


_REVEALED = """
SELECT p.kind, p.name, r.outcome, r.main, c.value, (SELECT count(*) FROM rollouts o WHERE o.candidate_id = c.id),
  c.text, c.turn_id IS NOT NULL
FROM candidates c JOIN players p ON p.id = c.player_id LEFT JOIN turns t ON t.id = c.turn_id
LEFT JOIN results r ON r.episode_id = t.episode_id WHERE c.id = ?"""
