"""The client against a real server on loopback: every way a request can end."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from games.engine import Message
from players.backends.chat import ChatClient, endpoint, is_loopback, request
from players.backends.errors import Trouble, Where, retry_after, sentence
from players.backends.thinking import Splitter
from players.base import Ask, Identity, PlayerError, Restart, Thinking, Token
from players.gate import PASSING, Limits
from players.model import ModelPlayer
from players.scheduler import Scheduler

HELLO = (Message("system", "be brief"), Message("user", "say hello"))
KEY = "sk-very-secret-0123456789"


def client(server, model="m", **more):
    return ChatClient(server.url, model, **{"backoff": 0.01, "timeout": 5.0, **more})


async def ask(chat, heard, sampling=None, **more):
    try:
        return await chat.complete(HELLO, sampling or {}, role="first", emit=heard, **more)
    finally:
        await chat.aclose()


async def failure(chat, heard, **more) -> PlayerError:
    with pytest.raises(PlayerError) as caught:
        await ask(chat, heard, **more)
    text = caught.value.message
    assert "\n" not in text and len(text) < 500 and text == str(caught.value)
    return caught.value


async def test_a_reply_is_streamed_counted_and_logged_once(server, heard):
    server.scripts["m"] = lambda reply: reply.say("GUESS:", " ", "dog")
    call = await ask(client(server), heard, {"temperature": 0})
    assert (call.text, call.finish, call.tokens_in, call.tokens_out) == ("GUESS: dog", "stop", 12, 3)
    assert call.prompt == HELLO and call.sampling == {"temperature": 0} and not call.error and not call.reasoning
    assert 0 < call.first_token_ms <= call.ms
    assert call.raw["model"] == "served-model" and call.raw["finish_reason"] == "stop"
    assert heard.names() == ["Queued", "Thinking", "Token", "Token", "Token", "Called"]
    assert [event.text for event in heard if isinstance(event, Token)] == ["GUESS:", " ", "dog"]
    assert heard.calls == [call] and heard.calls[0] is call


async def test_tokens_stay_unknown_without_usage_and_length_is_told(server, heard):
    server.scripts["m"] = lambda reply: reply.stream(reply.chunk("do"), reply.chunk(finish="length"))
    call = await ask(client(server), heard)
    assert (call.tokens_in, call.tokens_out, call.finish) == (None, None, "length")


async def test_settings_reach_the_server_where_it_looks_for_them(server, heard):
    server.scripts["m"] = lambda reply: reply.say("x")
    chat = client(server, extra_body={"cache_prompt": True, "chat_template_kwargs": {"lang": "de"}})
    sampling = {"temperature": 0.5, "max_tokens": 30, "seed": 4, "stop": ("\n",), "thinking": False, "top_k": 5}
    await ask(chat, heard, {**sampling, "min_p": 0.1, "top_p": None}, grammar="root ::= x", extra={"id_slot": 1})
    (sent,) = server.requests
    assert sent["messages"] == [{"role": m.role, "content": m.content} for m in HELLO]
    assert (sent["temperature"], sent["max_tokens"], sent["seed"], sent["stop"]) == (0.5, 30, 4, ["\n"])
    assert (sent["top_k"], sent["min_p"], sent["grammar"], sent["id_slot"]) == (5, 0.1, "root ::= x", 1)
    assert sent["chat_template_kwargs"] == {"lang": "de", "enable_thinking": False} and sent["cache_prompt"] is True
    assert sent["stream"] is True and sent["stream_options"] == {"include_usage": True}
    assert not {"top_p", "thinking", "extra_body"} & set(sent)


def test_openai_gets_its_new_name_for_max_tokens():
    assert request("m", HELLO, {"max_tokens": 9}, {}, "api.openai.com")["max_completion_tokens"] == 9
    assert request("m", HELLO, {"max_tokens": 9}, {}, "openrouter.ai")["max_tokens"] == 9


async def test_log_probabilities_are_kept(server, heard):
    def script(reply):
        piece = reply.chunk("dog")
        piece["choices"][0]["logprobs"] = {"content": [{"token": "dog", "logprob": -0.25, "top_logprobs": []}]}
        reply.stream(piece, reply.chunk(finish="stop"))

    server.scripts["m"] = script
    call = await ask(client(server), heard, {"logprobs": True})
    assert call.logprobs == (-0.25,) and server.requests[0]["logprobs"] is True


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>a dog?</think>\n\nGUESS: dog"],
        ["<th", "ink>a d", "og?</th", "ink", ">\n", "\nGUESS:", " dog"],
        ["\n", "<think>", "a dog?", "</think>", "GUESS: dog"],
    ],
)
async def test_think_blocks_are_not_part_of_the_reply(server, heard, pieces):
    server.scripts["m"] = lambda reply: reply.say(*pieces)
    call = await ask(client(server), heard)
    assert (call.text, call.reasoning) == ("GUESS: dog", "a dog?")
    tokens = [event for event in heard if isinstance(event, Token)]
    assert "".join(token.text for token in tokens if not token.reasoning).strip() == "GUESS: dog"
    assert "".join(token.text for token in tokens if token.reasoning) == "a dog?"


async def test_a_block_that_the_template_opened_takes_back_what_was_shown(server, heard):
    server.scripts["m"] = lambda reply: reply.say("is it ", "a dog?</think>", "\nGUESS: dog")
    call = await ask(client(server), heard)
    assert (call.text, call.reasoning) == ("GUESS: dog", "is it a dog?")
    after = heard[next(i for i, event in enumerate(heard) if isinstance(event, Restart)) :]
    assert "".join(event.text for event in after if isinstance(event, Token)) == "GUESS: dog"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
async def test_reasoning_fields_are_kept_apart(server, heard, name):
    def script(reply):
        reply.stream(reply.chunk(**{name: "hm"}), reply.chunk("\n\nyes"), reply.chunk(finish="stop"), reply.usage)

    server.scripts["m"] = script
    call = await ask(client(server), heard)
    assert (call.text, call.reasoning) == ("yes", "hm")
    assert [(t.text, t.reasoning) for t in heard if isinstance(t, Token)] == [("hm", True), ("yes", False)]


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "think", ">", "a", " b ", "</", "<thinking>"])), st.data())
def test_splitting_does_not_depend_on_where_chunks_end(parts, data):
    text = "".join(parts)

    def run(pieces):
        splitter, out, thought = Splitter(), "", ""
        for piece in [*(p for one in pieces for p in splitter.feed(one)), *splitter.flush()]:
            if piece.kind == "recall":
                out, thought = "", thought + out
            elif piece.kind == "text":
                out += piece.text
            else:
                thought += piece.text
        return out, thought

    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert run(pieces) == run([text]) == run(list(text))


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_said_at_once_and_never_shown(server, heard, status):
    server.scripts["m"] = lambda reply: reply.error(status, f"Incorrect API key provided: {KEY}\x1b[31m", code="bad")
    error = await failure(client(server, api_key=KEY, key_env="MY_KEY"), heard)
    assert error.kind == "unauthorized" and "$MY_KEY" in error.message and f"127.0.0.1:{server.port}" in error.message
    assert server.count("m") == 1 and heard.calls[0].error == error.message and heard.calls[0].finish == "error"
    assert KEY not in str(error) + repr(heard) and "\x1b" not in error.message
    assert error.__cause__ is None


async def test_the_key_is_sent_and_stays_out_of_everything_else(server, heard, caplog):
    caplog.set_level(logging.DEBUG)
    server.scripts["m"] = lambda reply: reply.say("x") if reply.number else reply.error(500, f"dump: {KEY}")
    chat = client(server, api_key=KEY + "\n")
    call = await ask(chat, heard)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(chat) + repr(call) + repr(heard) + caplog.text


async def test_nothing_of_openais_environment_goes_to_another_server(server, heard, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: custom-secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.scripts["m"] = lambda reply: reply.say("x")
    await ask(client(server), heard)
    assert "secret" not in repr(server.headers)


async def test_a_key_that_cannot_be_a_header_is_refused_without_being_shown():
    with pytest.raises(PlayerError) as caught:
        ChatClient("http://127.0.0.1:1", "m", "sk-\nsecret", key_env="MY_KEY")
    assert caught.value.kind == "unauthorized" and "$MY_KEY" in caught.value.message
    assert "secret" not in caught.value.message


async def test_an_unknown_model_names_those_there_are(server, heard):
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": "qwen"}, {"id": "gemma"}]}
    error = await failure(client(server, "nobody"), heard)
    assert error.kind == "not_found"
    assert error.message == f"127.0.0.1:{server.port} has no model 'nobody'; it offers qwen, gemma"


async def test_an_unknown_model_where_no_list_is_to_be_had(server, heard):
    error = await failure(client(server, "nobody"), heard)
    assert error.kind == "not_found" and "'nobody'" in error.message and "base_url" in error.message


async def test_rate_limits_are_waited_out_and_shown(server, heard):
    def script(reply):
        if reply.number < 2:
            reply.error(429, "slow down", {"retry-after": "0.05"})
        else:
            reply.say("x")

    server.scripts["m"] = script
    began = time.perf_counter()
    call = await ask(client(server), heard)
    assert call.text == "x" and time.perf_counter() - began >= 0.1
    notes = [event.note for event in heard if isinstance(event, Thinking) and event.note]
    assert notes == ["retry 1 of 3 in 0.1 s: rate limited", "retry 2 of 3 in 0.1 s: rate limited"]
    assert [c.finish for c in heard.calls] == ["error", "error", "stop"]


async def test_a_lasting_rate_limit_ends_after_three_retries(server, heard):
    server.scripts["m"] = lambda reply: reply.error(429, "slow down")
    error = await failure(client(server), heard)
    assert error.kind == "rate_limited" and "3 retries" in error.message and "slow down" in error.message
    assert server.count("m") == len(heard.calls) == 4


@pytest.mark.parametrize(
    ("headers", "code", "word"), [({"retry-after": "3600"}, None, "3600 s"), ({}, "insufficient_quota", "quota")]
)
async def test_a_hopeless_rate_limit_is_not_retried(server, heard, headers, code, word):
    server.scripts["m"] = lambda reply: reply.error(429, "no", headers, code=code)
    error = await failure(client(server), heard)
    assert error.kind == "rate_limited" and word in error.message and server.count("m") == 1


async def test_waits_double_from_half_a_second_and_are_capped(server):
    chat = ChatClient(server.url, "m")
    trouble = Trouble("server", "x", retry=True)
    waits = [[chat._wait(trouble, retries) for _ in range(50)] for retries in range(6)]
    for retries, drawn in enumerate(waits):
        full = min(0.5 * 2**retries, 8.0)
        assert all(0.75 * full <= wait <= full for wait in drawn) and len(set(drawn)) > 1


async def test_server_errors_are_retried_then_said(server, heard):
    server.scripts["m"] = lambda reply: reply.status(500, "<html>proxy page</html>")
    error = await failure(client(server, max_retries=1), heard)
    assert error.kind == "server" and "500" in error.message and "1 retry" in error.message
    assert "<html>" not in error.message and server.count("m") == 2


async def test_a_request_that_is_not_taken_is_quoted_and_not_retried(server, heard):
    server.scripts["m"] = lambda reply: reply.error(400, "top_p must be below 1")
    error = await failure(client(server), heard)
    assert error.kind == "rejected" and "top_p must" in error.message and server.count("m") == 1


@pytest.mark.parametrize(
    "said",
    [
        "the request exceeds the available context size",
        "This model's maximum context length is 512 tokens. However, you requested 6024 tokens",
        "Requested tokens exceed context_length_exceeded",
    ],
)
async def test_a_dialogue_that_does_not_fit_is_named_as_such_and_not_retried(server, heard, said):
    server.scripts["m"] = lambda reply: reply.error(400, said)
    error = await failure(client(server), heard)
    assert error.kind == "too_long" and said[:40] in error.message and server.count("m") == 1


async def test_silence_is_a_timeout(server, heard):
    server.scripts["m"] = lambda reply: time.sleep(2)
    error = await failure(client(server, timeout=0.6), heard)
    assert error.kind == "timeout" and "0.6 s" in error.message and server.count("m") == 1
    assert len(heard.calls) == 1 and heard.calls[0].error == error.message


async def test_a_deadline_bounds_the_whole_and_keeps_the_partial(server, heard):
    def script(reply):
        reply.begin()
        for _ in range(100):
            reply.send(reply.chunk("la "))
            time.sleep(0.02)

    server.scripts["m"] = script
    began = time.perf_counter()
    error = await failure(client(server), heard, deadline=1.2)
    assert error.kind == "timeout" and "1.2 s" in error.message and time.perf_counter() - began < 10
    assert heard.calls[0].text.startswith("la la") and heard.calls[0].finish == "error"


async def test_a_closed_port_is_tried_once_more_and_named(closed_port, heard):
    chat = ChatClient(f"http://127.0.0.1:{closed_port}", "m", backoff=0.01)
    error = await failure(chat, heard)
    assert (
        error.kind == "refused" and f"127.0.0.1:{closed_port}" in error.message and "start the server" in error.message
    )
    assert len(heard.calls) == 2


async def test_a_host_that_does_not_exist_is_not_retried(heard):
    error = await failure(ChatClient("http://nowhere.invalid/v1", "m"), heard)
    assert error.kind == "refused" and "nowhere.invalid" in error.message and len(heard.calls) == 1


async def test_a_stream_that_breaks_keeps_what_came(server, heard):
    def script(reply):
        reply.begin()
        reply.send(reply.chunk("GUESS: d"))
        time.sleep(0.05)
        reply.reset()

    server.scripts["m"] = script
    error = await failure(client(server), heard)
    assert error.kind == "broken_stream" and "in the middle" in error.message
    assert [(c.text, c.finish) for c in heard.calls] == [("GUESS: d", "error")] and server.count("m") == 1


async def test_a_stream_that_just_stops_is_broken_too(server, heard):
    def script(reply):
        reply.begin()
        reply.send(reply.chunk("GUESS: d"))
        reply.handler.wfile.write(b"0\r\n\r\n")

    server.scripts["m"] = script
    error = await failure(client(server), heard)
    assert error.kind == "broken_stream" and heard.calls[0].text == "GUESS: d"


async def test_usage_with_every_chunk_is_no_end(server, heard):
    def script(reply):
        reply.begin()
        reply.send({**reply.chunk("GUESS: d"), "usage": reply.usage["usage"]})
        reply.handler.wfile.write(b"0\r\n\r\n")

    server.scripts["m"] = script
    assert (await failure(client(server), heard)).kind == "broken_stream"


async def test_odd_values_in_a_stream_do_no_harm(server, heard):
    def script(reply):
        piece = reply.chunk("dog")
        piece["choices"][0]["logprobs"] = {"content": [{"token": "d"}, {"token": "og", "logprob": "low"}]}
        usage = {**reply.usage, "usage": {"prompt_tokens": "many", "completion_tokens": -1}}
        reply.stream(piece, {"choices": None}, {"timings": {"predicted_ms": 3}}, reply.chunk(finish="stop"), usage)

    server.scripts["m"] = script
    call = await ask(client(server), heard, {"logprobs": True})
    assert (call.text, call.logprobs, call.tokens_in, call.tokens_out) == ("dog", None, None, None)
    assert call.raw["timings"] == {"predicted_ms": 3}


async def test_a_listener_that_fails_is_not_blamed_on_the_server_and_the_request_is_kept(server, heard):
    server.scripts["m"] = lambda reply: reply.say("x")

    def emit(event):
        heard(event)
        if isinstance(event, Token):
            raise ZeroDivisionError

    chat = client(server)
    with pytest.raises(ZeroDivisionError):
        await chat.complete(HELLO, {}, role="first", emit=emit)
    await chat.aclose()
    assert [(call.finish, call.text) for call in heard.calls] == [("error", "x")]


def test_the_last_fence_takes_keys_out_of_the_whole_sentence():
    error = sentence(Trouble("unauthorized", "", status=401), Where(f"host-{KEY}", secrets=(KEY,)))
    assert KEY not in str(error) and "host-…" in str(error)


async def test_a_connection_lost_before_the_first_token_is_retried(server, heard):
    server.scripts["m"] = lambda reply: reply.say("x") if reply.number == 2 else reply.reset()
    call = await ask(client(server), heard)
    assert call.text == "x" and [c.finish for c in heard.calls] == ["error", "error", "stop"]


@pytest.mark.parametrize("line", ["{not json", '"a string"', '{"choices": [{"delta": null}]}', '{"choices": "x"}'])
async def test_garbage_in_a_stream_is_a_broken_stream(server, heard, line):
    server.scripts["m"] = lambda reply: reply.stream(line)
    error = await failure(client(server), heard)
    assert error.kind == "broken_stream" and heard.calls[-1].finish == "error"


async def test_a_page_instead_of_a_stream_is_no_reply(server, heard):
    """Whoever named the wrong address is told so at once: no gate asks again for what is not found."""
    server.scripts["m"] = lambda reply: reply.status(200, "<html>welcome</html>")
    error = await failure(client(server), heard)
    assert error.kind == "not_found" and error.kind not in PASSING and server.count("m") == len(heard.calls) == 1
    assert error.message == (
        f"127.0.0.1:{server.port} sent an answer that cannot be read, it does not speak the OpenAI protocol:"
        " check base_url"
    )


async def test_a_redirect_is_named_and_not_followed(server, heard):
    elsewhere = "http://elsewhere.example/v1/chat/completions"
    server.scripts["m"] = lambda reply: reply.status(307, "", {"location": elsewhere})
    error = await failure(client(server), heard)
    assert error.kind == "not_found" and server.count("m") == 1
    assert elsewhere in error.message and "307" in error.message and "check base_url" in error.message


@pytest.mark.parametrize("retries", [0, 2])
async def test_behind_a_gate_only_the_gate_asks_again(server, match, retries):
    """`--retries 0` asks once, and a server that hangs up every time is not called silent."""
    server.scripts["m"] = lambda reply: reply.reset()
    limits = Limits(retries=retries, timeout=4.0, backoff=0.01)
    player = ModelPlayer(Identity("model", "m"), ChatClient(server.url, "m", timeout=4.0), owner=True)
    gated = Scheduler([], None, limits=limits).gated(player)
    with pytest.raises(PlayerError, match="closed the connection") as caught:
        await gated.speak(HELLO, Ask(match.view("first")))
    await player.aclose()
    assert caught.value.kind == "broken_stream" and server.count("m") == retries + 1


async def test_a_server_is_left_alone_as_long_as_it_asks(server, heard):
    """Also where somebody else does the asking again, and by every request."""
    server.scripts["m"] = lambda reply: reply.say("x") if reply.number else reply.error(429, "", {"retry-after": "0.3"})
    chat = client(server, max_retries=0)
    with pytest.raises(PlayerError):
        await chat.complete(HELLO, {}, role="first", emit=heard)
    began = time.perf_counter()
    assert (await ask(chat, heard)).text == "x" and time.perf_counter() - began > 0.2
    assert any(isinstance(event, Thinking) and "as the server wishes" in event.note for event in heard)


async def test_an_error_inside_a_stream(server, heard):
    def script(reply):
        reply.stream(reply.chunk("a"), {"error": {"message": "out of memory", "code": 500}})

    server.scripts["m"] = script
    error = await failure(client(server), heard)
    assert error.kind == "server" and "out of memory" in error.message and heard.calls[0].text == "a"


@pytest.mark.parametrize(
    ("pieces", "finish", "word"),
    [
        ([], "stop", "empty reply"),
        ([" \n"], "stop", "empty reply"),
        (["<think>hm, hm"], "length", "thinking=off"),
        ([], "content_filter", "content filter"),
    ],
)
async def test_an_empty_reply_is_an_error_that_says_why(server, heard, pieces, finish, word):
    server.scripts["m"] = lambda reply: reply.say(*pieces, finish=finish)
    error = await failure(client(server), heard)
    assert error.kind == "empty" and word in error.message and server.count("m") == 1
    assert heard.calls[0].tokens_out == 3


async def test_cancelling_keeps_the_partial_and_hangs_up(server, heard):
    def script(reply):
        reply.begin()
        while True:
            reply.send(reply.chunk("la "))
            time.sleep(0.01)

    server.scripts["m"] = script
    task = asyncio.create_task(ask(client(server), heard))
    while not any(isinstance(event, Token) for event in heard):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(heard.calls) == 1 and heard.calls[0].finish == "cancelled" and heard.calls[0].text.startswith("la ")
    assert await asyncio.to_thread(server.until, server.gone.is_set)


async def test_cancelling_while_waiting_for_a_retry_ends_at_once(server, heard):
    server.scripts["m"] = lambda reply: reply.error(429, "slow down", {"retry-after": "50"})
    task = asyncio.create_task(ask(client(server), heard))
    while not any(isinstance(event, Thinking) and event.note for event in heard):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [c.finish for c in heard.calls] == ["error"]


async def test_eight_at_once_share_one_client(server, heard):
    server.scripts["m"] = lambda reply: reply.say(str(reply.body["seed"]))
    chat = client(server)
    calls = await asyncio.gather(*(chat.complete(HELLO, {"seed": seed}, role="first", emit=heard) for seed in range(8)))
    await chat.aclose()
    assert [call.text for call in calls] == [str(seed) for seed in range(8)]


async def test_models_are_listed_and_errors_are_ours(server, closed_port):
    server.paths["/v1/models"] = {"object": "list", "data": [{"id": "qwen"}]}
    chat = client(server)
    assert await chat.models() == ["qwen"]
    await chat.aclose()
    server.paths["/v1/models"] = (401, {"error": {"message": "no"}})
    for url, kind in ((server.url, "unauthorized"), (f"http://127.0.0.1:{closed_port}", "refused")):
        chat = ChatClient(url, "m")
        with pytest.raises(PlayerError) as caught:
            await chat.models()
        assert caught.value.kind == kind
        await chat.aclose()


async def test_a_client_can_be_used_again_after_it_was_closed(server, heard):
    server.scripts["m"] = lambda reply: reply.say("x")
    chat = client(server)
    assert (await ask(chat, heard)).text == (await ask(chat, heard)).text == "x"


@pytest.mark.parametrize(
    ("given_url", "wanted"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        ("https://x.org/api/v1/", "https://x.org/api/v1"),
        ("https://x.org/v1/chat/completions", "https://x.org/v1"),
    ],
)
def test_base_urls_are_put_right(given_url, wanted):
    assert endpoint(given_url) == wanted == endpoint(wanted)


def test_loopback_is_told_from_elsewhere():
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.evil.org", "")))


def test_retry_after_in_all_its_forms():
    assert retry_after({"retry-after": "2"}) == 2 and retry_after({"retry-after-ms": "250"}) == 0.25
    assert retry_after({}) is None and retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "nan"}) is None and retry_after({"retry-after": "-1"}) is None
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


@given(st.text(max_size=300))
def test_what_is_quoted_is_one_printable_line_without_the_key(text):
    quoted = Where("here", secrets=(KEY,)).quote(text[:50] + KEY + text[50:])
    assert quoted.isprintable() and len(quoted) <= 200 and KEY not in quoted


def test_the_sdk_is_not_imported_before_the_first_request():
    code = (
        "import sys; from players.backends.chat import ChatClient; ChatClient('http://127.0.0.1:1', 'm');"
        "print([m for m in ('openai', 'httpx2', 'xllamacpp', 'textual') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
