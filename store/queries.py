"""Everything the floors above ask the log, as plain dataclasses: no SQL above this floor, no rows either."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from games import catalog
from games.engine import Message, Role, Say
from store import scored
from store.errors import BadCondition, UnknownEpisode, UnknownRun
from store.filters import FROM, Filters
from store.history import lineage, seats
from store.records import (
    CallRow,
    Counts,
    EpisodeDetail,
    EpisodeRow,
    FailureRow,
    Invitation,
    OutcomeRow,
    Progress,
    RunRow,
    ScoreRow,
    TurnRow,
)

ROW = """
SELECT e.id, e.run_id, u.kind, e.game, e.game_version, i.name, i.language,
  (SELECT json_group_object(s.role, p.name) FROM seats s JOIN players p ON p.id = s.player_id
    WHERE s.episode_id = e.id),
  (SELECT json_group_array(s.person_id) FROM seats s WHERE s.episode_id = e.id AND s.person_id IS NOT NULL),
  coalesce(r.plies, (SELECT max(t.ply) + 1 FROM turns t WHERE t.episode_id = e.id), e.fork_ply, 0),
  r.outcome, coalesce(r.reason, ''), r.main, e.started_at,
  coalesce(r.ended_at, (SELECT t.created_at FROM turns t WHERE t.episode_id = e.id ORDER BY t.ply DESC LIMIT 1),
    e.started_at)
