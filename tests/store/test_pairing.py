"""What a filter gives to be judged: replies to the same words, endings that began alike, the informative ones first."""

from __future__ import annotations

import pytest
from judged_log import played

from store import judging, pairing, queues
from store.candidates import add_candidate
from store.errors import BadCondition
from store.filters import Filters
from store.judging import Ballot, Judge


@pytest.fixture
def log(tmp_path):
    with played(tmp_path / "e.sqlite") as opened:
        yield opened


def sides(log, question):
    """seen_hash, role, text, instance of both turns."""
    sql = """SELECT t.seen_hash, t.role, t.text, e.instance_id, r.outcome FROM turns t
      JOIN episodes e ON e.id = t.episode_id JOIN results r ON r.episode_id = e.id WHERE t.id = ?"""
    return [log.reader().execute(sql, (side.turn,)).fetchone() for side in (question.a, question.b)]


def test_pairs_answer_the_same_words_in_different_ones(log):
    found = pairing.find(log.reader(), Filters())
    assert found.states and found.there >= len(found.chosen) > 10
    for question in found.chosen:
        a, b = sides(log, question)
        assert (a[:2], a[3]) == (b[:2], b[3]) and a[2] != b[2] and question.kind == "pair"
    assert pairing.find(log.reader(), Filters()).chosen == found.chosen, "the same log gives the same"
    assert [one.priority for one in found.chosen] == sorted((one.priority for one in found.chosen), reverse=True)


def test_games_that_ended_differently_come_first(log):
    found = pairing.find(log.reader(), Filters(roles=("describer",)))
    assert {sides(log, one)[0][1] for one in found.chosen} == {"describer"}
    first, last = found.chosen[0], found.chosen[-1]
    assert {row[4] for row in sides(log, first)} == {"success", "failure"} and "ended differently" in first.why
    assert last.priority < first.priority


def test_limits_hold(log):
    found = pairing.find(log.reader(), Filters(), "all", per_state=1, limit=3)
    assert len(found.chosen) == 3 and found.there > 3
    many = pairing.find(log.reader(), Filters(), per_state=50)
    used = [side for one in many.chosen for side in (one.a, one.b)]
    assert max(used.count(side) for side in used) <= pairing.PER_REPLY


def test_endings_part_with_two_replies_to_the_same_words(log):
    found = pairing.find(log.reader(), Filters(), "endings")
    assert found.chosen and all(one.kind == "endings" for one in found.chosen)
    for question in found.chosen:
        a, b = sides(log, question)
        assert (a[:2], a[3]) == (b[:2], b[3]) and a[2] != b[2]
    assert "one ended as" in found.chosen[0].why
    both = pairing.find(log.reader(), Filters(), "all")
    assert {one.kind for one in both.chosen} == {"pair", "endings"}


def test_filters_hold_and_a_condition_that_is_no_sql_is_told(log):
    assert pairing.find(log.reader(), Filters(games=("wordle",))).chosen == []
    assert pairing.find(log.reader(), Filters(games=("taboo",), splits=("train",))).splits == {
        "train": len(pairing.find(log.reader(), Filters()).chosen)
    }
    with pytest.raises(BadCondition, match="no condition"):
        pairing.find(log.reader(), Filters(where="nonsense ="))


def test_filling_twice_adds_nothing(log):
    queue = queues.new_queue(log, "q")
    found = pairing.find(log.reader(), Filters(), "all")
    added = pairing.fill(log, queue, found.chosen)
    assert len(added.new) == len(found.chosen) and not added.refused
    again = pairing.fill(log, queue, found.chosen)
    assert (again.new, sorted(again.known)) == ([], sorted(added.new))
    turns = log.reader().execute("SELECT count(*), count(DISTINCT turn_id) FROM candidates").fetchone()
    assert turns[0] == turns[1], "one candidate a turn"


def test_candidates_that_never_were_said_compete_and_close_values_are_asked_about(log):
    turn, player = log.reader().execute("SELECT id, player_id FROM turns WHERE ply = 0 LIMIT 1").fetchone()
    made = log.write(
        lambda db: [add_candidate(db, turn, f"CLUE: {word}", player) for word in ("one", "two", "three", "One  ")]
    )
    values = [(0.5, made[0]), (0.55, made[1]), (1.0, made[2])]
    log.write(lambda db: db.executemany("UPDATE candidates SET value = ? WHERE id = ?", values).rowcount)
    found = pairing.find(log.reader(), Filters(), per_state=50)
    mine = [one for one in found.chosen if {one.a.candidate, one.b.candidate} <= set(made)]
    assert all(made[3] not in (one.a.candidate, one.b.candidate) for one in found.chosen), "the same words once more"
    close = next(one for one in mine if {one.a.candidate, one.b.candidate} == set(made[:2]))
    assert close.priority == 0.75 and close.why == "their values are close: 0.50 and 0.55"


def test_what_people_disagreed_about_is_asked_again(log):
    queue = queues.new_queue(log, "q", judges=2)
    question = pairing.find(log.reader(), Filters()).chosen[-1]
    (item,) = pairing.fill(log, queue, [question]).new
    for name, verdict in (("kind-owl-1", "a"), ("shy-fox-2", "tie")):
        log.people.add("local", name)
        shown = judging.reserve(log, queue, Judge(name))
        judging.vote(log, queue, Judge(name), Ballot(item, verdict, shown.left, shown.right))
    found = pairing.find(log.reader(), Filters()).chosen
    again = next(one for one in found if {one.a, one.b} == {question.a, question.b})
    assert again.priority == question.priority + 1 and "people disagreed before" in again.why


def test_erased_words_are_not_asked_about(log):
    log.people.add("research", "kind-owl-1")
    turn = log.reader().execute("SELECT id, episode_id FROM turns WHERE ply = 0 ORDER BY id LIMIT 1").fetchone()
    mine = """UPDATE seats SET person_id = 'kind-owl-1' WHERE episode_id = ? AND role = 'describer'"""
    log.write(lambda db: db.execute(mine, (turn[1],)).rowcount)
    redact = """INSERT INTO redactions (id, person_id, reason, opened_at) VALUES ('r', 'kind-owl-1', 'test', '2026')"""

    def erase(db):
        db.execute(redact)
        db.execute("UPDATE turns SET text = '' WHERE id = ?", (turn[0],))
        db.execute("INSERT INTO tombstones (kind, id, redaction_id) VALUES ('turns', ?, 'r')", (turn[0],))
        db.execute("UPDATE redactions SET closed_at = '2026'")

    assert any(turn[0] in (one.a.turn, one.b.turn) for one in pairing.find(log.reader(), Filters(), "all").chosen)
    log.write(erase)
    after = pairing.find(log.reader(), Filters(), "all")
    assert after.chosen and not any(turn[0] in (one.a.turn, one.b.turn) for one in after.chosen)
