"""Training data for elsewhere: the rows that `train` would use, frozen, in the conversational forms of TRL.

`sft` has `messages`; `dpo` has `prompt`, `chosen`, `rejected`; `kto` has `prompt`, `completion`, `label`. A ranking is
a prompt with its completions, best first, and the votes for each. Every row says where it comes from.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from store import datasets
from store.exchange.chosen import new_file
from store.filters import Filters
from store.log import Log
from store.people import Level
from store.ranked import Vote, votes
from training.build import Built, JudgedUse, NothingToTrain, build_labels, build_pairs, build_sft
from training.leaks import Guard
from training.pairs import Mining
from training.selection import Selection

Form: TypeAlias = Literal["sft", "dpo", "kto", "ranking"]
FORMS: tuple[Form, ...] = ("sft", "dpo", "kto", "ranking")


@dataclass(slots=True)
class Written:
    """What an export of training data holds. `path` is None where it was only looked at."""

    form: Form
    path: Path | None
    rows: int
    content_hash: str
    dataset: str | None
    """The frozen data set in the log; None for rankings, and where it was only looked at."""
    kinds: dict[str, int]
    """Rows by why they are there."""
    votes: dict[str, int]
    """Standing votes of people by verdict: better, tie, bad, skip."""
    withheld: int
    """Episodes that fit, but somebody in them agreed to less."""
    left_out: dict[str, int] = field(default_factory=dict[str, int])


def export_rows(
    log: Log, form: Form, filters: Filters, consent: Level, out: Path | None, judged: JudgedUse = "with", seed: int = 0
) -> Written:
    """Choose, freeze and write; without `out` only count. Raises NothingToTrain, LogError, OSError."""
    asked = replace(filters, splits=filters.splits or ("train",), consent=consent)
    path = None if out is None else new_file(out)
    reader = log.reader()
    said = votes(reader, asked)
    counted = dict(Counter(vote.verdict for vote in said if not vote.withheld))
    withheld = log.queries.count(replace(asked, consent=None)) - log.queries.count(asked)
    if form == "ranking":
        found, left_out = rankings(reader, said)
        if not found:
            reasons = "; ".join(f"{number} {why}" for why, number in left_out.items())
            raise NothingToTrain(f"there is no vote of a person to rank by{f' ({reasons})' if reasons else ''}")
        if path is not None:
            _write(path, found)
        kinds = dict(Counter(f"{len(row['completions'])} completions" for row in found))
        return Written(form, path, len(found), _hash(found), None, kinds, counted, withheld, left_out)
    built = _built(reader, form, asked, judged, seed)
    left_out = dict(built.facts["left_out"])
    for verdict, why in (("tie", "judged a tie"), ("bad", "judged both bad"), ("skip", "skipped by a judge")):
        if form == "dpo" and judged != "without" and counted.get(verdict):
            left_out[why] = counted[verdict]
    kinds = dict(Counter(row.why.partition(":")[0] for row in built.rows))
    if path is None:
        name = datasets.content_hash(built.rows)
        return Written(form, None, len(built.rows), name, None, kinds, counted, withheld, left_out)
    facts = {**built.facts, "consent": consent, "exported": form}
    frozen = datasets.freeze(log, form, built.rows, facts)
    lines = list(_lines(log.reader(), frozen))
    if bare := frozen.rows - len(lines):
        left_out["nothing was said before, so there is no prompt"] = bare
    _write(path, lines)
    return Written(form, path, len(lines), frozen.content_hash, frozen.id, kinds, counted, withheld, left_out)


def _built(reader: sqlite3.Connection, form: Form, filters: Filters, judged: JudgedUse, seed: int) -> Built:
    if form == "sft":
        return build_sft(reader, filters, Selection(seed=seed))
    if form == "dpo":
        return build_pairs(reader, filters, Mining(seed=seed), judged=judged)
    return build_labels(reader, filters, Selection(seed=seed), judged)


_ABOUT = """
SELECT d.position, e.game, d.episode_id, d.role, d.why, d.annotation_id, d.chosen_id, d.rejected_id,
  (SELECT json_group_array(t.turn_id) FROM dataset_turns t WHERE t.dataset_id = d.dataset_id
    AND t.position = d.position)
