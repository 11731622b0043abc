"""Trying a model out over real HTTP: servers that answer, hang, close, flood, refuse, or work on after the stop."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from players import trying
from players.backends.chat import ChatClient
from players.base import Call, Token
from players.registry import ModelEntry, Registry, UnknownPlayer
from players.spec import SpecError
from players.trying import COUNT, STEPS, STORY, WORD, Step, Trial, try_model, try_spec

KEY = "sk-planted-0123456789abcdef"


def question(reply) -> str:
    return reply.body["messages"][-1]["content"]


def story(reply) -> None:
    """Goes on until the reader leaves, for at most ten seconds."""
    reply.begin()
    for _ in range(1000):
        reply.send(reply.chunk("on and "))
        time.sleep(0.01)
    reply.end()


def good(reply) -> None:
    """Counts, tells a story and answers, as a model does."""
    if question(reply) == STORY:
        story(reply)
    elif question(reply) == COUNT:
        reply.say("one", ", two", ", three")
    else:
        reply.say("hot")


def lists(server, *names: str) -> None:
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


@pytest.fixture
def heard_steps():
    return []


async def tried(server, sampling=None, *, heard=None, **more) -> Trial:
    chat = ChatClient(server.url, "m", backoff=0.01, timeout=more.pop("timeout", 5.0), max_retries=0)
    try:
        return await try_model(chat, sampling or {}, hear=(heard if heard is not None else []).append, **more)
    finally:
        await chat.aclose()


def states(trial: Trial) -> list[str]:
    return [f"{step.name} {step.state}" for step in trial.steps]


async def test_a_good_server_passes_and_every_step_is_told_when_it_begins_and_ends(server, heard_steps):
    lists(server, "m", "other")
    server.scripts["m"] = good
    tokens = []
    trial = await tried(server, heard=heard_steps, emit=tokens.append)
    assert trial.ok and states(trial) == ["ping ok", "stream ok", "stop ok"]
    assert [(one.name, one.state) for one in heard_steps] == [
        ("ping", "ok"),
        ("stream", "running"),
        ("stream", "ok"),
        ("stop", "running"),
        ("stop", "ok"),
    ]
    ping, stream, stop = trial.steps
    assert f"127.0.0.1:{server.port} answers in" in ping.said and "has the model among 2" in ping.said
    assert stream.facts["pieces"] == 3 and stream.facts["tokens_out"] == 3 and "in 3 pieces" in stream.said
    assert stop.facts["stopped_ms"] < 1000 and stop.facts["pieces"] >= 3 and "the next request took" in stop.said
    assert trial.text == "one, two, three" and all(step.ms > 0 for step in trial.steps)
    assert "".join(event.text for event in tokens if isinstance(event, Token)) == trial.text
    assert await asyncio.to_thread(server.until, server.gone.is_set), "the server was never told to stop"
    assert [request["messages"][-1]["content"] for request in server.requests] == [COUNT, STORY, WORD]


async def test_the_settings_of_the_entry_are_used_and_only_the_story_may_be_longer(server):
    lists(server, "m")
    server.scripts["m"] = good
    await tried(server, {"temperature": 0.5, "max_tokens": 20, "top_p": None})
    asked = {request["messages"][-1]["content"]: request for request in server.requests}
    assert {one["temperature"] for one in asked.values()} == {0.5} and "top_p" not in asked[COUNT]
    assert (asked[COUNT]["max_tokens"], asked[WORD]["max_tokens"], asked[STORY]["max_tokens"]) == (20, 8, 2000)


@pytest.mark.parametrize("paths", [{}, {"/v1/models": {"object": "list", "data": []}}, {"/v1/models": "<html>"}])
async def test_a_server_without_a_list_is_pinged_with_a_word(server, paths):
    server.paths = paths
    server.scripts["m"] = good
    trial = await tried(server)
    assert trial.ok and "answers as this model in" in trial.steps[0].said
    assert ("though it does not list it" in trial.steps[0].said) == ("object" in str(paths))
    assert [request["messages"][-1]["content"] for request in server.requests] == [WORD, COUNT, STORY, WORD]


async def test_nobody_there(closed_port):
    chat = ChatClient(f"http://127.0.0.1:{closed_port}", "m", backoff=0.01)
    trial = await try_model(chat, {})
    await chat.aclose()
    (ping,) = trial.steps
    assert not trial.ok and ping.state == "failed" and ping.facts["kind"] == "refused"
    assert f"127.0.0.1:{closed_port}" in ping.said and "start the server" in ping.said


async def test_a_server_that_hangs_is_left_when_patience_ends(server):
    lists(server, "m")
    let_go = threading.Event()
    server.scripts["m"] = lambda reply: let_go.wait(20)
    began = time.perf_counter()
    trial = await tried(server, patience=0.3)
    let_go.set()
    assert time.perf_counter() - began < 10
    assert states(trial) == ["ping ok", "stream failed"] and not trial.ok
    assert trial.steps[1].facts["kind"] == "timeout" and "0.3 s" in trial.steps[1].said


async def test_a_server_that_does_not_even_list_in_time(server):
    let_go = threading.Event()

    class Slow(dict):
        def get(self, path, default=None):
            let_go.wait(20)
            return default

    server.paths = Slow()
    trial = await tried(server, timeout=0.2)
    let_go.set()
    assert states(trial) == ["ping failed"] and trial.steps[0].facts["kind"] == "timeout"


async def test_a_server_that_closes_in_the_middle(server):
    lists(server, "m")

    seen = threading.Event()

    def closes(reply):
        reply.begin()
        reply.send(reply.chunk("one, "))
        seen.wait(5)
        reply.reset()

    server.scripts["m"] = closes
    trial = await tried(server, emit=lambda event: seen.set() if isinstance(event, Token) else None)
    assert states(trial) == ["ping ok", "stream failed"]
    assert trial.steps[1].facts["kind"] == "broken_stream" and "in the middle" in trial.steps[1].said


async def test_a_server_that_closes_in_the_story_is_not_taken_for_one_that_stopped(server):
    lists(server, "m")

    def closes(reply):
        if question(reply) != STORY:
            return good(reply)
        reply.begin()
        reply.send(reply.chunk("once "))
        return reply.reset()

    server.scripts["m"] = closes
    trial = await tried(server)
    assert states(trial) == ["ping ok", "stream ok", "stop failed"] and not trial.ok
    assert trial.steps[2].facts["kind"] == "broken_stream"


async def test_a_server_that_does_not_stream(server):
    lists(server, "m")
    server.scripts["m"] = lambda reply: reply.say("one, two, three")
    trial = await tried(server)
    assert states(trial) == ["ping ok", "stream failed"] and "in one piece" in trial.steps[1].said
    assert trial.text == "one, two, three", "what it said is shown all the same"


async def test_a_server_that_never_stops_is_found_out_by_the_next_request(server, monkeypatch):
    """One slot, and no look at whether anybody still reads: what was stopped here is finished there first."""
    monkeypatch.setattr(trying, "SLOW", 0.2)
    lists(server, "m")
    slot = threading.Lock()

    def deaf(reply):
        with slot:
            if question(reply) != STORY:
                return good(reply)
            reply.begin()
            for number in range(100):
                if number < 5:
                    reply.send(reply.chunk("on and "))
                time.sleep(0.01)
            return None

    server.scripts["m"] = deaf
    trial = await tried(server)
    assert states(trial) == ["ping ok", "stream ok", "stop failed"]
    assert "work on after a stop" in trial.steps[2].said and trial.steps[2].facts["next_ms"] > 300


async def test_a_reply_that_is_over_before_it_can_be_stopped_is_no_failure(server):
    lists(server, "m")
    server.scripts["m"] = lambda reply: reply.say("one", " two")
    trial = await tried(server)
    assert trial.ok and states(trial) == ["ping ok", "stream ok", "stop skipped"]


async def test_a_request_that_cannot_be_cancelled_fails_the_stop(monkeypatch):
    monkeypatch.setattr(trying, "PROMPT_STOP", 0.05)
    let_go = asyncio.Event()

    class Deaf:
        name, model, parallel = "deaf", "m", 1

        async def complete(self, heard, sampling, *, role, emit, deadline=None):
            for text in ("a", "b", "c"):
                emit(Token(role, text))
            if heard[-1].content == STORY:
                while not let_go.is_set():
                    try:
                        await let_go.wait()
                    except asyncio.CancelledError:
                        continue
            return Call(tuple(heard), "abc", "stop", ms=2.0, first_token_ms=1.0)

    trial = await try_model(Deaf(), {})
    assert (
        states(trial) == ["ping ok", "stream ok", "stop failed"] and "did not end within 0.05 s" in trial.steps[2].said
    )
    let_go.set()


async def test_a_model_that_only_thinks_is_told_from_one_that_is_silent(server):
    lists(server, "m")

    def thinks(reply):
        if question(reply) == STORY:
            return story(reply)
        pieces = [reply.chunk(reasoning_content="hm ") for _ in range(4)]
        return reply.stream(*pieces, reply.chunk(finish="length"), reply.usage)

    server.scripts["m"] = thinks
    trial = await tried(server)
    assert trial.ok and "it only reasoned and said nothing" in trial.steps[1].said and not trial.text
    server.scripts["m"] = lambda reply: reply.stream(reply.chunk(finish="stop"), reply.usage)
    silent = await tried(server)
    assert states(silent) == ["ping ok", "stream failed"] and silent.steps[1].facts["kind"] == "empty"


async def test_a_wrong_key_is_said_by_its_variable_and_never_shown(server, monkeypatch):
    monkeypatch.setenv("FAR_KEY", KEY)
    server.paths["/v1/models"] = (401, {"error": {"message": f"bad key {KEY}"}})
    registry = Registry.load()
    registry.add(ModelEntry("far", "openai", "m", base_url=server.url, api_key_env="FAR_KEY"))
    heard = []
    trial = await try_spec("far", registry, hear=heard.append)
    (ping,) = trial.steps
    assert ping.state == "failed" and ping.facts["kind"] == "unauthorized" and "$FAR_KEY" in ping.said
    assert KEY not in json.dumps(trial.as_json()) + repr(heard) + repr(trial)
    assert any(header.get("authorization") == f"Bearer {KEY}" for header in server.headers), "it was sent, though"


async def test_a_missing_key_is_said_before_anything_is_sent(server, monkeypatch):
    monkeypatch.delenv("FAR_KEY", raising=False)
    registry = Registry.load()
    registry.add(ModelEntry("far", "openai", "m", base_url=server.url, api_key_env="FAR_KEY"))
    trial = await try_spec("far", registry)
    assert states(trial) == ["ping failed"] and "set that variable" in trial.steps[0].said and not server.headers


async def test_a_key_that_was_pasted_for_the_name_of_its_variable_is_not_repeated(server):
    pasted = "a1B2c3D4e5F6a7B8c9D0e1F2"
    registry = Registry.load()
    registry.entries["far"] = ModelEntry("far", "openai", "m", base_url=server.url, api_key_env=pasted)
    trial = await try_spec("far", registry)
    assert "needs a key in $•••" in trial.steps[0].said and pasted not in repr(trial)


async def test_trying_a_spec_gives_its_name_and_what_pins_it(server):
    lists(server, "m")
    server.scripts["m"] = good
    spec = f"openai:m?base_url={server.url}&max_tokens=20"
    heard = []
    trial = await try_spec(spec, Registry.load(), hear=heard.append)
    assert heard[0] == Step("ping", "running")
    assert trial.model == spec and trial.revision == f"m @ 127.0.0.1:{server.port}" and trial.ok
    document = json.loads(json.dumps(trial.as_json()))
    assert document["ok"] and [step["step"] for step in document["steps"]] == list(STEPS)
    assert document["first_token_ms"] == trial.steps[1].facts["first_token_ms"] > 0
    assert document["text"] == trial.text


async def test_who_is_no_model_is_wrong_usage():
    for spec, error in (("bot", UnknownPlayer), ("nobody", UnknownPlayer), ("two words", SpecError)):
        with pytest.raises(error):
            await try_spec(spec, Registry.load())


async def test_weights_that_are_not_here_fail_the_ping_with_the_way_out(tmp_path):
    trial = await try_spec(f"llamacpp:{tmp_path}/none.gguf", Registry.load())
    assert states(trial) == ["ping failed"] and "models get" in trial.steps[0].said


@pytest.mark.parametrize("at", [COUNT, STORY])
async def test_a_trial_that_is_called_off_leaves_no_request_behind(server, at):
    lists(server, "m")
    reached = threading.Event()

    def script(reply):
        if question(reply) == at:
            reached.set()
            story(reply)
        else:
            good(reply)

    server.scripts["m"] = script
    task = asyncio.create_task(tried(server))
    await asyncio.to_thread(reached.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.until, server.gone.is_set)
    assert {one for one in asyncio.all_tasks() if one is not asyncio.current_task()} == set()


@pytest.mark.parametrize(
    ("ms", "words"), [(0.04, "0.04 ms"), (0.4, "0.4 ms"), (12.4, "12 ms"), (999.2, "999 ms"), (1349, "1.3 s")]
)
def test_times_in_words(ms, words):
    assert trying._ms(ms) == words


def test_a_trial_is_good_only_when_its_ping_was():
    ok, failed, skipped = (Step("ping", state) for state in ("ok", "failed", "skipped"))
    assert Trial("m", steps=(ok,)).ok and Trial("m", steps=(ok, skipped)).ok
    assert not any(Trial("m", steps=steps).ok for steps in ((), (failed,), (skipped,), (ok, failed)))
    assert Trial("m").as_json()["first_token_ms"] is None and Trial("m").step("stream") is None
