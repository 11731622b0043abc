"""The gate: so many at once, retries, time limits, budgets, and a circuit that opens."""

from __future__ import annotations

import asyncio

import pytest

from games.engine import Match
from players.base import Ask, Call, Called, Identity, PlayerError, Reply, Thinking
from players.gate import LONGEST_TEXT, Gate, Gated, Limits

QUICK = Limits(parallel=2, backoff=0.001, retries=2, breaker=3, cooldown=0.05, timeout=1.0)


class Scripted:
    """Does what its function says, time after time; remembers how many were at it together."""

    def __init__(self, script):
        self.identity = Identity("model", "m")
        self.script = script
        self.asked = self.inside = self.most = 0

    async def speak(self, heard, ask):
        self.asked += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return await self.script(self, ask)
        finally:
            self.inside -= 1


def failing(kind, times=10**9, then="SAY: a"):
    async def script(player, ask):
        if player.asked <= times:
            raise PlayerError(kind, f"it is {kind}")
        return Reply(then)

    return Scripted(script)


@pytest.fixture
def ask(match: Match, heard):
    return Ask(match.view("first"), 1, None, heard)


async def fails(gate, player, ask, kind):
    with pytest.raises(PlayerError) as caught:
        await gate.speak(player, (), ask)
    assert caught.value.kind == kind, caught.value.message
    return caught.value


async def test_no_more_at_once_than_the_backend_takes(ask, heard):
    async def slow(player, ask):
        await asyncio.sleep(0.01)
        return Reply("SAY: a")

    gate, player = Gate("m", QUICK), Scripted(slow)
    assert gate.idle
    await asyncio.gather(*(gate.speak(player, (), ask) for _ in range(9)))
    assert player.most == 2 and player.asked == 9 and gate.busy == gate.waiting == 0 and gate.idle
    assert heard.names().count("Queued") == 7  # those who came when both places were taken


async def test_a_passing_failure_is_asked_again_and_told(ask, heard):
    gate, player = Gate("m", QUICK), failing("server", times=2)
    assert (await gate.speak(player, (), ask)).text == "SAY: a"
    assert player.asked == 3 and gate.used.retried == 2 and gate.used.failed == 0
    notes = [event.note for event in heard if isinstance(event, Thinking)]
    assert len(notes) == 2 and "1 of 2" in notes[0] and "server" in notes[0]


def silent(**more):
    """A model that never says a word; its request as a backend tells it."""

    async def script(player, ask):
        told = {"finish": "error", "error": "empty reply", "raw": {"finish_reason": "stop"}, **more}
        ask.emit(Called(ask.role, Call((), **told)))
        raise PlayerError("empty", "it sent an empty reply")

    return Scripted(script)


async def test_a_model_that_ends_its_turn_without_a_word_has_replied(ask, heard):
    gate, player = Gate("m", QUICK), silent(ms=7.0)
    for _ in range(2 * QUICK.breaker):  # and its gate stays open
        reply = await gate.speak(player, (), ask)
        assert (reply.text, reply.ms, reply.call) == ("", 7.0, heard[-1].call)
    assert player.asked == 2 * QUICK.breaker and gate.used.failed == gate.used.retried == 0


@pytest.mark.parametrize(
    "more", [{"raw": {"finish_reason": "length"}}, {"reasoning": "hm"}, {"text": "no form"}, {"assisted": True}]
)
async def test_where_it_did_not_end_by_itself_it_is_asked_again(ask, more):
    gate, player = Gate("m", QUICK), silent(**more)
    await fails(gate, player, ask, "empty")
    assert player.asked == 3


@pytest.mark.parametrize("kind", ["unauthorized", "not_found", "rejected", "gone"])
async def test_what_will_not_pass_is_not_asked_again(ask, kind):
    gate, player = Gate("m", QUICK), failing(kind)
    await fails(gate, player, ask, kind)
    assert player.asked == 1 and gate.used.errors == {kind: 1}


@pytest.mark.parametrize("broken", [ValueError("x"), KeyError(), RecursionError("deep"), TimeoutError("inner")])
async def test_whatever_a_player_raises_becomes_a_sentence(ask, broken):
    async def script(player, ask):
        raise broken

    error = await fails(Gate("m", QUICK), Scripted(script), ask, "crashed")
    assert type(broken).__name__ in error.message and error.message.isprintable()


@pytest.mark.parametrize("garbage", [None, "text", Reply(None), Reply(b"bytes")])  # type: ignore[arg-type]
async def test_what_is_no_reply_is_a_failure(ask, garbage):
    async def script(player, ask):
        return garbage

    await fails(Gate("m", QUICK), Scripted(script), ask, "crashed")


async def test_a_player_who_hangs_is_given_up_after_its_time(ask):
    async def hang(player, ask):
        await asyncio.sleep(60)

    player = Scripted(hang)
    error = await fails(Gate("m", Limits(timeout=0.02, retries=1, backoff=0.001)), player, ask, "timeout")
    assert "0.02 s" in error.message and player.asked == 2 and player.inside == 0


