"""Keeping house: what is in the log, whether it is whole, and a copy of it.

`check` believes nothing: it asks SQLite, follows every reference, recomputes every message's hash, and plays a sample
of episodes again to see whether the rules still give what was logged.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from games import catalog
from games.engine import Game, Match, Message, Step
from store.connection import explain
from store.copies import note
from store.errors import Damaged, FileExists, LogError, NoFolder, UnknownEpisode
from store.history import FOREIGN, is_erased, load, replay
from store.ids import blob_hash, chain, message_hash, to_json, unpacked
from store.log import Log
from store.query import BadQuery, parse
from store.recorder import says_json
from store.records import Counts
from store.schema import applied


@dataclass(frozen=True, slots=True)
class Info:
    """What is in a log, and how large it is. Sizes in bytes."""

    path: Path
    size: int
    waiting: int
    """Bytes of the write-ahead log that are not folded into the file yet."""
    free: int
    """Free space on the disk."""
    schema: str
    journal: str
    counts: Counts
    games: Mapping[str, Mapping[str, int]]
    """Episodes per game and outcome."""
    people: Mapping[str, int]
    """People per level of consent."""
    first: str | None
    last: str | None
    """When the first and the last episode began."""
    notices: tuple[str, ...]


def info(log: Log) -> Info:
    """What is in the log."""
    reader = log.reader()
    wal = log.path.with_name(log.path.name + "-wal")
    first, last = reader.execute("SELECT min(started_at), max(started_at) FROM episodes").fetchone()
    return Info(
        path=log.path.absolute(),
        size=log.path.stat().st_size,
        waiting=wal.stat().st_size if wal.exists() else 0,
        free=shutil.disk_usage(log.path.absolute().parent).free,
        schema=applied(reader)[-1],
        journal=reader.execute("PRAGMA journal_mode").fetchone()[0],
        counts=log.queries.counts(),
        games=log.queries.by_game(),
        people=dict(reader.execute("SELECT consent, count(*) FROM people GROUP BY 1 ORDER BY 1").fetchall()),
        first=first,
        last=last,
        notices=tuple(log.notices),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be. `where` is the row it concerns."""

    kind: str
    """`file`, `reference`, `search`, `order`, `hash`, `import`, `redaction`, `view` or `replay`."""
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. Good when there are no problems."""

    problems: tuple[Problem, ...]
    messages: int
    """Messages whose hash was recomputed."""
    replayed: int
    """Episodes that were played again, out of `episodes`."""
    skipped: Mapping[str, int]
    """Episodes of the sample that could not be played again, by reason."""
    episodes: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


_ORDER = {
    "a turn is missing": """
        SELECT t.episode_id, 'has ' || count(*) || ' turns from ply ' || coalesce(e.fork_ply, 0) || ', the last is ply '
          || max(t.ply) FROM turns t JOIN episodes e ON e.id = t.episode_id GROUP BY t.episode_id
        HAVING count(*) <> max(t.ply) + 1 - coalesce(e.fork_ply, 0) OR min(t.ply) <> coalesce(e.fork_ply, 0)""",
    "the result counts other turns": """
        SELECT r.episode_id, 'its result counts ' || r.plies || ' turns, the log has '
          || (SELECT coalesce(max(t.ply) + 1, e.fork_ply, 0) FROM turns t WHERE t.episode_id = r.episode_id)
        FROM results r JOIN episodes e ON e.id = r.episode_id
        WHERE r.plies <> (SELECT coalesce(max(t.ply) + 1, e.fork_ply, 0) FROM turns t WHERE t.episode_id = r.episode_id)
        """,
    "a role that has no seat spoke": """
        SELECT t.episode_id, 'ply ' || t.ply || ': ' || t.role FROM turns t WHERE NOT EXISTS
          (SELECT 1 FROM seats s WHERE s.episode_id = t.episode_id AND s.role = t.role)""",
    "a player that neither sat there nor is a substitute spoke": """
        SELECT t.episode_id, 'ply ' || t.ply || ': ' || t.player_id FROM turns t WHERE NOT EXISTS
          (SELECT 1 FROM sitters s WHERE s.episode_id = t.episode_id AND s.role = t.role
            AND s.player_id = t.player_id)""",
}


def check(
    log: Log, *, sample: int = 200, seed: int = 0, game_of: Callable[[str], Game] = catalog.get, limit: int = 100
) -> Report:
    """Check the whole log; play `sample` episodes again (0: none). Reports at most `limit` problems of each kind."""
    reader = log.reader()
    problems: list[Problem] = []
    try:
        for (message,) in reader.execute("PRAGMA integrity_check(20)"):
            if message != "ok":
                problems.append(Problem("file", str(log.path), message))
        for table, rowid, parent, _ in reader.execute("PRAGMA foreign_key_check").fetchmany(limit):
            problems.append(Problem("reference", f"{table} row {rowid}", f"names a row of {parent} that is not there"))
        problems += _search(log) + _views(reader)
        for kind, sql in _ORDER.items():
            found = reader.execute(sql).fetchmany(limit)
            problems += [Problem("order", episode, f"{kind}: {message}") for episode, message in found]
        for id, opened_at in reader.execute("SELECT id, opened_at FROM redactions WHERE closed_at IS NULL"):
            message = f"was opened at {opened_at} and never closed, so rows can be changed; close it"
            problems.append(Problem("redaction", id, message))
        if reader.execute("SELECT 1 FROM unswept").fetchone():
            message = "words were erased, and the file has not been written anew since: playpen-tui db forget --finish"
            problems.append(Problem("redaction", str(log.path), message))
        messages, wrong = _hashes(reader, limit)
        problems += wrong
        problems += _blobs(reader, limit)
        replayed, skipped, different = _replays(reader, sample, seed, game_of)
        problems += different
        episodes = log.queries.counts().episodes
    except sqlite3.DatabaseError as error:
        told = explain(error, log.path)
        if not isinstance(told, Damaged):
            raise told from error
        return Report((*problems, Problem("file", str(log.path), str(told))), 0, 0, {}, 0)
    return Report(tuple(problems), messages, replayed, skipped, episodes)


def _search(log: Log) -> list[Problem]:
    """The search index against the turns; only a log that is open for writing can ask."""
    if log.readonly:
        return []
    try:
        log.write(
            lambda connection: connection.execute(
                "INSERT INTO turns_fts(turns_fts, rank) VALUES ('integrity-check', 1)"
            )
        )
    except Damaged as error:
        return [Problem("search", "turns_fts", f"the search index does not fit the turns ({error.__cause__})")]
    return []


def _views(reader: sqlite3.Connection) -> list[Problem]:
    """Saved views that are no queries: somebody wrote them past the program, or a key is gone."""
    found: list[Problem] = []
    for name, query in reader.execute("SELECT name, query FROM saved_views ORDER BY name"):
        try:
            parse(query)
        except BadQuery as error:
            found.append(Problem("view", name, str(error)))
    return found


def _hashes(reader: sqlite3.Connection, limit: int) -> tuple[int, list[Problem]]:
    count, wrong = 0, list[Problem]()
    for name, parent, role, content in reader.execute("SELECT hash, parent_hash, role, content FROM messages"):
        count += 1
        if message_hash(parent, role, content) != name and len(wrong) < limit:
            wrong.append(Problem("hash", name, f"this {role} message is not the one that was logged: {content[:60]!r}"))
    return count, wrong


def _blobs(reader: sqlite3.Connection, limit: int) -> list[Problem]:
    """Imported files whose bytes are not those that came in."""
    wrong = list[Problem]()
    for name, size, content in reader.execute("SELECT hash, size, content FROM blobs"):
        try:
            plain = unpacked(content, size)
        except zlib.error:
            plain = None
        if plain is None or len(plain) != size or blob_hash(plain) != name:
            wrong.append(Problem("import", name, "this imported file is not the one that came in"))
            if len(wrong) == limit:
                break
    return wrong


def _replays(
    reader: sqlite3.Connection, sample: int, seed: int, game_of: Callable[[str], Game]
) -> tuple[int, dict[str, int], list[Problem]]:
    ids = [id for (id,) in reader.execute("SELECT id FROM episodes WHERE game_version <> ? ORDER BY id", (FOREIGN,))]
    chosen = ids if len(ids) <= sample else sorted(random.Random(seed).sample(ids, sample))
    replayed, skipped, problems = 0, dict[str, int](), list[Problem]()
    (foreign,) = reader.execute("SELECT count(*) FROM episodes WHERE game_version = ?", (FOREIGN,)).fetchone()
    if foreign and sample:
        skipped["recorded by another program, and shown from its messages"] = foreign
    for id in chosen:
        why = _unplayable(reader, id, game_of)
        if why:
            skipped[why] = skipped.get(why, 0) + 1
            continue
        replayed += 1
        problems += [Problem("replay", id, message) for message in _compare(reader, id, game_of)]
    return replayed, skipped, problems


def _unplayable(reader: sqlite3.Connection, id: str, game_of: Callable[[str], Game]) -> str:
    try:
        logged = load(reader, id)
    except UnknownEpisode:  # a missing instance, which is reported as a missing reference
        return "its instance is missing"
    try:
        game = game_of(logged.game)
    except (LookupError, ImportError):
        return f"no code for {logged.game}"
    if game.version != logged.version:
        return f"{logged.game}@{logged.version} is {game.name}@{game.version} here"
    return "words were erased" if is_erased(reader, id) else ""


def _compare(reader: sqlite3.Connection, id: str, game_of: Callable[[str], Game]) -> Iterator[str]:
    """What differs between an episode in the log and the same texts played again."""
    logged = load(reader, id)
    game = game_of(logged.game)
    try:
        match = replay(logged, game)
    except Exception as error:
        yield f"it cannot be played again: {type(error).__name__}: {error}"
        return
    for ply, role, verdict, says, seen in reader.execute(
        "SELECT ply, role, verdict, says, seen_hash FROM turns WHERE episode_id = ? ORDER BY ply", (id,)
    ):
        if ply >= match.ply:
            return  # turns before it are missing, which is reported as such
        step: Step = match.steps[int(ply)]
        if (role, verdict) != (step.role, step.verdict):
            yield f"ply {ply}: logged as {role} {verdict}, now it is {step.role} {step.verdict}"
        elif says != says_json(step.says):
            yield f"ply {ply}: the game master now answers something else"
        elif seen != _tip(_before(match, ply)):
            yield f"ply {ply}: {role} would have heard something else"
    result = reader.execute("SELECT outcome, reason, main, rewards FROM results WHERE episode_id = ?", (id,)).fetchone()
    if result is None:
        return
    again: tuple[Any, ...] = (match.state.outcome, match.state.reason, match.scores().main, to_json(match.rewards()))
    for name, old, new in zip(("outcome", "reason", "main score", "rewards"), result, again, strict=True):
        if old != new:
            yield f"its {name} was {old!r}, played again it is {new!r}"
    for role, tip in reader.execute("SELECT role, hash FROM heard WHERE episode_id = ?", (id,)):
        if tip != _tip(match.heard[role]):
            yield f"{role} would have heard something else by the end"


def _before(match: Match, ply: int) -> Sequence[Message]:
    """What the speaker of this ply had heard before it spoke."""
    role = match.steps[ply].role
    heard = match.heard[role]
    nth = sum(step.role == role for step in match.steps[:ply])
    spoken = [at for at, message in enumerate(heard) if message.role == "assistant"]
    return heard[: spoken[nth]]


def _tip(messages: Sequence[Message]) -> str | None:
    rows = chain(messages)
    return rows[-1][0] if rows else None


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished copy."""

    path: Path
    size: int
    notice: str = ""
    """A sentence where the log could not note it."""


def backup(log: Log, to: Path) -> Backup:
    """Copy the log, also while others write to it, to a file that must not exist, and note where. Raises LogError."""
    if not to.absolute().parent.is_dir():
        raise NoFolder(f"there is no folder {to.absolute().parent} for the backup; create it first")
    try:
        to.open("xb").close()
    except FileExistsError as error:
        raise FileExists(f"{to} exists, and a backup overwrites nothing; choose another name") from error
    except OSError as error:
        raise LogError(f"{to} cannot be written ({error.strerror}); choose another place for the backup") from error
    try:
        with closing(sqlite3.connect(to)) as target:
            log.reader().backup(target)
    except sqlite3.Error as error:
        to.unlink()
        raise explain(error, to) from error
    return Backup(to, to.stat().st_size, note(log.path, to, "backup"))
