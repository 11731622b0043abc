"""Rankings: everything that people said of the replies to the same words, as one row, best first.

A completion is worth one for every vote for it and half for every tie, over all votes about it; both bad counts against
both. What is worth the same has the same rank.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence

from games.engine import Message
from store.datasets import DatasetRow, Ranked
from store.filters import Filters
from store.ids import chain
from store.ranked import Vote, votes
from training.build import Built, NothingToTrain
from training.leaks import Guard

POINTS = {"better": (1.0, 0.0), "tie": (0.5, 0.5), "bad": (0.0, 0.0)}
"""What a vote is worth to each of its two sides."""


def build_rankings(reader: sqlite3.Connection, filters: Filters) -> Built:
    """A row per conversation whose next reply people judged. Raises NothingToTrain, ValueError."""
    guard, left_out = Guard(reader), Counter[str]()
    by: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes(reader, filters):
        if vote.withheld:
            left_out["judged by somebody who agreed to less"] += 1
        elif guard.keeps(vote.key, vote.split):
            left_out["judged, but validation or test material"] += 1
        elif vote.verdict == "skip":
            left_out["skipped by a judge"] += 1
        elif vote.better[0] == vote.worse[0]:
            left_out["judged, but both said the same"] += 1
        else:
            by[vote.seen].append(vote)
    if not by:
        reasons = "; ".join(f"{number} {why}" for why, number in left_out.items())
        raise NothingToTrain(f"there is no vote of a person to rank by{f' ({reasons})' if reasons else ''}")
    rows = [_ranking(seen, some) for seen, some in sorted(by.items())]
    facts = {
        "rows": len(rows),
        "episodes": len({vote.episode for some in by.values() for vote in some}),
        "kinds": dict(Counter(row.why for row in rows)),
        "left_out": dict(left_out),
    }
    return Built(rows, facts)


def _ranking(seen: str, said: Sequence[Vote]) -> DatasetRow:
    worth: dict[str, list[float]] = defaultdict(list)
    texts: dict[str, str] = {}
    turns: dict[str, dict[str, None]] = defaultdict(dict)
    for vote in said:
        for (tip, text), value, turn in zip((vote.better, vote.worse), POINTS[vote.verdict], vote.turns, strict=True):
            texts[tip] = text
            worth[tip].append(value)
            if turn is not None:
                turns[tip][turn] = None
    mean = {tip: sum(values) / len(values) for tip, values in worth.items()}
    order = sorted(worth, key=lambda tip: (-mean[tip], tip))
    ranked = [
        Ranked(tip, 1 + sum(mean[other] > mean[tip] for other in order), round(mean[tip], 4), len(worth[tip]))
        for tip in order
    ]
    return DatasetRow(
        order[0], (), seen, episode=said[0].episode, role=said[0].role,
        trained=tuple(turns[order[0]]), against=tuple(turn for tip in order[1:] for turn in turns[tip]),
        why=f"{len(order)} completions", ranked=tuple(ranked), votes=tuple(vote.annotation for vote in said),
        new=tuple(row for tip in order for row in chain([Message("assistant", texts[tip])], seen)),
    )  # fmt: skip
