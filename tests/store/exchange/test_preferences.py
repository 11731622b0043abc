"""Judgements from elsewhere: pairs and labels in trainers' forms, attached where their prompt was heard here."""

from __future__ import annotations

import json

import pytest
from clem_trees import put
from judged_log import played

from store import queues
from store.exchange.intake import NothingThere
from store.exchange.preferences import import_preferences
from store.filters import Filters
from store.judged import judged
from store.keep import check

PROMPT = [
    {"role": "user", "content": "Describe SNOW."},
    {"role": "assistant", "content": "CLUE: white"},
    {"role": "user", "content": "GUESS: milk"},
]


def said(text):
    return [{"role": "assistant", "content": text}]


def pair(chosen="CLUE: cold", rejected="CLUE: snow", **more):
    return {"prompt": PROMPT, "chosen": said(chosen), "rejected": said(rejected), **more}


def label(text="CLUE: cold", good=True, **more):
    return {"prompt": PROMPT, "completion": said(text), "label": good, **more}


def take(log, tmp_path, *lines, **how):
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    return import_preferences(log, str(put(tmp_path / "liked.jsonl", text)), **how)


def sound(log):
    report = check(log)
    assert report.ok, report.problems


def test_a_pair_nobody_heard_here_is_an_episode_that_ends_before_the_reply(log, tmp_path):
    done = take(log, tmp_path, pair(game="taboo", role="describer", split="train", annotator="A17", strength=2))
    assert (done.pairs, done.labels, done.attached, done.episodes, done.refused) == (1, 0, 0, 1, [])
    assert dict(done.splits) == {"train": 1}
    (one,) = judged(log.reader(), Filters())
    assert (one.kind, one.annotator, one.role, one.split) == ("preference", "A17", "describer", "train")
    assert (one.chosen.message[3], one.refused.message[3]) == ("CLUE: cold", "CLUE: snow")
    found = log.queries.detail(one.episode)
    assert found.row.game == "pref:taboo" and [turn.text for turn in found.turns] == ["CLUE: white"]
    assert [(message.role, message.content) for message in log.queries.conversation(one.chosen.seen)] == [
        (message["role"], message["content"]) for message in PROMPT
    ]
    sound(log)


def test_twice_is_once_and_another_annotator_is_another_judgement(log, tmp_path):
    take(log, tmp_path, pair(annotator="A1"))
    done = take(log, tmp_path, pair(annotator="A1"), pair(annotator="A2"), pair(judge="gpt-4"))
    assert (done.known, done.pairs, done.episodes) == (1, 2, 0)
    rows = log.reader().execute("SELECT annotator_id IS NULL, judge_id IS NULL FROM annotations ORDER BY 1, 2")
    assert rows.fetchall() == [(0, 1), (0, 1), (1, 0)], "a model that judges is nobody's pseudonym"
    assert log.reader().execute("SELECT count(*) FROM candidates").fetchone() == (2,)
    assert log.people.get("A1").consent == "local"
    sound(log)


def test_what_was_heard_here_is_attached_to_its_turn(tmp_path):
    with played(tmp_path / "played.sqlite") as log:
        sql = "SELECT id, episode_id, seen_hash, text FROM turns WHERE role = 'guesser' ORDER BY seq LIMIT 1"
        turn, episode, seen, text = log.reader().execute(sql).fetchone()
        prompt = [{"role": one.role, "content": one.content} for one in log.queries.conversation(seen)]
        better = {"prompt": prompt, "chosen": said("GUESS: another"), "rejected": said(text)}
        bad = {"prompt": prompt, "completion": said(text), "label": False}
        unknown = {"prompt": prompt, "completion": said("GUESS: never said"), "label": True}
        done = take(log, tmp_path, better, bad, unknown)
        assert (done.pairs, done.labels, done.attached, done.episodes, done.refused) == (1, 2, 2, 1, [])
        found = {one.kind: one for one in judged(log.reader(), Filters()) if one.episode == episode}
        assert found["preference"].refused.turn == turn and found["preference"].chosen.turn is None
        assert found["label"].chosen.turn == turn and found["label"].label is False
        sound(log)


