"""Selecting what is trained: each rule by itself, exact counts, the same every time, and loss only where it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from games.engine import Message
from store.ids import chain
from store.perspectives import Perspective, Spoken
from training.selection import Row, Selection, select, split_speakers


def said(ply, *, kind="bot", verdict="ok", turn="t", player="bot"):
    return Spoken(
        turn and f"{turn}{ply}", ply, 1, player, kind, "me" if kind == "human" else None, False, verdict, None
    )


def seat(*spoken, episode="E", outcome="success", main=100.0, role="guesser", game="taboo", words="hello"):
    """A dialogue with one user message before each reply and one at the end."""
    messages = []
    for at, _ in enumerate(spoken):
        messages += [Message("user", f"{episode} {words} {at}?"), Message("assistant", f"answer {at}")]
    messages.append(Message("user", "over"))
    return Perspective(
        episode, None, game, "i", "id", f"{game}:{episode}", "high", "en", "train", 1, role, outcome, "", main, 1.0,
        len(spoken), tuple(chain(messages)), tuple(spoken),
        tuple(at for at, one in enumerate(messages) if one.role == "assistant"),
    )  # fmt: skip


def test_a_row_ends_with_its_last_trained_reply_and_masks_what_broke_a_rule():
    one = seat(said(0, verdict="illegal"), said(2), said(4, verdict="illegal"))
    (row,) = select([one], Selection()).rows
    assert row.loss == (1,) and row.places == (3,) and row.upto == 4 and row.tip == one.hashes[3]
    assert [m.role for m in one.messages[: row.upto]][-1] == "assistant"
    dropped = select([one], Selection(illegal="drop"))
    assert dropped.rows == [] and dropped.left_out == {"a rule was broken": 1}


def test_one_row_a_turn_has_what_stood_before_it():
    one = seat(said(0), said(2, verdict="illegal"), said(4))
    rows = select([one], Selection(unit="turn")).rows
    assert [(row.upto, row.loss) for row in rows] == [(2, (0,)), (6, (2,))]
    assert [row.loss for row in select([one], Selection(unit="turn", illegal="drop")).rows] == [(0,)]


@pytest.mark.parametrize(
    ("wish", "kept"),
    [
        ({}, "ab"),
        ({"keep": "all"}, "abcd"),
        ({"keep": "score", "min_score": 50}, "abc"),
        ({"keep": "score"}, "a"),
        ({"roles": ("describer",)}, "b"),
        ({"models": ("ada",), "keep": "all"}, "d"),
    ],
)
def test_what_is_kept(wish, kept):
    seats = [
        seat(said(0), episode="a"),
        seat(said(0), episode="b", main=33.3, role="describer"),
        seat(said(0), episode="c", outcome="failure", main=50.0),
        seat(said(0, player="ada"), episode="d", outcome="aborted", main=None),
        seat(said(0), episode="e", outcome=None, main=None),
        seat(episode="f"),
    ]
    if wish.get("keep") == "score" and "min_score" in wish:
        seats[1] = seat(said(0), episode="b", main=66.6)
    selected = select(seats, Selection(**wish))
    assert "".join(row.perspective.episode for row in selected.rows) == kept
    assert sum(selected.left_out.values()) == 6 - len(kept)


def test_the_same_words_count_once_and_a_parents_turns_train_there():
    one = seat(said(0), said(2))
    again = seat(said(0), said(2))
    assert select([one, again], Selection()).left_out == {"the same words again": 1}
    branch = seat(said(0, turn=None), said(2), episode="B")
    assert [row.loss for row in select([branch], Selection()).rows] == [(1,)]


def test_a_mix_has_exact_shares_of_turns():
    people = [seat(said(0, kind="human"), episode=f"h{n}") for n in range(30)]
    bots = [seat(said(0), episode=f"s{n}") for n in range(200)]
    selected = select([*people, *bots], Selection(mix={"human": 0.3, "synthetic": 0.7}))
    told = selected.by_speaker()
    assert (told["human"]["turns"], told["synthetic"]["turns"]) == (30, 70)
    assert told["human"]["turns_share"] == 0.3 and selected.left_out == {"beyond the mix": 130}
    assert 0 < told["human"]["characters_share"] < 1
    again = select([*people, *bots], Selection(mix={"human": 0.3, "synthetic": 0.7}))
    assert again.rows == selected.rows
    other = select([*people, *bots], Selection(mix={"human": 0.3, "synthetic": 0.7}, seed=1))
    assert other.rows != selected.rows and len(other.rows) == 100


def test_a_mix_without_one_of_them_is_refused():
    with pytest.raises(ValueError, match="the mix wants 50% human turns"):
        select([seat(said(0))], Selection(mix={"human": 0.5, "synthetic": 0.5}))
    with pytest.raises(ValidationError, match="must add up to 1"):
        Selection(mix={"human": 0.5, "synthetic": 0.6})
    with pytest.raises(ValidationError):
        Selection(mix={"dogs": 1.0})


def test_a_seat_that_changed_hands_is_trained_in_two_rows():
    one = seat(said(0, kind="human"), said(2), said(4, kind="human"))
    first, second = split_speakers(select([one], Selection()).rows[0])
    assert (first.loss, first.upto, first.speaker) == ((0, 2), 6, "human")
    assert (second.loss, second.upto, second.speaker) == ((1,), 4, "synthetic")


def test_balance_fills_small_cells_by_repeating_and_cuts_large_ones():
    short = [seat(said(0), episode=f"s{n}") for n in range(40)]
    long = [seat(said(0), said(2), said(4), episode=f"l{n}") for n in range(5)]
    selected = select([*short, *long], Selection(balance=("rounds",)))
    assert selected.by_cell() == {"taboo · guesser · 1": 20, "taboo · guesser · 3+": 20}
    assert selected.left_out == {"beyond the balance": 20}
    assert {row.copies for row in selected.rows} == {1, 4}
    cut = select([*short, *long], Selection(balance=("rounds",), grow=1))
    assert cut.by_cell() == {"taboo · guesser · 1": 5, "taboo · guesser · 3+": 5}


def test_a_cell_that_is_hardly_there_does_not_cut_the_others_down():
    short = [seat(said(0), episode=f"s{n}") for n in range(40)]
    long = [seat(said(0), said(2), said(4), episode=f"l{n}") for n in range(30)]
    odd = [seat(said(0), said(2), episode="odd")]
    selected = select([*short, *long, *odd], Selection(balance=("rounds",)))
    assert selected.by_cell() == {"taboo · guesser · 1": 40, "taboo · guesser · 2": 4, "taboo · guesser · 3+": 40}
    assert not selected.left_out


def test_a_limit_is_drawn_by_the_seed():
    seats = [seat(said(0), episode=str(n)) for n in range(50)]
    one, two = (select(seats, Selection(limit=10, seed=seed)).rows for seed in (0, 1))
    assert len(one) == len(two) == 10 and one != two == select(seats, Selection(limit=10, seed=1)).rows


def test_a_balance_does_not_undo_a_mix_and_a_limit_counts_every_row():
    people = [seat(said(0, kind="human"), episode=f"h{n}") for n in range(60)]
    short = [seat(said(0), episode=f"s{n}") for n in range(40)]
    long = [seat(said(0), said(2), said(4), episode=f"l{n}") for n in range(5)]
    seats, mix = [*people, *short, *long], {"human": 0.3, "synthetic": 0.7}
    mixed = select(seats, Selection(unit="turn", balance=("rounds",), mix=mix))
    assert mixed.by_speaker()["human"]["turns_share"] == pytest.approx(0.3, abs=0.02)
    few = select(seats, Selection(unit="turn", balance=("rounds",), mix=mix, limit=20))
    assert {who: told["rows"] for who, told in few.by_speaker().items()} == {"human": 6, "synthetic": 14}
    limited = select([*short, *long], Selection(balance=("rounds",), limit=10))
    assert sum(limited.by_cell().values()) == 10 and len(limited.by_cell()) == 2
    assert select(seats, Selection(mix=mix, limit=1)).rows


KINDS = st.sampled_from(["human", "bot", "model"])
REPLIES = st.lists(st.tuples(KINDS, st.sampled_from(["ok", "illegal"])), max_size=4)


@given(st.lists(REPLIES, max_size=8), st.sampled_from(["episode", "turn"]), st.sampled_from(["mask", "drop"]))
def test_loss_is_on_legal_replies_of_the_seat_and_nowhere_else(dialogues, unit, illegal):
    seats = [
        seat(*(said(2 * n, kind=kind, verdict=verdict) for n, (kind, verdict) in enumerate(replies)), episode=str(at))
        for at, replies in enumerate(dialogues)
    ]
    for row in select(seats, Selection(keep="all", unit=unit, illegal=illegal)).rows:
        messages = row.perspective.messages[: row.upto]
        assert messages[-1].role == "assistant" and row.places[-1] == row.upto - 1
        assert all(messages[place].role == "assistant" for place in row.places)
        assert all(one.verdict == "ok" for one in row.trained)
        if illegal == "drop":
            spoken = row.perspective.spoken[: row.loss[-1] + 1]
            assert all(one.verdict == "ok" for one in spoken)
        assert isinstance(row, Row) and row.copies == 1
