"""Finished episodes as tables of results see them: who sat where, what it came to, and how the form was kept.

How often a model was asked, and how often its reply broke the form, is counted from turns and verdicts. Of imported
clembench episodes (`clem:NAME`) clembench's own counts are taken, which stand in its scores.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from games.engine import Role
from store.filters import FROM, Filters

CLEM = "clem:"
"""What the names of imported clembench games begin with."""


class Requests(NamedTuple):
    """How often a reply was asked for, and how many of the replies were in form and how many were not."""

    made: int
    parsed: int
    violated: int


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A finished episode, whose seats stayed with whom they were given to."""

    episode: str
    run: str | None
    game: str
    experiment: str
    instance: str
    """Id of the instance: the hash of its content."""
    key: str
    """What a learner would recognise of it; instances of one key are not independent."""
    seed: int
    group: str | None
    players: Mapping[Role, str]
    """Names by role, in the game's order; `+assist` behind those that were assisted."""
    kinds: Mapping[Role, str]
    """Kinds of the players: human, model, bot, replay."""
    outcome: str
    main: float | None
    """Main score, 0 to 100; None where the episode was aborted, or its game gave none."""
    reason: str
    """Why it ended so: the reason the game gave, else what the game master objected to last."""
    requests: Requests
    by_role: Mapping[Role, Requests]
    """The same per seat; empty where only the sum is known."""

    @property
    def model(self) -> str:
        """Whose episode it is: `a` where a has all seats, else `a--b` in order of roles, as clembench names folders.

        Seats that clembench's own programs took are part of its games and do not count.
        """
        seats = [name for role, name in self.players.items() if not (self.imported and self.kinds[role] == "bot")]
        names = seats or list(self.players.values())
        return names[0] if len(set(names)) == 1 else "--".join(names)

    @property
    def imported(self) -> bool:
        """Whether clembench's own rules and prompts were played."""
        return self.game.startswith(CLEM)

    @property
    def played(self) -> bool:
        """Whether the protocol was kept to the end."""
        return self.outcome != "aborted"

    @property
    def success(self) -> bool:
        """Whether it was won."""
        return self.outcome == "success"


class LeftOut(NamedTuple):
    """Episodes that fit the filters and are in no table."""

    unfinished: int
    branches: int
    """They share their beginning with another episode, so they are no new observation."""
    changed_hands: int
    """A seat was given to another player in mid-game: the result is nobody's alone."""

    def __str__(self) -> str:
        words = (
            (self.unfinished, "unfinished"),
            (self.branches, "branches"),
            (self.changed_hands, "whose seats changed hands"),
        )
        return ", ".join(f"{number:,} {what}" for number, what in words if number)


_EPISODES = f"""
SELECT e.id, e.run_id, e.game, i.experiment, e.instance_id, i.key, e.seed, e.group_id, r.outcome, r.main, r.reason
{FROM} WHERE r.episode_id IS NOT NULL AND e.parent_id IS NULL AND """
_CHOSEN = f"""WITH chosen AS MATERIALIZED (
  SELECT e.id AS id, e.game AS game {FROM} WHERE r.episode_id IS NOT NULL AND e.parent_id IS NULL AND {{}})
"""
_SEATS = """
SELECT s.episode_id, s.role, p.id, p.name, p.kind
FROM chosen c CROSS JOIN seats s ON s.episode_id = c.id JOIN players p ON p.id = s.player_id
"""
_TURNS = """
SELECT t.episode_id, t.role, count(*), sum(t.verdict = 'ok'), max(t.assisted),
  min(t.player_id), max(t.player_id)
FROM chosen c CROSS JOIN turns t ON t.episode_id = c.id GROUP BY t.episode_id, t.role
"""
_LAST_NOTE = """
SELECT t.note FROM turns t WHERE t.episode_id = ? AND t.verdict = 'illegal' ORDER BY t.ply DESC LIMIT 1
"""
_METRICS = f"""
SELECT s.episode_id, s.metrics FROM chosen c CROSS JOIN scorings s ON s.episode_id = c.id
WHERE c.game GLOB '{CLEM}*'
"""
_LEFT = f"""
SELECT sum(r.episode_id IS NULL), sum(r.episode_id IS NOT NULL AND e.parent_id IS NOT NULL),
  sum(r.episode_id IS NOT NULL AND e.parent_id IS NULL) {FROM} WHERE """


