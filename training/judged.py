"""Rows from what people judged: pairs and corrections for preference training, labels for KTO.

Where several people judged the same, the majority counts, each judge once; where it is even, nothing does. What was
decided by adjudication goes before all votes. Models that judge count only where they are asked for.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence

from store.datasets import DatasetRow
from store.filters import Filters
from store.judged import Judged, Judges, judged
from store.seats import Seats
from training.leaks import Guard

SHORT = {"preference": "judged", "edit": "corrected"}
"""What a row's reason begins with."""


def judged_rows(
    reader: sqlite3.Connection,
    filters: Filters,
    guard: Guard,
    left_out: Counter[str],
    roles: Sequence[str] = (),
    judges: Judges = "people",
) -> tuple[list[DatasetRow], list[DatasetRow]]:
    """Pairs, and labelled turns, oldest judgement first; what may not be used is counted in `left_out`."""
    seats, fit = Seats(reader, filters, roles), list[Judged]()
    for one in judged(reader, filters, judges):
        if one.withheld:
            left_out["judged by somebody who agreed to less"] += 1
        elif guard.keeps(one.key, one.split):
            left_out["judged, but validation or test material"] += 1
        elif seats.has(one.episode, one.role):
            fit.append(one)
    return _pairs(fit, left_out), _labels(fit, left_out)


def _pairs(fit: Sequence[Judged], left_out: Counter[str]) -> list[DatasetRow]:
    by: dict[tuple[str, ...], list[Judged]] = defaultdict(list)
    for one in fit:
        if one.refused is None:
            continue
        if one.refused.tip == one.chosen.tip:
            left_out["judged, but both said the same"] += 1
        else:
            by[tuple(sorted((one.chosen.tip, one.refused.tip)))].append(one)
    rows: list[DatasetRow] = []
    for every in by.values():
        some = _counting(every)
        if some[-1].neither:
            left_out["decided: neither is better"] += 1
            continue
        votes = Counter(one.chosen.tip for one in some).most_common()
        if len(votes) > 1 and votes[0][1] == votes[1][1]:
            left_out["judges disagree evenly"] += 1
            continue
        one = [one for one in some if one.chosen.tip == votes[0][0]][-1]
        rows.append(_pair(one, votes[0][1], len(some)))
    return rows


def _counting(some: Sequence[Judged]) -> list[Judged]:
    """The last decision alone, else the last word of each judge; whoever has no name counts each time."""
    decided = [one for one in some if one.adjudicated]
    if decided:
        return decided[-1:]
    return list({one.annotator or one.annotation: one for one in some}.values())


def _pair(one: Judged, votes: int, of: int) -> DatasetRow:
    chosen, refused = one.chosen, one.refused
    assert refused is not None
    how = "what should have been said" if one.kind == "edit" else f"preferred by {votes} of {of}"
    how = "decided by adjudication" if one.adjudicated else f"{how}, models" if one.model else how
    return DatasetRow(
        chosen.tip, (chosen.place,), chosen.seen, refused.tip,
        episode=one.episode, role=one.role, trained=_some(chosen.turn), against=_some(refused.turn),
        annotation=one.annotation, chosen=chosen.candidate, refused=refused.candidate,
        why=f"{SHORT[one.kind]}: {how}", new=(chosen.message, refused.message),
    )  # fmt: skip


def _labels(fit: Sequence[Judged], left_out: Counter[str]) -> list[DatasetRow]:
    by: dict[str, list[Judged]] = defaultdict(list)
    for one in fit:
        if one.label is not None and one.chosen.turn is not None:
            by[one.chosen.turn].append(one)
    rows: list[DatasetRow] = []
    for turn, every in by.items():
        some = _counting(every)
        good = sum(one.label is True for one in some)
        if 2 * good == len(some):
            left_out["judges disagree evenly"] += 1
            continue
        label = 2 * good > len(some)
        one = [one for one in some if one.label is label][-1]
        sign = "+" if label else "-"
        why = f"labelled {sign} by {max(good, len(some) - good)} of {len(some)}"
        row = DatasetRow(one.chosen.tip, (one.chosen.place,), one.chosen.seen, None, label, one.episode, one.role)
        rows.append(row._replace(trained=(turn,), annotation=one.annotation, why=why))
    return rows


def _some(turn: str | None) -> tuple[str, ...]:
    return () if turn is None else (turn,)
