"""Labels, corrections and comparisons of turns: what stands, what was superseded, and what training makes of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_game import new_match

from players.base import Call, Identity, Reply
from players.ports import Place
from store.errors import NoConsent, UnknownTurn
from store.filters import Filters
from store.judged import judged
from store.turn_judging import (
    Chosen,
    Mark,
    Wording,
    add_reply,
    candidate_of_turn,
    choose,
    edit,
    label,
    marks,
    marks_of,
    prefer,
    said,
    take_back,
    turn_at,
)

ME, OTHER = "kind-owl-1", "shy-fox-2"
BOT = Identity("model", "m")


@pytest.fixture
async def episode(log):
    """Two turns that were said: `is it round?` and `yes`, the second with its request."""
    log.people.add("public", ME)
    log.people.add("research", OTHER)
    match = new_match()
    id = await log.recorder.begin(match, {"asker": BOT, "teller": BOT}, Place())
    for text in ("is it round?", "yes"):
        match = match.play(text)
        reply = Reply(text, call=Call(match.heard[match.steps[-1].role][:-1], text))
        await log.recorder.turn(id, match, match.steps[-1], BOT, reply)
    return id


def rows(log, sql, *values):
    return log.reader().execute(sql, values).fetchall()


def kinds(log, **filters):
    """What training sees: kind, the better words, the worse, the label."""
    return [
        (one.kind, one.chosen.message[3], one.refused and one.refused.message[3], one.label)
        for one in judged(log.reader(), Filters(**filters))
    ]


async def test_a_label_stands_until_it_is_taken_back(log, episode):
    turn = turn_at(log.reader(), episode, 1)
    first = label(log, turn, "+", ME)
    assert label(log, turn, "+", ME) is None, "the same again changes nothing"
    assert marks_of(log.reader(), episode, ME) == {1: Mark(label="+")} and kinds(log) == [("label", "yes", None, True)]
    second = label(log, turn, "-", ME)
    assert kinds(log) == [("label", "yes", None, False)]
    label(log, turn, None, ME)
    assert marks_of(log.reader(), episode, ME) == {} and kinds(log) == []
    chain = rows(log, "SELECT id, supersedes, value FROM annotations ORDER BY id")
    assert [json.loads(value)["label"] for _, _, value in chain] == ["+", "-", None]
    assert [over for _, over, _ in chain] == [None, first, second]
    assert label(log, turn, None, ME) is None, "nothing to take back"


async def test_everybody_has_labels_of_their_own(log, episode):
    turn = turn_at(log.reader(), episode, 0)
    label(log, turn, "+", ME)
    label(log, turn, "-", OTHER)
    assert marks(log.reader(), [turn], ME) == {turn: Mark(label="+")}
    assert marks(log.reader(), [turn], OTHER) == {turn: Mark(label="-")}
    assert len(kinds(log)) == 2 and len(kinds(log, consent="public")) == 2
    assert [one.withheld for one in judged(log.reader(), Filters(consent="public"))] == [False, True]


async def test_a_correction_is_a_pair_with_what_was_said(log, episode):
    turn = turn_at(log.reader(), episode, 1)
    edit(log, turn, "no", ME)
    assert kinds(log) == [("edit", "no", "yes", None)]
    assert marks(log.reader(), [turn], ME)[turn].edit == "no"
    edit(log, turn, "perhaps", ME)
    assert kinds(log) == [("edit", "perhaps", "yes", None)]
    found = rows(
        log, "SELECT c.text, c.person_id, p.kind, c.turn_id FROM candidates c JOIN players p ON p.id = player_id"
    )
    assert found == [("no", ME, "human", None), ("perhaps", ME, "human", None)]
    assert edit(log, turn, "perhaps", ME) is None
    edit(log, turn, "yes", ME)
    assert kinds(log) == [] and marks(log.reader(), [turn], ME) == {}, "the words of the turn itself take it back"


async def test_the_better_of_two_is_a_pair_and_a_change_of_mind_supersedes(log, episode):
    turn = turn_at(log.reader(), episode, 1)
    own = candidate_of_turn(log, turn)
    assert candidate_of_turn(log, turn) == own, "a turn is one candidate, however often"
    other = add_reply(log, turn, Wording("no", BOT))
    prefer(log, other, (own, other), ME, ms=1200.0)
    assert kinds(log) == [("preference", "no", "yes", None)]
    assert marks(log.reader(), [turn], ME) == {turn: Mark(lost=1)}
    prefer(log, own, (other, own), ME)
    assert kinds(log) == [("preference", "yes", "no", None)] and marks(log.reader(), [turn], ME) == {turn: Mark(won=1)}
    prefer(log, None, (own, other), ME)
    assert kinds(log) == [] and marks(log.reader(), [turn], ME) == {}
    sql = "SELECT value, shown_order, strength, ms, supersedes IS NULL FROM annotations ORDER BY id"
    found = [(json.loads(value)["verdict"], json.loads(order), *rest) for value, order, *rest in rows(log, sql)]
    assert found == [
        ("b", [own, other], 1, 1200.0, 1),
        ("b", [other, own], 1, None, 0),
        ("tie", [own, other], 0, None, 0),
    ]
    (call,) = rows(log, "SELECT call_id IS NOT NULL FROM candidates WHERE id = ?", own)
    assert call == (1,), "a turn that came of a request names it"


async def test_a_comparison_is_taken_back_once(log, episode):
    turn = turn_at(log.reader(), episode, 1)
    own, other = candidate_of_turn(log, turn), add_reply(log, turn, Wording("no", BOT))
    assert take_back(log, (own, other), ME) is None, "nothing was said of them yet"
    prefer(log, other, (own, other), ME)
    assert take_back(log, (other, own), ME)
    assert kinds(log) == [] and marks(log.reader(), [turn], ME) == {}
    prefer(log, own, (own, other), ME)
    assert kinds(log) == [("preference", "yes", "no", None)]
    sql = "SELECT count(*) FROM annotations a WHERE NOT EXISTS (SELECT 1 FROM annotations n WHERE n.supersedes = a.id)"
    assert rows(log, sql) == [(1,)], "one row stands"


async def test_what_was_offered_is_kept_before_it_is_said_and_tied_to_the_turn_after(log, episode):
    match = new_match().play("is it round?").play("yes")
    wordings = (Wording("is it big?", BOT), Wording("is it blue?", BOT))
    ids = choose(log, episode, 2, "asker", match.heard["asker"], Chosen(wordings, (1, 0), 1, (0,), True, 900.0), ME)
    assert kinds(log) == [("preference", "is it blue?", "is it big?", None)] and not said(log, ids)
    call = Call(match.heard["asker"], "is it big?")
    await log.recorder.call(episode, 2, "asker", BOT, call)
    after = match.play("is it blue?")
    chosen = Reply("is it blue?", call=Call(match.heard["asker"], "is it blue?"))
    await log.recorder.turn(episode, after, after.steps[-1], BOT, chosen)
    assert said(log, ids)
    turn = turn_at(log.reader(), episode, 2)
    sql = "SELECT text, turn_id, call_id IS NOT NULL, seen_hash FROM candidates ORDER BY rank"
    seen = log.queries.detail(episode).turns[2].seen_hash
    assert rows(log, sql) == [("is it big?", None, 1, seen), ("is it blue?", turn, 1, seen)]
    assert candidate_of_turn(log, turn) == ids[1] and marks_of(log.reader(), episode, ME) == {2: Mark(won=1)}
    sql = "SELECT blind, ms, shown_order, json_extract(value, '$.verdict') FROM annotations"
    assert rows(log, sql) == [(1, 900.0, json.dumps([ids[1], ids[0]], separators=(",", ":")), "a")]


async def test_words_of_ones_own_are_better_than_the_reply_they_replace(log, episode):
    match = new_match().play("is it round?").play("yes")
    mine = Wording("is it a lamp?", Identity("human", "human", person=ME))
    wordings = (Wording("one", BOT), Wording("two", BOT), mine)
    choose(log, episode, 2, "asker", match.heard["asker"], Chosen(wordings, (0, 1), 2, (0,)), ME)
    assert kinds(log) == [("preference", "is it a lamp?", "one", None)]
    assert rows(log, "SELECT person_id FROM candidates ORDER BY rank") == [(None,), (None,), (ME,)]


async def test_nobody_judges_without_consent_or_what_is_not_there(log, episode):
    turn = turn_at(log.reader(), episode, 0)
    log.people.add("none", "wild-cat-3")
    for who in ("wild-cat-3", "nobody-at-all"):
        for judge in (lambda who=who: label(log, turn, "+", who), lambda who=who: edit(log, turn, "x", who)):
            with pytest.raises(NoConsent):
                judge()
    assert rows(log, "SELECT count(*) FROM annotations") == [(0,)]
    assert rows(log, "SELECT count(*) FROM candidates") == [(0,)]
    with pytest.raises(UnknownTurn, match="has no turn 7; it has 0 to 1"):
        turn_at(log.reader(), episode, 7)
    with pytest.raises(UnknownTurn, match="may have been erased"):
        label(log, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "+", ME)


async def test_a_branch_shows_what_was_said_of_the_turns_it_shares(log, episode):
    label(log, turn_at(log.reader(), episode, 0), "+", ME)
    match = new_match().play("is it round?")
    branch = await log.recorder.begin(match, {"asker": BOT, "teller": BOT}, Place(parent=episode, fork_ply=1))
    match = match.play("never")
    await log.recorder.turn(branch, match, match.steps[-1], BOT, Reply("never"))
    label(log, turn_at(log.reader(), branch, 1), "-", ME)
    assert marks_of(log.reader(), branch, ME) == {0: Mark(label="+"), 1: Mark(label="-")}
    assert marks_of(log.reader(), episode, ME) == {0: Mark(label="+")}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("le"), st.sampled_from(["+", "-", None])), max_size=8))
def test_after_any_changes_of_mind_one_row_of_a_kind_stands(log, steps):
    if log.people.find(ME) is None:
        log.people.add("public", ME)
        asyncio.run(_begun(log))
    ((turn,),) = rows(log, "SELECT id FROM turns")
    label(log, turn, None, ME)
    edit(log, turn, None, ME)
    now = {"l": None, "e": None}
    for kind, wish in steps:
        made = label(log, turn, wish, ME) if kind == "l" else edit(log, turn, wish and f"hello {wish}", ME)
        assert (made is None) == (wish == now[kind])
        now[kind] = wish
        mark = marks(log.reader(), [turn], ME).get(turn, Mark())
        assert mark.label == now["l"] and mark.edit == (now["e"] and f"hello {now['e']}")
    sql = "SELECT max(n) FROM (SELECT count(*) n FROM annotations a WHERE NOT EXISTS (SELECT 1 FROM annotations n WHERE"
    assert rows(log, f"{sql} n.supersedes = a.id) GROUP BY kind)")[0][0] in (None, 1)


async def _begun(log):
    match = new_match()
    id = await log.recorder.begin(match, {"asker": BOT, "teller": BOT}, Place())
    match = match.play("hello")
    await log.recorder.turn(id, match, match.steps[-1], BOT, Reply("hello"))