def read(
    reader: sqlite3.Connection,
    filters: Filters,
    shared: Iterable[str],
    roles: Callable[[str], Sequence[Role]],
) -> list[ScoredRow]:
    """Finished episodes that fit, oldest first, without branches and those whose seats changed hands.

    `shared` are names that several models have: so much of the player's id is added as tells them apart. `roles`
    gives those of a game in its own order, as far as they are known. Raises ValueError, and what SQLite raises for a
    condition of the user.
    """
    condition, values = filters.sql()
    chosen = _CHOSEN.format(condition)
    several = set(shared)
    seated: dict[str, dict[Role, tuple[str, str, str]]] = {}
    for episode, role, *player in reader.execute(chosen + _SEATS, values):
        seated.setdefault(episode, {})[role] = (player[0], player[1], player[2])
    spoken: dict[str, dict[Role, tuple[Any, ...]]] = {}
    for episode, role, *counts in reader.execute(chosen + _TURNS, values):
        spoken.setdefault(episode, {})[role] = tuple(counts)
    official: dict[str, Requests] = {}
    for episode, metrics in reader.execute(chosen + _METRICS, values):
        if (found := _official(json.loads(metrics))) is not None:
            official[episode] = found
    rows: list[ScoredRow] = []
    for episode, run, game, experiment, instance, key, seed, group, outcome, main, reason in reader.execute(
        f"{_EPISODES}{condition} ORDER BY e.id", values
    ):
        turns = spoken.get(episode, {})
        seats = seated.get(episode, {})
        if any({low, high} != {seats[role][0]} for role, (*_, low, high) in turns.items() if role in seats):
            continue
        order = [role for role in roles(game) if role in seats]
        names = {
            role: name + (f"#{id[:6]}" if name in several else "") + ("+assist" if _assisted(turns, role) else "")
            for role in dict.fromkeys((*order, *seats))
            for id, name, _ in (seats[role],)
        }
        by_role = {role: Requests(made, ok, made - ok) for role, (made, ok, *_) in turns.items()}
        if outcome == "aborted" and not reason:
            note = reader.execute(_LAST_NOTE, (episode,)).fetchone()
            reason = note[0] if note else ""
        whole = official.get(episode)
        rows.append(
            ScoredRow(
                episode,
                run,
                game,
                experiment,
                instance,
                key,
                seed,
                group,
                names,
                {role: kind for role, (_, _, kind) in seats.items()},
                outcome,
                main,
                reason,
                whole or _total(by_role.values()),
                {} if whole else by_role,
            )
        )
    return rows


def left_out(reader: sqlite3.Connection, filters: Filters, taken: int) -> LeftOut:
    """What fits the filters beside the `taken` rows of `read`."""
    condition, values = filters.sql()
    unfinished, branches, finished = reader.execute(_LEFT + condition, values).fetchone()
    return LeftOut(unfinished or 0, branches or 0, (finished or 0) - taken)


def _total(some: Iterable[Requests]) -> Requests:
    rows = list(some)
    return Requests(*(sum(part) for part in zip(*rows, strict=True))) if rows else Requests(0, 0, 0)


def _assisted(turns: Mapping[Role, tuple[Any, ...]], role: Role) -> bool:
    return role in turns and bool(turns[role][2])


def _official(metrics: Mapping[str, Any]) -> Requests | None:
    """clembench's own counts; None where this scorer has none."""
    made, parsed, violated = (
        metrics.get(name) for name in ("Request Count", "Parsed Request Count", "Violated Request Count")
    )
    if not isinstance(made, int | float):
        return None
    wrong = int(violated) if isinstance(violated, int | float) else 0
    return Requests(int(made), int(parsed) if isinstance(parsed, int | float) else int(made) - wrong, wrong)


_FACTS = (
    "SELECT id, game, name, key, experiment, language, split FROM instances ORDER BY id",
    "SELECT id, instance_id, game, game_version, seed, parent_id, fork_ply FROM episodes ORDER BY id",
    "SELECT s.episode_id, s.role, p.name, p.revision, p.adapter_hash, p.sampling FROM seats s "
    "JOIN players p ON p.id = s.player_id ORDER BY s.episode_id, s.role",
    "SELECT episode_id, ply, role, player_id, assisted, text, verdict, note FROM turns ORDER BY episode_id, ply",
    "SELECT episode_id, outcome, reason, main, rewards, winners, plies FROM results ORDER BY episode_id",
    "SELECT episode_id, scorer, turns, metrics FROM scorings ORDER BY episode_id, scorer",
)


def content_hash(reader: sqlite3.Connection) -> str:
    """SHA-256 over what was played and how it ended, 64 hex digits: equal in every copy, merge or vacuum of the same.

    Instances, episodes, seats, turns, results and scores, each in the order of its key, as JSON lines.
    """
    hashed = hashlib.sha256()
    for query in _FACTS:
        hashed.update(query.encode())
        for row in reader.execute(query):
            hashed.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))
            hashed.update(b"\n")
    return hashed.hexdigest()