FROM episodes e JOIN instances i ON i.id = e.instance_id
LEFT JOIN runs u ON u.id = e.run_id LEFT JOIN results r ON r.episode_id = e.id
"""

"""Begins every query for `EpisodeRow`s."""
_KEPT = "e.id NOT IN (SELECT episode_id FROM trash)"


class Queries:
    """Reads. `reader` gives a connection that this thread may read from, so any thread may ask."""

    def __init__(self, reader: Callable[[], sqlite3.Connection]) -> None:
        self._reader = reader

    def recent(self, limit: int = 20, *, before: str | None = None, game: str | None = None) -> list[EpisodeRow]:
        """The latest episodes, newest first; `before` is the last id of the page above."""
        where, values = [_KEPT], list[Any]()
        if before is not None:
            where.append("e.id < ?")
            values.append(before)
        if game is not None:
            where.append("e.game = ?")
            values.append(game)
        return self._rows(f"WHERE {' AND '.join(where)} ORDER BY e.id DESC LIMIT ?", (*values, limit))

    def tagged(self, tag: str, episodes: Sequence[str]) -> set[str]:
        """Which of these episodes carry the tag."""
        marks = ", ".join("?" * len(episodes))
        rows = self._reader().execute(
            f"SELECT episode_id FROM tags WHERE tag = ? AND episode_id IN ({marks})", (tag, *episodes)
        )
        return {episode for (episode,) in rows}

    def unfinished(self, limit: int = 20, *, kinds: Sequence[str] | None = None) -> list[EpisodeRow]:
        """Episodes that can be resumed, newest first; `kinds` of run, None for all (with or without a run)."""
        kept, values = "", list[Any]()
        if kinds is not None:
            kept = f"AND u.kind IN ({', '.join('?' * len(kinds))})"
            values += kinds
        return self._rows(f"WHERE {_KEPT} AND r.episode_id IS NULL {kept} ORDER BY e.id DESC LIMIT ?", (*values, limit))

    def matching(self, filters: Filters, limit: int | None = None, *, before: str | None = None) -> list[EpisodeRow]:
        """Episodes that fit, newest first; `before` is the last id of the page above. Raises as `count` does."""
        if limit == 0:
            return []
        condition, values = filters.sql()
        if before is not None:
            condition += " AND e.id < ?"
            values.append(before)
        with told(filters):
            return self._rows(
                f"WHERE {condition} ORDER BY e.id DESC LIMIT ?", (*values, -1 if limit is None else limit)
            )

    def count(self, filters: Filters) -> int:
        """How many episodes fit. Raises ValueError, and LogError where a condition of the user's is no SQL."""
        condition, values = filters.sql()
        with told(filters):
            return int(self._reader().execute(f"SELECT count(*) {FROM} WHERE {condition}", values).fetchone()[0])

    def ids(self, filters: Filters) -> list[str]:
        """Ids of all episodes that fit, oldest first. Raises as `count` does."""
        condition, values = filters.sql()
        with told(filters):
            rows = self._reader().execute(f"SELECT e.id {FROM} WHERE {condition} ORDER BY e.id", values).fetchall()
        return [id for (id,) in rows]

    def of_run(self, run: str) -> list[EpisodeRow]:
        """All episodes of a run in order of slot."""
        return self._rows("WHERE e.run_id = ? ORDER BY e.slot, e.id", (run,))

    def used(self, run: str) -> dict[str, tuple[int, int]]:
        """Tokens in and out that a run has used so far, by player's name."""
        sql = """SELECT p.name, coalesce(sum(c.tokens_in), 0), coalesce(sum(c.tokens_out), 0)
        FROM calls c JOIN episodes e ON e.id = c.episode_id JOIN players p ON p.id = c.player_id
        WHERE e.run_id = ? GROUP BY p.name"""
        return {name: (into, out) for name, into, out in self._reader().execute(sql, (run,))}

    def slots(self, run: str) -> tuple[set[int], dict[int, str]]:
        """What a resumed run has: slots that are finished, and unfinished episodes by slot."""
        rows = self._reader().execute(
            "SELECT e.slot, e.id, r.episode_id IS NOT NULL FROM episodes e LEFT JOIN results r ON r.episode_id = e.id "
            "WHERE e.run_id = ? AND e.slot IS NOT NULL",
            (run,),
        )
        done, begun = set[int](), dict[int, str]()
        for slot, episode, finished in rows:
            if finished:
                done.add(slot)
            else:
                begun[slot] = episode
        return done, begun

    def run(self, id: str) -> RunRow:
        """A run by id or unambiguous beginning of it. Raises UnknownRun (a LookupError)."""
        wish = id.strip().upper()
        rows = self._reader().execute(f"{_RUN} WHERE r.id >= ? AND r.id < ? LIMIT 2", (wish, wish + "~")).fetchall()
        if len(rows) != 1 or not wish:
            raise UnknownRun(f"{'several runs begin with' if rows else 'no run'} {id!r} in the log")
        return _run(rows[0])

    def runs(self, limit: int = 20, *, kind: str | None = None) -> list[RunRow]:
        """The latest runs, newest first."""
        rows = self._reader().execute(f"{_RUN} WHERE coalesce(r.kind = ?, 1) ORDER BY r.id DESC LIMIT ?", (kind, limit))
        return [_run(row) for row in rows]

    def progress(self, run: str) -> Progress | None:
        """How far a run is; None where it never said."""
        return self.run(run).progress

    def live(self, run: str, limit: int = 8) -> list[EpisodeRow]:
        """Unfinished episodes of a run, those that moved last first."""
        newest = "(SELECT max(t.seq) FROM turns t WHERE t.episode_id = e.id) DESC, e.id DESC"
        return self._rows(f"WHERE e.run_id = ? AND r.episode_id IS NULL ORDER BY {newest} LIMIT ?", (run, limit))

    def ended(self, run: str, limit: int = 8) -> list[EpisodeRow]:
        """Finished episodes of a run, those that ended last first."""
        return self._rows("WHERE e.run_id = ? AND r.episode_id IS NOT NULL ORDER BY r.rowid DESC LIMIT ?", (run, limit))

    def failures(self, run: str | None = None, limit: int = 100) -> list[FailureRow]:
        """The latest failures of players, of one run or of all, newest first."""
        rows: list[Any] = (
            self._reader()
            .execute(
                "SELECT f.episode_id, f.ply, f.role, p.name, f.kind, f.message, f.created_at FROM failures f "
                "JOIN players p ON p.id = f.player_id JOIN episodes e ON e.id = f.episode_id "
                "WHERE coalesce(e.run_id = ?, 1) ORDER BY f.id DESC LIMIT ?",
                (run, limit),
            )
            .fetchall()
        )
        return [FailureRow(*row) for row in rows]

    def invitation(self, code: str) -> Invitation | None:
        """The open or closed seat of this code, in whatever case it is typed."""
        row = self._reader().execute(f"{_INVITATION} WHERE code = ?", (code.strip().upper(),)).fetchone()
        return None if row is None else Invitation(*row)

    def invitations(self, episode: str) -> list[Invitation]:
        """Seats of an episode that are open to other terminals."""
        rows = self._reader().execute(
            f"{_INVITATION} WHERE episode_id = ? AND closed_at IS NULL ORDER BY role", (episode,)
        )
        return [Invitation(*row) for row in rows]

    def run_of(self, episode: str) -> str | None:
        """The run that an episode belongs to; None where it belongs to none, or is not in the log."""
        row = self._reader().execute("SELECT run_id FROM episodes WHERE id = ?", (episode,)).fetchone()
        return None if row is None else row[0]

    def others_at(self, seat: Invitation) -> list[str]:
        """Pseudonyms of the people who sat or spoke at the table of an open seat, but for whoever joined it."""
        rows = self._reader().execute(
            "SELECT person_id FROM seats WHERE episode_id = ?1 AND person_id IS NOT NULL UNION SELECT person_id "
            "FROM turns WHERE episode_id = ?1 AND person_id IS NOT NULL AND (role != ?2 OR created_at < ?3)",
            (seat.episode, seat.role, seat.opened_at),
        )
        return [person for (person,) in rows]

    def outcomes(
        self,
        *,
        games: Sequence[str] = (),
        runs: Sequence[str] = (),
        split: str | None = None,
        since: str | None = None,
    ) -> list[OutcomeRow]:
        """Finished episodes with who sat where, oldest first. Those in the trash are left out, and those of which a
        seat changed hands, since they are nobody's.

        A player is its name; where several who played share it (other settings, another revision), so much of the
        player's id is added as tells them apart.
        """
        where, values = [_KEPT], list[Any]()
        for column, wanted in (("e.game", games), ("e.run_id", runs)):
            if wanted:
                where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        if split is not None:
            where.append("i.split = ?")
            values.append(split)
        if since is not None:
            where.append("e.started_at >= ?")
            values.append(since)
        rows = self._reader().execute(f"{_OUTCOME} WHERE {' AND '.join(where)} ORDER BY e.id", values).fetchall()
        several = dict(self._reader().execute(_SHARED))
        roles = cache(_roles)
        found: list[OutcomeRow] = []
        for episode, game, key, run, seed, seated, outcome, main, rewards, winners in rows:
            players = {
                role: name + (f"#{id[:6]}" if name in several else "") + ("+assist" if assisted else "")
                for role, id, name, assisted in json.loads(seated)
            }
            order = _ordered(roles(game), players)
            found.append(
                OutcomeRow(
                    episode, game, key, run, seed, order, outcome, main, json.loads(rewards), tuple(json.loads(winners))
                )
            )
        return found

    def scored(self, filters: Filters) -> list[scored.ScoredRow]:
        """Finished episodes that fit, as tables of results see them, oldest first. Raises as `count` does.

        Branches and episodes whose seats changed hands are left out; `left_out` counts them.
        """
        reader = self._reader()
        with told(filters):
            return scored.read(reader, filters, (name for name, _ in reader.execute(_SHARED)), cache(_roles))

    def left_out(self, filters: Filters, taken: int) -> scored.LeftOut:
        """What fits beside the `taken` rows of `scored`. Raises as `count` does."""
        with told(filters):
            return scored.left_out(self._reader(), filters, taken)

    def content_hash(self) -> str:
        """SHA-256 over all that was played, 64 hex digits: equal for equal content, whatever the file looks like."""
        return scored.content_hash(self._reader())

    def counts(self) -> Counts:
        """How much there is in all."""
        tables = ("episodes", "results", "turns", "calls", "people", "runs")
        sums = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        return Counts(*self._reader().execute(f"SELECT {sums}").fetchone())

    def by_game(self) -> dict[str, dict[str, int]]:
        """Number of episodes per game and outcome; `unfinished` where there is none."""
        found: dict[str, dict[str, int]] = {}
        for game, outcome, number in self._reader().execute(
            "SELECT e.game, coalesce(r.outcome, 'unfinished'), count(*) FROM episodes e "
            "LEFT JOIN results r ON r.episode_id = e.id GROUP BY 1, 2 ORDER BY 1, 2"
        ):
            found.setdefault(game, {})[outcome] = number
        return found

    def search(self, words: str, limit: int = 20) -> list[tuple[str, int, str]]:
        """Turns that hold all these words: episode, ply, and an excerpt with [the words] marked; newest first."""
        query = " ".join('"' + word.replace('"', '""') + '"' for word in words.replace("\0", " ").split())
        if not query:
            return []
        return (
            self._reader()
            .execute(
                "SELECT t.episode_id, t.ply, f.excerpt FROM (SELECT rowid AS seq, "
                "  snippet(turns_fts, 0, '[', ']', '…', 12) AS excerpt FROM turns_fts WHERE turns_fts MATCH ? "
                "  ORDER BY rowid DESC LIMIT ?) f JOIN turns t ON t.seq = f.seq ORDER BY t.seq DESC",
                (query, limit),
            )
            .fetchall()
        )

    def conversation(self, hash: str | None) -> list[Message]:
        """The conversation whose last message has this hash: what `seen_hash` or `prompt_hash` stands for."""
        rows = self._reader().execute(
            "WITH RECURSIVE walk(parent, role, content, back) AS ("
            "  SELECT parent_hash, role, content, 0 FROM messages WHERE hash = ?"
            "  UNION ALL SELECT m.parent_hash, m.role, m.content, w.back + 1"
            "  FROM walk w JOIN messages m ON m.hash = w.parent)"
            "SELECT role, content FROM walk ORDER BY back DESC",
            (hash,),
        )
        return [Message(role, content) for role, content in rows]

    def perspective(self, episode: str, role: Role) -> list[Message]:
        """What one seat heard and said: in full once the episode is over, before that up to its latest turn."""
        row = (
            self._reader()
            .execute("SELECT hash FROM tips WHERE episode_id = ? AND role = ?", (episode, role))
            .fetchone()
        )
        return self.conversation(row[0]) if row else []

    def detail(self, id: str) -> EpisodeDetail:
        """Everything about the episode with exactly this id. Raises UnknownEpisode (a LookupError)."""
        reader = self._reader()
        found = self._rows("WHERE e.id = ?", (id,))
        if not found:
            raise UnknownEpisode(f"no episode {id!r} in the log")
        seed, slot, group, parent, fork, opening, experiment, split, key, rewards, winners = reader.execute(
            "SELECT e.seed, e.slot, e.group_id, e.parent_id, e.fork_ply, e.opening, i.experiment, i.split, i.key, "
            "coalesce(r.rewards, '{}'), coalesce(r.winners, '[]') FROM episodes e "
            "JOIN instances i ON i.id = e.instance_id LEFT JOIN results r ON r.episode_id = e.id WHERE e.id = ?",
            (id,),
        ).fetchone()
        scores = reader.execute(
            "SELECT name, value, ply, role, scorer FROM scores WHERE episode_id = ? ORDER BY name, ply, role", (id,)
        )
        tags = reader.execute("SELECT tag FROM tags WHERE episode_id = ? ORDER BY tag", (id,))
        return EpisodeDetail(
            row=found[0],
            seed=seed,
            experiment=experiment,
            split=split,
            key=key,
            slot=slot,
            group=group,
            parent=parent,
            fork_ply=fork,
            opening=_says(opening),
            turns=tuple(_turn(row) for row in lineage(reader, id, _TURN)),
            calls=tuple(_call(row) for row in reader.execute(_CALL, (id,))),
            scores=tuple(ScoreRow(name, value, None if ply < 0 else ply, *rest) for name, value, ply, *rest in scores),
            seats=seats(reader, id),
            rewards=json.loads(rewards),
            winners=tuple(json.loads(winners)),
            tags=tuple(tag for (tag,) in tags),
        )

    def _rows(self, rest: str, values: Sequence[Any]) -> list[EpisodeRow]:
        return [episode_row(row) for row in self._reader().execute(ROW + rest, values)]


