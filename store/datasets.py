"""Frozen data sets: what a model is trained on, written down before it begins, and read back word for word.

A row names dialogues by their hashes, so the log itself holds the words. The content hash is over the records as the
trainer gets them; reading a data set back makes the same records, and says so where something was erased since.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeAlias

from games.engine import Message
from players.ports import ERASED
from store.errors import LogError
from store.history import lineage
from store.ids import MessageRow, clean, new_id, now, to_json
from store.log import Log
from store.perspectives import still
from store.writer import COLUMNS, Row, insert, insert_rows, insert_sql

Kind: TypeAlias = Literal["sft", "dpo", "kto", "grpo", "ranking"]
BATCH = 500


class Ranked(NamedTuple):
    """One reply of a ranking."""

    tip: str
    """The dialogue with this reply at its end."""
    rank: int
    """From 1; replies that are worth the same have the same."""
    score: float
    """Its mean over the votes about it, 0 to 1."""
    votes: int


class DatasetRow(NamedTuple):
    """One row. A dialogue is the hash of its last message in the log."""

    tip: str | None
    """The dialogue, or the preferred side, prompt and all; None for general data."""
    loss: tuple[int, ...]
    """Which of its messages carry loss, from 0."""
    prompt: str | None = None
    """What stands before the continuation: of pairs and of labelled rows."""
    rejected: str | None = None
    """The other side of a pair, prompt and all."""
    label: bool | None = None
    episode: str | None = None
    role: str = ""
    trained: tuple[str, ...] = ()
    """Ids of the turns that carry loss."""
    against: tuple[str, ...] = ()
    """Ids of the turns on the rejected side."""
    annotation: str | None = None
    chosen: str | None = None
    """Candidate that was preferred, where one was judged; `refused` the other."""
    refused: str | None = None
    why: str = ""
    new: tuple[MessageRow, ...] = ()
    """Messages that are not in the log yet, such as a correction that nobody played."""
    general: tuple[Message, ...] = ()
    """A dialogue from a file beside the log: its words are kept in the row itself."""
    instance: str | None = None
    """Of grpo: id of the instance that `role` plays on from here; `tip` is what the role has heard, if anything."""
    deals: tuple[Row, ...] = ()
    """Rows of instances that may not be in the log yet."""
    ranked: tuple[Ranked, ...] = ()
    """Of a ranking: its replies, best first; `tip` is the first, `trained` its turns, `against` those of the others."""
    votes: tuple[str, ...] = ()
    """Ids of the judgements behind a ranking."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A data set as it was written down."""

    id: str
    kind: Kind
    content_hash: str
    rows: int
    filters: Mapping[str, Any]
    created_at: str


def content_hash(rows: Iterable[DatasetRow]) -> str:
    """32 hex digits over what is trained, in order. Dialogues go in by their hashes, which are of their words."""
    hashed = hashlib.blake2b(digest_size=16)
    lines: list[str] = []
    for row in rows:
        tip, loss, prompt, rejected, label, _, role, _, _, _, _, _, _, _, general, instance, _, ranked, _ = row
        if prompt is rejected is label is None and not (general or instance or ranked):
            lines.append(f"{tip}|None|None|{loss}|None|\n")  # as below, for what most rows are
            continue
        more = ""
        if general or instance or ranked:
            played = f"|{role}|{instance}" if instance else ""
            votes = [f"|{one.tip}|{one.rank}|{one.score}|{one.votes}" for one in ranked]
            more = (to_json(_plain(general)) if general else "") + played + "".join(votes)
        lines.append(f"{tip}|{prompt}|{rejected}|{loss}|{label}|{more}\n")
        if len(lines) == BATCH:
            hashed.update("".join(lines).encode())
            lines.clear()
    hashed.update("".join(lines).encode())
    return hashed.hexdigest()


@still()
def freeze(log: Log, kind: Kind, rows: Sequence[DatasetRow], filters: Mapping[str, Any], query: str = "") -> Frozen:
    """Write a data set down, in one transaction. Raises LogError; the log is as before then."""
    made = Frozen(new_id(), kind, content_hash(rows), len(rows), dict(filters), now())

    def write(db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO datasets (id, kind, query, filters, content_hash, rows, created_at) VALUES (?,?,?,?,?,?,?)",
            (made.id, kind, query, to_json(dict(filters)), made.content_hash, made.rows, made.created_at),
        )
        # in the order of the log, not of the rows: neighbours lie together, so that checks and indexes find them sooner
        order = sorted(range(len(rows)), key=[row.trained[-1:] for row in rows].__getitem__)
        for at in range(0, len(order), BATCH):
            _write(db, made.id, rows, order[at : at + BATCH])

    log.write(write)
    return made


