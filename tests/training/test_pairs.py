"""Mined pairs: each kind by itself, the same words before both sides, the learner's own first, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.engine import Message
from store.ids import chain
from store.perspectives import Perspective, Spoken
from training.pairs import KINDS, Mining, mine
from training.recipe import load

_NUMBER = count()


def seat(*talk, outcome="success", player="ada", instance="i", verdicts=None, credit=None, reason="rounds"):
    """A dialogue from words of user and assistant by turns."""
    messages = tuple(Message("assistant" if at % 2 else "user", words) for at, words in enumerate(talk))
    replies = len(talk) // 2
    spoken = tuple(
        Spoken(f"t{next(_NUMBER)}", at, 1, player, "model", None, False, (verdicts or ["ok"] * replies)[at],
               None if credit is None else credit[at])
        for at in range(replies)
    )  # fmt: skip
    return Perspective(
        f"e{next(_NUMBER)}", None, "taboo", instance, instance, "k", "x", "en", "train", 1, "guesser", outcome, reason,
        100.0 if outcome == "success" else None, None, replies, tuple(chain(messages)), spoken,
        tuple(at for at, one in enumerate(messages) if one.role == "assistant"),
    )  # fmt: skip


def only(mined):
    (pair,) = mined.pairs
    return pair


def test_the_first_turn_that_differs_after_the_same_words():
    won = seat("a clue", "cat", "no; it barks", "dog", "yes")
    lost = seat("a clue", "cat", "no; it barks", "cow", "no", outcome="failure")
    pair = only(mine([won, lost], Mining()))
    assert (pair.kind, pair.prefix) == ("turn", 3) and pair.why == "from here it won 1 of 1 games, the other 0 of 1"
    assert [m.content for m in pair.prompt] == ["a clue", "cat", "no; it barks"]
    assert pair.chosen.perspective.messages[:3] == pair.rejected.perspective.messages[:3]
    assert [[m.content for m in side] for side in pair.continuations] == [["dog"], ["cow"]]


def test_what_broke_a_rule_loses_against_what_did_not_whoever_won():
    good = seat("a clue", "GUESS: cow", "no", outcome="failure")
    bad = seat("a clue", "cow", "say GUESS:", "GUESS: cow", "yes", verdicts=["illegal", "ok"])
    pair = only(mine([good, bad], Mining()))
    assert pair.kind == "malformed" and pair.chosen.said is good.spoken[0] and pair.rejected.said is bad.spoken[0]


def test_saying_the_same_again_loses():
    again = seat("a clue", "Cow", "no", "cow ", "no", outcome="failure")
    other = seat("a clue", "Cow", "no", "pig", "no", outcome="failure")
    assert only(mine([again, other], Mining())).kind == "repeat"
    on_a_map = [replace(one, game="clem:textmapworld") for one in (again, other)]
    assert mine(on_a_map, Mining()).pairs == []


def test_more_credit_for_the_turn_wins():
    one = seat("clue", "crane", "..", outcome="failure", credit=[0.5])
    two = seat("clue", "zzzzz", "..", outcome="failure", credit=[0.25])
    pair = only(mine([one, two], Mining()))
    assert pair.kind == "credit" and pair.why == "the game credits this turn with 0.5, the other with 0.25"
    assert mine([one, two], Mining(kinds=("turn",))).pairs == []


def test_a_reply_counts_by_all_its_games():
    cat = [seat("clue", "cat", "x", outcome=o) for o in ("success", "failure", "failure")]
    dog = [seat("clue", "dog", "x", outcome=o) for o in ("success", "success", "failure")]
    pair = only(mine([*cat, *dog], Mining()))
    assert pair.chosen.perspective.messages[1].content == "dog" and pair.rejected.perspective.outcome == "failure"
    assert pair.why == "from here it won 2 of 3 games, the other 1 of 3"


def test_a_dialogue_pair_is_the_whole_rest_of_both():
    won = seat("clue", "cat", "no", "dog", "yes")
    lost = seat("clue", "cow", "no", "pig", "no", "hen", "over", outcome="aborted")
    pair = only(mine([won, lost], Mining(kinds=("dialogue",))))
    assert pair.prefix == 1 and [m.content for m in pair.continuations[1]] == ["cow", "no", "pig", "no", "hen"]
    assert [m.role for m in pair.continuations[0]] == ["assistant", "user", "assistant"]
    assert "ended as aborted (rounds)" in pair.why


def test_where_the_game_master_differed_first_nothing_is_compared():
    won = seat("clue", "cat", "it barks", "dog", "yes")
    lost = seat("clue", "cat", "it moos", "pig", "no", outcome="failure")
    assert mine([won, lost], Mining(kinds=KINDS)).pairs == []


def test_other_instances_are_not_compared_though_the_words_are_the_same():
    assert mine([seat("go", "a", "x"), seat("go", "b", "x", outcome="failure", instance="j")], Mining()).pairs == []


def test_the_learners_own_come_first_and_can_be_all():
    seats = [
        seat("clue", "dog", "yes", player="ada"),
        seat("clue", "cow", "no", player="ada", outcome="failure"),
        seat("clue", "hen", "yes", player="bob"),
        seat("clue", "pig", "no", player="bob", outcome="failure"),
    ]
    pairs = mine(seats, Mining(), learner="ada").pairs
    assert [pair.own for pair in pairs] == sorted(pair.own for pair in pairs) and pairs[0].own == 0 and len(pairs) == 4
    assert [pair.own for pair in mine(seats, Mining(own="only"), learner="ada").pairs] == [0]
    assert mine(seats, Mining(own="only")).pairs == []


def test_limits_hold_and_what_was_there_is_told():
    seats = [seat("clue", f"good {n}", "yes") for n in range(6)]
    seats += [seat("clue", f"bad {n}", "no", outcome="failure") for n in range(6)]
    mined = mine(seats, Mining(per_state=5, per_reply=2))
    assert len(mined.pairs) == 5 and mined.there == {"turn": 36} and mined.states == 1
    chosen = [pair.chosen.tip for pair in mined.pairs]
    assert max(chosen.count(tip) for tip in chosen) <= 2
    assert mine(seats, Mining(per_state=5)).pairs == mined.pairs
    assert len(mine(seats, Mining(limit=3)).pairs) == 3


WORDS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=7)
SEATS = st.lists(
    st.tuples(WORDS, st.sampled_from(["success", "failure", "aborted", "draw", None]), st.sampled_from(["ada", "bob"])),
    max_size=7,
)


@given(SEATS, st.sampled_from(["only", "first", "any"]))
def test_both_sides_heard_the_same_and_said_something_else(dialogues, own):
    seats = [seat(*words, outcome=outcome, player=player) for words, outcome, player in dialogues]
    for pair in mine(seats, Mining(kinds=KINDS, own=own), learner="ada").pairs:
        good, bad = pair.chosen, pair.rejected
        assert good.perspective.messages[: pair.prefix] == bad.perspective.messages[: pair.prefix]
        assert good.perspective.hashes[pair.prefix - 1] == bad.perspective.hashes[pair.prefix - 1]
        one, two = pair.continuations
        assert one[0].role == two[0].role == one[-1].role == two[-1].role == "assistant"
        assert one[0] != two[0] and good.said.verdict == "ok" and pair.why
        if pair.kind in ("turn", "dialogue"):
            assert bad.perspective.outcome in ("failure", "aborted")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_asked_for_alone(kind):
    assert mine([], Mining(kinds=(kind,))).by_kind() == {}


def test_own_wins_takes_the_learners_winning_moves_against_its_losing_ones_only():
    wish = load("own-wins", "dpo").mining
    won, lost = seat("clue", "dog", "yes", player="ada"), seat("clue", "cow", "no", player="ada", outcome="failure")
    others = [seat("clue", "hen", "yes", player="bob"), seat("clue", "pig", "no", player="bob", outcome="failure")]
    both_lost = seat("clue", "elk", "no", player="ada", outcome="aborted", verdicts=["illegal"])
    drew = seat("clue", "ape", "so-so", player="ada", outcome="draw")
    pairs = mine([won, lost, *others, both_lost, drew], wish, learner="ada").pairs
    assert {(pair.chosen.said, pair.rejected.said) for pair in pairs} == {
        (won.spoken[0], lost.spoken[0]),
        (won.spoken[0], both_lost.spoken[0]),
    }
    hot = replace(won, spoken=(won.spoken[0]._replace(player="ada?temperature=1"),))
    assert len(mine([hot, lost], wish, learner="ada").pairs) == 1, "whatever its settings"


def test_a_dialogue_that_changed_hands_is_not_ones_own():
    lost = seat("clue", "cow", "no", "pig", "no", player="ada", outcome="failure")
    won = seat("clue", "cat", "no", "dog", "yes", player="ada")
    helped = replace(won, spoken=(won.spoken[0], won.spoken[1]._replace(player="bob")))
    wish = Mining(kinds=("dialogue",), own="only")
    assert len(mine([won, lost], wish, learner="ada").pairs) == 1
    assert mine([helped, lost], wish, learner="ada").pairs == []