_SHARED = """
SELECT name, count(*) FROM players p WHERE kind = 'model' AND EXISTS (SELECT 1 FROM seats s WHERE s.player_id = p.id)
GROUP BY 1 HAVING count(*) > 1"""
"""Those who never sat down, such as the result of a training before it plays, are not mistaken for anybody."""
_OUTCOME = """
SELECT e.id, e.game, i.key, e.run_id, e.seed,
  (SELECT json_group_array(json_array(s.role, p.id, p.name, (
      SELECT coalesce(max(t.assisted), 0) FROM turns t WHERE t.episode_id = e.id AND t.role = s.role)))
    FROM seats s JOIN players p ON p.id = s.player_id WHERE s.episode_id = e.id),
  r.outcome, r.main, r.rewards, r.winners
FROM results r JOIN episodes e ON e.id = r.episode_id AND NOT EXISTS (
  SELECT 1 FROM turns t JOIN seats s ON s.episode_id = t.episode_id AND s.role = t.role
  WHERE t.episode_id = r.episode_id AND t.player_id <> s.player_id)
JOIN instances i ON i.id = e.instance_id
"""


@contextmanager
def told(filters: Filters) -> Generator[None]:
    """An SQL error is the user's where the condition is; anything else is ours."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.ProgrammingError) as error:
        if not filters.where:
            raise
        raise BadCondition(
            f"--where {filters.where!r} is no condition that SQLite understands ({error}); "
            "e is episodes, i instances, u runs, r results"
        ) from error


def _roles(game: str) -> tuple[Role, ...]:
    """Roles in the game's own order, where its code is here. Looking for one that is not takes milliseconds."""
    try:
        return tuple(catalog.get(game).roles)
    except catalog.UnknownGame:
        return ()


