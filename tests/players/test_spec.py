"""Player specs: every form of the table, what is wrong said in one sentence, and the round trip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from players.spec import BACKENDS, SAMPLING, PlayerSpec, SpecError, check_setting, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("human", PlayerSpec("human")),
        ("human:Ann Lee", PlayerSpec("human", "Ann Lee")),
        ("human@7F-QX", PlayerSpec("human", code="7F-QX")),
        ("bot", PlayerSpec("bot")),
        ("bot:random", PlayerSpec("bot", "random")),
        ("replay:01JD", PlayerSpec("replay", "01JD")),
        (" smollm2 ", PlayerSpec("name", "smollm2")),
        ("openai:gpt-x", PlayerSpec("openai", "gpt-x")),
        ("openai:llama3.2:1b", PlayerSpec("openai", "llama3.2:1b")),
        ("vllm:meta-llama/Llama-3.1-8B", PlayerSpec("vllm", "meta-llama/Llama-3.1-8B")),
        ("transformers:./out/dir", PlayerSpec("transformers", "./out/dir")),
        ("llamacpp:/models/a b.gguf", PlayerSpec("llamacpp", "/models/a b.gguf")),
        ("llamacpp:/models/what%3F.gguf", PlayerSpec("llamacpp", "/models/what?.gguf")),
    ],
)
def test_every_form_of_the_table(text, wanted):
    spec = parse(text)
    assert spec == wanted and str(spec) == text.strip() and parse(str(spec)) == spec


def test_a_seat_for_another_terminal_needs_no_code_of_ones_own():
    assert parse("human@") == parse("human@new") == PlayerSpec("human", code="new")
    assert str(parse("human@")) == "human@new"


def test_settings_are_typed_and_come_back_as_written():
    text = "smollm2?temperature=0&max_tokens=300&thinking=off&stop=%0A&stop=END&top_p=0.9"
    spec = parse(text)
    assert spec.settings == {
        "temperature": 0.0,
        "max_tokens": 300,
        "thinking": False,
        "stop": ("\n", "END"),
        "top_p": 0.9,
    }
    assert isinstance(spec.settings["max_tokens"], int) and str(spec) == text
    assert spec.head == "smollm2" and spec.bare() == PlayerSpec("name", "smollm2")


def test_how_to_reach_a_model_is_not_how_it_decodes():
    spec = parse("openai:x?base_url=http://127.0.0.1:8080/v1&api_key_env=MY_KEY&timeout=5&assist=on&seed=3")
    assert spec.sampling == {"seed": 3}
    assert spec.settings["base_url"] == "http://127.0.0.1:8080/v1" and spec.settings["assist"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["printable"]),
        ("a\x1bb", ["printable"]),
        ("bot:", ["bot:NAME"]),
        ("human:", ["human:NAME"]),
        ("openai", ["openai:MODEL"]),
        ("openai: ?seed=1", ["openai:MODEL"]),
        ("replay", ["replay:EPISODE"]),
        ("human@a b", ["code"]),
        ("openia:gpt", ["'openia'", "did you mean openai", "base_url"]),
        ("ollama:qwen", ["'ollama'", "base_url"]),
        ("two words", ["'two words'"]),
        ("/models/x.gguf", ["llamacpp:/models/x.gguf"]),
        ("-rf", ["letters"]),
        ("bot?temperature=0", ["takes no settings"]),
        ("human:Ann?seed=1", ["takes no settings"]),
        ("smollm2?", ["KEY=VALUE"]),
        ("smollm2?temperature", ["KEY=VALUE"]),
        ("smollm2?temperatur=1", ["'temperatur'", "did you mean temperature"]),
        ("smollm2?temperature=hot", ["temperature=hot", "a number from 0"]),
        ("smollm2?temperature=nan", ["a number from 0"]),
        ("smollm2?temperature=-1", ["a number from 0"]),
        ("smollm2?max_tokens=0", ["a whole number from 1"]),
        ("smollm2?max_tokens=1.5", ["a whole number from 1"]),
        ("smollm2?max_tokens=" + "9" * 400, ["a whole number from 1"]),
        ("smollm2?top_p=0", ["above 0"]),
        ("smollm2?thinking=maybe", ["on or off"]),
        ("smollm2?seed=1&seed=2", ["twice"]),
        ("smollm2?stop=", ["ends the reply"]),
        ("openai:x?base_url=ftp://x", ["base_url", "http://"]),
        ("openai:x?base_url=http://me:sk-secret@x/v1", ["without user, key or query"]),
        ("openai:x?base_url=http://x/v1%3Fapi_key%3Dsk-secret", ["without user, key or query"]),
        ("openai:x?base_url=http://x:99999", ["http://"]),
        ("openai:x?api_key_env=sk-1", ["environment variable"]),
        ("openai:x?api_key=sk-secret", ["did you mean api_key_env"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text, words):
    with pytest.raises(SpecError) as caught:
        parse(text)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "sk-" not in message, "what may be a key is not repeated"
    assert message.isprintable() and len(message) < 300 and caught.value.exit_code == 2


def test_a_whole_list_is_shown_where_nothing_is_near():
    with pytest.raises(SpecError, match="there are: temperature"):
        check_setting("zzzzzzzz", "1")


printable = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1).map(str.strip).filter(bool)
numbers = st.floats(0, 10, allow_nan=False).map(lambda value: value + 0.0)
values = {
    "temperature": numbers,
    "top_p": st.floats(0, 1, exclude_min=True),
    "top_k": st.integers(0, 2**31 - 1),
    "min_p": st.floats(0, 1).map(lambda value: value + 0.0),
    "max_tokens": st.integers(1, 2**31 - 1),
    "seed": st.integers(0, 2**31 - 1),
    "stop": st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1).map(tuple),
    "thinking": st.booleans(),
    "presence_penalty": st.floats(-2, 2).map(lambda value: value + 0.0),
    "api_key_env": st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True),
    "base_url": st.sampled_from(["http://127.0.0.1:8000/v1", "https://openrouter.ai/api/v1", "http://[::1]:1/a,b"]),
}
settings = st.fixed_dictionaries({}, optional=values)
heads = st.one_of(
    st.builds(PlayerSpec, st.just("human"), printable),
    st.builds(PlayerSpec, st.sampled_from(["human", "bot"])),
    st.builds(PlayerSpec, st.just("human"), code=st.from_regex(r"[A-Z0-9-]{1,8}", fullmatch=True)),
    st.builds(PlayerSpec, st.sampled_from(["bot", "replay"]), printable),
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+/-]*", fullmatch=True)
models = st.one_of(
    st.builds(PlayerSpec, st.just("name"), names, settings=settings).filter(
        lambda spec: spec.name not in ("human", "bot", "replay", *BACKENDS)
    ),
    st.builds(PlayerSpec, st.sampled_from(BACKENDS), printable, settings=settings),
)


@given(heads | models)
def test_round_trip(spec):
    text = str(spec)
    assert text.isprintable() and parse(text) == spec and str(parse(text)) == text


@given(st.text(max_size=60) | st.from_regex(r"(openai|bot|x):?[a-z%?&=]{0,20}"))
def test_any_text_is_a_player_or_one_sentence(text):
    try:
        spec = parse(text)
    except SpecError as error:
        assert str(error).isprintable()
    else:
        assert parse(str(spec)) == spec


def test_every_sampling_key_says_what_it_must_be():
    assert all(hint for _, hint in SAMPLING.values())
