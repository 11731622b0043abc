"""Pairs that people judged beside what came of them: who decides, what measures, and what cannot be told."""

from __future__ import annotations

import pytest
from differing import paired, played_on, side
from judgements import say

from evaluation.disagreement import disagreement, ordered
from evaluation.intervals import wilson
from store.disagreement import judged_games, judged_pairs
from store.errors import BadCondition, Unknown
from store.filters import Filters


@pytest.fixture
def pairs(log):
    """Five items: of each, b came of a game that was won and a of one that was lost."""
    for name in ("ann", "bo", "cy"):
        log.people.add(id=name)
    return paired(log, 5)


def only(log, item, **how):
    (found,) = [one for one in judged_pairs(log.reader(), **how).pairs if one.item == item]
    return found


def test_more_people_against_the_outcome_disagree(log, pairs):
    for name, verdict in (("ann", "a"), ("bo", "a"), ("cy", "b")):
        say(log, pairs[0], name, verdict)
    say(log, pairs[0], "qwen", "b", model=True)
    say(log, pairs[1], "ann", "b")
    one = only(log, pairs[0])
    assert (one.preferred, one.favoured, one.measure, one.gap) == ("a", "b", "games", 1.0)
    assert (one.a.outcome, one.b.outcome, one.stand) == ("failure", "success", "disagree")
    assert one.tally == {"a": 2, "b": 1} and len(one.opinions) == 4, "the model is told of, and does not count"
    assert only(log, pairs[1]).stand == "agree" and one.queues == ("pairs",)


def test_an_adjudicated_verdict_decides_over_votes(log, pairs):
    for name in ("ann", "bo"):
        say(log, pairs[0], name, "a")
    say(log, pairs[0], "cy", "b", adjudicated=True, reason="a is no clue")
    one = only(log, pairs[0])
    assert (one.preferred, one.stand) == ("b", "agree") and len(one.votes) == 2
    assert (one.decision.by, one.decision.reason) == ("cy", "a is no clue")
    say(log, pairs[0], "cy", "bad", adjudicated=True, reason="both are bad")
    one = only(log, pairs[0])
    assert (one.preferred, one.stand, one.undecided) == (None, "undecided", "decided: neither is better")


def test_what_cannot_be_told_says_why(log, pairs):
    say(log, pairs[0], "ann", "a")
    say(log, pairs[0], "bo", "b")
    say(log, pairs[1], "ann", "tie")
    for item, rewards in ((pairs[2], [1.0, 0.0]), (pairs[3], [])):
        say(log, item, "ann", "a")
        for letter in "ab":
            played_on(log, item, letter, rewards)
    gone = side(log, pairs[3], "b")
    log.write(lambda db: db.execute("UPDATE candidates SET turn_id = NULL WHERE id = ?", (gone,)).rowcount)
    found = disagreement(log.reader())
    assert found.undecided == {
        "people are split evenly": 1, "people prefer neither": 1, "both came to the same": 1, "no outcome of both": 1,
    }  # fmt: skip
    assert found.share is None and found.pairs == found.open == 4


def test_rollouts_measure_before_endings_but_not_where_endings_were_judged(log, pairs):
    say(log, pairs[0], "ann", "a")
    played_on(log, pairs[0], "a", [1.0, 1.0, 0.0])
    played_on(log, pairs[0], "b", [0.0])
    one = only(log, pairs[0])
    assert (one.measure, one.favoured, one.stand) == ("rollouts", "a", "agree")
    assert one.worth("a") == pytest.approx(2 / 3) and one.worth("b") == 0.0
    log.write(lambda db: db.execute("UPDATE items SET kind = 'endings'").rowcount)
    one = only(log, pairs[0])
    assert (one.measure, one.stand) == ("games", "disagree")


def test_first_looks_count_and_what_was_taken_back_skipped_or_withdrawn_does_not(log, pairs):
    say(log, pairs[0], "ann", "a")
    say(log, pairs[0], "ann", "b", repeat=True)
    say(log, pairs[0], "bo", None, supersedes=say(log, pairs[0], "bo", "b"))
    say(log, pairs[0], "cy", "skip")
    assert only(log, pairs[0]).votes == {"ann": "a"}
    say(log, pairs[1], "cy", "a")
    log.people.withdraw("cy")
    found = disagreement(log.reader())
    assert (found.pairs, found.withdrawn) == (1, 2)


def test_the_share_has_wilsons_interval_and_queue_and_filters_hold(log, pairs):
    other = paired(log, 1, "more", game="wordle")
    for item in pairs:
        say(log, item, "ann", "a" if item == pairs[0] else "b")
    say(log, other[0], "ann", "a")
    found = disagreement(log.reader(), "pairs")
    assert (found.agree, found.disagree, found.share) == (4, 1, wilson(1, 5))
    assert disagreement(log.reader(), filters=Filters(games=("wordle",))).disagree == 1
    assert disagreement(log.reader(), filters=Filters(roles=("guesser",))).pairs == 0
    assert disagreement(log.reader(), played_on=True).pairs == 0
    assert disagreement(log.reader()).pairs == 6 and judged_games(log.reader()) == ["taboo", "wordle"]
    with pytest.raises(Unknown, match="no queue is called 'pear'; there is"):
        disagreement(log.reader(), "pear")
    with pytest.raises(BadCondition, match="is no condition"):
        disagreement(log.reader(), filters=Filters(where="r.mian > 3"))


def test_the_strongest_come_first_or_the_newest(log, pairs):
    for item in pairs[:3]:
        say(log, item, "ann", "a")
    say(log, pairs[1], "bo", "a")
    played_on(log, pairs[0], "a", [0.0, 1.0])
    played_on(log, pairs[0], "b", [1.0, 1.0])
    found = disagreement(log.reader()).disagreeing
    assert [one.item for one in found] == [pairs[0], pairs[1], pairs[2]], "played on, two people, one"
    assert [one.item for one in ordered(found, "newest")] == [pairs[1], pairs[2], pairs[0]]
