"""Judged pairs, corrections and labels enter by the same door: with their ids, without the superseded and withheld."""

from __future__ import annotations

import pytest

from players.base import Identity
from store import judging, queues
from store.adjudication import adjudicate
from store.datasets import freeze, records
from store.filters import Filters
from store.ids import new_id, now
from store.judged import judged
from store.log import Log
from training.build import NothingToTrain, build_labels, build_pairs
from training.pairs import Mining
from training.selection import Selection

PLACE = "SELECT id, episode_id, ply, role, player_id, seen_hash, text FROM turns WHERE role = 'guesser'"


@pytest.fixture
def log(games_path, tmp_path):
    """A copy of the log of bots, since this one is judged."""
    copy = tmp_path / "e.sqlite"
    with Log.open(games_path) as opened:
        opened.reader().execute("VACUUM INTO ?", (str(copy),))
    with Log.open(copy) as opened:
        opened.people.add("public", "kind-owl-1")
        opened.people.add("research", "shy-fox-2")
        yield opened


@pytest.fixture
def turn(log):
    """A guess in training material."""
    sql = f"""{PLACE} AND episode_id IN (SELECT e.id FROM episodes e JOIN instances i ON i.id = e.instance_id
      WHERE e.game = 'taboo' AND i.split = 'train') ORDER BY id LIMIT 1"""
    return log.reader().execute(sql).fetchone()


def candidate(log, turn, text, itself=False, person=None):
    id = new_id()
    row = (id, turn[1], turn[2], turn[3], turn[0] if itself else None, turn[4], person, turn[5], text, now())
    sql = "INSERT INTO candidates (id, episode_id, ply, role, turn_id, player_id, person_id, seen_hash, text, "
    log.write(lambda db: db.execute(f"{sql}created_at) VALUES ({', '.join('?' * 10)})", row).rowcount)
    return id


def annotate(log, kind, *, turn=None, chosen=None, rejected=None, by="kind-owl-1", value="{}", strength=1, over=None):
    id = new_id()
    row = (id, kind, turn, by, chosen, rejected, strength, value, now(), over)
    sql = "INSERT INTO annotations (id, kind, turn_id, annotator_id, chosen_id, rejected_id, strength, value, "
    log.write(lambda db: db.execute(f"{sql}created_at, supersedes) VALUES ({', '.join('?' * 10)})", row).rowcount)
    return id


def pairs(log, **filters):
    return build_pairs(log.reader(), Filters(**filters), Mining(), judged="only")


def test_a_judged_pair_is_a_row_with_all_its_ids(log, turn):
    good, bad = candidate(log, turn, "GUESS: fine"), candidate(log, turn, turn[6], itself=True)
    judged_as = annotate(log, "preference", chosen=good, rejected=bad)
    built = pairs(log)
    (row,) = built.rows
    assert (row.annotation, row.chosen, row.refused) == (judged_as, good, bad)
    assert row.trained == () and row.against == (turn[0],) and row.why == "judged: preferred by 1 of 1"
    made = freeze(log, "dpo", built.rows, {})
    (record,) = records(log.reader(), made.id)
    assert record["chosen"] == [{"role": "assistant", "content": "GUESS: fine"}]
    assert record["rejected"] == [{"role": "assistant", "content": turn[6]}]
    assert record["loss"] == [len(record["prompt"])] and record["prompt"][-1]["role"] == "user"
    sql = "SELECT annotation_id, chosen_id, rejected_id FROM dataset_rows WHERE dataset_id = ?"
    kept = log.reader().execute(sql, (made.id,)).fetchall()
    assert kept == [(judged_as, good, bad)]


def test_judged_pairs_stand_beside_mined_ones_and_before_them(log, turn):
    mined = build_pairs(log.reader(), Filters(), Mining())
    one = next(row for row in mined.rows if len(row.trained) == 1 == len(row.against))
    sides = []
    for id in (one.against[0], one.trained[0]):  # a person sees it the other way round
        said = log.reader().execute(PLACE.partition(" WHERE")[0] + " WHERE id = ?", (id,)).fetchone()
        sides.append(candidate(log, said, said[6], itself=True))
    annotate(log, "preference", chosen=sides[0], rejected=sides[1])
    both = build_pairs(log.reader(), Filters(), Mining())
    assert len(both.rows) == len(mined.rows) and both.facts["kinds"]["judged"] == 1
    assert (one.tip, one.rejected) not in {(row.tip, row.rejected) for row in both.rows}
    assert build_pairs(log.reader(), Filters(), Mining(), judged="without").rows == mined.rows