def _write(db: sqlite3.Connection, dataset: str, rows: Sequence[DatasetRow], places: Sequence[int]) -> None:
    """Write down the rows at these places, column by column: row by row costs Python more."""
    some = [rows[at] for at in places]
    tip, loss, prompt, rejected, label, episode, role, trained, against, annotation, chosen, refused, *more = zip(
        *some, strict=True
    )
    why, new, dialogues, instance, deals, ranked, votes = more
    db.executemany("INSERT INTO messages VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", chain.from_iterable(new))
    db.executemany(insert_sql("instances"), chain.from_iterable(deals))
    last = [turns[-1] if turns else None for turns in trained]
    carries, reasons = [*map(_carries, loss)], [*map(clean, why)]
    general = [to_json(_plain(words)) if words else None for words in dialogues]
    columns = [[dataset] * len(some), places, episode, role, last, annotation, chosen, refused, prompt, tip, rejected]
    _fill(db, "dataset_rows", [*columns, carries, label, reasons, general, instance])
    turns: list[Row] = []
    for at, said, other in zip(places, trained, against, strict=True):
        if len(said) > 1:
            turns += [(dataset, at, turn, "trained") for turn in {*said} - {said[-1]}]
        if other:
            turns += [(dataset, at, turn, "rejected") for turn in {*other}.difference(said)]
    order = [
        (dataset, at, nth, *one) for at, replies in zip(places, ranked, strict=True) for nth, one in enumerate(replies)
    ]
    counted = [(dataset, at, vote) for at, some in zip(places, votes, strict=True) for vote in some]
    insert(db, [{"dataset_turns": turns, "dataset_ranked": order, "dataset_votes": counted}])


@lru_cache(maxsize=1024)
def _carries(loss: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, loss))}]"


def _fill(db: sqlite3.Connection, table: str, columns: Sequence[Sequence[Any]]) -> None:
    """Insert rows that are given by their columns, without those that nothing fills.

    Of the sixteen columns a kind of data set fills about half, and to bind nothing takes as long as to bind something.
    """
    filled = [at for at, values in enumerate(columns) if values.count(None) < len(values)]
    names = COLUMNS[table].split()
    rows = [*zip(*[columns[at] for at in filled], strict=True)]
    insert_rows(db, table, rows, " ".join([names[at] for at in filled]))


def get(reader: sqlite3.Connection, id: str) -> Frozen:
    """The data set with this id. Raises LogError."""
    row = reader.execute(
        "SELECT id, kind, content_hash, rows, filters, created_at FROM datasets WHERE id = ?", (id,)
    ).fetchone()
    if row is None:
        raise LogError(f"no data set {id!r} in the log; `playpen-tui trace` finds them by their trainings")
    return Frozen(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5])


def records(reader: sqlite3.Connection, id: str) -> Iterator[dict[str, Any]]:
    """What the trainer gets, row by row: `messages` and `loss`; for pairs `prompt`, `chosen`, `rejected`; for labelled
    rows `prompt`, `completion`, `label`. `loss` counts from the beginning of the dialogue, of pairs the preferred one.
    Of rankings `prompt`, `completions` (best first), `ranks`, `scores` and `votes`. Of grpo `prompt`, `game`,
    `version`, `instance`, `key`, `role`, `episode`, `seed` and the `texts` that were said before. Raises LogError where
    words were erased since.
    """
    gone = reader.execute("SELECT min(position) FROM dataset_rows WHERE dataset_id = ? AND why = ?", (id, ERASED))
    if (position := gone.fetchone()[0]) is not None:
        raise LogError(f"row {position} of data set {id} held words that were erased on request; make a new one")
    kind = reader.execute("SELECT kind FROM datasets WHERE id = ?", (id,)).fetchone()
    yield from _decisions(reader, id) if kind == ("grpo",) else told(reader, _rows(reader, id), f"data set {id}")


def _rows(reader: sqlite3.Connection, id: str) -> list[DatasetRow]:
    """The rows of a data set as far as their words go."""
    ranked: dict[int, list[Ranked]] = {}
    sql = "SELECT position, tip_hash, rank, score, votes FROM dataset_ranked WHERE dataset_id = ? ORDER BY 1, place"
    for position, *one in reader.execute(sql, (id,)):
        ranked.setdefault(position, []).append(Ranked(*one))
    sql = (
        "SELECT position, prompt_hash, tip_hash, rejected_hash, loss, label, general FROM dataset_rows "
        "WHERE dataset_id = ? ORDER BY position"
    )
    return [
        DatasetRow(
            tip, tuple(json.loads(loss)), prompt, rejected, None if label is None else bool(label),
            general=() if general is None else tuple(Message(**one) for one in json.loads(general)),
            ranked=tuple(ranked.get(position, ())),
        )
        for position, prompt, tip, rejected, loss, label, general in reader.execute(sql, (id,))
    ]  # fmt: skip


