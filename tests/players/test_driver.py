"""The match driver: commit before the next ask, errors that leave the match, cancels that keep the partial."""

from __future__ import annotations

import asyncio

import pytest

from games.engine import Match, Message
from players.base import Call, Called, Failed, Identity, PlayerError, Queued, Reply, Said, Token
from players.driver import drive, sampling_seed
from players.human import HumanPlayer
from players.ports import Place
from players.scripted import BotPlayer


class Log:
    """A recorder that remembers, and commits turns only when told to (or at once)."""

    def __init__(self, at_once=True):
        self.rows = []
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()
        if at_once:
            self.gate.set()

    async def begin(self, match, seats, place):
        self.rows.append(("begin", {role: who.name for role, who in seats.items()}, place))
        return "e1"

    async def turn(self, episode, match, step, who, reply):
        self.entered.set()
        await self.gate.wait()
        self.rows.append(("turn", episode, step.ply, step.role, step.text, who.name, match.ply))

    async def call(self, episode, ply, role, who, call):
        self.rows.append(("call", episode, ply, role, who.name, call.finish, call.text))

    async def failure(self, episode, ply, role, who, error):
        self.rows.append(("failure", episode, ply, role, who.name, error.kind))

    async def result(self, episode, match, scores):
        self.rows.append(("result", episode, match.state.outcome, scores.main))

    def of(self, kind):
        return [row for row in self.rows if row[0] == kind]


class Scripted:
    """Says what its functions return; they may emit and raise."""

    def __init__(self, *scripts, name="scripted"):
        self.identity = Identity("model", name)
        self.scripts = list(scripts)
        self.asked = []

    async def speak(self, heard, ask):
        self.asked.append((tuple(heard), ask))
        return await self.scripts.pop(0)(ask)


def say(text):
    async def script(ask):
        return Reply(text)

    return script


def talk(n, name="scripted"):
    return Scripted(*(say(f"SAY: {name}{i}") for i in range(n)), name=name)


async def test_a_match_is_played_logged_and_told_in_order(match, heard):
    log, seen, place = Log(), [], Place(run="r", slot=3)
    first, second = talk(2, "a"), talk(2, "b")
    end = await drive(
        match, {"first": first, "second": second}, log, place=place, emit=heard, advanced=lambda m: seen.append(m.ply)
    )
    assert end.over and end.texts == ["SAY: a0", "SAY: b0", "SAY: a1", "SAY: b1"] and match.ply == 0
    assert log.rows[0] == ("begin", {"first": "a", "second": "b"}, place)
    assert [row[2:] for row in log.of("turn")] == [
        (0, "first", "SAY: a0", "a", 1),
        (1, "second", "SAY: b0", "b", 2),
        (2, "first", "SAY: a1", "a", 3),
        (3, "second", "SAY: b1", "b", 4),
    ]
    assert log.rows[-1] == ("result", "e1", "success", 100.0) and len(log.rows) == 6
    assert seen == [1, 2, 3, 4] and heard.names() == ["Said"] * 4


async def test_each_seat_hears_its_own_and_gets_the_seed_of_its_place(match):
    first, second = talk(2, "a"), talk(2, "b")
    await drive(match, {"first": first, "second": second}, deadline=9.0)
    conversation, ask = first.asked[1]
    assert conversation == (
        Message("user", "You are first."),
        Message("assistant", "SAY: a0"),
        Message("user", "b0"),
    )
    assert (ask.role, ask.ply, ask.deadline, ask.seed) == ("first", 2, 9.0, sampling_seed(5, "first", 2))


def test_sampling_seeds_differ_by_place_and_fit_31_bits():
    seeds = {sampling_seed(seed, role, ply) for seed in range(5) for role in ("a", "b") for ply in range(20)}
    assert len(seeds) == 200 and all(0 <= seed < 2**31 for seed in seeds)
    assert sampling_seed(1, "a", 2) == sampling_seed(1, "a", 2)


async def test_the_next_is_asked_only_when_the_turn_is_committed(match, heard):
    log = Log(at_once=False)
    first, second = talk(2, "a"), talk(2, "b")
    task = asyncio.create_task(drive(match, {"first": first, "second": second}, log, emit=heard))
    await log.entered.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(first.asked) == 1 and not second.asked and not log.of("turn") and "Said" not in heard.names()
    log.gate.set()
    assert (await task).over and len(second.asked) == 2


async def test_a_commit_that_fails_ends_the_match_there(match):
    class Full(Log):
        async def turn(self, *args):
            raise OSError("disk full")

    second = talk(2, "b")
    with pytest.raises(OSError, match="disk full"):
        await drive(match, {"first": talk(2), "second": second}, Full())
    assert not second.asked


CALL = Call(prompt=(Message("user", "x"),), text="part", finish="error", error="it broke")


