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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from store import datasets
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
    if form == "ranking":
        return build_rankings(reader, filters)
    if form == "dpo":
        return build_pairs(reader, filters, Mining(seed=seed), judged=judged)
    return build_labels(reader, filters, Selection(seed=seed), judged)


_ABOUT = """
SELECT d.position, e.game, d.episode_id, d.role, d.why, d.annotation_id, d.chosen_id, d.rejected_id,
  (SELECT json_group_array(t.turn_id) FROM dataset_turns t WHERE t.dataset_id = d.dataset_id
    AND t.position = d.position),
  (SELECT json_group_array(v.annotation_id) FROM dataset_votes v WHERE v.dataset_id = d.dataset_id
    AND v.position = d.position),
  (SELECT json_group_array(DISTINCT a.annotator_id) FROM dataset_votes v JOIN annotations a ON a.id = v.annotation_id
    WHERE v.dataset_id = d.dataset_id AND v.position = d.position)
FROM dataset_rows d LEFT JOIN episodes e ON e.id = d.episode_id WHERE d.dataset_id = ? ORDER BY d.position"""


def _lines(reader: sqlite3.Connection, frozen: datasets.Frozen) -> Iterator[dict[str, Any]]:
    """The records of a data set, each with where it comes from; those without a prompt do not go."""
    about = reader.execute(_ABOUT, (frozen.id,)).fetchall()
    for record, row in zip(datasets.records(reader, frozen.id), about, strict=True):
        if record.get("prompt", True):
            position, game, episode, role, why, annotation, chosen, rejected, turns, voted, judges = row
            source: dict[str, Any] = {
                "dataset": frozen.id, "row": position, "content_hash": frozen.content_hash, "game": game or "",
                "episode": episode or "", "role": role, "why": why, "turns": json.loads(turns),
            }  # fmt: skip
            if frozen.kind == "ranking":
                people: list[str | None] = json.loads(judges)
                source |= {"annotations": json.loads(voted), "judges": sorted(one for one in people if one)}
            else:
                source |= {"annotation": annotation or "", "chosen": chosen or "", "rejected": rejected or ""}
            yield {**record, "source": source}


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
            cells = [row[name] for name in names]
            writer.writerow([json.dumps(c, ensure_ascii=False) if isinstance(c, list | dict) else c for c in cells])
