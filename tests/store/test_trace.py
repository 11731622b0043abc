"""Tracing: from a keystroke to a checkpoint and back, one relation at a time, nothing invented."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tiny_game import Script, new_match

from players.driver import drive
from players.ports import Place
from store.errors import Unknown
from store.ids import now
from store.trace import Node, Trace, _chain, facts


@pytest.fixture
async def whole(log):
    """A person's episode, judged, trained on, and the checkpoint's own episode; ids by name."""
    me = log.people.add(consent="research").id
    run = log.new_run("play", {})
    seats = {
        "asker": Script("hello", "win", kind="human", name=me, person=me),
        "teller": Script("x", name="ada", calls=True),
    }
    await drive(new_match(), seats, log.recorder, place=Place(run=run, slot=0))
    first = log.queries.recent(1)[0].id
    turn, reply = [row[0] for row in log.reader().execute("SELECT id FROM turns ORDER BY seq LIMIT 2")]
    call = log.reader().execute("SELECT id FROM calls WHERE turn_id = ?", (reply,)).fetchone()[0]
    base = log.reader().execute("SELECT id FROM players WHERE name = 'ada'").fetchone()[0]
    training_run, eval_run = log.new_run("train", {}), log.new_run("eval", {})
    seats = {"asker": Script("win", kind="model", name="ada-sft"), "teller": Script(name="ada")}
    await drive(new_match(name="riddle-1", answer="sun"), seats, log.recorder, place=Place(run=eval_run))
    second = log.queries.recent(1)[0].id
    tuned = log.reader().execute("SELECT id FROM players WHERE name = 'ada-sft'").fetchone()[0]

    def write(db):
        at = now()
        place = (first, 0, "asker")
        for id, text, used in (("C1", "hello", turn), ("C2", "hi", None)):
            db.execute(
                "INSERT INTO candidates (id, episode_id, ply, role, turn_id, player_id, text, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (id, *place, used, base, text, at),
            )
        db.execute(
            "INSERT INTO annotations (id, kind, turn_id, annotator_id, chosen_id, rejected_id, created_at) "
            "VALUES ('A1', 'preference', ?, ?, 'C1', 'C2', ?)",
            (turn, me, at),
        )
        db.execute("INSERT INTO datasets VALUES ('D1', 'dpo', '', '{}', 'hash', 2, ?)", (at,))
        columns = "dataset_id, position, episode_id, turn_id, annotation_id, chosen_id, rejected_id"
        for row in (("D1", 0, first, turn, None, None, None), ("D1", 1, first, None, "A1", "C1", "C2")):
            db.execute(f"INSERT INTO dataset_rows ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.execute(
            "INSERT INTO trainings VALUES ('T1', ?, 'dpo', ?, ?, 'D1', 'done', ?)", (training_run, base, tuned, at)
        )
        db.execute("INSERT INTO evaluations VALUES ('V1', ?, 'native-1.0', 'h', ?, ?)", (eval_run, f'["{tuned}"]', at))

    log.write(write)
    return dict(locals())


def nodes(branches) -> set[tuple[str, str, str]]:
    return {(branch.relation, node.kind, node.id) for branch in branches for node in branch.nodes}


async def test_from_the_key_stroke_to_the_gradient_and_back(log, whole):
    trace = Trace(log.reader)
    forward = [
        ("person", "me"), ("episode", "first"), ("turn", "turn"), ("dataset row", "D1:0"), ("dataset", "D1"),
        ("training", "T1"), ("player", "tuned"), ("episode", "second"),
    ]  # fmt: skip
    path = [Node(kind, whole.get(id, id), "") for kind, id in forward]
    for here, there in pairwise(path):
        assert (there.kind, there.id) in {place[1:] for place in nodes(trace.around(here).uses)}, here
    for here, there in pairwise(path[::-1]):
        assert (there.kind, there.id) in {place[1:] for place in nodes(trace.around(here).sources)}, here


async def test_each_kind_has_its_neighbours(log, whole):
    trace, w = Trace(log.reader), whole
    turn = trace.around(trace.find(w["turn"]))
    assert nodes(turn.sources) >= {("said in", "episode", w["first"]), ("said by", "person", w["me"])}
    assert nodes(turn.uses) == {
        ("compared as", "candidate", "C1"), ("judged in", "annotation", "A1"), ("trained on as", "dataset row", "D1:0"),
    }  # fmt: skip
    assert nodes(trace.around(trace.find("D1:1")).sources) == {
        ("judged in", "annotation", "A1"), ("chosen", "candidate", "C1"), ("rejected", "candidate", "C2"),
        ("from", "episode", w["first"]),
    }  # fmt: skip
    assert nodes(trace.around(trace.find(w["call"])).uses) == {("became", "turn", w["reply"])}
    cell = trace.find("ada-sft--ada@tiny")
    assert cell.kind == "cell" and nodes(trace.around(cell).sources) == {("made of", "episode", w["second"])}
    assert nodes(trace.around(trace.find("V1")).uses) == {("episodes", "episode", w["second"])}
    assert trace.find("ada-sft").id == w["tuned"]


async def test_neighbours_are_counted_beyond_the_few_that_are_named(log, whole):
    (turns,) = [
        b for b in Trace(log.reader).around(Node("episode", whole["first"], ""), 1).uses if b.relation == "turns"
    ]
    assert (turns.total, len(turns.nodes)) == (3, 1)


async def test_a_tree_goes_as_deep_as_asked_and_never_in_a_circle(log, whole):
    trace = Trace(log.reader)
    tree = trace.tree(trace.find("T1"), 9)
    kinds, todo = set(), list(tree["from"])
    while todo:
        branch = todo.pop()
        for node in branch["nodes"]:
            kinds.add(node["kind"])
            todo += node["from"]
    assert kinds >= {"dataset", "dataset row", "turn", "episode", "person", "instance", "run", "candidate"}
    assert trace.tree(trace.find("T1"), 1)["from"][0]["nodes"][0]["from"] == []


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("", "nothing was named"),
        ("zzz", "nothing in the log is called 'zzz'"),
        ("0", "may be episode .* type more of it"),
        ("D1:99", "nothing in the log is called"),
        ("ada@taboo", "nothing in the log is called"),
    ],
)
async def test_what_is_not_there_is_said(log, whole, wish, told):
    with pytest.raises(Unknown, match=told):
        Trace(log.reader).find(wish)


async def test_ids_may_be_begun_and_in_any_case(log, whole):
    trace = Trace(log.reader)
    assert trace.find(whole["turn"].lower()).id == whole["turn"]
    assert trace.find(whole["tuned"][:12].upper()).id == whole["tuned"]
    assert trace.find(whole["me"][:-1]) == trace.node("person", whole["me"])


async def test_facts_are_the_row(log, whole):
    trace = Trace(log.reader)
    assert facts(log.reader(), trace.find("D1"))["filters"] == {}
    assert facts(log.reader(), trace.find("D1:0")) == {}
    assert facts(log.reader(), trace.find(whole["turn"]))["text"] == "hello"


def test_every_step_has_a_known_kind_at_either_end():
    from store.trace import _KINDS

    known = {*_KINDS, "dataset row"}
    assert {step.kind for step in _chain()} | {step.target for step in _chain()} == known
    assert {step.way for step in _chain()} == {"from", "to"}


async def test_a_name_with_several_settings_is_the_model_without_any(log, whole):
    def write(db):
        for id, sampling in (("p1", '{"temperature":0}'), ("p2", "{}"), ("p3", '{"max_tokens":8}')):
            db.execute("INSERT INTO players VALUES (?, 'model', 'eve', '', '', ?)", (id, sampling))

    log.write(write)
    assert Trace(log.reader).find("eve").id == "p2"


async def test_a_name_with_several_revisions_is_what_came_out_of_its_training_last(log, whole):
    def write(db):
        for id in ("p1", "p2"):
            db.execute("INSERT INTO players VALUES (?, 'model', 'eve', ?, '', '{}')", (id, f"revision of {id}"))

    log.write(write)
    with pytest.raises(Unknown, match="type more of it"):
        Trace(log.reader).find("eve")
    log.write(lambda db: db.execute("UPDATE trainings SET result_player_id = 'p2'"))
    assert Trace(log.reader).find("eve").id == "p2"