def test_labels_ties_and_prompts_at_the_head_of_both_sides(log, tmp_path):
    both = {"chosen": [*PROMPT, *said("CLUE: cold")], "rejected": [*PROMPT, *said("CLUE: snow")]}
    plain = {"prompt": "Which is it?", "chosen": "this", "rejected": "that"}
    done = take(log, tmp_path, both, plain, label(), label("CLUE: snow", good=False), pair("CLUE: wet", tie=True))
    assert (done.pairs, done.labels, done.refused) == (3, 2, [])
    found = judged(log.reader(), Filters())
    assert sorted(one.kind for one in found) == ["label", "label", "preference", "preference"], "a tie is no pair"
    assert {one.chosen.message[3]: one.label for one in found if one.kind == "label"} == {
        "CLUE: cold": True, "CLUE: snow": False,
    }  # fmt: skip
    sound(log)


def test_pairs_are_items_of_a_queue_with_the_vote_on_them(log, tmp_path):
    queue = queues.new_queue(log, "elsewhere", judges=2)
    done = take(log, tmp_path, pair(annotator="A1"), pair("CLUE: snow", "CLUE: cold", annotator="A2"), queue=queue)
    assert (done.pairs, done.items) == (2, 1)
    rows = log.reader().execute("SELECT judge, verdict, a_was_left FROM verdicts ORDER BY judge").fetchall()
    assert rows == [("A1", "a", None), ("A2", "b", None)], "they disagree; on which side it stood nobody knows"
    assert queues.tally(log.reader(), queue).disputed == 1
    sound(log)


def test_new_material_is_test_material_unless_somebody_says_so(log, tmp_path):
    assert dict(take(log, tmp_path, pair()).splits) == {"test": 1}
    other = pair()
    other["prompt"] = [{"role": "user", "content": "Another one."}]
    assert dict(take(log, tmp_path, other, split="train").splits) == {"train": 1}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"prompt": PROMPT}, "neither a pair"),
        ({"prompt": [], "chosen": said("a"), "rejected": said("b")}, "no words before"),
        (pair("CLUE: x", "CLUE: x"), "the same words on both sides"),
        (pair(annotator="Ann Smith <ann@example.org>"), "more than a pseudonym"),
        (pair(strength=7), "strength 7"),
        (pair(split="dev"), "split 'dev'"),
        ({**pair(), "chosen": PROMPT}, "not one reply"),
        ({**label(), "label": "yes"}, "without a label"),
        ({"prompt": [{"role": "boss"}], "chosen": said("a"), "rejected": said("b")}, "without role or text"),
        ({"chosen": [*PROMPT, *said("a")], "rejected": [*PROMPT[:1], *said("b")]}, "answer different words"),
        ("{not json}\n", ""),
        ("[1, 2]\n", "no object"),
    ],
)
def test_a_line_that_cannot_be_is_told_with_its_reason_and_the_rest_comes_in(log, tmp_path, line, why):
    done = take(log, tmp_path, line, pair())
    assert done.pairs == 1 and len(done.refused) == 1
    assert why in done.refused[0].reason and done.refused[0].path == "liked.jsonl:1"
    sound(log)


def test_somebody_who_took_consent_back_is_refused(log, tmp_path):
    log.people.add("local", id="A9")
    log.people.withdraw("A9")
    done = take(log, tmp_path, pair(annotator="A9"))
    assert done.pairs == 0 and len(done.refused) == 1
    with pytest.raises(NothingThere, match="holds no preferences"):
        import_preferences(log, str(put(tmp_path / "none.jsonl", "")))
    with pytest.raises(NothingThere, match="no file or folder"):
        import_preferences(log, str(tmp_path / "gone.jsonl"))