async def test_waiting_at_the_gate_does_not_count_as_time(ask):
    async def slow(player, ask):
        await asyncio.sleep(0.03)
        return Reply("SAY: a")

    gate = Gate("m", Limits(parallel=1, timeout=0.2))
    player = Scripted(slow)
    assert len(await asyncio.gather(*(gate.speak(player, (), ask) for _ in range(10)))) == 10


async def test_a_flood_is_cut(ask):
    async def flood(player, ask):
        return Reply("x" * (LONGEST_TEXT + 5))

    assert len((await Gate("m").speak(Scripted(flood), (), ask)).text) == LONGEST_TEXT


async def test_a_dead_backend_is_left_alone_then_tried_by_one_then_given_up(ask):
    gate, player = Gate("m", Limits(retries=0, breaker=3, cooldown=0.03, trials=2)), failing("refused")
    for _ in range(3):
        await fails(gate, player, ask, "refused")
    assert gate.shut and not gate.dead and gate.opens_in > 0
    await fails(gate, player, ask, "tripped")
    assert player.asked == 3  # nobody knocked
    await asyncio.sleep(0.04)
    tries = await asyncio.gather(*(gate.speak(player, (), ask) for _ in range(3)), return_exceptions=True)
    assert sorted(error.kind for error in tries) == ["refused", "tripped", "tripped"] and player.asked == 4
    await asyncio.sleep(0.04)
    await fails(gate, player, ask, "refused")
    assert gate.dead and gate.shut


async def test_a_backend_that_comes_back_is_open_at_once(ask):
    gate, player = Gate("m", Limits(retries=0, breaker=2, cooldown=0.02)), failing("refused", times=2)
    for _ in range(2):
        await fails(gate, player, ask, "refused")
    await asyncio.sleep(0.03)
    await gate.speak(player, (), ask)
    assert not gate.shut and (await gate.speak(player, (), ask)).text


async def test_prompts_that_are_too_long_say_nothing_about_the_backend(ask):
    gate, player = Gate("m", Limits(breaker=2)), failing("rejected")
    for _ in range(5):
        await fails(gate, player, ask, "rejected")
    assert not gate.shut


async def test_tokens_and_money_are_counted_and_run_out(ask, heard):
    async def calls(player, ask):
        ask.emit(Called(ask.role, Call((), "x", tokens_in=100, tokens_out=20)))
        return Reply("SAY: a")

    gate, player = Gate("m", Limits(tokens=300), price=(10.0, 50.0)), Scripted(calls)
    for _ in range(3):
        await gate.speak(player, (), ask)
    assert (gate.used.tokens_in, gate.used.tokens_out) == (300, 60)
    assert gate.used.cost == pytest.approx((300 * 10 + 60 * 50) / 1e6)
    assert gate.spent and gate.shut
    await fails(gate, player, ask, "budget")
    assert heard.names().count("Called") == 3
    dear = Gate("m", Limits(cost=0.0015), price=(10.0, 50.0))
    await dear.speak(player, (), ask)
    assert dear.spent


async def test_those_that_wait_when_the_budget_runs_out_do_not_go_out(ask):
    async def calls(player, ask):
        await asyncio.sleep(0.01)
        ask.emit(Called(ask.role, Call((), "x", tokens_in=100, tokens_out=20)))
        return Reply("SAY: a")

    gate, player = Gate("m", Limits(parallel=2, tokens=200)), Scripted(calls)
    found = await asyncio.gather(*(gate.speak(player, (), ask) for _ in range(8)), return_exceptions=True)
    kinds = [one.kind for one in found if isinstance(one, PlayerError)]
    assert kinds == ["budget"] * 6 and player.asked == 2 and gate.used.failed == 6
    assert gate.busy == gate.waiting == 0 and not gate._free.locked()


async def test_cancelling_frees_the_place(ask):
    async def hang(player, ask):
        await asyncio.sleep(60)

    gate, player = Gate("m", QUICK), Scripted(hang)
    tasks = [asyncio.ensure_future(gate.speak(player, (), ask)) for _ in range(4)]
    await asyncio.sleep(0.01)
    assert gate.busy == 2 and gate.waiting == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.busy == gate.waiting == 0 and gate.idle


async def test_a_gated_player_is_the_player(ask):
    player = failing("server", times=0)
    gated = Gated(player, Gate("m"))
    assert gated.identity is player.identity and not gated.assist
    assert (await gated.speak((), ask)).text == "SAY: a"


def test_what_was_used_before_counts_for_the_budget_alone():
    gate = Gate("m", Limits(tokens=300), price=(10.0, 50.0))
    gate.before["m"] = (200, 99)
    assert gate.tokens == 299 and not gate.spent
    gate.before["m tuned"] = (1, 0)
    assert gate.spent == "tokens" and gate.shut and gate.used.tokens_in == 0
    assert gate.cost == pytest.approx((201 * 10 + 99 * 50) / 1e6)
    dear = Gate("m", Limits(cost=0.001), price=(10.0, 50.0))
    dear.before["m"] = (0, 20)
    assert dear.spent == "cost"
