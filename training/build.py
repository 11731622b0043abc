"""From filters and a selection to a frozen data set, with the table that says what is in it and what is not.

Everything that chooses runs here and nowhere else: consent, leakage, selection, pairs. The same log, filters, selection
and seed give the same rows and the same content hash.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

from games.engine import Message
from store.datasets import DatasetRow
from store.filters import Filters, absent
from store.judged import Judges
from store.perspectives import Perspective, Read, Spoken, perspectives, still
from training.branched import branched_rows
from training.judged import judged_rows
from training.labels import labelled
from training.leaks import Guard, Leak
from training.pairs import Mining, Pair, by_learner, mine
from training.selection import Row, Selection, select

JudgedUse: TypeAlias = Literal["with", "only", "without"]
"""What people judged: beside what the games say, alone, or left out."""


SPEAKERS = ("system", "user", "assistant")


class NothingToTrain(ValueError):
    """No row is left; the message says where they went."""


@dataclass(slots=True)
class Built:
    """The rows of a data set, and the facts about them."""

    rows: list[DatasetRow]
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    leaks: list[Leak] = field(default_factory=list[Leak])


def read(
    reader: sqlite3.Connection, filters: Filters, roles: Sequence[str] = ()
) -> tuple[list[Perspective], Guard, Read]:
    """Perspectives that may be trained on, what was held back, and how reading went."""
    guard, told = Guard(reader), Read()
    kept = list(guard.clean(perspectives(reader, filters, roles=roles, read=told)))
    if not kept:
        told.absent = absent(reader, filters, roles)
    return kept, guard, told


@still()
def build_sft(
    reader: sqlite3.Connection,
    filters: Filters,
    wish: Selection,
    general: Sequence[tuple[Message, ...]] = (),
    share: float = 0.0,
) -> Built:
    """Rows for supervised training; `share` of them from `general` dialogues. Raises NothingToTrain, ValueError."""
    guard, told = Guard(reader), Read()
    selected = select(guard.clean(perspectives(reader, filters, roles=wish.roles, read=told)), wish)
    if not selected.rows:
        told.absent = absent(reader, filters, wish.roles)
    _some(selected.rows, told, selected.left_out, guard)
    rows = [_row(row) for row in selected.rows for _ in range(row.copies)]
    if share > 0:
        rows += _rehearsal(general, share, len(rows), wish.seed)
    facts = {
        "rows": len(rows),
        "general": sum(bool(row.general) for row in rows),
        "speakers": selected.by_speaker(),
        "cells": selected.by_cell(),
        **_about(told, selected.left_out, guard, rows),
    }
    return Built(rows, facts, guard.leaks)


@still()
def build_pairs(
    reader: sqlite3.Connection,
    filters: Filters,
    wish: Mining,
    learner: str = "",
    roles: Sequence[str] = (),
    judged: JudgedUse = "with",
    judges: Judges = "people",
) -> Built:
    """Pairs for preference training: judged ones, and those that the games decide. Raises NothingToTrain."""
    kept, guard, told = read(reader, filters, roles)
    left_out: Counter[str] = Counter()
    by_people = judged_rows(reader, filters, guard, left_out, roles, judges)[0] if judged != "without" else []
    if wish.branched == "only":
        by_people = []
    apart = judged == "only" or wish.branched == "without"
    by_rollouts = [] if apart else branched_rows(reader, filters, guard, left_out, wish, roles)
    mined = mine(kept if judged != "only" and wish.branched != "only" else (), wish, learner)
    there = {(row.tip, row.rejected) for row in by_people}
    there |= {(rejected, tip) for tip, rejected in there}  # what people said of a pair goes before what the game says
    by_rollouts = [row for row in by_rollouts if (row.tip, row.rejected) not in there]
    there |= {pair for row in by_rollouts for pair in ((row.tip, row.rejected), (row.rejected, row.tip))}
    rows = (
        by_people + by_rollouts + [row for pair in mined.pairs if ((row := _pair(pair)).tip, row.rejected) not in there]
    )
    if wish.own == "only" and not any(by_learner(said, learner) for one in kept for said in one.spoken):
        told.absent.append(f"none of it was said by {learner or 'the learner'}, and only its own moves are wanted")
    _some(rows, told, left_out, guard)
    facts = {
        "rows": len(rows),
        "kinds": dict(Counter(row.why.partition(":")[0] for row in rows)),
        "found": dict(mined.there),
        "own": dict(
            Counter({0: "both", 1: "preferred", 2: "rejected", 3: "neither"}[pair.own] for pair in mined.pairs)
        ),
        **_about(told, left_out, guard, rows),
    }
    return Built(rows, facts, guard.leaks)


@still()
def build_labels(
    reader: sqlite3.Connection,
    filters: Filters,
    wish: Selection,
    judged: JudgedUse = "with",
    judges: Judges = "people",
) -> Built:
    """One row a turn: as people labelled it, else as its game ended.

    Raises NothingToTrain.
    """
    kept, guard, told = read(reader, filters, wish.roles)
    left_out: Counter[str] = Counter()
    rows = judged_rows(reader, filters, guard, left_out, wish.roles, judges)[1] if judged != "without" else []
    known = {turn for row in rows for turn in row.trained}
    rows += labelled(kept if judged != "only" else (), wish, known, left_out)
    _some(rows, told, left_out, guard)
    labels = Counter("good" if row.label else "bad" for row in rows)
    if len(labels) < 2:
        raise NothingToTrain(f"all {len(rows)} turns are {next(iter(labels))}: labels need both kinds")
    Random(f"order:{wish.seed}").shuffle(rows)
    if wish.limit is not None and len(rows) > wish.limit:
        left_out["over the limit"] += len(rows) - wish.limit
        rows = _both(rows, wish.limit)
        labels = Counter("good" if row.label else "bad" for row in rows)
    facts = {"rows": len(rows), "labels": dict(labels), "people": sum(row.annotation is not None for row in rows)}
    return Built(rows, {**facts, **_about(told, left_out, guard, rows)}, guard.leaks)


def _both(rows: Sequence[DatasetRow], limit: int) -> list[DatasetRow]:
    """So many rows in their order: what people labelled first, half of each label as far as there are as many."""
    first = sorted(range(len(rows)), key=lambda at: rows[at].annotation is None)
    good, bad = ([at for at in first if rows[at].label is label] for label in (True, False))
    many = max(limit - len(bad), min(len(good), (limit + 1) // 2))
    kept = {*good[:many], *bad[: limit - many]}
    return [row for at, row in enumerate(rows) if at in kept]


def _row(row: Row) -> DatasetRow:
    one, upto, loss, tip, turns, _, _, _ = row
    places = (upto - 1,) if len(loss) == 1 else row.places  # a row a turn is what large data sets are made of
    return DatasetRow(tip, places, None, None, None, one.episode, one.role, turns)


def _pair(pair: Pair) -> DatasetRow:
    """What broke a rule is never trained as preferred, though it may stand in a dialogue that was won."""
    one, good = pair.chosen.perspective, pair.chosen
    places = one.places[good.at : good.at + len(good.replies)]
    fine = [(place, said) for place, said in zip(places, good.replies, strict=True) if said.verdict == "ok"]
    return DatasetRow(
        good.tip, tuple([place for place, _ in fine]), one.hashes[pair.prefix - 1], pair.rejected.tip,
        episode=one.episode, role=one.role, trained=_turns([said for _, said in fine]),
        against=_turns(pair.rejected.replies), why=f"{pair.kind}: {pair.why}",
    )  # fmt: skip


def _turns(said: Sequence[Spoken]) -> tuple[str, ...]:
    return tuple([one.turn for one in said if one.turn is not None])


def _rehearsal(general: Sequence[tuple[Message, ...]], share: float, rows: int, seed: int) -> list[DatasetRow]:
    if not 0 < share < 1:
        raise ValueError(f"the share of general data must lie between 0 and 1, not {share:g}")
    wanted = round(rows * share / (1 - share))
    if len(general) < wanted:
        raise ValueError(f"{share:.0%} general data are {wanted} dialogues, and the file has {len(general)}")
    chosen = Random(f"general:{seed}").sample(range(len(general)), wanted)
    return [
        DatasetRow(
            None,
            tuple(place for place, message in enumerate(general[at]) if message.role == "assistant"),
            why="general data",
            general=general[at],
        )
        for at in sorted(chosen)
    ]


def read_general(path: Path) -> list[tuple[Message, ...]]:
    """Dialogues of a JSON lines file with `messages`, for rehearsal. Raises ValueError naming the line."""
    found: list[tuple[Message, ...]] = []
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"the dialogues for rehearsal cannot be read: {path}, {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the dialogues for rehearsal cannot be read: {path} is no UTF-8 text") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            messages = tuple(Message(one["role"], one["content"]) for one in json.loads(line)["messages"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: this is no dialogue with messages of role and content") from error
        if not all(one.role in SPEAKERS and isinstance(one.content, str) for one in messages):
            raise ValueError(f"{path}, line {number}: a message is text of system, user or assistant, and this is none")
        if not any(message.role == "assistant" for message in messages):
            raise ValueError(f"{path}, line {number}: nobody answers in it, so nothing of it can be trained")
        found.append(messages)
    return found


def _some(rows: Sequence[object], told: Read, left_out: Mapping[str, int], guard: Guard) -> None:
    if rows:
        return
    held = sum(leak.perspectives for leak in guard.leaks)
    where = [*told.absent, *(f"{number} {why}" for why, number in left_out.items())]
    where += [f"{held} hold validation or test material"] if held else []
    reasons = f" ({'; '.join(where)})" if where else ""
    raise NothingToTrain(
        f"nothing is left to train on: {told.episodes} episodes fit the filters{reasons}; widen them, or play some"
    )


def _about(told: Read, left_out: Mapping[str, int], guard: Guard, rows: Sequence[DatasetRow]) -> dict[str, Any]:
    return {
        "episodes": told.episodes,
        "used": len({row.episode for row in rows if row.episode}),
        "left_out": {**told.left_out, **left_out},
        "leaks": [dataclasses.asdict(leak) for leak in guard.leaks],
    }
