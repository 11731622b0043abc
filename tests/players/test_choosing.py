"""A seat that is asked twice: what goes on, what is logged, and that nothing is lost whatever goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from players.base import Call, Called, Identity, PlayerError, Reply, Thinking, Token
from players.choosing import Chooser, Choosing, Offer
from players.driver import drive
from players.human import HumanPlayer


class Sampler:
    """Says its texts one after the other; emits what a model emits. `hold` keeps the second and later ones."""

    assist = True

    def __init__(self, *texts, fail=None, hold=None):
        self.identity = Identity("model", "m")
        self.texts = list(texts)
        self.fail, self.hold = fail, hold
        self.seeds = []

    async def speak(self, heard, ask):
        self.seeds.append(ask.seed)
        ask.emit(Thinking(ask.role))
        text = self.texts.pop(0)
        if len(self.seeds) > 1 and self.fail is not None:
            raise self.fail
        ask.emit(Token(ask.role, text))
        try:
            if len(self.seeds) > 1 and self.hold is not None:
                await self.hold.wait()
        except asyncio.CancelledError:
            ask.emit(Called(ask.role, Call(tuple(heard), text, "cancelled")))
            raise
        call = Call(tuple(heard), text, "stop")
        ask.emit(Called(ask.role, call))
        return Reply(text, 1.0, call)


class Log:
    """A recorder that remembers turns and calls."""

    def __init__(self):
        self.turns, self.calls = [], []

    async def begin(self, match, seats, place):
        return "e1"

    async def turn(self, episode, match, step, who, reply):
        self.turns.append((step.ply, step.text, who.name, reply.call and reply.call.text))

    async def call(self, episode, ply, role, who, call):
        self.calls.append((ply, who.name, call.text, call.finish))

    async def failure(self, *arguments):
        pass

    async def result(self, episode, match, scores):
        pass


def second(offer: Offer):
    async def choose():
        return offer.second

    return choose()


async def played(match, player, chooser, log, emit=lambda event: None, **more):
    """Drive until the sampler has spoken once; the other seat never answers."""
    silent = HumanPlayer()
    advanced = asyncio.Event()
    seats = {"first": chooser.seat(player), "second": silent}
    driving = asyncio.ensure_future(drive(match, seats, log, emit=emit, advanced=lambda _: advanced.set(), **more))
    waiting = asyncio.ensure_future(advanced.wait())
    await asyncio.wait((driving, waiting), return_when=asyncio.FIRST_COMPLETED)
    for task in (driving, waiting):
        task.cancel()
    await asyncio.gather(driving, waiting, return_exceptions=True)


async def test_while_it_is_off_the_player_is_asked_once_and_heard(match, heard):
    player, log, chooser = Sampler("SAY: a"), Log(), Chooser(second)
    await played(match, player, chooser, log, heard)
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")] and len(player.seeds) == 1 and "Token" in heard.names()


async def test_the_chosen_reply_is_the_move_and_the_other_is_logged(match, heard):
    player, log = Sampler("SAY: a", "SAY: b"), Log()
    offers = []

    async def choose(offer):
        offers.append(offer)
        return offer.second

    chooser = Chooser(choose)
    chooser.mode = "next"
    await played(match, player, chooser, log, heard)
    assert log.turns == [(0, "SAY: b", "m", "SAY: b")] and log.calls == [(0, "m", "SAY: a", "stop")]
    (offer,) = offers
    assert (offer.first.text, offer.second.text, offer.blind) == ("SAY: a", "SAY: b", True)
    assert offer.view.role == "first" and len(set(player.seeds)) == 2
    assert chooser.mode == "off", "it was for the next reply only"
    assert "Token" not in heard.names(), "nobody sees which came first"
    notes = {event.note for event in heard if isinstance(event, Thinking)}
    assert {"reply 1 of 2", "reply 2 of 2"} <= notes


async def test_for_all_replies_it_stays_on(match):
    chooser = Chooser(second)
    chooser.mode = "all"
    seats = {"first": chooser.seat(Sampler(*(f"SAY: {n}" for n in range(4)))), "second": Sampler("SAY: x", "SAY: y")}
    log = Log()
    end = await drive(match, seats, log)
    assert end.texts == ["SAY: 1", "SAY: x", "SAY: 3", "SAY: y"] and chooser.mode == "all"


async def test_without_a_choice_the_first_goes_on(match):
    async def nothing(offer):
        return None

    player, log, chooser = Sampler("SAY: a", "SAY: b"), Log(), Chooser(nothing)
    chooser.mode = "next"
    await played(match, player, chooser, log)
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")] and log.calls == [(0, "m", "SAY: b", "stop")]


async def test_words_of_ones_own_are_ones_own(match):
    me = Identity("human", "human", person="kind-owl-1")

    async def write(offer):
        return Reply("SAY: mine", by=me)

    player, log, chooser = Sampler("SAY: a", "SAY: b"), Log(), Chooser(write)
    chooser.mode = "next"
    await played(match, player, chooser, log)
    assert log.turns == [(0, "SAY: mine", "human", None)]
    assert [row[1:3] for row in log.calls] == [("m", "SAY: a"), ("m", "SAY: b")], "requests stay the model's"


async def test_a_second_reply_that_fails_costs_nothing(match):
    told = []
    player = Sampler("SAY: a", "-", fail=PlayerError("server", "the server is gone: start it"))
    log, chooser = Log(), Chooser(second, told.append)
    chooser.mode = "next"
    await played(match, player, chooser, log)
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")]
    assert told == ["there is no second reply, and the first goes on: the server is gone: start it"]
    assert chooser.mode == "next", "it was not asked for in vain"


async def test_a_first_reply_that_fails_is_the_failure_of_the_seat(match):
    class Broken(Sampler):
        async def speak(self, heard, ask):
            raise PlayerError("server", "gone")

    chooser = Chooser(second)
    chooser.mode = "next"
    with pytest.raises(PlayerError, match="gone"):
        await drive(match, {"first": chooser.seat(Broken()), "second": HumanPlayer()}, Log())


async def test_who_does_not_wait_for_the_second_gets_the_first(match):
    hold = asyncio.Event()
    player, log, chooser = Sampler("SAY: a", "SAY: b", hold=hold), Log(), Chooser(second)
    chooser.mode = "next"
    playing = asyncio.ensure_future(played(match, player, chooser, log))
    while not chooser.waiting:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert chooser.enough()
    await playing
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")] and log.calls == [(0, "m", "SAY: b", "cancelled")]
    assert not chooser.waiting and not chooser.enough()


async def test_the_time_that_is_up_ends_the_choice(match):
    told, closed = [], []

    async def never(offer):
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(offer)

    player, log, chooser = Sampler("SAY: a", "SAY: b"), Log(), Chooser(never, told.append)
    chooser.mode = "next"
    await played(match, player, chooser, log, deadline=0.05)
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")] and len(closed) == 1
    assert told and "the time was up" in told[0]


async def test_a_match_that_is_stopped_keeps_both_requests(match):
    hold = asyncio.Event()
    player, log, chooser = Sampler("SAY: a", "SAY: b", hold=hold), Log(), Chooser(second)
    chooser.mode = "next"
    driving = asyncio.ensure_future(drive(match, {"first": chooser.seat(player), "second": HumanPlayer()}, log))
    while not chooser.waiting:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    driving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await driving
    assert log.turns == [] and [row[2:] for row in log.calls] == [("SAY: a", "stop"), ("SAY: b", "cancelled")]
    assert not chooser.waiting


async def test_who_says_the_same_again_and_again_is_not_offered(match):
    told = []
    player, log, chooser = Sampler(*["SAY: a"] * 4), Log(), Chooser(second, told.append)
    chooser.mode = "next"
    await played(match, player, chooser, log)
    assert log.turns == [(0, "SAY: a", "m", "SAY: a")] and told == ["m said the same 4 times; that goes on"]
    assert len(set(player.seeds)) == 4


async def test_it_is_turned_on_while_a_reply_comes_and_says_that_it_was_seen(match):
    class Turning(Sampler):
        async def speak(self, heard, ask):
            chooser.mode = "next"
            return await super().speak(heard, ask)

    blind = []

    async def choose(offer):
        blind.append(offer.blind)
        return offer.second

    chooser = Chooser(choose)
    log = Log()
    await played(match, Turning("SAY: a", "SAY: b"), chooser, log)
    assert log.turns[0][1] == "SAY: b" and blind == [False]


def test_people_choose_for_themselves():
    chooser, person = Chooser(second), HumanPlayer()
    assert chooser.seat(person) is person
    seat = chooser.seat(Sampler())
    assert isinstance(seat, Choosing) and seat.identity.name == "m" and seat.assist
