"""Verdicts as agreement reads them."""

from __future__ import annotations

import pytest
from judgements import queue, say

from store.errors import Unknown
from store.verdicts import item_places, verdicts


def people(log, *names):
    for name in names:
        log.people.add(id=name)


def test_what_stands_is_read_with_its_sides(log):
    people(log, "ann", "bo")
    first, second, third = queue(log, 3, gold=["a"])
    once = say(log, first, "ann", "b", strength=2, a_left=False, early=True, flag=True)
    say(log, first, "qwen", "a", model=True)
    wrong = say(log, second, "bo", "a")
    say(log, second, "bo", "tie", supersedes=wrong)
    say(log, third, "bo", None, supersedes=say(log, third, "bo", "a"))
    say(log, first, "bo", "bad", adjudicated=True, reason="both give it away")
    found = verdicts(log.reader(), "pairs")
    assert (found.queues, found.items, found.withdrawn) == (("pairs",), 3, 0)
    rows = {(one.name, one.item): one for one in found.verdicts}
    assert {key: one.verdict for key, one in rows.items()} == {
        ("ann", first): "b", ("qwen", first): "a", ("bo", second): "tie", ("bo", first): "bad",
    }  # fmt: skip
    mine = rows["ann", first]
    assert (mine.annotation, mine.much, mine.left, mine.early, mine.flagged, mine.gold) == (once, True, True, 1, 1, "a")
    assert rows["qwen", first].kind == "model" and rows["qwen", first].left and rows["bo", first].adjudicated
    assert rows["bo", second].left is None


def test_who_withdrew_is_left_out_and_counted(log):
    people(log, "ann", "bo")
    (item,) = queue(log, 1)
    say(log, item, "ann", "a")
    say(log, item, "bo", "b")
    log.people.withdraw("bo")
    found = verdicts(log.reader())
    assert [one.judge for one in found.verdicts] == ["ann"] and found.withdrawn == 1


def test_queues_are_found_by_name_or_id_and_read_together_without_one(log):
    people(log, "ann")
    for name in ("one", "other"):
        for item in queue(log, 2, name):
            say(log, item, "ann", "a")
    assert len(verdicts(log.reader(), "one").verdicts) == 2 and len(verdicts(log.reader()).verdicts) == 4
    (id,) = log.reader().execute("SELECT id FROM queues WHERE name = 'other'").fetchone()
    assert verdicts(log.reader(), id).queues == ("other",)
    with pytest.raises(Unknown, match="no queue is called 'othr'; there is other"):
        verdicts(log.reader(), "othr")


def test_an_item_knows_its_place(log):
    items = queue(log, 3)
    found = item_places(log.reader(), items)
    assert set(found) == set(items) and {(one.game, one.role, one.ply) for one in found.values()} == {
        ("taboo", "describer", 2)
    }
    assert item_places(log.reader(), []) == {}
