"""Labels of turns from how their games ended: what KTO learns from where nobody has judged them.

A turn is good where its game went well and it broke no rule. The same words after the same words are one row a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from store.datasets import DatasetRow
from store.perspectives import Perspective
from training.selection import Row, Selection, balanced, row_of


def labelled(
    perspectives: Iterable[Perspective], wish: Selection, known: Collection[str], left_out: Counter[str]
) -> list[DatasetRow]:
    """One row a turn that is not in `known`; what was left out is counted."""
    rows = [row for one in perspectives if one.outcome is not None for row in _turns(one, wish, known, left_out)]
    if wish.dedupe:
        first: dict[tuple[str, bool], Row] = {}
        for row in rows:
            first.setdefault((row.tip, _good(row, wish)), row)
        if len(first) < len(rows):
            left_out["the same words again"] += len(rows) - len(first)
        rows = list(first.values())
    if wish.balance and rows:
        rows = balanced(rows, wish, left_out)
    return [made for row in rows for made in [_row(row, wish)] * row.copies]


def _turns(one: Perspective, wish: Selection, known: Collection[str], left_out: Counter[str]) -> Iterator[Row]:
    for at, said in enumerate(one.spoken):
        if said.verdict != "ok" and wish.illegal == "drop":
            left_out["a rule was broken, there or before"] += len(one.spoken) - at
            return
        if said.turn is None or said.turn in known or (wish.models and said.player not in wish.models):
            continue
        if said.verdict == "ok" and wish.keep == "success" and one.outcome == "draw":
            left_out["a draw, which says nothing of its turns"] += 1
            continue
        yield row_of(one, (at,))


def _good(row: Row, wish: Selection) -> bool:
    """Whether the turn is one to learn from."""
    one = row.perspective
    if row.trained[0].verdict != "ok":
        return False
    return one.outcome == "success" if wish.keep == "success" else one.main is not None and one.main >= wish.min_score


def _row(row: Row, wish: Selection) -> DatasetRow:
    one, (said,), place = row.perspective, row.trained, row.upto - 1
    good = _good(row, wish)
    if said.verdict != "ok":
        why = "broke a rule"
    elif wish.keep == "score":
        why = f"scored {'–' if one.main is None else format(one.main, 'g')}"
    else:
        why = "won" if good else f"ended as {one.outcome}"
    before = one.hashes[place - 1] if place else None
    return DatasetRow(row.tip, (place,), before, None, good, one.episode, one.role, row.turns, why=why)
