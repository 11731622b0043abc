"""The report on judgements: each judge by themselves, people with each other, models against people."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.agreement import SCALE, firsts, outliers, report, said_by_people
from evaluation.agreement_report import disputed_line, document, judges_grid, plain_tables, summary
from store.verdicts import Judgements, Verdict

NUMBER = count()


def vote(item, judge, verdict, **changes):
    at = next(NUMBER)
    values = {
        "annotation": f"v{at:06}", "name": judge, "kind": "person", "repeat": False, "much": False, "a_was_left": True,
        "adjudicated": False, "early": False, "flagged": False, "gold": None, "ms": 4000.0, "at": f"{at:06}",
    }  # fmt: skip
    return Verdict(item=item, judge=judge, verdict=verdict, **(values | changes))


def told(*votes, items=100, withdrawn=0):
    return report(Judgements(("q",), items, tuple(votes), withdrawn))


def of(found, judge):
    return next(row for row in (*found.people, *found.models) if row.judge == judge)


def test_an_empty_queue_has_a_report():
    found = told(items=0)
    assert found.people == () and found.among_people.judges == 0 and found.among_people.alpha.why.startswith("too few")
    assert document(found)["between"]["prevalence"] == 0 and plain_tables(found)[0][0].startswith("q: 0 of 0")
    assert summary(found) == []


def test_one_judge_by_themselves():
    votes = [vote(f"i{n}", "ann", "a" if n % 4 else "b", a_was_left=n % 2 == 0, early=n == 3) for n in range(20)]
    votes += [vote("t", "ann", "tie"), vote("x", "ann", "bad", flagged=True), vote("s", "ann", "skip")]
    row = of(told(*votes), "ann")
    assert (row.items, row.votes, row.early, row.flagged) == (23, 23, 1, 1)
    lefts = sum((n % 4 != 0) == (n % 2 == 0) for n in range(20))
    assert row.left.value == lefts / 20 and row.left.n == 20
    assert row.ties.value == row.bad.value == 1 / 22 and row.skips.value == 1 / 23
    assert row.pace == pytest.approx(15.0) and row.seconds == 4.0 and row.consistency is None and row.gold is None


def test_repeats_with_sides_swapped_measure_consistency():
    votes = []
    for n in range(10):
        second = "a" if n < 7 else "b"  # whoever says b the second time took the same side twice
        votes += [vote(f"i{n}", "ann", "a"), vote(f"i{n}", "ann", second, repeat=True, a_was_left=False)]
    votes += [vote("t", "ann", "tie"), vote("t", "ann", "skip", repeat=True)]  # a skip is no second opinion
    row = of(told(*votes), "ann")
    assert row.consistency.value == 0.7 and row.consistency.n == 10 and row.same_side == 3
    assert "same side, not the same reply, in 3 of 10 repeats" in " ".join(summary(told(*votes)))


def test_known_answers():
    votes = [vote(f"g{n}", "ann", "a", gold="a" if n < 2 else "tie") for n in range(8)]
    found = told(*votes, vote("g", "ann", "skip", gold="a"))
    assert of(found, "ann").gold.value == 0.25 and of(found, "ann").gold.n == 8
    assert "known answer" in " ".join(summary(found))


def test_times_far_from_the_usual_are_outliers_and_not_in_the_pace():
    luck = Random(2)
    times = [3000 * luck.uniform(0.8, 1.25) for _ in range(30)]
    assert outliers([*times, 900_000.0, 40.0]) == ([900_000.0], [40.0])
    assert outliers([*times[:9], 9e9]) == ([9e9], []) and outliers([*times[:8], 9e9]) == ([], [])
    assert outliers([5.0] * 50) == ([], [])
    row = of(told(*(vote(f"i{n}", "ann", "a", ms=ms) for n, ms in enumerate([*times, 900_000.0]))), "ann")
    assert row.slow == 1 and row.fast == 0 and 17 < row.pace < 24
    assert of(told(vote("i", "ann", "a", ms=None)), "ann").pace is None


def many(luck, judges, n=60, agree=0.8):
    votes = []
    for item in range(n):
        truth = luck.choice(SCALE)
        votes += [vote(f"i{item:03}", who, truth if luck.random() < agree else luck.choice(SCALE)) for who in judges]
    return votes


def test_kappa_is_for_exactly_two_and_alpha_for_any():
    two, three = told(*many(Random(1), ["ann", "bo"])), told(*many(Random(1), ["ann", "bo", "cy"]))
    assert two.among_people.kappa == two.pairs[0].kappa and two.among_people.kappa.value is not None
    assert three.among_people.kappa is None and len(three.pairs) == 3
    for found in (two, three):
        row = found.among_people
        assert row.raw.overlaps == row.alpha.overlaps == 60 and row.alpha.low < row.alpha.value < row.alpha.high
    assert [title for title, _ in plain_tables(three)][2] == "two and two"


def test_below_thirty_common_items_there_is_a_word():
    found = told(*many(Random(1), ["ann", "bo"], n=29))
    row = found.among_people
    assert {row.raw.value, row.kappa.value, row.alpha.value, row.strength.value, row.ac1.value} == {None}
    cells = document(found)["between"]["alpha"]
    assert cells == {"value": None, "interval": None, "items": 29, "overlaps": 29, "why": "too few (n<30)"}
    assert "too few (n<30)" in str(plain_tables(found))


def test_skips_bad_and_much_better():
    votes = []
    for n in range(40):
        votes += [vote(f"i{n}", "ann", "a", much=True), vote(f"i{n}", "bo", "a" if n % 2 else "tie")]
    votes += [vote("s", "ann", "skip"), vote("s", "bo", "a"), vote("x", "ann", "bad"), vote("x", "bo", "bad")]
    row = told(*votes).among_people
    assert row.raw.items == 42 and row.raw.overlaps == 41  # who skipped said nothing
    assert row.strength.overlaps == 40  # both bad says not which is better
    assert row.strength.value < row.alpha.value  # much better against a tie lies further apart than a from a tie


def test_repeats_and_what_settles_a_dispute_are_no_votes_between_people():
    votes = many(Random(3), ["ann", "bo"])
    extra = [vote("i000", "ann", "tie", repeat=True), vote("i000", "cy", "bad", adjudicated=True)]
    plain, more = told(*votes), told(*votes, *extra)
    assert more.among_people == plain.among_people and [row.judge for row in more.people] == ["ann", "bo"]


def test_a_dispute_is_open_until_somebody_settles_it():
    votes = [vote("i", "ann", "a"), vote("i", "bo", "b", much=True), vote("i", "cy", "a"), vote("j", "ann", "skip"),
             vote("j", "bo", "a"), vote("k", "ann", "a"), vote("k", "bo", "tie")]  # fmt: skip
    found = told(*votes)
    assert [(one.item, one.settled) for one in found.disputed] == [("i", None), ("k", None)]
    assert found.disputed[0].votes == (("ann", "a", False), ("bo", "b", True), ("cy", "a", False))
    assert "a 2 : b 1 – open" in disputed_line(found.disputed[0])
    assert "2 disputed items not settled" in " ".join(summary(found))
    found = told(*votes, vote("i", "di", "b", adjudicated=True))
    assert [(one.item, one.settled) for one in found.disputed] == [("k", None), ("i", "b")]


def test_what_people_say_is_what_settled_it_or_what_most_say():
    votes = [vote("i", "ann", "a"), vote("i", "bo", "a"), vote("i", "cy", "b"), vote("j", "ann", "a"),
             vote("j", "bo", "b"), vote("k", "ann", "a"), vote("l", "ann", "skip")]  # fmt: skip
    assert said_by_people(firsts(votes), {"k": "bad"}) == {"i": "a", "k": "bad"}


def test_models_never_count_as_people():
    votes = many(Random(4), ["ann", "bo"])
    model = [vote(f"i{n:03}", "ffff", "a", kind="model", name="qwen") for n in range(60)]
    plain, found = told(*votes), told(*votes, *model)
    assert (found.among_people, found.pairs, found.people, found.disputed) == (
        plain.among_people, plain.pairs, plain.people, plain.disputed,
    )  # fmt: skip
    (against,) = found.with_people
    said = said_by_people(firsts(votes), {})
    assert against.first == "qwen" and against.raw.overlaps == len(said)
    assert against.raw.value == pytest.approx(sum(verdict == "a" for verdict in said.values()) / len(said))
    assert [row.name for row in found.models] == ["qwen"] and judges_grid(found.models)[1][0][0] == "qwen"


def test_where_one_verdict_is_nearly_all_ac1_is_the_one_to_read():
    votes = []
    for n in range(60):
        votes += [vote(f"i{n}", "ann", "b" if n == 0 else "a"), vote(f"i{n}", "bo", "b" if n == 1 else "a")]
    found = told(*votes)
    row = found.among_people
    assert row.skewed and row.commonest == "a" and row.kappa.value < 0.1 < 0.9 < row.ac1.value
    assert "AC1 is the one to read" in summary(found)[0]


some_votes = st.lists(
    st.tuples(
        st.integers(0, 6), st.sampled_from(["ann", "bo", "cy"]), st.sampled_from([*SCALE, "skip"]), st.booleans()
    ),
    max_size=40,
    unique_by=lambda one: (one[0], one[1], one[3]),
)


@given(some_votes, st.randoms())
@settings(deadline=None, max_examples=60)
def test_the_report_knows_no_order_of_votes(votes, luck):
    rows = [vote(f"i{item}", who, verdict, repeat=repeat) for item, who, verdict, repeat in votes]
    first = told(*rows)
    luck.shuffle(rows)
    assert told(*rows) == first and sum(row.votes for row in first.people) == first.votes == len(rows)