def test_a_correction_is_better_than_what_was_said(log, turn):
    better = candidate(log, turn, "GUESS: better", person="kind-owl-1")
    edit = annotate(log, "edit", turn=turn[0], chosen=better)
    (row,) = pairs(log).rows
    assert (row.annotation, row.chosen, row.refused) == (edit, better, None)
    assert row.against == (turn[0],) and row.why.startswith("corrected")
    (record,) = records(log.reader(), freeze(log, "dpo", [row], {}).id)
    assert record["chosen"][0]["content"] == "GUESS: better" and record["rejected"][0]["content"] == turn[6]


def test_labels_by_people_go_before_outcomes(log, turn):
    plain = build_labels(log.reader(), Filters(), Selection())
    was = next(row.label for row in plain.rows if row.trained == (turn[0],))
    label = annotate(log, "label", turn=turn[0], value=f'{{"label": "{"-" if was else "+"}"}}')
    built = build_labels(log.reader(), Filters(), Selection())
    (row,) = [row for row in built.rows if row.trained == (turn[0],)]
    assert row.label is not was and row.annotation == label and row.why.startswith("labelled")
    assert len(built.rows) == len(plain.rows) and built.facts["people"] == 1
    with pytest.raises(NothingToTrain, match="labels need both kinds"):
        build_labels(log.reader(), Filters(), Selection(), judged="only")
    (record,) = records(log.reader(), freeze(log, "kto", [row], {}).id)
    assert record["completion"] == [{"role": "assistant", "content": turn[6]}] and record["label"] is not was


def test_what_was_superseded_or_a_tie_does_not_count(log, turn):
    good, bad = candidate(log, turn, "GUESS: one"), candidate(log, turn, "GUESS: two")
    first = annotate(log, "preference", chosen=good, rejected=bad)
    second = annotate(log, "preference", chosen=bad, rejected=good, over=first)
    (row,) = pairs(log).rows
    assert (row.annotation, row.chosen) == (second, bad)
    annotate(log, "preference", chosen=bad, rejected=good, strength=0, over=second)
    assert judged(log.reader(), Filters()) == []


def test_the_majority_counts_and_an_even_vote_does_not(log, turn):
    good, bad = candidate(log, turn, "GUESS: one"), candidate(log, turn, "GUESS: two")
    annotate(log, "preference", chosen=good, rejected=bad)
    annotate(log, "preference", chosen=bad, rejected=good, by="shy-fox-2")
    with pytest.raises(NothingToTrain, match="1 judges disagree evenly"):
        pairs(log)
    annotate(log, "preference", chosen=good, rejected=bad, by=None)
    (row,) = pairs(log).rows
    assert row.chosen == good and row.why == "judged: preferred by 2 of 3"


def test_consent_of_judges_and_writers_counts(log, turn):
    good, bad = candidate(log, turn, "GUESS: one", person="shy-fox-2"), candidate(log, turn, "GUESS: two")
    annotate(log, "preference", chosen=good, rejected=bad)
    assert len(pairs(log, consent="research").rows) == 1
    with pytest.raises(NothingToTrain, match="1 judged by somebody who agreed to less"):
        pairs(log, consent="public")
    annotate(log, "edit", turn=turn[0], chosen=candidate(log, turn, "GUESS: x"), by="shy-fox-2")
    log.people.withdraw("shy-fox-2")
    with pytest.raises(NothingToTrain, match="2 judged by somebody who agreed to less"):
        pairs(log, consent="local")


def test_validation_and_test_material_is_held_back(log, turn):
    annotate(log, "edit", turn=turn[0], chosen=candidate(log, turn, "GUESS: better"))
    sql = """INSERT INTO instances SELECT id || 'x', 'clem:taboo', name, key, experiment, language, 'test', NULL, data
      FROM instances WHERE id = (SELECT instance_id FROM episodes WHERE id = ?)"""
    log.write(lambda db: db.execute(sql, (turn[1],)).rowcount)
    with pytest.raises(NothingToTrain, match="1 judged, but validation or test material"):
        pairs(log)


