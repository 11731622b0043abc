"""What training reads: each seat's own dialogue, its replies with who spoke, and nothing that another seat knew."""

from __future__ import annotations

import json

import pytest
from tiny_game import Script, new_match

from games.engine import Match
from players.base import Identity, PlayerError, Reply
from players.driver import drive
from players.ports import Place
from store.filters import Filters
from store.perspectives import Read, _Messages, perspectives


@pytest.fixture
async def played(log):
    """A person's won episode with a broken rule in it, and an unfinished one; the won match."""
    me = log.people.add().id
    person = {"kind": "human", "name": me, "person": me}
    seats = {"asker": Script("a", "!", "b", "win", **person), "teller": Script("x", "y", calls=True, name="ada")}
    match = await drive(new_match(), seats, log.recorder)
    with pytest.raises(PlayerError):
        await drive(new_match(name="riddle-1"), {"asker": Script("half"), "teller": Script()}, log.recorder)
    return me, match


def all_of(log, **wish):
    return list(perspectives(log.reader(), Filters(**wish.pop("filters", {})), **wish))


async def test_each_seat_has_what_it_heard_and_said(log, played):
    me, match = played
    asker, teller = all_of(log, filters={"outcomes": ("success",)})
    assert asker.messages == match.heard["asker"] and teller.messages == match.heard["teller"]
    assert [asker.messages[place].content for place in asker.places] == ["a", "!", "b", "win"]
    assert [one.verdict for one in asker.spoken] == ["ok", "illegal", "ok", "ok"]
    assert {(one.kind, one.person, one.player) for one in asker.spoken} == {("human", me, me)}
    assert {(one.kind, one.player) for one in teller.spoken} == {("bot", "ada")}
    assert (asker.outcome, asker.game, asker.split, asker.reward) == (
        "success",
        "tiny",
        "train",
        match.rewards()["asker"],
    )
    assert len(set(asker.hashes)) == len(asker.messages)
    assert log.queries.conversation(asker.hashes[2]) == list(asker.messages[:3])
    assert all(said.credit == match.scores().turns.get(said.ply) for said in asker.spoken)


async def test_unfinished_ones_and_chosen_roles(log, played):
    half = all_of(log, filters={"outcomes": ("unfinished",)})
    assert all(one.outcome is None and one.main is None for one in half)
    assert {one.role for one in all_of(log, roles=["teller"])} == {"teller"}


@pytest.mark.parametrize(
    ("filters", "roles"),
    [
        ({"speaker": "human"}, {"asker"}),
        ({"speaker": "synthetic"}, {"teller"}),
        ({"models": ("ada",)}, {"teller"}),
        ({"models": ("human",)}, {"asker"}),
        ({"partners": ("ada",)}, {"asker"}),
        ({"roles": ("asker",)}, {"asker"}),
        ({"roles": ("asker",), "models": ("ada",)}, set()),
        ({}, {"asker", "teller"}),
    ],
)
async def test_filters_that_describe_a_seat_leave_only_that_seat(log, played, filters, roles):
    assert {one.role for one in all_of(log, filters={**filters, "outcomes": ("success",)})} == roles


async def test_in_a_seat_that_changed_hands_only_the_turns_of_those_named_train(log):
    run = log.new_run("play", {})
    person = log.people.add().id
    ada, bob, me = Identity("model", "ada"), Identity("model", "bob"), Identity("human", person, person=person)
    match = new_match()
    episode = await log.recorder.begin(match, {"asker": ada, "teller": bob}, Place(run=run))
    for text, who in (("one", ada), ("two", bob), ("win", me)):
        match = match.play(text)
        await log.recorder.turn(episode, match, match.steps[-1], who, Reply(text))
    await log.recorder.result(episode, match, match.scores())
    for filters, trains in (
        ({"speaker": "human"}, {"asker": [False, True]}),
        ({"models": ("ada",)}, {"asker": [True, False]}),
        ({"models": ("b*",)}, {"teller": [True]}),
        ({"roles": ("asker",)}, {"asker": [True, True]}),
    ):
        found = all_of(log, filters=filters)
        assert {one.role: [said.turn is not None for said in one.spoken] for one in found} == trains


async def test_a_branch_has_its_parents_turns_without_their_ids(log, played):
    parent = log.queries.matching(Filters(outcomes=("success",)))[0]
    fork = Match.replay(new_match().game, new_match().instance, new_match().seed, ["a", "x"])
    seats = {"asker": Script("lose"), "teller": Script("z")}
    await drive(fork, seats, log.recorder, place=Place(parent=parent.id, fork_ply=fork.ply))
    (asker,) = all_of(log, filters={"outcomes": ("failure",)}, roles=["asker"])
    assert [said.turn is None for said in asker.spoken] == [True, False]
    assert [asker.messages[place].content for place in asker.places] == ["a", "lose"]


async def test_a_dialogue_that_is_not_whole_is_left_out_and_counted(log, played):
    def erase(db):
        db.execute("INSERT INTO redactions (id, reason, opened_at) VALUES ('r', 'test', 'now')")
        db.execute("DELETE FROM calls")
        db.execute(
            "DELETE FROM turns WHERE role = 'teller' AND ply = (SELECT min(ply) FROM turns WHERE role = 'teller')"
        )
        db.execute("UPDATE redactions SET closed_at = 'now'")

    log.write(erase)
    read = Read()
    found = list(perspectives(log.reader(), Filters(outcomes=("success",)), read=read))
    assert [one.role for one in found] == ["asker"]
    assert sum(read.left_out.values()) == 1 and read.episodes == 1


@pytest.mark.parametrize(
    ("spread", "near", "sizes"), [(0, 4096, [1, 2, 1]), (8, 0, [1] * 4), (10**6, 10**6, [1, 2, 1])]
)
async def test_dialogues_are_the_same_however_they_are_read(log, played, monkeypatch, spread, near, sizes):
    """Looked up one by one, read up to a point, or read with everything that lies between; and however many at once:
    what lies far apart is read in ever larger pieces.
    """
    expected = all_of(log)
    for name in ("riddle-1", "riddle-0"):  # the same words again: they stand where they were said first
        await drive(new_match(name=name), {"asker": Script("a", "win"), "teller": Script("x")}, log.recorder)
    again = all_of(log)[len(expected) :]
    monkeypatch.setattr("store.perspectives.SPREAD", spread)
    monkeypatch.setattr("store.perspectives.NEAR", near)
    monkeypatch.setattr("store.perspectives.CHUNK", 1)
    pieces: list[int] = []
    read = _Messages.read
    monkeypatch.setattr(
        _Messages, "read", lambda self, ids, *more: (pieces.append(len(json.loads(ids))), read(self, ids, *more))
    )
    assert all_of(log) == expected + again and [len(one.messages) for one in again if one.role == "asker"] == [4, 4]
    assert pieces == sizes
