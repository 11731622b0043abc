"""Queues: names, guidelines with versions, items that enter once, closing."""

from __future__ import annotations

import dataclasses

import pytest
from judged_log import pairs, played, queue_of

from store import queues
from store.candidates import add_candidate, candidate_of
from store.errors import NoConsent, Unknown, UnknownQueue
from store.judging import Ballot, Judge, reserve, vote
from store.queues import BadQueue, NewItem


@pytest.fixture
def log(tmp_path):
    with played(tmp_path / "e.sqlite") as opened:
        opened.people.add("research", "kind-owl-1")
        yield opened


def test_a_queue_is_found_by_name_by_id_and_by_what_is_near(log):
    queue = queues.new_queue(log, "  first   try ", judges=3, repeats=0.1, seed=5, config={"game": ["taboo"]})
    assert (queue.name, queue.judges, queue.repeats, queue.seed) == ("first try", 3, 0.1, 5)
    assert queue.config == {"game": ["taboo"]} and queue.open and queue.guideline is None
    reader = log.reader()
    assert queues.find_queue(reader, "first try") == queues.find_queue(reader, queue.id) == queue
    assert queues.find_queue(reader, queue.id[:12].lower()) == queue
    with pytest.raises(UnknownQueue, match="did you mean 'first try'"):
        queues.find_queue(reader, "frist try")
    with pytest.raises(UnknownQueue, match="there are: first try"):
        queues.find_queue(reader, "zzz")
    with pytest.raises(BadQueue, match="there is a queue 'first try' already"):
        queues.new_queue(log, "first try")


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "x" * 61])
def test_a_name_is_one_short_line(log, name):
    with pytest.raises(BadQueue, match="up to 60 characters"):
        queues.new_queue(log, name)


@pytest.mark.parametrize("wish", [{"judges": 0}, {"repeats": 1.5}, {"repeats": -0.1}])
def test_numbers_that_cannot_be_are_refused(log, wish):
    with pytest.raises(BadQueue):
        queues.new_queue(log, "x", **wish)


def test_with_no_queue_the_way_to_one_is_named(log):
    with pytest.raises(UnknownQueue, match="annotate queue new NAME"):
        queues.find_queue(log.reader(), "any")


def test_guidelines_have_versions_and_the_same_text_is_none(log):
    queue = queues.new_queue(log, "q", guidelines="# Which clue is better?")
    assert queue.guideline is not None and queue.guideline.version == 1
    assert queues.guide(log, queue, "# Which clue is better?").version == 1
    second = queues.guide(log, queue, "# Which clue helps more?")
    assert second.version == 2 and queues.find_queue(log.reader(), "q").guideline == second
    assert [one.version for one in queues.guidelines(log.reader(), queue)] == [1, 2]
    with pytest.raises(BadQueue, match="empty"):
        queues.guide(log, queue, " \n")


def test_a_pair_enters_once_whichever_way_round(log):
    queue, (one, *_) = queues.new_queue(log, "q"), pairs(log, 3)
    first = queues.add_items(log, queue, [one])
    turned = NewItem("pair", one.b, one.a, priority=2.5, gold="a")
    again = queues.add_items(log, queue, [one, turned])
    assert (len(first.new), again.new, again.known) == (1, [], first.new * 2)
    row = log.reader().execute("SELECT a_id, priority, gold FROM items").fetchall()
    assert row == [(one.a, 2.5, "b")], "the known answer is about the candidate, not about the letter"
    other = queues.add_items(log, queue, [dataclasses.replace(one, kind="endings")])
    assert len(other.new) == 1, "how it went on is another question"


def test_what_is_no_pair_is_refused_with_a_reason(log):
    queue, found = queues.new_queue(log, "q"), pairs(log, 12)
    one = found[0]
    other = next(pair for pair in found if _seen(log, pair.a) != _seen(log, one.a))
    strange = [NewItem("pair", one.a, one.a), NewItem("pair", one.a, other.b), NewItem("pair", one.a, "nobody")]
    added = queues.add_items(log, queue, strange)
    assert not added.new and added.refused == {
        "one reply against itself": 1,
        "two replies to different words": 1,
        "a candidate that is not in the log": 1,
    }


def _seen(log, candidate):
    return log.reader().execute("SELECT seen_hash FROM candidates WHERE id = ?", (candidate,)).fetchone()[0]


def test_a_closed_queue_takes_nothing_until_it_is_opened_again(log):
    queue = queue_of(log)
    judge = Judge("kind-owl-1")
    item = reserve(log, queue, judge)
    assert item is not None
    closed = queues.close_queue(log, queue)
    assert not closed.open and log.reader().execute("SELECT count(*) FROM reservations").fetchone() == (0,)
    with pytest.raises(BadQueue, match="closed"):
        vote(log, queue, judge, Ballot(item.item.id, "a", item.left, item.right))
    with pytest.raises(BadQueue, match="closed"):
        reserve(log, queue, judge)
    with pytest.raises(BadQueue, match="closed"):
        queues.add_items(log, queue, pairs(log, 2))
    assert queues.close_queue(log, queue, again=True).open
    assert vote(log, queue, judge, Ballot(item.item.id, "a", item.left, item.right))


def test_open_queues_come_first(log):
    one, two = queues.new_queue(log, "one"), queues.new_queue(log, "two")
    assert [queue.name for queue in queues.all_queues(log.reader())] == ["two", "one"]
    queues.close_queue(log, two)
    assert [queue.name for queue in queues.all_queues(log.reader())] == ["one", "two"]
    assert one.open


def test_the_candidate_of_a_turn_is_one_and_the_same_in_every_file(log, tmp_path):
    turn, text = log.reader().execute("SELECT id, text FROM turns LIMIT 1").fetchone()
    copy = tmp_path / "copy.sqlite"
    log.reader().execute("VACUUM INTO ?", (str(copy),))
    one = log.write(lambda db: candidate_of(db, turn))
    assert log.write(lambda db: candidate_of(db, turn)) == one
    from store.log import Log

    with Log.open(copy) as other:
        assert other.write(lambda db: candidate_of(db, turn)) == one
    row = log.reader().execute("SELECT turn_id, text, seen_hash IS NOT NULL FROM candidates").fetchall()
    assert row == [(turn, text, 1)]
    with pytest.raises(Unknown, match="erased"):
        log.write(lambda db: candidate_of(db, "nothing"))


def test_another_reply_stands_beside_a_turn_and_needs_consent(log):
    turn, player, seen = log.reader().execute("SELECT id, player_id, seen_hash FROM turns LIMIT 1").fetchone()
    made = log.write(lambda db: add_candidate(db, turn, "CLUE: hm\ud800", player, person="kind-owl-1", rank=2))
    row = log.reader().execute("SELECT turn_id, text, seen_hash, person_id, rank FROM candidates WHERE id = ?", (made,))
    assert row.fetchone() == (None, "CLUE: hm?", seen, "kind-owl-1", 2)
    with pytest.raises(NoConsent):
        log.write(lambda db: add_candidate(db, turn, "x", player, person="nobody"))
    with pytest.raises(Unknown):
        log.write(lambda db: add_candidate(db, "nothing", "x", player))
