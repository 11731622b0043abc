"""Mined pairs as questions: what the game says of two replies, put before people to see whether they say so, too.

What people answer enters training as every judged pair does, and goes before what the game says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from store.filters import Filters
from store.pairing import Question, Questions, Reply
from store.perspectives import perspectives
from training.pairs import Kind, Mining, Pair, mine

DOUBT: Mapping[Kind, float] = {
    "turn": 1.0,
    "credit": 0.9,
    "dialogue": 0.8,
    "ignored": 0.6,
    "repeat": 0.3,
    "malformed": 0.1,
}
"""How much there is to learn from people: luck may have decided a game; a broken rule is a broken rule."""


def mined(
    reader: sqlite3.Connection, filters: Filters, wish: Mining, learner: str = "", roles: Sequence[str] = ()
) -> Questions:
    """Questions from the pairs that training would mine, the most doubtful first. Raises ValueError for the filters.

    Test material is among them: people may judge it, and training leaves it out by itself.
    """
    found = mine(perspectives(reader, filters, roles=roles), wish, learner)
    asked = [one for pair in found.pairs if (one := _question(pair)) is not None]
    asked.sort(key=lambda one: -one.priority)
    return Questions(asked, sum(found.there.values()), found.states)


def _question(pair: Pair) -> Question | None:
    """None where a side was said in the parent of a branch, and so is no reply of its own there."""
    good, bad = pair.chosen.said.turn, pair.rejected.said.turn
    if good is None or bad is None:
        return None
    a, b = sorted((good, bad))  # the order gives nothing away
    kind = "endings" if pair.kind == "dialogue" else "pair"
    why = f"{pair.kind}: {pair.why}"
    return Question(kind, Reply(a), Reply(b), DOUBT[pair.kind], why, pair.chosen.perspective.split)
