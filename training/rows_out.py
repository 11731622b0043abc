"""Training data for elsewhere: the rows that `train` would use, frozen, in the conversational forms of TRL.

`sft` has `messages`; `dpo` has `prompt`, `chosen`, `rejected`; `kto` has `prompt`, `completion`, `label`. A ranking is
a prompt with its completions, best first, and the votes for each. Every row says where it comes from.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from store import datasets
from store.datasets import DatasetRow
from store.exchange.chosen import new_file
from store.filters import Filters
from store.log import Log
from store.people import Level
from store.ranked import votes
from training.build import Built, JudgedUse, build_labels, build_pairs, build_sft
from training.pairs import Mining
from training.rankings import build_rankings
from training.selection import Selection

Form: TypeAlias = Literal["sft", "dpo", "kto", "ranking"]
FORMS: tuple[Form, ...] = ("sft", "dpo", "kto", "ranking")
UNNAMED = "0" * 26
"""Where the id of the data set would stand, while it is only looked at."""


@dataclass(slots=True)
class Written:
    """What an export of training data holds. `path` is None where it was only looked at."""

    form: Form
    path: Path | None
    rows: int
    content_hash: str
    dataset: str | None
    """The frozen data set in the log; None where it was only looked at."""
    kinds: dict[str, int]
    """Rows by why they are there."""
    votes: dict[str, int]
    """Standing votes of people by verdict: better, tie, bad, skip."""
    withheld: int
    """Episodes that fit, but somebody in them agreed to less."""
    left_out: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Ready:
    """Rows that were chosen and are not frozen yet, with what is to be said of them."""

    form: Form
    built: Built
    judged: JudgedUse
    filters: dict[str, Any]
    """What was asked for, consent among it."""
    votes: dict[str, int]
    withheld: int


def prepare(log: Log, form: Form, filters: Filters, consent: Level, judged: JudgedUse = "with", seed: int = 0) -> Ready:
    """Choose the rows. Raises NothingToTrain, LogError."""
    asked = replace(filters, splits=filters.splits or ("train",), consent=consent)
    reader = log.reader()
    counted = dict(Counter(vote.verdict for vote in votes(reader, asked) if not vote.withheld))
    withheld = log.queries.count(replace(asked, consent=None)) - log.queries.count(asked)
    built = _built(reader, form, asked, judged, seed)
    for verdict, why in (("tie", "judged a tie"), ("bad", "judged both bad"), ("skip", "skipped by a judge")):
        if form == "dpo" and judged != "without" and counted.get(verdict):
            built.facts["left_out"][why] = counted[verdict]
    plain = asdict(Filters())
    chosen = {name: value for name, value in asdict(asked).items() if value != plain[name]}
    return Ready(form, built, judged, chosen, counted, withheld)


def export_rows(
    log: Log, form: Form, filters: Filters, consent: Level, out: Path | None, judged: JudgedUse = "with", seed: int = 0
) -> Written:
    """Choose, freeze and write; without `out` only count. Raises NothingToTrain, LogError, OSError."""
    path = None if out is None else new_file(out)
    ready = prepare(log, form, filters, consent, judged, seed)
    done, lines = frozen_lines(log, ready, dry=path is None)
    if path is not None:
        write_lines(path, lines)
        done.path = path
    return done


def frozen_lines(log: Log, ready: Ready, *, dry: bool = False) -> tuple[Written, list[dict[str, Any]]]:
    """Freeze the rows, unless `dry`; what is to be said of them, and the lines for a file. Raises LogError."""
    rows, name = ready.built.rows, ""
    hashed = datasets.content_hash(rows)
    if not dry:
        facts = {**ready.filters, **ready.built.facts, "exported": ready.form, "judged": ready.judged}
        name = datasets.freeze(log, ready.form, rows, facts).id
    lines = list(_lines(log.reader(), ready.form, rows, name or UNNAMED, hashed))
    left_out = dict(ready.built.facts["left_out"])
    if bare := len(rows) - len(lines):
        left_out["nothing was said before, so there is no prompt"] = bare
    kinds = dict(Counter(row.why.partition(":")[0] for row in rows if row.why))
    number = len(lines)
    return Written(ready.form, None, number, hashed, name or None, kinds, ready.votes, ready.withheld, left_out), lines


def _built(reader: sqlite3.Connection, form: Form, filters: Filters, judged: JudgedUse, seed: int) -> Built:
    if form == "sft":
        return build_sft(reader, filters, Selection(seed=seed))
    if form == "ranking":
        return build_rankings(reader, filters)
    if form == "dpo":
        return build_pairs(reader, filters, Mining(seed=seed), judged=judged)
    return build_labels(reader, filters, Selection(seed=seed), judged)


def _lines(
    reader: sqlite3.Connection, form: Form, rows: Sequence[DatasetRow], name: str, hashed: str
) -> Iterator[dict[str, Any]]:
    """The records of rows, each with where it comes from; those without a prompt do not go."""
    games = dict(reader.execute("SELECT id, game FROM episodes"))
    judges = dict(reader.execute("SELECT id, annotator_id FROM annotations WHERE annotator_id IS NOT NULL"))
    for position, (record, row) in enumerate(zip(datasets.told(reader, rows), rows, strict=True)):
        if not record.get("prompt", True):
            continue
        source: dict[str, Any] = {
            "dataset": name, "row": position, "content_hash": hashed, "game": games.get(row.episode, ""),
            "episode": row.episode or "", "role": row.role, "why": row.why,
            "turns": sorted({*row.trained, *row.against}),
        }  # fmt: skip
        if form == "ranking":
            people = {judges[vote] for vote in row.votes if vote in judges}
            source |= {"annotations": list(row.votes), "judges": sorted(people)}
        else:
            judged = {"annotation": row.annotation, "chosen": row.chosen, "rejected": row.refused}
            source |= {key: value or "" for key, value in judged.items()}
        yield {**record, "source": source}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
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
            cells = [row[name] for name in names]
            writer.writerow([json.dumps(c, ensure_ascii=False) if isinstance(c, list | dict) else c for c in cells])
