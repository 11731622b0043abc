"""What the driver plays is what the log holds."""

from __future__ import annotations

import asyncio
import json
import struct

import pytest
from tiny_game import Script, Tiny, new_match, riddle

from games.engine import Match, Message
from players.base import Call, Identity, PlayerError, Reply
from players.driver import drive
from players.ports import History, Place, Recorder
from store.errors import LogClosed, NoConsent, Taken
from store.recorder import says_json


def rows(log, sql, *values):
    return log.reader().execute(sql, values).fetchall()


async def play(log, asker, teller, place=None, **changes):
    return await drive(new_match(**changes), {"asker": asker, "teller": teller}, log.recorder, place=place)


def only_episode(log):
    ((episode,),) = rows(log, "SELECT id FROM episodes")
    return episode


def test_the_ports_are_implemented(log):
    recorder: Recorder = log.recorder
    history: History = log.history
    assert recorder and history


async def test_every_turn_with_what_was_said_and_heard(log):
    match = await play(log, Script("is it round?", "win"), Script("yes"))
    detail = log.queries.detail(only_episode(log))
    assert [(t.ply, t.round, t.role, t.text, t.verdict) for t in detail.turns] == [
        (0, 1, "asker", "is it round?", "ok"),
        (1, 1, "teller", "yes", "ok"),
        (2, 2, "asker", "win", "ok"),
    ]
    assert [t.says for t in detail.turns] == [step.says for step in match.steps]
    assert detail.opening == match.opening
    assert log.queries.conversation(detail.turns[2].seen_hash) == list(match.heard["asker"][:-1])
    for role in match.game.roles:
        assert log.queries.perspective(detail.row.id, role) == list(match.heard[role])


async def test_result_rewards_and_scores(log):
    await play(log, Script("win"), Script())
    detail = log.queries.detail(only_episode(log))
    assert (detail.row.outcome, detail.row.reason, detail.row.main, detail.row.plies) == ("success", "said", 100.0, 1)
    assert detail.rewards == {"asker": 1.0, "teller": 0.25} and detail.winners == ("asker",)
    assert {(s.name, s.ply, s.role): s.value for s in detail.scores} == {
        ("plies", None, ""): 1.0,
        ("turn", 0, "asker"): 1.0,
    }, "and the score that is no number is left out"
    assert {s.scorer for s in detail.scores} == {"tiny@1"}


async def test_an_illegal_turn_carries_the_feedback_and_an_abort_has_no_score(log):
    await play(log, Script("!", "!"), Script())
    detail = log.queries.detail(only_episode(log))
    assert [(t.verdict, t.note, len(t.says)) for t in detail.turns] == [
        ("illegal", "no shouting", 1),
        ("illegal", "no shouting", 0),
    ]
    assert (detail.row.outcome, detail.row.main) == ("aborted", None)
    assert log.queries.conversation(detail.turns[1].seen_hash)[-1] == Message("user", "no shouting")


async def test_calls_are_kept_used_or_not(log):
    await play(log, Script("hello", "win", calls=True, assisted=True, kind="model", name="m"), Script("yes"))
    detail = log.queries.detail(only_episode(log))
    assert [(c.ply, c.finish, c.turn is None, c.tokens_out) for c in detail.calls] == [
        (0, "refused_by_check", True, 2),
        (0, "stop", False, 3),
        (2, "refused_by_check", True, 2),
        (2, "stop", False, 3),
    ]
    used = detail.calls[3]
    assert used.turn == detail.turns[2].id and used.sampling == {"temperature": 0.5}
    sent = log.queries.conversation(used.prompt_hash)
    assert sent[0] == Message("system", "You play.")
    assert sent[1:] == log.queries.conversation(detail.turns[2].seen_hash), "what was sent, beside what was heard"
    assert [t.assisted for t in detail.turns] == [True, False, True]
    ids, probs = rows(log, "SELECT token_ids, logprobs FROM calls WHERE turn_id IS NOT NULL LIMIT 1")[0]
    assert struct.unpack("<2I", ids) == (1, 70000) and struct.unpack("<2f", probs) == (-0.5, -1.0)