FROM dataset_rows d LEFT JOIN episodes e ON e.id = d.episode_id WHERE d.dataset_id = ? ORDER BY d.position"""


def _lines(reader: sqlite3.Connection, frozen: datasets.Frozen) -> Iterator[dict[str, Any]]:
    """The records of a data set, each with where it comes from; those without a prompt do not go."""
    about = reader.execute(_ABOUT, (frozen.id,)).fetchall()
    for record, row in zip(datasets.records(reader, frozen.id), about, strict=True):
        if record.get("prompt", True):
            position, game, episode, role, why, annotation, chosen, rejected, turns = row
            yield {
                **record,
                "source": {
                    "dataset": frozen.id, "row": position, "content_hash": frozen.content_hash, "game": game or "",
                    "episode": episode or "", "role": role, "why": why, "turns": json.loads(turns),
                    "annotation": annotation or "", "chosen": chosen or "", "rejected": rejected or "",
                },
            }  # fmt: skip


def rankings(reader: sqlite3.Connection, said: Sequence[Vote]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Prompts with their completions, best first, and what was left out by reason.

    A completion is worth one for every vote for it and half for every tie, over all votes about it; both bad counts
    against both. What is worth the same has the same rank.
    """
    guard, left_out = Guard(reader), Counter[str]()
    by: dict[str, list[Vote]] = defaultdict(list)
    for vote in said:
        if vote.withheld:
            left_out["judged by somebody who agreed to less"] += 1
        elif guard.keeps(vote.key, vote.split):
            left_out["judged, but validation or test material"] += 1
        elif vote.verdict == "skip":
            left_out["skipped by a judge"] += 1
        else:
            by[vote.seen].append(vote)
    return [_ranking(reader, seen, some) for seen, some in sorted(by.items())], dict(left_out)


def _ranking(reader: sqlite3.Connection, seen: str, said: Sequence[Vote]) -> dict[str, Any]:
    texts: dict[str, str] = {}
    worth: dict[str, list[float]] = defaultdict(list)
    for vote in said:
        points = {"better": (1.0, 0.0), "tie": (0.5, 0.5), "bad": (0.0, 0.0)}[vote.verdict]
        for (tip, text), value in zip((vote.better, vote.worse), points, strict=True):
            texts[tip] = text
            worth[tip].append(value)
    mean = {tip: sum(values) / len(values) for tip, values in worth.items()}
    order = sorted(texts, key=lambda tip: (-mean[tip], tip))
    return {
        "prompt": datasets.conversation(reader, seen),
        "completions": [[{"role": "assistant", "content": texts[tip]}] for tip in order],
        "ranks": [1 + sum(mean[other] > mean[tip] for other in order) for tip in order],
        "scores": [round(mean[tip], 4) for tip in order],
        "votes": [len(worth[tip]) for tip in order],
        "source": {
            "game": said[0].game, "episode": said[0].episode, "role": said[0].role,
            "annotations": [vote.annotation for vote in said], "judges": sorted({vote.judge for vote in said}),
        },
    }  # fmt: skip


def _hash(rows: Sequence[Mapping[str, Any]]) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for row in rows:
        hashed.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n")
    return hashed.hexdigest()


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """JSON lines; a table where the name ends in .csv, lists and objects in it as JSON."""
    if path.suffix != ".csv":
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
        return
    with path.open("x", encoding="utf-8", newline="") as file:
        names = list(rows[0])
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            cells = [cast(Any, row[name]) for name in names]
            writer.writerow([json.dumps(c, ensure_ascii=False) if isinstance(c, list | dict) else c for c in cells])