def test_filters_and_roles_are_about_judged_turns_too(log, turn):
    annotate(log, "edit", turn=turn[0], chosen=candidate(log, turn, "GUESS: better"))
    assert len(pairs(log, games=("taboo",)).rows) == 1
    with pytest.raises(NothingToTrain):
        pairs(log, games=("wordle",))
    with pytest.raises(NothingToTrain):
        build_pairs(log.reader(), Filters(), Mining(), roles=("describer",), judged="only")


def test_sides_that_answer_different_words_are_no_pair(log, turn):
    other = log.reader().execute(f"{PLACE} AND seen_hash <> ? LIMIT 1", (turn[5],)).fetchone()
    annotate(log, "preference", chosen=candidate(log, turn, "a"), rejected=candidate(log, other, "b"))
    assert judged(log.reader(), Filters()) == []


@pytest.fixture
def item(log, turn):
    """An item of a queue: two replies to the same words."""
    good, bad = candidate(log, turn, "GUESS: one"), candidate(log, turn, "GUESS: two")
    queue = queues.new_queue(log, "q", judges=5, seed=1)
    (id,) = queues.add_items(log, queue, [queues.NewItem("pair", good, bad)]).new
    return queue, id, good, bad


def vote(log, item, verdict, by="kind-owl-1", **more):
    queue, id, good, bad = item
    judge = by if isinstance(by, judging.Judge) else judging.Judge(by)
    return judging.vote(log, queue, judge, judging.Ballot(id, verdict, good, bad, **more))


def test_votes_enter_and_what_prefers_nothing_does_not(log, item):
    vote(log, item, "b")
    for verdict, by in (("tie", "shy-fox-2"), ("skip", "calm-hen-3"), ("bad", "calm-hen-4")):
        if not log.people.find(by):
            log.people.add("public", by)
        vote(log, item, verdict, by)
    (row,) = pairs(log).rows
    assert (row.chosen, row.refused, row.why) == (item[3], item[2], "judged: preferred by 1 of 1")
    judging.take_back(log, item[0], judging.Judge("kind-owl-1"))
    assert judged(log.reader(), Filters()) == []


def test_of_two_looks_the_first_counts_once(log, item):
    vote(log, item, "a")
    vote(log, item, "a", repeat=True)
    vote(log, item, "b", "shy-fox-2")
    with pytest.raises(NothingToTrain, match="1 judges disagree evenly"):
        pairs(log)
    vote(log, item, "tie", "shy-fox-2")
    vote(log, item, "b", "shy-fox-2", repeat=True)
    (row,) = pairs(log).rows
    assert row.why == "judged: preferred by 1 of 1" and row.chosen == item[2]


def test_a_judge_counts_once_whatever_the_number_of_queues(log, item):
    other = queues.new_queue(log, "again", judges=5)
    (again,) = queues.add_items(log, other, [queues.NewItem("pair", item[2], item[3])]).new
    vote(log, item, "a")
    vote(log, (other, again, *item[2:]), "a")
    vote(log, item, "b", "shy-fox-2")
    with pytest.raises(NothingToTrain, match="1 judges disagree evenly"):
        pairs(log)


def test_a_decision_goes_before_all_votes(log, item):
    vote(log, item, "a"), vote(log, item, "a", "shy-fox-2")
    adjudicate(log, item[0], item[1], "b", "it breaks a rule", "shy-fox-2")
    (row,) = pairs(log).rows
    assert row.chosen == item[3] and row.why == "judged: decided by adjudication"
    adjudicate(log, item[0], item[1], "bad", "both do", "shy-fox-2")
    with pytest.raises(NothingToTrain, match="1 decided: neither is better"):
        pairs(log)


def test_models_count_only_where_they_are_asked_for(log, item):
    bot = judging.judge_player(log, Identity("bot", "bot:left"))
    vote(log, item, "b", bot)
    assert judged(log.reader(), Filters()) == []
    with pytest.raises(NothingToTrain):
        pairs(log)
    (row,) = build_pairs(log.reader(), Filters(), Mining(), judged="only", judges="models").rows
    assert row.chosen == item[3] and row.why == "judged: preferred by 1 of 1, models"
    vote(log, item, "a"), vote(log, item, "a", "shy-fox-2")
    assert len(judged(log.reader(), Filters(), "all")) == 3 and len(judged(log.reader(), Filters(), "people")) == 2
    (row,) = build_pairs(log.reader(), Filters(), Mining(), judged="only", judges="all").rows
    assert row.chosen == item[2]
    with pytest.raises(ValueError, match="no judges 'nobody'"):
        judged(log.reader(), Filters(), "nobody")