async def test_a_prompt_that_is_what_was_heard_has_its_hash(log):
    match = new_match()
    episode = await log.recorder.begin(match, {"asker": Identity("model", "m")}, Place())
    call = Call(match.heard["asker"], "win")
    after = match.play("win")
    await log.recorder.turn(episode, after, after.steps[0], Identity("model", "m"), Reply("win", call=call))
    (hashes,) = rows(log, "SELECT t.seen_hash, c.prompt_hash FROM turns t JOIN calls c ON c.turn_id = t.id")
    assert hashes[0] == hashes[1] is not None


async def test_a_cancelled_request_is_kept_and_the_match_goes_on(log):
    class Slow(Script):
        async def speak(self, heard, ask):
            from players.base import Called

            try:
                await asyncio.sleep(30)
            finally:
                ask.emit(Called(ask.role, Call(tuple(heard), "par", "cancelled")))

    seats = {"asker": Slow(), "teller": Script()}
    task = asyncio.create_task(drive(new_match(), seats, log.recorder))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    episode = only_episode(log)
    (call,) = log.queries.detail(episode).calls
    assert (call.text, call.finish, call.turn) == ("par", "cancelled", None)
    match = log.history.match(episode, Tiny())
    assert match.ply == 0
    await drive(match, {"asker": Script("win"), "teller": Script()}, log.recorder, episode=episode)
    assert log.queries.detail(episode).row.outcome == "success"


async def test_a_cancellation_during_the_commit_strikes_after_it(log):
    """Else the driver would not know of a turn that is in the log, and could never go on."""
    match = new_match()
    who = Identity("bot", "b")
    episode = await log.recorder.begin(match, {"asker": who, "teller": who}, Place())
    after = match.play("hello")
    reached = []

    async def one_turn():
        await log.recorder.turn(episode, after, after.steps[0], who, Reply("hello"))
        reached.append("committed")
        await asyncio.sleep(0)
        reached.append("went on")

    task = asyncio.create_task(one_turn())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == ["committed"]
    assert log.history.episode(episode).texts == ["hello"]


async def test_a_timeout_during_the_commit_stays_a_timeout(log):
    match, who = new_match(), Identity("bot", "b")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await log.recorder.begin(match, {"asker": who}, Place())
            await asyncio.sleep(1)
    assert log.queries.counts().episodes == 1


async def test_resume_in_a_new_process_continues_the_same_conversation(log, path):
    with pytest.raises(PlayerError):
        await play(log, Script("one", "two"), Script("a", "b"))
    episode = only_episode(log)
    log.recorder._live.clear()  # what a new process knows
    match = log.history.match(episode, Tiny())
    assert match.texts == ["one", "a", "two", "b"] and match.turn == "asker"
    end = await drive(match, {"asker": Script("win", name="other"), "teller": Script()}, log.recorder, episode=episode)
    detail = log.queries.detail(episode)
    assert [t.round for t in detail.turns] == [1, 1, 2, 2, 3]
    assert detail.turns[-1].player == "other" and detail.seats["asker"].name == "other"
    assert log.queries.perspective(episode, "asker") == list(end.heard["asker"])
    straight = Match.replay(Tiny(), riddle(), 7, end.texts)
    assert end.heard == straight.heard


async def test_shared_beginnings_are_stored_once(log):
    for _ in range(3):
        await play(log, Script("hello", "win"), Script("yes"))
    assert rows(log, "SELECT count(*) FROM messages WHERE content = 'Ask.'") == [(1,)]
    assert rows(log, "SELECT count(*) FROM players") == [(1,)]
    assert rows(log, "SELECT count(*) FROM instances") == [(1,)]


async def test_players_differ_by_content(log):
    match = new_match()
    for sampling in ({"temperature": 0, "max_tokens": 3}, {"max_tokens": 3, "temperature": 0}, {"temperature": 1}):
        who = Identity("model", "m", "rev", "ad", sampling)
        await log.recorder.begin(match, {"asker": who}, Place())
    assert rows(log, "SELECT count(*) FROM players") == [(2,)]
    episode = rows(log, "SELECT id FROM episodes ORDER BY id DESC LIMIT 1")[0][0]
    assert log.history.episode(episode).seats == {"asker": Identity("model", "m", "rev", "ad", {"temperature": 1})}