def _ordered(roles: Sequence[Role], players: dict[Role, str]) -> dict[Role, str]:
    order = [role for role in roles if role in players]
    return {role: players[role] for role in (*order, *(role for role in players if role not in order))}


_INVITATION = "SELECT code, episode_id, role, opened_at, seen_at, closed_at FROM invitations"

_RUN = """
SELECT r.id, r.kind, r.created_at, r.app_version, r.seed, r.config,
  (SELECT count(*) FROM episodes e WHERE e.run_id = r.id),
  (SELECT count(*) FROM episodes e JOIN results x ON x.episode_id = e.id WHERE e.run_id = r.id),
  p.state, p.planned, p.done, p.failed, p.running, p.tokens_in, p.tokens_out, p.cost, p.seconds, p.host, p.pid,
  p.beat_at
FROM runs r LEFT JOIN progress p ON p.run_id = r.id
"""

_TURN = """
t.id, t.episode_id, t.ply, t.round, t.role, (SELECT name FROM players p WHERE p.id = t.player_id), t.person_id,
t.assisted, t.text, t.verdict, t.note, t.says, t.seen_hash, t.ms, t.created_at
"""

_CALL = """
SELECT c.id, c.ply, c.role, c.turn_id, p.name, c.prompt_hash, c.text, c.reasoning, c.finish, c.tokens_in, c.tokens_out,
  c.ms, c.first_token_ms, c.assisted, c.sampling, c.error
FROM calls c JOIN players p ON p.id = c.player_id WHERE c.episode_id = ? ORDER BY c.ply, c.id
"""


def episode_row(row: Sequence[Any]) -> EpisodeRow:
    """A row of `ROW`."""
    values: list[Any] = [*row[:7], json.loads(row[7]), tuple(json.loads(row[8])), *row[9:]]
    return EpisodeRow(*values)


def _run(row: Sequence[Any]) -> RunRow:
    values: list[Any] = [*row[:5], json.loads(row[5]), *row[6:8]]
    progress: list[Any] = list(row[8:])
    return RunRow(*values, progress=None if row[8] is None else Progress(*progress))


def _turn(row: Sequence[Any]) -> TurnRow:
    values: list[Any] = [*row[:7], bool(row[7]), *row[8:11], _says(row[11]), *row[12:]]
    return TurnRow(*values)


def _call(row: Sequence[Any]) -> CallRow:
    values: list[Any] = [*row[:13], bool(row[13]), json.loads(row[14]), row[15]]
    return CallRow(*values)


def _says(data: str) -> tuple[Say, ...]:
    return tuple(Say(**say) for say in json.loads(data))
