"""Which item comes next and on which side, votes that only add, undo, repeats, known answers, places."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_log import played, queue_of

from players.base import Identity
from store import judging, queues
from store.errors import NoConsent
from store.judging import Ballot, Judge, NothingToUndo, PlaceTaken

OWL, FOX, HEN = Judge("kind-owl-1"), Judge("shy-fox-2"), Judge("calm-hen-3")


@pytest.fixture
def log(tmp_path):
    with played(tmp_path / "e.sqlite", many=14) as opened:
        for judge in (OWL, FOX, HEN):
            opened.people.add("research", judge.id)
        yield opened


def say(log, queue, judge, shown, verdict="a", **more):
    wish = {"left": shown.left, "right": shown.right, "repeat": shown.repeat, **more}
    return judging.vote(log, queue, judge, Ballot(shown.item.id, verdict, **wish))


def work(log, queue, judge, verdict="a", many=1000):
    """Judge until nothing is left; what was shown, in order."""
    seen = []
    while len(seen) < many and (shown := judging.reserve(log, queue, judge)) is not None:
        seen.append(shown)
        say(log, queue, judge, shown, verdict(shown) if callable(verdict) else verdict)
    return seen


def verdicts(log):
    rows = log.reader().execute(
        "SELECT item, judge, repeat, verdict, strength, a_was_left FROM verdicts ORDER BY 1, 2, 3"
    )
    return rows.fetchall()


def rebuilt(log):
    """What stands, from the rows in the order in which they were written, and nothing else."""
    rows = log.reader().execute(
        """SELECT a.id, a.item_id, coalesce(a.annotator_id, p.name), a.repeat, a.value, a.strength, a.shown_order,
        i.a_id, a.supersedes FROM annotations a JOIN items i ON i.id = a.item_id
        LEFT JOIN players p ON p.id = a.judge_id ORDER BY a.id"""
    )
    table = {}
    for id, item, judge, repeat, value, strength, order, a, supersedes in rows:
        table.pop(supersedes, None)
        verdict = json.loads(value)["verdict"]
        if verdict is not None:
            table[id] = (item, judge, repeat, verdict, strength, int(json.loads(order)[0] == a))
    return sorted(table.values())


@given(st.integers(0, 2**31), st.text(max_size=8), st.text(max_size=8))
def test_sides_swap_the_second_time_and_follow_from_the_seed(seed, item, judge):
    first = judging.a_is_left(seed, item, judge)
    assert first == judging.a_is_left(seed, item, judge) != judging.a_is_left(seed, item, judge, repeat=True)
    assert not judging.is_repeated(seed, item, judge, 0.0) and judging.is_repeated(seed, item, judge, 1.0)


def test_sides_are_balanced():
    left = sum(judging.a_is_left(7, str(item), judge) for item in range(2000) for judge in ("x", "y", "z"))
    assert abs(left / 6000 - 0.5) < 0.03
    assert abs(sum(judging.is_repeated(7, str(item), "x", 0.07) for item in range(6000)) / 6000 - 0.07) < 0.015


def test_a_vote_is_a_row_with_everything_that_was_so(log):
    queue = queue_of(log, repeats=0.0)
    guideline = queues.guide(log, queue, "Which clue is better?")
    shown = judging.reserve(log, queue, OWL)
    assert (shown.number, shown.of, shown.repeat) == (1, 12, False)
    assert (shown.left == shown.item.a) == judging.a_is_left(7, shown.item.id, OWL.id)
    ballot = Ballot(
        shown.item.id, "b", shown.left, shown.right, much=True, early=True, flag=True, comment="a\ud800", ms=812.0,
        guideline=guideline.id,
    )  # fmt: skip
    id = judging.vote(log, queue, OWL, ballot)
    sql = """SELECT kind, item_id, annotator_id, judge_id, chosen_id, rejected_id, strength, blind, ms, guideline_id,
      repeat, supersedes FROM annotations WHERE id = ?"""
    assert log.reader().execute(sql, (id,)).fetchone() == (
        "preference", shown.item.id, OWL.id, None, shown.item.b, shown.item.a, 2, 1, 812.0, guideline.id, 0, None,
    )  # fmt: skip
    value, order = log.reader().execute("SELECT value, shown_order FROM annotations").fetchone()
    assert json.loads(value) == {"verdict": "b", "flag": True, "comment": "a?", "early": True}
    assert json.loads(order) == [shown.left, shown.right]
    assert log.reader().execute("SELECT count(*) FROM reservations").fetchone() == (0,)


@pytest.mark.parametrize("verdict", ["tie", "bad", "skip"])
def test_what_prefers_nothing_has_no_strength(log, verdict):
    queue = queue_of(log)
    shown = judging.reserve(log, queue, OWL)
    say(log, queue, OWL, shown, verdict, much=True)
    assert log.reader().execute("SELECT strength, chosen_id, rejected_id FROM annotations").fetchone() == (
        0, shown.item.a, shown.item.b,
    )  # fmt: skip


def test_the_most_informative_comes_first(log):
    queue = queue_of(log, judges=3, repeats=0.0)
    ids = [item.id for item in judging.items(log.reader(), queue)]
    log.write(lambda db: db.execute("UPDATE items SET priority = 5 WHERE id = ?", (ids[7],)).rowcount)
    first = work(log, queue, OWL, many=3)
    assert first[0].item.id == ids[7]
    # of equal priority: what is disputed goes before what has fewer votes
    argued = first[1].item.id
    other = judging.reserve(log, queue, FOX)
    while other.item.id != argued:
        say(log, queue, FOX, other, "skip")
        other = judging.reserve(log, queue, FOX)
    say(log, queue, FOX, other, "b")
    order = [shown.item.id for shown in work(log, queue, HEN, "skip")]
    assert order[:2] == [ids[7], argued] and order[-1] == first[2].item.id


def test_no_more_people_than_an_item_needs(log):
    queue = queue_of(log, judges=2, repeats=0.0)
    work(log, queue, OWL), work(log, queue, FOX)
    assert judging.reserve(log, queue, HEN) is None
    assert Counter(item for item, *_ in verdicts(log)) == {item.id: 2 for item in judging.items(log.reader(), queue)}


def test_a_reservation_takes_a_place_until_it_expires(log):
    queue = queue_of(log, many=1, repeats=0.0)
    assert judging.reserve(log, queue, OWL, seconds=600) is not None
    assert judging.reserve(log, queue, FOX) is None
    judging.renew(log, OWL, judging.items(log.reader(), queue)[0].id, seconds=-1)
    late = judging.reserve(log, queue, FOX)
    assert late is not None, "it expired"
    say(log, queue, FOX, late)
    with pytest.raises(PlaceTaken, match="go on with"):
        say(log, queue, OWL, late)
    assert [row[1] for row in verdicts(log)] == [FOX.id]


def test_a_renewal_that_comes_late_brings_nothing_back(log):
    queue = queue_of(log, repeats=0.0)
    shown = judging.reserve(log, queue, OWL)
    say(log, queue, OWL, shown)
    judging.renew(log, OWL, shown.item.id)
    assert judging.reserve(log, queue, OWL).item != shown.item


def test_what_somebody_let_go_is_free_at_once_and_what_they_hold_comes_back_first(log):
    queue = queue_of(log, judges=1, repeats=0.0)
    mine = judging.reserve(log, queue, OWL)
    assert judging.reserve(log, queue, OWL) == mine
    judging.release(log, queue, OWL)
    assert judging.reserve(log, queue, FOX).item == mine.item


def test_a_skip_leaves_the_place_to_others_and_does_not_come_back(log):
    queue = queue_of(log, many=2, repeats=1.0)
    seen = work(log, queue, OWL, "skip")
    assert len(seen) == 2
    assert len({shown.item.id for shown in work(log, queue, FOX)}) == 2


def test_a_skip_that_becomes_a_vote_needs_the_place_still(log):
    queue = queue_of(log, many=1, repeats=0.0)
    shown = judging.reserve(log, queue, OWL)
    say(log, queue, OWL, shown, "skip")
    work(log, queue, FOX)
    with pytest.raises(PlaceTaken):
        say(log, queue, OWL, judging.look_again(log, queue, OWL, shown.item.id), "a")


def test_repeats_come_later_with_the_sides_swapped(log):
    queue = queue_of(log, 40, repeats=0.5)
    shown = work(log, queue, OWL)
    firsts = {one.item.id: at for at, one in enumerate(shown) if not one.repeat}
    seconds = {one.item.id: at for at, one in enumerate(shown) if one.repeat}
    chosen = {item for item in firsts if judging.is_repeated(7, item, OWL.id, 0.5)}
    assert set(seconds) == chosen and len(firsts) == 40 and 0 < len(chosen) < 40
    for item, at in seconds.items():
        assert (shown[at].left, shown[at].right) == (shown[firsts[item]].right, shown[firsts[item]].left)
        assert at - firsts[item] > 1
    early = [at - firsts[item] for item, at in seconds.items() if at < 40]
    assert early and min(early) >= judging.APART
    assert [one.number for one in shown] == list(range(1, len(shown) + 1))
    assert {one.of for one in shown} == {40 + len(chosen)}


def test_known_answers_are_mixed_in_for_everybody(log):
    queue = queue_of(log, 40, judges=1, repeats=0.0)
    ids = [item.id for item in judging.items(log.reader(), queue)]
    gold = set(ids[-4:])
    log.write(lambda db: db.executemany("UPDATE items SET gold = 'b' WHERE id = ?", [(id,) for id in gold]).rowcount)
    order = {judge: [one.item.id for one in work(log, queue, judge)] for judge in (OWL, FOX)}
    assert len(order[OWL]) == 40 and set(order[FOX]) == gold, "the others had their one vote"
    places = [order[OWL].index(id) for id in gold]
    assert min(places) < 36, "they do not all stand at the end, as their priority would have it"


def test_undo_goes_back_without_end_and_a_new_vote_supersedes(log):
    queue = queue_of(log, repeats=0.0)
    seen = work(log, queue, OWL, many=4)
    for one in reversed(seen):
        back = judging.take_back(log, queue, OWL)
        assert (back.item, back.left, back.right, back.number) == (one.item, one.left, one.right, seen.index(one) + 1)
        assert judging.reserve(log, queue, OWL).item == one.item, "it is shown again"
    with pytest.raises(NothingToUndo):
        judging.take_back(log, queue, OWL)
    assert verdicts(log) == []
    again = judging.reserve(log, queue, OWL)
    assert again.item == seen[0].item
    say(log, queue, OWL, again, "tie")
    assert [row[3] for row in verdicts(log)] == ["tie"]
    assert log.reader().execute("SELECT count(*), count(supersedes) FROM annotations").fetchone() == (9, 5)
    assert rebuilt(log) == verdicts(log)


def test_what_was_taken_back_is_open_to_others_once_it_is_let_go(log):
    queue = queue_of(log, many=1)
    work(log, queue, OWL)
    judging.take_back(log, queue, OWL)
    assert judging.reserve(log, queue, FOX) is None
    judging.release(log, queue, OWL)
    assert judging.reserve(log, queue, FOX) is not None


def test_an_old_vote_is_changed_from_the_history(log):
    queue = queue_of(log, repeats=0.0)
    seen = work(log, queue, OWL, many=5)
    votes = judging.history(log.reader(), queue, OWL, 3)
    assert [vote.item for vote in votes] == [one.item.id for one in reversed(seen)][:3]
    assert all((vote.side == "left") == (vote.left == vote.a) for vote in votes)
    old = judging.look_again(log, queue, OWL, votes[2].item)
    assert (old.left, old.right, old.number) == (votes[2].left, votes[2].right, 3)
    say(log, queue, OWL, old, "bad", comment="both break the rule")
    (newest, *_) = judging.history(log.reader(), queue, OWL, 5)
    assert (newest.verdict, newest.comment, newest.item) == ("bad", "both break the rule", votes[2].item)
    assert len(verdicts(log)) == 5 and rebuilt(log) == verdicts(log)


def test_models_are_kept_apart_and_take_nobodys_place(log):
    queue = queue_of(log, judges=1, repeats=0.0)
    bot = judging.judge_player(log, Identity("bot", "bot:left", sampling={"temperature": 0}))
    assert bot == judging.judge_player(log, Identity("bot", "bot:left", sampling={"temperature": 0}))
    assert len(work(log, queue, bot)) == 12 == len(work(log, queue, OWL))
    assert len(work(log, queue, bot)) == 0
    row = log.reader().execute("SELECT judge, judge_kind, count(*) FROM verdicts GROUP BY 1, 2 ORDER BY 1").fetchall()
    assert row == [("bot:left", "model", 12), (OWL.id, "person", 12)]
    told = queues.tally(log.reader(), queue)
    assert (told.votes, told.full, told.people, told.models, told.disputed) == (12, 12, 1, 1, 0)


def test_nobody_judges_who_took_the_consent_back(log):
    queue = queue_of(log)
    shown = judging.reserve(log, queue, OWL)
    log.people.withdraw(OWL.id)
    with pytest.raises(NoConsent):
        say(log, queue, OWL, shown)


def test_drafts_stay_until_the_vote(log, tmp_path):
    queue = queue_of(log)
    shown = judging.reserve(log, queue, OWL)
    judging.write_draft(log, OWL.id, shown.item.id, "hm")
    judging.write_draft(log, OWL.id, shown.item.id, "hmm\ud800")
    assert judging.read_draft(log.reader(), OWL.id, shown.item.id) == "hmm?"
    assert judging.read_draft(log.reader(), FOX.id, shown.item.id) == ""
    say(log, queue, OWL, shown)
    assert judging.read_draft(log.reader(), OWL.id, shown.item.id) == ""
    judging.write_draft(log, OWL.id, "t", "x")
    judging.write_draft(log, OWL.id, "t", "")
    assert log.reader().execute("SELECT count(*) FROM drafts").fetchone() == (0,)


@pytest.mark.parametrize("luck", range(4))
def test_whatever_judges_do_the_rows_rebuild_the_table(log, luck):
    """Votes, undo, changes of mind and skips by three people and a model, in a random order."""
    queue = queue_of(log, judges=2, repeats=0.4)
    bot = judging.judge_player(log, Identity("bot", "bot:left"))
    dice = random.Random(luck)
    for _ in range(60):
        judge = dice.choice([OWL, FOX, HEN, bot])
        votes = judging.history(log.reader(), queue, judge, 100)
        deed = dice.random()
        try:
            if deed < 0.15 and votes:
                judging.take_back(log, queue, judge)
            elif deed < 0.25 and votes:
                old = judging.look_again(log, queue, judge, dice.choice(votes).item)
                say(log, queue, judge, old, dice.choice(judging.VERDICTS))
            elif (shown := judging.reserve(log, queue, judge)) is not None:
                say(log, queue, judge, shown, dice.choice(judging.VERDICTS), much=dice.random() < 0.3)
        except PlaceTaken:
            assert judge.person
    table = verdicts(log)
    assert rebuilt(log) == table and len(table) > 10
    assert len({(item, judge, repeat) for item, judge, repeat, *_ in table}) == len(table)
    counts = [row[0] for row in table if row[1] != "bot:left" and not row[2] and row[3] != "skip"]
    people = Counter(counts)
    assert max(people.values()) <= 2
