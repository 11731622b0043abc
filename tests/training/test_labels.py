"""Labels of turns from how their games ended, and what a selection leaves of them."""

from __future__ import annotations

from collections import Counter

import pytest
from test_selection import said, seat

from training.labels import labelled
from training.selection import Selection

SEATS = [
    seat(said(0, turn="a"), said(2, turn="a", verdict="illegal"), said(4, turn="a"), episode="a"),
    seat(said(0, turn="b"), said(2, turn="b"), episode="b", outcome="failure", main=50.0),
    seat(said(0, turn="c"), episode="c", outcome="draw", main=100.0),
    seat(said(0, turn="d"), episode="d", outcome="aborted", main=None, role="describer"),
    seat(said(0, turn="e"), episode="e", outcome=None, main=None),
]
"""Won with a rule broken in the middle, lost, drawn, aborted, unfinished."""
DRAWN = {"a draw, which says nothing of its turns": 1}


@pytest.mark.parametrize(
    ("wish", "good", "bad", "left_out"),
    [
        ({}, "a0 a4", "a2 b0 b2 d0", DRAWN),
        ({"illegal": "drop"}, "a0", "b0 b2 d0", {"a rule was broken, there or before": 2} | DRAWN),
        ({"keep": "score", "min_score": 50}, "a0 a4 b0 b2 c0", "a2 d0", {}),
        ({"keep": "score"}, "a0 a4 c0", "a2 b0 b2 d0", {}),
    ],
)  # fmt: skip
def test_how_games_ended_labels_their_turns(wish, good, bad, left_out):
    counted = Counter()
    rows = labelled(SEATS, Selection(**wish), (), counted)
    found = {label: " ".join(row.trained[0] for row in rows if row.label is label) for label in (True, False)}
    assert found == {True: good, False: bad} and counted == left_out
    assert all(row.why and row.tip and row.prompt for row in rows)


def test_what_people_labelled_already_is_not_labelled_again():
    rows = labelled(SEATS, Selection(), {"a0", "b2"}, Counter())
    assert {row.trained[0] for row in rows} == {"a4", "a2", "b0", "d0"}


def test_the_same_words_are_one_row_a_label():
    twice = [
        seat(said(0, turn=f"{at}x"), outcome=outcome) for at, outcome in enumerate(("success", "success", "failure"))
    ]
    counted = Counter()
    rows = labelled(twice, Selection(), (), counted)
    assert [(row.trained[0], row.label) for row in rows] == [("0x0", True), ("2x0", False)]
    assert counted == {"the same words again": 1}
    assert len(labelled(twice, Selection(dedupe=False), (), Counter())) == 3


def test_cells_are_balanced():
    many = [seat(said(0, turn=f"{at}"), episode=str(at)) for at in range(6)]
    few = [seat(said(0, turn=f"d{at}"), episode=f"d{at}", role="describer") for at in range(2)]
    counted = Counter()
    rows = labelled([*many, *few], Selection(balance=("role",), grow=2), (), counted)
    assert Counter(row.role for row in rows) == {"guesser": 4, "describer": 4}
    assert counted == {"beyond the balance": 2}