def told(
    reader: sqlite3.Connection, rows: Iterable[DatasetRow], name: str = "the data set"
) -> Iterator[dict[str, Any]]:
    """The records of rows, which may not be written down yet, as in `records`. Raises LogError."""
    known: dict[str, tuple[str | None, dict[str, str]]] = {}
    for position, row in enumerate(rows):
        known.update((hash, (above, {"role": role, "content": text})) for hash, above, role, text in row.new)
        if row.general:
            yield {"messages": _plain(row.general), "loss": list(row.loss)}
            continue
        try:
            if row.tip is None:
                raise KeyError(position)
            before = _conversation(reader, known, row.prompt)
            sides = [_conversation(reader, known, tip) for tip in _sides(row)]
        except KeyError as error:
            raise LogError(f"row {position} of {name} names words that are not in the log any more") from error
        whole, *others = [side[len(before) :] for side in sides]
        if row.ranked:
            yield {
                "prompt": before, "completions": [whole, *others], "ranks": [one.rank for one in row.ranked],
                "scores": [one.score for one in row.ranked], "votes": [one.votes for one in row.ranked],
            }  # fmt: skip
        elif row.rejected:
            yield {"prompt": before, "chosen": whole, "rejected": others[0], "loss": list(row.loss)}
        elif row.label is not None:
            yield {"prompt": before, "completion": whole, "label": row.label, "loss": list(row.loss)}
        else:
            yield {"messages": sides[0], "loss": list(row.loss)}


def _sides(row: DatasetRow) -> list[str]:
    """The dialogues of a row: the preferred one, or all of a ranking."""
    found = [one.tip for one in row.ranked] or [row.tip or ""]
    return [*found, row.rejected] if row.rejected else found


def _decisions(reader: sqlite3.Connection, id: str) -> Iterator[dict[str, Any]]:
    sql = (
        "SELECT d.position, d.tip_hash, d.role, d.episode_id, i.game, i.key, i.data, e.game_version, e.seed "
        "FROM dataset_rows d JOIN instances i ON i.id = d.instance_id LEFT JOIN episodes e ON e.id = d.episode_id "
        "WHERE d.dataset_id = ? ORDER BY d.position"
    )
    known: dict[str, tuple[str | None, dict[str, str]]] = {}
    for position, tip, role, episode, game, key, data, version, seed in reader.execute(sql, (id,)).fetchall():
        texts: list[str] = []
        there = episode is None
        for _, who, seen, text in () if there else lineage(reader, episode, "t.ply, t.role, t.seen_hash, t.text"):
            there = who == role and seen == tip
            if there:
                break
            texts.append(text)
        try:
            prompt = _conversation(reader, known, tip)
        except KeyError:
            prompt, there = [], False
        if not there:
            raise LogError(f"row {position} of data set {id} names words that are not in the log any more")
        yield {
            "prompt": prompt, "game": game, "version": version, "instance": json.loads(data), "key": key, "role": role,
            "episode": episode, "seed": seed, "texts": texts,
        }  # fmt: skip


def keys(reader: sqlite3.Connection, id: str) -> list[str]:
    """The content of each row's instance, in the order of the rows; empty for general data."""
    sql = """SELECT coalesce(i.key, '') FROM dataset_rows d LEFT JOIN episodes e ON e.id = d.episode_id
      LEFT JOIN instances i ON i.id = coalesce(d.instance_id, e.instance_id)
      WHERE d.dataset_id = ? ORDER BY d.position"""
    return [key for (key,) in reader.execute(sql, (id,))]


def conversation(reader: sqlite3.Connection, hash: str) -> list[dict[str, str]]:
    """The messages up to this one. Raises LogError where one is not in the log any more."""
    try:
        return _conversation(reader, {}, hash)
    except KeyError as error:
        raise LogError(f"the dialogue {hash} is not in the log any more") from error


def _conversation(
    reader: sqlite3.Connection, known: dict[str, tuple[str | None, dict[str, str]]], hash: str | None
) -> list[dict[str, str]]:
    """The messages up to this one. Raises KeyError where one is missing."""
    found: list[dict[str, str]] = []
    while hash is not None:
        if hash not in known:
            row = reader.execute("SELECT parent_hash, role, content FROM messages WHERE hash = ?", (hash,)).fetchone()
            if row is None:
                raise KeyError(hash)
            known[hash] = (row[0], {"role": row[1], "content": row[2]})
        hash, message = known[hash]
        found.append(message)
    return found[::-1]


def _plain(messages: Iterable[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def games(reader: sqlite3.Connection, id: str) -> dict[tuple[str, str], int]:
    """Rows of a data set per game and language, the largest first; general data has neither."""
    sql = """SELECT coalesce(e.game, i.game), i.language, count(*)
    FROM dataset_rows d LEFT JOIN episodes e ON e.id = d.episode_id
    JOIN instances i ON i.id = coalesce(d.instance_id, e.instance_id) WHERE d.dataset_id = ?
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"""
    return {(game, language): rows for game, language, rows in reader.execute(sql, (id,))}