async def test_a_slot_is_filled_once_and_the_neighbours_do_not_suffer(log):
    run = log.new_run("self_play", {"episodes": 2}, seed=3, app_version="0")
    who = {"asker": Identity("bot", "b")}

    async def begin(slot):
        return await log.recorder.begin(new_match(), who, Place(run=run, slot=slot, group="g"))

    first = await begin(0)
    results = await asyncio.gather(begin(0), begin(1), begin(2), return_exceptions=True)
    assert [type(r) for r in results] == [Taken, str, str]
    assert log.queries.slots(run) == (set(), {0: first, 1: results[1], 2: results[2]})


async def test_the_same_ply_twice_is_refused_and_the_second_try_recovers(log):
    match, who = new_match(), Identity("bot", "b")
    episode = await log.recorder.begin(match, {"asker": who, "teller": who}, Place())
    after = match.play("hello")
    await log.recorder.turn(episode, after, after.steps[0], who, Reply("hello"))
    with pytest.raises(Taken, match="written this already"):
        await log.recorder.turn(episode, after, after.steps[0], who, Reply("hello"))
    then = after.play("hi")
    await log.recorder.turn(episode, then, then.steps[1], who, Reply("hi"))
    assert log.history.episode(episode).texts == ["hello", "hi"]


async def test_a_branch_holds_only_its_own_turns(log):
    await play(log, Script("one", "two", "win"), Script("a", "b"))
    parent = only_episode(log)
    who = {"asker": Identity("bot", "b"), "teller": Identity("bot", "b")}

    async def branch(source, ply, *texts):
        match = log.history.match(source, Tiny())
        match = Match.replay(Tiny(), riddle(), 7, match.texts[:ply])
        episode = await log.recorder.begin(match, who, Place(parent=source, fork_ply=ply))
        for text in texts:
            match = match.play(text)
            await log.recorder.turn(episode, match, match.steps[-1], who[match.steps[-1].role], Reply(text))
        return episode

    child = await branch(parent, 3, "B", "three")
    grandchild = await branch(child, 2, "TWO")
    assert log.history.episode(child).texts == ["one", "a", "two", "B", "three"]
    assert log.history.episode(grandchild).texts == ["one", "a", "TWO"]
    assert log.history.match(child, Tiny()).ply == 5
    assert [t.episode for t in log.queries.detail(child).turns] == [parent] * 3 + [child] * 2
    assert rows(log, "SELECT count(*) FROM turns WHERE text = 'one'") == [(1,)]
    with pytest.raises(ValueError, match="parent"):
        await log.recorder.begin(log.history.match(child, Tiny()), who, Place())
    with pytest.raises(ValueError, match="stands at ply 5"):
        await log.recorder.begin(log.history.match(child, Tiny()), who, Place(parent=child, fork_ply=2))


async def test_nobody_is_recorded_without_consent(log):
    def human(person):
        return Script("win", kind="human", name="me", person=person)

    for person, why in (("", "pseudonym"), ("stranger-1", "not in this log")):
        with pytest.raises(NoConsent, match=why):
            await play(log, human(person), Script())
    unwilling = log.people.add("none")
    with pytest.raises(NoConsent, match="does not agree"):
        await play(log, human(unwilling.id), Script())
    assert log.queries.counts().episodes == 0
    willing = log.people.add()
    await play(log, human(willing.id), Script())
    assert rows(log, "SELECT person_id FROM turns") == [(willing.id,)]
    log.people.withdraw(willing.id)
    with pytest.raises(NoConsent):
        await play(log, human(willing.id), Script())


async def test_a_match_that_is_not_over_has_no_result(log):
    with pytest.raises(ValueError, match="not over"):
        await log.recorder.result("x", new_match(), new_match().scores())


async def test_many_at_once(log):
    async def lane(n):
        return await play(log, Script("one", "two", "win"), Script("a", "b"), seed=n)

    matches = await asyncio.gather(*[lane(n) for n in range(40)])
    counts = log.queries.counts()
    assert (counts.episodes, counts.finished, counts.turns) == (40, 40, 200)
    for row in log.queries.recent(40):
        logged = log.history.episode(row.id)
        assert log.history.match(row.id, Tiny()).heard == matches[logged.seed].heard


async def test_a_closed_log_says_so(log):
    log.close()
    with pytest.raises(LogClosed, match="closed"):
        await play(log, Script("win"), Script())


def test_says_by_hand_are_json(log):
    match = new_match().play('quote " and \\ and \x00 and ü and \u2028')
    assert json.loads(says_json(match.steps[0].says)) == [say._asdict() for say in match.steps[0].says]
    assert says_json(()) == "[]"