async def test_an_error_leaves_the_match_where_it_was_and_logs_the_request(match, heard):
    async def broken(ask):
        ask.emit(Called(ask.role, CALL))
        raise PlayerError("broken_stream", "it broke")

    log, seen = Log(), []
    seats = {"first": talk(2, "a"), "second": Scripted(broken, say("SAY: again"), say("SAY: end"), name="b")}
    with pytest.raises(PlayerError) as caught:
        await drive(match, seats, log, emit=heard, advanced=seen.append)
    assert [m.texts for m in seen] == [["SAY: a0"]]
    assert log.of("call") == [("call", "e1", 1, "second", "b", "error", "part")] and not log.of("result")
    assert heard[-1] == Failed("second", caught.value)

    end = await drive(seen[-1], seats, log, episode="e1")
    assert end.texts[1] == "SAY: again" and len(log.of("begin")) == 1 and len(log.of("result")) == 1
    assert [row[2] for row in log.of("turn")] == [0, 1, 2, 3]


async def test_a_bug_in_a_player_keeps_its_requests_too(match):
    async def buggy(ask):
        ask.emit(Called(ask.role, CALL))
        raise ZeroDivisionError

    log = Log()
    with pytest.raises(ZeroDivisionError):
        await drive(match, {"first": Scripted(buggy), "second": talk(2)}, log)
    assert len(log.of("call")) == 1 and not log.of("turn")


async def test_a_cancel_logs_the_partial_and_writes_no_turn(match, heard):
    async def slow(ask):
        ask.emit(Queued(ask.role))
        ask.emit(Token(ask.role, "la "))
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ask.emit(Called(ask.role, Call(prompt=(), text="la ", finish="cancelled")))
            raise
        return Reply("never")

    log = Log()
    task = asyncio.create_task(drive(match, {"first": Scripted(slow, name="a"), "second": talk(1)}, log, emit=heard))
    while "Token" not in heard.names():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log.of("call") == [("call", "e1", 0, "first", "a", "cancelled", "la ")] and not log.of("turn")
    assert heard.names() == ["Queued", "Token", "Called"]


async def test_a_cancel_during_a_commit_strikes_after_it(match):
    """A recorder that finishes what it began, as ours does, leaves match and log agreeing."""

    class Stubborn(Log):
        async def turn(self, *args):
            try:
                await super().turn(*args)
            except asyncio.CancelledError:
                await self.gate.wait()
                await super().turn(*args)
                asyncio.current_task().cancel()

    log, seen = Stubborn(at_once=False), []
    bots = {role: BotPlayer(match.game, "competent", match.game.bots()["competent"]) for role in match.game.roles}
    task = asyncio.create_task(drive(match, bots, log, advanced=lambda m: seen.append(m.ply)))
    await log.entered.wait()
    task.cancel()
    await asyncio.sleep(0)
    log.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [1] and [row[2] for row in log.of("turn")] == [0]


async def test_used_calls_go_with_their_turn_and_unused_ones_beside_it(match):
    used = Call(prompt=(), text="SAY: second try", finish="stop")
    refused = Call(prompt=(), text="SAY: first try", finish="refused_by_check")

    async def twice(ask):
        ask.emit(Called(ask.role, refused))
        ask.emit(Called(ask.role, used))
        return Reply(used.text, call=used)

    log = Log()
    await drive(match, {"first": Scripted(twice, say("SAY: x"), name="a"), "second": talk(2)}, log)
    assert log.of("call") == [("call", "e1", 0, "first", "a", "refused_by_check", "SAY: first try")]


async def test_a_seat_can_be_taken_over_and_handed_back(match, heard):
    log, person = Log(), HumanPlayer("otter", name="human:otter")
    machine = talk(1, "a")
    seats = {"first": machine, "second": talk(2, "b")}

    def advanced(now):
        if now.ply == 1:
            seats["first"] = person
            person.say("SAY: mine")

    end = await drive(match, seats, log, emit=heard, advanced=advanced)
    assert [(row[3], row[5]) for row in log.of("turn")] == [
        ("first", "a"),
        ("second", "b"),
        ("first", "human:otter"),
        ("second", "b"),
    ]
    assert end.texts[2] == "SAY: mine" and len(machine.asked) == 1
    assert [event.reply.text for event in heard if isinstance(event, Said)] == end.texts


async def test_a_waiting_person_can_be_relieved(match):
    """Cancel, change the seat, drive on: nothing is asked twice and nothing lost."""
    log, person, seen = Log(), HumanPlayer("otter"), [match]
    seats = {"first": talk(2, "a"), "second": person}
    task = asyncio.create_task(drive(match, seats, log, advanced=seen.append))
    while not person.waiting:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    seats["second"] = talk(2, "b")
    end = await drive(seen[-1], seats, log, episode="e1", advanced=seen.append)
    assert end.texts == ["SAY: a0", "SAY: b0", "SAY: a1", "SAY: b1"] and len(log.of("turn")) == 4


async def test_an_illegal_reply_is_a_turn_and_can_end_the_match(match):
    log = Log()
    end = await drive(match, {"first": Scripted(say("hello")), "second": talk(1)}, log)
    assert end.state.outcome == "aborted" and log.of("turn")[0][4] == "hello"
    assert log.of("result") == [("result", "e1", "aborted", None)]


async def test_without_a_recorder_a_match_is_played_all_the_same(match):
    assert (await drive(match, {"first": talk(2), "second": talk(2)})).over


async def test_a_finished_match_that_is_driven_on_gets_its_result(match):
    over = Match.replay(match.game, match.instance, match.seed, [f"SAY: {i}" for i in range(4)])
    log = Log()
    assert await drive(over, {}, log, episode="e1") is over and log.rows == [("result", "e1", "success", 100.0)]
