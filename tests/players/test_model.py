"""A model at the table, over HTTP: one request a turn, seeds, deadlines, and the assisted way."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from types import ModuleType

import pytest

from games.engine import Message
from players.backends.chat import ChatClient
from players.base import Identity, Player, PlayerError, Reply
from players.model import ModelPlayer

HEARD = (Message("user", "You are first."),)
WHO = Identity("model", "test", "m @ here", sampling={"temperature": 0.0})


@pytest.fixture
async def seated(server):
    clients = []

    def sit(sampling=None, **more):
        clients.append(ChatClient(server.url, "m", backoff=0.01, timeout=5.0))
        return ModelPlayer(WHO, clients[-1], sampling, **more)

    yield sit
    for client in clients:
        await client.aclose()


async def test_what_was_heard_is_sent_and_the_call_is_the_one_that_was_logged(server, seated, ask, heard):
    server.scripts["m"] = lambda reply: reply.say("SAY: hi")
    player = seated({"temperature": 0.0})
    assert isinstance(player, Player) and player.identity is WHO
    reply = await player.speak(HEARD, ask)
    assert (reply.text, reply.assisted) == ("SAY: hi", False)
    assert heard.calls == [reply.call] and heard.calls[0] is reply.call and reply.call.prompt == HEARD
    assert reply.ms >= reply.call.ms > 0
    (sent,) = server.requests
    assert sent["messages"] == [{"role": "user", "content": "You are first."}] and "grammar" not in sent
    assert (sent["seed"], sent["temperature"]) == (7, 0.0) and reply.call.sampling == {"seed": 7, "temperature": 0.0}


async def test_a_fixed_seed_goes_before_that_of_the_ask(server, seated, ask):
    server.scripts["m"] = lambda reply: reply.say("x")
    await seated({"seed": 99}).speak(HEARD, ask)
    assert server.requests[0]["seed"] == 99


async def test_the_deadline_of_the_ask_holds(server, seated, ask):
    import time

    server.scripts["m"] = lambda reply: time.sleep(0.5)
    with pytest.raises(PlayerError) as caught:
        await seated().speak(HEARD, replace(ask, deadline=0.1))
    assert caught.value.kind == "timeout"


@pytest.fixture
def helper(monkeypatch):
    """In place of the real helper: asks once under a grammar and remembers what it was given."""
    seen = {}

    async def assisted(complete, heard, ask, sampling):
        seen.update(heard=heard, sampling=sampling)
        call = await complete(heard, sampling, role=ask.role, emit=ask.emit, grammar='root ::= "SAY: "', assisted=True)
        return Reply(call.text, 1.0, call, assisted=True)

    module = ModuleType("players.assist")
    module.assisted = assisted
    monkeypatch.setitem(sys.modules, "players.assist", module)
    return seen


async def test_an_assisted_seat_is_asked_under_the_shape(server, seated, ask, heard, helper):
    server.scripts["m"] = lambda reply: reply.say("SAY: hi")
    reply = await seated({"temperature": 0.0}, assist=True).speak(list(HEARD), ask)
    assert reply.assisted and reply.call is heard.calls[0] and reply.call.assisted
    assert helper == {"heard": HEARD, "sampling": {"seed": 7, "temperature": 0.0}}
    assert server.requests[0]["grammar"] == 'root ::= "SAY: "' and reply.ms >= reply.call.ms


@pytest.mark.parametrize("assist", [True, False])
async def test_without_a_shape_or_without_assistance_the_model_is_asked_plainly(
    server, seated, ask, bare_ask, helper, assist
):
    server.scripts["m"] = lambda reply: reply.say("hi")
    reply = await seated(assist=assist).speak(HEARD, bare_ask if assist else ask)
    assert not reply.assisted and not helper and "grammar" not in server.requests[0]


async def test_only_the_owner_closes_the_client(server, ask):
    server.scripts["m"] = lambda reply: reply.say("x")
    closed = []

    class Counting(ChatClient):
        async def aclose(self):
            closed.append(self.name)
            await super().aclose()

    client = Counting(server.url, "m")
    await ModelPlayer(WHO, client).speak(HEARD, ask)
    await ModelPlayer(WHO, client).aclose()
    assert closed == []
    await ModelPlayer(WHO, client, owner=True).aclose()
    assert len(closed) == 1


async def test_cancelling_the_seat_cancels_the_request(server, seated, ask, heard):
    import time

    def script(reply):
        reply.begin()
        while True:
            reply.send(reply.chunk("la "))
            time.sleep(0.01)

    server.scripts["m"] = script
    task = asyncio.create_task(seated().speak(HEARD, ask))
    while "Token" not in heard.names():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [call.finish for call in heard.calls] == ["cancelled"]
    assert await asyncio.to_thread(server.until, server.gone.is_set)
